//! `demo`: the whole product on local exchange servers, with a small funded fleet.

use crate::config::Config;
use crate::core_loop::Catalogue;
use crate::run::{self, RunError, Running, program};
use crate::signals::Signals;
use domain::{
    AccountId, Amount, Currency, Exchange, Exits, ParamValue, RiskMode, StrategyConfig,
    StrategyKind, Symbol, Timeframe,
};
use engine::{Command, NewBot, Reply, WalletMove};
use sandbox::SandboxConfig;
use server::CoreError;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The servers answer within a second; a slow machine gets more.
const INSTRUMENTS_WAIT: Duration = Duration::from_secs(30);

/// Starts the sandbox, points the exchanges at it, and runs.
///
/// # Errors
/// See [`RunError`].
pub async fn demo(config: &Config) -> Result<(), RunError> {
    let mut signals = Signals::listen()
        .map_err(|e| RunError::SelfTest { part: "signals", reason: e.to_string() })?;
    let sandbox = sandbox::start(SandboxConfig::default())
        .await
        .map_err(|e| RunError::SelfTest { part: "sandbox", reason: e.to_string() })?;
    let config = local(config, &sandbox);
    let running = run::start(&config, Some("DEMO")).await?;
    println!("DEMO at http://{} on simulated markets of its own", running.address);
    match &running.setup_code {
        Some(code) => println!("Sign in: open the page and enter the setup code {code}"),
        None => println!("Sign in: open the page with the name and password that you chose"),
    }
    println!(
        "Ctrl-C ends it; the next start goes on from here. Data: {}",
        config.data_dir.display()
    );
    let populated = tokio::select! {
        populated = populate(&running) => populated.map(|()| true),
        () = signals.end() => Ok(false),
    };
    let ended = match populated {
        Ok(true) => running.until_ended(&mut signals).await,
        Ok(false) => running.end_now().await,
        Err(error) => running.end_now().await.and(Err(error)),
    };
    sandbox.close().await;
    ended
}

/// The same configuration with the sandbox's addresses, and a place of its own for its data.
fn local(config: &Config, sandbox: &sandbox::Sandbox) -> Config {
    let mut config = config.clone();
    if config.data_dir == Path::new("amarktai-data") {
        config.data_dir = PathBuf::from("amarktai-demo");
    }
    for exchange in Exchange::ALL {
        let urls = sandbox.urls(exchange);
        let settings = config.exchanges.get_mut(exchange);
        settings.rest_url = urls.rest_url;
        settings.stream_url = urls.stream_url;
        settings.is_enabled = true;
    }
    let usdt_zar: Option<Symbol> = "USDT/ZAR".parse().ok();
    config.exchanges.get_mut(Exchange::Luno).symbols.extend(usdt_zar);
    config
}

fn failed(reason: impl ToString) -> RunError {
    RunError::SelfTest { part: "demo fleet", reason: reason.to_string() }
}

/// An account with money and bots, once.
async fn populate(running: &Running) -> Result<(), RunError> {
    let accounts = running.core.query(engine::Engine::accounts).await.map_err(failed)?;
    let has_bots = running.core.query(|e| e.fleet().bots > 0).await.map_err(failed)?;
    if has_bots {
        return Ok(());
    }
    let account = match accounts.first() {
        Some(account) => account.id,
        None => {
            let zar: Currency = "ZAR".parse().map_err(failed)?;
            let create =
                Command::CreateAccount { name: "demo".to_owned(), reporting_currency: zar };
            match command(running, None, create).await? {
                Reply::Account(id) => id,
                other => return Err(failed(format!("no account: {other:?}"))),
            }
        }
    };
    for (exchange, currency, amount) in [
        (Exchange::Binance, "USDT", 20_000),
        (Exchange::Kucoin, "USDT", 10_000),
        (Exchange::Luno, "ZAR", 200_000),
    ] {
        let currency = currency.parse().map_err(failed)?;
        let money = WalletMove { exchange, currency, amount: Amount::from_int(amount) };
        command(running, Some(account), Command::Deposit(money)).await?;
    }
    let fleet = fleet().map_err(failed)?;
    wait_for_instruments(&running.catalogue, &fleet).await;
    for bot in fleet {
        let name = bot.name.clone();
        let create = Command::CreateBot { bot, start: true };
        if let Err(error) = command(running, Some(account), create).await {
            tracing::warn!(bot = %name, %error, "a demo bot was not created");
        }
    }
    Ok(())
}

async fn command(
    running: &Running,
    account: Option<AccountId>,
    command: Command,
) -> Result<Reply, RunError> {
    running.core.command(account, program(), command).await.map_err(|e: CoreError| failed(e))
}

/// Bots are created against listed instruments.
async fn wait_for_instruments(catalogue: &Catalogue, fleet: &[NewBot]) {
    let wanted: Vec<(Exchange, Symbol)> = fleet
        .iter()
        .filter_map(|bot| Exchange::parse(&bot.exchange).map(|e| (e, bot.symbol)))
        .collect();
    let deadline = tokio::time::Instant::now() + INSTRUMENTS_WAIT;
    while tokio::time::Instant::now() < deadline {
        let listed = catalogue.read().is_ok_and(|c| wanted.iter().all(|key| c.contains_key(key)));
        if listed {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tracing::warn!("not all instruments of the demo fleet are listed");
}

/// A bot of the fleet: name, exchange, symbol, kind, parameters, timeframe, capital.
type Line = (
    &'static str,
    Exchange,
    &'static str,
    StrategyKind,
    &'static [(&'static str, &'static str)],
    Timeframe,
    i64,
);

/// Every kind at least once, on short bars so that a newcomer sees trades; the limits are those of
/// any account.
const FLEET: &[Line] = &[
    (
        "scout",
        Exchange::Binance,
        "BTC/USDT",
        StrategyKind::EmaCross,
        &[("fast", "3"), ("slow", "8")],
        Timeframe::S5,
        1_500,
    ),
    (
        "runner",
        Exchange::Binance,
        "ETH/USDT",
        StrategyKind::EmaCross,
        &[("fast", "5"), ("slow", "13")],
        Timeframe::S5,
        1_500,
    ),
    (
        "pendulum",
        Exchange::Binance,
        "SOL/USDT",
        StrategyKind::RsiReversion,
        &[("period", "7"), ("buy_below", "35"), ("sell_above", "60")],
        Timeframe::S5,
        1_500,
    ),
    (
        "spring",
        Exchange::Binance,
        "XRP/USDT",
        StrategyKind::BollingerReversion,
        &[("period", "20"), ("deviations", "1.5")],
        Timeframe::S1,
        1_500,
    ),
    (
        "breaker",
        Exchange::Binance,
        "LTC/USDT",
        StrategyKind::DonchianBreakout,
        &[("entry_period", "20"), ("exit_period", "10")],
        Timeframe::S1,
        1_500,
    ),
    (
        "surfer",
        Exchange::Binance,
        "DOGE/USDT",
        StrategyKind::MacdTrend,
        &[("fast", "6"), ("slow", "13"), ("signal", "5")],
        Timeframe::S5,
        1_500,
    ),
    ("ladder", Exchange::Binance, "BNB/USDT", StrategyKind::Grid, &[], Timeframe::S5, 3_000),
    ("saver", Exchange::Kucoin, "BTC/USDT", StrategyKind::Dca, &[], Timeframe::S5, 3_000),
    (
        "swing",
        Exchange::Kucoin,
        "ETH/USDT",
        StrategyKind::EmaCross,
        &[("fast", "3"), ("slow", "8")],
        Timeframe::S5,
        1_500,
    ),
    (
        "mirror",
        Exchange::Kucoin,
        "SOL/USDT",
        StrategyKind::BollingerReversion,
        &[("period", "20"), ("deviations", "1.5")],
        Timeframe::S5,
        1_500,
    ),
    (
        "rand",
        Exchange::Luno,
        "USDT/ZAR",
        StrategyKind::MarketMaking,
        &[("min_spread_bp", "1")],
        Timeframe::S5,
        40_000,
    ),
    (
        "gold",
        Exchange::Luno,
        "BTC/ZAR",
        StrategyKind::EmaCross,
        &[("fast", "3"), ("slow", "8")],
        Timeframe::S15,
        40_000,
    ),
];

fn fleet() -> Result<Vec<NewBot>, String> {
    FLEET.iter().map(bot).collect()
}

fn bot(
    &(name, exchange, symbol, kind, params, timeframe, capital): &Line,
) -> Result<NewBot, String> {
    let value = |text: &str| -> Result<ParamValue, String> {
        match text.parse::<i64>() {
            Ok(whole) => Ok(ParamValue::Integer(whole)),
            Err(_) => text.parse().map(ParamValue::Decimal).map_err(|e| format!("{text}: {e}")),
        }
    };
    let params = params
        .iter()
        .map(|(key, text)| Ok(((*key).to_owned(), value(text)?)))
        .collect::<Result<_, String>>()?;
    let strategy = StrategyConfig { kind, params };
    Ok(NewBot {
        name: name.to_owned(),
        exchange: exchange.name().to_owned(),
        symbol: symbol.parse().map_err(|e| format!("{symbol}: {e}"))?,
        strategy,
        timeframe: Some(timeframe),
        risk_mode: RiskMode::Balanced,
        capital: Amount::from_int(capital),
        sizing: None,
        exits: None::<Exits>,
        managed: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fleet_has_every_kind_and_valid_parameters() {
        let fleet = fleet().unwrap();
        for kind in StrategyKind::ALL {
            assert!(fleet.iter().any(|b| b.strategy.kind == kind), "{kind}");
        }
        for bot in fleet {
            strategy::resolve(&bot.strategy).unwrap_or_else(|e| panic!("{}: {e}", bot.name));
        }
    }
}
