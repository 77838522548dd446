//! The planner: from facts and policy to actions. It is pure and decides nothing else; whether an
//! action is allowed is for the commands to say, as with a person.

use super::pool::{PLACES, Pool, round};
use super::record::{
    AutopilotAction, AutopilotKind, AutopilotPool, AutopilotScore, Piloted, Planned,
};
use super::score::Sample;
use crate::command::{Command, ProfitShare};
use domain::{
    Amount, BotConfig, BotId, Currency, Exchange, Lifecycle, Policy, Round, Span, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// Proposals of one plan; more are no help to a person.
const PROPOSALS_MAX: usize = 50;
/// Scores shown.
const SCORES_MAX: usize = 100;

/// An account as the planner sees it.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) now: Timestamp,
    pub(crate) reporting: Currency,
    /// Paper bots of known exchanges, retired ones of this season too.
    pub(crate) bots: Vec<BotFacts<'a>>,
    pub(crate) places: BTreeMap<(Exchange, Currency), Place>,
}

/// A wallet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) earned: Amount,
    pub(crate) taken: Amount,
    pub(crate) untaken: Amount,
    /// Waits for a new bot, as far as it is still there.
    pub(crate) kept: Amount,
    /// One unit in the reporting currency.
    pub(crate) rate: Option<Amount>,
}

/// A bot.
#[derive(Clone, Debug)]
pub(crate) struct BotFacts<'a> {
    pub(crate) id: BotId,
    pub(crate) config: &'a BotConfig,
    pub(crate) exchange: Exchange,
    pub(crate) lifecycle: Lifecycle,
    /// Active without a hold that pauses.
    pub(crate) is_armed: bool,
    /// What it is worth is known.
    pub(crate) is_valued: bool,
    pub(crate) realized: Amount,
    pub(crate) untaken: Amount,
    pub(crate) free_cash: Amount,
    pub(crate) sample: Sample,
    pub(crate) covered: Span,
    pub(crate) piloted: Option<&'a Piloted>,
    /// Capital of a new bot like it: the policy's, or what the exchange needs.
    pub(crate) spawn_capital: Option<Amount>,
    /// What the live gate still asks of it; `None`: it has not shown enough.
    pub(crate) promotable: Option<Vec<&'static str>>,
}

impl BotFacts<'_> {
    fn place(&self) -> (Exchange, Currency) {
        (self.exchange, self.config.symbol.quote)
    }

    fn is_on_trial(&self) -> bool {
        self.piloted.is_some_and(|p| p.parent.is_some() && !p.has_passed)
    }

    fn rests_until(&self, policy: &Policy) -> Option<Timestamp> {
        let cooldown = Span::from_secs(i64::from(policy.autopilot_cooldown_s));
        self.piloted.and_then(|p| p.acted_at).map(|at| at + cooldown)
    }
}

/// All actions for these facts, in the order in which they are done, and the money they rest on.
pub(crate) fn plan(facts: &Facts<'_>, policy: &Policy) -> (Vec<Planned>, Vec<AutopilotPool>) {
    let mut planner =
        Planner { facts, policy, planned: Vec::new(), pools: Vec::new(), ended: BTreeSet::new() };
    planner.judge_trials();
    for managed in [true, false] {
        planner.cut(managed);
    }
    for place in facts.places.keys() {
        for managed in [true, false] {
            planner.spend(*place, managed);
        }
    }
    planner.promote();
    planner.limit();
    (planner.planned, planner.pools)
}

/// The bots as they are ranked.
pub(crate) fn scores(facts: &Facts<'_>, policy: &Policy) -> Vec<AutopilotScore> {
    let alive = facts.bots.iter().filter(|b| b.lifecycle != Lifecycle::Retired);
    let mut scores: Vec<AutopilotScore> = alive.map(|b| score(b, facts.now, policy)).collect();
    let worth = |s: &AutopilotScore| s.score.unwrap_or(f64::NEG_INFINITY);
    scores.sort_by(|a, b| worth(b).total_cmp(&worth(a)).then(a.bot_id.cmp(&b.bot_id)));
    scores.truncate(SCORES_MAX);
    scores
}

fn score(b: &BotFacts<'_>, now: Timestamp, policy: &Policy) -> AutopilotScore {
    let left = i64::from(policy.autopilot_trial_s) - b.covered.as_secs();
    AutopilotScore {
        bot_id: b.id,
        bot: b.config.name.clone(),
        managed: b.config.managed,
        trades: b.sample.trades,
        score: b.sample.score(policy.autopilot_trades_min).map(two),
        profit: b.realized,
        spawned_by: b.piloted.and_then(|p| p.parent),
        trial_left_s: b.is_on_trial().then_some(left.max(0)),
        rests_until: b.rests_until(policy).filter(|until| *until > now),
    }
}

struct Planner<'f, 'a> {
    facts: &'f Facts<'a>,
    policy: &'f Policy,
    planned: Vec<Planned>,
    pools: Vec<AutopilotPool>,
    /// Bots that an action of this plan ends.
    ended: BTreeSet<BotId>,
}

impl<'f, 'a> Planner<'f, 'a> {
    fn is_rested(&self, bot: &BotFacts<'_>) -> bool {
        bot.rests_until(self.policy).is_none_or(|until| until <= self.facts.now)
    }

    fn is_working(&self, bot: &BotFacts<'_>) -> bool {
        bot.lifecycle == Lifecycle::Active && !self.ended.contains(&bot.id)
    }

    fn score(&self, bot: &BotFacts<'_>) -> Option<f64> {
        bot.sample.score(self.policy.autopilot_trades_min)
    }

    /// Bots that it created: who earned nothing in the time of trial goes.
    fn judge_trials(&mut self) {
        let trial = Span::from_secs(i64::from(self.policy.autopilot_trial_s));
        for bot in &self.facts.bots {
            if !bot.is_on_trial() || !self.is_working(bot) || bot.covered < trial {
                continue;
            }
            let (name, quote, profit) = (&bot.config.name, bot.config.symbol.quote, bot.realized);
            let hours = bot.covered.as_secs() / 3_600;
            if profit.is_positive() {
                let reason = format!(
                    "{name} has passed its trial: {profit} {quote} in {hours} covered hours"
                );
                self.add(AutopilotKind::Trial, bot, None, reason);
            } else {
                let reason = format!(
                    "{name} has failed its trial: {profit} {quote} in {hours} covered hours; it is \
                     sold and archived"
                );
                self.add(AutopilotKind::Retire, bot, Some(Command::WindUp(bot.id)), reason);
                self.ended.insert(bot.id);
            }
        }
    }

    /// The worst of those that lose by more than chance would explain; one a run.
    fn cut(&mut self, managed: bool) {
        let limit = -self.policy.autopilot_cut_score.to_f64();
        let of = |b: &&BotFacts<'_>| b.config.managed == managed && self.is_working(b);
        let bad = self.facts.bots.iter().filter(of).filter(|b| self.is_rested(b));
        let bad = bad.filter_map(|b| self.score(b).filter(|s| *s <= limit).map(|s| (b, s)));
        let Some((bot, score)) = bad.min_by(|a, b| a.1.total_cmp(&b.1)) else { return };
        let reason = format!(
            "{} is the worst: score {:.2} is at or below {limit:.2} over {} trades; it is sold and \
             archived",
            bot.config.name, score, bot.sample.trades
        );
        self.add(AutopilotKind::Cut, bot, Some(Command::WindUp(bot.id)), reason);
        self.ended.insert(bot.id);
    }

    fn promote(&mut self) {
        for bot in &self.facts.bots {
            let Some(missing) = bot.promotable.as_ref().filter(|_| self.is_working(bot)) else {
                continue;
            };
            let reason = match missing.is_empty() {
                true => {
                    format!("{} has passed the live gate: a person may promote it", bot.config.name)
                }
                false => format!(
                    "{} has shown on paper what the live gate asks for; a person has to see to: {}",
                    bot.config.name,
                    missing.join(", ")
                ),
            };
            self.add(AutopilotKind::Promote, bot, None, reason);
        }
    }

    /// An action on one bot.
    fn add(
        &mut self,
        kind: AutopilotKind,
        bot: &BotFacts<'_>,
        command: Option<Command>,
        reason: String,
    ) {
        let mut figures = BTreeMap::new();
        figures.insert("trades".to_owned(), bot.sample.trades.to_string());
        figures.insert("profit".to_owned(), bot.realized.to_string());
        figures.insert("covered_s".to_owned(), bot.covered.as_secs().to_string());
        if let Some(score) = self.score(bot) {
            figures.insert("score".to_owned(), format!("{score:.2}"));
        }
        let action = AutopilotAction {
            kind,
            bot_id: Some(bot.id),
            bot: Some(bot.config.name.clone()),
            exchange: bot.exchange,
            currency: bot.config.symbol.quote,
            amount: None,
            from: Vec::new(),
            to: Vec::new(),
            figures,
            reason,
            // A promotion is a person's, whoever manages the bot.
            acts: bot.config.managed && kind != AutopilotKind::Promote,
        };
        self.planned.push(Planned { action, command, on: vec![bot.id] });
    }

    /// What a run may do, and what a person can read.
    fn limit(&mut self) {
        let mut acts_left = self.policy.autopilot_actions_max as usize;
        let mut proposals_left = PROPOSALS_MAX;
        self.planned.retain(|planned| {
            let left = if planned.action.acts { &mut acts_left } else { &mut proposals_left };
            let is_in = *left > 0;
            *left = left.saturating_sub(1);
            is_in
        });
    }

    /// Spends the profit of one place: on a new bot first, then on the best.
    fn spend(&mut self, place: (Exchange, Currency), managed: bool) {
        let of = |b: &&BotFacts<'_>| b.place() == place && b.config.managed == managed;
        let bots: Vec<&'f BotFacts<'a>> = self.facts.bots.iter().filter(of).collect();
        let wallet = self.facts.places[&place];
        if bots.is_empty() && (!managed || wallet.kept.is_zero()) {
            return;
        }
        let able =
            |b: &BotFacts<'_>| self.is_working(b) && b.is_armed && b.is_valued && self.is_rested(b);
        let mut pool = Pool::new(place, wallet, managed, &bots, able);
        let best = self.best(&bots);
        let waits_for = self.spawn(&mut pool, &best, &bots);
        let waits_for = self.reinvest(&mut pool, &best).or(waits_for);
        self.pools.push(AutopilotPool { waits_for, ..pool.view });
    }

    /// The best that may be given more, best first.
    fn best(&self, bots: &[&'f BotFacts<'a>]) -> Vec<&'f BotFacts<'a>> {
        let able = bots.iter().filter(|b| self.is_working(b) && b.is_armed && b.is_valued);
        let scored = able.filter_map(|b| self.score(b).filter(|s| *s > 0.0).map(|s| (*b, s)));
        let mut best: Vec<_> = scored.collect();
        best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.id.cmp(&b.0.id)));
        best.truncate(self.policy.autopilot_best_bots as usize);
        best.into_iter().map(|(bot, _)| bot).collect()
    }

    fn spawn(
        &mut self,
        pool: &mut Pool,
        best: &[&'f BotFacts<'a>],
        bots: &[&'f BotFacts<'a>],
    ) -> Option<String> {
        if !pool.view.managed {
            return None;
        }
        let parent = best.first()?;
        let capital = parent.spawn_capital?;
        let quote = pool.view.currency;
        let have = pool.kept + pool.fresh;
        if have < capital {
            return Some(format!("{capital} {quote} for a new bot; {have} are there"));
        }
        if !self.is_rested(parent) {
            return Some(format!("{} to rest before it has another child", parent.config.name));
        }
        let tried = self.facts.bots.iter().filter(|b| is_same_market(b.config, parent.config));
        let tried: Vec<_> = tried.map(|b| &b.config.strategy).collect();
        let Some((strategy, change)) = super::vary::variation(&parent.config.strategy, &tried)
        else {
            return Some(format!("a variation of {} that was not tried", parent.config.name));
        };
        let from = pool.draw(capital - pool.kept.min(capital));
        pool.kept -= pool.kept.min(capital);
        let name = child_name(parent, bots, self.facts);
        let reason = format!(
            "{have} {quote} of profit wait, {capital} are enough for a bot: {name} tries {change} \
             from {}, the best with {} trades",
            parent.config.name, parent.sample.trades
        );
        let request = crate::NewBot {
            name: name.clone(),
            strategy,
            capital,
            managed: true,
            ..parent.config.clone().into()
        };
        let command =
            Command::Spawn { parent: parent.id, bot: Box::new(request), from: from.clone() };
        let mut on: Vec<BotId> = from.iter().map(|s| s.bot_id).collect();
        on.push(parent.id);
        let figures = [("parent", parent.config.name.clone()), ("change", change)];
        let action = AutopilotAction {
            bot_id: Some(parent.id),
            bot: Some(name),
            amount: Some(capital),
            from,
            figures: pool.figures(figures),
            ..pool.action(AutopilotKind::Spawn, reason)
        };
        self.planned.push(Planned { action, command: Some(command), on });
        None
    }

    fn reinvest(&mut self, pool: &mut Pool, best: &[&'f BotFacts<'a>]) -> Option<String> {
        let (quote, reporting) = (pool.view.currency, self.facts.reporting);
        let minimum = self.policy.autopilot_reinvest_min;
        let Some(rate) = pool.rate else {
            return Some(format!("RATE_UNKNOWN: {quote}/{reporting}"));
        };
        let worth = pool.fresh.product(rate, Round::Down).unwrap_or_default();
        if worth < minimum {
            let worth = round(worth, 2);
            return Some(format!("{minimum} {reporting} of movable profit; it is {worth}"));
        }
        let trades_min = self.policy.autopilot_trades_min;
        if best.is_empty() {
            return Some(format!("a bot with {trades_min} trades and a score above 0"));
        }
        if let Some(tired) = best.iter().find(|b| !self.is_rested(b)) {
            return Some(format!("{} to rest", tired.config.name));
        }
        let part = pool.fresh.times(share(self.policy.autopilot_reinvest_percent), Round::Down);
        let each = round(part.part(1, best.len() as i64, Round::Down), PLACES);
        if !each.is_positive() {
            return None;
        }
        let taken = pool.fresh;
        let from = pool.draw(taken);
        let to: Vec<_> = best.iter().map(|b| ProfitShare { bot_id: b.id, amount: each }).collect();
        let names: Vec<&str> = best.iter().map(|b| b.config.name.as_str()).collect();
        let reason = format!(
            "{taken} {quote} of profit are over {minimum} {reporting}: {each} each to {}; the rest \
             waits for a new bot",
            names.join(", ")
        );
        let amount = Amount::from_atoms(each.atoms() * best.len() as i128);
        let command = Command::Reinvest { from: from.clone(), to: to.clone() };
        let on = from.iter().chain(&to).map(|s| s.bot_id).collect::<BTreeSet<_>>();
        let scores = best.iter().filter_map(|b| self.score(b)).map(|s| format!("{s:.2}"));
        let figures =
            [("taken", taken.to_string()), ("scores", scores.collect::<Vec<_>>().join(", "))];
        let action = AutopilotAction {
            amount: Some(amount),
            from,
            to,
            figures: pool.figures(figures),
            ..pool.action(AutopilotKind::Reinvest, reason)
        };
        let on = on.into_iter().collect();
        self.planned.push(Planned { action, command: Some(command), on });
        None
    }
}

fn is_same_market(a: &BotConfig, b: &BotConfig) -> bool {
    (&a.exchange, a.symbol, a.timeframe) == (&b.exchange, b.symbol, b.timeframe)
        && a.strategy.kind == b.strategy.kind
}

/// `scout 2`, `scout 3`, …: the first that nobody has; a long name is cut.
fn child_name(parent: &BotFacts<'_>, bots: &[&BotFacts<'_>], facts: &Facts<'_>) -> String {
    let stem: String = parent.config.name.chars().take(56).collect();
    let is_taken = |name: &String| facts.bots.iter().any(|b| b.config.name == *name);
    let names = (bots.len() + 1..).map(|n| format!("{} {n}", stem.trim_end()));
    names.into_iter().find(|name| !is_taken(name)).unwrap_or(stem)
}

fn share(percent: Amount) -> domain::Rate {
    crate::shard::share(percent)
}

/// A figure of statistics as it is shown.
fn two(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}
