//! Fills in rand: each with the rate of its moment and where that came from, and each sale's gain
//! by first-in-first-out and by average cost.
//!
//! A coin is one pool an account, wherever it was bought. What the quote currency itself gained
//! against the rand between two trades is not computed. A rate or cost that is not known leaves
//! its cells empty and says so in `note`; it is never guessed.

use domain::{Amount, Currency, FillRecord, Round, Side, Timestamp};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use storage::{ReadPool, StoreError};

/// The columns of the export.
pub(super) const COLUMNS: &str = "at,local_date,fill_id,bot_id,exchange,symbol,side,quantity,\
    price,value,quote,fee,fee_currency,zar_rate,rate_source,rate_age_s,value_zar,fee_zar,\
    fifo_cost_zar,fifo_gain_zar,average_cost_zar,average_gain_zar,is_paper,note";

/// An older rate is not one of the moment.
const RATE_AGE_MAX_S: i64 = 24 * 3_600;

/// A rate with its source and its age in seconds.
pub(super) type Rate = (Amount, String, i64);

#[derive(Clone, Debug)]
struct Lot {
    quantity: Amount,
    /// `None`: not known in rand.
    cost: Option<Amount>,
}

/// What is held of a coin, counted both ways.
#[derive(Debug, Default)]
pub(super) struct Pool {
    lots: VecDeque<Lot>,
    held: Amount,
    /// Of all that is held; `None`: the cost of a part is not known.
    cost: Option<Amount>,
}

/// What a sale had cost, both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) fifo: Option<Amount>,
    pub(super) average: Option<Amount>,
}

impl Pool {
    pub(super) fn buy(&mut self, quantity: Amount, cost: Option<Amount>) {
        if self.held.is_zero() {
            self.cost = Some(Amount::ZERO);
        }
        self.lots.push_back(Lot { quantity, cost });
        self.held += quantity;
        self.cost = self.cost.zip(cost).map(|(a, b)| a + b);
    }

    /// `None` in a cost: sold more than was bought here, or the cost is not known.
    pub(super) fn sell(&mut self, quantity: Amount) -> Cost {
        let average = self.average(quantity);
        let fifo = self.first_in(quantity);
        self.cost = self.cost.zip(average).map(|(all, part)| all - part);
        self.held = if self.held > quantity { self.held - quantity } else { Amount::ZERO };
        Cost { fifo, average }
    }

    fn average(&self, quantity: Amount) -> Option<Amount> {
        let cost = self.cost?;
        if quantity > self.held {
            return None;
        }
        // The last one takes what rounding left.
        if quantity == self.held {
            return Some(cost);
        }
        share(cost, quantity, self.held)
    }

    fn first_in(&mut self, quantity: Amount) -> Option<Amount> {
        let (mut left, mut cost) = (quantity, Some(Amount::ZERO));
        while left.is_positive() {
            let lot = self.lots.front_mut()?;
            if lot.quantity <= left {
                cost = cost.zip(lot.cost).map(|(a, b)| a + b);
                left -= lot.quantity;
                self.lots.pop_front();
                continue;
            }
            let part = lot.cost.and_then(|cost| share(cost, left, lot.quantity));
            cost = cost.zip(part).map(|(a, b)| a + b);
            lot.cost = lot.cost.zip(part).map(|(all, part)| all - part);
            lot.quantity -= left;
            left = Amount::ZERO;
        }
        cost
    }
}

/// `part` of `whole`'s cost.
fn share(cost: Amount, part: Amount, whole: Amount) -> Option<Amount> {
    cost.product(part, Round::Down)?.quotient(whole, Round::Down)
}

/// The year's fills as rows; those before it only fill the pools.
pub(super) fn rows(
    reader: &ReadPool,
    fills: &[FillRecord],
    (from, to): (Timestamp, Timestamp),
    zone: &TimeZone,
) -> Result<Vec<Value>, StoreError> {
    let zar: Currency = "ZAR".parse().expect("ZAR is a currency code");
    let mut pools: BTreeMap<Currency, Pool> = BTreeMap::new();
    let mut rows = Vec::new();
    for fill in fills.iter().filter(|fill| fill.at < to) {
        let rate = |currency| rate(reader, currency, zar, fill.at);
        let quote = rate(fill.symbol.quote)?;
        let fee = if [fill.symbol.base, fill.symbol.quote].contains(&fill.fee_currency) {
            None
        } else {
            rate(fill.fee_currency)?
        };
        let pool = pools.entry(fill.symbol.base).or_default();
        let row = row(fill, quote, fee, pool, zone);
        if fill.at >= from {
            rows.push(row);
        }
    }
    Ok(rows)
}

fn rate(
    reader: &ReadPool,
    currency: Currency,
    zar: Currency,
    at: Timestamp,
) -> Result<Option<Rate>, StoreError> {
    if currency == zar {
        return Ok(Some((Amount::ONE, "quoted in rand".to_owned(), 0)));
    }
    let found = reader.rate_at(currency, zar, at)?.map(|row| {
        let age_s = (at - row.at).0 / 1_000_000_000 + row.age_s;
        (row.rate, row.source, age_s)
    });
    Ok(found.filter(|(_, _, age_s)| *age_s <= RATE_AGE_MAX_S))
}

/// One fill; the pool moves with it.
pub(super) fn row(
    fill: &FillRecord,
    quote: Option<Rate>,
    third: Option<Rate>,
    pool: &mut Pool,
    zone: &TimeZone,
) -> Value {
    let symbol = fill.symbol;
    let in_zar = |amount: Amount, rate: Option<Amount>| amount.product(rate?, Round::Down);
    let rate = quote.as_ref().map(|(rate, ..)| *rate);
    let value = fill.price.product(fill.quantity, Round::Down);
    let value_zar = value.and_then(|value| in_zar(value, rate));
    // Valued at the fill's own price where it was charged in the coin itself.
    let fee_zar = match fill.fee_currency {
        currency if currency == symbol.quote => in_zar(fill.fee, rate),
        currency if currency == symbol.base => {
            fill.fee.product(fill.price, Round::Down).and_then(|fee| in_zar(fee, rate))
        }
        _ => third.and_then(|(rate, ..)| in_zar(fill.fee, Some(rate))),
    };
    let is_base_fee = fill.fee_currency == symbol.base;
    // A fee in the coin is coins that never came, or that went beside: not money on top.
    let fee_beside = if is_base_fee { Some(Amount::ZERO) } else { fee_zar };
    let base_fee = if is_base_fee { fill.fee } else { Amount::ZERO };
    let cost = match fill.side {
        Side::Buy => {
            let cost = value_zar.zip(fee_beside).map(|(value, fee)| value + fee);
            pool.buy(fill.quantity - base_fee, cost);
            None
        }
        Side::Sell => Some(pool.sell(fill.quantity + base_fee)),
    };
    let proceeds = value_zar.zip(fee_beside).map(|(value, fee)| value - fee);
    let gain = |cost: Option<Amount>| proceeds.zip(cost).map(|(proceeds, cost)| proceeds - cost);
    let fifo = cost.and_then(|cost| cost.fifo);
    let average = cost.and_then(|cost| cost.average);
    let (rate_source, rate_age_s) = quote.map(|(_, source, age)| (source, age)).unzip();
    let note = match () {
        () if rate.is_none() => "no rate to the rand is known for this moment",
        () if fee_zar.is_none() => "the fee's currency has no known rate",
        () if cost.is_some() && (fifo.is_none() || average.is_none()) => {
            "what was sold was not all bought here at a known cost"
        }
        () => "",
    };
    json!({
        "at": fill.at,
        "local_date": local_date(fill.at, zone),
        "fill_id": fill.id,
        "bot_id": fill.bot_id,
        "exchange": fill.exchange,
        "symbol": symbol,
        "side": fill.side,
        "quantity": fill.quantity,
        "price": fill.price,
        "value": value,
        "quote": symbol.quote,
        "fee": fill.fee,
        "fee_currency": fill.fee_currency,
        "zar_rate": rate,
        "rate_source": rate_source,
        "rate_age_s": rate_age_s,
        "value_zar": value_zar,
        "fee_zar": fee_zar,
        "fifo_cost_zar": fifo,
        "fifo_gain_zar": gain(fifo),
        "average_cost_zar": average,
        "average_gain_zar": gain(average),
        "is_paper": fill.mode == domain::Mode::Paper,
        "note": note,
    })
}

fn local_date(at: Timestamp, zone: &TimeZone) -> String {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.0)).unwrap_or_default();
    at.to_zoned(zone.clone()).date().to_string()
}
