//! The OpenAPI 3.1 document, made from the routes.

use crate::schema;
use crate::state::AppState;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;

/// The tag of [`crate::routes`] that answer 501.
const NOT_BUILT: &str = "not built";

/// Every route with its documentation; a route cannot be added without being in the document.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(crate::health::routes())
        .merge(crate::auth::routes())
        .merge(crate::routes::all())
        .merge(crate::realtime::routes())
}

/// The document as served at `/api/openapi.json`.
pub fn document() -> Value {
    let api = routes().into_openapi();
    // The document's own types always become JSON; an empty one would fail its tests.
    let mut json = serde_json::to_value(&api).unwrap_or_default();
    json["openapi"] = "3.1.0".into();
    json["info"] = json!({
        "title": "Amarktai",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Paper-trades a fleet of bots against live crypto markets. Routes \
            under `x-not-built` answer 501 with the code NOT_BUILT.",
        "license": { "name": "MIT", "identifier": "MIT" },
    });
    json["servers"] = json!([{ "url": "/" }]);
    let schemas = &mut json["components"]["schemas"];
    if !schemas.is_object() {
        *schemas = json!({});
    }
    for (name, shape) in schema::components() {
        schemas[name] = shape;
    }
    json["components"]["securitySchemes"] = json!({
        "token": { "type": "http", "scheme": "bearer" },
        "cookie": { "type": "apiKey", "in": "cookie", "name": "amarktai_session" },
    });
    json["security"] = json!([{ "token": [] }, { "cookie": [] }]);
    json["x-not-built"] = take_not_built(&mut json["paths"]);
    for (path, item) in json["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            complete(path, method, operation);
        }
    }
    json
}

/// Routes that only say that they are not built are listed apart: a client generated from the
/// document should not offer them, and who tests against it should not meet their 501.
fn take_not_built(paths: &mut Value) -> Value {
    let mut list = Vec::new();
    for (path, item) in paths.as_object_mut().into_iter().flatten() {
        let Some(operations) = item.as_object_mut() else { continue };
        operations.retain(|method, operation| {
            let is_built = operation["tags"][0] != NOT_BUILT;
            if !is_built {
                list.push(json!({ "method": method, "path": path }));
            }
            is_built
        });
    }
    if let Some(paths) = paths.as_object_mut() {
        paths.retain(|_, item| item.as_object().is_some_and(|item| !item.is_empty()));
    }
    list.into()
}

/// What is true of every operation.
fn complete(path: &str, method: &str, operation: &mut Value) {
    let problem = json!({
        "description": "a problem",
        "content": { "application/problem+json": {
            "schema": { "$ref": "#/components/schemas/Problem" },
        } },
    });
    operation["responses"]["default"] = problem;
    let parameters = &mut operation["parameters"];
    if !parameters.is_array() {
        *parameters = json!([]);
    }
    let list = parameters.as_array_mut().into_iter().next();
    if let (Some(list), true) = (list, method == "post" && !path.starts_with("/api/auth/")) {
        list.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key and body are carried out once and answered alike.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128,
                        "pattern": "^[A-Za-z0-9_-]+$" },
        }));
    }
    if is_open(path) {
        operation["security"] = json!([]);
    }
    let is_scoped = path.starts_with("/api/") && !is_open(path) && !path.starts_with("/api/auth/");
    if let (true, Some(list)) = (is_scoped, operation["parameters"].as_array_mut()) {
        list.push(json!({
            "name": "account_id", "in": "query", "required": false,
            "description": "Another account, for admins.",
            "schema": { "type": "integer", "minimum": 0, "maximum": u32::MAX },
        }));
    }
}

fn is_open(path: &str) -> bool {
    path == "/health" || crate::auth::is_open(path)
}
