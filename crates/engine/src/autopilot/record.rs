//! What the autopilot says: actions it did, would do or proposes, each with figures and reason.

use crate::command::{Command, ProfitShare};
use domain::{AccountId, Amount, BotId, Currency, Exchange, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Records kept with an account: some days of what happens; the events are kept longer.
const ACTIONS_KEPT: usize = 100;
/// Runs kept with an account: two days at the usual pace.
const RUNS_KEPT: usize = 48;

/// What it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutopilotKind {
    /// Gives realised profit to the best bots.
    Reinvest,
    /// Creates a bot out of realised profit.
    Spawn,
    /// Ends the worst bot.
    Cut,
    /// A bot that it created has passed its trial.
    Trial,
    /// Ends a bot that failed its trial.
    Retire,
    /// A bot has shown what the live gate asks for; only a person promotes.
    Promote,
}

impl AutopilotKind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reinvest => "reinvest",
            Self::Spawn => "spawn",
            Self::Cut => "cut",
            Self::Trial => "trial",
            Self::Retire => "retire",
            Self::Promote => "promote",
        }
    }
}

/// One action with its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutopilotAction {
    /// What.
    pub kind: AutopilotKind,
    /// Which bot; `None`: several, see `from` and `to`. Of a spawn the parent, until it is done.
    pub bot_id: Option<BotId>,
    /// Its name; of a spawn the new bot's.
    pub bot: Option<String>,
    /// Where.
    pub exchange: Exchange,
    /// Quote currency of all amounts.
    pub currency: Currency,
    /// What moves in all.
    pub amount: Option<Amount>,
    /// Profit taken, by bot.
    pub from: Vec<ProfitShare>,
    /// Capital given, by bot.
    pub to: Vec<ProfitShare>,
    /// What it rests on.
    pub figures: BTreeMap<String, String>,
    /// In a sentence.
    pub reason: String,
    /// Does it act itself, or does it only propose?
    pub acts: bool,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutopilotOutcome {
    /// Done.
    Done,
    /// A rule that binds everybody refused it: nothing moved.
    Refused,
    /// A person has to do it.
    Proposed,
}

/// An action of a run, as it is stored and told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutopilotRecord {
    /// Whose.
    pub account_id: AccountId,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub action: AutopilotAction,
    /// How it ended.
    pub outcome: AutopilotOutcome,
    /// Of a refusal.
    pub code: Option<String>,
    /// Of a refusal, in words.
    pub problem: Option<String>,
}

/// A run in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AutopilotRun {
    pub at: Timestamp,
    pub done: u32,
    pub refused: u32,
    pub proposed: u32,
}

/// Realised profit of one currency on one exchange, of managed bots or of the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AutopilotPool {
    /// Where.
    pub exchange: Exchange,
    /// In what.
    pub currency: Currency,
    /// Of bots that it may act on?
    pub managed: bool,
    /// Realised by these bots and not taken, net of their losses.
    pub profit: Amount,
    /// The part of it that can move now.
    pub movable: Amount,
    /// Taken before and given to no bot yet.
    pub kept: Amount,
    /// All realised profit of the account here.
    pub earned: Amount,
    /// Of which it has taken so much, ever.
    pub taken: Amount,
    /// `profit` in the reporting currency; `None`: no rate.
    pub in_reporting: Option<Amount>,
    /// What it waits for; `None`: it acts.
    pub waits_for: Option<String>,
}

/// A bot as it is ranked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct AutopilotScore {
    pub bot_id: BotId,
    pub bot: String,
    pub managed: bool,
    /// Trades that count.
    pub trades: u32,
    /// `None`: too few trades, or all gains equal.
    pub score: Option<f64>,
    pub profit: Amount,
    /// It came from this bot.
    pub spawned_by: Option<BotId>,
    /// On trial until it has this much covered time, in seconds.
    pub trial_left_s: Option<i64>,
    /// It is left alone until then.
    pub rests_until: Option<Timestamp>,
}

/// What it would do now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AutopilotPlan {
    /// At this time.
    pub at: Timestamp,
    /// `ENABLE_AUTOPILOT`.
    pub enabled: bool,
    /// Why it does nothing at all; `None`: nothing is in its way.
    pub blocked_by: Option<String>,
    /// In the order in which it would.
    pub actions: Vec<AutopilotAction>,
    /// The money it rests on.
    pub pools: Vec<AutopilotPool>,
    /// Best first, those without a score last; at most a hundred.
    pub bots: Vec<AutopilotScore>,
}

/// What it did, and when it looks again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AutopilotView {
    /// `None`: not yet.
    pub last_run_at: Option<Timestamp>,
    /// `None`: never, it is off.
    pub next_run_at: Option<Timestamp>,
    /// Newest first.
    pub runs: Vec<AutopilotRun>,
    /// Newest first.
    pub did: Vec<AutopilotRecord>,
    /// What it would do.
    pub plan: AutopilotPlan,
}

/// An action with what carries it out.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) action: AutopilotAction,
    /// `None`: nothing to be ordered.
    pub(crate) command: Option<Command>,
    /// Whom it is an action on.
    pub(crate) on: Vec<BotId>,
}

impl Planned {
    /// The same action again is known by this.
    pub(crate) fn key(&self) -> String {
        let a = &self.action;
        match a.bot_id.filter(|_| a.kind != AutopilotKind::Spawn) {
            Some(bot) => format!("{} {bot}", a.kind.name()),
            None => format!("{} {} {} {}", a.kind.name(), a.exchange, a.currency, a.acts),
        }
    }
}

/// What is remembered of its runs, with the account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Log {
    pub(crate) last_run_at: Option<Timestamp>,
    pub(crate) runs: VecDeque<AutopilotRun>,
    pub(crate) did: VecDeque<AutopilotRecord>,
    /// What was proposed or refused, and when: it is told again only after the cooldown.
    pub(crate) told: BTreeMap<String, Timestamp>,
}

impl Log {
    pub(crate) fn push(&mut self, record: AutopilotRecord) {
        if self.did.len() == ACTIONS_KEPT {
            self.did.pop_front();
        }
        self.did.push_back(record);
    }

    pub(crate) fn ran(&mut self, run: AutopilotRun) {
        if self.runs.len() == RUNS_KEPT {
            self.runs.pop_front();
        }
        self.last_run_at = Some(run.at);
        self.runs.push_back(run);
    }
}

/// What is remembered of one bot, with the bot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Piloted {
    /// It was created from this one.
    pub(crate) parent: Option<BotId>,
    pub(crate) has_passed: bool,
    /// Archived by the autopilot as soon as it is flat.
    pub(crate) is_ending: bool,
    pub(crate) acted_at: Option<Timestamp>,
    /// The newest point of its equity at which capital moved.
    pub(crate) flowed_at: Timestamp,
    /// Its capital when that moved for the first time since its training began.
    pub(crate) trained_with: Option<Amount>,
}
