//! `keys`: exchange keys, asked for on the terminal and sealed by the server.

use super::answer::{Answer, items};
use super::api::Api;
use super::failure::Failure;
use super::password;
use super::table::{Column, table};
use crate::cli::{Command, Keys, KeysVerb};
use domain::Exchange;
use serde_json::{Value, json};

const KEYS: &[Column] = &[
    ("EXCHANGE", "exchange"),
    ("KEY ENDS IN", "key_tail"),
    ("TRADES", "can_trade"),
    ("WITHDRAWS", "can_withdraw"),
    ("TESTED", "tested_at"),
    ("FOR LIVE", "usable_for_live"),
    ("LACKS", "missing"),
    ("STORED", "created_at"),
    ("BY", "created_by"),
];

/// The parts of a key that is to be stored, as the server's body: never arguments, which every
/// process of the machine can read.
pub(crate) fn ask(command: &Command) -> Result<Option<Value>, Failure> {
    let Command::Keys(Keys {
        verb: Some(KeysVerb::Set { exchange, attest_no_withdrawal, ips }),
        ..
    }) = command
    else {
        return Ok(None);
    };
    let mut body = json!({
        "key": password::part(&format!("{exchange} key"))?,
        "secret": password::part(&format!("{exchange} secret"))?,
    });
    if *exchange == Exchange::Kucoin {
        body["passphrase"] = json!(password::part(&format!("{exchange} passphrase"))?);
    }
    if *attest_no_withdrawal {
        body["attestation"] = json!({ "cannot_withdraw": true, "ip_restriction": ips });
    }
    Ok(Some(body))
}

/// `keys …`
pub(crate) async fn keys(
    api: &Api,
    verb: Option<&KeysVerb>,
    secret: Option<Value>,
) -> Result<Answer, Failure> {
    let path = |exchange: &Exchange| format!("/api/keys/{exchange}");
    match verb {
        None | Some(KeysVerb::List) => {
            let keys = items(api.get("/api/keys").await?);
            let text = table(KEYS, &keys);
            Ok(Answer::new(Value::Array(keys), text))
        }
        Some(KeysVerb::Set { exchange, .. }) => {
            let body = secret.ok_or_else(|| Failure::Usage("no key was given".to_owned()))?;
            api.put(&path(exchange), &body).await.map(one)
        }
        Some(KeysVerb::Test { exchange }) => {
            api.post(&format!("{}/test", path(exchange)), None).await.map(one)
        }
        Some(KeysVerb::Delete { exchange }) => {
            let answer = api.delete(&path(exchange)).await?;
            Ok(Answer::new(answer, format!("the {exchange} key is removed\n")))
        }
        Some(KeysVerb::RotateMaster) => {
            let answer = api.post("/api/vault/rotate", None).await?;
            let text = format!(
                "{} keys are sealed under a new master key; the one before is kept beside it for \
                 older backups\n",
                answer["keys"]
            );
            Ok(Answer::new(answer, text))
        }
    }
}

fn one(key: Value) -> Answer {
    let text = table(KEYS, std::slice::from_ref(&key));
    Answer::new(key, text)
}
