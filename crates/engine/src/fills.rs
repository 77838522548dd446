//! From the exchange's answer to money: fills, final orders, closed trades.

use crate::bot::{Bot, EXIT_RETRY, OpenOrder, Outcome};
use crate::live::Charged;
use crate::output::{Output, TradeOpened};
use crate::shard::{Due, Shard, World, in_force, state_of};
use domain::{
    Amount, ExitReason, FillId, FillRecord, InstrumentId, Liquidity, OrderId, OrderPurpose,
    OrderStatus, Quantity, RejectCode, Round, Side, Timestamp,
};
use ledger::{CloseRequest, Execution, Matching};
use simulator::{Changed, Fill, SimEvent};
use strategy::OwnFill;

impl Shard {
    /// Lets arrive at the simulated exchange what is due there.
    pub(crate) fn advance(&mut self, id: InstrumentId, world: &World<'_>, out: &mut Vec<Output>) {
        self.at_market(id, world, out, |venue, state, answers| {
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
        self.at_market(id, world, out, |venue, state, answers| {
            venue.on_print(print, world.now, state, answers);
            if is_made_of_prints {
                venue.refresh();
                venue.advance(world.now, state, answers);
            }
        });
    }

    /// Somebody took an order back: whoever waited behind it is nearer.
    pub(crate) fn on_withdrawn(
        &mut self,
        id: InstrumentId,
        withdrawn: &domain::Withdrawn,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        self.at_market(id, world, out, |venue, state, _| venue.on_withdrawn(withdrawn, state));
    }

    pub(crate) fn on_book(
        &mut self,
        id: InstrumentId,
        changed: Changed<'_>,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        self.at_market(id, world, out, |venue, state, answers| {
            venue.on_book(changed, world.now, state, answers);
            // A polled book may be the first one that was asked for after an arrival.
            venue.advance(world.now, state, answers);
        });
    }

    /// As [`Shard::at_venue`], for what the market does: shadows see it, too.
    fn at_market(
        &mut self,
        id: InstrumentId,
        world: &World<'_>,
        out: &mut Vec<Output>,
        step: impl Fn(&mut simulator::Venue, &simulator::MarketState<'_>, &mut Vec<SimEvent>),
    ) {
        self.move_shadows(id, world, &step);
        self.at_venue(id, world, out, step);
    }

    pub(crate) fn at_venue(
        &mut self,
        id: InstrumentId,
        world: &World<'_>,
        out: &mut Vec<Output>,
        step: impl FnOnce(&mut simulator::Venue, &simulator::MarketState<'_>, &mut Vec<SimEvent>),
    ) {
        let Some(Some(interest)) = self.interests.get_mut(id.0 as usize) else { return };
        // After a restart nothing is answered before its bots are back: an answer without its bot
        // would be lost.
        let is_awake = !interest.bots.is_empty();
        if !is_awake || (interest.venue.is_idle() && interest.venue.has_taken_nothing()) {
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

    pub(crate) fn answer(&mut self, answer: SimEvent, world: &World<'_>, out: &mut Vec<Output>) {
        let (id, outcome, at) = match answer {
            SimEvent::Filled(fill, is_last) => return self.filled(fill, is_last, world, out),
            SimEvent::Accepted(id, at) => (id, OrderStatus::Open.into(), at),
            SimEvent::Rejected(id, code, at) => (id, over(OrderStatus::Rejected, code), at),
            SimEvent::Expired(id, code, at) => (id, over(OrderStatus::Expired, code), at),
            SimEvent::Cancelled(id, reason, at) => {
                let status = OrderStatus::Cancelled;
                (id, Outcome { status, code: None, cancel: Some(reason) }, at)
            }
        };
        let Some(slot) = self.slot(id.bot) else { return };
        if outcome.status.is_final() {
            return self.ended(slot, id, outcome, at, world, out);
        }
        let bot = &mut self.bots[slot];
        let Some(at_) = bot.open.iter().position(|o| o.id == id) else { return };
        bot.open[at_].is_open = true;
        self.tell_order(slot, at_, outcome, at, world, out);
    }

    /// An order is over, other than by being filled whole.
    pub(crate) fn ended(
        &mut self,
        slot: usize,
        id: OrderId,
        outcome: Outcome,
        at: Timestamp,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        if self.finish(slot, id, outcome, at, world, out) {
            self.refresh_position(slot, world);
            self.go_on_leaving(slot, at, world);
            self.arm(slot, world);
            self.flat(slot, world, out);
        } else if self.bots[slot].live.is_some() {
            // A bot that was demoted returns to paper once nothing of it is out.
            self.flat(slot, world, out);
        }
    }

    pub(crate) fn tell_order(
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

    pub(crate) fn filled(
        &mut self,
        mut fill: Fill,
        is_last: bool,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(slot) = self.slot(fill.order.bot) else { return };
        let bot = &self.bots[slot];
        let Some(at) = bot.open.iter().position(|o| o.id == fill.order) else { return };
        let Some(instrument) = bot.fixed.instrument else { return };
        let scale = &world.markets.get(instrument).instrument;
        if bot.open[at].saw_gap {
            fill.grade = domain::DataGrade::Gap;
        }
        let side = bot.open[at].side;
        let charged = Charged {
            fee: fill.fee,
            in_base: side == Side::Buy && scale.fees.in_received,
            native: (fill.fee, scale.fee_currency(side)),
        };
        self.post(slot, at, &fill, charged, is_last, world, out);
    }

    /// Books an execution, simulated or real.
    #[allow(clippy::too_many_arguments, reason = "the parts of one execution, and where it goes")]
    pub(crate) fn post(
        &mut self,
        slot: usize,
        at: usize,
        fill: &Fill,
        charged: Charged,
        is_last: bool,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let bot = &mut self.bots[slot];
        let Some(instrument) = bot.fixed.instrument else { return };
        let scale = &world.markets.get(instrument).instrument;
        let order = &mut bot.open[at];
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
        let Charged { fee, in_base: fee_in_base, .. } = charged;
        let fee_quote = if fee_in_base { Amount::ZERO } else { fee };
        order.hold = (order.hold - notional - fee_quote).or_zero();
        bot.fills += 1;
        out.push(Output::Fill(fill_record(bot, fill, charged.native, scale, side)));
        let execution = Execution {
            order: fill.order,
            level,
            quantity,
            notional,
            fee,
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
            self.refresh_position(slot, world);
            self.go_on_leaving(slot, fill.at, world);
        } else {
            self.tell_order(slot, at, OrderStatus::Open.into(), fill.at, world, out);
            self.refresh_position(slot, world);
        }
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
    pub(crate) fn finish(
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
        self.shadowed_end(slot, id);
        match order.purpose {
            OrderPurpose::Exit(reason) if order.filled.is_positive() => {
                self.close_trade(slot, &order, reason, at, world, out);
            }
            OrderPurpose::Entry if order.filled.is_positive() => self.bots[slot].entries += 1,
            _ => {}
        }
        if let Some(live) = &mut self.bots[slot].live {
            live.orders.finished(&order, world.now);
        }
        let has_fills = order.filled.is_positive();
        if self.bots[slot].exit_wanted.is_some() && !has_fills {
            let retry = if order.side == Side::Buy { at } else { at + EXIT_RETRY };
            self.bots[slot].exit_retry_at = retry;
            self.retry_exit(slot, retry.max(world.now));
        }
        has_fills
    }

    /// After fills and where it still is not flat: the next step of an exit is tried at once.
    fn go_on_leaving(&mut self, slot: usize, at: Timestamp, world: &World<'_>) {
        if self.bots[slot].exit_wanted.is_some() {
            self.bots[slot].exit_retry_at = at;
            self.retry_exit(slot, at.max(world.now));
        }
    }

    pub(crate) fn close_trade(
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
                let policy = in_force(self.policy.as_ref(), world.policy).1;
                let capital = bot.capital();
                bot.sample.close(&trade, capital);
                let findings = bot.training.close(&trade, capital, policy);
                out.push(Output::Transfer(transfer));
                out.push(Output::Trade(trade));
                let key = (bot.books.mode, bot.books.exchange, quote);
                self.tell_wallet(key, at, out);
                if self.trades_today.0 != at.day() {
                    self.trades_today = (at.day(), 0);
                }
                self.trades_today.1 += 1;
                self.after_trade(slot, at, world, out);
                for finding in findings {
                    self.act_on(slot, finding, world, out);
                }
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
                // Nothing is left to be tried: no timer has to say so.
                if let Some(at) = bot.fixed.retry_at.take() {
                    self.timers.remove(&(at, Due::RetryExit(slot as u32)));
                }
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

fn over(status: OrderStatus, code: RejectCode) -> Outcome {
    Outcome { status, code: Some(code), cancel: None }
}

fn fill_record(
    bot: &Bot,
    fill: &Fill,
    (fee, fee_currency): (Amount, domain::Currency),
    scale: &domain::Instrument,
    side: Side,
) -> FillRecord {
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
        fee,
        fee_currency,
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
