//! The page of a backtest.

use super::chart::{Dot, Line, chart};
use super::figures::{cents, headline};
use super::page::Page;
use super::{POINTS_MAX, Report, escape, months, thin};
use crate::decoded::Market;
use domain::{Amount, FillRecord, Liquidity, MarketEvent, Side, Timestamp, Trade};
use std::fmt::Write;

/// Trades whose receipts stand on the page; all of them are in the CSV and JSON beside it.
const RECEIPTS_MAX: usize = 1_000;
/// Dots on a price chart: more hide the price.
const DOTS_MAX: usize = 2_000;

/// The whole page.
pub fn html(report: &Report<'_>) -> String {
    let mut page = Page::new(&report.title, &headline(&report.data));
    report.data.notes.iter().for_each(|note| page.remark(&format!("Note: {note}.")));
    summary(&mut page, report);
    curves(&mut page, report);
    for market in &report.tape.markets {
        price(&mut page, report, market);
    }
    monthly(&mut page, report);
    page.section("Figures");
    page.figures(&report.figures.rows());
    undefined(&mut page, report);
    receipts(&mut page, report);
    data(&mut page, report);
    page.finish()
}

fn percent(share: Option<f64>) -> String {
    share.map_or("–".to_owned(), |share| format!("{:+.2} %", share * 100.0))
}

fn summary(page: &mut Page, report: &Report<'_>) {
    let f = &report.figures;
    let number = |v: Option<f64>| v.map_or("–".to_owned(), |v| format!("{v:.2}"));
    let hold = f.buy_and_hold.total_return;
    let is_up = f.total_return.map(|r| r >= 0.0);
    page.cards(&[
        ("Return", percent(f.total_return), is_up),
        ("Buy and hold after fees", percent(hold), None),
        ("Maximum drawdown", percent(f.max_drawdown_percent.map(|p| -p / 100.0)), None),
        ("Sharpe", number(f.sharpe), None),
        ("P(Sharpe > 0), deflated", percent(f.confidence.deflated).replace('+', ""), None),
        ("Profit factor", number(f.trades.profit_factor), None),
        ("Trades", f.trades.trades.to_string(), None),
    ]);
}

/// A line of equity, one of holding instead, and the drawdown under them.
fn curves(page: &mut Page, report: &Report<'_>) {
    let points = thin::points(&report.outcome.equity, POINTS_MAX);
    let value = |(at, equity): &(Timestamp, Amount)| (*at, equity.to_f64());
    let equity: Vec<_> = points.iter().map(value).collect();
    page.section("Equity");
    let mut lines = vec![Line { name: "equity", colour: "main", points: equity, is_area: false }];
    if let [market] = report.tape.markets.as_slice() {
        let held = holding(report, market);
        lines.push(Line {
            name: "buy and hold before fees",
            colour: "other",
            points: held,
            is_area: false,
        });
    }
    page.raw(&chart(&lines, &[], 300, &|v| format!("{v:.0}")));
    page.section("Drawdown");
    let falls = drawdowns(&report.outcome.equity);
    let line = Line { name: "drawdown", colour: "bad", points: falls, is_area: true };
    page.raw(&chart(&[line], &[], 140, &|v| format!("{:.1} %", v * 100.0)));
}

/// The capital as it would have gone with the price.
fn holding(report: &Report<'_>, market: &Market) -> Vec<(Timestamp, f64)> {
    let capital = report.outcome.capital.to_f64();
    let prices = prices(report, market);
    let Some(first) = prices.first().map(|p| p.1).filter(|p| *p > 0.0) else { return Vec::new() };
    prices.into_iter().map(|(at, price)| (at, capital * price / first)).collect()
}

/// Each point's fall from the peak before it, the deepest of each stretch kept.
fn drawdowns(equity: &[(Timestamp, Amount)]) -> Vec<(Timestamp, f64)> {
    let mut peak = Amount::ZERO;
    let fall = |(at, equity): &(Timestamp, Amount)| {
        peak = peak.max(*equity);
        (*at, equity.ratio(peak).map_or(0.0, |ratio| ratio - 1.0))
    };
    let falls: Vec<_> = equity.iter().map(fall).collect();
    let stretch = falls.len().div_ceil(POINTS_MAX).max(1);
    let deepest =
        |chunk: &[(Timestamp, f64)]| chunk.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
    falls.chunks(stretch).filter_map(deepest).collect()
}

fn prices(report: &Report<'_>, market: &Market) -> Vec<(Timestamp, f64)> {
    let (from, to) = report.outcome.span;
    let instrument = &market.instrument;
    let closed = |n: usize| (market.closed_at(n), instrument.price_amount(market.bars[n].close));
    let inside = |(at, _): &(Timestamp, Amount)| *at > from && *at <= to;
    let all: Vec<_> = (0..market.bars.len()).map(closed).filter(inside).collect();
    let all = if all.is_empty() { printed(report, market) } else { all };
    thin::points(&all, POINTS_MAX).iter().map(|(at, price)| (*at, price.to_f64())).collect()
}

/// Prices of a tape that has no bars: of each stretch of time the first one, and more stretches
/// than are drawn, so that what is thinned later still has its peaks. All prints of a large tape
/// would take more memory than the tape.
fn printed(report: &Report<'_>, market: &Market) -> Vec<(Timestamp, Amount)> {
    let place = report.tape.markets.iter().position(|m| std::ptr::eq(m, market));
    let (from, to) = report.outcome.span;
    let stretch = ((to - from).0 / (8 * POINTS_MAX as i64)).max(1);
    let mut points: Vec<(Timestamp, Amount)> = Vec::new();
    let mut next = from;
    let events = report.tape.events.play_near(from);
    for event in events.take_while(|event| event.at <= to) {
        let MarketEvent::Print(print) = &event.event else { continue };
        if Some(event.instrument) == place && event.at >= next {
            points.push((event.at, market.instrument.price_amount(print.price)));
            next = Timestamp(event.at.0 + stretch);
        }
    }
    points
}

fn price(page: &mut Page, report: &Report<'_>, market: &Market) {
    let instrument = &market.instrument;
    let is_here = |t: &&Trade| t.symbol == instrument.symbol && t.exchange == instrument.exchange;
    let trades: Vec<&Trade> = report.outcome.trades.iter().filter(is_here).collect();
    page.section(&format!("{} on {}, with trades", instrument.symbol, instrument.exchange));
    let mut dots = Vec::new();
    for trade in trades.iter().take(DOTS_MAX / 2) {
        let dot = |at, price: Amount, colour, what: &str| {
            let title = format!("{what} {} at {price}, {at}", trade.amount);
            Dot { at, value: price.to_f64(), colour, title }
        };
        dots.push(dot(trade.entry_at, trade.entry_price, "main", "bought"));
        let colour = if trade.profit_loss.is_negative() { "bad" } else { "good" };
        dots.push(dot(trade.exit_at, trade.exit_price, colour, "sold"));
    }
    let points = prices(report, market);
    let line = Line { name: "price", colour: "other", points, is_area: false };
    page.raw(&chart(&[line], &dots, 300, &short));
    let shown = dots.len() / 2;
    let note =
        if shown < trades.len() { format!("; the first {shown} are drawn") } else { String::new() };
    page.remark(&format!(
        "Blue: bought; green: sold with a profit; red: with a loss. {} trades{note}.",
        trades.len()
    ));
}

/// A price with as many decimals as tell it from its neighbours on a chart.
fn short(price: f64) -> String {
    match price.abs() {
        p if p >= 1_000.0 => format!("{price:.0}"),
        p if p >= 1.0 => format!("{price:.2}"),
        _ => format!("{price:.6}"),
    }
}

fn monthly(page: &mut Page, report: &Report<'_>) {
    let table = months::table(&report.outcome.equity, report.outcome.capital);
    if table.is_empty() {
        return;
    }
    page.section("Months");
    let names =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut head = vec!["Year".to_owned()];
    head.extend(names.map(str::to_owned));
    head.push("Total".to_owned());
    let class = |value: f64| if value < 0.0 { "bad" } else { "good" };
    let cell = |value: Option<f64>| match value {
        Some(value) => (format!("{:.1} %", value * 100.0), class(value)),
        None => (String::new(), ""),
    };
    let row = |(year, row): (&i32, &[Option<f64>; 12])| {
        let mut cells = vec![(year.to_string(), "")];
        cells.extend(row.iter().map(|value| cell(*value)));
        cells.push(cell(Some(months::year(row))));
        cells
    };
    page.table(&head, &table.iter().map(row).collect::<Vec<_>>());
}

fn undefined(page: &mut Page, report: &Report<'_>) {
    let of = |u: &ledger::statistics::Undefined| format!("{} ({})", u.metric, u.reason);
    let all: Vec<String> = report.figures.undefined.iter().map(of).collect();
    if !all.is_empty() {
        page.remark(&format!("Not defined: {}.", all.join(", ")));
    }
}

/// Each trade with the fills that made it.
fn receipts(page: &mut Page, report: &Report<'_>) {
    let trades = &report.outcome.trades;
    page.section("Trades and their receipts");
    if trades.is_empty() {
        return page.remark("No trade was closed.");
    }
    let mut by_bot: std::collections::BTreeMap<_, Vec<&FillRecord>> = Default::default();
    for fill in &report.outcome.fills {
        by_bot.entry(fill.bot_id).or_default().push(fill);
    }
    let none = Vec::new();
    for trade in trades.iter().take(RECEIPTS_MAX) {
        let fills = by_bot.get(&trade.bot_id).unwrap_or(&none);
        let first = fills.partition_point(|f| f.at < trade.entry_at);
        let of = fills[first..].iter().take_while(|f| f.at <= trade.exit_at).copied();
        page.raw(&receipt(trade, of));
    }
    if trades.len() > RECEIPTS_MAX {
        page.remark(&format!(
            "{} more are in the files beside this page.",
            trades.len() - RECEIPTS_MAX
        ));
    }
}

fn receipt<'a>(trade: &Trade, fills: impl Iterator<Item = &'a FillRecord>) -> String {
    let class = if trade.profit_loss.is_negative() { "bad" } else { "good" };
    let minute =
        |at: Timestamp| at.to_string().chars().take(16).collect::<String>().replace('T', " ");
    let reason = serde_json::to_value(trade.exit_reason).ok();
    let reason = reason.as_ref().and_then(|r| r.as_str()).unwrap_or_default().to_lowercase();
    let mut html = format!(
        "<details><summary><span>{}</span><span>{} to {}</span><span>{} {}</span>\
         <span>{} to {}</span><b class=\"{class}\">{}</b><span class=\"soft\">{}</span></summary>",
        trade.id.seq,
        minute(trade.entry_at),
        minute(trade.exit_at),
        trade.amount,
        trade.symbol.base,
        trade.entry_price,
        trade.exit_price,
        cents(trade.profit_loss),
        escape(&reason),
    );
    html.push_str(
        "<div class=\"wide\"><table><thead><tr><th>fill</th><th>side</th><th>price</th>\
        <th>quantity</th><th>fee</th><th>as</th><th>grade</th><th>queue ahead</th>\
        <th>optimistic</th><th>round trip</th></tr></thead><tbody>",
    );
    for fill in fills {
        let _ = write!(html, "<tr>{}</tr>", cells(fill));
    }
    let _ = write!(
        html,
        "</tbody></table></div><p class=\"soft\">gross {}, fees {}, slippage {}</p></details>",
        trade.gross_profit,
        trade.fees,
        trade.slippage.map_or("–".to_owned(), |s| s.to_string()),
    );
    html
}

fn cells(fill: &FillRecord) -> String {
    let grade = serde_json::to_value(fill.grade).ok();
    let grade = grade.as_ref().and_then(|g| g.as_str()).unwrap_or_default().to_owned();
    let some = |a: Option<Amount>| a.map_or("–".to_owned(), |a| a.to_string());
    let cells = [
        fill.at.to_string().chars().take(19).collect(),
        (if fill.side == Side::Buy { "buy" } else { "sell" }).to_owned(),
        fill.price.to_string(),
        fill.quantity.to_string(),
        format!("{} {}", fill.fee, fill.fee_currency),
        (if fill.liquidity == Liquidity::Maker { "maker" } else { "taker" }).to_owned(),
        grade,
        some(fill.queue_ahead_at_join),
        some(fill.optimistic_filled),
        format!("{:.0} ms", fill.round_trip.as_millis_f64()),
    ];
    cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect()
}

fn data(page: &mut Page, report: &Report<'_>) {
    page.section("Data");
    for market in &report.data.markets {
        page.remark(&format!(
            "{} {} {}: {} bars, half spread {} bp assumed, fees {} maker and {} taker ({}); {}",
            market.exchange,
            market.symbol,
            market.timeframe,
            market.bars,
            market.half_spread_bp,
            market.fee_maker,
            market.fee_taker,
            market.fee_source,
            market.files.join(", "),
        ));
    }
    for gap in &report.data.gaps {
        page.remark(&format!("gap: {} to {}", gap.from, gap.until));
    }
}
