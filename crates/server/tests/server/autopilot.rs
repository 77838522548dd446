//! The autopilot over HTTP: it is shown, it is planned with, and no route makes it act.

use crate::common::{Server, problem};
use crate::shapes::fits;
use domain::{AccountId, Amount, BotId, Exchange, Timestamp};
use engine::{
    AutopilotAction, AutopilotKind, AutopilotOutcome, AutopilotPool, AutopilotRecord, AutopilotRun,
    AutopilotScore, CommandError, ProfitShare,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const AT: Timestamp = Timestamp(1_700_000_000_000_000_000);

fn action(kind: AutopilotKind) -> AutopilotAction {
    let share = ProfitShare { bot_id: BotId(7), amount: Amount::from_int(500) };
    AutopilotAction {
        kind,
        bot_id: Some(BotId(7)),
        bot: Some("seven".into()),
        exchange: Exchange::Luno,
        currency: "ZAR".parse().unwrap(),
        amount: Some(Amount::from_int(400)),
        from: vec![share],
        to: vec![share],
        figures: [("score".to_owned(), "1.20".to_owned())].into(),
        reason: "because".into(),
        acts: true,
    }
}

#[test]
fn everything_that_it_says_has_the_promised_shape() {
    use AutopilotKind::{Cut, Promote, Reinvest, Retire, Spawn, Trial};
    for kind in [Reinvest, Spawn, Cut, Trial, Retire, Promote] {
        fits("AutopilotAction", &action(kind));
        assert_eq!(json!(kind), kind.name());
    }
    use AutopilotOutcome::{Done, Proposed, Refused};
    for outcome in [Done, Refused, Proposed] {
        let (code, problem) = (Some("BOT_CAP_REACHED".into()), Some("full".into()));
        let (account_id, action) = (AccountId(1), action(Spawn));
        fits(
            "AutopilotRecord",
            &AutopilotRecord { account_id, at: AT, action, outcome, code, problem },
        );
    }
    fits("AutopilotRun", &AutopilotRun { at: AT, done: 1, refused: 0, proposed: 2 });
    let pool = AutopilotPool {
        exchange: Exchange::Luno,
        currency: "ZAR".parse().unwrap(),
        managed: true,
        profit: Amount::ONE,
        movable: Amount::ONE,
        kept: Amount::ZERO,
        earned: Amount::ONE,
        taken: Amount::ZERO,
        in_reporting: None,
        waits_for: Some("more".into()),
    };
    fits("AutopilotPool", &pool);
    let score = AutopilotScore {
        bot_id: BotId(7),
        bot: "seven".into(),
        managed: true,
        trades: 40,
        score: Some(1.2),
        profit: Amount::ONE,
        spawned_by: Some(BotId(2)),
        trial_left_s: Some(60),
        rests_until: Some(AT),
    };
    fits("AutopilotScore", &score);
}

#[tokio::test]
async fn a_plan_is_shown_to_everybody_who_may_look_and_orders_nothing() {
    let server = Server::start().await;
    let made = server.post("/api/accounts", Some(&server.admin), &json!({"name": "main"})).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let before = server.commands();
    let plan = server.post("/api/autopilot/plan", Some(&server.trader), &Value::Null).await;
    assert_eq!(plan.status(), StatusCode::OK);
    let plan: Value = plan.json().await.unwrap();
    fits("AutopilotPlan", &plan);
    assert_eq!((&plan["enabled"], &plan["actions"]), (&json!(true), &json!([])));
    for token in [&server.viewer, &server.trader] {
        let view = server.get("/api/autopilot", Some(token)).await.json().await;
        let view: Value = view.unwrap();
        fits("Autopilot", &view);
        assert_eq!((&view["last_run_at"], &view["did"]), (&Value::Null, &json!([])));
    }
    assert_eq!(server.commands(), before);
    let response = server.get("/api/autopilot", None).await;
    problem(response, StatusCode::UNAUTHORIZED, "UNAUTHENTICATED").await;
    let stray = server.ask(Method::POST, "/api/autopilot", Some(&server.admin)).send().await;
    problem(stray.unwrap(), StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED").await;
}

/// A refusal's code is the one that HTTP tells.
#[test]
fn a_refusal_of_the_engine_names_its_code() {
    let refused = CommandError::EmergencyStopActive;
    assert_eq!(serde_json::to_value(refused).unwrap()["code"], "EMERGENCY_STOP_ACTIVE");
}
