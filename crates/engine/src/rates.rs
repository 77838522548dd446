//! What one unit of a currency is worth in another: from a market of the two, either way round,
//! from an imported rate, or over one third currency. Always with its source and its age.

use crate::markets::{Market, Markets};
use domain::{Amount, Currency, Exchange, Round, Span, Symbol, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where a rate is looked for first: the rand's own market is Luno's.
const ORDER: [Exchange; 3] = [Exchange::Luno, Exchange::Binance, Exchange::Kucoin];
/// A wider quote says nothing about worth: quiet pairs show spreads of up to half their price.
const SPREAD_MAX_BP: i128 = 200;
/// An imported rate older than this gives way to one over a bridge.
const IMPORTED_FRESH: Span = Span::from_secs(3_600);
/// Imported pairs that are kept: more currencies than any account has.
const IMPORTED_MAX: usize = 256;

/// A rate that did not come from a market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Imported {
    rate: Amount,
    source: String,
    at: Timestamp,
}

/// Imported rates by currency pair.
pub(crate) type ImportedRates = BTreeMap<(Currency, Currency), Imported>;

/// One step from a currency to another.
#[derive(Clone, Debug)]
struct Leg {
    value: Amount,
    source: String,
    at: Timestamp,
    is_fresh: bool,
}

impl Leg {
    fn inverted(self) -> Option<Self> {
        let value = Amount::ONE.quotient(self.value, Round::Down).filter(|v| v.is_positive())?;
        Some(Self { value, source: format!("{} inverted", self.source), ..self })
    }

    fn then(self, next: Self) -> Option<Self> {
        Some(Self {
            value: self.value.product(next.value, Round::Down).filter(|v| v.is_positive())?,
            source: format!("{} × {}", self.source, next.source),
            at: self.at.min(next.at),
            is_fresh: self.is_fresh && next.is_fresh,
        })
    }
}

fn leg_of(market: &Market) -> Option<Leg> {
    let (bid, ask, at) = market.last_quote?;
    let (low, high) = (i128::from(bid.0), i128::from(ask.0));
    if low <= 0 || high < low || (high - low) * 20_000 > (high + low) * SPREAD_MAX_BP {
        return None;
    }
    let (exchange, symbol) = (market.instrument.exchange, market.instrument.symbol);
    Some(Leg {
        value: market.halfway(bid, ask),
        source: format!("{exchange} {symbol} mid"),
        at,
        is_fresh: market.feed.is_fresh(),
    })
}

/// The first fresh one, else the youngest.
fn best(legs: impl Iterator<Item = Leg>) -> Option<Leg> {
    let mut youngest: Option<Leg> = None;
    for leg in legs {
        if leg.is_fresh {
            return Some(leg);
        }
        if youngest.as_ref().is_none_or(|y| leg.at > y.at) {
            youngest = Some(leg);
        }
    }
    youngest
}

impl Markets {
    /// What one unit of `from` is worth in `to`, where it was seen and how old that is in seconds.
    pub(crate) fn rate(
        &self,
        from: Currency,
        to: Currency,
        now: Timestamp,
    ) -> Option<(Amount, String, i64)> {
        if from == to {
            return Some((Amount::ONE, "same currency".to_owned(), 0));
        }
        let direct = self.direct(from, to, now);
        let leg = match direct {
            Some(leg) if leg.is_fresh => Some(leg),
            stale => best(stale.into_iter().chain(self.bridged(from, to, now))),
        }?;
        Some((leg.value, leg.source, (now - leg.at).as_secs()))
    }

    /// The last rate, as far as it counts for limits: not older than the policy says.
    pub(crate) fn limit_rate(
        &self,
        from: Currency,
        to: Currency,
        now: Timestamp,
        age_max_s: u32,
    ) -> Option<Amount> {
        let (rate, _, age_s) = self.rate(from, to, now)?;
        (age_s <= i64::from(age_max_s)).then_some(rate)
    }

    fn direct(&self, from: Currency, to: Currency, now: Timestamp) -> Option<Leg> {
        let market =
            |base, quote, exchange| leg_of(self.get(self.id(exchange, Symbol { base, quote })?));
        let markets = ORDER.into_iter().filter_map(|e| market(from, to, e));
        let inverse = ORDER.into_iter().filter_map(|e| market(to, from, e)?.inverted());
        let imported = self.imported(from, to, now);
        let turned = self.imported(to, from, now).and_then(Leg::inverted);
        best(markets.chain(inverse).chain(imported).chain(turned))
    }

    fn imported(&self, from: Currency, to: Currency, now: Timestamp) -> Option<Leg> {
        let imported = self.imported.get(&(from, to))?;
        Some(Leg {
            value: imported.rate,
            source: imported.source.clone(),
            at: imported.at,
            is_fresh: now - imported.at <= IMPORTED_FRESH,
        })
    }

    /// Over any currency that has a market with `from`; the first fresh one by name.
    fn bridged(&self, from: Currency, to: Currency, now: Timestamp) -> Option<Leg> {
        let legs = self.neighbours(from).into_iter().filter(|bridge| *bridge != to);
        best(legs.filter_map(|bridge| {
            self.direct(from, bridge, now)?.then(self.direct(bridge, to, now)?)
        }))
    }

    fn neighbours(&self, of: Currency) -> BTreeSet<Currency> {
        let symbols = self.all.iter().map(|m| m.instrument.symbol);
        let pairs = symbols.map(|s| (s.base, s.quote)).chain(self.imported.keys().copied());
        let other = |(a, b)| if a == of { Some(b) } else { (b == of).then_some(a) };
        pairs.filter_map(other).collect()
    }

    /// Is there a market, or a pair of them, from which a rate will come once they speak?
    pub(crate) fn has_path(&self, from: Currency, to: Currency) -> bool {
        let near = self.neighbours(from);
        near.contains(&to) || near.iter().any(|bridge| self.neighbours(*bridge).contains(&to))
    }

    /// Keeps an imported rate; says whether it is one.
    pub(crate) fn import(
        &mut self,
        pair: (Currency, Currency),
        rate: Amount,
        source: &str,
        at: Timestamp,
    ) -> bool {
        let is_room = self.imported.len() < IMPORTED_MAX || self.imported.contains_key(&pair);
        let is_one = rate.is_positive() && pair.0 != pair.1 && is_room;
        if is_one {
            self.imported.insert(pair, Imported { rate, source: source.to_owned(), at });
        }
        is_one
    }
}

/// Markets that would tell what `from` is worth in `to`, to be asked for where no path is known.
pub(crate) fn wanted(from: Currency, to: Currency, home: Exchange) -> Vec<(Exchange, Symbol)> {
    let both = |a, b| [Symbol { base: a, quote: b }, Symbol { base: b, quote: a }];
    let mut wanted: Vec<_> =
        ORDER.into_iter().flat_map(|e| both(from, to).map(|symbol| (e, symbol))).collect();
    // What has no market with the reporting currency has one with USDT where it is traded.
    if let Ok(usdt) = "USDT".parse::<Currency>()
        && from != usdt
        && to != usdt
    {
        wanted.push((home, Symbol { base: from, quote: usdt }));
        wanted.push((Exchange::Luno, Symbol { base: usdt, quote: to }));
    }
    wanted
}
