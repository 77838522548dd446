//! A paper session as a tape, and a tape of events that is begun in its middle.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use backtest::decoded::Tape;
use backtest::inputs::{InputTape, Start};
use backtest::run::{Job, Outcome, run};
use backtest::{Recorded, Source, TapeError, session};
use common::bitcoin;
use domain::{
    Actor, Amount, BookUpdate, DataGrade, Exchange, FeedState, Instrument, InstrumentId, Level,
    MarketEvent, Policy, Price, Print, Quantity, Side, Span, StrategyConfig, StrategyKind,
    Timeframe, Timestamp,
};
use engine::{Command, EngineConfig, Envelope, Input, InputKind, NewBot};
use std::ops::ControlFlow;
use std::path::Path;

/// 2024-01-01.
const START: Timestamp = Timestamp(1_704_067_200_000_000_000);
const PLENTY: u64 = 1 << 30;

fn second(n: i64) -> Timestamp {
    START + Span::from_secs(n)
}

fn market(at: Timestamp, event: MarketEvent) -> Input {
    Input { at, kind: InputKind::Market { instrument: InstrumentId(0), event } }
}

fn print(id: u64, at: Timestamp) -> MarketEvent {
    let rise = (id as i64 / 7 % 2 * 2 - 1) * (id as i64 % 7);
    MarketEvent::Print(Print {
        id,
        price: Price(bitcoin().tick_size.0 * (6_000_000 + rise)),
        quantity: Quantity(bitcoin().lot_size.0 * 1_000),
        taker_side: Side::Buy,
        at,
        backfilled: false,
    })
}

fn written(dir: &Path, inputs: &[Input]) {
    let start = Start { config: "{}".to_owned(), states: Vec::new() };
    let mut tape = InputTape::begin(dir, &start, None, PLENTY).unwrap();
    inputs.iter().for_each(|input| tape.take(input.clone()));
    tape.write().unwrap();
    tape.close().unwrap();
}

#[test]
fn a_session_is_read_without_what_people_ordered_and_a_second_one_after_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let reporting_currency = "USDT".parse().unwrap();
    let create = Command::CreateAccount { name: "a".to_owned(), reporting_currency };
    let actor = Actor::Person("somebody".to_owned());
    let command = Envelope { id: 1, actor, account: None, command: create };
    let listed = Input { at: START, kind: InputKind::Instrument(bitcoin()) };
    let first = [
        listed.clone(),
        market(second(1), print(1, second(1))),
        Input { at: second(2), kind: InputKind::Command(command) },
        market(second(3), print(2, second(3))),
    ];
    written(dir.path(), &first);
    assert!(session::is_session(dir.path()).unwrap());
    let tape = session::read(dir.path()).unwrap();
    assert_eq!(tape.span(), Some((START, second(3))));
    assert_eq!((tape.markets.len(), tape.events.events()), (1, 2));
    let told: Vec<_> = tape.told.iter().map(|t| (t.after, t.input.clone())).collect();
    let passed = Input { at: second(2), kind: InputKind::Timer };
    assert_eq!(told, [(0, listed.clone()), (1, passed)]);
    assert!(tape.markets[0].gaps.is_empty());

    written(dir.path(), &[listed, market(second(60), print(9, second(60)))]);
    let tape = session::read(dir.path()).unwrap();
    let gaps = &tape.markets[0].gaps;
    assert_eq!((gaps.len(), gaps[0].from), (1, second(3)));
}

/// A book, then a trade a tenth of a second.
struct Made {
    of: [Instrument; 1],
    next: u64,
}

impl Source for Made {
    fn instruments(&self) -> &[Instrument] {
        &self.of
    }

    fn next(&mut self) -> Result<Option<Recorded>, TapeError> {
        let number = self.next;
        self.next += 1;
        let at = START + Span::from_millis(100 * number as i64);
        let level = |ticks: i64| Level {
            price: Price(self.of[0].tick_size.0 * ticks),
            quantity: Quantity(self.of[0].lot_size.0 * 100_000_000),
        };
        let event = match number {
            0 => MarketEvent::Feed { state: FeedState::Fresh, grade: DataGrade::L2Trades },
            1 => MarketEvent::Book(BookUpdate {
                is_snapshot: true,
                update_id: 1,
                at: Some(at),
                requested_at: None,
                bids: vec![level(5_999_990)],
                asks: vec![level(6_000_010)],
            }),
            n if n < 3_000 => print(n, at),
            _ => return Ok(None),
        };
        Ok(Some(Recorded { at, instrument: 0, event }))
    }
}

fn traded(tape: &Tape, from: Option<Timestamp>) -> Outcome {
    let bot = NewBot {
        name: "cross".to_owned(),
        exchange: Exchange::Binance.name().to_owned(),
        symbol: tape.markets[0].instrument.symbol,
        strategy: StrategyConfig {
            kind: StrategyKind::EmaCross,
            params: serde_json::from_str("{\"fast\":2,\"slow\":30}").unwrap(),
        },
        timeframe: Some(Timeframe::S1),
        risk_mode: Default::default(),
        capital: Amount::from_int(10_000),
        sizing: None,
        exits: None,
        managed: false,
    };
    let policy = Policy::default();
    let engine = EngineConfig { seed: 1, latency_ms_p50: 60.0, latency_ms_p99: 250.0, policy };
    let job = Job { bots: vec![bot], from, to: None, engine, keeps_everything: true };
    run(tape, &job, &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn what_was_known_before_the_start_is_known_at_it() {
    let of = [Instrument { exchange: Exchange::Binance, ..bitcoin() }];
    let tape = Tape::of_source(&mut Made { of, next: 0 }, &[]).unwrap();
    let from = second(200);
    let whole = traded(&tape, None);
    assert!(whole.orders > 0, "{:?}", whole.refusals);
    // Thirty bars of a second are made of the trades before; the book came long ago.
    let late = traded(&tape, Some(from));
    let first = late.fills.first().expect("no fill: the book was not known").at;
    assert!(first - from < Span::from_secs(29), "the mean was not warm: {first}");
    assert!(late.fills.iter().all(|fill| fill.at >= from));
}
