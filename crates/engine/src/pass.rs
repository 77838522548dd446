//! The supervision pass: what no event brings, looked after every ten seconds.
//!
//! Only bots for which something may follow are visited: those that changed, those whose time has
//! come, and those whose market left the prices between which nothing follows. What the others add
//! to the account's sums is kept by market, so that a pass costs what happened, not what waits.
//! Bounds are drawn too tight rather than too wide: a visit too many finds nothing to do.

use crate::bot::Bot;
use crate::markets::Market;
use crate::output::Output;
use crate::shard::{Shard, World};
use crate::watch::Tally;
use domain::{
    Amount, Exchange, Hold, InstrumentId, Lifecycle, Mode, OrderPurpose, Price, Round, Symbol,
    Timestamp,
};
use std::collections::BTreeSet;

/// What every bot's visit depends on: where it changed all of them are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Basis {
    day: Timestamp,
    policy_version: u32,
    has_bodyguard: bool,
}

/// What a bot adds to the sums of its market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Part {
    /// Bots with capital.
    bots: i64,
    /// Of these, bots with a position or an order.
    open: i64,
    opening: Amount,
    /// Opening less cash of bots whose day it is: the loss, but for what is held.
    loss: Amount,
    /// Base held, all and by bots whose day it is.
    position: [Amount; 2],
    /// What that cost.
    cost: [Amount; 2],
    /// Held by entry orders.
    holds: Amount,
}

impl Part {
    fn of(bot: &Bot, today: Timestamp) -> Self {
        if bot.needs_capital || bot.record.mode != Mode::Paper {
            return Self::default();
        }
        let is_today = bot.day.start == today;
        let entries = bot.open.iter().filter(|o| o.purpose == OrderPurpose::Entry);
        let today = |amount: Amount| if is_today { amount } else { Amount::ZERO };
        let (books, opening) = (&bot.books, bot.day.opening_equity);
        Self {
            bots: 1,
            open: i64::from(!books.position.is_zero() || !bot.open.is_empty()),
            opening,
            loss: today(opening - books.cash),
            position: [books.position, today(books.position)],
            cost: [books.position_cost, today(books.position_cost)],
            holds: entries.map(|o| o.hold).sum(),
        }
    }

    fn add(&mut self, other: &Self, sign: i64) {
        let signed = |amount: Amount| if sign < 0 { -amount } else { amount };
        self.bots += sign * other.bots;
        self.open += sign * other.open;
        self.opening += signed(other.opening);
        self.loss += signed(other.loss);
        for n in 0..2 {
            self.position[n] += signed(other.position[n]);
            self.cost[n] += signed(other.cost[n]);
        }
        self.holds += signed(other.holds);
    }
}

/// The bots of a market.
#[derive(Clone, Debug)]
struct Group {
    exchange: Exchange,
    symbol: Symbol,
    instrument: Option<InstrumentId>,
    /// The last bid that counted: without a fresh one it still does.
    mark: Option<Price>,
    was_valid: bool,
    sum: Part,
    /// Bots with a position, by the bid above which something follows…
    above: BTreeSet<(Price, u32)>,
    /// …and by the one at or below which it does.
    below: BTreeSet<(Price, u32)>,
}

/// What is remembered of a bot's last visit.
#[derive(Clone, Copy, Debug, Default)]
struct Visit {
    group: Option<u32>,
    part: Part,
    again_at: Option<Timestamp>,
    /// While it holds a position: no more than this bid, and more than that one.
    quiet: Option<(Price, Price)>,
}

/// The last known bid of a market, as it is stored.
pub(crate) type Mark = (Exchange, Symbol, Price);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pass {
    basis: Option<Basis>,
    /// By slot.
    visits: Vec<Visit>,
    groups: Vec<Group>,
    due: BTreeSet<(Timestamp, u32)>,
    /// The next one visits everybody.
    is_forgotten: bool,
    /// Sums are as they were, and so are the prices that they hang on.
    pub(crate) is_still: bool,
    /// Scratch: whom to visit.
    scratch: Vec<u32>,
}

impl Pass {
    /// The last known bids, to be stored; sorted, as who came first differs after a restart.
    pub(crate) fn marks(&self) -> Vec<Mark> {
        let mark = |g: &Group| g.mark.map(|price| (g.exchange, g.symbol, price));
        let used = self.groups.iter().filter(|g| g.sum.bots > 0);
        let mut marks: Vec<Mark> = used.filter_map(mark).collect();
        marks.sort_unstable();
        marks
    }

    /// As stored.
    pub(crate) fn restored(marks: Vec<Mark>) -> Self {
        let mut pass = Self::default();
        for (exchange, symbol, price) in marks {
            let group = pass.group(exchange, symbol);
            pass.groups[group].mark = Some(price);
        }
        pass
    }

    fn group(&mut self, exchange: Exchange, symbol: Symbol) -> usize {
        let is_it = |g: &Group| g.exchange == exchange && g.symbol == symbol;
        self.groups.iter().position(is_it).unwrap_or_else(|| {
            self.groups.push(Group {
                exchange,
                symbol,
                instrument: None,
                mark: None,
                was_valid: false,
                sum: Part::default(),
                above: BTreeSet::new(),
                below: BTreeSet::new(),
            });
            self.groups.len() - 1
        })
    }

    /// Remembers a bot's visit instead of its last one; most of it is as it was.
    fn remember(&mut self, slot: u32, visit: Visit) {
        if self.visits.len() <= slot as usize {
            self.visits.resize_with(slot as usize + 1, Visit::default);
        }
        let before = std::mem::replace(&mut self.visits[slot as usize], visit);
        if before.again_at != visit.again_at {
            before.again_at.map(|at| self.due.remove(&(at, slot)));
            visit.again_at.map(|at| self.due.insert((at, slot)));
        }
        let is_here = before.group == visit.group;
        if is_here && before.part == visit.part && before.quiet == visit.quiet {
            return;
        }
        self.is_still = false;
        if let Some(group) = before.group.map(|g| &mut self.groups[g as usize]) {
            group.sum.add(&before.part, -1);
            if let Some((high, low)) = before.quiet {
                group.above.remove(&(high, slot));
                group.below.remove(&(low, slot));
            }
        }
        if let Some(group) = visit.group.map(|g| &mut self.groups[g as usize]) {
            group.sum.add(&visit.part, 1);
            if let Some((high, low)) = visit.quiet {
                group.above.insert((high, slot));
                group.below.insert((low, slot));
            }
        }
    }
}

impl Group {
    /// Sees its market; says whom to visit.
    fn look(&mut self, bid: Option<Price>, is_valid: bool, high: Option<Price>, to: &mut Vec<u32>) {
        self.mark = bid.or(self.mark.filter(|_| self.sum.bots > 0));
        if self.above.is_empty() && self.was_valid == is_valid {
            return;
        }
        if std::mem::replace(&mut self.was_valid, is_valid) != is_valid {
            to.extend(self.above.iter().map(|(_, slot)| *slot));
            return;
        }
        if let Some(top) = bid.max(high) {
            to.extend(self.above.iter().take_while(|(p, _)| *p < top).map(|(_, slot)| *slot));
        }
        if let Some(bid) = bid {
            let reached = self.below.iter().rev().take_while(|(p, _)| *p >= bid);
            to.extend(reached.map(|(_, slot)| *slot));
        }
    }

    /// What is held is worth, and of bots whose day it is.
    fn value(&self, world: &World<'_>) -> [Amount; 2] {
        let Part { position, cost, .. } = self.sum;
        let known = self.mark.zip(self.instrument);
        let price = known.map(|(bid, id)| world.markets.get(id).instrument.price_amount(bid));
        let worth = |n: usize| price.and_then(|p| position[n].product(p, Round::Down));
        let value = |n: usize| match position[n].is_zero() {
            true => Amount::ZERO,
            false => worth(n).unwrap_or(cost[n]),
        };
        let all = value(0);
        // Mostly it is the day of all of them.
        let is_same = position[0] == position[1] && cost[0] == cost[1];
        [all, if is_same { all } else { value(1) }]
    }
}

impl Shard {
    /// Looks after everything that no event brings: the day, peaks, unguarded positions, bots that
    /// decide nothing, the account as a whole.
    pub(crate) fn supervise(&mut self, world: &World<'_>, out: &mut Vec<Output>) {
        let due = self.whom_to_visit(world);
        for slot in &due {
            self.visit(*slot as usize, world, out);
        }
        self.pass.scratch = due;
        let is_known = std::mem::replace(&mut self.pass.is_still, true) && self.is_judged(world);
        // Tests judge nonetheless: there must be nothing new.
        if !is_known || cfg!(debug_assertions) {
            let tally = self.tally(world);
            #[cfg(debug_assertions)]
            assert_eq!(*tally.sums(), self.sums_of_all(world), "sums kept are those of all bots");
            let is_new = self.watch_account(tally, world, out);
            debug_assert!(!is_known || !is_new, "sums that did not move were judged anew");
        }
        self.sample_equity(world, out);
    }

    fn whom_to_visit(&mut self, world: &World<'_>) -> Vec<u32> {
        if self.pass.is_forgotten {
            self.pass = Pass::restored(self.pass.marks());
            self.judged = None;
        }
        let (policy_version, policy) = self.policy(world);
        let (collar_bp, has_bodyguard) = (policy.spread_collar_bp, world.switches.bodyguard);
        let basis = Some(Basis { day: world.now.day(), policy_version, has_bodyguard });
        let mut due = std::mem::take(&mut self.pass.scratch);
        due.clear();
        due.append(&mut self.changed);
        while let Some((at, slot)) = self.pass.due.first().copied() {
            if at > world.now {
                break;
            }
            self.pass.due.pop_first();
            let again_at = self.moved_on(slot as usize, world);
            self.pass.visits[slot as usize].again_at = again_at;
            match again_at {
                Some(again_at) => _ = self.pass.due.insert((again_at, slot)),
                None => due.push(slot),
            }
        }
        for group in &mut self.pass.groups {
            let Some(id) = group.instrument else { continue };
            let market = world.markets.get(id);
            let high = self.interests.get_mut(id.0 as usize).and_then(Option::as_mut);
            let high = high.and_then(|interest| interest.triggers.take_raised());
            let before = group.mark;
            group.look(Self::mark(market, collar_bp), market.is_valid(), high, &mut due);
            self.pass.is_still &= group.mark == before || group.sum.position[0].is_zero();
        }
        if std::mem::replace(&mut self.pass.basis, basis) != basis {
            due.clear();
            due.extend(0..self.bots.len() as u32);
        }
        // In the order of slots, whatever brought them here.
        due.sort_unstable();
        due.dedup();
        due
    }

    fn visit(&mut self, slot: usize, world: &World<'_>, out: &mut Vec<Output>) {
        let is_retired = self.bots[slot].record.lifecycle == Lifecycle::Retired;
        let mut again_at = None;
        if !is_retired {
            again_at = self.look_after(slot, world, out);
        }
        self.bots[slot].is_changed = false;
        // What it did itself is seen to.
        if self.changed.last() == Some(&(slot as u32)) {
            self.changed.pop();
        }
        if is_retired {
            return self.pass.remember(slot as u32, Visit::default());
        }
        let today = world.now.day();
        let quiet = self.quiet_bids(slot, world);
        let bot = &self.bots[slot];
        let group = self.pass.group(bot.books.exchange, bot.books.symbol);
        let of = &self.pass.groups[group];
        if let Some(id) = of.instrument.or(bot.fixed.instrument)
            && (of.instrument.is_none() || of.mark.is_none())
        {
            let (market, collar) = (world.markets.get(id), self.policy(world).1.spread_collar_bp);
            let of = &mut self.pass.groups[group];
            of.was_valid = if of.instrument.is_none() { market.is_valid() } else { of.was_valid };
            of.instrument = Some(id);
            of.mark = Self::mark(market, collar).or(of.mark);
            self.pass.is_still = false;
        }
        let part = Part::of(&self.bots[slot], today);
        let visit = Visit { group: Some(group as u32), part, again_at, quiet };
        self.pass.remember(slot as u32, visit);
    }

    /// Says when it must be looked at again even though nothing happens.
    fn look_after(
        &mut self,
        slot: usize,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) -> Option<Timestamp> {
        if self.bots[slot].day.start != world.now.day() {
            self.new_day(slot, world, out);
        }
        if !self.bots[slot].books.position.is_zero() {
            let peak = self.bots[slot].equity_peak;
            self.check_drawdown(slot, world, out);
            if self.bots[slot].equity_peak != peak {
                self.arm(slot, world);
            }
            self.keep_high(slot);
        }
        self.watch_guard(slot, world, out);
        let again_at = self.watch_decisions(slot, world, out);
        // A day that could not be opened is tried again each time.
        if self.bots[slot].day.start != world.now.day() { Some(world.now) } else { again_at }
    }

    /// The bids between which a position needs no look: at most the first, above the second.
    fn quiet_bids(&self, slot: usize, world: &World<'_>) -> Option<(Price, Price)> {
        let bot = &self.bots[slot];
        if bot.books.position.is_zero() {
            return None;
        }
        let Some(id) = bot.fixed.instrument else { return Some((Price(i64::MAX), Price(0))) };
        let market = world.markets.get(id);
        let peak = bid_for(bot, market, bot.equity_peak, Round::Down);
        let high = self.triggers(id).and_then(|t| t.high(slot as u32));
        let high = high.unwrap_or(Price(i64::MAX)).min(peak.unwrap_or(Price(i64::MIN)));
        let is_stopped = bot.record.holds.contains(Hold::RiskStop);
        let low = match world.switches.bodyguard {
            false => Price(i64::MIN),
            true if is_stopped => self.breaker_bid(bot, market, world),
            true => self.drawdown_bid(bot, market, world).max(self.breaker_bid(bot, market, world)),
        };
        Some((high, low))
    }

    fn drawdown_bid(&self, bot: &Bot, market: &Market, world: &World<'_>) -> Price {
        let floor = self.drawdown_floor(bot, world);
        bid_for(bot, market, floor, Round::Up).unwrap_or(Price(i64::MAX))
    }

    fn breaker_bid(&self, bot: &Bot, market: &Market, world: &World<'_>) -> Price {
        if bot.record.holds.contains(Hold::CircuitBreaker) {
            return Price(i64::MIN);
        }
        let percent = self.policy(world).1.breaker_bot_percent + bot.day.forgiven_percent;
        let lost = bot.capital().product(percent, Round::Down);
        let lost = lost.map(|lost| lost.part(1, 100, Round::Down));
        let floor = lost.map(|lost| bot.day.opening_equity - lost);
        let bid = floor.and_then(|floor| bid_for(bot, market, floor, Round::Up));
        bid.unwrap_or(Price(i64::MAX))
    }

    /// The day of all bots with capital, and what they have open.
    fn tally(&self, world: &World<'_>) -> Tally {
        let mut tally = Tally::default();
        for group in self.pass.groups.iter().filter(|group| group.sum.bots > 0) {
            let (sum, quote) = (&group.sum, group.symbol.quote);
            let [value, of_today] = group.value(world);
            tally.add(quote, sum.opening, sum.loss - of_today);
            if sum.open > 0 {
                let open = (group.symbol.base, group.exchange, quote, value + sum.holds);
                tally.open.push(open);
            }
        }
        tally
    }

    /// What [`Shard::tally`] must give, from every bot on its own.
    #[cfg(debug_assertions)]
    fn sums_of_all(&self, world: &World<'_>) -> crate::day_sum::DaySums {
        let (mut all, mut held) = (Tally::default(), Vec::<(usize, Amount, Amount)>::new());
        for bot in &self.bots {
            let is_none = bot.needs_capital || bot.record.mode != Mode::Paper;
            if bot.record.lifecycle == Lifecycle::Retired || is_none {
                continue;
            }
            let (books, opening) = (&bot.books, bot.day.opening_equity);
            let is_today = bot.day.start == world.now.day();
            let loss = if is_today { opening - books.cash } else { Amount::ZERO };
            all.add(books.symbol.quote, opening, loss);
            let is_it = |g: &Group| (g.exchange, g.symbol) == (books.exchange, books.symbol);
            let group = self.pass.groups.iter().position(is_it).filter(|_| is_today);
            held.extend(group.map(|group| (group, books.position, books.position_cost)));
        }
        for (n, group) in self.pass.groups.iter().enumerate() {
            let of = || held.iter().filter(|h| h.0 == n);
            let (position, cost) = (of().map(|h| h.1).sum(), of().map(|h| h.2).sum());
            let sum = Part { position: [position; 2], cost: [cost; 2], ..Part::default() };
            let [value, _] = Group { sum, ..group.clone() }.value(world);
            if of().next().is_some() {
                all.add(group.symbol.quote, Amount::ZERO, -value);
            }
        }
        all.sums().clone()
    }

    /// The bid that a position counts at; `None` where none can be believed.
    pub(crate) fn mark(market: &Market, collar_bp: u32) -> Option<Price> {
        let is_wide = market.book.spread_bp().is_none_or(|bp| bp > f64::from(collar_bp));
        let bid = market.book.best_bid().filter(|_| market.is_valid() && !is_wide)?;
        Some(bid.price)
    }
}

impl crate::Engine {
    /// Lets the next supervision pass visit every bot, and add up every sum anew: nothing but its
    /// cost may come of it.
    #[doc(hidden)]
    pub fn forget_visits(&mut self) {
        for shard in &mut self.shards {
            shard.pass.is_forgotten = true;
        }
    }
}

/// The bid at which a bot's equity is this.
fn bid_for(bot: &Bot, market: &Market, equity: Amount, round: Round) -> Option<Price> {
    let price = (equity - bot.books.cash).quotient(bot.books.position, round)?;
    market.instrument.price(price, round)
}
