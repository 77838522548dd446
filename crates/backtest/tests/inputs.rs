//! Inputs come back exactly, as many as were committed, whatever ended their writer.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use backtest::inputs::{Committed, InputTape, Start, sessions};
use backtest::tape::segments;
use common::*;
use domain::{InstrumentId, Span, Timeframe, Timestamp};
use engine::{Input, InputKind, StateRow, Switches};
use proptest::prelude::*;
use std::path::Path;

const PLENTY: u64 = 1 << 30;

fn start() -> Start {
    let state = Some("{\"a\":1}".to_owned());
    Start { config: "{}".into(), states: vec![StateRow { key: "fleet".into(), state }] }
}

fn rare(at: i64, which: u8) -> Input {
    let kind = match which % 6 {
        0 => InputKind::Timer,
        1 => InputKind::Switches(Switches::default()),
        2 => InputKind::Instrument(bitcoin()),
        3 => InputKind::RoundTrip { exchange: domain::Exchange::Luno, span: Span(at) },
        4 => InputKind::Clock {
            exchange: domain::Exchange::Binance,
            offset_lower: Span(-at),
            offset_upper: Span(at),
        },
        _ => InputKind::History {
            instrument: InstrumentId(1),
            timeframe: Timeframe::M1,
            bars: vec![bar(Timestamp(0), 500), bar(Timestamp(MINUTE.0), 501)],
        },
    };
    Input { at: Timestamp(at), kind }
}

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        3 => recorded().prop_map(|r| {
            let instrument = InstrumentId(r.instrument as u32);
            Input { at: r.at, kind: InputKind::Market { instrument, event: r.event } }
        }),
        1 => (any::<i32>(), any::<u8>()).prop_map(|(at, which)| rare(i64::from(at), which)),
    ]
}

fn read(dir: &Path, session: usize, limit: u64) -> Vec<Input> {
    let (begin, mut inputs) = sessions(dir).unwrap()[session].open(limit).unwrap();
    assert_eq!(begin, start());
    let mut all = Vec::new();
    while let Some(batch) = inputs.next_batch().unwrap() {
        all.extend(batch);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_was_taken_comes_back_up_to_what_was_committed(
        inputs in proptest::collection::vec(any_input(), 0..120),
        batch in 1_usize..40,
        limit in 0_u64..150,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut tape = InputTape::begin(dir.path(), &start(), None, PLENTY).unwrap();
        let mut last = Committed { session: 1, inputs: 0 };
        for some in inputs.chunks(batch) {
            some.iter().for_each(|input| tape.take(input.clone()));
            last = tape.write().unwrap();
        }
        prop_assert_eq!(last, Committed { session: 1, inputs: inputs.len() as u64 });
        drop(tape);
        let kept = inputs.len().min(limit as usize);
        prop_assert_eq!(read(dir.path(), 0, limit), inputs[..kept].to_vec());
    }
}

#[test]
fn a_session_after_a_kill_knows_what_was_committed_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut tape = InputTape::begin(dir.path(), &start(), None, PLENTY).unwrap();
    (0..5).for_each(|n| tape.take(rare(n, 3)));
    let committed = tape.write().unwrap();
    tape.take(rare(9, 3));
    tape.write().unwrap();
    drop(tape); // the last block's commit never happened
    let before = Committed::parse(&committed.text());
    let tape = InputTape::begin(dir.path(), &start(), before, PLENTY).unwrap();
    tape.close().unwrap();
    let all = sessions(dir.path()).unwrap();
    let seen: Vec<_> = all.iter().map(|s| (s.number, s.before)).collect();
    assert_eq!(seen, [(1, None), (2, Some(committed))]);
    assert_eq!(read(dir.path(), 0, committed.inputs).len(), 5);
}

#[test]
fn earlier_sessions_make_room_and_one_that_alone_is_too_large_ends() {
    let dir = tempfile::tempdir().unwrap();
    let quota = 60_000;
    let fill = |tape: &mut InputTape, blocks: i64| {
        let mut taken = 0;
        for n in 0..blocks {
            // A word that does not compress, so that the quota is met soon.
            let word: String =
                (0..200).map(|i| char::from(33 + ((n * 131 + i * i * 7_919) % 90) as u8)).collect();
            let kind = InputKind::Switches(Switches {
                paper_exchanges: vec![word],
                ..Switches::default()
            });
            tape.take(Input { at: Timestamp(n), kind });
            taken = tape.write().unwrap().inputs;
            if tape.is_full() {
                break;
            }
        }
        taken
    };
    let mut first = InputTape::begin(dir.path(), &start(), None, quota).unwrap();
    let kept = fill(&mut first, 10_000);
    assert!(first.is_full() && kept < 10_000);
    first.close().unwrap();
    assert_eq!(read(dir.path(), 0, u64::MAX).len() as u64, kept);
    let second = InputTape::begin(dir.path(), &start(), None, quota).unwrap();
    assert!(!second.is_full());
    second.close().unwrap();
    let numbers: Vec<_> = sessions(dir.path()).unwrap().iter().map(|s| s.number).collect();
    assert_eq!(numbers, [2], "{:?}", segments(dir.path()));
}
