//! Routes of parts that do not exist yet: they say so instead of pretending.

use crate::auth::Principal;
use crate::extract::Path;
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

macro_rules! not_built {
    ($($name:ident $method:ident $path:literal $what:literal $([$key:literal: $kind:ty])?),* $(,)?) => {
        $(
            /// Not built yet: answers 501 with the code `NOT_BUILT`.
            #[utoipa::path($method, path = $path, tag = "not built",
                $(params(($key = $kind, Path)),)?
                responses((status = 501, body = schema::Problem,
                    content_type = "application/problem+json")))]
            async fn $name(_who: Principal, $(_path: Path<$kind>)?) -> Problem {
                Problem::not_built($what)
            }
        )*

        pub(crate) fn routes() -> OpenApiRouter<AppState> {
            OpenApiRouter::new()$(.routes(routes!($name)))*
        }
    };
}
not_built! {
    autopilot get "/api/autopilot" "the autopilot",
    autopilot_plan post "/api/autopilot/plan" "the autopilot",
    live_gate get "/api/bots/{id}/live-gate" "the live gate" ["id": u32],
    promote post "/api/bots/{id}/promote" "the live gate" ["id": u32],
    demote post "/api/bots/{id}/demote" "the live gate" ["id": u32],
    sweeps post "/api/sweeps" "sweeping over HTTP",
    sweep get "/api/sweeps/{id}" "sweeping over HTTP" ["id": String],
    groups get "/api/groups" "grouping",
}
