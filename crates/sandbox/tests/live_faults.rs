//! Lying exchanges: whatever the answer, an order exists once or not at all, and is found out.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod trader;

use domain::{Amount, Exchange, InstrumentId, OrderStatus, Side, Span};
use exchanges::ExchangeError;
use exchanges::live::{
    Cancellation, ClientIds, Credentials, LiveClient, LiveConfig, LiveEvent, Placement, Reaction,
    Resolution,
};
use risk::WireGate;
use sandbox::{Fault, FaultSpec, Lie};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use trader::{Trader, Wish, amount, effect, now};

const LIES: [Lie; 6] = [Lie::Reset, Lie::Hang, Lie::Html, Lie::ErrorBody, Lie::Busy, Lie::Drip];

/// A fault on orders that are placed, once.
fn on_orders(trader: &Trader, fault: Fault) {
    let spec = FaultSpec::new(trader.exchange, fault).times(1).stream("POST");
    trader.sandbox.faults().add(spec).unwrap();
}

async fn hasty(exchange: Exchange) -> Trader {
    let sandbox = Arc::new(trader::sandbox().await);
    Trader::with(sandbox, exchange, "one", |config| {
        config.timings.order_timeout = Duration::from_millis(1_500);
        config.timings.rate_limit_pause = Duration::from_millis(200);
    })
    .await
}

async fn lie_makes_no_or_one_order(exchange: Exchange) {
    let mut trader = hasty(exchange).await;
    for how in LIES {
        for taken in [true, false] {
            on_orders(&trader, Fault::Lie { how, taken });
            let sent_at = now();
            let wish = Wish::limit(Side::Buy, trader.percent_of_bid(90), "0.01");
            let (key, placement) = trader.place(wish).await;
            assert!(matches!(placement, Placement::Unknown { .. }), "{how:?}: {placement:?}");
            let resolution = trader.client.resolve(&key, sent_at).await;
            match taken {
                true => assert!(
                    matches!(&resolution, Resolution::Found(state)
                    if state.status == OrderStatus::Open),
                    "{exchange} {how:?}: {resolution:?}"
                ),
                false => assert_eq!(resolution, Resolution::NeverSent, "{exchange} {how:?}"),
            }
            assert_eq!(trader.truth(&key).len(), usize::from(taken), "{exchange} {how:?}");
        }
    }
    let counts = trader.gate.counts();
    assert_eq!((counts.approved, counts.out), (12, 12), "nothing was sent twice");
}

#[tokio::test]
async fn binance_that_lies_has_no_or_one_order() {
    lie_makes_no_or_one_order(Exchange::Binance).await;
}

#[tokio::test]
async fn kucoin_that_lies_has_no_or_one_order() {
    lie_makes_no_or_one_order(Exchange::Kucoin).await;
}

#[tokio::test]
async fn luno_that_lies_has_no_or_one_order() {
    lie_makes_no_or_one_order(Exchange::Luno).await;
}

/// As after a kill: whoever sent it is gone, and only the stored intent is left.
#[tokio::test]
async fn order_whose_sender_died_on_the_way_is_found_or_never_was() {
    for exchange in Exchange::ALL {
        let mut trader = hasty(exchange).await;
        for taken in [true, false] {
            on_orders(&trader, Fault::Lie { how: Lie::Hang, taken });
            let wish = Wish::limit(Side::Buy, trader.percent_of_bid(90), "0.01");
            let (key, order) = trader.approve(wish);
            let permit = trader.permit(&order);
            trader.gate.approve();
            let (client, sent_at) = (trader.client.clone(), now());
            let sender = tokio::spawn(async move { client.place(order, permit).await });
            // The fault is over once it has hit: then the request has arrived.
            while !trader.sandbox.faults().list().is_empty() {
                tokio::task::yield_now().await;
            }
            sender.abort();
            assert!(sender.await.is_err());
            match trader.client.resolve(&key, sent_at).await {
                Resolution::Found(state) => assert!(taken, "{exchange}: {state:?}"),
                other => assert_eq!((other, taken), (Resolution::NeverSent, false)),
            }
            assert_eq!(trader.truth(&key).len(), usize::from(taken));
        }
    }
}

#[tokio::test]
async fn exchange_that_cannot_be_asked_leaves_the_order_unknown() {
    for exchange in Exchange::ALL {
        let sandbox = Arc::new(trader::sandbox().await);
        let mut trader = Trader::with(sandbox, exchange, "one", |config| {
            config.timings.resolve_limit = Duration::from_millis(300);
        })
        .await;
        let wish = Wish::limit(Side::Buy, trader.percent_of_bid(90), "0.01");
        let (key, _) = trader.placed(wish).await;
        let id = trader.sandbox.faults().add(FaultSpec::new(exchange, Fault::Http5xx)).unwrap();
        let resolution = trader.client.resolve(&key, now()).await;
        assert!(matches!(resolution, Resolution::StillUnknown { .. }), "{resolution:?}");
        trader.sandbox.faults().remove(id);
        let resolution = trader.client.resolve(&key, now()).await;
        assert!(matches!(resolution, Resolution::Found(_)), "{exchange}: {resolution:?}");
    }
}

#[tokio::test]
async fn refusal_for_too_many_calls_places_nothing_and_binds_the_next() {
    for exchange in Exchange::ALL {
        let mut trader = hasty(exchange).await;
        for fault in [Fault::Http429 { retry_after: 1 }, Fault::Http418 { retry_after: 1 }] {
            on_orders(&trader, fault);
            let wish = Wish::limit(Side::Buy, trader.percent_of_bid(90), "0.01");
            let (key, placement) = trader.place(wish).await;
            let Placement::RateLimited { retry_after } = placement else {
                panic!("{exchange}: {placement:?}")
            };
            assert!(trader.truth(&key).is_empty());
            let (_, next) = trader.place(wish).await;
            assert!(matches!(next, Placement::RateLimited { .. }), "{exchange}: {next:?}");
            let counts = trader.gate.counts();
            assert_eq!(counts.approved, counts.out, "what was kept back was given back");
            tokio::time::sleep(retry_after).await;
            trader.placed(wish).await;
        }
    }
}

#[tokio::test]
async fn order_that_is_refused_after_it_was_taken_ends_without_a_fill() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        let start = trader.wealth();
        let fault = FaultSpec::new(exchange, Fault::RejectAfterAccept).times(1);
        trader.sandbox.faults().add(fault).unwrap();
        let (key, _) = trader.placed(Wish::market(Side::Buy, "0.01")).await;
        let ended = trader.ended(&key).await;
        assert_ne!(ended.status, OrderStatus::Filled, "{exchange}");
        assert!(trader::fills(&trader.log, &key.client_id).is_empty());
        assert_eq!(trader.wealth(), start);
    }
}

#[tokio::test]
async fn fill_that_crossed_the_cancel_is_told_after_the_end() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        let start = trader.wealth();
        let wish = Wish::limit(Side::Buy, trader.percent_of_bid(90), "0.02");
        let (key, _) = trader.placed(wish).await;
        let fault = FaultSpec::new(exchange, Fault::LateFill).times(1);
        trader.sandbox.faults().add(fault).unwrap();
        assert!(matches!(trader.client.cancel(&key).await, Cancellation::Done { .. }));
        assert_eq!(trader.ended(&key).await.status, OrderStatus::Cancelled, "{exchange}");
        let fills = trader.filled(&key, amount("0.01")).await;
        let change = effect(&fills, Side::Buy, trader.instrument.symbol);
        let ours = [start[0] + change[0], start[1] + change[1]];
        assert_eq!(ours, trader.wealth(), "{exchange}");
        let state = trader.client.query(&key).await.unwrap().unwrap();
        assert_eq!((state.status, state.filled), (OrderStatus::Cancelled, Some(amount("0.01"))));
    }
}

#[tokio::test]
async fn trade_told_twice_is_one_fill() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        let fault = FaultSpec::new(exchange, Fault::Duplicate).stream("user");
        trader.sandbox.faults().add(fault).unwrap();
        for _ in 0..3 {
            let (key, _) = trader.placed(Wish::market(Side::Buy, "0.01")).await;
            trader.filled(&key, amount("0.01")).await;
        }
        let hits: u64 = trader.sandbox.faults().list().iter().map(|f| f.hits).sum();
        assert!(hits >= 3, "the fault did hit");
        let ids: Vec<_> = trader
            .log
            .iter()
            .filter_map(|event| match event {
                LiveEvent::Fill(fill) => Some(fill.trade_id.clone()),
                _ => None,
            })
            .collect();
        let unique: BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{exchange}: {ids:?}");
    }
}

#[tokio::test]
async fn clock_that_is_off_refuses_once_and_is_measured_again() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        let fault = FaultSpec::new(exchange, Fault::ClockOffset { ms: -30_000 });
        trader.sandbox.faults().add(fault).unwrap();
        let wish = Wish::limit(Side::Buy, trader.percent_of_bid(90), "0.01");
        let (key, placement) = trader.place(wish).await;
        match placement {
            Placement::Rejected(reject) => assert_eq!(reject.reaction, Reaction::Clock),
            other => panic!("{exchange}: {other:?}"),
        }
        assert!(trader.truth(&key).is_empty(), "and it is not sent again");
        let (key, _) = trader.placed(wish).await;
        assert_eq!(trader.truth(&key).len(), 1, "{exchange}: the next one is signed by its clock");
    }
}

#[tokio::test]
async fn fill_that_the_stream_missed_is_listed_after_it_stands_again() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        let began = now() - Span::from_secs(5);
        let deaf = FaultSpec::new(exchange, Fault::Drop).stream("user");
        let id = trader.sandbox.faults().add(deaf).unwrap();
        let (key, placed) = trader.placed(Wish::market(Side::Buy, "0.01")).await;
        let truth = trader.truth(&key);
        assert_eq!(truth[0].filled, amount("0.01"));
        trader.sandbox.faults().remove(id);
        let close = FaultSpec::new(exchange, Fault::Close).times(1);
        trader.sandbox.faults().add(close).unwrap();
        trader.find(|e| matches!(e, LiveEvent::Down { .. }).then_some(())).await;
        trader.find(|e| matches!(e, LiveEvent::Resync { .. }).then_some(())).await;
        assert!(trader::fills(&trader.log, &key.client_id).is_empty());
        let listed = trader.client.fills(InstrumentId(3), began).await.unwrap();
        let own = listed.iter().filter(|f| f.exchange_id == placed.exchange_id);
        let sum: Amount = own.map(|f| f.quantity).sum();
        assert_eq!(sum, amount("0.01"), "{exchange}");
    }
}

#[tokio::test]
async fn fill_may_come_before_the_answer_to_its_order() {
    for exchange in Exchange::ALL {
        let mut trader = hasty(exchange).await;
        on_orders(&trader, Fault::Lie { how: Lie::Hang, taken: true });
        let (key, order) = trader.approve(Wish::market(Side::Buy, "0.01"));
        let permit = trader.permit(&order);
        trader.gate.approve();
        let client = trader.client.clone();
        let sender = tokio::spawn(async move { client.place(order, permit).await });
        trader.filled(&key, amount("0.01")).await;
        let placement = sender.await.unwrap();
        assert!(matches!(placement, Placement::Unknown { .. }), "{exchange}: {placement:?}");
        match trader.client.resolve(&key, now()).await {
            Resolution::Found(state) => assert_eq!(state.status, OrderStatus::Filled),
            other => panic!("{exchange}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn control_port_takes_lies_and_tells_the_truth() {
    let mut trader = hasty(Exchange::Binance).await;
    let control = trader.sandbox.control_url();
    let http = reqwest::Client::new();
    let lie = r#"{"exchange":"binance","fault":"lie","how":"html","taken":true,"count":1,
        "stream":"POST"}"#;
    let answer = http.post(format!("{control}/faults")).body(lie).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    let wish = Wish::limit(Side::Buy, trader.percent_of_bid(90), "0.01");
    let (key, placement) = trader.place(wish).await;
    assert!(matches!(placement, Placement::Unknown { .. }));
    let url = format!("{control}/orders/binance/{}", key.client_id);
    let truth = http.get(url).send().await.unwrap().text().await.unwrap();
    let truth: serde_json::Value = serde_json::from_str(&truth).unwrap();
    assert_eq!(truth["orders"].as_array().unwrap().len(), 1);
    assert_eq!(truth["orders"][0]["is_open"], true);
    let deposit = r#"{"key":"one-key","asset":"USDT","amount":"-7.5"}"#;
    let url = format!("{control}/accounts/binance");
    let answer = http.post(&url).body(deposit).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    let accounts = http.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(accounts.contains("one-key") && !accounts.contains("one-secret"), "{accounts}");
}

/// Everything that a log line could show.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_part_of_a_key_is_in_errors_events_or_logs() {
    const CANARY: [&str; 3] = ["canary-id-8f3a", "canary-secret-77c1", "canary-pass-0b52"];
    let (log, sandbox) = (Log::default(), Arc::new(trader::sandbox().await));
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut seen = Vec::new();
    for exchange in Exchange::ALL {
        let [key, secret, pass] = CANARY.map(|part| part.into());
        let key = Credentials::new(exchange, key, secret, Some(pass)).unwrap();
        let mut trader = Trader::with(Arc::clone(&sandbox), exchange, "one", |_| {}).await;
        for is_dead in [false, true] {
            let mut config = LiveConfig::new(exchange, key.clone(), ClientIds::untagged());
            let urls = sandbox.urls(exchange);
            // Port 9 refuses connections.
            config.rest_url = if is_dead { "http://127.0.0.1:9".into() } else { urls.rest_url };
            config.stream_url = if is_dead { "ws://127.0.0.1:9".into() } else { urls.stream_url };
            seen.push(format!("{config:?}"));
            let gate = WireGate::default();
            let client = LiveClient::new(config, gate.clone()).unwrap();
            seen.push(format!("{client:?}"));
            client.list(InstrumentId(3), Arc::clone(&trader.instrument));
            let wish = Wish::limit(Side::Buy, trader.percent_of_bid(90), "0.01");
            let (id, order) = trader.approve(wish);
            let permit = trader.permit(&order);
            gate.approve();
            let placement = client.place(order, permit).await;
            match (&placement, is_dead) {
                (Placement::Rejected(reject), false) => assert_eq!(reject.reaction, Reaction::Key),
                (Placement::Unknown { .. }, true) => {}
                other => panic!("{exchange}: {other:?}"),
            }
            seen.push(format!("{placement:?}"));
            let error: ExchangeError = client.query(&id).await.unwrap_err();
            seen.push(format!("{error:?} {error}"));
            seen.push(format!("{:?} {:?}", client.balances().await, client.cancel(&id).await));
            let (sink, mut events) = mpsc::channel(8);
            let stream = client.stream(sink);
            let heard = tokio::time::timeout(Duration::from_millis(700), events.recv()).await;
            seen.push(format!("{heard:?} {stream:?}"));
        }
    }
    seen.push(String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned());
    assert!(seen.iter().any(|text| text.contains("user stream ended")), "logs were written");
    for text in &seen {
        for part in CANARY {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}
