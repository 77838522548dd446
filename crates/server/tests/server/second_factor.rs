//! The second factor over HTTP: set up, asked for before anything dangerous, counted once.

use crate::common::{SETUP_CODE, Server, problem};
use crate::operator::Fake;
use crate::shapes::fits;
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, Mac};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha1::Sha1;
use std::sync::Arc;
use std::time::SystemTime;

const PASSWORD: &str = "long enough";
const ROUTE: &str = "/api/auth/second-factor";
const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;

/// What an authenticator shows, written down once more: the product is not its own judge.
fn shown(secret: &str, step: u64) -> String {
    let key = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] % 16);
    let word = u32::from_be_bytes(digest[at..at + 4].try_into().unwrap()) % (1 << 31);
    format!("{:06}", word % 1_000_000)
}

fn step() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    since.as_secs() / 30
}

/// The owner, signed in as a browser is.
struct Owner {
    server: Server,
    cookie: String,
}

impl Owner {
    async fn new() -> Self {
        let vault = Arc::new(Fake { is_there: true });
        let server = Server::with_state(move |state| state.vault = Some(vault)).await;
        let body = json!({ "setup_code": SETUP_CODE, "name": "ann", "password": PASSWORD });
        let made = server.post("/api/auth/setup", None, &body).await;
        assert_eq!(made.status(), StatusCode::CREATED);
        let cookie = made.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { server, cookie }
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let origin = format!("http://{}", self.server.address);
        self.server.ask(method, path, None).header("cookie", &self.cookie).header("origin", origin)
    }

    async fn post(&self, path: &str, body: Value) -> Response {
        self.ask(Method::POST, path).json(&body).send().await.unwrap()
    }

    async fn state(&self) -> Value {
        let state: Value = self.ask(Method::GET, ROUTE).send().await.unwrap().json().await.unwrap();
        fits("SecondFactor", &state);
        state
    }

    async fn token(&self, name: &str, code: Option<&str>) -> Response {
        let request = self.ask(Method::POST, "/api/tokens");
        let request = match code {
            Some(code) => request.header("x-second-factor", code),
            None => request,
        };
        request.json(&json!({ "name": name, "role": "viewer" })).send().await.unwrap()
    }

    /// Sets it up; the secret, the step whose code turned it on, and the recovery codes.
    async fn enrol(&self) -> (String, u64, Vec<String>) {
        let begun: Value =
            self.post(ROUTE, json!({ "password": PASSWORD })).await.json().await.unwrap();
        fits("NewSecondFactor", &begun);
        let secret = begun["secret"].as_str().unwrap().to_owned();
        let step = step();
        let confirm = format!("{ROUTE}/confirm");
        let done = self.post(&confirm, json!({ "code": shown(&secret, step) })).await;
        let codes: Value = done.json().await.unwrap();
        fits("RecoveryCodes", &codes);
        let codes = codes["recovery_codes"].as_array().unwrap().iter();
        (secret, step, codes.map(|c| c.as_str().unwrap().to_owned()).collect())
    }
}

/// Everything dangerous, with bodies that are in order.
fn dangerous() -> Vec<(Method, &'static str, Value)> {
    let key = json!({ "key": "key-id-that-is-long-wxyz", "secret": "canary" });
    let user = json!({ "name": "bob", "password": "long enough", "role": "viewer" });
    vec![
        (Method::POST, "/api/bots/7/promote", json!({ "confirm": "x" })),
        (Method::DELETE, "/api/emergency-stop", Value::Null),
        (Method::DELETE, "/api/emergency-stop?scope=fleet", Value::Null),
        (Method::PUT, "/api/keys/binance", key),
        (Method::DELETE, "/api/keys/kucoin", Value::Null),
        (Method::POST, "/api/vault/rotate", Value::Null),
        (Method::POST, "/api/tokens", json!({ "name": "t", "role": "admin" })),
        (Method::POST, "/api/users", user),
        (Method::DELETE, ROUTE, Value::Null),
        (Method::DELETE, "/api/users/1/second-factor", Value::Null),
    ]
}

#[tokio::test]
async fn it_is_on_after_its_first_code_and_each_code_counts_once() {
    let owner = Owner::new().await;
    assert_eq!(owner.state().await["is_on"], false);
    let refused = owner.post(ROUTE, json!({ "password": "somebody else's" })).await;
    problem(refused, FORBIDDEN, "PASSWORD_WRONG").await;
    let begun: Value =
        owner.post(ROUTE, json!({ "password": PASSWORD })).await.json().await.unwrap();
    let secret = begun["secret"].as_str().unwrap();
    assert!(begun["uri"].as_str().unwrap().contains(secret), "{begun}");
    // Until a code has shown that the telephone has it, nobody is locked out.
    assert_eq!(owner.token("before", None).await.status(), StatusCode::CREATED);
    let confirm = format!("{ROUTE}/confirm");
    let wrong = shown(secret, step() + 1_000);
    problem(owner.post(&confirm, json!({ "code": wrong })).await, FORBIDDEN, "SECOND_FACTOR_WRONG")
        .await;
    assert_eq!(owner.state().await["is_on"], false);
    let (secret, step, recovery) = owner.enrol().await;
    assert_eq!((recovery.len(), owner.state().await["is_on"].clone()), (8, json!(true)));
    let again = owner.post(ROUTE, json!({ "password": PASSWORD })).await;
    problem(again, StatusCode::CONFLICT, "SECOND_FACTOR_ON").await;

    problem(owner.token("a", None).await, FORBIDDEN, "SECOND_FACTOR_REQUIRED").await;
    let first = shown(&secret, step);
    problem(owner.token("a", Some(&first)).await, FORBIDDEN, "SECOND_FACTOR_USED").await;
    let next = shown(&secret, step + 1);
    assert_eq!(owner.token("a", Some(&next)).await.status(), StatusCode::CREATED);
    problem(owner.token("b", Some(&next)).await, FORBIDDEN, "SECOND_FACTOR_USED").await;
    assert_eq!(owner.token("b", Some(&recovery[3])).await.status(), StatusCode::CREATED);
    let replayed = owner.token("c", Some(&recovery[3])).await;
    problem(replayed, FORBIDDEN, "SECOND_FACTOR_WRONG").await;
    assert_eq!(owner.state().await["recovery_codes_left"], 7);
    // Turning it off takes a code; then none is asked for.
    let off = owner.ask(Method::DELETE, ROUTE).header("x-second-factor", &recovery[0]);
    assert_eq!(off.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(owner.token("c", None).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn everything_dangerous_asks_and_the_emergency_stop_does_not() {
    let owner = Owner::new().await;
    let (_, _, recovery) = owner.enrol().await;
    let kucoin = json!({ "key": "k-and-some-more", "secret": "s", "passphrase": "p" });
    let stored = owner.server.ask(Method::PUT, "/api/keys/kucoin", Some(&owner.server.admin));
    assert_eq!(stored.json(&kucoin).send().await.unwrap().status(), StatusCode::OK);
    let before = owner.server.commands();
    for (method, path, body) in dangerous() {
        let request = owner.ask(method, path);
        let request = if body.is_null() { request } else { request.json(&body) };
        let found = problem(request.send().await.unwrap(), FORBIDDEN, "SECOND_FACTOR_REQUIRED");
        assert!(found.await["detail"].as_str().unwrap().contains("X-Second-Factor"), "{path}");
    }
    assert_eq!(owner.server.commands(), before, "nothing reached the core");
    let pulled = owner.post("/api/emergency-stop", json!({ "reason": "smoke" })).await;
    assert_eq!(pulled.status(), StatusCode::OK);
    let clear = owner.ask(Method::DELETE, "/api/emergency-stop");
    let cleared = clear.header("x-second-factor", &recovery[1]).send().await.unwrap();
    assert_eq!(cleared.status(), StatusCode::OK);
    // Programs act by their token alone, and have no second factor of their own.
    let admin = Some(owner.server.admin.as_str());
    let body = json!({ "name": "by a program", "role": "viewer" });
    assert_eq!(owner.server.post("/api/tokens", admin, &body).await.status(), StatusCode::CREATED);
    let begin = owner.server.post(ROUTE, admin, &json!({ "password": PASSWORD })).await;
    problem(begin, StatusCode::CONFLICT, "NOT_A_PERSON").await;
    let reset = owner.server.ask(Method::DELETE, "/api/users/1/second-factor", admin);
    assert_eq!(reset.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(owner.token("after", None).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn whoever_guesses_has_to_wait_and_nothing_secret_is_in_the_store() {
    let owner = Owner::new().await;
    let (secret, step, recovery) = owner.enrol().await;
    let far = step + 1_000;
    let mut guesses = 0;
    loop {
        let answer = owner.token("x", Some(&shown(&secret, far + guesses))).await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            problem(answer, StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_CODES").await;
            break;
        }
        problem(answer, FORBIDDEN, "SECOND_FACTOR_WRONG").await;
        guesses += 1;
        assert!(guesses <= 10, "it never has to wait");
    }
    assert_eq!(guesses, 10);
    // A right one waits, too: else guessing would go on beside it.
    let right = owner.token("x", Some(&shown(&secret, step + 1))).await;
    assert_eq!(right.status(), StatusCode::TOO_MANY_REQUESTS);
    let mut kept = Vec::new();
    for file in std::fs::read_dir(owner.server.dir.path()).unwrap() {
        kept.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let has = |text: &str| kept.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has("second_factors"), "this is the store");
    assert!(!has(&secret));
    for code in recovery {
        assert!(!has(&code) && !has(&code.replace('-', "").to_uppercase()), "{code}");
    }
}
