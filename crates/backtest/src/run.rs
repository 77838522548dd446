//! A backtest: the very engine that trades, fed with a tape.

mod events;

use crate::decoded::Tape;
use domain::{
    AccountId, Actor, Amount, BotId, DataGrade, FeedState, FillRecord, InstrumentId, MarketEvent,
    Refusal, Span, Timestamp, Trade,
};
use engine::{
    Command, CommandError, Engine, EngineConfig, Envelope, Input, InputKind, NewBot, Output, Reply,
    Switches, WalletMove,
};
use events::{Step, Steps};
use ledger::statistics::{Curve, Days};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What is to be run over a tape.
#[derive(Clone, Debug)]
pub struct Job {
    /// Each with its own capital; all in one quote currency.
    pub bots: Vec<NewBot>,
    /// Not before this; bars from before warm the indicators.
    pub from: Option<Timestamp>,
    /// Not after this.
    pub to: Option<Timestamp>,
    /// Seed, round trips and policy.
    pub engine: EngineConfig,
    /// Keep fills and equity, not only what figures are made of.
    pub keeps_everything: bool,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A bot cannot be made.
    #[error("bot {name}: {reason}")]
    Bot {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// Nothing to run over.
    #[error("{0}")]
    Data(String),
    /// It was told to end.
    #[error("cancelled")]
    Cancelled,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Closed round trips in order.
    pub trades: Vec<Trade>,
    /// Executions, where everything is kept.
    pub fills: Vec<FillRecord>,
    /// Executions beyond those that are kept.
    pub fills_left_out: u64,
    /// Equity of all bots at each bar, where everything is kept.
    pub equity: Vec<(Timestamp, Amount)>,
    /// One in so many points of equity is kept; 1 but in very long runs.
    pub equity_stride: u64,
    /// The same, followed.
    pub curve: Curve,
    /// Its daily closes.
    pub days: Days,
    /// Points at which a bot held something, and all points.
    pub held: (u64, u64),
    /// The quote currency of all bots.
    pub currency: Option<domain::Currency>,
    /// Capital of all bots.
    pub capital: Amount,
    /// Orders that were sent.
    pub orders: u64,
    /// Refusals by their code.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Inputs that were applied.
    pub inputs: u64,
    /// The first and the last instant.
    pub span: (Timestamp, Timestamp),
}

/// Fills and points that are kept: a report of more is read by nobody, and memory is bounded. What
/// is left out is told.
const KEPT_MAX: usize = 4_000_000;
/// Inputs between two looks at whether to go on.
const LOOK_EVERY: u64 = 8_192;
/// Of a tape of events, equity is marked this often.
const MARK_EVERY: Span = Span::from_secs(60);

/// Runs a job to its end. `watch` is told the share that is done and may end it.
///
/// # Errors
/// See [`RunError`].
pub fn run(
    tape: &Tape,
    job: &Job,
    watch: &mut dyn FnMut(f64) -> ControlFlow<()>,
) -> Result<Outcome, RunError> {
    let (first, last) = tape.span().ok_or_else(|| RunError::Data("the data is empty".into()))?;
    let (from, to) = (job.from.unwrap_or(first).max(first), job.to.unwrap_or(last).min(last));
    if from >= to {
        return Err(RunError::Data(format!(
            "no data from {from} to {to}: it spans {first} to {last}"
        )));
    }
    let mut drive = Drive::new(tape, job, (from, to))?;
    if tape.is_of_bars() {
        drive.bars(watch)?
    } else {
        drive.events(watch)?
    }
    Ok(drive.outcome)
}

struct Drive<'a> {
    tape: &'a Tape,
    job: &'a Job,
    engine: Engine,
    outputs: Vec<Output>,
    /// What comes next of a tape of events; `pending` before it.
    steps: Steps<'a>,
    pending: Option<Step<'a>>,
    bots: Vec<BotId>,
    /// The engine's id of each market.
    ids: Vec<InstrumentId>,
    last_equity: Vec<Amount>,
    /// The newest mark, until its day is over.
    day: Option<(Timestamp, Amount)>,
    outcome: Outcome,
    until: Timestamp,
    started: Timestamp,
}

impl<'a> Drive<'a> {
    fn new(
        tape: &'a Tape,
        job: &'a Job,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Self, RunError> {
        let mut drive = Self {
            tape,
            job,
            engine: Engine::new(job.engine.clone()),
            outputs: Vec::new(),
            steps: Steps::of(tape),
            pending: None,
            bots: Vec::new(),
            ids: Vec::new(),
            last_equity: job.bots.iter().map(|b| b.capital).collect(),
            day: None,
            outcome: Outcome { span: (from, to), ..Outcome::default() },
            until: to,
            started: from,
        };
        drive.set_up()?;
        Ok(drive)
    }

    fn apply(&mut self, at: Timestamp, kind: InputKind) {
        self.engine.apply(&Input { at, kind }, &mut self.outputs);
        self.outcome.inputs += 1;
    }

    fn order(
        &mut self,
        account: Option<AccountId>,
        command: Command,
    ) -> Result<Reply, CommandError> {
        let actor = Actor::Person("backtest".to_owned());
        let envelope = Envelope { id: 1, actor, account, command };
        self.apply(self.started, InputKind::Command(envelope));
        let reply = self.outputs.drain(..).find_map(|o| match o {
            Output::Reply { result, .. } => Some(result),
            _ => None,
        });
        let problem = "the engine did not answer".to_owned();
        reply.unwrap_or(Err(CommandError::NotPossible { problem }))
    }

    /// Markets, an account, its money and its bots.
    fn set_up(&mut self) -> Result<(), RunError> {
        for market in &self.tape.markets {
            self.ids.push(self.engine.define(&market.instrument));
        }
        self.leave_unpiloted();
        self.before_start();
        let quote = self.job.bots.first().map(|b| b.symbol.quote);
        let quote = quote.ok_or_else(|| RunError::Data("there is no bot to run".to_owned()))?;
        if let Some(other) = self.job.bots.iter().find(|b| b.symbol.quote != quote) {
            let reason = format!("its quote is not {quote}: currencies are never added up");
            return Err(RunError::Bot { name: other.name.clone(), reason });
        }
        self.outcome.currency = Some(quote);
        let account = self.account(quote)?;
        for bot in self.job.bots.clone() {
            let name = bot.name.clone();
            self.outcome.capital += bot.capital;
            let refused = |e: CommandError| RunError::Bot { name, reason: e.to_string() };
            let command = Command::CreateBot { bot, start: true };
            if let Reply::Bot(id) = self.order(Some(account), command).map_err(refused)? {
                self.bots.push(id);
            }
        }
        // All bots as one: what they have together is what is judged.
        if let Some(first) = self.bots.first() {
            self.outcome.days.flow(*first, self.started, self.outcome.capital);
        }
        self.warm_up();
        self.outputs.clear();
        Ok(())
    }

    /// Nobody is there to be proposed anything; bots that the autopilot manages it does manage.
    fn leave_unpiloted(&mut self) {
        if !self.job.bots.iter().any(|bot| bot.managed) {
            let switches = Switches { autopilot: false, ..Switches::default() };
            self.apply(self.started, InputKind::Switches(switches));
        }
    }

    fn account(&mut self, quote: domain::Currency) -> Result<AccountId, RunError> {
        let refused = |e: CommandError| RunError::Data(format!("the account: {e}"));
        let create =
            Command::CreateAccount { name: "backtest".to_owned(), reporting_currency: quote };
        let Reply::Account(account) = self.order(None, create).map_err(refused)? else {
            return Err(RunError::Data("the account was not opened".to_owned()));
        };
        let mut needed: BTreeMap<domain::Exchange, Amount> = BTreeMap::new();
        for bot in &self.job.bots {
            let exchange = domain::Exchange::parse(&bot.exchange).ok_or_else(|| RunError::Bot {
                name: bot.name.clone(),
                reason: format!("{:?} is not an exchange of ours", bot.exchange),
            })?;
            *needed.entry(exchange).or_default() += bot.capital;
        }
        for (exchange, amount) in needed {
            let money = WalletMove { exchange, currency: quote, amount };
            self.order(Some(account), Command::Deposit(money)).map_err(refused)?;
        }
        Ok(account)
    }

    /// Bars from before the start warm the indicators, as history does in a live session.
    fn warm_up(&mut self) {
        for want in self.engine.wants() {
            let Some(id) = want.id else { continue };
            let place = self.ids.iter().position(|i| *i == id).unwrap_or_default();
            for (timeframe, count) in want.history {
                let bars = crate::warm::before(self.tape, place, timeframe, count, self.started);
                // A session's core may still be told of it later, as it was.
                if !bars.is_empty() || self.tape.told.is_empty() {
                    let kind = InputKind::History { instrument: id, timeframe, bars };
                    self.apply(self.started, kind);
                }
            }
        }
    }

    fn bars(&mut self, watch: &mut dyn FnMut(f64) -> ControlFlow<()>) -> Result<(), RunError> {
        let markets = &self.tape.markets;
        for id in self.ids.clone() {
            let (state, grade) = (FeedState::Fresh, DataGrade::Bars);
            let event = MarketEvent::Feed { state, grade };
            self.apply(self.started, InputKind::Market { instrument: id, event });
        }
        let started = self.started;
        let mut next: Vec<usize> =
            markets.iter().map(|m| m.bars.partition_point(|b| b.open_at < started)).collect();
        let total = markets.iter().map(|m| m.bars.len()).sum::<usize>().max(1) as f64;
        loop {
            // The earliest close; of equals the first market.
            let times = next.iter().enumerate().filter(|(m, n)| **n < markets[*m].bars.len());
            let first = times.map(|(m, n)| (markets[m].closed_at(*n), m)).min();
            let Some((at, market)) = first.filter(|(at, _)| *at <= self.until) else { break };
            self.gap_before(market, next[market]);
            let event = MarketEvent::Bar(markets[market].closed(next[market]));
            self.apply(at, InputKind::Market { instrument: self.ids[market], event });
            next[market] += 1;
            self.take();
            let is_last = !next
                .iter()
                .enumerate()
                .any(|(m, n)| *n < markets[m].bars.len() && markets[m].closed_at(*n) == at);
            if is_last {
                self.mark(at);
            }
            self.look(watch, |_| next.iter().sum::<usize>() as f64 / total)?;
        }
        Ok(())
    }

    /// The market was not seen before this bar: what is open says so in its grade.
    fn gap_before(&mut self, market: usize, at: usize) {
        let of = &self.tape.markets[market];
        if of.gaps.is_empty() || at == 0 {
            return;
        }
        let (from, open_at) = (of.closed_at(at - 1), of.bars[at].open_at);
        if from < open_at && from >= self.started {
            let event = MarketEvent::Gap { from };
            self.apply(open_at, InputKind::Market { instrument: self.ids[market], event });
        }
    }

    fn look(
        &self,
        watch: &mut dyn FnMut(f64) -> ControlFlow<()>,
        done: impl FnOnce(&Self) -> f64,
    ) -> Result<(), RunError> {
        if self.outcome.inputs.is_multiple_of(LOOK_EVERY) && watch(done(self)).is_break() {
            return Err(RunError::Cancelled);
        }
        Ok(())
    }

    /// Takes what the engine said.
    fn take(&mut self) {
        if self.outputs.is_empty() {
            return;
        }
        let kept_max = if self.job.keeps_everything { KEPT_MAX } else { 0 };
        for output in self.outputs.drain(..) {
            match output {
                Output::Trade(trade) => self.outcome.trades.push(trade),
                Output::Fill(fill) if self.outcome.fills.len() < kept_max => {
                    self.outcome.fills.push(fill);
                }
                Output::Fill(_) if self.job.keeps_everything => self.outcome.fills_left_out += 1,
                Output::Decision(_) => self.outcome.orders += 1,
                Output::Refusal(refused) => {
                    count_refusal(&mut self.outcome.refusals, &refused.refusal)
                }
                _ => {}
            }
        }
    }

    /// What all bots have at the end of the day at hand.
    fn close_day(&mut self) {
        if let (Some(first), Some((at, total))) = (self.bots.first(), self.day.take()) {
            self.outcome.days.close(*first, at, Some(total));
        }
    }

    /// Marks the equity of all bots; where one is not known its last one counts.
    fn mark(&mut self, at: Timestamp) {
        let mut total = Amount::ZERO;
        let mut is_held = false;
        for (last, bot) in self.last_equity.iter_mut().zip(&self.bots) {
            let (equity, is_holding) = self.engine.worth(*bot).unwrap_or_default();
            *last = equity.unwrap_or(*last);
            is_held |= is_holding;
            total += *last;
        }
        self.outcome.held.0 += u64::from(is_held);
        self.outcome.held.1 += 1;
        self.outcome.curve.push(at, total);
        // A bar that ends at midnight belongs to the day that it ends.
        let at_end = at - Span(1);
        if self.day.is_some_and(|(last, _)| last.day() != at_end.day()) {
            self.close_day();
        }
        self.day = Some((at_end, total));
        if self.job.keeps_everything {
            self.outcome.keep_equity(at, total);
        }
    }
}

impl Outcome {
    /// When there are too many points, every other one goes: a curve that ended early would lie.
    fn keep_equity(&mut self, at: Timestamp, total: Amount) {
        self.equity_stride = self.equity_stride.max(1);
        if !(self.held.1 - 1).is_multiple_of(self.equity_stride) {
            return;
        }
        if self.equity.len() == KEPT_MAX {
            let mut number = 0u32;
            self.equity.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.equity_stride *= 2;
            if !(self.held.1 - 1).is_multiple_of(self.equity_stride) {
                return;
            }
        }
        self.equity.push((at, total));
    }
}

fn count_refusal(refusals: &mut BTreeMap<&'static str, u64>, refusal: &Refusal) {
    *refusals.entry(refusal.code().name()).or_default() += 1;
}
