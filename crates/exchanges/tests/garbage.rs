//! Whatever a peer sends: decoders answer or refuse, they never panic, and what they let through is
//! a number that can be.
#![allow(clippy::unwrap_used)] // a test may panic, in its own functions too

use domain::Instrument;
use exchanges::codec::{binance, kucoin, kucoin_classic, luno};
use exchanges::luno_book::OrderBook;
use proptest::prelude::*;

fn instrument() -> Instrument {
    let body = r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.01"},{"filterType":"LOT_SIZE","stepSize":"0.001","minQty":"0.001"}]}]}"#;
    binance::decode_exchange_info(body.as_bytes()).unwrap().instruments.remove(0)
}

/// Runs every decoder of the public side, and the conversions behind them.
fn decode_all(bytes: &[u8], of: &Instrument) {
    if let Ok(event) = binance::decode_stream(bytes) {
        match event {
            binance::StreamEvent::Trade(t) => {
                if let Ok(print) = t.print(of) {
                    assert!(print.price.0 > 0 && print.quantity.0 > 0);
                }
            }
            binance::StreamEvent::AggTrade(t) => drop(t.print(of)),
            binance::StreamEvent::Touch(t) => drop(t.touch(of)),
            binance::StreamEvent::Depth(d) => {
                if let Ok(update) = d.update(of) {
                    let all = update.bids.iter().chain(&update.asks);
                    assert!(all.into_iter().all(|l| l.price.0 > 0 && l.quantity.0 >= 0));
                }
            }
            _ => {}
        }
    }
    let _ = binance::decode_depth(bytes, of);
    let _ = binance::decode_trades(bytes, of);
    let _ = binance::decode_agg_trades(bytes);
    let _ = binance::decode_klines(bytes, of);
    let _ = binance::decode_time(bytes);
    let _ = binance::decode_error(bytes);
    let _ = binance::decode_exchange_info(bytes);
    match kucoin::decode_stream(bytes) {
        Ok(kucoin::StreamEvent::Snapshot(o) | kucoin::StreamEvent::Delta(o)) => {
            let _ = (o.range(), o.update(of, true));
        }
        Ok(kucoin::StreamEvent::Trade(t)) => drop(t.print(of)),
        _ => {}
    }
    let _ = kucoin::decode_candles(bytes, of);
    let _ = kucoin::decode_histories(bytes, of);
    let _ = kucoin::decode_symbols(bytes);
    let _ = kucoin::decode_error(bytes);
    let _ = kucoin::decode_time(bytes);
    match kucoin_classic::decode(bytes) {
        Ok(kucoin_classic::ClassicEvent::Level2(l)) => drop((l.range(), l.update(of))),
        Ok(kucoin_classic::ClassicEvent::Match(m)) => drop(m.print(of)),
        _ => {}
    }
    let _ = kucoin_classic::decode_snapshot(bytes, of);
    let mut book = OrderBook::default();
    match luno::decode_stream(bytes) {
        Ok(luno::StreamEvent::Snapshot(s)) => drop(book.snapshot(&s, of)),
        Ok(luno::StreamEvent::Update(u)) => drop(book.update(&u, of)),
        _ => {}
    }
    let _ = luno::decode_markets(bytes);
    let _ = luno::decode_tickers(bytes);
    let _ = luno::decode_book(bytes, of, domain::Timestamp(0));
    let _ = luno::decode_trades(bytes, of);
    let _ = luno::decode_candles(bytes, of);
    let _ = luno::decode_error(bytes);
}

const SAMPLES: [&str; 12] = [
    r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1790000000000,"s":"BTCUSDT","U":157,"u":160,"b":[["0.0024","10"]],"a":[["0.0026","100"]]}}"#,
    r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1790000000000,"s":"BTCUSDT","t":12345,"p":"0.01","q":"100","T":1790000000000,"m":true,"M":true}}"#,
    r#"{"u":400900217,"s":"BTCUSDT","b":"25.3519","B":"31.21","a":"25.36520000","A":"40.66000000"}"#,
    r#"[[1790000000000,"0.01","0.80","0.01","0.01","148976.11",1790000059999,"2434.1",308,"1756.8","28.4","0"]]"#,
    r#"{"T":"obu.SPOT","dp":"increment@10ms","t":"delta","P":1781672136338555550,"d":{"C":33629695393,"M":1781672136333000000,"O":33629695388,"a":[],"b":[["65928.9","0"]],"s":"BTC-USDT"}}"#,
    r#"{"T":"trade.SPOT","P":1768802538491160904,"d":{"E":1,"M":1768802538480000000,"S":"sell","p":"92525.6","q":"0.008","s":"BTC-USDT","ti":"20631804219899904"}}"#,
    r#"{"code":"200000","data":[["1790000000","10411.5","10401.9","10411.5","10396.3","29.11357276","302889.3"]]}"#,
    r#"{"type":"message","topic":"/market/level2:X","subject":"trade.l2update","data":{"changes":{"asks":[["18906","0.00331","14103845"]],"bids":[]},"sequenceEnd":2,"sequenceStart":1,"symbol":"X","time":1663747970273}}"#,
    r#"{"sequence":"74538167","asks":[{"id":"B","price":"2765.00","volume":"3.925"}],"bids":[],"status":"ACTIVE","timestamp":1790127197639}"#,
    r#"{"sequence":"74538170","trade_updates":[{"sequence":4912,"base":"0.1","counter":"276.50","maker_order_id":"B"}],"create_update":{"order_id":"B","type":"ASK","price":"2765.00","volume":"3.9"},"delete_update":{"order_id":"B"},"status_update":null,"timestamp":1790127204000}"#,
    r#"{"markets":[{"market_id":"XBTUSDT","trading_status":"ACTIVE","base_currency":"XBT","counter_currency":"USDT","min_volume":"0.0005","max_volume":"100.00","volume_scale":4,"min_price":"100.00","max_price":"1000000.00","price_scale":4,"fee_scale":8}]}"#,
    r#"{"asks":[{"price":"1","volume":"2"}],"bids":[{"price":"1","volume":"2"}],"timestamp":1790127301388}"#,
];

proptest! {
    #[test]
    fn any_bytes_are_answered_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        decode_all(&bytes, &instrument());
    }

    #[test]
    fn truncated_and_damaged_payloads_are_answered_or_refused(
        which in 0..SAMPLES.len(), cut in 0usize..400, at in 0usize..400, byte: u8,
    ) {
        let of = instrument();
        let mut bytes = SAMPLES[which].as_bytes().to_vec();
        decode_all(&bytes[..cut.min(bytes.len())], &of);
        let at = at % bytes.len();
        bytes[at] = byte;
        decode_all(&bytes, &of);
    }

    #[test]
    fn absurd_numbers_in_any_place_are_answered_or_refused(
        which in 0..SAMPLES.len(),
        skip in 0usize..12,
        number in prop_oneof![
            Just("-1"), Just("NaN"), Just("1e999"), Just("99999999999999999999999999999"),
            Just("0.00000000000000000000001"), Just("-9223372036854775808"), Just("null"), Just("")
        ],
    ) {
        // The skip-th run of digits is replaced.
        let sample = SAMPLES[which];
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let starts: Vec<_> = sample
            .char_indices()
            .filter(|(i, c)| is_number(*c) && !sample[..*i].ends_with(is_number))
            .map(|(i, _)| i)
            .collect();
        let start = starts[skip % starts.len()];
        let rest = sample[start..].trim_start_matches(is_number);
        let damaged = format!("{}{number}{rest}", &sample[..start]);
        decode_all(damaged.as_bytes(), &instrument());
    }
}
