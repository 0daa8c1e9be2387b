//! The operator's rules: CEL expressions over the message, tried in order, the first match wins.
//!
//! Rules read bodies, which nothing else in the core does, so they are evaluated apart and their
//! result is handed to [`crate::decide`]. An expression cannot loop over a loop and sees at most
//! [`TEXT_BYTES_MAX`] bytes of a text, which bounds its cost; one that fails is skipped and named.

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedExpr};
use cel::{Context, Env, Program, Value};
use postroom_model::{ChannelSettings, Message, QueueId, Rule, RuleTrace, Settings};
use serde::Serialize;

/// Bytes of a text that an expression sees.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Characters of an expression.
const EXPRESSION_CHARS_MAX: usize = 2_000;

/// Rules in one configuration.
const RULES_MAX: usize = 2_000;

/// Nodes of one expression's tree.
const NODES_MAX: usize = 1_000;

/// What the rules say about a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routed {
    pub queue: Option<QueueId>,
    pub priority: Option<u8>,
    pub skills: BTreeMap<String, u8>,
    pub tags: Vec<String>,
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
}

/// What an expression can name: `message`, `channel`.
#[derive(Debug, Clone, Copy)]
pub struct RuleFacts<'a> {
    pub message: &'a Message,
    pub channel: &'a ChannelSettings,
}

/// Compiled rules of one configuration.
pub struct Rules {
    env: Arc<Env>,
    compiled: Vec<(Rule, Program)>,
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
            errors.push(RuleError { index: RULES_MAX, message, offset: None });
        }
        for (index, rule) in settings.rules.iter().enumerate() {
            match compile(&env, rule) {
                Ok(program) => compiled.push((rule.clone(), program)),
                Err((message, offset)) => errors.push(RuleError { index, message, offset }),
            }
        }
        if errors.is_empty() {
            Ok(Self { env, compiled, config: settings.short_hash() })
        } else {
            Err(errors)
        }
    }

    pub fn is_empty(&self) -> bool {
        self.compiled.is_empty()
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
            .and_then(|()| context.add_variable("channel", ChannelFacts::of(facts.channel)));
        if let Err(error) = bound {
            trace.failed.push((0, error.to_string()));
            return Routed { trace, ..Routed::default() };
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
                        tags: rule.tags.clone(),
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

fn compile(env: &Env, rule: &Rule) -> Result<Program, (String, Option<usize>)> {
    if rule.when.chars().count() > EXPRESSION_CHARS_MAX {
        return Err((format!("longer than {EXPRESSION_CHARS_MAX} characters"), None));
    }
    let program = env.compile(&rule.when).map_err(|errors| {
        let first = errors.errors.first();
        let message = first.map_or_else(|| "not an expression".to_owned(), |e| e.msg.clone());
        (message, first.and_then(|error| offset_of(&rule.when, error.pos)))
    })?;
    let mut walk = Walk { nodes: 0, bound: vec!["message", "channel"] };
    walk.check(program.expression(), 0).map_err(|(id, message)| {
        let at = program.source_info().offset_for(id);
        let at = at.map(|(start, _)| byte_of(&rule.when, start as usize));
        (message, at)
    })?;
    Ok(program)
}

/// The byte at which the character of this number begins; the end if there is none.
fn byte_of(text: &str, character: usize) -> usize {
    let mut all = text.char_indices();
    all.nth(character).map_or(text.len(), |(at, _)| at)
}

/// A byte offset from a line and a column, both counted from 1.
fn offset_of(text: &str, (line, column): (isize, isize)) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    Some(before + byte_of(text.get(before..)?, column))
}

/// Walks an expression: bounds its size, refuses a loop within a loop and names that nothing binds.
struct Walk<'a> {
    nodes: usize,
    /// Names that can be used here.
    bound: Vec<&'a str>,
}

/// What is wrong, and the id of the node at which it is.
type Wrong = (u64, String);

impl<'a> Walk<'a> {
    fn check(&mut self, node: &'a IdedExpr, loops: usize) -> Result<(), Wrong> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err((node.id, "too large an expression".to_owned()));
        }
        match &node.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) if self.bound.contains(&name.as_str()) => Ok(()),
            Expr::Ident(name) => {
                let known = "there are `message` and `channel`";
                Err((node.id, format!("`{name}` is not known; {known}")))
            }
            Expr::Call(call) => {
                let target = call.target.as_deref();
                self.check_all(target.into_iter().chain(&call.args), loops)
            }
            Expr::Select(select) => self.check(&select.operand, loops),
            Expr::List(list) => self.check_all(&list.elements, loops),
            Expr::Map(map) => self.entries(map.entries.iter().map(|entry| &entry.expr), loops),
            Expr::Struct(made) => self.entries(made.entries.iter().map(|entry| &entry.expr), loops),
            Expr::Comprehension(inner) => self.comprehension(node.id, inner, loops),
        }
    }

    fn check_all(
        &mut self,
        nodes: impl IntoIterator<Item = &'a IdedExpr>,
        loops: usize,
    ) -> Result<(), Wrong> {
        nodes.into_iter().try_for_each(|node| self.check(node, loops))
    }

    fn comprehension(
        &mut self,
        id: u64,
        inner: &'a ComprehensionExpr,
        loops: usize,
    ) -> Result<(), Wrong> {
        if loops > 0 {
            return Err((id, "a loop within a loop could take very long".to_owned()));
        }
        self.check_all([&inner.iter_range, &inner.accu_init], loops)?;
        let outside = self.bound.len();
        self.bound.push(&inner.accu_var);
        self.bound.push(&inner.iter_var);
        self.bound.extend(inner.iter_var2.as_deref());
        let parts = [&inner.loop_cond, &inner.loop_step, &inner.result];
        let checked = self.check_all(parts, loops + 1);
        self.bound.truncate(outside);
        checked
    }

    fn entries(
        &mut self,
        mut entries: impl Iterator<Item = &'a EntryExpr>,
        loops: usize,
    ) -> Result<(), Wrong> {
        entries.try_for_each(|entry| match entry {
            EntryExpr::StructField(field) => self.check(&field.value, loops),
            EntryExpr::MapEntry(entry) => self.check_all([&entry.key, &entry.value], loops),
        })
    }
}

/// The message as an expression sees it. Absent texts are empty, so that `contains` can be asked.
#[derive(Debug, Serialize)]
struct Facts<'a> {
    kind: postroom_model::MessageKind,
    external_id: &'a str,
    thread: &'a str,
    from: PartyFacts<'a>,
    to: Vec<PartyFacts<'a>>,
    cc: Vec<PartyFacts<'a>>,
    reply_to: Vec<PartyFacts<'a>>,
    sent_at: String,
    subject: &'a str,
    text: &'a str,
    visible_text: &'a str,
    html: &'a str,
    in_reply_to: &'a [String],
    references: &'a [String],
    attachments: Vec<AttachmentFacts<'a>>,
    automation: AutomationFacts,
    attributes: &'a BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Serialize)]
struct PartyFacts<'a> {
    address: &'a str,
    name: &'a str,
    username: &'a str,
}

#[derive(Debug, Serialize)]
struct AttachmentFacts<'a> {
    name: &'a str,
    media_type: &'a str,
    size_bytes: u64,
}

#[derive(Debug, Serialize)]
struct AutomationFacts {
    class: postroom_model::AutomationClass,
    may_answer: bool,
}

#[derive(Debug, Serialize)]
struct ChannelFacts<'a> {
    id: &'a str,
    kind: postroom_model::ChannelKind,
    dialect: &'a str,
}

impl<'a> ChannelFacts<'a> {
    fn of(channel: &'a ChannelSettings) -> Self {
        Self {
            id: channel.id.as_str(),
            kind: channel.kind,
            dialect: channel.dialect.as_deref().unwrap_or(""),
        }
    }
}

impl<'a> PartyFacts<'a> {
    fn of(party: &'a postroom_model::Party) -> Self {
        Self {
            address: party.address.as_ref().map_or("", |address| address.as_str()),
            name: party.name.as_deref().unwrap_or(""),
            username: party.username.as_deref().unwrap_or(""),
        }
    }

    fn all(parties: &'a [postroom_model::Party]) -> Vec<Self> {
        parties.iter().map(Self::of).collect()
    }
}

impl<'a> Facts<'a> {
    fn of(message: &'a Message) -> Self {
        let nobody = PartyFacts { address: "", name: "", username: "" };
        let automation = message.automation;
        Self {
            kind: message.kind,
            external_id: &message.external_id,
            thread: message.thread.as_deref().unwrap_or(""),
            from: message.from.as_ref().map_or(nobody, PartyFacts::of),
            to: PartyFacts::all(&message.to),
            cc: PartyFacts::all(&message.cc),
            reply_to: PartyFacts::all(&message.reply_to),
            sent_at: message.sent_at.map(|at| at.to_string()).unwrap_or_default(),
            subject: message.subject.as_deref().unwrap_or(""),
            text: head(message.text.as_deref()),
            visible_text: head(message.visible_text.as_deref()),
            html: head(message.html.as_deref()),
            in_reply_to: &message.in_reply_to,
            references: &message.references,
            attachments: message
                .attachments
                .iter()
                .map(|attachment| AttachmentFacts {
                    name: attachment.name.as_deref().unwrap_or(""),
                    media_type: attachment.media_type.as_deref().unwrap_or(""),
                    size_bytes: attachment.size_bytes.unwrap_or(0),
                })
                .collect(),
            automation: AutomationFacts {
                class: automation.map(|automation| automation.class).unwrap_or_default(),
                may_answer: automation.is_none_or(|automation| automation.may_answer),
            },
            attributes: &message.attributes,
        }
    }
}

/// The beginning of a text, cut between characters.
fn head(text: Option<&str>) -> &str {
    let text = text.unwrap_or("");
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text.get(..end).unwrap_or("")
}
