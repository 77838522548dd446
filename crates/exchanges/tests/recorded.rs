//! Recorded and documented payloads decode. They live beside the project, not in it; where they are
//! not, the tests say that they were skipped.
#![allow(clippy::unwrap_used)] // a test may panic, in its own functions too

use domain::{Instrument, Side};
use exchanges::binance_book::{DepthSync, Diff, Snapshot, Step};
use exchanges::codec::{binance, kucoin, kucoin_classic, luno};
use exchanges::kucoin_book::{RangeSync, Step as RangeStep};
use exchanges::luno_book::OrderBook;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("AMARKTAI_SHARED").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    // A worktree lies one level deeper.
    let deeper = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared");
    let found = [root, Some(beside), Some(deeper)].into_iter().flatten().map(|r| r.join(path));
    let found = found.into_iter().find(|p| p.exists());
    if found.is_none() {
        println!("SKIPPED: {path} is not here; set AMARKTAI_SHARED to check it");
    }
    found
}

fn fixture(name: &str) -> Option<Vec<u8>> {
    Some(fs::read(shared(&format!("exchanges/fixtures/{name}.json"))?).unwrap())
}

fn value(name: &str) -> Option<Value> {
    fixture(name).map(|b| serde_json::from_slice(&b).unwrap())
}

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// An instrument with eight places, for payloads of any symbol.
fn wide(native: &str) -> Instrument {
    let body = serde_json::json!({"symbols": [{
        "symbol": native, "status": "TRADING", "baseAsset": "A", "quoteAsset": "B",
        "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.00000001"},
                    {"filterType": "LOT_SIZE", "stepSize": "0.00000001", "minQty": "0.00000001"}]}]});
    binance::decode_exchange_info(&text(&body)).unwrap().instruments.remove(0)
}

#[test]
fn binance_documented_payloads_decode() {
    let Some(trade) = fixture("binance_ws_trade") else { return };
    let of = wide("BNBBTC");
    let binance::StreamEvent::Trade(t) = binance::decode_stream(&trade).unwrap() else { panic!() };
    let print = t.print(&of).unwrap();
    assert_eq!((print.id, print.taker_side, print.price.0), (12_345, Side::Sell, 100_000));

    let body = fixture("binance_nautilus_rec_ws_trade_combined").unwrap();
    let binance::StreamEvent::Trade(t) = binance::decode_stream(&body).unwrap() else { panic!() };
    assert_eq!((t.symbol.as_ref(), t.id), ("ETHUSDT", 705_291_099));

    let body = fixture("binance_ws_aggtrade").unwrap();
    let binance::StreamEvent::AggTrade(t) = binance::decode_stream(&body).unwrap() else {
        panic!()
    };
    assert_eq!((t.first, t.last, t.print(&of).unwrap().id), (100, 105, 105));

    let body = fixture("binance_ws_bookticker").unwrap();
    let binance::StreamEvent::Touch(t) = binance::decode_stream(&body).unwrap() else { panic!() };
    assert_eq!(t.touch(&of).unwrap().ask.quantity.0, 4_066_000_000);

    let body = fixture("binance_ws_depth_diff").unwrap();
    let binance::StreamEvent::Depth(d) = binance::decode_stream(&body).unwrap() else { panic!() };
    assert_eq!((d.first, d.update(&of).unwrap().update_id), (157, 160));

    let body = fixture("binance_ws_kline").unwrap();
    assert_eq!(binance::decode_stream(&body), Ok(binance::StreamEvent::Other("kline".into())));
}

#[test]
fn binance_control_frames_decode() {
    let Some(frames) = value("binance_ws_control_frames") else { return };
    for (name, id) in [("subscribe", 1), ("unsubscribe", 312), ("list", 3), ("set_property", 5)] {
        let body = text(&frames[name]["response"]);
        let event = binance::decode_stream(&body).unwrap();
        assert_eq!(event, binance::StreamEvent::Ack { id: Some(id) }, "{name}");
    }
    for error in frames["errors"].as_array().unwrap() {
        let body = text(error);
        let event = binance::decode_stream(&body).unwrap();
        assert!(matches!(event, binance::StreamEvent::Refused { code: 2 | 3, .. }), "{event:?}");
    }
    let wanted = &frames["subscribe"]["request"];
    let streams = ["btcusdt@aggTrade".to_owned(), "btcusdt@depth".to_owned()];
    let sent: Value = serde_json::from_str(&binance::control("SUBSCRIBE", &streams, 1)).unwrap();
    assert_eq!(&sent, wanted);
}

#[test]
fn binance_rest_payloads_decode() {
    let Some(body) = fixture("binance_rest_depth") else { return };
    let of = wide("LTCBTC");
    assert_eq!(binance::decode_depth(&body, &of).unwrap().update_id, 1_027_024);
    let body = fixture("binance_nautilus_rec_depth").unwrap();
    assert_eq!(binance::decode_depth(&body, &of).unwrap().asks.len(), 10);
    let body = fixture("binance_rest_trades").unwrap();
    assert_eq!(binance::decode_trades(&body, &of).unwrap()[0].id, 28_457);
    let body = fixture("binance_nautilus_rec_trades").unwrap();
    let prints = binance::decode_trades(&body, &of).unwrap();
    assert!(prints.windows(2).all(|w| w[1].id == w[0].id + 1) && prints[0].backfilled);
    let body = fixture("binance_rest_time").unwrap();
    assert_eq!(binance::decode_time(&body), Ok(1_499_827_319_559));
    let body = fixture("binance_rest_klines").unwrap();
    let bars = binance::decode_klines(&body, &of).unwrap();
    assert_eq!((bars[0].close.0, bars[0].high.0, bars[0].prints), (1_577_100, 80_000_000, 308));
    assert_eq!(
        binance::decode_error(br#"{"code":-1121,"msg":"Invalid symbol."}"#).unwrap().0,
        -1121
    );
}

#[test]
fn binance_instruments_decode_with_old_and_all_filters() {
    let Some(body) = fixture("binance_nautilus_rec_exchange_info") else { return };
    let list = binance::decode_exchange_info(&body).unwrap();
    assert_eq!((list.instruments.len(), list.refused.len()), (2, 0));
    let btc = &list.instruments[0];
    assert_eq!(btc.price_amount(btc.tick_size).to_string(), "0.01");
    assert_eq!(btc.min_notional.to_string(), "10");
    assert_eq!(btc.quantity_amount(btc.max_market_quantity.unwrap()).to_string(), "112.2110882");
    assert_eq!(btc.max_open_orders, Some(200));
    let mut info: Value = serde_json::from_slice(&body).unwrap();
    info["symbols"][0]["filters"] = value("binance_filters_all").unwrap();
    info["symbols"][0]["status"] = "SOMETHING_NEW".into();
    info["symbols"][1]["filters"] = Value::Array(vec![]);
    let list = binance::decode_exchange_info(&text(&info)).unwrap();
    assert_eq!((list.instruments.len(), list.refused.len()), (1, 1));
    let all = &list.instruments[0];
    assert_eq!(all.min_notional.to_string(), "10");
    assert_eq!(all.max_notional.unwrap().to_string(), "10000");
    assert_eq!(all.status, domain::InstrumentStatus::Halted);
    assert!(all.percent_band.is_some());
}

#[test]
fn kucoin_payloads_decode() {
    let Some(body) = fixture("kucoin_rest_symbols") else { return };
    let list = kucoin::decode_symbols(&body).unwrap();
    let of = list.instruments[0].clone();
    assert_eq!(
        (of.symbol.to_string(), of.min_notional.to_string()),
        ("BTC/USDT".into(), "0.1".into())
    );
    assert_eq!(of.fees.taker.to_percent().to_string(), "0.1");
    assert!(!of.fees.in_received);
    assert_eq!(of.percent_band.unwrap().bid_up.to_percent().to_string(), "110");
    let body = fixture("kucoin_rest_timestamp").unwrap();
    assert_eq!(kucoin::decode_time(&body), Ok(1_729_100_692_873));
    let body = fixture("kucoin_rest_histories").unwrap();
    assert_eq!(kucoin::decode_histories(&body, &of).unwrap()[2].id, 10_976_028_003_549_191);
    let body = fixture("kucoin_ccxt_rec_trades").unwrap();
    assert_eq!(kucoin::decode_histories(&body, &of).unwrap()[0].taker_side, Side::Sell);
    for name in ["kucoin_rest_candles", "kucoin_ccxt_rec_ohlcv_1h"] {
        let bars = kucoin::decode_candles(&fixture(name).unwrap(), &of).unwrap();
        assert!(bars.windows(2).all(|w| w[0].open_at < w[1].open_at));
        assert!(bars.iter().all(|b| b.low <= b.open.min(b.close) && b.high >= b.open.max(b.close)));
    }
    for error in value("kucoin_errors_rest").unwrap().as_array().unwrap() {
        assert!(kucoin::decode_error(&text(&error["body"])).is_some(), "{error}");
    }
    assert_eq!(kucoin::decode_error(&fixture("kucoin_rest_timestamp").unwrap()), None);
}

#[test]
fn kucoin_stream_payloads_decode() {
    let Some(docs) = value("kucoin_uta_docs_obu_spot") else { return };
    let of = wide("BTC-USDT");
    let frame = text(&docs["frames"][0]);
    let kucoin::StreamEvent::Snapshot(s) = kucoin::decode_stream(&frame).unwrap() else { panic!() };
    assert_eq!(s.update(&of, true).unwrap().asks.len(), 1);
    let frame = text(&docs["frames"][1]);
    let kucoin::StreamEvent::Delta(d) = kucoin::decode_stream(&frame).unwrap() else { panic!() };
    assert_eq!(d.range(), Ok((33_629_695_388, 33_629_695_393)));
    assert_eq!(d.update(&of, false).unwrap().bids[0].quantity.0, 0);
    let body = fixture("kucoin_uta_obu_spot_snapshot_depth50").unwrap();
    assert!(matches!(kucoin::decode_stream(&body), Ok(kucoin::StreamEvent::Snapshot(_))));
    let both = [
        value("kucoin_uta_docs_public_spot").unwrap()["frames"].take(),
        value("kucoin_uta_trade_kline_ticker_spot").unwrap(),
    ];
    let mut trades = 0;
    for frame in both.iter().flat_map(|f| f.as_array().unwrap()) {
        let frame = text(frame);
        if let kucoin::StreamEvent::Trade(t) = kucoin::decode_stream(&frame).unwrap() {
            t.print(&of).unwrap();
            trades += 1;
        }
    }
    assert_eq!(trades, 2);
    let session = value("kucoin_uta_session").unwrap();
    let decode = |v: &Value| format!("{:?}", kucoin::decode_stream(&text(v)).unwrap());
    assert!(decode(&session["welcome"]).contains("18000"));
    assert_eq!(decode(&session["ack"]), r#"Ack { id: "p1" }"#);
    assert_eq!(decode(&session["pong"]), "Pong");
    for nack in session["nack"].as_array().unwrap() {
        assert!(decode(nack).starts_with("Refused"));
    }
    let sent: Value =
        serde_json::from_str(&kucoin::control("SUBSCRIBE", "obu", "BTC-USDT", "p1")).unwrap();
    assert_eq!(sent, session["subscribe_spot"]);
}

#[test]
fn kucoin_classic_payloads_decode() {
    let Some(body) = fixture("kucoin_book_calibration_docs_multi") else { return };
    let of = wide("BTC-USDT");
    let kucoin_classic::ClassicEvent::Level2(l) = kucoin_classic::decode(&body).unwrap() else {
        panic!()
    };
    let (first, last) = l.range().unwrap();
    let mut sync = RangeSync::default();
    sync.snapshot(first - 1);
    assert_eq!((sync.delta(first, last), l.update(&of).unwrap().asks.len()), (RangeStep::Apply, 2));
    let body = fixture("kucoin_ws_orderbookIncrement").unwrap();
    assert!(matches!(kucoin_classic::decode(&body), Ok(kucoin_classic::ClassicEvent::Level2(_))));
    let body = fixture("kucoin_ws_trade").unwrap();
    let kucoin_classic::ClassicEvent::Match(m) = kucoin_classic::decode(&body).unwrap() else {
        panic!()
    };
    assert_eq!(m.print(&of).unwrap().id, 11_067_996_711_960_577);
    for name in ["ticker", "orderbookLevel5", "orderbookLevel50"] {
        let body = fixture(&format!("kucoin_ws_{name}")).unwrap();
        assert!(matches!(
            kucoin_classic::decode(&body),
            Ok(kucoin_classic::ClassicEvent::Other(_))
        ));
    }
    let body = fixture("kucoin_rest_level2_part").unwrap();
    assert_eq!(kucoin_classic::decode_snapshot(&body, &of).unwrap().update_id, 14_610_502_970);
    let session = value("kucoin_ws_session_classic").unwrap();
    for name in ["welcome", "ack", "pong_docs", "pong_wire_2026"] {
        kucoin_classic::decode(&text(&session[name])).unwrap();
    }
}

#[test]
fn luno_payloads_decode() {
    let Some(body) = fixture("luno_markets_rest_rec_2026") else { return };
    let of = luno::decode_markets(&body).unwrap().instruments.remove(0);
    assert_eq!((of.symbol.to_string(), of.native.as_str()), ("BTC/USDT".into(), "XBTUSDT"));
    assert_eq!(of.price_amount(of.tick_size).to_string(), "0.0001");
    let quoted = luno::decode_markets(&fixture("luno_ccxt_markets_info_strings").unwrap()).unwrap();
    assert_eq!((quoted.instruments.len(), quoted.refused.len()), (2, 0));
    let body = fixture("luno_ccxt_rec_ticker").unwrap();
    assert_eq!(luno::decode_ticker(&body).unwrap().pair, "XBTUSDT");
    let body = fixture("luno_ccxt_rec_trades").unwrap();
    let print = luno::decode_trades(&body, &of).unwrap()[0];
    assert_eq!((print.id, print.taker_side), (26_963, Side::Buy));
    for case in value("luno_rest_errors_rec_2026").unwrap().as_array().unwrap() {
        if case["body"]["error_code"].is_string() {
            assert_eq!(luno::decode_error(&text(&case["body"])).unwrap().0, "ErrMarketUnavailable");
        }
    }
    for case in value("luno_ws_errors_rec_2026").unwrap().as_array().unwrap() {
        let body = text(case);
        assert!(matches!(luno::decode_stream(&body), Ok(luno::StreamEvent::Error { .. })));
    }
    let docs = value("luno_ws_docs_samples").unwrap();
    let sent: Value =
        serde_json::from_str(&luno::credentials("abcdef", "api_key_secret_goes_here")).unwrap();
    assert_eq!(sent, docs["credentials"]);
    let keepalive = text(&docs["keepalive"]);
    assert_eq!(luno::decode_stream(&keepalive), Ok(luno::StreamEvent::KeepAlive));
    let empty = text(&docs["empty_update"]);
    assert!(matches!(luno::decode_stream(&empty), Ok(luno::StreamEvent::Update(_))));
}

#[test]
fn luno_recorded_snapshot_and_updates_make_a_book() {
    let Some(body) = fixture("luno_ws_snapshot_rec_2026") else { return };
    let of = wide("ETHUSDT");
    let luno::StreamEvent::Snapshot(s) = luno::decode_stream(&body).unwrap() else { panic!() };
    let mut book = OrderBook::default();
    let update = book.snapshot(&s, &of).unwrap();
    assert_eq!((update.bids.len(), update.asks.len()), (3, 2));
    for update in value("luno_ws_updates_rec_2026").unwrap().as_array().unwrap() {
        let body = text(update);
        let luno::StreamEvent::Update(u) = luno::decode_stream(&body).unwrap() else { panic!() };
        assert!(book.update(&u, &of).unwrap().is_some());
    }
    assert_eq!(book.quantity_of("BXFE5AZB7UUXWPT"), None);
    assert_eq!(book.quantity_of("BXJHJ5MXAAQNYCQ").unwrap().0, 392_503_800);
}

#[test]
fn luno_reference_cases_hold() {
    let Some(all) = value("luno_go_book_cases") else { return };
    let of = wide("XBTZAR");
    let start = &all["book_id_price_volume"];
    let side = |name: &str| {
        let rows = start[name].as_array().unwrap().iter();
        rows.map(|r| serde_json::json!({"id": r[0], "price": r[1], "volume": r[2]}))
            .collect::<Vec<_>>()
    };
    let snapshot = serde_json::json!({"sequence": "1", "status": "ACTIVE", "timestamp": 1_790_127_197_639i64,
        "bids": side("bids"), "asks": side("asks")});
    for case in all["cases"].as_array().unwrap() {
        let body = text(&snapshot);
        let luno::StreamEvent::Snapshot(s) = luno::decode_stream(&body).unwrap() else { panic!() };
        let mut book = OrderBook::default();
        book.snapshot(&s, &of).unwrap();
        let from = &case["update"];
        let mut frame =
            serde_json::json!({"sequence": from["sequence"], "timestamp": 1_790_127_201_650i64});
        if let Some(trades) = from["trades"].as_array() {
            let row = |t: &Value| serde_json::json!({"sequence": 1, "base": t["base"], "counter": "1", "maker_order_id": t["maker"]});
            frame["trade_updates"] = trades.iter().map(row).collect();
        }
        if from["create"].is_object() {
            frame["create_update"] = from["create"].clone();
            frame["create_update"]["order_id"] = from["create"]["id"].clone();
        }
        let body = text(&frame);
        let luno::StreamEvent::Update(u) = luno::decode_stream(&body).unwrap() else { panic!() };
        let result = book.update(&u, &of);
        match case["name"].as_str().unwrap() {
            "old sequence ignored" => assert_eq!(result, Ok(None)),
            "gap is an error" => assert!(result.is_err()),
            "two trades on one maker" => assert_eq!(book.quantity_of("1").unwrap().0, 7_000_000),
            "create ask" => assert_eq!(book.quantity_of("8").unwrap().0, 1_000_000),
            other => panic!("unknown case {other}"),
        }
    }
}

/// A recording's lines as JSON.
fn session(name: &str) -> Option<Vec<Value>> {
    let file = fs::File::open(shared(&format!("data/{name}"))?).unwrap();
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    Some(lines.map(|l| serde_json::from_str(&l.unwrap()).unwrap()).collect())
}

#[test]
fn binance_session_decodes_and_every_book_continues_its_snapshot() {
    let Some(lines) = session("binance_spot_4alts_20211012.session.jsonl.gz") else { return };
    let mut instruments = BTreeMap::new();
    let mut books: BTreeMap<String, DepthSync> = BTreeMap::new();
    let (mut applied, mut gaps, mut waiting) = (0, 0, Vec::new());
    for line in &lines {
        let Some(data) = line["data"].as_str() else { continue };
        let url = line["url"].as_str().unwrap_or_default();
        if url.contains("exchangeInfo") {
            let list = binance::decode_exchange_info(data.as_bytes()).unwrap();
            assert!(list.refused.is_empty(), "{:?}", list.refused.first());
            instruments = list.instruments.into_iter().map(|i| (i.native.clone(), i)).collect();
        } else if let Some((_, rest)) = url.split_once("depth?symbol=") {
            let native = rest.split('&').next().unwrap();
            waiting.push((
                native.to_owned(),
                binance::decode_depth(data.as_bytes(), &instruments[native]).unwrap(),
            ));
        } else if line["t"] == "recv" {
            match binance::decode_stream(data.as_bytes()).unwrap() {
                binance::StreamEvent::Depth(d) => {
                    let of = &instruments[d.symbol.as_ref()];
                    let update = d.update(of).unwrap();
                    let sync = books.entry(of.native.clone()).or_default();
                    match sync.diff(Diff { first: d.first, update }) {
                        Step::Apply(_) => applied += 1,
                        Step::Gap => gaps += 1,
                        _ => {}
                    }
                    if let Some(i) = waiting.iter().position(|(n, _)| *n == of.native) {
                        let (_, snapshot) = waiting.remove(i);
                        if let Snapshot::Ready(updates) = sync.snapshot(snapshot) {
                            applied += updates.len();
                        }
                    }
                }
                binance::StreamEvent::Touch(t) => {
                    let touch = t.touch(&instruments[t.symbol.as_ref()]).unwrap();
                    assert!(touch.bid.price < touch.ask.price);
                }
                binance::StreamEvent::AggTrade(t) => {
                    t.print(&instruments[t.symbol.as_deref().unwrap()]).unwrap();
                }
                _ => {}
            }
        }
    }
    assert_eq!(gaps, 0);
    assert!(applied > 100, "{applied}");
}

#[test]
fn kucoin_session_decodes_and_every_book_continues_its_snapshot() {
    let Some(lines) = session("kucoin_spot_5pairs_20210425.session.jsonl.gz") else { return };
    let mut instruments = BTreeMap::new();
    let mut books: BTreeMap<String, RangeSync> = BTreeMap::new();
    let (mut steps, mut prints) = ([0, 0, 0], 0);
    for line in &lines {
        let Some(data) = line["data"].as_str() else { continue };
        let url = line["url"].as_str().unwrap_or_default();
        if url.ends_with("/symbols") {
            let list = kucoin::decode_symbols(data.as_bytes()).unwrap();
            assert!(list.refused.is_empty(), "{:?}", list.refused.first());
            instruments = list.instruments.into_iter().map(|i| (i.native.clone(), i)).collect();
        } else if let Some((_, native)) = url.split_once("level2?symbol=") {
            let book =
                kucoin_classic::decode_snapshot(data.as_bytes(), &instruments[native]).unwrap();
            books.entry(native.to_owned()).or_default().snapshot(book.update_id);
        } else if line["t"] == "recv" {
            match kucoin_classic::decode(data.as_bytes()).unwrap() {
                kucoin_classic::ClassicEvent::Level2(l) => {
                    l.update(&instruments[l.symbol.as_ref()]).unwrap();
                    let (first, last) = l.range().unwrap();
                    if let Some(book) = books.get_mut(l.symbol.as_ref()).filter(|b| b.is_synced()) {
                        steps[book.delta(first, last) as usize] += 1;
                    }
                }
                kucoin_classic::ClassicEvent::Match(m) => {
                    m.print(&instruments[m.symbol.as_ref()]).unwrap();
                    prints += 1;
                }
                _ => {}
            }
        }
    }
    println!("applied, ignored, gaps: {steps:?}; prints: {prints}");
    assert!(steps[0] > 1_000 && steps[2] == 0, "{steps:?}");
    assert!(prints > 0);
}

#[test]
fn binance_tape_of_650_seconds_has_no_gap_and_rising_trades() {
    let names = ["binance_spot_btcusdt_20240808.raw.gz", "binance_spot_btcusdt_20240809.raw.gz"];
    let of = wide("BTCUSDT");
    let (mut sync, mut last_trade, mut counts) = (DepthSync::default(), None, [0; 4]);
    for name in names {
        let Some(path) = shared(&format!("data/{name}")) else { return };
        for line in BufReader::new(GzDecoder::new(fs::File::open(path).unwrap())).lines() {
            let line = line.unwrap();
            let (_, json) = line.split_once(' ').unwrap();
            if json.starts_with("{\"lastUpdateId\"") {
                let book = binance::decode_depth(json.as_bytes(), &of).unwrap();
                assert!(matches!(sync.snapshot(book), Snapshot::Ready(_)));
                continue;
            }
            match binance::decode_stream(json.as_bytes()).unwrap() {
                binance::StreamEvent::Depth(d) => {
                    counts[0] += 1;
                    let update = d.update(&of).unwrap();
                    assert_ne!(sync.diff(Diff { first: d.first, update }), Step::Gap);
                }
                binance::StreamEvent::Touch(t) => {
                    counts[1] += 1;
                    t.touch(&of).unwrap();
                }
                binance::StreamEvent::Trade(t) => {
                    counts[2] += 1;
                    let id = t.print(&of).unwrap().id;
                    assert!(last_trade.is_none_or(|l| id == l + 1));
                    last_trade = Some(id);
                }
                _ => counts[3] += 1,
            }
        }
    }
    assert_eq!(counts, [6_495, 73_174, 19_904, 0]);
}
