//! Segments come back as they were written, whatever ends their writer.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use backtest::tape::{
    Content, Folder, Header, Heard, Loaded, Note, Reader, Said, Segment, open, read_bars, segments,
};
use backtest::{Recorded, Source, TapeError};
use common::*;
use domain::{MarketEvent, Span, Timeframe, Timestamp};
use proptest::prelude::*;
use std::path::Path;

fn header() -> Header {
    let instruments = vec![bitcoin(), ether()];
    let (origin, note) = ("test".into(), String::new());
    Header { content: Content::Events, instruments, origin, note }
}

fn at(n: u64) -> Recorded {
    let event = MarketEvent::Print(print(n, 1_700_000_000_000 + n as i64));
    Recorded { at: Timestamp(n as i64), instrument: 0, event }
}

fn all(path: &Path) -> Result<Vec<Recorded>, TapeError> {
    let mut tape = open(path)?;
    let mut seen = Vec::new();
    while let Some(event) = tape.next()? {
        seen.push(event);
    }
    Ok(seen)
}

fn cut_of(path: &Path) -> Option<String> {
    let mut reader = Reader::open(path).unwrap();
    while reader.next_block().unwrap().is_some() {}
    reader.cut().map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read(
        events in proptest::collection::vec(recorded(), 0..300),
        flush_every in 1_usize..400,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tape");
        let mut segment = Segment::create(&path, header()).unwrap();
        for (n, event) in events.iter().enumerate() {
            segment.event(event.clone()).unwrap();
            if n % flush_every == 0 {
                segment.flush().unwrap();
            }
        }
        prop_assert_eq!(segment.seal().unwrap().rows, events.len() as u64);
        prop_assert_eq!(&all(&path).unwrap(), &events);
        let loaded = Loaded::read(&mut open(&path).unwrap()).unwrap();
        prop_assert_eq!(&loaded.play().collect::<Vec<_>>(), &events);
    }

    #[test]
    fn a_segment_cut_anywhere_keeps_its_whole_blocks_and_goes_on(cut in 0.0_f64..1.0) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tape");
        let mut segment = Segment::create(&path, header()).unwrap();
        let mut ends = vec![(segment.bytes(), 0)];
        for n in 0..20 {
            segment.event(at(n)).unwrap();
            segment.flush().unwrap();
            ends.push((segment.bytes(), n + 1));
        }
        drop(segment);
        let whole = std::fs::read(&path).unwrap();
        let first = ends[0].0 as usize;
        let length = first + ((whole.len() - first) as f64 * cut) as usize;
        std::fs::write(&path, &whole[..length]).unwrap();
        let kept = ends.iter().rev().find(|(bytes, _)| *bytes as usize <= length).unwrap().1;
        prop_assert_eq!(all(&path).unwrap(), (0..kept).map(at).collect::<Vec<_>>());
        prop_assert!(cut_of(&path).is_some());
        let (segment, _) = Segment::resume(&path).unwrap();
        let mut segment = segment.unwrap();
        segment.event(at(99)).unwrap();
        segment.seal().unwrap();
        let expected: Vec<_> = (0..kept).chain([99]).map(at).collect();
        prop_assert_eq!(all(&path).unwrap(), expected);
        prop_assert_eq!(cut_of(&path), None);
    }
}

#[test]
fn a_changed_byte_in_the_middle_is_named_and_not_read_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tape");
    let mut segment = Segment::create(&path, header()).unwrap();
    let start = segment.bytes() as usize;
    for n in 0..5 {
        segment.event(at(n)).unwrap();
        segment.flush().unwrap();
    }
    segment.seal().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[start + 40] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let said = all(&path).unwrap_err().to_string();
    assert!(said.contains(&format!("byte {start}")), "{said}");
    assert!(Segment::resume(&path).is_err());
}

#[test]
fn zeros_at_the_end_are_torn_and_other_files_are_no_tape() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tape");
    let mut segment = Segment::create(&path, header()).unwrap();
    segment.event(at(1)).unwrap();
    segment.flush().unwrap();
    drop(segment);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(&[0; 4_096]);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(all(&path).unwrap(), [at(1)]);
    let (_, said) = Segment::resume(&path).unwrap();
    assert!(said.unwrap().contains("4096"));
    std::fs::write(&path, "id,price\n1,2\n").unwrap();
    assert!(all(&path).unwrap_err().to_string().contains("data import"));
}

#[test]
fn a_folder_goes_on_in_its_last_segment_and_is_read_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let (mut folder, said) = Folder::open(dir.path(), header()).unwrap();
    assert!(said.is_empty());
    folder.segment().event(at(1)).unwrap();
    folder.rotate(header()).unwrap();
    folder.segment().event(at(2)).unwrap();
    folder.segment().flush().unwrap();
    drop(folder);
    let (mut folder, _) = Folder::open(dir.path(), header()).unwrap();
    folder.segment().event(at(3)).unwrap();
    folder.close().unwrap();
    let (mut folder, _) = Folder::open(dir.path(), header()).unwrap();
    folder.segment().event(at(4)).unwrap();
    folder.close().unwrap();
    assert_eq!(segments(dir.path()).unwrap().len(), 3);
    assert_eq!(all(dir.path()).unwrap(), [at(1), at(2), at(3), at(4)]);
}

#[test]
fn a_folder_begins_anew_where_what_it_is_about_changed_or_nothing_was_written() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("00000001.tape"), "AMKT").unwrap();
    let (mut folder, said) = Folder::open(dir.path(), header()).unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    folder.segment().event(at(1)).unwrap();
    folder.segment().flush().unwrap();
    drop(folder);
    let one = Header { instruments: vec![ether()], ..header() };
    let (mut folder, _) = Folder::open(dir.path(), one).unwrap();
    folder.segment().event(at(2)).unwrap();
    folder.close().unwrap();
    let mut tape = open(dir.path()).unwrap();
    let symbols: Vec<_> = tape.instruments().iter().map(|i| i.symbol.to_string()).collect();
    assert_eq!(symbols, ["BTC/USDT", "ETH/USDT"]);
    assert_eq!(tape.next().unwrap().unwrap().instrument, 0);
    // The second segment's first instrument is the folder's second.
    assert_eq!(tape.next().unwrap().unwrap().instrument, 1);
}

#[test]
fn the_oldest_segments_go_first_and_those_to_keep_never() {
    let dir = tempfile::tempdir().unwrap();
    let (mut folder, _) = Folder::open(dir.path(), header()).unwrap();
    for n in 0..3 {
        folder.segment().event(at(n)).unwrap();
        folder.rotate(header()).unwrap();
    }
    let kept = dir.path().join("00000003.tape");
    let all = folder.keep_within(u64::MAX, &kept).unwrap();
    assert_eq!(segments(dir.path()).unwrap().len(), 4);
    let one_less = folder.keep_within(all - 1, &kept).unwrap();
    assert!(one_less < all);
    assert_eq!(segments(dir.path()).unwrap().len(), 3);
    folder.keep_within(0, &kept).unwrap();
    assert_eq!(segments(dir.path()).unwrap(), [kept, dir.path().join("00000004.tape")]);
}

#[test]
fn frames_and_measurements_are_kept_as_they_came() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tape");
    let mut segment = Segment::create(&path, header()).unwrap();
    let heard = [
        Heard::Frame { from: "stream".into(), bytes: b"{\"e\":\"trade\"}".to_vec() },
        Heard::RoundTrip(Span(5)),
        Heard::Clock { lower: Span(-1), upper: Span(2) },
    ];
    let notes: Vec<Note> = heard.map(|heard| Note { at: Timestamp(9), heard }).to_vec();
    notes.iter().for_each(|note| segment.hear(note.clone()).unwrap());
    segment.seal().unwrap();
    let mut reader = Reader::open(&path).unwrap();
    let Some(Said::Heard(seen)) = reader.next_block().unwrap() else { panic!("no notes") };
    assert_eq!(seen, notes);
}

#[test]
fn bars_come_back_and_disorder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let content = Content::Bars(Timeframe::M1);
    let header = Header { content, instruments: vec![bitcoin()], ..header() };
    let bars: Vec<_> = (0..20_000).map(|n| bar(Timestamp(n * MINUTE.0), 500 + n)).collect();
    let write = |name: &str, bars: &[domain::Bar]| {
        let path = dir.path().join(name);
        let mut segment = Segment::create(&path, header.clone()).unwrap();
        bars.iter().for_each(|bar| segment.bar(*bar).unwrap());
        segment.seal().unwrap();
        path
    };
    let file = read_bars(&write("a.tape", &bars)).unwrap();
    assert_eq!((file.timeframe, file.bars, file.cut), (Timeframe::M1, bars.clone(), None));
    let twice = [bars[0], bars[0]];
    assert!(read_bars(&write("b.tape", &twice)).unwrap_err().to_string().contains("order"));
    assert!(open(&dir.path().join("a.tape")).is_err());
}

/// Ten million of them are to take at most 400 MB.
#[test]
fn prints_take_less_than_forty_bytes_each() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.tape");
    let mut segment = Segment::create(&path, header()).unwrap();
    for n in 0..50_000 {
        let mut event = at(n);
        event.at = Timestamp(1_700_000_000_123_456_789 + (n as i64 * 48_271_000) % 777_777_777);
        segment.event(event).unwrap();
    }
    segment.seal().unwrap();
    let loaded = Loaded::read(&mut open(&path).unwrap()).unwrap();
    assert_eq!(loaded.events(), 50_000);
    assert!(loaded.bytes() < 50_000 * 40, "{}", loaded.bytes());
}
