//! The channels against local servers that speak their APIs; the outbox over a store.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::config::Sources;
use domain::{AccountId, Actor, EventKind};
use engine::{Command, Engine, EventDraft};
use serde_json::{Value, json};
use std::sync::Mutex;
use storage::StoreOptions;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Debug)]
struct Asked {
    path: String,
    headers: HashMap<String, String>,
    body: String,
}

impl Asked {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

type Log = Arc<Mutex<Vec<Asked>>>;

/// An HTTP server of one answer a request; its address, and what it was asked.
async fn http(answer: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (log, answer) = (Log::default(), Arc::new(answer));
    let told = log.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (told, answer) = (told.clone(), answer.clone());
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                while let Some(asked) = request(&mut stream).await {
                    told.lock().unwrap().push(asked.clone());
                    let (status, body) = answer(&asked);
                    let body = body.to_string();
                    let text = format!(
                        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n\
                         content-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    if stream.write_all(text.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, log)
}

async fn request(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked { path, headers, body: String::from_utf8(body).unwrap() })
}

/// A mail server that takes one letter a connection.
async fn smtp() -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("smtp://{}", listener.local_addr().unwrap());
    let log = Log::default();
    let told = log.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 here\r\n").await.unwrap();
            let (mut letter, mut is_data) = (String::new(), false);
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    break;
                }
                let reply = match line.split_whitespace().next().unwrap_or("") {
                    "." if is_data => {
                        let (path, headers) = (String::new(), HashMap::new());
                        told.lock().unwrap().push(Asked { path, headers, body: letter.clone() });
                        is_data = false;
                        "250 taken"
                    }
                    _ if is_data => {
                        letter.push_str(&line);
                        continue;
                    }
                    "DATA" => {
                        is_data = true;
                        "354 go on"
                    }
                    "QUIT" => "221 bye",
                    _ => "250 fine",
                };
                if stream.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    });
    (address, log)
}

struct Place {
    dir: tempfile::TempDir,
    store: Store,
    core: Core,
}

impl Place {
    /// A store with account 1 and an engine that answers.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("amarktai.db");
        let (store, loaded) = Store::open(&path, StoreOptions::default()).unwrap();
        let config = Config::load(&Sources::default()).unwrap();
        let engine = Engine::restore(crate::run::engine_config(&config), loaded.states).unwrap();
        let (sender, requests) = tokio::sync::mpsc::channel(16);
        let written = store.clone();
        std::thread::spawn(move || crate::offline::drive(engine, &written, requests));
        let core = Core::new(sender);
        let reporting_currency = "ZAR".parse().unwrap();
        let command = Command::CreateAccount { name: "main".into(), reporting_currency };
        core.command(None, Actor::Person("anna".into()), command).await.unwrap();
        Self { dir, store, core }
    }

    fn notices(&self, settings: &[(&str, &str)]) -> Arc<Notices> {
        let pair = |(name, value): &(&str, &str)| {
            (format!("AMARKTAI_NOTIFY__{name}"), (*value).to_owned())
        };
        let environment = settings.iter().map(pair).collect();
        let flags = vec![("--data-dir", "data_dir", self.dir.path().display().to_string())];
        let config = Config::load(&Sources { environment, flags, ..Sources::default() }).unwrap();
        for secret in ["s3cret", "t0ken", "hook-path"] {
            let shown = crate::config::settings_text(&config.settings);
            assert!(!shown.contains(secret), "{shown}");
        }
        let (health, parts) = (Arc::default(), Arc::default());
        Notices::new(&config, self.store.clone(), self.core.clone(), health, parts).unwrap()
    }

    async fn event(&self, kind: EventKind, data: Value) {
        let draft = EventDraft { account_id: Some(AccountId(1)), kind, at: now(), data };
        let pending = self.store.control(ControlWrite::Event(draft)).unwrap();
        pending.answer_async().await.unwrap();
    }

    fn all(&self) -> Vec<NoticeRow> {
        self.store.reader().notices(None, None, 100).unwrap()
    }
}

const WEBHOOK_SECRET: (&str, &str) = ("WEBHOOK_SECRET", "s3cret");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_channel_says_it_in_the_way_of_its_api() {
    let (web, log) = http(|_| (200, json!({ "ok": true, "result": {} }))).await;
    let (mail, letters) = smtp().await;
    let hook = |path: &str| format!("{web}/{path}");
    let place = Place::new().await;
    let notices = place.notices(&[
        ("WEBHOOK_URL", &hook("plain")),
        WEBHOOK_SECRET,
        ("TELEGRAM_TOKEN", "t0ken"),
        ("TELEGRAM_CHAT", "-77"),
        ("TELEGRAM_URL", &web),
        ("DISCORD_URL", &hook("discord/hook-path")),
        ("SLACK_URL", &hook("slack/hook-path")),
        ("SMTP_URL", &mail),
        ("EMAIL_FROM", "bots@example.com"),
        ("EMAIL_TO", "me@example.com"),
    ]);
    let tried = notices.try_all().await;
    let names: Vec<&str> = tried.iter().map(|tried| &*tried.channel).collect();
    assert_eq!(names, ["webhook", "telegram", "discord", "slack", "email"]);
    assert!(tried.iter().all(|tried| tried.ok), "{tried:?}");
    let asked = log.lock().unwrap().clone();
    let of = |path: &str| asked.iter().find(|asked| asked.path.contains(path)).unwrap().clone();
    let plain = of("/plain");
    assert_eq!(plain.json()["kind"], "test");
    // As a receiver checks it.
    let signed = format!("{}.{}", plain.headers["x-amarktai-timestamp"], plain.body);
    let mac = {
        use hmac::{Hmac, Mac};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").unwrap();
        mac.update(signed.as_bytes());
        mac.finalize().into_bytes()
    };
    let expected: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(plain.headers["x-amarktai-signature"], format!("sha256={expected}"));
    let telegram = of("/bott0ken/sendMessage");
    assert_eq!(telegram.json()["chat_id"], -77);
    assert!(telegram.json()["text"].as_str().unwrap().starts_with("A word to try"));
    assert_eq!(of("/discord").json()["allowed_mentions"], json!({ "parse": [] }));
    assert!(of("/slack").json()["text"].is_string());
    let letter = letters.lock().unwrap()[0].body.clone();
    assert!(letter.contains("To: me@example.com"), "{letter}");
    assert!(letter.contains("Subject: Amarktai: A word to try this channel"), "{letter}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_in_the_outbox_until_the_channel_takes_it_and_comes_once() {
    let refusals = Arc::new(Mutex::new(vec![(503, json!({})), (429, json!({"retry_after": 0}))]));
    let script = refusals.clone();
    let answer = move |_: &Asked| script.lock().unwrap().pop().unwrap_or((200, json!({})));
    let (web, log) = http(answer).await;
    let place = Place::new().await;
    let settings = [("WEBHOOK_URL", &*web), WEBHOOK_SECRET];
    let notices = place.notices(&settings);
    place.event(EventKind::EmergencyStop, json!({ "active": true, "reason": "old" })).await;
    notices.gather(Vec::new()).await.unwrap();
    assert!(place.all().is_empty(), "what was before the first start is no news");
    for _ in 0..3 {
        place.event(EventKind::EmergencyStop, json!({ "active": true, "reason": "storm" })).await;
    }
    place.event(EventKind::Fill, json!({ "mode": "paper", "id": 1 })).await;
    notices.gather(Vec::new()).await.unwrap();
    let row = &place.all()[0];
    assert_eq!((place.all().len(), row.count, row.urgent), (1, 3, true));
    // 429 with a time: due again at once.
    notices.tell().await.unwrap();
    assert_eq!((place.all()[0].attempts, &*place.all()[0].state), (1, "waiting"));
    // 503: later.
    notices.tell().await.unwrap();
    let row = place.all()[0].clone();
    assert!(row.due_at > now() && row.error.as_deref() == Some("answered 503 Service Unavailable"));
    assert_eq!(log.lock().unwrap().len(), 2);
    // A new process goes on where this one was, and makes none anew.
    let notices = place.notices(&settings);
    notices.gather(Vec::new()).await.unwrap();
    assert_eq!(place.all().len(), 1);
    let end = NoticeEnd::Again { at: now(), error: String::new() };
    notices.write(ControlWrite::NoticeEnded { id: row.id, how: end, at: now() }).await.unwrap();
    notices.tell().await.unwrap();
    assert_eq!(place.all()[0].state, "sent");
    assert_eq!(log.lock().unwrap().last().unwrap().json()["count"], 3);
    notices.tell().await.unwrap();
    assert_eq!(log.lock().unwrap().len(), 3, "told once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_letter_is_given_up_and_says_why_without_the_address() {
    let (web, _) = http(|_| (404, json!({}))).await;
    let place = Place::new().await;
    let notices = place.notices(&[("SLACK_URL", &format!("{web}/hook-path"))]);
    notices.gather(Vec::new()).await.unwrap();
    place.event(EventKind::Alert, json!({ "alert": "unguarded", "bot_id": 4 })).await;
    notices.gather(Vec::new()).await.unwrap();
    notices.tell().await.unwrap();
    let row = &place.all()[0];
    assert_eq!((&*row.state, row.error.as_deref()), ("failed", Some("answered 404 Not Found")));
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hook-path", gone.local_addr().unwrap());
    drop(gone);
    let notices = place.notices(&[("SLACK_URL", &address)]);
    let tried = notices.try_all().await;
    let why = tried[0].error.clone().unwrap();
    assert!(!tried[0].ok && !why.contains("hook-path"), "{why}");
}

#[test]
fn a_feed_is_told_once_when_it_is_down_for_five_minutes_and_once_when_it_is_back() {
    let health = |state: &str| HealthReport {
        feeds: vec![server::FeedCheck {
            exchange: "luno".into(),
            symbol: "BTC/ZAR".into(),
            state: state.into(),
            reason: None,
            grade: "polled".into(),
            age_ms: None,
        }],
        ..HealthReport::default()
    };
    let mut watch = FeedWatch::default();
    let at = |s| Timestamp(0) + Span::from_secs(s);
    let table = [
        ("fresh", 0, 0),
        ("stale", 10, 0),
        ("resyncing", 309, 0),
        ("stale", 311, 1),
        ("stale", 900, 0),
        ("fresh", 901, 1),
        ("stale", 910, 0),
        ("fresh", 920, 0),
    ];
    for (state, s, words) in table {
        assert_eq!(watch.look(&health(state), at(s)).len(), words, "{state} at {s}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telegram_answers_the_one_chat_and_stops_only_with_the_code() {
    let inbox: Arc<Mutex<Vec<Value>>> = Arc::default();
    let script = inbox.clone();
    let (web, log) = http(move |asked| {
        if !asked.path.ends_with("/getUpdates") {
            return (200, json!({ "ok": true, "result": {} }));
        }
        let news: Vec<Value> = script.lock().unwrap().drain(..).collect();
        (200, json!({ "ok": true, "result": news }))
    })
    .await;
    let place = Place::new().await;
    let settings = [("TELEGRAM_TOKEN", "t0ken"), ("TELEGRAM_CHAT", "5"), ("TELEGRAM_URL", &*web)];
    let notices = place.notices(&settings);
    let answering = {
        let notices = notices.clone();
        tokio::spawn(async move { telegram::answer(&notices).await })
    };
    let seconds = || now().0 / 1_000_000_000;
    let write = |id: i64, chat: i64, text: &str, age: i64| {
        let message = json!({ "chat": { "id": chat }, "date": seconds() - age, "text": text });
        inbox.lock().unwrap().push(json!({ "update_id": id, "message": message }));
    };
    let answers = || -> Vec<Value> {
        let log = log.lock().unwrap();
        log.iter().filter(|a| a.path.ends_with("sendMessage")).map(Asked::json).collect()
    };
    let wait = async |count: usize| {
        for _ in 0..2_000 {
            if answers().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let answers = answers();
        assert_eq!(answers.len(), count, "{answers:?}");
        answers.last().unwrap()["text"].as_str().unwrap().to_owned()
    };
    // A stranger, and an order of yesterday, are before everything else and get no answer.
    write(1, 666, "/stop", 0);
    write(2, 5, "/stop", 86_400);
    write(3, 5, "/status", 0);
    assert!(wait(1).await.contains("0 bots active"));
    write(4, 5, "/bots", 0);
    assert_eq!(wait(2).await, "There are no bots.");
    write(5, 5, "/why scout", 0);
    assert_eq!(wait(3).await, "There is no bot scout.");
    write(6, 5, "/profit", 0);
    assert!(wait(4).await.starts_with("Equity"));
    write(7, 5, "/stop 000000", 0);
    let code = wait(5).await.rsplit(' ').next().unwrap().to_owned();
    let is_stopped = async || {
        place.core.query(|e| e.emergency_stop(Some(AccountId(1))).unwrap().active).await.unwrap()
    };
    assert!(!is_stopped().await);
    write(8, 5, &format!("/stop {code}"), 0);
    assert!(wait(6).await.starts_with("Emergency stop is ON"));
    assert!(is_stopped().await);
    let offsets: Vec<i64> = {
        let log = log.lock().unwrap();
        let polls = log.iter().filter(|a| a.path.ends_with("/getUpdates"));
        polls.map(|a| a.json()["offset"].as_i64().unwrap()).collect()
    };
    assert!(offsets.is_sorted() && offsets.contains(&8), "{offsets:?}");
    answering.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_heartbeat_beats_outward_once_the_product_is_ready() {
    let (web, log) = http(|_| (200, json!({}))).await;
    let place = Place::new().await;
    let notices = place.notices(&[("HEARTBEAT_URL", &format!("{web}/hook-path"))]);
    let beating = {
        let notices = notices.clone();
        tokio::spawn(async move { heartbeat::beat(&notices).await })
    };
    assert!(log.lock().unwrap().is_empty(), "nothing is ready yet");
    notices.health.store(Arc::new(HealthReport { is_ready: true, ..HealthReport::default() }));
    for _ in 0..2_000 {
        if notices.parts.all().contains_key("heartbeat") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(notices.parts.all()["heartbeat"].status, Status::Healthy);
    assert_eq!(log.lock().unwrap()[0].path, "/hook-path");
    beating.abort();
}
