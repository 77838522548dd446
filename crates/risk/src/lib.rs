//! Pre-trade checks; alone can make an approved order.
