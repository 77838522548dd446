//! Bars made of recorded trades are those that the exchange itself told. Skipped where there is no
//! recording.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use backtest::Source;
use backtest::raw::Tape;
use domain::{Bar, Instrument, MarketEvent, Span, Timeframe, Timestamp, parse_scaled};
use flate2::read::GzDecoder;
use market::{BarBuilder, PrintIds};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Open, high, low, close and volume, by instrument and start.
type Candles = BTreeMap<(String, Timestamp), [i64; 5]>;

fn ohlcv(bar: &Bar) -> [i64; 5] {
    [bar.open.0, bar.high.0, bar.low.0, bar.close.0, bar.volume.0]
}

/// Minutes that begin after the first frame, made of the trades.
fn made(tape: &Tape) -> Candles {
    let mut candles = Candles::new();
    for (at, instrument) in tape.instruments().iter().enumerate() {
        let mut builder = BarBuilder::new(Timeframe::M1, PrintIds::Rising, Timestamp(0));
        let mut keep = |bar: Bar| {
            candles.insert((instrument.native.clone(), bar.open_at), ohlcv(&bar));
        };
        for record in tape.records().iter().filter(|r| r.instrument == at) {
            if let MarketEvent::Print(print) = &record.event {
                builder.on_print(print, &mut keep);
            }
        }
        builder.open_bar().into_iter().for_each(keep);
    }
    candles
}

/// What the exchange said last of each minute in which something was traded.
fn told(path: &Path, tape: &Tape, read: fn(&Value, &dyn Find) -> Option<Candle>) -> Candles {
    let find = |native: &str| tape.instruments().iter().find(|i| i.native == native).cloned();
    let lines = BufReader::new(GzDecoder::new(File::open(path).unwrap())).lines();
    let said = lines.filter_map(|line| {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let frame: Value = serde_json::from_str(line["data"].as_str()?).ok()?;
        read(&frame, &find)
    });
    said.filter(|(_, candle)| candle[4] > 0).collect()
}

type Candle = ((String, Timestamp), [i64; 5]);
trait Find: Fn(&str) -> Option<Instrument> {}
impl<T: Fn(&str) -> Option<Instrument>> Find for T {}

fn number(value: &Value, scale: u8) -> i64 {
    parse_scaled(value.as_str().unwrap(), scale).unwrap()
}

fn numbers(of: &Instrument, ohlcv: [&Value; 5]) -> [i64; 5] {
    let [o, h, l, c, v] = ohlcv;
    let [o, h, l, c] = [o, h, l, c].map(|price| number(price, of.price_scale));
    [o, h, l, c, number(v, of.quantity_scale)]
}

/// `candles`: start in seconds, open, close, high, low, volume, turnover.
fn kucoin(frame: &Value, find: &dyn Find) -> Option<Candle> {
    let c = frame["data"]["candles"].as_array()?;
    let of = find(frame["data"]["symbol"].as_str()?)?;
    let at = Timestamp(0) + Span::from_secs(number(&c[0], 0));
    Some(((of.native.clone(), at), numbers(&of, [&c[1], &c[3], &c[4], &c[2], &c[5]])))
}

fn binance(frame: &Value, find: &dyn Find) -> Option<Candle> {
    let k = &frame.get("data").unwrap_or(frame)["k"];
    let of = find(k["s"].as_str()?)?;
    let at = Timestamp(0) + Span::from_millis(k["t"].as_i64()?);
    Some(((of.native.clone(), at), numbers(&of, [&k["o"], &k["h"], &k["l"], &k["c"], &k["v"]])))
}

/// KuCoin's session begins before the first trade of each minute that it tells of.
#[test]
fn candles_of_recorded_trades_are_the_exchanges_own() {
    let Some(path) = common::shared("data/kucoin_spot_5pairs_20210425.session.jsonl.gz") else {
        return;
    };
    let tape = Tape::open(std::slice::from_ref(&path)).unwrap();
    let told = told(&path, &tape, kucoin);
    assert_eq!(told.len(), 3, "{told:?}");
    let made = made(&tape);
    for (key, candle) in &told {
        assert_eq!(made.get(key), Some(candle), "{key:?}");
    }
}

/// Binance's session begins inside a minute: the one market whose first trade of it is recorded.
#[test]
fn a_minute_of_one_trade_is_the_exchanges_own() {
    let Some(path) = common::shared("data/binance_spot_4alts_20211012.session.jsonl.gz") else {
        return;
    };
    let tape = Tape::open(std::slice::from_ref(&path)).unwrap();
    let (told, made) = (told(&path, &tape, binance), made(&tape));
    let same = told.iter().filter(|(key, candle)| made.get(key) == Some(*candle)).count();
    assert_eq!((told.len(), same), (2, 1), "{told:?} {made:?}");
}
