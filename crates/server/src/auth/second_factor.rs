//! The second factor: whoever has set one up shows a code of it before anything dangerous.
//!
//! It is asked of people, not of programs: a token was made with a code where its maker has a second
//! factor, and acts without one after that. Pulling the emergency stop never asks for it.

use super::totp::{self, Typed};
use super::{Principal, secret};
use crate::access::now;
use crate::extract::{Body, Path};
use crate::operator::{KeyVault, Seal};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use storage::{ControlError, ControlFailure, ControlWrite, SecondFactorRow};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Carries the code, so that bodies and addresses, which are kept and logged, never do.
pub(crate) const HEADER: &str = "x-second-factor";
/// Wrong codes count per person wherever they come from: a stolen session may have many addresses.
const ANYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(show, begin, end))
        .routes(routes!(confirm))
        .routes(routes!(reset))
}

/// Who asks, and the code that came along; dangerous routes [`check`](Self::check) it once all
/// else is in order, as a code counts once.
pub(crate) struct Confirmed {
    who: Principal,
    code: Option<String>,
}

impl FromRequestParts<AppState> for Confirmed {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let who = Principal::from_request_parts(parts, state).await?;
        let code = parts.headers.get(HEADER).and_then(|value| value.to_str().ok());
        Ok(Self { who, code: code.map(str::to_owned) })
    }
}

impl Confirmed {
    /// Refuses without a code where one is needed, and a code that is wrong or was used.
    pub(crate) async fn check(self, state: &AppState) -> Result<(), Problem> {
        let Some(user) = self.who.user else { return Ok(()) };
        let row = state.read(move |reader| reader.second_factor(user)).await?;
        let Some(row) = row.filter(|row| row.confirmed_at.is_some()) else { return Ok(()) };
        let Some(code) = self.code else { return Err(required()) };
        let name = format!("{user}");
        check_limit(state, &name)?;
        let counted = counted(state, &row, &code).await;
        match &counted {
            Ok(()) => state.codes.succeeded(ANYWHERE, &name),
            Err(problem) if problem.status == StatusCode::FORBIDDEN => {
                state.codes.failed(ANYWHERE, &name);
            }
            Err(_) => {}
        }
        counted
    }
}

fn required() -> Problem {
    let detail = "this needs a code of your authenticator, or a recovery code, in X-Second-Factor";
    Problem::forbidden("SECOND_FACTOR_REQUIRED", detail)
}

fn wrong() -> Problem {
    let detail = "this is not the code that your authenticator shows now, nor a recovery code";
    Problem::forbidden("SECOND_FACTOR_WRONG", detail)
}

fn check_limit(state: &AppState, name: &str) -> Result<(), Problem> {
    state.codes.check(ANYWHERE, name).map_err(|problem| {
        let seconds = problem.figures.get("retry_after_s").cloned().unwrap_or_default();
        let detail = format!("too many wrong codes; try again in {seconds} s");
        let status = StatusCode::TOO_MANY_REQUESTS;
        Problem::new(status, "TOO_MANY_CODES", detail).with("retry_after_s", seconds)
    })
}

/// Right, and never counted before: the store says so in the same step in which it counts.
async fn counted(state: &AppState, row: &SecondFactorRow, code: &str) -> Result<(), Problem> {
    let user = row.user_id;
    match totp::typed(code) {
        Some(Typed::Code(code)) => {
            let step = step_of(state, row, code)?.ok_or_else(wrong)?;
            state.control(ControlWrite::CountCode { user, step }).await?;
        }
        Some(Typed::Recovery(text)) => {
            let write =
                ControlWrite::UseRecoveryCode { user, hash: secret::digest(&text), at: now() };
            match state.store.control(write)?.answer_async().await {
                Err(ControlFailure::Refused(ControlError::CodeUsed)) => return Err(wrong()),
                other => other?,
            };
            tracing::info!(user, "a recovery code was used");
        }
        None => return Err(wrong()),
    }
    Ok(())
}

fn step_of(state: &AppState, row: &SecondFactorRow, code: u32) -> Result<Option<u64>, Problem> {
    let secret = vault(state)?.open_factor(row)?;
    let seconds = u64::try_from(now().0 / 1_000_000_000).unwrap_or_default();
    Ok(totp::step_of(&secret, code, seconds))
}

fn vault(state: &AppState) -> Result<Arc<dyn KeyVault>, Problem> {
    state.vault.clone().ok_or_else(|| Problem::not_built("a key vault here"))
}

fn person(who: &Principal) -> Result<i64, Problem> {
    let detail = "a token has no second factor; a person sets one up, signed in on the dashboard";
    who.user.ok_or_else(|| Problem::new(StatusCode::CONFLICT, "NOT_A_PERSON", detail))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BeginBody {
    /// Again: a session that was left open does not lock its owner out.
    #[schema(value_type = String, max_length = 256)]
    password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConfirmBody {
    /// As the authenticator shows it now.
    #[schema(max_length = 64)]
    code: String,
}

/// Is one's own second factor on?
#[utoipa::path(get, path = "/api/auth/second-factor", tag = "auth",
    responses((status = 200, body = schema::SecondFactor)))]
async fn show(State(state): State<AppState>, who: Principal) -> Result<Json<Value>, Problem> {
    let Some(user) = who.user else {
        return Ok(Json(json!({ "is_on": false, "since": null, "recovery_codes_left": 0 })));
    };
    let found = state
        .read(move |reader| Ok((reader.second_factor(user)?, reader.recovery_codes_left(user)?)));
    let (row, left) = found.await?;
    let since = row.and_then(|row| row.confirmed_at);
    Ok(Json(json!({
        "is_on": since.is_some(), "since": since, "recovery_codes_left": left,
    })))
}

/// Begins to set one up: the answer shows the secret, once. It is asked for after its first code.
#[utoipa::path(post, path = "/api/auth/second-factor", tag = "auth", request_body = BeginBody,
    responses((status = 200, body = schema::NewSecondFactor)))]
async fn begin(
    State(state): State<AppState>,
    who: Principal,
    Body(body): Body<BeginBody>,
) -> Result<Json<Value>, Problem> {
    let user = person(&who)?;
    check_password(&state, &who, body.password).await?;
    let vault = vault(&state)?;
    let secret = totp::secret();
    // A rotation of the master key at the same time would miss this one.
    let _turn = state.vault_turn.lock().await;
    let Seal { master_id, nonce, sealed } = vault.seal_factor(user, &secret)?;
    let row = SecondFactorRow {
        user_id: user,
        master_id,
        nonce,
        sealed,
        last_step: 0,
        created_at: now(),
        confirmed_at: None,
    };
    state.control(ControlWrite::BeginSecondFactor(Box::new(row))).await?;
    shown_once(&who.name, &secret)
}

fn shown_once(name: &str, secret: &SecretString) -> Result<Json<Value>, Problem> {
    use secrecy::ExposeSecret;
    let uri = totp::uri(name, secret);
    let (qr_size, qr_path) = totp::picture(&uri).ok_or_else(|| Problem::internal(&"no picture"))?;
    Ok(Json(json!({
        "secret": secret.expose_secret(), "uri": uri, "qr_size": qr_size, "qr_path": qr_path,
    })))
}

async fn check_password(
    state: &AppState,
    who: &Principal,
    password: String,
) -> Result<(), Problem> {
    check_limit(state, &who.name)?;
    let name = who.name.clone();
    let user = state.read(move |reader| reader.user_by_name(&name)).await?;
    let stored = user.map(|user| user.password_hash);
    if state.passwords.verify(password, stored).await? {
        return Ok(());
    }
    state.codes.failed(ANYWHERE, &who.name);
    Err(Problem::forbidden("PASSWORD_WRONG", "this is not your password"))
}

/// Turns it on by its first code; the answer shows the recovery codes, once.
#[utoipa::path(post, path = "/api/auth/second-factor/confirm", tag = "auth",
    request_body = ConfirmBody, responses((status = 200, body = schema::RecoveryCodes)))]
async fn confirm(
    State(state): State<AppState>,
    who: Principal,
    Body(body): Body<ConfirmBody>,
) -> Result<Json<Value>, Problem> {
    let user = person(&who)?;
    let name = format!("{user}");
    check_limit(&state, &name)?;
    let row = state.read(move |reader| reader.second_factor(user)).await?;
    let waiting = row.filter(|row| row.confirmed_at.is_none());
    let row = waiting.ok_or_else(|| Problem::not_found("second factor to confirm"))?;
    let step = match totp::typed(&body.code) {
        Some(Typed::Code(code)) => step_of(&state, &row, code)?,
        _ => None,
    };
    let Some(step) = step else {
        state.codes.failed(ANYWHERE, &name);
        return Err(wrong());
    };
    let codes = totp::recovery_codes();
    let plain = codes.iter().map(|code| code.replace('-', "").to_uppercase());
    let recovery = plain.map(|code| secret::digest(&code)).collect();
    let write = ControlWrite::ConfirmSecondFactor { user, step, recovery, at: now() };
    state.control(write).await?;
    tracing::info!(by = %who.name, "second factor turned on");
    Ok(Json(json!({ "recovery_codes": codes })))
}

/// Turns one's own off, which takes a code itself.
#[utoipa::path(delete, path = "/api/auth/second-factor", tag = "auth",
    responses((status = 204, description = "off")))]
async fn end(
    State(state): State<AppState>,
    who: Principal,
    confirmed: Confirmed,
) -> Result<StatusCode, Problem> {
    let user = person(&who)?;
    confirmed.check(&state).await?;
    state.control(ControlWrite::EndSecondFactor { user }).await?;
    tracing::info!(by = %who.name, "second factor turned off");
    Ok(StatusCode::NO_CONTENT)
}

/// Turns off that of somebody who lost telephone and recovery codes: for admins.
#[utoipa::path(delete, path = "/api/users/{id}/second-factor", tag = "people",
    params(("id" = u32, Path)), responses((status = 204, description = "off")))]
async fn reset(
    State(state): State<AppState>,
    who: Principal,
    confirmed: Confirmed,
    Path(id): Path<u32>,
) -> Result<StatusCode, Problem> {
    who.require_admin()?;
    confirmed.check(&state).await?;
    state.control(ControlWrite::EndSecondFactor { user: i64::from(id) }).await?;
    tracing::info!(user = id, by = %who.name, "second factor turned off by an admin");
    Ok(StatusCode::NO_CONTENT)
}
