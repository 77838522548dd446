//! What one currency is worth in another: from where, how old, and what follows when nobody knows.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::*;
use domain::*;
use engine::*;

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn luno(symbol: &str) -> Instrument {
    Instrument { exchange: Exchange::Luno, ..binance(symbol) }
}

/// An account that reports in ZAR and holds 1,000 USDT on Binance.
fn rig() -> (Rig, AccountId) {
    let mut rig = Rig::new(Policy::default());
    let name = "main".to_owned();
    let command = Command::CreateAccount { name, reporting_currency: currency("ZAR") };
    let Ok(Reply::Account(account)) = rig.order(None, command) else { panic!("no account") };
    rig.deposit(account, Exchange::Binance, "USDT", "1000").unwrap();
    (rig, account)
}

/// Lists a market and tells its book around a mid in hundredths.
fn quoted(rig: &mut Rig, instrument: &Instrument, mid: i64) -> Feed {
    let mut feed = Feed::new(rig.define(instrument));
    feed.around(rig, mid);
    feed
}

/// Rate, source, age of USDT, and the account's sum.
fn usdt(rig: &Rig, account: AccountId) -> (Option<String>, Option<String>, Option<i64>) {
    let view = rig.engine.portfolio(account, Mode::Paper).unwrap();
    let of = view.currencies.into_iter().find(|c| c.currency == currency("USDT")).unwrap();
    (of.rate.map(|r| r.to_string()), of.rate_source, of.rate_age_s)
}

fn shown(rate: &str, source: &str, age: i64) -> (Option<String>, Option<String>, Option<i64>) {
    (Some(rate.to_owned()), Some(source.to_owned()), Some(age))
}

#[test]
fn without_a_rate_nothing_is_added_and_the_reason_is_named() {
    let (mut rig, account) = rig();
    rig.deposit(account, Exchange::Luno, "ZAR", "500").unwrap();
    let view = rig.engine.portfolio(account, Mode::Paper).unwrap();
    assert_eq!((view.equity, view.unknown), (None, vec!["rate USDT/ZAR".to_owned()]));
    quoted(&mut rig, &luno("USDT/ZAR"), 1_850);
    let view = rig.engine.portfolio(account, Mode::Paper).unwrap();
    assert_eq!((view.equity, view.unknown), (Some(amount("19000")), vec![]));
}

#[test]
fn a_currency_that_no_market_tells_asks_for_no_market_that_is_known() {
    let (mut rig, account) = rig();
    rig.deposit(account, Exchange::Binance, "XYZ", "5").unwrap();
    let mut asks = || {
        let wants = rig.engine.wants().into_iter().filter(|want| want.id.is_none());
        let asked: Vec<_> = wants.map(|want| (want.exchange, want.symbol)).collect();
        // Whatever is listed is answered at once, by its name.
        for symbol in ["USDT/ZAR", "BTC/ZAR"] {
            if asked.contains(&(Exchange::Luno, symbol.parse().unwrap())) {
                rig.define(&luno(symbol));
            }
        }
        asked
    };
    let bridge = (Exchange::Luno, "USDT/ZAR".parse().unwrap());
    assert!(asks().contains(&bridge));
    // It has no price yet, and never one of XYZ: asking again would go round for ever.
    assert!(!asks().contains(&bridge));
}

#[test]
fn the_markets_that_would_tell_a_rate_are_asked_for_until_one_is_known() {
    let (mut rig, _) = rig();
    let asks = |rig: &mut Rig| -> Vec<(Exchange, Symbol)> {
        rig.engine
            .wants()
            .into_iter()
            .filter(|w| w.id.is_none())
            .map(|w| (w.exchange, w.symbol))
            .collect()
    };
    let wanted = asks(&mut rig);
    assert!(wanted.contains(&(Exchange::Luno, "USDT/ZAR".parse().unwrap())), "{wanted:?}");
    quoted(&mut rig, &luno("USDT/ZAR"), 1_850);
    assert_eq!(asks(&mut rig), []);
}

#[test]
fn a_rate_is_the_mid_of_a_market_either_way_round_lunos_first_with_its_age() {
    let (mut rig, account) = rig();
    quoted(&mut rig, &binance("ZAR/USDT"), 5);
    // One cent each side of five is wider than what counts as a price.
    assert_eq!(usdt(&rig, account), (None, None, None));
    let mut fine = binance("ZAR/USDT");
    fine.exchange = Exchange::Kucoin;
    fine.price_scale = 6;
    quoted(&mut rig, &fine, 50_000);
    let inverted = shown("20", "kucoin ZAR/USDT mid inverted", 0);
    assert_eq!(usdt(&rig, account), inverted);
    let feed = quoted(&mut rig, &luno("USDT/ZAR"), 1_850);
    assert_eq!(usdt(&rig, account), shown("18.5", "luno USDT/ZAR mid", 0));
    rig.pass(90_000);
    feed.stale(&mut rig);
    let fresh = shown("20", "kucoin ZAR/USDT mid inverted", 90);
    assert_eq!(usdt(&rig, account), fresh, "a fresh one before a stale one");
}

#[test]
fn over_one_bridge_both_sources_are_named_and_the_older_age_counts() {
    let (mut rig, account) = rig();
    quoted(&mut rig, &binance("BTC/USDT"), 5_000_000);
    rig.pass(40_000);
    quoted(&mut rig, &luno("BTC/ZAR"), 90_000_000);
    let source = "binance BTC/USDT mid inverted × luno BTC/ZAR mid";
    assert_eq!(usdt(&rig, account), shown("18", source, 40));
}

#[test]
fn an_imported_rate_counts_until_a_market_speaks_and_survives_a_restart() {
    let (mut rig, account) = rig();
    let import = |rate: &str| InputKind::Rate {
        base: currency("ZAR"),
        quote: currency("USDT"),
        rate: amount(rate),
        source: "a person".to_owned(),
    };
    rig.input(import("0"));
    assert_eq!(usdt(&rig, account), (None, None, None), "no rate is zero");
    rig.input(import("0.05"));
    assert_eq!(usdt(&rig, account), shown("20", "a person inverted", 0));
    let rows = rig.engine.take_dirty();
    rig.engine = Engine::restore(rig.config.clone(), rows).unwrap();
    rig.pass(7_000);
    assert_eq!(usdt(&rig, account), shown("20", "a person inverted", 7));
    quoted(&mut rig, &luno("USDT/ZAR"), 1_850);
    assert_eq!(usdt(&rig, account), shown("18.5", "luno USDT/ZAR mid", 0));
}

#[test]
fn a_trade_keeps_the_rate_of_its_closing_with_source_and_age() {
    let (mut rig, account) = rig();
    rig.deposit(account, Exchange::Binance, "USDT", "10000").unwrap();
    let mut rates = quoted(&mut rig, &luno("USDT/ZAR"), 1_850);
    let mut feed = quoted(&mut rig, &binance("BTC/USDT"), 1_000_000);
    let params = r#"{"safety_orders":0,"interval_bars":10000,"target_percent":50}"#;
    let id = rig.create(account, bot("one", "binance", StrategyKind::Dca, params)).unwrap();
    feed.print(&mut rig, Side::Buy, 1_000_001, 1_000);
    rig.pass(100);
    rates.around(&mut rig, 1_900);
    rig.pass(3_000);
    rig.order(Some(account), Command::Flatten(id)).unwrap();
    rig.pass(100);
    let trade = rig.trades()[0];
    assert_eq!((trade.reporting_rate, trade.rate_age_s), (Some(amount("19")), Some(3)));
    assert_eq!(trade.rate_source.as_deref(), Some("luno USDT/ZAR mid"));
    assert_eq!(trade.reporting_currency, currency("ZAR"));
}
