//! Aggressive orders sent again, some time before they were told of.

use super::Market;
use super::aggressors::Aggressor;
use super::order::{AT_ONCE, ID, approve};
use super::view::View;
use domain::{OrderKind, Price, Quantity, Side, Span};
use simulator::{SimEvent, Venue};

/// What one order paid more than the real one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// Basis points; above zero: the simulated exchange was dearer.
    pub(super) bp: f64,
    /// Its quantity over the mean of its instrument's: several instruments can be told together.
    pub(super) weight: f64,
}

/// All orders of a market, each on an exchange of its own.
pub(super) fn run(market: &Market<'_>, orders: &[Aggressor], lag: Span) -> Vec<Sample> {
    let mut view = View::new(market);
    let mut next = 0;
    let mut samples = Vec::with_capacity(orders.len());
    let sum: i128 = orders.iter().map(|o| i128::from(o.quantity.0)).sum();
    let mean = sum as f64 / orders.len().max(1) as f64;
    for order in orders {
        let until = order.told.1 - lag;
        while next < order.told.0 && market.records[next].at <= until {
            view.apply(market.records[next]);
            next += 1;
        }
        let weight = order.quantity.0 as f64 / mean;
        samples.extend(again(market, &view, order).map(|bp| Sample { bp, weight }));
    }
    samples
}

/// Sends the order once more. Where the known book cannot fill it whole, what it did fill is
/// compared with what the real order got for as much.
fn again(market: &Market<'_>, view: &View<'_>, order: &Aggressor) -> Option<f64> {
    let near = view.book.best(order.side.opposite())?.price;
    let at = order.told.1;
    let kind = OrderKind::Market;
    let approved = approve(market, ID, order.side, kind, order.quantity, near, at)?;
    let (mut venue, mut events) = (Venue::default(), Vec::new());
    venue.submit(approved, AT_ONCE);
    venue.advance(at, &view.state(), &mut events);
    let fills: Vec<(Price, Quantity)> = events
        .iter()
        .filter_map(|e| match e {
            SimEvent::Filled(fill, _) => Some((fill.price, fill.quantity)),
            _ => None,
        })
        .collect();
    let filled: Quantity = fills.iter().map(|(_, quantity)| *quantity).sum();
    let ours = value(&fills, filled);
    let real = value(&order.prints, filled);
    let dearer = match order.side {
        Side::Buy => ours - real,
        Side::Sell => real - ours,
    };
    (real > 0).then(|| dearer as f64 / real as f64 * 10_000.0)
}

/// Price × quantity of the first so much.
fn value(parts: &[(Price, Quantity)], of: Quantity) -> i128 {
    let mut rest = of;
    let mut sum = 0;
    for (price, quantity) in parts {
        let part = rest.min(*quantity);
        sum += i128::from(price.0) * i128::from(part.0);
        rest -= part;
    }
    sum
}
