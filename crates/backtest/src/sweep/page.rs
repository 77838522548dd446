//! The page of a sweep: ranking, walk forward, heat map.

use super::{Ranking, Space};
use crate::report::{Page, escape};
use std::fmt::Write;

/// Variants in the table; all of them are in the JSON.
const SHOWN: usize = 50;
/// Values of an axis of the heat map: more do not fit a page.
const CELLS_MAX: usize = 40;

/// The whole page.
pub fn html(title: &str, headline: &str, space: &Space, ranking: &Ranking) -> String {
    let mut page = Page::new(title, headline);
    let best = ranking.ranked.first();
    let number = |v: Option<f64>| v.map_or("–".to_owned(), |v| format!("{v:.2}"));
    let share = |v: Option<f64>| v.map_or("–".to_owned(), |v| format!("{:.1} %", v * 100.0));
    page.cards(&[
        ("Variants", ranking.variants.to_string(), None),
        ("Best, unseen", number(best.and_then(|b| b.unseen_score)), None),
        ("…is not chance, deflated", share(best.and_then(|b| b.confidence.deflated)), None),
        ("Walk forward", number(ranking.walk_forward_score), None),
        ("…is above zero", share(ranking.walk_forward_confidence.probability), None),
    ]);
    page.remark(&format!(
        "The best of {} variants looks good by chance alone; the deflated probability takes that \
         off. Scores are {:?} of daily returns.",
        ranking.variants, ranking.score
    ));
    heat(&mut page, space, ranking);
    page.section("Ranking by unseen windows");
    let head = ["Variant", "Unseen", "First window", "P > 0", "Deflated", "Profit", "Trades"];
    let row = |r: &super::Ranked| {
        let cells = [
            r.variant.clone(),
            number(r.unseen_score),
            number(r.first_score),
            share(r.confidence.probability),
            share(r.confidence.deflated),
            format!("{:.2}", r.profit.to_f64()),
            r.trades.to_string(),
        ];
        cells.map(|cell| (cell, "")).to_vec()
    };
    let rows: Vec<_> = ranking.ranked.iter().take(SHOWN).map(row).collect();
    page.table(&head.map(str::to_owned), &rows);
    page.section("Walk forward");
    let head = ["Window", "Best before", "Score before", "Score then", "Profit then"];
    let row = |s: &super::Step| {
        let cells = [
            s.window.to_string(),
            s.chosen.clone(),
            number(s.score_before),
            number(s.score_then),
            format!("{:.2}", s.profit_then.to_f64()),
        ];
        cells.map(|cell| (cell, "")).to_vec()
    };
    let rows: Vec<_> = ranking.walk_forward.iter().map(row).collect();
    page.table(&head.map(str::to_owned), &rows);
    page.finish()
}

/// The first two axes against each other; a cell is the mean of the unseen scores there.
fn heat(page: &mut Page, space: &Space, ranking: &Ranking) {
    let [first, rest @ ..] = space.axes.as_slice() else { return };
    let columns = rest.first().map_or(1, |axis| axis.values.len());
    if first.values.len() > CELLS_MAX || columns > CELLS_MAX {
        return page.remark("The first two axes have too many values for a heat map.");
    }
    let mut cells = vec![vec![(0.0f64, 0u32); columns]; first.values.len()];
    for ranked in &ranking.ranked {
        let column = ranked.place.get(1).copied().unwrap_or(0);
        if let Some(score) = ranked.unseen_score {
            let cell = &mut cells[ranked.place[0]][column];
            *cell = (cell.0 + score, cell.1 + 1);
        }
    }
    let mean = |(sum, n): (f64, u32)| (n > 0).then(|| sum / f64::from(n));
    let widest = cells.iter().flatten().filter_map(|c| mean(*c)).map(f64::abs).fold(0.0, f64::max);
    let second = rest.first().map_or(String::new(), |axis| axis.name.clone());
    page.section(&format!("Heat map: {} down, {second} across", first.name));
    let mut html = "<div class=\"wide\"><table><thead><tr><th></th>".to_owned();
    for value in rest.first().map_or(&[] as &[String], |axis| &axis.values) {
        let _ = write!(html, "<th>{}</th>", escape(value));
    }
    html.push_str("</tr></thead><tbody>");
    for (value, row) in first.values.iter().zip(&cells) {
        let _ = write!(html, "<tr><td>{}</td>", escape(value));
        row.iter().for_each(|cell| html.push_str(&tinted(mean(*cell), widest)));
        html.push_str("</tr>");
    }
    page.raw(&(html + "</tbody></table></div>"));
    page.remark("Mean unseen score of all variants at that place; green is above zero, red below.");
}

fn tinted(score: Option<f64>, widest: f64) -> String {
    let Some(score) = score else { return "<td>–</td>".to_owned() };
    let colour = if score < 0.0 { "bad" } else { "good" };
    let depth = if widest > 0.0 { (score.abs() / widest * 60.0).round() } else { 0.0 };
    format!(
        "<td style=\"background:color-mix(in srgb,var(--{colour}) {depth}%,transparent)\">\
         {score:.2}</td>"
    )
}
