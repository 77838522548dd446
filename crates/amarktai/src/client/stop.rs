//! The emergency stop: pulled first, described after.

use super::answer::{Answer, items};
use super::api::Api;
use super::bots;
use super::failure::Failure;
use crate::cli::{Positions, Scope, Stop};
use serde_json::{Value, json};

/// Names listed before the rest is only counted.
const NAMES_SHOWN_MAX: usize = 20;

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
