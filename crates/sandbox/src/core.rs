//! The one state behind all servers, and the driver that moves it with the clock.

use crate::binance;
use crate::clock::Clock;
use crate::faults::FaultControl;
use crate::hub::{Frame, Hub};
use crate::kucoin;
use crate::luno;
use crate::model::world::World;
use crate::player::Player;
use crate::private::{Deeds, Desk, Event};
use domain::Exchange;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How often the driver looks at the clock: KuCoin's fastest book stream has this pace.
const TICK: Duration = Duration::from_millis(10);
/// Longest stretch of simulated time in one go: feeds that work by 100 ms must see each.
const STRETCH: i64 = 100_000_000;
/// Most stretches in one go; a machine that slept catches up over several ticks.
const STRETCHES_MAX: usize = 200;

/// What the driver owns and the handlers read.
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) binance: binance::Feed,
    pub(crate) kucoin: kucoin::Feed,
    pub(crate) luno: luno::Feed,
    pub(crate) player: Option<Player>,
    pub(crate) desk: Desk,
    /// Messages of user streams so far: their sequence number.
    pub(crate) told: u64,
    /// How far the world has come.
    pub(crate) reached: i64,
}

/// Shared by everything.
pub(crate) struct Core {
    pub(crate) clock: Clock,
    pub(crate) faults: FaultControl,
    pub(crate) heartbeat: Duration,
    hubs: [Arc<Hub>; 3],
    state: Mutex<State>,
    stop: watch::Sender<bool>,
}

impl Core {
    pub(crate) fn new(
        clock: Clock,
        faults: FaultControl,
        heartbeat: Duration,
        state: State,
    ) -> Self {
        let hubs = std::array::from_fn(|_| Arc::new(Hub::new()));
        let (state, stop) = (Mutex::new(state), watch::Sender::new(false));
        Self { clock, faults, heartbeat, hubs, state, stop }
    }

    pub(crate) fn hub(&self, exchange: Exchange) -> Arc<Hub> {
        Arc::clone(&self.hubs[exchange as usize])
    }

    /// Everything, for a short while. Never held over an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent after every command; a panic in a handler does not change it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time an exchange shows: the clock and, on demand, an error of its own.
    pub(crate) fn now(&self, exchange: Exchange) -> i64 {
        self.clock.now() + self.faults.clock_offset(exchange)
    }

    pub(crate) fn stopped(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Moves everything to the clock's time and sends what that brought.
    pub(crate) fn step(&self) {
        self.faults.refresh();
        let target = self.clock.now();
        let mut state = self.state();
        for _ in 0..STRETCHES_MAX {
            if state.reached >= target {
                return;
            }
            let grid = state.reached - state.reached.rem_euclid(STRETCH) + STRETCH;
            self.stretch(&mut state, target.min(grid));
        }
    }

    fn stretch(&self, state: &mut State, to: i64) {
        let State { world, binance, kucoin, luno, player, reached, desk, told } = state;
        let hubs = &self.hubs;
        let mut binance = binance.start(&hubs[Exchange::Binance as usize], &self.faults);
        let mut kucoin = kucoin.start(&hubs[Exchange::Kucoin as usize], &self.faults);
        let mut luno = luno.start(&hubs[Exchange::Luno as usize], &self.faults);
        let mut deeds = Deeds::default();
        world.advance(to, &mut |index, market, change| {
            for print in &change.prints {
                desk.passive(index, print, &mut deeds);
            }
            match market.spec.exchange {
                Exchange::Binance => binance.change(index, market, change),
                Exchange::Kucoin => kucoin.change(index, market, change),
                Exchange::Luno => luno.change(index, market, change),
            }
        });
        if let Some(player) = player
            && let index = player.market
            && let Some(market) = world.market_mut(index)
        {
            player.advance(to, market, &mut |m, played| binance.played(index, m, played));
        }
        world.roll(to);
        binance.flush(world, to);
        kucoin.flush(world, to);
        luno.flush();
        *reached = to;
        self.tell(desk, &deeds.events, told);
    }

    /// Something that an account does: what it changes in public and in private is shown at once,
    /// under the same lock, so that no snapshot is taken in between.
    pub(crate) fn act<T>(
        &self,
        exchange: Exchange,
        deed: impl FnOnce(&mut Desk, &mut World, i64) -> (T, Deeds),
    ) -> T {
        let state = &mut *self.state();
        let State { world, binance, kucoin, luno, reached, desk, told, .. } = state;
        let (result, deeds) = deed(desk, world, *reached);
        let (hub, at) = (&self.hubs[exchange as usize], *reached);
        let shown = |index: usize| world.markets().get(index);
        macro_rules! show {
            ($feed:expr) => {{
                let mut stretch = $feed.start(hub, &self.faults);
                for (index, change) in &deeds.changes {
                    if let Some(market) = shown(*index) {
                        stretch.change(*index, market, change);
                    }
                }
                stretch
            }};
        }
        match exchange {
            Exchange::Binance => show!(binance).flush(world, at),
            Exchange::Kucoin => show!(kucoin).flush(world, at),
            Exchange::Luno => show!(luno).flush(),
        }
        self.tell(desk, &deeds.events, told);
        result
    }

    /// Sends what accounts are to know to their user streams.
    fn tell(&self, desk: &Desk, events: &[Event], told: &mut u64) {
        for event in events {
            let exchange = desk.accounts[event.account].spec.exchange;
            let offset = self.faults.clock_offset(exchange);
            let bodies = match exchange {
                Exchange::Binance => binance::tell(desk, event, offset),
                Exchange::Kucoin => kucoin::tell(desk, event, offset),
                Exchange::Luno => luno::tell(desk, event, offset),
            };
            let key: Arc<str> = user_stream(event.account).into();
            let frame = |body: String| {
                *told += 1;
                let symbol = Arc::clone(&key);
                Frame { key: Arc::clone(&key), symbol, seq: *told, book: false, body }
            };
            self.hub(exchange).send(bodies.into_iter().map(frame).collect());
        }
    }
}

/// The name of an account's user stream.
pub(crate) fn user_stream(account: usize) -> String {
    format!("user/{account}")
}

/// Runs until the core is stopped.
pub(crate) async fn drive(core: Arc<Core>) {
    let mut stop = core.stopped();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = stop.wait_for(|s| *s) => return,
            _ = tick.tick() => core.step(),
        }
    }
}
