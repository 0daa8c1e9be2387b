//! The vocabulary of Postroom: what every other room talks about, and nothing that any of them does.
//!
//! Types here are plain data with a JSON form. That form is the wire form of the inlet, the ledger
//! and the API, so it is pinned by a snapshot (`tests/wire.rs`): whoever changes it sees the change
//! in review. Only `legs` reads something out of them, which adapters and core must read alike. This
//! crate does no I/O, reads no clock by itself and decides nothing.

pub mod agent;
pub mod answer;
pub mod blob;
pub mod calendar;
pub mod call;
pub mod clock;
pub mod command;
pub mod contact;
pub mod conversation;
pub mod delivery;
pub mod desk;
pub mod digest;
pub mod envelope;
pub mod event;
pub mod ids;
pub mod input;
pub mod ladder;
pub mod leg;
pub mod legs;
pub mod limits;
pub mod mail_thread;
pub mod message;
pub mod offer;
pub mod outcome;
pub mod outside;
pub mod random;
pub mod reason;
pub mod settings;
pub mod sticky;
pub mod target;
pub mod time;
pub mod timing;

pub use agent::{AgentStatus, Pause, PauseCause, Presence};
pub use answer::{AnswerOn, AnswerSettings};
pub use blob::BlobRef;
pub use calendar::{CalendarSettings, OpenHours, SpecialDay};
pub use call::{CallRecorded, CallSettings, Cursor, InboundCall};
pub use clock::{Clock, ManualClock, SystemClock};
pub use command::{Action, Actor, Command, ReplyDraft, Role};
pub use contact::{Address, Contact, ContactSettings};
pub use conversation::{Conversation, Status, call_subject};
pub use delivery::{DeliveryInput, DeliveryState, Outbound, SendResult};
pub use desk::{
    AgentChoice, DeskSettings, HandOut, IdleShare, OfflineAction, QueueOrder, QueueWork, RampIn,
    StatusSettings,
};
pub use envelope::{Bodies, Body, Envelope, Position, Transition};
pub use event::{Event, EventBody, Freed, Opened, ReceivedMail};
pub use ids::{
    AgentId, AnswerId, CalendarId, CallId, ChannelId, CommandId, ContactId, ConversationId, HostId,
    IdSource, InputId, MessageId, NoteId, OfferId, ParkedId, PolicyId, QueueId, StatusId,
    WorkspaceId,
};
pub use input::{Inbound, InboundReceipt, Input, InputBody, Unparsed};
pub use ladder::{Climbed, LadderClock, LadderStep, SkippedStep};
pub use leg::{CallLeg, LegHeard, LegNote, LegStep, Side};
pub use legs::Legs;
pub use message::{
    Attachment, Automation, AutomationClass, Bounce, Call, CallState, Direction, Disposition,
    Message, MessageKind, Party, Receipt, ReceiptStatus,
};
pub use offer::{Declined, Offer, OfferClosed, OfferEnd, OfferMade, OfferOver, Offered};
pub use outcome::{Outcome, OutcomeKind};
pub use outside::{OutsideFile, OutsideReply};
pub use random::{Random, SeededRandom, SystemRandom};
pub use reason::{PassedOver, PassedOverCause, Reason, RuleTrace};
pub use settings::{AgentSettings, ChannelKind, ChannelSettings, QueueSettings, Rule, Settings};
pub use sticky::{Kept, ReopenRule};
pub use target::{Target, TargetKind, TargetPolicy, TargetState, note_target};
pub use time::Timestamp;
pub use timing::{QueueTiming, Timing};
