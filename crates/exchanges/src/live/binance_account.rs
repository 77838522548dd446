//! Binance spot, private REST: balances, fees, the key, the clock and the limits.

use super::http::Ask;
use super::numbers::{currency, rate, unsigned};
use super::types::{Balance, FeeRates, KeyPermissions};
use crate::codec::{self, DecodeError, json};
use domain::Rate;
use serde::Deserialize;
use std::borrow::Cow;

pub(super) fn balances() -> Ask {
    Ask::get("/api/v3/account", 20).with("omitZeroBalances", "true")
}

#[derive(Deserialize)]
struct Account<'a> {
    #[serde(borrow)]
    balances: Vec<WireBalance<'a>>,
}

#[derive(Deserialize)]
struct WireBalance<'a> {
    #[serde(borrow)]
    asset: Cow<'a, str>,
    free: &'a str,
    locked: &'a str,
}

pub(super) fn balance_list(body: &[u8]) -> Result<Vec<Balance>, DecodeError> {
    let account: Account<'_> = json(body)?;
    let mut list = Vec::with_capacity(account.balances.len());
    for wire in &account.balances {
        let free = unsigned(&wire.asset, "free", wire.free)?;
        let held = unsigned(&wire.asset, "locked", wire.locked)?;
        // A coin whose name is no currency of ours cannot be traded here either.
        let Ok(currency) = currency(&wire.asset) else { continue };
        list.push(Balance { currency, free, held });
    }
    Ok(list)
}

pub(super) fn fee_rates(native: &str) -> Ask {
    Ask::get("/api/v3/account/commission", 20).with("symbol", native)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Commission<'a> {
    maker: Option<&'a str>,
    taker: Option<&'a str>,
    buyer: Option<&'a str>,
    seller: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Commissions<'a> {
    #[serde(borrow)]
    standard_commission: Commission<'a>,
    #[serde(borrow, default)]
    special_commission: Commission<'a>,
    #[serde(borrow, default)]
    tax_commission: Commission<'a>,
    #[serde(borrow, default)]
    discount: Option<Discount<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Discount<'a> {
    #[serde(default)]
    enabled_for_account: bool,
    #[serde(default)]
    enabled_for_symbol: bool,
    #[serde(borrow, default)]
    discount_asset: Option<Cow<'a, str>>,
}

/// All three commissions are charged, and each adds that of the side.
pub(super) fn rates(body: &[u8], native: &str) -> Result<FeeRates, DecodeError> {
    let all: Commissions<'_> = json(body)?;
    let kinds = [&all.standard_commission, &all.special_commission, &all.tax_commission];
    let (mut maker, mut taker) = (Rate::ZERO, Rate::ZERO);
    for kind in kinds {
        let part = |text: Option<&str>| text.map_or(Ok(Rate::ZERO), |t| rate(native, "rate", t));
        let side = part(kind.buyer)?.max(part(kind.seller)?);
        maker.0 += part(kind.maker)?.0 + side.0;
        taker.0 += part(kind.taker)?.0 + side.0;
    }
    let on = all.discount.filter(|d| d.enabled_for_account && d.enabled_for_symbol);
    let asset = on.and_then(|d| d.discount_asset);
    let discounted_in = asset.map(|asset| currency(&asset)).transpose()?;
    Ok(FeeRates { maker, taker, discounted_in })
}

/// `canWithdraw` of the account says nothing of the key; this does.
pub(super) fn permissions() -> Option<Ask> {
    Some(Ask::get("/sapi/v1/account/apiRestrictions", 1))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Restrictions {
    ip_restrict: bool,
    enable_withdrawals: bool,
    enable_spot_and_margin_trading: bool,
    // Ways to move money to another account.
    #[serde(default)]
    enable_internal_transfer: bool,
    #[serde(default)]
    permits_universal_transfer: bool,
}

pub(super) fn permitted(body: &[u8]) -> Result<KeyPermissions, DecodeError> {
    let key: Restrictions = json(body)?;
    let moves = key.enable_internal_transfer || key.permits_universal_transfer;
    let names = [
        ("enableSpotAndMarginTrading", key.enable_spot_and_margin_trading),
        ("enableWithdrawals", key.enable_withdrawals),
        ("enableInternalTransfer", key.enable_internal_transfer),
        ("permitsUniversalTransfer", key.permits_universal_transfer),
    ];
    Ok(KeyPermissions::Known {
        can_trade: key.enable_spot_and_margin_trading,
        can_withdraw: key.enable_withdrawals || moves,
        is_ip_restricted: key.ip_restrict,
        names: names.iter().filter(|(_, on)| *on).map(|(n, _)| (*n).to_owned()).collect(),
    })
}

/// The exchange's time.
pub(super) fn time() -> Ask {
    Ask::get("/api/v3/time", 1).public()
}

pub(super) fn time_ms(body: &[u8]) -> Result<Option<i64>, DecodeError> {
    codec::binance::decode_time(body).map(Some)
}

/// Of the unfilled-order count: seconds of the window, and orders.
pub(super) fn order_limits(body: &[u8]) -> Result<Vec<(u64, u32)>, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Info<'a> {
        #[serde(borrow)]
        rate_limits: Vec<Limit<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Limit<'a> {
        #[serde(borrow)]
        rate_limit_type: Cow<'a, str>,
        #[serde(borrow)]
        interval: Cow<'a, str>,
        interval_num: u64,
        limit: u32,
    }
    let info: Info<'_> = json(body)?;
    let orders = info.rate_limits.iter().filter(|l| l.rate_limit_type == "ORDERS");
    let window = |l: &Limit<'_>| {
        let unit = match l.interval.as_ref() {
            "SECOND" => 1,
            "MINUTE" => 60,
            "HOUR" => 3_600,
            "DAY" => 86_400,
            _ => return None,
        };
        Some((unit * l.interval_num, l.limit))
    };
    Ok(orders.filter_map(window).collect())
}
