//! What varies: parameters of the strategy, protective exits, the timeframe.

use domain::{Amount, ParamValue, Timeframe};
use engine::NewBot;
use serde::Serialize;

/// Values of one axis, and places of the whole space: more than is ever run.
const VALUES_MAX: usize = 10_000;
const PLACES_MAX: usize = 1_000_000_000;

/// One thing that varies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Axis {
    /// A parameter's name, `exits.NAME` or `timeframe`.
    pub name: String,
    /// As written.
    pub values: Vec<String>,
}

/// All that varies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Space {
    /// The axes in the order in which they were given.
    pub axes: Vec<Axis>,
}

/// The space makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SpaceError(pub String);

impl Axis {
    /// From `name=a,b,c`, `name=from..to:step` or `name=from..to` (step 1).
    ///
    /// # Errors
    /// Where it is none of these.
    pub fn parse(text: &str) -> Result<Self, SpaceError> {
        let wrong = |what: &str| SpaceError(format!("{text:?}: {what}"));
        let (name, values) = text.split_once('=').ok_or_else(|| wrong("NAME=VALUES is needed"))?;
        let values = match values.split_once("..") {
            Some((from, rest)) => range(from, rest).ok_or_else(|| {
                wrong("a range is FROM..TO or FROM..TO:STEP, of at most 10000 values")
            })?,
            None => values.split(',').map(|v| v.trim().to_owned()).collect(),
        };
        let is_empty = values.iter().any(String::is_empty);
        if name.trim().is_empty() || is_empty || values.len() > VALUES_MAX {
            return Err(wrong("1 to 10000 values are needed, none of them empty"));
        }
        Ok(Self { name: name.trim().to_owned(), values })
    }
}

fn range(from: &str, rest: &str) -> Option<Vec<String>> {
    let (to, step) = rest.split_once(':').unwrap_or((rest, "1"));
    let number = |text: &str| text.trim().parse::<Amount>().ok();
    let (mut at, to, step) = (number(from)?, number(to)?, number(step)?);
    let mut values = Vec::new();
    while step.is_positive() && at <= to {
        if values.len() == VALUES_MAX {
            return None;
        }
        values.push(at.to_string());
        at += step;
    }
    (!values.is_empty()).then_some(values)
}

impl Space {
    /// Places in it.
    pub fn size(&self) -> usize {
        let product = self.axes.iter().try_fold(1usize, |n, axis| n.checked_mul(axis.values.len()));
        product.unwrap_or(PLACES_MAX).min(PLACES_MAX)
    }

    /// The place of this number, the last axis fastest.
    pub fn place(&self, mut number: usize) -> Vec<usize> {
        let mut place = vec![0; self.axes.len()];
        for (at, axis) in place.iter_mut().zip(&self.axes).rev() {
            *at = number % axis.values.len();
            number /= axis.values.len();
        }
        place
    }

    /// A place in words.
    pub fn words(&self, place: &[usize]) -> String {
        let word = |(axis, at): (&Axis, &usize)| format!("{}={}", axis.name, axis.values[*at]);
        self.axes.iter().zip(place).map(word).collect::<Vec<_>>().join(" ")
    }

    /// The bot at a place.
    ///
    /// # Errors
    /// Where an axis names nothing that a bot has, or the strategy does not take the values.
    pub fn apply(&self, bot: &NewBot, place: &[usize]) -> Result<NewBot, SpaceError> {
        let mut bot = bot.clone();
        for (axis, at) in self.axes.iter().zip(place) {
            set(&mut bot, &axis.name, &axis.values[*at])?;
        }
        strategy::resolve(&bot.strategy).map_err(|e| SpaceError(e.to_string()))?;
        Ok(bot)
    }
}

fn set(bot: &mut NewBot, name: &str, value: &str) -> Result<(), SpaceError> {
    let wrong = |what: &str| SpaceError(format!("{name}={value}: {what}"));
    if name == "timeframe" {
        let timeframe: Timeframe = value.parse().map_err(|_| wrong("no such timeframe"))?;
        bot.timeframe = Some(timeframe);
        return Ok(());
    }
    let Some(exit) = name.strip_prefix("exits.") else {
        bot.strategy.params.insert(name.to_owned(), param(value));
        return Ok(());
    };
    let mut exits = match bot.exits {
        Some(exits) => exits,
        None => strategy::resolve(&bot.strategy)
            .map(|params| strategy::default_exits(&params))
            .map_err(|e| SpaceError(e.to_string()))?,
    };
    let amount: Amount = value.parse().map_err(|_| wrong("is no decimal number"))?;
    match exit {
        "stop_percent" => exits.stop_percent = Some(amount),
        "target_percent" => exits.target_percent = Some(amount),
        "trail_percent" => exits.trail_percent = Some(amount),
        _ => return Err(wrong("exits are stop_percent, target_percent and trail_percent")),
    }
    bot.exits = Some(exits);
    Ok(())
}

/// As a person's JSON would say it.
fn param(value: &str) -> ParamValue {
    match (value, value.parse::<i64>(), value.parse::<Amount>()) {
        ("true", ..) => ParamValue::Flag(true),
        ("false", ..) => ParamValue::Flag(false),
        (_, Ok(whole), _) => ParamValue::Integer(whole),
        (_, _, Ok(decimal)) => ParamValue::Decimal(decimal),
        _ => ParamValue::Word(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_are_understood_and_others_are_not() {
        let values = |text| Axis::parse(text).unwrap().values;
        assert_eq!(values("fast=5,9"), ["5", "9"]);
        assert_eq!(values("fast=5..20:5"), ["5", "10", "15", "20"]);
        assert_eq!(values("d=0.5..2:0.5"), ["0.5", "1", "1.5", "2"]);
        for wrong in ["fast", "fast=", "=5", "fast=9..5", "fast=1..5:0", "fast=1..99999999"] {
            assert!(Axis::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_number_is_its_own_place() {
        let axes = ["a=1,2,3", "b=1,2"].map(|text| Axis::parse(text).unwrap()).to_vec();
        let space = Space { axes };
        let all: Vec<_> = (0..space.size()).map(|n| space.place(n)).collect();
        assert_eq!(all, [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]]);
        assert_eq!(space.words(&[2, 1]), "a=3 b=2");
    }
}
