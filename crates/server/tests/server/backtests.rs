//! Backtests and sweeps over HTTP: queued, bounded, one's own, ended with the process.

use crate::common::{Server, problem};
use domain::{AccountId, Timestamp};
use reqwest::StatusCode;
use serde_json::{Value, json};
use server::{Course, Finding, Research, StudyKind, StudyRecord};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Works until it is let go, or told to end.
#[derive(Default)]
struct Slow {
    may_end: AtomicBool,
    running: AtomicUsize,
    most: AtomicUsize,
    cancelled: AtomicUsize,
}

impl Research for Slow {
    fn check(&self, _: StudyKind, plan: &Value) -> Result<(), String> {
        if plan["bots"].is_array() { Ok(()) } else { Err("a plan has bots".to_owned()) }
    }

    fn run(&self, _: StudyKind, plan: &Value, course: &Course) -> Result<Finding, String> {
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        while !self.may_end.load(Ordering::SeqCst) {
            if !course.report(0.25) {
                self.cancelled.fetch_add(1, Ordering::SeqCst);
                return Err("cancelled".to_owned());
            }
            std::thread::yield_now();
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        match plan["bots"][0].as_str() {
            Some("bad") => Err("no such file".to_owned()),
            _ => Ok(Finding { result: json!({ "trades": [] }), page: "<p>page</p>".to_owned() }),
        }
    }
}

async fn started(slow: &Arc<Slow>) -> Server {
    let research: Arc<dyn Research> = slow.clone();
    Server::with_state(move |state| state.research = Some(research)).await
}

async fn until(server: &Server, id: &str, word: &str) -> Value {
    until_at(server, &format!("/api/backtests/{id}"), word).await
}

async fn until_at(server: &Server, path: &str, word: &str) -> Value {
    for _ in 0..2_000 {
        let state = shown(server, path).await;
        if state["state"] == word {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{path} never was {word}");
}

async fn shown(server: &Server, path: &str) -> Value {
    server.get(path, Some(&server.trader)).await.json().await.unwrap()
}

async fn post(server: &Server, name: &str) -> String {
    let body = json!({ "data": [], "bots": [name] });
    let response = server.post("/api/backtests", Some(&server.trader), &body).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let queued: Value = response.json().await.unwrap();
    queued["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_runs_at_a_time_and_too_many_are_refused() {
    let slow = Arc::new(Slow::default());
    let server = started(&slow).await;
    let mut ids = vec![post(&server, "good").await];
    let running = until(&server, &ids[0], "running").await;
    assert_eq!((&running["error"], &running["result"]), (&Value::Null, &Value::Null));
    let report = format!("/api/backtests/{}/report", ids[0]);
    let early = server.get(&report, Some(&server.trader)).await;
    problem(early, StatusCode::CONFLICT, "NOT_DONE").await;
    ids.push(post(&server, "bad").await);
    for _ in 0..7 {
        ids.push(post(&server, "good").await);
    }
    let body = json!({ "data": [], "bots": ["good"] });
    let refused = server.post("/api/backtests", Some(&server.trader), &body).await;
    problem(refused, StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_BACKTESTS").await;
    slow.may_end.store(true, Ordering::SeqCst);
    let done = until(&server, &ids[0], "done").await;
    assert_eq!((&done["progress"], &done["result"]), (&json!(1.0), &json!({ "trades": [] })));
    let failed = until(&server, &ids[1], "failed").await;
    assert_eq!(failed["error"], "no such file");
    until(&server, ids.last().unwrap(), "done").await;
    assert_eq!(slow.most.load(Ordering::SeqCst), 1);
    let page = server.get(&report, Some(&server.trader)).await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("script"), "{policy}");
    assert_eq!(page.text().await.unwrap(), "<p>page</p>");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_and_viewers_have_no_part_in_it() {
    let slow = Arc::new(Slow::default());
    slow.may_end.store(true, Ordering::SeqCst);
    let server = started(&slow).await;
    let body = json!({ "data": [], "bots": [] });
    let refused = server.post("/api/backtests", Some(&server.viewer), &body).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let wrong = server.post("/api/backtests", Some(&server.trader), &json!({ "data": [] })).await;
    problem(wrong, StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY").await;
    let id = post(&server, "good").await;
    until(&server, &id, "done").await;
    let stranger = server.token("stranger", server::Role::Trader, AccountId(2)).await;
    for path in [format!("/api/backtests/{id}"), format!("/api/backtests/{id}/report")] {
        let response = server.get(&path, Some(&stranger)).await;
        problem(response, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_ends_with_the_server() {
    let slow = Arc::new(Slow::default());
    let server = started(&slow).await;
    let id = post(&server, "good").await;
    until(&server, &id, "running").await;
    server.stop().await;
    for _ in 0..2_000 {
        if slow.cancelled.load(Ordering::SeqCst) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeps_are_listed_cancelled_and_apart_from_backtests() {
    let slow = Arc::new(Slow::default());
    let server = started(&slow).await;
    let body = json!({ "plan": {}, "bots": ["good"] });
    let response = server.post("/api/sweeps", Some(&server.trader), &body).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let queued: Value = response.json().await.unwrap();
    let path = format!("/api/sweeps/{}", queued["id"].as_str().unwrap());
    until_at(&server, &path, "running").await;
    let list = shown(&server, "/api/sweeps").await;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["next"]), (1, &Value::Null));
    assert!(list["items"][0].get("result").is_none());
    assert_eq!(shown(&server, "/api/backtests").await["items"], json!([]));
    let other = server.get(&path.replace("sweeps", "backtests"), Some(&server.trader)).await;
    problem(other, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    let stranger = server.token("stranger", server::Role::Trader, AccountId(2)).await;
    for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
        let response = server.ask(method, &path, Some(&stranger)).send().await.unwrap();
        problem(response, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    }
    let delete = || server.ask(reqwest::Method::DELETE, &path, Some(&server.trader)).send();
    assert_eq!(delete().await.unwrap().status(), StatusCode::NO_CONTENT);
    until_at(&server, &path, "cancelled").await;
    assert_eq!(delete().await.unwrap().status(), StatusCode::NO_CONTENT);
    problem(server.get(&path, Some(&server.trader)).await, StatusCode::NOT_FOUND, "NOT_FOUND")
        .await;
    server.stop().await;
}

/// What an earlier process kept: one that was done, one that ran, one of another account.
struct Shelf;

impl Research for Shelf {
    fn check(&self, _: StudyKind, _: &Value) -> Result<(), String> {
        Ok(())
    }

    fn run(&self, _: StudyKind, _: &Value, _: &Course) -> Result<Finding, String> {
        Err("nothing is run here".to_owned())
    }

    fn kept(&self) -> Vec<StudyRecord> {
        let record = |id: &str, account: u32, state: &str| StudyRecord {
            id: id.to_owned(),
            account: AccountId(account),
            kind: StudyKind::Sweep,
            title: "ema_cross".to_owned(),
            state: state.to_owned(),
            error: None,
            asked_at: Timestamp(1),
        };
        vec![record("a", 1, "done"), record("b", 1, "running"), record("c", 2, "done")]
    }

    fn finding(&self, id: &str) -> Option<Finding> {
        Some(Finding { result: json!({ "of": id }), page: format!("<p>{id}</p>") })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_left_open_is_said_by_the_next_one() {
    let research: Arc<dyn Research> = Arc::new(Shelf);
    let server = Server::with_state(move |state| state.research = Some(research)).await;
    let items = shown(&server, "/api/sweeps").await["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 2, "{items:#}");
    let left = shown(&server, "/api/sweeps/b").await;
    assert_eq!((&left["state"], &left["result"]), (&json!("failed"), &Value::Null));
    assert!(left["error"].as_str().unwrap().starts_with("interrupted"), "{left:#}");
    assert_eq!(left["title"], "ema_cross");
    assert_eq!(shown(&server, "/api/sweeps/a").await["result"], json!({ "of": "a" }));
    let page = server.get("/api/sweeps/a/report", Some(&server.trader)).await;
    assert_eq!(page.text().await.unwrap(), "<p>a</p>");
    let foreign = server.get("/api/sweeps/c", Some(&server.trader)).await;
    problem(foreign, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    server.stop().await;
}
