//! Prices at which something must happen, ordered: a tick touches only what it crosses.

use domain::{Price, Rate, Round};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Why a trigger was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    Stop,
    Target,
    Trail,
    Drawdown,
}

/// Positions whose best bid since entry is the same: they move together.
#[derive(Clone, Debug)]
struct Trailing {
    high: Price,
    /// By distance, so that the first to fire is first.
    members: BTreeSet<(Rate, u32)>,
}

impl Trailing {
    /// The highest price at which a member fires.
    fn fires_at(&self) -> Price {
        let distance = self.members.first().map_or(Rate::ONE, |(d, _)| *d);
        below(self.high, distance)
    }
}

/// A price this share below another, rounded up: a stop rather fires a hair early.
pub(crate) fn below(price: Price, distance: Rate) -> Price {
    price.times(Rate(Rate::ONE.0 - distance.0), Round::Up).unwrap_or(Price(i64::MAX))
}

/// A price this share above another, rounded up: a target is reached, not almost reached.
pub(crate) fn above(price: Price, distance: Rate) -> Price {
    below(price, Rate(-distance.0))
}

/// The triggers of one account on one instrument.
#[derive(Clone, Debug, Default)]
pub(crate) struct Triggers {
    /// Fire when the best bid is at or below.
    falling: BTreeSet<(Price, Reason, u32)>,
    /// Fire when the best bid is at or above.
    rising: BTreeSet<(Price, Reason, u32)>,
    /// Groups with falling highs: only the last one can be overtaken by a rising bid.
    trailing: Vec<Trailing>,
    /// The highest falling trigger and the lowest rising one, trailing included.
    window: Option<(Price, Price)>,
    by_owner: FxHashMap<u32, Owned>,
    /// The highest bid that raised a trailing high since somebody asked.
    raised: Option<Price>,
}

/// What one bot has set.
#[derive(Clone, Copy, Debug, Default)]
struct Owned {
    stop: Option<Price>,
    target: Option<Price>,
    drawdown: Option<Price>,
    trail: Option<Rate>,
}

impl Triggers {
    /// Nothing to watch.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_owner.is_empty()
    }

    /// Is it known that nothing follows from this bid?
    #[inline]
    pub(crate) fn is_quiet(&self, bid: Price) -> bool {
        self.window.is_some_and(|(low, high)| bid > low && bid < high)
    }

    /// The prices strictly between which nothing fires and no high is raised.
    pub(crate) fn quiet(&mut self) -> (Price, Price) {
        let window = self.window.unwrap_or_else(|| self.quiet_window());
        *self.window.insert(window)
    }

    /// Sets what fires at fixed prices; `None` removes.
    pub(crate) fn set(&mut self, owner: u32, reason: Reason, price: Option<Price>) {
        // Mostly nothing is set and nothing is to be: no place is made for it.
        if price.is_none() && !self.by_owner.contains_key(&owner) {
            return;
        }
        let owned = self.by_owner.entry(owner).or_default();
        let (slot, index) = match reason {
            Reason::Stop => (&mut owned.stop, &mut self.falling),
            Reason::Drawdown => (&mut owned.drawdown, &mut self.falling),
            Reason::Target => (&mut owned.target, &mut self.rising),
            Reason::Trail => return,
        };
        if *slot == price {
            return;
        }
        if let Some(old) = slot.take() {
            index.remove(&(old, reason, owner));
        }
        if let Some(new) = price {
            index.insert((new, reason, owner));
        }
        *slot = price;
        self.window = None;
    }

    /// Trails the highest bid from `high` on, at this distance.
    pub(crate) fn trail(&mut self, owner: u32, high: Price, distance: Rate) {
        self.untrail(owner);
        self.by_owner.entry(owner).or_default().trail = Some(distance);
        let at = self.trailing.partition_point(|t| t.high > high);
        match self.trailing.get_mut(at) {
            Some(group) if group.high == high => drop(group.members.insert((distance, owner))),
            _ => {
                let members = BTreeSet::from([(distance, owner)]);
                self.trailing.insert(at, Trailing { high, members });
            }
        }
        self.window = None;
    }

    /// Trails no more.
    pub(crate) fn untrail(&mut self, owner: u32) {
        let Some(distance) = self.by_owner.get_mut(&owner).and_then(|o| o.trail.take()) else {
            return;
        };
        self.leave(owner, distance);
        self.window = None;
    }

    fn leave(&mut self, owner: u32, distance: Rate) {
        for group in &mut self.trailing {
            group.members.remove(&(distance, owner));
        }
        self.trailing.retain(|g| !g.members.is_empty());
    }

    /// Forgets a bot.
    pub(crate) fn clear(&mut self, owner: u32) {
        let Some(owned) = self.by_owner.remove(&owner) else { return };
        if let Some(price) = owned.stop {
            self.falling.remove(&(price, Reason::Stop, owner));
        }
        if let Some(price) = owned.drawdown {
            self.falling.remove(&(price, Reason::Drawdown, owner));
        }
        if let Some(price) = owned.target {
            self.rising.remove(&(price, Reason::Target, owner));
        }
        if let Some(distance) = owned.trail {
            self.leave(owner, distance);
        }
        self.window = None;
    }

    /// The highest bid since a bot's entry, while it trails.
    pub(crate) fn high(&self, owner: u32) -> Option<Price> {
        let distance = self.by_owner.get(&owner)?.trail?;
        let group = self.trailing.iter().find(|g| g.members.contains(&(distance, owner)))?;
        Some(group.high)
    }

    /// Where a bot's trailing stop is now.
    pub(crate) fn trail_price(&self, owner: u32) -> Option<Price> {
        let distance = self.by_owner.get(&owner)?.trail?;
        self.high(owner).map(|high| below(high, distance))
    }

    /// The highest stop or trailing stop at or above a price, of owners that are not left out:
    /// what a falling market reaches first.
    pub(crate) fn first_falling(
        &self,
        low: Price,
        left_out: &[u32],
    ) -> Option<(Price, u32, Reason)> {
        let counts = |owner: &u32| !left_out.contains(owner);
        let stop = self.falling.iter().rev().take_while(|t| t.0 >= low);
        let stop = stop.filter(|t| t.1 == Reason::Stop && counts(&t.2)).map(|t| (t.0, t.2, t.1));
        let trails = self.trailing.iter().flat_map(|group| {
            let of = |(distance, owner): &(Rate, u32)| (below(group.high, *distance), *owner);
            group.members.iter().map(of)
        });
        let trails = trails.filter(|(price, owner)| *price >= low && counts(owner));
        let trail = trails.map(|(price, owner)| (price, owner, Reason::Trail)).max();
        stop.take(1).chain(trail).max()
    }

    /// The lowest target at or below a price, of owners that are not left out.
    pub(crate) fn first_rising(&self, high: Price, left_out: &[u32]) -> Option<(Price, u32)> {
        let reached = self.rising.iter().take_while(|t| t.0 <= high);
        reached.map(|t| (t.0, t.2)).find(|(_, owner)| !left_out.contains(owner))
    }

    /// Whose drawdown limit a bid reaches.
    pub(crate) fn drawdowns(&self, bid: Price) -> Vec<u32> {
        let reached = self.falling.iter().rev().take_while(|t| t.0 >= bid);
        reached.filter(|t| t.1 == Reason::Drawdown).map(|t| t.2).collect()
    }

    /// Takes a new high into account without firing anything; who is left out saw only `last`.
    pub(crate) fn raise_to(&mut self, high: Price, last: Price, left_out: &[u32]) {
        if left_out.is_empty() && high < self.quiet().1 {
            return;
        }
        let mut late: Vec<(u32, Price, Rate)> = Vec::new();
        for owner in left_out {
            let distance = self.by_owner.get(owner).and_then(|o| o.trail);
            if let (Some(distance), Some(high)) = (distance, self.high(*owner)) {
                late.push((*owner, high.max(last), distance));
                self.untrail(*owner);
            }
        }
        self.raise(high);
        self.window = None;
        for (owner, high, distance) in late {
            self.trail(owner, high, distance);
        }
    }

    /// The best bid is now here: raises highs, returns whom it fires, each once.
    pub(crate) fn on_bid(&mut self, bid: Price) -> Vec<(u32, Reason)> {
        if self.is_quiet(bid) {
            return Vec::new();
        }
        self.raise(bid);
        let mut fired = Vec::new();
        for (_, reason, owner) in self.falling.iter().rev().take_while(|t| t.0 >= bid) {
            fired.push((*owner, *reason));
        }
        for (_, reason, owner) in self.rising.iter().take_while(|t| t.0 <= bid) {
            fired.push((*owner, *reason));
        }
        for group in self.trailing.iter().filter(|g| g.fires_at() >= bid) {
            let due = group.members.iter().take_while(|(d, _)| below(group.high, *d) >= bid);
            fired.extend(due.map(|(_, owner)| (*owner, Reason::Trail)));
        }
        if fired.is_empty() {
            self.window = Some(self.quiet_window());
        } else {
            // A loss outranks a gain, and whoever fired twice fires once.
            fired.sort_by_key(|(owner, reason)| (*owner, *reason == Reason::Target, *reason));
            fired.dedup_by_key(|(owner, _)| *owner);
        }
        fired
    }

    /// The highest bid that raised a trailing high since the last call.
    pub(crate) fn take_raised(&mut self) -> Option<Price> {
        self.raised.take()
    }

    /// Merges the groups that this bid overtakes.
    fn raise(&mut self, bid: Price) {
        let mut members = BTreeSet::new();
        while self.trailing.last().is_some_and(|g| g.high < bid) {
            let mut group = self.trailing.pop().map(|g| g.members).unwrap_or_default();
            if group.len() > members.len() {
                std::mem::swap(&mut group, &mut members);
            }
            members.extend(group);
        }
        if members.is_empty() {
            return;
        }
        self.raised = self.raised.max(Some(bid));
        match self.trailing.last_mut() {
            Some(group) if group.high == bid => group.members.extend(members),
            _ => self.trailing.push(Trailing { high: bid, members }),
        }
    }

    /// Bids strictly inside change nothing.
    fn quiet_window(&self) -> (Price, Price) {
        let falling = self.falling.last().map_or(Price(i64::MIN), |t| t.0);
        let trailing = self.trailing.iter().map(Trailing::fires_at).max();
        let rising = self.rising.first().map_or(Price(i64::MAX), |t| t.0);
        let raising = self.trailing.last().map_or(Price(i64::MAX), |g| Price(g.high.0 + 1));
        (falling.max(trailing.unwrap_or(falling)), rising.min(raising))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stop_and_target_in_one_jump_is_the_loss() {
        let mut triggers = Triggers::default();
        triggers.set(1, Reason::Stop, Some(Price(100)));
        triggers.set(1, Reason::Target, Some(Price(90)));
        assert_eq!(triggers.on_bid(Price(95)), [(1, Reason::Stop)]);
    }

    /// Every bot on its own, looked at on every tick.
    #[derive(Clone, Copy)]
    struct Naive {
        owner: u32,
        stop: Price,
        target: Price,
        high: Price,
        distance: Rate,
    }

    proptest! {
        #[test]
        fn triggers_agree_with_looking_at_everyone(
            bots in prop::collection::vec((1i64..60, 1i64..60, 1i64..40), 1..20),
            walk in prop::collection::vec(-7i64..8, 1..120),
        ) {
            let mut bid = Price(1_000);
            let mut triggers = Triggers::default();
            let mut naive = Vec::new();
            let mut waiting = bots.into_iter().enumerate();
            for (i, step) in walk.into_iter().enumerate() {
                if i % 3 == 0
                    && let Some((owner, (stop, target, trail))) = waiting.next() {
                        let (owner, distance) = (owner as u32, Rate::from_bp(trail * 10));
                        let bot = Naive { owner, stop: Price(bid.0 - stop), target: Price(bid.0 + target), high: bid, distance };
                        triggers.set(owner, Reason::Stop, Some(bot.stop));
                        triggers.set(owner, Reason::Target, Some(bot.target));
                        triggers.trail(owner, bid, distance);
                        naive.push(bot);
                }
                bid = Price(bid.0 + step);
                let mut expected = Vec::new();
                for bot in &mut naive {
                    bot.high = bot.high.max(bid);
                    if bid <= bot.stop {
                        expected.push((bot.owner, Reason::Stop));
                    } else if below(bot.high, bot.distance) >= bid {
                        expected.push((bot.owner, Reason::Trail));
                    } else if bid >= bot.target {
                        expected.push((bot.owner, Reason::Target));
                    }
                }
                expected.sort();
                let mut fired = triggers.on_bid(bid);
                fired.sort();
                prop_assert_eq!(&fired, &expected);
                for bot in &naive {
                    prop_assert_eq!(triggers.high(bot.owner), Some(bot.high));
                }
                for (owner, _) in fired {
                    triggers.clear(owner);
                    naive.retain(|b| b.owner != owner);
                }
            }
        }
    }
}
