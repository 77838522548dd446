//! The emergency stop: pulled first, described after. Where the server does not answer, its process
//! is told by a signal, and its next start by a file.

use super::answer::{Answer, items};
use super::api::Api;
use super::bots;
use super::failure::Failure;
use super::session::{Need, Session, is_reachable};
use crate::cli::{Positions, Scope, Stop};
use crate::config::Config;
use crate::core_loop::now;
use crate::emergency::Marker;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::time::Duration;

/// Names listed before the rest is only counted.
const NAMES_SHOWN_MAX: usize = 20;

/// A server that works answers in milliseconds; whoever pulls the stop does not wait for another.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// `emergency-stop` without `--clear`: by the server, else by hand.
pub(crate) async fn pull(config: &Config, asked: &Stop) -> Result<Answer, Failure> {
    let by_server = async {
        let session = Session::open(config, Need::Look).await?;
        let answer = stop(&session.api, asked).await;
        session.close().await?;
        answer
    };
    match tokio::time::timeout(ANSWER_TIME, by_server).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failure)) if !config.data_dir.is_dir() || is_reachable(config).await => Err(failure),
        Ok(Err(failure)) => by_hand(config, asked, &failure.to_string()),
        Err(_) => by_hand(config, asked, "the server does not answer"),
    }
}

/// The fleet's, whatever was asked for: whose account it is only the server could tell.
fn by_hand(config: &Config, asked: &Stop, why: &str) -> Result<Answer, Failure> {
    let marker = Marker {
        account_id: None,
        reason: asked.reason.clone().unwrap_or_else(|| "no reason given".to_owned()),
        sell: asked.positions == Some(Positions::Sell),
        by: "the command line".to_owned(),
        at: now(),
    };
    let dir = &config.data_dir;
    let owner = storage::owner(dir);
    // The signal first: the file is for later.
    let signalled = owner.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).map(|pid| {
        kill_process(pid, Signal::USR1)
            .map(|()| pid.as_raw_nonzero().get())
            .map_err(|e| e.to_string())
    });
    let left = marker.leave(dir).map_err(|e| e.to_string());
    let (told, is_told) = match &signalled {
        Some(Ok(pid)) => (format!("process {pid} was told by a signal to stop the fleet"), true),
        Some(Err(e)) => (format!("its process cannot be told: {e}"), false),
        None => ("no process owns the data".to_owned(), false),
    };
    let kept = match &left {
        Ok(path) => format!("the next start obeys {}", path.display()),
        Err(e) => format!("it cannot be kept in {}: {e}", dir.display()),
    };
    let text = format!("{why}: {told}; {kept}");
    if !is_told && left.is_err() {
        return Err(Failure::could_not(text));
    }
    let pid = signalled.and_then(Result::ok);
    let file = left.ok().map(|path| path.display().to_string());
    let json = json!({ "active": true, "persisted": false, "signalled": pid, "kept": file });
    Ok(Answer::new(json, format!("{text}\n")))
}

/// `emergency-stop …`
pub(crate) async fn stop(api: &Api, asked: &Stop) -> Result<Answer, Failure> {
    let (word, whose) = match asked.scope {
        Scope::Account => ("account", "the account"),
        Scope::Fleet => ("fleet", "the fleet"),
    };
    let path = format!("/api/emergency-stop?scope={word}");
    if asked.clear {
        let state = api.delete(&path).await?;
        let text = format!(
            "the emergency stop of {whose} is cleared; bots stay paused until `amarktai bots \
             resume`\n"
        );
        return Ok(Answer::new(state, text));
    }
    let is_selling = asked.positions == Some(Positions::Sell);
    let mut body = json!({ "sell": is_selling });
    if let Some(reason) = &asked.reason {
        body["reason"] = json!(reason);
    }
    let state = api.post_at_once(&path, &body).await?;
    let mut text = head(&state, whose);
    // It is on whatever follows: what cannot be described may not look like a stop that failed.
    text.push_str(&match stopped(api, asked.scope).await {
        Ok(bots) => described(&bots, is_selling),
        Err(failure) => format!("what it stopped cannot be listed: {failure}\n"),
    });
    text.push_str("take it back with `amarktai emergency-stop --clear`\n");
    Ok(Answer::new(state, text))
}

/// `resume-entries`
pub(crate) async fn resume_entries(api: &Api) -> Result<Answer, Failure> {
    let done = api.post("/api/system/entries", None).await?;
    let text = match done["was_stopped"].as_bool() {
        Some(true) => "bots may open positions again\n",
        _ => "restarts had not stopped anything\n",
    };
    Ok(Answer::new(done, text.to_owned()))
}

fn head(state: &Value, whose: &str) -> String {
    let since = super::table::cell(&state["since"]);
    let reason = state["reason"].as_str().unwrap_or("no reason given");
    format!("emergency stop of {whose} on since {since}: {reason}\n")
}

/// The bots that it holds.
async fn stopped(api: &Api, scope: Scope) -> Result<Vec<Value>, Failure> {
    let accounts = match scope {
        Scope::Account => vec![None],
        Scope::Fleet => {
            let accounts = items(api.get("/api/accounts").await?);
            accounts.iter().map(|account| account["id"].as_u64()).collect()
        }
    };
    let mut all = Vec::new();
    for account in accounts {
        all.extend(bots::all(api, account).await?);
    }
    let is_held = |bot: &Value| {
        let holds = bot["holds"].as_array();
        holds.is_some_and(|holds| holds.iter().any(|hold| hold == "EMERGENCY_STOP"))
    };
    all.retain(is_held);
    Ok(all)
}

fn described(bots: &[Value], is_selling: bool) -> String {
    let names: Vec<&str> = bots.iter().filter_map(|bot| bot["name"].as_str()).collect();
    let mut list = names.iter().take(NAMES_SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_SHOWN_MAX {
        list.push_str(", …");
    }
    let colon = if names.is_empty() { "" } else { ": " };
    let open = bots.iter().filter(|bot| !bot["position"].is_null()).count();
    let fate = if is_selling { "being sold" } else { "kept with their stops and targets" };
    format!("{} bots open nothing{colon}{list}\n{open} positions are {fate}\n", names.len())
}
