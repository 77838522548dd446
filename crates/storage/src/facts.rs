//! Facts of the core as rows.

use crate::audit::{self, Entry};
use crate::cells::{Bind, Ink};
use crate::statements::{Sql, Statements};
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
    pub(crate) statements: Statements<'c>,
    pub(crate) ink: &'b mut Ink,
    pub(crate) last_posting: &'b mut i64,
}

impl<'c> Rows<'c, '_> {
    pub(crate) fn bind(&mut self, sql: Sql) -> Result<Bind<'_, 'c>> {
        Ok(Bind::new(self.statements.get(sql)?, self.ink))
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
            Output::LiveGate(gate) => self.audit(audit::live_gate(gate)),
            // Told by their events or answers alone.
            Output::TradeOpened(_)
            | Output::TradeRefused(..)
            | Output::Alert { .. }
            | Output::Reply { .. } => Ok(()),
        }
    }

    fn account(&mut self, a: &AccountRecord) -> Result<()> {
        let row = self.bind(Sql::Account)?.put(a.id.0).put(&a.name).shown(a.reporting_currency);
        row.put(a.season).time(a.created_at).run().map(drop)
    }

    fn bot(&mut self, b: &BotRecord) -> Result<()> {
        let config = &b.config;
        let mut row = self.bind(Sql::Bot)?.put(b.id.0).put(b.account_id.0).put(&config.name);
        row = row.put(&config.exchange).shown(config.symbol).word(config.strategy.kind);
        row = row.json(&config.strategy.params).shown(config.timeframe).word(config.risk_mode);
        row = row.shown(config.capital);
        row = match &config.sizing {
            Some(sizing) => row.json(sizing),
            None => row.put(rusqlite::types::Null),
        };
        row = row.json(&config.exits).put(config.managed).word(b.mode).word(b.lifecycle);
        row = row.json(&b.holds).put(b.season).time(b.created_at).time(b.updated_at);
        row.run().map(drop)
    }

    fn order(&mut self, o: &OrderRecord) -> Result<()> {
        let (purpose, exit_reason) = match o.purpose {
            OrderPurpose::Entry => ("entry", None),
            OrderPurpose::Exit(reason) => ("exit", Some(reason)),
        };
        let mut row = self.bind(Sql::Order)?.id(o.id).put(o.id.client_order_id());
        row = row.put(o.account_id.0).put(o.bot_id.0).word(o.exchange).shown(o.symbol);
        row = row.word(o.mode).word(o.side).put(purpose).word_or_null(exit_reason);
        row = row.shown_or_null(o.limit_price).put(o.post_only).word(o.time_in_force);
        row = row.shown(o.quantity).shown(o.filled).shown_or_null(o.average_price);
        row = row.word(o.status).put(o.reject_code.as_deref()).word_or_null(o.cancel_reason);
        row.time(o.created_at).time(o.updated_at).run().map(drop)
    }

    fn fill(&mut self, f: &FillRecord) -> Result<()> {
        let mut row = self.bind(Sql::Fill)?.id(f.id).id(f.order_id).put(f.account_id.0);
        row = row.put(f.bot_id.0).word(f.exchange).shown(f.symbol).word(f.mode).word(f.side);
        row = row.shown(f.price).shown(f.quantity).shown(f.fee).shown(f.fee_currency);
        row = row.word(f.liquidity).word(f.grade).id(f.book_update_id);
        row = row.put(f.print_id.map(|id| id as i64)).shown_or_null(f.queue_ahead_at_join);
        row = row.shown_or_null(f.optimistic_filled).put(f.round_trip.0);
        row.time(f.at).run().map(drop)
    }

    fn trade(&mut self, t: &Trade) -> Result<()> {
        let mut row = self.bind(Sql::Trade)?.id(t.id).put(&*t.status).word(t.side).put(t.success);
        row = row.put(t.bot_id.0).shown(t.symbol).word(t.exchange).shown(t.entry_price);
        row = row.shown(t.exit_price).shown(t.amount).shown(t.profit_loss).shown(t.fees);
        row = row.put(t.is_paper).time(t.timestamp).put(t.account_id.0).time(t.entry_at);
        row = row.time(t.exit_at).shown(t.gross_profit).shown_or_null(t.slippage);
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
        let row = self.bind(Sql::Transfer)?.put(t.account_id.0).id(t.seq).word(t.mode);
        let row = row.word(t.exchange).put(reason).put(order).put(trade);
        row.time(t.at).run()?;
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
        let row = self.bind(Sql::Posting)?.put(id).put(t.account_id.0).id(t.seq).word(t.mode);
        let row = row.word(t.exchange).put(book).put(bot.map(|b| b.0)).shown(p.currency);
        row.shown(p.amount).time(t.at).run().map(drop)
    }

    fn wallet(&mut self, w: &WalletRecord) -> Result<()> {
        let row = self.bind(Sql::Wallet)?.put(w.account_id.0).word(w.mode).word(w.exchange);
        let row = row.shown(w.currency).shown(w.available).shown(w.reserved);
        row.shown(w.total).time(w.at).run().map(drop)
    }

    fn equity(&mut self, e: &EquityRecord) -> Result<()> {
        let row =
            self.bind(Sql::Equity)?.put(e.bot_id.0).time(e.at).put(e.account_id.0).word(e.mode);
        let row = row.word(e.exchange).shown(e.currency).shown_or_null(e.equity);
        row.shown(e.flow).run().map(drop)
    }

    fn refusal(&mut self, r: &RefusalRecord) -> Result<()> {
        let id = refusal_id(r.bot_id.0, r.seq);
        let mut row = self.bind(Sql::Refusal)?.put(id).put(r.seq).put(r.account_id.0);
        row = row.put(r.bot_id.0).word(r.exchange).shown(r.symbol).word(r.side);
        row = row.put(r.refusal.code().name()).json(&r.refusal).json(&r.also);
        row = row.put(r.policy_version).put(r.count).time(r.first_at);
        row.time(r.last_at).run().map(drop)
    }

    fn decision(&mut self, d: &DecisionRecord) -> Result<()> {
        let mut row = self.bind(Sql::Decision)?.id(d.order_id).put(d.account_id.0).put(d.bot_id.0);
        row = row.shown_or_null(d.bid).shown_or_null(d.ask).shown_or_null(d.mid);
        row = row.json(&d.values).put(&*d.reason).put(d.checks_passed).put(d.policy_version);
        row.time(d.at).run().map(drop)
    }

    fn feed(&mut self, f: &FeedRecord) -> Result<()> {
        let reason = match &f.state {
            FeedState::Fresh => None,
            FeedState::Stale(reason) | FeedState::Resyncing(reason) => Some(reason.as_str()),
        };
        let row = self.bind(Sql::Feed)?.put(f.instrument.0).word(f.exchange).shown(f.symbol);
        row.put(f.state.name()).put(reason).word(f.grade).time(f.at).run().map(drop)
    }

    fn policy(&mut self, p: &PolicyRecord) -> Result<()> {
        let row = self.bind(Sql::Policy)?.put(p.account_id.map(|a| a.0)).put(p.version);
        row.json(&p.policy).shown(&p.actor).time(p.at).run().map(drop)
    }

    fn audit(&mut self, entry: Entry) -> Result<()> {
        let row = self.bind(Sql::Audit)?.put(entry.account_id.map(|a| a.0));
        let row = row.put(entry.bot_id.map(|b| b.0)).time(entry.at).put(entry.action.name());
        row.put(entry.actor).put(entry.detail).run().map(drop)
    }

    /// Sets or removes an entity's state.
    pub(crate) fn state(&mut self, key: &str, state: Option<&str>) -> Result<()> {
        match state {
            Some(state) => self.bind(Sql::State)?.put(key).put(state).run(),
            None => self.bind(Sql::Forget)?.put(key).run(),
        }
        .map(drop)
    }

    /// Sets a cursor.
    pub(crate) fn cursor(&mut self, name: &str, value: &str) -> Result<()> {
        self.bind(Sql::Cursor)?.put(name).put(value).run().map(drop)
    }
}

/// A refusal's key: like other ids the bot in the high half, so that one integer orders a list.
pub(crate) fn refusal_id(bot: u32, seq: u32) -> i64 {
    i64::from(bot) << 32 | i64::from(seq)
}
