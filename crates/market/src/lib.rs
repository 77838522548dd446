//! Order book, bars, indicators, freshness and data grade.
