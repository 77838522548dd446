//! Facts of the core as rows.

use crate::audit::{self, Entry};
use crate::cells::Bind;
use domain::{
    Book, FeedState, FillRecord, OrderPurpose, OrderRecord, Posting, Trade, Transfer,
    TransferReason,
};
use engine::{
    AccountRecord, BotRecord, DecisionRecord, EquityRecord, FeedRecord, Output, PolicyRecord,
    RefusalRecord, WalletRecord,
};
use rusqlite::{Connection, Result};

/// Writes rows in the writer's transaction.
pub(crate) struct Rows<'c, 'b> {
    pub(crate) connection: &'c Connection,
    pub(crate) buffer: &'b mut Vec<u8>,
    pub(crate) last_posting: &'b mut i64,
}

const ACCOUNT: &str = "INSERT INTO accounts (id, name, reporting_currency, season, created_at)
    VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,
    reporting_currency = excluded.reporting_currency, season = excluded.season";
const BOT: &str = "INSERT INTO bots (id, account_id, name, exchange, symbol, strategy, params,
    timeframe, risk_mode, capital, sizing, exits, managed, mode, lifecycle, holds, season,
    created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, exchange = excluded.exchange,
    symbol = excluded.symbol, strategy = excluded.strategy, params = excluded.params,
    timeframe = excluded.timeframe, risk_mode = excluded.risk_mode, capital = excluded.capital,
    sizing = excluded.sizing, exits = excluded.exits, managed = excluded.managed,
    mode = excluded.mode, lifecycle = excluded.lifecycle, holds = excluded.holds,
    season = excluded.season, updated_at = excluded.updated_at";
// An order's identity never changes; the rest is its latest state.
const ORDER: &str = "INSERT INTO orders (id, client_order_id, account_id, bot_id, exchange, symbol,
    mode, side, purpose, exit_reason, limit_price, post_only, time_in_force, quantity, filled,
    average_price, status, reject_code, cancel_reason, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET limit_price = excluded.limit_price,
    quantity = excluded.quantity, filled = excluded.filled,
    average_price = excluded.average_price, status = excluded.status,
    reject_code = excluded.reject_code, cancel_reason = excluded.cancel_reason,
    updated_at = excluded.updated_at";
const FILL: &str = "INSERT INTO fills (id, order_id, account_id, bot_id, exchange, symbol, mode,
    side, price, quantity, fee, fee_currency, liquidity, grade, book_update_id, print_id,
    queue_ahead_at_join, optimistic_filled, round_trip_ns, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const TRADE: &str = "INSERT INTO trades (id, status, side, success, bot_id, symbol, exchange,
    entry_price, exit_price, amount, profit_loss, fees, is_paper, timestamp, account_id, entry_at,
    exit_at, gross_profit, slippage, exit_reason, strategy, grade, fees_base, fees_quote,
    reporting_rate, reporting_currency, rate_source, rate_age_s, season)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
    ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, (SELECT season FROM bots WHERE id = ?5))";
const TRANSFER: &str = "INSERT INTO transfers (account_id, seq, mode, exchange, reason, order_id,
    trade_id, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const POSTING: &str = "INSERT INTO postings (id, account_id, transfer_seq, mode, exchange, book,
    bot_id, currency, amount, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const WALLET: &str = "INSERT INTO wallets (account_id, mode, exchange, currency, available,
    reserved, total, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (account_id, mode, exchange, currency) DO UPDATE SET
    available = excluded.available, reserved = excluded.reserved, total = excluded.total,
    at = excluded.at";
// Replaced: a point told twice for one time is the later one.
const EQUITY: &str = "INSERT OR REPLACE INTO equity (bot_id, at, account_id, mode, exchange,
    currency, equity, flow) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const REFUSAL: &str = "INSERT INTO refusals (id, seq, account_id, bot_id, exchange, symbol, side,
    code, refusal, also, policy_version, count, first_at, last_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    refusal = excluded.refusal, also = excluded.also, policy_version = excluded.policy_version,
    count = excluded.count, last_at = excluded.last_at";
const DECISION: &str = "INSERT INTO decisions (order_id, account_id, bot_id, bid, ask, mid,
    indicators, reason, checks_passed, policy_version, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const FEED: &str = "INSERT INTO feeds (instrument_id, exchange, symbol, state, reason, grade, at)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (instrument_id) DO UPDATE SET state = excluded.state,
    reason = excluded.reason, grade = excluded.grade, at = excluded.at";
const POLICY: &str = "INSERT INTO policies (account_id, version, policy, actor, at)
    VALUES (?, ?, ?, ?, ?)";
const AUDIT: &str = "INSERT INTO audit (account_id, bot_id, at, action, actor, detail)
    VALUES (?, ?, ?, ?, ?, ?)";
const STATE: &str = "INSERT INTO states (key, state) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET state = excluded.state";
const CURSOR: &str = "INSERT INTO cursors (name, value) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

impl<'c> Rows<'c, '_> {
    fn bind(&mut self, sql: &str) -> Result<Bind<'c, '_>> {
        Bind::new(self.connection, sql, self.buffer)
    }

    /// The rows of one fact; its event is not among them.
    pub(crate) fn output(&mut self, output: &Output) -> Result<()> {
        match output {
            Output::Account(account) => self.account(account),
            Output::Bot(change) => {
                self.bot(&change.record)?;
                change.event.map_or(Ok(()), |event| self.audit(audit::bot(change, event)))
            }
            Output::Order(order) => self.order(order),
            Output::Fill(fill) => self.fill(fill),
            Output::Transfer(transfer) => self.transfer(transfer),
            Output::Wallet(wallet) => self.wallet(wallet),
            Output::Equity(point) => self.equity(point),
            Output::Trade(trade) => self.trade(trade),
            Output::Refusal(refusal) => self.refusal(refusal),
            Output::Decision(decision) => self.decision(decision),
            Output::Feed(feed) => self.feed(feed),
            Output::Policy(policy) => {
                self.policy(policy)?;
                self.audit(audit::policy(policy))
            }
            Output::EmergencyStop(stop) => self.audit(audit::emergency_stop(stop)),
            Output::RiskStop(stop) => self.audit(audit::risk_stop(stop)),
            Output::Breaker(breaker) => self.audit(audit::breaker(breaker)),
            // Told by their events or answers alone.
            Output::TradeOpened(_)
            | Output::TradeRefused(..)
            | Output::Alert { .. }
            | Output::Reply { .. } => Ok(()),
        }
    }

    fn account(&mut self, a: &AccountRecord) -> Result<()> {
        let row = self.bind(ACCOUNT)?.put(a.id.0).put(&a.name).shown(a.reporting_currency);
        row.put(a.season).shown(a.created_at).run().map(drop)
    }

    fn bot(&mut self, b: &BotRecord) -> Result<()> {
        let config = &b.config;
        let mut row = self.bind(BOT)?.put(b.id.0).put(b.account_id.0).put(&config.name);
        row = row.put(&config.exchange).shown(config.symbol).word(config.strategy.kind);
        row = row.json(&config.strategy.params).shown(config.timeframe).word(config.risk_mode);
        row = row.shown(config.capital);
        row = match &config.sizing {
            Some(sizing) => row.json(sizing),
            None => row.put(rusqlite::types::Null),
        };
        row = row.json(&config.exits).put(config.managed).word(b.mode).word(b.lifecycle);
        row = row.json(&b.holds).put(b.season).shown(b.created_at).shown(b.updated_at);
        row.run().map(drop)
    }

    fn order(&mut self, o: &OrderRecord) -> Result<()> {
        let (purpose, exit_reason) = match o.purpose {
            OrderPurpose::Entry => ("entry", None),
            OrderPurpose::Exit(reason) => ("exit", Some(reason)),
        };
        let mut row = self.bind(ORDER)?.id(o.id).put(o.id.client_order_id());
        row = row.put(o.account_id.0).put(o.bot_id.0).word(o.exchange).shown(o.symbol);
        row = row.word(o.mode).word(o.side).put(purpose).word_or_null(exit_reason);
        row = row.shown_or_null(o.limit_price).put(o.post_only).word(o.time_in_force);
        row = row.shown(o.quantity).shown(o.filled).shown_or_null(o.average_price);
        row = row.word(o.status).put(o.reject_code.as_deref()).word_or_null(o.cancel_reason);
        row.shown(o.created_at).shown(o.updated_at).run().map(drop)
    }

    fn fill(&mut self, f: &FillRecord) -> Result<()> {
        let mut row = self.bind(FILL)?.id(f.id).id(f.order_id).put(f.account_id.0);
        row = row.put(f.bot_id.0).word(f.exchange).shown(f.symbol).word(f.mode).word(f.side);
        row = row.shown(f.price).shown(f.quantity).shown(f.fee).shown(f.fee_currency);
        row = row.word(f.liquidity).word(f.grade).id(f.book_update_id);
        row = row.put(f.print_id.map(|id| id as i64)).shown_or_null(f.queue_ahead_at_join);
        row = row.shown_or_null(f.optimistic_filled).put(f.round_trip.0);
        row.shown(f.at).run().map(drop)
    }

    fn trade(&mut self, t: &Trade) -> Result<()> {
        let mut row = self.bind(TRADE)?.id(t.id).put(&*t.status).word(t.side).put(t.success);
        row = row.put(t.bot_id.0).shown(t.symbol).word(t.exchange).shown(t.entry_price);
        row = row.shown(t.exit_price).shown(t.amount).shown(t.profit_loss).shown(t.fees);
        row = row.put(t.is_paper).shown(t.timestamp).put(t.account_id.0).shown(t.entry_at);
        row = row.shown(t.exit_at).shown(t.gross_profit).shown_or_null(t.slippage);
        row = row.word(t.exit_reason).word(t.strategy).word(t.grade).shown(t.fees_base);
        row = row.shown(t.fees_quote).shown_or_null(t.reporting_rate);
        row = row.shown(t.reporting_currency).put(t.rate_source.as_deref());
        row.put(t.rate_age_s).run().map(drop)
    }

    fn transfer(&mut self, t: &Transfer) -> Result<()> {
        let (reason, order, trade) = match t.reason {
            TransferReason::Deposit => ("deposit", None, None),
            TransferReason::Withdrawal => ("withdrawal", None, None),
            TransferReason::Allocate => ("allocate", None, None),
            TransferReason::Release => ("release", None, None),
            TransferReason::Fill(order) => ("fill", Some(u64::from(order) as i64), None),
            TransferReason::Close(trade) => ("close", None, Some(u64::from(trade) as i64)),
            TransferReason::Dust => ("dust", None, None),
        };
        let row = self.bind(TRANSFER)?.put(t.account_id.0).id(t.seq).word(t.mode);
        let row = row.word(t.exchange).put(reason).put(order).put(trade);
        row.shown(t.at).run()?;
        t.postings.iter().try_for_each(|posting| self.posting(t, posting))
    }

    fn posting(&mut self, t: &Transfer, p: &Posting) -> Result<()> {
        let (book, bot) = match p.book {
            Book::External => ("external", None),
            Book::Market => ("market", None),
            Book::Available => ("available", None),
            Book::Cash(bot) => ("cash", Some(bot)),
            Book::Position(bot) => ("position", Some(bot)),
            Book::Dust(bot) => ("dust", Some(bot)),
            Book::Settling(bot) => ("settling", Some(bot)),
            Book::GrossProfit(bot) => ("gross_profit", Some(bot)),
            Book::Fees(bot) => ("fees", Some(bot)),
        };
        *self.last_posting += 1;
        let id = *self.last_posting;
        let row = self.bind(POSTING)?.put(id).put(t.account_id.0).id(t.seq).word(t.mode);
        let row = row.word(t.exchange).put(book).put(bot.map(|b| b.0)).shown(p.currency);
        row.shown(p.amount).shown(t.at).run().map(drop)
    }

    fn wallet(&mut self, w: &WalletRecord) -> Result<()> {
        let row = self.bind(WALLET)?.put(w.account_id.0).word(w.mode).word(w.exchange);
        let row = row.shown(w.currency).shown(w.available).shown(w.reserved);
        row.shown(w.total).shown(w.at).run().map(drop)
    }

    fn equity(&mut self, e: &EquityRecord) -> Result<()> {
        let row = self.bind(EQUITY)?.put(e.bot_id.0).shown(e.at).put(e.account_id.0).word(e.mode);
        let row = row.word(e.exchange).shown(e.currency).shown_or_null(e.equity);
        row.shown(e.flow).run().map(drop)
    }

    fn refusal(&mut self, r: &RefusalRecord) -> Result<()> {
        let id = refusal_id(r.bot_id.0, r.seq);
        let mut row = self.bind(REFUSAL)?.put(id).put(r.seq).put(r.account_id.0);
        row = row.put(r.bot_id.0).word(r.exchange).shown(r.symbol).word(r.side);
        row = row.put(r.refusal.code().name()).json(&r.refusal).json(&r.also);
        row = row.put(r.policy_version).put(r.count).shown(r.first_at);
        row.shown(r.last_at).run().map(drop)
    }

    fn decision(&mut self, d: &DecisionRecord) -> Result<()> {
        let mut row = self.bind(DECISION)?.id(d.order_id).put(d.account_id.0).put(d.bot_id.0);
        row = row.shown_or_null(d.bid).shown_or_null(d.ask).shown_or_null(d.mid);
        row = row.json(&d.values).put(&*d.reason).put(d.checks_passed).put(d.policy_version);
        row.shown(d.at).run().map(drop)
    }

    fn feed(&mut self, f: &FeedRecord) -> Result<()> {
        let reason = match &f.state {
            FeedState::Fresh => None,
            FeedState::Stale(reason) | FeedState::Resyncing(reason) => Some(reason.as_str()),
        };
        let row = self.bind(FEED)?.put(f.instrument.0).word(f.exchange).shown(f.symbol);
        row.put(f.state.name()).put(reason).word(f.grade).shown(f.at).run().map(drop)
    }

    fn policy(&mut self, p: &PolicyRecord) -> Result<()> {
        let row = self.bind(POLICY)?.put(p.account_id.map(|a| a.0)).put(p.version);
        row.json(&p.policy).shown(&p.actor).shown(p.at).run().map(drop)
    }

    fn audit(&mut self, entry: Entry) -> Result<()> {
        let row = self.bind(AUDIT)?.put(entry.account_id.map(|a| a.0));
        let row = row.put(entry.bot_id.map(|b| b.0)).shown(entry.at).put(entry.action.name());
        row.put(entry.actor).put(entry.detail).run().map(drop)
    }

    /// Sets or removes an entity's state.
    pub(crate) fn state(&mut self, key: &str, state: Option<&str>) -> Result<()> {
        match state {
            Some(state) => self.bind(STATE)?.put(key).put(state).run(),
            None => self.bind("DELETE FROM states WHERE key = ?")?.put(key).run(),
        }
        .map(drop)
    }

    /// Sets a cursor.
    pub(crate) fn cursor(&mut self, name: &str, value: &str) -> Result<()> {
        self.bind(CURSOR)?.put(name).put(value).run().map(drop)
    }
}

/// A refusal's key: like other ids the bot in the high half, so that one integer orders a list.
pub(crate) fn refusal_id(bot: u32, seq: u32) -> i64 {
    i64::from(bot) << 32 | i64::from(seq)
}
