//! Calling a strategy: on closed bars and on its own fills.

use crate::markets::{Market, Series};
use crate::output::Output;
use crate::shard::{Interest, Member, Quiet, Shard, World};
use domain::{Bar, ExitReason, InstrumentId, OrderPurpose, Timeframe};
use strategy::{Context, OwnFill};

/// Indicator values as a strategy sees them; no kind has more.
type Values = [f64; 4];

impl Shard {
    /// A bar closed: every bot of its series decides.
    pub(crate) fn on_bar(
        &mut self,
        id: InstrumentId,
        series: usize,
        bar: &Bar,
        may_trade: bool,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(Some(interest)) = self.interests.get_mut(id.0 as usize) else { return };
        let Some(list) = interest.by_series.get_mut(series) else { return };
        let of = &world.markets.get(id).series[series];
        let Some(first) = list.iter().position(|member| member.is_loud(of)) else { return };
        // Taken out while it is walked: deciding does not change who decides.
        let mut members = std::mem::take(list);
        for member in &mut members[first..] {
            if member.is_loud(of) {
                let slot = member.slot as usize;
                self.decide(slot, bar, may_trade, world, out);
                member.quiet = match of.timeframe {
                    Timeframe::Trade => self.quiet(slot),
                    _ => None,
                };
            }
        }
        if let Some(Some(interest)) = self.interests.get_mut(id.0 as usize) {
            interest.by_series[series] = members;
        }
    }

    /// What keeps a bot from having to be asked, until it is touched.
    fn quiet(&self, slot: usize) -> Option<Quiet> {
        let fixed = &self.bots[slot].fixed;
        let figures = fixed.slots.as_slice().try_into().ok()?;
        let side = strategy::quiet(&self.bots[slot].state, fixed.position.is_flat())?;
        Some(Quiet { figures, side })
    }

    fn decide(
        &mut self,
        slot: usize,
        bar: &Bar,
        may_trade: bool,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let bot = &mut self.bots[slot];
        let Some(id) = bot.fixed.instrument else { return };
        let market = world.markets.get(id);
        let values = values(market, bot.fixed.series, &bot.fixed.slots);
        let figures = &values[..bot.fixed.slots.len()];
        let can_enter = may_trade && self.may_enter(slot, world);
        let bot = &mut self.bots[slot];
        let Some(params) = &bot.fixed.params else { return };
        let context = context(market, bar, figures, bot.fixed.position, can_enter, world);
        let before = bot.state.clone();
        let actions = strategy::on_bar(params, &mut bot.state, &context);
        let is_changed = bot.state != before;
        if market.series[bot.fixed.series].timeframe != Timeframe::Trade {
            bot.decided(world.now, &values, actions.len() as u8);
        }
        if !actions.is_empty() && may_trade {
            self.act(slot, &actions, world, out);
        }
        // Its memory is stored even when nothing was ordered: a restart goes on from it. Wishes that
        // are fulfilled already change nothing.
        if is_changed {
            self.touch(slot);
        }
    }

    /// Tells a strategy of its own fill, and that it is flat where something else closed it.
    pub(crate) fn told_fill(
        &mut self,
        slot: usize,
        fill: &OwnFill,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let can_enter = self.may_enter(slot, world);
        let bot = &mut self.bots[slot];
        let (Some(id), Some(params)) = (bot.fixed.instrument, &bot.fixed.params) else { return };
        let market = world.markets.get(id);
        let Some(bar) = last_bar(market, bot.fixed.series) else { return };
        let values = values(market, bot.fixed.series, &bot.fixed.slots);
        let figures = &values[..bot.fixed.slots.len()];
        let context = context(market, &bar, figures, bot.fixed.position, can_enter, world);
        let actions = strategy::on_fill(params, &mut bot.state, &context, fill);
        let is_signal = fill.purpose == OrderPurpose::Exit(ExitReason::Signal);
        if bot.fixed.position.is_flat() && fill.purpose != OrderPurpose::Entry && !is_signal {
            return self.flat(slot, world, out);
        }
        if !actions.is_empty() {
            self.act(slot, &actions, world, out);
        }
        if self.bots[slot].retire_when_flat {
            self.flat(slot, world, out);
        }
    }

    /// Brings a strategy's memory up to date with bars from before; nothing is ordered.
    pub(crate) fn replay(&mut self, slot: usize, world: &World<'_>) {
        let bot = &mut self.bots[slot];
        let (Some(id), Some(params)) = (bot.fixed.instrument, &bot.fixed.params) else { return };
        // Only a side or a dip can have changed; what counts bars or owes a withdrawal goes on
        // with the next bar.
        if !matches!(bot.state, strategy::State::Cross(_) | strategy::State::Reversion(_)) {
            return;
        }
        let market = world.markets.get(id);
        let Some(bar) = last_bar(market, bot.fixed.series) else { return };
        let values = values(market, bot.fixed.series, &bot.fixed.slots);
        let figures = &values[..bot.fixed.slots.len()];
        let context = context(market, &bar, figures, bot.fixed.position, false, world);
        let _ = strategy::on_bar(params, &mut bot.state, &context);
        self.touch(slot);
    }

    /// The strategy's own sentence.
    pub(crate) fn explain(&self, slot: usize, world: &World<'_>) -> Option<String> {
        let bot = &self.bots[slot];
        let market = world.markets.get(bot.fixed.instrument?);
        let bar = last_bar(market, bot.fixed.series)?;
        let values = values(market, bot.fixed.series, &bot.fixed.slots);
        let figures = &values[..bot.fixed.slots.len()];
        let context = context(market, &bar, figures, bot.fixed.position, true, world);
        Some(strategy::explain(bot.fixed.params.as_ref()?, &bot.state, &context))
    }
}

impl Member {
    /// Must the bot be asked, as the figures are now?
    #[inline]
    fn is_loud(&self, of: &Series) -> bool {
        let Some(quiet) = &self.quiet else { return true };
        let [first, second] = quiet.figures.map(|slot| of.indicators.value_or_nan(slot));
        !quiet.side.holds(first, second)
    }
}

impl Interest {
    /// Must any bot of this series be asked, as the figures are now?
    #[inline]
    pub(crate) fn is_loud(&self, series: usize, of: &Series) -> bool {
        let members = self.by_series.get(series);
        members.is_some_and(|list| list.iter().any(|member| member.is_loud(of)))
    }
}

fn values(market: &Market, series: usize, slots: &[market::Slot]) -> Values {
    let indicators = &market.series[series].indicators;
    let mut values = [f64::NAN; 4];
    for (value, slot) in values.iter_mut().zip(slots) {
        *value = indicators.value_or_nan(*slot);
    }
    values
}

fn context<'a>(
    market: &'a Market,
    bar: &'a Bar,
    values: &'a [f64],
    position: strategy::Position,
    can_enter: bool,
    world: &World<'_>,
) -> Context<'a> {
    let (bid, ask) = match market.is_valid() {
        true => (market.book.best_bid(), market.book.best_ask()),
        false => (None, None),
    };
    Context {
        instrument: &market.instrument,
        now: world.now,
        bar,
        values,
        bid: bid.map(|l| l.price),
        ask: ask.map(|l| l.price),
        position,
        can_enter,
    }
}

/// The last closed bar; of single prints the last print.
fn last_bar(market: &Market, series: usize) -> Option<Bar> {
    if let Some(bar) = market.series[series].bars.back() {
        return Some(*bar);
    }
    market.last_print.as_ref().map(Bar::of)
}
