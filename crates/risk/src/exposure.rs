//! How much of what is open lies in one asset and on one exchange, over a whole account.
//!
//! Pure: live refuses by it, paper is warned by it.

use domain::{Amount, Currency, Exchange, Policy, Refusal, Round};
use std::collections::BTreeMap;

/// A share of one asset means something once so many are in use; of two, one is always half.
pub const ASSETS_MIN: usize = 3;
/// The same of exchanges.
const EXCHANGES_MIN: usize = 2;

/// Open positions and buys of an account in one mode, valued in one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    assets: BTreeMap<Currency, Amount>,
    exchanges: BTreeMap<Exchange, Amount>,
    total: Amount,
}

/// What live checks need to know of the whole account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRisk {
    /// Without the order at hand.
    pub exposure: Exposure,
    /// What one unit of the order's quote is worth in the currency of `exposure`.
    pub quote_rate: Amount,
    /// Loss of the account's opening equity today, in percent.
    pub daily_loss_percent: Amount,
}

impl Exposure {
    /// Adds something that is or would be open.
    pub fn add(&mut self, asset: Currency, exchange: Exchange, value: Amount) {
        if value.is_positive() {
            *self.assets.entry(asset).or_default() += value;
            *self.exchanges.entry(exchange).or_default() += value;
            self.total += value;
        }
    }

    /// Share of an asset in percent; `None` where too few are in use to judge.
    pub fn asset_percent(&self, asset: Currency) -> Option<Amount> {
        let part = *self.assets.get(&asset)?;
        (self.assets.len() >= ASSETS_MIN).then(|| self.percent(part))
    }

    /// Share of an exchange in percent; `None` where too few are in use to judge.
    pub fn exchange_percent(&self, exchange: Exchange) -> Option<Amount> {
        let part = *self.exchanges.get(&exchange)?;
        (self.exchanges.len() >= EXCHANGES_MIN).then(|| self.percent(part))
    }

    /// Assets in which something is open.
    pub fn assets(&self) -> impl Iterator<Item = Currency> + '_ {
        self.assets.keys().copied()
    }

    fn percent(&self, part: Amount) -> Amount {
        let share = part.quotient(self.total, Round::Up).unwrap_or_default();
        share.product(Amount::from_int(100), Round::Up).unwrap_or_default()
    }

    /// Are the shares of this asset and this exchange inside the policy?
    ///
    /// # Errors
    /// The refusal with the share and its limit, the asset's first.
    pub fn check(
        &self,
        asset: Currency,
        exchange: Exchange,
        policy: &Policy,
    ) -> Result<(), Refusal> {
        let maximum_percent = policy.asset_exposure_max_percent;
        if let Some(share_percent) = self.asset_percent(asset).filter(|s| *s > maximum_percent) {
            return Err(Refusal::AssetExposure { asset, share_percent, maximum_percent });
        }
        let maximum_percent = policy.exchange_exposure_max_percent;
        match self.exchange_percent(exchange).filter(|s| *s > maximum_percent) {
            Some(share_percent) => {
                Err(Refusal::ExchangeExposure { exchange, share_percent, maximum_percent })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(parts: &[(&str, Exchange, i64)]) -> Exposure {
        let mut exposure = Exposure::default();
        for (asset, exchange, value) in parts {
            exposure.add(asset.parse().unwrap(), *exchange, Amount::from_int(*value));
        }
        exposure
    }

    fn judge(parts: &[(&str, Exchange, i64)]) -> Option<domain::RefusalCode> {
        let (asset, exchange, _) = parts[0];
        let checked = open(parts).check(asset.parse().unwrap(), exchange, &Policy::default());
        checked.err().map(|r| r.code())
    }

    #[test]
    fn shares_are_judged_once_there_are_enough_to_compare() {
        use Exchange::{Binance, Kucoin};
        use domain::RefusalCode::{AssetExposure, ExchangeExposure};
        let table: [(&[_], _); 6] = [
            (&[("BTC", Binance, 99)], None),
            (&[("BTC", Binance, 99), ("ETH", Binance, 1)], None),
            (&[("BTC", Binance, 35), ("ETH", Binance, 33), ("SOL", Binance, 32)], None),
            (
                &[("BTC", Binance, 36), ("ETH", Binance, 32), ("SOL", Binance, 32)],
                Some(AssetExposure),
            ),
            (&[("BTC", Binance, 60), ("BTC", Kucoin, 40)], None),
            (&[("BTC", Binance, 61), ("BTC", Kucoin, 39)], Some(ExchangeExposure)),
        ];
        for (parts, expected) in table {
            assert_eq!(judge(parts), expected, "{parts:?}");
        }
    }
}
