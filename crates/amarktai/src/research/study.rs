//! From flags or a file to a plan.

use super::Failure;
use crate::cli::Study;
use backtest::market::FeeRates;
use backtest::{Plan, PlanData};
use domain::{Amount, StrategyConfig};
use engine::NewBot;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Paper money of a bot that nobody gave any.
const CAPITAL: i64 = 10_000;

/// The plan of a file, or of the flags; `--from`, `--to` and `--accept-gaps` count in any case.
pub(super) fn plan(asked: &Study, file: Option<&Path>) -> Result<Plan, Failure> {
    let mut plan = match file {
        Some(file) if asked.strategy.is_none() => read(file)?,
        Some(_) => {
            let both = "--config FILE names bots, and so does --strategy: give one of them";
            return Err(Failure::Usage(both.to_owned()));
        }
        None => of_flags(asked)?,
    };
    plan.from = asked.from.or(plan.from);
    plan.to = asked.to.or(plan.to);
    plan.accept_gaps |= asked.accept_gaps;
    Ok(plan)
}

fn read(file: &Path) -> Result<Plan, Failure> {
    let wrong = |reason: String| Failure::Usage(format!("{}: {reason}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    let mut plan: Plan = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    // Files of a plan are meant from where it is.
    let here = file.parent().unwrap_or(Path::new(""));
    for path in plan.data.iter_mut().flat_map(|data| &mut data.files) {
        *path = here.join(&path);
    }
    Ok(plan)
}

fn of_flags(asked: &Study) -> Result<Plan, Failure> {
    let needed = |flag: &str| Failure::Usage(format!("{flag} is needed, or --config FILE"));
    let kind = asked.strategy.ok_or_else(|| needed("--strategy"))?;
    let exchange = asked.exchange.ok_or_else(|| needed("--exchange"))?;
    let symbol = asked.symbol.ok_or_else(|| needed("--symbol"))?;
    if asked.data.is_empty() {
        return Err(needed("--data FILE"));
    }
    let params = json("--params", asked.params.as_ref())?.unwrap_or_default();
    let bot = NewBot {
        name: kind.name().to_owned(),
        exchange: exchange.name().to_owned(),
        symbol,
        strategy: StrategyConfig { kind, params },
        timeframe: asked.timeframe,
        risk_mode: asked.risk_mode,
        capital: asked.capital.unwrap_or(Amount::from_int(CAPITAL)),
        sizing: json("--sizing", asked.sizing.as_ref())?,
        exits: json("--exits", asked.exits.as_ref())?,
        managed: false,
    };
    let fees = FeeRates { maker: asked.fee_maker, taker: asked.fee_taker };
    let half_spread_bp = asked.half_spread_bp;
    let files = asked.data.clone();
    let data = PlanData { exchange, symbol, files, fees, half_spread_bp };
    Ok(Plan { data: vec![data], bots: vec![bot], ..Plan::default() })
}

fn json<T: DeserializeOwned>(
    flag: &str,
    value: Option<&serde_json::Value>,
) -> Result<Option<T>, Failure> {
    let Some(value) = value else { return Ok(None) };
    let wrong = |e: serde_json::Error| Failure::Usage(format!("{flag}: {e}"));
    serde_json::from_value(value.clone()).map(Some).map_err(wrong)
}
