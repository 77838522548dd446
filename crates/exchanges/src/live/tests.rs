//! The decoders on the exchanges' own payloads, and on garbage. Payloads are looked for beside the
//! workspace; where there are none, the tests say so.

use super::http::Ask;
use super::types::{KeyPermissions, LiveEvent, OrderKey, Reaction};
use super::venue::{self, Context, Listed, Meaning, Outgoing, Page};
use super::{ClientIds, binance_stream};
use domain::{
    Amount, Exchange, Instrument, InstrumentId, Liquidity, OrderStatus, Price, Quantity, Side,
    TimeInForce, Timestamp,
};
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;

fn fixture(name: &str) -> Option<Vec<u8>> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let root = std::env::var_os("AMARKTAI_SHARED").map_or(beside, PathBuf::from);
    let found = std::fs::read(root.join("exchanges/fixtures").join(name)).ok();
    if found.is_none() {
        eprintln!("SKIPPED: no recorded payload {name}");
    }
    found
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn instrument(exchange: Exchange, native: &str, symbol: &str) -> Arc<Instrument> {
    let fees = domain::FeeSchedule {
        maker: domain::Rate::ZERO,
        taker: domain::Rate::ZERO,
        in_received: false,
        places: 8,
        source: "test".into(),
    };
    Arc::new(Instrument {
        exchange,
        symbol: symbol.parse().unwrap(),
        native: native.into(),
        status: domain::InstrumentStatus::Trading,
        price_scale: 4,
        quantity_scale: 6,
        tick_size: Price(1),
        lot_size: Quantity(1),
        min_quantity: Quantity(1),
        max_quantity: Quantity(i64::MAX / 4),
        max_market_quantity: None,
        min_price: None,
        max_price: None,
        min_notional: Amount::ZERO,
        max_notional: None,
        percent_band: None,
        max_open_orders: None,
        fees,
    })
}

fn outgoing(exchange: Exchange, native: &str, price: Option<i64>) -> Outgoing {
    Outgoing {
        client_id: "6gCrw2kRUAF9CvJDGP16IP".into(),
        instrument: instrument(exchange, native, "BTC/USDT"),
        side: Side::Sell,
        price: price.map(Price),
        post_only: false,
        time_in_force: TimeInForce::Gtc,
        quantity: Quantity(1_500_000),
        validity_ms: 5_000,
    }
}

fn with<T>(decode: impl FnOnce(Context<'_>) -> T) -> T {
    let mut listed = Listed::default();
    listed.insert(InstrumentId(1), instrument(Exchange::Binance, "ETHUSDT", "ETH/USDT"));
    listed.insert(InstrumentId(2), instrument(Exchange::Luno, "XBTZAR", "BTC/ZAR"));
    decode(Context { listed: &listed, ids: &ClientIds::untagged() })
}

#[test]
fn binances_orders_and_trades_are_read() {
    let exchange = Exchange::Binance;
    if let Some(body) = fixture("binance_rest_order_full.json") {
        let order = outgoing(exchange, "BTCUSDT", None);
        let placed = with(|c| venue::placed(exchange, &body, &order, c)).unwrap();
        assert_eq!((placed.exchange_id.as_str(), placed.fills.len()), ("28", 5));
        assert_eq!(placed.fills[1].fees[0].amount, amount("19.995"));
        assert_eq!(placed.state.unwrap().status, OrderStatus::Filled);
    }
    if let Some(body) = fixture("binance_rest_order_ack.json") {
        let order = outgoing(exchange, "BTCUSDT", None);
        let placed = with(|c| venue::placed(exchange, &body, &order, c)).unwrap();
        assert_eq!(placed.state, None, "an acknowledgement says nothing of the state");
    }
    if let Some(body) = fixture("binance_rest_cancel_order.json") {
        let state = with(|c| venue::cancelled(exchange, &body, c)).unwrap().unwrap();
        assert_eq!((state.client_id.as_str(), state.status), ("myOrder1", OrderStatus::Cancelled));
    }
    if let Some(body) = fixture("binance_rest_open_orders.json") {
        let orders = with(|c| venue::orders(exchange, &body, c)).unwrap();
        assert_eq!((orders.len(), orders[0].limit_price), (1, Some(amount("0.1"))));
    }
    if let Some(body) = fixture("binance_rest_my_trades.json") {
        let page = Page::Since(Timestamp(0));
        let decode = |c: Context<'_>| venue::filled(exchange, &body, "BNBBTC", &page, c);
        let (fills, next) = with(decode).unwrap();
        assert_eq!(fills[0].quote, amount("48.000012"));
        assert_eq!(fills[0].liquidity, Some(Liquidity::Taker));
        assert_eq!(next, Some(Page::After("28458".into(), Timestamp(0))));
    }
    if let Some(body) = fixture("binance_rest_account.json") {
        assert_eq!(venue::balance_list(exchange, &body).unwrap().len(), 2);
    }
    if let Some(body) = fixture("binance_rest_account_commission.json") {
        let rates = venue::rates(exchange, &body, "BTCUSDT").unwrap();
        // Standard, special and tax, each with the worse side.
        assert_eq!(rates.maker.to_string(), "0.0500028");
        assert_eq!(rates.discounted_in.unwrap().as_str(), "BNB");
    }
}

fn events(name: &str, unwrap: &str) -> Option<Vec<LiveEvent>> {
    let body = fixture(name)?;
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let event = if unwrap.is_empty() { value } else { value[unwrap].clone() };
    let frame = serde_json::json!({"subscriptionId": 0, "event": event}).to_string();
    match with(|c| binance_stream::heard(frame.as_bytes(), c)).unwrap() {
        super::stream::Heard::Events(events) => Some(events),
        _ => panic!("{name} is no event"),
    }
}

#[test]
fn binances_reports_are_read() {
    if let Some(events) = events("binance_nautilus_exec_trade.json", "data") {
        let [LiveEvent::Fill(fill), LiveEvent::Order(order)] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!((fill.trade_id.as_str(), fill.price), ("98765432", amount("2499.5")));
        assert_eq!(fill.fees[0].currency.as_str(), "ETH");
        assert_eq!(fill.liquidity, Some(Liquidity::Maker));
        assert_eq!((order.status, order.filled), (OrderStatus::Open, Some(amount("0.5"))));
        assert_eq!(order.instrument, Some(InstrumentId(1)));
    }
    if let Some(events) = events("binance_nautilus_exec_canceled.json", "data") {
        let [LiveEvent::Order(order)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((order.status, order.filled), (OrderStatus::Cancelled, Some(amount("0.1"))));
    }
    if let Some(events) = events("binance_nautilus_exec_expired_with_eR.json", "") {
        let [LiveEvent::Order(order)] = &events[..] else { panic!("{events:?}") };
        assert_eq!(order.status, OrderStatus::Expired);
        assert_eq!(order.reason.as_deref(), Some("INSUFFICIENT_LIQUIDITY"));
    }
    for name in [
        "binance_user_execution_report_new.json",
        "binance_user_balance_update.json",
        "binance_user_outbound_account_position.json",
    ] {
        if let Some(events) = events(name, "event") {
            assert_eq!(events.len(), 1, "{name}");
        }
    }
}

#[test]
fn kucoins_orders_fills_and_errors_are_read() {
    let exchange = Exchange::Kucoin;
    if let Some(body) = fixture("kucoin_rest_hf_get_order.json") {
        let state = with(|c| venue::order(exchange, &body, c)).unwrap().unwrap();
        assert_eq!((state.status, state.filled), (OrderStatus::Filled, Some(amount("0.00001"))));
    }
    if let Some(body) = fixture("kucoin_rest_hf_active.json") {
        let orders = with(|c| venue::orders(exchange, &body, c)).unwrap();
        assert_eq!(orders[0].status, OrderStatus::Open);
    }
    if let Some(body) = fixture("kucoin_rest_hf_fills.json") {
        let page = Page::Since(Timestamp(0));
        let decode = |c: Context<'_>| venue::filled(exchange, &body, "BTC-USDT", &page, c);
        let (fills, next) = with(decode).unwrap();
        assert_eq!(fills[0].trade_id, "11029373945659392");
        assert_eq!(fills[0].fees[0].amount, amount("0.000677176"));
        assert_eq!(next, None, "a short page is the last");
    }
    if let Some(body) = fixture("kucoin_rest_accounts.json") {
        let list = venue::balance_list(exchange, &body).unwrap();
        assert_eq!((list.len(), list[0].free), (1, amount("26.66759503")), "of trading alone");
    }
    if let Some(body) = fixture("kucoin_rest_trade_fees.json") {
        let rates = venue::rates(exchange, &body, "ETH-USDT").unwrap();
        assert_eq!(rates.taker.to_string(), "0.001");
    }
    let Some(body) = fixture("kucoin_errors_rest.json") else { return };
    let errors: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
    let meanings: Vec<Meaning> = errors
        .iter()
        .map(|e| venue::error(exchange, e["body"].to_string().as_bytes()).unwrap())
        .map(|(code, text)| venue::meaning(exchange, &code, &text))
        .collect();
    assert_eq!(
        meanings,
        [
            Meaning::NotFound,
            Meaning::Refused(Reaction::Reconcile),
            Meaning::Limited,
            Meaning::Refused(Reaction::Clock),
            Meaning::Refused(Reaction::Key),
            Meaning::Refused(Reaction::RefreshInstrument),
            Meaning::Refused(Reaction::RefreshInstrument),
        ]
    );
}

#[test]
fn lunos_balances_orders_and_trades_are_read() {
    let exchange = Exchange::Luno;
    if let Some(body) = fixture("luno_py_balances.json") {
        let list = venue::balance_list(exchange, &body).unwrap();
        let ether = list.iter().find(|b| b.currency.as_str() == "ETH").unwrap();
        assert_eq!((ether.free, ether.held), (amount("1.4"), amount("0.1")));
        assert!(list.iter().any(|b| b.currency.as_str() == "BTC"), "XBT is bitcoin");
    }
    let order = |base: &str, expires: i64| {
        let body = serde_json::json!({
            "order_id": "BXMC2CJ7HNB88U4", "client_order_id": "amk-7-3", "pair": "XBTZAR",
            "side": "BUY", "type": "LIMIT", "status": "COMPLETE", "base": base, "counter": "5",
            "limit_price": "500.00", "limit_volume": "0.010000",
            "creation_timestamp": 1_790_127_197_639_i64, "expiration_timestamp": expires,
            "completed_timestamp": 1_790_127_198_000_i64, "fee_base": "0", "fee_counter": "0.1",
        });
        let body = body.to_string();
        with(|c| venue::order(exchange, body.as_bytes(), c)).unwrap().unwrap()
    };
    let full = order("0.01", 0);
    assert_eq!((full.status, full.id.unwrap().seq), (OrderStatus::Filled, 3));
    assert_eq!(order("0.004", 1_790_127_198_000).status, OrderStatus::Cancelled);
    assert_eq!(order("0.004", 0).status, OrderStatus::Expired);
    let trade = serde_json::json!({"trades": [{
        "pair": "XBTZAR", "sequence": 26963, "order_id": "BX1", "timestamp": 1_790_127_198_000_i64,
        "price": "1000000.00", "volume": "0.001", "base": "0.001", "counter": "1000.00",
        "fee_base": "0.00001", "fee_counter": "6.00", "is_buy": true, "type": "BID",
    }]})
    .to_string();
    let page = Page::Since(Timestamp(0));
    let decode = |c: Context<'_>| venue::filled(exchange, trade.as_bytes(), "XBTZAR", &page, c);
    let (mut fills, _) = with(decode).unwrap();
    assert_eq!(fills[0].fees.len(), 2, "charged in both currencies");
    assert_eq!(fills[0].liquidity, Some(Liquidity::Taker));
    super::luno::number(&mut fills);
    assert_eq!(fills[0].trade_id, "BX1@0.001");
}

#[test]
fn keys_that_can_move_money_are_seen_as_such() {
    let kucoin = |rights: &str| {
        let body = serde_json::json!({
            "code": "200000", "data": {"permission": rights, "ipWhitelist": ""},
        });
        venue::permitted(Exchange::Kucoin, body.to_string().as_bytes()).unwrap()
    };
    for (rights, moves) in
        [("General,Spot", false), ("Spot,Transfer", true), ("InnerTransfer", true)]
    {
        assert!(
            matches!(kucoin(rights), KeyPermissions::Known { can_withdraw, .. }
            if can_withdraw == moves),
            "{rights}"
        );
    }
    let binance = serde_json::json!({
        "ipRestrict": true, "enableWithdrawals": false, "enableSpotAndMarginTrading": true,
        "permitsUniversalTransfer": true,
    });
    let found = venue::permitted(Exchange::Binance, binance.to_string().as_bytes()).unwrap();
    assert!(matches!(found, KeyPermissions::Known { can_trade: true, can_withdraw: true, .. }));
    // What is not said is not taken for granted.
    assert!(venue::permitted(Exchange::Binance, b"{\"ipRestrict\":true}").is_err());
}

fn names(ask: &Ask) -> Vec<(&str, &str)> {
    ask.params.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn orders_are_asked_for_in_each_exchanges_words() {
    let limit =
        venue::place(Exchange::Binance, &outgoing(Exchange::Binance, "BTCUSDT", Some(15)), 7);
    assert_eq!(
        names(&limit)[..6],
        [
            ("symbol", "BTCUSDT"),
            ("side", "SELL"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("price", "0.0015"),
            ("quantity", "1.5"),
        ]
    );
    let market = venue::place(Exchange::Kucoin, &outgoing(Exchange::Kucoin, "BTC-USDT", None), 7);
    assert!(
        names(&market).contains(&("type", "market")) && names(&market).contains(&("size", "1.5"))
    );
    assert!(names(&market).contains(&("clientTimestamp", "7")));
    let luno = venue::place(Exchange::Luno, &outgoing(Exchange::Luno, "XBTZAR", None), 7);
    assert_eq!(luno.path, "/api/1/marketorder");
    assert!(
        names(&luno).contains(&("base_volume", "1.5")) && names(&luno).contains(&("ttl", "5000"))
    );
    let key =
        OrderKey { instrument: InstrumentId(1), client_id: "amk-7-3".into(), exchange_id: None };
    assert!(venue::cancel(Exchange::Luno, &key, "XBTZAR").is_none(), "by its own name alone");
}

#[test]
fn codes_that_nobody_knows_are_unclear_and_duplicates_are_never_a_no() {
    for (exchange, code, text, expected) in [
        (Exchange::Binance, "-1006", "Unexpected response", Meaning::Unclear),
        (Exchange::Binance, "-1007", "Timeout", Meaning::Unclear),
        (Exchange::Binance, "-9999", "?", Meaning::Unclear),
        (Exchange::Binance, "-2010", "Duplicate order sent.", Meaning::Duplicate),
        (Exchange::Kucoin, "500000", "Internal", Meaning::Unclear),
        (Exchange::Kucoin, "126044", "clientOid duplicate", Meaning::Duplicate),
        (Exchange::Kucoin, "404000", "Url Not Found", Meaning::Unclear),
        (Exchange::Luno, "ErrInternal", "", Meaning::Unclear),
        (Exchange::Luno, "ErrDuplicateClientOrderID", "", Meaning::Duplicate),
        (Exchange::Luno, "ErrSomethingNew", "", Meaning::Unclear),
    ] {
        assert_eq!(venue::meaning(exchange, code, text), expected, "{exchange} {code}");
    }
}

/// Everything that is decoded, on one body: nothing may panic, whatever it is.
fn decode_all(exchange: Exchange, body: &[u8]) {
    let order = outgoing(exchange, "BTCUSDT", Some(15));
    let page = Page::Since(Timestamp(0));
    with(|c| {
        let _ = venue::placed(exchange, body, &order, c);
        let _ = venue::cancelled(exchange, body, c);
        let _ = venue::order(exchange, body, c);
        let _ = venue::orders(exchange, body, c);
        let _ = venue::filled(exchange, body, "BTCUSDT", &page, c);
        let _ = binance_stream::heard(body, c);
    });
    let _ = venue::balance_list(exchange, body);
    let _ = venue::rates(exchange, body, "BTCUSDT");
    let _ = venue::permitted(exchange, body);
    let _ = venue::error(exchange, body);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn garbage_is_refused_and_never_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        number in "-?[0-9]{0,40}(\\.[0-9]{0,30})?(e[0-9]+)?",
    ) {
        for exchange in Exchange::ALL {
            decode_all(exchange, &bytes);
            let body = format!(
                r#"{{"symbol":"X","orderId":1,"clientOrderId":"a","status":"NEW","price":"{number}",
                "origQty":"{number}","executedQty":"{number}","time":9223372036854775807,
                "code":"200000","data":{{"items":[{{"orderId":"a","tradeId":1,"symbol":"X",
                "side":"buy","liquidity":"maker","price":"{number}","size":"{number}",
                "funds":"{number}","fee":"{number}","feeCurrency":"Q","createdAt":1}}]}}}}"#
            );
            decode_all(exchange, body.as_bytes());
        }
    }
}
