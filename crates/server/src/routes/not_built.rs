//! Routes of parts that do not exist yet: they say so instead of pretending.

use crate::auth::Principal;
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
    groups get "/api/groups" "grouping",
}
