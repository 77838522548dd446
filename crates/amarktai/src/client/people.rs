//! Users and tokens: made, listed, revoked.

use super::answer::{Answer, items};
use super::api::Api;
use super::failure::Failure;
use super::table::Column;
use crate::cli::{Role, TokensVerb, UsersVerb};
use serde_json::{Value, json};

const USERS: &[Column] = &[
    ("ID", "id"),
    ("NAME", "name"),
    ("ROLE", "role"),
    ("ACCOUNT", "account_id"),
    ("CREATED", "created_at"),
    ("LAST USED", "last_used_at"),
    ("REVOKED", "revoked_at"),
];

const fn word(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Trader => "trader",
        Role::Viewer => "viewer",
    }
}

/// `users …`
pub(crate) async fn users(
    api: &Api,
    verb: Option<&UsersVerb>,
    password: Option<String>,
) -> Result<Answer, Failure> {
    let (name, role, account) = match verb {
        None | Some(UsersVerb::List) => {
            return Ok(Answer::list(api.get("/api/users").await?, USERS));
        }
        Some(UsersVerb::ResetSecondFactor { name }) => return reset(api, name).await,
        Some(UsersVerb::Create { name, role, account }) => (name, role, account),
    };
    let account = account_id(api, account.as_deref()).await?;
    let body = json!({
        "name": name, "role": word(*role), "account_id": account, "password": password,
    });
    let user = api.post("/api/users", Some(&body)).await?;
    let text = format!("{name} may sign in as {}\n", word(*role));
    Ok(Answer::new(user, text))
}

async fn reset(api: &Api, name: &str) -> Result<Answer, Failure> {
    let users = items(api.get("/api/users").await?);
    let found = users.into_iter().find(|user| user["name"] == name && user["revoked_at"].is_null());
    let missing = || format!("there is no user {name:?}; `amarktai users` lists them");
    let found = found.ok_or_else(|| Failure::could_not(missing()))?;
    api.delete(&format!("/api/users/{}/second-factor", found["id"])).await?;
    Ok(Answer::new(found, format!("{name} acts without a second factor now\n")))
}

/// `tokens …`
pub(crate) async fn tokens(api: &Api, verb: Option<&TokensVerb>) -> Result<Answer, Failure> {
    match verb {
        None | Some(TokensVerb::List) => Ok(Answer::list(api.get("/api/tokens").await?, USERS)),
        Some(TokensVerb::Create { name, role, account }) => {
            let account = account_id(api, account.as_deref()).await?;
            let body = json!({ "name": name, "role": word(*role), "account_id": account });
            let token = api.post("/api/tokens", Some(&body)).await?;
            let secret = token["token"].as_str().unwrap_or_default();
            let role = word(*role);
            let text = format!("token {name:?} ({role}), shown only now: {secret}\n");
            Ok(Answer::new(token, text))
        }
        Some(TokensVerb::Revoke { token }) => revoke(api, token).await,
    }
}

/// By id, or by the name of one that is not revoked.
async fn revoke(api: &Api, token: &str) -> Result<Answer, Failure> {
    let tokens = items(api.get("/api/tokens").await?);
    let mut alive = tokens.into_iter().filter(|one| one["revoked_at"].is_null());
    let id = token.parse::<u64>().ok();
    let is_meant = |one: &Value| one["name"] == token || (id.is_some() && one["id"].as_u64() == id);
    let missing = || format!("there is no token {token:?}; `amarktai tokens` lists them");
    let found = alive.find(is_meant).ok_or_else(|| Failure::could_not(missing()))?;
    api.delete(&format!("/api/tokens/{}", found["id"])).await?;
    let text = format!("token {} ({}) is revoked\n", found["name"], found["id"]);
    Ok(Answer::new(found, text))
}

/// An account by name or id; `null` lets the server take one's own.
async fn account_id(api: &Api, account: Option<&str>) -> Result<Value, Failure> {
    let Some(account) = account else { return Ok(Value::Null) };
    let accounts = items(api.get("/api/accounts").await?);
    let by_name = accounts.iter().find(|one| one["name"] == account);
    let id = account.parse::<u64>().ok().map(|id| json!(id));
    let by_id = || accounts.iter().find(|one| Some(&one["id"]) == id.as_ref());
    let found = by_name.or_else(by_id).map(|one| one["id"].clone());
    found.ok_or_else(|| {
        let names = accounts.iter().filter_map(|one| one["name"].as_str()).collect::<Vec<_>>();
        Failure::could_not(format!(
            "there is no account {account:?}; there are {}",
            names.join(", ")
        ))
    })
}
