//! Pace: request budgets, connection budget, backoff. All of it asks for the time, none reads it.

use domain::{Exchange, Timestamp};
use rand::Rng;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How an exchange counts requests.
#[derive(Clone, Copy, Debug)]
struct Window {
    span: Duration,
    /// Starts at the clock's full minute (Binance), otherwise with the first request.
    is_aligned: bool,
    limit: u32,
}

/// Our own share of an exchange's limit: others may sit behind the same address.
const fn window(exchange: Exchange) -> Window {
    match exchange {
        Exchange::Binance => {
            Window { span: Duration::from_secs(60), is_aligned: true, limit: 4_800 }
        }
        Exchange::Kucoin => {
            Window { span: Duration::from_secs(30), is_aligned: false, limit: 1_600 }
        }
        // The documented 300; the wire's own header of 5,000 contradicts it and is not believed.
        Exchange::Luno => Window { span: Duration::from_secs(60), is_aligned: false, limit: 280 },
    }
}

/// What is left for market data where so many keys ask from the same address, each out of its own
/// budget. KuCoin counts each pool apart; never so little that nothing is seen any more.
const fn left_beside(exchange: Exchange, keys: u32) -> u32 {
    let (limit, of_each, least) = match exchange {
        // The first key's share was never ours.
        Exchange::Binance => (6_000, 1_200, 1_200),
        Exchange::Kucoin => (1_600, 0, 0),
        Exchange::Luno => (280, 120, 40),
    };
    let left = limit - of_each * if keys * of_each < limit { keys } else { limit / of_each };
    let own = window(exchange).limit;
    let left = if left < own { left } else { own };
    if left > least { left } else { least }
}

/// The length of an exchange's window.
pub(crate) const fn window_s(exchange: Exchange) -> u32 {
    window(exchange).span.as_secs() as u32
}

/// Weight of requests in the current window, and the exchange's order to wait.
#[derive(Debug)]
pub(crate) struct Budget {
    exchange: Exchange,
    window: Window,
    started_at: Timestamp,
    used: u32,
    blocked_until: Option<Instant>,
}

impl Budget {
    pub(crate) const fn new(exchange: Exchange) -> Self {
        Self {
            exchange,
            window: window(exchange),
            started_at: Timestamp(i64::MIN / 2),
            used: 0,
            blocked_until: None,
        }
    }

    const fn span(&self) -> domain::Span {
        domain::Span(self.window.span.as_nanos() as i64)
    }

    fn roll(&mut self, now: Timestamp) {
        if now - self.started_at >= self.span() || now < self.started_at {
            self.used = 0;
            self.started_at = if self.window.is_aligned { now.floor(self.span()) } else { now };
        }
    }

    /// Takes the weight, or says how long to wait before asking again.
    pub(crate) fn take(
        &mut self,
        weight: u32,
        now: Timestamp,
        mono: Instant,
    ) -> Result<(), Duration> {
        if let Some(left) = self.blocked(mono) {
            return Err(left);
        }
        self.blocked_until = None;
        self.roll(now);
        if self.used > 0 && self.used + weight > self.window.limit {
            let left = (self.started_at + self.span()) - now;
            return Err(Duration::from_nanos(left.0.max(1_000_000) as u64));
        }
        self.used += weight;
        Ok(())
    }

    /// So many keys ask from the same address.
    pub(crate) const fn share_with(&mut self, keys: u32) {
        self.window.limit = left_beside(self.exchange, keys);
    }

    /// What the exchange counted itself; others behind our address count too.
    pub(crate) fn counted(&mut self, used: u32) {
        self.used = self.used.max(used);
    }

    /// What is left of the exchange's order to wait.
    pub(crate) fn blocked(&self, mono: Instant) -> Option<Duration> {
        self.blocked_until.filter(|until| *until > mono).map(|until| until - mono)
    }

    /// Nothing is sent before this has passed.
    pub(crate) fn block(&mut self, wait: Duration, mono: Instant) {
        let until = mono + wait;
        self.blocked_until = Some(self.blocked_until.map_or(until, |u| u.max(until)));
    }

    /// Used and permitted; of a window that is over, nothing.
    pub(crate) fn usage(&self, now: Timestamp) -> (u32, u32) {
        let is_over = now - self.started_at >= self.span();
        (if is_over { 0 } else { self.used }, self.window.limit)
    }
}

/// Connection attempts in a sliding window: 300 in five minutes on Binance, 250 on KuCoin, and the
/// address is banned beyond; all sockets of a connector share this half of it.
#[derive(Debug, Default)]
pub(crate) struct ConnectBudget {
    attempts: VecDeque<Instant>,
}

const CONNECTS: usize = 120;
const CONNECT_WINDOW: Duration = Duration::from_secs(300);

impl ConnectBudget {
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        while self.attempts.front().is_some_and(|at| now - *at >= CONNECT_WINDOW) {
            self.attempts.pop_front();
        }
        match self.attempts.front() {
            Some(first) if self.attempts.len() >= CONNECTS => Err(CONNECT_WINDOW - (now - *first)),
            _ => {
                self.attempts.push_back(now);
                Ok(())
            }
        }
    }
}

/// Exponential backoff with jitter.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    faults: u32,
}

impl Backoff {
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, faults: 0 }
    }

    pub(crate) const fn reset(&mut self) {
        self.faults = 0;
    }

    /// Next wait: between half and all of min × 2ⁿ, at most `max`.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let full = self.min.saturating_mul(1 << self.faults.min(16)).min(self.max);
        self.faults = self.faults.saturating_add(1);
        full.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

/// `age` shortened by up to 5 %, so that a fleet's sockets do not all turn over at once.
pub(crate) fn jittered(age: Duration) -> Duration {
    age.mul_f64(rand::rng().random_range(0.95..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    #[test]
    fn binance_window_turns_at_the_full_minute() {
        let (mut budget, mono) = (Budget::new(Exchange::Binance), Instant::now());
        let late = Timestamp(100 * MINUTE + 59_000_000_000);
        assert_eq!(budget.take(4_000, late, mono), Ok(()));
        assert_eq!(budget.take(900, late, mono), Err(Duration::from_secs(1)));
        assert_eq!(budget.take(900, Timestamp(101 * MINUTE), mono), Ok(()));
        assert_eq!(budget.usage(Timestamp(101 * MINUTE)).0, 900);
        assert_eq!(budget.usage(Timestamp(102 * MINUTE)).0, 0, "its window is over");
    }

    #[test]
    fn kucoin_window_starts_with_the_first_request() {
        let (mut budget, mono) = (Budget::new(Exchange::Kucoin), Instant::now());
        let at = Timestamp(7 * MINUTE + 5);
        assert_eq!(budget.take(1_600, at, mono), Ok(()));
        assert_eq!(budget.take(1, at, mono), Err(Duration::from_secs(30)));
    }

    #[test]
    fn keys_behind_the_same_address_leave_less_for_market_data() {
        let left = |exchange| [0, 1, 2, 9].map(|keys| left_beside(exchange, keys));
        assert_eq!(left(Exchange::Binance), [4_800, 4_800, 3_600, 1_200]);
        assert_eq!(left(Exchange::Kucoin), [1_600; 4]);
        assert_eq!(left(Exchange::Luno), [280, 160, 40, 40]);
        let (mut budget, mono) = (Budget::new(Exchange::Luno), Instant::now());
        budget.share_with(1);
        assert_eq!(budget.take(160, Timestamp(MINUTE), mono), Ok(()));
        assert!(budget.take(1, Timestamp(MINUTE), mono).is_err());
        budget.share_with(0);
        assert_eq!(budget.take(120, Timestamp(MINUTE), mono), Ok(()), "its key is gone");
    }

    #[test]
    fn the_exchanges_own_count_and_its_order_to_wait_bind() {
        let (mut budget, mono) = (Budget::new(Exchange::Binance), Instant::now());
        let at = Timestamp(100 * MINUTE);
        budget.take(1, at, mono).unwrap();
        budget.counted(4_800);
        assert!(budget.take(1, at, mono).is_err());
        let later = Timestamp(200 * MINUTE);
        budget.block(Duration::from_secs(9), mono);
        assert_eq!(budget.take(1, later, mono), Err(Duration::from_secs(9)));
        assert_eq!(budget.take(1, later, mono + Duration::from_secs(10)), Ok(()));
    }

    #[test]
    fn backoff_doubles_up_to_its_limit_and_connects_are_counted() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8));
        for full in [1, 2, 4, 8, 8] {
            let (wait, full) = (backoff.next_wait(), Duration::from_secs(full));
            assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
        }
        let (mut connects, start) = (ConnectBudget::default(), Instant::now());
        for _ in 0..CONNECTS {
            connects.take(start).unwrap();
        }
        assert_eq!(connects.take(start), Err(CONNECT_WINDOW));
        assert_eq!(connects.take(start + CONNECT_WINDOW), Ok(()));
    }
}
