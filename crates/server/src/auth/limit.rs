//! Failed sign-ins, counted per address and name.

use crate::problem::Problem;
use axum::http::StatusCode;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a window before one has to wait.
const FAILURES_MAX: u32 = 10;
/// How long failures count.
const WINDOW: Duration = Duration::from_secs(300);
/// Pairs remembered; where it is full of fresh ones, new pairs wait: that is an attack.
const PAIRS_MAX: usize = 10_000;
/// The same per address alone, over all names.
const ADDRESS_FAILURES_MAX: u32 = 50;

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    since: Instant,
}

type Key = (IpAddr, Option<[u8; 32]>);

/// See the module.
#[derive(Default)]
pub(crate) struct LoginLimit {
    failures: Mutex<HashMap<Key, Failures>>,
}

impl LoginLimit {
    /// Refuses who has failed too often.
    pub(crate) fn check(&self, address: IpAddr, name: &str) -> Result<(), Problem> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if failures.len() >= PAIRS_MAX {
            failures.retain(|_, f| now - f.since < WINDOW);
        }
        let is_full = failures.len() >= PAIRS_MAX;
        let over = |key: Key, max: u32| {
            let found = failures.get(&key).filter(|f| now - f.since < WINDOW);
            found.filter(|f| f.count >= max).map(|f| WINDOW - (now - f.since))
        };
        let wait = over(pair(address, name), FAILURES_MAX)
            .or_else(|| over((address, None), ADDRESS_FAILURES_MAX))
            .or_else(|| is_full.then_some(WINDOW));
        wait.map_or(Ok(()), |wait| Err(too_many(wait)))
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, address: IpAddr, name: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for key in [pair(address, name), (address, None)] {
            let entry = failures.entry(key).or_insert(Failures { count: 0, since: now });
            if now - entry.since >= WINDOW {
                *entry = Failures { count: 0, since: now };
            }
            entry.count += 1;
        }
    }

    /// A success forgives the pair's failures.
    pub(crate) fn succeeded(&self, address: IpAddr, name: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&pair(address, name));
    }
}

/// Names are digested: a key is small however long a name a stranger sends.
fn pair(address: IpAddr, name: &str) -> Key {
    (address, Some(super::secret::digest(name)))
}

fn too_many(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    let detail = format!("too many failed sign-ins; try again in {seconds} s");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_SIGN_INS", detail)
        .with("retry_after_s", seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_of_a_pair_wait_and_other_names_do_not() {
        let limit = LoginLimit::default();
        let address = IpAddr::from([127, 0, 0, 1]);
        for _ in 0..FAILURES_MAX {
            assert!(limit.check(address, "ann").is_ok());
            limit.failed(address, "ann");
        }
        let problem = limit.check(address, "ann").unwrap_err();
        assert_eq!(problem.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(limit.check(address, "bob").is_ok());
        limit.succeeded(address, "ann");
        assert!(limit.check(address, "ann").is_ok());
    }

    #[test]
    fn an_address_that_tries_many_names_waits_too() {
        let limit = LoginLimit::default();
        let address = IpAddr::from([10, 0, 0, 1]);
        for n in 0..ADDRESS_FAILURES_MAX {
            limit.failed(address, &format!("name{n}"));
        }
        assert!(limit.check(address, "fresh").is_err());
        assert!(limit.check(IpAddr::from([10, 0, 0, 2]), "fresh").is_ok());
    }
}
