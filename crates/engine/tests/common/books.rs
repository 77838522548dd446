//! An auditor: adds up every posting by itself and compares with what the core says.

use domain::*;
use engine::Output;
use std::collections::BTreeMap;

/// Balance of every book that ever moved.
#[derive(Debug, Default)]
pub struct Balances {
    pub books: BTreeMap<(AccountId, Mode, Exchange, Book, Currency), Amount>,
    pub profit: BTreeMap<BotId, Amount>,
    pub trades: BTreeMap<BotId, u32>,
    seq: BTreeMap<AccountId, u64>,
}

impl Balances {
    pub fn of(&self, account: AccountId, exchange: Exchange, book: Book, currency: &str) -> Amount {
        let key = (account, Mode::Paper, exchange, book, currency.parse().unwrap());
        self.books.get(&key).copied().unwrap_or_default()
    }

    fn post(&mut self, transfer: &Transfer) {
        let seq = self.seq.entry(transfer.account_id).or_default();
        *seq += 1;
        assert_eq!(transfer.seq, *seq, "transfers are dense");
        let mut sums: BTreeMap<Currency, Amount> = BTreeMap::new();
        for posting in &transfer.postings {
            *sums.entry(posting.currency).or_default() += posting.amount;
            let Transfer { account_id, mode, exchange, .. } = *transfer;
            let key = (account_id, mode, exchange, posting.book, posting.currency);
            let balance = self.books.entry(key).or_default();
            *balance += posting.amount;
            let is_asset = matches!(
                posting.book,
                Book::Available | Book::Cash(_) | Book::Position(_) | Book::Dust(_)
            );
            assert!(!is_asset || !balance.is_negative(), "{:?} is {balance}: {transfer:?}", key);
        }
        assert!(sums.values().all(|s| s.is_zero()), "debits are not credits: {transfer:?}");
    }

    fn wallet(&self, wallet: &engine::WalletRecord) {
        let (mut available, mut reserved, mut outside) = Default::default();
        let sums: (&mut Amount, &mut Amount, &mut Amount) =
            (&mut available, &mut reserved, &mut outside);
        let mut traded = Amount::ZERO;
        for ((account, mode, exchange, book, currency), balance) in &self.books {
            if (*account, *mode, *exchange, *currency)
                != (wallet.account_id, wallet.mode, wallet.exchange, wallet.currency)
            {
                continue;
            }
            match book {
                Book::Available => *sums.0 += *balance,
                Book::Cash(_) | Book::Position(_) | Book::Settling(_) => *sums.1 += *balance,
                Book::External | Book::GrossProfit(_) | Book::Fees(_) => *sums.2 -= *balance,
                Book::Market => traded = *balance,
                Book::Dust(_) => {}
            }
        }
        assert_eq!((wallet.available, wallet.reserved), (available, reserved), "{wallet:?}");
        assert_eq!(wallet.total, available + reserved);
        // What was bought is no deposit, and stays when a bot gives up its dust.
        let is_quote = traded.is_zero();
        assert!(!is_quote || wallet.total == outside, "a total is deposits and realised profit");
    }
}

/// Follows the outputs and asserts what must hold after each.
pub fn audit(out: &[Output]) -> Balances {
    let mut balances = Balances::default();
    for output in out {
        match output {
            Output::Transfer(transfer) => balances.post(transfer),
            Output::Wallet(wallet) => balances.wallet(wallet),
            Output::Trade(trade) => {
                *balances.profit.entry(trade.bot_id).or_default() += trade.profit_loss;
                *balances.trades.entry(trade.bot_id).or_default() += 1;
                assert_eq!(trade.status, "closed");
                assert!(trade.entry_at <= trade.exit_at);
            }
            Output::TradeRefused(_, incomplete) => panic!("{incomplete}"),
            _ => {}
        }
    }
    balances
}
