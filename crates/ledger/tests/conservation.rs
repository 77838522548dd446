//! Conservation: whatever is bought, sold and closed, every currency sums to exactly zero, trades
//! sum to the realised profit, and the wallet's total is what went in plus what was earned.

use domain::*;
use ledger::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const QUOTE_PLACES: u8 = 8;

fn money(atoms: i64) -> Amount {
    Amount::from_scaled(i128::from(atoms), QUOTE_PLACES, Round::Down)
}

#[derive(Clone, Debug)]
enum Step {
    Buy { level: u16, quantity: i64, price: i64, fee_bp: i64, fee_in_base: bool },
    Sell { share: i64, price: i64, fee_bp: i64, parts: u8, by_level: bool, rest_is_dust: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let buy = (0u16..4, 1i64..10_000_000, 1i64..1_000_000, -2i64..60, any::<bool>()).prop_map(
        |(level, quantity, price, fee_bp, fee_in_base)| Step::Buy {
            level,
            quantity,
            price,
            fee_bp,
            fee_in_base,
        },
    );
    let sell = (1i64..=100, 1i64..1_000_000, -2i64..60, 1u8..4, any::<bool>(), any::<bool>())
        .prop_map(|(share, price, fee_bp, parts, by_level, rest_is_dust)| Step::Sell {
            share,
            price,
            fee_bp,
            parts,
            by_level,
            rest_is_dust,
        });
    prop_oneof![buy, sell]
}

#[derive(Default)]
struct Check {
    sums: BTreeMap<Currency, Amount>,
    trades: Amount,
}

impl Check {
    fn transfer(&mut self, transfer: &Transfer) {
        let mut own: BTreeMap<Currency, Amount> = BTreeMap::new();
        for posting in &transfer.postings {
            *own.entry(posting.currency).or_default() += posting.amount;
            *self.sums.entry(posting.currency).or_default() += posting.amount;
        }
        assert!(own.values().all(|sum| sum.is_zero()), "{transfer:?}");
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_or_made(steps in prop::collection::vec(step(), 1..40)) {
        let symbol: Symbol = "BTC/USDT".parse().unwrap();
        let key = (Mode::Paper, Exchange::Binance, symbol.quote);
        let mut ledger = Ledger::new(AccountId(1));
        let mut books = BotBooks::new(BotId(1), Mode::Paper, Exchange::Binance, symbol);
        let mut check = Check::default();
        let deposit = Amount::from_int(1_000_000);
        check.transfer(&ledger.deposit(key, deposit, Timestamp(0)));
        check.transfer(&ledger.allocate(&mut books, deposit, Timestamp(0)).unwrap());
        for (n, step) in steps.into_iter().enumerate() {
            let (seq, at) = (n as u32 + 1, Timestamp(n as i64 + 1));
            let order = OrderId { bot: BotId(1), seq };
            match step {
                Step::Buy { level, quantity, price, fee_bp, fee_in_base } => {
                    let quantity = money(quantity);
                    let notional = quantity.product(money(price * 1000), Round::Up).unwrap();
                    let charged = if fee_in_base { quantity } else { notional };
                    let fee = charged.times(Rate::from_bp(fee_bp), Round::Up);
                    let fill = Execution { order, level, quantity, notional, fee, fee_in_base, slippage: Some(Amount::ZERO), grade: DataGrade::L2Trades, at };
                    check.transfer(&ledger.buy(&mut books, &fill));
                }
                Step::Sell { share, price, fee_bp, parts, by_level, rest_is_dust } => {
                    let total = books.held().part(share, 100, Round::Down);
                    let part = total.part(1, i64::from(parts), Round::Down);
                    if !part.is_positive() { continue; }
                    for _ in 0..parts {
                        let notional = part.product(money(price * 1000), Round::Down).unwrap();
                        let fee = notional.times(Rate::from_bp(fee_bp), Round::Up);
                        let fill = Execution { order, level: 0, quantity: part, notional, fee, fee_in_base: false, slippage: None, grade: DataGrade::L2Trades, at };
                        check.transfer(&ledger.sell(&mut books, &fill));
                    }
                    let before = (ledger.clone(), books.clone());
                    let matching = if by_level { Matching::Level(1) } else { Matching::Fifo };
                    let request = CloseRequest { id: TradeId { bot: BotId(1), seq }, order, matching, reason: Some(ExitReason::Signal), strategy: StrategyKind::Grid, success: true, rest_is_dust, reporting: (symbol.quote, None), at };
                    match ledger.close(&mut books, request) {
                        Ok((trade, transfer)) => {
                            check.transfer(&transfer);
                            check.trades += trade.profit_loss;
                        }
                        Err(_) => prop_assert_eq!((&ledger, &books), (&before.0, &before.1)),
                    }
                }
            }
            prop_assert_eq!(books.lots.quantity() - books.exits.iter().map(|e| e.quantity - e.dust).sum::<Amount>(), books.position);
            prop_assert_eq!(check.trades, books.realized_pnl());
            prop_assert!(check.sums.values().all(|sum| sum.is_zero()));
            let wallet = ledger.wallet(Mode::Paper, Exchange::Binance, symbol.quote);
            prop_assert_eq!(wallet.total(), deposit + books.realized_pnl());
            prop_assert_eq!(wallet.reserved, books.reserved());
        }
    }
}

#[test]
fn trade_without_an_exit_reason_moves_nothing_and_names_the_field() {
    let symbol: Symbol = "BTC/USDT".parse().unwrap();
    let mut ledger = Ledger::new(AccountId(1));
    let mut books = BotBooks::new(BotId(1), Mode::Paper, Exchange::Binance, symbol);
    ledger.deposit(
        (Mode::Paper, Exchange::Binance, symbol.quote),
        Amount::from_int(100),
        Timestamp(0),
    );
    ledger.allocate(&mut books, Amount::from_int(100), Timestamp(0)).unwrap();
    let (buy, sell) = (OrderId { bot: BotId(1), seq: 1 }, OrderId { bot: BotId(1), seq: 2 });
    let fill = |order| Execution {
        order,
        level: 0,
        quantity: Amount::ONE,
        notional: Amount::from_int(50),
        fee: Amount::ZERO,
        fee_in_base: false,
        slippage: None,
        grade: DataGrade::L2Trades,
        at: Timestamp(1),
    };
    ledger.buy(&mut books, &fill(buy));
    ledger.sell(&mut books, &fill(sell));
    let before = (ledger.clone(), books.clone());
    let request = CloseRequest {
        id: TradeId { bot: BotId(1), seq: 1 },
        order: sell,
        matching: Matching::Fifo,
        reason: None,
        strategy: StrategyKind::Dca,
        success: true,
        rest_is_dust: false,
        reporting: (symbol.quote, None),
        at: Timestamp(2),
    };
    let refused = ledger.close(&mut books, request).unwrap_err();
    assert_eq!(refused.field, "exit_reason");
    assert_eq!((ledger, books), before);
}
