//! Statistics of closed trades and daily equity. Sums are exact; ratios are figures of statistics.

use crate::returns::{Returns, Series};
use domain::{Amount, BotId, Currency, Exchange, Round};
use serde::Serialize;
use std::collections::BTreeMap;
use storage::{EquityDays, TradeProfit};

/// Statistics of some bots in one currency; undefined is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Statistics {
    trades: u64,
    wins: u64,
    losses: u64,
    net_profit: Amount,
    fees: Amount,
    win_rate: Option<f64>,
    profit_factor: Option<f64>,
    expectancy: Option<Amount>,
    average_win: Option<Amount>,
    average_loss: Option<Amount>,
    best_trade: Option<Amount>,
    worst_trade: Option<Amount>,
    sqn: Option<f64>,
    gap_trades: u64,
    #[serde(flatten)]
    returns: Returns,
}

impl Statistics {
    /// Of these trades and this equity, all in one currency.
    fn of(trades: &[&TradeProfit], series: &Series) -> Self {
        let profits: Vec<Amount> = trades.iter().map(|trade| trade.profit_loss).collect();
        let wins: Vec<Amount> = profits.iter().copied().filter(|p| p.is_positive()).collect();
        let losses: Vec<Amount> = profits.iter().copied().filter(|p| p.is_negative()).collect();
        let (won, lost): (Amount, Amount) =
            (wins.iter().copied().sum(), losses.iter().copied().sum());
        let is_gap = |trade: &&&TradeProfit| trade.grade == domain::DataGrade::Gap;
        Self {
            trades: profits.len() as u64,
            wins: wins.len() as u64,
            losses: losses.len() as u64,
            net_profit: won + lost,
            fees: trades.iter().map(|trade| trade.fees).sum(),
            win_rate: share(wins.len(), profits.len()),
            profit_factor: won.ratio(lost.abs()),
            expectancy: mean(&profits),
            average_win: mean(&wins),
            average_loss: mean(&losses),
            best_trade: profits.iter().copied().max(),
            worst_trade: profits.iter().copied().min(),
            sqn: sqn(&profits),
            gap_trades: trades.iter().filter(is_gap).count() as u64,
            returns: series.returns(),
        }
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(amounts: &[Amount]) -> Option<Amount> {
    let n = i64::try_from(amounts.len()).ok().filter(|n| *n > 0)?;
    Some(amounts.iter().copied().sum::<Amount>().part(1, n, Round::Down))
}

/// √n × mean / standard deviation (n − 1).
fn sqn(profits: &[Amount]) -> Option<f64> {
    let n = profits.len() as f64;
    if profits.len() < 2 {
        return None;
    }
    let values: Vec<f64> = profits.iter().map(|profit| profit.to_f64()).collect();
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (squares / (n - 1.0)).sqrt();
    (deviation > 0.0).then(|| n.sqrt() * mean / deviation)
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
    pub(crate) fn of(trades: &[TradeProfit], days: &EquityDays) -> Self {
        Self {
            by_currency: groups(trades, days, |_, _| (None, None)),
            by_bot: groups(trades, days, |bot, _| (Some(bot), None)),
            by_exchange: groups(trades, days, |_, exchange| (None, Some(exchange))),
            reporting: reporting(trades),
            is_complete: trades.len() < storage::TRADE_PROFITS_MAX && days.is_complete,
        }
    }
}

fn groups(
    trades: &[TradeProfit],
    days: &EquityDays,
    key: impl Fn(BotId, Exchange) -> (Option<BotId>, Option<Exchange>),
) -> Vec<Group> {
    let mut groups: BTreeMap<_, (Vec<&TradeProfit>, Series)> = BTreeMap::new();
    for trade in trades {
        let key = (key(trade.bot_id, trade.exchange), trade.symbol.quote);
        groups.entry(key).or_default().0.push(trade);
    }
    for point in &days.closes {
        let key = (key(point.bot_id, point.exchange), point.currency);
        groups.entry(key).or_default().1.close(point);
    }
    for point in &days.flows {
        let key = (key(point.bot_id, point.exchange), point.currency);
        groups.entry(key).or_default().1.flow(point);
    }
    let group = |(((bot_id, exchange), currency), (trades, series)): (_, (Vec<_>, Series))| Group {
        bot_id,
        exchange,
        currency,
        statistics: Statistics::of(&trades, &series),
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
            fees: Amount::from_int(1),
            reporting_rate: rate.map(Amount::from_int),
            reporting_currency: "ZAR".parse().unwrap(),
            entry_at: Timestamp::EPOCH,
            timestamp: Timestamp::EPOCH,
        }
    }

    #[test]
    fn figures_follow_their_definitions() {
        let trades = [trade(30, Some(1)), trade(-10, Some(1)), trade(10, Some(1))];
        let all = Performance::of(&trades, &EquityDays::default());
        let statistics = &all.by_currency[0].statistics;
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
    fn what_is_undefined_is_null() {
        let none = Performance::of(&[], &EquityDays::default());
        assert!(none.by_currency.is_empty());
        assert_eq!(none.reporting.currency, None);
        let one = Performance::of(&[trade(5, None)], &EquityDays::default());
        let statistics = &one.by_currency[0].statistics;
        assert_eq!((statistics.profit_factor, statistics.sqn), (None, None));
        assert_eq!((statistics.average_loss, statistics.returns.sharpe), (None, None));
        assert_eq!((one.reporting.net_profit, one.reporting.trades_without_rate), (None, 1));
        let equal = Performance::of(&[trade(5, None), trade(5, None)], &EquityDays::default());
        assert_eq!(equal.by_currency[0].statistics.sqn, None, "no deviation, no quotient");
    }
}
