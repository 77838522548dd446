//! `record`: what the feeds deliver, as frames and as events, in segments.

use super::exchange::{connect, listed};
use super::progress::Progress;
use crate::cli::Record;
use crate::client::{Answer, Failure};
use crate::config::Config;
use crate::signals::Signals;
use backtest::tape::{Content, Folder, Header, Heard, Note, SEGMENT_BYTES_MAX};
use backtest::{Recorded, Source, TapeError};
use domain::{
    DataGrade, FeedState, Instrument, InstrumentId, MarketEvent, Span, Symbol, Timestamp,
};
use exchanges::{Connector, Delivery, DeliveryKind, Resume, Tapped};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;

/// What a kill costs at most.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Frames that wait to be written: a second of a very busy market.
const FRAMES_MAX: usize = 8_192;

pub(super) async fn record(config: &Config, asked: &Record) -> Result<Answer, Failure> {
    // Before anything else: a signal that comes early ends us in order, too.
    let mut signals = Signals::listen().map_err(|e| Failure::could_not(e.to_string()))?;
    let (tap, frames) = mpsc::channel(FRAMES_MAX);
    let tap = (!asked.no_raw).then_some(tap);
    let (connector, mut deliveries) = connect(config, asked.exchange, tap)?;
    let mut waiting = Frames { queue: frames, early: Vec::new(), is_open: !asked.no_raw };
    let found = tokio::select! {
        found = listed(asked.exchange, &asked.symbols, &connector, &mut deliveries) => found?,
        // The list itself is a frame, and waits for room.
        never = waiting.collect() => match never {},
        () = signals.end() => return Err(Failure::could_not("ended before it began")),
    };
    let failed = |e: TapeError| Failure::could_not(e.to_string());
    let mut recorder = Recorder::open(&asked.out, found).map_err(failed)?;
    for frame in std::mem::take(&mut waiting.early) {
        recorder.frame(frame).map_err(failed)?;
    }
    for (at, instrument) in recorder.instruments.iter().enumerate() {
        let resume = recorder.resume.get(&instrument.symbol).copied();
        connector.subscribe(id(at), instrument.clone(), resume);
    }
    let length = asked.length.unwrap_or(Duration::MAX);
    let deadline = tokio::time::Instant::now().checked_add(length);
    let ending = async {
        match deadline {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        done = recorder.work(&connector, &mut deliveries, &mut waiting) => done.map_err(failed)?,
        () = signals.end() => {}
        () = ending => {}
    }
    // A connector that errs at closing has given all that it had.
    drop(tokio::time::timeout(Duration::from_secs(2), connector.close()).await);
    let (events, frames) = (recorder.events, recorder.frames);
    recorder.folder.close().map_err(failed)?;
    let dir = asked.out.display();
    let json = serde_json::json!({ "path": asked.out, "events": events, "frames": frames });
    Ok(Answer::new(json, format!("{dir}: {events} events, {frames} frames\n")))
}

fn id(at: usize) -> InstrumentId {
    InstrumentId(u32::try_from(at).expect("the command line names a few symbols"))
}

/// Frames from the wire, also those that come before there is a file.
struct Frames {
    queue: mpsc::Receiver<Tapped>,
    early: Vec<Tapped>,
    is_open: bool,
}

enum Never {}

impl Frames {
    async fn next(&mut self) -> Option<Tapped> {
        if !self.is_open {
            return std::future::pending().await;
        }
        let next = self.queue.recv().await;
        self.is_open = next.is_some();
        next
    }

    async fn collect(&mut self) -> Never {
        loop {
            match self.next().await {
                // The list of markets and a clock's answer; more is no start.
                Some(frame) if self.early.len() < 64 => self.early.push(frame),
                _ => {}
            }
        }
    }
}

struct Recorder {
    folder: Folder,
    instruments: Vec<Instrument>,
    /// Where an earlier run ended.
    resume: BTreeMap<Symbol, Resume>,
    origin: String,
    events: u64,
    frames: u64,
}

impl Recorder {
    fn open(dir: &Path, instruments: Vec<Instrument>) -> Result<Self, TapeError> {
        let origin = format!("recorded from {}", instruments[0].exchange);
        let before = before(dir, &instruments)?;
        let (mut folder, said) = Folder::open(dir, header(&instruments, &origin))?;
        said.iter().for_each(|line| eprintln!("amarktai: {line}"));
        if let Some(before) = &before {
            let last = before.last;
            eprintln!("amarktai: goes on; what was traded since {last} is asked for");
            missed(&mut folder, &instruments, before)?;
        }
        let resume = before.map(|b| b.prints).unwrap_or_default();
        Ok(Self { folder, instruments, resume, origin, events: 0, frames: 0 })
    }

    async fn work(
        &mut self,
        connector: &Connector,
        deliveries: &mut mpsc::Receiver<Delivery>,
        frames: &mut Frames,
    ) -> Result<(), TapeError> {
        let mut flush = tokio::time::interval(FLUSH_EVERY);
        flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut progress = Progress::new();
        loop {
            tokio::select! {
                delivery = deliveries.recv() => match delivery {
                    Some(delivery) => self.deliver(connector, delivery)?,
                    None => return Ok(()),
                },
                Some(frame) = frames.next() => self.frame(frame)?,
                _ = flush.tick() => {
                    self.folder.segment().flush()?;
                    progress.say(|| self.said(connector));
                }
            }
            if self.folder.segment().bytes() >= SEGMENT_BYTES_MAX {
                self.folder.rotate(header(&self.instruments, &self.origin))?;
            }
        }
    }

    fn said(&mut self, connector: &Connector) -> String {
        let status = connector.status();
        let (events, frames, bytes) = (self.events, self.frames, self.folder.segment().bytes());
        let counters = &status.counters;
        format!(
            "{events} events, {frames} frames, segment of {bytes} bytes, {} gaps, {} reconnects",
            counters.book_gaps + counters.print_gaps,
            counters.reconnects,
        )
    }

    fn frame(&mut self, frame: Tapped) -> Result<(), TapeError> {
        self.frames += 1;
        let heard = Heard::Frame { from: frame.from, bytes: frame.bytes.to_vec() };
        self.folder.segment().hear(Note { at: frame.at, heard })
    }

    fn deliver(&mut self, connector: &Connector, delivery: Delivery) -> Result<(), TapeError> {
        let at = delivery.received_at;
        let heard = match delivery.kind {
            DeliveryKind::Market { instrument, event } => {
                self.events += 1;
                let instrument = instrument.0 as usize;
                return self.folder.segment().event(Recorded { at, instrument, event });
            }
            DeliveryKind::Instruments(list) => return self.list(connector, &list),
            DeliveryKind::RoundTrip(span) => Heard::RoundTrip(span),
            DeliveryKind::Clock { offset_lower_ns, offset_upper_ns } => {
                Heard::Clock { lower: Span(offset_lower_ns), upper: Span(offset_upper_ns) }
            }
        };
        self.folder.segment().hear(Note { at, heard })
    }

    /// Filters change during the day: a segment knows one state of them.
    fn list(&mut self, connector: &Connector, list: &[Instrument]) -> Result<(), TapeError> {
        let mut is_changed = false;
        for (at, known) in self.instruments.iter_mut().enumerate() {
            let Some(new) = list.iter().find(|i| i.symbol == known.symbol) else { continue };
            if new != known {
                known.clone_from(new);
                connector.subscribe(id(at), new.clone(), None);
                is_changed = true;
            }
        }
        if is_changed {
            self.folder.rotate(header(&self.instruments, &self.origin))
        } else {
            Ok(())
        }
    }
}

fn header(instruments: &[Instrument], origin: &str) -> Header {
    let (instruments, origin) = (instruments.to_vec(), origin.to_owned());
    Header { content: Content::Events, instruments, origin, note: String::new() }
}

/// What an earlier run knew at its end.
struct Before {
    /// When its last event was received.
    last: Timestamp,
    /// The last print of each market.
    prints: BTreeMap<Symbol, Resume>,
}

/// Segments in which the last prints are looked for: a market that was silent for longer begins
/// anew, after a gap.
const SEGMENTS_READ: usize = 3;

fn before(dir: &Path, instruments: &[Instrument]) -> Result<Option<Before>, TapeError> {
    let mut found: Option<Before> = None;
    let paths = if dir.is_dir() { backtest::tape::segments(dir)? } else { Vec::new() };
    for path in paths.iter().rev().take(SEGMENTS_READ) {
        // One that was begun and never written to says nothing.
        let Ok(mut tape) = backtest::tape::open(path) else { continue };
        let mut newest = BTreeMap::new();
        while let Some(event) = tape.next()? {
            let before = found.get_or_insert(Before { last: event.at, prints: BTreeMap::new() });
            before.last = before.last.max(event.at);
            if let MarketEvent::Print(print) = event.event {
                let (last_print_id, last_print_at) = (print.id, print.at);
                newest.insert(event.instrument, Resume { last_print_id, last_print_at });
            }
        }
        let Some(before) = &mut found else { continue };
        for (at, resume) in newest {
            before.prints.entry(tape.instruments()[at].symbol).or_insert(resume);
        }
        if instruments.iter().all(|i| before.prints.contains_key(&i.symbol)) {
            break;
        }
    }
    Ok(found)
}

/// Nobody listened from the last event on: prices are stale until the feeds are back. Prints are
/// missing too, where there is none to go on from; the connector fetches the others, or says itself
/// that they are gone.
fn missed(
    folder: &mut Folder,
    instruments: &[Instrument],
    before: &Before,
) -> Result<(), TapeError> {
    let at = before.last;
    for (instrument, of) in instruments.iter().enumerate() {
        let state = FeedState::Stale("nobody recorded".to_owned());
        let event = MarketEvent::Feed { state, grade: DataGrade::L2Trades };
        folder.segment().event(Recorded { at, instrument, event })?;
        if !before.prints.contains_key(&of.symbol) {
            let event = MarketEvent::Gap { from: before.last };
            folder.segment().event(Recorded { at, instrument, event })?;
        }
    }
    Ok(())
}
