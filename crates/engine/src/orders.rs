//! From wish to order, and from the exchange's answer to money.

use crate::bot::{Bot, EXIT_RETRY, OpenOrder, Outcome};
use crate::output::{DecisionRecord, Output, RefusalRecord, TradeOpened};
use crate::shard::{Shard, World, loss_percent, state_of};
use domain::{
    Amount, CancelReason, ExitReason, FillId, FillRecord, InstrumentId, Liquidity, OrderId,
    OrderKind, OrderPurpose, OrderStatus, Price, Quantity, Rate, RejectCode, Round, Side, Sizing,
    TimeInForce, Timestamp,
};
use ledger::{CloseRequest, Execution, Matching};
use risk::{OrderIntent, Permission, Refused, Snapshot, Wish, permission};
use simulator::{Changed, Fill, Leg, SimEvent, draw};
use smallvec::SmallVec;
use strategy::{Action, OwnFill};

/// A second.
const SECOND: domain::Span = domain::Span::from_secs(1);

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
        Some(match bot.config().sizing {
            Some(Sizing::FixedQuote(amount)) => amount,
            Some(Sizing::PercentOfEquity(percent)) => {
                equity.times(crate::shard::share(percent), Round::Down)
            }
            None => {
                let limit = self.policy(world).1.position_max(bot.config().risk_mode);
                let entries = i64::from(strategy::max_entries(params).max(1));
                equity.times(limit, Round::Down).part(1, entries, Round::Down)
            }
        })
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
        let bot = &self.bots[slot];
        let Some(instrument) = bot.fixed.instrument else { return };
        let id = OrderId { bot: bot.record.id, seq: bot.orders + 1 };
        let intent = OrderIntent {
            id,
            account: self.record.id,
            bot: bot.record.id,
            instrument,
            mode: bot.record.mode,
            side: wanted.side,
            kind: wanted.kind,
            time_in_force: wanted.time_in_force,
            quantity: wanted.quantity,
            purpose: wanted.purpose,
            at: world.now,
        };
        let snapshot = self.snapshot(slot, instrument, wanted.side, world);
        let hold = match wanted.side {
            Side::Buy => snapshot.worst_cost(&intent).unwrap_or_default(),
            Side::Sell => Amount::ZERO,
        };
        match risk::check(intent, &snapshot) {
            Ok(approved) => self.submit(slot, wanted, approved, hold, world, out),
            Err(refused) => self.refuse(slot, wanted.side, *refused, world, out),
        }
    }

    fn snapshot<'a>(
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
        let sent = &self.sent[exchange];
        let recent = sent.len() - sent.partition_point(|at| world.now - *at >= SECOND);
        let switches = world.switches;
        let flag_off = match (switches.trading, switches.paper_trading) {
            (false, _) => Some("ENABLE_TRADING"),
            (_, false) => Some("ENABLE_PAPER_TRADING"),
            _ => None,
        };
        let held = market.instrument.quantity(bot.books.held(), Round::Down).unwrap_or_default();
        Snapshot {
            instrument: &market.instrument,
            book: &market.book,
            feed: &market.feed,
            policy,
            policy_version,
            emergency_stop: self.stop_choice(world).is_some(),
            flag_off,
            lifecycle: bot.record.lifecycle,
            holds: bot.record.holds,
            strategy: bot.config().strategy.kind,
            risk_mode: bot.config().risk_mode,
            equity,
            capital: bot.config().capital,
            cash: bot.free_cash(),
            held: held - bot.open_sells(),
            position_cost: bot.books.position_cost,
            open_buys: bot.open_buys(),
            open_orders: interest.map_or(0, |i| i.venue.open_count()),
            own_opposite: interest.and_then(|i| i.venue.own_best(side.opposite())),
            last_order: bot.last_order,
            orders_last_second: recent as u32,
            entries_today: bot.day.entries,
            daily_loss_percent: equity.map(|e| loss_percent(bot.day.opening_equity, e)),
            edge_bp: bot.fixed.edge_bp,
        }
    }

    fn submit(
        &mut self,
        slot: usize,
        wanted: Wanted,
        approved: risk::ApprovedOrder,
        hold: Amount,
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
            hold,
            mid: market.mid(),
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
        let sent = &mut self.sent[exchange];
        while sent.front().is_some_and(|at| world.now - *at >= SECOND) {
            sent.pop_front();
        }
        sent.push_back(world.now);
        let interest = self.interest(instrument);
        interest.venue_dirty = true;
        interest.venue.submit(approved, round_trip);
        self.due_hint = self.due_hint.min(world.now + round_trip);
        self.touch(slot);
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
        let exchange = world.markets.get(instrument).instrument.exchange as usize;
        let account = self.record.id;
        for id in ids {
            let leg = Leg::Cancel;
            let round_trip = draw(&world.latency[exchange], world.config.seed, account, id, leg);
            let interest = self.interest(instrument);
            interest.venue_dirty = true;
            interest.venue.cancel(id, reason, world.now, round_trip);
            self.due_hint = self.due_hint.min(world.now + round_trip);
        }
        self.touch(slot);
    }

    /// Lets arrive at the simulated exchange what is due there.
    pub(crate) fn advance(&mut self, id: InstrumentId, world: &World<'_>, out: &mut Vec<Output>) {
        self.at_venue(id, world, out, |venue, state, answers| {
            venue.advance(world.now, state, answers);
        });
    }

    pub(crate) fn on_print(
        &mut self,
        id: InstrumentId,
        print: &domain::Print,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let is_made_of_prints = world.markets.get(id).is_made_of_prints();
        self.at_venue(id, world, out, |venue, state, answers| {
            venue.on_print(print, world.now, state, answers);
            if is_made_of_prints {
                venue.refresh();
                venue.advance(world.now, state, answers);
            }
        });
    }

    pub(crate) fn on_book(
        &mut self,
        id: InstrumentId,
        changed: Changed<'_>,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        self.at_venue(id, world, out, |venue, state, answers| {
            venue.on_book(changed, world.now, state, answers);
            // A polled book may be the first one that was asked for after an arrival.
            venue.advance(world.now, state, answers);
        });
    }

    fn at_venue(
        &mut self,
        id: InstrumentId,
        world: &World<'_>,
        out: &mut Vec<Output>,
        step: impl FnOnce(&mut simulator::Venue, &simulator::MarketState<'_>, &mut Vec<SimEvent>),
    ) {
        let Some(Some(interest)) = self.interests.get_mut(id.0 as usize) else { return };
        if interest.venue.is_idle() && interest.venue.has_taken_nothing() {
            return;
        }
        let market = world.markets.get(id);
        let state = state_of(market, world.markets.clock(market.instrument.exchange));
        let mut answers = std::mem::take(&mut self.answers);
        step(&mut interest.venue, &state, &mut answers);
        interest.venue_dirty |= !answers.is_empty();
        for answer in answers.drain(..) {
            self.answer(answer, world, out);
        }
        self.answers = answers;
    }

    fn answer(&mut self, answer: SimEvent, world: &World<'_>, out: &mut Vec<Output>) {
        let (id, outcome, at) = match answer {
            SimEvent::Filled(fill, is_last) => return self.filled(fill, is_last, world, out),
            SimEvent::Accepted(id, at) => (id, OrderStatus::Open.into(), at),
            SimEvent::Rejected(id, code, at) => (id, ended(OrderStatus::Rejected, code), at),
            SimEvent::Expired(id, code, at) => (id, ended(OrderStatus::Expired, code), at),
            SimEvent::Cancelled(id, reason, at) => {
                let status = OrderStatus::Cancelled;
                (id, Outcome { status, code: None, cancel: Some(reason) }, at)
            }
        };
        let Some(slot) = self.slot(id.bot) else { return };
        if outcome.status.is_final() {
            if self.finish(slot, id, outcome, at, world, out) {
                self.refresh_position(slot, world);
                self.arm(slot, world);
                self.flat(slot, world, out);
            }
            return;
        }
        let bot = &mut self.bots[slot];
        let Some(at_) = bot.open.iter().position(|o| o.id == id) else { return };
        bot.open[at_].is_open = true;
        self.tell_order(slot, at_, outcome, at, world, out);
    }

    fn tell_order(
        &mut self,
        slot: usize,
        order: usize,
        outcome: Outcome,
        at: Timestamp,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let bot = &self.bots[slot];
        let Some(instrument) = bot.fixed.instrument else { return };
        let scale = &world.markets.get(instrument).instrument;
        out.push(Output::Order(bot.order_record(&bot.open[order], scale, outcome, at)));
        self.touch(slot);
    }

    fn filled(&mut self, mut fill: Fill, is_last: bool, world: &World<'_>, out: &mut Vec<Output>) {
        let Some(slot) = self.slot(fill.order.bot) else { return };
        let bot = &mut self.bots[slot];
        let Some(at) = bot.open.iter().position(|o| o.id == fill.order) else { return };
        let Some(instrument) = bot.fixed.instrument else { return };
        let scale = &world.markets.get(instrument).instrument;
        let order = &mut bot.open[at];
        if order.saw_gap {
            fill.grade = domain::DataGrade::Gap;
        }
        let (side, level, purpose) = (order.side, order.level, order.purpose);
        // Against us: a buy costs the upper, a sell earns the lower.
        let round = if side == Side::Buy { Round::Up } else { Round::Down };
        let notional = scale.notional(fill.price, fill.quantity, round);
        order.filled += fill.quantity;
        order.notional += notional;
        let quantity = scale.quantity_amount(fill.quantity);
        let slippage = order
            .mid
            .and_then(|mid| mid.product(quantity, Round::Down))
            .map(|fair| if side == Side::Buy { notional - fair } else { fair - notional });
        let fee_in_base = side == Side::Buy && scale.fees.in_received;
        let fee_quote = if fee_in_base { Amount::ZERO } else { fill.fee };
        order.hold = (order.hold - notional - fee_quote).or_zero();
        bot.fills += 1;
        out.push(Output::Fill(fill_record(bot, &fill, scale, side)));
        let execution = Execution {
            order: fill.order,
            level,
            quantity,
            notional,
            fee: fill.fee,
            fee_in_base,
            slippage,
            grade: fill.grade,
            at: fill.at,
        };
        let transfer = match side {
            Side::Buy => self.ledger.buy(&mut bot.books, &execution),
            Side::Sell => self.ledger.sell(&mut bot.books, &execution),
        };
        out.push(Output::Transfer(transfer));
        if side == Side::Buy && bot.opened_at.is_none() {
            bot.opened_at = Some(fill.at);
            out.push(Output::TradeOpened(TradeOpened {
                trade_id: bot.trade_id(),
                account_id: bot.record.account_id,
                bot_id: bot.record.id,
                exchange: scale.exchange,
                symbol: scale.symbol,
                price: scale.price_amount(fill.price),
                quantity,
                at: fill.at,
            }));
        }
        if is_last {
            self.finish(slot, fill.order, OrderStatus::Filled.into(), fill.at, world, out);
        } else {
            self.tell_order(slot, at, OrderStatus::Open.into(), fill.at, world, out);
        }
        self.refresh_position(slot, world);
        let own = OwnFill {
            level,
            side,
            price: fill.price,
            quantity: fill.quantity,
            order_complete: is_last,
            purpose,
        };
        self.told_fill(slot, &own, world, out);
        self.arm(slot, world);
    }

    /// An order is final: its row, its trade, what follows from them. Says whether it had fills.
    fn finish(
        &mut self,
        slot: usize,
        id: OrderId,
        outcome: Outcome,
        at: Timestamp,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(order) = self.bots[slot].open.iter().position(|o| o.id == id) else {
            return false;
        };
        self.tell_order(slot, order, outcome, at, world, out);
        let order = self.bots[slot].open.remove(order);
        match order.purpose {
            OrderPurpose::Exit(reason) if order.filled.is_positive() => {
                self.close_trade(slot, &order, reason, at, world, out);
            }
            OrderPurpose::Entry if order.filled.is_positive() => self.bots[slot].entries += 1,
            _ => {}
        }
        if self.bots[slot].exit_wanted.is_some() {
            let retry = match order.filled.is_positive() || order.side == Side::Buy {
                true => at,
                false => at + EXIT_RETRY,
            };
            self.bots[slot].exit_retry_at = retry;
            self.retry_exit(slot, retry.max(world.now));
        }
        order.filled.is_positive()
    }

    fn close_trade(
        &mut self,
        slot: usize,
        order: &OpenOrder,
        reason: ExitReason,
        at: Timestamp,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let reporting = self.record.reporting_currency;
        let bot = &mut self.bots[slot];
        let Some(instrument) = bot.fixed.instrument else { return };
        let market = world.markets.get(instrument);
        let kind = bot.config().strategy.kind;
        let matching = match kind {
            domain::StrategyKind::Grid => Matching::Level(order.level),
            _ => Matching::Fifo,
        };
        // Not while another sale is under way: the rest may be its, and its lots are not ours.
        let is_last = bot.books.exits.len() == 1 && !bot.open_sells().is_positive();
        let rest_is_dust = is_last && !Self::sellable(bot, market, None).is_positive();
        let quote = market.instrument.symbol.quote;
        let request = CloseRequest {
            id: bot.trade_id(),
            order: order.id,
            matching,
            reason: Some(reason),
            strategy: kind,
            success: reason != ExitReason::Emergency,
            rest_is_dust,
            reporting: (reporting, world.markets.rate(quote, reporting, world.now)),
            at,
        };
        match self.ledger.close(&mut bot.books, request) {
            Ok((trade, transfer)) => {
                bot.trades += 1;
                let is_win = trade.profit_loss.is_positive();
                bot.wins += u32::from(is_win);
                bot.losses_in_a_row = if is_win { 0 } else { bot.losses_in_a_row + 1 };
                out.push(Output::Transfer(transfer));
                out.push(Output::Trade(trade));
                let key = (bot.books.mode, bot.books.exchange, quote);
                self.tell_wallet(key, at, out);
                if self.trades_today.0 != at.day() {
                    self.trades_today = (at.day(), 0);
                }
                self.trades_today.1 += 1;
                self.after_trade(slot, at, world, out);
            }
            Err(incomplete) => {
                self.trades_refused += 1;
                out.push(Output::TradeRefused(self.record.id, incomplete));
            }
        }
    }

    /// Works out anew what the strategy is told of the position.
    pub(crate) fn refresh_position(&mut self, slot: usize, world: &World<'_>) {
        self.touch(slot);
        let bot = &mut self.bots[slot];
        let Some(instrument) = bot.fixed.instrument else { return };
        let market = world.markets.get(instrument);
        let quantity = Self::sellable(bot, market, None);
        if !quantity.is_positive() {
            bot.fixed.position = strategy::Position::default();
            // The first part of an entry may be too small to sell; the round trip goes on.
            let is_over = bot.open.is_empty() || !bot.books.position.is_positive();
            if is_over && bot.books.exits.is_empty() {
                bot.opened_at = None;
                bot.entries = 0;
                bot.high = None;
            }
            // While an order is out a late fill may still open something to be sold.
            let is_done = bot.open.is_empty() && bot.books.exits.is_empty();
            if is_done && bot.exit_wanted.take().is_some() {
                self.interest(instrument).exiting.remove(&(slot as u32));
            }
            return;
        }
        let average = bot.books.lots.notional().quotient(bot.books.lots.quantity(), Round::Up);
        bot.fixed.position = strategy::Position {
            quantity,
            average_entry: average.and_then(|a| market.instrument.price(a, Round::Up)),
            entries: bot.entries,
            opened_at: bot.opened_at,
        };
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

fn ended(status: OrderStatus, code: RejectCode) -> Outcome {
    Outcome { status, code: Some(code), cancel: None }
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

fn fill_record(bot: &Bot, fill: &Fill, scale: &domain::Instrument, side: Side) -> FillRecord {
    let quantity = |q: Quantity| scale.quantity_amount(q);
    FillRecord {
        id: FillId { bot: bot.record.id, seq: bot.fills },
        order_id: fill.order,
        account_id: bot.record.account_id,
        bot_id: bot.record.id,
        exchange: scale.exchange,
        symbol: scale.symbol,
        mode: bot.record.mode,
        side,
        price: scale.price_amount(fill.price),
        quantity: quantity(fill.quantity),
        fee: fill.fee,
        fee_currency: scale.fee_currency(side),
        liquidity: fill.liquidity,
        grade: fill.grade,
        book_update_id: fill.book_update_id,
        print_id: fill.print_id,
        queue_ahead_at_join: fill.queue_ahead_at_join.map(quantity),
        optimistic_filled: match fill.liquidity {
            Liquidity::Maker => fill.optimistic_filled.map(quantity),
            Liquidity::Taker => None,
        },
        round_trip: fill.round_trip,
        at: fill.at,
    }
}
