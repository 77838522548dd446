//! What each state of a bot lets through: a hold stops entries, never exits.

use domain::{Lifecycle, StopChoice};

/// The state of a bot as far as orders are concerned, worst first where several hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Archived; flat.
    Retired,
    /// Under the emergency stop.
    EmergencyStop(StopChoice),
    /// Ended by a person.
    Stopped(StopChoice),
    /// The feed is not fresh: nothing can be priced.
    Stale,
    /// A hold, a lost gate, or a flag off.
    Held,
    /// Nothing stands in the way.
    Active,
}

/// What one wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Open or add.
    Entry,
    /// Keep an entry order resting.
    RestingEntry,
    /// Sell because the strategy says so.
    StrategyExit,
    /// Stop, target, trail, time.
    ProtectiveExit,
    /// Sell because a person says so.
    Flatten,
}

/// What happens to a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Goes through.
    Yes,
    /// Does not.
    No,
    /// Remembered: fires once the feed is fresh.
    Armed,
}

impl Condition {
    /// The condition of a bot.
    pub fn of(
        lifecycle: Lifecycle,
        stop_choice: StopChoice,
        emergency_stop: Option<StopChoice>,
        is_held: bool,
        is_fresh: bool,
    ) -> Self {
        match (lifecycle, emergency_stop) {
            (Lifecycle::Retired, _) => Self::Retired,
            (_, Some(choice)) => Self::EmergencyStop(choice),
            (Lifecycle::Stopped, None) => Self::Stopped(stop_choice),
            (Lifecycle::Active, None) if !is_fresh => Self::Stale,
            (Lifecycle::Active, None) if is_held => Self::Held,
            (Lifecycle::Active, None) => Self::Active,
        }
    }
}

/// The table of behaviour.md. Whether the feed is fresh enough to price an exit is asked again
/// when it is sent: `Armed` and `Yes` differ in what is said, not in what is safe.
pub const fn permission(condition: Condition, wish: Wish) -> Permission {
    use Permission::{Armed, No, Yes};
    match (condition, wish) {
        (Condition::Retired, _) => No,
        (Condition::Active, _) | (_, Wish::Flatten) => Yes,
        (_, Wish::Entry | Wish::RestingEntry) => No,
        (Condition::Held, Wish::StrategyExit) => Yes,
        (_, Wish::StrategyExit) => No,
        (
            Condition::Held
            | Condition::Stale
            | Condition::EmergencyStop(_)
            | Condition::Stopped(_),
            Wish::ProtectiveExit,
        ) => Armed,
    }
}

/// Every cell, for the documentation and for the test that keeps it true.
pub fn table() -> Vec<(&'static str, [Permission; 5])> {
    let wishes =
        [Wish::Entry, Wish::RestingEntry, Wish::StrategyExit, Wish::ProtectiveExit, Wish::Flatten];
    let row = |condition| wishes.map(|wish| permission(condition, wish));
    vec![
        ("active", row(Condition::Active)),
        ("any hold, lost gate, flag off", row(Condition::Held)),
        ("stale feed", row(Condition::Stale)),
        ("emergency stop", row(Condition::EmergencyStop(StopChoice::KeepGuarding))),
        ("stopped", row(Condition::Stopped(StopChoice::KeepGuarding))),
        ("retired", row(Condition::Retired)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use Permission::{Armed, No, Yes};

    #[test]
    fn every_cell_is_as_documented() {
        let expected = [
            ("active", [Yes, Yes, Yes, Yes, Yes]),
            ("any hold, lost gate, flag off", [No, No, Yes, Armed, Yes]),
            ("stale feed", [No, No, No, Armed, Yes]),
            ("emergency stop", [No, No, No, Armed, Yes]),
            ("stopped", [No, No, No, Armed, Yes]),
            ("retired", [No, No, No, No, No]),
        ];
        assert_eq!(table(), expected);
    }

    #[test]
    fn emergency_stop_outranks_stopped_and_staleness_outranks_a_hold() {
        let of = |lifecycle, emergency| {
            Condition::of(lifecycle, StopChoice::KeepGuarding, emergency, true, false)
        };
        let emergency = Some(StopChoice::Sell);
        assert_eq!(of(Lifecycle::Stopped, emergency), Condition::EmergencyStop(StopChoice::Sell));
        assert_eq!(of(Lifecycle::Active, None), Condition::Stale);
        assert_eq!(of(Lifecycle::Retired, emergency), Condition::Retired);
    }
}
