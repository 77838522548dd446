//! Rows as Parquet: times in nanoseconds, prices and quantities as decimals of their scale.

use super::{Row, Rows, Table};
use domain::{Instrument, Side};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::Int64Type;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::io::{self, Write};
use std::sync::Arc;

/// Rows that are held before they become a row group: bounds memory, and what a reader skips.
const GROUP_ROWS: usize = 131_072;
/// Digits of a 64-bit whole number that are always there.
const PRECISION: u8 = 18;

/// See the module.
pub(crate) struct Columns {
    writer: SerializedFileWriter<Box<dyn Write + Send>>,
    columns: Vec<Vec<i64>>,
}

impl Columns {
    pub(crate) fn new(rows: Rows, of: &Instrument, out: Box<dyn Write + Send>) -> io::Result<Self> {
        let fields = fields(rows, of);
        let text = format!("message tape {{ {} }}", fields.join(" "));
        let schema = parse_message_type(&text).map_err(io::Error::other)?;
        let level = ZstdLevel::try_new(3).map_err(io::Error::other)?;
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties));
        let writer = writer.map_err(io::Error::other)?;
        Ok(Self { writer, columns: vec![Vec::new(); fields.len()] })
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.columns[0].is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group().map_err(io::Error::other)?;
        for values in &mut self.columns {
            let column = group.next_column().map_err(io::Error::other)?;
            let mut column = column.ok_or_else(|| io::Error::other("a column too few"))?;
            let written = column.typed::<Int64Type>().write_batch(values, None, None);
            written.map_err(io::Error::other)?;
            column.close().map_err(io::Error::other)?;
            values.clear();
        }
        group.close().map(drop).map_err(io::Error::other)
    }
}

/// All columns are 64-bit: a side is 1 for buy and -1 for sell, a flag 1 or 0.
fn fields(rows: Rows, of: &Instrument) -> Vec<String> {
    let time = |name: &str| format!("required int64 {name} (TIMESTAMP(NANOS,true));");
    let whole = |name: &str| format!("required int64 {name};");
    let decimal = |name: &str, scale: u8| {
        format!("required int64 {name} (DECIMAL({PRECISION},{}));", scale.min(PRECISION))
    };
    let price = |name: &str| decimal(name, of.price_scale);
    let quantity = |name: &str| decimal(name, of.quantity_scale);
    match rows {
        Rows::Bars(_) => vec![
            time("open_at"),
            price("open"),
            price("high"),
            price("low"),
            price("close"),
            quantity("volume"),
            whole("trades"),
        ],
        Rows::Trades => vec![
            time("received_at"),
            time("traded_at"),
            whole("id"),
            price("price"),
            quantity("quantity"),
            whole("taker_side"),
            whole("backfilled"),
        ],
        Rows::Quotes => vec![
            time("received_at"),
            whole("update_id"),
            price("bid"),
            quantity("bid_quantity"),
            price("ask"),
            quantity("ask_quantity"),
        ],
    }
}

fn values(row: &Row) -> Vec<i64> {
    match row {
        Row::Bar(b) => {
            let prices = [b.open.0, b.high.0, b.low.0, b.close.0];
            let [open, high, low, close] = prices;
            vec![b.open_at.0, open, high, low, close, b.volume.0, i64::from(b.prints)]
        }
        Row::Trade(at, p) => {
            let side = if p.taker_side == Side::Buy { 1 } else { -1 };
            let late = i64::from(p.backfilled);
            vec![at.0, p.at.0, p.id as i64, p.price.0, p.quantity.0, side, late]
        }
        Row::Quote(at, t) => {
            let (bid, ask) = (t.bid, t.ask);
            let id = t.update_id as i64;
            vec![at.0, id, bid.price.0, bid.quantity.0, ask.price.0, ask.quantity.0]
        }
    }
}

impl Table for Columns {
    fn put(&mut self, row: &Row) -> io::Result<()> {
        for (column, value) in self.columns.iter_mut().zip(values(row)) {
            column.push(value);
        }
        if self.columns[0].len() >= GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.flush()?;
        self.writer.close().map(drop).map_err(io::Error::other)
    }
}
