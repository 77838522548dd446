//! From intent to approved order, or to a refusal with its figures.

use crate::checks::CHECKS;
use crate::exposure::AccountRisk;
use crate::figures::Figures;
use domain::{
    AccountId, Amount, BotId, Currency, FeedState, Holds, Instrument, InstrumentId, Lifecycle,
    Mode, OrderId, OrderKind, OrderPurpose, Policy, Price, Quantity, Refusal, Side, Span,
    TimeInForce, Timestamp,
};
use market::Book;
use smallvec::SmallVec;

/// What a strategy, a guard or a person wants, before any check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderIntent {
    /// The id that the order would have.
    pub id: OrderId,
    /// Owner.
    pub account: AccountId,
    /// Owner.
    pub bot: BotId,
    /// Where and what.
    pub instrument: InstrumentId,
    /// Simulated or real.
    pub mode: Mode,
    /// Side.
    pub side: Side,
    /// Price.
    pub kind: OrderKind,
    /// Time in force.
    pub time_in_force: TimeInForce,
    /// How much base.
    pub quantity: Quantity,
    /// Entry or exit.
    pub purpose: OrderPurpose,
    /// When it was decided.
    pub at: Timestamp,
}

/// Everything that the checks look at, as it is when the order is decided.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// With its filters.
    pub instrument: &'a Instrument,
    /// Its book.
    pub book: &'a Book,
    /// What the exchange measures prices against; `None`: it does not, or it is not known.
    pub reference: Option<Price>,
    /// Its feed.
    pub feed: &'a FeedState,
    /// The policy in force for the account.
    pub policy: &'a Policy,
    /// Its version.
    pub policy_version: u32,
    /// The emergency stop, of the account or the fleet.
    pub emergency_stop: bool,
    /// A flag that switches new positions off, by its name.
    pub flag_off: Option<&'static str>,
    /// An open circuit breaker of the account or the fleet: scope, loss, limit.
    pub breaker: Option<(&'static str, Amount, Amount)>,
    /// A currency without a rate, where limits had to add currencies.
    pub rate_unknown: Option<Currency>,
    /// The whole account; `None`: not known, which refuses in live and is not asked in paper.
    pub account: Option<&'a AccountRisk>,
    /// Of the bot.
    pub lifecycle: Lifecycle,
    /// Of the bot.
    pub holds: Holds,
    /// Which strategy.
    pub strategy: domain::StrategyKind,
    /// How bold.
    pub risk_mode: domain::RiskMode,
    /// The bot's equity, marked at the bid; `None`: not known.
    pub equity: Option<Amount>,
    /// The bot's capital.
    pub capital: Amount,
    /// Quote that it can still spend: cash less what open orders hold.
    pub cash: Amount,
    /// Sellable base, less what open sells hold.
    pub held: Quantity,
    /// The position's value at cost.
    pub position_cost: Amount,
    /// Value of open buy orders.
    pub open_buys: Amount,
    /// Orders of the account on this instrument that rest or are on their way.
    pub open_orders: u32,
    /// Best price of the account's own resting orders on the other side.
    pub own_opposite: Option<Price>,
    /// The bot's last order: side, limit, quantity, when.
    pub last_order: Option<(Side, Option<Price>, Quantity, Timestamp)>,
    /// The first taking entry that the bot wanted, as far as it may still count: side, price, when.
    pub first_entry: Option<(Side, Price, Timestamp)>,
    /// How far our clock surely is from the exchange's; `None`: not measured.
    pub clock_off: Option<Span>,
    /// Orders of the account on this exchange in the last second.
    pub orders_last_second: u32,
    /// The bot's entries on this UTC day.
    pub entries_today: u32,
    /// Loss of the day's opening equity, in percent; `None`: not known.
    pub daily_loss_percent: Option<Amount>,
    /// The strategy's stated edge, in basis points, where it states one.
    pub edge_bp: Option<f64>,
    /// What the live gate says of the bot; `None` refuses every live entry.
    pub live: Option<LiveStanding<'a>>,
}

/// A live bot before its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveStanding<'a> {
    /// What is missing, in words; `None`: nothing.
    pub missing: Option<&'a str>,
    /// What position and open buys may come to.
    pub size: Option<Amount>,
}

/// An order that passed every check. Only [`check`] makes one, it cannot be cloned, and it is
/// never rebuilt from the store: an order goes out once.
#[derive(Debug, PartialEq, Eq)]
pub struct ApprovedOrder {
    intent: OrderIntent,
    worst_price: Option<Price>,
    worst_cost: Option<Amount>,
    policy_version: u32,
    checks_passed: u32,
}

impl ApprovedOrder {
    /// What was approved.
    pub const fn intent(&self) -> &OrderIntent {
        &self.intent
    }

    /// The highest price that a market buy may pay: what it costs is held, and never more. `None`:
    /// a sale takes what there is.
    pub const fn worst_price(&self) -> Option<Price> {
        self.worst_price
    }

    /// The worst that a buy can cost, to be held until it is final; `None`: a sale.
    pub const fn worst_cost(&self) -> Option<Amount> {
        self.worst_cost
    }

    /// Under which policy.
    pub const fn policy_version(&self) -> u32 {
        self.policy_version
    }

    /// By how many checks.
    pub const fn checks_passed(&self) -> u32 {
        self.checks_passed
    }

    /// As if every check had passed, for this crate's own tests of permits.
    #[cfg(test)]
    pub(crate) const fn unchecked(intent: OrderIntent) -> Self {
        Self { intent, worst_price: None, worst_cost: None, policy_version: 1, checks_passed: 0 }
    }
}

/// Refused: the first failing check in order, and the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Names the refusal.
    pub first: Refusal,
    /// Others that failed too.
    pub also: SmallVec<[Refusal; 2]>,
}

/// Runs every check that applies, in the order of the table.
///
/// # Errors
/// The refusals, first one first.
pub fn check(intent: OrderIntent, snapshot: &Snapshot<'_>) -> Result<ApprovedOrder, Box<Refused>> {
    let is_entry = intent.purpose == OrderPurpose::Entry;
    let figures = Figures::of(&intent, snapshot);
    let mut refused: Option<Box<Refused>> = None;
    let mut checks_passed = 0;
    for rule in CHECKS {
        if rule.entries_only && !is_entry {
            continue;
        }
        match (rule.check)(&intent, snapshot, &figures) {
            Ok(()) => checks_passed += 1,
            Err(refusal) => match &mut refused {
                Some(r) => r.also.push(refusal),
                None => {
                    refused = Some(Box::new(Refused { first: refusal, also: SmallVec::new() }));
                }
            },
        }
    }
    match refused {
        None => Ok(ApprovedOrder {
            intent,
            worst_price: figures.worst_price,
            worst_cost: figures.worst_cost,
            policy_version: snapshot.policy_version,
            checks_passed,
        }),
        Some(refused) => Err(refused),
    }
}
