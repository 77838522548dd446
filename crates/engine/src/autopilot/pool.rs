//! Realised profit of one place: how much of it can move, and where it is.

use super::plan::{BotFacts, Place};
use super::record::{AutopilotAction, AutopilotKind, AutopilotPool};
use crate::command::ProfitShare;
use domain::{Amount, Currency, Exchange, Round};
use std::collections::BTreeMap;

/// Places of money that it moves: finer sums are no use to anybody.
pub(super) const PLACES: u8 = 8;

/// Money of one place while it is being spent.
pub(super) struct Pool {
    pub(super) view: AutopilotPool,
    pub(super) rate: Option<Amount>,
    pub(super) kept: Amount,
    /// Profit that can still move.
    pub(super) fresh: Amount,
    /// Where it is, most first.
    sources: Vec<ProfitShare>,
}

impl Pool {
    /// Of these bots; only those that are able can be taken from.
    pub(super) fn new(
        place: (Exchange, Currency),
        wallet: Place,
        managed: bool,
        bots: &[&BotFacts<'_>],
        able: impl Fn(&BotFacts<'_>) -> bool,
    ) -> Self {
        let profit: Amount = bots.iter().map(|b| b.untaken).sum();
        let able = bots.iter().filter(|b| able(b));
        let mut sources: Vec<ProfitShare> = able
            .map(|b| {
                let amount = round(b.untaken.min(b.free_cash).or_zero(), PLACES);
                ProfitShare { bot_id: b.id, amount }
            })
            .filter(|s| s.amount.is_positive())
            .collect();
        sources.sort_by(|a, b| b.amount.cmp(&a.amount).then(a.bot_id.cmp(&b.bot_id)));
        let there = sources.iter().map(|s| s.amount).sum();
        let fresh = round(profit.min(there).min(wallet.untaken).or_zero(), PLACES);
        let rate = wallet.rate;
        let in_reporting = rate.and_then(|r| profit.product(r, Round::Down)).map(|p| round(p, 2));
        let kept = if managed { wallet.kept } else { Amount::ZERO };
        let view = AutopilotPool {
            exchange: place.0,
            currency: place.1,
            managed,
            profit,
            movable: fresh,
            kept,
            earned: wallet.earned,
            taken: wallet.taken,
            in_reporting,
            waits_for: None,
        };
        Self { view, rate, kept, fresh, sources }
    }

    /// Takes so much out of the sources, most first.
    pub(super) fn draw(&mut self, needed: Amount) -> Vec<ProfitShare> {
        let (mut drawn, mut left) = (Vec::new(), needed);
        for source in &mut self.sources {
            let amount = source.amount.min(left);
            if amount.is_positive() {
                source.amount -= amount;
                left -= amount;
                drawn.push(ProfitShare { bot_id: source.bot_id, amount });
            }
        }
        self.fresh = (self.fresh - needed).or_zero();
        drawn
    }

    pub(super) fn figures<const N: usize>(
        &self,
        more: [(&str, String); N],
    ) -> BTreeMap<String, String> {
        let view = &self.view;
        let own = [
            ("profit", view.profit.to_string()),
            ("kept", view.kept.to_string()),
            ("earned", view.earned.to_string()),
            ("taken_before", view.taken.to_string()),
        ];
        own.into_iter().chain(more).map(|(k, v)| (k.to_owned(), v)).collect()
    }

    pub(super) fn action(&self, kind: AutopilotKind, reason: String) -> AutopilotAction {
        AutopilotAction {
            kind,
            bot_id: None,
            bot: None,
            exchange: self.view.exchange,
            currency: self.view.currency,
            amount: None,
            from: Vec::new(),
            to: Vec::new(),
            figures: BTreeMap::new(),
            reason,
            acts: self.view.managed,
        }
    }
}

/// Down to so many places.
pub(super) fn round(amount: Amount, places: u8) -> Amount {
    let unit = 10_i128.pow(12 - u32::from(places));
    Amount::from_atoms(amount.atoms().div_euclid(unit) * unit)
}
