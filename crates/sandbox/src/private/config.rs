//! Accounts and keys of a sandbox.

use domain::{Amount, Exchange};
use serde::{Deserialize, Serialize};

/// A key of an account. Nothing here is secret: it opens play money on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySpec {
    /// Public part.
    pub key: String,
    /// What it signs with.
    pub secret: String,
    /// KuCoin's third part.
    pub passphrase: String,
    /// May place and cancel.
    pub can_trade: bool,
    /// May move money out: a careful client refuses such a key.
    pub can_withdraw: bool,
    /// Only from listed addresses.
    pub is_ip_restricted: bool,
}

/// An account at one exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSpec {
    /// Where.
    pub exchange: Exchange,
    /// Its keys.
    pub keys: Vec<KeySpec>,
    /// What it has at the start, by the exchange's own codes.
    pub balances: Vec<(String, Amount)>,
}

impl KeySpec {
    /// A key that trades, cannot withdraw, and is bound to its address.
    pub fn trading(name: &str) -> Self {
        Self {
            key: format!("{name}-key"),
            secret: format!("{name}-secret"),
            passphrase: format!("{name}-passphrase"),
            can_trade: true,
            can_withdraw: false,
            is_ip_restricted: true,
        }
    }
}

impl AccountSpec {
    /// An account with a key `NAME-key` that trades, and `NAME-withdraw-key` that should be
    /// refused, with money to buy and coins to sell.
    pub fn demo(exchange: Exchange, name: &str) -> Self {
        let careless = KeySpec {
            can_withdraw: true,
            is_ip_restricted: false,
            ..KeySpec::trading(&format!("{name}-withdraw"))
        };
        let (coin, quote, cash) = match exchange {
            Exchange::Binance | Exchange::Kucoin => ("BTC", "USDT", 100_000),
            Exchange::Luno => ("XBT", "ZAR", 2_000_000),
        };
        let balances = vec![
            (quote.to_owned(), Amount::from_int(cash)),
            (coin.to_owned(), Amount::from_int(1)),
        ];
        Self { exchange, keys: vec![KeySpec::trading(name), careless], balances }
    }

    /// One at each exchange.
    pub fn demos() -> Vec<Self> {
        Exchange::ALL.map(|exchange| Self::demo(exchange, "sandbox")).into()
    }
}
