//! Faults on order, for tests of the built program. A release binary has none of it.
//!
//! Where a debug build finds `TEST_FAULTS_OF_AMARKTAI` it looks into that directory: while a file
//! `stall` is there the engine's thread stands still, and a file `panic-NAME` makes that task panic
//! once. The name is none of the configuration's: those are checked against its list.

#[cfg(debug_assertions)]
mod here {
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::time::Duration;

    const LOOK_EVERY: Duration = Duration::from_millis(50);

    fn directory() -> Option<&'static PathBuf> {
        static DIRECTORY: OnceLock<Option<PathBuf>> = OnceLock::new();
        DIRECTORY
            .get_or_init(|| std::env::var_os("TEST_FAULTS_OF_AMARKTAI").map(PathBuf::from))
            .as_ref()
    }

    pub(crate) fn stall() {
        let Some(file) = directory().map(|dir| dir.join("stall")) else { return };
        while file.exists() {
            std::thread::sleep(LOOK_EVERY);
        }
    }

    pub(crate) async fn panic(task: &'static str) {
        let Some(dir) = directory() else { return std::future::pending().await };
        let file = dir.join(format!("panic-{task}"));
        while std::fs::remove_file(&file).is_err() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("a test asked for it");
    }
}

#[cfg(not(debug_assertions))]
mod here {
    pub(crate) const fn stall() {}

    pub(crate) async fn panic(_task: &'static str) {
        std::future::pending().await
    }
}

pub(crate) use here::{panic, stall};
