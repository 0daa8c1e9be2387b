//! A mistake and where it is, for people (with the line of the file) and for programs (JSON).
//! Messages never repeat a value of the file; the line shown beside them has its secrets masked.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use crate::ConfigError;
use crate::source::Source;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// Worth knowing; the configuration is taken.
    Note,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub severity: Severity,
    /// The configuration file.
    pub file: String,
    /// Counted from 1; none if the value comes from a variable, or there is no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Counted from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// Which setting, such as `rules[2].queue`; lists are counted from 0. Empty for the file as a
    /// whole.
    pub key: String,
    pub message: String,
    /// What to do about it; the nearest valid name where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The environment variable that gives the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    #[serde(skip)]
    pub(crate) span: Option<Range<usize>>,
}

impl Diagnostic {
    /// A mistake that stands at no place in a file.
    pub(crate) fn unplaced(file: &str, message: String, help: Option<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            line: None,
            column: None,
            key: String::new(),
            message,
            help,
            variable: None,
            span: None,
        }
    }
}

/// Every mistake that was found, in the order of the file.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnostics {
    #[serde(rename = "code", serialize_with = "code")]
    error: ConfigError,
    #[serde(rename = "diagnostics")]
    items: Vec<Diagnostic>,
    #[serde(skip)]
    masked: Option<Masked>,
}

/// The file with its secrets masked, shared by every copy.
#[derive(Clone)]
struct Masked(Arc<str>);

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

fn code<S: serde::Serializer>(error: &ConfigError, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(error.code())
}

impl Diagnostics {
    pub(crate) fn new(source: &Source, mut items: Vec<Diagnostic>) -> Self {
        // What a variable brings in has no line and comes last.
        items.sort_by_key(|item| (item.line.unwrap_or(usize::MAX), item.column));
        Self { error: ConfigError::Invalid, items, masked: Some(Masked(source.masked())) }
    }

    pub(crate) fn single(error: ConfigError, item: Diagnostic) -> Self {
        Self { error, items: vec![item], masked: None }
    }

    /// What kind of failure it is, with its stable code.
    pub const fn error(&self) -> &ConfigError {
        &self.error
    }

    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// As text for a terminal: each mistake with its line of the file, then how many there are.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let masked = self.masked.as_ref().map(|masked| &*masked.0);
        let mut text = String::new();
        for item in &self.items {
            text.push_str(&renderer.render(&[report(item, masked)]));
            text.push_str("\n\n");
        }
        text.push_str(&self.summary());
        text
    }

    fn summary(&self) -> String {
        let errors = self.items.iter().filter(|item| item.severity == Severity::Error).count();
        let file = self.items.first().map_or("", |item| item.file.as_str());
        match errors {
            0 => String::new(),
            1 => format!("1 mistake in {file}\n"),
            errors => format!("{errors} mistakes in {file}\n"),
        }
    }
}

fn report<'d>(item: &'d Diagnostic, masked: Option<&'d str>) -> Group<'d> {
    let level = match item.severity {
        Severity::Error => Level::ERROR,
        Severity::Note => Level::NOTE,
    };
    let title = match item.key.as_str() {
        "" => item.message.clone(),
        key => format!("{key}: {}", item.message),
    };
    let mut group = Group::with_title(level.primary_title(title));
    if let (Some(span), Some(masked)) = (&item.span, masked) {
        let annotation = AnnotationKind::Primary.span(span.clone());
        group =
            group.element(Snippet::source(masked).path(item.file.as_str()).annotation(annotation));
    }
    if let Some(variable) = &item.variable {
        group = group.element(Level::NOTE.message(format!("the value comes from {variable}")));
    }
    if let Some(help) = &item.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
