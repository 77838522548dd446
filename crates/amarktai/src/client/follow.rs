//! `events --follow`: the server's stream, taken up again after every loss where it broke off.

use super::answer::out;
use super::api::Api;
use super::failure::Failure;
use super::session::Session;
use super::table::cell;
use crate::cli::Events;
use crate::config::Config;
use reqwest::{Method, Response};
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;

/// Before the next try, growing from the first to the last while nobody answers.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];
/// A server beats every 10 s: one that is silent for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Largest event that is waited for; ours are some kilobytes.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// Prints events as they happen until somebody ends it.
pub(crate) async fn follow(config: &Config, asked: &Events) -> Result<ExitCode, Failure> {
    let mut ended = std::pin::pin!(super::ended());
    let mut follower = Follower {
        is_json: asked.client.json,
        last: asked.page.after.clone(),
        losses: 0,
        has_begun: false,
    };
    tokio::select! {
        () = &mut ended => Ok(ExitCode::SUCCESS),
        failure = follower.run(config) => match failure {
            Failure::NobodyReads => Ok(ExitCode::SUCCESS),
            failure => Err(failure),
        },
    }
}

struct Follower {
    is_json: bool,
    /// Where to go on.
    last: Option<String>,
    /// In a row.
    losses: usize,
    has_begun: bool,
}

impl Follower {
    /// Ends with what cannot be mended by trying again.
    async fn run(&mut self, config: &Config) -> Failure {
        loop {
            // Looked up each time: a server that was started anew has another port and token.
            let loss = match self.stream(config).await {
                Err(failure) => return failure,
                Ok(loss) => loss,
            };
            let pause = PAUSES[self.losses.min(PAUSES.len() - 1)];
            self.losses += 1;
            eprintln!("amarktai: {loss}; trying again in {} s", pause.as_secs());
            tokio::time::sleep(pause).await;
        }
    }

    /// One connection; says how it was lost.
    async fn stream(&mut self, config: &Config) -> Result<String, Failure> {
        let api = Session::running(config)?.api;
        let mut request = api.request(Method::GET, "/api/realtime/events");
        if let Some(last) = &self.last {
            request = request.header("last-event-id", last);
        }
        let response = match api.send(request).await {
            Ok(response) => response,
            // Where there never was a server, there is none to wait for.
            Err(failure) if !self.has_begun => return Err(failure),
            Err(failure) => return Ok(failure.to_string()),
        };
        let status = response.status();
        if status.is_server_error() && self.has_begun {
            return Ok(format!("{} answers {status}", api.address()));
        }
        if !status.is_success() {
            let problem = api.body(response).await?;
            return Err(api.problem(status, &problem));
        }
        self.has_begun = true;
        self.read(&api, response).await
    }

    async fn read(&mut self, api: &Api, mut response: Response) -> Result<String, Failure> {
        let mut buffer = Vec::new();
        loop {
            let chunk = match tokio::time::timeout(SILENCE_MAX, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok(format!("{} ended the stream", api.address())),
                Ok(Err(e)) => return Ok(format!("{}: {e}", api.address())),
                Err(_) => return Ok(format!("{} is silent", api.address())),
            };
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = buffer.drain(..end + 2).collect();
                self.take(&String::from_utf8_lossy(&block))?;
            }
            if buffer.len() > EVENT_BYTES_MAX {
                let reason = format!("{}: an event is over {EVENT_BYTES_MAX} bytes", api.address());
                return Err(Failure::could_not(reason));
            }
        }
    }

    /// One event of the stream.
    fn take(&mut self, block: &str) -> Result<(), Failure> {
        let event = Event::read(block);
        self.losses = 0;
        match event.kind {
            "closed" => eprintln!("amarktai: {}", event.data),
            "heartbeat" if !self.is_json => is_read()?,
            _ if event.data.is_empty() => {}
            _ if self.is_json => out(&format!("{}\n", event.data))?,
            _ => out(&line(event.data))?,
        }
        // After it was printed: what nobody saw is asked for again.
        if let Some(id) = event.id {
            self.last = Some(id.to_owned());
        }
        Ok(())
    }
}

/// The fields of a block that we use; our server writes the data on one line.
#[derive(Debug, PartialEq, Eq)]
struct Event<'b> {
    id: Option<&'b str>,
    kind: &'b str,
    data: &'b str,
}

impl<'b> Event<'b> {
    fn read(block: &'b str) -> Self {
        let field = |name: &str| {
            let mut lines = block.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim_start())
        };
        Self {
            id: field("id"),
            kind: field("event").unwrap_or_default(),
            data: field("data").unwrap_or_default(),
        }
    }
}

/// Nothing is printed at a quiet time, so a reader that went away is looked for.
fn is_read() -> Result<(), Failure> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = std::io::stdout();
    let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Where the system does not say, the next event will tell.
    let _ = poll(&mut asked, Some(&at_once));
    let is_gone = asked[0].revents().contains(PollFlags::ERR);
    if is_gone { Err(Failure::NobodyReads) } else { Ok(()) }
}

/// An event for people.
fn line(data: &str) -> String {
    let Ok(event) = serde_json::from_str::<Value>(data) else { return format!("{data}\n") };
    let part = |key: &str| cell(&event[key]);
    let whose = event["account_id"].as_u64().map_or("fleet".into(), |id| format!("account {id}"));
    format!("{} {whose} #{} {} {}\n", part("at"), part("seq"), part("type"), part("data"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_the_stream_becomes_one_line() {
        let data = r#"{"at":"2026-11-23T00:10:16.000000Z","seq":7,"type":"fill","data":{"a":1}}"#;
        let block = format!("id: 42\nevent: fill\ndata: {data}\n\n");
        let event = Event::read(&block);
        assert_eq!(event, Event { id: Some("42"), kind: "fill", data });
        assert_eq!(line(event.data), "2026-11-23T00:10:16Z fleet #7 fill {\"a\":1}\n");
        let hint = Event::read(":connected\nretry:2000\nid:41\n\n");
        assert_eq!((hint.id, hint.data), (Some("41"), ""));
    }
}
