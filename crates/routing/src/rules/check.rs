//! Whether an expression may be a rule: it is small, names only what there is, and has no loop
//! within a loop.

use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedExpr};
use cel::{Env, Program};
use postroom_model::Rule;

/// Characters of an expression.
const EXPRESSION_CHARS_MAX: usize = 2_000;

/// Nodes of one expression's tree.
const NODES_MAX: usize = 1_000;

/// Compiles one rule, or says what is wrong and at which byte, if that is known.
pub(super) fn compile(env: &Env, rule: &Rule) -> Result<Program, (String, Option<usize>)> {
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
        let at = program.source_info().offset_for(id).map(|(start, _)| start as usize);
        let at = at.filter(|at| rule.when.is_char_boundary(*at));
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
