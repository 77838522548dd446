//! Answers to questions: read models made from the present state.

use crate::bot::Bot;
use crate::engine::Engine;
use crate::markets::Market;
use crate::output::{AccountRecord, EmergencyRecord};
use crate::sentence;
use crate::shard::{Shard, Stop, World, loss_percent, world};
use crate::view::{
    BarView, BookView, BotView, CurrencyView, EvaluationView, FleetView, HoldView, MarketView,
    PortfolioView, PositionView, ShadowView, WalletView,
};
use domain::{
    AccountId, Amount, BotId, Exchange, Hold, Instrument, InstrumentId, Lifecycle, Mode, Policy,
    Round, Symbol, Timeframe, Timestamp,
};
use std::collections::BTreeMap;

impl Engine {
    pub(crate) fn world(&self) -> World<'_> {
        world!(self, self.now)
    }

    fn shard(&self, account: AccountId) -> Option<&Shard> {
        self.shards.iter().find(|s| s.record.id == account)
    }

    /// All accounts.
    pub fn accounts(&self) -> Vec<AccountRecord> {
        self.shards.iter().map(|s| s.record.clone()).collect()
    }

    /// One account.
    pub fn account(&self, id: AccountId) -> Option<AccountRecord> {
        self.shard(id).map(|s| s.record.clone())
    }

    /// The bots of an account, or all of them.
    pub fn bots(&self, account: Option<AccountId>) -> Vec<BotView> {
        let world = self.world();
        let shards = self.shards.iter().filter(|s| account.is_none_or(|id| s.record.id == id));
        shards
            .flat_map(|s| (0..s.bots.len()).map(move |slot| (s, slot)))
            .map(|(shard, slot)| bot_view(shard, slot, &world))
            .collect()
    }

    /// A bot; `None` where it is not one of this account.
    pub fn bot(&self, account: Option<AccountId>, id: BotId) -> Option<BotView> {
        let (at, slot) = self.find(account, id)?;
        Some(bot_view(&self.shards[at], slot, &self.world()))
    }

    /// A bot by its name; the living one where a retired one had it before.
    pub fn bot_by_name(&self, account: AccountId, name: &str) -> Option<BotId> {
        let bots = self.shard(account)?.bots.iter().rev().filter(|b| b.config().name == name);
        bots.min_by_key(|b| b.record.lifecycle == Lifecycle::Retired).map(|b| b.record.id)
    }

    /// How many bots an account ever had, clones and retired ones included.
    pub fn bots_ever(&self, account: AccountId) -> u64 {
        self.shard(account).map_or(0, |shard| shard.bots.len() as u64)
    }

    /// The market of this id, with its scales and filters as they were told last.
    pub fn instrument(&self, id: InstrumentId) -> Option<&Instrument> {
        self.markets.all.get(id.0 as usize).map(|market| &market.instrument)
    }

    /// What a bot is worth now, cash and its position at the bid (`None`: not known), and whether
    /// it holds something that can be sold.
    pub fn worth(&self, id: BotId) -> Option<(Option<Amount>, bool)> {
        let (at, slot) = self.find(None, id)?;
        let shard = &self.shards[at];
        let is_holding = !shard.bots[slot].fixed.position.is_flat();
        Some((shard.equity(slot, &self.world()), is_holding))
    }

    /// A bot's name and exchange.
    pub fn name_of(&self, id: BotId) -> Option<(String, String)> {
        let (at, slot) = self.find(None, id)?;
        let config = self.shards[at].bots[slot].config();
        Some((config.name.clone(), config.exchange.clone()))
    }

    /// A bot's holds, each with how it is released.
    pub fn holds(&self, id: BotId) -> Vec<HoldView> {
        let Some((at, slot)) = self.find(None, id) else { return Vec::new() };
        let bot = &self.shards[at].bots[slot];
        let view = |hold| HoldView { hold, since: None, released_by: released_by(hold) };
        bot.record.holds.iter().map(view).collect()
    }

    /// A bot's last evaluations, newest last.
    pub fn evaluations(&self, id: BotId) -> Vec<EvaluationView> {
        let Some((at, slot)) = self.find(None, id) else { return Vec::new() };
        let sentence = |values: [f64; 2], wishes: u8| {
            let known = values.iter().filter(|v| !v.is_nan());
            let values: Vec<String> = known.map(|v| format!("{v:.4}")).collect();
            let what = if wishes == 0 { "no wish" } else { "wished to act" };
            format!("{what}; figures {}", values.join(", "))
        };
        let bot = &self.shards[at].bots[slot];
        let view = |e: &crate::bot::Evaluation| EvaluationView {
            at: e.at,
            sentence: sentence(e.values, e.wishes),
        };
        bot.evaluations.iter().map(view).collect()
    }

    /// An account's wallets.
    pub fn wallets(&self, account: AccountId) -> Vec<WalletView> {
        let Some(shard) = self.shard(account) else { return Vec::new() };
        let view =
            |(key, wallet): (&(Mode, Exchange, domain::Currency), &ledger::Wallet)| WalletView {
                exchange: key.1,
                currency: key.2,
                mode: key.0,
                available: wallet.available,
                reserved: wallet.reserved,
                total: wallet.total(),
            };
        shard.ledger.wallets().map(view).collect()
    }

    /// An account's open positions.
    pub fn positions(&self, account: AccountId) -> Vec<PositionView> {
        let Some(shard) = self.shard(account) else { return Vec::new() };
        let world = self.world();
        (0..shard.bots.len()).filter_map(|slot| position_view(shard, slot, &world)).collect()
    }

    /// An account's sums of one mode.
    pub fn portfolio(&self, account: AccountId, mode: Mode) -> Option<PortfolioView> {
        let shard = self.shard(account)?;
        let world = self.world();
        let mut currencies: BTreeMap<domain::Currency, CurrencyView> = BTreeMap::new();
        let mut unknown = Vec::new();
        let reporting = shard.record.reporting_currency;
        for (key, wallet) in shard.ledger.wallets().filter(|(key, _)| key.0 == mode) {
            let entry = currencies.entry(key.2).or_insert_with(|| empty_currency(key.2));
            entry.equity = entry.equity.map(|e| e + wallet.available);
        }
        for slot in 0..shard.bots.len() {
            let bot = &shard.bots[slot];
            let quote = bot.config().symbol.quote;
            let is_empty = bot.books.reserved().is_zero() && bot.books.realized_pnl().is_zero();
            if bot.record.mode != mode || is_empty {
                continue;
            }
            let entry = currencies.entry(quote).or_insert_with(|| empty_currency(quote));
            let equity = shard.equity(slot, &world);
            if equity.is_none() {
                unknown.push(format!("mark of {} for {}", bot.config().symbol, bot.config().name));
            }
            entry.equity = entry.equity.zip(equity).map(|(a, b)| a + b);
            entry.realized_pnl += bot.books.realized_pnl();
            let open = equity.map(|e| e - bot.books.reserved());
            entry.unrealized_pnl = entry.unrealized_pnl.zip(open).map(|(a, b)| a + b);
        }
        let mut equity = Some(Amount::ZERO);
        for view in currencies.values_mut() {
            let rate = self.markets.rate(view.currency, reporting, self.now);
            if rate.is_none() {
                unknown.push(format!("rate {}/{reporting}", view.currency));
            }
            let value =
                view.equity.zip(rate.as_ref()).and_then(|(e, r)| e.product(r.0, Round::Down));
            equity = equity.zip(value).map(|(a, b)| a + b);
            (view.rate, view.rate_source, view.rate_age_s) = match rate {
                Some((rate, source, age)) => (Some(rate), Some(source), Some(age)),
                None => (None, None, None),
            };
        }
        let count = |is_it: fn(&crate::bot::Bot) -> bool| {
            shard.bots.iter().filter(|b| b.record.mode == mode && is_it(b)).count() as u32
        };
        Some(PortfolioView {
            account_id: account,
            mode,
            reporting_currency: reporting,
            equity,
            unknown,
            currencies: currencies.into_values().collect(),
            open_positions: count(|b| !b.fixed.position.is_flat()),
            bots_active: count(Bot::is_armed),
            bots_paused: count(is_paused),
            bots_stopped: count(|b| b.record.lifecycle == Lifecycle::Stopped),
            emergency_stop: Stop::record(shard.stop.as_ref(), Some(account), self.now),
        })
    }

    /// All markets that the core knows.
    pub fn markets(&self) -> Vec<MarketView> {
        self.markets.all.iter().map(|m| market_view(self, m)).collect()
    }

    /// One market.
    pub fn market(&self, exchange: Exchange, symbol: Symbol) -> Option<MarketView> {
        let id = self.markets.id(exchange, symbol)?;
        Some(market_view(self, self.markets.get(id)))
    }

    /// The best levels of a market.
    pub fn book(&self, exchange: Exchange, symbol: Symbol, depth: usize) -> Option<BookView> {
        let market = self.markets.get(self.markets.id(exchange, symbol)?);
        Some(market.seen().book(depth))
    }

    /// The last closed bars of a timeframe that somebody uses, oldest first.
    pub fn bars(
        &self,
        exchange: Exchange,
        symbol: Symbol,
        timeframe: Timeframe,
        limit: usize,
    ) -> Option<Vec<BarView>> {
        let market = self.markets.get(self.markets.id(exchange, symbol)?);
        let series = market.series.iter().find(|s| s.timeframe == timeframe)?;
        let skip = series.bars.len().saturating_sub(limit);
        let view = |bar: &domain::Bar| BarView::of(&market.instrument, bar);
        Some(series.bars.iter().skip(skip).map(view).collect())
    }

    /// The bar that is open now.
    pub fn open_bar(
        &self,
        exchange: Exchange,
        symbol: Symbol,
        timeframe: Timeframe,
    ) -> Option<BarView> {
        let market = self.markets.get(self.markets.id(exchange, symbol)?);
        let series = market.series.iter().find(|s| s.timeframe == timeframe)?;
        series.open_bar().map(|bar| BarView::of(&market.instrument, &bar))
    }

    /// Version and policy in force for an account; `None`: the fleet's.
    pub fn policy(&self, account: Option<AccountId>) -> (u32, Policy) {
        let own = account.and_then(|id| self.shard(id)).and_then(|s| s.policy.as_ref());
        own.unwrap_or(&self.policy).clone()
    }

    /// The account's stop; `None`: the fleet's.
    pub fn emergency_stop(&self, account: Option<AccountId>) -> Option<EmergencyRecord> {
        let stop = match account {
            Some(id) => self.shard(id)?.stop.as_ref(),
            None => self.fleet_stop.as_ref(),
        };
        Some(Stop::record(stop, account, self.now))
    }

    /// What a supervision pass sees.
    pub fn fleet(&self) -> FleetView {
        let bots = || self.shards.iter().flat_map(|s| &s.bots);
        let alive = || bots().filter(|b| b.record.lifecycle != Lifecycle::Retired);
        let count =
            |is_it: fn(&crate::bot::Bot) -> bool| alive().filter(|b| is_it(b)).count() as u32;
        let fresh = self.markets.all.iter().filter(|m| m.feed.is_fresh()).count() as u32;
        let today = self.now.day();
        FleetView {
            bots: alive().count() as u32,
            bots_active: count(Bot::is_armed),
            bots_live: count(|b| b.record.mode == Mode::Live),
            bots_paused: count(is_paused),
            bots_stopped: count(|b| b.record.lifecycle == Lifecycle::Stopped),
            feeds_fresh: fresh,
            feeds_stale: self.markets.all.len() as u32 - fresh,
            trades_today: self
                .shards
                .iter()
                .filter(|s| s.trades_today.0 == today)
                .map(|s| s.trades_today.1)
                .sum(),
            open_orders: alive().map(|b| b.open.len() as u32).sum(),
            open_positions: count(|b| !b.fixed.position.is_flat()),
            last_input_at: (self.inputs > 0).then_some(self.now),
            inputs: self.inputs,
            trades_refused: self.shards.iter().map(|s| s.trades_refused).sum(),
            bot_ids: alive().map(|b| b.record.id).collect(),
        }
    }

    /// The time of the newest input.
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

fn is_paused(bot: &Bot) -> bool {
    bot.record.lifecycle == Lifecycle::Active && bot.record.holds.is_paused()
}

fn empty_currency(currency: domain::Currency) -> CurrencyView {
    CurrencyView {
        currency,
        equity: Some(Amount::ZERO),
        realized_pnl: Amount::ZERO,
        unrealized_pnl: Some(Amount::ZERO),
        rate: None,
        rate_source: None,
        rate_age_s: None,
    }
}

fn released_by(hold: Hold) -> &'static str {
    match hold {
        Hold::UserPaused => "a person resumes it",
        Hold::EmergencyStop => "a person clears the emergency stop, then resumes it",
        Hold::UnsupportedExchange => "the exchange is added to PAPER_SUPPORTED_EXCHANGES",
        Hold::ModeDisabled => "ENABLE_PAPER_TRADING is switched on",
        Hold::RiskStop => "it re-arms itself after the time in the policy, or a person re-arms it",
        Hold::CircuitBreaker => "the next UTC day, or a person closes the breaker",
        Hold::Rogue => "a person resumes it",
        Hold::BudgetExhausted => "its capital is deposited",
        Hold::NoExchangeKeys => "keys are stored",
        Hold::InstrumentHalted => "the exchange trades the instrument again",
        Hold::Cooldown => "time",
        Hold::DailyLimit => "the next UTC day",
        Hold::ExecutionThrottle => "a person re-arms it",
    }
}

fn bot_view(shard: &Shard, slot: usize, world: &World<'_>) -> BotView {
    let bot = &shard.bots[slot];
    let (state, doing) = sentence::of(shard, slot, world);
    let equity = shard.equity(slot, world).filter(|_| !bot.needs_capital);
    let peak = bot.equity_peak;
    BotView {
        record: bot.record.clone(),
        state,
        doing,
        cash: bot.books.cash,
        equity,
        equity_peak: peak,
        drawdown_percent: equity.map(|e| loss_percent(peak, e)),
        realized_pnl: bot.books.realized_pnl(),
        unrealized_pnl: equity.map(|e| e - bot.books.reserved()),
        fees_paid: bot.books.fees,
        position: position_view(shard, slot, world),
        dust: bot.books.dust,
        open_orders: bot.open.len() as u32,
        trades: u64::from(bot.trades),
        wins: u64::from(bot.wins),
        entries_today: bot.day.entries,
        refusals_today: bot.day.refusals,
        rearms_today: bot.day.rearms,
        executions_in_window: bot.executions.within(world.now, shard.policy(world).1),
        last_decision_at: bot.last_decision_at,
        shadow: bot.shadow.as_ref().map(|shadow| ShadowView {
            worse_bp: shadow.so_far.worse_bp(),
            so_far: shadow.so_far.clone(),
        }),
    }
}

fn position_view(shard: &Shard, slot: usize, world: &World<'_>) -> Option<PositionView> {
    let bot = &shard.bots[slot];
    let id = bot.fixed.instrument?;
    let market = world.markets.get(id);
    let i = &market.instrument;
    let average = bot.fixed.position.average_entry?;
    let opened_at = bot.opened_at?;
    let value = Shard::position_value(bot, Some(market), shard.policy(world).1.spread_collar_bp);
    let bid = market.book.best_bid().map(|l| i.price_amount(l.price));
    let exits = bot.config().exits;
    let at = |percent: Option<Amount>, price: fn(domain::Price, domain::Rate) -> domain::Price| {
        let distance = percent.and_then(domain::Rate::from_percent_amount)?;
        Some(i.price_amount(price(average, distance)))
    };
    Some(PositionView {
        account_id: bot.record.account_id,
        bot_id: bot.record.id,
        exchange: i.exchange,
        symbol: i.symbol,
        mode: bot.record.mode,
        quantity: bot.books.position,
        average_entry_price: i.price_amount(average),
        cost: bot.books.position_cost,
        mark_price: bid.filter(|_| value.is_some()),
        value,
        unrealized_pnl: value.map(|v| v - bot.books.position_cost - bot.books.settling),
        stop_price: at(exits.stop_percent, crate::trigger::below),
        target_price: at(exits.target_percent, crate::trigger::above),
        trail_price: shard
            .triggers(id)
            .and_then(|t| t.trail_price(slot as u32))
            .map(|p| i.price_amount(p)),
        opened_at,
        unguarded_since: bot.unguarded_since,
    })
}

fn market_view(engine: &Engine, market: &Market) -> MarketView {
    let id = engine.markets.id(market.instrument.exchange, market.instrument.symbol);
    let bots = engine.shards.iter().flat_map(|s| &s.bots);
    MarketView {
        late_prints: market.late_prints(),
        bots: bots.filter(|b| b.fixed.instrument == id).count() as u32,
        ..market.seen().view(engine.now)
    }
}
