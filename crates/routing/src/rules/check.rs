//! Whether an expression may be a rule: it is small, has no loop within a loop, cannot take long,
//! names only what there is, and asks nothing that can never be answered. What depends on the message
//! (its attributes) is left open.

use std::ops::RangeInclusive;
use std::sync::Arc;

use cel::common::ast::operators as op;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo,
};
use cel::{Env, Program};
use postroom_model::Rule;

use super::cost;
use super::opening::Calendars;
use super::patterns::Patterns;
use super::trial::Trial;
use super::vocabulary::{
    Base, CALENDAR_OPEN, DURATION, FUNCTIONS, Function, MACROS, MATCHES, REPLACE, ROOTS, Record,
    Shape, TIMESTAMP, Target, Words,
};
use super::{UnknownName, Wrong};

/// Characters of an expression.
const EXPRESSION_CHARS_MAX: usize = 2_000;

/// Nodes of one expression's tree.
const NODES_MAX: usize = 1_000;

/// Sums within a loop, each of which may make a text longer; some of them are the loop's own.
const LOOP_SUMS_MAX: usize = 16;

/// What a rule can ask about that stands elsewhere in the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) calendars: &'a Calendars,
    pub(super) channels: &'a [&'a str],
    pub(super) queues: &'a [&'a str],
}

/// Compiles one rule and the regular expressions in it, or says what is wrong.
pub(super) fn compile(
    env: &Arc<Env>,
    rule: &Rule,
    asked: Asked<'_>,
    patterns: &mut Patterns,
) -> Result<Program, Wrong> {
    let text = rule.when.as_str();
    if text.chars().count() > EXPRESSION_CHARS_MAX {
        return Err(wrong(None, format!("longer than {EXPRESSION_CHARS_MAX} characters")));
    }
    let program = env.compile(text).map_err(|errors| {
        let first = errors.errors.first();
        let message = first.map_or_else(|| "not an expression".to_owned(), |e| e.msg.clone());
        wrong(first.and_then(|error| offset_of(text, error.pos)), message)
    })?;
    let mut walk = Walk {
        text,
        source: program.source_info(),
        trial: Trial::new(env),
        asked,
        patterns,
        nodes: 0,
        loop_sums: 0,
        bound: ROOTS.to_vec(),
    };
    let whole = program.expression();
    let shape = walk.shape(whole, 0)?;
    walk.must_be(Base::Truth, shape, whole, "a rule")?;
    match cost::too_costly(whole) {
        Some(node) => Err(wrong(walk.place(node), cost::ADVICE.to_owned())),
        None => Ok(program),
    }
}

pub(super) const fn wrong(offset: Option<usize>, message: String) -> Wrong {
    Wrong { offset, message, unknown: None }
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

/// Walks an expression and says what each part of it gives.
struct Walk<'a> {
    text: &'a str,
    source: &'a SourceInfo,
    trial: Trial,
    asked: Asked<'a>,
    patterns: &'a mut Patterns,
    nodes: usize,
    loop_sums: usize,
    /// Names that can be used here; the last one of a name counts.
    bound: Vec<(&'a str, Shape)>,
}

type Checked<T> = Result<T, Wrong>;

impl<'a> Walk<'a> {
    /// What the node gives. `loops` is how many loops stand around it.
    fn shape(&mut self, node: &'a IdedExpr, loops: usize) -> Checked<Shape> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(self.wrong(node.id, "too large an expression"));
        }
        match &node.expr {
            Expr::Unspecified => Ok(Shape::FREE),
            Expr::Literal(literal) => Ok(literal_shape(literal)),
            Expr::Ident(name) => self.ident(node.id, name),
            Expr::Call(call) => self.call(node.id, call, loops),
            Expr::Select(select) => {
                let operand = self.shape(&select.operand, loops)?;
                let at = self.after(node.id, &select.field);
                let found = field(operand, &select.field, at)?;
                Ok(if select.test { Shape::TRUTH } else { found })
            }
            Expr::List(list) => {
                let mut element = Shape::one(Base::Nothing);
                for one in &list.elements {
                    element = element.or(self.shape(one, loops)?);
                }
                Ok(element.list())
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.shape(&entry.key, loops)?;
                        self.shape(&entry.value, loops)?;
                    }
                }
                Ok(Shape::FREE)
            }
            Expr::Struct(_) => Err(self.wrong(node.id, "there are no types to make values of")),
            Expr::Comprehension(inner) => self.comprehension(node.id, inner, loops),
        }
    }

    fn ident(&self, id: u64, name: &str) -> Checked<Shape> {
        if let Some((_, shape)) = self.bound.iter().rev().find(|(bound, _)| *bound == name) {
            return Ok(*shape);
        }
        let known = self.bound.iter().filter(|(name, _)| !name.starts_with('@'));
        let mut known: Vec<&str> = known.map(|(name, _)| *name).collect();
        known.push("calendar");
        Err(unknown(self.start(id), name, "names", &known))
    }

    fn call(&mut self, id: u64, call: &'a CallExpr, loops: usize) -> Checked<Shape> {
        if let Some(target) = call.target.as_deref() {
            if let Some(space) = self.namespace(target) {
                return self.function(id, Some(space), call, None, loops);
            }
            let target = self.shape(target, loops)?;
            return self.function(id, None, call, Some(target), loops);
        }
        match self.operator(id, call, loops)? {
            Some(shape) => Ok(shape),
            None => self.function(id, None, call, None, loops),
        }
    }

    /// The first part of a name such as `strings.quote`.
    fn namespace(&self, target: &'a IdedExpr) -> Option<&'a str> {
        let Expr::Ident(name) = &target.expr else { return None };
        let is_bound = self.bound.iter().any(|(bound, _)| bound == name);
        let spaces = FUNCTIONS.iter().filter_map(|function| function.name.split_once('.'));
        let is_space = spaces.into_iter().any(|(space, _)| space == name);
        (!is_bound && is_space).then_some(name)
    }

    /// None if it is no operator.
    fn operator(&mut self, id: u64, call: &'a CallExpr, loops: usize) -> Checked<Option<Shape>> {
        let name = call.func_name.as_str();
        if !name.contains(['_', '@']) || name.starts_with(char::is_alphanumeric) {
            return Ok(None);
        }
        let mut shapes = Vec::with_capacity(call.args.len());
        for one in &call.args {
            shapes.push(self.shape(one, loops)?);
        }
        let shape = match (name, call.args.as_slice(), shapes.as_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT, args, given) => {
                for (node, shape) in args.iter().zip(given) {
                    self.must_be(Base::Truth, *shape, node, "what is joined by &&, || and !")?;
                }
                Shape::TRUTH
            }
            (op::CONDITIONAL, [asked, ..], [first, then, other]) => {
                self.must_be(Base::Truth, *first, asked, "what stands before ?")?;
                if !then.meets(*other) {
                    let (then, other) = (then.describe(), other.describe());
                    let message = format!("? gives {then} or {other}, and both must be the same");
                    return Err(self.wrong(id, &message));
                }
                then.or(*other)
            }
            (
                op::EQUALS
                | op::NOT_EQUALS
                | op::LESS
                | op::LESS_EQUALS
                | op::GREATER
                | op::GREATER_EQUALS,
                [one, other],
                [left, right],
            ) => {
                self.word(*left, other)?;
                self.word(*right, one)?;
                self.comparison(id, *left, *right)?
            }
            (op::IN, [_, list], [one, held]) => self.held(id, *one, *held, list)?,
            (op::INDEX, [_, index], [held, _]) => self.index(*held, index)?,
            (op::OPT_SELECT | op::OPT_INDEX, [_, index], [held, _]) => {
                self.index(*held, index)?;
                Shape::FREE
            }
            (op::ADD, _, [left, right]) => {
                self.loop_sums += usize::from(loops > 0);
                if self.loop_sums > LOOP_SUMS_MAX {
                    let message = format!("more than {LOOP_SUMS_MAX} sums within a loop");
                    return Err(self.wrong(id, &message));
                }
                self.sum(id, *left, *right)?
            }
            (op::SUBSTRACT, args, [left, right]) => self.difference(args, *left, *right)?,
            (op::NOT_STRICTLY_FALSE, ..) => Shape::TRUTH,
            (op::MULTIPLY | op::DIVIDE | op::MODULO | op::NEGATE, args, given) => {
                for (node, shape) in args.iter().zip(given) {
                    self.must_be(Base::Number, *shape, node, "what is reckoned with")?;
                }
                Shape::NUMBER
            }
            _ => return Ok(None),
        };
        Ok(Some(shape))
    }

    fn comparison(&self, id: u64, left: Shape, right: Shape) -> Checked<Shape> {
        if left.meets(right) {
            return Ok(Shape::TRUTH);
        }
        let (left, right) = (left.describe(), right.describe());
        Err(self.wrong(id, &format!("{left} is compared with {right}")))
    }

    fn held(&self, id: u64, one: Shape, held: Shape, list: &IdedExpr) -> Checked<Shape> {
        let Some(element) = held.element() else {
            let what = held.describe();
            let message = format!("`in` asks a list, and this is {what}; a text has contains(…)");
            return Err(self.wrong(id, &message));
        };
        if !one.meets(element) {
            let (one, element) = (one.describe(), element.describe());
            let message = format!("{one} is looked for where each is {element}");
            return Err(self.wrong(id, &message));
        }
        if let Expr::List(list) = &list.expr {
            for node in &list.elements {
                self.word(one, node)?;
            }
        }
        Ok(Shape::TRUTH)
    }

    /// What a word of a closed set is compared with is one of them.
    fn word(&self, shape: Shape, with: &IdedExpr) -> Checked<()> {
        let (Base::Word(words), Some(text)) = (shape.base, literal_text(with)) else {
            return Ok(());
        };
        let known = match words {
            Words::Channels => self.asked.channels,
            Words::Queues => self.asked.queues,
            _ => words.fixed(),
        };
        // A field that is absent is an empty text.
        if shape.is_list() || text.is_empty() || known.contains(&text) {
            return Ok(());
        }
        Err(unknown(self.after(with.id, text), text, words.what(), known))
    }

    fn sum(&self, id: u64, left: Shape, right: Shape) -> Checked<Shape> {
        let is = |one: Base, other: Base| left.is(one) && right.is(other);
        match (left, right) {
            _ if left.is_open() || right.is_open() => Ok(Shape::FREE),
            _ if left.is_list() && right.is_list() => Ok(left.or(right)),
            _ if is(Base::Text, Base::Text) => Ok(Shape::TEXT),
            _ if is(Base::Number, Base::Number) => Ok(Shape::NUMBER),
            _ if is(Base::Span, Base::Span) => Ok(Shape::SPAN),
            _ if is(Base::Time, Base::Span) || is(Base::Span, Base::Time) => Ok(Shape::TIME),
            _ => {
                let (left, right) = (left.describe(), right.describe());
                Err(self.wrong(id, &format!("{left} and {right} make no sum; see string(…)")))
            }
        }
    }

    fn difference(&self, nodes: &[IdedExpr], left: Shape, right: Shape) -> Checked<Shape> {
        let is = |one: Base, other: Base| left.is(one) && right.is(other);
        match (left, right) {
            _ if left.is_open() && right.is_open() => Ok(Shape::FREE),
            _ if is(Base::Number, Base::Number) => Ok(Shape::NUMBER),
            // What is open is a time here, or a duration.
            _ if left.is_open() => Ok(Shape::FREE),
            _ if is(Base::Time, Base::Span) => Ok(Shape::TIME),
            _ if is(Base::Time, Base::Time) || is(Base::Span, Base::Span) => Ok(Shape::SPAN),
            _ => {
                for (node, shape) in nodes.iter().zip([left, right]) {
                    self.must_be(Base::Number, shape, node, "what is reckoned with")?;
                }
                Ok(Shape::NUMBER)
            }
        }
    }

    fn index(&self, held: Shape, index: &IdedExpr) -> Checked<Shape> {
        match (&index.expr, held.base) {
            (Expr::Literal(LiteralValue::String(name)), Base::Record(_)) if !held.is_list() => {
                field(held, name.inner(), self.after(index.id, name.inner()))
            }
            _ => Ok(held.element().unwrap_or(Shape::FREE)),
        }
    }

    /// `space` is the first part of a name such as `strings.quote`.
    fn function(
        &mut self,
        id: u64,
        space: Option<&str>,
        call: &'a CallExpr,
        target: Option<Shape>,
        loops: usize,
    ) -> Checked<Shape> {
        let whole = space.map(|space| format!("{space}.{}", call.func_name));
        let name = whole.as_deref().unwrap_or(&call.func_name);
        let at = self.before(id, space.unwrap_or(&call.func_name));
        let named = || FUNCTIONS.iter().filter(|function| function.name == name);
        if named().next().is_none() {
            return Err(unknown_function(at, name, target.is_some()));
        }
        let way = named().find(|way| (way.target == Target::Alone) == target.is_none());
        let Some(way) = way else {
            let how = if target.is_some() { "alone" } else { "on a value" };
            return Err(wrong(at, format!("`{name}` is called {how}")));
        };
        if let Some(shape) = target.filter(|shape| !way.target.takes(*shape)) {
            let (asked, given) = (way.target.describe(), shape.describe());
            return Err(wrong(at, format!("`{name}` is asked of {asked}, and this is {given}")));
        }
        self.arguments(at, way, call, loops)?;
        match name {
            MATCHES => self.pattern(call)?,
            CALENDAR_OPEN => self.calendar(call)?,
            REPLACE => self.replacement(call)?,
            TIMESTAMP => self.tried(call, Trial::timestamp)?,
            DURATION => self.tried(call, Trial::duration)?,
            _ if way.target == Target::Time => self.tried(call, Trial::zone)?,
            _ => {}
        }
        Ok(way.gives)
    }

    fn arguments(
        &mut self,
        at: Option<usize>,
        way: &Function,
        call: &'a CallExpr,
        loops: usize,
    ) -> Checked<()> {
        let many = way.least..=way.args.len();
        if !many.contains(&call.args.len()) {
            let (name, given) = (way.name, call.args.len());
            let takes = counted(&many);
            return Err(wrong(at, format!("`{name}` takes {takes}, and here it is given {given}")));
        }
        for (node, base) in call.args.iter().zip(way.args) {
            let shape = self.shape(node, loops)?;
            if *base != Base::Free {
                self.must_be(*base, shape, node, &format!("what `{}` is given", way.name))?;
            }
        }
        Ok(())
    }

    /// A regular expression is compiled now, so it must stand here.
    fn pattern(&mut self, call: &CallExpr) -> Checked<()> {
        let Some(node) = call.args.last() else { return Ok(()) };
        let Expr::Literal(LiteralValue::String(pattern)) = &node.expr else {
            let message = "the regular expression of `matches` must be written out in quotes";
            return Err(self.wrong(node.id, message));
        };
        self.patterns.add(pattern.inner()).map_err(|message| self.wrong(node.id, &message))
    }

    /// What is put in is no longer than what is taken out, so that a text never grows by it: each of
    /// several would make it as much longer again.
    fn replacement(&self, call: &CallExpr) -> Checked<()> {
        let [old, new, ..] = call.args.as_slice() else { return Ok(()) };
        let text = |node: &IdedExpr| match &node.expr {
            Expr::Literal(LiteralValue::String(text)) => Some(text.inner().len()),
            _ => None,
        };
        match (text(old), text(new)) {
            (_, Some(0)) => Ok(()),
            (Some(old), Some(new)) if new <= old => Ok(()),
            _ => {
                let message = "what `replace` puts in must be written out in quotes, like what it \
                               takes out, and be no longer than that";
                Err(self.wrong(new.id, message))
            }
        }
    }

    /// What is given in quotes is tried now, for it would fail for every message.
    fn tried(&self, call: &CallExpr, trial: fn(&Trial, &str) -> Result<(), Wrong>) -> Checked<()> {
        let Some(node) = call.args.last() else { return Ok(()) };
        let Some(text) = literal_text(node) else { return Ok(()) };
        trial(&self.trial, text)
            .map_err(|wrong| Wrong { offset: self.after(node.id, text), ..wrong })
    }

    /// Only calendars that there are, and that ever open, can be asked.
    fn calendar(&self, call: &CallExpr) -> Checked<()> {
        let Some(node) = call.args.last() else { return Ok(()) };
        let Expr::Literal(LiteralValue::String(name)) = &node.expr else {
            let message = "the id of the calendar must be written out in quotes";
            return Err(self.wrong(node.id, message));
        };
        match self.asked.calendars.opens(name.inner()) {
            Some(true) => return Ok(()),
            Some(false) => {
                let message = "this calendar has no hours, so it is never open";
                return Err(wrong(self.after(node.id, name.inner()), message.to_owned()));
            }
            None => {}
        }
        let known: Vec<&str> = self.asked.calendars.names().collect();
        Err(unknown(self.after(node.id, name.inner()), name.inner(), "calendars", &known))
    }

    fn comprehension(
        &mut self,
        id: u64,
        inner: &'a ComprehensionExpr,
        loops: usize,
    ) -> Checked<Shape> {
        if loops > 0 {
            return Err(self.wrong(id, "a loop within a loop could take very long"));
        }
        let range = self.shape(&inner.iter_range, loops)?;
        let Some(element) = range.element() else {
            let what = range.describe();
            return Err(self.wrong(inner.iter_range.id, &format!("{what} cannot be looped over")));
        };
        let gathered = self.shape(&inner.accu_init, loops)?;
        let outside = self.bound.len();
        self.bound.push((&inner.accu_var, gathered));
        self.bound.push((&inner.iter_var, element));
        self.bound.extend(inner.iter_var2.as_deref().map(|name| (name, Shape::FREE)));
        let inside = self.turns(inner, loops + 1);
        self.bound.truncate(outside);
        inside
    }

    fn turns(&mut self, inner: &'a ComprehensionExpr, loops: usize) -> Checked<Shape> {
        self.shape(&inner.loop_cond, loops)?;
        let step = self.shape(&inner.loop_step, loops)?;
        self.bound.push((&inner.accu_var, step));
        self.shape(&inner.result, loops)
    }

    fn must_be(&self, base: Base, shape: Shape, node: &IdedExpr, what: &str) -> Checked<()> {
        if shape.is(base) {
            return Ok(());
        }
        let wanted = Shape::one(base);
        let (wanted, given) = (wanted.describe(), shape.describe());
        Err(self.wrong(node.id, &format!("{what} must be {wanted}, and this is {given}")))
    }

    fn wrong(&self, id: u64, message: &str) -> Wrong {
        wrong(self.start(id), message.to_owned())
    }

    /// The byte of the name of what is called, or at which the node is noted.
    fn place(&self, node: &IdedExpr) -> Option<usize> {
        match &node.expr {
            Expr::Call(call) if call.func_name.starts_with(char::is_alphabetic) => {
                self.before(node.id, &call.func_name)
            }
            _ => self.start(node.id),
        }
    }

    /// The byte at which the node is noted.
    fn start(&self, id: u64) -> Option<usize> {
        let (at, _) = self.source.offset_for(id)?;
        let at = usize::try_from(at).ok()?;
        self.text.is_char_boundary(at).then_some(at)
    }

    /// The byte of a name behind the dot at which the node is noted.
    fn after(&self, id: u64, name: &str) -> Option<usize> {
        let at = self.start(id)?;
        let found = self.text.get(at..).and_then(|rest| rest.find(name));
        Some(found.map_or(at, |found| at + found))
    }

    /// The byte of a name before the parenthesis at which the node is noted.
    fn before(&self, id: u64, name: &str) -> Option<usize> {
        let at = self.start(id)?;
        Some(self.text.get(..at).and_then(|text| text.rfind(name)).unwrap_or(at))
    }
}

fn literal_text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn literal_shape(literal: &LiteralValue) -> Shape {
    match literal {
        LiteralValue::Boolean(_) => Shape::TRUTH,
        LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_) => Shape::NUMBER,
        LiteralValue::String(_) => Shape::TEXT,
        LiteralValue::Bytes(_) | LiteralValue::Null => Shape::FREE,
    }
}

/// A field of what has fields; what depends on the message has any.
fn field(operand: Shape, name: &str, at: Option<usize>) -> Checked<Shape> {
    match operand.base {
        _ if operand.is_open() => Ok(Shape::FREE),
        Base::Record(record) if !operand.is_list() => known_field(record, name, at),
        _ => {
            let what = operand.describe();
            let advice = if operand.is_list() { "; ask with exists(one, …)" } else { "" };
            Err(wrong(at, format!("`{name}` is asked of {what}, which has no fields{advice}")))
        }
    }
}

fn known_field(record: Record, name: &str, at: Option<usize>) -> Checked<Shape> {
    let fields = record.fields();
    if let Some((_, shape)) = fields.iter().find(|(field, _)| *field == name) {
        return Ok(*shape);
    }
    let known: Vec<&str> = fields.iter().map(|(field, _)| *field).collect();
    Err(unknown(at, name, "fields", &known))
}

fn unknown_function(at: Option<usize>, name: &str, has_target: bool) -> Wrong {
    if let Some((_, how)) = MACROS.iter().find(|(known, _)| *known == name) {
        return wrong(at, format!("`{name}` is called as {how}"));
    }
    let fitting = FUNCTIONS.iter().filter(|way| (way.target != Target::Alone) == has_target);
    let mut known: Vec<&str> = fitting.map(|way| way.name).collect();
    known
        .extend(MACROS.iter().map(|(name, _)| *name).filter(|name| (*name != "has") == has_target));
    unknown(at, name, "functions", &known)
}

pub(super) fn unknown(
    offset: Option<usize>,
    word: &str,
    what: &'static str,
    known: &[&str],
) -> Wrong {
    let known = known.iter().map(|&name| name.to_owned()).collect();
    let unknown = UnknownName { word: word.to_owned(), what, known };
    Wrong { offset, message: format!("`{word}` is not known"), unknown: Some(unknown) }
}

fn counted(many: &RangeInclusive<usize>) -> String {
    let (least, most) = (many.start(), many.end());
    match (least, most) {
        (0, 0) => "nothing".to_owned(),
        (1, 1) => "one value".to_owned(),
        _ if least == most => format!("{least} values"),
        _ => format!("{least} to {most} values"),
    }
}
