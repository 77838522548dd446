//! The program as a process: built once, started on a directory of its own, ended on drop.

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use storage::ReadPool;

/// Longest wait for anything that is no promise of its own: two busy cores are slow, not wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// The program. `AMARKTAI_BIN` names another one than the workspace's.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os("AMARKTAI_BIN") {
            return named.into();
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .current_dir(&root)
            // As the test command builds it: another selection would be other features, and all
            // dependencies compiled twice.
            .args(["build", "--workspace", "--bins", "--locked"])
            .status();
        assert!(built.is_ok_and(|s| s.success()), "the program does not build");
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        root.join(target.unwrap_or_else(|| "target".into())).join("debug/amarktai")
    })
}

/// A command in an environment of its own: nothing of the tester's reaches the program.
pub(crate) fn command(home: &Path) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(home).env_clear().stdin(Stdio::null());
    command
}

/// Runs to the end, which must come within the time.
pub(crate) fn run_to_end(mut command: Command, within: Duration) -> (Option<i32>, String, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (out, err) = (collect(out), collect(err));
    let status = wait_for_end(&mut child, within);
    let _ = child.kill();
    let status = status.unwrap_or_else(|| panic!("still runs after {within:?}"));
    (status.code(), out.join().unwrap(), err.join().unwrap())
}

fn collect(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text
    })
}

fn wait_for_end(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Polls until there is an answer; fails with `what` after the time.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    within: Duration,
    mut ask: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// A place for data, and how the program is started on it.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) config: String,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) args: Vec<String>,
}

impl Place {
    pub(crate) fn new(config: impl Into<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, config: config.into(), env: Vec::new(), args: Vec::new() }
    }

    /// Sets a variable of the environment, in place of what it was.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(n, _)| n != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.data().join("amarktai.db")
    }

    /// The store as anybody may read it, whether the program runs or not.
    pub(crate) fn store(&self) -> ReadPool {
        ReadPool::open(&self.database(), 1).unwrap()
    }

    pub(crate) fn command(&self, verb: &str) -> Command {
        fs::write(self.dir.path().join("e2e.toml"), &self.config).unwrap();
        let mut command = command(self.dir.path());
        let data = self.data();
        let options =
            ["--config".as_ref(), OsStr::new("e2e.toml"), "--data-dir".as_ref(), data.as_ref()];
        command.arg(verb).args(options).args(["--listen", "127.0.0.1:0"]).args(&self.args);
        command.envs(self.env.iter().map(|(n, v)| (n, v)));
        command
    }

    /// Starts and waits until it listens.
    pub(crate) async fn start(&self, verb: &str) -> Product {
        self.start_by(self.command(verb)).await
    }

    /// The same by a command of the test's own.
    pub(crate) async fn start_by(&self, mut command: Command) -> Product {
        // What a killed process left must not be taken for the new one's.
        for file in ["server.addr", "local.token"] {
            let _ = fs::remove_file(self.data().join(file));
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = child.stderr.take().unwrap();
        let lines = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut product =
            Product { child, log, base: String::new(), token: String::new(), client: client() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let read = |file| fs::read_to_string(self.data().join(file)).unwrap_or_default();
            let (address, token) = (read("server.addr"), read("local.token"));
            if address.ends_with('\n') && token.ends_with('\n') {
                product.base = format!("http://{}", address.trim());
                product.token = token.trim().to_owned();
                return product;
            }
            let is_dead = product.child.try_wait().unwrap().is_some();
            let is_late = Instant::now() > deadline;
            assert!(!is_dead && !is_late, "no start:\n{}", product.log_text());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(crate) fn client() -> Client {
    // Without a default provider reqwest cannot even speak plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().timeout(Duration::from_secs(20)).build().unwrap()
}

/// A program that runs.
pub(crate) struct Product {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) client: Client,
}

impl Product {
    pub(crate) fn log_text(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub(crate) fn log_lines(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// What it answers; an error where the process is gone.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<(StatusCode, Value), reqwest::Error> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.try_send(Method::GET, path, None, None).await.unwrap();
        assert!(status.is_success(), "GET {path}: {status} {body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, body) = self.try_send(Method::POST, path, Some(&body), None).await.unwrap();
        assert!(status.is_success(), "POST {path}: {status} {body}");
        body
    }

    pub(crate) async fn delete(&self, path: &str) -> Value {
        let (status, body) = self.try_send(Method::DELETE, path, None, None).await.unwrap();
        assert!(status.is_success(), "DELETE {path}: {status} {body}");
        body
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// kill -9, and gone.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log_lines()
    }

    /// Waits for the end; `None` if it does not come.
    pub(crate) fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        wait_for_end(&mut self.child, within)
    }

    /// SIGTERM, and an orderly end.
    pub(crate) fn end(mut self) {
        self.signal("TERM");
        let status = self.wait(Duration::from_secs(10));
        let code = status.and_then(|s| s.code());
        assert_eq!(code, Some(0), "no orderly end:\n{}", self.log_text());
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let lines = self.log_lines();
            let last = lines.len().saturating_sub(60);
            eprintln!("last lines of the program:\n{}", lines[last..].join("\n"));
        }
    }
}
