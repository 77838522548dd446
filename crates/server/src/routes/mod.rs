//! The routes, one module a subject.

mod backtests;
mod bot_history;
mod bots;
mod events;
mod history;
mod market;
mod money;
mod not_built;
mod people;
mod preview;
mod safety;
mod system;

use crate::state::AppState;
use utoipa_axum::router::OpenApiRouter;

/// All of them.
pub(crate) fn all() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(bots::routes())
        .merge(preview::routes())
        .merge(history::routes())
        .merge(money::routes())
        .merge(market::routes())
        .merge(safety::routes())
        .merge(people::routes())
        .merge(events::routes())
        .merge(system::routes())
        .merge(backtests::routes())
        .merge(not_built::routes())
}
