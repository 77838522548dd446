//! A server on a real socket with a run loop that a test scripts.

use domain::{
    AccountId, Amount, Exchange, FeeSchedule, Instrument, InstrumentStatus, Policy, Price,
    Quantity, Rate, Timestamp,
};
use engine::{
    Command, CommandError, Engine, EngineConfig, Envelope, Input, InputKind, Output, Reply,
};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use server::{AppState, Core, CoreRequest, Role, ServerConfig, new_token, token_digest};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storage::{Batch, ControlWrite, NewToken, Store, StoreOptions};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

pub(crate) const SETUP_CODE: &str = "correct-horse";

type Script = Arc<Mutex<Box<dyn FnMut(&Command) -> Option<Result<Reply, CommandError>> + Send>>>;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) state: AppState,
    pub(crate) commands: Arc<AtomicUsize>,
    pub(crate) script: Script,
    pub(crate) admin: String,
    pub(crate) trader: String,
    pub(crate) viewer: String,
    pub(crate) store: Store,
    pub(crate) dir: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) served: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
}

pub(crate) fn config() -> ServerConfig {
    ServerConfig {
        version: "0.1.0".into(),
        mode_label: Some("DEMO".into()),
        realtime_enabled: true,
        public_url: None,
        trusted_proxies: Vec::new(),
        listen: "127.0.0.1:0".parse().unwrap(),
        flags: serde_json::json!({ "ENABLE_TRADING": true, "ENABLE_BODYGUARD": true }),
        heartbeat: Duration::from_secs(10),
        reporting_currency: "ZAR".parse().unwrap(),
        data_dir: "data".into(),
    }
}

pub(crate) fn engine() -> Engine {
    Engine::new(EngineConfig {
        seed: 1,
        latency_ms_p50: 60.0,
        latency_ms_p99: 250.0,
        policy: Policy::default(),
    })
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(config()).await
    }

    pub(crate) async fn start_with(config: ServerConfig) -> Self {
        Self::over(config, tempfile::tempdir().unwrap(), |_| ()).await
    }

    /// With something that the binary brings.
    pub(crate) async fn with_state(change: impl FnOnce(&mut AppState)) -> Self {
        Self::over(config(), tempfile::tempdir().unwrap(), change).await
    }

    /// Ends, and starts again over the same store.
    pub(crate) async fn restart(mut self) -> Self {
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        let _ = self.stop.take().unwrap().send(());
        self.served.take().unwrap().await.unwrap().unwrap();
        let Self { state, store, .. } = self;
        drop(state);
        tokio::task::spawn_blocking(move || store.close()).await.unwrap().unwrap();
        Self::over(config(), dir, |_| ()).await
    }

    async fn over(
        config: ServerConfig,
        dir: tempfile::TempDir,
        change: impl FnOnce(&mut AppState),
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (sender, receiver) = mpsc::channel(64);
        let commands = Arc::new(AtomicUsize::new(0));
        let script: Script = Arc::new(Mutex::new(Box::new(|_| None)));
        let path = dir.path().join("amarktai.db");
        let (store, _) = Store::open(&path, StoreOptions::default()).unwrap();
        run_loop(receiver, commands.clone(), script.clone(), store.clone());
        let code = ControlWrite::SetupCode(Some(storage::secret_hash(SETUP_CODE)));
        store.control(code).unwrap().answer_async().await.unwrap();
        let mut state = AppState::new(Core::new(sender), store.clone(), config);
        change(&mut state);
        let admin = token(&store, "root", Role::Admin, AccountId(1)).await;
        let trader = token(&store, "tom", Role::Trader, AccountId(1)).await;
        let viewer = token(&store, "vera", Role::Viewer, AccountId(1)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let served = tokio::spawn(server::serve(listener, state.clone(), shutdown));
        Self {
            address,
            client: Client::builder().no_proxy().build().unwrap(),
            state,
            commands,
            script,
            admin,
            trader,
            viewer,
            store,
            dir,
            stop: Some(stop),
            served: Some(served),
        }
    }

    /// A new token in the store.
    pub(crate) async fn token(&self, name: &str, role: Role, account: AccountId) -> String {
        token(&self.store, name, role, account).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn ask(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.client.request(method, self.url(path));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Response {
        self.ask(Method::GET, path, token).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Response {
        self.ask(Method::POST, path, token).json(body).send().await.unwrap()
    }

    /// Answers commands instead of the engine.
    pub(crate) fn answer(
        &self,
        mut script: impl FnMut(&Command) -> Result<Reply, CommandError> + Send + 'static,
    ) {
        *self.script.lock().unwrap() = Box::new(move |command| Some(script(command)));
    }

    pub(crate) fn commands(&self) -> usize {
        self.commands.load(Ordering::SeqCst)
    }

    /// Stores facts and waits until they are told.
    pub(crate) async fn commit(&self, outputs: Vec<Output>) {
        let batch = Batch { outputs, ..Batch::default() };
        self.store.commit(batch).unwrap().wait_async().await.unwrap();
    }

    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.served.take().unwrap().await.unwrap().unwrap();
    }
}

async fn token(store: &Store, name: &str, role: Role, account: AccountId) -> String {
    let token = new_token();
    let row = NewToken {
        name: name.into(),
        account_id: Some(account),
        role,
        hash: token_digest(&token),
        created_at: Timestamp::EPOCH,
    };
    // After a restart the name is taken, by a token whose text nobody knows: make another.
    let row =
        match store.control(ControlWrite::CreateToken(row.clone())).unwrap().answer_async().await {
            Ok(_) => return token,
            Err(_) => NewToken { name: format!("{name} again"), ..row },
        };
    store.control(ControlWrite::CreateToken(row)).unwrap().answer_async().await.unwrap();
    token
}

/// A small run loop: the real engine, committed to the real store before anything is answered.
fn run_loop(
    mut receiver: mpsc::Receiver<CoreRequest>,
    commands: Arc<AtomicUsize>,
    script: Script,
    store: Store,
) {
    std::thread::spawn(move || {
        let mut engine = engine();
        engine.apply(&Input { at: AT, kind: InputKind::Instrument(instrument()) }, &mut Vec::new());
        while let Some(request) = receiver.blocking_recv() {
            match request {
                CoreRequest::Query(ask) => ask(&engine)(),
                CoreRequest::Command { account, actor, command, reply } => {
                    let id = commands.fetch_add(1, Ordering::SeqCst) as u64;
                    let scripted = (script.lock().unwrap())(&command);
                    let envelope = Envelope { id, actor, account, command };
                    let result =
                        scripted.unwrap_or_else(|| carry_out(&mut engine, &store, envelope));
                    let _ = reply.send(result);
                }
            }
        }
    });
}

const AT: Timestamp = Timestamp(1_700_000_000_000_000_000);

fn carry_out(
    engine: &mut Engine,
    store: &Store,
    envelope: Envelope,
) -> Result<Reply, CommandError> {
    let mut outputs = Vec::new();
    engine.apply(&Input { at: AT, kind: InputKind::Command(envelope) }, &mut outputs);
    if engine.is_stopping() {
        engine.apply(&Input { at: AT, kind: InputKind::Timer }, &mut outputs);
    }
    let result = outputs.iter().find_map(|output| match output {
        Output::Reply { result, .. } => Some(result.clone()),
        _ => None,
    });
    let batch = Batch { outputs, states: engine.take_dirty(), ..Batch::default() };
    store.commit(batch).unwrap().wait().unwrap();
    result.unwrap()
}

fn instrument() -> Instrument {
    Instrument {
        exchange: Exchange::Luno,
        symbol: "BTC/ZAR".parse().unwrap(),
        native: "XBTZAR".into(),
        status: InstrumentStatus::Trading,
        price_scale: 8,
        quantity_scale: 8,
        tick_size: Price(100_000_000),
        lot_size: Quantity(100),
        min_quantity: Quantity(100),
        max_quantity: Quantity(10_000_000_000),
        max_market_quantity: None,
        min_price: None,
        max_price: None,
        min_notional: Amount::from_int(10),
        max_notional: None,
        percent_band: None,
        max_open_orders: None,
        fees: FeeSchedule {
            maker: Rate::from_bp(40),
            taker: Rate::from_bp(60),
            in_received: true,
            places: 8,
            source: "table".into(),
        },
    }
}

/// The body of a problem, checked for its form.
pub(crate) async fn problem(response: Response, status: StatusCode, code: &str) -> Value {
    let found = response.status();
    let kind = response.headers().get("content-type").map(|v| v.to_str().unwrap().to_owned());
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    assert_eq!(kind.as_deref(), Some("application/problem+json"), "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["code"], code, "{text}");
    assert_eq!(json["status"], status.as_u16());
    for member in ["type", "title", "detail"] {
        assert!(json[member].is_string(), "{member} of {text}");
    }
    json
}
