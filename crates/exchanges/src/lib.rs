//! Connectors of Binance, KuCoin and Luno.
