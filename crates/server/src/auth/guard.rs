//! The door: one middleware in front of every route.

use super::{Credential, Principal, Role, secret};
use crate::listener::Peer;
use crate::problem::Problem;
use crate::state::{AppState, ServerConfig};
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::AccountId;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr};

/// The dashboard's cookie.
pub(crate) const COOKIE: &str = "amarktai_session";

/// Under `/api` and open to everyone. Everything else there needs a principal, so a new route is
/// closed until somebody opens it here.
const OPEN: [&str; 7] = [
    "/api/health",
    "/api/health/live",
    "/api/health/ready",
    "/api/auth/login",
    "/api/auth/setup",
    "/api/openapi.json",
    "/api/docs",
];

/// The client's address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client(pub(crate) IpAddr);

/// Is the client on this machine, and not a web page of somebody else in a browser on it?
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local(pub(crate) bool);

/// Who is signed in, on routes that are open.
#[derive(Clone, Debug)]
pub(crate) struct MaybePrincipal(pub(crate) Option<Principal>);

/// Checks who is asking and whether it may ask at all.
pub(crate) async fn guard(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|c| c.0.0.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let client = client_address(peer, request.headers(), &state.config.trusted_proxies);
    let local = Local(is_local(peer, request.headers()));
    let who = match principal(&state, request.headers()).await {
        Ok(who) => who,
        Err(problem) => return problem.into_response(),
    };
    if let Err(problem) = admit(&state.config, &request, who.as_ref()) {
        return problem.into_response();
    }
    let extensions = request.extensions_mut();
    extensions.insert(Client(client));
    extensions.insert(local);
    if let Some(who) = who {
        extensions.insert(who);
    }
    next.run(request).await
}

/// The rule of the door.
fn admit(config: &ServerConfig, request: &Request, who: Option<&Principal>) -> Result<(), Problem> {
    let path = request.uri().path();
    let is_open = !path.starts_with("/api/") || is_open(path);
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let Some(who) = who else {
        return if is_open { Ok(()) } else { Err(unauthenticated()) };
    };
    // A socket is opened by GET and then speaks for ever.
    if is_safe && path != "/api/realtime/ws" {
        return Ok(());
    }
    if matches!(who.credential, Credential::Session(_)) {
        require_same_origin(config, request.headers())?;
    }
    if who.role == Role::Viewer && !is_safe && !is_open && path != "/api/auth/logout" {
        return Err(Problem::forbidden("VIEWER_READS_ONLY", "a viewer may look, not order"));
    }
    Ok(())
}

/// May strangers ask this under `/api`?
pub(crate) fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || path.starts_with("/api/docs/")
}

/// 401, the same for no, an unknown and a revoked token.
pub(crate) fn unauthenticated() -> Problem {
    let detail = "sign in, or send Authorization: Bearer TOKEN";
    Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", detail)
}

/// A cookie rides along with any request a browser is tricked into; so its page's origin must be
/// ours. `SameSite=Strict` alone would trust every port and subdomain of the host.
fn require_same_origin(config: &ServerConfig, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let refuse = || Err(Problem::forbidden("FOREIGN_ORIGIN", "this page may not order here"));
    let Some(origin) = text(header::ORIGIN) else {
        return if text(header::HeaderName::from_static("sec-fetch-site")) == Some("same-origin") {
            Ok(())
        } else {
            refuse()
        };
    };
    let host = text(header::HOST).unwrap_or("");
    let is_ours = match config.public_url.as_deref().map(|url| url.trim_end_matches('/')) {
        Some(url) if origin == url => true,
        _ => !host.is_empty() && origin == format!("http://{host}"),
    };
    if is_ours { Ok(()) } else { refuse() }
}

/// The token wins over the cookie: a request that carries both was made by a program.
async fn principal(state: &AppState, headers: &HeaderMap) -> Result<Option<Principal>, Problem> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let text = value.to_str().unwrap_or("");
        let token = text.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        return match token {
            Some((_, token)) => {
                state.principal(Credential::Token(secret::digest(token.trim()))).await
            }
            None => Ok(None),
        };
    }
    match session_of(headers) {
        Some(session) => state.principal(Credential::Session(secret::digest(session))).await,
        None => Ok(None),
    }
}

fn session_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs =
        cookies.flat_map(|line| line.split(';')).filter_map(|p| p.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// Behind a trusted proxy the last address that is not a trusted proxy's; else the peer.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.contains(&peer) {
        return peer;
    }
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok());
    let hops: Vec<IpAddr> = lines
        .flat_map(|line| line.split(','))
        .filter_map(|hop| hop.trim().parse().ok())
        .map(|hop: IpAddr| hop.to_canonical())
        .collect();
    hops.into_iter().rev().find(|hop| !trusted.contains(hop)).unwrap_or(peer)
}

/// A loopback peer that forwards for nobody and names us by a loopback name: a rebound foreign name
/// in a local browser does not pass.
fn is_local(peer: IpAddr, headers: &HeaderMap) -> bool {
    let is_forwarding = ["x-forwarded-for", "forwarded", "x-real-ip"]
        .iter()
        .any(|name| headers.contains_key(*name));
    let host = headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or("");
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    let is_loopback_name =
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    peer.to_canonical().is_loopback() && !is_forwarding && is_loopback_name
}

macro_rules! from_extension {
    ($type:ty, $missing:expr) => {
        impl<S: Sync> FromRequestParts<S> for $type {
            type Rejection = Problem;
            async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
                parts.extensions.get::<$type>().cloned().ok_or_else($missing)
            }
        }
    };
}
from_extension!(Principal, unauthenticated);
from_extension!(Client, unauthenticated);
from_extension!(Local, unauthenticated);

impl<S: Sync> FromRequestParts<S> for MaybePrincipal {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self(parts.extensions.get().cloned()))
    }
}

/// The account that a request is about: the principal's, or the one an admin names.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Who asks.
    pub(crate) who: Principal,
    /// About this account.
    pub(crate) account: AccountId,
}

/// Which account; only admins may name another than their own.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ScopeQuery {
    /// Another account, for admins.
    pub(crate) account_id: Option<u32>,
}

impl FromRequestParts<AppState> for Scope {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let who = Principal::from_request_parts(parts, state).await?;
        let crate::extract::Query(query) =
            crate::extract::Query::<ScopeQuery>::from_request_parts(parts, state).await?;
        let account = match query.account_id.map(AccountId) {
            None => who.account_id,
            Some(id) if id == who.account_id => id,
            Some(id) if who.role == Role::Admin => known(state, id).await?,
            // Not 403: whether another account exists is nobody's business.
            Some(_) => return Err(Problem::not_found("account")),
        };
        Ok(Self { who, account })
    }
}

async fn known(state: &AppState, id: AccountId) -> Result<AccountId, Problem> {
    let found = state.core.query(move |engine| engine.account(id)).await?;
    found.map(|account| account.id).ok_or_else(|| Problem::not_found("account"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| (header::HeaderName::from_static(k), v.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_a_loopback_peer_that_calls_us_by_a_loopback_name_is_local() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        for host in ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "localhost"] {
            assert!(is_local(loopback, &headers(&[("host", host)])), "{host}");
        }
        for host in ["evil.example", "", "10.0.0.1:8000", "localhost.evil.example"] {
            assert!(!is_local(loopback, &headers(&[("host", host)])), "{host}");
        }
        let forwarded = headers(&[("host", "localhost"), ("x-forwarded-for", "127.0.0.1")]);
        assert!(!is_local(loopback, &forwarded));
        assert!(!is_local(IpAddr::from([10, 0, 0, 1]), &headers(&[("host", "localhost")])));
    }

    #[test]
    fn forwarded_addresses_are_believed_of_trusted_proxies_alone() {
        let proxy = IpAddr::from([10, 0, 0, 1]);
        let (forged, real) = ("6.6.6.6", IpAddr::from([9, 9, 9, 9]));
        let chain = headers(&[("x-forwarded-for", &format!("{forged}, 9.9.9.9, 10.0.0.1"))]);
        assert_eq!(client_address(proxy, &chain, &[proxy]), real);
        assert_eq!(client_address(proxy, &chain, &[]), proxy);
        assert_eq!(client_address(proxy, &headers(&[]), &[proxy]), proxy);
    }
}
