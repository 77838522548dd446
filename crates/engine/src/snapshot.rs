//! State rows: what must be stored with a transaction to go on after it.
//!
//! One row an entity, written whenever the entity changed in the batch. There is one way back in,
//! and a restart after a kill takes it like any other.

use crate::bot::Bot;
use crate::engine::{Engine, EngineConfig};
use crate::markets::Market;
use crate::output::{AccountRecord, StateRow};
use crate::pass::{Mark, Pass};
use crate::rates::Imported;
use crate::shard::{Shard, Stop};
use crate::watch::{Warned, WatchDay};
use domain::{Actor, Currency, InstrumentId, Policy, StopChoice, Timestamp};
use ledger::Ledger;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use simulator::Venue;
use std::collections::BTreeSet;

/// The store holds something that is not ours, or of another version.
#[derive(Debug, thiserror::Error)]
#[error("state row {key:?} cannot be read: {reason}")]
pub struct RestoreError {
    /// Which row.
    pub key: String,
    /// Why.
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
struct FleetState {
    policy: (u32, Policy),
    policy_versions: u32,
    stop: Option<Stop>,
    #[serde(default)]
    rates: Vec<((Currency, Currency), Imported)>,
    #[serde(default)]
    watch: WatchDay,
    #[serde(default)]
    live_day: WatchDay,
}

#[derive(Serialize, Deserialize)]
struct AccountState {
    record: AccountRecord,
    ledger: Ledger,
    policy: Option<(u32, Policy)>,
    stop: Option<Stop>,
    #[serde(default)]
    unstopped: Option<(StopChoice, Actor)>,
    trades_refused: u64,
    sampled_at: Timestamp,
    #[serde(default)]
    trades_today: (Timestamp, u64),
    #[serde(default)]
    watch: WatchDay,
    #[serde(default)]
    live_day: WatchDay,
    #[serde(default)]
    autopilot: crate::autopilot::Log,
    #[serde(default)]
    warned: BTreeSet<Warned>,
    /// What positions count at while there is no fresh price.
    #[serde(default)]
    marks: Vec<Mark>,
}

fn row(key: String, state: &impl Serialize) -> StateRow {
    // Plain structs of ours with text keys: nothing in them can fail to become JSON.
    let state = serde_json::to_string(state).expect("our own state becomes JSON");
    StateRow { key, state: Some(state) }
}

fn read<T: DeserializeOwned>(row: &StateRow) -> Result<T, RestoreError> {
    let text = row.state.as_deref().unwrap_or("null");
    serde_json::from_str(text)
        .map_err(|e| RestoreError { key: row.key.clone(), reason: e.to_string() })
}

impl Engine {
    /// Rows of everything that changed since the last call.
    pub fn take_dirty(&mut self) -> Vec<StateRow> {
        let mut rows = Vec::new();
        if std::mem::take(&mut self.is_dirty) {
            let fleet = FleetState {
                policy: self.policy.clone(),
                policy_versions: self.policy_versions,
                stop: self.fleet_stop.clone(),
                watch: self.fleet_watch.day.clone(),
                live_day: self.fleet_watch.live_day.clone(),
                rates: self.markets.imported.clone().into_iter().collect(),
            };
            rows.push(row("fleet".to_owned(), &fleet));
        }
        let mut touched: Vec<usize> = Vec::new();
        for shard in &mut self.shards {
            take_account(shard, &mut rows, &mut touched);
        }
        for (at, market) in self.markets.all.iter_mut().enumerate() {
            // The last print is where a restart goes on from.
            if std::mem::take(&mut market.is_dirty) || touched.contains(&at) {
                rows.push(row(format!("market-{at:06}"), market));
            }
        }
        rows
    }

    /// Every market's row, so that cursors and open bars survive quiet times: called now and then.
    pub fn touch_markets(&mut self) {
        for market in &mut self.markets.all {
            market.is_dirty |= market.last_event_at.is_some();
        }
    }

    /// The engine as its rows say; nothing is fresh until a feed says so.
    ///
    /// # Errors
    /// Names the row that cannot be read.
    pub fn restore(config: EngineConfig, mut rows: Vec<StateRow>) -> Result<Self, RestoreError> {
        let mut engine = Self::new(config);
        // Keys sort in the order in which they need each other.
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        for row in &rows {
            let kind = row.key.split('-').next().unwrap_or_default();
            match kind {
                "account" => engine.restore_account(row)?,
                "bot" => engine.restore_bot(row)?,
                "fleet" => {
                    let fleet: FleetState = read(row)?;
                    engine.policy = fleet.policy;
                    engine.policy_versions = fleet.policy_versions;
                    engine.fleet_stop = fleet.stop;
                    engine.fleet_watch.day = fleet.watch;
                    engine.fleet_watch.live_day = fleet.live_day;
                    engine.markets.imported = fleet.rates.into_iter().collect();
                }
                "market" => engine.markets.all.push(read::<Market>(row)?),
                "venue" => engine.restore_venue(row)?,
                _ => {
                    let reason = "no such kind of row".to_owned();
                    return Err(RestoreError { key: row.key.clone(), reason });
                }
            }
        }
        for market in &mut engine.markets.all {
            for series in &mut market.series {
                series.reawait();
            }
        }
        engine.is_dirty = false;
        Ok(engine)
    }

    fn restore_account(&mut self, row: &StateRow) -> Result<(), RestoreError> {
        let state: AccountState = read(row)?;
        let mut shard = Shard::new(state.record);
        shard.ledger = state.ledger;
        shard.policy = state.policy;
        shard.stop = state.stop;
        shard.unstopped = state.unstopped;
        shard.trades_refused = state.trades_refused;
        shard.sampled_at = state.sampled_at;
        shard.trades_today = state.trades_today;
        shard.watch = state.watch;
        shard.live_day = state.live_day;
        shard.autopilot = state.autopilot;
        shard.warned = state.warned;
        shard.pass = Pass::restored(state.marks);
        shard.is_dirty = false;
        self.shards.push(shard);
        Ok(())
    }

    fn restore_bot(&mut self, row: &StateRow) -> Result<(), RestoreError> {
        let bot: Bot = read(row)?;
        let account = self.account_index(bot.record.account_id).ok_or_else(|| RestoreError {
            key: row.key.clone(),
            reason: "its account is missing".to_owned(),
        })?;
        let shard = &mut self.shards[account];
        shard.slots.insert(bot.record.id, shard.bots.len() as u32);
        if bot.live.is_some() {
            shard.live.insert(shard.bots.len() as u32);
        }
        shard.bots.push(bot);
        Ok(())
    }

    fn restore_venue(&mut self, row: &StateRow) -> Result<(), RestoreError> {
        let mut parts = row.key.split('-').skip(1).map(str::parse::<u32>);
        let (Some(Ok(account)), Some(Ok(instrument))) = (parts.next(), parts.next()) else {
            let reason = "its key is not venue-ACCOUNT-INSTRUMENT".to_owned();
            return Err(RestoreError { key: row.key.clone(), reason });
        };
        let venue: Venue = read(row)?;
        if let Some(at) = self.account_index(domain::AccountId(account)) {
            self.shards[at].interest(InstrumentId(instrument)).venue = venue;
        }
        Ok(())
    }
}

fn take_account(shard: &mut Shard, rows: &mut Vec<StateRow>, touched: &mut Vec<usize>) {
    let id = shard.record.id;
    if std::mem::take(&mut shard.is_dirty) {
        let state = AccountState {
            record: shard.record.clone(),
            ledger: shard.ledger.clone(),
            policy: shard.policy.clone(),
            stop: shard.stop.clone(),
            unstopped: shard.unstopped.clone(),
            trades_refused: shard.trades_refused,
            sampled_at: shard.sampled_at,
            trades_today: shard.trades_today,
            watch: shard.watch.clone(),
            live_day: shard.live_day.clone(),
            autopilot: shard.autopilot.clone(),
            warned: shard.warned.clone(),
            marks: shard.pass.marks(),
        };
        rows.push(row(format!("account-{:06}", id.0), &state));
    }
    let mut dirty = std::mem::take(&mut shard.dirty_bots);
    dirty.sort_unstable();
    dirty.dedup();
    for slot in dirty {
        let high = shard.bots[slot as usize].fixed.instrument.and_then(|instrument| {
            touched.push(instrument.0 as usize);
            shard.triggers(instrument)?.high(slot)
        });
        let bot = &mut shard.bots[slot as usize];
        bot.high = high.or(bot.high);
        bot.is_dirty = false;
        rows.push(row(format!("bot-{:08}", bot.record.id.0), bot));
    }
    for (at, interest) in shard.interests.iter_mut().enumerate() {
        if let Some(interest) = interest.as_mut().filter(|i| i.venue_dirty) {
            interest.venue_dirty = false;
            rows.push(row(format!("venue-{:06}-{at:06}", id.0), &interest.venue));
        }
    }
}
