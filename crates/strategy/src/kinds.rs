//! The kinds, one family a module. All are functions of parameters, state and context.

pub(crate) mod breakout;
pub(crate) mod cross;
pub(crate) mod dca;
pub(crate) mod grid;
pub(crate) mod making;
pub(crate) mod reversion;

use crate::Context;

/// How far `value` is over `base`, in percent; below zero it is under.
fn percent_over(value: f64, base: f64) -> f64 {
    if base > 0.0 { (value / base - 1.0) * 100.0 } else { 0.0 }
}

/// `0.31 % under`, `1.20 % over`.
fn apart(percent: f64) -> String {
    let word = if percent < 0.0 { "under" } else { "over" };
    format!("{:.2} % {word}", percent.abs())
}

/// The close as a figure, on the scale of the indicators.
fn close(context: &Context<'_>) -> f64 {
    context.bar.close.0 as f64
}

/// A figure on the price scale as people read it.
fn shown(context: &Context<'_>, figure: f64) -> String {
    let price = domain::Price(figure as i64);
    context.instrument.price_amount(price).to_string()
}
