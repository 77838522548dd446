//! A recorded Binance stream: `<local_ns> <json>` lines in a gzip file, read and checked whole
//! at the start.

use domain::{Side, parse_scaled};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Text of a tape, unpacked: ten hours of a busy symbol, and a bound for a broken archive.
const BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Decimals of Binance's texts.
pub(crate) const DECIMALS: u8 = 8;

/// Why a tape cannot be played. All ask for another file.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// It cannot be opened.
    #[error("{}: {source}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It ends in the middle, or is no gzip.
    #[error("{}: after line {line}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// After how many lines.
        line: usize,
        /// The reader's reason.
        source: std::io::Error,
    },
    /// A line is none of a tape.
    #[error("{}: line {line}: {why}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Something that must be in it is not.
    #[error("{}: {why}", path.display())]
    Lacks {
        /// Which file.
        path: PathBuf,
        /// What.
        why: &'static str,
    },
}

/// Levels: price and quantity.
pub(crate) type Rows = Vec<(i64, i64)>;

/// What a line says. Numbers are at eight decimals until [`Tape::open`] has found the scales.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Snapshot { id: u64, bids: Rows, asks: Rows },
    Depth { event_ms: i64, first: u64, last: u64, bids: Rows, asks: Rows },
    Quote { update: u64, bid: (i64, i64), ask: (i64, i64) },
    Trade { id: i64, traded_ms: i64, price: i64, quantity: i64, taker: Side },
}

/// A line.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// When the recorder received it.
    pub(crate) local: i64,
    pub(crate) word: Word,
}

/// A checked tape.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    pub(crate) symbol: String,
    pub(crate) price_places: u8,
    pub(crate) quantity_places: u8,
    pub(crate) records: Vec<Record>,
}

type Row<'a> = [&'a str; 2];

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    stream: Option<&'a str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(rename = "lastUpdateId")]
    id: Option<u64>,
    #[serde(borrow, default)]
    bids: Vec<Row<'a>>,
    #[serde(borrow, default)]
    asks: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Depth<'a> {
    #[serde(rename = "E")]
    event_ms: i64,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    #[serde(borrow)]
    b: Vec<Row<'a>>,
    #[serde(borrow)]
    a: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Quote<'a> {
    u: u64,
    b: &'a str,
    #[serde(rename = "B")]
    bid_size: &'a str,
    a: &'a str,
    #[serde(rename = "A")]
    ask_size: &'a str,
}

#[derive(Deserialize)]
struct Trade<'a> {
    t: i64,
    p: &'a str,
    q: &'a str,
    #[serde(rename = "T")]
    traded_ms: i64,
    m: bool,
}

impl Tape {
    /// Reads and checks a tape.
    pub(crate) fn open(path: &Path) -> Result<Self, TapeError> {
        let file =
            File::open(path).map_err(|source| TapeError::Open { path: path.to_owned(), source })?;
        let reader = BufReader::new(MultiGzDecoder::new(file).take(BYTES_MAX));
        let mut symbol = String::new();
        let mut records = Vec::new();
        for (n, text) in reader.lines().enumerate() {
            let owned = || path.to_owned();
            let text = text.map_err(|source| TapeError::Read { path: owned(), line: n, source })?;
            let record = line(&text, &mut symbol).map_err(|why| TapeError::Line {
                path: owned(),
                line: n + 1,
                why,
            })?;
            records.extend(record);
        }
        let lacks = |why| TapeError::Lacks { path: path.to_owned(), why };
        if !records.iter().any(|r| matches!(r.word, Word::Snapshot { .. })) {
            return Err(lacks("there is no depth snapshot line, so its book is unknown"));
        }
        if !records.iter().any(|r| matches!(r.word, Word::Depth { .. })) {
            return Err(lacks("there is no depth update in it"));
        }
        let mut tape = Self { symbol, price_places: 0, quantity_places: 0, records };
        tape.rescale();
        Ok(tape)
    }

    /// The best bid of the snapshot.
    pub(crate) fn first_price(&self) -> Option<i64> {
        self.records.iter().find_map(|r| match &r.word {
            Word::Snapshot { bids, .. } => bids.first().map(|(price, _)| *price),
            _ => None,
        })
    }

    /// Finds the tick and the lot of the recorded numbers and counts in them from here on.
    fn rescale(&mut self) {
        let (mut price, mut quantity) = (0_u8, 0_u8);
        for record in &mut self.records {
            record.word.numbers(&mut |p, q| {
                price = price.max(places(*p));
                quantity = quantity.max(places(*q));
            });
        }
        let (per_tick, per_lot) =
            (10_i64.pow(u32::from(DECIMALS - price)), 10_i64.pow(u32::from(DECIMALS - quantity)));
        for record in &mut self.records {
            record.word.numbers(&mut |p, q| {
                *p /= per_tick;
                *q /= per_lot;
            });
        }
        (self.price_places, self.quantity_places) = (price, quantity);
    }
}

impl Word {
    /// Visits every price with its quantity.
    fn numbers(&mut self, visit: &mut impl FnMut(&mut i64, &mut i64)) {
        match self {
            Self::Snapshot { bids, asks, .. } | Self::Depth { bids, asks, .. } => {
                bids.iter_mut().chain(asks).for_each(|(p, q)| visit(p, q));
            }
            Self::Quote { bid, ask, .. } => {
                visit(&mut bid.0, &mut bid.1);
                visit(&mut ask.0, &mut ask.1);
            }
            Self::Trade { price, quantity, .. } => visit(price, quantity),
        }
    }
}

/// Decimals that a number at eight decimals needs.
fn places(value: i64) -> u8 {
    let mut rest = value;
    (0..DECIMALS)
        .find(|_| {
            let ends = rest % 10 != 0;
            rest /= 10;
            ends
        })
        .map_or(0, |zeros| DECIMALS - zeros)
}

fn number(text: &str) -> Result<i64, String> {
    parse_scaled(text, DECIMALS).map_err(|e| e.to_string())
}

fn rows(rows: &[Row<'_>]) -> Result<Rows, String> {
    rows.iter().map(|[p, q]| Ok((number(p)?, number(q)?))).collect()
}

fn inner<'a, T: Deserialize<'a>>(data: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(data.get()).map_err(|e| e.to_string())
}

/// One line; `None` for streams that are not replayed.
fn line(text: &str, symbol: &mut String) -> Result<Option<Record>, String> {
    let (local, json) = text.split_once(' ').ok_or("not `<local_ns> <json>`")?;
    let local = local.parse().map_err(|_| format!("{local:?} is no time in nanoseconds"))?;
    let line: Line<'_> = serde_json::from_str(json).map_err(|e| e.to_string())?;
    let word = match (line.stream, line.data, line.id) {
        (Some(stream), Some(data), _) => {
            let Some((name, kind)) = stream.split_once('@') else { return Ok(None) };
            let Some(word) = event(kind, data)? else { return Ok(None) };
            let name = name.to_uppercase();
            if symbol.is_empty() {
                symbol.clone_from(&name);
            }
            if *symbol != name {
                return Err(format!("{name} on a tape of {symbol}; one symbol a tape"));
            }
            word
        }
        (None, None, Some(id)) => {
            Word::Snapshot { id, bids: rows(&line.bids)?, asks: rows(&line.asks)? }
        }
        _ => return Err("neither a stream message nor a depth snapshot".into()),
    };
    Ok(Some(Record { local, word }))
}

fn event(kind: &str, data: &RawValue) -> Result<Option<Word>, String> {
    Ok(Some(match kind {
        "depth@100ms" | "depth" => {
            let d: Depth<'_> = inner(data)?;
            let (bids, asks) = (rows(&d.b)?, rows(&d.a)?);
            Word::Depth { event_ms: d.event_ms, first: d.first, last: d.u, bids, asks }
        }
        "bookTicker" => {
            let q: Quote<'_> = inner(data)?;
            let bid = (number(q.b)?, number(q.bid_size)?);
            Word::Quote { update: q.u, bid, ask: (number(q.a)?, number(q.ask_size)?) }
        }
        "trade" => {
            let t: Trade<'_> = inner(data)?;
            let taker = if t.m { Side::Sell } else { Side::Buy };
            let (price, quantity) = (number(t.p)?, number(t.q)?);
            Word::Trade { id: t.t, traded_ms: t.traded_ms, price, quantity, taker }
        }
        _ => return Ok(None),
    }))
}
