//! Other people's files: good, truncated, unsorted, doubled and absurd ones.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

mod common;
use arrow_array::{ArrayRef, Float64Array, RecordBatch, TimestampMillisecondArray};
use backtest::Source;
use backtest::export::{self, Format, Rows};
use backtest::import::{ImportError, Order, Place, Written, copy, import, is_recording};
use backtest::info::info;
use backtest::tape::{open, read_bars};
use common::*;
use domain::{DataGrade, Exchange, MarketEvent, Side, Timeframe, Timestamp};
use flate2::{Compression, write::GzEncoder};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Desk {
    dir: tempfile::TempDir,
    order: Order,
}

impl Desk {
    fn new() -> Self {
        let order = Order {
            exchange: Exchange::Binance,
            symbol: "BTC/USDT".parse().unwrap(),
            timeframe: None,
            latest: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
            replaces: false,
        };
        Self { dir: tempfile::tempdir().unwrap(), order }
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn place(&self) -> Place {
        Place { root: self.dir.path().join("tapes") }
    }

    fn take(&self, files: &[PathBuf]) -> Result<Written, ImportError> {
        import(files, &self.order, &self.place())
    }

    fn good(&self, name: &str, text: impl AsRef<[u8]>) -> Written {
        self.take(&[self.file(name, text)]).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Refused, and nothing of it is left.
    fn refused(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let said = self.take(&[self.file(name, text)]).expect_err(name).to_string();
        assert_eq!(left(&self.place().root), Vec::<PathBuf>::new(), "{name}: {said}");
        said
    }
}

fn left(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let below = entries.map(|e| e.unwrap().path());
    below.flat_map(|p| if p.is_dir() { left(&p) } else { vec![p] }).collect()
}

fn gz(text: &str) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap()
}

fn zipped(members: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const START_MS: i64 = 1_609_459_200_000; // 2021-01-01

fn candle(minute: i64) -> String {
    let price = 29_000 + minute % 50;
    format!(
        "{},{price}.5,{}.25,{}.75,{price},{}.125\n",
        START_MS + minute * 60_000,
        price + 2,
        price - 3,
        minute % 9
    )
}

fn candles(minutes: impl IntoIterator<Item = i64>) -> String {
    minutes.into_iter().map(candle).collect()
}

fn trade(id: i64) -> String {
    let price = 29_000 + id % 7;
    format!(
        "{id},{price}.50000000,0.00{}00000,12.3,{},{},True\n",
        id % 9 + 1,
        START_MS + id * 250,
        if id % 2 == 0 { "True" } else { "False" }
    )
}

#[test]
fn plain_candles_are_read_with_and_without_header_and_packed() {
    let rows = candles(0..120);
    let with_header = format!("ts_ms,open,high,low,close,volume\n{rows}");
    for (name, bytes) in [
        ("a.csv", rows.clone().into_bytes()),
        ("b.csv", with_header.clone().into_bytes()),
        ("c.csv.gz", gz(&with_header)),
        ("d.zip", zipped(&[("d.csv", &rows)])),
        ("e.csv", format!("\u{feff}{}", rows.replace('\n', "\r\n")).into_bytes()),
    ] {
        let written = Desk::new();
        let done = written.good(name, bytes);
        assert_eq!((done.rows, done.gaps.len(), done.notes.len()), (120, 0, 0), "{name}");
        let file = read_bars(&done.path).unwrap();
        assert_eq!((file.timeframe, file.bars.len()), (Timeframe::M1, 120));
        let of = &file.instrument;
        assert_eq!(of.price_amount(file.bars[1].low).to_string(), "28998.75");
        assert_eq!(of.quantity_amount(file.bars[3].volume).to_string(), "3.125");
        assert_eq!(file.bars[1].open_at.as_millis(), START_MS + 60_000);
    }
}

#[test]
fn named_columns_may_stand_in_any_order() {
    let text = "close,volume,date,open,high,low\n10,1,2021-01-01 00:00:00+00:00,9,11,8\n\
                        11,0,2021-01-01 00:01:00+00:00,10,12,9\n";
    let done = Desk::new().good("a.csv", text);
    assert_eq!(done.rows, 2);
}

#[test]
fn binance_klines_are_read_in_milliseconds_and_microseconds() {
    let row = |unit: i64, n: i64| {
        let (at, end) =
            ((START_MS + n * 300_000) * unit, (START_MS + n * 300_000 + 299_999) * unit);
        format!("{at},29000.1,29010.2,28990.3,29001.4,12.5,{end},362500,{},6,174000,0\n", 40 + n)
    };
    let header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,\
                  taker_buy_volume,taker_buy_quote_volume,ignore\n";
    for (name, unit) in [("ms.csv", 1), ("us.csv", 1_000)] {
        let rows: String = (0..10).map(|n| row(unit, n)).collect();
        let desk = Desk::new();
        let done = desk.good(name, format!("{header}{rows}"));
        let file = read_bars(&done.path).unwrap();
        assert_eq!((file.timeframe, file.bars.len()), (Timeframe::M5, 10));
        assert_eq!(file.bars[3].prints, 43);
        assert_eq!(file.bars[3].open_at.as_millis(), START_MS + 900_000);
    }
}

#[test]
fn binance_trades_and_aggregated_trades_are_read_with_their_side() {
    let trades: String = (0..50).map(trade).collect();
    let header = "id,price,qty,quoteQty,time,isBuyerMaker,isBestMatch\n";
    let aggregated: String = (0..50)
        .map(|n| format!("{n},29000.5,0.25,{n},{n},{},true,true\n", (START_MS + n) * 1_000))
        .collect();
    let futures: String =
        (0..50).map(|n| format!("{n},29000.5,0.25,7252,{},false\n", START_MS + n)).collect();
    for (name, text, first) in [
        ("a.csv", trades.clone(), Side::Sell),
        ("b.csv", format!("{header}{trades}"), Side::Sell),
        ("c.csv", aggregated, Side::Sell),
        ("d.csv", futures, Side::Buy),
    ] {
        let done = Desk::new();
        let done = (done.good(name, text), done);
        let mut tape = open(&done.0.path).unwrap();
        let feed = tape.next().unwrap().unwrap();
        assert!(matches!(feed.event, MarketEvent::Feed { .. }), "{name}");
        let MarketEvent::Print(print) = tape.next().unwrap().unwrap().event else { panic!() };
        assert_eq!((print.id, print.taker_side), (0, first), "{name}");
        assert_eq!(print.at.as_millis(), START_MS, "{name}");
        assert_eq!((done.0.rows, done.0.gaps.len()), (50, 0), "{name}");
        assert_eq!(info(&done.0.path).unwrap().grade, Some(DataGrade::Trades));
    }
}

#[test]
fn missing_trades_are_a_gap_that_is_counted() {
    let desk = Desk::new();
    let done = desk.good("a.csv", (0..10).chain(15..20).map(trade).collect::<String>());
    assert_eq!(done.rows, 15);
    assert_eq!(done.gaps.len(), 1);
    assert_eq!(done.gaps[0].missing, Some(5));
    let seen = info(&done.path).unwrap();
    assert_eq!((seen.prints, seen.gap_count), (15, 1));
}

#[test]
fn freqtrade_json_is_read_and_missing_candles_are_gaps() {
    let rows: Vec<String> = [0, 1, 2, 5]
        .map(|n| {
            format!(
                "[{}, 0.00001234, 1.3e-05, 0.000012, 0.00001290, 10.300000000000001]",
                START_MS + n * 300_000
            )
        })
        .to_vec();
    let desk = Desk::new();
    let done = desk.good("BTC_USDT-5m.json", format!("[{}]", rows.join(",")));
    assert_eq!((done.rows, done.gaps.len()), (4, 1));
    assert_eq!(done.gaps[0].missing, Some(2));
    let file = read_bars(&done.path).unwrap();
    assert_eq!(file.instrument.price_amount(file.bars[0].high).to_string(), "0.000013");
    assert_eq!(file.instrument.quantity_amount(file.bars[0].volume).to_string(), "10.3");
    let cut = Desk::new().refused("cut.json", format!("[{}", rows.join(",")));
    assert!(cut.contains("cut.json:1"), "{cut}");
    let absurd = Desk::new().refused("a.json", format!("[[{START_MS},1,2,3,1,1]]"));
    assert!(absurd.contains("low 3 is above high 2"), "{absurd}");
}

fn feather(path: &Path, minutes: &[i64], low: f64) {
    let floats = |value: f64| Arc::new(Float64Array::from(vec![value; minutes.len()])) as ArrayRef;
    let date: Vec<i64> = minutes.iter().map(|n| START_MS + n * 60_000).collect();
    let date = Arc::new(TimestampMillisecondArray::from(date).with_timezone("UTC")) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("date", date),
        ("open", floats(0.1)),
        ("high", floats(0.3)),
        ("low", floats(low)),
        ("close", floats(0.2)),
        ("volume", floats(7.5)),
    ])
    .unwrap();
    let options = arrow_ipc::writer::IpcWriteOptions::default()
        .try_with_compression(Some(arrow_ipc::CompressionType::LZ4_FRAME))
        .unwrap();
    let file = File::create(path).unwrap();
    let schema = batch.schema();
    let mut out =
        arrow_ipc::writer::FileWriter::try_new_with_options(file, &schema, options).unwrap();
    out.write(&batch).unwrap();
    out.finish().unwrap();
}

#[test]
fn freqtrade_feather_is_read_truncated_and_absurd_ones_are_refused() {
    let desk = Desk::new();
    let path = desk.dir.path().join("BTC_USDT-1m.feather");
    feather(&path, &[2, 0, 1, 1], 0.05);
    let done = desk.take(std::slice::from_ref(&path)).unwrap();
    assert_eq!((done.rows, done.notes.len()), (3, 2), "{:?}", done.notes);
    let file = read_bars(&done.path).unwrap();
    assert_eq!(file.instrument.price_amount(file.bars[0].low).to_string(), "0.05");
    let whole = fs::read(&path).unwrap();
    for length in [whole.len() / 2, whole.len() - 3, 20] {
        Desk::new().refused("cut.feather", &whole[..length]);
    }
    feather(&path, &[0], 0.9);
    let absurd = Desk::new().refused("absurd.feather", fs::read(&path).unwrap());
    assert!(absurd.contains("absurd.feather:1: low 0.9"), "{absurd}");
    feather(&path, &[0], f64::NAN);
    assert!(Desk::new().refused("nan.feather", fs::read(&path).unwrap()).contains("NaN"));
}

#[test]
fn truncated_files_are_refused_whole() {
    let rows = candles(0..200);
    let packed = gz(&rows);
    let said = Desk::new().refused("a.csv.gz", &packed[..packed.len() - 9]);
    assert!(said.contains("a.csv.gz") && said.contains("cut off"), "{said}");
    let zip = zipped(&[("a.csv", &rows)]);
    for length in [zip.len() - 5, zip.len() / 2, 30] {
        assert!(Desk::new().refused("a.zip", &zip[..length]).contains("a.zip"));
    }
    let mut damaged = zip.clone();
    damaged[60] ^= 0xff;
    Desk::new().refused("b.zip", damaged);
    let in_a_row = rows.trim_end().rsplit_once(',').unwrap().0;
    let said = Desk::new().refused("c.csv", in_a_row);
    assert!(said.contains("c.csv:200: 5 columns") && said.contains("cut off"), "{said}");
    assert!(Desk::new().refused("d.csv", "").contains("is empty"));
    assert!(Desk::new().refused("e.csv", "ts_ms,open,high,low,close,volume\n").contains("no row"));
    let two = zipped(&[("a.csv", &rows), ("b.csv", &rows)]);
    assert!(Desk::new().refused("f.zip", two).contains("holds 2 files"));
}

#[test]
fn a_last_line_without_end_is_kept_where_it_is_complete_and_said() {
    let rows = candles(0..10);
    let done = Desk::new().good("a.csv", rows.trim_end());
    assert_eq!(done.rows, 10);
    assert!(done.notes[0].contains("a.csv:10: the last line has no line end"), "{:?}", done.notes);
}

#[test]
fn unsorted_candles_are_sorted_and_unsorted_trades_refused() {
    let desk = Desk::new();
    let done = desk.good("a.csv", candles([3, 1, 0, 2]));
    assert_eq!((done.rows, done.gaps.len()), (4, 0));
    assert!(done.notes[0].contains("2 steps back"), "{:?}", done.notes);
    let said = Desk::new().refused("t.csv", [0, 2, 1].map(trade).concat());
    assert!(said.contains("t.csv:3: trade id 1 after 2"), "{said}");
}

#[test]
fn doubles_are_taken_once_and_contradictions_name_both_lines() {
    let desk = Desk::new();
    let done = desk.good("a.csv", candles([0, 1, 1, 2]));
    assert_eq!(done.rows, 3);
    assert!(done.notes[0].contains("1 rows stood there twice"), "{:?}", done.notes);
    let other = candle(1).replace(".5,", ".25,");
    let said = Desk::new().refused("b.csv", format!("{}{other}", candles(0..4)));
    assert!(said.contains("b.csv:5: contradicts") && said.contains("b.csv:2"), "{said}");
    let done = Desk::new().good("t.csv", [0, 1, 1, 2].map(trade).concat());
    assert_eq!((done.rows, done.gaps.len()), (3, 0));
    let other = trade(1).replace("29001.5", "29002.5");
    let said = Desk::new().refused("u.csv", format!("{}{}{other}", trade(0), trade(1)));
    assert!(said.contains("u.csv:3: trade id 1 after 1"), "{said}");
}

#[test]
fn absurd_rows_are_named_by_file_and_line_all_of_them() {
    let good = candle(0);
    let at = START_MS + 60_000;
    for (row, reason) in [
        (format!("{at},0,2,1,1,1\n"), "open is 0"),
        (format!("{at},-1,2,1,1,1\n"), "below zero"),
        (format!("{at},29000,28000,29000,29000,1\n"), "above high"),
        (format!("{at},29000,29010,28990,29011,1\n"), "close 29011 is outside"),
        (format!("{at},29000,29010,28990,29000,-1\n"), "volume -1 is below zero"),
        (format!("{at},nan,29010,28990,29000,1\n"), "open \"nan\""),
        (format!("{at},inf,29010,28990,29000,1\n"), "open \"inf\""),
        (format!("{at},29000,9e30,28990,29000,1\n"), "high \"9e30\""),
        (format!("{at},290000000,290000000,290000000,290000000,1\n"), "another market or unit"),
        ("1609459260,29000,29010,28990,29000,1\n".to_owned(), "neither milliseconds"),
        ("4102444800000,29000,29010,28990,29000,1\n".to_owned(), "in the future"),
        (format!("{at},29000,29010,28990,29000\n"), "5 columns where"),
        (format!("{at},29000,29010,28990,29000,1,9\n"), "7 columns where"),
        ("hello,,,,,\n".to_owned(), "\"hello\" is no time"),
    ] {
        let said = Desk::new().refused("a.csv", format!("{good}{row}"));
        assert!(said.contains("a.csv:2: ") && said.contains(reason), "{row}: {said}");
    }
    let many = format!("{good}{}", "x,,,,,\n".repeat(50));
    let said = Desk::new().refused("b.csv", many);
    assert_eq!(said.matches("b.csv:").count(), 20, "{said}");
    let said = Desk::new().refused("c.csv", "1,2,3\n4,5,6\n");
    assert!(said.contains("c.csv:1: 3 columns") && said.contains("allowed are"), "{said}");
    Desk::new().refused("d.csv", [0xff, 0xfe, 0, 1, 2, 3]);
    Desk::new().refused("e.csv", "1".repeat(100_000));
}

#[test]
fn absurd_trades_are_named() {
    let good = trade(0);
    for (row, reason) in [
        (format!("1,0,1,1,{START_MS},True,True\n"), "price is 0"),
        (format!("1,29000,0,1,{START_MS},True,True\n"), "quantity is 0"),
        (format!("x,29000,1,1,{START_MS},True,True\n"), "no trade id"),
        (format!("1,29000,1,1,{START_MS},maybe,True\n"), "not true or false"),
        (format!("1,29000000,1,1,{START_MS},True,True\n"), "another market"),
    ] {
        let said = Desk::new().refused("a.csv", format!("{good}{row}"));
        assert!(said.contains("a.csv:2: ") && said.contains(reason), "{row}: {said}");
    }
}

#[test]
fn candles_of_another_length_than_asked_for_are_refused() {
    let mut desk = Desk::new();
    desk.order.timeframe = Some(Timeframe::M5);
    assert!(desk.refused("a.csv", candles(0..10)).contains("a.csv:2: "));
    desk.order.timeframe = None;
    assert!(desk.refused("b.csv", candles([0, 7, 14, 21])).contains("--timeframe"));
    desk.order.timeframe = Some(Timeframe::M1);
    assert_eq!(desk.good("b.csv", candles([0, 7, 14, 21])).gaps.len(), 3);
}

#[test]
fn several_files_become_one_tape_in_their_order_in_time() {
    let desk = Desk::new();
    let late = desk.file("late.csv", candles(10..20));
    let early = desk.file("early.csv", candles(0..12));
    let done = desk.take(&[late.clone(), early]).unwrap();
    assert_eq!((done.rows, done.gaps.len()), (20, 0));
    let trades = desk.file("t.csv", trade(0));
    let said = Desk::new().take(&[late, trades]).unwrap_err().to_string();
    assert!(said.contains("two imports"), "{said}");
}

#[test]
fn the_same_time_is_not_told_twice_unless_replaced() {
    let mut desk = Desk::new();
    let first = desk.good("a.csv", candles(0..10));
    let path = desk.file("b.csv", candles(5..15));
    let said = desk.take(std::slice::from_ref(&path)).unwrap_err().to_string();
    assert!(said.contains("--replace"), "{said}");
    assert_eq!(left(&desk.place().root), [first.path]);
    desk.order.replaces = true;
    let second = desk.take(&[path]).unwrap();
    assert_eq!(left(&desk.place().root), [second.path]);
    desk.order.replaces = false;
    // What follows on it is no double.
    desk.good("c.csv", candles(15..20));
    assert_eq!(left(&desk.place().root).len(), 2);
}

#[test]
fn what_is_exported_can_be_imported_again() {
    let desk = Desk::new();
    let rows = candles(0..300);
    let done = desk.good("a.csv", &rows);
    let order = export::Order {
        tape: done.path.clone(),
        symbol: None,
        rows: Rows::Bars(None),
        format: Format::Csv,
    };
    let out = desk.dir.path().join("out.csv");
    assert_eq!(export::export(&order, File::create(&out).unwrap()).unwrap(), 300);
    let again = Desk::new();
    let second = again.take(&[out]).unwrap();
    assert_eq!(read_bars(&second.path).unwrap().bars, read_bars(&done.path).unwrap().bars);
}

#[test]
fn parquet_holds_exact_decimals_and_nanoseconds() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    let desk = Desk::new();
    let done = desk.good("a.csv", candles(0..5));
    let format = Format::Parquet;
    let rows = Rows::Bars(None);
    let order = export::Order { tape: done.path.clone(), symbol: None, rows, format };
    let out = desk.dir.path().join("out.parquet");
    export::export(&order, File::create(&out).unwrap()).unwrap();
    let reader = SerializedFileReader::new(File::open(&out).unwrap()).unwrap();
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 5);
    let bars = read_bars(&done.path).unwrap();
    let scale = i32::from(bars.instrument.price_scale);
    let low = rows[1].get_decimal(3).unwrap();
    assert_eq!(low.scale(), scale);
    let unscaled = i64::from_be_bytes(low.data().try_into().unwrap());
    assert_eq!(unscaled, bars.bars[1].low.0);
    let schema = reader.metadata().file_metadata().schema_descr().column(0);
    assert!(format!("{schema:?}").to_lowercase().contains("nanos"));
}

/// The two formats tell of the same market: candles of its trades are its candles.
#[test]
fn candles_made_of_trades_are_those_that_one_would_count_by_hand() {
    let desk = Desk::new();
    let done = desk.good("t.csv", (0..2_000).map(trade).collect::<String>());
    let order = export::Order {
        tape: done.path,
        symbol: None,
        rows: Rows::Bars(Some(Timeframe::M1)),
        format: Format::Csv,
    };
    let out = desk.dir.path().join("bars.csv");
    let count = export::export(&order, File::create(&out).unwrap()).unwrap();
    // 2,000 trades, four a second: eight whole minutes and a bar that is still open.
    assert_eq!(count, 8);
    let text = fs::read_to_string(&out).unwrap();
    let first = text.lines().nth(1).unwrap();
    // 240 trades: 26 rounds of nine quantities of 0.001 to 0.009, and six more.
    let volume = "1.191";
    assert_eq!(first, format!("{START_MS},29000.5,29006.5,29000.5,29001.5,{volume}"));
}

/// Six real gaps in half a year, as the recording's own description says.
#[test]
fn recorded_candles_have_the_gaps_that_are_known_of_them() {
    for (name, rows, gaps) in [
        ("binance_spot_btcusdt_5m_20201201_20210717.csv.gz", 65_741, 6),
        ("binance_usdm_xrpusdt_5m_20250704_20251231.csv.gz", 51_840, 0),
        ("ftx_or_like_btcperp_1m_202201.csv.gz", 45_031, 0),
    ] {
        let Some(path) = shared(&format!("data/{name}")) else { return };
        let desk = Desk::new();
        let done = desk.take(&[path]).unwrap();
        assert_eq!((done.rows, done.gaps.len()), (rows, gaps), "{name}");
        let seen = info(&done.path).unwrap();
        assert_eq!(
            (seen.rows, seen.gap_count, seen.grade),
            (rows, gaps as u64, Some(DataGrade::Bars))
        );
    }
    // Milliseconds since midnight are no time.
    let Some(path) = shared("data/coinbase_btcusd_1m_trade_20180404.csv.gz") else { return };
    assert!(Desk::new().take(&[path]).unwrap_err().to_string().contains("neither milliseconds"));
}

/// What is recorded is kept, and only recordings are taken for one.
#[test]
fn recordings_of_others_become_tapes_with_every_event() {
    for name in [
        "binance_spot_btcusdt_20240808.raw.gz",
        "binance_spot_4alts_20211012.session.jsonl.gz",
        "kucoin_spot_5pairs_20210425.session.jsonl.gz",
        "bitstamp_btcusd_l3_20150501_first150min.log.gz",
    ] {
        let Some(path) = shared(&format!("data/{name}")) else { return };
        assert!(is_recording(&path).unwrap(), "{name}");
        let mut tape = backtest::raw::Tape::open(std::slice::from_ref(&path)).unwrap();
        let desk = Desk::new();
        let done = copy(&mut tape, name.to_owned(), false, &desk.place()).unwrap();
        let mut back = open(&done.path).unwrap();
        assert_eq!(back.instruments(), tape.instruments(), "{name}");
        for event in tape.records() {
            assert_eq!(back.next().unwrap().as_ref(), Some(event), "{name}");
        }
        assert_eq!(back.next().unwrap(), None);
        let bytes = fs::metadata(&done.path).unwrap().len();
        println!("{name}: {} events in {bytes} bytes", done.rows);
    }
    let desk = Desk::new();
    for text in [candles(0..3), trade(7), "[[1609459200000,1,2,1,1,1]]".to_owned()] {
        assert!(!is_recording(&desk.file("a", text)).unwrap());
    }
}
