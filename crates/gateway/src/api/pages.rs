//! The web inbox: one page, one script, one style sheet, all of our own. The policy lets nothing else
//! run and nothing be framed.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

const INDEX: &str = include_str!("../web/index.html");
const SCRIPT: &str = include_str!("../web/app.js");
const STYLE: &str = include_str!("../web/app.css");
const ICON: &str = include_str!("../web/icon.svg");
const LINK_IS_OVER: &str = include_str!("../web/link.html");

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

fn text(media_type: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, content).into_response()
}

pub(crate) async fn index() -> Response {
    text("text/html; charset=utf-8", INDEX)
}

pub(crate) async fn script() -> Response {
    text("text/javascript; charset=utf-8", SCRIPT)
}

pub(crate) async fn style() -> Response {
    text("text/css; charset=utf-8", STYLE)
}

/// Browsers ask for `/favicon.ico` unasked, and take what it is said to be.
pub(crate) async fn icon() -> Response {
    text("image/svg+xml", ICON)
}

/// For a link that was used or has expired, or never was one.
pub(crate) fn link_is_over() -> Response {
    (StatusCode::GONE, text("text/html; charset=utf-8", LINK_IS_OVER)).into_response()
}
