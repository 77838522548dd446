//! The live gate: whether a bot has earned real money, how much, and what is still missing.
//!
//! One pure function over what is known. Conditions to stay are looser than to enter, so that
//! nothing flaps; whatever is not known does not pass.

use crate::permit::{EntryPermit, Permit, ReducePermit};
use domain::{
    AccountId, Amount, BotId, Hold, Holds, InstrumentId, Policy, Quantity, Rate, Round, Span,
    Timestamp,
};
use serde::{Deserialize, Serialize};

/// What is known of an exchange key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// There is none.
    #[default]
    Absent,
    /// Stored, and never tried.
    Untested,
    /// The exchange refuses it, or it may not trade.
    CannotTrade,
    /// It may move money away: refused.
    CanWithdraw,
    /// Tried: it trades and cannot withdraw.
    Good,
    /// It trades; that it cannot withdraw is a person's word, as the exchange cannot be asked.
    Attested,
}

/// What a bot has shown on paper since its training began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// Time with the feed fresh and the bot armed, on days that count.
    #[serde(rename = "covered_s", serialize_with = "seconds")]
    pub covered: Span,
    /// Closed trades that count.
    pub trades: u32,
    /// Of these, with a profit.
    pub wins: u32,
    /// Sum of profits.
    pub won: Amount,
    /// Sum of losses, positive.
    pub lost: Amount,
    /// Deepest fall from a peak, in percent.
    pub drawdown_percent: Amount,
    /// Probability that the true Sharpe ratio is above zero; `None`: too few days.
    pub probability: Option<f64>,
    /// The same, corrected for every variant that the account tried.
    pub deflated: Option<f64>,
}

fn seconds<S: serde::Serializer>(span: &Span, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(span.0 / 1_000_000_000)
}

/// Everything that the gate looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Trades live already: the looser limits count.
    pub is_live: bool,
    /// `ENABLE_TRADING`.
    pub trading_enabled: bool,
    /// `ENABLE_LIVE_TRADING`.
    pub live_enabled: bool,
    /// `ENABLE_BODYGUARD`: without it live refuses to run.
    pub bodyguard_enabled: bool,
    /// `PAPER_TRAINING_DAYS`.
    pub training_days: u32,
    /// `REQUIRE_WALLET_FUNDED`.
    pub wallet_required: bool,
    /// Quote on the exchange, as the exchange says; `None`: not known.
    pub wallet: Option<Amount>,
    /// `REQUIRE_API_KEYS_FOR_LIVE`.
    pub key_required: bool,
    /// The key.
    pub key: KeyState,
    /// What was shown on paper.
    pub evidence: Evidence,
    /// Of the account or the fleet.
    pub emergency_stop: bool,
    /// Of the bot.
    pub holds: Holds,
    /// A person typed the confirmation.
    pub confirmed: bool,
    /// The bot's capital.
    pub capital: Amount,
    /// The exchange's least order, in quote.
    pub minimum: Amount,
    /// How long it has been live; `None`: not yet.
    pub live_for: Option<Span>,
}

/// One condition, with its figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Condition {
    /// Its name: stable.
    pub name: &'static str,
    /// What is; `None`: not known.
    pub figure: Option<String>,
    /// What must be.
    pub limit: String,
    /// Does it hold?
    pub pass: bool,
    /// Does live depend on it, or is it only shown?
    pub is_required: bool,
}

/// How much of its capital a bot may trade with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Of the capital, in percent.
    pub percent: Amount,
    /// In quote.
    pub amount: Amount,
}

/// What the gate says of one bot. Only [`judge`] makes one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    #[serde(skip)]
    whose: (AccountId, BotId),
    conditions: Vec<Condition>,
    is_open: bool,
    size: Option<Size>,
}

impl Verdict {
    /// Every condition, required or shown.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Do all required ones hold?
    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    /// What the evidence is good for; `None`: for nothing yet.
    pub const fn size(&self) -> Option<Size> {
        self.size
    }

    /// Lets one entry out, within the next minute; `None` while a condition is missing.
    pub fn entry_permit(&self, now: Timestamp) -> Option<Permit> {
        let (account, bot) = self.whose;
        let until = now + EntryPermit::LIFE_MAX;
        self.is_open.then(|| Permit::Entry(EntryPermit::new(account, bot, now, until)))
    }
}

/// Lets a bot sell what it owns. It asks nothing of the gate: holds, flags, demotion and the
/// emergency stop do not trap a position. `None`: it owns nothing.
pub fn reduce_permit(
    account: AccountId,
    bot: BotId,
    instrument: InstrumentId,
    held: Quantity,
) -> Option<Permit> {
    let permit = || Permit::Reduce(ReducePermit::new(account, bot, instrument, held));
    held.is_positive().then(permit)
}

const DAY: Span = Span::from_secs(86_400);

struct List {
    all: Vec<Condition>,
    /// Figures and limits are put into words; whoever only decides does without.
    in_words: bool,
}

impl List {
    fn push(
        &mut self,
        name: &'static str,
        figure: impl FnOnce() -> Option<String>,
        limit: impl FnOnce() -> String,
        pass: bool,
    ) {
        let (figure, limit) =
            if self.in_words { (figure(), limit()) } else { (None, String::new()) };
        self.all.push(Condition { name, figure, limit, pass, is_required: true });
    }

    fn flag(&mut self, name: &'static str, is_on: bool) {
        self.push(name, || Some(is_on.to_string()), || "true".to_owned(), is_on);
    }

    /// Required only where the policy gives it a limit.
    fn at_least(&mut self, name: &'static str, figure: Option<Amount>, limit: Amount) {
        let is_required = !limit.is_zero();
        let pass = figure.is_some_and(|f| f >= limit) || !is_required;
        let words = || if is_required { format!("at least {limit} %") } else { "shown".to_owned() };
        self.push(name, || figure.map(|f| format!("{f} %")), words, pass);
        if let Some(last) = self.all.last_mut() {
            last.is_required = is_required;
        }
    }
}

/// Judges a bot's standing, with every figure and limit in words.
pub fn judge(whose: (AccountId, BotId), s: &Standing, policy: &Policy) -> Verdict {
    judged(whose, s, policy, true)
}

/// The same judgement without the words: for whoever asks before each order and shows nothing.
pub fn judge_briefly(whose: (AccountId, BotId), s: &Standing, policy: &Policy) -> Verdict {
    judged(whose, s, policy, false)
}

fn judged(whose: (AccountId, BotId), s: &Standing, policy: &Policy, in_words: bool) -> Verdict {
    let mut list = List { all: Vec::with_capacity(18), in_words };
    list.flag("trading_enabled", s.trading_enabled);
    list.flag("live_trading_enabled", s.live_enabled);
    list.flag("bodyguard_enabled", s.bodyguard_enabled);
    training(&mut list, s);
    key(&mut list, s);
    wallet(&mut list, s);
    record(&mut list, s, policy);
    list.push(
        "no_emergency_stop",
        || Some(if s.emergency_stop { "on" } else { "off" }.to_owned()),
        || "off".to_owned(),
        !s.emergency_stop,
    );
    holds(&mut list, s);
    list.flag("confirmed_by_a_person", s.confirmed);
    let percent = proven_percent(s, policy);
    let limit = || format!("{} %", policy.gate_small_probability_percent);
    list.push("evidence", || s.evidence.probability.map(chance), limit, percent.is_some());
    let first_day = first_day(s, policy);
    let is_fitting = first_day.is_some() || s.live_for.is_some_and(|live| live >= DAY);
    let most = s.capital.times(share(policy.gate_first_day_max_percent), Round::Down);
    let needed = || Some(s.minimum.part(2, 1, Round::Up).to_string());
    list.push("first_day_size_fits", needed, || format!("at most {most}"), is_fitting);
    let is_open = list.all.iter().all(|c| c.pass || !c.is_required);
    let size = percent.filter(|_| is_open).map(|percent| size(s, percent, first_day));
    Verdict { whose, conditions: list.all, is_open, size }
}

fn training(list: &mut List, s: &Standing) {
    // What was earned is not asked again of a bot that is live: time does not run backwards.
    let needed = Span::from_secs(i64::from(s.training_days) * 86_400);
    let is_trained = s.is_live || s.evidence.covered >= needed;
    let days = || Some(format!("{:.1}", s.evidence.covered.0 as f64 / DAY.0 as f64));
    list.push("training", days, || format!("{} covered days", s.training_days), is_trained);
}

fn key(list: &mut List, s: &Standing) {
    let is_good = matches!(s.key, KeyState::Good | KeyState::Attested);
    // A key that can withdraw never passes, whatever is required.
    let pass = is_good || (!s.key_required && s.key == KeyState::Absent);
    let word = match s.key {
        KeyState::Absent => "absent",
        KeyState::Untested => "not tested",
        KeyState::CannotTrade => "cannot trade",
        KeyState::CanWithdraw => "can withdraw",
        KeyState::Good => "trades and cannot withdraw",
        KeyState::Attested => "trades; a person attests that it cannot withdraw",
    };
    let limit = || "tested, trades, cannot withdraw".to_owned();
    list.push("exchange_key", || Some(word.to_owned()), limit, pass);
}

fn wallet(list: &mut List, s: &Standing) {
    let is_funded = s.wallet.is_some_and(|w| w >= s.minimum && w.is_positive());
    let limit = || format!("at least {}", s.minimum);
    let figure = || s.wallet.map(|w| w.to_string());
    list.push("wallet_funded", figure, limit, is_funded || !s.wallet_required);
}

fn record(list: &mut List, s: &Standing, policy: &Policy) {
    let e = &s.evidence;
    let net = e.won - e.lost;
    let (factor_min, drawdown_max) = match s.is_live {
        true => (policy.gate_stay_profit_factor_min, policy.gate_stay_drawdown_max_percent),
        false => (policy.gate_profit_factor_min, policy.gate_drawdown_max_percent),
    };
    let trades = policy.gate_trades_min;
    let is_enough = s.is_live || e.trades >= trades;
    list.push("closed_trades", || Some(e.trades.to_string()), || trades.to_string(), is_enough);
    let is_profit = net.is_positive() || (s.is_live && net.is_zero());
    list.push("net_profit", || Some(net.to_string()), || "above 0".to_owned(), is_profit);
    // Without a loss there is no factor; with a profit it is above any limit.
    let factor = e.won.quotient(e.lost, Round::Down);
    let is_above = factor.map_or(e.won.is_positive(), |f| f >= factor_min);
    let shown = || factor.map(|f| two(f).to_string());
    list.push("profit_factor", shown, || factor_min.to_string(), is_above);
    let fell = e.drawdown_percent;
    let limit = || format!("at most {drawdown_max} %");
    list.push("drawdown", || Some(format!("{} %", two(fell))), limit, fell <= drawdown_max);
    let share = |part: Amount, whole: Amount| two(crate::percent_of(part, whole));
    let of = |part, whole: Amount| whole.is_positive().then(|| share(part, whole));
    let count = |n: u32| Amount::from_int(i64::from(n));
    let win_rate = of(count(e.wins), count(e.trades));
    list.at_least("win_rate", win_rate, policy.gate_win_rate_min_percent);
    list.at_least("profit_of_capital", of(net, s.capital), policy.gate_profit_min_percent);
}

fn holds(list: &mut List, s: &Standing) {
    // A cooldown skips entries for a while; it is part of trading soundly.
    let serious = || s.holds.iter().filter(|h| !h.is_silent() || *h == Hold::DailyLimit);
    let is_free = serious().next().is_none();
    let figure = || {
        let names: Vec<&str> = serious().map(Hold::name).collect();
        Some(if is_free { "none".to_owned() } else { names.join(", ") })
    };
    list.push("no_hold", figure, || "none".to_owned(), is_free);
}

/// What share of its capital the evidence is good for.
fn proven_percent(s: &Standing, policy: &Policy) -> Option<Amount> {
    let is_over = |p: Option<f64>, limit: Amount| p.is_some_and(|p| p * 100.0 >= limit.to_f64());
    if is_over(s.evidence.deflated, policy.gate_full_probability_percent) {
        return Some(Amount::from_int(100));
    }
    // A live bot that loses its proof shrinks; the conditions to stay end it.
    let is_small = is_over(s.evidence.probability, policy.gate_small_probability_percent);
    (is_small || s.is_live).then_some(policy.gate_small_size_percent)
}

/// The first day counts apart.
fn size(s: &Standing, percent: Amount, first_day: Option<Amount>) -> Size {
    let amount = s.capital.times(share(percent), Round::Down);
    let is_first_day = s.live_for.is_none_or(|live| live < DAY);
    let most = if is_first_day { first_day.unwrap_or_default() } else { amount };
    let amount = amount.min(most);
    Size { percent: crate::percent_of(amount, s.capital), amount }
}

/// Most of the first 24 hours: 1 %, or twice the exchange's minimum; `None` where that would be
/// more than a first day may be.
fn first_day(s: &Standing, policy: &Policy) -> Option<Amount> {
    let part = s.capital.times(share(policy.gate_first_day_percent), Round::Down);
    let amount = part.max(s.minimum.part(2, 1, Round::Up));
    let most = s.capital.times(share(policy.gate_first_day_max_percent), Round::Down);
    (amount <= most).then_some(amount)
}

fn share(percent: Amount) -> Rate {
    Rate::from_percent_amount(percent).unwrap_or(Rate::ZERO)
}

fn chance(p: f64) -> String {
    format!("{:.1} %", p * 100.0)
}

fn two(value: Amount) -> Amount {
    let scaled = value.to_scaled(2, Round::Down).unwrap_or_default();
    Amount::from_scaled(scaled.into(), 2, Round::Down)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn proven() -> Standing {
        Standing {
            is_live: false,
            trading_enabled: true,
            live_enabled: true,
            bodyguard_enabled: true,
            training_days: 7,
            wallet_required: true,
            wallet: Some(Amount::from_int(1_000)),
            key_required: true,
            key: KeyState::Good,
            evidence: Evidence {
                covered: Span::from_secs(7 * 86_400),
                trades: 25,
                wins: 15,
                won: Amount::from_int(120),
                lost: Amount::from_int(100),
                drawdown_percent: Amount::from_int(15),
                probability: Some(0.8),
                deflated: Some(0.5),
            },
            emergency_stop: false,
            holds: Holds::default(),
            confirmed: true,
            capital: Amount::from_int(1_000),
            minimum: Amount::from_int(5),
            live_for: None,
        }
    }

    const WHOSE: (AccountId, BotId) = (AccountId(1), BotId(2));

    fn failing(s: &Standing) -> Vec<&'static str> {
        let verdict = judge(WHOSE, s, &Policy::default());
        let failed = verdict.conditions().iter().filter(|c| !c.pass && c.is_required);
        let names: Vec<_> = failed.map(|c| c.name).collect();
        assert_eq!(verdict.is_open(), names.is_empty());
        assert_eq!(verdict.size().is_some(), verdict.is_open());
        assert_eq!(verdict.entry_permit(Timestamp::EPOCH).is_some(), verdict.is_open());
        names
    }

    type Spoil = (&'static str, fn(&mut Standing));

    const EACH: [Spoil; 17] = [
        ("trading_enabled", |s| s.trading_enabled = false),
        ("live_trading_enabled", |s| s.live_enabled = false),
        ("bodyguard_enabled", |s| s.bodyguard_enabled = false),
        ("training", |s| s.evidence.covered = Span(7 * 86_400_000_000_000 - 1)),
        ("exchange_key", |s| s.key = KeyState::Absent),
        ("exchange_key", |s| s.key = KeyState::Untested),
        ("exchange_key", |s| s.key = KeyState::CanWithdraw),
        ("wallet_funded", |s| s.wallet = Some(Amount::from_int(4))),
        ("wallet_funded", |s| s.wallet = None),
        ("closed_trades", |s| s.evidence.trades = 24),
        ("profit_factor", |s| s.evidence.won = Amount::from_int(119)),
        ("drawdown", |s| s.evidence.drawdown_percent = "15.01".parse().unwrap()),
        ("no_emergency_stop", |s| s.emergency_stop = true),
        ("no_hold", |s| assert!(s.holds.insert(Hold::UserPaused) || s.holds.is_paused())),
        ("confirmed_by_a_person", |s| s.confirmed = false),
        ("evidence", |s| s.evidence.probability = Some(0.79)),
        ("evidence", |s| s.evidence.probability = None),
    ];

    #[test]
    fn a_proven_bot_passes_and_each_condition_alone_closes_the_gate() {
        assert!(failing(&proven()).is_empty());
        for (name, spoil) in EACH {
            let mut standing = proven();
            spoil(&mut standing);
            assert_eq!(failing(&standing), [name]);
        }
    }

    #[test]
    fn a_key_that_can_withdraw_never_passes_whatever_is_required() {
        let standing = Standing { key_required: false, key: KeyState::CanWithdraw, ..proven() };
        assert_eq!(failing(&standing), ["exchange_key"]);
    }

    #[test]
    fn staying_is_easier_than_entering_and_a_loss_ends_it() {
        let mut live = Standing { is_live: true, live_for: Some(DAY), ..proven() };
        live.evidence.drawdown_percent = Amount::from_int(18);
        live.evidence.won = Amount::from_int(105);
        live.evidence.probability = Some(0.6);
        assert!(failing(&live).is_empty());
        live.evidence.drawdown_percent = Amount::from_int(21);
        assert_eq!(failing(&live), ["drawdown"]);
        live.evidence.won = Amount::from_int(90);
        assert_eq!(failing(&live), ["net_profit", "profit_factor", "drawdown"]);
    }

    #[test]
    fn size_follows_the_evidence_and_the_first_day_is_small() {
        let size = |s: &Standing| judge(WHOSE, s, &Policy::default()).size().unwrap().amount;
        let mut standing = proven();
        assert_eq!(size(&standing), Amount::from_int(10), "1 % of 1,000, twice the minimum");
        standing.live_for = Some(DAY);
        assert_eq!(size(&standing), Amount::from_int(100), "10 %");
        standing.evidence.deflated = Some(0.95);
        assert_eq!(size(&standing), Amount::from_int(1_000));
        standing.live_for = None;
        standing.minimum = Amount::from_int(51);
        assert_eq!(failing(&standing), ["first_day_size_fits"]);
    }

    proptest! {
        #[test]
        fn judged_briefly_the_same_passes_and_fails(
            spoilt in prop::collection::vec(0..EACH.len(), 0..4),
            is_live in any::<bool>(),
        ) {
            let mut standing = Standing { is_live, ..proven() };
            spoilt.iter().for_each(|at| EACH[*at].1(&mut standing));
            let full = judge(WHOSE, &standing, &Policy::default());
            let mut brief = judge_briefly(WHOSE, &standing, &Policy::default());
            for (short, long) in brief.conditions.iter_mut().zip(&full.conditions) {
                (short.figure, short.limit) = (long.figure.clone(), long.limit.clone());
            }
            prop_assert_eq!(brief, full);
        }

        #[test]
        fn whatever_else_holds_one_lost_hard_condition_closes_the_gate(
            spoilt in prop::collection::vec(0..EACH.len(), 1..6),
            probability in 0.0f64..1.0,
            is_live in any::<bool>(),
        ) {
            let mut standing = Standing { is_live, ..proven() };
            standing.evidence.deflated = Some(probability);
            for at in &spoilt {
                EACH[*at].1(&mut standing);
            }
            let earned = ["training", "closed_trades", "profit_factor", "drawdown", "evidence"];
            let is_hard = spoilt.iter().any(|at| !earned.contains(&EACH[*at].0));
            let is_open = judge(WHOSE, &standing, &Policy::default()).is_open();
            prop_assert!(!(is_open && (is_hard || (!is_live && probability < 0.95))));
        }
    }
}
