//! The desk: takes orders of accounts to the matching engine, and keeps what came of them.

use super::config::AccountSpec;
use super::entry::{Asked, Kind, Refusal, crosses, fits, worst};
use super::funds::{self, Purse};
use super::order::{Event, Fill, Funds, News, Order, Status};
use crate::model::book::{NewOrder, Owner, Standing};
use crate::model::catalogue::Spec;
use crate::model::market::{Change, Market, Print};
use crate::model::world::World;
use domain::{Amount, Exchange, Side};
use std::collections::BTreeMap;

/// Ids of accounts' orders begin here: the flow never gets so far.
const FIRST_ORDER: u64 = 1 << 40;

/// What one deed changed: books in public, accounts in private.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    pub(crate) changes: Vec<(usize, Change)>,
    pub(crate) events: Vec<Event>,
}

/// One account and its history.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) spec: AccountSpec,
    pub(crate) purse: Purse,
    pub(crate) orders: BTreeMap<u64, Order>,
    /// Oldest first.
    pub(crate) fills: Vec<Fill>,
}

/// All accounts.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) accounts: Vec<Account>,
    pub(crate) specs: Vec<Spec>,
    next_order: u64,
}

impl Desk {
    pub(crate) fn new(accounts: &[AccountSpec], world: &World) -> Self {
        let account = |spec: &AccountSpec| Account {
            spec: spec.clone(),
            purse: Purse::new(spec),
            orders: BTreeMap::new(),
            fills: Vec::new(),
        };
        Self {
            accounts: accounts.iter().map(account).collect(),
            specs: world.markets().iter().map(|m| m.spec.clone()).collect(),
            next_order: FIRST_ORDER,
        }
    }

    /// Takes an order. What it traded and what rests is in the deeds.
    pub(crate) fn place(
        &mut self,
        world: &mut World,
        at: i64,
        account: usize,
        asked: Asked,
    ) -> Result<(u64, Deeds), Refusal> {
        let mut deeds = Deeds::default();
        let index = asked.market;
        let Some(market) = world.market_mut(index) else { return Err(Refusal::Price) };
        let mut order = self.check(market, account, &asked, at)?;
        let (id, spec) = (order.id, &self.specs[index]);
        self.next_order += 1;
        let holder = &mut self.accounts[account];
        let spent = if order.side == Side::Buy { &spec.quote } else { &spec.base };
        if !holder.purse.hold(spent, order.held) {
            return Err(Refusal::Funds);
        }
        self.tell(account, News::New, &order, at, &mut deeds);
        if asked.reject_later {
            return Ok((id, self.finish(account, order, Status::Rejected, at, deeds)));
        }
        let (outcome, change) = market.submit(
            at,
            NewOrder {
                id,
                owner: Owner::Account(u32::try_from(account).unwrap_or(u32::MAX)),
                client_id: Some(order.client_id.clone()),
                side: order.side,
                price: order.price,
                quantity: order.quantity,
                standing: order.standing,
            },
        );
        let prints = change.as_ref().map(|c| c.prints.clone()).unwrap_or_default();
        for print in &prints {
            self.execute(account, &mut order, print, false, &mut deeds);
        }
        self.accounts[account].orders.insert(id, order.clone());
        for print in &prints {
            self.passive(index, print, &mut deeds);
        }
        deeds.changes.extend(change.map(|c| (index, c)));
        // Its own passive side may have been itself: read it again.
        let order = self.accounts[account].orders.get(&id).cloned().unwrap_or(order);
        if outcome.rested > 0 {
            return Ok((id, deeds));
        }
        let status = match order.left() {
            0 => Status::Filled,
            // KuCoin knows no expiry: what cannot stay is cancelled.
            _ if self.specs[index].exchange == Exchange::Kucoin => Status::Cancelled,
            _ => Status::Expired,
        };
        Ok((id, self.finish(account, order, status, at, deeds)))
    }

    fn check(
        &self,
        market: &Market,
        account: usize,
        asked: &Asked,
        at: i64,
    ) -> Result<Order, Refusal> {
        let spec = &self.specs[asked.market];
        let holder = &self.accounts[account];
        let reference = market.book.best(Side::Sell).or(market.book.best(Side::Buy)).unwrap_or(1);
        fits(spec, asked, reference)?;
        // Binance takes a name again once its order has ended, the others never.
        let is_used = |o: &Order| {
            o.client_id == asked.client_id && (o.is_open() || spec.exchange != Exchange::Binance)
        };
        if !asked.client_id.is_empty() && holder.orders.values().any(is_used) {
            return Err(Refusal::Duplicate);
        }
        let price = match asked.kind {
            Kind::Limit(price) => Some(price),
            Kind::Market => None,
        };
        // KuCoin takes it, and cancels it then: the book refuses it.
        let refuses = asked.standing == Standing::PostOnly && spec.exchange != Exchange::Kucoin;
        if refuses && price.is_some_and(|price| crosses(&market.book, asked.side, price)) {
            return Err(Refusal::WouldTake);
        }
        let deepest = worst(&market.book, asked.side, asked.quantity);
        if price.is_none() && deepest.is_none() && spec.exchange == Exchange::Luno {
            return Err(Refusal::Liquidity);
        }
        let end = market.book.levels(asked.side.opposite()).last().map_or(reference, |(p, _)| p);
        let limit = price.or(deepest).unwrap_or(end);
        let held = holder.purse.need(spec, asked.side, limit, asked.quantity);
        let zero = Amount::ZERO;
        Ok(Order {
            id: self.next_order,
            client_id: asked.client_id.clone(),
            market: asked.market,
            side: asked.side,
            price,
            quantity: asked.quantity,
            standing: if price.is_none() { Standing::Ioc } else { asked.standing },
            status: Status::Open,
            filled: 0,
            quote: zero,
            fees: (zero, zero),
            held,
            cancel_asked: false,
            created_at: at,
            updated_at: at,
        })
    }

    /// A print whose resting side may be one of ours.
    pub(crate) fn passive(&mut self, market: usize, print: &Print, deeds: &mut Deeds) {
        if print.maker_order < FIRST_ORDER {
            return;
        }
        let has = |a: &Account| {
            a.orders.get(&print.maker_order).is_some_and(|o| o.market == market && o.is_open())
        };
        let Some(account) = self.accounts.iter().position(has) else { return };
        let Some(mut order) = self.accounts[account].orders.get(&print.maker_order).cloned() else {
            return;
        };
        self.execute(account, &mut order, print, true, deeds);
        self.accounts[account].orders.insert(order.id, order);
    }

    fn execute(
        &mut self,
        account: usize,
        order: &mut Order,
        print: &Print,
        is_maker: bool,
        deeds: &mut Deeds,
    ) {
        let spec = &self.specs[order.market];
        let purse = &mut self.accounts[account].purse;
        let traded = (print.price, print.quantity);
        let (fee, fee_in_base) = purse.settle(spec, order, traded, is_maker);
        order.updated_at = print.at;
        if order.left() == 0 && order.status == Status::Open {
            order.status = Status::Filled;
            purse.end(spec, order);
        }
        let fill = Fill {
            id: print.id,
            order: order.id,
            client_id: order.client_id.clone(),
            market: order.market,
            side: order.side,
            price: print.price,
            quantity: print.quantity,
            value: funds::value(spec, print.price, print.quantity),
            fee,
            fee_in_base,
            is_maker,
            at: print.at,
        };
        self.accounts[account].fills.push(fill.clone());
        self.tell(account, News::Fill(fill), order, print.at, deeds);
        // Binance's last fill says of itself that it was the last.
        if order.status == Status::Filled
            && self.accounts[account].spec.exchange != Exchange::Binance
        {
            self.tell(account, News::End, order, print.at, deeds);
        }
    }

    /// Cancels; `None` when there is nothing to cancel. With `late`, a part of it turns out to have
    /// been executed, which is told after the end (a fault).
    pub(crate) fn cancel(
        &mut self,
        world: &mut World,
        at: i64,
        account: usize,
        id: u64,
        late: bool,
    ) -> Option<Deeds> {
        let mut deeds = Deeds::default();
        let mut order = self.accounts[account].orders.get(&id).filter(|o| o.is_open())?.clone();
        let market = world.market_mut(order.market)?;
        order.cancel_asked = true;
        let late_lots = if late { (order.left() / 2).max(1) } else { 0 };
        let (_, change) =
            if late { market.cancel_late(at, id, late_lots)? } else { market.cancel(at, id)? };
        let prints = change.prints.clone();
        deeds.changes.push((order.market, change));
        let mut deeds = self.finish(account, order.clone(), Status::Cancelled, at, deeds);
        let mut order = self.accounts[account].orders.get(&id)?.clone();
        for print in &prints {
            // What it spends was given back with the end: it is bound again for this.
            let spec = &self.specs[order.market];
            let limit = order.price.unwrap_or(print.price);
            let held = self.accounts[account].purse.need(spec, order.side, limit, order.left());
            let spent = if order.side == Side::Buy { &spec.quote } else { &spec.base };
            if self.accounts[account].purse.hold(spent, held) {
                order.held = held;
                self.execute(account, &mut order, print, true, &mut deeds);
                let spec = &self.specs[order.market];
                self.accounts[account].purse.end(spec, &mut order);
                self.accounts[account].orders.insert(id, order.clone());
            }
        }
        Some(deeds)
    }

    fn finish(
        &mut self,
        account: usize,
        mut order: Order,
        status: Status,
        at: i64,
        mut deeds: Deeds,
    ) -> Deeds {
        let spec = &self.specs[order.market];
        self.accounts[account].purse.end(spec, &mut order);
        (order.status, order.updated_at) = (status, at);
        // An order that is filled was told to be so with its last fill.
        if status != Status::Filled {
            self.tell(account, News::End, &order, at, &mut deeds);
        }
        self.accounts[account].orders.insert(order.id, order);
        deeds
    }

    fn tell(&self, account: usize, news: News, order: &Order, at: i64, deeds: &mut Deeds) {
        let spec = &self.specs[order.market];
        let purse = &self.accounts[account].purse;
        let (base, quote) = match &news {
            News::Fill(fill) => funds::changes(spec, fill),
            _ => (Amount::ZERO, Amount::ZERO),
        };
        let balances = vec![
            (spec.base.clone(), purse.get(&spec.base), base),
            (spec.quote.clone(), purse.get(&spec.quote), quote),
        ];
        deeds.events.push(Event { account, news, order: Some(order.clone()), balances, at });
    }

    /// Money comes, or below zero goes.
    pub(crate) fn deposit(
        &mut self,
        account: usize,
        asset: &str,
        amount: Amount,
        at: i64,
    ) -> Deeds {
        let purse = &mut self.accounts[account].purse;
        purse.deposit(asset, amount);
        let balances = vec![(asset.to_owned(), purse.get(asset), amount)];
        let news = News::Moved(asset.to_owned(), amount);
        Deeds {
            changes: Vec::new(),
            events: vec![Event { account, news, order: None, balances, at }],
        }
    }

    /// The account behind a key.
    pub(crate) fn account(&self, exchange: Exchange, key: &str) -> Option<usize> {
        let has =
            |a: &Account| a.spec.exchange == exchange && a.spec.keys.iter().any(|k| k.key == key);
        self.accounts.iter().position(has)
    }

    /// Balances of an account.
    pub(crate) fn funds(&self, account: usize, asset: &str) -> Funds {
        self.accounts[account].purse.get(asset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalogue::{self, ASSETS};
    use proptest::prelude::*;

    const NOW: i64 = 1_700_000_000_000_000_000;

    fn world(exchange: Exchange) -> World {
        let mut specs = catalogue::all();
        specs.retain(|s| s.exchange == exchange && s.symbol.base.as_str() == "BTC");
        specs.truncate(1);
        World::new(3, specs, &ASSETS.map(|(_, usd)| usd), NOW, 0)
    }

    #[derive(Clone, Debug)]
    enum Act {
        Place { account: usize, buys: bool, offset: i64, lots: i64, how: u8, later: bool },
        Cancel { account: usize, pick: usize, late: bool },
        Wait,
    }

    fn act() -> impl Strategy<Value = Act> {
        let place = (0..2usize, any::<bool>(), -40..40i64, 1..3_000i64, 0..5u8, 0..10u8);
        prop_oneof![
            6 => place.prop_map(|(account, buys, offset, lots, how, luck)| Act::Place {
                account, buys, offset, lots, how, later: luck == 0
            }),
            3 => (0..2usize, any::<usize>(), any::<bool>())
                .prop_map(|(account, pick, late)| Act::Cancel { account, pick, late }),
            1 => Just(Act::Wait),
        ]
    }

    /// The naive model: the start, and what each fill says of itself.
    fn expected(account: &Account, specs: &[Spec], asset: &str) -> Amount {
        let start = account.spec.balances.iter().filter(|(a, _)| a == asset).map(|(_, v)| *v);
        let mut sum: Amount = start.sum();
        for fill in &account.fills {
            let spec = &specs[fill.market];
            let (base, quote) = funds::changes(spec, fill);
            if spec.base == asset {
                sum += base;
            }
            if spec.quote == asset {
                sum += quote;
            }
        }
        sum
    }

    fn run(exchange: Exchange, acts: Vec<Act>) {
        let specs = ["one", "two"].map(|name| AccountSpec::demo(exchange, name));
        let mut world = world(exchange);
        let mut desk = Desk::new(&specs, &world);
        let mut at = NOW;
        for (n, act) in acts.into_iter().enumerate() {
            match act {
                Act::Place { account, buys, offset, lots, how, later } => {
                    let side = if buys { Side::Buy } else { Side::Sell };
                    let touch = world.markets()[0].book.best(side).unwrap_or(1);
                    let standings =
                        [Standing::Gtc, Standing::Ioc, Standing::Fok, Standing::PostOnly];
                    let standing = standings.get(usize::from(how)).copied();
                    let asked = Asked {
                        market: 0,
                        client_id: format!("n{n}"),
                        side,
                        kind: standing.map_or(Kind::Market, |_| Kind::Limit(touch + offset)),
                        quantity: lots * desk.specs[0].min_quantity,
                        standing: standing.unwrap_or(Standing::Ioc),
                        reject_later: later,
                    };
                    // A refusal is an answer as well: it must change nothing.
                    let _ = desk.place(&mut world, at, account, asked);
                }
                Act::Cancel { account, pick, late } => {
                    let orders = &desk.accounts[account].orders;
                    let open: Vec<u64> =
                        orders.values().filter(|o| o.is_open()).map(|o| o.id).collect();
                    if !open.is_empty() {
                        let id = open[pick % open.len()];
                        assert!(desk.cancel(&mut world, at, account, id, late).is_some());
                    }
                }
                Act::Wait => {
                    at += 200_000_000;
                    let mut deeds = Deeds::default();
                    world.advance(at, &mut |index, _, change| {
                        for print in &change.prints {
                            desk.passive(index, print, &mut deeds);
                        }
                    });
                }
            }
            check(&desk, &world);
        }
    }

    fn check(desk: &Desk, world: &World) {
        for account in &desk.accounts {
            let open: Vec<&Order> = account.orders.values().filter(|o| o.is_open()).collect();
            for (asset, funds) in account.purse.all() {
                assert!(!funds.held.is_negative(), "{asset} {funds:?}");
                assert_eq!(funds.free + funds.held, expected(account, &desk.specs, asset));
                let is_spent = |o: &&&Order| {
                    let spec = &desk.specs[o.market];
                    asset == if o.side == Side::Buy { &spec.quote } else { &spec.base }
                };
                let bound: Amount = open.iter().filter(is_spent).map(|o| o.held).sum();
                assert_eq!(bound, funds.held, "{asset}: what is held is what open orders hold");
            }
            for order in &open {
                let market = &world.markets()[order.market];
                assert!(market.book.contains(order.id), "open orders rest in the book");
                let fills = account.fills.iter().filter(|f| f.order == order.id);
                assert_eq!(fills.map(|f| f.quantity).sum::<i64>(), order.filled);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn balances_are_the_start_and_the_fills_and_holds_are_the_open_orders(
            which in 0..3usize,
            acts in proptest::collection::vec(act(), 1..60),
        ) {
            run(Exchange::ALL[which], acts);
        }
    }
}
