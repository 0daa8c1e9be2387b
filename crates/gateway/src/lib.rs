//! HTTP API, event stream, web inbox, sign-in.
