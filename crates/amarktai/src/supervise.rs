//! Looks at everything every few seconds: health, metrics, and the lines that operators search for.

use crate::core_loop::{Pulse, now};
use crate::disk::DiskWatch;
use crate::feeds::FeedsStatus;
use crate::healing::{Desk, Entries, Repairs, Vitals};
use crate::parts::Parts;
use crate::systemd::Manager;
use arc_swap::ArcSwap;
use engine::view::{FleetView, MarketView};
use exchanges::ConnectorStatus;
use server::operator::DiskForecast;
use server::{Core, FeedCheck, HealthReport, Part, RateUse, Status};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use storage::Store;
use tokio::sync::watch;

/// Health is looked at this often; a fault shows within five seconds, of which a connector takes
/// more than three to tell a silent connection from a quiet one.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A core that takes longer to answer is late, and health does not wait for it.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// The heartbeat is every tenth look.
const BEAT_EVERY: u32 = 10;
/// A core that did not turn for this long is hung.
const HUNG_AFTER_MS: i64 = 5_000;
/// An exchange's clock this far from ours makes times on fills doubtful.
const CLOCK_SKEW_MAX_MS: i64 = 1_000;
/// Under this the disk is nearly full: half a year of 40 bots is about 9 GB.
const DISK_FREE_MIN_BYTES: u64 = 1 << 30;
/// Below this somebody should make room while there is time.
const DISK_DAYS_MIN: f64 = 7.0;
/// Old events and refusals are dropped this often, in looks: about hourly.
const RETAIN_EVERY: u32 = 3_600;

/// What a supervisor needs.
pub struct Supervisor {
    /// Asks the engine.
    pub core: Core,
    /// Asks the store.
    pub store: Store,
    /// Asks the connectors.
    pub feeds: Arc<FeedsStatus>,
    /// Of the engine's thread.
    pub pulse: Arc<Pulse>,
    /// Where health is published.
    pub health: Arc<ArcSwap<HealthReport>>,
    /// `ENABLE_BODYGUARD`.
    pub is_bodyguard_on: bool,
    /// What other tasks look at.
    pub parts: Arc<Parts>,
    /// Hears that the core advances.
    pub manager: Arc<Manager>,
    /// How the tasks stand.
    pub(crate) desk: Arc<Desk>,
    /// The watches over ourselves.
    pub(crate) vitals: Vitals,
    /// What others repaired by themselves.
    pub(crate) repairs: Mutex<Repairs>,
    /// Whether restarts stopped entries.
    pub(crate) entries: Option<Arc<Entries>>,
}

impl Supervisor {
    /// Until told to stop.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut looks = 0u32;
        let disk = DiskWatch::new(self.store.health().db_bytes, self.age_days().await);
        let mut interval = tokio::time::interval(LOOK_EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let due = tokio::select! {
                () = crate::feeds::stopped(&mut stop) => return,
                due = interval.tick() => due,
            };
            let late = due.elapsed();
            let is_beat = looks.is_multiple_of(BEAT_EVERY);
            if is_beat {
                tracing::info!("Paper tick start");
            }
            let ask = self.core.query(|engine| (engine.fleet(), engine.markets()));
            let seen = tokio::time::timeout(ANSWER_MAX, ask).await;
            let (fleet, markets) = match &seen {
                Ok(Ok((fleet, markets))) => (Some(fleet), markets.as_slice()),
                Ok(Err(_)) | Err(_) => (None, [].as_slice()),
            };
            let report = self.report(fleet, markets, &disk, late);
            if report.parts.get("engine").is_some_and(|part| part.status == Status::Healthy) {
                self.manager.alive();
            }
            self.count(&report, fleet);
            if is_beat {
                beat(&report, fleet);
            }
            self.health.store(Arc::new(report));
            if looks % RETAIN_EVERY == RETAIN_EVERY - 1 {
                // What it could not drop now it drops the next time.
                let _ = self.store.retain(now());
            }
            looks = looks.wrapping_add(1);
        }
    }

    /// Since the first account was opened.
    async fn age_days(&self) -> Option<f64> {
        let accounts = self.core.query(|engine| engine.accounts()).await.ok()?;
        let opened = accounts.iter().map(|account| account.created_at).min()?;
        Some((now() - opened).0 as f64 / 86_400e9)
    }

    fn report(
        &self,
        fleet: Option<&FleetView>,
        markets: &[MarketView],
        disk: &DiskWatch,
        late: Duration,
    ) -> HealthReport {
        let store = self.store.health();
        let lag_ms = self.pulse.lag_ns.load(Ordering::Relaxed) / 1_000_000;
        let mut parts: BTreeMap<String, Part> = self.parts.all();
        parts.append(&mut self.vitals.look(&self.store, &store, late, lag_ms));
        parts.insert("tasks".to_owned(), self.desk.part());
        parts.insert("self_healing".to_owned(), self.look_at_repairs());
        if let Some(entries) = &self.entries {
            parts.insert("entries".to_owned(), entries.part());
        }
        let forecast = disk.forecast(&store);
        parts.insert("disk".to_owned(), disk_part(&forecast));
        parts.insert("engine".to_owned(), self.engine_part(fleet));
        parts.insert("clock".to_owned(), self.clock_part());
        parts.insert("exchanges".to_owned(), self.exchanges_part());
        parts.insert("bodyguard".to_owned(), bodyguard_part(self.is_bodyguard_on));
        let is_ready = store.failed.is_none() && fleet.is_some();
        HealthReport {
            parts,
            feeds: markets.iter().map(feed_check).collect(),
            is_ready,
            lag_ms: Some(lag_ms),
            last_commit_at: store.last_commit_at,
            disk: Some(forecast),
            looked_at: Some(Instant::now()),
            rates: self.feeds.connectors().iter().map(rate_use).collect(),
            is_live: fleet.is_some_and(|fleet| fleet.bots_live > 0),
        }
    }

    fn look_at_repairs(&self) -> Part {
        let mut repairs = self.repairs.lock().unwrap_or_else(PoisonError::into_inner);
        repairs.look(&self.feeds.connectors());
        repairs.part()
    }

    fn engine_part(&self, fleet: Option<&FleetView>) -> Part {
        let turned_at = self.pulse.turned_at_ns.load(Ordering::Relaxed);
        let idle_ms = (now().0 - turned_at) / 1_000_000;
        match fleet {
            None => part(Status::Unhealthy, "does not answer".to_owned()),
            Some(_) if idle_ms > HUNG_AFTER_MS => {
                part(Status::Unhealthy, format!("did not turn for {idle_ms} ms"))
            }
            Some(fleet) => {
                part(Status::Healthy, format!("{} bots, {} inputs", fleet.bots, fleet.inputs))
            }
        }
    }

    fn clock_part(&self) -> Part {
        let clocks = self.feeds.clocks();
        let worst = clocks.iter().map(|(exchange, (lower, upper))| {
            let off = risk::surely_off(domain::Span(*lower), domain::Span(*upper));
            (off.0 / 1_000_000, exchange)
        });
        match worst.max() {
            None => part(Status::Degraded, "no exchange's clock is known yet".to_owned()),
            Some((ms, exchange)) if ms > CLOCK_SKEW_MAX_MS => {
                part(Status::Degraded, format!("{ms} ms off {exchange}'s clock; check NTP"))
            }
            Some((ms, _)) => part(Status::Healthy, format!("at most {ms} ms off")),
        }
    }

    fn exchanges_part(&self) -> Part {
        let connectors = self.feeds.connectors();
        let fatal: Vec<String> = connectors
            .iter()
            .filter_map(|c| c.fatal.as_ref().map(|why| format!("{}: {why}", c.exchange)))
            .collect();
        let missing: Vec<String> = connectors.iter().filter_map(missing).collect();
        match (fatal.is_empty(), missing.is_empty()) {
            (false, _) => part(Status::Degraded, fatal.join("; ")),
            (true, false) => part(Status::Degraded, missing.join("; ")),
            (true, true) => part(Status::Healthy, format!("{} connected", connectors.len())),
        }
    }

    fn count(&self, report: &HealthReport, fleet: Option<&FleetView>) {
        let gauge = |name: &'static str, value: f64| metrics::gauge!(name).set(value);
        if let Some(fleet) = fleet {
            gauge("amarktai_bots_active", f64::from(fleet.bots_active));
            gauge("amarktai_bots_paused", f64::from(fleet.bots_paused));
            gauge("amarktai_feeds_fresh", f64::from(fleet.feeds_fresh));
            gauge("amarktai_feeds_stale", f64::from(fleet.feeds_stale));
            gauge("amarktai_trades_today", fleet.trades_today as f64);
            gauge("amarktai_open_orders", f64::from(fleet.open_orders));
            gauge("amarktai_open_positions", f64::from(fleet.open_positions));
            metrics::counter!("amarktai_inputs_total").absolute(fleet.inputs);
        }
        gauge("amarktai_core_lag_ms", report.lag_ms.unwrap_or_default() as f64);
        if let Some(disk) = &report.disk {
            gauge("amarktai_store_bytes", disk.store_bytes as f64);
            gauge("amarktai_disk_free_bytes", disk.free_bytes.unwrap_or_default() as f64);
            gauge("amarktai_disk_days_left", disk.days_left.unwrap_or_default());
        }
        gauge("amarktai_healthy", f64::from(u8::from(report.status() == Status::Healthy)));
        for connector in self.feeds.connectors() {
            let exchange = connector.exchange.name();
            let counters = &connector.counters;
            let refused: u64 = counters.refused.values().sum();
            for (what, value) in [
                ("frames", counters.frames),
                ("reconnects", counters.reconnects),
                ("refused_numbers", refused),
                ("book_gaps", counters.book_gaps),
                ("print_gaps", counters.print_gaps),
                ("rate_limited", counters.http_429),
            ] {
                metrics::counter!("amarktai_feed_total", "exchange" => exchange, "what" => what)
                    .absolute(value);
            }
        }
    }
}

fn part(status: Status, detail: String) -> Part {
    Part { status, detail }
}

/// What an exchange lacks: its instruments, the last refresh of them, or an answer.
fn missing(connector: &exchanges::ConnectorStatus) -> Option<String> {
    let exchange = connector.exchange;
    match (connector.instruments, &connector.unreachable, &connector.unanswered) {
        (0, None, _) => Some(format!("{exchange}: no instruments yet")),
        (0, Some(why), _) => Some(format!("{exchange}: no instruments yet: {why}")),
        (_, _, Some(why)) => Some(format!("{exchange}: no answer: {why}")),
        (_, Some(why), None) => Some(format!("{exchange}: instruments not refreshed: {why}")),
        (_, None, None) => None,
    }
}

fn rate_use(connector: &ConnectorStatus) -> RateUse {
    RateUse {
        exchange: connector.exchange.name().to_owned(),
        used: connector.weight_used,
        limit: connector.weight_limit,
        window_s: connector.window_s,
        refused: connector.counters.http_429,
        blocked: connector.fatal.clone(),
    }
}

fn disk_part(disk: &DiskForecast) -> Part {
    let megabytes = disk.store_bytes / 1_000_000;
    let Some(free) = disk.free_bytes else {
        return part(Status::Degraded, format!("{megabytes} MB used; free space unknown"));
    };
    let days = disk.days_left.unwrap_or_default();
    let text = format!(
        "{megabytes} MB used, {} MB free: full in {days:.0} days ({})",
        free / 1_000_000,
        disk.basis
    );
    let is_low = free < DISK_FREE_MIN_BYTES || days < DISK_DAYS_MIN;
    part(if is_low { Status::Degraded } else { Status::Healthy }, text)
}

fn bodyguard_part(is_on: bool) -> Part {
    match is_on {
        true => part(
            Status::Healthy,
            "drawdown, losses in a row, breakers of bot, account and fleet, anomaly tests"
                .to_owned(),
        ),
        false => part(Status::Degraded, "off by ENABLE_BODYGUARD: bots are unguarded".to_owned()),
    }
}

fn feed_check(market: &MarketView) -> FeedCheck {
    let reason = match &market.feed {
        domain::FeedState::Fresh => None,
        domain::FeedState::Stale(reason) | domain::FeedState::Resyncing(reason) => {
            Some(reason.clone())
        }
    };
    FeedCheck {
        exchange: market.exchange.to_string(),
        symbol: market.symbol.to_string(),
        state: market.feed.name().to_owned(),
        reason,
        grade: serde_json::to_value(market.grade)
            .ok()
            .and_then(|grade| grade.as_str().map(str::to_owned))
            .unwrap_or_default(),
        age_ms: market.age_ms,
    }
}

/// One line every ten seconds.
fn beat(report: &HealthReport, fleet: Option<&FleetView>) {
    let Some(fleet) = fleet else {
        return tracing::error!("heartbeat: the core does not answer");
    };
    tracing::info!("Bots scanned: {} active", fleet.bots_active);
    tracing::info!(
        active_bots = fleet.bots_active,
        feeds_fresh = fleet.feeds_fresh,
        feeds_stale = fleet.feeds_stale,
        trades_today = fleet.trades_today,
        lag_ms = report.lag_ms,
        last_commit_at = report.last_commit_at.map(|at| at.to_string()),
        status = ?report.status(),
        "heartbeat"
    );
    metrics::counter!("amarktai_heartbeats_total").increment(1);
}
