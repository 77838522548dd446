-- Decimals are canonical text (twelve places at most), times RFC 3339 UTC with six digits, so that
-- `order by` sorts them. Ids of orders, trades and fills are bot << 32 | the bot's how many-th.

CREATE TABLE meta (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE states (
  key   TEXT NOT NULL PRIMARY KEY,
  state TEXT NOT NULL
) STRICT;

CREATE TABLE cursors (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
  id                 INTEGER NOT NULL PRIMARY KEY,
  name               TEXT NOT NULL UNIQUE CHECK (name <> ''),
  reporting_currency TEXT NOT NULL CHECK (reporting_currency <> ''),
  season             INTEGER NOT NULL,
  created_at         TEXT NOT NULL CHECK (length(created_at) = 27)
) STRICT;

CREATE TABLE bots (
  id         INTEGER NOT NULL PRIMARY KEY,
  account_id INTEGER NOT NULL,
  name       TEXT NOT NULL CHECK (name <> ''),
  exchange   TEXT NOT NULL,
  symbol     TEXT NOT NULL CHECK (symbol LIKE '_%/_%'),
  strategy   TEXT NOT NULL CHECK (strategy <> ''),
  params     TEXT NOT NULL,
  timeframe  TEXT NOT NULL,
  risk_mode  TEXT NOT NULL CHECK (risk_mode IN ('safe', 'balanced', 'risky', 'aggressive')),
  capital    TEXT NOT NULL CHECK (capital <> ''),
  sizing     TEXT,
  exits      TEXT NOT NULL,
  managed    INTEGER NOT NULL CHECK (managed IN (0, 1)),
  mode       TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
  lifecycle  TEXT NOT NULL CHECK (lifecycle IN ('active', 'stopped', 'retired')),
  holds      TEXT NOT NULL,
  season     INTEGER NOT NULL,
  created_at TEXT NOT NULL CHECK (length(created_at) = 27),
  updated_at TEXT NOT NULL CHECK (length(updated_at) = 27)
) STRICT;
CREATE INDEX bots_account ON bots (account_id);

CREATE TABLE orders (
  id              INTEGER NOT NULL PRIMARY KEY,
  client_order_id TEXT NOT NULL CHECK (client_order_id LIKE 'amk-%'),
  account_id      INTEGER NOT NULL,
  bot_id          INTEGER NOT NULL,
  exchange        TEXT NOT NULL CHECK (exchange IN ('binance', 'kucoin', 'luno')),
  symbol          TEXT NOT NULL CHECK (symbol LIKE '_%/_%'),
  mode            TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
  side            TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
  purpose         TEXT NOT NULL CHECK (purpose IN ('entry', 'exit')),
  exit_reason     TEXT CHECK ((purpose = 'exit') = (exit_reason IS NOT NULL)),
  limit_price     TEXT,
  post_only       INTEGER NOT NULL CHECK (post_only IN (0, 1)),
  time_in_force   TEXT NOT NULL CHECK (time_in_force IN ('gtc', 'ioc', 'fok')),
  quantity        TEXT NOT NULL CHECK (quantity <> ''),
  filled          TEXT NOT NULL CHECK (filled <> ''),
  average_price   TEXT,
  status          TEXT NOT NULL
                  CHECK (status IN ('sent', 'open', 'filled', 'cancelled', 'expired', 'rejected')),
  reject_code     TEXT,
  cancel_reason   TEXT,
  created_at      TEXT NOT NULL CHECK (length(created_at) = 27),
  updated_at      TEXT NOT NULL CHECK (length(updated_at) = 27)
) STRICT;
CREATE INDEX orders_created ON orders (created_at);
CREATE INDEX orders_account ON orders (account_id, created_at);
CREATE INDEX orders_bot ON orders (bot_id, created_at);
CREATE INDEX orders_open ON orders (created_at) WHERE status IN ('sent', 'open');

CREATE TABLE fills (
  id                  INTEGER NOT NULL PRIMARY KEY,
  order_id            INTEGER NOT NULL,
  account_id          INTEGER NOT NULL,
  bot_id              INTEGER NOT NULL,
  exchange            TEXT NOT NULL CHECK (exchange IN ('binance', 'kucoin', 'luno')),
  symbol              TEXT NOT NULL CHECK (symbol LIKE '_%/_%'),
  mode                TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
  side                TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
  price               TEXT NOT NULL CHECK (price <> ''),
  quantity            TEXT NOT NULL CHECK (quantity <> ''),
  fee                 TEXT NOT NULL CHECK (fee <> ''),
  fee_currency        TEXT NOT NULL CHECK (fee_currency <> ''),
  liquidity           TEXT NOT NULL CHECK (liquidity IN ('maker', 'taker')),
  grade               TEXT NOT NULL CHECK (grade <> ''),
  book_update_id      INTEGER NOT NULL,
  print_id            INTEGER,
  queue_ahead_at_join TEXT,
  optimistic_filled   TEXT,
  round_trip_ns       INTEGER NOT NULL,
  at                  TEXT NOT NULL CHECK (length(at) = 27)
) STRICT;
CREATE INDEX fills_at ON fills (at);
CREATE INDEX fills_account ON fills (account_id, at);
CREATE INDEX fills_bot ON fills (bot_id, at);
CREATE INDEX fills_order ON fills (order_id);

CREATE TABLE trades (
  id                 INTEGER NOT NULL PRIMARY KEY,
  status             TEXT NOT NULL CHECK (status = 'closed'),
  side               TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
  success            INTEGER NOT NULL CHECK (success IN (0, 1)),
  bot_id             INTEGER NOT NULL,
  symbol             TEXT NOT NULL CHECK (symbol LIKE '_%/_%'),
  exchange           TEXT NOT NULL CHECK (exchange IN ('binance', 'kucoin', 'luno')),
  entry_price        TEXT NOT NULL CHECK (entry_price GLOB '[0-9]*' AND entry_price <> '0'),
  exit_price         TEXT NOT NULL CHECK (exit_price GLOB '[0-9]*' AND exit_price <> '0'),
  amount             TEXT NOT NULL CHECK (amount GLOB '[0-9]*' AND amount <> '0'),
  profit_loss        TEXT NOT NULL CHECK (profit_loss GLOB '*[0-9]'),
  fees               TEXT NOT NULL CHECK (fees GLOB '*[0-9]'),
  is_paper           INTEGER NOT NULL CHECK (is_paper IN (0, 1)),
  timestamp          TEXT NOT NULL CHECK (length(timestamp) = 27 AND timestamp LIKE '%Z'),
  account_id         INTEGER NOT NULL,
  entry_at           TEXT NOT NULL CHECK (length(entry_at) = 27),
  exit_at            TEXT NOT NULL CHECK (length(exit_at) = 27),
  gross_profit       TEXT NOT NULL CHECK (gross_profit GLOB '*[0-9]'),
  slippage           TEXT,
  exit_reason        TEXT NOT NULL CHECK (exit_reason IN ('SIGNAL', 'TARGET', 'STOP', 'TRAIL',
                                                          'TIME', 'RISK', 'MANUAL', 'EMERGENCY')),
  strategy           TEXT NOT NULL CHECK (strategy <> ''),
  grade              TEXT NOT NULL CHECK (grade <> ''),
  fees_base          TEXT NOT NULL CHECK (fees_base GLOB '*[0-9]'),
  fees_quote         TEXT NOT NULL CHECK (fees_quote GLOB '*[0-9]'),
  reporting_rate     TEXT,
  reporting_currency TEXT NOT NULL CHECK (reporting_currency <> ''),
  rate_source        TEXT,
  rate_age_s         INTEGER,
  season             INTEGER
) STRICT;
CREATE INDEX trades_timestamp ON trades (timestamp);
CREATE INDEX trades_mode ON trades (is_paper, timestamp);
CREATE INDEX trades_account ON trades (account_id, timestamp);
CREATE INDEX trades_bot ON trades (bot_id, timestamp);

CREATE TABLE transfers (
  account_id INTEGER NOT NULL,
  seq        INTEGER NOT NULL CHECK (seq >= 0),
  mode       TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
  exchange   TEXT NOT NULL CHECK (exchange IN ('binance', 'kucoin', 'luno')),
  reason     TEXT NOT NULL CHECK (reason IN ('deposit', 'withdrawal', 'allocate', 'release',
                                             'fill', 'close', 'dust')),
  order_id   INTEGER CHECK ((reason = 'fill') = (order_id IS NOT NULL)),
  trade_id   INTEGER CHECK ((reason = 'close') = (trade_id IS NOT NULL)),
  at         TEXT NOT NULL CHECK (length(at) = 27),
  PRIMARY KEY (account_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE postings (
  id           INTEGER NOT NULL PRIMARY KEY,
  account_id   INTEGER NOT NULL,
  transfer_seq INTEGER NOT NULL,
  mode         TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
  exchange     TEXT NOT NULL CHECK (exchange IN ('binance', 'kucoin', 'luno')),
  book         TEXT NOT NULL CHECK (book IN ('external', 'market', 'available', 'cash', 'position',
                                             'dust', 'settling', 'gross_profit', 'fees')),
  bot_id       INTEGER,
  currency     TEXT NOT NULL CHECK (currency <> ''),
  amount       TEXT NOT NULL CHECK (amount GLOB '*[0-9]'),
  at           TEXT NOT NULL CHECK (length(at) = 27),
  CHECK ((book IN ('external', 'market', 'available')) = (bot_id IS NULL))
) STRICT;
-- Postings are the most numerous rows: one index more is paid for with every fill.
CREATE INDEX postings_account ON postings (account_id);
CREATE INDEX postings_bot ON postings (bot_id) WHERE bot_id IS NOT NULL;

CREATE TABLE wallets (
  account_id INTEGER NOT NULL,
  mode       TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
  exchange   TEXT NOT NULL CHECK (exchange IN ('binance', 'kucoin', 'luno')),
  currency   TEXT NOT NULL CHECK (currency <> ''),
  available  TEXT NOT NULL CHECK (available GLOB '*[0-9]'),
  reserved   TEXT NOT NULL CHECK (reserved GLOB '*[0-9]'),
  total      TEXT NOT NULL CHECK (total GLOB '*[0-9]'),
  at         TEXT NOT NULL CHECK (length(at) = 27),
  PRIMARY KEY (account_id, mode, exchange, currency)
) STRICT, WITHOUT ROWID;

-- Each stream (an account's, the fleet's: account_id NULL) counts its own seq and chains its hashes;
-- id is the order of commits.
CREATE TABLE events (
  id         INTEGER NOT NULL PRIMARY KEY,
  account_id INTEGER,
  seq        INTEGER NOT NULL CHECK (seq > 0),
  at         TEXT NOT NULL CHECK (length(at) = 27),
  type       TEXT NOT NULL CHECK (type <> ''),
  data       TEXT NOT NULL,
  prev_hash  BLOB NOT NULL CHECK (length(prev_hash) = 32),
  hash       BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX events_account ON events (account_id);

CREATE TABLE decisions (
  order_id       INTEGER NOT NULL PRIMARY KEY,
  account_id     INTEGER NOT NULL,
  bot_id         INTEGER NOT NULL,
  bid            TEXT,
  ask            TEXT,
  mid            TEXT,
  indicators     TEXT NOT NULL,
  reason         TEXT NOT NULL,
  checks_passed  INTEGER NOT NULL,
  policy_version INTEGER NOT NULL,
  at             TEXT NOT NULL CHECK (length(at) = 27)
) STRICT;
CREATE INDEX decisions_bot ON decisions (bot_id, at);

CREATE TABLE refusals (
  id             INTEGER NOT NULL PRIMARY KEY,
  seq            INTEGER NOT NULL,
  account_id     INTEGER NOT NULL,
  bot_id         INTEGER NOT NULL,
  exchange       TEXT NOT NULL CHECK (exchange IN ('binance', 'kucoin', 'luno')),
  symbol         TEXT NOT NULL CHECK (symbol LIKE '_%/_%'),
  side           TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
  code           TEXT NOT NULL CHECK (code <> ''),
  refusal        TEXT NOT NULL,
  also           TEXT NOT NULL,
  policy_version INTEGER NOT NULL,
  count          INTEGER NOT NULL CHECK (count > 0),
  first_at       TEXT NOT NULL CHECK (length(first_at) = 27),
  last_at        TEXT NOT NULL CHECK (length(last_at) = 27)
) STRICT;
CREATE INDEX refusals_last ON refusals (last_at);
CREATE INDEX refusals_account ON refusals (account_id, last_at);
CREATE INDEX refusals_bot ON refusals (bot_id, last_at);

CREATE TABLE policies (
  id         INTEGER NOT NULL PRIMARY KEY,
  account_id INTEGER,
  version    INTEGER NOT NULL CHECK (version > 0),
  policy     TEXT NOT NULL,
  actor      TEXT NOT NULL,
  at         TEXT NOT NULL CHECK (length(at) = 27)
) STRICT;
CREATE UNIQUE INDEX policies_version ON policies (ifnull(account_id, -1), version);

-- Who did what to bots, policies, stops and breakers: kept for ever, unlike events.
CREATE TABLE audit (
  id         INTEGER NOT NULL PRIMARY KEY,
  account_id INTEGER,
  bot_id     INTEGER,
  at         TEXT NOT NULL CHECK (length(at) = 27),
  action     TEXT NOT NULL CHECK (action <> ''),
  actor      TEXT NOT NULL,
  detail     TEXT NOT NULL
) STRICT;
CREATE INDEX audit_account ON audit (account_id);

-- A bot's equity every five minutes and wherever its capital moves; NULL: not known. Kept for
-- ever: 40 bots make about 1 MB a day.
CREATE TABLE equity (
  bot_id     INTEGER NOT NULL,
  at         TEXT NOT NULL CHECK (length(at) = 27),
  account_id INTEGER NOT NULL,
  mode       TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
  exchange   TEXT NOT NULL CHECK (exchange IN ('binance', 'kucoin', 'luno')),
  currency   TEXT NOT NULL CHECK (currency <> ''),
  equity     TEXT,
  flow       TEXT NOT NULL CHECK (flow <> ''),
  PRIMARY KEY (bot_id, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX equity_flows ON equity (account_id, at) WHERE flow <> '0';

CREATE TABLE feeds (
  instrument_id INTEGER NOT NULL PRIMARY KEY,
  exchange      TEXT NOT NULL CHECK (exchange IN ('binance', 'kucoin', 'luno')),
  symbol        TEXT NOT NULL CHECK (symbol LIKE '_%/_%'),
  state         TEXT NOT NULL CHECK (state IN ('fresh', 'stale', 'resyncing')),
  reason        TEXT,
  grade         TEXT NOT NULL CHECK (grade <> ''),
  at            TEXT NOT NULL CHECK (length(at) = 27)
) STRICT;

CREATE TABLE users (
  id            INTEGER NOT NULL PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE CHECK (name <> ''),
  account_id    INTEGER NOT NULL,
  role          TEXT NOT NULL CHECK (role IN ('admin', 'trader', 'viewer')),
  password_hash TEXT NOT NULL CHECK (password_hash <> ''),
  created_at    TEXT NOT NULL CHECK (length(created_at) = 27),
  last_used_at  TEXT CHECK (length(last_used_at) = 27),
  revoked_at    TEXT CHECK (length(revoked_at) = 27)
) STRICT;

-- A token without an account manages all: admins only.
CREATE TABLE tokens (
  id           INTEGER NOT NULL PRIMARY KEY,
  name         TEXT NOT NULL CHECK (name <> ''),
  account_id   INTEGER,
  role         TEXT NOT NULL CHECK (role IN ('admin', 'trader', 'viewer')),
  hash         BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  created_at   TEXT NOT NULL CHECK (length(created_at) = 27),
  last_used_at TEXT CHECK (length(last_used_at) = 27),
  revoked_at   TEXT CHECK (length(revoked_at) = 27),
  CHECK (account_id IS NOT NULL OR role = 'admin')
) STRICT;
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;

CREATE TABLE sessions (
  id           INTEGER NOT NULL PRIMARY KEY,
  user_id      INTEGER NOT NULL,
  hash         BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  created_at   TEXT NOT NULL CHECK (length(created_at) = 27),
  expires_at   TEXT NOT NULL CHECK (length(expires_at) = 27),
  last_used_at TEXT CHECK (length(last_used_at) = 27),
  revoked_at   TEXT CHECK (length(revoked_at) = 27)
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);

-- status and body are NULL while the request is being carried out.
CREATE TABLE idempotency (
  account_id INTEGER NOT NULL,
  route      TEXT NOT NULL,
  key        TEXT NOT NULL CHECK (key <> ''),
  body_hash  BLOB NOT NULL CHECK (length(body_hash) = 32),
  status     INTEGER,
  body       TEXT,
  at         TEXT NOT NULL CHECK (length(at) = 27),
  PRIMARY KEY (account_id, route, key),
  CHECK ((status IS NULL) = (body IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at);
