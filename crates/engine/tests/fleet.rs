//! All eight kinds trade on a walk, and the books are right to the last digit.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use common::*;
use domain::*;
use engine::NewBot;

/// One of each kind, quick enough to trade often.
fn kinds(exchange: &str) -> Vec<NewBot> {
    use StrategyKind::*;
    let of = |kind: StrategyKind, params: &str| bot(kind.name(), exchange, kind, params);
    vec![
        of(EmaCross, r#"{"fast":3,"slow":8}"#),
        of(RsiReversion, r#"{"period":5,"buy_below":40,"sell_above":60}"#),
        of(BollingerReversion, r#"{"period":10,"deviations":1}"#),
        of(DonchianBreakout, r#"{"entry_period":8,"exit_period":4}"#),
        of(MacdTrend, r#"{"fast":3,"slow":8,"signal":3}"#),
        of(Grid, r#"{"range_percent":2,"levels":4}"#),
        of(Dca, r#"{"deviation_percent":0.2,"safety_orders":3,"target_percent":0.5}"#),
        of(MarketMaking, r#"{"min_spread_bp":0,"max_entries":2,"max_hold_s":60}"#),
    ]
}

fn run(exchange: &str, walk: &Walk) -> (Rig, AccountId, Vec<BotId>) {
    let (mut rig, account) = Rig::funded(wide());
    let bots = kinds(exchange).into_iter().map(|b| rig.create(account, b).unwrap()).collect();
    let name = Exchange::parse(exchange).unwrap();
    let id = rig.engine.instrument_id(name, "BTC/USDT".parse().unwrap()).unwrap();
    Tape::new(id, walk).run(&mut rig);
    (rig, account, bots)
}

/// Runs a walk, checks the books, and counts the trades of each kind.
fn trades_of_a_walk(exchange: &str, seed: u64) -> Vec<u32> {
    let (rig, account, bots) = run(exchange, &Walk { seed, ..Walk::default() });
    let balances = audit(&rig.out);
    let name = Exchange::parse(exchange).unwrap();
    for bot in &bots {
        let view = rig.view(*bot);
        let kind = view.record.config.strategy.kind;
        let income = [Book::GrossProfit(*bot), Book::Fees(*bot)];
        let realised: Amount =
            income.map(|b| -balances.of(account, name, b, "USDT")).into_iter().sum();
        let profit = balances.profit.get(bot).copied().unwrap_or_default();
        assert_eq!(profit, realised, "{kind}: the trades are the ledger");
        assert_eq!(view.realized_pnl, realised);
        assert_eq!(view.cash, balances.of(account, name, Book::Cash(*bot), "USDT"));
    }
    bots.iter().map(|b| balances.trades.get(b).copied().unwrap_or_default()).collect()
}

fn every_kind_trades(exchange: &str, seeds: std::ops::Range<u64>) {
    let mut sums = vec![0; StrategyKind::ALL.len()];
    for seed in seeds {
        for (sum, count) in sums.iter_mut().zip(trades_of_a_walk(exchange, seed)) {
            *sum += count;
        }
    }
    for (kind, sum) in StrategyKind::ALL.iter().zip(sums) {
        assert!(sum >= 10, "{kind} closed only {sum} trades");
    }
}

#[test]
fn every_kind_trades_and_the_books_close_with_fees_in_base() {
    every_kind_trades("binance", 1..5);
}

#[test]
fn every_kind_trades_and_the_books_close_with_fees_in_quote() {
    every_kind_trades("kucoin", 5..9);
}
