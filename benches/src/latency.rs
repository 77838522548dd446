//! From a frame on a loopback socket to the decision: a real connector, the program's channel, an
//! engine's thread and, beside it, the store. Clocked per message, from just before the exchange's
//! `write` to the end of [`engine::Engine::apply`].

use crate::exchange::{Exchange, Sent};
use crate::floor;
use crate::rig::Rig;
use domain::{InstrumentId, MarketEvent, StrategyKind, Timeframe};
use engine::{Input, InputKind};
use exchanges::{Connector, ConnectorConfig, Delivery, DeliveryKind};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use storage::{Batch, Store, StoreOptions};
use tokio::sync::mpsc;

/// As the program's queue of events of markets.
const QUEUE: usize = 16_384;
/// As the program's queue of lists and clocks.
const NEWS: usize = 64;
/// As the program's loop: inputs before what follows goes to the store.
const INPUTS_PER_BATCH: usize = 256;

/// Time from the write to the decision, by kind.
#[derive(Default)]
struct Times {
    trades: Vec<u64>,
    others: Vec<u64>,
}

/// What follows the decision.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Nothing.
    Alone,
    /// The store commits what the engine says, on its own thread, as in the program.
    WithStore,
}

pub(crate) fn run(messages: usize) -> Result<(), Box<dyn Error>> {
    println!("latency: {messages} messages, 2000 a second, socket to decision:");
    let mut bare = floor::measure(messages)?;
    println!("  the machine alone (bare reader, channel, thread, no work):");
    let bare = report("all", &mut bare);
    for (way, name) in [(Way::Alone, "without the store"), (Way::WithStore, "as the program")] {
        let times = measure(messages, way)?;
        let mut all = [times.trades.clone(), times.others].concat();
        let mut trades = times.trades;
        println!("  {name} (target p50 50 us, p99 500 us):");
        report("trades", &mut trades);
        let median = report("all", &mut all);
        println!(
            "    median {:.1} times the machine's own, {:.0} us more",
            median / bare,
            median - bare
        );
        histogram(&all);
    }
    Ok(())
}

/// Prints the distribution; the median in microseconds.
fn report(name: &str, times: &mut [u64]) -> f64 {
    times.sort_unstable();
    let at = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        times.get(index.min(times.len().saturating_sub(1))).copied().unwrap_or_default() as f64
            / 1e3
    };
    println!(
        "    {name}: {} messages, p50 {:.0} us, p90 {:.0}, p99 {:.0}, worst {:.0}",
        times.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
    );
    at(0.5)
}

fn histogram(sorted: &[u64]) {
    const EDGES: [u64; 10] = [20, 35, 50, 75, 100, 200, 500, 1_000, 5_000, u64::MAX / 1_000];
    let mut from = 0;
    for edge in EDGES {
        let to = sorted.partition_point(|ns| *ns < edge * 1_000);
        let share = (to - from) as f64 / sorted.len().max(1) as f64 * 100.0;
        let bar = "#".repeat((share / 2.0).round() as usize);
        let name = if edge > 5_000 { "over 5000 us".into() } else { format!("under {edge} us") };
        println!("      {name:<14} {share:5.1} % {bar}");
        from = to;
    }
}

fn measure(messages: usize, way: Way) -> Result<Times, Box<dyn Error>> {
    let exchange = Exchange::start(messages)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (inputs, source) = mpsc::channel(QUEUE);
    let (lists, rare) = mpsc::channel(NEWS);
    let sent = Arc::clone(&exchange.sent);
    let is_done = Arc::new(AtomicBool::new(false));
    let (subscribe, mut wanted) = mpsc::channel(1);
    let stop = Arc::clone(&is_done);
    let engine = std::thread::Builder::new().name("engine".to_owned()).stack_size(16 << 20).spawn(
        move || decide(source, rare, &sent, &subscribe, way, &stop).map_err(|e| e.to_string()),
    )?;
    runtime.block_on(async {
        let mut config = ConnectorConfig::new(domain::Exchange::Binance);
        config.rest_url = format!("http://{}", exchange.address);
        config.stream_url = format!("ws://{}", exchange.address);
        let (rest, news) = mpsc::channel(NEWS);
        let connector = Connector::start_apart(config, inputs, rest)?;
        tokio::spawn(relay(news, lists));
        let (id, instrument) = wanted.recv().await.ok_or("the engine ended")?;
        connector.subscribe(id, instrument, None);
        while !exchange.is_done() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // What is under way arrives.
        tokio::time::sleep(Duration::from_millis(300)).await;
        is_done.store(true, Ordering::Relaxed);
        connector.close().await?;
        Ok::<_, Box<dyn Error>>(())
    })?;
    let times = engine.join().map_err(|_| "the engine panicked")??;
    Ok(times)
}

async fn relay(mut from: mpsc::Receiver<Delivery>, to: mpsc::Sender<Delivery>) {
    while let Some(delivery) = from.recv().await {
        if to.send(delivery).await.is_err() {
            return;
        }
    }
}

type Wish = (InstrumentId, domain::Instrument);

/// The engine's thread, as the program's loop.
fn decide(
    mut source: mpsc::Receiver<Delivery>,
    mut rare: mpsc::Receiver<Delivery>,
    sent: &Sent,
    subscribe: &mpsc::Sender<Wish>,
    way: Way,
    stop: &AtomicBool,
) -> Result<Times, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let dir = tempfile::tempdir()?;
    let (store, _) = Store::open(&dir.path().join("amarktai.db"), StoreOptions::default())?;
    let mut desk = Desk { rig: Rig::new(1), times: Times::default(), sent, subscribe };
    desk.rig.sink.kept = Some(Vec::new());
    runtime.block_on(async {
        while !stop.load(Ordering::Relaxed) {
            // The program wakes for what is due as well.
            let due = tokio::time::sleep(Duration::from_millis(50));
            tokio::select! {
                biased;
                Some(delivery) = rare.recv() => desk.take(delivery),
                delivery = source.recv() => match delivery {
                    Some(delivery) => desk.take(delivery),
                    None => break,
                },
                () = due => {}
            }
            for _ in 0..INPUTS_PER_BATCH {
                match rare.try_recv().or_else(|_| source.try_recv()) {
                    Ok(delivery) => desk.take(delivery),
                    Err(_) => break,
                }
            }
            let states = desk.rig.engine.take_dirty();
            let outputs = desk.rig.sink.kept.replace(Vec::new()).unwrap_or_default();
            if way == Way::WithStore && (!outputs.is_empty() || !states.is_empty()) {
                store.commit(Batch { outputs, states, cursors: Vec::new() })?;
            }
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    store.close()?;
    Ok(desk.times)
}

struct Desk<'a> {
    rig: Rig,
    times: Times,
    sent: &'a Sent,
    subscribe: &'a mpsc::Sender<Wish>,
}

impl Desk<'_> {
    fn take(&mut self, delivery: Delivery) {
        let kind = match delivery.kind {
            DeliveryKind::Market { instrument, event } => InputKind::Market { instrument, event },
            DeliveryKind::Instruments(list) => return self.list(list),
            DeliveryKind::RoundTrip(_) | DeliveryKind::Clock { .. } => return,
        };
        let input = Input { at: delivery.received_at, kind };
        self.rig.live(&input);
        let InputKind::Market { event, .. } = &input.kind else { return };
        match event {
            MarketEvent::Print(print) => {
                self.times.trades.extend(self.sent.trade_age(print.id));
            }
            MarketEvent::Touch(touch) => {
                self.times.others.extend(self.sent.update_age(touch.update_id));
            }
            MarketEvent::Book(book) if !book.is_snapshot => {
                self.times.others.extend(self.sent.update_age(book.update_id));
            }
            _ => {}
        }
    }

    /// The list is here: a market, a bot, a wish.
    fn list(&mut self, list: Vec<domain::Instrument>) {
        for instrument in list {
            let id = self.rig.define(instrument.clone());
            let params = r#"{"fast":9,"slow":21}"#;
            self.rig.bot("BTC/USDT", StrategyKind::EmaCross, params, Timeframe::Trade);
            // The one who receives it takes only the first.
            let _ = self.subscribe.try_send((id, instrument));
        }
    }
}
