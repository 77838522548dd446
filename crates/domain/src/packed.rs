//! Records in binary form as one piece: their fields side by side, at fixed widths.
//!
//! An order leaves eight records of twenty fields behind. Field by field through a serialiser each
//! costs a call and a length; here it costs a store. Text and lists have their length before them.
//! Names a module for `#[serde(with = "...")]`: where people read, the derived form stays.

use crate::{
    AccountId, Amount, Book, BotId, CancelReason, Currency, DataGrade, Exchange, ExitReason,
    FillId, FillRecord, Liquidity, Mode, OrderId, OrderPurpose, OrderRecord, OrderStatus, Posting,
    Price, Quantity, Side, Span, StrategyKind, Symbol, TimeInForce, Timestamp, Trade, TradeId,
    Transfer, TransferReason,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;

/// Longest record: a trade has 300 bytes, a transfer of six postings 260, and the texts in them
/// come from short lists. A longer one is refused, not cut.
const ROOM: usize = 448;

/// Where a record is written.
#[derive(Debug)]
pub struct Packer<'a> {
    rest: &'a mut [u8],
    is_full: bool,
}

impl Packer<'_> {
    /// Adds bytes.
    #[inline]
    pub fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        match std::mem::take(&mut self.rest).split_first_chunk_mut::<N>() {
            Some((room, rest)) => (*room, self.rest) = (bytes, rest),
            None => self.is_full = true,
        }
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        match std::mem::take(&mut self.rest).split_at_mut_checked(text.len()) {
            Some((room, rest)) => {
                room.copy_from_slice(text.as_bytes());
                self.rest = rest;
            }
            None => self.is_full = true,
        }
    }

    fn length(&mut self, length: usize) {
        self.is_full |= length > ROOM;
        self.put((length as u16).to_le_bytes());
    }
}

/// Where a record is read from.
#[derive(Debug)]
pub struct Unpacker<'a>(&'a [u8]);

impl Unpacker<'_> {
    /// The next bytes; `None` at the end.
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn text(&mut self) -> Option<&str> {
        let length = usize::from(u16::unpack(self)?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

/// What has a place in a record.
pub trait Packed: Sized {
    /// Adds it.
    fn pack(&self, to: &mut Packer<'_>);
    /// Reads it; `None`: these bytes are not what was added.
    fn unpack(from: &mut Unpacker<'_>) -> Option<Self>;
}

/// Writes a record: packed in binary form, as derived elsewhere.
///
/// # Errors
/// Those of the serialiser, and a record that is longer than any of ours.
pub fn serialize<T: Packed + Serialize, S: Serializer>(
    record: &T,
    s: S,
) -> Result<S::Ok, S::Error> {
    if s.is_human_readable() {
        return record.serialize(s);
    }
    let mut bytes = [0; ROOM];
    let mut packer = Packer { rest: &mut bytes, is_full: false };
    record.pack(&mut packer);
    let used = ROOM - packer.rest.len();
    if packer.is_full {
        return Err(ser::Error::custom(format_args!("a record of more than {ROOM} bytes")));
    }
    s.serialize_bytes(&bytes[..used])
}

/// Reads a record that [`serialize`] wrote.
///
/// # Errors
/// Those of the deserialiser, and bytes that are no such record.
pub fn deserialize<'de, T, D>(d: D) -> Result<T, D::Error>
where
    T: Packed + Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Bytes<T>(std::marker::PhantomData<T>);
    impl<T: Packed> de::Visitor<'_> for Bytes<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a packed record")
        }
        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<T, E> {
            let mut unpacker = Unpacker(bytes);
            let record = T::unpack(&mut unpacker).filter(|_| unpacker.0.is_empty());
            record.ok_or_else(|| E::custom("these bytes are no such record"))
        }
    }
    match d.is_human_readable() {
        true => T::deserialize(d),
        false => d.deserialize_bytes(Bytes(std::marker::PhantomData)),
    }
}

/// Packs a record field by field, in this order.
#[macro_export]
macro_rules! packed_record {
    ($t:ty { $($field:ident),* $(,)? }) => {
        impl $crate::packed::Packed for $t {
            #[inline]
            fn pack(&self, to: &mut $crate::packed::Packer<'_>) {
                $($crate::packed::Packed::pack(&self.$field, to);)*
            }
            fn unpack(from: &mut $crate::packed::Unpacker<'_>) -> Option<Self> {
                Some(Self { $($field: $crate::packed::Packed::unpack(from)?),* })
            }
        }
    };
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Packed for $t {
            #[inline]
            fn pack(&self, to: &mut Packer<'_>) {
                to.put(self.to_le_bytes());
            }
            fn unpack(from: &mut Unpacker<'_>) -> Option<Self> {
                from.take().map(Self::from_le_bytes)
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, i64, i128, f64);

macro_rules! by_another {
    ($($t:ty: $of:expr, $make:expr;)*) => {$(
        impl Packed for $t {
            #[inline]
            fn pack(&self, to: &mut Packer<'_>) {
                $of(*self).pack(to);
            }
            fn unpack(from: &mut Unpacker<'_>) -> Option<Self> {
                Packed::unpack(from).map($make)
            }
        }
    )*};
}
by_another! {
    bool: u8::from, |n: u8| n != 0;
    Amount: |a: Amount| a.atoms(), Amount::from_atoms;
    Price: |p: Price| p.0, Price;
    Quantity: |q: Quantity| q.0, Quantity;
    Timestamp: |t: Timestamp| t.0, Timestamp;
    Span: |s: Span| s.0, Span;
    AccountId: |id: AccountId| id.0, AccountId;
    BotId: |id: BotId| id.0, BotId;
    OrderId: u64::from, |id: u64| id.into();
    TradeId: u64::from, |id: u64| id.into();
    FillId: u64::from, |id: u64| id.into();
}

macro_rules! variants {
    ($($t:ty { $($tag:literal $v:ident $(($p:ident))?),* $(,)? })*) => {$(
        impl Packed for $t {
            #[inline]
            fn pack(&self, to: &mut Packer<'_>) {
                match self {
                    $(Self::$v $(($p))? => {
                        to.put([$tag]);
                        $($p.pack(to);)?
                    })*
                }
            }
            fn unpack(from: &mut Unpacker<'_>) -> Option<Self> {
                Some(match u8::unpack(from)? {
                    $($tag => {
                        $(let $p = Packed::unpack(from)?;)?
                        Self::$v $(($p))?
                    })*
                    _ => return None,
                })
            }
        }
    )*};
}
variants! {
    Side { 0 Buy, 1 Sell }
    Mode { 0 Paper, 1 Live }
    Exchange { 0 Binance, 1 Kucoin, 2 Luno }
    Liquidity { 0 Maker, 1 Taker }
    TimeInForce { 0 Gtc, 1 Ioc, 2 Fok }
    OrderPurpose { 0 Entry, 1 Exit(reason) }
    OrderStatus { 0 Sent, 1 Open, 2 Filled, 3 Cancelled, 4 Expired, 5 Rejected }
    CancelReason { 0 Strategy, 1 Hold, 2 Exit, 3 User, 4 EmergencyStop, 5 Filter, 6 PostOnly }
    DataGrade {
        0 L3, 1 L2Trades, 2 L1Trades, 3 Polled, 4 Trades, 5 Bars, 6 Backfilled, 7 Gap
    }
    ExitReason {
        0 Signal, 1 Target, 2 Stop, 3 Trail, 4 Time, 5 Risk, 6 Manual, 7 Emergency
    }
    StrategyKind {
        0 EmaCross, 1 RsiReversion, 2 BollingerReversion, 3 DonchianBreakout, 4 MacdTrend, 5 Grid,
        6 Dca, 7 MarketMaking
    }
    Book {
        0 External, 1 Market, 2 Available, 3 Cash(bot), 4 Position(bot), 5 Dust(bot),
        6 Settling(bot), 7 GrossProfit(bot), 8 Fees(bot)
    }
    TransferReason {
        0 Deposit, 1 Withdrawal, 2 Allocate, 3 Release, 4 Fill(order), 5 Close(trade), 6 Dust,
        7 TakeProfit, 8 Reinvest
    }
}

impl<T: Packed> Packed for Option<T> {
    #[inline]
    fn pack(&self, to: &mut Packer<'_>) {
        to.put([u8::from(self.is_some())]);
        if let Some(value) = self {
            value.pack(to);
        }
    }
    fn unpack(from: &mut Unpacker<'_>) -> Option<Self> {
        match u8::unpack(from)? {
            0 => Some(None),
            1 => T::unpack(from).map(Some),
            _ => None,
        }
    }
}

impl<A: smallvec::Array<Item: Packed>> Packed for SmallVec<A> {
    fn pack(&self, to: &mut Packer<'_>) {
        to.length(self.len());
        self.iter().for_each(|item| item.pack(to));
    }
    fn unpack(from: &mut Unpacker<'_>) -> Option<Self> {
        (0..u16::unpack(from)?).map(|_| Packed::unpack(from)).collect()
    }
}

impl Packed for String {
    fn pack(&self, to: &mut Packer<'_>) {
        to.text(self);
    }
    fn unpack(from: &mut Unpacker<'_>) -> Option<Self> {
        from.text().map(str::to_owned)
    }
}

impl Packed for Cow<'static, str> {
    fn pack(&self, to: &mut Packer<'_>) {
        to.text(self);
    }
    fn unpack(from: &mut Unpacker<'_>) -> Option<Self> {
        String::unpack(from).map(Cow::Owned)
    }
}

impl Packed for Currency {
    #[inline]
    fn pack(&self, to: &mut Packer<'_>) {
        to.put(self.packed());
    }
    fn unpack(from: &mut Unpacker<'_>) -> Option<Self> {
        Self::unpack(from.take()?).ok()
    }
}

packed_record!(Symbol { base, quote });
packed_record!(Posting { book, currency, amount });
packed_record!(Transfer { seq, account_id, mode, exchange, reason, postings, at });
packed_record!(OrderRecord {
    id,
    account_id,
    bot_id,
    exchange,
    symbol,
    mode,
    side,
    purpose,
    limit_price,
    post_only,
    time_in_force,
    quantity,
    filled,
    average_price,
    status,
    reject_code,
    cancel_reason,
    created_at,
    updated_at,
});
packed_record!(FillRecord {
    id,
    order_id,
    account_id,
    bot_id,
    exchange,
    symbol,
    mode,
    side,
    price,
    quantity,
    fee,
    fee_currency,
    liquidity,
    grade,
    book_update_id,
    print_id,
    queue_ahead_at_join,
    optimistic_filled,
    round_trip,
    at,
});
packed_record!(Trade {
    id,
    status,
    success,
    account_id,
    bot_id,
    symbol,
    exchange,
    side,
    entry_price,
    exit_price,
    amount,
    profit_loss,
    gross_profit,
    fees,
    fees_base,
    fees_quote,
    slippage,
    is_paper,
    timestamp,
    entry_at,
    exit_at,
    exit_reason,
    strategy,
    grade,
    reporting_rate,
    reporting_currency,
    rate_source,
    rate_age_s,
});

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Told {
        Transfer(#[serde(with = "crate::packed")] Transfer),
        Order(#[serde(with = "crate::packed")] OrderRecord),
    }

    fn amount() -> impl Strategy<Value = Amount> {
        any::<i128>().prop_map(|atoms| Amount::from_atoms(atoms >> 10))
    }

    fn order(n: u64, price: Option<Amount>, quantity: Amount, code: String) -> OrderRecord {
        let symbol =
            Symbol { base: "币安人生".parse().unwrap(), quote: "USDT".parse().unwrap() };
        OrderRecord {
            id: n.into(),
            account_id: AccountId(n as u32),
            bot_id: BotId(7),
            exchange: Exchange::Luno,
            symbol,
            mode: Mode::Live,
            side: Side::Sell,
            purpose: OrderPurpose::Exit(ExitReason::Trail),
            limit_price: price,
            post_only: n.is_multiple_of(2),
            time_in_force: TimeInForce::Fok,
            quantity,
            filled: Amount::ZERO,
            average_price: None,
            status: OrderStatus::Rejected,
            reject_code: Some(code.into()),
            cancel_reason: Some(CancelReason::PostOnly),
            created_at: Timestamp(i64::from(n as u32) * 1_000_000),
            updated_at: Timestamp(1_000),
        }
    }

    fn transfer(n: u64, amounts: &[Amount]) -> Transfer {
        let posting = |(n, amount): (usize, &Amount)| Posting {
            book: if n == 0 { Book::External } else { Book::Dust(BotId(n as u32)) },
            currency: "EUR".parse().unwrap(),
            amount: *amount,
        };
        Transfer {
            seq: n,
            account_id: AccountId(1),
            mode: Mode::Paper,
            exchange: Exchange::Kucoin,
            reason: TransferReason::Close(n.into()),
            postings: amounts.iter().enumerate().map(posting).collect(),
            at: Timestamp(-1_000),
        }
    }

    proptest! {
        #[test]
        fn a_packed_record_is_read_back_and_shortened_or_lengthened_it_is_refused(
            n: u64,
            amounts in prop::collection::vec(amount(), 0..8),
            price in prop::option::of(amount()),
            code in "\\PC{0,20}",
        ) {
            let order = order(n, price, amounts.first().copied().unwrap_or_default(), code);
            for told in [Told::Transfer(transfer(n, &amounts)), Told::Order(order)] {
                let bytes = postcard::to_stdvec(&told).unwrap();
                prop_assert_eq!(&postcard::from_bytes::<Told>(&bytes).unwrap(), &told);
                let text = serde_json::to_string(&told).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Told>(&text).unwrap(), &told);
                let (mut packer, mut room) = (Vec::new(), [0; ROOM]);
                let mut to = Packer { rest: &mut room, is_full: false };
                match &told {
                    Told::Transfer(t) => t.pack(&mut to),
                    Told::Order(o) => o.pack(&mut to),
                }
                let used = ROOM - to.rest.len();
                packer.extend_from_slice(&room[..used]);
                let is_read = |bytes: &[u8]| {
                    let mut from = Unpacker(bytes);
                    let read = match &told {
                        Told::Transfer(_) => Transfer::unpack(&mut from).is_some(),
                        Told::Order(_) => OrderRecord::unpack(&mut from).is_some(),
                    };
                    read && from.0.is_empty()
                };
                prop_assert!(is_read(&packer) && !is_read(&packer[..used - 1]));
                packer.push(0);
                prop_assert!(!is_read(&packer));
            }
        }
    }

    #[test]
    fn a_record_longer_than_the_room_is_refused_and_not_cut() {
        let long = order(1, None, Amount::ONE, "x".repeat(ROOM));
        assert!(postcard::to_stdvec(&Told::Order(long.clone())).is_err());
        assert!(serde_json::to_string(&Told::Order(long)).is_ok());
    }
}
