//! A bot's state, and the one function through which its lifecycle and holds change.

use crate::autopilot::{Piloted, Sample};
use crate::live::{LiveBot, Shadow};
use crate::output::{BotChange, BotRecord, RefusalRecord};
use crate::training::Training;
use domain::{
    Actor, Amount, BotConfig, CancelReason, EventKind, ExitReason, Hold, InstrumentId, Lifecycle,
    Mode, OrderId, OrderKind, OrderPurpose, OrderRecord, OrderStatus, Price, Quantity, RejectCode,
    Side, Span, StopChoice, TimeInForce, Timestamp, TradeId,
};
use ledger::BotBooks;
use market::Slot;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::VecDeque;
use strategy::Params;

/// An order that is not final yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenOrder {
    pub(crate) id: OrderId,
    pub(crate) side: Side,
    pub(crate) purpose: OrderPurpose,
    pub(crate) level: u16,
    pub(crate) kind: OrderKind,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) quantity: Quantity,
    pub(crate) filled: Quantity,
    /// Value of what is filled, in quote.
    pub(crate) notional: Amount,
    /// Quote held for what a buy may still cost.
    pub(crate) hold: Amount,
    /// Mid when it was decided.
    pub(crate) mid: Option<Amount>,
    pub(crate) created_at: Timestamp,
    pub(crate) is_open: bool,
    pub(crate) cancel_sent: bool,
    /// The market was not seen for a time while it was open.
    pub(crate) saw_gap: bool,
}

/// What the bot's day looks like; begins anew at midnight UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Day {
    pub(crate) start: Timestamp,
    pub(crate) opening_equity: Amount,
    pub(crate) entries: u32,
    pub(crate) refusals: u32,
    pub(crate) rearms: u32,
    /// Loss up to which its breaker was closed by hand: it trips again this much lower.
    #[serde(default)]
    pub(crate) forgiven_percent: Amount,
}

/// One evaluation, kept in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Evaluation {
    pub(crate) at: Timestamp,
    pub(crate) values: [f64; 2],
    pub(crate) wishes: u8,
}

/// Evaluations kept: enough for "why not just now", small enough for 100,000 bots.
const EVALUATIONS_KEPT: usize = 8;

/// See the module.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bot {
    pub(crate) record: BotRecord,
    pub(crate) books: BotBooks,
    pub(crate) state: strategy::State,
    pub(crate) stop_choice: StopChoice,
    pub(crate) open: SmallVec<[OpenOrder; 1]>,
    pub(crate) orders: u32,
    pub(crate) fills: u32,
    pub(crate) trades: u32,
    pub(crate) wins: u32,
    pub(crate) losses_in_a_row: u32,
    /// Entry orders filled in the present position.
    pub(crate) entries: u32,
    pub(crate) opened_at: Option<Timestamp>,
    /// The highest bid since entry, as it was when this was stored.
    pub(crate) high: Option<Price>,
    /// Wants to be flat, and why; tried again until it is.
    pub(crate) exit_wanted: Option<ExitReason>,
    pub(crate) exit_retry_at: Timestamp,
    pub(crate) equity_peak: Amount,
    pub(crate) day: Day,
    pub(crate) cooldown_until: Option<Timestamp>,
    pub(crate) rearm_at: Option<Timestamp>,
    pub(crate) unguarded_since: Option<Timestamp>,
    /// Its market moves and it decides nothing.
    #[serde(default)]
    pub(crate) stuck_since: Option<Timestamp>,
    /// Active without a hold since then, where it is.
    #[serde(default)]
    pub(crate) armed_since: Timestamp,
    #[serde(default)]
    pub(crate) training: Box<Training>,
    /// Gains of its trades since its strategy was set.
    #[serde(default)]
    pub(crate) sample: Sample,
    /// What the autopilot remembers of it.
    #[serde(default)]
    pub(crate) piloted: Option<Box<Piloted>>,
    /// Its capital was not reserved yet.
    pub(crate) needs_capital: bool,
    /// When its capital was reserved: the first point of its equity.
    pub(crate) funded_at: Option<Timestamp>,
    /// Archived as soon as its position is closed.
    pub(crate) retire_when_flat: bool,
    pub(crate) refusal: Option<Box<RefusalRecord>>,
    pub(crate) refusals: u32,
    pub(crate) last_order: Option<(Side, Option<Price>, Quantity, Timestamp)>,
    pub(crate) last_decision_at: Option<Timestamp>,
    /// Beside its books while it trades real money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) live: Option<Box<LiveBot>>,
    /// Its real orders, as paper would have had them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shadow: Option<Box<Shadow>>,
    #[serde(skip)]
    pub(crate) fixed: Fixed,
    #[serde(skip)]
    pub(crate) is_dirty: bool,
    /// Since the last supervision pass.
    #[serde(skip)]
    pub(crate) is_changed: bool,
    #[serde(skip)]
    pub(crate) evaluations: VecDeque<Evaluation>,
}

/// What follows from the configuration and the instrument: made anew on restore.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fixed {
    pub(crate) params: Option<Params>,
    pub(crate) instrument: Option<InstrumentId>,
    pub(crate) series: usize,
    /// Where it stands among the bots of its series.
    pub(crate) place: usize,
    pub(crate) slots: SmallVec<[Slot; 4]>,
    pub(crate) edge_bp: Option<f64>,
    /// The position as the strategy sees it.
    pub(crate) position: strategy::Position,
    /// The one timer of its exit that is set.
    pub(crate) retry_at: Option<Timestamp>,
}

impl Bot {
    pub(crate) fn new(record: BotRecord, books: BotBooks, params: &Params) -> Self {
        let capital = record.config.capital;
        let day = Day { start: record.created_at.day(), opening_equity: capital, ..Day::default() };
        Self {
            state: strategy::State::new(params),
            record,
            books,
            stop_choice: StopChoice::default(),
            open: SmallVec::new(),
            orders: 0,
            fills: 0,
            trades: 0,
            wins: 0,
            losses_in_a_row: 0,
            entries: 0,
            opened_at: None,
            high: None,
            exit_wanted: None,
            exit_retry_at: Timestamp::EPOCH,
            equity_peak: capital,
            day,
            cooldown_until: None,
            rearm_at: None,
            unguarded_since: None,
            stuck_since: None,
            armed_since: day.start,
            training: Box::default(),
            sample: Sample::default(),
            piloted: None,
            needs_capital: true,
            funded_at: None,
            retire_when_flat: false,
            refusal: None,
            refusals: 0,
            last_order: None,
            last_decision_at: None,
            live: None,
            shadow: None,
            fixed: Fixed::default(),
            is_dirty: false,
            is_changed: false,
            evaluations: VecDeque::new(),
        }
    }

    pub(crate) fn config(&self) -> &BotConfig {
        &self.record.config
    }

    /// What it was given: in live as much as the wallet had.
    pub(crate) fn capital(&self) -> Amount {
        self.live.as_ref().map_or(self.record.config.capital, |live| live.capital)
    }

    /// Active, and nothing holds it but a cooldown.
    pub(crate) fn is_armed(&self) -> bool {
        self.record.lifecycle == Lifecycle::Active && !self.record.holds.is_paused()
    }

    /// Quote that it can still spend.
    pub(crate) fn free_cash(&self) -> Amount {
        self.books.cash - self.open.iter().map(|o| o.hold).sum()
    }

    /// Most that may leave it at once: losses of the day are measured by what it began with.
    pub(crate) fn drain_max(&self) -> Amount {
        self.day.opening_equity.or_zero().part(1, 2, domain::Round::Down)
    }

    /// Value of buys that may still fill.
    pub(crate) fn open_buys(&self) -> Amount {
        self.open.iter().filter(|o| o.side == Side::Buy).map(|o| o.hold).sum()
    }

    /// Base that open sells may still take, at the instrument's scale.
    pub(crate) fn open_sells(&self) -> Quantity {
        let sells = self.open.iter().filter(|o| o.side == Side::Sell);
        sells.map(|o| o.quantity - o.filled).sum()
    }

    /// The identity of the round trip at hand.
    pub(crate) fn trade_id(&self) -> TradeId {
        TradeId { bot: self.record.id, seq: self.trades + 1 }
    }

    /// Keeps what it saw and how much it wished for.
    pub(crate) fn decided(&mut self, at: Timestamp, values: &[f64; 4], wishes: u8) {
        self.last_decision_at = Some(at);
        let evaluation = Evaluation { at, values: [values[0], values[1]], wishes };
        if self.evaluations.len() == EVALUATIONS_KEPT {
            self.evaluations.pop_front();
        }
        self.evaluations.push_back(evaluation);
    }

    /// The order's row in a new state.
    pub(crate) fn order_record(
        &self,
        order: &OpenOrder,
        scale: &domain::Instrument,
        outcome: Outcome,
        at: Timestamp,
    ) -> OrderRecord {
        let limit = match order.kind {
            OrderKind::Limit { price, post_only } => Some((price, post_only)),
            OrderKind::Market => None,
        };
        let filled = scale.quantity_amount(order.filled);
        OrderRecord {
            id: order.id,
            account_id: self.record.account_id,
            bot_id: self.record.id,
            exchange: scale.exchange,
            symbol: scale.symbol,
            mode: self.record.mode,
            side: order.side,
            purpose: order.purpose,
            limit_price: limit.map(|(price, _)| scale.price_amount(price)),
            post_only: limit.is_some_and(|(_, post_only)| post_only),
            time_in_force: order.time_in_force,
            quantity: scale.quantity_amount(order.quantity),
            filled,
            average_price: order.notional.quotient(filled, domain::Round::Down),
            status: outcome.status,
            reject_code: outcome.code,
            cancel_reason: outcome.cancel,
            created_at: order.created_at,
            updated_at: at,
        }
    }

    /// The one way in which lifecycle and holds change. Says what changed, or nothing.
    pub(crate) fn transition(
        &mut self,
        step: Step,
        actor: &Actor,
        reason: impl Into<Cow<'static, str>>,
        at: Timestamp,
    ) -> Option<BotChange> {
        let was_paused = self.record.holds.is_paused();
        let was_armed = self.is_armed();
        let (event, hold) = match step {
            Step::Hold(hold) if self.record.holds.insert(hold) => {
                let is_news = !was_paused && !hold.is_silent();
                (is_news.then_some(EventKind::BotPaused), Some(hold))
            }
            Step::Release(hold) if self.record.holds.remove(hold) => {
                let is_news = was_paused && !self.record.holds.is_paused();
                (is_news.then_some(EventKind::BotResumed), Some(hold))
            }
            Step::Start if self.record.lifecycle == Lifecycle::Stopped => {
                self.record.lifecycle = Lifecycle::Active;
                (Some(EventKind::BotResumed), None)
            }
            Step::Stop if self.record.lifecycle == Lifecycle::Active => {
                self.record.lifecycle = Lifecycle::Stopped;
                (Some(EventKind::BotStopped), None)
            }
            Step::Retire if self.record.lifecycle != Lifecycle::Retired => {
                self.record.lifecycle = Lifecycle::Retired;
                (Some(EventKind::BotStopped), None)
            }
            Step::Edit => (Some(EventKind::BotUpdated), None),
            Step::Mode(mode) if self.record.mode != mode => {
                self.record.mode = mode;
                (Some(EventKind::BotUpdated), None)
            }
            _ => return None,
        };
        self.record.updated_at = at;
        if self.is_armed() && !was_armed {
            self.armed_since = at;
        }
        Some(BotChange {
            record: self.record.clone(),
            event,
            actor: actor.clone(),
            reason: reason.into(),
            hold,
        })
    }
}

/// A change of a bot's lifecycle or holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Hold(Hold),
    Release(Hold),
    Start,
    Stop,
    Retire,
    Edit,
    Mode(Mode),
}

/// How an order's row changes.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) status: OrderStatus,
    pub(crate) code: Option<RejectCode>,
    pub(crate) cancel: Option<CancelReason>,
}

impl From<OrderStatus> for Outcome {
    fn from(status: OrderStatus) -> Self {
        Self { status, code: None, cancel: None }
    }
}

/// How long an exit that found no liquidity or no fresh price waits before it is tried again.
pub(crate) const EXIT_RETRY: Span = Span::from_secs(1);
