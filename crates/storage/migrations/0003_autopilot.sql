-- Profit that moves from bot to bot has transfers of its own, so that the books prove that each is
-- spent once. A CHECK cannot be altered: the table is made anew.
CREATE TABLE transfers_wider (
  account_id INTEGER NOT NULL,
  seq        INTEGER NOT NULL CHECK (seq >= 0),
  mode       TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
  exchange   TEXT NOT NULL CHECK (exchange IN ('binance', 'kucoin', 'luno')),
  reason     TEXT NOT NULL CHECK (reason IN ('deposit', 'withdrawal', 'allocate', 'release',
                                             'take_profit', 'reinvest', 'fill', 'close', 'dust')),
  order_id   INTEGER CHECK ((reason = 'fill') = (order_id IS NOT NULL)),
  trade_id   INTEGER CHECK ((reason = 'close') = (trade_id IS NOT NULL)),
  at         TEXT NOT NULL CHECK (length(at) = 27),
  PRIMARY KEY (account_id, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO transfers_wider SELECT account_id, seq, mode, exchange, reason, order_id, trade_id, at
  FROM transfers;
DROP TABLE transfers;
ALTER TABLE transfers_wider RENAME TO transfers;
