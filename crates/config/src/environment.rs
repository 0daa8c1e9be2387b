//! The process environment, and which settings its `POSTROOM__…` variables override. The only
//! place of the program that reads the environment.

use std::collections::BTreeMap;

use config::{Map, Value, ValueKind};

use crate::diagnostic::Diagnostic;
use crate::names::suggestion;
use crate::schema::{Section, Shape, sections, top_level};
use crate::source::Source;
use crate::toml_text::join;

const PREFIX: &str = "POSTROOM__";
const SEPARATOR: &str = "__";

/// Reads the process environment.
#[derive(Debug, Clone, Copy)]
pub struct Environment;

impl Environment {
    /// The variables that Postroom knows: `POSTROOM__…`, `XDG_CONFIG_HOME` and `HOME`. Nothing
    /// else is taken, so that no other program's secret is carried along.
    pub fn process() -> BTreeMap<String, String> {
        let all = std::env::vars_os().map(|(name, value)| {
            // What is no Unicode must not vanish in silence: the value then fails its check.
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        });
        let known =
            |name: &str| name.starts_with(PREFIX) || matches!(name, "XDG_CONFIG_HOME" | "HOME");
        all.filter(|(name, _)| known(name)).collect()
    }
}

/// A setting that a variable gives.
pub(crate) struct Override {
    pub(crate) variable: String,
    pub(crate) path: String,
    pub(crate) value: Value,
}

/// What the variables override in a file with these values, and the variables that name nothing.
pub(crate) fn overrides(
    environment: &BTreeMap<String, String>,
    file: &Map<String, Value>,
    source: &Source,
) -> (Vec<Override>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let mut mistakes = Vec::new();
    for (variable, text) in environment {
        let Some(name) = variable.strip_prefix(PREFIX) else {
            continue;
        };
        match path_of(&name.to_lowercase(), file) {
            Ok(path) => {
                let value = typed(text, in_file(file, &path));
                found.push(Override { variable: variable.clone(), path, value });
            }
            Err((message, help)) => {
                let file = source.path().display().to_string();
                let mut mistake = Diagnostic::unplaced(&file, message, help);
                mistake.variable = Some(variable.clone());
                mistakes.push(mistake);
            }
        }
    }
    (found, mistakes)
}

type Mistake = (String, Option<String>);

/// The path of a setting from the rest of a variable's name, in lower case: `server__listen`.
fn path_of(name: &str, file: &Map<String, Value>) -> Result<String, Mistake> {
    let (head, rest) = name.split_once(SEPARATOR).unwrap_or((name, ""));
    let tops: Vec<String> = top_level().map(str::to_owned).collect();
    let root = sections().iter().find(|section| section.shape == Shape::Root);
    if root.is_some_and(|root| root.keys.contains(&head)) && rest.is_empty() {
        return Ok(head.to_owned());
    }
    let section = sections().iter().find(|section| !head.is_empty() && section.name == head);
    let Some(section) = section else {
        let message = "the variable names no section of the configuration".to_owned();
        return Err((message, suggestion(head, "sections", &tops)));
    };
    let (mut path, rest) = match section.shape {
        Shape::Root | Shape::Table => (head.to_owned(), rest),
        Shape::Named | Shape::Numbered => element(section, rest, file)?,
    };
    let well_formed = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-')
    };
    if !rest.split(SEPARATOR).all(well_formed) {
        let message = "the variable names no key".to_owned();
        let help = "write POSTROOM__SECTION__KEY, and POSTROOM__SECTION__ID__KEY for lists";
        return Err((message, Some(help.to_owned())));
    }
    for part in rest.split(SEPARATOR) {
        path = join(&path, part);
    }
    Ok(path)
}

/// Finds the element of a list that a variable names, and what of the name is left.
fn element<'n>(
    section: &Section,
    rest: &'n str,
    file: &Map<String, Value>,
) -> Result<(String, &'n str), Mistake> {
    let names = element_names(section, file);
    let mut best: Option<(usize, usize, &str)> = None;
    let mut twice = false;
    for (index, name) in names.iter().enumerate() {
        let written = name.to_lowercase().replace('-', "_");
        let Some(left) = rest.strip_prefix(&written).and_then(|left| left.strip_prefix(SEPARATOR))
        else {
            continue;
        };
        twice = best.is_some_and(|(length, ..)| length == written.len());
        if best.is_none_or(|(length, ..)| length < written.len()) {
            best = Some((written.len(), index, left));
        }
    }
    let list = section.name;
    match best {
        Some(_) if twice => {
            let help = "ids that differ only in `-` and `_` cannot be told apart in a variable";
            Err((format!("the variable names two of [[{list}]]"), Some(help.to_owned())))
        }
        Some((_, index, left)) => Ok((format!("{list}[{index}]"), left)),
        None => {
            let word = rest.split(SEPARATOR).next().unwrap_or_default();
            let help = suggestion(word, "in the file", &names);
            Err((format!("the variable names none of [[{list}]] in the file"), help))
        }
    }
}

fn element_names(section: &Section, file: &Map<String, Value>) -> Vec<String> {
    let Some(ValueKind::Array(items)) = file.get(section.name).map(|list| &list.kind) else {
        return Vec::new();
    };
    let name = |(index, item): (usize, &Value)| match (section.shape, &item.kind) {
        (Shape::Numbered, _) => index.to_string(),
        (_, ValueKind::Table(table)) => match table.get("id").map(|id| &id.kind) {
            Some(ValueKind::String(id)) => id.clone(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    items.iter().enumerate().map(name).collect()
}

/// The value that the file has at a path without quoted keys.
fn in_file<'f>(file: &'f Map<String, Value>, path: &str) -> Option<&'f ValueKind> {
    let mut parts = path.split(['.', '[']).map(|part| part.trim_end_matches(']'));
    let mut value = &file.get(parts.next()?)?.kind;
    for part in parts {
        value = match value {
            ValueKind::Table(table) => &table.get(part)?.kind,
            ValueKind::Array(items) => &items.get(part.parse::<usize>().ok()?)?.kind,
            _ => return None,
        };
    }
    Some(value)
}

/// The text of a variable in the type that the file has for the setting. Without one it stays
/// text, so that `00123` keeps its zeros; what must be a number is read as one later.
fn typed(text: &str, in_file: Option<&ValueKind>) -> Value {
    let kind = match in_file {
        Some(ValueKind::I64(_)) => text.trim().parse().ok().map(ValueKind::I64),
        Some(ValueKind::Float(_)) => text.trim().parse().ok().map(ValueKind::Float),
        Some(ValueKind::Boolean(_)) => text.trim().parse().ok().map(ValueKind::Boolean),
        Some(ValueKind::Array(_)) => {
            let items = comma_separated(text).map(|item| Value::new(None, item));
            Some(ValueKind::Array(items.collect()))
        }
        _ => None,
    };
    Value::new(None, kind.unwrap_or_else(|| ValueKind::String(text.to_owned())))
}

/// The elements of a list in a variable.
pub(crate) fn comma_separated(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}
