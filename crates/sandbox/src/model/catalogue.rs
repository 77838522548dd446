//! The instruments of the sandbox, with their filters and the character of their flow.
//!
//! Rates and sizes of Binance BTC/USDT follow the recorded tape (11 aggressive orders and some
//! 110 quote changes a second, median order 190 USDT); Luno's spreads follow the ticker recording.

use domain::{Exchange, Symbol};

/// How the order flow of one market behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// Aggressive orders a second in the calm regime.
    pub aggressive: f64,
    /// Limit orders and cancels a second in the calm regime.
    pub quoting: f64,
    /// Median notional of an aggressive order, in US dollars.
    pub median_usd: f64,
    /// Orders that rest on each side when the book is in balance.
    pub resting: usize,
    /// Share of spread-closing quotes that leave a single tick.
    pub tight: f64,
    /// Mean spread of the other ones, in basis points.
    pub spread_bp: f64,
    /// Scale of the distance of quotes behind the touch, in basis points.
    pub depth_bp: f64,
}

/// One instrument.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Where it trades.
    pub exchange: Exchange,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// The exchange's own name for it.
    pub native: String,
    /// The exchange's own code of the base.
    pub base: String,
    /// The exchange's own code of the quote.
    pub quote: String,
    /// Decimal places of a price; the tick is one unit of the last.
    pub price_places: u8,
    /// Decimal places of a quantity; the lot is one unit of the last.
    pub quantity_places: u8,
    /// Smallest order, in lots.
    pub min_quantity: i64,
    /// Smallest notional, as the exchange prints it.
    pub min_notional: &'static str,
    /// Its flow.
    pub flow: Flow,
}

/// Start prices in US dollars: every market's price is base over quote, so they agree.
pub const ASSETS: [(&str, f64); 13] = [
    ("BTC", 60_000.0),
    ("ETH", 2_600.0),
    ("SOL", 150.0),
    ("XRP", 0.55),
    ("LTC", 65.0),
    ("DOGE", 0.11),
    ("BNB", 520.0),
    ("ADA", 0.35),
    ("AVAX", 24.0),
    ("LINK", 11.0),
    ("KCS", 8.5),
    ("USDT", 1.0),
    ("ZAR", 1.0 / 18.0),
];

/// exchange, base, quote, price places, quantity places, minimum lots, minimum notional, flow.
type Row = (Exchange, &'static str, &'static str, u8, u8, i64, &'static str, Flow);

const fn flow(
    aggressive: f64,
    quoting: f64,
    median_usd: f64,
    resting: usize,
    tight: f64,
    spread_bp: f64,
    depth_bp: f64,
) -> Flow {
    Flow { aggressive, quoting, median_usd, resting, tight, spread_bp, depth_bp }
}

const BIN: Exchange = Exchange::Binance;
const KUC: Exchange = Exchange::Kucoin;
const LUN: Exchange = Exchange::Luno;

const ROWS: [Row; 20] = [
    (BIN, "BTC", "USDT", 2, 5, 1, "5.00000000", flow(11.0, 110.0, 190., 600, 0.97, 0.2, 20.)),
    (BIN, "ETH", "USDT", 2, 4, 1, "5.00000000", flow(8.0, 80.0, 150.0, 500, 0.96, 0.3, 20.0)),
    (BIN, "SOL", "USDT", 2, 3, 1, "5.00000000", flow(5.0, 50.0, 120.0, 400, 0.95, 1.0, 3.0)),
    (BIN, "XRP", "USDT", 4, 1, 1, "5.00000000", flow(4.0, 40.0, 100.0, 300, 0.95, 3.0, 8.0)),
    (BIN, "LTC", "USDT", 2, 3, 1, "5.00000000", flow(2.0, 25.0, 80.0, 250, 0.92, 2.0, 4.0)),
    (BIN, "DOGE", "USDT", 5, 0, 1, "1.00000000", flow(3.0, 35.0, 80.0, 300, 0.95, 2.0, 6.0)),
    (BIN, "BNB", "USDT", 2, 3, 1, "5.00000000", flow(3.0, 35.0, 120.0, 300, 0.90, 0.8, 2.0)),
    (BIN, "ADA", "USDT", 4, 1, 1, "5.00000000", flow(2.0, 25.0, 80.0, 250, 0.95, 4.0, 9.0)),
    (BIN, "AVAX", "USDT", 2, 2, 1, "5.00000000", flow(2.0, 25.0, 80.0, 250, 0.95, 4.0, 9.0)),
    (BIN, "LINK", "USDT", 3, 2, 1, "5.00000000", flow(2.0, 25.0, 80.0, 250, 0.93, 2.0, 5.0)),
    (KUC, "BTC", "USDT", 1, 8, 1_000, "0.1", flow(4.0, 60.0, 120.0, 1500, 0.95, 0.3, 30.)),
    (KUC, "ETH", "USDT", 2, 7, 1_000, "0.1", flow(3.0, 45.0, 100.0, 700, 0.94, 0.4, 10.0)),
    (KUC, "SOL", "USDT", 3, 4, 100, "0.1", flow(1.5, 25.0, 80.0, 350, 0.90, 1.0, 2.5)),
    (KUC, "XRP", "USDT", 5, 4, 1_000, "0.1", flow(1.5, 25.0, 80.0, 350, 0.90, 1.0, 2.5)),
    (KUC, "KCS", "USDT", 3, 4, 1_000, "0.1", flow(0.5, 12.0, 60.0, 250, 0.80, 4.0, 8.0)),
    (LUN, "BTC", "ZAR", 0, 6, 500, "0", flow(0.25, 20.0, 40.0, 150, 0.05, 9.0, 250.)),
    (LUN, "ETH", "ZAR", 0, 6, 500, "0", flow(0.10, 8.0, 40.0, 120, 0.05, 15.0, 300.0)),
    (LUN, "BTC", "USDT", 4, 4, 5, "0", flow(0.04, 4.0, 60.0, 80, 0.02, 25.0, 400.0)),
    (LUN, "USDT", "ZAR", 2, 2, 100, "0", flow(0.12, 5.0, 60.0, 120, 0.50, 8.0, 60.0)),
    (LUN, "XRP", "ZAR", 2, 0, 1, "0", flow(0.12, 8.0, 40.0, 120, 0.20, 15.0, 150.0)),
];

/// Every instrument of the sandbox.
pub fn all() -> Vec<Spec> {
    ROWS.iter().filter_map(spec).collect()
}

fn spec(row: &Row) -> Option<Spec> {
    let (exchange, base, quote, price_places, quantity_places, min, min_notional, flow) = *row;
    let symbol = format!("{base}/{quote}").parse().ok()?;
    let own = |code: &str| match (exchange, code) {
        (Exchange::Luno, "BTC") => "XBT".to_owned(),
        _ => code.to_owned(),
    };
    let dash = if exchange == Exchange::Kucoin { "-" } else { "" };
    Some(Spec {
        exchange,
        symbol,
        native: format!("{}{dash}{}", own(base), own(quote)),
        base: own(base),
        quote: own(quote),
        price_places,
        quantity_places,
        min_quantity: min,
        min_notional,
        flow,
    })
}
