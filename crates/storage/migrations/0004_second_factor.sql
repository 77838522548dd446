-- The second factor of people, for dangerous actions: the secret of an authenticator (RFC 6238),
-- sealed as exchange keys are. `last_step` is the newest step of 30 s whose code was accepted: no
-- code counts twice, and none that is older than one that counted.
CREATE TABLE second_factors (
  user_id      INTEGER NOT NULL PRIMARY KEY,
  master_id    TEXT NOT NULL CHECK (length(master_id) = 16),
  nonce        BLOB NOT NULL CHECK (length(nonce) = 24),
  sealed       BLOB NOT NULL CHECK (length(sealed) > 16),
  last_step    INTEGER NOT NULL CHECK (last_step >= 0),
  created_at   TEXT NOT NULL CHECK (length(created_at) = 27),
  confirmed_at TEXT CHECK (length(confirmed_at) = 27)
) STRICT;

-- For a lost telephone: each counts once, and only its hash is here.
CREATE TABLE recovery_codes (
  user_id INTEGER NOT NULL,
  hash    BLOB NOT NULL CHECK (length(hash) = 32),
  used_at TEXT CHECK (length(used_at) = 27),
  PRIMARY KEY (user_id, hash)
) STRICT, WITHOUT ROWID;
