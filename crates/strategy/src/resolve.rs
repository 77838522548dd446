//! From what a person typed to typed parameters: every fault named at once, none guessed away.

use crate::params::{
    BollingerReversion, Dca, DonchianBreakout, EmaCross, Grid, GridRange, MacdTrend, MarketMaking,
    Params, RsiReversion, SafetyOrder, Spacing,
};
use crate::schema::{ParamKind, Schema, schema};
use domain::{Amount, ParamValue, Rate, Round, StrategyConfig, StrategyKind};
use serde::Serialize;
use std::fmt;

/// One parameter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{param} = {value}: allowed is {allowed}")]
pub struct ParamError {
    /// Its name, as typed.
    pub param: String,
    /// Its value, as typed.
    pub value: String,
    /// What would do.
    pub allowed: String,
}

/// All that is wrong with a strategy's parameters; refuse the bot and show them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct ParamErrors(pub Vec<ParamError>);

impl fmt::Display for ParamErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if n == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// Checks names, types and ranges against the schema, and what parameters ask of one another.
///
/// # Errors
/// Every parameter that is wrong, with its value and what is allowed.
pub fn resolve(config: &StrategyConfig) -> Result<Params, ParamErrors> {
    let mut reader = Reader { config, schema: schema(config.kind), errors: vec![] };
    reader.refuse_unknown();
    let params = reader.read();
    match reader.errors.is_empty() {
        true => Ok(params),
        false => Err(ParamErrors(reader.errors)),
    }
}

/// Texts in errors are kept short: they may come from a hostile body.
const SHOWN_CHARS: usize = 40;
/// Unknown names reported at most, for the same reason.
const UNKNOWN_SHOWN: usize = 10;

struct Reader<'a> {
    config: &'a StrategyConfig,
    schema: &'static Schema,
    errors: Vec<ParamError>,
}

impl Reader<'_> {
    fn read(&mut self) -> Params {
        match self.config.kind {
            StrategyKind::EmaCross => {
                let (fast, slow) = self.fast_and_slow();
                Params::EmaCross(EmaCross { fast, slow })
            }
            StrategyKind::RsiReversion => self.rsi(),
            StrategyKind::BollingerReversion => Params::BollingerReversion(BollingerReversion {
                period: self.integer("period"),
                deviations: self.decimal("deviations").to_f64(),
            }),
            StrategyKind::DonchianBreakout => self.donchian(),
            StrategyKind::MacdTrend => {
                let (fast, slow) = self.fast_and_slow();
                Params::MacdTrend(MacdTrend { fast, slow, signal: self.integer("signal") })
            }
            StrategyKind::Grid => self.grid(),
            StrategyKind::Dca => self.dca(),
            StrategyKind::MarketMaking => Params::MarketMaking(MarketMaking {
                behind_ticks: self.integer("behind_ticks"),
                min_spread_bp: self.decimal("min_spread_bp").to_f64(),
                max_entries: self.integer("max_entries"),
                requote_bars: self.integer("requote_bars"),
                max_hold_s: self.integer("max_hold_s"),
            }),
        }
    }

    fn fast_and_slow(&mut self) -> (u16, u16) {
        let (fast, slow) = (self.integer("fast"), self.integer("slow"));
        if fast >= slow {
            self.refuse("fast", fast, format!("a period shorter than slow = {slow}"));
        }
        (fast, slow)
    }

    fn rsi(&mut self) -> Params {
        let (buy, sell) = (self.decimal("buy_below"), self.decimal("sell_above"));
        if buy >= sell {
            self.refuse("buy_below", buy, format!("an index lower than sell_above = {sell}"));
        }
        let (buy_below, sell_above) = (buy.to_f64(), sell.to_f64());
        let period = self.integer("period");
        Params::RsiReversion(RsiReversion { period, buy_below, sell_above })
    }

    fn donchian(&mut self) -> Params {
        let (entry_period, exit_period) =
            (self.integer("entry_period"), self.integer("exit_period"));
        if exit_period > entry_period {
            let allowed = format!("a period not longer than entry_period = {entry_period}");
            self.refuse("exit_period", exit_period, allowed);
        }
        Params::DonchianBreakout(DonchianBreakout { entry_period, exit_period })
    }

    fn grid(&mut self) -> Params {
        let spacing = match self.word("spacing") {
            "arithmetic" => Spacing::Arithmetic,
            _ => Spacing::Geometric,
        };
        Params::Grid(Grid {
            range: self.grid_range(),
            levels: self.integer("levels"),
            spacing,
            stop_margin: self.rate("stop_margin_percent"),
        })
    }

    fn grid_range(&mut self) -> GridRange {
        let around = self.rate("range_percent");
        match (self.optional("lower"), self.optional("upper")) {
            (Some(lower), Some(upper)) => {
                if lower >= upper {
                    self.refuse("lower", lower, format!("a price under upper = {upper}"));
                }
                if self.config.params.contains_key("range_percent") {
                    let allowed = "nothing where lower and upper are given".to_owned();
                    self.refuse("range_percent", around.to_percent(), allowed);
                }
                GridRange::Fixed { lower, upper }
            }
            (None, None) => GridRange::Around(around),
            (lower, _) => {
                let missing = if lower.is_none() { "lower" } else { "upper" };
                self.refuse(missing, "none", "a price, where the other one is given".to_owned());
                GridRange::Around(around)
            }
        }
    }

    fn dca(&mut self) -> Params {
        let count: usize = self.integer("safety_orders");
        let (first, step) = (self.decimal("deviation_percent"), self.decimal("step_scale"));
        let below = distances(first, step, count);
        if below.len() < count {
            let allowed =
                format!("so few that all rest above zero: {} with these distances", below.len());
            self.refuse("safety_orders", count, allowed);
        }
        let mut shares = shares(self.decimal("volume_scale"), below.len()).into_iter();
        let base_share = shares.next().unwrap_or(Rate::ONE);
        Params::Dca(Dca {
            interval_bars: self.integer("interval_bars"),
            base_share,
            safety: below
                .into_iter()
                .zip(shares)
                .map(|(below, share)| SafetyOrder { below, share })
                .collect(),
            target_percent: self.decimal("target_percent"),
        })
    }

    fn refuse_unknown(&mut self) {
        let known: Vec<&str> = self.schema.params.iter().map(|p| p.name).collect();
        let unknown = self.config.params.iter().filter(|(n, _)| !known.contains(n));
        for (name, value) in unknown.take(UNKNOWN_SHOWN) {
            self.errors.push(ParamError {
                param: short(name),
                value: shown(value),
                allowed: format!("one of the parameters {}", known.join(", ")),
            });
        }
    }

    fn refuse(&mut self, param: &str, value: impl fmt::Display, allowed: String) {
        self.errors.push(ParamError { param: param.to_owned(), value: value.to_string(), allowed });
    }

    fn kind(&self, name: &str) -> Option<&'static ParamKind> {
        self.schema.params.iter().find(|p| p.name == name).map(|p| &p.kind)
    }

    /// A whole number; where it is refused the default stands in, so that the rest is checked too.
    fn integer<T: TryFrom<i64> + Default>(&mut self, name: &str) -> T {
        let Some(&ParamKind::Integer { min, max, default }) = self.kind(name) else {
            return T::default();
        };
        let typed = self.config.params.get(name);
        let value = match typed {
            None => Some(default),
            Some(ParamValue::Integer(n)) => Some(*n),
            Some(ParamValue::Decimal(d)) => whole(*d),
            Some(_) => None,
        };
        let value = value.filter(|n| (min..=max).contains(n)).unwrap_or_else(|| {
            let value = typed.map(shown).unwrap_or_default();
            self.refuse(name, value, format!("a whole number from {min} to {max}"));
            default
        });
        T::try_from(value).unwrap_or_default()
    }

    fn decimal(&mut self, name: &str) -> Amount {
        let Some(&ParamKind::Decimal { min, max, default }) = self.kind(name) else {
            return Amount::ZERO;
        };
        match self.config.params.contains_key(name) {
            true => self.in_range(name, min, max).unwrap_or(default),
            false => default,
        }
    }

    fn optional(&mut self, name: &str) -> Option<Amount> {
        let Some(&ParamKind::OptionalDecimal { min, max }) = self.kind(name) else { return None };
        self.config.params.contains_key(name).then(|| self.in_range(name, min, max).unwrap_or(min))
    }

    fn in_range(&mut self, name: &str, min: Amount, max: Amount) -> Option<Amount> {
        let typed = self.config.params.get(name)?;
        let value = match typed {
            ParamValue::Integer(n) => Some(Amount::from_int(*n)),
            ParamValue::Decimal(d) => Some(*d),
            _ => None,
        };
        let value = value.filter(|v| (min..=max).contains(v));
        if value.is_none() {
            let value = shown(typed);
            self.refuse(name, value, format!("a decimal number from {min} to {max}"));
        }
        value
    }

    /// Percent as a share.
    fn rate(&mut self, name: &str) -> Rate {
        Rate::from_percent_amount(self.decimal(name)).unwrap_or_default()
    }

    fn word(&mut self, name: &str) -> &'static str {
        let Some(&ParamKind::Word { allowed, default }) = self.kind(name) else { return "" };
        let typed = self.config.params.get(name);
        let word = match typed {
            None => Some(default),
            Some(ParamValue::Word(w)) => allowed.iter().copied().find(|a| a == w),
            Some(_) => None,
        };
        word.unwrap_or_else(|| {
            let value = typed.map(shown).unwrap_or_default();
            self.refuse(name, value, format!("one of {}", allowed.join(", ")));
            default
        })
    }
}

/// How far each safety order is under the base: as many as rest above zero.
fn distances(first_percent: Amount, scale: Amount, count: usize) -> Vec<Rate> {
    let hundred = Amount::from_int(100);
    let (mut step, mut total) = (first_percent, Amount::ZERO);
    let mut below = Vec::with_capacity(count);
    while below.len() < count {
        total += step;
        let Some(rate) = Rate::from_percent_amount(total).filter(|_| total < hundred) else {
            break;
        };
        below.push(rate);
        step = step.product(scale, Round::Down).unwrap_or(hundred).min(hundred);
    }
    below
}

/// Shares of one entry's size of the base order and of each safety order: together as many
/// entries as there are orders, rounded down.
fn shares(scale: Amount, safety: usize) -> Vec<Rate> {
    let mut weights = vec![Amount::ONE];
    while weights.len() <= safety {
        let last = weights[weights.len() - 1];
        weights.push(last.product(scale, Round::Down).unwrap_or(last));
    }
    let (all, sum) = (Amount::from_int(weights.len() as i64), weights.iter().copied().sum());
    let share = |weight: Amount| {
        let part = weight.product(all, Round::Down)?.quotient(sum, Round::Down)?;
        part.to_scaled(9, Round::Down).map(Rate)
    };
    weights.into_iter().map(|weight| share(weight).unwrap_or(Rate::ZERO)).collect()
}

fn whole(amount: Amount) -> Option<i64> {
    let down = amount.to_scaled(0, Round::Down)?;
    (Amount::from_int(down) == amount).then_some(down)
}

fn short(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

fn shown(value: &ParamValue) -> String {
    match value {
        ParamValue::Flag(flag) => flag.to_string(),
        ParamValue::Integer(n) => n.to_string(),
        ParamValue::Decimal(d) => d.to_string(),
        ParamValue::Word(word) => format!("{:?}", short(word)),
    }
}
