//! Rows as text.

use super::{Row, Rows, Table};
use domain::{Instrument, Price, Quantity, Side};
use std::io::{self, BufWriter, Write};

/// See the module.
pub(crate) struct Csv {
    of: Instrument,
    out: BufWriter<Box<dyn Write + Send>>,
}

impl Csv {
    pub(crate) fn new(rows: Rows, of: &Instrument, out: Box<dyn Write + Send>) -> io::Result<Self> {
        let mut out = BufWriter::new(out);
        let header = match rows {
            // What `data import` and most other tools read.
            Rows::Bars(_) => "ts_ms,open,high,low,close,volume",
            Rows::Trades => "received_ns,exchange_ns,id,price,quantity,taker_side,backfilled",
            Rows::Quotes => "received_ns,update_id,bid,bid_quantity,ask,ask_quantity",
        };
        writeln!(out, "{header}")?;
        Ok(Self { of: of.clone(), out })
    }
}

impl Table for Csv {
    fn put(&mut self, row: &Row) -> io::Result<()> {
        let price = |p: Price| self.of.price_amount(p);
        let quantity = |q: Quantity| self.of.quantity_amount(q);
        match row {
            Row::Bar(b) => {
                let [o, h, l, c] = [b.open, b.high, b.low, b.close].map(price);
                let (at, volume) = (b.open_at.as_millis(), quantity(b.volume));
                writeln!(self.out, "{at},{o},{h},{l},{c},{volume}")
            }
            Row::Trade(at, p) => {
                let side = if p.taker_side == Side::Buy { "buy" } else { "sell" };
                let (paid, size) = (price(p.price), quantity(p.quantity));
                let (received, traded) = (at.0, p.at.0);
                let (id, late) = (p.id, p.backfilled);
                writeln!(self.out, "{received},{traded},{id},{paid},{size},{side},{late}")
            }
            Row::Quote(at, t) => {
                let (bid, ask) = (price(t.bid.price), price(t.ask.price));
                let (bids, asks) = (quantity(t.bid.quantity), quantity(t.ask.quantity));
                writeln!(self.out, "{},{},{bid},{bids},{ask},{asks}", at.0, t.update_id)
            }
        }
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}
