//! Real orders of a running server: one desk for each account's key at an exchange.
//!
//! The core decides and keeps the books. A desk sends what the core approved once its intent is
//! stored, listens, asks, and tells the core what it learnt. Keys are looked at now and then: one
//! that was replaced or removed ends its desk, and the core hears that there is none.

mod desk;
mod reconcile;
mod report;
mod tester;

pub(crate) use tester::ExchangeKeyTester;

use crate::config::Config;
use crate::core_loop::now;
use crate::emergency::Emergency;
use crate::feeds::FeedsStatus;
use desk::{Desk, Post};
use domain::{AccountId, Exchange};
use engine::{Input, InputKind, LiveAction, LiveNews, LiveReport, News};
use exchanges::live::{ClientIds, Credentials, LiveConfig, default_live_urls};
use risk::{KeyState, WireGate};
use server::Core;
use server::operator::{KeySecret, KeyVault};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use storage::{KeyRow, ReadPool};
use tokio::sync::{mpsc, watch};

/// Between two looks at the stored keys.
const KEYS_EVERY: Duration = Duration::from_secs(5);
/// Actions that wait for a desk: far more than an exchange takes in a minute.
const ACTIONS_MAX: usize = 4_096;

/// See the module.
pub(crate) struct Desks {
    pub(crate) places: Places,
    pub(crate) vault: Arc<dyn KeyVault>,
    pub(crate) reader: ReadPool,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) core: Core,
    pub(crate) emergency: Arc<Emergency>,
    pub(crate) feeds: Arc<FeedsStatus>,
    desks: HashMap<(AccountId, Exchange), Running>,
    /// What the core heard of each key: an open desk asks for itself, and knows better.
    told: HashMap<(AccountId, Exchange), (u64, KeyState)>,
    /// Why a key could not be used last: said once, tried again.
    failed: Option<String>,
}

/// Where each exchange's private side is.
#[derive(Clone, Debug)]
pub(crate) struct Places([(String, String); 3]);

struct Running {
    actions: mpsc::Sender<LiveAction>,
    task: tokio::task::JoinHandle<()>,
}

impl Places {
    /// Where the configuration says; where it says nothing of its own, the exchange's hosts for keys.
    pub(crate) fn of(config: &Config) -> Self {
        Self(Exchange::ALL.map(|exchange| {
            let of = config.exchanges.get(exchange);
            let (public, private) =
                (exchanges::default_urls(exchange), default_live_urls(exchange));
            let own = |set: &str, public: &str, private: &str| {
                if set == public { private.to_owned() } else { set.to_owned() }
            };
            (own(&of.rest_url, public.0, private.0), own(&of.stream_url, public.1, private.1))
        }))
    }

    /// What a client of this key is told.
    pub(crate) fn config(
        &self,
        exchange: Exchange,
        secret: KeySecret,
        ids: ClientIds,
    ) -> Result<LiveConfig, String> {
        let KeySecret { key, secret, passphrase } = secret;
        let key = Credentials::new(exchange, key, secret, passphrase).map_err(|e| e.to_string())?;
        let mut config = LiveConfig::new(exchange, key, ids);
        (config.rest_url, config.stream_url) = self.0[exchange as usize].clone();
        Ok(config)
    }
}

impl Desks {
    pub(crate) fn new(
        config: &Config,
        vault: Arc<dyn KeyVault>,
        reader: ReadPool,
        inputs: mpsc::Sender<Input>,
        core: Core,
        emergency: Arc<Emergency>,
        feeds: Arc<FeedsStatus>,
    ) -> Self {
        let (places, desks, told) = (Places::of(config), HashMap::new(), HashMap::new());
        Self { places, vault, reader, inputs, core, emergency, feeds, desks, told, failed: None }
    }

    /// Until told to stop; orders on their way are then unknown, and asked about at the next start.
    pub(crate) async fn run(
        mut self,
        mut actions: mpsc::UnboundedReceiver<LiveAction>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut keys = tokio::time::interval(KEYS_EVERY);
        keys.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = crate::feeds::stopped(&mut stop) => break,
                Some(action) = actions.recv() => self.hand_over(action).await,
                _ = keys.tick() => self.look_at_keys().await,
            }
        }
        for running in self.desks.into_values() {
            running.task.abort();
        }
    }

    async fn hand_over(&self, action: LiveAction) {
        let place = match &action {
            LiveAction::Place { exchange, order, .. } => (order.intent().account, *exchange),
            LiveAction::Cancel { account, exchange, .. } => (*account, *exchange),
        };
        let refused = match self.desks.get(&place) {
            Some(running) => running.actions.try_send(action).err().map(|e| e.into_inner()),
            None => Some(action),
        };
        if let Some(LiveAction::Place { order, .. }) = refused {
            let (code, text) = ("NO_DESK".to_owned(), "no key is in use there".to_owned());
            let news = News::Order(order.intent().id, LiveReport::Refused { code, text });
            tell(&self.inputs, place, news).await;
        }
    }

    async fn look_at_keys(&mut self) {
        let rows = match self.reader.exchange_keys(None) {
            Ok(rows) => rows,
            Err(error) => return tracing::warn!(%error, "keys cannot be read"),
        };
        let is_there = |place: &(AccountId, Exchange), version: u64| {
            rows.iter().any(|r| (r.account_id, r.exchange) == *place && r.version == version)
        };
        let gone: Vec<_> =
            self.told.iter().filter(|(p, t)| !is_there(p, t.0)).map(|(p, _)| *p).collect();
        for place in gone {
            self.told.remove(&place);
            self.close(place, "no key").await;
            tell(&self.inputs, place, News::Key(KeyState::Absent)).await;
        }
        for row in rows {
            let place = (row.account_id, row.exchange);
            let state = state_of(&row);
            if self.told.insert(place, (row.version, state)) != Some((row.version, state)) {
                tell(&self.inputs, place, News::Key(state)).await;
            }
            let is_usable = matches!(state, KeyState::Good | KeyState::Attested);
            if !is_usable || self.desks.get(&place).is_some_and(|r| r.task.is_finished()) {
                self.close(place, "the key is not in use").await;
            }
            if is_usable && !self.desks.contains_key(&place) {
                self.open(place, &row).await;
            }
        }
        self.share_limits();
    }

    /// Keys and market data ask from one address.
    fn share_limits(&self) {
        for exchange in Exchange::ALL {
            let keys = self.desks.keys().filter(|(_, at)| *at == exchange).count();
            if let Some(connector) = self.feeds.connector(exchange) {
                connector.share_with(keys as u32);
            }
        }
    }

    async fn close(&mut self, place: (AccountId, Exchange), why: &str) {
        if let Some(running) = self.desks.remove(&place) {
            running.task.abort();
            tracing::warn!(account = %place.0, exchange = %place.1, why, "exchange account closed");
            tell(&self.inputs, place, News::Down(Some(why.to_owned()))).await;
        }
    }

    async fn open(&mut self, place: (AccountId, Exchange), row: &KeyRow) {
        let opened = self.desk(place, row).await;
        let (account, exchange) = place;
        match opened {
            Ok(desk) => {
                let (actions, taken) = mpsc::channel(ACTIONS_MAX);
                let task = tokio::spawn(desk.run(taken));
                self.desks.insert(place, Running { actions, task });
                tracing::info!(%account, %exchange, "exchange account in use");
            }
            Err(error) if self.failed.as_ref() == Some(&error) => {}
            Err(error) => {
                tracing::error!(%account, %exchange, error, "exchange account cannot be used");
                tell(&self.inputs, place, News::Down(Some(error.clone()))).await;
                self.failed = Some(error);
            }
        }
    }

    async fn desk(&self, place: (AccountId, Exchange), row: &KeyRow) -> Result<Desk, String> {
        let secret = self.vault.open(row).map_err(|e| e.to_string())?;
        let tag = self.reader.meta("installation").map_err(|e| e.to_string())?;
        let tag = tag.ok_or("the store has no tag for order ids")?;
        let ids = ClientIds::new(&tag).map_err(|e| e.to_string())?;
        let config = self.places.config(place.1, secret, ids)?;
        let fleet = self.emergency.latch(None);
        let gate = WireGate::new(fleet, self.emergency.latch(Some(place.0)));
        let post = Post { place, inputs: self.inputs.clone(), core: self.core.clone() };
        Desk::new(post, config, gate).map_err(|e| e.to_string())
    }
}

/// As far as the last test and its owner's word go.
fn state_of(row: &KeyRow) -> KeyState {
    let is_attested = row.attestation.as_ref().is_some_and(|word| word.cannot_withdraw);
    let permissions = row.permissions;
    match (permissions.can_trade, permissions.can_withdraw) {
        (_, Some(true)) => KeyState::CanWithdraw,
        _ if row.tested_at.is_none() => KeyState::Untested,
        (Some(false), _) => KeyState::CannotTrade,
        (_, Some(false)) => KeyState::Good,
        (_, None) if is_attested => KeyState::Attested,
        (_, None) => KeyState::Untested,
    }
}

/// News wait for room in the queue: none is dropped.
async fn tell(inputs: &mpsc::Sender<Input>, place: (AccountId, Exchange), news: News) {
    let (account, exchange) = place;
    let kind = InputKind::Live(Box::new(LiveNews { account, exchange, news }));
    // A core that is gone asks anew at its next start.
    let _ = inputs.send(Input { at: now(), kind }).await;
}
