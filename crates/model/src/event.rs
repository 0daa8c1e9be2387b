//! What happened: the ledger's content, and what everything else is built from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Actor, Address, AgentId, AgentStatus, CallRecorded, ChannelId, Climbed, Contact, ContactId,
    ConversationId, Cursor, HostId, Input, Kept, LegHeard, Message, MessageId, NoteId, OfferClosed,
    OfferMade, ParkedId, Party, Pause, PolicyId, QueueId, Reason, ReceiptStatus, RuleTrace,
    SendResult, Settings, StatusId, Target, TargetKind, Timestamp,
};

/// One thing that happened. Its position in the ledger is counted, not written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Event {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    #[serde(flatten)]
    pub body: EventBody,
}

impl Event {
    pub fn on(conversation: ConversationId, body: EventBody) -> Self {
        Self { conversation: Some(conversation), body }
    }

    pub fn global(body: EventBody) -> Self {
        Self { conversation: None, body }
    }
}

/// Each variant says everything that a fold needs, so that no fold has to ask for more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type")]
pub enum EventBody {
    #[serde(rename = "config.installed")]
    ConfigInstalled { settings: Box<Settings> },

    #[serde(rename = "contact.created")]
    ContactCreated { contact: Contact },
    #[serde(rename = "contact.updated")]
    ContactUpdated {
        contact: ContactId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        addresses: Vec<Address>,
    },
    /// The contact turned out to be the same person as `into`, which has its addresses from now on.
    #[serde(rename = "contact.merged")]
    ContactMerged {
        contact: ContactId,
        into: ContactId,
        /// The name of `contact`, if `into` had none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        addresses: Vec<Address>,
        /// Who had `contact` last, if nobody had `into`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_agent: Option<AgentId>,
        /// Conversations that were opened with `contact`.
        #[serde(default, skip_serializing_if = "is_zero")]
        conversations: u64,
        by: Actor,
    },
    /// A conversation of the contact was resolved while the agent had it.
    #[serde(rename = "contact.served")]
    ContactServed { contact: ContactId, agent: AgentId },

    /// Mail to the address came back because nobody is there; no more is sent to it.
    #[serde(rename = "contact.address_died")]
    AddressDied {
        contact: ContactId,
        address: Address,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
    /// Somebody wrote from it after all.
    #[serde(rename = "contact.address_revived")]
    AddressRevived { contact: ContactId, address: Address },

    #[serde(rename = "conversation.opened")]
    ConversationOpened(Box<Opened>),
    /// A conversation that was done or set aside is open again. Says what [`Opened`] says, since the
    /// fold has forgotten conversations that are done.
    #[serde(rename = "conversation.reopened")]
    ConversationReopened { opened: Box<Opened>, reason: Reason },
    /// A snooze is over: the time came, the customer wrote, or somebody asked or answered. It is open
    /// again, waits from now on and has no owner.
    #[serde(rename = "conversation.woken")]
    ConversationWoken { reason: Reason },
    #[serde(rename = "conversation.assigned")]
    ConversationAssigned { agent: AgentId, cost: u16, reason: Reason },
    #[serde(rename = "conversation.released")]
    ConversationReleased { agent: AgentId, cost: u16, reason: Reason },
    #[serde(rename = "conversation.transferred")]
    ConversationTransferred {
        queue: QueueId,
        /// Further queues whose agents get it still, as a ladder had said before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reached: Vec<QueueId>,
        reason: Reason,
    },
    #[serde(rename = "conversation.snoozed")]
    ConversationSnoozed {
        until: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        freed: Option<Freed>,
        reason: Reason,
    },
    #[serde(rename = "conversation.resolved")]
    ConversationResolved {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        freed: Option<Freed>,
        reason: Reason,
    },
    #[serde(rename = "conversation.tagged")]
    ConversationTagged {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        added: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        removed: Vec<String>,
        by: Actor,
    },
    #[serde(rename = "conversation.prioritised")]
    ConversationPrioritised { priority: u8, by: Actor },
    /// The conversation ended in another one, to which its thread now leads.
    #[serde(rename = "conversation.merged")]
    ConversationMerged {
        into: ConversationId,
        channel: ChannelId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        freed: Option<Freed>,
        by: Actor,
    },
    /// The other side of the merge, on the conversation that goes on.
    #[serde(rename = "conversation.absorbed")]
    ConversationAbsorbed {
        from: ConversationId,
        /// What had been merged into `from` before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        further: Vec<ConversationId>,
        /// It was about a call, and is about what it absorbed from now on.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        renamed: bool,
        /// What that was about, if it is renamed and there is a subject.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        by: Actor,
    },

    /// A message of its contact, which would have opened another conversation, goes on here; so does
    /// whatever comes on its thread later.
    #[serde(rename = "conversation.joined")]
    ConversationJoined {
        channel: ChannelId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<String>,
    },
    /// Its customer came back: it waits for whoever had them last, and for nobody else for a while.
    #[serde(rename = "conversation.kept")]
    ConversationKept(Kept),
    /// That time is over.
    #[serde(rename = "conversation.unkept")]
    ConversationUnkept,
    /// It waited for long, and a step of its queue's ladder was taken. Says all that holds now.
    #[serde(rename = "ladder.climbed")]
    LadderClimbed(Box<Climbed>),
    #[serde(rename = "offer.made")]
    OfferMade(Box<OfferMade>),
    /// One of those who were asked declined or went away, and others are asked in their place. Names all
    /// who are asked now, with the time that all of them have.
    #[serde(rename = "offer.extended")]
    OfferExtended(Box<OfferMade>),
    #[serde(rename = "offer.closed")]
    OfferClosed(Box<OfferClosed>),
    /// Enough time has passed since the agent declined it; it may be offered to them again.
    #[serde(rename = "offer.forgotten")]
    OfferForgotten { agent: AgentId },
    /// The customer has been silent for long, and the owner has a share of the cost back.
    #[serde(rename = "conversation.idled")]
    ConversationIdled { agent: AgentId, cost: u16 },
    /// It goes on, and takes that share again.
    #[serde(rename = "conversation.roused")]
    ConversationRoused { agent: AgentId, cost: u16 },
    /// What is promised from now on, all of it, and how far it is.
    #[serde(rename = "targets.changed")]
    TargetsChanged { targets: Vec<Target> },
    /// A target will be due soon.
    #[serde(rename = "target.warned")]
    TargetWarned { kind: TargetKind, due_at: Timestamp },
    /// A target was not kept.
    #[serde(rename = "target.breached")]
    TargetBreached { kind: TargetKind, due_at: Timestamp },

    #[serde(rename = "message.received")]
    MessageReceived {
        id: MessageId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<ContactId>,
        message: Box<Message>,
        /// What is known of it if it is a mail.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mail: Option<ReceivedMail>,
    },
    #[serde(rename = "call.recorded")]
    CallRecorded(Box<CallRecorded>),
    /// Something happened to a leg of a call, and the call is what it was.
    #[serde(rename = "call.leg")]
    CallLeg(Box<LegHeard>),
    #[serde(rename = "note.added")]
    NoteAdded { id: NoteId, by: Actor },
    #[serde(rename = "reply.queued")]
    ReplyQueued { id: MessageId, channel: ChannelId, by: Actor, message: Box<Message> },

    /// A host may send for a channel, until another one may.
    #[serde(rename = "delivery.owned")]
    DeliveryOwned { channel: ChannelId, host: HostId, epoch: u64 },
    /// A host is there; if it asks, those that own channels are to say the same.
    #[serde(rename = "delivery.present")]
    DeliveryPresent { host: HostId, asks: bool },
    #[serde(rename = "delivery.attempted")]
    DeliveryAttempted { message: MessageId, epoch: u64, attempt: u32 },
    #[serde(rename = "delivery.settled")]
    DeliverySettled { message: MessageId, result: SendResult },
    /// Somebody asked to send again what had failed or was uncertain.
    #[serde(rename = "delivery.requeued")]
    DeliveryRequeued { message: MessageId, channel: ChannelId, attempts: u32, by: Actor },
    #[serde(rename = "receipt.recorded")]
    ReceiptRecorded {
        message: MessageId,
        status: ReceiptStatus,
        at: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },

    #[serde(rename = "agent.status_changed")]
    AgentStatusChanged {
        agent: AgentId,
        status: AgentStatus,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<StatusId>,
        by: Actor,
    },
    /// They are online and get nothing new for a while.
    #[serde(rename = "agent.paused")]
    AgentPaused { agent: AgentId, pause: Pause },
    /// The pause is over.
    #[serde(rename = "agent.ready")]
    AgentReady { agent: AgentId },
    /// They had an inbox open.
    #[serde(rename = "agents.seen")]
    AgentsSeen { agents: Vec<AgentId> },

    #[serde(rename = "cursor.moved")]
    CursorMoved(Cursor),

    #[serde(rename = "input.parked")]
    InputParked { id: ParkedId, code: String, detail: String, input: Box<Input> },
    /// An input that was set aside was decided after all, or given up.
    #[serde(rename = "input.unparked")]
    InputUnparked { id: ParkedId, dropped: bool, by: Actor },
}

/// Capacity that an owner has back. The owner stays named on the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Freed {
    pub agent: AgentId,
    pub cost: u16,
}

/// How a mail stands in its conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReceivedMail {
    pub channel: ChannelId,
    /// The key under which what answers it finds the conversation.
    pub key: String,
    /// A program wrote it, and nobody waits for an answer: nothing is opened again for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quiet: bool,
    /// Keys of mails that it answers and that have not come: if they do, they belong here, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaits: Vec<String>,
}

/// All that the fold needs to hold an open conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Opened {
    pub channel: ChannelId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// The customer as the first message named them; replies go there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<Party>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The conversation that its first message claimed to belong to, without being let in, or on which
    /// it came after that was done for too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked: Option<ConversationId>,
    pub queue: QueueId,
    #[serde(default)]
    pub priority: u8,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<String, u8>,
    /// Skills that would be better still.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub preferred: BTreeMap<String, u8>,
    pub cost: u16,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    pub route: RuleTrace,
    /// Since when its customer waits, where that was before it was opened: they called, and that was
    /// heard of late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// Until when what it is about was settled before, if it ever was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
    /// The version and message version that it had before; 0 for a new one.
    #[serde(default)]
    pub version: u64,
    #[serde(default)]
    pub message_version: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
