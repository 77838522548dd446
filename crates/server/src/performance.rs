//! Statistics of closed trades and daily equity, by currency, bot and exchange: the formulas are
//! those of `ledger::statistics`.

use domain::{Amount, BotId, Currency, Exchange, Round};
use engine::EquityRecord;
use ledger::statistics::sharpe::Confidence;
use ledger::statistics::{Closed, Days, Returns, TradeFigures};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use storage::{EquityDays, TradeProfit};

/// Statistics of some bots in one currency; undefined is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Statistics {
    #[serde(flatten)]
    trades: TradeFigures,
    #[serde(flatten)]
    returns: Returns,
    #[serde(flatten)]
    confidence: Certainty,
}

/// How much the Sharpe ratio proves.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Certainty {
    sharpe_probability: Option<f64>,
    sharpe_probability_deflated: Option<f64>,
    variants: u64,
}

impl Statistics {
    /// Of these trades and this equity, all in one currency, picked among so many variants.
    fn of(trades: &[Closed], days: &Days, variants: u64) -> Self {
        let (figures, undefined) = TradeFigures::of(trades);
        let mut returns = days.returns();
        // A bot without a trade has no figures of trades: that is no news.
        if !trades.is_empty() {
            returns.undefined.extend(undefined);
        }
        let found = Confidence::of(&days.daily(), variants, None);
        let confidence = Certainty {
            sharpe_probability: found.probability,
            sharpe_probability_deflated: found.deflated,
            variants: found.variants,
        };
        Self { trades: figures, returns, confidence }
    }
}

fn closed(trade: &TradeProfit) -> Closed {
    Closed {
        entry_at: trade.entry_at,
        exit_at: trade.timestamp,
        profit: trade.profit_loss,
        gross: trade.gross_profit,
        fees: trade.fees,
        slippage: trade.slippage,
        turnover: trade.turnover,
        grade: trade.grade,
    }
}

/// Statistics of a bot or an exchange in one currency.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Group {
    #[serde(skip_serializing_if = "Option::is_none")]
    bot_id: Option<BotId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exchange: Option<Exchange>,
    currency: Currency,
    statistics: Statistics,
}

/// Net profit in the reporting currency; unknown where a trade had no rate.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Reporting {
    currency: Option<Currency>,
    net_profit: Option<Amount>,
    trades_without_rate: u64,
}

/// The whole answer's figures.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Performance {
    by_currency: Vec<Group>,
    by_bot: Vec<Group>,
    by_exchange: Vec<Group>,
    reporting: Reporting,
    is_complete: bool,
}

impl Performance {
    /// Of these trades and days; `is_complete` is false where there were more than are read.
    /// `variants`: bots ever created in the account, of which the best was picked, perhaps.
    pub(crate) fn of(trades: &[TradeProfit], days: &EquityDays, variants: u64) -> Self {
        let of = |key: fn(BotId, Exchange) -> Key| groups(trades, days, variants, key);
        Self {
            by_currency: of(|_, _| (None, None)),
            by_bot: of(|bot, _| (Some(bot), None)),
            by_exchange: of(|_, exchange| (None, Some(exchange))),
            reporting: reporting(trades),
            is_complete: trades.len() < storage::TRADE_PROFITS_MAX && days.is_complete,
        }
    }
}

/// By what figures are grouped within a currency.
type Key = (Option<BotId>, Option<Exchange>);

fn groups(
    trades: &[TradeProfit],
    days: &EquityDays,
    variants: u64,
    key: impl Fn(BotId, Exchange) -> Key,
) -> Vec<Group> {
    let mut groups: BTreeMap<_, (Vec<Closed>, Days)> = BTreeMap::new();
    for trade in trades {
        let key = (key(trade.bot_id, trade.exchange), trade.symbol.quote);
        groups.entry(key).or_default().0.push(closed(trade));
    }
    let key_of = |point: &EquityRecord| (key(point.bot_id, point.exchange), point.currency);
    // What was given says nothing yet of what was made of it; where more is known, it counts.
    let is_more = |point: &&EquityRecord| !point.flow.is_positive();
    let told: BTreeSet<_> = days.closes.iter().filter(is_more).map(key_of).collect();
    for point in days.closes.iter().filter(|point| told.contains(&key_of(point))) {
        let days = &mut groups.entry(key_of(point)).or_default().1;
        days.close(point.bot_id, point.at, point.equity);
    }
    for point in &days.flows {
        groups.entry(key_of(point)).or_default().1.flow(point.bot_id, point.at, point.flow);
    }
    let group = |(((bot_id, exchange), currency), (trades, days)): (_, (Vec<_>, Days))| Group {
        bot_id,
        exchange,
        currency,
        statistics: Statistics::of(&trades, &days, variants),
    };
    groups.into_iter().map(group).collect()
}

fn reporting(trades: &[TradeProfit]) -> Reporting {
    let currency = trades.last().map(|trade| trade.reporting_currency);
    let in_it = |trade: &TradeProfit| {
        let rate = trade.reporting_rate.filter(|_| Some(trade.reporting_currency) == currency)?;
        // Rounded against the user: profit down, loss up.
        let round = if trade.profit_loss.is_negative() { Round::Up } else { Round::Down };
        trade.profit_loss.product(rate, round)
    };
    let known: Vec<Option<Amount>> = trades.iter().map(in_it).collect();
    let missing = known.iter().filter(|amount| amount.is_none()).count() as u64;
    let net_profit = (missing == 0).then(|| known.into_iter().flatten().sum());
    Reporting { currency, net_profit, trades_without_rate: missing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{DataGrade, Timestamp, TradeId};

    fn trade(profit: i64, rate: Option<i64>) -> TradeProfit {
        TradeProfit {
            id: TradeId::from(1),
            bot_id: BotId(1),
            exchange: Exchange::Luno,
            symbol: "BTC/ZAR".parse().unwrap(),
            is_paper: true,
            success: true,
            grade: DataGrade::Polled,
            profit_loss: Amount::from_int(profit),
            gross_profit: Amount::from_int(profit + 1),
            fees: Amount::from_int(1),
            slippage: None,
            turnover: Amount::from_int(100),
            reporting_rate: rate.map(Amount::from_int),
            reporting_currency: "ZAR".parse().unwrap(),
            entry_at: Timestamp::EPOCH,
            // Each closes at an instant of its own, else they would be one step.
            timestamp: Timestamp(1_000 + profit),
        }
    }

    #[test]
    fn figures_follow_their_definitions() {
        let trades = [trade(30, Some(1)), trade(-10, Some(1)), trade(10, Some(1))];
        let all = Performance::of(&trades, &EquityDays::default(), 1);
        let statistics = &all.by_currency[0].statistics.trades;
        assert_eq!((statistics.trades, statistics.wins, statistics.losses), (3, 2, 1));
        assert_eq!(statistics.net_profit, Amount::from_int(30));
        assert_eq!(statistics.expectancy, Some(Amount::from_int(10)));
        assert_eq!(statistics.profit_factor, Some(4.0));
        // Mean 10, deviation 20: √3 / 2.
        let sqn = statistics.sqn.unwrap();
        assert!((sqn - 3f64.sqrt() / 2.0).abs() < 1e-12, "{sqn}");
        assert_eq!(all.reporting.net_profit, Some(Amount::from_int(30)));
    }

    #[test]
    fn who_was_just_given_capital_has_no_return_yet() {
        let given = EquityRecord {
            account_id: domain::AccountId(1),
            bot_id: BotId(1),
            mode: domain::Mode::Live,
            exchange: Exchange::Luno,
            currency: "ZAR".parse().unwrap(),
            equity: Some(Amount::from_int(1_000)),
            flow: Amount::from_int(1_000),
            at: Timestamp(1_000),
        };
        let returns = |closes: Vec<EquityRecord>| {
            let days = EquityDays { closes, flows: vec![given.clone()], is_complete: true };
            let all = Performance::of(&[trade(-5, None)], &days, 1);
            let both = [&all.by_bot, &all.by_currency].map(|groups| groups[0].statistics.clone());
            assert_eq!(both[0], both[1]);
            let figures = &both[0].returns;
            (figures.total_return, figures.max_drawdown_percent)
        };
        assert_eq!(returns(vec![given.clone()]), (None, None));
        let next = EquityRecord {
            equity: Some(Amount::from_int(900)),
            flow: Amount::ZERO,
            at: Timestamp(2_000),
            ..given.clone()
        };
        let (total, drawdown) = returns(vec![next]);
        assert!((total.unwrap() + 0.1).abs() < 1e-12 && (drawdown.unwrap() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_undefined_is_null() {
        let none = Performance::of(&[], &EquityDays::default(), 1);
        assert!(none.by_currency.is_empty());
        assert_eq!(none.reporting.currency, None);
        let one = Performance::of(&[trade(5, None)], &EquityDays::default(), 1);
        let Statistics { trades, returns, .. } = &one.by_currency[0].statistics;
        assert_eq!((trades.profit_factor, trades.sqn), (None, None));
        assert_eq!((trades.average_loss, returns.sharpe), (None, None));
        assert_eq!((one.reporting.net_profit, one.reporting.trades_without_rate), (None, 1));
        let equal = Performance::of(&[trade(5, None), trade(5, None)], &EquityDays::default(), 1);
        assert_eq!(equal.by_currency[0].statistics.trades.sqn, None, "no deviation, no quotient");
    }
}
