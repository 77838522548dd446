//! The operator's kit of a running server: vault, backups, notifications, rates of the moment.

use crate::backups::Keeper;
use crate::config::Config;
use crate::core_loop::now;
use crate::healing::Tasks;
use crate::live::{ExchangeKeyTester, Places};
use crate::notify::Notices;
use crate::parts::Parts;
use crate::run::RunError;
use crate::vault::Vault;
use domain::Mode;
use server::operator::{KeyVault, VaultError};
use server::{AppState, Core, Status};
use std::sync::Arc;
use std::time::Duration;
use storage::{ControlWrite, RateRow, ReadPool, Store};
use tokio::sync::watch;

/// Rates are kept this often: the tax office asks for the moment's, and a minute is one.
const RATES_EVERY: Duration = Duration::from_secs(60);
/// Health tells of a key within this, as of everything else.
const KEYS_EVERY: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct Kit {
    pub(crate) parts: Arc<Parts>,
    pub(crate) vault: Arc<dyn KeyVault>,
    keeper: Arc<Keeper>,
    notices: Arc<Notices>,
    core: Core,
    store: Store,
}

impl Kit {
    /// Of this configuration, and put into the server's state.
    ///
    /// # Errors
    /// A channel that cannot be used.
    pub(crate) fn new(config: &Config, state: &mut AppState) -> Result<Self, RunError> {
        let parts = Arc::new(Parts::default());
        let (core, store) = (state.core.clone(), state.store.clone());
        let notices =
            Notices::new(config, store.clone(), core.clone(), state.health.clone(), parts.clone())
                .map_err(|reason| RunError::SelfTest { part: "notifications", reason })?;
        let keeper = Keeper::new(config, store.reader(), parts.clone());
        let tester = ExchangeKeyTester(Places::of(config));
        let vault = Arc::new(Vault::new(config, Some(Arc::new(tester))));
        look_at_keys(&*vault, &store.reader(), &parts);
        state.vault = Some(vault.clone());
        state.backups = Some(keeper.clone());
        state.notifier = Some(notices.clone());
        Ok(Self { parts, vault, keeper, notices, core, store })
    }

    /// Starts what goes on by itself.
    pub(crate) fn spawn(self, tasks: &mut Tasks) {
        let Self { keeper, notices, core, store, vault, parts } = self;
        let reader = store.reader();
        tasks.spawn("keys", move |stop| {
            watch_keys(vault.clone(), reader.clone(), parts.clone(), stop)
        });
        tasks.spawn("backups", move |stop| keeper.clone().run(stop));
        tasks.spawn("notifications", move |stop| notices.clone().run(stop));
        tasks.spawn("rates", move |stop| keep_rates(core.clone(), store.clone(), stop));
    }
}

/// Opens each key once: a master key that is missing or another one is told at the start, and a
/// rotation that was cut off is brought to its end before any new key is sealed.
fn look_at_keys(vault: &dyn KeyVault, reader: &ReadPool, parts: &Parts) {
    let rows = match reader.exchange_keys(None) {
        Ok(rows) => rows,
        Err(error) => return parts.set("keys", Status::Degraded, error.to_string()),
    };
    let failed: Vec<VaultError> = rows.iter().filter_map(|row| vault.open(row).err()).collect();
    match failed.first() {
        None => parts.set("keys", Status::Healthy, format!("{} stored, all open", rows.len())),
        Some(error) => {
            let detail = format!("{} of {} do not open: {error}", failed.len(), rows.len());
            parts.set("keys", Status::Degraded, detail);
        }
    }
}

/// Keys come and go while the program runs.
async fn watch_keys(
    vault: Arc<dyn KeyVault>,
    reader: ReadPool,
    parts: Arc<Parts>,
    mut stop: watch::Receiver<bool>,
) {
    let mut interval = tokio::time::interval(KEYS_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = crate::feeds::stopped(&mut stop) => return,
            _ = interval.tick() => look_at_keys(&*vault, &reader, &parts),
        }
    }
}

/// What one unit of each currency is worth in each account's reporting currency.
async fn keep_rates(core: Core, store: Store, mut stop: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(RATES_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = crate::feeds::stopped(&mut stop) => return,
            _ = interval.tick() => {}
        }
        let portfolios = core.query(|engine| {
            let accounts = engine.accounts().into_iter();
            let both = accounts.flat_map(|account| {
                [Mode::Paper, Mode::Live].map(|mode| engine.portfolio(account.id, mode))
            });
            both.flatten().collect::<Vec<_>>()
        });
        let at = now();
        let mut rates = Vec::new();
        for portfolio in portfolios.await.unwrap_or_default() {
            let reporting = portfolio.reporting_currency;
            for one in portfolio.currencies.into_iter().filter(|one| one.currency != reporting) {
                let (Some(rate), Some(source)) = (one.rate, one.rate_source) else { continue };
                let (currency, age_s) = (one.currency, one.rate_age_s.unwrap_or_default());
                rates.push(RateRow { currency, reporting, at, rate, source, age_s });
            }
        }
        if !rates.is_empty() {
            // Not waited for: the next minute keeps the next one.
            let _ = store.control(ControlWrite::Rates(rates));
        }
    }
}
