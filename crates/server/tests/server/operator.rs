//! Keys over HTTP: sealed, never shown, refused where they could send money away.

use crate::common::{Server, problem};
use domain::{AccountId, Exchange};
use futures_util::future::{BoxFuture, FutureExt};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use server::Role;
use server::operator::{
    KeyOf, KeySecret, KeyTestError, KeyTester, KeyVault, Rotation, Seal, VaultError,
};
use std::sync::Arc;
use storage::{KeyPermissions, KeyRow, SecondFactorRow};

/// Seals by turning every byte; asks an exchange that says what the key's name says.
pub(crate) struct Fake {
    pub(crate) is_there: bool,
}

fn turned(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ 0x55).collect()
}

impl KeyVault for Fake {
    fn seal(&self, _of: KeyOf, secret: &KeySecret) -> Result<Seal, VaultError> {
        let text = format!("{:40}", secret.secret.expose_secret());
        let master_id = "0123456789abcdef".to_owned();
        Ok(Seal { master_id, nonce: [1; 24], sealed: turned(text.as_bytes()) })
    }

    fn open(&self, row: &KeyRow) -> Result<KeySecret, VaultError> {
        let text = String::from_utf8(turned(&row.sealed)).unwrap();
        let secret = text.trim().to_owned();
        Ok(KeySecret { key: secret.clone().into(), secret: secret.into(), passphrase: None })
    }

    fn seal_factor(&self, _user: i64, secret: &SecretString) -> Result<Seal, VaultError> {
        let master_id = "0123456789abcdef".to_owned();
        let sealed = turned(secret.expose_secret().as_bytes());
        Ok(Seal { master_id, nonce: [1; 24], sealed })
    }

    fn open_factor(&self, row: &SecondFactorRow) -> Result<SecretString, VaultError> {
        Ok(String::from_utf8(turned(&row.sealed)).unwrap().into())
    }

    fn rotate(
        &self,
        rows: Vec<KeyRow>,
        factors: Vec<SecondFactorRow>,
    ) -> Result<Rotation, VaultError> {
        let anew = |row| KeyRow { master_id: "fedcba9876543210".to_owned(), ..row };
        let rows = rows.into_iter().map(anew).collect();
        Ok(Rotation { rows, factors, finish: Box::new(|| Ok(())) })
    }

    fn tester(&self) -> Option<&dyn KeyTester> {
        self.is_there.then_some(self)
    }
}

impl KeyTester for Fake {
    fn permissions<'a>(
        &'a self,
        exchange: Exchange,
        key: &'a KeySecret,
    ) -> BoxFuture<'a, Result<KeyPermissions, KeyTestError>> {
        let text = key.secret.expose_secret().to_owned();
        async move {
            if text.contains("unknown") {
                return Err(KeyTestError::Rejected("no such key".to_owned()));
            }
            if exchange == Exchange::Luno {
                return Ok(KeyPermissions::default());
            }
            let can_withdraw = Some(text.contains("withdraw"));
            Ok(KeyPermissions { can_trade: Some(true), can_withdraw })
        }
        .boxed()
    }
}

async fn started(is_there: bool) -> Server {
    Server::with_state(move |state| state.vault = Some(Arc::new(Fake { is_there }))).await
}

async fn put(server: &Server, exchange: &str, token: &str, body: &Value) -> reqwest::Response {
    let path = format!("/api/keys/{exchange}");
    server.ask(Method::PUT, &path, Some(token)).json(body).send().await.unwrap()
}

fn key(secret: &str) -> Value {
    json!({ "key": "key-id-that-is-long-wxyz", "secret": secret })
}

#[tokio::test]
async fn a_tested_key_is_stored_and_never_shown() {
    let server = started(true).await;
    let stored = put(&server, "binance", &server.trader, &key("canary")).await;
    let shown: Value = stored.json().await.unwrap();
    assert_eq!((&shown["key_tail"], &shown["usable_for_live"]), (&"wxyz".into(), &true.into()));
    assert!(!shown.to_string().contains("canary") && !shown.to_string().contains("key-id"));
    let list: Value = server.get("/api/keys", Some(&server.viewer)).await.json().await.unwrap();
    assert_eq!(list, json!([shown]));
    // Another account sees nothing of it, under any route.
    let stranger = server.token("eve", Role::Trader, AccountId(2)).await;
    for (method, path) in [
        (Method::GET, "/api/keys/binance"),
        (Method::DELETE, "/api/keys/binance"),
        (Method::POST, "/api/keys/binance/test"),
    ] {
        let response = server.ask(method, path, Some(&stranger)).send().await.unwrap();
        problem(response, StatusCode::NOT_FOUND, "NOT_FOUND").await;
    }
    let response = server.ask(Method::POST, "/api/vault/rotate", Some(&server.trader));
    problem(response.send().await.unwrap(), StatusCode::FORBIDDEN, "ADMIN_ONLY").await;
    let response = server.ask(Method::POST, "/api/vault/rotate", Some(&server.admin));
    let rotated: Value = response.send().await.unwrap().json().await.unwrap();
    assert_eq!(rotated, json!({ "keys": 1 }));
    let gone = server.ask(Method::DELETE, "/api/keys/binance", Some(&server.trader));
    assert_eq!(gone.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let response = server.get("/api/keys/binance", Some(&server.trader)).await;
    problem(response, StatusCode::NOT_FOUND, "NOT_FOUND").await;
}

#[tokio::test]
async fn a_key_that_may_withdraw_is_refused_and_replaces_nothing() {
    let server = started(true).await;
    let invalid = StatusCode::UNPROCESSABLE_ENTITY;
    put(&server, "binance", &server.trader, &key("good")).await;
    let response = put(&server, "binance", &server.trader, &key("withdraws")).await;
    problem(response, invalid, "KEY_CAN_WITHDRAW").await;
    let response = put(&server, "binance", &server.trader, &key("unknown")).await;
    problem(response, invalid, "KEY_REJECTED").await;
    let kept = server.get("/api/keys/binance", Some(&server.trader)).await;
    assert_eq!(kept.json::<Value>().await.unwrap()["version"], 1);
    let response = put(&server, "kucoin", &server.trader, &key("good")).await;
    assert_eq!(problem(response, invalid, "INVALID_FIELD").await["field"], "passphrase");
}

#[tokio::test]
async fn luno_needs_a_persons_word_and_it_is_recorded_as_unverified() {
    let server = started(true).await;
    let invalid = StatusCode::UNPROCESSABLE_ENTITY;
    let response = put(&server, "luno", &server.trader, &key("good")).await;
    assert_eq!(problem(response, invalid, "INVALID_FIELD").await["field"], "attestation");
    let mut body = key("good");
    body["attestation"] = json!({ "cannot_withdraw": false, "ip_restriction": [] });
    let response = put(&server, "luno", &server.trader, &body).await;
    problem(response, invalid, "KEY_CAN_WITHDRAW").await;
    body["attestation"] = json!({ "cannot_withdraw": true, "ip_restriction": ["10.0.0.1"] });
    let shown: Value = put(&server, "luno", &server.trader, &body).await.json().await.unwrap();
    let word = &shown["attestation"];
    assert_eq!((&word["unverified"], &word["by"]), (&true.into(), &"tom".into()), "{shown}");
    assert_eq!(shown["usable_for_live"], true);
}

#[tokio::test]
async fn without_a_way_to_ask_a_key_is_kept_and_is_of_no_use_for_live() {
    let server = started(false).await;
    let stored = put(&server, "binance", &server.trader, &key("good")).await;
    let shown: Value = stored.json().await.unwrap();
    assert_eq!((&shown["usable_for_live"], &shown["tested_at"]), (&false.into(), &Value::Null));
    assert!(shown["missing"].as_str().unwrap().contains("never tested"), "{shown}");
    let test = server.ask(Method::POST, "/api/keys/binance/test", Some(&server.trader));
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    problem(test.send().await.unwrap(), unavailable, "KEY_TEST_UNAVAILABLE").await;
}

#[tokio::test]
async fn backups_and_the_try_of_channels_are_for_admins() {
    let server = started(true).await;
    for (method, path) in [
        (Method::GET, "/api/backups"),
        (Method::POST, "/api/backups"),
        (Method::POST, "/api/notifications/test"),
    ] {
        let response = server.ask(method, path, Some(&server.trader)).send().await.unwrap();
        problem(response, StatusCode::FORBIDDEN, "ADMIN_ONLY").await;
    }
    let list = server.get("/api/notifications", Some(&server.trader)).await;
    let list: Value = list.json().await.unwrap();
    assert_eq!(list, json!({ "channels": [], "items": [], "next": null }));
}
