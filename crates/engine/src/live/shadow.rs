//! What paper would have made of real orders: each also goes to a simulated exchange of its own,
//! and what that answers is compared with what the real one did. It never reaches the books.
//!
//! A real order stands in the book that the simulation sees, and its execution is among the prints:
//! a small order disturbs its own shadow little, a large one makes paper look slower than it is.

use crate::live::Charged;
use crate::shard::{Shard, World, state_of};
use domain::{Amount, CancelReason, Instrument, InstrumentId, OrderId, Round, Side, Timestamp};
use risk::ApprovedOrder;
use serde::{Deserialize, Serialize};
use simulator::{Fill, Leg, MarketState, SimEvent, Venue, draw};
use std::collections::BTreeMap;

/// How far paper and the exchange are apart, over all orders that both brought to an end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadowed {
    /// Real orders that had a shadow.
    pub sent: u64,
    /// Of them compared; the rest is under way, or a gap or a restart hid what paper would have
    /// had.
    pub compared: u64,
    /// Of these both filled the same quantity.
    pub alike: u64,
    /// What paper paid and got, in quote after fees, for the quantity that both filled.
    pub value: Amount,
    /// How much worse the exchange was for it: below zero it was better.
    pub worse: Amount,
}

impl Shadowed {
    /// The same in basis points of the value: how wrong paper was.
    pub fn worse_bp(&self) -> Option<Amount> {
        let share = self.worse.part(10_000, 1, Round::Up).quotient(self.value, Round::Up)?;
        share.to_scaled(2, Round::Up).map(|scaled| Amount::from_scaled(scaled.into(), 2, Round::Up))
    }

    fn add(&mut self, pair: &Pair) {
        let Pair { side, real, paper } = pair;
        self.compared += 1;
        self.alike += u64::from(real.quantity == paper.quantity);
        let both = real.quantity.min(paper.quantity);
        // Too large to be multiplied: counted, not valued.
        let (Some(real), Some(paper)) = (real.of(both), paper.of(both)) else { return };
        self.value += paper;
        self.worse += if *side == Side::Buy { real - paper } else { paper - real };
    }
}

/// What became of an order, at one of its two exchanges.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    quantity: Amount,
    /// In quote, after fees.
    value: Amount,
    is_over: bool,
}

impl Outcome {
    fn add(&mut self, side: Side, fill: &Fill, fee: Amount, in_base: bool, scale: &Instrument) {
        let notional = scale.notional(fill.price, fill.quantity, Round::Down);
        let fee = match in_base {
            true => fee.product(scale.price_amount(fill.price), Round::Up).unwrap_or_default(),
            false => fee,
        };
        self.quantity += scale.quantity_amount(fill.quantity);
        self.value += if side == Side::Buy { notional + fee } else { notional - fee };
    }

    /// What a part of it cost or brought.
    fn of(&self, quantity: Amount) -> Option<Amount> {
        if quantity.is_zero() {
            return Some(Amount::ZERO);
        }
        self.value.product(quantity, Round::Down)?.quotient(self.quantity, Round::Down)
    }
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    side: Side,
    real: Outcome,
    paper: Outcome,
}

/// A bot's simulated exchange beside the real one. What is under way is not stored: what the
/// market did to it while nobody looked is not known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Shadow {
    pub(crate) so_far: Shadowed,
    #[serde(skip)]
    venue: Venue,
    #[serde(skip)]
    pairs: BTreeMap<u32, Pair>,
}

impl Shadow {
    pub(crate) fn next_due(&self) -> Timestamp {
        self.venue.next_due()
    }

    /// Takes note of what happened to an order; once both are over they are compared.
    fn note(&mut self, id: OrderId, change: impl FnOnce(&mut Pair)) {
        let Some(pair) = self.pairs.get_mut(&id.seq) else { return };
        change(pair);
        if pair.real.is_over && pair.paper.is_over {
            self.so_far.add(pair);
            self.pairs.remove(&id.seq);
        }
    }

    fn answered(&mut self, answer: &SimEvent, scale: &Instrument) {
        match answer {
            SimEvent::Accepted(..) => {}
            SimEvent::Filled(fill, is_last) => self.note(fill.order, |pair| {
                let in_base = pair.side == Side::Buy && scale.fees.in_received;
                pair.paper.add(pair.side, fill, fill.fee, in_base, scale);
                pair.paper.is_over |= is_last;
            }),
            SimEvent::Rejected(id, ..)
            | SimEvent::Expired(id, ..)
            | SimEvent::Cancelled(id, ..) => {
                self.note(*id, |pair| pair.paper.is_over = true);
            }
        }
    }
}

impl Shard {
    /// Sends an order's shadow on its way.
    pub(super) fn cast_shadow(&mut self, slot: usize, order: &ApprovedOrder, world: &World<'_>) {
        let intent = order.intent();
        let exchange = world.markets.get(intent.instrument).instrument.exchange as usize;
        let (id, seed) = (intent.id, world.config.seed);
        let round_trip = draw(&world.latency[exchange], seed, self.record.id, id, Leg::Send);
        let shadow = self.bots[slot].shadow.get_or_insert_default();
        let (real, paper) = (Outcome::default(), Outcome::default());
        shadow.pairs.insert(id.seq, Pair { side: intent.side, real, paper });
        shadow.so_far.sent += 1;
        shadow.venue.shadow(order, round_trip);
        self.due_hint = self.due_hint.min(world.now + round_trip);
        let shadows = &mut self.interest(intent.instrument).shadows;
        if !shadows.contains(&(slot as u32)) {
            shadows.push(slot as u32);
        }
    }

    pub(super) fn cancel_shadow(
        &mut self,
        id: OrderId,
        reason: CancelReason,
        at: InstrumentId,
        world: &World<'_>,
    ) {
        let exchange = world.markets.get(at).instrument.exchange as usize;
        let (latency, seed) = (&world.latency[exchange], world.config.seed);
        let round_trip = draw(latency, seed, self.record.id, id, Leg::Cancel);
        let Some(shadow) = self.slot(id.bot).and_then(|slot| self.bots[slot].shadow.as_mut())
        else {
            return;
        };
        shadow.venue.cancel(id, reason, world.now, round_trip);
        self.due_hint = self.due_hint.min(world.now + round_trip);
    }

    /// The market moves for shadows as it does for paper orders.
    pub(crate) fn move_shadows(
        &mut self,
        id: InstrumentId,
        world: &World<'_>,
        step: &impl Fn(&mut Venue, &MarketState<'_>, &mut Vec<SimEvent>),
    ) {
        let Some(Some(interest)) = self.interests.get_mut(id.0 as usize) else { return };
        if interest.shadows.is_empty() {
            return;
        }
        let market = world.markets.get(id);
        let state = state_of(market, world.markets.clock(market.instrument.exchange));
        let mut slots = std::mem::take(&mut interest.shadows);
        let mut answers = std::mem::take(&mut self.answers);
        slots.retain(|slot| {
            let Some(shadow) = self.bots[*slot as usize].shadow.as_mut() else { return false };
            step(&mut shadow.venue, &state, &mut answers);
            for answer in &answers {
                shadow.answered(answer, &market.instrument);
            }
            let is_idle = shadow.venue.is_idle();
            if !answers.is_empty() {
                self.touch(*slot as usize);
            }
            answers.clear();
            !is_idle
        });
        self.answers = answers;
        self.interest(id).shadows = slots;
    }

    /// Something of the market was missed: what paper would have made of it nobody knows.
    pub(crate) fn lose_shadows(&mut self, id: InstrumentId) {
        for slot in std::mem::take(&mut self.interest(id).shadows) {
            if let Some(shadow) = self.bots[slot as usize].shadow.as_mut() {
                shadow.venue = Venue::default();
                shadow.pairs.clear();
            }
        }
    }

    /// The real order executed.
    pub(super) fn shadowed_fill(
        &mut self,
        slot: usize,
        fill: &Fill,
        charged: &Charged,
        scale: &Instrument,
    ) {
        let Some(shadow) = self.bots[slot].shadow.as_mut() else { return };
        shadow.note(fill.order, |pair| {
            pair.real.add(pair.side, fill, charged.fee, charged.in_base, scale);
        });
    }

    /// The real order is over.
    pub(crate) fn shadowed_end(&mut self, slot: usize, id: OrderId) {
        if let Some(shadow) = self.bots[slot].shadow.as_mut() {
            shadow.note(id, |pair| pair.real.is_over = true);
        }
    }
}
