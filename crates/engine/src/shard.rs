//! One account: its bots, money, simulated exchange and triggers. One writer, no sharing.

use crate::bot::Bot;
use crate::day_sum::DaySums;
use crate::live::{Desk, LiveAction};
use crate::markets::{Clock, Market, Markets};
use crate::output::{AccountRecord, EmergencyRecord, Output, WalletRecord};
use crate::pass::Pass;
use crate::trigger::Triggers;
use crate::watch::{Judged, Warned, WatchDay};
use crate::{EngineConfig, Switches};
use domain::{
    Actor, Amount, BotId, Currency, Exchange, FeedState, InstrumentId, Lifecycle, Mode, Policy,
    Price, Quantity, Rate, Round, Span, StopChoice, Timestamp,
};
use ledger::Ledger;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use simulator::{LatencyModel, MarketState, SimEvent, Venue};
use std::collections::BTreeSet;

/// Between two looks at what is due and waits for its market.
const WAITING_LOOK: Span = Span::from_millis(50);

/// What every account sees beside its own.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) config: &'a EngineConfig,
    pub(crate) markets: &'a Markets,
    pub(crate) switches: &'a Switches,
    pub(crate) latency: &'a [LatencyModel; 3],
    /// The fleet's policy and its version.
    pub(crate) policy: (u32, &'a Policy),
    pub(crate) fleet_stop: Option<StopChoice>,
    pub(crate) fleet: &'a FleetWatch,
    pub(crate) now: Timestamp,
}

/// The world as an engine sees it now: its fields, not all of it, so that an account may change.
macro_rules! world {
    ($engine:expr, $now:expr) => {
        $crate::shard::World {
            config: &$engine.config,
            markets: &$engine.markets,
            switches: &$engine.switches,
            latency: &$engine.latency,
            policy: ($engine.policy.0, &$engine.policy.1),
            fleet_stop: $engine.fleet_stop.as_ref().map(|s| s.choice),
            fleet: &$engine.fleet_watch,
            now: $now,
        }
    };
}
pub(crate) use world;

/// What is watched above the accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct FleetWatch {
    pub(crate) day: WatchDay,
    /// A currency that the fleet's sum lacks a rate for.
    pub(crate) rate_unknown: Option<Currency>,
    /// Of real money.
    pub(crate) live_day: WatchDay,
}

/// An account's own policy, else the fleet's.
pub(crate) fn in_force<'a>(
    own: Option<&'a (u32, Policy)>,
    fleet: (u32, &'a Policy),
) -> (u32, &'a Policy) {
    own.map_or(fleet, |(version, policy)| (*version, policy))
}

/// The emergency stop while it is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub(crate) choice: StopChoice,
    pub(crate) reason: String,
    pub(crate) by: Actor,
    pub(crate) since: Timestamp,
}

impl Stop {
    /// The stop as it is told; `None`: it is off.
    pub(crate) fn record(
        stop: Option<&Self>,
        account_id: Option<domain::AccountId>,
        at: Timestamp,
    ) -> EmergencyRecord {
        EmergencyRecord {
            account_id,
            active: stop.is_some(),
            reason: stop.map(|s| s.reason.clone()),
            by: stop.map(|s| s.by.clone()),
            since: stop.map(|s| s.since),
            at,
        }
    }
}

/// A bot of a series, and what is enough to know that a trade is nothing to it: a thousand bots are
/// looked at on every trade, and most of them need no more than these few bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) slot: u32,
    /// `None`: look at the bot.
    pub(crate) quiet: Option<Quiet>,
}

/// A cross that was decided: nothing follows while the figures stay as they are to one another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quiet {
    pub(crate) figures: [market::Slot; 2],
    pub(crate) side: strategy::Quiet,
}

/// What an account has on one instrument.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interest {
    pub(crate) venue: Venue,
    pub(crate) venue_dirty: bool,
    pub(crate) triggers: Triggers,
    /// Slots of the bots that decide on each series' bars.
    pub(crate) by_series: Vec<Vec<Member>>,
    /// Slots of all bots here.
    pub(crate) bots: Vec<u32>,
    /// Slots of live bots whose orders have shadows here.
    pub(crate) shadows: Vec<u32>,
    /// Bots that want to be flat.
    pub(crate) exiting: BTreeSet<u32>,
}

impl Interest {
    /// See [`Shard::waits_for_price`].
    #[inline]
    fn waits_for_price(&self, market: &Market) -> bool {
        let is_quiet =
            || market.book.best_bid().is_none_or(|bid| self.triggers.is_quiet(bid.price));
        !(self.venue.is_idle()
            && self.venue.has_taken_nothing()
            && self.exiting.is_empty()
            && self.shadows.is_empty()
            && (self.triggers.is_empty() || is_quiet()))
    }
}

/// What is due at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A position was held long enough.
    TimeExit(u32),
    /// An exit is tried again.
    RetryExit(u32),
    /// A cooldown ends.
    Cooldown(u32),
    /// A risk stop re-arms.
    Rearm(u32),
}

/// See the module.
pub(crate) struct Shard {
    pub(crate) record: AccountRecord,
    pub(crate) ledger: Ledger,
    pub(crate) policy: Option<(u32, Policy)>,
    pub(crate) stop: Option<Stop>,
    /// It was stopped, and its bots were not gone through yet.
    pub(crate) unstopped: Option<(StopChoice, Actor)>,
    /// What the autopilot did.
    pub(crate) autopilot: crate::autopilot::Log,
    pub(crate) bots: Vec<Bot>,
    pub(crate) slots: FxHashMap<BotId, u32>,
    /// Slots of the bots that trade real money.
    pub(crate) live: BTreeSet<u32>,
    pub(crate) interests: Vec<Option<Box<Interest>>>,
    pub(crate) timers: BTreeSet<(Timestamp, Due)>,
    /// Times of the newest orders per exchange: the order rate.
    pub(crate) sent: [std::collections::VecDeque<Timestamp>; 3],
    /// Earliest of what was added to the timers and sent to the exchange.
    pub(crate) due_hint: Timestamp,
    pub(crate) is_dirty: bool,
    pub(crate) dirty_bots: Vec<u32>,
    pub(crate) trades_today: (Timestamp, u64),
    pub(crate) trades_refused: u64,
    /// The newest time of the grid at which equity was told.
    pub(crate) sampled_at: Timestamp,
    /// The day and its breaker.
    pub(crate) watch: WatchDay,
    /// The same of real money.
    pub(crate) live_day: WatchDay,
    /// What was warned of.
    pub(crate) warned: BTreeSet<Warned>,
    /// The day's sums as the last pass saw them.
    pub(crate) sums: DaySums,
    /// What the last pass left.
    pub(crate) pass: Pass,
    /// Bots that changed since.
    pub(crate) changed: Vec<u32>,
    /// What was judged last: the same figures give the same verdict.
    pub(crate) judged: Option<Judged>,
    /// Scratch for the simulated exchange's answers: no allocation per event.
    pub(crate) answers: Vec<SimEvent>,
    /// The price at which an exit fires inside the closed bar that is being worked off…
    pub(crate) price_in_bar: Option<Price>,
    /// …and its order, once approved.
    pub(crate) leaving: Option<(risk::ApprovedOrder, Price)>,
    /// The account at each exchange.
    pub(crate) desks: [Desk; 3],
    /// What is to be done there.
    pub(crate) leaving_live: Vec<LiveAction>,
    /// What chance alone would show among so many tries, as it was worked out last.
    pub(crate) chance: (u64, f64),
}

impl Shard {
    pub(crate) fn new(record: AccountRecord) -> Self {
        Self {
            ledger: Ledger::new(record.id),
            record,
            policy: None,
            stop: None,
            unstopped: None,
            autopilot: Default::default(),
            bots: Vec::new(),
            slots: FxHashMap::default(),
            live: BTreeSet::new(),
            interests: Vec::new(),
            timers: BTreeSet::new(),
            sent: Default::default(),
            due_hint: Timestamp::MAX,
            is_dirty: true,
            dirty_bots: Vec::new(),
            trades_today: (Timestamp::EPOCH, 0),
            trades_refused: 0,
            sampled_at: Timestamp::EPOCH,
            watch: WatchDay::default(),
            live_day: WatchDay::default(),
            warned: BTreeSet::new(),
            sums: DaySums::new(),
            pass: Pass::default(),
            changed: Vec::new(),
            judged: None,
            answers: Vec::new(),
            price_in_bar: None,
            leaving: None,
            desks: Default::default(),
            leaving_live: Vec::new(),
            chance: (0, 0.0),
        }
    }

    pub(crate) fn interest(&mut self, id: InstrumentId) -> &mut Interest {
        let at = id.0 as usize;
        if self.interests.len() <= at {
            self.interests.resize_with(at + 1, || None);
        }
        self.interests[at].get_or_insert_default()
    }

    pub(crate) fn has_interest(&self, id: InstrumentId) -> bool {
        self.interests.get(id.0 as usize).is_some_and(Option::is_some)
    }

    fn arrival(&self, interest: &Interest) -> Timestamp {
        let shadow = |slot: &u32| self.bots[*slot as usize].shadow.as_ref().map(|s| s.next_due());
        let shadows = interest.shadows.iter().filter_map(shadow).min();
        interest.venue.next_due().min(shadows.unwrap_or(Timestamp::MAX))
    }

    /// When the next message arrives at the simulated exchange.
    pub(crate) fn next_arrival(&self, id: InstrumentId) -> Timestamp {
        let interest = self.interests.get(id.0 as usize).and_then(Option::as_ref);
        interest.map_or(Timestamp::MAX, |i| self.arrival(i))
    }

    /// Does anything here hang on a market's prices as they are, apart from the figures of
    /// strategies?
    pub(crate) fn waits_for_price(&self, id: InstrumentId, market: &Market) -> bool {
        let interest = self.interests.get(id.0 as usize).and_then(Option::as_ref);
        interest.is_some_and(|interest| interest.waits_for_price(market))
    }

    /// Does a print change anything here: for what hangs on prices, by bars that it closed, or for
    /// who decides on single prints?
    #[inline]
    pub(crate) fn is_moved(
        &self,
        id: InstrumentId,
        market: &Market,
        has_bar: bool,
        of_print: Option<usize>,
    ) -> bool {
        let Some(Some(interest)) = self.interests.get(id.0 as usize) else { return false };
        let is_loud = |series: usize| interest.is_loud(series, &market.series[series]);
        has_bar || interest.waits_for_price(market) || of_print.is_some_and(is_loud)
    }

    pub(crate) fn slot(&self, id: BotId) -> Option<usize> {
        self.slots.get(&id).map(|slot| *slot as usize)
    }

    pub(crate) fn touch(&mut self, slot: usize) {
        // Each bot once, however long nobody takes the rows.
        let bot = &mut self.bots[slot];
        if !std::mem::replace(&mut bot.is_dirty, true) {
            self.dirty_bots.push(slot as u32);
        }
        if !std::mem::replace(&mut bot.is_changed, true) {
            self.changed.push(slot as u32);
        }
        let (Some(id), series, place) = (bot.fixed.instrument, bot.fixed.series, bot.fixed.place)
        else {
            return;
        };
        let interest = self.interests.get_mut(id.0 as usize).and_then(Option::as_mut);
        let member = interest.and_then(|i| i.by_series.get_mut(series)?.get_mut(place));
        if let Some(member) = member {
            member.quiet = None;
        }
        self.is_dirty = true;
    }

    /// The stop in force here: the account's or the fleet's; selling outranks guarding.
    pub(crate) fn stop_choice(&self, world: &World<'_>) -> Option<StopChoice> {
        let own = self.stop.as_ref().map(|s| s.choice);
        match (own, world.fleet_stop) {
            (Some(StopChoice::Sell), _) | (_, Some(StopChoice::Sell)) => Some(StopChoice::Sell),
            (own, fleet) => own.or(fleet),
        }
    }

    /// The policy in force: the account's own, else the fleet's.
    pub(crate) fn policy<'a>(&'a self, world: &World<'a>) -> (u32, &'a Policy) {
        in_force(self.policy.as_ref(), world.policy)
    }

    /// Something new may be due at this time; taken since the last call.
    pub(crate) fn due_hint(&mut self) -> Timestamp {
        std::mem::replace(&mut self.due_hint, Timestamp::MAX)
    }

    /// Remembers that something is due.
    pub(crate) fn at(&mut self, at: Timestamp, due: Due) {
        self.timers.insert((at, due));
        self.due_hint = self.due_hint.min(at);
    }

    /// When something is due here that no market event brings. What is due already waits for its
    /// market to speak (a polled book): it is looked at with that event, and now and then; it hides
    /// nothing of what is due elsewhere.
    pub(crate) fn next_due(&self, now: Timestamp) -> Timestamp {
        let messages = self.interests.iter().flatten().map(|i| self.arrival(i));
        let timer = self.timers.first().map_or(Timestamp::MAX, |(at, _)| *at);
        let later = |at| if at <= now { now + WAITING_LOOK } else { at };
        messages.chain([timer]).map(later).min().unwrap_or(Timestamp::MAX)
    }

    /// A bot's position value at the bid; `None` where it holds something that has no price.
    pub(crate) fn position_value(
        bot: &Bot,
        market: Option<&Market>,
        collar_bp: u32,
    ) -> Option<Amount> {
        if bot.books.position.is_zero() {
            return Some(Amount::ZERO);
        }
        let market = market?;
        let bid = Self::mark(market, collar_bp)?;
        bot.books.position.product(market.instrument.price_amount(bid), Round::Down)
    }

    /// Cash, proceeds that settle in cash already, and the position at the bid.
    pub(crate) fn equity(&self, slot: usize, world: &World<'_>) -> Option<Amount> {
        let bot = &self.bots[slot];
        let market = bot.fixed.instrument.map(|id| world.markets.get(id));
        let collar = self.policy(world).1.spread_collar_bp;
        Some(bot.books.cash + Self::position_value(bot, market, collar)?)
    }

    /// Writes a wallet's figures.
    pub(crate) fn tell_wallet(
        &self,
        key: (Mode, Exchange, Currency),
        at: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let wallet = self.ledger.wallet(key.0, key.1, key.2);
        out.push(Output::Wallet(WalletRecord {
            account_id: self.record.id,
            mode: key.0,
            exchange: key.1,
            currency: key.2,
            available: wallet.available,
            reserved: wallet.reserved,
            total: wallet.total(),
            at,
        }));
    }

    /// What may be sold of a bot's holdings: on the lot and worth an order; else it is dust.
    pub(crate) fn sellable(bot: &Bot, market: &Market, price: Option<Price>) -> Quantity {
        let instrument = &market.instrument;
        // Dust alone is no position: it goes with the next exit, whose trade it needs.
        if !bot.books.position.is_positive() {
            return Quantity::ZERO;
        }
        let held = instrument.quantity(bot.books.held(), Round::Down).unwrap_or_default();
        let quantity = instrument.on_lot(held);
        let price = price.or(market.last_quote.map(|q| q.0)).unwrap_or_default();
        let is_worth = instrument.notional(price, quantity, Round::Up) >= instrument.min_notional;
        // Without any price the notional filter cannot be judged: what is on the lot counts.
        let is_worth = is_worth || price == Price::ZERO;
        if quantity >= instrument.min_quantity && is_worth { quantity } else { Quantity::ZERO }
    }

    /// Is a bot let to open positions, apart from what changes with every quote?
    pub(crate) fn may_enter(&self, slot: usize, world: &World<'_>) -> bool {
        let record = &self.bots[slot].record;
        let is_let = record.lifecycle == Lifecycle::Active
            && record.holds.is_empty()
            && world.switches.trading
            && !world.switches.restart_stop
            && self.stop_choice(world).is_none();
        is_let
            && match record.mode {
                Mode::Paper => world.switches.paper_trading && self.breaker(world).is_none(),
                Mode::Live => self.live_missing(slot, world).is_none(),
            }
    }
}

/// The market as the simulated exchange sees it.
pub(crate) fn state_of<'a>(market: &'a Market, clock: Clock) -> MarketState<'a> {
    MarketState {
        instrument: &market.instrument,
        book: &market.book,
        // Where nothing trades nothing fills, whatever the book still shows.
        is_valid: market.is_valid() && crate::instrument::may_trade(market.instrument.status),
        grade: market.grade,
        last_price: market.last_print.map(|p| p.price),
        average: market.average.as_ref(),
        requested_at: market.requested_at,
        clock_upper: clock.upper,
    }
}

/// A loss as percent of what there was.
pub(crate) fn loss_percent(before: Amount, now: Amount) -> Amount {
    let lost = (before - now).or_zero();
    // Mostly nothing is lost: no division then.
    if lost.is_zero() {
        return Amount::ZERO;
    }
    risk::percent_of(lost, before)
}

/// A percentage as a share.
pub(crate) fn share(percent: Amount) -> Rate {
    Rate::from_percent_amount(percent).unwrap_or(Rate::ZERO)
}

/// A feed's own word for the log and the sentence.
pub(crate) fn feed_reason(feed: &FeedState) -> String {
    match feed {
        FeedState::Fresh => "fresh".to_owned(),
        FeedState::Stale(reason) => format!("stale: {reason}"),
        FeedState::Resyncing(reason) => format!("resyncing: {reason}"),
    }
}
