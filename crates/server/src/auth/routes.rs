//! Sign-in, sign-out, first set-up.

use super::guard::{COOKIE, Client};
use super::{Credential, MaybePrincipal, Principal, Role, password, secret};
use crate::access::now;
use crate::extract::Body;
use crate::problem::Problem;
use crate::schema;
use crate::state::{AppState, ServerConfig};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::{AccountId, Actor, Span};
use engine::{Command, Reply};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{ControlError, ControlFailure, ControlWrite, NewUser, UserRow};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A session ends after this time: a forgotten browser does not stay signed in for ever.
const SESSION_S: i64 = 30 * 86_400;
/// Longest name of a user or token.
pub(crate) const NAME_CHARS_MAX: usize = 64;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(needs_setup, setup))
        .routes(routes!(login))
        .routes(routes!(logout))
        .routes(routes!(me))
        .merge(super::second_factor::routes())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetupBody {
    /// As the terminal printed it.
    setup_code: String,
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    #[schema(min_length = 10, max_length = 256)]
    password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginBody {
    name: String,
    password: String,
}

/// Is the first owner still missing?
#[utoipa::path(get, path = "/api/auth/setup", tag = "auth",
    responses((status = 200, body = schema::SetupState)))]
async fn needs_setup(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    let is_needed = !state.read(|reader| reader.has_users()).await?;
    Ok(Json(json!({ "needed": is_needed, "mode": state.mode() })))
}

/// Creates the first owner, an admin, and signs in.
#[utoipa::path(post, path = "/api/auth/setup", tag = "auth", request_body = SetupBody,
    responses((status = 201, body = schema::Me)))]
async fn setup(
    State(state): State<AppState>,
    Client(address): Client,
    Body(body): Body<SetupBody>,
) -> Result<Response, Problem> {
    // One name for all attempts: the code is what is guessed here.
    state.logins.check(address, "setup code")?;
    let is_right = state.is_setup_code(&body.setup_code).await?;
    let is_set_up = state.read(|reader| reader.has_users()).await?;
    if is_set_up {
        return Err(ControlFailure::from(ControlError::AlreadySetUp).into());
    }
    if !is_right {
        state.logins.failed(address, "setup code");
        let detail = "this is not the code that the terminal (or `amarktai setup-code`) prints";
        return Err(Problem::forbidden("SETUP_CODE_WRONG", detail));
    }
    check_name(&body.name)?;
    password::check(&body.password)?;
    let account = first_account(&state, &body.name).await?;
    let password_hash = state.passwords.hash(body.password).await?;
    let (name, role) = (body.name, Role::Admin);
    let user =
        NewUser { name: name.clone(), account_id: account, role, password_hash, created_at: now() };
    // The store asks the code once more and uses it up: of two owners at once, one is refused.
    let code = secret::digest(&body.setup_code);
    state.create(ControlWrite::CreateFirstUser { code, user }).await?;
    let user = state.read(move |reader| reader.user_by_name(&name)).await?;
    let user = user.ok_or_else(|| Problem::internal(&"the new owner is not there"))?;
    signed_in(&state, &user, StatusCode::CREATED).await
}

/// Account 1, opened where there is none.
async fn first_account(state: &AppState, name: &str) -> Result<AccountId, Problem> {
    let accounts = state.core.query(|engine| engine.accounts()).await?;
    if let Some(first) = accounts.first() {
        return Ok(first.id);
    }
    let reporting_currency = state.config.reporting_currency;
    let command = Command::CreateAccount { name: "main".into(), reporting_currency };
    match state.core.command(None, Actor::Person(name.to_owned()), command).await? {
        Reply::Account(id) => Ok(id),
        other => Err(Problem::internal(&format!("account creation answered {other:?}"))),
    }
}

/// Signs in with name and password; the answer sets the cookie.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", request_body = LoginBody,
    responses((status = 200, body = schema::Me)))]
async fn login(
    State(state): State<AppState>,
    Client(address): Client,
    Body(body): Body<LoginBody>,
) -> Result<Response, Problem> {
    state.logins.check(address, &body.name)?;
    let name = body.name.clone();
    let user = state.read(move |reader| reader.user_by_name(&name)).await?;
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let is_right = state.passwords.verify(body.password, stored).await?;
    match user.filter(|_| is_right) {
        Some(user) => {
            state.logins.succeeded(address, &body.name);
            signed_in(&state, &user, StatusCode::OK).await
        }
        None => {
            state.logins.failed(address, &body.name);
            let detail = "name or password is wrong";
            Err(Problem::new(StatusCode::UNAUTHORIZED, "SIGN_IN_REFUSED", detail))
        }
    }
}

async fn signed_in(
    state: &AppState,
    user: &UserRow,
    status: StatusCode,
) -> Result<Response, Problem> {
    let session = secret::random();
    let expires_at = now() + Span::from_secs(SESSION_S);
    state.open_session(user.id, secret::digest(&session), expires_at).await?;
    let who = Principal {
        name: user.name.clone(),
        role: user.role,
        account_id: user.account_id,
        user: Some(user.id),
        credential: Credential::Session(secret::digest(&session)),
    };
    let cookie = cookie(&state.config, &session, SESSION_S);
    Ok((status, [(header::SET_COOKIE, cookie)], Json(me_json(state, &who))).into_response())
}

fn cookie(config: &ServerConfig, session: &str, max_age_s: i64) -> String {
    let secure = if config.is_secure() { "; Secure" } else { "" };
    format!("{COOKIE}={session}; HttpOnly; SameSite=Strict; Path=/; Max-Age={max_age_s}{secure}")
}

/// Ends the session.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth",
    responses((status = 204, description = "signed out")))]
async fn logout(
    State(state): State<AppState>,
    MaybePrincipal(who): MaybePrincipal,
) -> Result<Response, Problem> {
    if let Some(Credential::Session(session)) = who.map(|who| who.credential) {
        let end = ControlWrite::RevokeSession { hash: session, at: now() };
        state.control(end).await?;
    }
    let gone = cookie(&state.config, "", 0);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/auth/me", tag = "auth",
    responses((status = 200, body = schema::Me)))]
async fn me(State(state): State<AppState>, who: Principal) -> Json<Value> {
    Json(me_json(&state, &who))
}

fn me_json(state: &AppState, who: &Principal) -> Value {
    json!({
        "name": who.name,
        "role": who.role,
        "account_id": who.account_id,
        "mode": state.mode(),
    })
}

/// What a name may be.
const NAME_ALLOWED: &str = "1 to 64 visible characters, no space at either end";

/// A name that a person can read, and that looks like itself in a log or a terminal.
pub(crate) fn check_name(name: &str) -> Result<(), Problem> {
    let is_long = name.chars().count() > NAME_CHARS_MAX;
    let is_trimmed = name.trim() == name;
    let is_seen = name.chars().any(|c| !c.is_whitespace() && !JOINERS.contains(&c));
    if is_long || !is_trimmed || !is_seen || name.chars().any(is_hidden) {
        let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
        return Err(Problem::invalid_field("name", shown, NAME_ALLOWED));
    }
    Ok(())
}

/// Some scripts and emoji need them between others.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Control characters, those without width, and those that turn the direction of what follows: two
/// names would look the same, or a name like something else.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_it_looks_like() {
        let long = "é".repeat(64);
        for fine in ["a", "a b", "日本", "../../etc", "<b>", "👩\u{200d}🚀", long.as_str()] {
            assert!(check_name(fine).is_ok(), "{fine:?}");
        }
        let longer = "é".repeat(65);
        for refused in [
            "",
            " ",
            " a",
            "a ",
            "a\nb",
            "\0",
            "\u{202e}live",
            "\u{200b}",
            "a\u{feff}",
            "\u{200d}",
            longer.as_str(),
        ] {
            let problem = check_name(refused).unwrap_err();
            assert_eq!(problem.to_json()["field"], "name", "{refused:?}");
        }
    }
}
