//! Recorded sessions: a header line, then `{t: http|connect|send|recv, ts, data}` in any order.

use super::binance::Stream;
use super::kucoin::Session as Kucoin;
use super::lines::Lines;
use super::recorder::Recorder;
use crate::TapeError;
use domain::{Exchange, Timestamp, parse_scaled};
use exchanges::codec::binance::decode_exchange_info;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::path::Path;

#[derive(Deserialize)]
struct Header<'a> {
    exchange: &'a str,
    #[serde(borrow)]
    recorded: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Line<'a> {
    t: &'a str,
    #[serde(borrow)]
    ts: Option<&'a RawValue>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
}

/// A message as it came, with the line it stands in.
struct Message {
    at: Timestamp,
    number: u64,
    /// Of a request; `None`: a frame.
    url: Option<String>,
    data: String,
}

/// Seconds as text, exact to the nanosecond.
fn seconds(raw: Option<&RawValue>) -> Option<i64> {
    let text = raw?.get();
    // Ten digits behind the point would be noise of the recorder's float.
    let cut = text.find('.').map_or(text.len(), |dot| text.len().min(dot + 10));
    parse_scaled(&text[..cut], 9).ok()
}

/// When a session was begun, by its header.
pub(super) fn recorded_at(header: &str) -> Option<i64> {
    seconds(serde_json::from_str::<Header<'_>>(header).ok()?.recorded)
}

/// Reads a session whole: requests are written before the frames that came meanwhile, so that the
/// order of receipt is known only at its end.
pub(super) fn read(path: &Path, out: &mut Recorder) -> Result<(), TapeError> {
    let mut lines = Lines::open(path)?;
    let header = lines.next()?.unwrap_or_default().to_owned();
    let exchange = serde_json::from_str::<Header<'_>>(&header)
        .map(|h| h.exchange.to_lowercase())
        .map_err(|e| lines.wrong(e.to_string()))?;
    let mut messages = messages(&mut lines)?;
    messages.sort_by_key(|m| m.at);
    let wrong = |m: &Message, e: String| TapeError::Line {
        path: path.to_owned(),
        line: m.number,
        problem: e,
    };
    match exchange.as_str() {
        "binance" => {
            let mut stream = Stream::default();
            for m in &messages {
                binance(&mut stream, m, out).map_err(|e| wrong(m, e))?;
            }
        }
        "kucoin" => {
            let mut session = Kucoin::default();
            for m in &messages {
                let url = m.url.as_deref();
                session.take(m.at, url, m.data.as_bytes(), out).map_err(|e| wrong(m, e))?;
            }
        }
        other => {
            let problem = format!("sessions of {other} are not known; binance and kucoin are");
            return Err(TapeError::File { path: path.to_owned(), problem });
        }
    }
    Ok(())
}

fn messages(lines: &mut Lines) -> Result<Vec<Message>, TapeError> {
    let mut all = Vec::new();
    loop {
        let number = lines.number() + 1;
        let Some(text) = lines.next()? else { return Ok(all) };
        let parsed: Result<Line<'_>, _> = serde_json::from_str(text);
        match parsed.map(|line| message(line, number)) {
            Ok(message) => all.extend(message),
            Err(error) => return Err(lines.wrong(error.to_string())),
        }
    }
}

fn message(line: Line<'_>, number: u64) -> Option<Message> {
    let at = Timestamp(seconds(line.ts)?);
    let data = line.data?.into_owned();
    match line.t {
        "http" => Some(Message { at, number, url: line.url.map(Cow::into_owned), data }),
        "recv" => Some(Message { at, number, url: None, data }),
        _ => None,
    }
}

fn binance(stream: &mut Stream, m: &Message, out: &mut Recorder) -> Result<(), String> {
    let body = m.data.as_bytes();
    match m.url.as_deref() {
        Some(url) if url.contains("/exchangeInfo") => {
            out.list(decode_exchange_info(body).map_err(|e| e.to_string())?.instruments);
            Ok(())
        }
        Some(url) if url.contains("/depth?") => {
            let symbol = url.split(['?', '&']).find_map(|part| part.strip_prefix("symbol="));
            let i = out.place(Exchange::Binance, symbol.unwrap_or_default());
            stream.snapshot(m.at, i, body, out).map_err(|e| e.to_string())
        }
        Some(_) => Ok(()),
        None => stream.frame(m.at, body, out).map_err(|e| e.to_string()),
    }
}
