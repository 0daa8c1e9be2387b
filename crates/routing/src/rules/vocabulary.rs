//! What an expression can name: the fields of what it sees, and the functions that it may call.
//! Only names and shapes; what they give at run time is said by the facts and by the CEL library,
//! and tests hold both against these lists.

/// What a value is, as far as it can be known before there is a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) base: Base,
    /// How many lists stand around it.
    pub(super) lists: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// Of what is in an empty list.
    Nothing,
    /// It depends on the message.
    Free,
    Text,
    /// A text that is one of a closed set of words.
    Word(Words),
    Number,
    Truth,
    /// What `timestamp` gives, and `now`.
    Time,
    /// What `duration` gives.
    Span,
    Record(Record),
}

/// A closed set of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    MessageKinds,
    AutomationClasses,
    ChannelKinds,
    Statuses,
    /// The ids of the channels in the configuration.
    Channels,
    /// Those of the queues.
    Queues,
}

/// What has fields of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    Message,
    Channel,
    Contact,
    Conversation,
    Party,
    Attachment,
    Automation,
}

impl Shape {
    pub(super) const FREE: Self = Self::one(Base::Free);
    pub(super) const TEXT: Self = Self::one(Base::Text);
    pub(super) const NUMBER: Self = Self::one(Base::Number);
    pub(super) const TRUTH: Self = Self::one(Base::Truth);
    pub(super) const TIME: Self = Self::one(Base::Time);
    pub(super) const SPAN: Self = Self::one(Base::Span);

    const fn word(words: Words) -> Self {
        Self::one(Base::Word(words))
    }

    pub(super) const fn one(base: Base) -> Self {
        Self { base, lists: 0 }
    }

    const fn many(base: Base) -> Self {
        Self { base, lists: 1 }
    }

    pub(super) const fn list(self) -> Self {
        Self { base: self.base, lists: self.lists.saturating_add(1) }
    }

    pub(super) const fn is_list(self) -> bool {
        self.lists > 0
    }

    /// Whether nothing can be said about it.
    pub(super) const fn is_open(self) -> bool {
        !self.is_list() && matches!(self.base, Base::Free | Base::Nothing)
    }

    /// What a loop over it sees; none if there is nothing to loop over.
    pub(super) const fn element(self) -> Option<Self> {
        match (self.lists.checked_sub(1), self.base) {
            (Some(lists), base) => Some(Self { base, lists }),
            (None, Base::Free | Base::Nothing) => Some(Self::FREE),
            (None, Base::Record(_)) => Some(Self::TEXT),
            (
                None,
                Base::Text | Base::Word(_) | Base::Number | Base::Truth | Base::Time | Base::Span,
            ) => None,
        }
    }

    /// Whether it is what is asked for; what depends on the message may be.
    pub(super) fn is(self, base: Base) -> bool {
        self.is_open() || !self.is_list() && self.base.plain() == base
    }

    /// What is either of the two.
    pub(super) fn or(self, other: Self) -> Self {
        match (self.base, other.base) {
            _ if self == other => self,
            (Base::Nothing, _) if self.lists <= other.lists => other,
            (_, Base::Nothing) if other.lists <= self.lists => self,
            (one, another) if self.lists == other.lists && one.plain() == another.plain() => {
                Self { base: one.plain(), lists: self.lists }
            }
            _ => Self::FREE,
        }
    }

    /// Whether one could equal the other.
    pub(super) fn meets(self, other: Self) -> bool {
        self.is_open()
            || other.is_open()
            || self.is_list() == other.is_list()
                && (self.is_list() || self.base.plain() == other.base.plain())
    }

    pub(super) const fn describe(self) -> &'static str {
        match self.base {
            _ if self.is_list() => "a list",
            Base::Nothing | Base::Free => "a value",
            Base::Text | Base::Word(_) => "a text",
            Base::Time => "a time",
            Base::Span => "a duration",
            Base::Number => "a number",
            Base::Truth => "true or false",
            Base::Record(_) => "a group of fields",
        }
    }
}

impl Base {
    /// Without what is known of it besides its type.
    const fn plain(self) -> Self {
        match self {
            Self::Word(_) => Self::Text,
            other => other,
        }
    }
}

impl Words {
    /// As in "no channels of this name".
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::MessageKinds => "kinds of messages",
            Self::AutomationClasses => "classes of automatic mail",
            Self::ChannelKinds => "kinds of channels",
            Self::Statuses => "statuses",
            Self::Channels => "channels",
            Self::Queues => "queues",
        }
    }

    /// Empty for those that stand in the configuration.
    pub(super) const fn fixed(self) -> &'static [&'static str] {
        match self {
            Self::MessageKinds => &[
                "email", "text", "image", "audio", "video", "file", "location", "contact",
                "sticker", "reaction", "button", "call", "system",
            ],
            Self::AutomationClasses => &[
                "none",
                "auto_reply",
                "out_of_office",
                "bounce",
                "delivery_report",
                "feedback_report",
                "read_receipt",
                "list",
                "bulk",
            ],
            Self::ChannelKinds => &["email", "imap", "webhook", "phone", "external"],
            Self::Statuses => &["open", "pending", "snoozed", "resolved"],
            Self::Channels | Self::Queues => &[],
        }
    }
}

/// What an expression begins with.
pub(super) const ROOTS: &[(&str, Shape)] = &[
    ("message", Shape::one(Base::Record(Record::Message))),
    ("channel", Shape::one(Base::Record(Record::Channel))),
    (CONTACT_ROOT, Shape::one(Base::Record(Record::Contact))),
    (CONVERSATION_ROOT, Shape::one(Base::Record(Record::Conversation))),
    (NOW_ROOT, Shape::TIME),
];

/// Whoever writes, as far as they were known before.
pub(super) const CONTACT_ROOT: &str = "contact";
/// The conversation that the message follows, as it was before.
pub(super) const CONVERSATION_ROOT: &str = "conversation";
/// When the message was accepted.
pub(super) const NOW_ROOT: &str = "now";

const MESSAGE: &[(&str, Shape)] = &[
    ("kind", Shape::word(Words::MessageKinds)),
    ("external_id", Shape::TEXT),
    ("thread", Shape::TEXT),
    ("from", Shape::one(Base::Record(Record::Party))),
    ("to", Shape::many(Base::Record(Record::Party))),
    ("cc", Shape::many(Base::Record(Record::Party))),
    ("reply_to", Shape::many(Base::Record(Record::Party))),
    ("sent_at", Shape::TEXT),
    ("subject", Shape::TEXT),
    ("text", Shape::TEXT),
    ("visible_text", Shape::TEXT),
    ("html", Shape::TEXT),
    ("in_reply_to", Shape::many(Base::Text)),
    ("references", Shape::many(Base::Text)),
    ("attachments", Shape::many(Base::Record(Record::Attachment))),
    ("automation", Shape::one(Base::Record(Record::Automation))),
    ("attributes", Shape::FREE),
];

const CHANNEL: &[(&str, Shape)] = &[
    ("id", Shape::word(Words::Channels)),
    ("kind", Shape::word(Words::ChannelKinds)),
    ("dialect", Shape::TEXT),
];

const CONTACT: &[(&str, Shape)] = &[
    ("known", Shape::TRUTH),
    ("name", Shape::TEXT),
    ("addresses", Shape::many(Base::Text)),
    ("kinds", Shape::many(Base::Text)),
    ("conversations", Shape::NUMBER),
    ("open", Shape::NUMBER),
    ("last_agent", Shape::TEXT),
];

const CONVERSATION: &[(&str, Shape)] = &[
    ("follow_up", Shape::TRUTH),
    ("status", Shape::word(Words::Statuses)),
    ("queue", Shape::word(Words::Queues)),
    ("tags", Shape::many(Base::Text)),
    ("priority", Shape::NUMBER),
    ("assignee", Shape::TEXT),
    ("age_s", Shape::NUMBER),
    ("quiet_s", Shape::NUMBER),
];

const PARTY: &[(&str, Shape)] =
    &[("address", Shape::TEXT), ("name", Shape::TEXT), ("username", Shape::TEXT)];

const ATTACHMENT: &[(&str, Shape)] =
    &[("name", Shape::TEXT), ("media_type", Shape::TEXT), ("size_bytes", Shape::NUMBER)];

const AUTOMATION: &[(&str, Shape)] =
    &[("class", Shape::word(Words::AutomationClasses)), ("may_answer", Shape::TRUTH)];

impl Record {
    pub(super) const fn fields(self) -> &'static [(&'static str, Shape)] {
        match self {
            Self::Message => MESSAGE,
            Self::Channel => CHANNEL,
            Self::Contact => CONTACT,
            Self::Conversation => CONVERSATION,
            Self::Party => PARTY,
            Self::Attachment => ATTACHMENT,
            Self::Automation => AUTOMATION,
        }
    }
}

/// What a function is called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Nothing stands before it.
    Alone,
    Text,
    List,
    /// A text, a list or a group of fields.
    Sized,
    /// What `.?` gives.
    Optional,
    /// `now`, and what `timestamp` and `duration` give.
    Time,
}

impl Target {
    pub(super) const fn takes(self, shape: Shape) -> bool {
        match self {
            _ if shape.is_open() => true,
            Self::Alone | Self::Optional => false,
            Self::Time => !shape.is_list() && matches!(shape.base, Base::Time | Base::Span),
            Self::Text => !shape.is_list() && matches!(shape.base, Base::Text | Base::Word(_)),
            Self::List => shape.is_list(),
            Self::Sized => {
                shape.is_list()
                    || matches!(shape.base, Base::Text | Base::Word(_) | Base::Record(_))
            }
        }
    }

    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::Alone => "nothing",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Sized => "a text or a list",
            Self::Optional => "what `.?` gives",
            Self::Time => "a time, such as `now`",
        }
    }
}

/// One way to call a function.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) target: Target,
    pub(super) args: &'static [Base],
    /// How many of `args` must be given.
    pub(super) least: usize,
    pub(super) gives: Shape,
}

const fn on(
    target: Target,
    name: &'static str,
    args: &'static [Base],
    least: usize,
    gives: Shape,
) -> Function {
    Function { name, target, args, least, gives }
}

/// These two are ours; the rest is the CEL library's.
pub(super) const MATCHES: &str = "matches";
pub(super) const CALENDAR_OPEN: &str = "calendar.open";
/// The only one that could make a text many times longer.
pub(super) const REPLACE: &str = "replace";
/// The only one that could make a list of as many entries as a text has characters.
pub(super) const SPLIT: &str = "split";
/// What reads a text that may be none of a time.
pub(super) const TIMESTAMP: &str = "timestamp";
pub(super) const DURATION: &str = "duration";

pub(super) const FUNCTIONS: &[Function] = &[
    on(Target::Text, "contains", &[Base::Text], 1, Shape::TRUTH),
    on(Target::Text, "startsWith", &[Base::Text], 1, Shape::TRUTH),
    on(Target::Text, "endsWith", &[Base::Text], 1, Shape::TRUTH),
    on(Target::Text, MATCHES, &[Base::Text], 1, Shape::TRUTH),
    on(Target::Alone, MATCHES, &[Base::Text, Base::Text], 2, Shape::TRUTH),
    on(Target::Alone, CALENDAR_OPEN, &[Base::Text], 1, Shape::TRUTH),
    on(Target::Sized, "size", &[], 0, Shape::NUMBER),
    on(Target::Alone, "size", &[Base::Free], 1, Shape::NUMBER),
    on(Target::Text, "charAt", &[Base::Number], 1, Shape::TEXT),
    on(Target::Text, "indexOf", &[Base::Text, Base::Number], 1, Shape::NUMBER),
    on(Target::Text, "lastIndexOf", &[Base::Text, Base::Number], 1, Shape::NUMBER),
    on(Target::Text, "lowerAscii", &[], 0, Shape::TEXT),
    on(Target::Text, "upperAscii", &[], 0, Shape::TEXT),
    on(Target::Text, "trim", &[], 0, Shape::TEXT),
    on(Target::Text, "reverse", &[], 0, Shape::TEXT),
    on(Target::Text, REPLACE, &[Base::Text, Base::Text, Base::Number], 2, Shape::TEXT),
    on(Target::Text, SPLIT, &[Base::Text, Base::Number], 1, Shape::many(Base::Text)),
    on(Target::Text, "substring", &[Base::Number, Base::Number], 1, Shape::TEXT),
    on(Target::Text, "format", &[Base::Free], 1, Shape::TEXT),
    on(Target::List, "join", &[Base::Text], 0, Shape::TEXT),
    on(Target::Optional, "hasValue", &[], 0, Shape::TRUTH),
    on(Target::Optional, "value", &[], 0, Shape::FREE),
    on(Target::Optional, "or", &[Base::Free], 1, Shape::FREE),
    on(Target::Optional, "orValue", &[Base::Free], 1, Shape::FREE),
    on(Target::Alone, "optional.of", &[Base::Free], 1, Shape::FREE),
    on(Target::Alone, "optional.ofNonZeroValue", &[Base::Free], 1, Shape::FREE),
    on(Target::Alone, "optional.none", &[], 0, Shape::FREE),
    on(Target::Alone, "strings.quote", &[Base::Text], 1, Shape::TEXT),
    on(Target::Alone, "string", &[Base::Free], 1, Shape::TEXT),
    on(Target::Alone, "int", &[Base::Free], 1, Shape::NUMBER),
    on(Target::Alone, "uint", &[Base::Free], 1, Shape::NUMBER),
    on(Target::Alone, "double", &[Base::Free], 1, Shape::NUMBER),
    on(Target::Alone, "bool", &[Base::Free], 1, Shape::TRUTH),
    on(Target::Alone, "bytes", &[Base::Free], 1, Shape::FREE),
    on(Target::Alone, "dyn", &[Base::Free], 1, Shape::FREE),
    on(Target::Alone, "type", &[Base::Free], 1, Shape::FREE),
    on(Target::Alone, TIMESTAMP, &[Base::Free], 1, Shape::TIME),
    on(Target::Alone, DURATION, &[Base::Free], 1, Shape::SPAN),
    on(Target::Time, "getFullYear", &[Base::Text], 0, Shape::NUMBER),
    on(Target::Time, "getMonth", &[Base::Text], 0, Shape::NUMBER),
    on(Target::Time, "getDate", &[Base::Text], 0, Shape::NUMBER),
    on(Target::Time, "getDayOfMonth", &[Base::Text], 0, Shape::NUMBER),
    on(Target::Time, "getDayOfWeek", &[Base::Text], 0, Shape::NUMBER),
    on(Target::Time, "getDayOfYear", &[Base::Text], 0, Shape::NUMBER),
    on(Target::Time, "getHours", &[Base::Text], 0, Shape::NUMBER),
    on(Target::Time, "getMinutes", &[Base::Text], 0, Shape::NUMBER),
    on(Target::Time, "getSeconds", &[Base::Text], 0, Shape::NUMBER),
    on(Target::Time, "getMilliseconds", &[Base::Text], 0, Shape::NUMBER),
];

/// How what becomes a loop or a test is called; where it is called otherwise, it is left as a call.
pub(super) const MACROS: &[(&str, &str)] = &[
    ("has", "has(message.attributes.name)"),
    ("exists", "list.exists(one, condition)"),
    ("exists_one", "list.exists_one(one, condition)"),
    ("existsOne", "list.existsOne(one, condition)"),
    ("all", "list.all(one, condition)"),
    ("map", "list.map(one, value)"),
    ("filter", "list.filter(one, condition)"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use postroom_model::{
        AutomationClass, ChannelKind, ChannelSettings, Contact, ContactId, Message, MessageKind,
        Party, Status, Timestamp,
    };
    use serde_json::Value;

    use super::{Base, CALENDAR_OPEN, FUNCTIONS, MATCHES, Record, Shape, Words};
    use crate::rules::Earlier;
    use crate::rules::facts::{ChannelFacts, ContactFacts, ConversationFacts, Facts};

    /// What an expression sees, with one of everything that can be many.
    fn facts() -> (Value, Value) {
        let message = Message {
            to: vec![Party::default()],
            cc: vec![Party::default()],
            reply_to: vec![Party::default()],
            in_reply_to: vec!["a".to_owned()],
            references: vec!["a".to_owned()],
            attachments: vec![postroom_model::Attachment::default()],
            ..Message::default()
        };
        let channel = ChannelSettings {
            id: "site".parse().unwrap(),
            kind: ChannelKind::Webhook,
            dialect: None,
            queue: None,
            sends: true,
            calls: None,
        };
        let facts = serde_json::to_value(Facts::of(&message)).unwrap();
        (facts, serde_json::to_value(ChannelFacts::of(&channel)).unwrap())
    }

    fn assert_fields(record: Record, value: &Value) {
        let object = value.as_object().unwrap();
        let seen: BTreeSet<&str> = object.keys().map(String::as_str).collect();
        let named: BTreeSet<&str> = record.fields().iter().map(|(name, _)| *name).collect();
        assert_eq!(seen, named, "{record:?}");
        for (name, shape) in record.fields() {
            assert_shape(*shape, &object[*name], name);
        }
    }

    fn assert_shape(shape: Shape, value: &Value, name: &str) {
        if shape.is_list() {
            return assert_shape(shape.element().unwrap(), &value[0], name);
        }
        match shape.base {
            Base::Text => assert!(value.is_string(), "{name}"),
            Base::Word(Words::Channels) => assert_eq!(value, "site", "{name}"),
            Base::Word(Words::Queues) => assert_eq!(value, "", "{name}"),
            Base::Word(words) => {
                assert!(words.fixed().iter().any(|word| value == word), "{name}: {value}");
            }
            Base::Number => assert!(value.is_number(), "{name}"),
            Base::Truth => assert!(value.is_boolean(), "{name}"),
            Base::Record(record) => assert_fields(record, value),
            Base::Free | Base::Nothing | Base::Time | Base::Span => {
                assert!(value.is_object(), "{name}");
            }
        }
    }

    #[test]
    fn fields_are_those_that_a_rule_sees() {
        let (message, channel) = facts();
        assert_fields(Record::Message, &message);
        assert_fields(Record::Channel, &channel);
        let at = Timestamp::from_millis(5_000);
        let contact = Contact {
            id: ContactId(uuid::Uuid::nil()),
            name: None,
            addresses: vec!["tel:+1".parse().unwrap()],
            dead: vec![],
            created_at: at,
            last_agent: None,
            conversations: 2,
            merged_into: None,
        };
        let tags = ["late".to_owned()];
        let earlier = Earlier {
            status: Status::Resolved,
            queue: None,
            tags: &tags,
            priority: 3,
            assignee: None,
            opened_at: Timestamp::EPOCH,
            last_message_at: at,
        };
        let contact = serde_json::to_value(ContactFacts::of(Some(&contact), 1)).unwrap();
        assert_fields(Record::Contact, &contact);
        let earlier = serde_json::to_value(ConversationFacts::of(Some(earlier), at)).unwrap();
        assert_fields(Record::Conversation, &earlier);
        assert_eq!((&earlier["age_s"], &earlier["quiet_s"]), (&5.into(), &0.into()));
    }

    /// The words of an enum, as its schema lists them.
    fn words_of<T: schemars::JsonSchema>() -> BTreeSet<String> {
        let schema = serde_json::to_value(schemars::schema_for!(T)).unwrap();
        let mut found = BTreeSet::new();
        let mut look = vec![&schema];
        while let Some(value) = look.pop() {
            match value {
                Value::Object(fields) => {
                    found.extend(fields.get("const").and_then(Value::as_str).map(str::to_owned));
                    let listed = fields.get("enum").and_then(Value::as_array);
                    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
                    found.extend(listed.map(str::to_owned));
                    look.extend(fields.values());
                }
                Value::Array(all) => look.extend(all),
                _ => {}
            }
        }
        found
    }

    #[test]
    fn words_are_those_of_the_vocabulary() {
        for (words, said) in [
            (Words::MessageKinds, words_of::<MessageKind>()),
            (Words::AutomationClasses, words_of::<AutomationClass>()),
            (Words::ChannelKinds, words_of::<ChannelKind>()),
            (Words::Statuses, words_of::<Status>()),
        ] {
            let listed: BTreeSet<String> =
                words.fixed().iter().map(|&word| word.to_owned()).collect();
            assert_eq!(listed, said, "{words:?}");
        }
    }

    #[test]
    fn functions_are_those_of_the_library() {
        let env = crate::rules::environment();
        let example = |base: &Base| match base {
            Base::Number => "1",
            _ => "'1'",
        };
        for function in FUNCTIONS.iter().filter(|one| ![MATCHES, CALENDAR_OPEN].contains(&one.name))
        {
            for count in function.least..=function.args.len() {
                let given: Vec<&str> = function.args.iter().take(count).map(example).collect();
                let given = match function.name {
                    "format" => "['1']".to_owned(),
                    "bool" => "'true'".to_owned(),
                    "or" => "optional.none()".to_owned(),
                    "timestamp" => "'2026-01-02T03:04:05Z'".to_owned(),
                    "duration" => "'1h'".to_owned(),
                    _ if function.target == super::Target::Time => {
                        given.iter().map(|_| "'Europe/Berlin'").collect()
                    }
                    _ => given.join(", "),
                };
                let target = match function.target {
                    super::Target::Alone => "",
                    super::Target::Text | super::Target::Sized => "'%s 12'.",
                    super::Target::List => "['1'].",
                    super::Target::Optional => "optional.of(1).",
                    super::Target::Time => "timestamp('2026-01-02T03:04:05Z').",
                };
                let call = format!("{target}{}({given})", function.name);
                let program = env.compile(&call).unwrap();
                let context = cel::Context::with_env(std::sync::Arc::clone(&env));
                assert!(
                    program.execute(&context).is_ok(),
                    "{call}: {:?}",
                    program.execute(&context)
                );
            }
        }
    }
}
