//! Debian's nginx in front, with the configuration that we ship: streams are not held back, and
//! neither faults nor a restart are answered with 502.

use crate::harness::{PATIENCE, Place, Product, until};
use crate::market::{config, fund, listed, sandbox};
use crate::service::{activated, restart};
use domain::Exchange;
use sandbox::{Fault, FaultSpec};
use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Between two requests: 200 a second.
const PAUSE: Duration = Duration::from_millis(5);

struct Nginx {
    child: Child,
    base: String,
    _dir: tempfile::TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The shipped file, with our addresses and without certificates.
fn shipped(upstream: SocketAddr, listen: SocketAddr) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nginx/amarktai.conf");
    let text = fs::read_to_string(path).unwrap();
    let redirect = text.find("server {\n    listen 80;").unwrap();
    let ours = redirect + text[redirect..].find("}\n\n").unwrap() + 3;
    let text = format!("{}{}", &text[..redirect], &text[ours..]);
    let lines = text.lines().filter(|line| {
        let line = line.trim();
        !line.starts_with("ssl_") && !line.starts_with("listen [::]")
    });
    let text: Vec<String> = lines
        .map(|line| line.replace("listen 443 ssl http2;", &format!("listen {listen};")))
        .collect();
    text.join("\n").replace("127.0.0.1:8000", &upstream.to_string())
}

/// `None`: there is no nginx here.
async fn nginx(upstream: SocketAddr) -> Option<Nginx> {
    let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].into_iter();
    let program = program.map(Path::new).find(|path| path.exists())?;
    let dir = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = free.local_addr().unwrap();
    drop(free);
    let at = dir.path().display();
    // In one process of ours: no daemon, no files outside.
    let head = format!(
        "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\n\
         events {{ worker_connections 1024; }}\nhttp {{\naccess_log off;\n\
         client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;\n\
         uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n"
    );
    let file = dir.path().join("nginx.conf");
    fs::write(&file, format!("{head}{}\n}}\n", shipped(upstream, listen))).unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(&file).arg("-p").arg(dir.path()).stdin(Stdio::null());
    let child = command.stderr(Stdio::null()).spawn().unwrap();
    let nginx = Nginx { child, base: format!("http://{listen}"), _dir: dir };
    let url = format!("{}/api/health/live", nginx.base);
    until("nginx answers", PATIENCE, || async {
        crate::harness::client().get(&url).send().await.ok().map(|_| ())
    })
    .await;
    Some(nginx)
}

type Answers = Arc<Mutex<BTreeMap<String, u64>>>;

/// Asks until told to stop; counts the answers by their status.
async fn load(base: String, token: String, answers: Answers, stop: Arc<AtomicBool>) {
    let client = crate::harness::client();
    let mut pending = tokio::task::JoinSet::new();
    let mut interval = tokio::time::interval(PAUSE);
    let paths = ["/api/health/live", "/api/markets", "/api/bots", "/api/portfolio"];
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        interval.tick().await;
        let path = paths[n % paths.len()];
        let request = client.get(format!("{base}{path}")).bearer_auth(&token);
        pending.spawn(request.timeout(PATIENCE).send());
        while let Some(ended) = pending.try_join_next() {
            count(&answers, ended.unwrap());
        }
    }
    while let Some(ended) = pending.join_next().await {
        count(&answers, ended.unwrap());
    }
}

fn count(answers: &Answers, ended: Result<reqwest::Response, reqwest::Error>) {
    let what = match ended {
        Ok(response) => response.status().as_u16().to_string(),
        Err(error) => format!("broken: {}", error.without_url()),
    };
    *answers.lock().unwrap().entry(what).or_default() += 1;
}

/// Reads a stream until this word; what came before it counts, too.
async fn stream_says(base: &str, token: &str, word: &str) {
    let url = format!("{base}/api/realtime/events");
    let client = crate::harness::client();
    let mut response = client.get(url).bearer_auth(token).send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    let mut text = String::new();
    let read = async {
        while !text.contains(word) {
            text.push_str(&String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("no {word} came"));
}

async fn faults(product: &Product, sandbox: &sandbox::Sandbox) {
    for exchange in Exchange::ALL {
        for fault in [Fault::Http5xx, Fault::Drop, Fault::Garbage] {
            // Not every exchange has every fault.
            let Ok(id) = sandbox.faults().add(FaultSpec::new(exchange, fault)) else { continue };
            // Under the fault the product goes on answering.
            for _ in 0..5 {
                product.get("/api/markets").await;
            }
            sandbox.faults().remove(id);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_streams_flow_and_nothing_is_answered_with_502() {
    let sandbox = sandbox(5).await;
    let place = Place::new(config(&sandbox));
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let product = place.start_by(activated(&place, &socket)).await;
    let Some(nginx) = nginx(socket.local_addr().unwrap()).await else {
        println!("SKIPPED: nginx is not installed (apt-get install nginx-light)");
        product.end();
        return;
    };
    fund(&product).await;
    listed(&product, "binance", "BTC-USDT").await;
    // A token of the store: the local one ends with each process.
    let body = serde_json::json!({ "name": "load", "role": "viewer" });
    let token = product.post("/api/tokens", body).await["token"].as_str().unwrap().to_owned();
    stream_says(&nginx.base, &token, "event: heartbeat").await;
    let metrics = crate::harness::client().get(format!("{}/metrics", nginx.base)).send().await;
    assert_eq!(metrics.unwrap().status().as_u16(), 404, "figures stay inside");

    let (answers, stop) = (Answers::default(), Arc::new(AtomicBool::new(false)));
    let loading =
        tokio::spawn(load(nginx.base.clone(), token.clone(), answers.clone(), stop.clone()));
    faults(&product, &sandbox).await;
    let began = Instant::now();
    let product = restart(&place, &socket, product).await;
    println!("restart: {:?} until it listens again", began.elapsed());
    stream_says(&nginx.base, &token, "event: heartbeat").await;
    // Far more than one of each path, before and after: however fast faults and restart were.
    let ok = || answers.lock().unwrap().get("200").copied().unwrap_or(0);
    let enough = ok() + 100;
    until("the load goes on", PATIENCE, || async { (ok() >= enough).then_some(()) }).await;
    stop.store(true, Ordering::Relaxed);
    loading.await.unwrap();
    let answers = answers.lock().unwrap().clone();
    println!("answers: {answers:?}");
    for wrong in ["502", "504"] {
        assert!(!answers.contains_key(wrong), "{answers:?}");
    }
    assert!(!answers.keys().any(|what| what.starts_with("broken")), "{answers:?}");
    product.end();
}
