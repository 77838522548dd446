//! Binance: `<local_ns> {combined frame}` a line, with a bare REST snapshot somewhere in it.

use super::lines::Lines;
use super::recorder::Recorder;
use crate::TapeError;
use domain::{DataGrade, Exchange, Timestamp};
use exchanges::binance_book::{DepthSync, Diff, Snapshot, Step};
use exchanges::codec::DecodeError;
use exchanges::codec::binance::{
    AggTrade, BookTicker, DepthDiff, StreamEvent, Trade, decode_depth, decode_stream,
};

/// What goes on from file to file: a tape in two parts has one snapshot.
#[derive(Debug, Default)]
pub(super) struct Stream {
    sync: Vec<DepthSync>,
}

impl Stream {
    pub(super) fn read(
        &mut self,
        path: &std::path::Path,
        out: &mut Recorder,
    ) -> Result<(), TapeError> {
        Lines::open(path)?.each(|line| self.line(line, out))
    }

    fn line(&mut self, line: &str, out: &mut Recorder) -> Result<(), String> {
        let (at, json) = line.split_once(' ').ok_or("not `NANOSECONDS {json}`")?;
        let at = at.parse().map(Timestamp).map_err(|e| format!("{at}: {e}"))?;
        if json.starts_with("{\"lastUpdateId\"") {
            // It names no symbol.
            return match out.count() {
                1 => self.snapshot(at, 0, json.as_bytes(), out).map_err(|e| e.to_string()),
                0 => Err("a snapshot before the first frame: of which symbol?".to_owned()),
                _ => Err("a snapshot among several symbols: of which?".to_owned()),
            };
        }
        self.frame(at, json.as_bytes(), out).map_err(|e| e.to_string())
    }

    /// A frame of the stream.
    pub(super) fn frame(
        &mut self,
        at: Timestamp,
        frame: &[u8],
        out: &mut Recorder,
    ) -> Result<(), DecodeError> {
        match decode_stream(frame)? {
            StreamEvent::Trade(trade) => trade_frame(at, &trade, out),
            StreamEvent::AggTrade(trade) => aggregate(at, &trade, out),
            StreamEvent::Touch(ticker) => touch(at, &ticker, out),
            StreamEvent::Depth(diff) => self.depth(at, &diff, out),
            _ => Ok(()),
        }
    }

    fn sync(&mut self, i: usize) -> &mut DepthSync {
        if self.sync.len() <= i {
            self.sync.resize_with(i + 1, DepthSync::default);
        }
        &mut self.sync[i]
    }

    fn depth(
        &mut self,
        at: Timestamp,
        diff: &DepthDiff<'_>,
        out: &mut Recorder,
    ) -> Result<(), DecodeError> {
        let i = out.place(Exchange::Binance, &diff.symbol);
        let update = diff.update(out.instrument(i))?;
        match self.sync(i).diff(Diff { first: diff.first, update }) {
            Step::Apply(update) => out.book(at, i, update),
            Step::Gap => out.lost_book(at, i, "gap in the depth's sequence"),
            Step::Buffered | Step::Ignored => {}
        }
        Ok(())
    }

    /// The REST snapshot of an instrument.
    pub(super) fn snapshot(
        &mut self,
        at: Timestamp,
        i: usize,
        body: &[u8],
        out: &mut Recorder,
    ) -> Result<(), DecodeError> {
        let snapshot = decode_depth(body, out.instrument(i))?;
        match self.sync(i).snapshot(snapshot) {
            Snapshot::Ready(updates) => {
                out.grade(at, i, DataGrade::L2Trades);
                updates.into_iter().for_each(|update| out.book(at, i, update));
            }
            Snapshot::Broken => out.lost_book(at, i, "gap in the depth's sequence"),
            // Another one may follow; until then the touch is what there is.
            Snapshot::TooOld => {}
        }
        Ok(())
    }
}

fn trade_frame(at: Timestamp, trade: &Trade<'_>, out: &mut Recorder) -> Result<(), DecodeError> {
    let i = out.place(Exchange::Binance, &trade.symbol);
    let print = trade.print(out.instrument(i))?;
    out.print(at, i, print, Some(print.id));
    Ok(())
}

fn aggregate(at: Timestamp, trade: &AggTrade<'_>, out: &mut Recorder) -> Result<(), DecodeError> {
    let Some(symbol) = &trade.symbol else { return Ok(()) };
    let i = out.place(Exchange::Binance, symbol);
    let mut print = trade.print(out.instrument(i))?;
    print.backfilled = false;
    out.print(at, i, print, Some(trade.first));
    Ok(())
}

fn touch(at: Timestamp, ticker: &BookTicker<'_>, out: &mut Recorder) -> Result<(), DecodeError> {
    let i = out.place(Exchange::Binance, &ticker.symbol);
    let touch = ticker.touch(out.instrument(i))?;
    if !out.has_grade(i) {
        out.grade(at, i, DataGrade::L1Trades);
    }
    out.touch(at, i, touch);
    Ok(())
}
