//! Double entry, wallets, reservations, lots and positions.
