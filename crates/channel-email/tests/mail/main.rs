//! Whole mails, from bytes to the message.

mod automation;
mod report;
mod support;
mod whole;
