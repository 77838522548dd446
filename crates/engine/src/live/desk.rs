//! What an exchange told of an account's money, held against our books.
//!
//! In memory alone: a restart asks anew, and until it is answered no live entry passes.

use crate::bot::Bot;
use crate::live::{LiveNews, News};
use crate::output::Output;
use crate::shard::{Shard, World};
use domain::{Alert, Amount, CancelReason, Currency, Exchange, Mode, Span, Timestamp};
use risk::KeyState;
use std::collections::{BTreeMap, BTreeSet};

/// What exchanges print at the coarsest: less is no difference.
const GRAIN: Amount = Amount::from_atoms(10_000);

/// A report of a fill takes less than this from the exchange to us.
const SEEN_AGAIN_AFTER: Span = Span::from_millis(500);

/// One exchange account.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) key: KeyState,
    pub(crate) balances: Option<BTreeMap<Currency, Amount>>,
    /// Why entries wait.
    pub(crate) down: Option<String>,
    /// Differences seen once, and when: a fill on its way makes some, so they count when seen again.
    pub(crate) pending: BTreeMap<Currency, (Amount, Timestamp)>,
    /// What our books give to bots and the exchange has not.
    pub(crate) missing: BTreeMap<Currency, Amount>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            key: KeyState::Absent,
            balances: None,
            down: Some("not connected".to_owned()),
            pending: BTreeMap::new(),
            missing: BTreeMap::new(),
        }
    }
}

impl Desk {
    /// Why no live entry may go out here.
    pub(crate) fn problem(&self) -> Option<String> {
        if let Some((currency, missing)) = self.missing.first_key_value() {
            return Some(format!("the exchange has {missing} {currency} less than our books"));
        }
        self.down.as_ref().map(|why| format!("exchange account: {why}"))
    }
}

impl Shard {
    pub(crate) fn on_live(&mut self, news: &LiveNews, world: &World<'_>, out: &mut Vec<Output>) {
        let exchange = news.exchange;
        let desk = &mut self.desks[exchange as usize];
        match &news.news {
            News::Key(key) => desk.key = *key,
            News::Down(why) => {
                // What was learnt before the link broke may be old by now.
                desk.pending.clear();
                desk.down.clone_from(why);
            }
            News::Balances(balances) => self.on_balances(exchange, balances, world, out),
            News::Order(id, report) => self.on_report(*id, report, world, out),
        }
        if self.desks[exchange as usize].problem().is_some() {
            for slot in self.live_slots(exchange) {
                self.withdraw_entries(slot, CancelReason::Hold, world);
            }
        }
    }

    /// The bots that trade real money.
    pub(crate) fn live_bots(&self) -> impl Iterator<Item = (usize, &Bot)> {
        self.live.iter().map(|slot| (*slot as usize, &self.bots[*slot as usize]))
    }

    /// Those of an exchange.
    pub(crate) fn live_slots(&self, exchange: Exchange) -> Vec<usize> {
        let here = self.live_bots().filter(|(_, bot)| bot.books.exchange == exchange);
        here.map(|(slot, _)| slot).collect()
    }

    /// What our books say the exchange has of a currency: given to nobody, and given to bots.
    fn booked(&self, exchange: Exchange, currency: Currency) -> (Amount, Amount) {
        let mut given = Amount::ZERO;
        for (_, bot) in self.live_bots().filter(|(_, bot)| bot.books.exchange == exchange) {
            let books = &bot.books;
            if books.symbol.quote == currency {
                given += books.cash;
            }
            if books.symbol.base == currency {
                given += books.held();
            }
        }
        (self.ledger.wallet(Mode::Live, exchange, currency).available, given)
    }

    fn on_balances(
        &mut self,
        exchange: Exchange,
        balances: &[(Currency, Amount)],
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let balances: BTreeMap<_, _> = balances.iter().copied().collect();
        let mut currencies: BTreeSet<Currency> = balances.keys().copied().collect();
        let ours = |key: &(Mode, Exchange, Currency)| key.0 == Mode::Live && key.1 == exchange;
        currencies.extend(self.ledger.wallets().filter(|(k, _)| ours(k)).map(|(k, _)| k.2));
        for (_, bot) in self.live_bots().filter(|(_, bot)| bot.books.exchange == exchange) {
            let symbol = bot.books.symbol;
            currencies.extend([symbol.base, symbol.quote]);
        }
        for currency in currencies {
            let has = balances.get(&currency).copied().unwrap_or_default();
            self.compare(exchange, currency, has, world, out);
        }
        self.desks[exchange as usize].balances = Some(balances);
    }

    /// Posts a difference as external once it was seen twice: foreign orders, deposits and
    /// withdrawals are not ours to judge. What bots were given is never posted away.
    fn compare(
        &mut self,
        exchange: Exchange,
        currency: Currency,
        has: Amount,
        world: &World<'_>,
        out: &mut Vec<Output>,
    ) {
        let (available, given) = self.booked(exchange, currency);
        let difference = has - available - given;
        let desk = &mut self.desks[exchange as usize];
        if difference.abs() <= GRAIN {
            desk.pending.remove(&currency);
            desk.missing.remove(&currency);
            return;
        }
        // Before the first reading nothing of ours can be on its way there.
        let is_first = desk.balances.is_none() && given.is_zero();
        let (seen, since) = *desk.pending.entry(currency).or_insert((difference, world.now));
        if seen != difference {
            desk.pending.insert(currency, (difference, world.now));
        }
        if !is_first && (seen != difference || world.now - since < SEEN_AGAIN_AFTER) {
            return;
        }
        desk.pending.remove(&currency);
        let missing = (-difference - available).or_zero();
        let was = match missing.is_positive() {
            true => desk.missing.insert(currency, missing),
            false => desk.missing.remove(&currency),
        };
        if missing.is_positive() && was != Some(missing) {
            out.push(Output::Alert {
                account_id: self.record.id,
                bot_id: None,
                alert: Alert::LiveMoneyMissing { exchange, currency, missing },
                at: world.now,
            });
        }
        let key = (Mode::Live, exchange, currency);
        let gone = (-difference).min(available);
        let transfer = if difference.is_positive() {
            Some(self.ledger.deposit(key, difference, world.now))
        } else if gone.is_positive() {
            self.ledger.withdraw(key, gone, world.now).ok()
        } else {
            None
        };
        if let Some(transfer) = transfer {
            out.push(Output::Transfer(transfer));
            self.is_dirty = true;
            self.tell_wallet(key, world.now, out);
        }
    }

    /// Money of a currency that an exchange has of this account; `None`: not read.
    pub(crate) fn live_money(&self, exchange: Exchange, currency: Currency) -> Option<Amount> {
        let balances = self.desks[exchange as usize].balances.as_ref()?;
        Some(balances.get(&currency).copied().unwrap_or_default())
    }
}
