//! `[policy]`: every limit, with its unit in its name. Seeds version 1; afterwards the store wins.

use super::kind;
use super::reader::Reader;
use domain::{Caps, Exchange, Policy};

/// Most bots of one exchange; above it a shard is no longer one machine's work.
const BOTS_MAX: u32 = 100_000;

/// Reads every limit over its default.
pub(super) fn read(reader: &mut Reader) -> Policy {
    let mut policy = Policy::default();
    policy.paper_bots_max = caps(reader, "paper", policy.paper_bots_max);
    policy.live_bots_max = caps(reader, "live", policy.live_bots_max);
    for (at, (limit, default)) in Policy::LIMITS.iter().zip(policy.values()).enumerate() {
        let key = format!("policy.{}", limit.key);
        policy.set(at, reader.value(&key, limit.about, &kind::limit(limit), default));
    }
    policy
}

fn caps(reader: &mut Reader, mode: &str, default: Caps) -> Caps {
    let kind = kind::whole32("", 0, BOTS_MAX);
    let mut cap = |exchange: Exchange, default| {
        let key = format!("policy.{mode}_bots_max.{exchange}");
        reader.value(&key, "Most bots of an account on the exchange.", &kind, default)
    };
    Caps {
        binance: cap(Exchange::Binance, default.binance),
        kucoin: cap(Exchange::Kucoin, default.kucoin),
        luno: cap(Exchange::Luno, default.luno),
    }
}
