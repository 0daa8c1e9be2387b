//! What the tests share.

use postroom_channel::Arrival;
use postroom_model::{AutomationClass, Message};

/// Reads a mail that is written with `\n` ends, as it would come, with `\r\n`.
pub(crate) fn arrival(mail: &str) -> Arrival {
    bytes(mail.replace('\n', "\r\n").as_bytes())
}

pub(crate) fn bytes(mail: &[u8]) -> Arrival {
    let mut received = postroom_channel_email::parse(mail).unwrap();
    assert_eq!(received.arrivals.len(), 1);
    received.arrivals.remove(0)
}

pub(crate) fn message(mail: &str) -> Message {
    arrival(mail).message
}

pub(crate) fn class(message: &Message) -> (AutomationClass, bool) {
    let automation = message.automation.unwrap();
    (automation.class, automation.may_answer)
}
