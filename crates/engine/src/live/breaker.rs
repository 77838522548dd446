//! Circuit breakers of real money: an account's live day, and that of all accounts. Once tripped they
//! stay so until a person closes them.

use crate::day_sum::{DaySum, DaySums, add, percent, total};
use crate::engine::Engine;
use crate::output::Output;
use crate::shard::{Shard, World};
use crate::watch::{Tripped, breaker_actor, breaker_record};
use domain::{Amount, CancelReason, Currency, Lifecycle, Mode, Timestamp};

impl Shard {
    /// The breaker of no single bot that binds a bot, by its scope.
    pub(crate) fn breaker_of(
        &self,
        slot: usize,
        world: &World<'_>,
    ) -> Option<(&'static str, Tripped)> {
        match self.bots[slot].record.mode {
            Mode::Paper => self.breaker(world),
            Mode::Live => {
                let own = self.live_day.breaker.map(|tripped| ("account", tripped));
                own.or(world.fleet.live_day.breaker.map(|tripped| ("fleet", tripped)))
            }
        }
    }

    /// What live bots opened the day with and lost; `None`: what one of them is worth is not known.
    fn live_sums(&self, world: &World<'_>) -> Option<DaySums> {
        let mut sums = DaySums::new();
        for (slot, bot) in self.live_bots() {
            if bot.record.lifecycle == Lifecycle::Retired {
                continue;
            }
            let opening = bot.day.opening_equity;
            let loss = opening - self.equity(slot, world)?;
            add(&mut sums, bot.books.symbol.quote, opening, loss);
        }
        Some(sums)
    }

    /// The account's live day, in percent lost.
    pub(crate) fn live_loss(&self, world: &World<'_>) -> Option<Amount> {
        let (into, policy) = (self.record.reporting_currency, self.policy(world).1);
        let sum = total(&self.live_sums(world)?, into, policy.rate_age_max_s, world).ok()?;
        Some(percent(sum))
    }

    pub(super) fn watch_live_day(&mut self, world: &World<'_>, out: &mut Vec<Output>) {
        self.is_dirty |= self.live_day.turn(world.now.day());
        let maximum = self.policy(world).1.breaker_account_day_percent;
        let Some(loss) = self.live_loss(world).filter(|_| world.switches.bodyguard) else { return };
        let Some(tripped) = self.live_day.judge(loss, maximum) else { return };
        self.is_dirty = true;
        out.push(breaker_record(Some(self.record.id), tripped, true, &breaker_actor(), world.now));
        self.withdraw_live_entries(world);
    }

    fn withdraw_live_entries(&mut self, world: &World<'_>) {
        let slots: Vec<usize> = self.live_bots().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.withdraw_entries(slot, CancelReason::Hold, world);
        }
    }
}

impl Engine {
    /// Does anybody trade real money, or wait for a breaker of it?
    fn is_live_watched(&self) -> bool {
        let is_tripped = self.fleet_watch.live_day.breaker.is_some();
        is_tripped || self.shards.iter().any(|shard| !shard.live.is_empty())
    }

    /// The live day over all accounts, in the first one's reporting currency where there are several.
    fn live_day(&self) -> Option<DaySum> {
        let (mut sums, world) = (DaySums::new(), self.world());
        for shard in &self.shards {
            for (currency, sum) in shard.live_sums(&world)? {
                add(&mut sums, currency, sum.opening, sum.loss);
            }
        }
        let into: Currency = self.shards.first()?.record.reporting_currency;
        total(&sums, into, self.policy.1.rate_age_max_s, &world).ok()
    }

    /// The live day of all accounts, in percent lost.
    pub(crate) fn live_fleet_loss(&self) -> Option<Amount> {
        self.live_day().map(percent)
    }

    /// Judges the live day of all accounts.
    pub(crate) fn watch_live_fleet(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        if !self.is_live_watched() {
            return;
        }
        self.is_dirty |= self.fleet_watch.live_day.turn(now.day());
        let maximum = self.policy.1.breaker_fleet_day_percent;
        let loss = self.live_fleet_loss().filter(|_| self.switches.bodyguard);
        let tripped = loss.and_then(|loss| self.fleet_watch.live_day.judge(loss, maximum));
        let Some(tripped) = tripped else { return };
        self.is_dirty = true;
        out.push(breaker_record(None, tripped, true, &breaker_actor(), now));
        for account in 0..self.shards.len() {
            self.with_shard(account, now, |shard, world| shard.withdraw_live_entries(world));
        }
    }
}
