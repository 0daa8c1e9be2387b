//! Who asks: bearer tokens, and the session of a browser with its guard against forged requests.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use postroom_access::{AccessStore, CredentialKind, Principal, hash_of};
use postroom_model::digest::Digest;
use postroom_model::{AgentId, Clock, Role};

use crate::gateway::App;
use crate::problem::Problem;

pub(crate) const SESSION_COOKIE: &str = "postroom_session";

/// Looks credentials up, each time anew: what was revoked is refused at once, in every process.
#[derive(Debug)]
pub(crate) struct Auth {
    store: Arc<dyn AccessStore>,
    clock: Arc<dyn Clock>,
}

impl Auth {
    pub(crate) fn new(store: Arc<dyn AccessStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// The holder of a secret of this kind, if it is known and not expired.
    pub(crate) async fn holder(
        &self,
        hash: Digest,
        kind: CredentialKind,
    ) -> Result<Option<Principal>, Problem> {
        let found = self.store.get(hash).await?;
        let now = self.clock.now();
        Ok(found
            .filter(|credential| credential.kind == kind && !credential.expired(now))
            .map(|credential| credential.principal))
    }
}

/// Somebody who has shown who they are.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) secret: Digest,
    pub(crate) kind: CredentialKind,
}

impl Caller {
    /// Who an `Idempotency-Key` belongs to.
    pub(crate) fn identity(&self) -> String {
        let principal = &self.principal;
        let name = principal.agent.as_ref().map_or(principal.name.as_str(), AgentId::as_str);
        format!("{:?}/{name}", principal.role)
    }

    /// Those who work in the inbox; integrators do not.
    pub(crate) fn staff(&self) -> Result<(), Problem> {
        match self.principal.role {
            Role::Agent | Role::Supervisor | Role::Admin => Ok(()),
            Role::Integrator => {
                Err(Problem::forbidden("an integrator has its own channels and its feed only"))
            }
        }
    }

    pub(crate) fn admin(&self) -> Result<(), Problem> {
        match self.principal.role {
            Role::Admin => Ok(()),
            Role::Agent | Role::Supervisor | Role::Integrator => {
                Err(Problem::forbidden("only an admin may do this"))
            }
        }
    }

    pub(crate) fn agent(&self) -> Result<AgentId, Problem> {
        self.staff()?;
        self.principal.agent.clone().ok_or_else(Problem::agent_required)
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let (secret, kind) = match bearer(&parts.headers)? {
            Some(token) => (hash_of(token), CredentialKind::Token),
            None => match session_cookie(&parts.headers) {
                Some(secret) => (hash_of(secret), CredentialKind::Session),
                None => return Err(Problem::unauthenticated()),
            },
        };
        let holder = app.auth.holder(secret, kind).await?;
        let principal = holder.ok_or_else(Problem::token_invalid)?;
        if kind == CredentialKind::Session && !parts.method.is_safe() {
            same_origin(&parts.headers, &app.origin)?;
        }
        Ok(Self { principal, secret, kind })
    }
}

/// The token of an `Authorization: Bearer` header; another scheme is a mistake.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or_else(Problem::token_invalid)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(token.trim()))
    } else {
        Err(Problem::token_invalid())
    }
}

pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == SESSION_COOKIE).then_some(value))
}

/// A browser sends the cookie with whatever page asks; only our own may change anything. Browsers
/// say so in `Sec-Fetch-Site`, older ones at least in `Origin`.
fn same_origin(headers: &HeaderMap, origin: &str) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let ours = match text(header::HeaderName::from_static("sec-fetch-site")) {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => text(header::ORIGIN).is_some_and(|from| {
            let host = from.split_once("://").map(|(_, host)| host);
            from == origin || (host.is_some() && host == text(header::HOST))
        }),
    };
    if ours {
        return Ok(());
    }
    let detail = "a signed-in browser may only change things from our own pages";
    Err(Problem::new(StatusCode::FORBIDDEN, "csrf", detail))
}

/// Whether a browser only looks, as prefetchers do.
pub(crate) fn only_looks(method: &Method) -> bool {
    *method == Method::HEAD
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{same_origin, session_cookie};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn session_is_found_among_other_cookies() {
        for (cookie, found) in [
            ("postroom_session=a", Some("a")),
            ("x=1; postroom_session=b;y=2", Some("b")),
            ("xpostroom_session=c", None),
            ("", None),
        ] {
            assert_eq!(session_cookie(&headers(&[("cookie", cookie)])), found, "{cookie}");
        }
    }

    #[test]
    fn only_our_own_pages_may_change_anything() {
        let origin = "https://inbox.example.com";
        for (given, good) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "none")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "cross-site"), ("origin", origin)], false),
            (vec![("origin", origin)], true),
            (vec![("origin", "http://127.0.0.1:80"), ("host", "127.0.0.1:80")], true),
            (vec![("origin", "http://evil.example"), ("host", "127.0.0.1:80")], false),
            (vec![("origin", "null"), ("host", "127.0.0.1:80")], false),
            (vec![], false),
        ] {
            assert_eq!(same_origin(&headers(&given), origin).is_ok(), good, "{given:?}");
        }
    }
}
