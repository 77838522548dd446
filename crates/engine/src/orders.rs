//! From wish to order: what is new is checked and sent, what is not wanted is taken back.

use crate::bot::OpenOrder;
use crate::output::{DecisionRecord, Output, RefusalRecord};
use crate::shard::{Shard, World, loss_percent};
use domain::{
    Amount, CancelReason, ExitReason, InstrumentId, Mode, OrderId, OrderKind, OrderPurpose,
    OrderStatus, Price, Quantity, Rate, Round, Side, Sizing, TimeInForce,
};
use risk::{ApprovedOrder, Permission, Refused, Snapshot, Wish, permission};
use simulator::{Leg, draw};
use smallvec::SmallVec;
use strategy::Action;

/// A wish with its size worked out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) side: Side,
    pub(crate) kind: OrderKind,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) quantity: Quantity,
    pub(crate) purpose: OrderPurpose,
    pub(crate) level: u16,
}

impl Shard {
    /// Acts on a strategy's wishes: only on what differs from what is there.
    pub(crate) fn act(
        &mut self,
        slot: usize,
        actions: &[Action],
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        for action in actions {
            if action.is_entry() && !self.may_enter(slot, world) {
                continue;
            }
            if sells_by_level(action) && !self.may_leave(slot, world) {
                continue;
            }
            match *action {
                Action::Enter { level, price, post_only, share } => {
                    let kind = price
                        .map_or(OrderKind::Market, |price| OrderKind::Limit { price, post_only });
                    let has_order = self.bots[slot]
                        .open
                        .iter()
                        .any(|o| o.purpose == OrderPurpose::Entry && o.level == level);
                    if !has_order && self.bots[slot].exit_wanted.is_none() {
                        self.enter(slot, level, kind, share, world, out);
                    }
                }
                Action::Exit { level: None, reason, price: None, .. } => {
                    self.want_flat(slot, reason, world, out);
                }
                Action::Exit { level, reason, price, post_only } => {
                    let kind = price
                        .map_or(OrderKind::Market, |price| OrderKind::Limit { price, post_only });
                    self.leave(slot, level, kind, reason, world, out);
                }
                Action::Rest { level, side, price, share } => {
                    self.rest(slot, (level, side, price), share, world, out);
                }
                Action::Withdraw { level, side } => {
                    self.cancel_where(slot, CancelReason::Strategy, world, |o| {
                        o.level == level && o.side == side
                    });
                }
                Action::WithdrawAll => {
                    self.cancel_where(slot, CancelReason::Strategy, world, |_| true);
                }
            }
        }
    }

    /// May the strategy sell now? A whole exit is asked again in `want_flat`, by its reason.
    fn may_leave(&self, slot: usize, world: &World<'_>) -> bool {
        permission(self.condition(slot, world), Wish::StrategyExit) == Permission::Yes
    }

    fn rest(
        &mut self,
        slot: usize,
        (level, side, price): (u16, Side, Price),
        share: Rate,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let kind = OrderKind::Limit { price, post_only: true };
        let here = |o: &&OpenOrder| o.level == level && o.side == side;
        let present = self.bots[slot].open.iter().find(here).map(|o| (o.kind == kind, o.id));
        match present {
            Some((true, _)) => {}
            // The new one follows when the old one is gone: never two where one was wished for.
            Some((false, id)) => {
                self.cancel_where(slot, CancelReason::Strategy, world, |o| o.id == id);
            }
            None if self.bots[slot].exit_wanted.is_some() => {}
            None if side == Side::Buy => self.enter(slot, level, kind, share, world, out),
            None => self.leave(slot, Some(level), kind, ExitReason::Signal, world, out),
        }
    }

    /// Buys for one entry's size.
    fn enter(
        &mut self,
        slot: usize,
        level: u16,
        kind: OrderKind,
        share: Rate,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(id) = self.bots[slot].fixed.instrument else { return };
        let market = world.markets.get(id);
        let price = match kind {
            OrderKind::Limit { price, .. } => Some(price),
            OrderKind::Market => market.book.best_ask().map(|l| l.price),
        };
        // Without a price the risk checks refuse by name; the smallest order asks them.
        let quantity = match (price, self.entry_budget(slot, world)) {
            (Some(price), Some(budget)) => {
                market.instrument.affordable(budget.times(share, Round::Down), price)
            }
            _ => market.instrument.min_quantity,
        };
        let purpose = OrderPurpose::Entry;
        let time_in_force = TimeInForce::Gtc;
        let wanted = Wanted { side: Side::Buy, kind, time_in_force, quantity, purpose, level };
        self.send(slot, wanted, world, out);
    }

    /// What one entry may cost.
    fn entry_budget(&self, slot: usize, world: &World<'_>) -> Option<Amount> {
        let bot = &self.bots[slot];
        let equity = self.equity(slot, world)?;
        let params = bot.fixed.params.as_ref()?;
        let room = match bot.record.mode {
            Mode::Paper => None,
            // What the evidence is good for, less what is in the market.
            Mode::Live => {
                let size = self.verdict(slot, world).size()?.amount;
                Some((size - bot.books.position_cost - bot.open_buys()).or_zero())
            }
        };
        let budget = match bot.config().sizing {
            Some(Sizing::FixedQuote(amount)) => amount,
            Some(Sizing::PercentOfEquity(percent)) => {
                equity.times(crate::shard::share(percent), Round::Down)
            }
            None => {
                let limit = self.policy(world).1.position_max(bot.config().risk_mode);
                let entries = i64::from(strategy::max_entries(params).max(1));
                equity.times(limit, Round::Down).part(1, entries, Round::Down)
            }
        };
        Some(room.map_or(budget, |room| room.min(budget)))
    }

    /// Sells what is held of a level, or of everything.
    fn leave(
        &mut self,
        slot: usize,
        level: Option<u16>,
        kind: OrderKind,
        reason: ExitReason,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let bot = &self.bots[slot];
        let Some(id) = bot.fixed.instrument else { return };
        let instrument = &world.markets.get(id).instrument;
        let of_level = |l: u16| -> Amount {
            bot.books.lots.iter().filter(|lot| lot.level == l).map(|lot| lot.quantity).sum()
        };
        let held = level.map_or(bot.books.held(), of_level);
        let free = instrument.quantity(bot.books.held(), Round::Down).unwrap_or_default()
            - bot.open_sells();
        let quantity = instrument.quantity(held, Round::Down).unwrap_or_default().min(free);
        let wanted = Wanted {
            side: Side::Sell,
            kind,
            time_in_force: TimeInForce::Gtc,
            quantity: instrument.on_lot(quantity),
            purpose: OrderPurpose::Exit(reason),
            level: level.unwrap_or_default(),
        };
        if wanted.quantity.is_positive() {
            self.send(slot, wanted, world, out);
        }
    }

    /// Checks an order and sends it, or stores the refusal.
    pub(crate) fn send(
        &mut self,
        slot: usize,
        wanted: Wanted,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(instrument) = self.bots[slot].fixed.instrument else { return };
        match self.approve(slot, instrument, &wanted, world) {
            Ok(approved) => self.submit(slot, wanted, approved, world, out),
            Err(refused) => self.refuse(slot, wanted.side, *refused, world, out),
        }
    }

    pub(crate) fn snapshot<'a>(
        &'a self,
        slot: usize,
        id: InstrumentId,
        side: Side,
        world: &World<'a>,
    ) -> Snapshot<'a> {
        let (bot, market) = (&self.bots[slot], world.markets.get(id));
        let (policy_version, policy) = self.policy(world);
        let equity = self.equity(slot, world);
        let interest = self.interests[id.0 as usize].as_deref();
        let exchange = market.instrument.exchange as usize;
        let switches = world.switches;
        let flag_off = match bot.record.mode {
            _ if !switches.trading => Some("ENABLE_TRADING"),
            Mode::Paper if !switches.paper_trading => Some("ENABLE_PAPER_TRADING"),
            Mode::Live if !switches.live_trading => Some("ENABLE_LIVE_TRADING"),
            _ if switches.restart_stop => Some(crate::input::RESTARTS),
            _ => None,
        };
        let held = market.instrument.quantity(bot.books.held(), Round::Down).unwrap_or_default();
        Snapshot {
            instrument: &market.instrument,
            book: &market.book,
            reference: market.instrument.percent_band.and_then(|_| market.reference(world.now)),
            feed: &market.feed,
            policy,
            policy_version,
            emergency_stop: self.stop_choice(world).is_some(),
            flag_off,
            breaker: self
                .breaker_of(slot, world)
                .map(|(scope, tripped)| (scope, tripped.loss_percent, tripped.maximum_percent)),
            rate_unknown: if side == Side::Buy { self.rate_unknown(world) } else { None },
            account: None,
            lifecycle: bot.record.lifecycle,
            holds: bot.record.holds,
            strategy: bot.config().strategy.kind,
            risk_mode: bot.config().risk_mode,
            equity,
            capital: bot.capital(),
            cash: bot.free_cash(),
            held: held - bot.open_sells(),
            position_cost: bot.books.position_cost,
            open_buys: bot.open_buys(),
            open_orders: interest.map_or(0, |i| i.venue.live_count()),
            own_opposite: interest.and_then(|i| i.venue.own_best(side.opposite())),
            last_order: bot.last_order,
            first_entry: bot.first_entry.map(|f| (f.side, f.price, f.at)),
            clock_off: world.markets.clocks[exchange].off(),
            orders_last_second: self.sent[exchange].len() as u32,
            entries_today: bot.day.entries,
            daily_loss_percent: equity.map(|e| loss_percent(bot.day.opening_equity, e)),
            edge_bp: bot.fixed.edge_bp,
            live: None,
        }
    }

    fn submit(
        &mut self,
        slot: usize,
        wanted: Wanted,
        approved: ApprovedOrder,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let (id, instrument) = (approved.intent().id, approved.intent().instrument);
        let market = world.markets.get(instrument);
        let scale = &market.instrument;
        let exchange = scale.exchange as usize;
        let account = self.record.id;
        let round_trip = draw(&world.latency[exchange], world.config.seed, account, id, Leg::Send);
        let limit = match wanted.kind {
            OrderKind::Limit { price, .. } => Some(price),
            OrderKind::Market => None,
        };
        let order = OpenOrder {
            id,
            side: wanted.side,
            purpose: wanted.purpose,
            level: wanted.level,
            kind: wanted.kind,
            time_in_force: wanted.time_in_force,
            quantity: wanted.quantity,
            filled: Quantity::ZERO,
            notional: Amount::ZERO,
            hold: approved.worst_cost().unwrap_or_default(),
            // Inside a bar the trigger is the fair price: the bar's end is not known then.
            mid: self.price_in_bar.map(|p| scale.price_amount(p)).or(market.mid()),
            created_at: world.now,
            is_open: false,
            cancel_sent: false,
            saw_gap: false,
        };
        let bot = &mut self.bots[slot];
        bot.orders += 1;
        bot.last_order = Some((wanted.side, limit, wanted.quantity, world.now));
        bot.refusal = None;
        let price = |level: Option<domain::Level>| level.map(|l| scale.price_amount(l.price));
        let series = &market.series[bot.fixed.series];
        out.push(Output::Decision(DecisionRecord {
            order_id: id,
            account_id: account,
            bot_id: bot.record.id,
            bid: price(market.book.best_bid()),
            ask: price(market.book.best_ask()),
            mid: order.mid,
            values: bot.fixed.slots.iter().map(|s| series.indicators.value(*s)).collect(),
            reason: purpose_word(wanted.purpose).into(),
            checks_passed: approved.checks_passed(),
            policy_version: approved.policy_version(),
            at: world.now,
        }));
        let sent = bot.order_record(&order, scale, OrderStatus::Sent.into(), world.now);
        out.push(Output::Order(sent));
        bot.open.push(order);
        if wanted.purpose == OrderPurpose::Entry {
            bot.day.entries += 1;
        }
        self.sent[exchange].push_back(world.now);
        self.touch(slot);
        if approved.intent().mode == Mode::Live {
            let (permit, exchange) = (self.permit(slot, &approved, world), scale.exchange);
            return self.place(slot, exchange, approved, permit, world, out);
        }
        if let Some(price) = self.price_in_bar {
            self.leaving = Some((approved, price));
            return;
        }
        let interest = self.interest(instrument);
        interest.venue_dirty = true;
        interest.venue.submit(approved, round_trip);
        self.due_hint = self.due_hint.min(world.now + round_trip);
    }

    /// Stores a refusal; equal consecutive ones add up.
    fn refuse(
        &mut self,
        slot: usize,
        side: Side,
        refused: Refused,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let policy_version = self.policy(world).0;
        let bot = &mut self.bots[slot];
        bot.day.refusals += 1;
        let code = refused.first.code();
        let same = bot.refusal.take().filter(|r| r.refusal.code() == code && r.side == side);
        let same = same.map(|previous| *previous);
        let record = match same {
            Some(previous) => RefusalRecord {
                refusal: refused.first,
                also: refused.also.into_vec(),
                count: previous.count + 1,
                last_at: world.now,
                policy_version,
                ..previous
            },
            None => {
                bot.refusals += 1;
                let Some(id) = bot.fixed.instrument else { return };
                let instrument = &world.markets.get(id).instrument;
                RefusalRecord {
                    seq: bot.refusals,
                    account_id: bot.record.account_id,
                    bot_id: bot.record.id,
                    exchange: instrument.exchange,
                    symbol: instrument.symbol,
                    side,
                    refusal: refused.first,
                    also: refused.also.into_vec(),
                    policy_version,
                    count: 1,
                    first_at: world.now,
                    last_at: world.now,
                }
            }
        };
        // Told at the first one and at each power of two: a refusal on every bar is one fact.
        if record.count.is_power_of_two() {
            out.push(Output::Refusal(record.clone()));
        }
        bot.refusal = Some(Box::new(record));
        self.touch(slot);
    }

    /// Sends cancellations for the orders that are meant.
    pub(crate) fn cancel_where(
        &mut self,
        slot: usize,
        reason: CancelReason,
        world: &World<'_>,
        is_meant: impl Fn(&OpenOrder) -> bool,
    ) {
        let bot = &mut self.bots[slot];
        let Some(instrument) = bot.fixed.instrument else { return };
        let meant = bot.open.iter_mut().filter(|o| !o.cancel_sent && is_meant(o));
        let ids: SmallVec<[OrderId; 2]> = meant
            .map(|o| {
                o.cancel_sent = true;
                o.id
            })
            .collect();
        if ids.is_empty() {
            return;
        }
        let exchange = world.markets.get(instrument).instrument.exchange;
        self.touch(slot);
        if self.bots[slot].live.is_some() {
            return self.cancel_live((exchange, instrument), &ids, reason, world);
        }
        let (account, exchange) = (self.record.id, exchange as usize);
        for id in ids {
            let leg = Leg::Cancel;
            let round_trip = draw(&world.latency[exchange], world.config.seed, account, id, leg);
            let interest = self.interest(instrument);
            interest.venue_dirty = true;
            interest.venue.cancel(id, reason, world.now, round_trip);
            self.due_hint = self.due_hint.min(world.now + round_trip);
        }
    }
}

/// A sale of one level, which goes out without a wish to be flat.
fn sells_by_level(action: &Action) -> bool {
    match action {
        Action::Rest { side, .. } => *side == Side::Sell,
        Action::Exit { level, price, .. } => level.is_some() || price.is_some(),
        _ => false,
    }
}

fn purpose_word(purpose: OrderPurpose) -> &'static str {
    match purpose {
        OrderPurpose::Entry => "entry",
        OrderPurpose::Exit(ExitReason::Signal) => "exit: signal",
        OrderPurpose::Exit(ExitReason::Target) => "exit: target",
        OrderPurpose::Exit(ExitReason::Stop) => "exit: stop",
        OrderPurpose::Exit(ExitReason::Trail) => "exit: trailing stop",
        OrderPurpose::Exit(ExitReason::Time) => "exit: time limit",
        OrderPurpose::Exit(ExitReason::Risk) => "exit: risk limit",
        OrderPurpose::Exit(ExitReason::Manual) => "exit: by hand",
        OrderPurpose::Exit(ExitReason::Emergency) => "exit: emergency stop",
    }
}
