//! What watches over a whole account and over the fleet: the day's loss with its circuit breaker,
//! shares of exposure, currencies without a rate.
//!
//! Worked out in the supervision pass, from sums that it keeps: a trade costs nothing more.

use crate::day_sum::{DaySum, DaySums, add, percent, total};
use crate::output::{BreakerRecord, Output};
use crate::shard::{Shard, World};
use crate::view::BreakerView;
use domain::{
    Actor, Alert, Amount, CancelReason, Currency, Exchange, Lifecycle, Mode, Round, Timestamp,
};
use risk::Exposure;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::collections::BTreeSet;

/// A warning is told again only after its figure fell below this share of its limit.
const CLEARED_BELOW: (i64, i64) = (9, 10);

/// A circuit breaker of an account or of the fleet that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tripped {
    pub(crate) loss_percent: Amount,
    pub(crate) maximum_percent: Amount,
}

/// What a person was warned of and would not hear twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Warned {
    Asset(Currency),
    Exchange(Exchange),
    DailyLoss,
}

impl Warned {
    const fn is_share(&self) -> bool {
        matches!(self, Self::Asset(_) | Self::Exchange(_))
    }
}

/// The UTC day of an account or of the fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WatchDay {
    pub(crate) start: Timestamp,
    /// What bots that were archived today opened with and lost.
    gone: DaySums,
    /// Loss up to which a breaker was closed by hand: it trips again this much lower.
    forgiven_percent: Amount,
    pub(crate) breaker: Option<Tripped>,
}

impl WatchDay {
    /// Begins a new day; says whether that closed the breaker.
    fn begin(&mut self, start: Timestamp) -> Option<Tripped> {
        let before = std::mem::replace(self, Self { start, ..Self::default() });
        before.breaker
    }

    /// The same where a breaker waits for a person, whatever day it is. Says whether it is a new day.
    pub(crate) fn turn(&mut self, start: Timestamp) -> bool {
        let is_new = self.start != start;
        if is_new {
            *self = Self { start, breaker: self.breaker, ..Self::default() };
        }
        is_new
    }

    /// Trips the breaker where the loss is over its limit.
    pub(crate) fn judge(
        &mut self,
        loss_percent: Amount,
        maximum_percent: Amount,
    ) -> Option<Tripped> {
        if self.breaker.is_some() || loss_percent - self.forgiven_percent < maximum_percent {
            return None;
        }
        self.breaker = Some(Tripped { loss_percent, maximum_percent });
        self.breaker
    }

    /// A person closes the breaker: what was lost so far is known to them.
    pub(crate) fn close(&mut self) -> Option<Tripped> {
        let tripped = self.breaker.take()?;
        self.forgiven_percent = tripped.loss_percent;
        Some(tripped)
    }
}

/// What is open: base, where, in which currency, and its value.
type Open = (Currency, Exchange, Currency, Amount);

/// Sums of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    sums: DaySums,
    pub(crate) open: SmallVec<[Open; 2]>,
}

impl Tally {
    pub(crate) fn add(&mut self, currency: Currency, opening: Amount, loss: Amount) {
        add(&mut self.sums, currency, opening, loss);
    }

    #[cfg(debug_assertions)]
    pub(crate) const fn sums(&self) -> &DaySums {
        &self.sums
    }

    /// Can shares of it be judged at all?
    fn has_shares(&self) -> bool {
        let exchanges = self.open.windows(2).any(|pair| pair[0].1 != pair[1].1);
        exchanges || self.open.len() >= risk::ASSETS_MIN
    }
}

/// What a verdict rests on beside the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grounds {
    today: Timestamp,
    policy_version: u32,
    has_bodyguard: bool,
}

/// What a verdict rests on, where everything is in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    tally: Tally,
    grounds: Grounds,
}

/// A breaker of no single bot, as it is told.
pub(crate) fn breaker_record(
    account_id: Option<domain::AccountId>,
    tripped: Tripped,
    is_open: bool,
    by: &Actor,
    at: Timestamp,
) -> Output {
    let Tripped { loss_percent, maximum_percent } = tripped;
    let (bot_id, tripped, by) = (None, is_open, by.clone());
    Output::Breaker(BreakerRecord {
        account_id,
        bot_id,
        tripped,
        loss_percent,
        maximum_percent,
        by,
        at,
    })
}

pub(crate) fn breaker_actor() -> Actor {
    Actor::Rule("circuit breaker".into())
}

impl Shard {
    /// A bot is archived: what it lost today stays lost today.
    pub(crate) fn keep_loss(&mut self, slot: usize, world: &World<'_>) {
        let bot = &self.bots[slot];
        if bot.day.start != world.now.day() || bot.needs_capital || bot.live.is_some() {
            return;
        }
        let opening = bot.day.opening_equity;
        let (quote, loss) = (bot.books.symbol.quote, opening - bot.books.cash);
        if self.watch.start == bot.day.start {
            add(&mut self.watch.gone, quote, opening, loss);
            self.pass.is_still = false;
            self.is_dirty = true;
        }
    }

    fn grounds(&self, world: &World<'_>) -> Grounds {
        let (today, policy_version) = (world.now.day(), self.policy(world).0);
        Grounds { today, policy_version, has_bodyguard: world.switches.bodyguard }
    }

    /// Is the last verdict the one that the same sums would have now?
    pub(crate) fn is_judged(&self, world: &World<'_>) -> bool {
        self.judged.as_ref().is_some_and(|judged| judged.grounds == self.grounds(world))
    }

    /// Judges the account's day and its shares; what is new is told. Says whether there was anything
    /// to judge: the same sums have the same verdict.
    pub(crate) fn watch_account(
        &mut self,
        mut tally: Tally,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) -> bool {
        let today = world.now.day();
        if self.watch.start != today {
            if let Some(tripped) = self.watch.begin(today) {
                let (id, by) = (Some(self.record.id), breaker_actor());
                out.push(breaker_record(id, tripped, false, &by, world.now));
            }
            self.warned.remove(&Warned::DailyLoss);
            self.is_dirty = true;
        }
        for (currency, sum) in &self.watch.gone {
            tally.add(*currency, sum.opening, sum.loss);
        }
        let (grounds, policy) = (self.grounds(world), self.policy(world).1);
        let (maximum, breaker, age_max_s) = (
            policy.daily_loss_max_percent,
            policy.breaker_account_day_percent,
            policy.rate_age_max_s,
        );
        // Over several currencies a verdict rests on rates, too.
        let is_one = tally.sums.len() <= 1;
        let judged = self.judged.as_ref().filter(|_| is_one);
        if judged.is_some_and(|j| j.grounds == grounds && j.tally == tally) {
            return false;
        }
        self.sums = DaySums::from_slice(&tally.sums);
        let reporting = self.record.reporting_currency;
        // Without a share to judge there may still be an old warning to take back.
        let exposure = match tally.has_shares() || self.warned.iter().any(Warned::is_share) {
            true => exposure(&tally.open, reporting, age_max_s, world),
            false => None,
        };
        let day = total(&self.sums, reporting, age_max_s, world).ok();
        // Mostly there is nothing to say: no division then.
        let is_silent =
            |sum: &DaySum| self.warned.is_empty() && sum.is_within(maximum.min(breaker));
        if let Some(sum) = day.filter(|sum| !is_silent(sum)) {
            let loss = percent(sum);
            let alert = Alert::DailyLoss { loss_percent: loss };
            self.warn(Warned::DailyLoss, Some(loss), maximum, alert, world, out);
            self.judge_day(loss, breaker, world, out);
        }
        if let Some(exposure) = exposure {
            self.warn_of_shares(&exposure, world, out);
        }
        self.judged = is_one.then_some(Judged { tally, grounds });
        true
    }

    fn judge_day(
        &mut self,
        loss_percent: Amount,
        maximum_percent: Amount,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        if !world.switches.bodyguard {
            return;
        }
        if let Some(tripped) = self.watch.judge(loss_percent, maximum_percent) {
            self.is_dirty = true;
            let (id, by) = (Some(self.record.id), breaker_actor());
            out.push(breaker_record(id, tripped, true, &by, world.now));
            self.withdraw_all_entries(CancelReason::Hold, world);
        }
    }

    /// No entry of any bot rests while a breaker is open.
    pub(crate) fn withdraw_all_entries(&mut self, reason: CancelReason, world: &World<'_>) {
        for slot in 0..self.bots.len() {
            if self.bots[slot].record.lifecycle == Lifecycle::Active {
                self.withdraw_entries(slot, reason, world);
            }
        }
    }

    fn warn_of_shares(&mut self, exposure: &Exposure, world: &World<'_>, out: &mut Vec<Output>) {
        let policy = self.policy(world).1;
        let (assets_max, exchanges_max) =
            (policy.asset_exposure_max_percent, policy.exchange_exposure_max_percent);
        let known = self.warned.iter().filter_map(|w| match w {
            Warned::Asset(asset) => Some(*asset),
            _ => None,
        });
        let assets: BTreeSet<Currency> = exposure.assets().chain(known).collect();
        for asset in assets {
            let share = exposure.asset_percent(asset);
            let alert = Alert::AssetExposure {
                asset,
                share_percent: share.unwrap_or_default(),
                maximum_percent: assets_max,
            };
            self.warn(Warned::Asset(asset), share, assets_max, alert, world, out);
        }
        for exchange in Exchange::ALL {
            let share = exposure.exchange_percent(exchange);
            let alert = Alert::ExchangeExposure {
                exchange,
                share_percent: share.unwrap_or_default(),
                maximum_percent: exchanges_max,
            };
            self.warn(Warned::Exchange(exchange), share, exchanges_max, alert, world, out);
        }
    }

    /// Tells once that a figure is over its limit, and not again before it was well below.
    fn warn(
        &mut self,
        what: Warned,
        figure: Option<Amount>,
        maximum: Amount,
        alert: Alert,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let figure = figure.unwrap_or_default();
        let (part, whole) = CLEARED_BELOW;
        let is_over = match what {
            Warned::DailyLoss => figure >= maximum,
            Warned::Asset(_) | Warned::Exchange(_) => figure > maximum,
        };
        if is_over && self.warned.insert(what) {
            let (account_id, bot_id, at) = (self.record.id, None, world.now);
            out.push(Output::Alert { account_id, bot_id, alert, at });
            self.is_dirty = true;
        } else if !self.warned.is_empty()
            && figure < maximum.part(part, whole, Round::Down)
            && self.warned.remove(&what)
        {
            self.is_dirty = true;
        }
    }

    /// The breaker of no single bot that is open here, by its scope.
    pub(crate) fn breaker(&self, world: &World<'_>) -> Option<(&'static str, Tripped)> {
        let own = self.watch.breaker.map(|tripped| ("account", tripped));
        own.or(world.fleet.day.breaker.map(|tripped| ("fleet", tripped)))
    }

    /// The currency without a rate that counts, where limits had to add currencies: of the
    /// account's own capital, else of the fleet's.
    pub(crate) fn rate_unknown(&self, world: &World<'_>) -> Option<Currency> {
        let mut used: SmallVec<[Currency; 4]> = SmallVec::new();
        for (key, wallet) in self.ledger.wallets() {
            if key.0 == Mode::Paper && wallet.reserved.is_positive() && !used.contains(&key.2) {
                used.push(key.2);
            }
        }
        if used.len() < 2 {
            return world.fleet.rate_unknown;
        }
        let (into, age_max_s) =
            (self.record.reporting_currency, self.policy(world).1.rate_age_max_s);
        let is_unknown =
            |c: &Currency| world.markets.limit_rate(*c, into, world.now, age_max_s).is_none();
        used.into_iter().find(is_unknown).or(world.fleet.rate_unknown)
    }
}

/// What is open in one currency; `None` where it cannot be added.
fn exposure(
    open: &[(Currency, Exchange, Currency, Amount)],
    into: Currency,
    age_max_s: u32,
    world: &World<'_>,
) -> Option<Exposure> {
    let is_one = open.windows(2).all(|pair| pair[0].2 == pair[1].2);
    let mut exposure = Exposure::default();
    for (asset, exchange, quote, value) in open {
        let rate = match is_one {
            true => Amount::ONE,
            false => world.markets.limit_rate(*quote, into, world.now, age_max_s)?,
        };
        exposure.add(*asset, *exchange, value.product(rate, Round::Down)?);
    }
    Some(exposure)
}

impl crate::Engine {
    /// Judges the fleet's day over the accounts' sums.
    pub(crate) fn watch_fleet(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let today = now.day();
        if self.fleet_watch.day.start != today {
            if let Some(tripped) = self.fleet_watch.day.begin(today) {
                out.push(breaker_record(None, tripped, false, &breaker_actor(), now));
            }
            self.is_dirty = true;
        }
        let summed = self.fleet_day();
        self.fleet_watch.rate_unknown = summed.err();
        let maximum = self.policy.1.breaker_fleet_day_percent;
        let Ok(sum) = summed else { return };
        if !self.switches.bodyguard || sum.is_within(maximum) {
            return;
        }
        if let Some(tripped) = self.fleet_watch.day.judge(percent(sum), maximum) {
            self.is_dirty = true;
            out.push(breaker_record(None, tripped, true, &breaker_actor(), now));
            for account in 0..self.shards.len() {
                self.with_shard(account, now, |shard, world| {
                    shard.withdraw_all_entries(CancelReason::Hold, world);
                });
            }
        }
    }

    /// The day over all accounts, in the first one's reporting currency where there are several.
    fn fleet_day(&self) -> Result<DaySum, Currency> {
        let Some(first) = self.shards.first() else { return Ok(DaySum::default()) };
        let (into, age_max_s) = (first.record.reporting_currency, self.policy.1.rate_age_max_s);
        if self.shards.len() == 1 {
            return total(&first.sums, into, age_max_s, &self.world());
        }
        let mut sums = DaySums::new();
        for (currency, sum) in self.shards.iter().flat_map(|s| &s.sums) {
            add(&mut sums, *currency, sum.opening, sum.loss);
        }
        total(&sums, into, age_max_s, &self.world())
    }

    /// The breakers that concern an account, its own first.
    pub fn breakers(&self, account: domain::AccountId) -> Vec<BreakerView> {
        let Some(at) = self.account_index(account) else { return Vec::new() };
        let (shard, world) = (&self.shards[at], self.world());
        let (policy, into) = (shard.policy(&world).1, shard.record.reporting_currency);
        let day = total(&shard.sums, into, policy.rate_age_max_s, &world);
        let view = |scope, watch: &WatchDay, loss_percent, maximum| BreakerView {
            scope,
            is_open: watch.breaker.is_some(),
            loss_percent,
            maximum_percent: maximum,
        };
        let (account_max, fleet_max) =
            (policy.breaker_account_day_percent, self.policy.1.breaker_fleet_day_percent);
        let of = |day: Result<DaySum, Currency>| day.ok().map(percent);
        let mut views = vec![
            view("account", &shard.watch, of(day), account_max),
            view("fleet", &self.fleet_watch.day, of(self.fleet_day()), fleet_max),
        ];
        // Where no real money is at work there is nothing to say of it.
        let (own, fleet) = (&shard.live_day, &self.fleet_watch.live_day);
        if !shard.live.is_empty() || own.breaker.is_some() || fleet.breaker.is_some() {
            views.push(view("account_live", own, shard.live_loss(&world), account_max));
            views.push(view("fleet_live", fleet, self.live_fleet_loss(), fleet_max));
        }
        views
    }
}
