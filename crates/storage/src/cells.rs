//! Between our types and SQLite's cells, both ways, without a copy more than needed.

use crate::StoreError;
use domain::{Amount, Timestamp};
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Row, ToSql};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as WordError, StrDeserializer};
use std::fmt::Display;
use std::io::Write;
use std::str::FromStr;

/// What a row's texts are made with, kept from row to row.
#[derive(Default)]
pub(crate) struct Ink {
    pub(crate) buffer: Vec<u8>,
    /// Most rows of a batch are of the same moment, and name it twice.
    stamp: (Timestamp, String),
}

impl Ink {
    /// A moment's text.
    pub(crate) fn stamp(&mut self, at: Timestamp) -> &str {
        let (of, text) = &mut self.stamp;
        if *of != at || text.is_empty() {
            *of = at;
            text.clear();
            // Writing to a text cannot fail.
            let _ = std::fmt::Write::write_fmt(text, format_args!("{at}"));
        }
        text
    }
}

/// Binds the cells of one row in the order of its statement. The first error is kept and told by
/// [`Bind::run`], so that a row reads as a list.
pub(crate) struct Bind<'a, 'c> {
    statement: &'a mut CachedStatement<'c>,
    next: usize,
    ink: &'a mut Ink,
    result: rusqlite::Result<()>,
}

impl<'a, 'c> Bind<'a, 'c> {
    pub(crate) fn new(statement: &'a mut CachedStatement<'c>, ink: &'a mut Ink) -> Self {
        Self { statement, next: 0, ink, result: Ok(()) }
    }

    /// Binds what SQLite knows as it is.
    pub(crate) fn put(mut self, value: impl ToSql) -> Self {
        self.next += 1;
        if self.result.is_ok() {
            self.result = self.statement.raw_bind_parameter(self.next, value);
        }
        self
    }

    /// An id: SQLite's integers are signed, so the bits are kept and the sign is not meant.
    pub(crate) fn id(self, id: impl Into<u64>) -> Self {
        let bits = id.into() as i64;
        self.put(bits)
    }

    /// A moment.
    pub(crate) fn time(mut self, at: Timestamp) -> Self {
        self.next += 1;
        if self.result.is_ok() {
            let text = self.ink.stamp(at);
            self.result = self.statement.raw_bind_parameter(self.next, text);
        }
        self
    }

    /// A value by its text.
    pub(crate) fn shown(self, value: impl Display) -> Self {
        self.written(|buffer| write!(buffer, "{value}"))
    }

    pub(crate) fn shown_or_null(self, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.shown(value),
            None => self.put(rusqlite::types::Null),
        }
    }

    /// A word of an enum, as it is named outside.
    pub(crate) fn word(self, word: impl Serialize) -> Self {
        self.written(|buffer| {
            serde_json::to_writer(&mut *buffer, &word)?;
            let quoted = buffer.first() == Some(&b'"') && buffer.last() == Some(&b'"');
            if quoted {
                buffer.pop();
                buffer.remove(0);
            }
            Ok(())
        })
    }

    pub(crate) fn word_or_null(self, word: Option<impl Serialize>) -> Self {
        match word {
            Some(word) => self.word(word),
            None => self.put(rusqlite::types::Null),
        }
    }

    pub(crate) fn json(self, value: &impl Serialize) -> Self {
        self.written(|buffer| Ok(serde_json::to_writer(buffer, value)?))
    }

    fn written(mut self, write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Self {
        self.next += 1;
        if self.result.is_ok() {
            let buffer = &mut self.ink.buffer;
            buffer.clear();
            self.result = write(buffer)
                .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
                .and_then(|()| {
                    let text = std::str::from_utf8(&self.ink.buffer)?;
                    self.statement.raw_bind_parameter(self.next, text)
                });
        }
        self
    }

    /// Executes the statement; says how many rows changed.
    pub(crate) fn run(self) -> rusqlite::Result<usize> {
        self.result?;
        self.statement.raw_execute()
    }
}

/// Reads the cells of a row by name.
pub(crate) struct Cells<'r>(pub(crate) &'r Row<'r>);

impl Cells<'_> {
    pub(crate) fn is_null(&self, column: &'static str) -> Result<bool, StoreError> {
        Ok(self.0.get_ref(column)? == ValueRef::Null)
    }

    pub(crate) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        Ok(self.0.get(column)?)
    }

    /// An id: see [`Bind::id`].
    pub(crate) fn id(&self, column: &'static str) -> Result<u64, StoreError> {
        Ok(self.int(column)? as u64)
    }

    pub(crate) fn small(&self, column: &'static str) -> Result<u32, StoreError> {
        Ok(self.0.get(column)?)
    }

    pub(crate) fn flag(&self, column: &'static str) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }

    pub(crate) fn bytes<const N: usize>(
        &self,
        column: &'static str,
    ) -> Result<[u8; N], StoreError> {
        Ok(self.0.get(column)?)
    }

    pub(crate) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.str(column).map(str::to_owned)
    }

    pub(crate) fn str(&self, column: &'static str) -> Result<&str, StoreError> {
        self.0.get_ref(column)?.as_str().map_err(|_| bad(column, "no text"))
    }

    pub(crate) fn parsed<T: FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        let text = self.str(column)?;
        text.parse().map_err(|_| bad(column, text))
    }

    pub(crate) fn amount(&self, column: &'static str) -> Result<Amount, StoreError> {
        self.parsed(column)
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        let text = self.str(column)?;
        Timestamp::parse(text).ok_or_else(|| bad(column, text))
    }

    pub(crate) fn word<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        let text = self.str(column)?;
        let word = StrDeserializer::<WordError>::new(text);
        T::deserialize(word).map_err(|_| bad(column, text))
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        let text = self.str(column)?;
        serde_json::from_str(text).map_err(|_| bad(column, text))
    }

    /// `None` where the cell is null, otherwise what `read` makes of it.
    pub(crate) fn opt<T>(
        &self,
        column: &'static str,
        read: impl FnOnce(&Self, &'static str) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        if self.is_null(column)? { Ok(None) } else { read(self, column).map(Some) }
    }
}

pub(crate) fn bad(column: &'static str, value: &str) -> StoreError {
    StoreError::BadCell { column, value: value.chars().take(80).collect() }
}
