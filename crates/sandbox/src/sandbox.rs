//! Starting and stopping the servers.

use crate::binance;
use crate::clock::Clock;
use crate::config::{SandboxConfig, SandboxError};
use crate::core::{self, Core, State};
use crate::faults::FaultControl;
use crate::model::catalogue::{self, ASSETS, Spec};
use crate::model::world::{Prices, World, asset};
use crate::player::Player;
use crate::private::Desk;
use crate::tape::Tape;
use crate::{control, kucoin, luno};
use axum::Router;
use domain::Exchange;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How long sockets get to say farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where one exchange is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeUrls {
    /// `http://…`, without a slash at the end.
    pub rest_url: String,
    /// `ws://…`, without a slash at the end and without a path.
    pub stream_url: String,
}

impl ExchangeUrls {
    fn at(address: SocketAddr) -> Self {
        Self { rest_url: format!("http://{address}"), stream_url: format!("ws://{address}") }
    }
}

/// Where everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Binance, KuCoin, Luno, in this order.
    pub exchanges: [ExchangeUrls; 3],
    /// Faults and status.
    pub control_url: String,
}

/// Running servers. Dropping it stops them.
pub struct Sandbox {
    pub(crate) core: Arc<Core>,
    tasks: JoinSet<()>,
    addresses: Addresses,
}

/// Builds the market and starts the servers.
///
/// # Errors
/// When the configuration is none, a port is taken or the tape cannot be read.
pub async fn start(config: SandboxConfig) -> Result<Sandbox, SandboxError> {
    config.check()?;
    let faults = FaultControl::new(config.seed);
    for fault in &config.faults {
        faults.add(fault.clone())?;
    }
    let ports = config.ports;
    let mut listeners = Vec::new();
    for (name, port) in [
        ("binance", ports.binance),
        ("kucoin", ports.kucoin),
        ("luno", ports.luno),
        ("control", ports.control),
    ] {
        listeners.push(bind(name, config.listen, port).await?);
    }
    let core = Arc::new(build(&config, faults)?);
    let mut tasks = JoinSet::new();
    tasks.spawn(core::drive(Arc::clone(&core)));
    let routers = [
        binance::router(Arc::clone(&core)),
        kucoin::router(Arc::clone(&core)),
        luno::router(Arc::clone(&core)),
        control::router(Arc::clone(&core)),
    ];
    let mut urls = Vec::new();
    for ((listener, address), router) in listeners.into_iter().zip(routers) {
        urls.push(ExchangeUrls::at(address));
        tasks.spawn(answer(listener, router, Arc::clone(&core)));
    }
    let [binance, kucoin, luno, control] = &urls[..] else {
        unreachable!("four listeners were bound above")
    };
    let exchanges = [binance.clone(), kucoin.clone(), luno.clone()];
    let addresses = Addresses { exchanges, control_url: control.rest_url.clone() };
    Ok(Sandbox { core, tasks, addresses })
}

/// Starts the servers, reports where they are, and runs until `shutdown` ends.
///
/// # Errors
/// As [`start`].
pub async fn serve(
    config: SandboxConfig,
    started: impl FnOnce(&Addresses),
    shutdown: impl Future<Output = ()>,
) -> Result<(), SandboxError> {
    let sandbox = start(config).await?;
    started(&sandbox.addresses);
    shutdown.await;
    sandbox.close().await;
    Ok(())
}

fn build(config: &SandboxConfig, faults: FaultControl) -> Result<Core, SandboxError> {
    let tape = config.tape.as_deref().map(Tape::open).transpose()?;
    let mut specs = catalogue::all();
    let mut usd = ASSETS.map(|(_, usd)| usd);
    let taped = match &tape {
        Some(tape) => Some(fit(tape, &mut specs, &mut usd)?),
        None => None,
    };
    // The clock starts after the tape was read: reading must not use up its beginning.
    let clock = Clock::start(config.speed);
    let now = clock.origin();
    let history = i64::try_from(config.history.as_nanos()).unwrap_or(i64::MAX);
    let mut world = World::new(config.seed, specs, &usd, now, history);
    let player = tape.zip(taped).map(|(tape, index)| {
        let player = Player::new(tape, index, config.looped, now);
        if let Some(market) = world.market_mut(index) {
            market.hand_over();
            player.open(market);
        }
        player
    });
    let binance = binance::Feed::new(&world, now);
    let kucoin = kucoin::Feed::new(&world, now);
    let luno = luno::Feed::new(&world);
    let desk = Desk::new(&config.accounts, &world);
    let state = State { world, binance, kucoin, luno, player, desk, told: 0, reached: now };
    Ok(Core::new(clock, faults, config.heartbeat, state))
}

/// Fits the catalogue to a tape: its ticks and lots, and the price at which it begins, so that
/// the other markets agree with it at the start. Returns the taped market's place.
fn fit(tape: &Tape, specs: &mut [Spec], usd: &mut Prices) -> Result<usize, SandboxError> {
    let same = |s: &Spec| s.exchange == Exchange::Binance && s.native == tape.symbol;
    let missing = || SandboxError::TapeSymbol(tape.symbol.clone());
    let index = specs.iter().position(same).ok_or_else(missing)?;
    let spec = &mut specs[index];
    (spec.price_places, spec.quantity_places) = (tape.price_places, tape.quantity_places);
    let begins = tape.first_price().unwrap_or_default() as f64;
    if let Some(base) = asset(spec.symbol.base.as_str()).filter(|_| begins > 0.0) {
        usd[base] = begins / 10_f64.powi(i32::from(tape.price_places));
    }
    Ok(index)
}

async fn bind(
    server: &'static str,
    ip: IpAddr,
    port: u16,
) -> Result<(TcpListener, SocketAddr), SandboxError> {
    let address = SocketAddr::new(ip, port);
    let wrong = |source| SandboxError::Listen { server, address: address.to_string(), source };
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    let bound = listener.local_addr().map_err(wrong)?;
    Ok((listener, bound))
}

async fn answer(listener: TcpListener, router: Router, core: Arc<Core>) {
    let mut stop = core.stopped();
    let stopped = async move {
        let _ = stop.wait_for(|s| *s).await;
    };
    // Accepting goes on over errors by itself; the task ends with the sandbox.
    let _ = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
}

impl Sandbox {
    /// Where an exchange is.
    pub fn urls(&self, exchange: Exchange) -> ExchangeUrls {
        self.addresses.exchanges[exchange as usize].clone()
    }

    /// Where faults and status are.
    pub fn control_url(&self) -> String {
        self.addresses.control_url.clone()
    }

    /// Where everything is.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The switchboard of faults.
    pub fn faults(&self) -> FaultControl {
        self.core.faults.clone()
    }

    /// What trades here.
    pub fn markets(&self) -> Vec<Spec> {
        self.core.state().world.markets().iter().map(|m| m.spec.clone()).collect()
    }

    /// Stops the servers; sockets get a moment for their farewell.
    pub async fn close(mut self) {
        self.core.stop();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // Whatever does not end by itself is aborted when the set is dropped.
        let _ = tokio::time::timeout(FAREWELL, all).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.core.stop();
    }
}
