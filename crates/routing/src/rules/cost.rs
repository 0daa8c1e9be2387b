//! What an expression may cost for the longest message that it can see, reckoned before there is a
//! message. Only an upper bound, in steps of about a byte that is looked at; what the parts give is
//! for the check to say.

use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue};

use super::facts::{LIST_MAX, TEXT_BYTES_MAX};
use super::vocabulary::{CALENDAR_OPEN, MATCHES, REPLACE, SPLIT};

/// Steps of one expression.
const STEPS_MAX: u64 = 32 * 1024 * 1024;

/// Steps of a node, whatever it is.
const NODE_STEPS: u64 = 24;

/// Steps of a call that looks up what was made ready with the rules.
const LOOKUP_STEPS: u64 = 100;

/// Steps of each character that becomes an entry of a list.
const SPLIT_STEPS: u64 = 20;

/// Bytes of a short text, such as a name or an address.
const NAME_BYTES: u64 = 512;

/// What a value may hold.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// Of all its texts together.
    bytes: u64,
    entries: u64,
    /// Its fields come with the message, and are no larger than it.
    free: bool,
}

impl Size {
    const SMALL: Self = Self::text(8);
    const NAME: Self = Self::text(NAME_BYTES);
    const LONG: Self = Self::text(TEXT_BYTES_MAX as u64);
    const LIST: Self =
        Self { entries: LIST_MAX as u64, ..Self::text(NAME_BYTES * LIST_MAX as u64) };
    const FREE: Self = Self { entries: LIST_MAX as u64, free: true, ..Self::LONG };

    const fn text(bytes: u64) -> Self {
        Self { bytes, entries: 0, free: false }
    }

    const fn with(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            entries: self.entries.saturating_add(other.entries),
            free: self.free || other.free,
        }
    }

    /// What each turn of a loop over it sees; all turns together see no more than there is.
    fn each(self) -> Self {
        let bytes = self.bytes.div_ceil(self.entries.max(1)).max(1);
        if self.free { Self { bytes, ..self } } else { Self::text(bytes) }
    }

    /// One entry of it, which may be a list of all that there is.
    const fn indexed(self) -> Self {
        if self.free { self } else { Self { entries: self.bytes.saturating_add(1), ..self } }
    }

    const fn whole(self) -> u64 {
        self.bytes.saturating_add(self.entries)
    }

    /// A field of it.
    fn field(self, name: &str) -> Self {
        match name {
            _ if self.free => self,
            "text" | "visible_text" | "html" => Self::LONG,
            "to" | "cc" | "reply_to" | "in_reply_to" | "references" | "attachments"
            | "addresses" | "kinds" | "tags" => Self::LIST,
            "attributes" => Self::FREE,
            _ => Self::NAME,
        }
    }
}

/// The node with which an expression costs too much; none if it may be a rule.
pub(super) fn too_costly(whole: &IdedExpr) -> Option<&IdedExpr> {
    let mut reckoning = Reckoning { steps: 0, turns: 1, bound: Vec::new() };
    reckoning.size(whole).err()
}

/// What to do about an expression that costs too much.
pub(super) const ADVICE: &str = "with this the rule could take too long for a long message; ask it \
                                 outside of the loop, or give `split` a limit, as in split(' ', 50)";

struct Reckoning<'a> {
    steps: u64,
    /// How often what is reckoned now is asked.
    turns: u64,
    /// What loops see.
    bound: Vec<(&'a str, Size)>,
}

type Reckoned<'a> = Result<Size, &'a IdedExpr>;

impl<'a> Reckoning<'a> {
    /// What the node may give; an error is the node with which it becomes too much.
    fn size(&mut self, node: &'a IdedExpr) -> Reckoned<'a> {
        let (steps, size) = match &node.expr {
            Expr::Literal(LiteralValue::String(text)) => (0, Size::text(text.inner().len() as u64)),
            Expr::Unspecified | Expr::Literal(_) | Expr::Struct(_) => (0, Size::SMALL),
            Expr::Ident(name) => (0, self.named(name)),
            Expr::Select(select) => (0, self.size(&select.operand)?.field(&select.field)),
            Expr::Call(call) => self.call(call)?,
            Expr::List(list) => {
                let mut size = Size { bytes: 0, entries: list.elements.len() as u64, free: false };
                for one in &list.elements {
                    size.bytes = size.bytes.saturating_add(self.size(one)?.bytes);
                }
                (size.bytes, size)
            }
            Expr::Map(map) => {
                let mut size = Size { bytes: 0, entries: map.entries.len() as u64, free: true };
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        let (key, value) = (self.size(&entry.key)?, self.size(&entry.value)?);
                        size = size.with(key).with(value);
                    }
                }
                (size.bytes, size)
            }
            Expr::Comprehension(inner) => (0, self.comprehension(inner)?),
        };
        let once = steps.saturating_add(NODE_STEPS);
        self.steps = self.steps.saturating_add(once.saturating_mul(self.turns));
        if self.steps > STEPS_MAX { Err(node) } else { Ok(size) }
    }

    fn named(&self, name: &str) -> Size {
        let bound = self.bound.iter().rev().find(|(bound, _)| *bound == name);
        bound.map_or(Size::LONG, |(_, size)| *size)
    }

    fn comprehension(&mut self, inner: &'a ComprehensionExpr) -> Reckoned<'a> {
        let range = self.size(&inner.iter_range)?;
        self.size(&inner.accu_init)?;
        let (outside, turns) = (self.bound.len(), self.turns);
        // What is gathered is not copied with each turn.
        self.bound.push((&inner.accu_var, Size::text(0)));
        self.bound.push((&inner.iter_var, range.each()));
        self.bound.extend(inner.iter_var2.as_deref().map(|name| (name, range.each())));
        let entries = range.entries.max(1);
        self.turns = turns.saturating_mul(entries);
        self.size(&inner.loop_cond)?;
        let step = self.size(&inner.loop_step)?;
        self.turns = turns;
        let gathered = Size { bytes: step.bytes.saturating_mul(entries), entries, ..step };
        self.bound.push((&inner.accu_var, gathered));
        let result = self.size(&inner.result);
        self.bound.truncate(outside);
        result
    }

    /// The steps of a call beside those of its parts, and what it may give.
    fn call(&mut self, call: &'a CallExpr) -> Result<(u64, Size), &'a IdedExpr> {
        let target = match call.target.as_deref() {
            Some(target) => Some(self.size(target)?),
            None => None,
        };
        let mut sizes: Vec<Size> = target.into_iter().collect();
        for one in &call.args {
            sizes.push(self.size(one)?);
        }
        let all = sizes.iter().fold(Size::text(0), |all, one| all.with(*one));
        let least = sizes.iter().map(|one| one.whole()).min().unwrap_or(0);
        Ok(match call.func_name.as_str() {
            op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE => {
                (0, Size::SMALL)
            }
            // They end where the shorter one does.
            op::EQUALS
            | op::NOT_EQUALS
            | op::LESS
            | op::LESS_EQUALS
            | op::GREATER
            | op::GREATER_EQUALS
            | "startsWith"
            | "endsWith" => (least, Size::SMALL),
            op::CONDITIONAL => (0, all),
            op::INDEX | op::OPT_SELECT | op::OPT_INDEX => (0, all.indexed()),
            op::IN | "contains" | "size" => (all.whole(), Size::SMALL),
            // What is looked for may be compared at each place anew.
            "indexOf" | "lastIndexOf" => {
                let (text, sought) = (sizes.first(), call.args.first());
                let sought = sought.map_or(0, |node| match &node.expr {
                    Expr::Literal(LiteralValue::String(text)) => text.inner().len() as u64,
                    _ => TEXT_BYTES_MAX as u64,
                });
                let text = text.map_or(0, |size| size.bytes);
                (text.saturating_mul(sought.saturating_add(4)), Size::SMALL)
            }
            MATCHES | CALENDAR_OPEN => {
                (all.whole().saturating_mul(2).saturating_add(LOOKUP_STEPS), Size::SMALL)
            }
            SPLIT => (all.bytes.saturating_mul(SPLIT_STEPS), split(call, all.bytes)),
            REPLACE => {
                let size = sizes.first().copied().unwrap_or(Size::LONG);
                (all.bytes.saturating_mul(4), size)
            }
            "join" => {
                let between = all.entries.saturating_mul(sizes.get(1).map_or(0, |one| one.bytes));
                let bytes = all.bytes.saturating_add(between);
                (bytes.saturating_mul(4), Size::text(bytes))
            }
            // Quoting makes a text twice as long, at most.
            "quote" => (all.bytes.saturating_mul(4), Size::text(all.bytes.saturating_mul(2))),
            _ => (all.bytes.saturating_mul(4), all),
        })
    }
}

/// Each character may be an entry, unless a written-out limit says less.
fn split(call: &CallExpr, bytes: u64) -> Size {
    let limit = call.args.get(1).and_then(|node| match &node.expr {
        Expr::Literal(LiteralValue::Int(limit)) => u64::try_from(*limit.inner()).ok(),
        _ => None,
    });
    let most = bytes.saturating_add(1);
    Size { bytes, entries: limit.unwrap_or(most).min(most), free: false }
}
