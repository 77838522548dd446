//! Profit that moves between bots: over any sequence never more is spent than was earned, by
//! currency and exchange and by bot, as an auditor finds who knows the postings alone.

#![allow(clippy::unwrap_used, reason = "tests")]

use domain::*;
use ledger::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    /// A round trip of a bot with this profit.
    Trade {
        bot: usize,
        profit: i64,
    },
    Take {
        bot: usize,
        amount: i64,
    },
    Reinvest {
        bot: usize,
        amount: i64,
    },
    Deposit {
        wallet: usize,
        amount: i64,
    },
    Withdraw {
        wallet: usize,
        amount: i64,
    },
    Allocate {
        bot: usize,
        amount: i64,
    },
    Release {
        bot: usize,
    },
}

const BOTS: usize = 5;

fn step() -> impl Strategy<Value = Step> {
    let bot = || 0..BOTS;
    let amount = || 1i64..800;
    prop_oneof![
        4 => (bot(), -500i64..900).prop_map(|(bot, profit)| Step::Trade { bot, profit }),
        3 => (bot(), amount()).prop_map(|(bot, amount)| Step::Take { bot, amount }),
        3 => (bot(), amount()).prop_map(|(bot, amount)| Step::Reinvest { bot, amount }),
        1 => (0usize..3, amount()).prop_map(|(wallet, amount)| Step::Deposit { wallet, amount }),
        1 => (0usize..3, amount()).prop_map(|(wallet, amount)| Step::Withdraw { wallet, amount }),
        1 => (bot(), amount()).prop_map(|(bot, amount)| Step::Allocate { bot, amount }),
        1 => bot().prop_map(|bot| Step::Release { bot }),
    ]
}

type Place = (Exchange, Currency);

/// What the postings alone say.
#[derive(Default)]
struct Auditor {
    earned: BTreeMap<Place, Amount>,
    taken: BTreeMap<Place, Amount>,
    given: BTreeMap<Place, Amount>,
    earned_by: BTreeMap<BotId, Amount>,
    taken_of: BTreeMap<BotId, Amount>,
    kinds: [u32; 2],
}

impl Auditor {
    fn look(&mut self, transfer: &Transfer) {
        let sum: Amount = transfer.postings.iter().map(|p| p.amount).sum();
        // In these trades base sums to nothing by itself.
        assert!(sum.is_zero(), "{transfer:?}");
        for posting in &transfer.postings {
            let place = (transfer.exchange, posting.currency);
            match (posting.book, transfer.reason) {
                (Book::GrossProfit(bot) | Book::Fees(bot), _) => {
                    *self.earned.entry(place).or_default() -= posting.amount;
                    *self.earned_by.entry(bot).or_default() -= posting.amount;
                }
                (Book::Cash(bot), TransferReason::TakeProfit) => {
                    *self.taken.entry(place).or_default() -= posting.amount;
                    *self.taken_of.entry(bot).or_default() -= posting.amount;
                    assert!(self.taken_of[&bot] <= self.earned_by[&bot], "{transfer:?}");
                    assert!(self.taken[&place] <= self.earned[&place], "{transfer:?}");
                    self.kinds[0] += 1;
                }
                (Book::Cash(_), TransferReason::Reinvest) => {
                    *self.given.entry(place).or_default() += posting.amount;
                    assert!(self.given[&place] <= self.taken[&place], "{transfer:?}");
                    self.kinds[1] += 1;
                }
                _ => {}
            }
        }
    }
}

struct Rig {
    ledger: Ledger,
    bots: Vec<BotBooks>,
    wallets: [(Mode, Exchange, Currency); 3],
    auditor: Auditor,
    seq: u32,
}

impl Rig {
    fn new() -> Self {
        let symbols = ["BTC/USDT", "BTC/USDT", "BTC/ZAR", "ETH/USDT", "ETH/USDT"];
        let exchanges = [
            Exchange::Binance,
            Exchange::Binance,
            Exchange::Luno,
            Exchange::Kucoin,
            Exchange::Binance,
        ];
        let bots = symbols.iter().zip(exchanges).enumerate().map(|(n, (symbol, exchange))| {
            BotBooks::new(BotId(n as u32 + 1), Mode::Paper, exchange, symbol.parse().unwrap())
        });
        let (usdt, zar) = ("USDT".parse().unwrap(), "ZAR".parse().unwrap());
        let wallets = [
            (Mode::Paper, Exchange::Binance, usdt),
            (Mode::Paper, Exchange::Kucoin, usdt),
            (Mode::Paper, Exchange::Luno, zar),
        ];
        let bots = bots.collect();
        let ledger = Ledger::new(AccountId(1));
        let mut rig = Self { ledger, bots, wallets, auditor: Auditor::default(), seq: 0 };
        for wallet in 0..3 {
            rig.step(&Step::Deposit { wallet, amount: 10_000 });
        }
        for bot in 0..BOTS {
            rig.step(&Step::Allocate { bot, amount: 1_000 });
        }
        rig
    }

    /// Does what a step says, as far as the ledger lets it; a refusal moves nothing.
    fn step(&mut self, step: &Step) {
        let at = Timestamp(0);
        let int = Amount::from_int;
        let before = (self.ledger.clone(), self.bots.clone());
        let done = match *step {
            Step::Trade { bot, profit } => return self.trade(bot, int(profit)),
            Step::Take { bot, amount } => {
                self.ledger.take_profit(&mut self.bots[bot], int(amount), at).ok()
            }
            Step::Reinvest { bot, amount } => {
                self.ledger.reinvest(&mut self.bots[bot], int(amount), at).ok()
            }
            Step::Deposit { wallet, amount } => {
                Some(self.ledger.deposit(self.wallets[wallet], int(amount), at))
            }
            Step::Withdraw { wallet, amount } => {
                self.ledger.withdraw(self.wallets[wallet], int(amount), at).ok()
            }
            Step::Allocate { bot, amount } => {
                self.ledger.allocate(&mut self.bots[bot], int(amount), at).ok()
            }
            Step::Release { bot } => Some(self.ledger.release(&mut self.bots[bot], at)),
        };
        match done {
            Some(transfer) => self.auditor.look(&transfer),
            None => assert_eq!((&self.ledger, &self.bots), (&before.0, &before.1)),
        }
    }

    /// Buys for six hundred and sells with this profit, as far as there is cash.
    fn trade(&mut self, bot: usize, profit: Amount) {
        let books = &mut self.bots[bot];
        let cost = Amount::from_int(600);
        if books.cash < cost {
            return;
        }
        let fill = |seq, notional| Execution {
            order: OrderId { bot: books_id(bot), seq },
            level: 0,
            quantity: Amount::ONE,
            notional,
            fee: Amount::ZERO,
            fee_in_base: false,
            slippage: None,
            grade: DataGrade::L2Trades,
            at: Timestamp(0),
        };
        self.seq += 2;
        let (entry, exit) = (fill(self.seq, cost), fill(self.seq + 1, cost + profit));
        self.auditor.look(&self.ledger.buy(books, &entry));
        self.auditor.look(&self.ledger.sell(books, &exit));
        let request = CloseRequest {
            id: TradeId { bot: books.bot, seq: self.seq },
            order: exit.order,
            matching: Matching::Fifo,
            reason: Some(ExitReason::Signal),
            strategy: StrategyKind::EmaCross,
            success: true,
            rest_is_dust: false,
            reporting: (books.symbol.quote, None),
            at: Timestamp(0),
        };
        let (_, transfer) = self.ledger.close(books, request).unwrap();
        self.auditor.look(&transfer);
    }

    fn check(&self) {
        for (mode, exchange, currency) in self.wallets {
            let wallet = self.ledger.wallet(mode, exchange, currency);
            let place = (exchange, currency);
            let of = |sums: &BTreeMap<Place, Amount>| sums.get(&place).copied().unwrap_or_default();
            assert_eq!(wallet.earned(), of(&self.auditor.earned));
            assert_eq!(wallet.taken, of(&self.auditor.taken));
            assert!(wallet.kept <= wallet.taken - of(&self.auditor.given));
            assert!(wallet.kept <= wallet.available && !wallet.kept.is_negative());
            let here = self.bots.iter().filter(|b| (b.exchange, b.symbol.quote) == place);
            assert_eq!(wallet.reserved, here.map(BotBooks::reserved).sum());
        }
    }
}

fn books_id(bot: usize) -> BotId {
    BotId(bot as u32 + 1)
}

proptest! {
    #[test]
    fn profit_spent_never_exceeds_profit_earned(steps in prop::collection::vec(step(), 1..120)) {
        let mut rig = Rig::new();
        for step in &steps {
            rig.step(step);
            rig.check();
        }
    }
}

/// The property above says something only if profit does move.
#[test]
fn profit_is_taken_once_and_given_once() {
    let mut rig = Rig::new();
    let taken = |rig: &mut Rig, bot, amount| {
        let before = rig.auditor.kinds[0];
        rig.step(&Step::Take { bot, amount });
        rig.auditor.kinds[0] > before
    };
    rig.step(&Step::Trade { bot: 0, profit: 300 });
    assert!(!taken(&mut rig, 0, 301), "more than it earned");
    assert!(!taken(&mut rig, 1, 1), "another's");
    assert!(taken(&mut rig, 0, 200));
    assert!(!taken(&mut rig, 0, 101), "a part of it for the second time");
    let given = |rig: &mut Rig, bot, amount| {
        let before = rig.auditor.kinds[1];
        rig.step(&Step::Reinvest { bot, amount });
        rig.auditor.kinds[1] > before
    };
    assert!(!given(&mut rig, 3, 200), "not where it was earned");
    assert!(!given(&mut rig, 2, 200), "not in the currency in which it was earned");
    assert!(given(&mut rig, 1, 150));
    assert!(!given(&mut rig, 1, 51));
    assert!(given(&mut rig, 4, 50));
    // A loss of another bot of the wallet has to be earned back first.
    rig.step(&Step::Trade { bot: 1, profit: -400 });
    assert!(!taken(&mut rig, 0, 100));
    rig.step(&Step::Trade { bot: 4, profit: 400 });
    assert!(taken(&mut rig, 0, 100));
    rig.check();
}

#[test]
fn profit_that_a_person_withdrew_is_given_to_nobody() {
    let mut rig = Rig::new();
    rig.step(&Step::Trade { bot: 2, profit: 300 });
    rig.step(&Step::Take { bot: 2, amount: 300 });
    let key = rig.wallets[2];
    assert_eq!(rig.ledger.wallet(key.0, key.1, key.2).kept, Amount::from_int(300));
    rig.step(&Step::Withdraw { wallet: 2, amount: 9_200 });
    assert_eq!(rig.ledger.wallet(key.0, key.1, key.2).kept, Amount::from_int(100));
    rig.step(&Step::Deposit { wallet: 2, amount: 9_200 });
    let given = rig.ledger.reinvest(&mut rig.bots[2], Amount::from_int(101), Timestamp(0));
    assert_eq!(given.unwrap_err().available, Amount::from_int(100));
}
