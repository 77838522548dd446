//! Who may do what, over real sockets.

use crate::common::{SETUP_CODE, Server, problem};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Every operation of the document with its path filled in.
fn operations() -> Vec<(Method, String)> {
    let document = server::document();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            let path = path
                .replace("{id}", "7")
                .replace("{exchange}", "luno")
                .replace("{pair}", "BTC-ZAR")
                .replace("{scope}", "account");
            all.push((method, path));
        }
    }
    for route in document["x-not-built"].as_array().unwrap() {
        let method = route["method"].as_str().unwrap().to_uppercase().parse().unwrap();
        all.push((method, route["path"].as_str().unwrap().replace("{exchange}", "luno")));
    }
    assert!(all.len() > 80, "{}", all.len());
    all
}

fn is_open(path: &str) -> bool {
    let open = ["/health", "/metrics", "/api/auth/login", "/api/auth/setup"];
    path.starts_with("/api/health") || open.contains(&path)
}

#[tokio::test]
async fn every_route_without_a_token_is_401() {
    let server = Server::start().await;
    for (method, path) in operations().into_iter().filter(|(_, path)| !is_open(path)) {
        for token in [None, Some("amk_wrong")] {
            let response = server.ask(method.clone(), &path, token).send().await.unwrap();
            problem(response, StatusCode::UNAUTHORIZED, "UNAUTHENTICATED").await;
        }
    }
    assert_eq!(server.commands(), 0);
}

#[tokio::test]
async fn a_viewer_may_look_and_never_order() {
    let server = Server::start().await;
    let unsafe_ones = |(method, path): &(Method, String)| {
        *method != Method::GET && !is_open(path) && path != "/api/auth/logout"
    };
    for (method, path) in operations().into_iter().filter(unsafe_ones) {
        let response = server.ask(method, &path, Some(&server.viewer)).send().await.unwrap();
        problem(response, StatusCode::FORBIDDEN, "VIEWER_READS_ONLY").await;
    }
    assert_eq!(server.get("/api/bots", Some(&server.viewer)).await.status(), StatusCode::OK);
    assert_eq!(server.commands(), 0);
}

#[tokio::test]
async fn what_only_admins_may_is_403_for_traders() {
    let server = Server::start().await;
    let token = Some(server.trader.as_str());
    for path in ["/api/users", "/api/tokens"] {
        problem(server.get(path, token).await, StatusCode::FORBIDDEN, "ADMIN_ONLY").await;
    }
    let body = json!({ "name": "x" });
    let response = server.post("/api/accounts", token, &body).await;
    problem(response, StatusCode::FORBIDDEN, "ADMIN_ONLY").await;
    let stop = "/api/emergency-stop?scope=fleet";
    for method in [Method::POST, Method::DELETE] {
        let response = server.ask(method, stop, token).send().await.unwrap();
        problem(response, StatusCode::FORBIDDEN, "ADMIN_ONLY").await;
    }
    let response = server.post("/api/breakers/fleet/close", token, &json!({})).await;
    problem(response, StatusCode::FORBIDDEN, "ADMIN_ONLY").await;
    assert_eq!(server.commands(), 0);
}

#[tokio::test]
async fn another_account_is_not_found_rather_than_forbidden() {
    let server = Server::start().await;
    let token = Some(server.trader.as_str());
    let response = server.get("/api/bots?account_id=2", token).await;
    problem(response, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    let own = server.get("/api/bots?account_id=1", token).await;
    assert_eq!(own.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_first_owner_needs_the_code_and_then_signs_in_with_a_cookie() {
    let server = Server::start().await;
    server.answer(|_| Ok(engine::Reply::Account(domain::AccountId(1))));
    let state: Value = server.get("/api/auth/setup", None).await.json().await.unwrap();
    assert_eq!(state["needed"], true);
    let mut body = json!({ "setup_code": "guess", "name": "ann", "password": "long enough" });
    let response = server.post("/api/auth/setup", None, &body).await;
    problem(response, StatusCode::FORBIDDEN, "SETUP_CODE_WRONG").await;
    body["setup_code"] = SETUP_CODE.into();
    let mut short = body.clone();
    short["password"] = "short".into();
    let response = server.post("/api/auth/setup", None, &short).await;
    problem(response, StatusCode::UNPROCESSABLE_ENTITY, "INVALID_FIELD").await;
    let response = server.post("/api/auth/setup", None, &body).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains("Secure"), "plain http: {cookie}");
    let response = server.post("/api/auth/setup", None, &body).await;
    problem(response, StatusCode::CONFLICT, "ALREADY_SET_UP").await;

    let cookie = cookie.split(';').next().unwrap().to_owned();
    let me = server.ask(Method::GET, "/api/auth/me", None).header("cookie", &cookie);
    let me: Value = me.send().await.unwrap().json().await.unwrap();
    assert_eq!((me["name"].as_str(), me["role"].as_str()), (Some("ann"), Some("admin")));
    let wrong = json!({ "name": "ann", "password": "something else" });
    let response = server.post("/api/auth/login", None, &wrong).await;
    problem(response, StatusCode::UNAUTHORIZED, "SIGN_IN_REFUSED").await;
    let right = json!({ "name": "ann", "password": "long enough" });
    let response = server.post("/api/auth/login", None, &right).await;
    assert_eq!(response.status(), StatusCode::OK);

    let logout = |origin: Option<String>| {
        let request = server.ask(Method::POST, "/api/auth/logout", None).header("cookie", &cookie);
        match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        }
    };
    for origin in [None, Some("http://evil.example".to_owned())] {
        let response = logout(origin).send().await.unwrap();
        problem(response, StatusCode::FORBIDDEN, "FOREIGN_ORIGIN").await;
    }
    let response = logout(Some(format!("http://{}", server.address))).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let me = server.ask(Method::GET, "/api/auth/me", None).header("cookie", &cookie);
    problem(me.send().await.unwrap(), StatusCode::UNAUTHORIZED, "UNAUTHENTICATED").await;
}

#[tokio::test]
async fn a_token_is_shown_once_and_useless_once_revoked() {
    let server = Server::start().await;
    let admin = Some(server.admin.as_str());
    let body = json!({ "name": "script", "role": "viewer" });
    let made: Value = server.post("/api/tokens", admin, &body).await.json().await.unwrap();
    let token = made["token"].as_str().unwrap();
    assert_eq!(server.get("/api/bots", Some(token)).await.status(), StatusCode::OK);
    let again = server.post("/api/tokens", admin, &body).await;
    problem(again, StatusCode::CONFLICT, "NAME_TAKEN").await;
    let list = server.get("/api/tokens", admin).await.text().await.unwrap();
    assert!(list.contains("script") && !list.contains(token) && !list.contains("hash\""), "{list}");
    let path = format!("/api/tokens/{}", made["id"]);
    let response = server.ask(Method::DELETE, &path, admin).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let response = server.get("/api/bots", Some(token)).await;
    problem(response, StatusCode::UNAUTHORIZED, "UNAUTHENTICATED").await;
}

#[tokio::test]
async fn strangers_see_the_status_word_and_no_metrics() {
    let server = Server::start().await;
    // A forwarded request is a stranger's, although its peer is the proxy on loopback.
    for path in ["/health", "/api/health"] {
        let request = server.ask(Method::GET, path, None).header("x-forwarded-for", "8.8.8.8");
        let health: Value = request.send().await.unwrap().json().await.unwrap();
        let keys: Vec<&String> = health.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["status"]);
        // So is a page of another name that resolves to us.
        let request = server.ask(Method::GET, path, None).header("host", "evil.example");
        let health: Value = request.send().await.unwrap().json().await.unwrap();
        assert!(health.get("checks").is_none());
        let health: Value = server.get(path, None).await.json().await.unwrap();
        assert_eq!(health["mode"], "DEMO");
        assert!(health["checks"]["engine"].is_object());
        assert_eq!(health["flags"]["ENABLE_TRADING"], true);
    }
    let request = server.ask(Method::GET, "/metrics", None).header("x-forwarded-for", "8.8.8.8");
    problem(request.send().await.unwrap(), StatusCode::UNAUTHORIZED, "UNAUTHENTICATED").await;
    let request = server
        .ask(Method::GET, "/metrics", Some(&server.viewer))
        .header("x-forwarded-for", "8.8.8.8");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.get("/metrics", None).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn ready_is_503_until_the_supervisor_says_so_and_live_is_not() {
    let server = Server::start().await;
    let response = server.get("/api/health/ready", None).await;
    problem(response, StatusCode::SERVICE_UNAVAILABLE, "NOT_READY").await;
    assert_eq!(server.get("/api/health/live", None).await.status(), StatusCode::OK);
    let report = server::HealthReport { is_ready: true, ..server::HealthReport::default() };
    server.state.health.store(report.into());
    assert_eq!(server.get("/api/health/ready", None).await.status(), StatusCode::OK);
}
