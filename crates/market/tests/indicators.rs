//! Indicators against TA-Lib's own figures and against naive models.
#![allow(clippy::unwrap_used)] // a panic is how a test says no

use domain::{Bar, Price, Quantity, Timestamp};
use market::{IndicatorSet, IndicatorSpec, Slot};
use proptest::prelude::*;
use serde::Deserialize;

/// Made once with PyPI's `ta-lib`; Donchian's figures are its MAX and MIN one bar earlier, the
/// MACD line is that of a signal of one bar (TA-Lib hides the line until the signal is warm).
const GOLDEN: &str = include_str!("golden/talib.json");

#[derive(Deserialize)]
struct Golden {
    bars: Vec<[i64; 4]>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    spec: IndicatorSpec,
    values: Vec<Option<f64>>,
}

fn bar([open, high, low, close]: [i64; 4]) -> Bar {
    Bar {
        open_at: Timestamp::EPOCH,
        open: Price(open),
        high: Price(high),
        low: Price(low),
        close: Price(close),
        volume: Quantity(1),
        prints: 1,
    }
}

fn flat(close: i64) -> Bar {
    Bar { prints: 0, volume: Quantity::ZERO, ..bar([close; 4]) }
}

fn golden() -> (Vec<Bar>, Vec<Case>) {
    let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
    (golden.bars.into_iter().map(bar).collect(), golden.cases)
}

fn every_spec() -> Vec<IndicatorSpec> {
    golden().1.into_iter().map(|c| c.spec).collect()
}

#[test]
fn figures_are_those_of_talib_from_the_first_warm_bar_on() {
    let (bars, cases) = golden();
    let mut set = IndicatorSet::default();
    let slots: Vec<Slot> = cases.iter().map(|c| set.slot(c.spec)).collect();
    for (n, bar) in bars.iter().enumerate() {
        set.update(bar);
        for (case, slot) in cases.iter().zip(&slots) {
            let (have, want) = (set.value(*slot), case.values[n]);
            let near = match (have, want) {
                (Some(have), Some(want)) => (have - want).abs() <= 1e-6 * want.abs().max(1.0),
                (have, want) => have.is_none() && want.is_none(),
            };
            assert!(near, "{:?} at bar {n}: {have:?}, TA-Lib {want:?}", case.spec);
        }
    }
}

#[test]
fn the_first_value_comes_after_as_many_bars_as_said() {
    let (bars, cases) = golden();
    for case in cases {
        let mut set = IndicatorSet::default();
        let slot = set.slot(case.spec);
        let need = case.spec.bars_needed();
        for (n, bar) in (1..).zip(&bars) {
            set.update(bar);
            assert_eq!(set.value(slot).is_some(), n >= need, "{:?} at bar {n}", case.spec);
            assert_eq!(set.progress(slot), (n.min(need), need), "{:?}", case.spec);
        }
    }
}

#[test]
fn previous_is_the_value_of_the_bar_before() {
    let (bars, _) = golden();
    let mut set = IndicatorSet::default();
    let slots: Vec<Slot> = every_spec().into_iter().map(|s| set.slot(s)).collect();
    for bar in &bars {
        let before: Vec<_> = slots.iter().map(|s| set.value(*s)).collect();
        set.update(bar);
        let previous: Vec<_> = slots.iter().map(|s| set.previous(*s)).collect();
        assert_eq!(before, previous);
    }
}

#[test]
fn the_same_spec_shares_one_slot_whatever_the_order() {
    let mut set = IndicatorSet::default();
    let slots: Vec<Slot> = every_spec().into_iter().map(|s| set.slot(s)).collect();
    let again: Vec<Slot> = every_spec().into_iter().rev().map(|s| set.slot(s)).collect();
    assert_eq!(slots, again.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(set.len(), slots.len());
}

#[test]
fn a_stop_between_any_two_bars_changes_no_bit() {
    let (bars, _) = golden();
    for stop in [0, 1, 13, 40, 100] {
        let mut through = IndicatorSet::default();
        let slots: Vec<Slot> = every_spec().into_iter().map(|s| through.slot(s)).collect();
        let mut stopped = through.clone();
        for (n, bar) in bars.iter().enumerate() {
            if n == stop {
                let saved = serde_json::to_string(&stopped).unwrap();
                stopped = serde_json::from_str(&saved).unwrap();
            }
            through.update(bar);
            stopped.update(bar);
            for slot in &slots {
                let bits = |set: &IndicatorSet| set.value_or_nan(*slot).to_bits();
                assert_eq!(bits(&through), bits(&stopped), "stop {stop}, bar {n}");
            }
        }
    }
}

#[test]
fn a_latecomer_warmed_with_history_equals_one_that_was_there() {
    let (bars, _) = golden();
    let mut early = IndicatorSet::default();
    let first: Vec<Slot> = every_spec().into_iter().map(|s| early.slot(s)).collect();
    let mut late = IndicatorSet::default();
    let other = late.slot(IndicatorSpec::Ema { period: 3 });
    for bar in &bars[..100] {
        early.update(bar);
        late.update(bar);
    }
    let untouched = late.value(other);
    let second: Vec<Slot> =
        every_spec().into_iter().map(|s| late.slot_warmed(s, &bars[..100])).collect();
    assert_eq!(late.value(other), untouched);
    for bar in &bars[100..] {
        early.update(bar);
        late.update(bar);
        let values = |set: &IndicatorSet, slots: &[Slot]| -> Vec<u64> {
            slots.iter().map(|s| set.value_or_nan(*s).to_bits()).collect()
        };
        assert_eq!(values(&early, &first), values(&late, &second));
    }
}

#[test]
fn a_market_that_never_moved_is_neither_weak_nor_wide() {
    let mut set = IndicatorSet::default();
    let rsi = set.slot(IndicatorSpec::Rsi { period: 14 });
    let deviation = set.slot(IndicatorSpec::StdDev { period: 20 });
    for _ in 0..40 {
        set.update(&flat(6_500_000));
    }
    assert_eq!((set.value(rsi), set.value(deviation)), (Some(50.0), Some(0.0)));
}

#[test]
fn prices_of_any_size_and_periods_of_zero_do_not_panic() {
    let mut set = IndicatorSet::default();
    for period in [0, 1, u16::MAX] {
        for spec in [
            IndicatorSpec::Ema { period },
            IndicatorSpec::Sma { period },
            IndicatorSpec::Rsi { period },
            IndicatorSpec::StdDev { period },
            IndicatorSpec::Highest { period },
            IndicatorSpec::Lowest { period },
            IndicatorSpec::MacdLine { fast: period, slow: 0 },
            IndicatorSpec::MacdSignal { fast: 3, slow: period, signal: period },
            IndicatorSpec::Atr { period },
        ] {
            set.slot(spec);
        }
    }
    for n in 0..200 {
        set.update(&flat(if n % 2 == 0 { i64::MAX / 4 } else { 0 }));
    }
    assert!(!set.is_empty());
}

proptest! {
    #[test]
    fn channel_and_mean_agree_with_a_naive_model(
        closes in prop::collection::vec(1i64..50, 1..120), period in 1u16..15
    ) {
        let mut set = IndicatorSet::default();
        let high = set.slot(IndicatorSpec::Highest { period });
        let low = set.slot(IndicatorSpec::Lowest { period });
        let mean = set.slot(IndicatorSpec::Sma { period });
        let p = usize::from(period);
        for n in 0..closes.len() {
            set.update(&flat(closes[n]));
            let before = n.checked_sub(p).map(|start| &closes[start..n]);
            let want = |pick: fn(&[i64]) -> i64| before.map(|b| pick(b) as f64);
            prop_assert_eq!(set.value(high), want(|b| *b.iter().max().unwrap()));
            prop_assert_eq!(set.value(low), want(|b| *b.iter().min().unwrap()));
            let window = (n + 1).checked_sub(p).map(|start| &closes[start..=n]);
            let want = window.map(|w| w.iter().sum::<i64>() as f64 / f64::from(period));
            prop_assert_eq!(set.value(mean), want);
        }
    }
}
