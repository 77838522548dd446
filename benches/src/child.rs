//! The built program as a child process: started, asked, measured by what the system says of it,
//! ended on drop.

use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One answer takes no longer.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// `AMARKTAI_BIN`, or the program beside this one.
pub(crate) fn program() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("AMARKTAI_BIN") {
        return Ok(named.into());
    }
    let beside = std::env::current_exe()?.with_file_name("amarktai");
    if beside.exists() {
        return Ok(beside);
    }
    Err("build it first: cargo build --release -p amarktai (or name it: AMARKTAI_BIN=…)".into())
}

/// A process of ours.
pub(crate) struct Child {
    process: process::Child,
    out: BufReader<ChildStdout>,
    log: mpsc::Receiver<String>,
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Child {
    /// In this directory, in an environment of its own.
    pub(crate) fn start(dir: &Path, verb: &str, args: Vec<&str>) -> Result<Self> {
        let mut command = Command::new(program()?);
        command.current_dir(dir).env_clear().arg(verb).args(args).stdin(Stdio::null());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let out = BufReader::new(process.stdout.take().ok_or("no stdout")?);
        let err = BufReader::new(process.stderr.take().ok_or("no stderr")?);
        // Unbounded, but a run logs some thousand lines at most.
        let (lines, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in err.lines().map_while(std::result::Result::ok) {
                // Read on although nobody listens: a full pipe would stop the child.
                let _ = lines.send(line);
            }
        });
        Ok(Self { process, out, log })
    }

    /// The next line of its output.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.out.read_line(&mut line)?;
        if line.is_empty() {
            return Err(format!("it ended: {}", self.last_words()).into());
        }
        Ok(line)
    }

    fn last_words(&self) -> String {
        self.log.try_iter().collect::<Vec<_>>().join("\n")
    }

    /// Until a line of its log holds this.
    pub(crate) fn wait_for(&mut self, text: &str, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(left) {
                Ok(line) if line.contains(text) => return Ok(()),
                Ok(_) => {}
                Err(_) => return Err(format!("no {text:?} within {within:?}").into()),
            }
        }
    }

    /// Where it listens and how this machine's own people are let in.
    pub(crate) fn announced(&mut self, data: &Path, within: Duration) -> Result<(String, String)> {
        let deadline = Instant::now() + within;
        loop {
            let read = |file| std::fs::read_to_string(data.join(file)).unwrap_or_default();
            let (address, token) = (read("server.addr"), read("local.token"));
            if address.ends_with('\n') && token.ends_with('\n') {
                return Ok((address.trim().to_owned(), token.trim().to_owned()));
            }
            if Instant::now() > deadline || self.process.try_wait()?.is_some() {
                return Err(format!("no start: {}", self.last_words()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Milliseconds of processor time so far, by the names of threads.
    pub(crate) fn cpu_by_thread(&self) -> Result<BTreeMap<String, u64>> {
        let mut all = BTreeMap::new();
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let path = thread?.path();
            let read = |file| std::fs::read_to_string(path.join(file)).unwrap_or_default();
            let stat = read("schedstat");
            let ns: u64 = stat.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            *all.entry(read("comm").trim().to_owned()).or_default() += ns / 1_000_000;
        }
        Ok(all)
    }

    /// Resident memory now and at its highest.
    pub(crate) fn memory_mib(&self) -> Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let mib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|rest| rest.trim_end_matches("kB").trim().parse::<f64>().ok());
            kib.unwrap_or(f64::NAN) / 1_024.0
        };
        Ok((mib("VmRSS:"), mib("VmHWM:")))
    }
}

/// What a server said.
pub(crate) struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Its body, where it says yes.
    pub(crate) fn ok(self) -> Result<Value> {
        if self.is_success() {
            return Ok(self.body);
        }
        Err(format!("{}: {}", self.status, self.body).into())
    }
}

/// Asks for something.
pub(crate) fn get(address: &str, token: &str, path: &str) -> Result<Value> {
    ask(address, token, "GET", path, "")?.ok()
}

/// The same for what is no JSON.
pub(crate) fn text(address: &str, token: &str, path: &str) -> Result<String> {
    Ok(raw(address, token, "GET", path, "")?.1)
}

/// Takes something back.
pub(crate) fn delete(address: &str, token: &str, path: &str) -> Result<Value> {
    ask(address, token, "DELETE", path, "")?.ok()
}

/// Orders something.
pub(crate) fn post(address: &str, token: &str, path: &str, body: &Value) -> Result<Answer> {
    ask(address, token, "POST", path, &body.to_string())
}

fn ask(address: &str, token: &str, method: &str, path: &str, body: &str) -> Result<Answer> {
    let (status, body) = raw(address, token, method, path, body)?;
    Ok(Answer { status, body: serde_json::from_str(&body).unwrap_or_default() })
}

/// One request a connection: a client library would be most of this program.
fn raw(address: &str, token: &str, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(ANSWER_TIME))?;
    let length = body.len();
    write!(
        socket,
        "{method} {path} HTTP/1.0\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n\
         {body}"
    )?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no answer")?;
    let status = head.split(' ').nth(1).and_then(|n| n.parse().ok()).ok_or("no status")?;
    Ok((status, body.to_owned()))
}
