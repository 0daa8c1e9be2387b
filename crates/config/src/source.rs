//! Where each setting came from: a place in the file, a variable, or a default. It keeps the text
//! of the file, so neither its text nor its overrides may be shown as they are; only masked lines
//! leave it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postroom_model::digest::Digest;

use crate::diagnostic::{Diagnostic, Severity};
use crate::mask::mask;
use crate::toml_text::{Parsed, Place, offset_in_raw, parent};

/// The file that was read, and what overrides it.
#[derive(Clone)]
pub(crate) struct Source {
    path: PathBuf,
    text: String,
    masked: Arc<str>,
    places: BTreeMap<String, Place>,
    /// Path of the setting, and the variable that gives it.
    overrides: BTreeMap<String, String>,
}

/// Which part of a setting a mistake is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

/// Where a setting was found.
enum Found<'s> {
    Variable(&'s str),
    /// The place, and whether it is that of the setting itself and not of a table around it.
    File(&'s Place, bool),
    Nowhere,
}

impl Source {
    pub(crate) fn new(path: &Path, text: String, parsed: &Parsed) -> Self {
        Self {
            path: path.to_owned(),
            masked: mask(&text, parsed).into(),
            text,
            places: parsed.places.clone(),
            overrides: BTreeMap::new(),
        }
    }

    /// The file that was read.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    pub(crate) fn masked(&self) -> Arc<str> {
        Arc::clone(&self.masked)
    }

    pub(crate) fn set_overrides(&mut self, overrides: BTreeMap<String, String>) {
        self.overrides = overrides;
    }

    /// The variable that gives this very setting or a list or table around it.
    pub(crate) fn variable(&self, key: &str) -> Option<&str> {
        let found = ancestors(key).find_map(|path| self.overrides.get(path));
        found.map(String::as_str)
    }

    /// Whether the file itself has this setting.
    pub(crate) fn in_file(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    /// The line of a setting in the file, counted from 1.
    pub(crate) fn line(&self, key: &str) -> Option<usize> {
        let place = self.places.get(key)?;
        Some(self.line_column(place.value.start).0)
    }

    /// A mistake in the setting at `key`. `nested` is a range of bytes in its value, if that is
    /// text.
    pub(crate) fn diagnose(
        &self,
        key: &str,
        part: Part,
        (message, help): (String, Option<String>),
        nested: Option<Range<usize>>,
    ) -> Diagnostic {
        match self.find(key) {
            Found::Variable(variable) => {
                let mut diagnostic = self.unplaced(key, message, help);
                diagnostic.variable = Some(variable.to_owned());
                diagnostic
            }
            Found::File(place, exact) => {
                let span = match part {
                    Part::Key => place.key.clone(),
                    Part::Value => place.value.clone(),
                };
                let nested = nested.filter(|_| exact);
                let span = nested.map_or(span.clone(), |nested| self.nested(&span, &nested));
                self.at(span, key, message, help)
            }
            Found::Nowhere => self.at(0..0, key, message, help),
        }
    }

    /// A mistake at a range of bytes of the file.
    pub(crate) fn at(
        &self,
        span: Range<usize>,
        key: &str,
        message: String,
        help: Option<String>,
    ) -> Diagnostic {
        let (line, column) = self.line_column(span.start);
        let mut diagnostic = self.unplaced(key, message, help);
        diagnostic.line = Some(line);
        diagnostic.column = Some(column);
        diagnostic.span = Some(span);
        diagnostic
    }

    fn unplaced(&self, key: &str, message: String, help: Option<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            file: self.path.display().to_string(),
            line: None,
            column: None,
            key: key.to_owned(),
            message,
            help,
            variable: None,
            span: None,
        }
    }

    fn find(&self, key: &str) -> Found<'_> {
        let file_key = format!("{key}_file");
        let names = [key, file_key.as_str()];
        if let Some(variable) = names.iter().find_map(|name| self.variable(name)) {
            return Found::Variable(variable);
        }
        for exact in names {
            if let Some(place) = self.places.get(exact) {
                return Found::File(place, exact == key);
            }
        }
        let around = ancestors(key).find_map(|path| self.places.get(path));
        around.map_or(Found::Nowhere, |place| Found::File(place, false))
    }

    fn nested(&self, span: &Range<usize>, nested: &Range<usize>) -> Range<usize> {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let start = span.start + offset_in_raw(raw, nested.start);
        let end = span.start + offset_in_raw(raw, nested.end.max(nested.start));
        start..end.max(start)
    }

    /// Counted from 1, the column in characters.
    fn line_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// The path itself, then each path around it, without the root.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| parent(path)).filter(|path| !path.is_empty())
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}
