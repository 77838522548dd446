//! All accounts and the markets they trade: one input in, facts out.

use crate::input::{Input, InputKind, Switches};
use crate::markets::{Change, Clock, Markets};
use crate::output::{FeedRecord, Output};
use crate::shard::{FleetWatch, Shard, Stop, World, world};
use domain::{Exchange, InstrumentId, MarketEvent, Policy, Span, Symbol, Timeframe, Timestamp};
use simulator::{Changed, LatencyModel};
use std::collections::BTreeSet;

/// What the core is started with and never changes while it runs.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Seed of the latency draws.
    pub seed: u64,
    /// Median round trip to an exchange, until measured.
    pub latency_ms_p50: f64,
    /// 99th percentile of it.
    pub latency_ms_p99: f64,
    /// The fleet's policy, version 1; afterwards the store wins.
    pub policy: Policy,
}

/// What the core needs from the exchanges to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Under this id, once it is interned; before, its [`InputKind::Instrument`] is wanted.
    pub id: Option<InstrumentId>,
    /// Of this market…
    pub exchange: Exchange,
    /// …and symbol; subscribe to it where that is not done yet.
    pub symbol: Symbol,
    /// The last print seen, to fetch what was missed since.
    pub resume: Option<(u64, Timestamp)>,
    /// Decimal places of prices and quantities that it keeps, whatever steps the exchange has now.
    pub scales: Option<(u8, u8)>,
    /// This many closed bars of these timeframes, to warm indicators; to be answered with
    /// [`InputKind::History`] in any case.
    pub history: Vec<(Timeframe, usize)>,
}

/// Between two looks at what no event brings.
const SUPERVISION: Span = Span::from_secs(10);

/// All accounts, their bots and the markets they trade.
pub struct Engine {
    pub(crate) config: EngineConfig,
    pub(crate) markets: Markets,
    pub(crate) latency: [LatencyModel; 3],
    pub(crate) switches: Switches,
    pub(crate) shards: Vec<Shard>,
    pub(crate) policy: (u32, Policy),
    pub(crate) policy_versions: u32,
    pub(crate) fleet_stop: Option<Stop>,
    pub(crate) fleet_watch: FleetWatch,
    pub(crate) now: Timestamp,
    /// Nothing is due before this.
    pub(crate) due: Timestamp,
    next_supervision: Timestamp,
    pub(crate) inputs: u64,
    pub(crate) is_dirty: bool,
    /// An account was stopped whose bots were not gone through yet.
    pub(crate) is_stopping: bool,
    wanted: BTreeSet<InstrumentId>,
    /// Scratch: what the event at hand changed.
    pub(crate) change: Change,
}

impl Engine {
    /// Without accounts.
    pub fn new(config: EngineConfig) -> Self {
        let model = LatencyModel::new(config.latency_ms_p50, config.latency_ms_p99);
        Self {
            policy: (1, config.policy.clone()),
            policy_versions: 1,
            config,
            markets: Markets::default(),
            latency: [model.clone(), model.clone(), model],
            switches: Switches::default(),
            shards: Vec::new(),
            fleet_stop: None,
            fleet_watch: FleetWatch::default(),
            now: Timestamp::EPOCH,
            due: Timestamp::EPOCH,
            next_supervision: Timestamp::EPOCH,
            inputs: 0,
            is_dirty: true,
            is_stopping: false,
            wanted: BTreeSet::new(),
            change: Change::default(),
        }
    }

    /// Takes one input; what follows from it is appended to `out`.
    pub fn apply(&mut self, input: &Input, out: &mut Vec<Output>) {
        // Input time never goes back, even when the wall clock does.
        let now = input.at.max(self.now);
        self.now = now;
        self.inputs += 1;
        if now >= self.due {
            self.run_due(now, out);
        }
        match &input.kind {
            InputKind::Market { instrument, event: MarketEvent::Print(print) } => {
                self.on_print(*instrument, print, now, out);
            }
            kind => self.take(kind, now, out),
        }
    }

    /// Whatever is no print: apart from it, so that a print finds a small function.
    #[inline(never)]
    fn take(&mut self, kind: &InputKind, now: Timestamp, out: &mut Vec<Output>) {
        match kind {
            InputKind::Market { instrument, event } => {
                self.on_market(*instrument, event, now, out);
            }
            InputKind::Timer => {}
            InputKind::Instrument(instrument) => {
                let id = self.markets.define(instrument);
                self.is_dirty = true;
                self.on_instrument(id, now, out);
                self.attach_all(now, out);
            }
            InputKind::History { instrument, timeframe, bars } => {
                self.on_history(*instrument, *timeframe, bars, now);
            }
            InputKind::Rate { base, quote, rate, source } => {
                self.is_dirty |= self.markets.import((*base, *quote), *rate, source, now);
            }
            InputKind::RoundTrip { exchange, span } => {
                self.latency[*exchange as usize].measure(*span);
            }
            InputKind::Clock { exchange, offset_lower, offset_upper } => {
                let (lower, upper) = (*offset_lower, *offset_upper);
                let clock = Clock { lower, upper, is_known: true };
                self.markets.clocks[*exchange as usize] = clock;
            }
            InputKind::Switches(switches) => {
                self.switches = switches.clone();
                self.sort_out_exchanges(now, out);
            }
            InputKind::Live(news) => {
                if let Some(account) = self.account_index(news.account) {
                    self.with_shard(account, now, |shard, world| shard.on_live(news, world, out));
                }
            }
            InputKind::Command(envelope) => self.on_command(envelope, now, out),
        }
    }

    /// An emergency stop was given: it binds, and the next input, whichever it is, takes orders
    /// back and holds bots. Until then the stop alone can be stored and answered: a thousand bots
    /// are no reason to wait for it.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    /// When a `Timer` input is due.
    pub fn next_deadline(&self) -> Timestamp {
        self.due
    }

    /// The id under which a market was interned.
    pub fn instrument_id(&self, exchange: Exchange, symbol: Symbol) -> Option<InstrumentId> {
        self.markets.id(exchange, symbol)
    }

    /// Takes one market into account before any input asks for it, as tests and tapes do.
    pub fn define(&mut self, instrument: &domain::Instrument) -> InstrumentId {
        self.markets.define(instrument)
    }

    /// Runs with an account and everything that it may see.
    pub(crate) fn with_shard<R>(
        &mut self,
        account: usize,
        now: Timestamp,
        run: impl FnOnce(&mut Shard, &World<'_>) -> R,
    ) -> R {
        let world = world!(self, now);
        let result = run(&mut self.shards[account], &world);
        self.due = self.due.min(self.shards[account].due_hint());
        result
    }

    fn on_market(
        &mut self,
        id: InstrumentId,
        event: &MarketEvent,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        if id.0 as usize >= self.markets.all.len() {
            return;
        }
        if let MarketEvent::Bar(bar) = event {
            return self.on_closed_bar(id, bar, now, out);
        }
        let exchange = self.markets.get(id).instrument.exchange;
        let clock = self.markets.clock(exchange);
        let market = self.markets.get_mut(id);
        self.change.clear();
        market.on_event(event, now, &mut self.change);
        market.keep_quote(now);
        if market.has_timed_bars {
            self.due = self.due.min(market.next_deadline(clock));
        }
        if self.change.feed_changed {
            self.tell_feed(id, now, out);
        }
        // The view is the same for every account, and one of thousands may have no interest here.
        let world = world!(self, now);
        for shard in self.shards.iter_mut().filter(|shard| shard.has_interest(id)) {
            tell(shard, id, event, &self.change, &world, out);
            self.due = self.due.min(shard.due_hint());
        }
    }

    fn tell_feed(&self, id: InstrumentId, now: Timestamp, out: &mut Vec<Output>) {
        let market = self.markets.get(id);
        out.push(Output::Feed(FeedRecord {
            instrument: id,
            exchange: market.instrument.exchange,
            symbol: market.instrument.symbol,
            state: market.feed.clone(),
            grade: market.grade,
            at: now,
        }));
    }

    /// Everything that time brings: arrivals at the simulated exchange, timers, closing bars.
    #[inline(never)]
    fn run_due(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        if self.is_stopping {
            self.finish_stops(now, out);
        }
        for id in 0..self.markets.all.len() {
            let id = InstrumentId(id as u32);
            let mut change = Change::default();
            let clock = self.markets.clock(self.markets.get(id).instrument.exchange);
            if self.markets.get(id).next_deadline(clock) <= now {
                self.markets.get_mut(id).on_time(now, clock, &mut change);
            }
            if now >= self.next_supervision {
                self.markets.get_mut(id).give_up_overdue(now, &mut change);
            }
            for account in 0..self.shards.len() {
                let shard = &self.shards[account];
                let has_bar = !change.closed.is_empty() && shard.has_interest(id);
                if has_bar || shard.next_arrival(id) <= now {
                    self.with_shard(account, now, |shard, world| {
                        shard.advance(id, world, out);
                        for (series, bar) in &change.closed {
                            shard.on_bar(id, *series, bar, true, world, out);
                        }
                    });
                }
            }
        }
        for account in 0..self.shards.len() {
            if self.shards[account].timers.first().is_none_or(|(at, _)| *at > now) {
                continue;
            }
            self.with_shard(account, now, |shard, world| {
                while let Some((at, due)) = shard.timers.first().copied() {
                    if at > now {
                        break;
                    }
                    shard.timers.pop_first();
                    shard.on_due(due, world, out);
                }
            });
        }
        if now >= self.next_supervision {
            self.next_supervision = now.floor(SUPERVISION) + SUPERVISION;
            for account in 0..self.shards.len() {
                self.with_shard(account, now, |shard, world| {
                    shard.supervise(world, out);
                    shard.watch_live(world, out);
                });
            }
            self.watch_fleet(now, out);
            self.watch_live_fleet(now, out);
            self.fly(now, out);
        }
        self.due = self.earliest(now);
    }

    /// The next time at which something is due, worked out anew.
    fn earliest(&self, now: Timestamp) -> Timestamp {
        let bars = self.markets.all.iter().map(|m| {
            let at = m.next_deadline(self.markets.clock(m.instrument.exchange));
            // A bar that waits for a stale feed is looked at again with the next event.
            if at <= now { Timestamp::MAX } else { at }
        });
        let shards = self.shards.iter().map(|shard| shard.next_due(now));
        bars.chain(shards).min().unwrap_or(Timestamp::MAX).min(self.next_supervision)
    }

    fn on_history(
        &mut self,
        id: InstrumentId,
        timeframe: Timeframe,
        bars: &[domain::Bar],
        now: Timestamp,
    ) {
        let Some(market) = self.markets.all.get_mut(id.0 as usize) else { return };
        let Some(series) = market.series.iter().position(|s| s.timeframe == timeframe) else {
            return;
        };
        market.series[series].warm(bars);
        market.is_dirty = true;
        for account in 0..self.shards.len() {
            if !self.shards[account].has_interest(id) {
                continue;
            }
            self.with_shard(account, now, |shard, world| {
                let slots = shard.interest(id).by_series.get(series).cloned().unwrap_or_default();
                for member in slots {
                    shard.replay(member.slot as usize, world);
                }
            });
        }
    }

    fn on_instrument(&mut self, id: InstrumentId, now: Timestamp, out: &mut Vec<Output>) {
        for account in 0..self.shards.len() {
            if self.shards[account].has_interest(id) {
                self.with_shard(account, now, |s, world| s.on_instrument(id, world, out));
            }
        }
    }

    /// What is to be done at exchanges: placed once the batch that holds it is stored, cancelled at
    /// once.
    pub fn take_live(&mut self) -> Vec<crate::LiveAction> {
        let shards = self.shards.iter_mut();
        shards.flat_map(|shard| std::mem::take(&mut shard.leaving_live)).collect()
    }

    /// The instruments of an exchange that are known here, by their ids.
    pub fn instruments(&self, exchange: Exchange) -> Vec<(InstrumentId, domain::Instrument)> {
        let all = self.markets.all.iter().enumerate();
        let here = all.filter(|(_, market)| market.instrument.exchange == exchange);
        here.map(|(id, market)| (InstrumentId(id as u32), market.instrument.clone())).collect()
    }

    /// Real orders of an account at an exchange that are not final in our books, and since when.
    pub fn live_open(
        &self,
        account: domain::AccountId,
        exchange: Exchange,
    ) -> Vec<crate::LiveOpen> {
        let Some(at) = self.account_index(account) else { return Vec::new() };
        let shard = &self.shards[at];
        let here = shard.live_bots().map(|(_, bot)| bot);
        let here = here.filter(|bot| bot.books.exchange == exchange);
        let of = |bot: &crate::bot::Bot, order: &crate::bot::OpenOrder| {
            let instrument = bot.fixed.instrument?;
            let scale = &self.markets.get(instrument).instrument;
            Some(crate::LiveOpen {
                id: order.id,
                instrument,
                created_at: order.created_at,
                filled: scale.quantity_amount(order.filled),
                is_cancelled: order.cancel_sent,
            })
        };
        here.flat_map(|bot| bot.open.iter().filter_map(move |order| of(bot, order))).collect()
    }

    /// What must be asked of the exchanges now; each want is told until it is answered.
    pub fn wants(&mut self) -> Vec<Want> {
        let mut wants = Vec::new();
        for shard in &self.shards {
            for bot in shard.bots.iter().filter(|b| b.fixed.instrument.is_none()) {
                let is_alive = bot.record.lifecycle != domain::Lifecycle::Retired;
                let Some(exchange) = Exchange::parse(&bot.config().exchange) else { continue };
                if is_alive && self.is_supported(exchange.name()) {
                    let symbol = bot.config().symbol;
                    let history = Vec::new();
                    let (resume, scales) = (None, None);
                    wants.push(Want { id: None, exchange, symbol, resume, history, scales });
                }
            }
        }
        for (exchange, symbol) in self.rates_wanted() {
            let (id, resume, history, scales) = (None, None, Vec::new(), None);
            wants.push(Want { id, exchange, symbol, resume, history, scales });
        }
        for (at, market) in self.markets.all.iter().enumerate() {
            let id = InstrumentId(at as u32);
            let history: Vec<_> = market
                .series
                .iter()
                .filter(|s| s.awaits_history)
                .map(|s| (s.timeframe, self.bars_needed(id, s.timeframe)))
                .collect();
            let is_new = self.wanted.insert(id);
            if is_new || !history.is_empty() {
                let resume = market.last_print.map(|p| (p.id, p.at));
                let (exchange, symbol) = (market.instrument.exchange, market.instrument.symbol);
                let i = &market.instrument;
                let scales = Some((i.price_scale, i.quantity_scale));
                wants.push(Want { id: Some(id), exchange, symbol, resume, history, scales });
            }
        }
        wants
    }

    /// Markets that would tell what an account's money is worth in its reporting currency, where
    /// no market does so yet.
    fn rates_wanted(&self) -> BTreeSet<(Exchange, Symbol)> {
        let mut wanted = BTreeSet::new();
        for shard in &self.shards {
            let to = shard.record.reporting_currency;
            let held = shard.ledger.wallets().map(|(key, _)| (key.2, key.1));
            for (from, home) in held.collect::<BTreeSet<_>>() {
                if from != to && !self.markets.has_path(from, to) {
                    wanted.extend(crate::rates::wanted(from, to, home));
                }
            }
        }
        // One that is known was answered: what it lacks, asking for its name again does not bring.
        wanted.retain(|(exchange, symbol)| {
            self.is_supported(exchange.name()) && self.markets.id(*exchange, *symbol).is_none()
        });
        wanted
    }

    /// Bars that the hungriest bot of a series needs, with some to spare for pages.
    fn bars_needed(&self, id: InstrumentId, timeframe: Timeframe) -> usize {
        let bots = self.shards.iter().flat_map(|s| &s.bots);
        let here =
            bots.filter(|b| b.fixed.instrument == Some(id) && b.config().timeframe == timeframe);
        let needed = here.filter_map(|b| b.fixed.params.as_ref()).map(strategy::warm_up_bars);
        needed.max().unwrap_or(0).max(60)
    }
}

/// Tells an account what happened on a market that it trades.
pub(crate) fn tell(
    shard: &mut Shard,
    id: InstrumentId,
    event: &MarketEvent,
    change: &Change,
    world: &World<'_>,
    out: &mut Vec<Output>,
) {
    // Mostly nothing rests, is under way or is guarded: no price matters then.
    let is_price = !matches!(event, MarketEvent::Feed { .. } | MarketEvent::Gap { .. });
    if !is_price || shard.waits_for_price(id, world.markets.get(id)) {
        tell_venue(shard, id, event, change, world, out);
    }
    for (series, bar) in &change.closed {
        shard.on_bar(id, *series, bar, !change.is_backfill, world, out);
    }
}

/// What an event does to orders that rest or are under way, and to what is guarded.
#[inline(never)]
fn tell_venue(
    shard: &mut Shard,
    id: InstrumentId,
    event: &MarketEvent,
    change: &Change,
    world: &World<'_>,
    out: &mut Vec<Output>,
) {
    match event {
        MarketEvent::Print(print) => shard.on_print(id, print, world, out),
        MarketEvent::Touch(touch) => shard.on_book(id, Changed::Touch(touch), world, out),
        MarketEvent::Book(update) if update.is_snapshot => {
            shard.on_book(id, Changed::All, world, out);
        }
        MarketEvent::Book(update) => {
            let changed = Changed::Levels { bids: &update.bids, asks: &update.asks };
            shard.on_book(id, changed, world, out);
        }
        MarketEvent::Feed { state, .. } if change.feed_changed => {
            // A book comes before the word that it may be used: queues and takes see it now.
            if state.is_fresh() {
                shard.on_book(id, Changed::All, world, out);
            }
            shard.on_feed(id, world, out);
        }
        MarketEvent::Gap { .. } => shard.on_gap(id),
        MarketEvent::Withdrawn(withdrawn) => shard.on_withdrawn(id, withdrawn, world, out),
        MarketEvent::Feed { .. } | MarketEvent::Bar(_) => {}
    }
    shard.on_bid(id, world, out);
}
