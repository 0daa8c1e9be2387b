//! The gateway: HTTP API, event stream, web inbox and sign-in.
//!
//! It takes what is posted to channels and what agents ask for, gives both to the inlet, and reads
//! answers from the ledger's tail and the records. It decides nothing: what a command may do in the
//! state of things is the core's affair; here only who may ask is checked.

mod accounts;
mod api;
mod asyncapi;
mod auth;
mod body;
mod feed;
mod frame;
mod gateway;
mod inboxes;
mod lookup;
mod metrics;
mod openapi;
mod problem;
mod reach;
mod search;
mod serve;
mod stream;
mod submit;

pub use api::meta::what_to_do;
pub use asyncapi::asyncapi;
pub use gateway::{Adapters, ExplainFn, ExplainInput, Gateway, GatewayLimits, GatewayParts};
pub use metrics::GatewayMetrics;
pub use openapi::openapi;
pub use problem::{FieldError, ProblemDocument};
