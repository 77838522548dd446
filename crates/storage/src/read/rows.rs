//! Rows as the core's own records, so that what is read shows as what was told.

use crate::StoreError;
use crate::cells::Cells;
use domain::{
    AccountId, Amount, BotConfig, BotId, Currency, DataGrade, Exchange, FeedState, FillId,
    FillRecord, InstrumentId, Mode, OrderId, OrderPurpose, OrderRecord, Policy, Span,
    StrategyConfig, Symbol, Timestamp, Trade, TradeId,
};
use engine::{AccountRecord, BotRecord, DecisionRecord, FeedRecord, RefusalRecord, WalletRecord};
use serde::Serialize;

/// An order with the name under which the exchange knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderRow {
    /// Its latest state.
    #[serde(flatten)]
    pub order: OrderRecord,
    /// `amk-BOT-SEQ`.
    pub client_order_id: String,
}

/// One side of a transfer with the transfer's reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct PostingRow {
    pub id: i64,
    pub account_id: AccountId,
    pub transfer_seq: u64,
    pub mode: Mode,
    pub exchange: Exchange,
    pub book: String,
    pub bot_id: Option<BotId>,
    pub currency: Currency,
    /// Debit positive, credit negative.
    pub amount: Amount,
    pub reason: String,
    pub order_id: Option<OrderId>,
    pub trade_id: Option<TradeId>,
    pub at: Timestamp,
}

/// A version of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct PolicyRow {
    pub account_id: Option<AccountId>,
    pub version: u32,
    pub policy: Policy,
    pub actor: String,
    pub at: Timestamp,
}

/// Who did what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct AuditRow {
    pub id: i64,
    pub account_id: Option<AccountId>,
    pub bot_id: Option<BotId>,
    pub at: Timestamp,
    pub action: String,
    pub actor: String,
    pub detail: String,
}

/// What statistics need of a trade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct TradeProfit {
    pub id: TradeId,
    pub bot_id: BotId,
    pub exchange: Exchange,
    /// Its quote currency is the profit's.
    pub symbol: Symbol,
    pub is_paper: bool,
    pub success: bool,
    pub grade: DataGrade,
    pub profit_loss: Amount,
    pub gross_profit: Amount,
    pub fees: Amount,
    pub slippage: Option<Amount>,
    /// Value of both legs.
    pub turnover: Amount,
    pub reporting_rate: Option<Amount>,
    pub reporting_currency: Currency,
    pub entry_at: Timestamp,
    pub timestamp: Timestamp,
}

type Read<T> = Result<T, StoreError>;

fn account_id(c: &Cells<'_>) -> Read<AccountId> {
    c.small("account_id").map(AccountId)
}

fn bot_id(c: &Cells<'_>) -> Read<BotId> {
    c.small("bot_id").map(BotId)
}

pub(crate) fn account(c: &Cells<'_>) -> Read<AccountRecord> {
    Ok(AccountRecord {
        id: c.small("id").map(AccountId)?,
        name: c.text("name")?,
        reporting_currency: c.parsed("reporting_currency")?,
        season: c.small("season")?,
        created_at: c.time("created_at")?,
    })
}

pub(crate) fn bot(c: &Cells<'_>) -> Read<BotRecord> {
    let strategy = StrategyConfig { kind: c.word("strategy")?, params: c.json("params")? };
    let config = BotConfig {
        name: c.text("name")?,
        exchange: c.text("exchange")?,
        symbol: c.parsed("symbol")?,
        strategy,
        timeframe: c.parsed("timeframe")?,
        risk_mode: c.word("risk_mode")?,
        capital: c.amount("capital")?,
        sizing: c.opt("sizing", Cells::json)?,
        exits: c.json("exits")?,
        managed: c.flag("managed")?,
    };
    Ok(BotRecord {
        id: c.small("id").map(BotId)?,
        account_id: account_id(c)?,
        config,
        mode: c.word("mode")?,
        lifecycle: c.word("lifecycle")?,
        holds: c.json("holds")?,
        season: c.small("season")?,
        created_at: c.time("created_at")?,
        updated_at: c.time("updated_at")?,
    })
}

pub(crate) fn order(c: &Cells<'_>) -> Read<OrderRow> {
    let purpose = match c.opt("exit_reason", Cells::word)? {
        Some(reason) => OrderPurpose::Exit(reason),
        None => OrderPurpose::Entry,
    };
    let order = OrderRecord {
        id: OrderId::from(c.id("id")?),
        account_id: account_id(c)?,
        bot_id: bot_id(c)?,
        exchange: c.word("exchange")?,
        symbol: c.parsed("symbol")?,
        mode: c.word("mode")?,
        side: c.word("side")?,
        purpose,
        limit_price: c.opt("limit_price", Cells::amount)?,
        post_only: c.flag("post_only")?,
        time_in_force: c.word("time_in_force")?,
        quantity: c.amount("quantity")?,
        filled: c.amount("filled")?,
        average_price: c.opt("average_price", Cells::amount)?,
        status: c.word("status")?,
        reject_code: c.opt("reject_code", Cells::text)?.map(Into::into),
        cancel_reason: c.opt("cancel_reason", Cells::word)?,
        created_at: c.time("created_at")?,
        updated_at: c.time("updated_at")?,
    };
    Ok(OrderRow { order, client_order_id: c.text("client_order_id")? })
}

pub(crate) fn fill(c: &Cells<'_>) -> Read<FillRecord> {
    Ok(FillRecord {
        id: FillId::from(c.id("id")?),
        order_id: OrderId::from(c.id("order_id")?),
        account_id: account_id(c)?,
        bot_id: bot_id(c)?,
        exchange: c.word("exchange")?,
        symbol: c.parsed("symbol")?,
        mode: c.word("mode")?,
        side: c.word("side")?,
        price: c.amount("price")?,
        quantity: c.amount("quantity")?,
        fee: c.amount("fee")?,
        fee_currency: c.parsed("fee_currency")?,
        liquidity: c.word("liquidity")?,
        grade: c.word("grade")?,
        book_update_id: c.id("book_update_id")?,
        print_id: c.opt("print_id", Cells::id)?,
        queue_ahead_at_join: c.opt("queue_ahead_at_join", Cells::amount)?,
        optimistic_filled: c.opt("optimistic_filled", Cells::amount)?,
        round_trip: Span(c.int("round_trip_ns")?),
        at: c.time("at")?,
    })
}

pub(crate) fn trade(c: &Cells<'_>) -> Read<Trade> {
    Ok(Trade {
        id: TradeId::from(c.id("id")?),
        status: c.text("status")?.into(),
        success: c.flag("success")?,
        account_id: account_id(c)?,
        bot_id: bot_id(c)?,
        symbol: c.parsed("symbol")?,
        exchange: c.word("exchange")?,
        side: c.word("side")?,
        entry_price: c.amount("entry_price")?,
        exit_price: c.amount("exit_price")?,
        amount: c.amount("amount")?,
        profit_loss: c.amount("profit_loss")?,
        gross_profit: c.amount("gross_profit")?,
        fees: c.amount("fees")?,
        fees_base: c.amount("fees_base")?,
        fees_quote: c.amount("fees_quote")?,
        slippage: c.opt("slippage", Cells::amount)?,
        is_paper: c.flag("is_paper")?,
        timestamp: c.time("timestamp")?,
        entry_at: c.time("entry_at")?,
        exit_at: c.time("exit_at")?,
        exit_reason: c.word("exit_reason")?,
        strategy: c.word("strategy")?,
        grade: c.word("grade")?,
        reporting_rate: c.opt("reporting_rate", Cells::amount)?,
        reporting_currency: c.parsed("reporting_currency")?,
        rate_source: c.opt("rate_source", Cells::text)?,
        rate_age_s: c.opt("rate_age_s", Cells::int)?,
    })
}

pub(crate) fn trade_profit(c: &Cells<'_>) -> Read<TradeProfit> {
    let amount = c.amount("amount")?;
    let leg = |price: Amount| price.product(amount, domain::Round::Down).unwrap_or_default();
    Ok(TradeProfit {
        id: TradeId::from(c.id("id")?),
        bot_id: bot_id(c)?,
        exchange: c.word("exchange")?,
        symbol: c.parsed("symbol")?,
        is_paper: c.flag("is_paper")?,
        success: c.flag("success")?,
        grade: c.word("grade")?,
        profit_loss: c.amount("profit_loss")?,
        gross_profit: c.amount("gross_profit")?,
        fees: c.amount("fees")?,
        slippage: c.opt("slippage", Cells::amount)?,
        turnover: leg(c.amount("entry_price")?) + leg(c.amount("exit_price")?),
        reporting_rate: c.opt("reporting_rate", Cells::amount)?,
        reporting_currency: c.parsed("reporting_currency")?,
        entry_at: c.time("entry_at")?,
        timestamp: c.time("timestamp")?,
    })
}

pub(crate) fn posting(c: &Cells<'_>) -> Read<PostingRow> {
    Ok(PostingRow {
        id: c.int("id")?,
        account_id: account_id(c)?,
        transfer_seq: c.id("transfer_seq")?,
        mode: c.word("mode")?,
        exchange: c.word("exchange")?,
        book: c.text("book")?,
        bot_id: c.opt("bot_id", Cells::small)?.map(BotId),
        currency: c.parsed("currency")?,
        amount: c.amount("amount")?,
        reason: c.text("reason")?,
        order_id: c.opt("order_id", Cells::id)?.map(OrderId::from),
        trade_id: c.opt("trade_id", Cells::id)?.map(TradeId::from),
        at: c.time("at")?,
    })
}

pub(crate) fn wallet(c: &Cells<'_>) -> Read<WalletRecord> {
    Ok(WalletRecord {
        account_id: account_id(c)?,
        mode: c.word("mode")?,
        exchange: c.word("exchange")?,
        currency: c.parsed("currency")?,
        available: c.amount("available")?,
        reserved: c.amount("reserved")?,
        total: c.amount("total")?,
        at: c.time("at")?,
    })
}

pub(crate) fn refusal(c: &Cells<'_>) -> Read<RefusalRecord> {
    Ok(RefusalRecord {
        seq: c.small("seq")?,
        account_id: account_id(c)?,
        bot_id: bot_id(c)?,
        exchange: c.word("exchange")?,
        symbol: c.parsed("symbol")?,
        side: c.word("side")?,
        refusal: c.json("refusal")?,
        also: c.json("also")?,
        policy_version: c.small("policy_version")?,
        count: c.small("count")?,
        first_at: c.time("first_at")?,
        last_at: c.time("last_at")?,
    })
}

pub(crate) fn decision(c: &Cells<'_>) -> Read<DecisionRecord> {
    Ok(DecisionRecord {
        order_id: OrderId::from(c.id("order_id")?),
        account_id: account_id(c)?,
        bot_id: bot_id(c)?,
        bid: c.opt("bid", Cells::amount)?,
        ask: c.opt("ask", Cells::amount)?,
        mid: c.opt("mid", Cells::amount)?,
        values: c.json("indicators")?,
        reason: c.text("reason")?.into(),
        checks_passed: c.small("checks_passed")?,
        policy_version: c.small("policy_version")?,
        at: c.time("at")?,
    })
}

pub(crate) fn policy(c: &Cells<'_>) -> Read<PolicyRow> {
    Ok(PolicyRow {
        account_id: c.opt("account_id", Cells::small)?.map(AccountId),
        version: c.small("version")?,
        policy: c.json("policy")?,
        actor: c.text("actor")?,
        at: c.time("at")?,
    })
}

pub(crate) fn audit(c: &Cells<'_>) -> Read<AuditRow> {
    Ok(AuditRow {
        id: c.int("id")?,
        account_id: c.opt("account_id", Cells::small)?.map(AccountId),
        bot_id: c.opt("bot_id", Cells::small)?.map(BotId),
        at: c.time("at")?,
        action: c.text("action")?,
        actor: c.text("actor")?,
        detail: c.text("detail")?,
    })
}

pub(crate) fn feed(c: &Cells<'_>) -> Read<FeedRecord> {
    let reason = c.opt("reason", Cells::text)?.unwrap_or_default();
    let state = match c.str("state")? {
        "fresh" => FeedState::Fresh,
        "stale" => FeedState::Stale(reason),
        _ => FeedState::Resyncing(reason),
    };
    Ok(FeedRecord {
        instrument: c.small("instrument_id").map(InstrumentId)?,
        exchange: c.word("exchange")?,
        symbol: c.parsed("symbol")?,
        state,
        grade: c.word("grade")?,
        at: c.time("at")?,
    })
}
