//! In what the exchanges charge, as their instrument lists say it.
#![allow(clippy::unwrap_used)] // a test that unwraps nothing has failed

use domain::{Rate, Side};
use exchanges::codec::kucoin;

#[test]
fn kucoins_fee_is_in_the_currency_that_it_names_or_its_value_in_quote() {
    let schedule = |fee_currency: &str, coefficient: &str| {
        let body = format!(
            r#"{{"code":"200000","data":[{{"symbol":"ABC-USDT","baseCurrency":"ABC","quoteCurrency":"USDT",
            "feeCurrency":"{fee_currency}","baseMinSize":"0.1","baseMaxSize":"1000","baseIncrement":"0.1",
            "priceIncrement":"0.01","quoteIncrement":"0.0001","enableTrading":true,"feeCategory":2,
            "makerFeeCoefficient":"{coefficient}","takerFeeCoefficient":"1.00"}}]}}"#
        );
        kucoin::decode_symbols(body.as_bytes()).unwrap().instruments.remove(0)
    };
    let quote = schedule("USDT", "1.00");
    assert_eq!(quote.fee_currency(Side::Buy), quote.symbol.quote);
    assert_eq!(quote.fees.source, "KuCoin class B VIP 0, charged in USDT, 2026-11-22");
    let base = schedule("ABC", "1.00");
    assert_eq!(base.fee_currency(Side::Buy), base.symbol.base);
    assert_eq!(base.fee_currency(Side::Sell), base.symbol.quote);
    let third = schedule("KCS", "0");
    assert_eq!((third.fees.maker, third.fees.taker), (Rate::ZERO, Rate::from_bp(20)));
    assert_eq!(third.fee_currency(Side::Buy), third.symbol.quote);
    assert!(third.fees.source.contains("in KCS (here: the same value in USDT)"));
}
