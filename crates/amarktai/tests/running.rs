//! The verbs beside a running server: the built binary asks real routes over a real store.

#![allow(clippy::unwrap_used)] // the rule knows no support code of tests

use domain::{
    AccountId, Alert, Amount, BotId, Exchange, FeeSchedule, Instrument, InstrumentStatus, Price,
    Quantity, Rate, Timestamp,
};
use engine::{Engine, EngineConfig, Envelope, Input, InputKind, Output};
use serde_json::Value;
use server::{AppState, Core, CoreRequest, ServerConfig, new_token, token_digest};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output as Ended, Stdio};
use std::time::Duration;
use storage::{Batch, Store, StoreOptions};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// A server as `run` leaves it beside its data: address and token in files.
struct Running {
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

fn config() -> ServerConfig {
    ServerConfig {
        version: "0.1.0".into(),
        mode_label: None,
        realtime_enabled: true,
        public_url: None,
        trusted_proxies: Vec::new(),
        listen: "127.0.0.1:0".parse().unwrap(),
        flags: Value::Null,
        heartbeat: Duration::from_millis(200),
        reporting_currency: "ZAR".parse().unwrap(),
        data_dir: "data".into(),
    }
}

/// Lists BTC/ZAR of Luno and nothing else.
fn engine() -> Engine {
    let mut engine = Engine::new(EngineConfig {
        seed: 1,
        latency_ms_p50: 60.0,
        latency_ms_p99: 250.0,
        policy: domain::Policy::default(),
    });
    let fees = FeeSchedule {
        maker: Rate::from_bp(0),
        taker: Rate::from_bp(20),
        in_received: true,
        places: 8,
        source: "test".to_owned(),
    };
    engine.define(&Instrument {
        exchange: Exchange::Luno,
        symbol: "BTC/ZAR".parse().unwrap(),
        native: "XBTZAR".to_owned(),
        status: InstrumentStatus::Trading,
        price_scale: 0,
        quantity_scale: 8,
        tick_size: Price(1),
        lot_size: Quantity(10_000),
        min_quantity: Quantity(10_000),
        max_quantity: Quantity(10_000_000_000),
        max_market_quantity: None,
        min_price: None,
        max_price: None,
        min_notional: Amount::from_int(10),
        max_notional: None,
        percent_band: None,
        max_open_orders: None,
        fees,
    });
    engine
}

/// A run loop without markets: what is ordered happens and is stored.
fn run_loop(mut requests: mpsc::Receiver<CoreRequest>, store: Store) {
    std::thread::spawn(move || {
        let mut engine = engine();
        while let Some(request) = requests.blocking_recv() {
            match request {
                CoreRequest::Query(ask) => ask(&engine)(),
                CoreRequest::Command { account, actor, command, reply } => {
                    let envelope = Envelope { id: 1, actor, account, command };
                    let mut outputs = Vec::new();
                    let at = Timestamp::EPOCH;
                    let input = Input { at, kind: InputKind::Command(envelope) };
                    engine.apply(&input, &mut outputs);
                    if engine.is_stopping() {
                        engine.apply(&Input { at, kind: InputKind::Timer }, &mut outputs);
                    }
                    let answer = outputs.iter().find_map(|output| match output {
                        Output::Reply { result, .. } => Some(result.clone()),
                        _ => None,
                    });
                    store.commit(Batch { outputs, ..Batch::default() }).unwrap().wait().unwrap();
                    let _ = reply.send(answer.unwrap());
                }
            }
        }
    });
}

impl Running {
    async fn start(directory: &Path, store: &Store) -> Self {
        let (sender, requests) = mpsc::channel(16);
        run_loop(requests, store.clone());
        let token = new_token();
        let mut state = AppState::new(Core::new(sender), store.clone(), config());
        state.local_token = Some(token_digest(&token));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("{}\n", listener.local_addr().unwrap());
        std::fs::write(directory.join("local.token"), token).unwrap();
        std::fs::write(directory.join("server.addr"), address).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        let served = tokio::spawn(server::serve(listener, state, shutdown));
        Self { stop, served }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

fn command(data: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amarktai"));
    command.current_dir(data).env_clear().arg("--data-dir").arg(data);
    command.args(line.split_whitespace()).stdin(Stdio::null());
    command
}

/// Runs a verb while the server goes on.
async fn amarktai(data: &Path, line: &str) -> Ended {
    let mut command = command(data, line);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn done(data: &Path, line: &str) -> String {
    let output = amarktai(data, line).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{line}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

async fn refused(data: &Path, line: &str) -> String {
    let output = amarktai(data, line).await;
    assert_eq!(output.status.code(), Some(1), "{line}");
    String::from_utf8(output.stderr).unwrap()
}

async fn commit(store: &Store, bot: u32) {
    let alert = Alert::Unguarded { since: Timestamp::EPOCH, reason: "test".to_owned() };
    let (account_id, bot_id, at) = (AccountId(1), Some(BotId(bot)), Timestamp::EPOCH);
    let outputs = vec![Output::Alert { account_id, bot_id, alert, at }];
    store.commit(Batch { outputs, ..Batch::default() }).unwrap().wait_async().await.unwrap();
}

fn open(data: &Path) -> Store {
    Store::open(&data.join("amarktai.db"), StoreOptions::default()).unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verbs_speak_to_the_server_that_holds_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let store = open(data);
    let server = Running::start(data, &store).await;
    let printed = done(data, "tokens create --name ci --role admin --json").await;
    let token: Value = serde_json::from_str(&printed).unwrap();
    assert!(token["token"].as_str().unwrap().starts_with("amk_"), "{printed}");
    let stop: Value = serde_json::from_str(
        &done(data, "emergency-stop --scope fleet --reason storm --json").await,
    )
    .unwrap();
    assert_eq!((&stop["active"], &stop["reason"]), (&true.into(), &"storm".into()));
    done(data, "emergency-stop --scope fleet --clear").await;
    assert!(done(data, "verify").await.ends_with("ok\n"));
    // Nothing was looked at yet by a supervisor, so nothing is said to be ready.
    let output = amarktai(data, "check --json").await;
    assert_eq!(output.status.code(), Some(1));
    let parts: Value = serde_json::from_slice(&output.stdout).unwrap();
    let find = |name: &str| parts.as_array().unwrap().iter().find(|p| p["name"] == name).unwrap();
    assert_eq!(find("config")["status"], "ok");
    assert_eq!(find("engine")["status"], "not_ready");
    assert_eq!(find("feeds")["status"], "could_not_tell");
    server.stop().await;
    let reason = refused(data, "trades --listen 127.0.0.1:1").await;
    assert!(reason.contains("no server answers at 127.0.0.1:1"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_is_made_steered_and_asked_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let store = open(data);
    let server = Running::start(data, &store).await;
    let create = "bots create --name scout --exchange luno --symbol BTC/ZAR --strategy ema_cross \
                  --capital 5000";
    assert!(refused(data, create).await.contains("INSUFFICIENT_FUNDS"));
    done(data, "wallet deposit --exchange luno --currency ZAR --amount 10000").await;
    assert!(done(data, create).await.starts_with("scout (1): "));
    assert!(refused(data, create).await.contains("NAME_INVALID"));
    let sentence = done(data, "why scout").await;
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    let list = done(data, "bots list").await;
    assert!(list.starts_with("ID  NAME   EXCHANGE  SYMBOL"), "{list}");
    assert!(list.contains("scout") && list.contains(sentence.trim()), "{list}");
    let bot = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let paused = bot(done(data, "bots pause scout --json").await);
    assert_eq!(paused["holds"], serde_json::json!(["USER_PAUSED"]));
    let resumed = bot(done(data, "bots resume 1 --json").await);
    assert_eq!(resumed["holds"], serde_json::json!([]));
    let said = done(data, "emergency-stop --positions sell").await;
    assert!(said.contains("1 bots open nothing: scout"), "{said}");
    assert!(said.contains("0 positions are being sold"), "{said}");
    done(data, "emergency-stop --clear").await;
    let stopped = bot(done(data, "bots stop scout --positions sell --json").await);
    assert_eq!(stopped["lifecycle"], "stopped");
    assert!(done(data, "bots clone scout second").await.starts_with("second (2): "));
    let shown = done(data, "bots show second").await;
    assert!(shown.contains("\nname ") && shown.contains("ema_cross"), "{shown}");
    let one = amarktai(data, "bots list --limit 1 --json").await;
    assert_eq!(serde_json::from_slice::<Value>(&one.stdout).unwrap().as_array().unwrap().len(), 1);
    assert!(String::from_utf8(one.stderr).unwrap().contains("more: --after 1"));
    done(data, "bots retire scout").await;
    assert!(refused(data, "bots rearm second").await.contains("RISK_STOP"));
    let foreign = "bots create --name far --exchange kraken --symbol BTC/USD --strategy dca \
                   --capital 100 --json";
    assert_eq!(
        bot(done(data, foreign).await)["holds"],
        serde_json::json!(["UNSUPPORTED_EXCHANGE"])
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_is_named_with_its_origin() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let store = open(data);
    let server = Running::start(data, &store).await;
    let mut wrong = command(data, "bots list");
    wrong.env("AMARKTAI_TOKEN", "amk_wrong");
    let output = tokio::task::spawn_blocking(move || wrong.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let reason = String::from_utf8(output.stderr).unwrap();
    assert!(reason.contains("does not know the token of AMARKTAI_TOKEN"), "{reason}");
    server.stop().await;
}

struct Follower {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Follower {
    fn start(data: &Path, after: &str) -> Self {
        let line = format!("events --follow --json --after {after}");
        let mut child =
            command(data, &line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The bot of the next alert.
    fn next(&mut self) -> u64 {
        loop {
            let line = self.lines.next().unwrap().unwrap();
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["type"] == "alert" {
                return event["data"]["bot_id"].as_u64().unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_goes_on_over_a_restart_without_gap_or_double() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_owned();
    let store = open(&data);
    commit(&store, 1).await;
    commit(&store, 2).await;
    let server = Running::start(&data, &store).await;
    let page: Value = serde_json::from_str(&done(&data, "events --limit 1 --json").await).unwrap();
    let mut follower = Follower::start(&data, page[0]["cursor"].as_str().unwrap());
    let mut follower = tokio::task::spawn_blocking(move || {
        assert_eq!(follower.next(), 2);
        follower
    })
    .await
    .unwrap();
    server.stop().await;
    commit(&store, 3).await;
    // Another port and another token, as after every start.
    let server = Running::start(&data, &store).await;
    commit(&store, 4).await;
    let mut child = tokio::task::spawn_blocking(move || {
        assert_eq!([follower.next(), follower.next()], [3, 4]);
        // The lines end here, and with them the reader.
        follower.child
    })
    .await
    .unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0), "a reader that goes away is no failure");
    server.stop().await;
}
