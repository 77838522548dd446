//! Exchange keys: stored sealed, never shown again.

use crate::access::now;
use crate::auth::{Confirmed, Principal, Scope};
use crate::extract::{Body, Path};
use crate::operator::{KeyOf, KeySecret, KeyTestError, KeyVault, Seal, VaultError};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{AccountId, Exchange};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use storage::{Attestation, ControlWrite, KeyPermissions, KeyRow};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest part of a key: exchanges give 64 characters at most, private keys in text some more.
const PART_CHARS_MAX: usize = 4_096;
/// Addresses that a person may name.
const ADDRESSES_MAX: usize = 16;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, set, remove))
        .routes(routes!(test))
        .routes(routes!(rotate))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetKey {
    /// Names the key.
    #[schema(value_type = String, min_length = 1, max_length = 4096)]
    key: SecretString,
    /// Proves it; never shown again.
    #[schema(value_type = String, min_length = 1, max_length = 4096)]
    secret: SecretString,
    /// KuCoin's third part.
    #[schema(value_type = Option<String>, max_length = 4096)]
    #[serde(default)]
    passphrase: Option<SecretString>,
    /// Needed where the exchange cannot be asked what a key may do (Luno).
    #[serde(default)]
    attestation: Option<Attest>,
}

/// A person's word, recorded as unverified.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Attest {
    /// The key was made without the right to withdraw.
    cannot_withdraw: bool,
    /// Addresses that the key is bound to at the exchange.
    #[schema(value_type = Vec<String>, max_items = 16)]
    #[serde(default)]
    ip_restriction: Vec<std::net::IpAddr>,
}

/// The account's keys, without their secrets.
#[utoipa::path(get, path = "/api/keys", tag = "keys",
    responses((status = 200, body = Vec<schema::ExchangeKey>)))]
async fn list(State(state): State<AppState>, scope: Scope) -> Result<Json<Value>, Problem> {
    let rows = state.read(move |reader| reader.exchange_keys(Some(scope.account))).await?;
    Ok(Json(rows.iter().map(shown).collect()))
}

/// One key, without its secret.
#[utoipa::path(get, path = "/api/keys/{exchange}", tag = "keys",
    params(("exchange" = schema::Exchange, Path)),
    responses((status = 200, body = schema::ExchangeKey)))]
async fn show(
    State(state): State<AppState>,
    scope: Scope,
    Path(exchange): Path<String>,
) -> Result<Json<Value>, Problem> {
    let exchange = named(&exchange)?;
    find(&state, scope.account, exchange).await.map(|row| Json(shown(&row)))
}

/// Stores a key in place of the one before, tested where the exchange can be asked. A key that may
/// withdraw is refused.
#[utoipa::path(put, path = "/api/keys/{exchange}", tag = "keys", request_body = SetKey,
    params(("exchange" = schema::Exchange, Path)),
    responses((status = 200, body = schema::ExchangeKey)))]
async fn set(
    State(state): State<AppState>,
    scope: Scope,
    confirmed: Confirmed,
    Path(exchange): Path<String>,
    Body(body): Body<SetKey>,
) -> Result<Json<Value>, Problem> {
    let exchange = named(&exchange)?;
    let vault = vault(&state)?;
    let SetKey { key, secret, passphrase, attestation } = body;
    let secret = checked(exchange, KeySecret { key, secret, passphrase })?;
    let attestation = attested(exchange, attestation, &scope.who)?;
    confirmed.check(&state).await?;
    let said = ask(&*vault, exchange, &secret).await;
    let permissions = match said {
        Ok(permissions) => permissions,
        Err(KeyTestError::Unavailable(_) | KeyTestError::Unreachable(_)) => None,
        Err(error @ KeyTestError::Rejected(_)) => return Err(error.into()),
    };
    refuse_withdrawal(permissions.unwrap_or_default())?;
    let tested_at = permissions.map(|_| now());
    // Two at once would seal under one version, or under a master key that is being replaced.
    let _turn = state.vault_turn.lock().await;
    let account = scope.account;
    let version = state.read(move |reader| reader.next_key_version(account, exchange)).await?;
    let Seal { master_id, nonce, sealed } =
        vault.seal(KeyOf { account, exchange, version }, &secret)?;
    let row = KeyRow {
        account_id: account,
        exchange,
        version,
        key_tail: tail(secret.key.expose_secret()),
        master_id,
        nonce,
        sealed,
        permissions: permissions.unwrap_or_default(),
        tested_at,
        attestation,
        created_at: now(),
        created_by: scope.who.name.clone(),
    };
    state.control(ControlWrite::PutKey(Box::new(row.clone()))).await?;
    tracing::info!(account_id = %account, %exchange, version, by = %scope.who.name, "key stored");
    Ok(Json(shown(&row)))
}

/// Removes a key.
#[utoipa::path(delete, path = "/api/keys/{exchange}", tag = "keys",
    params(("exchange" = schema::Exchange, Path)),
    responses((status = 204, description = "removed")))]
async fn remove(
    State(state): State<AppState>,
    scope: Scope,
    confirmed: Confirmed,
    Path(exchange): Path<String>,
) -> Result<StatusCode, Problem> {
    let (account, exchange) = (scope.account, named(&exchange)?);
    find(&state, account, exchange).await?;
    confirmed.check(&state).await?;
    state.control(ControlWrite::DeleteKey { account, exchange }).await?;
    tracing::info!(account_id = %account, %exchange, by = %scope.who.name, "key removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Asks the exchange what the key may do now.
#[utoipa::path(post, path = "/api/keys/{exchange}/test", tag = "keys",
    params(("exchange" = schema::Exchange, Path)),
    responses((status = 200, body = schema::ExchangeKey)))]
async fn test(
    State(state): State<AppState>,
    scope: Scope,
    Path(exchange): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (account, exchange) = (scope.account, named(&exchange)?);
    let vault = vault(&state)?;
    let row = find(&state, account, exchange).await?;
    let secret = vault.open(&row)?;
    let permissions = ask(&*vault, exchange, &secret).await?.unwrap_or_default();
    let version = row.version;
    let note = ControlWrite::KeyTested { account, exchange, version, permissions, at: now() };
    state.control(note).await?;
    // Noted first: a key that came to withdraw is of no use from now on.
    refuse_withdrawal(permissions)?;
    find(&state, account, exchange).await.map(|row| Json(shown(&row)))
}

/// Seals all keys under a new master key, which replaces the old one.
#[utoipa::path(post, path = "/api/vault/rotate", tag = "keys",
    responses((status = 200, body = schema::Rotated)))]
async fn rotate(
    State(state): State<AppState>,
    who: Principal,
    confirmed: Confirmed,
) -> Result<Json<Value>, Problem> {
    who.require_admin()?;
    let vault = vault(&state)?;
    confirmed.check(&state).await?;
    let _turn = state.vault_turn.lock().await;
    let rows = state.read(|reader| reader.exchange_keys(None)).await?;
    let factors = state.read(|reader| reader.second_factors()).await?;
    let rotation = vault.rotate(rows, factors)?;
    let keys = rotation.rows.len();
    state.control(ControlWrite::Reseal(rotation.rows, rotation.factors)).await?;
    (rotation.finish)()?;
    tracing::info!(keys, by = %who.name, "master key replaced");
    Ok(Json(json!({ "keys": keys })))
}

fn vault(state: &AppState) -> Result<Arc<dyn KeyVault>, Problem> {
    state.vault.clone().ok_or_else(|| Problem::not_built("a key vault here"))
}

fn named(exchange: &str) -> Result<Exchange, Problem> {
    Exchange::parse(exchange).ok_or_else(|| Problem::not_found("exchange"))
}

async fn find(state: &AppState, account: AccountId, at: Exchange) -> Result<KeyRow, Problem> {
    let row = state.read(move |reader| reader.exchange_key(account, at)).await?;
    row.ok_or_else(|| Problem::not_found("key"))
}

/// `None`: this exchange has no way to be asked, so the key counts as what its owner attests.
async fn ask(
    vault: &dyn KeyVault,
    exchange: Exchange,
    secret: &KeySecret,
) -> Result<Option<KeyPermissions>, KeyTestError> {
    let tester = vault.tester().ok_or(KeyTestError::Unavailable(exchange))?;
    tester.permissions(exchange, secret).await.map(Some)
}

fn checked(exchange: Exchange, secret: KeySecret) -> Result<KeySecret, Problem> {
    let parts = [("key", Some(&secret.key)), ("secret", Some(&secret.secret))];
    for (field, part) in parts.into_iter().chain([("passphrase", secret.passphrase.as_ref())]) {
        let is_fit = part.is_none_or(|part| {
            let text = part.expose_secret();
            !text.trim().is_empty() && text.len() <= PART_CHARS_MAX
        });
        if !is_fit {
            return Err(wrong(field, "is empty or too long"));
        }
    }
    if exchange == Exchange::Kucoin && secret.passphrase.is_none() {
        return Err(wrong("passphrase", "is missing: KuCoin's keys have three parts"));
    }
    Ok(secret)
}

/// Never with the value: it is a secret.
fn wrong(field: &str, what: &str) -> Problem {
    let detail = format!("{field} {what}");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_FIELD", detail).with("field", field)
}

fn attested(
    exchange: Exchange,
    word: Option<Attest>,
    who: &Principal,
) -> Result<Option<Attestation>, Problem> {
    let Some(word) = word else {
        if exchange == Exchange::Luno {
            let what = "is missing: Luno cannot be asked what a key may do, so its owner has to \
                        say that it cannot withdraw, and which addresses it is bound to";
            return Err(wrong("attestation", what));
        }
        return Ok(None);
    };
    if !word.cannot_withdraw {
        return Err(withdraws());
    }
    if word.ip_restriction.len() > ADDRESSES_MAX {
        return Err(wrong("attestation.ip_restriction", "names too many addresses"));
    }
    Ok(Some(Attestation {
        cannot_withdraw: true,
        ip_restriction: word.ip_restriction.iter().map(ToString::to_string).collect(),
        unverified: true,
        by: who.name.clone(),
        at: Some(now()),
    }))
}

fn withdraws() -> Problem {
    let detail = "the key may withdraw; make one at the exchange that may only read and trade";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "KEY_CAN_WITHDRAW", detail)
}

fn refuse_withdrawal(permissions: KeyPermissions) -> Result<(), Problem> {
    if permissions.can_withdraw == Some(true) { Err(withdraws()) } else { Ok(()) }
}

/// The last four characters, of a key that is long enough for them to say nothing.
fn tail(key: &str) -> String {
    let characters: Vec<char> = key.chars().collect();
    if characters.len() < 12 {
        return String::new();
    }
    characters[characters.len() - 4..].iter().collect()
}

/// What may be shown: never a secret, sealed or not.
fn shown(row: &KeyRow) -> Value {
    let KeyRow { permissions, attestation, .. } = row;
    let missing = lacking(row);
    json!({
        "exchange": row.exchange,
        "version": row.version,
        "key_tail": row.key_tail,
        "can_trade": permissions.can_trade,
        "can_withdraw": permissions.can_withdraw,
        "tested_at": row.tested_at,
        "attestation": attestation,
        "usable_for_live": missing.is_none(),
        "missing": missing,
        "created_at": row.created_at,
        "created_by": row.created_by,
    })
}

/// What the key lacks for live trading.
fn lacking(row: &KeyRow) -> Option<&'static str> {
    let KeyPermissions { can_trade, can_withdraw } = row.permissions;
    let is_attested = row.attestation.as_ref().is_some_and(|word| word.cannot_withdraw);
    match () {
        () if row.tested_at.is_none() => Some("it was never tested against the exchange"),
        () if can_withdraw == Some(true) => Some("it may withdraw"),
        () if can_trade == Some(false) => Some("it may not trade"),
        () if can_withdraw.is_none() && !is_attested => Some("nobody says that it cannot withdraw"),
        () => None,
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        let detail = error.to_string();
        match error {
            VaultError::Master(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "MASTER_KEY_UNUSABLE", detail)
            }
            VaultError::DoesNotOpen => Self::new(StatusCode::CONFLICT, "KEY_DOES_NOT_OPEN", detail),
        }
    }
}

impl From<KeyTestError> for Problem {
    fn from(error: KeyTestError) -> Self {
        let detail = error.to_string();
        let (status, code) = match error {
            KeyTestError::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "KEY_TEST_UNAVAILABLE")
            }
            KeyTestError::Rejected(_) => (StatusCode::UNPROCESSABLE_ENTITY, "KEY_REJECTED"),
            KeyTestError::Unreachable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "EXCHANGE_UNREACHABLE")
            }
        };
        Self::new(status, code, detail)
    }
}
