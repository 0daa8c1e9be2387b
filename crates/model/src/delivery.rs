//! A reply on its way out: who may send it, each attempt, and what became of it.

use serde::{Deserialize, Serialize};

use crate::{
    ChannelId, ConversationId, HostId, Message, MessageId, Party, ReceiptStatus, Timestamp,
};

/// Where a reply stands. Only `queued` and `waiting` may be sent; nothing else is ever sent again
/// unless somebody asks for it (P7).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Decided, not yet tried.
    Queued,
    /// An attempt is granted and has not reported.
    Sending,
    /// An attempt failed in a way that a later one may not.
    Waiting,
    /// The channel took it.
    Sent,
    /// A receipt says that it arrived.
    Delivered,
    /// A receipt says that it was read.
    Read,
    /// It will not arrive.
    Failed,
    /// It may or may not have left.
    Uncertain,
}

impl DeliveryState {
    /// What a receipt makes of a reply that stands so; none if it tells nothing new.
    ///
    /// Where a reply ends does not depend on the order in which receipts come: what has arrived has
    /// arrived, whatever else is said of it, and what failed has not merely left.
    pub fn told(self, status: ReceiptStatus) -> Option<Self> {
        let next = match status {
            ReceiptStatus::Sent => Self::Sent,
            ReceiptStatus::Delivered => Self::Delivered,
            ReceiptStatus::Read => Self::Read,
            ReceiptStatus::Failed => Self::Failed,
        };
        // While it waits to be sent (again), a failure is that of an attempt which is over already.
        let of_before = matches!(self, Self::Queued | Self::Waiting) && next == Self::Failed;
        (!of_before && next.known() > self.known()).then_some(next)
    }

    /// Whether the outside has said, or the host reported, what became of it.
    pub fn is_known(self) -> bool {
        self.known() > 0
    }

    /// How much is known of what became of it; a receipt only ever tells more. 0 while it is ours.
    fn known(self) -> u8 {
        match self {
            Self::Queued | Self::Sending | Self::Waiting | Self::Uncertain => 0,
            Self::Sent => 1,
            Self::Failed => 2,
            Self::Delivered => 3,
            Self::Read => 4,
        }
    }
}

/// What the sending host reports. It travels through the inlet like everything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum DeliveryInput {
    /// The host asks to own the channel's way out. Attempts of the owner before become uncertain.
    Own { channel: ChannelId, host: HostId },
    /// The host is there. `asks`: it lost channels to others, which are to say the same.
    Present { host: HostId, asks: bool },
    /// The host asks to make an attempt.
    Attempt { message: MessageId, epoch: u64 },
    /// What became of a granted attempt.
    Settle { message: MessageId, epoch: u64, attempt: u32, result: SendResult },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum SendResult {
    Sent {
        /// The provider's id, where it gives one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_id: Option<String>,
    },
    /// Not taken; to be tried again at `retry_at`.
    Retry { retry_at: Timestamp, code: String, detail: String },
    /// Not taken, and never will be.
    Failed { code: String, detail: String },
    /// Broken off where it may have been taken.
    Uncertain { code: String, detail: String },
}

/// A reply as the records hold it until it has left, and as an adapter gets it to send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Outbound {
    /// The message's id; it is the delivery id that was reserved before the first attempt.
    pub id: MessageId,
    pub channel: ChannelId,
    pub conversation: ConversationId,
    pub thread: Option<String>,
    pub to: Vec<Party>,
    /// With its bodies.
    pub message: Message,
    pub state: DeliveryState,
    /// Attempts granted so far.
    pub attempts: u32,
    /// When the next attempt may be made.
    pub next_at: Timestamp,
    /// Since when it waits to leave.
    pub queued_at: Timestamp,
    /// Epoch of the owner that holds the running attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::DeliveryState as State;
    use crate::ReceiptStatus as Told;

    #[test]
    fn receipts_in_any_order_end_alike() {
        let all = [Told::Sent, Told::Delivered, Told::Read, Told::Failed];
        for begin in [State::Sending, State::Uncertain, State::Sent, State::Failed] {
            for one in all {
                for other in all {
                    let end = |first: Told, second: Told| {
                        let then = begin.told(first).unwrap_or(begin);
                        then.told(second).unwrap_or(then)
                    };
                    assert_eq!(end(one, other), end(other, one), "{begin:?}: {one:?}, {other:?}");
                    assert_eq!(end(one, one), begin.told(one).unwrap_or(begin));
                }
            }
        }
    }

    #[test]
    fn receipt_tells_only_what_is_not_known_better() {
        for (before, told, after) in [
            (State::Failed, Told::Delivered, Some(State::Delivered)),
            (State::Failed, Told::Sent, None),
            (State::Sent, Told::Failed, Some(State::Failed)),
            (State::Delivered, Told::Failed, None),
            (State::Read, Told::Delivered, None),
            (State::Queued, Told::Delivered, Some(State::Delivered)),
            (State::Waiting, Told::Failed, None),
            (State::Uncertain, Told::Failed, Some(State::Failed)),
        ] {
            assert_eq!(before.told(told), after, "{before:?}, {told:?}");
        }
    }
}
