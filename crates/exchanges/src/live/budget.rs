//! Budgets of one key: orders and data apart, so that questions never use up what orders need.

use domain::{Exchange, Timestamp};
use std::time::{Duration, Instant};

/// A count per span of time, and our share of it.
#[derive(Clone, Copy, Debug)]
struct Window {
    span: Duration,
    /// Starts at multiples of the span (Binance), otherwise with the first call.
    is_aligned: bool,
    limit: u32,
    used: u32,
    started_at: Timestamp,
}

impl Window {
    const fn new(secs: u64, is_aligned: bool, limit: u32) -> Self {
        let span = Duration::from_secs(secs);
        Self { span, is_aligned, limit, used: 0, started_at: Timestamp(i64::MIN / 2) }
    }

    fn span(&self) -> domain::Span {
        domain::Span(i64::try_from(self.span.as_nanos()).unwrap_or(i64::MAX))
    }

    fn roll(&mut self, now: Timestamp) {
        if now - self.started_at >= self.span() || now < self.started_at {
            self.used = 0;
            self.started_at = if self.is_aligned { now.floor(self.span()) } else { now };
        }
    }

    /// How long until this much fits; `None`: now.
    fn wait(&mut self, weight: u32, now: Timestamp) -> Option<Duration> {
        self.roll(now);
        if self.used.saturating_add(weight) <= self.limit || self.used == 0 {
            return None;
        }
        let left = (self.started_at + self.span()) - now;
        Some(Duration::from_nanos(left.0.max(1_000_000).unsigned_abs()))
    }
}

/// How many orders went out in each window, and how many we allow ourselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderUsage {
    /// Length of the window.
    pub span: Duration,
    /// Used.
    pub used: u32,
    /// Allowed.
    pub limit: u32,
}

/// Both budgets, and the exchange's order to wait, which binds both.
#[derive(Debug)]
pub(super) struct Budgets {
    orders: Vec<Window>,
    data: Window,
    blocked_until: Option<Instant>,
    /// Data alone waits: the exchange's own count is nearly full.
    data_blocked_until: Option<Instant>,
}

impl Budgets {
    /// The stricter of the documented samples; the exchange's own figures replace them.
    pub(super) fn new(exchange: Exchange) -> Self {
        let (orders, data) = match exchange {
            // 50 in 10 s and 160,000 a day, a fifth less. Data: a fifth of the address's 6,000 a
            // minute, of which market data takes up to 4,800.
            Exchange::Binance => (
                vec![Window::new(10, true, 40), Window::new(86_400, true, 128_000)],
                Window::new(60, true, 1_200),
            ),
            // 4,000 of weight in 30 s in the pool of spot.
            Exchange::Kucoin => {
                (vec![Window::new(30, false, 1_000)], Window::new(30, false, 1_000))
            }
            // 300 calls a minute for everything, market data included.
            Exchange::Luno => (vec![Window::new(60, false, 60)], Window::new(60, false, 60)),
        };
        Self { orders, data, blocked_until: None, data_blocked_until: None }
    }

    fn blocked(&mut self, now: Instant) -> Option<Duration> {
        self.blocked_until = self.blocked_until.filter(|until| *until > now);
        self.blocked_until.map(|until| until - now)
    }

    /// Takes one order, or says how long none goes out.
    pub(super) fn take_order(&mut self, now: Timestamp, mono: Instant) -> Result<(), Duration> {
        let blocked = self.blocked(mono);
        let waits = self.orders.iter_mut().filter_map(|w| w.wait(1, now));
        match waits.chain(blocked).max() {
            Some(wait) => Err(wait),
            None => {
                self.orders.iter_mut().for_each(|w| w.used += 1);
                Ok(())
            }
        }
    }

    /// Takes weight of data, or says how long to wait.
    pub(super) fn take_data(
        &mut self,
        weight: u32,
        now: Timestamp,
        mono: Instant,
    ) -> Result<(), Duration> {
        self.data_blocked_until = self.data_blocked_until.filter(|until| *until > mono);
        let blocked = self.blocked(mono).max(self.data_blocked_until.map(|until| until - mono));
        match self.data.wait(weight, now).into_iter().chain(blocked).max() {
            Some(wait) => Err(wait),
            None => {
                self.data.used += weight;
                Ok(())
            }
        }
    }

    /// Cancels wait for nothing but the exchange's own order to wait.
    pub(super) fn take_cancel(&mut self, mono: Instant) -> Result<(), Duration> {
        self.blocked(mono).map_or(Ok(()), Err)
    }

    /// No questions before this has passed; orders go on.
    pub(super) fn block_data(&mut self, wait: Duration, mono: Instant) {
        self.data_blocked_until = Some(mono + wait);
    }

    /// Nothing is sent before this has passed.
    pub(super) fn block(&mut self, wait: Duration, mono: Instant) {
        let until = mono + wait;
        self.blocked_until = Some(self.blocked_until.map_or(until, |u| u.max(until)));
    }

    /// What the exchange counted in the window of so many seconds; others may use the account too.
    /// Binance takes off what has been filled, so it may be less than ours.
    pub(super) fn counted_orders(&mut self, secs: u64, used: u32, now: Timestamp) {
        let span = Duration::from_secs(secs);
        if let Some(window) = self.orders.iter_mut().find(|w| w.span == span) {
            window.roll(now);
            window.used = used;
        }
    }

    /// What the exchange says it permits; four fifths are ours.
    pub(super) fn permitted_orders(&mut self, secs: u64, limit: u32) {
        let (span, limit) = (Duration::from_secs(secs), (limit - limit / 5).max(1));
        match self.orders.iter_mut().find(|w| w.span == span) {
            Some(window) => window.limit = limit,
            None => self.orders.push(Window::new(secs, true, limit)),
        }
    }

    /// Of orders.
    pub(super) fn usage(&self) -> Vec<OrderUsage> {
        let usage = |w: &Window| OrderUsage { span: w.span, used: w.used, limit: w.limit };
        self.orders.iter().map(usage).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000_000);

    #[test]
    fn orders_and_data_have_budgets_of_their_own() {
        let (mut budgets, mono) = (Budgets::new(Exchange::Luno), Instant::now());
        for _ in 0..60 {
            budgets.take_data(1, NOW, mono).unwrap();
        }
        assert_eq!(budgets.take_data(1, NOW, mono), Err(Duration::from_secs(60)));
        for _ in 0..60 {
            budgets.take_order(NOW, mono).unwrap();
        }
        assert!(budgets.take_order(NOW, mono).is_err());
        assert_eq!(budgets.take_cancel(mono), Ok(()), "a cancel is never held up by us");
    }

    #[test]
    fn the_exchanges_counts_limits_and_waits_bind() {
        let (mut budgets, mono) = (Budgets::new(Exchange::Binance), Instant::now());
        budgets.permitted_orders(10, 10);
        budgets.take_order(NOW, mono).unwrap();
        budgets.counted_orders(10, 8, NOW);
        assert_eq!(budgets.take_order(NOW, mono), Err(Duration::from_secs(10)));
        budgets.counted_orders(10, 3, NOW);
        assert_eq!(budgets.take_order(NOW, mono), Ok(()), "filled orders count no more");
        budgets.block_data(Duration::from_secs(3), mono);
        assert_eq!(budgets.take_data(1, NOW, mono), Err(Duration::from_secs(3)));
        assert_eq!(budgets.take_order(NOW, mono), Ok(()), "questions alone wait");
        budgets.block(Duration::from_secs(7), mono);
        assert_eq!(budgets.take_order(NOW, mono), Err(Duration::from_secs(7)));
        assert_eq!(budgets.take_cancel(mono), Err(Duration::from_secs(7)));
        assert_eq!(budgets.take_data(1, NOW, mono), Err(Duration::from_secs(7)));
    }
}
