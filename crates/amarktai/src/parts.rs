//! Parts of health that other tasks than the supervisor look at.

use server::{Part, Status};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How each was last seen; the supervisor shows them with its own.
#[derive(Debug, Default)]
pub struct Parts(Mutex<BTreeMap<&'static str, Part>>);

impl Parts {
    /// Notes how a part is.
    pub fn set(&self, name: &'static str, status: Status, detail: impl Into<String>) {
        let part = Part { status, detail: detail.into() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, part);
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<String, Part> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().map(|(name, part)| ((*name).to_owned(), part.clone())).collect()
    }
}
