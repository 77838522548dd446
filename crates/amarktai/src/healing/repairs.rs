//! Repairs that others do by themselves, seen by their counters: a connection made again, a book
//! fetched again, a task of a connector, a slow subscriber cut off.

use super::{Journal, Repair};
use exchanges::ConnectorStatus;
use server::Part;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was done, by a connector's counters.
type Counted = (&'static str, fn(&ConnectorStatus) -> u64);

const COUNTED: [Counted; 3] = [
    ("reconnect", |status| status.counters.reconnects),
    ("fetch the book again", |status| status.counters.book_gaps),
    ("restart a task", |status| status.counters.restarts),
];

/// See the module.
pub(crate) struct Repairs {
    journal: Arc<Journal>,
    shed: Arc<AtomicU64>,
    seen: BTreeMap<(&'static str, &'static str), u64>,
}

impl Repairs {
    /// Nothing was seen yet.
    pub(crate) fn new(journal: Arc<Journal>, shed: Arc<AtomicU64>) -> Self {
        Self { journal, shed, seen: BTreeMap::new() }
    }

    /// Tells what was repaired since the last look.
    pub(crate) fn look(&mut self, connectors: &[ConnectorStatus]) {
        for connector in connectors {
            let name = connector.exchange.name();
            for (action, count) in COUNTED {
                if self.is_more((name, action), count(connector)) {
                    let repair = of_connector(connector, action);
                    self.journal.tell(repair);
                }
            }
        }
        if self.is_more(("realtime", "cut off"), self.shed.load(Ordering::Relaxed)) {
            self.journal.tell(Repair {
                part: "realtime".to_owned(),
                cause: "a subscriber did not read".to_owned(),
                action: "cut off",
                outcome: "it comes back with its last id".to_owned(),
            });
        }
    }

    /// For `/health`.
    pub(crate) fn part(&self) -> Part {
        self.journal.part()
    }

    /// The first look is where it begins.
    fn is_more(&mut self, key: (&'static str, &'static str), count: u64) -> bool {
        self.seen.insert(key, count).unwrap_or_default() < count
    }
}

fn of_connector(connector: &ConnectorStatus, action: &'static str) -> Repair {
    let lines = &connector.subscriptions;
    let fresh = lines.iter().filter(|line| line.feed.is_fresh()).count();
    let cause = match action {
        "reconnect" => connector.last_end.clone(),
        "fetch the book again" => Some("a break in a book's sequence".to_owned()),
        _ => None,
    };
    Repair {
        part: connector.exchange.name().to_owned(),
        cause: cause.unwrap_or_else(|| "it ended badly".to_owned()),
        action,
        outcome: format!("{fresh} of {} feeds fresh", lines.len()),
    }
}
