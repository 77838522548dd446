//! What a bot would cost and may use, before it is created: in figures and in one sentence.

use super::bots::CreateBot;
use super::market::seen;
use crate::auth::Scope;
use crate::extract::Body;
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use domain::{Amount, Exchange, Exits, Lifecycle, Rate, Round, Symbol};
use engine::view::MarketView;
use engine::{CommandError, Engine};
use serde_json::{Value, json};
use strategy::{Grid, GridRange, Params, Spacing};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(preview))
}

/// What such a bot would cost, and what caps and wallet leave for it; nothing is created.
#[utoipa::path(post, path = "/api/bots/preview", tag = "bots", request_body = CreateBot,
    responses((status = 200, body = schema::BotPreview)))]
async fn preview(
    State(state): State<AppState>,
    scope: Scope,
    Body(body): Body<CreateBot>,
) -> Result<Json<Value>, Problem> {
    let params = strategy::resolve(&body.strategy)
        .map_err(|e| CommandError::InvalidStrategy { problem: e.to_string() })?;
    let exits = body.exits.unwrap_or_else(|| strategy::default_exits(&params));
    let (account, name, symbol) = (scope.account, body.exchange.clone(), body.symbol);
    let exchange = Exchange::parse(&name);
    let market = match exchange {
        Some(exchange) => market(&state, exchange, symbol).await,
        None => None,
    };
    let room = move |engine: &Engine| room(engine, account, &name, symbol);
    let (policy, in_use, available) = state.core.query(room).await?;
    let cap = exchange.map(|exchange| match exchange {
        Exchange::Binance => policy.paper_bots_max.binance,
        Exchange::Kucoin => policy.paper_bots_max.kucoin,
        Exchange::Luno => policy.paper_bots_max.luno,
    });
    let share = policy.position_max(body.risk_mode);
    let costs = market.as_ref().map(Costs::of);
    let break_even = costs.as_ref().and_then(|costs| costs.break_even(&exits));
    let mid = market.as_ref().and_then(mid);
    Ok(Json(json!({
        "exchange": body.exchange,
        "symbol": symbol,
        "exits": exits,
        "sentence": sentence(&body.exchange, costs.as_ref(), break_even, &exits),
        "maker_fee_percent": market.as_ref().map(|m| m.maker_fee.to_percent()),
        "taker_fee_percent": market.as_ref().map(|m| m.taker_fee.to_percent()),
        "spread_bp": market.as_ref().and_then(|m| m.spread_bp),
        "round_trip_percent": costs.as_ref().map(|costs| costs.round_trip),
        "break_even_win_rate": break_even,
        "position_max": body.capital.times(share, Round::Down),
        "position_max_percent": share.to_percent(),
        "min_notional": market.as_ref().map(|m| m.min_notional),
        "available": available,
        "bots_in_use": in_use,
        "bots_max": cap,
        "levels": levels(&params, mid),
    })))
}

/// Also one that no bot trades yet; a market that cannot be had is not known.
async fn market(state: &AppState, exchange: Exchange, symbol: Symbol) -> Option<MarketView> {
    let ask = move |engine: &Engine| engine.market(exchange, symbol);
    seen(state, ask, |watch| watch.market(exchange, symbol)).await.ok()
}

/// The limits, bots on the exchange, and what its wallet has left of the quote currency.
fn room(
    engine: &Engine,
    account: domain::AccountId,
    exchange: &str,
    symbol: Symbol,
) -> (domain::Policy, usize, Amount) {
    let bots = engine.bots(Some(account));
    let on_it = |record: &engine::BotRecord| {
        record.config.exchange == exchange && record.lifecycle != Lifecycle::Retired
    };
    let in_use = bots.iter().filter(|bot| on_it(&bot.record)).count();
    let wallets = engine.wallets(account);
    let of_it = wallets
        .iter()
        .filter(|wallet| wallet.exchange.name() == exchange && wallet.currency == symbol.quote);
    (engine.policy(Some(account)).1, in_use, of_it.map(|wallet| wallet.available).sum())
}

/// Of buying and selling again at the touch.
struct Costs {
    /// Two taker fees and the spread, in percent.
    round_trip: Amount,
    /// Without it the fees alone are a lower bound.
    is_spread_known: bool,
}

impl Costs {
    fn of(market: &MarketView) -> Self {
        let fees = market.taker_fee.to_percent() + market.taker_fee.to_percent();
        let spread = market.spread_bp.and_then(|bp| Amount::from_f64(bp / 100.0));
        let round_trip = fees + spread.unwrap_or(Amount::ZERO);
        // Four places are what a percentage of costs is worth.
        let cut = round_trip.to_scaled(4, Round::Up).map(i128::from);
        let round_trip = cut.map_or(round_trip, |c| Amount::from_scaled(c, 4, Round::Up));
        Self { round_trip, is_spread_known: spread.is_some() }
    }

    /// Share of wins p with p (target − cost) = (1 − p) (stop + cost).
    fn break_even(&self, exits: &Exits) -> Option<f64> {
        let (stop, target) = (exits.stop_percent?.to_f64(), exits.target_percent?.to_f64());
        let cost = self.round_trip.to_f64();
        (stop + target > 0.0).then(|| (stop + cost) / (stop + target))
    }
}

fn sentence(
    exchange: &str,
    costs: Option<&Costs>,
    break_even: Option<f64>,
    exits: &Exits,
) -> String {
    let Some(costs) = costs else {
        return format!("What {exchange} costs is not known: the market has no price here yet.");
    };
    let least = if costs.is_spread_known { "" } else { "at least " };
    let start = format!("{exchange} costs {least}{} % a round trip", costs.round_trip);
    match break_even {
        Some(rate) if rate >= 1.0 => {
            format!("{start}: more than the target brings, so no rate of wins would earn.")
        }
        Some(rate) => {
            format!("{start}; with these exits it breaks even at {:.0} % wins.", rate * 100.0)
        }
        None if exits.target_percent.is_none() && exits.stop_percent.is_none() => {
            format!("{start}; each trade has to earn more than that.")
        }
        None => format!("{start}; without both stop and target no break-even can be told."),
    }
}

fn mid(market: &MarketView) -> Option<f64> {
    Some(f64::midpoint(market.best_bid?.to_f64(), market.best_ask?.to_f64()))
}

/// Where its resting orders would be, for a drawing: percent from the price at which it starts.
fn levels(params: &Params, mid: Option<f64>) -> Vec<Value> {
    match params {
        Params::Dca(dca) => {
            let base = json!({ "percent": 0.0, "share": dca.base_share.to_f64() });
            let rest = dca.safety.iter().map(
                |order| json!({ "percent": -percent(order.below), "share": order.share.to_f64() }),
            );
            std::iter::once(base).chain(rest).collect()
        }
        Params::Grid(grid) => lines(grid, mid)
            .into_iter()
            .map(|percent| json!({ "percent": percent, "share": 1.0 }))
            .collect(),
        _ => Vec::new(),
    }
}

fn percent(rate: Rate) -> f64 {
    rate.to_f64() * 100.0
}

fn lines(grid: &Grid, mid: Option<f64>) -> Vec<f64> {
    let (lower, upper) = match (grid.range, mid) {
        (GridRange::Around(half), _) => (1.0 - half.to_f64(), 1.0 + half.to_f64()),
        (GridRange::Fixed { lower, upper }, Some(mid)) if mid > 0.0 => {
            (lower.to_f64() / mid, upper.to_f64() / mid)
        }
        (GridRange::Fixed { .. }, _) => return Vec::new(),
    };
    let levels = f64::from(grid.levels);
    let line = |n: u16| match grid.spacing {
        Spacing::Arithmetic => lower + (upper - lower) * f64::from(n) / levels,
        Spacing::Geometric => lower * (upper / lower).powf(f64::from(n) / levels),
    };
    (0..=grid.levels).map(|n| (line(n) - 1.0) * 100.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exits(stop: Option<i64>, target: Option<i64>) -> Exits {
        Exits {
            stop_percent: stop.map(Amount::from_int),
            target_percent: target.map(Amount::from_int),
            ..Exits::default()
        }
    }

    #[test]
    fn costs_move_the_break_even_and_may_make_it_unreachable() {
        let costs = Costs { round_trip: "1.2".parse().unwrap(), is_spread_known: true };
        let of = |stop, target| costs.break_even(&exits(stop, target));
        // p (5 − 1.2) = (1 − p) (2 + 1.2).
        let rate = of(Some(2), Some(5)).unwrap();
        assert!((rate * 3.8 - (1.0 - rate) * 3.2).abs() < 1e-12, "{rate}");
        assert!(of(Some(2), Some(1)).unwrap() > 1.0);
        assert_eq!(of(None, Some(5)), None);
        let text = sentence("luno", Some(&costs), Some(rate), &exits(Some(2), Some(5)));
        assert_eq!(
            text,
            "luno costs 1.2 % a round trip; with these exits it breaks even at 46 % wins."
        );
        let never = sentence("luno", Some(&costs), Some(1.1), &exits(Some(2), Some(1)));
        assert!(never.contains("no rate of wins"), "{never}");
        assert!(sentence("luno", None, None, &exits(None, None)).contains("not known"));
    }

    #[test]
    fn a_grid_around_the_price_has_its_lines_on_both_sides() {
        let grid = Grid {
            range: GridRange::Around(Rate::from_percent(10)),
            levels: 4,
            spacing: Spacing::Arithmetic,
            stop_margin: Rate::ZERO,
        };
        let found: Vec<i64> = lines(&grid, None).iter().map(|p| p.round() as i64).collect();
        assert_eq!(found, [-10, -5, 0, 5, 10]);
        let fixed = GridRange::Fixed { lower: Amount::from_int(90), upper: Amount::from_int(110) };
        let fixed = Grid { range: fixed, ..grid };
        assert_eq!(lines(&fixed, Some(100.0)).len(), 5);
        assert!(lines(&fixed, None).is_empty(), "without a price there is nothing to draw");
    }
}
