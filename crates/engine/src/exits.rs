//! Leaving a position: triggers, wishes to be flat, and trying until it is done.

use crate::bot::{Bot, EXIT_RETRY, Step};
use crate::output::Output;
use crate::shard::{Due, Shard, World};
use crate::trigger::{self, Reason, Triggers};
use domain::{
    Actor, Amount, CancelReason, ExitReason, Hold, InstrumentId, InstrumentStatus, Mode, OrderKind,
    OrderPurpose, Price, Rate, Round, Side, Span, StopChoice, TimeInForce, Timestamp,
};
use risk::{Condition, Permission, Wish, permission};

impl Shard {
    /// Sets the triggers of a bot's position; none when it is flat.
    pub(crate) fn arm(&mut self, slot: usize, world: &World<'_>) {
        let owner = slot as u32;
        let bot = &self.bots[slot];
        let Some(id) = bot.fixed.instrument else { return };
        let position = bot.fixed.position;
        let Some(average) = position.average_entry.filter(|_| !position.is_flat()) else {
            return self.interest(id).triggers.clear(owner);
        };
        let market = world.markets.get(id);
        let exits = bot.config().exits;
        let share = |percent: Option<domain::Amount>| percent.and_then(Rate::from_percent_amount);
        let own_stop = bot
            .fixed
            .params
            .as_ref()
            .and_then(|params| strategy::stop_price(params, &bot.state, &market.instrument));
        let stop = share(exits.stop_percent).map(|d| trigger::below(average, d)).max(own_stop);
        let target = share(exits.target_percent).map(|d| trigger::above(average, d));
        let drawdown = self.drawdown_price(slot, world);
        let high = bot.high.or(market.book.best_bid().map(|l| l.price)).unwrap_or(average);
        let time = exits
            .time_limit_s
            .zip(position.opened_at)
            .map(|(limit, at)| at + Span::from_secs(i64::from(limit)));
        let trail = share(exits.trail_percent);
        let triggers = &mut self.interest(id).triggers;
        let high = triggers.high(owner).unwrap_or(high);
        triggers.set(owner, Reason::Stop, stop);
        triggers.set(owner, Reason::Target, target);
        triggers.set(owner, Reason::Drawdown, drawdown);
        match trail {
            Some(distance) => triggers.trail(owner, high, distance),
            None => triggers.untrail(owner),
        }
        if let Some(at) = time {
            self.at(at, Due::TimeExit(owner));
        }
    }

    /// The bid at which the bot's drawdown reaches its limit.
    fn drawdown_price(&self, slot: usize, world: &World<'_>) -> Option<Price> {
        let bot = &self.bots[slot];
        if !world.switches.bodyguard || bot.record.holds.contains(Hold::RiskStop) {
            return None;
        }
        let value = self.drawdown_floor(bot, world) - bot.books.cash;
        let price = value.quotient(bot.books.position, Round::Up)?;
        let instrument = &world.markets.get(bot.fixed.instrument?).instrument;
        instrument.price(price, Round::Up).filter(|p| p.0 > 0)
    }

    /// The equity at which the bot's drawdown reaches its limit.
    pub(crate) fn drawdown_floor(&self, bot: &Bot, world: &World<'_>) -> Amount {
        let limit = self.policy(world).1.drawdown_max(bot.config().risk_mode);
        bot.equity_peak.times(Rate(Rate::ONE.0 - limit.0), Round::Up)
    }

    /// The bid may have moved: fires what it crosses.
    pub(crate) fn on_bid(&mut self, id: InstrumentId, world: &World<'_>, out: &mut Vec<Output>) {
        let Some(Some(interest)) = self.interests.get_mut(id.0 as usize) else { return };
        if interest.triggers.is_empty() && interest.exiting.is_empty() {
            return;
        }
        let market = world.markets.get(id);
        // Prints fetched after a gap arm what they cross; it is sold once the feed is fresh.
        let is_known = market.is_valid() || market.is_made_of_prints();
        let Some(bid) = market.book.best_bid().filter(|_| is_known) else { return };
        let fired = interest.triggers.on_bid(bid.price);
        for (owner, reason) in fired {
            let slot = owner as usize;
            let reason = match reason {
                Reason::Stop => ExitReason::Stop,
                Reason::Target => ExitReason::Target,
                Reason::Trail => ExitReason::Trail,
                Reason::Drawdown => {
                    self.interest(id).triggers.set(owner, Reason::Drawdown, None);
                    self.check_drawdown(slot, world, out);
                    continue;
                }
            };
            self.want_flat(slot, reason, world, out);
        }
    }

    /// The bot's condition as the table of permissions knows it.
    pub(crate) fn condition(&self, slot: usize, world: &World<'_>) -> Condition {
        let bot = &self.bots[slot];
        let is_fresh = bot.fixed.instrument.is_some_and(|id| world.markets.get(id).is_valid());
        let is_held = match bot.record.mode {
            Mode::Paper => !world.switches.paper_trading || self.breaker(world).is_some(),
            Mode::Live => self.live_missing(slot, world).is_some(),
        };
        let is_stopped = !world.switches.trading || world.switches.restart_stop;
        let is_held = is_held || is_stopped || !bot.record.holds.is_empty();
        let stop = self.stop_choice(world);
        Condition::of(bot.record.lifecycle, bot.stop_choice, stop, is_held, is_fresh)
    }

    /// Somebody wants a bot's position closed. What the table does not let through is dropped;
    /// what it arms is tried once the feed is fresh.
    pub(crate) fn want_flat(
        &mut self,
        slot: usize,
        reason: ExitReason,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        if self.wants_flat(slot, reason, world) {
            self.try_exit(slot, world, out);
        }
    }

    /// Remembers that a bot's position is to be closed, where the table lets it; says whether.
    pub(crate) fn wants_flat(
        &mut self,
        slot: usize,
        reason: ExitReason,
        world: &World<'_>,
    ) -> bool {
        let wish = match reason {
            ExitReason::Signal => Wish::StrategyExit,
            _ if reason.is_protective() => Wish::ProtectiveExit,
            _ => Wish::Flatten,
        };
        let may = permission(self.condition(slot, world), wish);
        let bot = &mut self.bots[slot];
        let holds_nothing = bot.fixed.position.is_flat() && bot.open.is_empty();
        if may == Permission::No || bot.exit_wanted.is_some() || holds_nothing {
            return false;
        }
        let Some(id) = bot.fixed.instrument else { return false };
        bot.exit_wanted = Some(reason);
        bot.exit_retry_at = world.now;
        let interest = self.interest(id);
        let high = interest.triggers.high(slot as u32);
        interest.triggers.clear(slot as u32);
        interest.exiting.insert(slot as u32);
        let bot = &mut self.bots[slot];
        bot.high = high.or(bot.high);
        self.touch(slot);
        true
    }

    /// Takes the next step towards flat: open orders first, then a sale of what is left.
    pub(crate) fn try_exit(&mut self, slot: usize, world: &World<'_>, out: &mut Vec<Output>) {
        let bot = &self.bots[slot];
        let (Some(reason), Some(id)) = (bot.exit_wanted, bot.fixed.instrument) else { return };
        let again = world.now + EXIT_RETRY;
        if !bot.open.is_empty() {
            let is_exit = |o: &&crate::bot::OpenOrder| o.purpose == OrderPurpose::Exit(reason);
            let is_at_work = bot.open.iter().all(|o| is_exit(&o) && o.kind == OrderKind::Market);
            // A limited exit that did not fill within its time is re-priced.
            let is_young =
                bot.open.iter().all(|o| is_exit(&o) && world.now - o.created_at < EXIT_RETRY);
            if !is_at_work && !is_young {
                self.cancel_where(slot, CancelReason::Exit, world, |_| true);
            }
            self.retry_exit(slot, again);
            return;
        }
        let market = world.markets.get(id);
        if !bot.books.position.is_positive() {
            return self.rest_of_exit(slot, id, world, out);
        }
        // A market sale would only be refused, once a second, until the exchange trades again.
        let is_trading = market.instrument.status == InstrumentStatus::Trading;
        if !market.is_valid() || !is_trading || world.now < bot.exit_retry_at {
            self.retry_exit(slot, again);
            return;
        }
        let quantity = Self::sellable(bot, market, market.book.best_bid().map(|l| l.price));
        if !quantity.is_positive() {
            return self.rest_of_exit(slot, id, world, out);
        }
        let before = bot.orders;
        let maximum = match market.instrument.max_market_quantity {
            Some(market_maximum) => market_maximum.min(market.instrument.max_quantity),
            None => market.instrument.max_quantity,
        };
        let wanted = crate::orders::Wanted {
            side: Side::Sell,
            kind: self.exit_kind(id, world),
            time_in_force: TimeInForce::Gtc,
            quantity: quantity.min(market.instrument.on_lot(maximum)),
            purpose: OrderPurpose::Exit(reason),
            level: 0,
        };
        self.send(slot, wanted, world, out);
        if self.bots[slot].orders == before {
            self.bots[slot].exit_retry_at = again;
        }
        self.retry_exit(slot, again);
    }

    /// Tries an exit again at this time; one timer a bot, the newest counts.
    pub(crate) fn retry_exit(&mut self, slot: usize, at: Timestamp) {
        let due = Due::RetryExit(slot as u32);
        if let Some(before) = self.bots[slot].fixed.retry_at.replace(at) {
            self.timers.remove(&(before, due));
        }
        self.at(at, due);
    }

    /// At the market; outside the spread collar as a limit at the collar, to be re-priced.
    fn exit_kind(&self, id: InstrumentId, world: &World<'_>) -> OrderKind {
        let market = world.markets.get(id);
        let collar_bp = i64::from(self.policy(world).1.spread_collar_bp);
        let is_wide = market.book.spread_bp().is_some_and(|bp| bp > collar_bp as f64);
        match market.book.best_ask() {
            Some(ask) if is_wide => {
                let mut price = trigger::below(ask.price, Rate::from_bp(collar_bp));
                let i = &market.instrument;
                // Where the exchange's own band is narrower: its lowest, rather than nothing.
                if let Some((band, at)) = i.percent_band.zip(market.reference(world.now)) {
                    price = price.max(band.limits(Side::Sell, at).0);
                }
                let price = market.instrument.on_tick(price, Side::Sell);
                OrderKind::Limit { price, post_only: false }
            }
            _ => OrderKind::Market,
        }
    }

    /// Nothing is left that can be sold.
    fn rest_of_exit(
        &mut self,
        slot: usize,
        id: InstrumentId,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        self.bots[slot].exit_wanted = None;
        self.interest(id).exiting.remove(&(slot as u32));
        self.refresh_position(slot, world);
        self.touch(slot);
        self.flat(slot, world, out);
    }

    /// A bot became flat other than by its own signal.
    pub(crate) fn flat(&mut self, slot: usize, world: &World<'_>, out: &mut Vec<Output>) {
        let bot = &mut self.bots[slot];
        if !bot.fixed.position.is_flat() || !bot.open.is_empty() {
            return;
        }
        if let Some(params) = &bot.fixed.params {
            strategy::on_flat(params, &mut bot.state);
        }
        if bot.live.as_ref().is_some_and(|live| live.is_leaving) {
            self.return_to_paper(slot, world, out);
        }
        let bot = &self.bots[slot];
        if bot.retire_when_flat {
            let is_ending = bot.piloted.as_ref().is_some_and(|p| p.is_ending);
            let by = match is_ending {
                true => crate::autopilot::actor(),
                false => Actor::Rule("new season".into()),
            };
            self.retire(slot, &by, world, out);
        }
    }

    /// Adds a hold: entries that rest are taken back, exits stay armed.
    pub(crate) fn hold(
        &mut self,
        slot: usize,
        hold: Hold,
        actor: &Actor,
        reason: String,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let change = self.bots[slot].transition(Step::Hold(hold), actor, reason, world.now);
        let Some(change) = change else { return };
        out.push(Output::Bot(change));
        self.withdraw_entries(slot, CancelReason::Hold, world);
        self.touch(slot);
    }

    /// Releases a hold by its own rule.
    pub(crate) fn release(
        &mut self,
        slot: usize,
        hold: Hold,
        actor: &Actor,
        reason: String,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let change = self.bots[slot].transition(Step::Release(hold), actor, reason, world.now);
        if let Some(change) = change {
            out.push(Output::Bot(change));
            self.touch(slot);
        }
    }

    pub(crate) fn withdraw_entries(
        &mut self,
        slot: usize,
        reason: CancelReason,
        world: &World<'_>,
    ) {
        self.cancel_where(slot, reason, world, |o| o.purpose == OrderPurpose::Entry);
    }

    /// Takes back what the strategy wanted to sell: its position is guarded from now on.
    pub(crate) fn drop_strategy_exits(
        &mut self,
        slot: usize,
        reason: CancelReason,
        world: &World<'_>,
    ) {
        let signal = ExitReason::Signal;
        self.cancel_where(slot, reason, world, |o| o.purpose == OrderPurpose::Exit(signal));
        let bot = &mut self.bots[slot];
        let Some(id) = bot.fixed.instrument.filter(|_| bot.exit_wanted == Some(signal)) else {
            return;
        };
        bot.exit_wanted = None;
        self.interest(id).exiting.remove(&(slot as u32));
        self.touch(slot);
        self.arm(slot, world);
    }

    /// The feed of an instrument changed: without fresh prices no entry rests.
    pub(crate) fn on_feed(&mut self, id: InstrumentId, world: &World<'_>, out: &mut Vec<Output>) {
        let Some(Some(interest)) = self.interests.get(id.0 as usize) else { return };
        let bots = interest.bots.clone();
        let is_fresh = world.markets.get(id).feed.is_fresh();
        for slot in bots {
            if is_fresh {
                self.try_exit(slot as usize, world, out);
            } else {
                self.withdraw_entries(slot as usize, CancelReason::Hold, world);
            }
        }
    }

    /// Entries stop at once; positions are guarded or sold.
    pub(crate) fn stop_all(
        &mut self,
        choice: StopChoice,
        actor: &Actor,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        for slot in 0..self.bots.len() {
            if self.bots[slot].record.lifecycle == domain::Lifecycle::Retired {
                continue;
            }
            let reason = "emergency stop".to_owned();
            self.hold(slot, Hold::EmergencyStop, actor, reason, world, out);
            self.withdraw_entries(slot, CancelReason::EmergencyStop, world);
            match choice {
                StopChoice::Sell => self.want_flat(slot, ExitReason::Emergency, world, out),
                StopChoice::KeepGuarding => {
                    self.drop_strategy_exits(slot, CancelReason::EmergencyStop, world);
                }
            }
        }
    }

    /// Prints are missing for good: what was open meanwhile stays in the books, marked.
    pub(crate) fn on_gap(&mut self, id: InstrumentId) {
        self.lose_shadows(id);
        for slot in self.interest(id).bots.clone() {
            let bot = &mut self.bots[slot as usize];
            if bot.open.is_empty() && bot.books.lots.is_empty() {
                continue;
            }
            bot.open.iter_mut().for_each(|order| order.saw_gap = true);
            bot.books.lots.saw_gap();
            self.touch(slot as usize);
        }
    }

    /// Triggers of an instrument, for views.
    pub(crate) fn triggers(&self, id: InstrumentId) -> Option<&Triggers> {
        self.interests.get(id.0 as usize)?.as_ref().map(|i| &i.triggers)
    }
}
