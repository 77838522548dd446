//! The routes, one module a subject.

mod autopilot;
mod backups;
mod bot_history;
mod bots;
mod events;
mod history;
mod keys;
mod live_gate;
mod market;
mod money;
mod not_built;
mod notifications;
mod people;
mod preview;
mod safety;
mod share;
mod studies;
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
        .merge(live_gate::routes())
        .merge(autopilot::routes())
        .merge(share::routes())
        .merge(people::routes())
        .merge(events::routes())
        .merge(system::routes())
        .merge(studies::routes())
        .merge(keys::routes())
        .merge(backups::routes())
        .merge(notifications::routes())
        .merge(not_built::routes())
}
