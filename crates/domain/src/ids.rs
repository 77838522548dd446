//! Identities. All are counters that the core hands out, so the same inputs give the same ids.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta] $name:ident($inner:ty)),* $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
id! {
    /// A user's money and bots: the unit of isolation.
    AccountId(u32),
    /// A bot.
    BotId(u32),
    /// A symbol on an exchange, as interned by the engine.
    InstrumentId(u32),
}

macro_rules! per_bot {
    ($(#[$doc:meta] $name:ident),* $(,)?) => {$(
        #[$doc]
        ///
        /// Counted per bot, so that one bot more changes no other bot's ids and draws; one integer
        /// outside.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// Whose.
            pub bot: BotId,
            /// The bot's how many-th, from 1.
            pub seq: u32,
        }
        impl From<u64> for $name {
            fn from(id: u64) -> Self {
                Self { bot: BotId((id >> 32) as u32), seq: id as u32 }
            }
        }
        impl From<$name> for u64 {
            fn from(id: $name) -> u64 {
                u64::from(id.bot.0) << 32 | u64::from(id.seq)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                u64::from(*self).fmt(f)
            }
        }
        impl Serialize for $name {
            #[inline]
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                let id = u64::from(*self);
                if s.is_human_readable() {
                    s.serialize_u64(id)
                } else {
                    s.serialize_bytes(&id.to_le_bytes())
                }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    u64::deserialize(d).map(Self::from)
                } else {
                    crate::binary::read(d).map(|bytes| u64::from_le_bytes(bytes).into())
                }
            }
        }
    )*};
}
per_bot! {
    /// An order.
    OrderId,
    /// A closed round trip.
    TradeId,
    /// One execution.
    FillId,
}

impl OrderId {
    /// Orders of ours are known on an exchange by this prefix.
    pub const CLIENT_PREFIX: &'static str = "amk";

    /// The id under which the exchange knows the order: `amk-BOT-SEQ`.
    pub fn client_order_id(self) -> String {
        format!("{}-{}-{}", Self::CLIENT_PREFIX, self.bot, self.seq)
    }
}
