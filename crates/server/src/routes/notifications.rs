//! What people were told, and a try of the channels.

use crate::auth::{Principal, Role, Scope};
use crate::extract::{PageQuery, Query};
use crate::operator::ChannelTried;
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(test))
}

/// The outbox, newest first; the channels that are configured.
#[utoipa::path(get, path = "/api/notifications", tag = "operator", params(PageQuery),
    responses((status = 200, body = schema::Notifications)))]
async fn list(
    State(state): State<AppState>,
    scope: Scope,
    Query(page): Query<PageQuery>,
) -> Result<Json<Value>, Problem> {
    let limit = page.limit()?;
    let before = page.after.as_deref().filter(|text| !text.is_empty()).map(|text| {
        text.parse::<i64>().map_err(|_| {
            Problem::bad_request("INVALID_CURSOR", "after: take the `next` of the page before")
        })
    });
    let before = before.transpose()?;
    // What concerns the fleet is an admin's business.
    let is_admin = scope.who.role == Role::Admin;
    let account = scope.account;
    let mut rows =
        state.read(move |reader| reader.notices(Some(account), before, limit + 1)).await?;
    let next = (rows.len() > limit as usize).then(|| {
        rows.truncate(limit as usize);
        rows.last().map(|row| row.id.to_string())
    });
    rows.retain(|row| is_admin || row.account_id.is_some());
    let channels = state.notifier.as_ref().map(|n| n.channels()).unwrap_or_default();
    Ok(Json(json!({ "channels": channels, "items": rows, "next": next.flatten() })))
}

/// Sends a word over every channel now and says what came of it.
#[utoipa::path(post, path = "/api/notifications/test", tag = "operator",
    responses((status = 200, body = Vec<schema::ChannelTried>)))]
async fn test(
    State(state): State<AppState>,
    who: Principal,
) -> Result<Json<Vec<ChannelTried>>, Problem> {
    who.require_admin()?;
    let notifier = state.notifier.clone().ok_or_else(|| Problem::not_built("notification here"))?;
    Ok(Json(notifier.try_all().await))
}
