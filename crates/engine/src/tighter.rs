//! An account's policy may only tighten the fleet's.

use crate::command::CommandError;
use domain::{Caps, Policy};

/// Refuses a policy that is looser anywhere, naming the first such limit.
pub(crate) fn check(fleet: &Policy, own: &Policy) -> Result<(), CommandError> {
    let looser = |key: &str, value: String, limit: String| CommandError::PolicyInvalid {
        key: key.to_owned(),
        value,
        allowed: format!("no looser than the fleet's {limit}"),
    };
    for ((limit, own), fleet) in Policy::LIMITS.iter().zip(own.values()).zip(fleet.values()) {
        if limit.is_looser(own, fleet) {
            return Err(looser(limit.key, own.to_string(), fleet.to_string()));
        }
    }
    let caps = |c: &Caps| [c.binance, c.kucoin, c.luno];
    for (key, limit, value) in [
        ("paper_bots_max", caps(&fleet.paper_bots_max), caps(&own.paper_bots_max)),
        ("live_bots_max", caps(&fleet.live_bots_max), caps(&own.live_bots_max)),
    ] {
        if value.iter().zip(limit).any(|(v, l)| *v > l) {
            return Err(looser(key, format!("{value:?}"), format!("{limit:?}")));
        }
    }
    Ok(())
}
