//! A bot's record for others, and what holding its coin would have made.

use super::bots::find;
use crate::access::now;
use crate::auth::Scope;
use crate::curve;
use crate::extract::Path;
use crate::problem::Problem;
use crate::schema;
use crate::share::{Shared, page};
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::{BotId, DataGrade, Exchange, Mode, Span, Timeframe, Timestamp};
use engine::EquityRecord;
use engine::view::{BarView, BotView, LiveGate};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use storage::{EQUITY_POINTS_MAX, TradeFilter, TradeProfit};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Bars of one line: what one question to the exchange gives.
const BARS: usize = 1_000;
/// From the finest on.
const TIMEFRAMES: [Timeframe; 6] =
    [Timeframe::M1, Timeframe::M5, Timeframe::M15, Timeframe::H1, Timeframe::H4, Timeframe::D1];

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(holding)).routes(routes!(share))
}

/// In the mode that it is in: real money and paper are never one record.
async fn curve_of(
    state: &AppState,
    scope: &Scope,
    bot: &BotView,
) -> Result<Vec<EquityRecord>, Problem> {
    let (account, of) = (scope.account, (bot.record.id, bot.record.mode));
    let read =
        state.read(move |reader| reader.equity(Some(account), of, None, None, EQUITY_POINTS_MAX));
    read.await
}

/// Gain of the coin in percent since then, by the exchange's own bars.
async fn held(
    state: &AppState,
    bot: &BotView,
    since: Timestamp,
) -> Result<Vec<(Timestamp, f64)>, Problem> {
    let config = &bot.record.config;
    let watch = state.watch.as_ref().ok_or_else(|| Problem::not_built("history here"))?;
    let age = now() - since;
    let reaches = |t: &Timeframe| t.span().is_some_and(|span| span.0 * BARS as i64 > age.0);
    let timeframe = TIMEFRAMES.into_iter().find(reaches).unwrap_or(Timeframe::D1);
    let exchange = Exchange::parse(&config.exchange);
    let exchange = exchange.ok_or_else(|| Problem::not_found("exchange"))?;
    let bars = watch.bars(exchange, config.symbol, timeframe, BARS).await?;
    let detail = "the exchange gives no price of when the bot began";
    let none = || Problem::new(axum::http::StatusCode::CONFLICT, "NOT_POSSIBLE", detail);
    line(&bars, timeframe.span().unwrap_or_default(), since).ok_or_else(none)
}

/// From the last close before `since` on, which must be near; of a market that began later in the
/// same bar, from that bar's open.
fn line(bars: &[BarView], span: Span, since: Timestamp) -> Option<Vec<(Timestamp, f64)>> {
    let (before, after) = bars.split_at(bars.partition_point(|bar| bar.open_at + span <= since));
    let near = before.last().filter(|bar| since < bar.open_at + span + span).map(|bar| bar.close);
    let start = near.or(after.first().filter(|bar| bar.open_at <= since).map(|bar| bar.open))?;
    let gain = |bar: &BarView| (bar.close.to_f64() / start.to_f64() - 1.0) * 100.0;
    let closes = after.iter().map(|bar| (bar.open_at + span, gain(bar)));
    Some(std::iter::once((since, 0.0)).chain(closes).collect())
}

/// What holding the coin would have made since the first point of equity of the bot's mode, in percent, without
/// fees: for lines beside the bot's own.
#[utoipa::path(get, path = "/api/bots/{id}/holding", tag = "bots", params(("id" = u32, Path)),
    responses((status = 200, body = schema::Holding)))]
async fn holding(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
) -> Result<Json<Value>, Problem> {
    let bot = find(&state, &scope, BotId(id)).await?;
    let records = curve_of(&state, &scope, &bot).await?;
    let since = records.first().map_or(bot.record.created_at, |record| record.at);
    let points = held(&state, &bot, since).await?;
    let point = |(at, percent): &(Timestamp, f64)| json!({ "at": at, "percent": percent });
    let points: Vec<Value> = points.iter().map(point).collect();
    Ok(Json(json!({ "bot_id": bot.record.id, "since": since, "points": points })))
}

/// A page for others that needs nothing but itself: percent only, with buy-and-hold, data quality,
/// days of good data, variants tried, and a hash that `amarktai verify FILE` checks.
#[utoipa::path(get, path = "/api/bots/{id}/share", tag = "bots", params(("id" = u32, Path)),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn share(
    State(state): State<AppState>,
    scope: Scope,
    Path(id): Path<u32>,
) -> Result<Response, Problem> {
    let bot = find(&state, &scope, BotId(id)).await?;
    let (account, bot_id) = (scope.account, bot.record.id);
    let records = curve_of(&state, &scope, &bot).await?;
    let is_paper = Some(bot.record.mode == Mode::Paper);
    let filter = TradeFilter { bot_id: Some(bot_id), is_paper, ..TradeFilter::default() };
    let trades = state.read(move |reader| reader.trade_profits(Some(account), &filter)).await?;
    let gate = state.core.query(move |engine| engine.live_gate(account, bot_id)).await?;
    let gate = gate.ok_or_else(|| Problem::not_found("bot"))?;
    let since = records.first().map_or(bot.record.created_at, |record| record.at);
    let held = held(&state, &bot, since).await;
    let html = page(&shared(&state, &bot, &records, &trades, &gate, held));
    let name = format!("attachment; filename=\"amarktai-bot-{id}.html\"");
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, html).into_response())
}

fn shared(
    state: &AppState,
    bot: &BotView,
    records: &[EquityRecord],
    trades: &[TradeProfit],
    gate: &LiveGate,
    held: Result<Vec<(Timestamp, f64)>, Problem>,
) -> Shared {
    let config = &bot.record.config;
    let units = curve::units(records);
    let percent = |value: f64| format!("{value:.2} %");
    let gain =
        |line: &[(Timestamp, f64)]| line.last().map_or("–".to_owned(), |(_, g)| percent(*g));
    let deepest = curve::falls(records).into_iter().flatten().fold(0.0, f64::max);
    let wins = trades.iter().filter(|trade| trade.profit_loss.is_positive()).count();
    let rate = |part: usize| format!("{:.1} %", 100.0 * part as f64 / trades.len().max(1) as f64);
    let chance = |p: Option<f64>| p.map_or("–".to_owned(), |p| format!("{:.0} %", p * 100.0));
    let days = gate.evidence.covered.as_secs() as f64 / 86_400.0;
    let (holding, remark) = match held {
        Ok(line) => (line, None),
        Err(problem) => (Vec::new(), Some(format!("Holding the coin: {}.", problem.detail))),
    };
    let figures = vec![
        ("Return", gain(&units)),
        ("Holding the coin", gain(&holding)),
        ("Largest drawdown", percent(deepest)),
        ("Closed trades", trades.len().to_string()),
        ("Won", if trades.is_empty() { "–".to_owned() } else { rate(wins) }),
        ("Days of good data", format!("{days:.1}")),
        ("Sure it is not luck", chance(gate.evidence.probability)),
        ("…after all variants", chance(gate.evidence.deflated)),
        ("Variants tried", gate.variants.to_string()),
    ];
    let title = format!(
        "{} {}, {} on {}",
        config.strategy.kind.name(),
        config.timeframe.name(),
        config.symbol,
        config.exchange
    );
    let since = records.first().map_or(bot.record.created_at, |record| record.at);
    let mut remarks = vec![format!("Since {since}. {}", quality(trades))];
    if records.len() >= EQUITY_POINTS_MAX {
        remarks.push("Only the last five weeks of a longer record.".to_owned());
    }
    remarks.extend(remark);
    let is_live = bot.record.mode == Mode::Live;
    let fills = if is_live {
        "Fees and fills are the exchange's own."
    } else {
        "Fees are paid, fills are simulated against the real order flow."
    };
    remarks.push(fills.to_owned());
    let mode = state.config.mode(is_live).to_owned();
    Shared { title, mode, made_at: now(), figures, bot: units, holding, remarks }
}

/// In words: how many of its trades rest on what data.
fn quality(trades: &[TradeProfit]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for trade in trades {
        *counts.entry(words(trade.grade)).or_default() += 1;
    }
    if counts.is_empty() {
        return "No trade is closed yet.".to_owned();
    }
    let list: Vec<String> = counts.iter().map(|(words, n)| format!("{words} {n}")).collect();
    format!("Data quality, by closed trades: {}.", list.join(", "))
}

const fn words(grade: DataGrade) -> &'static str {
    match grade {
        DataGrade::L3 => "every order",
        DataGrade::L2Trades => "book and trades",
        DataGrade::L1Trades => "best prices and trades",
        DataGrade::Polled => "asked now and then",
        DataGrade::Trades => "trades alone",
        DataGrade::Bars => "bars alone",
        DataGrade::Backfilled => "fetched later",
        DataGrade::Gap => "with a gap",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Amount;

    #[test]
    fn the_coin_is_held_from_the_last_close_before_the_bot_began() {
        let span = Span::from_secs(60);
        let bar = |minute: i64, close: i64| BarView {
            open_at: Timestamp(minute * span.0),
            open: Amount::from_int(90),
            high: Amount::from_int(120),
            low: Amount::from_int(80),
            close: Amount::from_int(close),
            volume: Amount::ONE,
            prints: 1,
        };
        let bars = [bar(1, 100), bar(2, 110), bar(3, 121)];
        let at = |seconds: i64| Timestamp(seconds * 1_000_000_000);
        let gains = |since| {
            let line = line(&bars, span, since)?;
            Some(line.iter().map(|(at, g)| (at.0 / 1_000_000_000, g.round())).collect::<Vec<_>>())
        };
        assert_eq!(gains(at(130)), Some(vec![(130, 0.0), (180, 10.0), (240, 21.0)]));
        assert_eq!(gains(at(250)), Some(vec![(250, 0.0)]), "no bar has closed since");
        assert_eq!(gains(at(70)).map(|line| line.len()), Some(4), "of its first bar the open");
        assert_eq!(gains(at(30)), None);
        assert_eq!(gains(at(400)), None, "the last price is old");
    }
}
