//! The day's paper trades in one letter.

use super::words::Word;
use super::{Notices, blocking};
use crate::core_loop::now;
use domain::{AccountId, Amount, Currency, Timestamp};
use std::collections::BTreeMap;
use storage::{ReadPool, StoreError, TradeFilter, TradeProfit};

/// The name of the last day that was told.
const CURSOR: &str = "notify-digest";

#[derive(Default)]
struct Sum {
    trades: u32,
    wins: u32,
    profit: Amount,
    fees: Amount,
}

/// Tells the last day if it was not told, and remembers it.
pub(super) async fn digest(notices: &Notices) -> Result<(), StoreError> {
    let (day, begin, end) = notices.clock.digest(now());
    let reader = notices.store.reader();
    let told = reader.cursor(CURSOR)?;
    if told.as_deref() == Some(&day) {
        return Ok(());
    }
    let cursor = Some((CURSOR.to_owned(), day.clone()));
    // The first start: what was before is no news.
    if told.is_none() {
        return notices.put(Vec::new(), cursor).await;
    }
    let accounts = notices.core.query(|engine| engine.accounts()).await;
    // The core is late: the next look finds the day untold.
    let Ok(accounts) = accounts else { return Ok(()) };
    let mut words = Vec::new();
    for account in accounts {
        let id = account.id;
        let sums = blocking(reader.clone(), move |reader| sums(reader, id, begin, end)).await?;
        words.extend(word(id, &account.name, &day, end, &sums));
    }
    notices.put(words, cursor).await
}

fn sums(
    reader: &ReadPool,
    account: AccountId,
    from: Timestamp,
    to: Timestamp,
) -> Result<BTreeMap<Currency, Sum>, StoreError> {
    let filter = TradeFilter {
        is_paper: Some(true),
        from: Some(from),
        to: Some(to),
        ..TradeFilter::default()
    };
    Ok(add(&reader.trade_profits(Some(account), &filter)?))
}

fn add(trades: &[TradeProfit]) -> BTreeMap<Currency, Sum> {
    let mut sums: BTreeMap<Currency, Sum> = BTreeMap::new();
    for trade in trades {
        let sum = sums.entry(trade.symbol.quote).or_default();
        sum.trades += 1;
        sum.wins += u32::from(trade.profit_loss.is_positive());
        sum.profit += trade.profit_loss;
        sum.fees += trade.fees;
    }
    sums
}

/// A day without a trade is no letter.
fn word(
    account: AccountId,
    name: &str,
    day: &str,
    at: Timestamp,
    sums: &BTreeMap<Currency, Sum>,
) -> Option<Word> {
    let trades: u32 = sums.values().map(|sum| sum.trades).sum();
    if trades == 0 {
        return None;
    }
    let line = |(currency, sum): (&Currency, &Sum)| {
        let Sum { trades, wins, profit, fees } = sum;
        format!("{profit} {currency} net of {fees} fees, {wins} of {trades} won")
    };
    let lines: Vec<String> = sums.iter().map(line).collect();
    Some(Word {
        account_id: Some(account),
        kind: "digest",
        merge_key: format!("digest:{}:{day}", account.0),
        title: format!("Paper trades of {name} up to {day}: {trades}"),
        body: lines.join("\n"),
        is_urgent: false,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_with_trades_is_one_letter_and_a_day_without_is_none() {
        let told = |sums| word(AccountId(1), "main", "2026-11-23", Timestamp(0), &sums);
        assert_eq!(told(BTreeMap::new()), None);
        let amount = |text: &str| text.parse::<Amount>().expect("a figure");
        let sum = |trades, profit, fees| Sum {
            trades,
            wins: 1,
            profit: amount(profit),
            fees: amount(fees),
        };
        let currency = |code: &str| code.parse::<Currency>().expect("a code");
        let sums = BTreeMap::from([
            (currency("USDT"), sum(3, "-1.5", "0.25")),
            (currency("ZAR"), sum(1, "20", "2")),
        ]);
        let told = told(sums).expect("there were trades");
        assert_eq!(told.title, "Paper trades of main up to 2026-11-23: 4");
        assert_eq!(
            told.body,
            "-1.5 USDT net of 0.25 fees, 1 of 3 won\n20 ZAR net of 2 fees, 1 of 1 won"
        );
    }
}
