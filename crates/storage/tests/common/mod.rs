//! Facts to store, made from small numbers.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses its part")]

use domain::{
    AccountId, Amount, Book, BotConfig, BotId, DataGrade, EventKind, Exchange, ExitReason, Exits,
    FeedState, FillId, FillRecord, Holds, InstrumentId, Lifecycle, Liquidity, Mode, OrderId,
    OrderPurpose, OrderRecord, OrderStatus, Posting, Refusal, RiskMode, Side, Span, StrategyConfig,
    StrategyKind, Symbol, TimeInForce, Timeframe, Timestamp, Trade, TradeDraft, TradeId, Transfer,
    TransferReason,
};
use engine::{
    AccountRecord, BotChange, BotRecord, DecisionRecord, FeedRecord, Output, RefusalRecord,
    WalletRecord,
};
use storage::{Batch, Store, StoreOptions};

pub fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

/// Second `n` of the tests' day.
pub fn at(n: i64) -> Timestamp {
    Timestamp::parse("2026-11-22T00:00:00Z").unwrap() + Span::from_secs(n)
}

pub fn symbol() -> Symbol {
    "BTC/USDT".parse().unwrap()
}

pub fn open(dir: &std::path::Path) -> Store {
    Store::open(&dir.join("amarktai.db"), StoreOptions::default()).unwrap().0
}

pub fn batch(outputs: Vec<Output>) -> Batch {
    Batch { outputs, ..Batch::default() }
}

pub fn account(id: u32) -> AccountRecord {
    AccountRecord {
        id: AccountId(id),
        name: format!("account {id}"),
        reporting_currency: "ZAR".parse().unwrap(),
        season: 1,
        created_at: at(0),
    }
}

pub fn bot(account: u32, id: u32) -> BotRecord {
    let params = [("fast", domain::ParamValue::Integer(9))].into_iter().collect();
    BotRecord {
        id: BotId(id),
        account_id: AccountId(account),
        config: BotConfig {
            name: format!("bot {id}"),
            exchange: "binance".into(),
            symbol: symbol(),
            strategy: StrategyConfig { kind: StrategyKind::EmaCross, params },
            timeframe: Timeframe::M1,
            risk_mode: RiskMode::Balanced,
            capital: amount("1000.5"),
            sizing: None,
            exits: Exits { stop_percent: Some(amount("2")), ..Exits::default() },
            managed: false,
        },
        mode: Mode::Paper,
        lifecycle: Lifecycle::Active,
        holds: Holds::default(),
        season: 1,
        created_at: at(0),
        updated_at: at(0),
    }
}

pub fn bot_change(record: BotRecord, event: Option<EventKind>) -> Output {
    let actor = domain::Actor::Person("anna".into());
    Output::Bot(BotChange { record, event, actor, reason: "asked".into(), hold: None })
}

pub fn order(account: u32, bot: u32, seq: u32, n: i64) -> OrderRecord {
    OrderRecord {
        id: OrderId { bot: BotId(bot), seq },
        account_id: AccountId(account),
        bot_id: BotId(bot),
        exchange: Exchange::Binance,
        symbol: symbol(),
        mode: Mode::Paper,
        side: Side::Buy,
        purpose: OrderPurpose::Entry,
        limit_price: Some(amount("64000.01")),
        post_only: false,
        time_in_force: TimeInForce::Gtc,
        quantity: amount("0.01"),
        filled: Amount::ZERO,
        average_price: None,
        status: OrderStatus::Open,
        reject_code: None,
        cancel_reason: None,
        created_at: at(n),
        updated_at: at(n),
    }
}

pub fn fill(order: &OrderRecord, seq: u32, n: i64) -> FillRecord {
    FillRecord {
        id: FillId { bot: order.bot_id, seq },
        order_id: order.id,
        account_id: order.account_id,
        bot_id: order.bot_id,
        exchange: order.exchange,
        symbol: order.symbol,
        mode: order.mode,
        side: order.side,
        price: amount("64000"),
        quantity: amount("0.01"),
        fee: amount("0.00001"),
        fee_currency: symbol().base,
        liquidity: Liquidity::Maker,
        grade: DataGrade::L2Trades,
        book_update_id: u64::MAX - 7,
        print_id: Some(12),
        queue_ahead_at_join: Some(amount("1.5")),
        optimistic_filled: None,
        round_trip: Span::from_millis(61),
        at: at(n),
    }
}

pub fn trade(account: u32, bot: u32, seq: u32, n: i64) -> Trade {
    TradeDraft {
        id: TradeId { bot: BotId(bot), seq },
        success: true,
        account_id: AccountId(account),
        symbol: symbol(),
        exchange: Exchange::Binance,
        mode: Mode::Paper,
        entry_notional: amount("640"),
        exit_notional: amount("646.5"),
        amount: amount("0.01"),
        fees: amount("1.2"),
        fees_base: amount("0.00001"),
        fees_quote: amount("0.56"),
        dust_cost: Amount::ZERO,
        slippage: Some(amount("-0.02")),
        entry_at: Some(at(n - 60)),
        exit_at: Some(at(n)),
        exit_reason: Some(ExitReason::Target),
        strategy: StrategyKind::EmaCross,
        grade: Some(DataGrade::L2Trades),
        reporting_rate: Some(amount("17.31")),
        reporting_currency: "ZAR".parse().unwrap(),
        rate_source: Some("luno USDT/ZAR mid".into()),
        rate_age_s: Some(3),
    }
    .complete()
    .unwrap()
}

pub fn transfer(account: u32, seq: u64, reason: TransferReason, postings: &[Posting]) -> Transfer {
    Transfer {
        seq,
        account_id: AccountId(account),
        mode: Mode::Paper,
        exchange: Exchange::Binance,
        reason,
        postings: postings.iter().copied().collect(),
        at: at(seq as i64),
    }
}

pub fn posting(book: Book, currency: &str, value: &str) -> Posting {
    Posting { book, currency: currency.parse().unwrap(), amount: amount(value) }
}

pub fn deposit(account: u32, seq: u64, value: &str) -> Transfer {
    let minus = (-amount(value)).to_string();
    let postings =
        [posting(Book::External, "USDT", &minus), posting(Book::Available, "USDT", value)];
    transfer(account, seq, TransferReason::Deposit, &postings)
}

pub fn wallet(account: u32, available: &str, n: i64) -> WalletRecord {
    WalletRecord {
        account_id: AccountId(account),
        mode: Mode::Paper,
        exchange: Exchange::Binance,
        currency: "USDT".parse().unwrap(),
        available: amount(available),
        reserved: amount("10"),
        total: amount(available) + amount("10"),
        at: at(n),
    }
}

pub fn refusal(account: u32, bot: u32, seq: u32, count: u32, n: i64) -> RefusalRecord {
    RefusalRecord {
        seq,
        account_id: AccountId(account),
        bot_id: BotId(bot),
        exchange: Exchange::Binance,
        symbol: symbol(),
        side: Side::Buy,
        refusal: Refusal::SpreadTooWide { spread_bp: 84.5, collar_bp: 40 },
        also: vec![Refusal::InsufficientFunds { needed: amount("7.5"), available: amount("1") }],
        policy_version: 1,
        count,
        first_at: at(n),
        last_at: at(n + i64::from(count) - 1),
    }
}

pub fn decision(order: &OrderRecord) -> DecisionRecord {
    DecisionRecord {
        order_id: order.id,
        account_id: order.account_id,
        bot_id: order.bot_id,
        bid: Some(amount("63999.99")),
        ask: Some(amount("64000")),
        mid: None,
        values: smallvec::smallvec![Some(1.5), None],
        reason: "fast crossed slow".into(),
        checks_passed: 19,
        policy_version: 1,
        at: order.created_at,
    }
}

pub fn feed(n: i64) -> Output {
    Output::Feed(FeedRecord {
        instrument: InstrumentId(3),
        exchange: Exchange::Luno,
        symbol: symbol(),
        state: FeedState::Stale("silent for 6 s".into()),
        grade: DataGrade::Polled,
        at: at(n),
    })
}
