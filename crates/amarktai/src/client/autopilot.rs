//! `autopilot`: what it did and when it looks again; what it would do now. No verb makes it act.

use super::answer::Answer;
use super::api::Api;
use super::failure::Failure;
use super::table::{Column, cell, table};
use crate::cli::AutopilotVerb;
use serde_json::Value;

/// Of the log, for people; `--json` has all that is kept.
const SHOWN_MAX: usize = 20;

const ACTIONS: &[Column] = &[
    ("ACTION", "kind"),
    ("BOT", "bot"),
    ("ACTS", "acts"),
    ("EXCHANGE", "exchange"),
    ("CURRENCY", "currency"),
    ("AMOUNT", "amount"),
    ("WHY", "reason"),
];
const POOLS: &[Column] = &[
    ("EXCHANGE", "exchange"),
    ("CURRENCY", "currency"),
    ("MANAGED", "managed"),
    ("PROFIT", "profit"),
    ("MOVABLE", "movable"),
    ("IN WALLET", "kept"),
    ("WAITS FOR", "waits_for"),
];
const BOTS: &[Column] = &[
    ("BOT", "bot"),
    ("MANAGED", "managed"),
    ("SCORE", "score"),
    ("TRADES", "trades"),
    ("PROFIT", "profit"),
    ("RESTS UNTIL", "rests_until"),
];
const DID: &[Column] = &[
    ("AT", "at"),
    ("ACTION", "kind"),
    ("BOT", "bot"),
    ("OUTCOME", "outcome"),
    ("CODE", "code"),
    ("AMOUNT", "amount"),
    ("WHY", "reason"),
];

/// `autopilot …`
pub(crate) async fn autopilot(api: &Api, verb: Option<&AutopilotVerb>) -> Result<Answer, Failure> {
    match verb {
        None | Some(AutopilotVerb::Status) => {
            let view = api.get("/api/autopilot").await?;
            let text = status(&view);
            Ok(Answer::new(view, text))
        }
        Some(AutopilotVerb::Plan) => {
            let plan = api.post("/api/autopilot/plan", None).await?;
            let text = format!("{}\n{}", state(&plan), planned(&plan));
            Ok(Answer::new(plan, text))
        }
    }
}

fn state(plan: &Value) -> String {
    match plan["blocked_by"].as_str() {
        Some(reason) => format!("it does nothing: {reason}"),
        None => "it acts by itself".to_owned(),
    }
}

fn status(view: &Value) -> String {
    let plan = &view["plan"];
    let did: Vec<Value> = rows(view, "did").into_iter().take(SHOWN_MAX).collect();
    let acts = rows(plan, "actions").iter().filter(|a| a["acts"] == true).count();
    let proposes = rows(plan, "actions").len() - acts;
    format!(
        "{}\nlooked last  {}\nlooks again  {}\nwould do     {acts}, and proposes {proposes}: \
         `amarktai autopilot plan`\n\nDID\n{}",
        state(plan),
        cell(&view["last_run_at"]),
        cell(&view["next_run_at"]),
        table(DID, &did),
    )
}

fn planned(plan: &Value) -> String {
    let part = |name, columns| table(columns, &rows(plan, name));
    format!(
        "\nWOULD DO\n{}\nPROFIT\n{}\nBOTS\n{}",
        part("actions", ACTIONS),
        part("pools", POOLS),
        part("bots", BOTS),
    )
}

fn rows(of: &Value, name: &str) -> Vec<Value> {
    of[name].as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan() -> Value {
        let action = json!({
            "kind": "cut", "bot": "old", "acts": false, "exchange": "luno", "currency": "ZAR",
            "amount": null, "reason": "old is the worst",
        });
        let bot = json!({
            "bot": "old", "managed": false, "score": -1.2, "trades": 31, "profit": "-5",
            "rests_until": null,
        });
        json!({ "blocked_by": null, "actions": [action], "pools": [], "bots": [bot] })
    }

    #[test]
    fn a_plan_shows_each_action_with_its_reason_and_what_is_unknown_as_a_dash() {
        let text = planned(&plan());
        assert!(text.contains("cut     old  false  luno      ZAR"), "{text}");
        assert!(text.contains("old is the worst"), "{text}");
        assert!(text.contains("PROFIT\nnone\n"), "{text}");
    }

    #[test]
    fn a_status_says_why_nothing_happens_and_what_would() {
        let mut plan = plan();
        plan["blocked_by"] = json!("ENABLE_AUTOPILOT is off");
        let view = json!({ "last_run_at": null, "next_run_at": null, "did": [], "plan": plan });
        let text = status(&view);
        assert!(text.starts_with("it does nothing: ENABLE_AUTOPILOT is off\nlooked last  -\n"));
        assert!(text.contains("would do     0, and proposes 1"), "{text}");
    }
}
