//! Accounts, users and tokens: for admins.

use crate::access::now;
use crate::auth::{Confirmed, Principal, Role, check_name, secret};
use crate::extract::{Body, Path};
use crate::problem::Problem;
use crate::schema;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{AccountId, Currency};
use engine::{AccountRecord, Command, Reply};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{ControlWrite, NewToken, NewUser, TokenRow, UserRow};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(accounts, open_account))
        .routes(routes!(users, add_user))
        .routes(routes!(revoke_user))
        .routes(routes!(tokens, add_token))
        .routes(routes!(revoke_token))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Profit is shown in it; default: the first account's.
    #[schema(value_type = Option<String>, max_length = 15, example = "ZAR")]
    #[serde(default)]
    reporting_currency: Option<Currency>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MakeUser {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    #[schema(min_length = 10, max_length = 256)]
    password: String,
    #[schema(value_type = schema::Role)]
    role: Role,
    /// Default: the admin's own.
    #[serde(default)]
    account_id: Option<u32>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MakeToken {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    #[schema(value_type = schema::Role)]
    role: Role,
    /// Default: the admin's own.
    #[serde(default)]
    account_id: Option<u32>,
}

/// The accounts that one may see: all for admins, else one's own.
#[utoipa::path(get, path = "/api/accounts", tag = "people",
    responses((status = 200, body = Vec<schema::Account>)))]
async fn accounts(
    State(state): State<AppState>,
    who: Principal,
) -> Result<Json<Vec<AccountRecord>>, Problem> {
    let mut accounts = state.core.query(|engine| engine.accounts()).await?;
    accounts.retain(|account| who.role == Role::Admin || account.id == who.account_id);
    Ok(Json(accounts))
}

/// Opens an account.
#[utoipa::path(post, path = "/api/accounts", tag = "people", request_body = NewAccount,
    responses((status = 201, body = schema::Account)))]
async fn open_account(
    State(state): State<AppState>,
    who: Principal,
    Body(body): Body<NewAccount>,
) -> Result<(StatusCode, Json<AccountRecord>), Problem> {
    who.require_admin()?;
    check_name(&body.name)?;
    let reporting_currency = body.reporting_currency.unwrap_or(state.config.reporting_currency);
    let command = Command::CreateAccount { name: body.name, reporting_currency };
    let id = match state.core.command(None, who.actor(), command).await? {
        Reply::Account(id) => id,
        other => return Err(Problem::internal(&format!("account creation answered {other:?}"))),
    };
    let record = state.core.query(move |engine| engine.account(id)).await?;
    let record = record.ok_or_else(|| Problem::internal(&"the new account is not there"))?;
    Ok((StatusCode::CREATED, Json(record)))
}

/// Everyone with a password.
#[utoipa::path(get, path = "/api/users", tag = "people",
    responses((status = 200, body = Vec<schema::User>)))]
async fn users(
    State(state): State<AppState>,
    who: Principal,
) -> Result<Json<Vec<UserRow>>, Problem> {
    who.require_admin()?;
    Ok(Json(state.read(|reader| reader.users(None)).await?))
}

/// Adds a user.
#[utoipa::path(post, path = "/api/users", tag = "people", request_body = MakeUser,
    responses((status = 201, body = schema::User)))]
async fn add_user(
    State(state): State<AppState>,
    who: Principal,
    confirmed: Confirmed,
    Body(body): Body<MakeUser>,
) -> Result<(StatusCode, Json<UserRow>), Problem> {
    who.require_admin()?;
    check_name(&body.name)?;
    crate::auth::check_password(&body.password)?;
    let account = account_of(&state, &who, body.account_id).await?;
    confirmed.check(&state).await?;
    let password_hash = state.passwords.hash(body.password).await?;
    let (name, role) = (body.name, body.role);
    let user =
        NewUser { name: name.clone(), account_id: account, role, password_hash, created_at: now() };
    state.add_user(user).await?;
    let user = state.read(move |reader| reader.user_by_name(&name)).await?;
    let user = user.ok_or_else(|| Problem::internal(&"the new user is not there"))?;
    Ok((StatusCode::CREATED, Json(user)))
}

/// Ends a user's access; sessions end with it.
#[utoipa::path(delete, path = "/api/users/{id}", tag = "people", params(("id" = u32, Path)),
    responses((status = 204, description = "revoked")))]
async fn revoke_user(
    State(state): State<AppState>,
    who: Principal,
    Path(id): Path<u32>,
) -> Result<StatusCode, Problem> {
    who.require_admin()?;
    let id = i64::from(id);
    let users = state.read(|reader| reader.users(None)).await?;
    let user = users.into_iter().find(|user| user.id == id);
    let user = user.ok_or_else(|| Problem::not_found("user"))?;
    // Whoever locks the last door from outside cannot come back in.
    if user.name == who.name {
        let detail = "another admin has to end your access";
        return Err(Problem::new(StatusCode::CONFLICT, "OWN_ACCESS", detail));
    }
    state.control(ControlWrite::RevokeUser { user: id, at: now() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Programs' tokens, without the tokens.
#[utoipa::path(get, path = "/api/tokens", tag = "people",
    responses((status = 200, body = Vec<schema::Token>)))]
async fn tokens(
    State(state): State<AppState>,
    who: Principal,
) -> Result<Json<Vec<TokenRow>>, Problem> {
    who.require_admin()?;
    Ok(Json(state.read(|reader| reader.tokens(None)).await?))
}

/// Makes a token; the answer shows it, once.
#[utoipa::path(post, path = "/api/tokens", tag = "people", request_body = MakeToken,
    responses((status = 201, body = schema::NewToken)))]
async fn add_token(
    State(state): State<AppState>,
    who: Principal,
    confirmed: Confirmed,
    Body(body): Body<MakeToken>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    who.require_admin()?;
    check_name(&body.name)?;
    let account = account_of(&state, &who, body.account_id).await?;
    confirmed.check(&state).await?;
    let text = secret::token();
    let token = NewToken {
        name: body.name.clone(),
        account_id: Some(account),
        role: body.role,
        hash: secret::digest(&text),
        created_at: now(),
    };
    let id = state.add_token(token).await?;
    let answer = json!({
        "id": id,
        "name": body.name,
        "role": body.role,
        "account_id": account,
        "token": text,
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Ends a token.
#[utoipa::path(delete, path = "/api/tokens/{id}", tag = "people", params(("id" = u32, Path)),
    responses((status = 204, description = "revoked")))]
async fn revoke_token(
    State(state): State<AppState>,
    who: Principal,
    Path(id): Path<u32>,
) -> Result<StatusCode, Problem> {
    who.require_admin()?;
    let write = ControlWrite::RevokeToken { token: i64::from(id), at: now() };
    state.control(write).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The named account, if there is one; else the admin's own.
async fn account_of(
    state: &AppState,
    who: &Principal,
    id: Option<u32>,
) -> Result<AccountId, Problem> {
    let Some(id) = id.map(AccountId).filter(|id| *id != who.account_id) else {
        return Ok(who.account_id);
    };
    let account = state.core.query(move |engine| engine.account(id)).await?;
    account.map(|account| account.id).ok_or_else(|| Problem::not_found("account"))
}
