//! Wallets as a list: JSON has no keys of three parts.

use crate::books::WalletKey;
use crate::wallet::Wallet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

pub(crate) fn serialize<S: Serializer>(
    wallets: &BTreeMap<WalletKey, Wallet>,
    s: S,
) -> Result<S::Ok, S::Error> {
    wallets.iter().collect::<Vec<_>>().serialize(s)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    d: D,
) -> Result<BTreeMap<WalletKey, Wallet>, D::Error> {
    Vec::<(WalletKey, Wallet)>::deserialize(d).map(|list| list.into_iter().collect())
}
