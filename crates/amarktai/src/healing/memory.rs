//! How much memory the process uses, and of how much.

use server::{Part, Status};
use std::fs;

/// Over this share of what there is the system may end us at any time: most needs a restart.
const SHARE_MAX_PERCENT: u64 = 80;
/// The system is short by itself below this.
const AVAILABLE_MIN_BYTES: u64 = 64 << 20;

/// As the system tells it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// Held by us.
    pub(super) resident: u64,
    /// The most that we may hold: the machine's, or our control group's.
    limit: Option<u64>,
    /// Free, or to be had.
    available: Option<u64>,
}

impl Memory {
    /// Of this moment.
    pub(super) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let group = fs::read_to_string("/sys/fs/cgroup/memory.max").unwrap_or_default();
        let (total, own) = (kilobytes(&machine, "MemTotal:"), group.trim().parse().ok());
        Self {
            resident: kilobytes(&status, "VmRSS:").unwrap_or_default(),
            limit: [total, own].into_iter().flatten().min(),
            available: kilobytes(&machine, "MemAvailable:"),
        }
    }

    /// For `/health`.
    pub(super) fn part(&self) -> Part {
        let megabytes = |bytes: u64| bytes / 1_000_000;
        let mut detail = format!("{} MB", megabytes(self.resident));
        if let Some(limit) = self.limit {
            detail.push_str(&format!(" of {} MB", megabytes(limit)));
        }
        let is_much =
            self.limit.is_some_and(|limit| self.resident > limit / 100 * SHARE_MAX_PERCENT);
        let is_short = self.available.is_some_and(|free| free < AVAILABLE_MIN_BYTES);
        if is_short {
            detail.push_str("; the machine is out of memory");
        }
        let status = if is_much || is_short { Status::Degraded } else { Status::Healthy };
        Part { status, detail }
    }
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number = line.trim().trim_end_matches("kB").trim();
    number.parse::<u64>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_large_a_share_or_an_exhausted_machine_degrades() {
        let table = [
            (70, Some(100), Some(90), Status::Healthy),
            (81, Some(100), Some(90), Status::Degraded),
            (10, Some(100), Some(1), Status::Degraded),
            (10, None, None, Status::Healthy),
        ];
        for (resident, limit, available, status) in table {
            let of = |megabytes: u64| megabytes << 20;
            let memory = Memory {
                resident: of(resident),
                limit: limit.map(of),
                available: available.map(of),
            };
            assert_eq!(memory.part().status, status, "{memory:?}");
        }
    }

    #[test]
    fn our_own_memory_is_read() {
        let memory = Memory::read();
        assert!(memory.resident > 100_000 && memory.resident < memory.limit.unwrap(), "{memory:?}");
    }
}
