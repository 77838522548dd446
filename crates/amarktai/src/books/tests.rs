//! Tax figures against figures that a person can do.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::tax::{Cost, Pool, row};
use super::*;
use domain::{Amount, BotId, DataGrade, Exchange, FillId, Liquidity, OrderId, Side, Symbol};

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn fill(side: Side, quantity: &str, price: &str, fee: (&str, &str)) -> FillRecord {
    let symbol: Symbol = "BTC/USDT".parse().unwrap();
    let order_id = OrderId { bot: BotId(1), seq: 1 };
    FillRecord {
        id: FillId { bot: BotId(1), seq: 1 },
        order_id,
        account_id: AccountId(1),
        bot_id: BotId(1),
        exchange: Exchange::Binance,
        symbol,
        mode: Mode::Paper,
        side,
        price: amount(price),
        quantity: amount(quantity),
        fee: amount(fee.0),
        fee_currency: fee.1.parse().unwrap(),
        liquidity: Liquidity::Taker,
        grade: DataGrade::L2Trades,
        book_update_id: 1,
        print_id: None,
        queue_ahead_at_join: None,
        optimistic_filled: None,
        round_trip: domain::Span::from_millis(61),
        at: Timestamp::parse("2026-11-23T22:30:00Z").unwrap(),
    }
}

fn rate(text: &str) -> Option<(Amount, String, i64)> {
    Some((amount(text), "luno USDT/ZAR mid".to_owned(), 3))
}

#[test]
fn a_sale_is_counted_by_first_in_and_by_average() {
    let mut pool = Pool::default();
    pool.buy(amount("1"), Some(amount("100")));
    pool.buy(amount("3"), Some(amount("900")));
    let cost = |fifo, average| Cost { fifo: Some(amount(fifo)), average: Some(amount(average)) };
    // First in: 1 for 100, then 1 of 3 for 900. Average: half of 1,000.
    assert_eq!(pool.sell(amount("2")), cost("400", "500"));
    assert_eq!(pool.sell(amount("2")), cost("600", "500"));
    assert_eq!(pool.sell(amount("1")), Cost { fifo: None, average: None });
    pool.buy(amount("1"), None);
    pool.buy(amount("1"), Some(amount("7")));
    assert_eq!(pool.sell(amount("2")), Cost { fifo: None, average: None });
    pool.buy(amount("1"), Some(amount("7")));
    assert_eq!(pool.sell(amount("1")), cost("7", "7"));
}

#[test]
fn both_ways_of_counting_give_the_same_once_everything_is_sold() {
    // Bought and sold in odd parts; whatever the order, what it cost in all is what was paid.
    let parts = ["0.3", "0.7", "1.111111111111", "0.000000000001", "2"];
    let mut pool = Pool::default();
    let mut paid = Amount::ZERO;
    for (n, part) in parts.iter().enumerate() {
        let cost = amount(part).product(Amount::from_int(7 + 3 * n as i64), domain::Round::Up);
        pool.buy(amount(part), cost);
        paid += cost.unwrap();
    }
    let (mut fifo, mut average) = (Amount::ZERO, Amount::ZERO);
    for part in ["1.5", "0.000000000002", "0.7", "1.9", "0.011111111110"] {
        let cost = pool.sell(amount(part));
        fifo += cost.fifo.unwrap();
        average += cost.average.unwrap();
    }
    assert_eq!((fifo, average), (paid, paid));
}

#[test]
fn a_fill_is_valued_in_rand_with_the_rate_of_its_moment() {
    let zone = TimeZone::get("Africa/Johannesburg").unwrap();
    let mut pool = Pool::default();
    let bought = fill(Side::Buy, "2", "100", ("0.002", "BTC"));
    let shown = row(&bought, rate("18"), None, &mut pool, &zone);
    assert_eq!(shown["value_zar"], "3600");
    // 0.002 of the coin at 100 dollars at 18 rand.
    assert_eq!(shown["fee_zar"], "3.6");
    assert_eq!(shown["local_date"], "2026-11-24", "already tomorrow there");
    assert_eq!(
        (&shown["rate_source"], &shown["rate_age_s"]),
        (&"luno USDT/ZAR mid".into(), &3.into())
    );
    assert!(shown["fifo_gain_zar"].is_null());
    let sold = fill(Side::Sell, "1.998", "110", ("0.2", "USDT"));
    let shown = row(&sold, rate("20"), None, &mut pool, &zone);
    // 1.998 × 110 × 20 − 0.2 × 20, less the 3,600 that they cost.
    assert_eq!(shown["fifo_gain_zar"], "791.6");
    assert_eq!(shown["average_gain_zar"], "791.6");
    assert_eq!(shown["note"], "");
    let unknown = row(&sold, None, None, &mut pool, &zone);
    assert!(unknown["value_zar"].is_null() && unknown["note"] != "", "{unknown}");
    let third = fill(Side::Buy, "1", "100", ("0.1", "BNB"));
    assert_ne!(row(&third, rate("18"), None, &mut pool, &zone)["note"], "");
    let valued = row(&third, rate("18"), rate("9000"), &mut pool, &zone);
    assert_eq!(valued["fee_zar"], "900");
}

#[test]
fn a_tax_year_is_march_to_february_in_the_accounts_days() {
    let zone = TimeZone::get("Africa/Johannesburg").unwrap();
    let at = |text| Timestamp::parse(text).unwrap();
    let year = (at("2027-02-28T22:00:00Z"), at("2028-02-29T22:00:00Z"));
    assert_eq!(tax_year(2028, &zone), year, "a leap year's February has 29 days");
}
