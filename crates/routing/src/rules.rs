//! The operator's rules: CEL expressions over the message, its channel, whoever writes, the
//! conversation that it follows and the time, tried in order; the first match wins.
//!
//! Rules read bodies, which nothing else in the core does, so they are evaluated apart and their
//! result is handed to [`crate::decide`], which goes by facts alone. What they see beside the message
//! is what was looked up for the decision, so they say the same whenever they are asked with that. An
//! expression cannot loop over a loop and sees at most 16 KiB of a text, which bounds its cost; one
//! that fails is skipped and named. What can never be answered, such as a field that there is not, is
//! refused before there is a message.

mod check;
mod cost;
mod facts;
mod opening;
mod patterns;
mod told;
mod trial;
mod vocabulary;

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::common::value::CowVal;
use cel::{Context, Env, ExecutionError, FunctionContext, Program, Value};
use postroom_model::{
    AgentId, ChannelSettings, Contact, Conversation, Message, PolicyId, QueueId, Rule, RuleTrace,
    Settings, Status, Timestamp,
};

use self::facts::{ChannelFacts, Facts};
use self::opening::Calendars;
use self::patterns::Patterns;
use self::told::Told;

/// Rules in one configuration.
const RULES_MAX: usize = 2_000;

/// What the rules say about a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routed {
    pub queue: Option<QueueId>,
    pub priority: Option<u8>,
    pub skills: BTreeMap<String, u8>,
    pub preferred: BTreeMap<String, u8>,
    pub tags: Vec<String>,
    pub targets: Option<PolicyId>,
    pub attach: Option<bool>,
    pub trace: RuleTrace,
}

/// Why a rule is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {}: {message}", index + 1)]
pub struct RuleError {
    /// Which rule, from 0.
    pub index: usize,
    pub message: String,
    /// Byte in the expression at which it goes wrong, if that is known.
    pub offset: Option<usize>,
    /// The name that is the mistake, if it is one.
    pub unknown: Option<UnknownName>,
}

/// A name that there is not, and those that there are at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    pub word: String,
    /// What is named, as in "fields".
    pub what: &'static str,
    pub known: Vec<String>,
}

/// What is wrong with one expression.
#[derive(Debug)]
struct Wrong {
    message: String,
    offset: Option<usize>,
    unknown: Option<UnknownName>,
}

impl RuleError {
    fn new(index: usize, wrong: Wrong) -> Self {
        let Wrong { message, offset, unknown } = wrong;
        Self { index, message, offset, unknown }
    }
}

/// What an expression can name: `message`, `channel`, `contact`, `conversation`, `now`, and the
/// calendars at this moment.
#[derive(Debug, Clone, Copy)]
pub struct RuleFacts<'a> {
    pub message: &'a Message,
    pub channel: &'a ChannelSettings,
    /// When the message was accepted.
    pub at: Timestamp,
    /// Whoever writes, as they were known before; none if they were not.
    pub contact: Option<&'a Contact>,
    /// Their conversations that are not done.
    pub open: usize,
    /// The conversation that the message follows.
    pub earlier: Option<Earlier<'a>>,
}

impl<'a> RuleFacts<'a> {
    /// A message of a stranger that follows nothing.
    pub const fn new(message: &'a Message, channel: &'a ChannelSettings, at: Timestamp) -> Self {
        Self { message, channel, at, contact: None, open: 0, earlier: None }
    }
}

/// A conversation as it was before the message that follows it.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a> {
    pub status: Status,
    pub queue: Option<&'a QueueId>,
    pub tags: &'a [String],
    pub priority: u8,
    pub assignee: Option<&'a AgentId>,
    pub opened_at: Timestamp,
    pub last_message_at: Timestamp,
}

impl<'a> From<&'a Conversation> for Earlier<'a> {
    fn from(row: &'a Conversation) -> Self {
        Self {
            status: row.status,
            queue: row.queue.as_ref(),
            tags: &row.tags,
            priority: row.priority,
            assignee: row.assignee.as_ref(),
            opened_at: row.opened_at,
            last_message_at: row.last_message_at,
        }
    }
}

/// Compiled rules of one configuration.
pub struct Rules {
    env: Arc<Env>,
    compiled: Vec<(Rule, Program)>,
    patterns: Arc<Patterns>,
    calendars: Arc<Calendars>,
    /// Which of what stands beside the message any rule names; the rest is not made ready.
    told: Told,
    config: String,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rules({} of {})", self.compiled.len(), self.config)
    }
}

impl Rules {
    /// Compiles all rules; every one that is wrong is reported.
    pub fn compile(settings: &Settings) -> Result<Self, Vec<RuleError>> {
        let env = environment();
        let mut errors = Vec::new();
        let mut compiled = Vec::with_capacity(settings.rules.len());
        if settings.rules.len() > RULES_MAX {
            let message = format!("more than {RULES_MAX} rules");
            errors.push(RuleError { index: RULES_MAX, message, offset: None, unknown: None });
        }
        let calendars = Calendars::of(settings);
        let channels: Vec<&str> = settings.channels.iter().map(|one| one.id.as_str()).collect();
        let queues: Vec<&str> = settings.queues.iter().map(|one| one.id.as_str()).collect();
        let asked = check::Asked { calendars: &calendars, channels: &channels, queues: &queues };
        let mut patterns = Patterns::default();
        for (index, rule) in settings.rules.iter().enumerate() {
            match check::compile(&env, rule, asked, &mut patterns) {
                Ok(program) => compiled.push((rule.clone(), program)),
                Err(wrong) => errors.push(RuleError::new(index, wrong)),
            }
        }
        if errors.is_empty() {
            let (patterns, calendars) = (Arc::new(patterns), Arc::new(calendars));
            let told = Told::of(&env, &compiled);
            let config = settings.short_hash();
            Ok(Self { env, compiled, patterns, calendars, told, config })
        } else {
            Err(errors)
        }
    }

    pub fn is_empty(&self) -> bool {
        self.compiled.is_empty()
    }

    /// Whether any of them asks for the contact or for an earlier conversation.
    pub(crate) fn ask_of_people(&self) -> bool {
        self.told.asks_of_people()
    }

    /// Tries the rules in order. The same message and rules, the same answer.
    pub fn route(&self, facts: RuleFacts<'_>) -> Routed {
        let mut trace = RuleTrace { config: self.config.clone(), ..RuleTrace::default() };
        if self.compiled.is_empty() {
            return Routed { trace, ..Routed::default() };
        }
        let mut context = Context::with_env(Arc::clone(&self.env));
        let bound = context
            .add_variable("message", Facts::of(facts.message))
            .and_then(|()| context.add_variable("channel", ChannelFacts::of(facts.channel)))
            .map_err(|error| error.to_string())
            .and_then(|()| self.patterns.bind(&mut context))
            .and_then(|()| self.calendars.bind(&mut context, facts.at))
            .and_then(|()| self.told.bind(&mut context, &facts));
        match bound {
            Ok(told) => trace.told = told,
            Err(error) => {
                // No rule's own fault, so under no rule's number.
                trace.failed.push((0, error));
                return Routed { trace, ..Routed::default() };
            }
        }
        for ((rule, program), number) in self.compiled.iter().zip(1..) {
            trace.tried = number;
            match program.execute(&context) {
                Ok(Value::Bool(true)) => {
                    trace.matched = Some(number);
                    trace.when = Some(rule.when.clone());
                    return Routed {
                        queue: rule.queue.clone(),
                        priority: rule.priority,
                        skills: rule.skills.clone(),
                        preferred: rule.prefer.clone(),
                        tags: rule.tags.clone(),
                        targets: rule.targets.clone(),
                        attach: rule.attach,
                        trace,
                    };
                }
                Ok(Value::Bool(false)) => {}
                Ok(_) => trace.failed.push((number, "did not give true or false".to_owned())),
                Err(error) => trace.failed.push((number, error.to_string())),
            }
        }
        Routed { trace, ..Routed::default() }
    }
}

fn environment() -> Arc<Env> {
    let mut env = Env::stdlib();
    // The extension only adds functions, so it cannot clash with the library alone.
    drop(env.add_extension(cel::extensions::strings));
    Arc::new(env)
}

/// A function of ours, as the library calls it.
type Function = Box<
    dyn for<'c, 'v> Fn(&mut FunctionContext<'c, 'v>) -> Result<CowVal<'c, 'v>, ExecutionError>
        + Send
        + Sync,
>;
