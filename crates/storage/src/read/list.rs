//! Lists page by page, newest first, by keyset: a page costs the same wherever it lies, and rows
//! that come meanwhile shift nothing.

use crate::cells::Cells;
use crate::read::{PAGE_ROWS_MAX, ReadPool, collect};
use crate::{StoreError, cells};
use domain::{AccountId, BotId, Timestamp};
use rusqlite::params_from_iter;
use rusqlite::types::Value;
use serde::Serialize;

/// Which part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most [`PAGE_ROWS_MAX`]; more is cut to it.
    pub limit: usize,
    /// `next` of the page before.
    pub after: Option<String>,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: 100, after: None }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paged<T> {
    /// Newest first.
    pub items: Vec<T>,
    /// Opaque; `None`: there is no more.
    pub next: Option<String>,
}

/// What a list is ordered by.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    /// A time column, then the id column.
    Time(&'static str, &'static str),
    /// The id column alone: rows are numbered as they come.
    Id(&'static str),
}

/// A list's conditions, with their values.
pub(crate) struct Query {
    sql: String,
    values: Vec<Value>,
}

impl Query {
    pub(crate) fn new(select: &str) -> Self {
        Self { sql: format!("{select} WHERE true"), values: Vec::new() }
    }

    /// Adds a condition with one `?` where there is a value.
    pub(crate) fn and(mut self, condition: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.sql.push_str(" AND ");
            self.sql.push_str(condition);
            self.values.push(value.into());
        }
        self
    }

    /// Adds a condition without a value.
    pub(crate) fn always(mut self, condition: &str) -> Self {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self
    }

    /// The scope. A bot's rows are fewer than its account's: `+` keeps SQLite, which knows no
    /// counts, from taking the account's index then.
    pub(crate) fn scope(self, account: Option<AccountId>, bot: Option<BotId>) -> Self {
        let column = if bot.is_some() { "+account_id = ?" } else { "account_id = ?" };
        self.and(column, account.map(|a| a.0)).and("bot_id = ?", bot.map(|b| b.0))
    }

    /// The scope where another condition leaves fewer rows than either.
    pub(crate) fn within(self, account: Option<AccountId>, bot: Option<BotId>) -> Self {
        self.and("+account_id = ?", account.map(|a| a.0)).and("+bot_id = ?", bot.map(|b| b.0))
    }

    pub(crate) fn between(
        self,
        column: &str,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Self {
        self.and(&format!("{column} >= ?"), from.map(|t| t.to_string()))
            .and(&format!("{column} < ?"), to.map(|t| t.to_string()))
    }

    fn after(self, order: Order, cursor: &str) -> Result<Self, StoreError> {
        let wrong = || StoreError::bad_cursor(cursor);
        let (time, id) = cursor.split_once('~').ok_or_else(wrong)?;
        let id: i64 = id.parse().map_err(|_| wrong())?;
        match order {
            Order::Id(column) if time.is_empty() => {
                Ok(self.and(&format!("{column} < ?"), Some(id)))
            }
            Order::Time(time_column, id_column) => {
                // As we write it, and nothing else: it is compared as text.
                let at = Timestamp::parse(time).filter(|at| at.to_string() == time);
                let at = at.ok_or_else(wrong)?.to_string();
                let mut next = self.and(&format!("({time_column}, {id_column}) < (?, "), Some(at));
                next.sql.push_str("?)");
                next.values.push(id.into());
                Ok(next)
            }
            Order::Id(_) => Err(wrong()),
        }
    }
}

impl ReadPool {
    /// One page of a list.
    pub(crate) fn list<T>(
        &self,
        query: Query,
        order: Order,
        page: &Page,
        read: impl Fn(&Cells<'_>) -> Result<T, StoreError>,
    ) -> Result<Paged<T>, StoreError> {
        let limit = page.limit.clamp(1, PAGE_ROWS_MAX);
        let mut query = match &page.after {
            Some(cursor) => query.after(order, cursor)?,
            None => query,
        };
        let by = match order {
            Order::Time(time, id) => format!("{time} DESC, {id} DESC"),
            Order::Id(id) => format!("{id} DESC"),
        };
        // One more than asked tells whether there is a next page.
        query.sql.push_str(&format!(" ORDER BY {by} LIMIT {}", limit + 1));
        let mut rows = self.with(|connection| {
            let values = params_from_iter(&query.values);
            collect(connection, &query.sql, values, |c| Ok((cursor(order, c)?, read(c)?)))
        })?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|(cursor, _)| cursor.clone());
        Ok(Paged { items: rows.into_iter().map(|(_, item)| item).collect(), next })
    }

    /// All rows of a query up to a limit, in the order of `by`.
    pub(crate) fn up_to<T>(
        &self,
        mut query: Query,
        by: &str,
        limit: usize,
        read: impl Fn(&Cells<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        query.sql.push_str(&format!(" ORDER BY {by} LIMIT {limit}"));
        self.with(|c| collect(c, &query.sql, params_from_iter(&query.values), read))
    }
}

fn cursor(order: Order, cells: &Cells<'_>) -> Result<String, StoreError> {
    match order {
        Order::Time(time, id) => Ok(format!("{}~{}", cells.str(time)?, cells.int(id)?)),
        Order::Id(id) => Ok(format!("~{}", cells.int(id)?)),
    }
}

/// A word of an enum as a value to compare with.
pub(crate) fn word(word: impl Serialize) -> Result<Value, StoreError> {
    match serde_json::to_value(word) {
        Ok(serde_json::Value::String(text)) => Ok(Value::Text(text)),
        _ => Err(cells::bad("filter", "no word")),
    }
}
