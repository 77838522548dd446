//! Transactions, migrations, outbox: SQLite.
