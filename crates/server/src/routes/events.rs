//! The event log, page by page.

use crate::auth::Scope;
use crate::extract::{PageQuery, Query};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use storage::EventPage;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(events))
}

/// The account's events and the fleet's after a cursor, oldest first; `next` goes on, also where
/// nothing is new yet.
#[utoipa::path(get, path = "/api/events", tag = "events", params(PageQuery),
    responses((status = 200, body = schema::EventPage)))]
async fn events(
    State(state): State<AppState>,
    scope: Scope,
    Query(query): Query<PageQuery>,
) -> Result<Json<EventPage>, Problem> {
    let limit = query.limit()? as usize;
    let after = query.after.filter(|cursor| !cursor.is_empty());
    let page =
        state.read(move |reader| reader.events_after(Some(scope.account), after.as_deref(), limit));
    page.await.map(Json)
}
