//! What rules are told beside the message: the contact, the conversation that it follows, the time. Made
//! ready only where a rule names it, and written down with the decision, so that people see by what it
//! was made.

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::{Context, Env, Program};
use postroom_model::{Rule, Timestamp};
use serde_json::Value;

use super::RuleFacts;
use super::facts::{ContactFacts, ConversationFacts};
use super::vocabulary::{CONTACT_ROOT, CONVERSATION_ROOT, NOW_ROOT, Record};

/// Characters of one fact that are written down.
const TOLD_CHARS_MAX: usize = 200;

/// The moment in CEL's own type: only the library's function makes one.
const CLOCK: &str = "timestamp(at)";

/// What any rule of a configuration names.
#[derive(Default)]
pub(super) struct Told {
    contact: Vec<&'static str>,
    conversation: Vec<&'static str>,
    names: (bool, bool),
    clock: Option<(Arc<Env>, Program)>,
}

impl Told {
    pub(super) fn of(env: &Arc<Env>, rules: &[(Rule, Program)]) -> Self {
        let names =
            |root: &str| rules.iter().any(|(_, program)| program.references().has_variable(root));
        let fields = |root: &str, record: Record| {
            let names = record.fields().iter().map(|(name, _)| *name);
            let asked = |name: &&str| {
                let asks = |(rule, _): &(Rule, Program)| {
                    rule.when.contains(root) && rule.when.contains(*name)
                };
                rules.iter().any(asks)
            };
            names.filter(asked).collect()
        };
        let clock = names(NOW_ROOT).then(|| env.compile(CLOCK).ok()).flatten();
        Self {
            contact: fields(CONTACT_ROOT, Record::Contact),
            conversation: fields(CONVERSATION_ROOT, Record::Conversation),
            names: (names(CONTACT_ROOT), names(CONVERSATION_ROOT)),
            clock: clock.map(|program| (Arc::clone(env), program)),
        }
    }

    pub(super) const fn asks_of_people(&self) -> bool {
        self.names.0 || self.names.1
    }

    /// Lets the expressions name it, and gives what is to be written down.
    pub(super) fn bind(
        &self,
        context: &mut Context<'_, '_>,
        facts: &RuleFacts<'_>,
    ) -> Result<BTreeMap<String, String>, String> {
        let mut told = BTreeMap::new();
        let (contact, conversation) = self.names;
        if contact {
            let seen = ContactFacts::of(facts.contact, facts.open);
            note(&mut told, CONTACT_ROOT, &self.contact, &seen);
            context.add_variable(CONTACT_ROOT, seen).map_err(|error| error.to_string())?;
        }
        if conversation {
            let seen = ConversationFacts::of(facts.earlier, facts.at);
            note(&mut told, CONVERSATION_ROOT, &self.conversation, &seen);
            context.add_variable(CONVERSATION_ROOT, seen).map_err(|error| error.to_string())?;
        }
        if let Some((env, program)) = &self.clock {
            let now = moment(env, program, facts.at)?;
            context.add_variable_from_value(NOW_ROOT, now);
            told.insert(NOW_ROOT.to_owned(), facts.at.to_string());
        }
        Ok(told)
    }
}

fn moment(env: &Arc<Env>, program: &Program, at: Timestamp) -> Result<cel::Value, String> {
    let mut context = Context::with_env(Arc::clone(env));
    context.add_variable("at", at.to_string()).map_err(|error| error.to_string())?;
    program.execute(&context).map_err(|error| error.to_string())
}

fn note(
    told: &mut BTreeMap<String, String>,
    root: &str,
    fields: &[&str],
    facts: &impl serde::Serialize,
) {
    if fields.is_empty() {
        return;
    }
    let Ok(Value::Object(all)) = serde_json::to_value(facts) else { return };
    for field in fields {
        let Some(value) = all.get(*field) else { continue };
        let words = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let words = words.chars().take(TOLD_CHARS_MAX).collect();
        told.insert(format!("{root}.{field}"), words);
    }
}
