//! Real orders on the three protocols, as they should go: placed, executed, cancelled, listed.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod trader;

use domain::{Amount, Exchange, Liquidity, OrderStatus, Side, Span, TimeInForce};
use exchanges::live::{
    BalanceCause, Cancellation, KeyPermissions, LiveEvent, Placement, Reaction, Resolution,
    Withheld,
};
use risk::WireStop;
use std::sync::Arc;
use trader::{Trader, Wish, amount, effect, native, now};

/// How often the market's own flow may come first.
const TRIES: usize = 20;

#[tokio::test]
async fn resting_order_is_placed_found_listed_and_cancelled() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        let wish = Wish::limit(Side::Buy, trader.percent_of_bid(90), "0.01");
        let (mut key, placed) = trader.placed(wish).await;
        let state = trader.client.query(&key).await.unwrap().unwrap();
        assert_eq!(state.status, OrderStatus::Open, "{exchange}");
        assert_eq!(state.exchange_id, placed.exchange_id);
        assert_eq!((state.quantity, state.filled), (Some(amount("0.01")), Some(Amount::ZERO)));
        assert_eq!(state.limit_price, wish.price);
        assert_eq!(state.id.map(|id| id.seq), Some(1), "known as ours by its name");
        let open = trader.client.open_orders().await.unwrap();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].client_id, key.client_id);
        let held = trader.client.balances().await.unwrap().into_iter().map(|b| b.held).max();
        assert!(held.unwrap().is_positive(), "{exchange}: the order binds money");
        key.exchange_id = Some(placed.exchange_id);
        assert!(matches!(trader.client.cancel(&key).await, Cancellation::Done { .. }));
        let ended = trader.ended(&key).await;
        assert_eq!(ended.status, OrderStatus::Cancelled, "{exchange}");
        assert_eq!(trader.client.cancel(&key).await, Cancellation::Gone, "{exchange}");
        assert!(trader.client.open_orders().await.unwrap().is_empty());
        assert_eq!(trader.truth(&key).len(), 1);
    }
}

#[tokio::test]
async fn order_is_cancelled_by_its_client_id_alone() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        let wish = Wish::limit(Side::Buy, trader.percent_of_bid(90), "0.01");
        let (key, _) = trader.placed(wish).await;
        assert!(matches!(trader.client.cancel(&key).await, Cancellation::Done { .. }));
        assert_eq!(trader.ended(&key).await.status, OrderStatus::Cancelled, "{exchange}");
    }
}

#[tokio::test]
async fn fills_told_and_listed_give_the_exchanges_balances() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        let (start, began) = (trader.wealth(), now());
        let mut change = [Amount::ZERO; 2];
        for (side, quantity) in [(Side::Buy, "0.02"), (Side::Sell, "0.015")] {
            let (key, _) = trader.placed(Wish::market(side, quantity)).await;
            let fills = trader.filled(&key, amount(quantity)).await;
            let sum: Amount = fills.iter().map(|f| f.quantity).sum();
            assert_eq!(sum, amount(quantity), "{exchange}");
            for (total, part) in
                change.iter_mut().zip(effect(&fills, side, trader.instrument.symbol))
            {
                *total += part;
            }
            let state = trader.client.query(&key).await.unwrap().unwrap();
            assert_eq!(state.status, OrderStatus::Filled, "{exchange}");
        }
        let truth = trader.wealth();
        let ours = [start[0] + change[0], start[1] + change[1]];
        assert_eq!(ours, truth, "{exchange}: what we computed is what the exchange has");
        let told: Vec<_> = trader
            .log
            .iter()
            .filter_map(|event| match event {
                LiveEvent::Fill(fill) => Some((fill.trade_id.clone(), fill.fees.clone())),
                _ => None,
            })
            .collect();
        let listed = trader.client.fills(domain::InstrumentId(3), began - Span::from_secs(5)).await;
        let listed = listed.unwrap();
        assert!(listed.iter().all(|f| f.liquidity == Some(Liquidity::Taker)));
        let mut ids: Vec<_> = listed.into_iter().map(|f| (f.trade_id, f.fees)).collect();
        let mut expected = told;
        ids.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(ids, expected, "{exchange}: one id for a fill, however it was learnt");
        let balances = trader.client.balances().await.unwrap();
        for (currency, true_one) in
            [trader.instrument.symbol.base, trader.instrument.symbol.quote].into_iter().zip(truth)
        {
            let found = balances.iter().find(|b| b.currency == currency).unwrap();
            // Binance prints eight decimals of what it keeps with more.
            let off = (found.free + found.held - true_one).abs();
            assert!(off <= amount("0.00000001"), "{exchange} {currency}");
        }
    }
}

#[tokio::test]
async fn resting_order_is_filled_in_parts_as_maker_by_another_account() {
    for exchange in Exchange::ALL {
        let mut maker = Trader::start(exchange).await;
        let mut taker = Trader::with(Arc::clone(&maker.sandbox), exchange, "two", |_| {}).await;
        // The market's own flow may take all of it at once; then again.
        let mut parts = 0;
        for _ in 0..TRIES {
            parts = filled_as_maker(&mut maker, &mut taker).await;
            if parts >= 2 {
                break;
            }
        }
        assert!(parts >= 2, "{exchange}: in parts");
    }
}

/// Rests an order, lets it be taken, and holds the fills against the books; says how many came.
async fn filled_as_maker(maker: &mut Trader, taker: &mut Trader) -> usize {
    let exchange = maker.instrument.exchange;
    let start = maker.wealth();
    // Inside the spread or at the ask less a tick: first in price, whatever the flow does.
    let (_, ask) = maker.touch();
    let tick = maker.instrument.price_amount(maker.instrument.tick_size);
    let wish = Wish { post_only: true, ..Wish::limit(Side::Buy, ask - tick, "0.02") };
    let (key, placed) = match maker.place(wish).await {
        (key, Placement::Placed(placed)) => (key, placed),
        // The market came down to it meanwhile.
        _ => return 0,
    };
    taker.placed(Wish::market(Side::Sell, "0.005")).await;
    maker.filled(&key, Amount::from_atoms(1)).await;
    taker.placed(Wish::market(Side::Sell, "0.1")).await;
    let fills = maker.filled(&key, amount("0.02")).await;
    if exchange != Exchange::Luno {
        assert!(fills.iter().all(|f| f.liquidity == Some(Liquidity::Maker)));
    }
    assert!(fills.iter().all(|f| f.exchange_id == placed.exchange_id));
    let change = effect(&fills, Side::Buy, maker.instrument.symbol);
    let ours = [start[0] + change[0], start[1] + change[1]];
    assert_eq!(ours, maker.wealth(), "{exchange}");
    fills.len()
}

#[tokio::test]
async fn what_cannot_be_had_at_once_ends_as_its_time_in_force_says() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        // Ten percent under the market: nothing is for sale there.
        let far = trader.percent_of_bid(90);
        for life in [TimeInForce::Ioc, TimeInForce::Fok] {
            let wish = Wish { life, ..Wish::limit(Side::Buy, far, "0.01") };
            let (key, _) = trader.placed(wish).await;
            let ended = trader.ended(&key).await;
            let expected = match exchange {
                Exchange::Kucoin => OrderStatus::Cancelled,
                _ => OrderStatus::Expired,
            };
            assert_eq!(ended.status, expected, "{exchange} {life:?}");
            assert_eq!(trader.truth(&key)[0].filled, Amount::ZERO);
        }
        // More than the touch has: a part is executed, and the end says nothing of it.
        let (_, ask) = trader.touch();
        let wish = Wish { life: TimeInForce::Ioc, ..Wish::limit(Side::Buy, ask, "1") };
        let (key, _) = trader.placed(wish).await;
        let ended = trader.ended(&key).await;
        let truth = trader.truth(&key)[0].clone();
        assert_eq!(ended.filled.unwrap_or(truth.filled), truth.filled, "{exchange}");
        if truth.filled.is_positive() {
            trader.filled(&key, truth.filled).await;
        }
    }
}

#[tokio::test]
async fn post_only_order_that_would_take_is_no_fill_anywhere() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        let over = trader.percent_of_bid(104);
        let wish = Wish { post_only: true, ..Wish::limit(Side::Buy, over, "0.01") };
        let (key, placement) = trader.place(wish).await;
        match (exchange, placement) {
            // Taken, and cancelled at once.
            (Exchange::Kucoin, Placement::Placed(_)) => {
                assert_eq!(trader.ended(&key).await.status, OrderStatus::Cancelled);
            }
            (Exchange::Binance | Exchange::Luno, Placement::Rejected(reject)) => {
                assert_eq!(reject.reaction, Reaction::Drop);
                assert!(trader.truth(&key).is_empty());
            }
            other => panic!("{other:?}"),
        }
        assert!(trader.truth(&key).iter().all(|o| o.filled.is_zero()));
    }
}

#[tokio::test]
async fn refusals_name_their_reaction() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        let far = trader.percent_of_bid(90);
        let reaction = |placement: Placement| match placement {
            Placement::Rejected(reject) => (reject.reaction, reject.code),
            other => panic!("{exchange}: {other:?}"),
        };
        let (_, placement) = trader.place(Wish::limit(Side::Buy, far, "50")).await;
        let (found, code) = reaction(placement);
        let expected = match exchange {
            Exchange::Binance => "-2010",
            Exchange::Kucoin => "200004",
            Exchange::Luno => "ErrInsufficientBalance",
        };
        assert_eq!((found, code.as_str()), (Reaction::Reconcile, expected));
        assert_eq!(trader.client.order_usage()[0].used, 1);
    }
}

#[tokio::test]
async fn emergency_latch_stops_entries_at_the_wire_and_no_sales() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        trader.latch.stop();
        let (key, placement) = trader.place(Wish::market(Side::Buy, "0.01")).await;
        let stop = Placement::Withheld(Withheld::Wire(WireStop::Emergency));
        assert_eq!(placement, stop, "{exchange}");
        assert!(trader.truth(&key).is_empty());
        let counts = trader.gate.counts();
        assert_eq!((counts.approved, counts.out), (0, 0), "the approval was given back");
        let (key, _) = trader.placed(Wish::market(Side::Sell, "0.01")).await;
        trader.filled(&key, amount("0.01")).await;
    }
}

#[tokio::test]
async fn order_that_nobody_approved_does_not_leave() {
    let mut trader = Trader::start(Exchange::Binance).await;
    let (key, order) = trader.approve(Wish::market(Side::Buy, "0.01"));
    let permit = trader.permit(&order);
    let placement = trader.client.place(order, permit).await;
    assert!(matches!(placement, Placement::Withheld(Withheld::Wire(WireStop::Unapproved(_)))));
    // A permit of a sale does not let an entry out.
    let (_, sale) = trader.approve(Wish::market(Side::Sell, "0.01"));
    let wrong = trader.permit(&sale);
    let (_, entry) = trader.approve(Wish::market(Side::Buy, "0.01"));
    trader.gate.approve();
    let placement = trader.client.place(entry, wrong).await;
    assert!(matches!(placement, Placement::Withheld(Withheld::Permit(_))));
    assert!(trader.truth(&key).is_empty());
}

#[tokio::test]
async fn keys_fees_and_clocks_are_as_the_exchange_says() {
    let sandbox = Arc::new(trader::sandbox().await);
    for exchange in Exchange::ALL {
        for (name, careless) in [("one", false), ("one-withdraw", true)] {
            let trader = Trader::with(Arc::clone(&sandbox), exchange, name, |_| {}).await;
            let found = trader.client.key_permissions().await.unwrap();
            match (exchange, found) {
                (Exchange::Luno, KeyPermissions::CannotAsk { advice }) => {
                    assert!(advice.contains("W_Send"));
                }
                (_, KeyPermissions::Known { can_trade, can_withdraw, is_ip_restricted, .. }) => {
                    assert_eq!((can_trade, can_withdraw), (true, careless), "{exchange} {name}");
                    assert_eq!(is_ip_restricted, !careless);
                }
                other => panic!("{other:?}"),
            }
            let fees = trader.client.fee_rates(domain::InstrumentId(3)).await.unwrap();
            assert_eq!(
                (fees.maker, fees.taker),
                (trader.instrument.fees.maker, trader.instrument.fees.taker)
            );
            let clock = trader.client.clock().await.unwrap();
            assert!(clock.ahead.0.abs() <= clock.error.0 + 1_000_000_000, "{exchange} {clock:?}");
        }
    }
}

#[tokio::test]
async fn deposit_is_told_as_external_or_shows_in_the_balance() {
    for exchange in Exchange::ALL {
        let mut trader = Trader::start(exchange).await;
        let asset = trader::assets(exchange)[1];
        assert!(trader.sandbox.deposit(exchange, "one-key", asset, amount("12.5")));
        let quote = trader.instrument.symbol.quote;
        let update = trader
            .find(|event| match event {
                LiveEvent::Balance(update) if update.currency == quote => Some(*update),
                _ => None,
            })
            .await;
        if exchange == Exchange::Luno {
            assert_eq!(update.change, Some(amount("12.5")));
        } else {
            assert_eq!(update.cause, BalanceCause::External, "{exchange}");
        }
    }
}

#[tokio::test]
async fn own_count_of_orders_holds_back_what_the_exchange_would_refuse() {
    let mut trader = Trader::start(Exchange::Binance).await;
    trader.client.read_limits(domain::InstrumentId(3)).await.unwrap();
    let limit = trader.client.order_usage()[0].limit;
    assert_eq!(limit, 80, "four fifths of what {} permits", native(Exchange::Binance));
    let far = trader.percent_of_bid(90);
    let mut held_back = None;
    // A new window may begin on the way; a day's worth never fits.
    for _ in 0..3 * limit {
        if let (key, Placement::RateLimited { .. }) =
            trader.place(Wish::limit(Side::Buy, far, "0.0001")).await
        {
            held_back = Some(key);
            break;
        }
    }
    let key = held_back.expect("the tenth of a second is full after eighty");
    assert!(trader.truth(&key).is_empty(), "it never left");
    let counts = trader.gate.counts();
    assert_eq!(counts.approved, counts.out, "and its approval lets no other one out");
    assert_eq!(trader.client.resolve(&key, now()).await, Resolution::NeverSent);
}
