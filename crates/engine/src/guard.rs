//! What watches over bots while they trade: drawdown, losses in a row, the day, breakers.

use crate::bot::{Bot, Day, Step};
use crate::output::{BreakerRecord, Output, RiskStopRecord};
use crate::shard::{Due, Shard, World, in_force, loss_percent};
use crate::training::Finding;
use domain::{Actor, Alert, Amount, ExitReason, Hold, Lifecycle, Round, Span, Timestamp};

/// Beside its own length a bar may wait this long: for prints that are missing, for the clock.
const DECISION_SPARE: Span = Span::from_secs(60);

fn rule(name: &'static str) -> Actor {
    Actor::Rule(name.into())
}

/// Is a bot stuck that should decide on bars, and when must it be looked at again?
fn decisions(bot: &Bot, world: &World<'_>) -> Option<(bool, Timestamp)> {
    let timeframe = bot.config().timeframe.span();
    let (id, span) = (bot.fixed.instrument?, timeframe?);
    let market = world.markets.get(id);
    let since = bot.last_decision_at.max(market.fresh_since).max(Some(bot.record.created_at));
    let since = since.unwrap_or(world.now);
    let limit = Span((3 * span.0).max(span.0 + DECISION_SPARE.0));
    let has_moved = market.last_print.is_some_and(|p| p.at > since + span);
    let is_expected = bot.record.lifecycle == Lifecycle::Active && market.feed.is_fresh();
    let is_stuck = is_expected && has_moved && world.now - since > limit;
    // A decision moves this on without a word: it is found when the time has come. What is
    // not expected to decide has all of its time once it is.
    let from = if is_expected { since } else { world.now };
    Some((is_stuck, (from + limit + Span(1)).max(world.now)))
}

impl Shard {
    /// What follows from a closed trade.
    pub(crate) fn after_trade(
        &mut self,
        slot: usize,
        at: Timestamp,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let policy = self.policy(world).1;
        let (cooldown_s, losses_max, pause_s) = (
            policy.cooldown_after_trade_s,
            policy.consecutive_losses_max,
            policy.consecutive_losses_pause_s,
        );
        let losses = self.bots[slot].losses_in_a_row;
        let is_unlucky = world.switches.bodyguard && losses_max > 0 && losses >= losses_max;
        let seconds = if is_unlucky { pause_s.max(cooldown_s) } else { cooldown_s };
        if is_unlucky {
            self.bots[slot].losses_in_a_row = 0;
        }
        if seconds > 0 {
            let reason = match is_unlucky {
                true => format!("{losses} losses in a row"),
                false => "cooldown after a trade".to_owned(),
            };
            let until = at + Span::from_secs(i64::from(seconds));
            self.cool_down(slot, until, reason, world, out);
        }
        self.check_drawdown(slot, world, out);
    }

    /// No entries until then; a longer cooldown stays as it is.
    fn cool_down(
        &mut self,
        slot: usize,
        until: Timestamp,
        reason: String,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        if self.bots[slot].cooldown_until.is_some_and(|known| known >= until) {
            return;
        }
        self.bots[slot].cooldown_until = Some(until);
        self.at(until, Due::Cooldown(slot as u32));
        self.hold(slot, Hold::Cooldown, &rule("protections"), reason, world, out);
    }

    /// Acts on what a closed trade or a point of equity has shown.
    pub(crate) fn act_on(
        &mut self,
        slot: usize,
        finding: Option<Finding>,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(finding) = finding.filter(|_| world.switches.bodyguard) else { return };
        self.bots[slot].training.atone(&finding);
        self.touch(slot);
        match finding {
            Finding::Protection(protection) => {
                let until = world.now + protection.pause(self.policy(world).1);
                self.cool_down(slot, until, protection.to_string(), world, out);
            }
            Finding::Anomaly(verdict) => {
                let record = &self.bots[slot].record;
                let (account_id, bot_id, at) = (record.account_id, Some(record.id), world.now);
                let alert = Alert::Anomaly {
                    statistic: verdict.statistic.to_owned(),
                    value: format!("{:.2}", verdict.value),
                    threshold: format!("{:.2}", verdict.threshold),
                };
                out.push(Output::Alert { account_id, bot_id, alert, at });
            }
            Finding::Rogue(verdict) => {
                let reason = verdict.to_string();
                self.hold(slot, Hold::Rogue, &rule("bodyguard"), reason, world, out);
            }
        }
    }

    /// Follows the peak of a bot's equity and stops it where it fell too far below.
    pub(crate) fn check_drawdown(&mut self, slot: usize, world: &World<'_>, out: &mut Vec<Output>) {
        let Some(equity) = self.equity(slot, world) else { return };
        let bot = &mut self.bots[slot];
        if equity > bot.equity_peak {
            bot.equity_peak = equity;
            return;
        }
        let policy = in_force(self.policy.as_ref(), world.policy).1;
        let maximum_percent = policy.drawdown_max(bot.config().risk_mode).to_percent();
        let drawdown_percent = loss_percent(bot.equity_peak, equity);
        let is_stopped = bot.record.holds.contains(Hold::RiskStop);
        if !world.switches.bodyguard || is_stopped || drawdown_percent < maximum_percent {
            return self.check_breaker(slot, equity, world, out);
        }
        // A live bot is re-armed by a person.
        let is_paper = self.bots[slot].live.is_none();
        let rearm_at = is_paper.then(|| self.next_rearm(slot, world));
        let bot = &mut self.bots[slot];
        bot.rearm_at = rearm_at;
        out.push(Output::RiskStop(RiskStopRecord {
            account_id: bot.record.account_id,
            bot_id: bot.record.id,
            stopped: true,
            drawdown_percent,
            maximum_percent,
            rearm_at,
            at: world.now,
        }));
        if let Some(at) = rearm_at {
            self.at(at, Due::Rearm(slot as u32));
        }
        let two = |percent: Amount| percent.to_scaled(1, Round::Down).unwrap_or_default();
        let (now, limit) = (two(drawdown_percent), two(maximum_percent));
        let reason =
            format!("drawdown {}.{} % >= {}.{} %", now / 10, now % 10, limit / 10, limit % 10);
        self.hold(slot, Hold::RiskStop, &rule("bodyguard"), reason, world, out);
    }

    fn check_breaker(
        &mut self,
        slot: usize,
        equity: Amount,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let bot = &self.bots[slot];
        let policy = in_force(self.policy.as_ref(), world.policy).1;
        let maximum_percent = policy.breaker_bot_percent;
        let loss = self.capital_loss(slot, equity);
        let is_tripped = bot.record.holds.contains(Hold::CircuitBreaker);
        let is_inside = loss - bot.day.forgiven_percent < maximum_percent;
        if !world.switches.bodyguard || is_tripped || is_inside {
            return;
        }
        out.push(Output::Breaker(BreakerRecord {
            account_id: Some(bot.record.account_id),
            bot_id: Some(bot.record.id),
            tripped: true,
            loss_percent: loss,
            maximum_percent,
            by: rule("circuit breaker"),
            at: world.now,
        }));
        let reason = format!("lost {loss} % of its capital today, limit {maximum_percent} %");
        self.hold(slot, Hold::CircuitBreaker, &rule("circuit breaker"), reason, world, out);
    }

    /// The day's loss on reserved capital, in percent.
    pub(crate) fn capital_loss(&self, slot: usize, equity: Amount) -> Amount {
        let bot = &self.bots[slot];
        let lost = (bot.day.opening_equity - equity).or_zero();
        let capital = bot.capital();
        loss_percent(capital, capital - lost)
    }

    /// Half an hour from now, or the next UTC day once the day's re-arms are used up.
    fn next_rearm(&self, slot: usize, world: &World<'_>) -> Timestamp {
        let policy = self.policy(world).1;
        if self.bots[slot].day.rearms < policy.rearms_per_day_max {
            world.now + Span::from_secs(i64::from(policy.rearm_after_s))
        } else {
            world.now.day() + Timestamp::DAY
        }
    }

    /// Ends a risk stop; the peak starts anew from the present equity.
    pub(crate) fn rearm(
        &mut self,
        slot: usize,
        actor: &Actor,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(equity) = self.equity(slot, world) else { return false };
        let policy = in_force(self.policy.as_ref(), world.policy).1;
        let bot = &mut self.bots[slot];
        let maximum_percent = policy.drawdown_max(bot.config().risk_mode).to_percent();
        bot.equity_peak = equity;
        bot.day.rearms += 1;
        bot.rearm_at = None;
        out.push(Output::RiskStop(RiskStopRecord {
            account_id: bot.record.account_id,
            bot_id: bot.record.id,
            stopped: false,
            drawdown_percent: Amount::ZERO,
            maximum_percent,
            rearm_at: None,
            at: world.now,
        }));
        self.release(slot, Hold::RiskStop, actor, "re-armed".to_owned(), world, out);
        self.arm(slot, world);
        true
    }

    /// What is due at a time.
    pub(crate) fn on_due(&mut self, due: Due, world: &World<'_>, out: &mut Vec<Output>) {
        match due {
            Due::TimeExit(slot) => {
                let bot = &self.bots[slot as usize];
                let limit = bot.config().exits.time_limit_s.unwrap_or(u32::MAX);
                let opened_at = bot.opened_at.unwrap_or(world.now);
                if world.now >= opened_at + Span::from_secs(i64::from(limit)) {
                    self.want_flat(slot as usize, ExitReason::Time, world, out);
                }
            }
            Due::RetryExit(slot) => self.try_exit(slot as usize, world, out),
            Due::Cooldown(slot) => {
                let slot = slot as usize;
                if self.bots[slot].cooldown_until.is_some_and(|until| until <= world.now) {
                    self.bots[slot].cooldown_until = None;
                    let reason = "cooldown over".to_owned();
                    self.release(slot, Hold::Cooldown, &rule("protections"), reason, world, out);
                }
            }
            Due::Rearm(slot) => {
                let bot = &self.bots[slot as usize];
                let is_due = bot.rearm_at.is_some_and(|at| at <= world.now);
                let is_stopped = bot.record.holds.contains(Hold::RiskStop);
                if is_due
                    && is_stopped
                    && !self.rearm(slot as usize, &rule("bodyguard"), world, out)
                {
                    // Without a price the new peak is unknown: try again.
                    let at = world.now + Span::from_secs(60);
                    self.bots[slot as usize].rearm_at = Some(at);
                    self.at(at, Due::Rearm(slot));
                }
            }
        }
    }

    /// The trailing high is stored with the bot, so that a restart goes on from it.
    pub(crate) fn keep_high(&mut self, slot: usize) {
        let high = self.bots[slot]
            .fixed
            .instrument
            .and_then(|id| self.triggers(id).and_then(|t| t.high(slot as u32)));
        if high.is_some() && high != self.bots[slot].high {
            self.bots[slot].high = high;
            self.touch(slot);
        }
    }

    pub(crate) fn new_day(&mut self, slot: usize, world: &World<'_>, out: &mut Vec<Output>) {
        // A day that cannot be valued opens when it can.
        let Some(opening_equity) = self.equity(slot, world) else { return };
        self.bots[slot].day = Day { start: world.now.day(), opening_equity, ..Day::default() };
        self.touch(slot);
        // In live a person closes it.
        let is_paper = self.bots[slot].live.is_none();
        if is_paper && self.bots[slot].record.holds.contains(Hold::CircuitBreaker) {
            let reason = "a new day".to_owned();
            let actor = rule("circuit breaker");
            self.release(slot, Hold::CircuitBreaker, &actor, reason, world, out);
        }
    }

    /// A position without fresh prices is unguarded: shown, and told once.
    pub(crate) fn watch_guard(&mut self, slot: usize, world: &World<'_>, out: &mut Vec<Output>) {
        let bot = &mut self.bots[slot];
        let Some(id) = bot.fixed.instrument else { return };
        let market = world.markets.get(id);
        let is_unguarded = !bot.books.position.is_zero() && !market.is_valid();
        match (is_unguarded, bot.unguarded_since) {
            (true, None) => {
                bot.unguarded_since = Some(world.now);
                let reason = crate::shard::feed_reason(&market.feed);
                out.push(Output::Alert {
                    account_id: bot.record.account_id,
                    bot_id: Some(bot.record.id),
                    alert: Alert::Unguarded { since: world.now, reason },
                    at: world.now,
                });
                self.touch(slot);
            }
            (false, Some(_)) => {
                bot.unguarded_since = None;
                self.touch(slot);
            }
            _ => {}
        }
    }

    /// A market that moves closes bars, and every bar is a decision: where none comes, something is
    /// broken that no event tells. Bots on single prints decide in the very call.
    ///
    /// Says when the bot must be looked at again.
    pub(crate) fn watch_decisions(
        &mut self,
        slot: usize,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) -> Option<Timestamp> {
        let bot = &mut self.bots[slot];
        let (is_stuck, again_at) = decisions(bot, world)?;
        if is_stuck == bot.stuck_since.is_some() {
            return Some(again_at);
        }
        bot.stuck_since = is_stuck.then_some(world.now);
        if is_stuck {
            let (account_id, bot_id) = (bot.record.account_id, Some(bot.record.id));
            out.push(Output::Alert { account_id, bot_id, alert: Alert::Stuck, at: world.now });
        }
        self.touch(slot);
        Some(again_at)
    }

    /// A bot's time has come, but it decided meanwhile: when to look at it instead.
    pub(crate) fn moved_on(&self, slot: usize, world: &World<'_>) -> Option<Timestamp> {
        let bot = &self.bots[slot];
        let (is_stuck, again_at) = decisions(bot, world)?;
        let is_well = !is_stuck && bot.stuck_since.is_none() && bot.day.start == world.now.day();
        (is_well && again_at > world.now).then_some(again_at)
    }

    /// Sells what a bot holds, and archives it as soon as it is flat.
    pub(crate) fn wind_up(
        &mut self,
        slot: usize,
        actor: &Actor,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        self.bots[slot].retire_when_flat = true;
        self.bots[slot].piloted.get_or_insert_default().is_ending = true;
        self.bots[slot].stop_choice = domain::StopChoice::Sell;
        let change = self.bots[slot].transition(Step::Stop, actor, "wound up", world.now);
        out.extend(change.map(Output::Bot));
        self.withdraw_entries(slot, domain::CancelReason::User, world);
        self.want_flat(slot, ExitReason::Manual, world, out);
        self.touch(slot);
        self.flat(slot, world, out);
    }

    /// Archives a flat bot and returns its capital.
    pub(crate) fn retire(
        &mut self,
        slot: usize,
        actor: &Actor,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        self.keep_loss(slot, world);
        let bot = &mut self.bots[slot];
        let Some(change) = bot.transition(Step::Retire, actor, "retired", world.now) else {
            return;
        };
        bot.retire_when_flat = false;
        out.push(Output::Bot(change));
        let returned = bot.books.cash.or_zero();
        if returned.is_positive() {
            let transfer = self.ledger.release(&mut bot.books, world.now);
            out.push(Output::Transfer(transfer));
            let key = (bot.books.mode, bot.books.exchange, bot.books.symbol.quote);
            self.tell_wallet(key, world.now, out);
        }
        self.equity_returned(slot, returned, world, out);
        self.touch(slot);
    }
}
