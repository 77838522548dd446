//! What is written is read back, page by page, by those who may.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{
    account, amount, at, batch, bot, bot_change, decision, deposit, feed, fill, open, order,
    posting, refusal, trade, transfer, wallet,
};
use domain::{
    AccountId, Amount, Book, BotId, CancelReason, EventKind, Exchange, ExitReason, FillRecord,
    OrderPurpose, OrderRecord, OrderStatus, Round, Side, Sizing, Timestamp, Trade, TradeId,
    TransferReason,
};
use engine::{Output, PolicyRecord};
use proptest::prelude::*;
use storage::{
    FillFilter, OrderFilter, Page, Paged, PostingFilter, RefusalFilter, Store, StoreError,
    TradeFilter,
};

fn stored(outputs: Vec<Output>) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(batch(outputs)).unwrap().wait().unwrap();
    (dir, store)
}

/// All pages of a list.
fn pages<T>(limit: usize, list: impl Fn(&Page) -> Result<Paged<T>, StoreError>) -> Vec<T> {
    let (mut items, mut page) = (Vec::new(), Page { limit, after: None });
    loop {
        let part = list(&page).unwrap();
        assert!(part.items.len() <= limit);
        items.extend(part.items);
        match part.next {
            Some(next) => page.after = Some(next),
            None => return items,
        }
    }
}

fn any_amount() -> impl Strategy<Value = Amount> {
    let atoms = prop_oneof![-1_000_000i64..1_000_000, any::<i64>()];
    (atoms, 0u8..=12).prop_map(|(n, places)| Amount::from_scaled(n.into(), places, Round::Down))
}

fn positive() -> impl Strategy<Value = Amount> {
    any_amount().prop_map(|a| a.abs() + Amount::from_atoms(1))
}

/// To the microsecond: that is what is stored.
fn any_time() -> impl Strategy<Value = Timestamp> {
    (0i64..4_000_000_000_000_000).prop_map(|micros| Timestamp(micros * 1_000))
}

prop_compose! {
    fn any_order(seq: u32)(
        account in 0u32..3, bot in 0u32..4, quantity in positive(), filled in any_amount(),
        limit_price in proptest::option::of(positive()), times in (any_time(), any_time()),
        flags in any::<[bool; 4]>(), word in 0usize..6,
    ) -> OrderRecord {
        let mut order = order(account, bot, seq, 0);
        (order.quantity, order.filled, order.limit_price) = (quantity, filled, limit_price);
        (order.created_at, order.updated_at) = times;
        order.post_only = flags[0];
        order.side = if flags[1] { Side::Buy } else { Side::Sell };
        order.average_price = flags[2].then_some(quantity);
        order.status = [
            OrderStatus::Sent, OrderStatus::Open, OrderStatus::Filled, OrderStatus::Cancelled,
            OrderStatus::Expired, OrderStatus::Rejected,
        ][word];
        if flags[3] {
            order.purpose = OrderPurpose::Exit(ExitReason::Trail);
            order.cancel_reason = Some(CancelReason::EmergencyStop);
            order.reject_code = Some("-2010 \"quoted\" Überschuss".to_owned().into());
        }
        order
    }
}

prop_compose! {
    fn any_fill(seq: u32)(
        order in any_order(1), numbers in any::<(u64, Option<u64>)>(), price in positive(),
        fee in any_amount(), ahead in proptest::option::of(any_amount()), at in any_time(),
    ) -> FillRecord {
        let mut fill = fill(&order, seq, 0);
        (fill.book_update_id, fill.print_id) = numbers;
        (fill.price, fill.fee, fill.queue_ahead_at_join, fill.at) = (price, fee, ahead, at);
        fill.optimistic_filled = ahead;
        fill
    }
}

prop_compose! {
    fn any_trade(seq: u32)(
        account in 0u32..3, bot in 0u32..4, prices in (positive(), positive(), positive()),
        money in proptest::array::uniform5(any_amount()), at in any_time(), paper in any::<bool>(),
        rate in proptest::option::of(positive()), success in any::<bool>(),
        age in proptest::option::of(any::<i64>()),
    ) -> Trade {
        let mut trade = trade(account, bot, seq, 100);
        (trade.entry_price, trade.exit_price, trade.amount) = prices;
        [trade.profit_loss, trade.gross_profit, trade.fees, trade.fees_base, trade.fees_quote] =
            money;
        (trade.timestamp, trade.exit_at, trade.is_paper, trade.success) = (at, at, paper, success);
        (trade.reporting_rate, trade.rate_age_s) = (rate, age);
        trade.rate_source = rate.map(|r| r.to_string());
        trade
    }
}

/// Between one and twelve rows whose seq is their place.
fn some<T: std::fmt::Debug, S: Strategy<Value = T>>(
    row: impl Fn(u32) -> S,
) -> impl Strategy<Value = Vec<T>> {
    (1u32..12).prop_flat_map(move |n| (1..=n).map(&row).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_batches_round_trip(
        orders in some(any_order), fills in some(any_fill), trades in some(any_trade),
    ) {
        let outputs = orders.iter().cloned().map(Output::Order)
            .chain(fills.iter().cloned().map(Output::Fill))
            .chain(trades.iter().cloned().map(Output::Trade));
        let (_dir, store) = stored(outputs.collect());
        let reader = store.reader();

        for account in [None, Some(AccountId(0)), Some(AccountId(2))] {
            let is_ours = |owner: AccountId| account.is_none_or(|a| a == owner);
            let mut expected: Vec<_> =
                trades.iter().filter(|t| is_ours(t.account_id)).cloned().collect();
            expected.sort_by_key(|t| std::cmp::Reverse((t.timestamp, u64::from(t.id))));
            let filter = TradeFilter::default();
            let read = pages(3, |page| reader.trades(account, &filter, page));
            prop_assert_eq!(&read, &expected);
            let profits = reader.trade_profits(account, &filter).unwrap();
            let sum: Amount = profits.iter().map(|p| p.profit_loss).sum();
            prop_assert_eq!(sum, expected.iter().map(|t| t.profit_loss).sum());

            let mut expected: Vec<_> =
                fills.iter().filter(|f| is_ours(f.account_id)).cloned().collect();
            expected.sort_by_key(|f| std::cmp::Reverse((f.at, u64::from(f.id))));
            let read = pages(4, |page| reader.fills(account, &FillFilter::default(), page));
            prop_assert_eq!(&read, &expected);
        }
        for order in &orders {
            let read = reader.order(None, order.id).unwrap().unwrap();
            prop_assert_eq!(&read.order, order);
            prop_assert_eq!(read.client_order_id, order.id.client_order_id());
        }
        let open = OrderFilter { open: Some(true), ..OrderFilter::default() };
        let read = pages(5, |page| reader.orders(None, &open, page));
        prop_assert_eq!(read.len(), orders.iter().filter(|o| !o.status.is_final()).count());
        prop_assert!(reader.events_verify().unwrap().ok);
    }
}

#[test]
fn an_order_keeps_only_its_latest_state() {
    let mut filled = order(1, 1, 1, 5);
    (filled.status, filled.filled, filled.updated_at) =
        (OrderStatus::Filled, filled.quantity, at(9));
    let outputs = vec![Output::Order(order(1, 1, 1, 5)), Output::Order(filled.clone())];
    let (_dir, store) = stored(outputs);
    let orders = store.reader().orders(None, &OrderFilter::default(), &Page::default()).unwrap();
    assert_eq!(orders.items.len(), 1);
    assert_eq!(orders.items[0].order, filled);
}

#[test]
fn refusals_that_add_up_are_one_row_with_the_last_figures() {
    let outputs = vec![
        Output::Refusal(refusal(1, 1, 1, 1, 5)),
        Output::Refusal(refusal(1, 1, 1, 12, 5)),
        Output::Refusal(refusal(1, 1, 2, 1, 30)),
        Output::Refusal(refusal(1, 2, 1, 1, 31)),
    ];
    let (_dir, store) = stored(outputs);
    let filter = RefusalFilter { bot_id: Some(BotId(1)) };
    let read = pages(1, |page| store.reader().refusals(Some(AccountId(1)), &filter, page));
    assert_eq!(read, [refusal(1, 1, 2, 1, 30), refusal(1, 1, 1, 12, 5)]);
}

#[test]
fn bots_accounts_wallets_feeds_policies_and_audit_are_read_as_written() {
    let mut changed = bot(1, 4);
    changed.config.sizing = Some(Sizing::PercentOfEquity(amount("12.5")));
    changed.holds.insert(domain::Hold::RiskStop);
    changed.updated_at = at(8);
    let policy = PolicyRecord {
        account_id: None,
        version: 2,
        policy: domain::Policy::default(),
        actor: domain::Actor::Person("anna".into()),
        at: at(9),
    };
    let outputs = vec![
        Output::Account(account(1)),
        bot_change(bot(1, 4), Some(EventKind::BotCreated)),
        bot_change(changed.clone(), None),
        Output::Wallet(wallet(1, "5", 1)),
        Output::Wallet(wallet(1, "6.25", 2)),
        feed(3),
        Output::Policy(Box::new(policy.clone())),
    ];
    let (_dir, store) = stored(outputs);
    let reader = store.reader();
    assert_eq!(reader.accounts().unwrap(), [account(1)]);
    assert_eq!(reader.bot(Some(AccountId(1)), BotId(4)).unwrap(), Some(changed.clone()));
    assert_eq!(reader.bot(Some(AccountId(2)), BotId(4)).unwrap(), None);
    assert_eq!(reader.bots(None, &Page::default()).unwrap().items, [changed]);
    assert_eq!(reader.wallets(Some(AccountId(1))).unwrap(), [wallet(1, "6.25", 2)]);
    assert_eq!(Output::Feed(reader.feeds().unwrap().remove(0)), feed(3));
    let policies = reader.policies(None, &Page::default()).unwrap().items;
    assert_eq!((policies[0].version, &policies[0].policy), (2, &policy.policy));
    assert!(reader.policies(Some(AccountId(1)), &Page::default()).unwrap().items.is_empty());
    let audit = reader.audit(None, None, &Page::default()).unwrap().items;
    let told: Vec<_> = audit.iter().map(|a| (a.action.as_str(), a.actor.as_str())).collect();
    assert_eq!(told, [("policy_changed", "anna"), ("bot_created", "anna")]);
}

#[test]
fn a_row_of_another_account_is_not_found() {
    let order = order(1, 1, 1, 5);
    let outputs = vec![
        Output::Order(order.clone()),
        Output::Decision(decision(&order)),
        Output::Fill(fill(&order, 1, 6)),
        Output::Trade(trade(1, 1, 1, 70)),
    ];
    let (_dir, store) = stored(outputs);
    let (reader, other) = (store.reader(), Some(AccountId(2)));
    let trade_id = TradeId { bot: BotId(1), seq: 1 };
    assert!(reader.order(other, order.id).unwrap().is_none());
    assert!(reader.decision(other, order.id).unwrap().is_none());
    assert!(reader.trade(other, trade_id).unwrap().is_none());
    assert!(reader.explain(other, trade_id).unwrap().is_none());
    let by_order = FillFilter { order_id: Some(order.id), ..FillFilter::default() };
    assert!(reader.fills(other, &by_order, &Page::default()).unwrap().items.is_empty());
    let ours = reader.fills(Some(AccountId(1)), &by_order, &Page::default()).unwrap();
    assert_eq!(ours.items.len(), 1);
}

#[test]
fn a_trade_is_explained_by_its_fills_orders_decisions_and_refusals() {
    let (entry, exit) = (order(1, 1, 1, 10), order(1, 1, 2, 70));
    let later = order(1, 1, 3, 90);
    let mut outputs = vec![bot_change(bot(1, 1), None)];
    for order in [&entry, &exit, &later] {
        outputs.push(Output::Order(order.clone()));
        outputs.push(Output::Decision(decision(order)));
    }
    outputs.push(Output::Fill(fill(&entry, 1, 11)));
    outputs.push(Output::Fill(fill(&exit, 2, 71)));
    outputs.push(Output::Fill(fill(&later, 3, 91)));
    outputs.push(Output::Refusal(refusal(1, 1, 1, 3, 20)));
    outputs.push(Output::Refusal(refusal(1, 1, 2, 1, 500)));
    outputs.push(Output::Trade(trade(1, 1, 1, 71)));
    let (_dir, store) = stored(outputs);
    let id = TradeId { bot: BotId(1), seq: 1 };
    let explained = store.reader().explain(Some(AccountId(1)), id).unwrap().unwrap();
    assert_eq!(explained.trade, trade(1, 1, 1, 71));
    let fills: Vec<_> = explained.fills.iter().map(|f| f.id.seq).collect();
    let orders: Vec<_> = explained.orders.iter().map(|o| o.order.id.seq).collect();
    assert_eq!((fills, orders), (vec![1, 2], vec![1, 2]));
    assert_eq!(explained.decisions, [decision(&entry), decision(&exit)]);
    assert_eq!(explained.refusals, [refusal(1, 1, 1, 3, 20)]);
    assert_eq!(explained.bot.unwrap().id, BotId(1));
}

#[test]
fn filters_of_trades_narrow_as_they_say() {
    let mut live = trade(1, 2, 1, 200);
    (live.is_paper, live.exchange) = (false, Exchange::Luno);
    let outputs = vec![
        bot_change(bot(1, 1), None),
        Output::Trade(trade(1, 1, 1, 100)),
        Output::Trade(trade(1, 1, 2, 150)),
        Output::Trade(live),
        Output::Trade(trade(2, 3, 1, 100)),
    ];
    let (_dir, store) = stored(outputs);
    let count =
        |filter: TradeFilter| pages(2, |page| store.reader().trades(None, &filter, page)).len();
    let all = TradeFilter::default;
    assert_eq!(count(all()), 4);
    assert_eq!(count(TradeFilter { bot_id: Some(BotId(1)), ..all() }), 2);
    assert_eq!(count(TradeFilter { is_paper: Some(false), ..all() }), 1);
    assert_eq!(count(TradeFilter { exchange: Some(Exchange::Luno), ..all() }), 1);
    assert_eq!(count(TradeFilter { from: Some(at(150)), ..all() }), 2);
    assert_eq!(count(TradeFilter { to: Some(at(150)), ..all() }), 2);
    assert_eq!(count(TradeFilter { season: Some(1), ..all() }), 2);
}

#[test]
fn a_cursor_of_another_list_is_refused_by_name() {
    let (_dir, store) = stored(vec![Output::Trade(trade(1, 1, 1, 100))]);
    for bad in ["~1", "1", "", "2026-11-22~1", "x~y", "2026-11-22T00:00:00Z~1"] {
        let page = Page { limit: 5, after: Some(bad.into()) };
        let error = store.reader().trades(None, &TradeFilter::default(), &page).unwrap_err();
        assert!(matches!(error, StoreError::BadCursor { cursor } if cursor == bad));
    }
}

/// Books of one trade whose base fee is in base there and in quote in the trade.
fn closed_round_trip() -> Vec<Output> {
    let id = BotId(1);
    let (order, trade) = (order(1, 1, 1, 10), trade(1, 1, 1, 71));
    let bought = transfer(
        1,
        2,
        TransferReason::Fill(order.id),
        &[
            posting(Book::Cash(id), "USDT", "-640"),
            posting(Book::Position(id), "USDT", "640"),
            posting(Book::Market, "BTC", "-0.01001"),
            posting(Book::Position(id), "BTC", "0.01"),
            posting(Book::Fees(id), "BTC", "0.00001"),
        ],
    );
    // Net 5.3 = gross 6.5 − fees 1.2.
    let closed = transfer(
        1,
        3,
        TransferReason::Close(trade.id),
        &[
            posting(Book::GrossProfit(id), "USDT", "-6.5"),
            posting(Book::Fees(id), "USDT", "1.2"),
            posting(Book::Cash(id), "USDT", "5.3"),
        ],
    );
    vec![
        bot_change(bot(1, 1), None),
        Output::Transfer(deposit(1, 1, "1000")),
        Output::Transfer(bought),
        Output::Transfer(closed),
        Output::Trade(trade),
    ]
}

#[test]
fn balanced_books_verify_and_realised_profit_is_the_trades() {
    let (_dir, store) = stored(closed_round_trip());
    let verified = store.reader().ledger_verify(Some(AccountId(1))).unwrap();
    assert!(verified.ok, "{verified:?}");
    assert_eq!((verified.transfers, verified.postings), (3, 10));
    let realized = &verified.realized_equals_trades;
    assert_eq!(realized.len(), 1);
    assert_eq!((realized[0].ledger, realized[0].trades), (amount("5.3"), amount("5.3")));
    let postings = pages(3, |page| {
        store.reader().postings(Some(AccountId(1)), &PostingFilter::default(), page)
    });
    assert_eq!(postings.len(), 10);
    assert_eq!((postings[0].reason.as_str(), postings[9].reason.as_str()), ("close", "deposit"));
    let btc = PostingFilter { currency: Some("BTC".parse().unwrap()), ..Default::default() };
    let postings = store.reader().postings(None, &btc, &Page::default()).unwrap().items;
    assert_eq!(postings.len(), 3);
    assert_eq!(postings[0].order_id, Some(order(1, 1, 1, 10).id));
}

#[test]
fn books_that_do_not_add_up_are_named() {
    for (change, named) in [
        ("UPDATE postings SET amount = '1000.000000000001' WHERE id = 2", "unbalanced"),
        ("DELETE FROM transfers WHERE seq = 2", "incomplete"),
        ("DELETE FROM postings WHERE transfer_seq = 1", "incomplete"),
        ("UPDATE trades SET profit_loss = '5.31'", "realized"),
        ("DELETE FROM trades", "realized"),
    ] {
        let (dir, store) = stored(closed_round_trip());
        store.close().unwrap();
        let raw = rusqlite::Connection::open(dir.path().join("amarktai.db")).unwrap();
        assert!(raw.execute(change, []).unwrap() > 0);
        drop(raw);
        let verified = open(dir.path()).reader().ledger_verify(None).unwrap();
        assert!(!verified.ok, "{change}");
        let found = [
            ("unbalanced", !verified.unbalanced.is_empty()),
            ("incomplete", verified.incomplete > 0),
            ("realized", verified.realized_equals_trades.iter().any(|r| !r.ok)),
        ];
        for (fault, is_there) in found {
            assert_eq!(is_there, fault == named, "{change}: {fault} in {verified:?}");
        }
    }
}

/// A bot earned 5.3, and so much of it is moved to another.
fn moved(taken: &str, given: &str) -> Vec<Output> {
    let (from, to) = (BotId(1), BotId(2));
    let minus = |value: &str| (-amount(value)).to_string();
    let take =
        [posting(Book::Available, "USDT", taken), posting(Book::Cash(from), "USDT", &minus(taken))];
    let give =
        [posting(Book::Cash(to), "USDT", given), posting(Book::Available, "USDT", &minus(given))];
    let mut outputs = closed_round_trip();
    outputs.push(Output::Transfer(transfer(1, 4, TransferReason::TakeProfit, &take)));
    outputs.push(Output::Transfer(transfer(1, 5, TransferReason::Reinvest, &give)));
    outputs
}

#[test]
fn profit_that_is_spent_twice_does_not_verify() {
    for (taken, given, is_ok) in
        [("5.3", "5.3", true), ("5", "4", true), ("5.31", "4", false), ("5", "5.01", false)]
    {
        let (_dir, store) = stored(moved(taken, given));
        let verified = store.reader().ledger_verify(Some(AccountId(1))).unwrap();
        let [spent] = &verified.profit_spent_once[..] else { panic!("{verified:?}") };
        assert_eq!((spent.taken, spent.reinvested), (amount(taken), amount(given)));
        assert_eq!((spent.ok, verified.ok), (is_ok, is_ok), "{taken} taken, {given} given");
    }
    let mut early = moved("5", "4");
    // Taken before it was earned: only the order is wrong.
    let (take, close) = (early.remove(5), early.remove(3));
    early.splice(3..3, [take, close]);
    let (_dir, store) = stored(early);
    assert!(!store.reader().ledger_verify(None).unwrap().ok);
    let own = |id: u32| {
        let postings =
            [posting(Book::Available, "USDT", "1"), posting(Book::Cash(BotId(id)), "USDT", "-1")];
        Output::Transfer(transfer(1, 4, TransferReason::TakeProfit, &postings))
    };
    for (bot, is_ok) in [(1, true), (2, false)] {
        let mut outputs = closed_round_trip();
        outputs.push(own(bot));
        let (_dir, store) = stored(outputs);
        let verified = store.reader().ledger_verify(None).unwrap();
        assert_eq!(verified.ok, is_ok, "profit of bot {bot}, who earned it: {is_ok}");
    }
}
