//! KuCoin's classic stream: level-2 ranges, matches, REST books.

use super::recorder::Recorder;
use domain::{BookUpdate, DataGrade, Exchange, Timestamp};
use exchanges::codec::DecodeError;
use exchanges::codec::kucoin::decode_symbols;
use exchanges::codec::kucoin_classic::{ClassicEvent, Level2, Match, decode, decode_snapshot};
use exchanges::kucoin_book::{RangeSync, Step};
use std::collections::VecDeque;

/// Ranges kept while a snapshot is under way: minutes of a busy book.
const KEPT_MAX: usize = 10_000;

/// One instrument's book.
#[derive(Debug, Default)]
struct Feed {
    sync: RangeSync,
    kept: VecDeque<((u64, u64), BookUpdate)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Session {
    feeds: Vec<Feed>,
}

impl Session {
    /// An answer to a request, or a frame.
    pub(super) fn take(
        &mut self,
        at: Timestamp,
        url: Option<&str>,
        body: &[u8],
        out: &mut Recorder,
    ) -> Result<(), String> {
        let done = match url {
            Some(url) if url.contains("/symbols") => {
                decode_symbols(body).map(|list| out.list(list.instruments))
            }
            Some(url) if url.contains("/level2") => {
                let symbol = url.split(['?', '&']).find_map(|part| part.strip_prefix("symbol="));
                self.snapshot(at, symbol.unwrap_or_default(), body, out)
            }
            Some(_) => Ok(()),
            None => self.frame(at, body, out),
        };
        done.map_err(|e| e.to_string())
    }

    fn frame(
        &mut self,
        at: Timestamp,
        frame: &[u8],
        out: &mut Recorder,
    ) -> Result<(), DecodeError> {
        match decode(frame)? {
            ClassicEvent::Level2(change) => self.change(at, &change, out),
            ClassicEvent::Match(trade) => print(at, &trade, out),
            _ => Ok(()),
        }
    }

    fn feed(&mut self, i: usize) -> &mut Feed {
        if self.feeds.len() <= i {
            self.feeds.resize_with(i + 1, Feed::default);
        }
        &mut self.feeds[i]
    }

    fn change(
        &mut self,
        at: Timestamp,
        change: &Level2<'_>,
        out: &mut Recorder,
    ) -> Result<(), DecodeError> {
        let i = out.place(Exchange::Kucoin, &change.symbol);
        let (range, update) = (change.range()?, change.update(out.instrument(i))?);
        let feed = self.feed(i);
        if !feed.sync.is_synced() {
            feed.keep(range, update);
            return Ok(());
        }
        match feed.sync.delta(range.0, range.1) {
            Step::Apply => out.book(at, i, update),
            Step::Ignored => {}
            Step::Gap => {
                feed.keep(range, update);
                out.lost_book(at, i, "gap in the book's sequence");
            }
        }
        Ok(())
    }

    fn snapshot(
        &mut self,
        at: Timestamp,
        symbol: &str,
        body: &[u8],
        out: &mut Recorder,
    ) -> Result<(), DecodeError> {
        let i = out.place(Exchange::Kucoin, symbol);
        let book = decode_snapshot(body, out.instrument(i))?;
        let feed = self.feed(i);
        feed.sync.snapshot(book.update_id);
        out.grade(at, i, DataGrade::L2Trades);
        out.book(at, i, book);
        for (range, update) in std::mem::take(&mut self.feed(i).kept) {
            match self.feed(i).sync.delta(range.0, range.1) {
                Step::Apply => out.book(at, i, update),
                Step::Ignored => {}
                Step::Gap => {
                    out.lost_book(at, i, "gap behind the snapshot");
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Feed {
    fn keep(&mut self, range: (u64, u64), update: BookUpdate) {
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back((range, update));
    }
}

fn print(at: Timestamp, trade: &Match<'_>, out: &mut Recorder) -> Result<(), DecodeError> {
    let i = out.place(Exchange::Kucoin, &trade.symbol);
    let print = trade.print(out.instrument(i))?;
    // Its sequence is the book's: rising, not dense.
    out.print(at, i, print, None);
    Ok(())
}
