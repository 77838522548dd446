//! `check`: the self-test and checklist. What cannot be told is said so, never passed over.

use super::answer::Answer;
use super::api::Api;
use super::failure::Failure;
use super::session::{Need, Session};
use super::table::table;
use crate::backups::{directory, list};
use crate::config::Config;
use crate::disk::ASSUMED_BYTES_PER_DAY;
use crate::offline::{Offline, now};
use crate::vault::Vault;
use domain::{Span, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use server::operator::KeyVault;
use std::path::Path;
use std::time::SystemTime;

/// Below this, some weeks of a small fleet are left: time to look.
const FREE_BYTES_MIN: u64 = 1024 * 1024 * 1024;
/// This program was not there before 2026: an earlier clock is a machine without one.
const CLOCK_MIN: Timestamp = Timestamp(1_767_225_600 * 1_000_000_000);
/// Older than two days: something keeps them from being made.
const BACKUP_AGE_MAX: Span = Span::from_secs(2 * 86_400);

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    NotReady,
    CouldNotTell,
    NotBuilt,
}

#[derive(Debug, Serialize)]
struct Part {
    name: String,
    status: Status,
    detail: String,
}

fn part(name: &str, status: Status, detail: impl Into<String>) -> Part {
    Part { name: name.to_owned(), status, detail: detail.into() }
}

/// Does a server answer? For containers and load balancers.
pub(crate) async fn live(config: &Config) -> Result<Answer, Failure> {
    let session = Session::running(config)?;
    let answer = session.api.get("/api/health/live").await?;
    Ok(Answer::new(answer, format!("{} answers\n", session.api.address())))
}

/// Looks at everything; the exit code is the worst that was seen.
pub(crate) async fn check(config: &Config) -> Result<Answer, Failure> {
    let mut parts = vec![configuration(config), data_dir(&config.data_dir)];
    parts.extend(match Session::open(config, Need::Look).await {
        Ok(Session { api, here: None }) => by_server(&api).await,
        Ok(Session { api, here: Some(here) }) => {
            drop(api);
            by_hand(config, here).await
        }
        Err(failure) => unopened(config, &failure),
    });
    let exit = exit_code(&parts);
    let json = json!(parts);
    let columns = [("PART", "name"), ("STATUS", "status"), ("DETAIL", "detail")];
    let text = table(&columns, json.as_array().map_or(&[], Vec::as_slice));
    Ok(Answer { exit, ..Answer::new(json, text) })
}

/// What is known to be wrong weighs more than what is not known.
fn exit_code(parts: &[Part]) -> u8 {
    let is_any = |status| parts.iter().any(|part| part.status == status);
    if is_any(Status::NotReady) {
        1
    } else if is_any(Status::CouldNotTell) {
        2
    } else {
        0
    }
}

/// An invalid one never comes so far.
fn configuration(config: &Config) -> Part {
    let detail = match config.warnings.first() {
        Some(warning) => format!("valid, with {} warnings: {warning}", config.warnings.len()),
        None => "valid".to_owned(),
    };
    part("config", Status::Ok, detail)
}

/// Can a file be made in it, or in the directory where it will be?
fn data_dir(dir: &Path) -> Part {
    let shown = dir.display();
    let parent = dir.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let probe = parent.join(format!(".amarktai-check-{}", std::process::id()));
    let made = std::fs::File::options().write(true).create_new(true).open(&probe);
    if let Err(e) = made.and_then(|_| std::fs::remove_file(&probe)) {
        return part("data_dir", Status::NotReady, format!("{}: {e}", parent.display()));
    }
    let detail = if dir.is_dir() { "can be written" } else { "will be made" };
    part("data_dir", Status::Ok, format!("{shown} {detail}"))
}

/// The store could not be opened, or nobody was there to ask.
fn unopened(config: &Config, failure: &Failure) -> Vec<Part> {
    let status =
        if config.database_path().exists() { Status::NotReady } else { Status::CouldNotTell };
    let mut parts = vec![part("store", status, failure.to_string()), clock(config)];
    parts.extend(unknown_without_server());
    parts
}

fn unknown_without_server() -> Vec<Part> {
    let detail = "no server is running here; start it with `amarktai run` and check again";
    vec![part("feeds", Status::CouldNotTell, detail)]
}

/// Without a server: the store in our own hands.
async fn by_hand(config: &Config, here: Offline) -> Vec<Part> {
    let mut parts = vec![
        store(&here),
        trades(&here),
        disk(&here),
        clock(config),
        keys(config, &here),
        backups(config),
        alerts(config),
    ];
    parts.extend(unknown_without_server());
    if let Err(e) = here.close().await {
        parts.push(part("store", Status::NotReady, e.to_string()));
    }
    parts
}

fn store(here: &Offline) -> Part {
    let reader = here.store().reader();
    let proofs = reader.ledger_verify(None).and_then(|l| Ok((l, reader.events_verify()?)));
    match proofs {
        Ok((ledger, events)) if ledger.ok && events.ok => {
            let (transfers, events) = (ledger.transfers, events.events);
            let detail = format!("{transfers} transfers and {events} events hold together");
            part("store", Status::Ok, detail)
        }
        Ok(_) => {
            let detail = "the ledger or the event log does not add up; see `amarktai verify`";
            part("store", Status::NotReady, detail)
        }
        Err(e) => part("store", Status::NotReady, e.to_string()),
    }
}

/// The table cannot hold an incomplete row; whether it is still that table is looked at.
fn trades(here: &Offline) -> Part {
    match here.store().reader().incomplete_trades() {
        Ok(0) => part("trades", Status::Ok, "every row has every column"),
        Ok(n) => part("trades", Status::NotReady, format!("{n} rows lack a column")),
        Err(e) => part("trades", Status::NotReady, e.to_string()),
    }
}

/// Does the master key open what was sealed?
fn keys(config: &Config, here: &Offline) -> Part {
    let rows = match here.store().reader().exchange_keys(None) {
        Ok(rows) => rows,
        Err(e) => return part("keys", Status::NotReady, e.to_string()),
    };
    let vault = Vault::new(config, None);
    match rows.iter().find_map(|row| vault.open(row).err()) {
        None => part("keys", Status::Ok, format!("{} stored, all open", rows.len())),
        Some(error) => part("keys", Status::NotReady, error.to_string()),
    }
}

/// Is there a young one, and does it prove?
fn backups(config: &Config) -> Part {
    let directory = directory(config);
    let newest = match list(&directory) {
        Ok(items) => items.into_iter().next(),
        Err(e) => {
            return part("backups", Status::NotReady, format!("{}: {e}", directory.display()));
        }
    };
    let Some(newest) = newest else {
        let detail = "there is none yet; make one with `amarktai backup`";
        return part("backups", Status::CouldNotTell, detail);
    };
    let age_h = (now() - newest.made_at).0 / 3_600_000_000_000;
    match storage::verify_backup(&directory.join(&newest.name)) {
        Ok(verified) if !verified.ok => {
            part("backups", Status::NotReady, format!("{} does not prove", newest.name))
        }
        Ok(_) if now() - newest.made_at > BACKUP_AGE_MAX => {
            part("backups", Status::NotReady, format!("the newest is {age_h} h old"))
        }
        Ok(_) => part("backups", Status::Ok, format!("{} proves, {age_h} h old", newest.name)),
        Err(e) => part("backups", Status::NotReady, e.to_string()),
    }
}

/// Would anybody be told?
fn alerts(config: &Config) -> Part {
    let notify = &config.notify;
    let channels = [
        ("webhook", notify.webhook_url.is_some()),
        ("telegram", notify.telegram_token.is_some()),
        ("discord", notify.discord_url.is_some()),
        ("slack", notify.slack_url.is_some()),
        ("email", notify.smtp_url.is_some()),
        ("heartbeat", notify.heartbeat_url.is_some()),
    ];
    let names: Vec<&str> = channels.iter().filter(|c| c.1).map(|c| c.0).collect();
    if names.is_empty() {
        let detail = "no channel is configured: nobody is told what happens; see [notify]";
        return part("notifications", Status::CouldNotTell, detail);
    }
    part("notifications", Status::Ok, names.join(", "))
}

fn disk(here: &Offline) -> Part {
    match here.store().health().free_bytes {
        None => part("disk", Status::CouldNotTell, "the system does not say how much is free"),
        Some(free) => {
            let is_enough = free >= FREE_BYTES_MIN;
            let status = if is_enough { Status::Ok } else { Status::NotReady };
            let days = free / ASSUMED_BYTES_PER_DAY;
            let text = format!("{} MiB free: {days} days of 40 bots", free / (1024 * 1024));
            part("disk", status, text)
        }
    }
}

/// Not before this program, and not before what it wrote.
fn clock(config: &Config) -> Part {
    let now = now();
    if now < CLOCK_MIN {
        return part("clock", Status::NotReady, format!("it is {now}? set the machine's clock"));
    }
    let written = std::fs::metadata(config.database_path()).and_then(|file| file.modified());
    if written.is_ok_and(|at| at > SystemTime::now()) {
        let detail = format!("it is {now}, before the store was last written");
        return part("clock", Status::NotReady, detail);
    }
    part("clock", Status::Ok, format!("{now}; the exchanges' clocks are compared by a server"))
}

/// With a server: what its supervisor sees.
async fn by_server(api: &Api) -> Vec<Part> {
    let health = match health(api).await {
        Ok(health) => health,
        Err(failure) => return vec![part("server", Status::CouldNotTell, failure.to_string())],
    };
    let word = health["status"].as_str().unwrap_or("nothing");
    let server = format!("{} says {word}", api.address());
    let Some(checks) = health["checks"].as_object() else {
        let detail = format!("{server}; more needs a token in AMARKTAI_TOKEN");
        return vec![part("server", Status::CouldNotTell, detail)];
    };
    let mut parts = vec![part("server", status(word), server), refused_trades(api).await];
    for (name, check) in checks {
        match check.as_array() {
            Some(all) => parts.extend(feeds(all)),
            None => parts.push(part(
                name,
                status(check["status"].as_str().unwrap_or_default()),
                check["detail"].as_str().unwrap_or_default(),
            )),
        }
    }
    parts
}

/// Rows that were incomplete since the start: refused, and a fault of the program.
async fn refused_trades(api: &Api) -> Part {
    let system = api.get("/api/system").await;
    match system.as_ref().ok().and_then(|system| system["fleet"]["trades_refused"].as_u64()) {
        Some(0) => part("trades", Status::Ok, "no row was refused since the start"),
        Some(n) => {
            part("trades", Status::NotReady, format!("{n} rows were incomplete; see the log"))
        }
        None => part("trades", Status::CouldNotTell, "the server does not say"),
    }
}

/// 503 is an answer too.
async fn health(api: &Api) -> Result<Value, Failure> {
    let response = api.send(api.request(reqwest::Method::GET, "/api/health")).await?;
    api.body(response).await
}

fn status(word: &str) -> Status {
    match word {
        "healthy" => Status::Ok,
        "degraded" | "unhealthy" => Status::NotReady,
        "not_built" => Status::NotBuilt,
        _ => Status::CouldNotTell,
    }
}

/// One line an exchange.
fn feeds(all: &[Value]) -> Vec<Part> {
    if all.is_empty() {
        return vec![part("feeds", Status::CouldNotTell, "nothing is subscribed to yet")];
    }
    let text = |feed: &Value, key: &str| feed[key].as_str().unwrap_or("-").to_owned();
    let mut exchanges: Vec<String> = all.iter().map(|feed| text(feed, "exchange")).collect();
    exchanges.sort();
    exchanges.dedup();
    let line = |exchange: String| {
        let own = || all.iter().filter(|feed| feed["exchange"] == exchange.as_str());
        let mut late = own().filter(|feed| feed["state"] != "fresh");
        let name = format!("feeds {exchange}");
        match late.next() {
            None => part(&name, Status::Ok, format!("{} fresh", own().count())),
            Some(first) => {
                let (symbol, state) = (text(first, "symbol"), text(first, "state"));
                let (count, reason) = (late.count() + 1, text(first, "reason"));
                let of = own().count();
                let detail = format!("{count} of {of} not fresh: {symbol} is {state} ({reason})");
                part(&name, Status::NotReady, detail)
            }
        }
    };
    exchanges.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_weighs_more_than_what_is_unknown() {
        let of = |all: &[Status]| {
            let parts: Vec<Part> = all.iter().map(|status| part("x", *status, "")).collect();
            exit_code(&parts)
        };
        assert_eq!(of(&[Status::Ok, Status::NotBuilt]), 0);
        assert_eq!(of(&[Status::Ok, Status::CouldNotTell]), 2);
        assert_eq!(of(&[Status::CouldNotTell, Status::NotReady]), 1);
    }

    #[test]
    fn feeds_are_told_by_exchange_with_the_first_that_is_late() {
        let feed = |exchange: &str, symbol: &str, state: &str| {
            let mut feed = json!({ "exchange": exchange, "symbol": symbol, "state": state });
            feed["reason"] = json!("silent");
            feed
        };
        let all = [
            feed("luno", "BTC/ZAR", "stale"),
            feed("binance", "BTC/USDT", "fresh"),
            feed("luno", "ETH/ZAR", "fresh"),
        ];
        let parts = feeds(&all);
        assert_eq!((parts[0].status, parts[0].detail.as_str()), (Status::Ok, "1 fresh"));
        assert_eq!(parts[1].status, Status::NotReady);
        assert_eq!(parts[1].detail, "1 of 2 not fresh: BTC/ZAR is stale (silent)");
        assert_eq!(feeds(&[])[0].status, Status::CouldNotTell);
    }
}
