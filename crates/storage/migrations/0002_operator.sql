-- The operator's kit: exchange keys, notifications, rates of the moment.

-- A key's secret is sealed with the master key, which is in no store: without it these rows are
-- noise. The seal covers account, exchange and version, so that a row moved elsewhere opens nowhere.
CREATE TABLE exchange_keys (
  account_id   INTEGER NOT NULL,
  exchange     TEXT NOT NULL CHECK (exchange IN ('binance', 'kucoin', 'luno')),
  version      INTEGER NOT NULL CHECK (version > 0),
  key_tail     TEXT NOT NULL CHECK (length(key_tail) <= 4),
  master_id    TEXT NOT NULL CHECK (length(master_id) = 16),
  nonce        BLOB NOT NULL CHECK (length(nonce) = 24),
  sealed       BLOB NOT NULL CHECK (length(sealed) > 16),
  can_trade    INTEGER CHECK (can_trade IN (0, 1)),
  can_withdraw INTEGER CHECK (can_withdraw IN (0, 1)),
  tested_at    TEXT CHECK (length(tested_at) = 27),
  attestation  TEXT,
  created_at   TEXT NOT NULL CHECK (length(created_at) = 27),
  created_by   TEXT NOT NULL,
  PRIMARY KEY (account_id, exchange)
) STRICT, WITHOUT ROWID;

-- Versions never come again, also not after a key was deleted.
CREATE TABLE exchange_key_versions (
  account_id INTEGER NOT NULL,
  exchange   TEXT NOT NULL,
  version    INTEGER NOT NULL CHECK (version > 0),
  PRIMARY KEY (account_id, exchange)
) STRICT, WITHOUT ROWID;

-- What people are told, and how far it got. `merge_key`: equal ones that wait are one.
CREATE TABLE notices (
  id         INTEGER NOT NULL PRIMARY KEY,
  account_id INTEGER,
  channel    TEXT NOT NULL CHECK (channel <> ''),
  kind       TEXT NOT NULL CHECK (kind <> ''),
  merge_key  TEXT NOT NULL,
  title      TEXT NOT NULL CHECK (title <> ''),
  body       TEXT NOT NULL,
  urgent     INTEGER NOT NULL CHECK (urgent IN (0, 1)),
  count      INTEGER NOT NULL CHECK (count > 0),
  state      TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
  attempts   INTEGER NOT NULL CHECK (attempts >= 0),
  error      TEXT,
  first_at   TEXT NOT NULL CHECK (length(first_at) = 27),
  last_at    TEXT NOT NULL CHECK (length(last_at) = 27),
  due_at     TEXT NOT NULL CHECK (length(due_at) = 27),
  ended_at   TEXT CHECK (length(ended_at) = 27)
) STRICT;
CREATE INDEX notices_due ON notices (due_at) WHERE state = 'waiting';
CREATE INDEX notices_merge ON notices (channel, merge_key);

-- What one unit was worth in the reporting currency, each minute that it was known: for the tax
-- office, which asks for the rate of each fill's moment and where it came from.
CREATE TABLE rates (
  currency  TEXT NOT NULL CHECK (currency <> ''),
  reporting TEXT NOT NULL CHECK (reporting <> ''),
  at        TEXT NOT NULL CHECK (length(at) = 27),
  rate      TEXT NOT NULL CHECK (rate GLOB '[0-9]*'),
  source    TEXT NOT NULL CHECK (source <> ''),
  age_s     INTEGER NOT NULL CHECK (age_s >= 0),
  PRIMARY KEY (currency, reporting, at)
) STRICT, WITHOUT ROWID;
