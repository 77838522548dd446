//! Situations of the kinds that enter and leave whole.

mod common;

use common::{Rig, held, params, range_bar};
use domain::{ExitReason, StrategyKind as Kind};
use strategy::Action;

const EMA: &str = r#"{"fast": 2, "slow": 3}"#;

/// What a list of wishes is, in one letter.
fn word(actions: &[Action]) -> &'static str {
    match actions {
        [] => "-",
        [Action::Enter { level: 0, price: None, .. }] => "B",
        [Action::Exit { level: None, reason: ExitReason::Signal, .. }] => "S",
        _ => "?",
    }
}

/// Runs closes through and follows every wish at once.
fn run(rig: &mut Rig, closes: &[i64]) -> String {
    closes
        .iter()
        .map(|close| {
            let word = word(&rig.close(*close));
            match word {
                "B" => rig.position = held(*close),
                "S" => rig.position = Default::default(),
                _ => {}
            }
            word
        })
        .collect()
}

#[test]
fn ema_cross_enters_only_on_the_bar_that_crosses_and_leaves_under_it() {
    let table: [(&[i64], &str); 4] = [
        // cold, then the first warm bar only tells the side
        (&[100, 90, 80, 120, 130], "---B-"),
        // warm over the slow one from the start: that is no cross
        (&[100, 110, 120, 130, 140], "-----"),
        (&[100, 110, 120, 80, 70, 130], "-----B"),
        (&[100, 90, 80, 120, 60, 50], "---BS-"),
    ];
    for (closes, want) in table {
        let mut rig = Rig::new(params(Kind::EmaCross, EMA));
        assert_eq!(run(&mut rig, closes), want, "{closes:?}");
    }
}

#[test]
fn a_cross_during_warm_up_or_a_hold_is_followed_and_not_bought_late() {
    let mut rig = Rig::new(params(Kind::EmaCross, EMA));
    rig.can_enter = false;
    assert_eq!(run(&mut rig, &[100, 90, 80, 120]), "----");
    rig.can_enter = true;
    assert_eq!(run(&mut rig, &[130, 140, 90, 60, 150]), "----B");
}

#[test]
fn a_hold_stops_no_exit() {
    let mut rig = Rig::new(params(Kind::EmaCross, EMA));
    assert_eq!(run(&mut rig, &[100, 90, 80, 120]), "---B");
    rig.can_enter = false;
    assert_eq!(run(&mut rig, &[60]), "S");
}

#[test]
fn touching_figures_keep_their_side() {
    let mut rig = Rig::new(params(Kind::EmaCross, EMA));
    assert_eq!(run(&mut rig, &[100, 100, 100, 100, 110]), "-----", "no side before: no cross");
    let mut rig = Rig::new(params(Kind::MacdTrend, r#"{"fast": 2, "slow": 3, "signal": 2}"#));
    assert_eq!(run(&mut rig, &[100; 9]), "---------");
}

#[test]
fn macd_enters_when_the_line_crosses_its_signal() {
    let mut rig = Rig::new(params(Kind::MacdTrend, r#"{"fast": 2, "slow": 3, "signal": 2}"#));
    let word = run(&mut rig, &[100, 90, 80, 60, 40, 90, 120, 60, 20]);
    assert_eq!(word, "-----B-S-");
}

#[test]
fn rsi_buys_a_dip_once_and_again_only_after_it_has_recovered() {
    let given = r#"{"period": 2, "buy_below": 30, "sell_above": 60}"#;
    let mut rig = Rig::new(params(Kind::RsiReversion, given));
    assert_eq!(run(&mut rig, &[100, 90, 80, 70]), "--B-");
    rig.flat(); // stopped out
    assert_eq!(run(&mut rig, &[60, 50]), "--", "still the same dip");
    assert_eq!(run(&mut rig, &[80, 60]), "--", "recovered; not deep enough yet");
    assert_eq!(run(&mut rig, &[20, 90]), "BS");
}

#[test]
fn bollinger_buys_under_the_lower_band_and_sells_at_the_middle() {
    let mut rig = Rig::new(params(Kind::BollingerReversion, r#"{"period": 5, "deviations": 1}"#));
    let word = run(&mut rig, &[100, 101, 99, 100, 80, 90, 100]);
    assert_eq!(word, "----B-S");
    let mut rig = Rig::new(params(Kind::BollingerReversion, r#"{"period": 5, "deviations": 1}"#));
    assert_eq!(run(&mut rig, &[100; 8]), "--------", "no width, no dip");
}

#[test]
fn donchian_compares_with_the_bars_before_and_not_with_the_bar_itself() {
    let given = r#"{"entry_period": 3, "exit_period": 2}"#;
    let mut rig = Rig::new(params(Kind::DonchianBreakout, given));
    for _ in 0..3 {
        assert_eq!(word(&rig.bar(range_bar(110, 90, 100))), "-");
    }
    assert_eq!(word(&rig.bar(range_bar(130, 100, 110))), "-", "at the edge is not over it");
    assert_eq!(word(&rig.bar(range_bar(150, 100, 131))), "B");
    rig.position = held(131);
    assert_eq!(word(&rig.bar(range_bar(131, 99, 100))), "-");
    assert_eq!(word(&rig.bar(range_bar(131, 95, 98))), "S");
}

#[test]
fn explanations_say_the_figure_and_what_is_waited_for() {
    let mut ema = Rig::new(params(Kind::EmaCross, EMA));
    assert_eq!(ema.says(), "fast EMA and slow are warming up");
    run(&mut ema, &[10_000, 9_000, 8_000]);
    assert_eq!(ema.says(), "fast EMA 6.25 % under slow");
    let mut rsi = Rig::new(params(Kind::RsiReversion, r#"{"period": 2}"#));
    run(&mut rsi, &[100, 90, 105]);
    assert_eq!(rsi.says(), "RSI 60.0, buys below 30");
    rsi.position = held(100);
    assert_eq!(rsi.says(), "RSI 60.0, sells above 55");
    let mut channel =
        Rig::new(params(Kind::DonchianBreakout, r#"{"entry_period": 2, "exit_period": 2}"#));
    run(&mut channel, &[20_000, 20_000, 19_000]);
    assert_eq!(channel.says(), "close 5.00 % under the channel's edge, buys over 200");
}
