//! Real orders in the books: sent once, followed by reports that may come twice, late, or out of
//! order. Executed quantity decides, never the order of messages.

use crate::bot::{OpenOrder, Outcome};
use crate::live::{LiveAction, LiveExecution, LiveReport};
use crate::output::Output;
use crate::shard::{Shard, World};
use domain::{
    Alert, Amount, CancelReason, DataGrade, Exchange, InstrumentId, Liquidity, OrderId, OrderKind,
    OrderPurpose, OrderStatus, RejectCode, Round, Side, Span, Timestamp,
};
use risk::{AccountRisk, ApprovedOrder, Exposure, Permit, reduce_permit};
use serde::{Deserialize, Serialize};
use simulator::Fill;
use std::collections::BTreeMap;

/// Orders that ended are remembered this long: an exchange may tell of a fill after the end.
const REMEMBERED: Span = Span::from_secs(3_600);

/// Real orders of a bot, by their number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LiveOrders(BTreeMap<u32, LiveOrder>);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct LiveOrder {
    /// Trades that were posted.
    posted: Vec<String>,
    /// How it ended, and how much of it executed.
    ended: Option<(OrderStatus, Option<String>, Amount)>,
    /// As it was when it became final here, and when.
    finished: Option<(Timestamp, Box<OpenOrder>)>,
}

impl LiveOrders {
    fn of(&mut self, id: OrderId) -> &mut LiveOrder {
        self.0.entry(id.seq).or_default()
    }

    /// An order is final here: what a late fill would need of it is kept for a while.
    pub(crate) fn finished(&mut self, order: &OpenOrder, now: Timestamp) {
        self.of(order.id).finished = Some((now, Box::new(order.clone())));
    }

    fn forget_old(&mut self, now: Timestamp) {
        let is_old = |o: &LiveOrder| o.finished.as_ref().is_some_and(|f| now - f.0 > REMEMBERED);
        self.0.retain(|_, order| !is_old(order));
    }
}

/// How a fill was charged, as the books and as its row have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charged {
    /// In quote, or in base where `in_base`.
    pub(crate) fee: Amount,
    pub(crate) in_base: bool,
    /// As the exchange has it.
    pub(crate) native: (Amount, domain::Currency),
}

impl Shard {
    /// The right to send this order; `None`: it has none.
    pub(crate) fn permit(
        &self,
        slot: usize,
        order: &ApprovedOrder,
        world: &World<'_>,
    ) -> Option<Permit> {
        let (bot, intent) = (&self.bots[slot], order.intent());
        match intent.purpose {
            OrderPurpose::Entry => self.verdict(slot, world).entry_permit(world.now),
            OrderPurpose::Exit(_) => {
                let instrument = &world.markets.get(intent.instrument).instrument;
                let held = instrument.quantity(bot.books.held(), Round::Down)?;
                reduce_permit(self.record.id, bot.record.id, intent.instrument, held)
            }
        }
    }

    /// Hands an approved order to whoever sends it, once it is stored.
    pub(crate) fn place(
        &mut self,
        slot: usize,
        exchange: Exchange,
        order: ApprovedOrder,
        permit: Option<Permit>,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let id = order.intent().id;
        match permit {
            Some(permit) => {
                self.cast_shadow(slot, &order, world);
                self.leaving_live.push(LiveAction::Place { exchange, order, permit });
            }
            // Checked a moment ago; whatever changed since, it does not leave.
            None => {
                let code = "NO_PERMIT".into();
                self.end_live(slot, id, OrderStatus::Rejected, Some(code), world, out);
            }
        }
    }

    /// Asks for cancels of real orders.
    pub(crate) fn cancel_live(
        &mut self,
        (exchange, at): (Exchange, InstrumentId),
        ids: &[OrderId],
        reason: CancelReason,
        world: &World<'_>,
    ) {
        let account = self.record.id;
        for id in ids {
            self.cancel_shadow(*id, reason, at, world);
        }
        self.leaving_live.extend(ids.iter().map(|id| LiveAction::Cancel {
            account,
            exchange,
            instrument: at,
            order: *id,
        }));
    }

    pub(crate) fn on_report(
        &mut self,
        id: OrderId,
        report: &LiveReport,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(slot) = self.slot(id.bot) else { return };
        let bot = &mut self.bots[slot];
        let Some(live) = &mut bot.live else { return };
        live.orders.forget_old(world.now);
        let is_open = bot.open.iter().any(|o| o.id == id);
        match report {
            LiveReport::Refused { .. } | LiveReport::Unknown { .. } if !is_open => {}
            LiveReport::Open => {
                live.refused = Default::default();
                self.opened(slot, id, world, out);
            }
            LiveReport::Fill(fill) => self.executed(slot, id, fill, world, out),
            LiveReport::Ended { status, reason, filled } => {
                live.orders.of(id).ended = Some((*status, reason.clone(), *filled));
                self.touch(slot);
                self.conclude(slot, id, world, out);
            }
            LiveReport::Refused { code, text } => {
                let same = if live.refused.0 == *code { live.refused.1 } else { 0 };
                live.refused = (code.clone(), same + 1);
                // An exit is tried once a second: the same answer is told at powers of two.
                if live.refused.1.is_power_of_two() {
                    let problem = format!("{code} {text}, {} times in a row", same + 1);
                    self.live_problem(slot, id, problem, world, out);
                }
                let code = Some(code.clone().into());
                self.end_live(slot, id, OrderStatus::Rejected, code, world, out);
            }
            LiveReport::Unknown { why } => {
                let problem = format!("not known whether it exists: {why}");
                self.live_problem(slot, id, problem, world, out);
            }
        }
    }

    fn live_problem(
        &self,
        slot: usize,
        id: OrderId,
        problem: String,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        out.push(Output::Alert {
            account_id: self.record.id,
            bot_id: Some(self.bots[slot].record.id),
            alert: Alert::LiveOrder { order: id.client_order_id(), problem },
            at: world.now,
        });
    }

    fn opened(&mut self, slot: usize, id: OrderId, world: &World<'_>, out: &mut Vec<Output>) {
        let bot = &mut self.bots[slot];
        let Some(at) = bot.open.iter().position(|o| o.id == id && !o.is_open) else { return };
        bot.open[at].is_open = true;
        self.tell_order(slot, at, OrderStatus::Open.into(), world.now, world, out);
    }

    fn executed(
        &mut self,
        slot: usize,
        id: OrderId,
        told: &LiveExecution,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let bot = &mut self.bots[slot];
        let Some(live) = &mut bot.live else { return };
        let order = live.orders.of(id);
        if order.posted.contains(&told.trade_id) {
            return;
        }
        order.posted.push(told.trade_id.clone());
        // What was seen of money before is explained by this, perhaps.
        self.desks[bot.books.exchange as usize].pending.clear();
        // After its end, and real all the same.
        if let Some((_, finished)) = order.finished.take() {
            bot.open.push(*finished);
        }
        let Some(at) = bot.open.iter().position(|o| o.id == id) else {
            let problem = format!("a fill {} of an order that is not ours", told.trade_id);
            return self.live_problem(slot, id, problem, world, out);
        };
        let Some(instrument) = bot.fixed.instrument else { return };
        let scale = &world.markets.get(instrument).instrument;
        let side = bot.open[at].side;
        let against = if side == Side::Buy { Round::Up } else { Round::Down };
        let price = scale.price(told.price, against);
        let quantity = scale.quantity(told.quantity, Round::Down);
        let (Some(price), Some(quantity)) = (price, quantity.filter(|q| q.is_positive())) else {
            let problem = format!("a fill of {} at {}", told.quantity, told.price);
            return self.live_problem(slot, id, problem, world, out);
        };
        let (charged, is_known) = charged(told, side, scale, world);
        if !is_known {
            let problem =
                format!("its fee of {} {} has no rate", charged.native.0, charged.native.1);
            self.live_problem(slot, id, problem, world, out);
        }
        let bot = &self.bots[slot];
        let fill = Fill {
            order: id,
            price,
            quantity,
            liquidity: told.liquidity.unwrap_or(likely(bot.open[at].kind)),
            fee: charged.fee,
            grade: DataGrade::L2Trades,
            book_update_id: 0,
            print_id: None,
            queue_ahead_at_join: None,
            optimistic_filled: None,
            round_trip: world.now - bot.open[at].created_at,
            at: world.now,
        };
        let is_last = bot.open[at].filled + quantity >= bot.open[at].quantity;
        self.shadowed_fill(slot, &fill, &charged, scale);
        self.post(slot, at, &fill, charged, is_last, world, out);
        self.conclude(slot, id, world, out);
    }

    /// Ends an order that the exchange has ended, once everything executed of it is in the books.
    fn conclude(&mut self, slot: usize, id: OrderId, world: &World<'_>, out: &mut Vec<Output>) {
        let bot = &mut self.bots[slot];
        let (Some(live), Some(instrument)) = (&mut bot.live, bot.fixed.instrument) else { return };
        let Some((status, reason, filled)) = live.orders.of(id).ended.clone() else { return };
        let Some(order) = bot.open.iter().find(|o| o.id == id) else { return };
        let scale = &world.markets.get(instrument).instrument;
        if scale.quantity_amount(order.filled) < filled {
            return;
        }
        let whole = order.filled >= order.quantity;
        let status = if whole { OrderStatus::Filled } else { status };
        self.end_live(slot, id, status, reason.map(Into::into), world, out);
    }

    fn end_live(
        &mut self,
        slot: usize,
        id: OrderId,
        status: OrderStatus,
        code: Option<RejectCode>,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let outcome = Outcome { status, code, cancel: None };
        self.ended(slot, id, outcome, world.now, world, out);
    }

    /// What the live checks ask of the whole account, in the quote currency of this bot; `None`:
    /// something of it is not known.
    pub(crate) fn live_risk(&self, slot: usize, world: &World<'_>) -> Option<AccountRisk> {
        let quote = self.bots[slot].books.symbol.quote;
        let (mut exposure, mut opening, mut lost) =
            (Exposure::default(), Amount::ZERO, Amount::ZERO);
        for (at, bot) in self.live_bots() {
            if bot.record.lifecycle == domain::Lifecycle::Retired {
                continue;
            }
            let (rate, _, _) = world.markets.rate(bot.books.symbol.quote, quote, world.now)?;
            let worth = |amount: Amount| amount.product(rate, Round::Up);
            let equity = self.equity(at, world)?;
            let open = (equity - bot.books.cash).or_zero() + bot.open_buys();
            exposure.add(bot.books.symbol.base, bot.books.exchange, worth(open)?);
            opening += worth(bot.day.opening_equity)?;
            lost += worth(bot.day.opening_equity - equity)?;
        }
        let daily_loss_percent = crate::shard::loss_percent(opening, opening - lost);
        Some(AccountRisk { exposure, quote_rate: Amount::ONE, daily_loss_percent })
    }

    /// Real orders of the account that are open on an instrument, and the best price among those
    /// of a side.
    pub(crate) fn live_orders_on(
        &self,
        id: InstrumentId,
        side: Side,
    ) -> (u32, Option<domain::Price>) {
        let here = self.live_bots().filter(|(_, bot)| bot.fixed.instrument == Some(id));
        let (mut count, mut best) = (0, None);
        for order in here.flat_map(|(_, bot)| &bot.open) {
            count += 1;
            if let (true, OrderKind::Limit { price, .. }) = (order.side == side, order.kind) {
                let is_better = best.is_none_or(|b| match side {
                    Side::Buy => price > b,
                    Side::Sell => price < b,
                });
                best = if is_better { Some(price) } else { best };
            }
        }
        (count, best)
    }
}

/// Where the exchange does not say: an order at a price that was let rest.
const fn likely(kind: OrderKind) -> Liquidity {
    match kind {
        OrderKind::Limit { post_only: true, .. } => Liquidity::Maker,
        _ => Liquidity::Taker,
    }
}

/// A fee of the base stays in base; any other is valued in quote. Says whether that was possible.
fn charged(
    told: &LiveExecution,
    side: Side,
    scale: &domain::Instrument,
    world: &World<'_>,
) -> (Charged, bool) {
    let (base, quote) = (scale.symbol.base, scale.symbol.quote);
    let mut fees = told.fees.iter().filter(|fee| !fee.0.is_zero());
    let first = fees.next().copied().unwrap_or((Amount::ZERO, quote));
    if fees.next().is_none() && first.1 == base && side == Side::Buy {
        return (Charged { fee: first.0, in_base: true, native: first }, true);
    }
    let (mut fee, mut is_known) = (Amount::ZERO, true);
    for (amount, currency) in &told.fees {
        let rate = match *currency {
            c if c == quote => Some(Amount::ONE),
            c if c == base => Some(told.price),
            c => world.markets.rate(c, quote, world.now).map(|(rate, _, _)| rate),
        };
        match rate.and_then(|rate| amount.product(rate, Round::Up)) {
            Some(value) => fee += value,
            None => is_known = false,
        }
    }
    (Charged { fee, in_base: false, native: first }, is_known)
}
