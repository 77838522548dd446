//! Situations of the kinds that let orders rest: grid, DCA, market making.

mod common;

use common::{Rig, held, params};
use domain::{Rate, Side, StrategyKind as Kind};
use strategy::{Action, Params};

/// Wishes as text: `b2@95.00`, `s1@...`, `-b0`, `sweep`, `market*share`.
fn words(actions: &[Action]) -> Vec<String> {
    let side = |s: &Side| if *s == Side::Buy { "b" } else { "s" };
    actions
        .iter()
        .map(|action| match action {
            Action::Rest { level, side: s, price, .. } => format!("{}{level}@{}", side(s), price.0),
            Action::Withdraw { level, side: s } => format!("-{}{level}", side(s)),
            Action::WithdrawAll => "sweep".to_owned(),
            Action::Enter { share, .. } => format!("market*{share}"),
            Action::Exit { .. } => "exit".to_owned(),
        })
        .collect()
}

const GRID: &str = r#"{"lower": "100", "upper": "140", "levels": 4, "spacing": "arithmetic"}"#;

#[test]
fn grid_buys_rest_under_the_price_and_a_filled_level_sells_one_line_higher() {
    let mut rig = Rig::new(params(Kind::Grid, GRID));
    assert_eq!(words(&rig.close(12_500)), ["b0@10000", "b1@11000", "b2@12000"]);
    rig.position = held(12_000);
    assert_eq!(words(&rig.fill(2, Side::Buy, 12_000, true)), ["s2@13000"]);
    assert_eq!(words(&rig.close(11_500)), ["b0@10000", "b1@11000", "s2@13000"]);
    assert_eq!(words(&rig.fill(2, Side::Sell, 13_000, true)), ["b2@12000"]);
    assert_eq!(words(&rig.close(13_000)), ["b0@10000", "b1@11000", "b2@12000"]);
}

#[test]
fn grid_lines_are_on_ticks_and_geometric_ones_keep_their_ratio() {
    let given = r#"{"lower": "100.02", "upper": "200.09", "levels": 2}"#;
    let mut rig = Rig::new(params(Kind::Grid, given));
    assert_eq!(words(&rig.close(20_500)), ["b0@10000", "b1@14145"]);
    let given = r#"{"lower": 100, "upper": "146.41", "levels": 4}"#;
    let mut rig = Rig::new(params(Kind::Grid, given));
    let want = ["b0@10000", "b1@11000", "b2@12100", "b3@13310"];
    assert_eq!(words(&rig.close(14_000)), want);
}

#[test]
fn a_hold_takes_the_grids_buys_away_and_leaves_its_sells() {
    let mut rig = Rig::new(params(Kind::Grid, GRID));
    rig.close(12_500);
    rig.position = held(12_000);
    rig.fill(2, Side::Buy, 12_000, true);
    rig.can_enter = false;
    assert_eq!(words(&rig.close(12_500)), ["s2@13000"]);
    assert_eq!(words(&rig.fill(2, Side::Sell, 13_000, true)), [""; 0]);
}

#[test]
fn a_level_bought_in_part_is_sold_once_the_price_has_left() {
    let mut rig = Rig::new(params(Kind::Grid, GRID));
    rig.close(12_500);
    rig.position = held(12_000);
    assert_eq!(words(&rig.fill(2, Side::Buy, 12_000, false)), [""; 0]);
    assert_eq!(words(&rig.close(12_100)), ["b0@10000", "b1@11000", "b2@12000"]);
    let left = rig.close(13_000);
    assert_eq!(words(&left), ["b0@10000", "b1@11000", "-b2", "s2@13000"]);
    // the rest of the buy was filled before the cancel arrived: one lot, one sell
    assert_eq!(words(&rig.fill(2, Side::Buy, 12_000, true)), ["s2@13000"]);
}

#[test]
fn the_grids_stop_is_a_margin_under_its_range_and_flat_forgets_the_levels() {
    let mut rig = Rig::new(params(Kind::Grid, GRID));
    assert_eq!(rig.stop(), None, "not started");
    rig.close(12_500);
    assert_eq!(rig.stop(), Some(9_900));
    rig.fill(2, Side::Buy, 12_000, true);
    rig.flat();
    assert_eq!(words(&rig.close(9_800)), ["sweep"], "under the range nothing is bought");
    assert_eq!(words(&rig.close(11_500)), ["b0@10000", "b1@11000"]);
}

#[test]
fn a_protective_fill_is_no_level_of_the_grid() {
    let mut rig = Rig::new(params(Kind::Grid, GRID));
    rig.close(12_500);
    rig.position = held(10_000);
    rig.fill(0, Side::Buy, 10_000, true);
    let before = rig.state.clone();
    rig.protective_fill(9_900);
    assert_eq!(rig.state, before);
}

#[test]
fn a_grid_around_the_price_moves_only_when_nothing_is_held() {
    let given = r#"{"range_percent": 10, "levels": 2, "spacing": "arithmetic"}"#;
    let mut rig = Rig::new(params(Kind::Grid, given));
    assert_eq!(words(&rig.close(10_000)), ["b0@9000"]);
    rig.position = held(9_000);
    rig.fill(0, Side::Buy, 9_000, true);
    assert_eq!(words(&rig.close(12_000)), ["s0@10000", "b1@10000"], "held: it stays");
    rig.fill(0, Side::Sell, 10_000, true);
    rig.position = Default::default();
    assert_eq!(words(&rig.close(12_000)), ["sweep", "b0@10800"]);
}

#[test]
fn grid_steps_under_a_tick_buy_nothing_and_say_so() {
    let given = r#"{"lower": "100", "upper": "100.10", "levels": 50}"#;
    let mut rig = Rig::new(params(Kind::Grid, given));
    let bought = words(&rig.close(20_000)).len();
    assert!(bought <= 2, "{bought} levels in two ticks");
    assert!(rig.says().starts_with(&format!("{bought} of 50 grid levels buy")), "{}", rig.says());
}

const DCA: &str = r#"{"safety_orders": 2, "deviation_percent": 10, "step_scale": 2,
    "volume_scale": 2, "interval_bars": 3, "target_percent": 2}"#;

#[test]
fn dca_buys_the_base_and_rests_safety_orders_under_its_fill() {
    let mut rig = Rig::new(params(Kind::Dca, DCA));
    assert_eq!(words(&rig.close(10_000)), ["market*0.428571428"]);
    rig.position = held(10_000);
    assert_eq!(words(&rig.fill(0, Side::Buy, 10_000, true)), ["b1@9000", "b2@7000"]);
    assert_eq!(words(&rig.fill(1, Side::Buy, 9_000, false)), [""; 0]);
    assert_eq!(words(&rig.close(8_950)), ["b1@9000", "b2@7000"]);
    rig.fill(1, Side::Buy, 9_000, true);
    assert_eq!(words(&rig.close(8_900)), ["b2@7000"]);
    rig.can_enter = false;
    assert_eq!(words(&rig.close(8_900)), [""; 0]);
}

#[test]
fn dca_waits_its_interval_after_a_round_and_sweeps_what_rests() {
    let mut rig = Rig::new(params(Kind::Dca, DCA));
    rig.close(10_000);
    rig.position = held(10_000);
    rig.fill(0, Side::Buy, 10_000, true);
    rig.flat();
    assert_eq!(words(&rig.close(10_200)), ["sweep"]);
    assert_eq!(rig.says(), "flat, next base order in 2 bars");
    assert_eq!(words(&rig.close(10_200)), [""; 0]);
    assert_eq!(words(&rig.close(10_200)), ["market*0.428571428"]);
}

#[test]
fn dca_shares_make_as_many_entries_as_there_are_orders() {
    let Params::Dca(dca) = params(Kind::Dca, r#"{"safety_orders": 7, "volume_scale": "1.7"}"#)
    else {
        panic!("another kind")
    };
    let sum = dca.base_share.0 + dca.safety.iter().map(|s| s.share.0).sum::<i64>();
    assert!((8 * Rate::ONE.0 - 8..=8 * Rate::ONE.0).contains(&sum), "{sum}");
    assert!(dca.safety.windows(2).all(|w| w[0].below < w[1].below && w[0].share < w[1].share));
}

const MAKING: &str = r#"{"min_spread_bp": 10, "max_entries": 2, "behind_ticks": 1}"#;

#[test]
fn market_making_quotes_by_inventory_spread_and_holds() {
    let table = [
        // (bid, ask), entries, can enter → wishes
        (Some((10_000, 10_020)), 0, true, vec!["b0@9995", "-s0"]),
        (Some((10_000, 10_020)), 1, true, vec!["b0@9995", "s0@10025"]),
        (Some((10_000, 10_020)), 2, true, vec!["-b0", "s0@10025"]),
        (Some((10_000, 10_005)), 1, true, vec!["-b0", "s0@10010"]),
        (Some((10_000, 10_020)), 1, false, vec!["-b0", "s0@10025"]),
        (None, 1, true, vec!["sweep"]),
        (Some((10_020, 10_000)), 1, true, vec!["sweep"]),
    ];
    for (touch, entries, can_enter, want) in table {
        let mut rig = Rig::new(params(Kind::MarketMaking, MAKING));
        (rig.touch, rig.can_enter) = (touch, can_enter);
        if entries > 0 {
            rig.position = strategy::Position { entries, ..held(10_000) };
        }
        assert_eq!(words(&rig.close(10_010)), want, "{touch:?} {entries} {can_enter}");
    }
}

#[test]
fn market_making_requotes_every_so_many_bars_and_at_each_fill() {
    let mut rig =
        Rig::new(params(Kind::MarketMaking, r#"{"requote_bars": 3, "min_spread_bp": 1}"#));
    rig.touch = Some((10_000, 10_020));
    let quoted: Vec<bool> = (0..7).map(|_| !rig.close(10_010).is_empty()).collect();
    assert_eq!(quoted, [true, false, false, true, false, false, true]);
    rig.position = held(10_000);
    assert_eq!(words(&rig.fill(0, Side::Buy, 10_000, true)), ["b0@10000", "s0@10020"]);
}

#[test]
fn explanations_name_what_rests_and_why() {
    let mut grid = Rig::new(params(Kind::Grid, GRID));
    assert_eq!(grid.says(), "grid starts at the next bar that may enter");
    grid.close(12_500);
    assert_eq!(grid.says(), "3 of 4 grid levels buy, 0 sell, between 100 and 140");
    let mut dca = Rig::new(params(Kind::Dca, DCA));
    assert_eq!(dca.says(), "flat, buys the base order");
    dca.close(10_000);
    dca.position = held(10_000);
    dca.fill(0, Side::Buy, 10_000, true);
    let want = "0.00 % over the average price, sells at 2 %; 0 of 2 safety orders filled";
    assert_eq!(dca.says(), want);
    let mut making = Rig::new(params(Kind::MarketMaking, MAKING));
    assert_eq!(making.says(), "no fresh touch to quote at");
    making.touch = Some((10_000, 10_005));
    assert_eq!(making.says(), "spread 5.0 bp, buys from 10 bp; holds 0 of 2 entries");
}
