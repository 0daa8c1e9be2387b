//! What it may cost to parse HTML, estimated in one pass over its tags without building a tree.
//!
//! A parser after the HTML standard copies every formatting element that was opened and not closed
//! (`<b>`, `<font>`…) into each block that follows. A few kilobytes of unclosed tags and many
//! blocks make millions of elements. The estimate errs on the high side.

use std::collections::BTreeMap;

/// Elements that are opened anew in every block until they are closed.
const FORMATTING: [&str; 14] = [
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];
/// Elements without content.
const VOID: [&str; 15] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr", "keygen",
];
/// Elements whose end tag may be left out: they end where the next of them or their parent does.
const IMPLIED: [&str; 16] = [
    "p", "li", "dd", "dt", "option", "optgroup", "tr", "td", "th", "tbody", "thead", "tfoot",
    "colgroup", "caption", "rp", "rt",
];
/// Elements behind which an end tag no longer reaches the formatting elements before them.
const MARKERS: [&str; 12] = [
    "table", "td", "th", "caption", "applet", "object", "marquee", "template", "svg", "math",
    "select", "button",
];
/// Attributes of one tag: each is compared with all before it.
const ATTRIBUTES_MAX: usize = 128;
/// Bytes of tags that are looked through for attributes, as a multiple of the size: tags that seem
/// to stand within each other are looked through more than once.
const SCAN_FACTOR: usize = 8;
/// Blocks within a formatting element up to which its end tag surely ends it.
const BLOCKS_MAX: usize = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cost {
    /// Elements within each other.
    pub(super) depth: usize,
    /// Elements that are made, copies included.
    pub(super) elements: usize,
    /// A tag has too many attributes.
    pub(super) crowded: bool,
}

pub(super) fn estimate(source: &str) -> Cost {
    let mut open = Open::default();
    open.cost.crowded = is_crowded(source);
    for (index, piece) in source.split('<').enumerate() {
        // What stands before the first bracket is text.
        if index > 0 {
            open.tag(piece);
        }
        open.cost.elements = open.cost.elements.saturating_add(1 + open.copies());
    }
    open.cost
}

/// Whether any tag has more attributes than it may. What seems to be a tag is looked at wherever it
/// stands, in comments and in quotes too: a parser may see it otherwise than this one does.
fn is_crowded(source: &str) -> bool {
    let bytes = source.as_bytes();
    let mut budget = source.len() * SCAN_FACTOR + 1_024;
    for (start, pair) in bytes.windows(2).enumerate() {
        if let [b'<', letter] = pair
            && letter.is_ascii_alphabetic()
        {
            let tag = bytes.get(start + 1..).unwrap_or_default();
            let (attributes, scanned) = attributes(tag);
            budget = budget.saturating_sub(scanned);
            if attributes > ATTRIBUTES_MAX || budget == 0 {
                return true;
            }
        }
    }
    false
}

/// Attributes of the tag whose name `tag` starts with, and the bytes looked at; counts no further
/// than one over the limit.
fn attributes(tag: &[u8]) -> (usize, usize) {
    let ends_name = |c: u8| c.is_ascii_whitespace() || matches!(c, b'/' | b'>');
    let skip = |from: usize, pass: &dyn Fn(u8) -> bool| {
        let rest = tag.get(from..).unwrap_or_default().iter();
        from + rest.take_while(|c| pass(**c)).count()
    };
    let mut at = skip(0, &|c| !ends_name(c));
    let mut count = 0;
    loop {
        at = skip(at, &|c| c.is_ascii_whitespace() || c == b'/');
        if count > ATTRIBUTES_MAX || matches!(tag.get(at), None | Some(b'>')) {
            return (count, at);
        }
        count += 1;
        at = skip(at + 1, &|c| !ends_name(c) && c != b'=');
        at = skip(at, &|c| c.is_ascii_whitespace());
        if tag.get(at) != Some(&b'=') {
            continue;
        }
        at = skip(at + 1, &|c| c.is_ascii_whitespace());
        at = match tag.get(at) {
            Some(&quote @ (b'"' | b'\'')) => skip(at + 1, &|c| c != quote) + 1,
            _ => skip(at, &|c| !c.is_ascii_whitespace() && c != b'>'),
        };
    }
}

/// What is open, as far as can be told without a tree.
#[derive(Default)]
struct Open {
    cost: Cost,
    /// Formatting elements since the last marker: which, and the blocks opened before it.
    formatting: Vec<(usize, usize)>,
    /// Formatting elements that may stay open whatever end tags follow.
    stuck: usize,
    blocks: usize,
    /// Other elements, by name.
    others: BTreeMap<String, usize>,
    nested: usize,
    implied: [usize; IMPLIED.len()],
}

impl Open {
    fn copies(&self) -> usize {
        self.formatting.len() + self.stuck
    }

    /// `piece` is what stands between one `<` and the next.
    fn tag(&mut self, piece: &str) {
        let (closing, rest) = match piece.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, piece),
        };
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return;
        }
        let name: String = rest
            .chars()
            .take_while(|c| !c.is_ascii_whitespace() && !matches!(c, '/' | '>' | '\0'))
            .take(32)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if closing {
            self.end(&name);
        } else {
            self.start(name);
        }
        let implied = self.implied.iter().map(|count| *count.min(&(self.nested + 1)));
        let depth = self.nested + self.copies() + implied.sum::<usize>();
        self.cost.depth = self.cost.depth.max(depth);
    }

    fn start(&mut self, name: String) {
        if VOID.contains(&name.as_str()) {
            return;
        }
        if MARKERS.contains(&name.as_str()) {
            self.forget_ends();
        }
        if let Some(kind) = FORMATTING.iter().position(|one| *one == name) {
            self.formatting.push((kind, self.blocks));
        } else {
            self.blocks += 1;
            if let Some(kind) = IMPLIED.iter().position(|one| *one == name) {
                self.implied[kind] += 1;
            } else {
                self.nested += 1;
                *self.others.entry(name).or_default() += 1;
            }
        }
    }

    fn end(&mut self, name: &str) {
        if MARKERS.contains(&name) {
            self.forget_ends();
        }
        if let Some(kind) = FORMATTING.iter().position(|one| *one == name) {
            let last = self.formatting.iter().rposition(|(one, _)| *one == kind);
            if let Some((_, blocks)) = last.map(|index| self.formatting.remove(index))
                && self.blocks - blocks > BLOCKS_MAX
            {
                self.stuck += 1;
            }
        } else if let Some(kind) = IMPLIED.iter().position(|one| *one == name) {
            self.implied[kind] = self.implied[kind].saturating_sub(1);
        } else if let Some(count) = self.others.get_mut(name)
            && *count > 0
        {
            *count -= 1;
            self.nested -= 1;
        }
    }

    /// Ends that follow may no longer reach what is open now.
    fn forget_ends(&mut self) {
        self.stuck += self.formatting.len();
        self.formatting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::estimate;

    #[test]
    fn ordinary_html_costs_about_its_tags() {
        let letter = "<div><p>Hello <b>Ada</b>,<br>thank you.</p><ul><li>one<li>two</ul></div>";
        let cost = estimate(letter);
        assert!(cost.depth <= 6, "{cost:?}");
        assert!(cost.elements < 30, "{cost:?}");

        let row = "<tr><td><b>a</b></td><td><a href='https://example.com'>b</a></td></tr>";
        let table = format!("<table>{}</table>", row.repeat(1_000));
        let cost = estimate(&table);
        assert!(cost.depth <= 10, "{cost:?}");
        assert!(cost.elements < 15_000, "{cost:?}");
    }

    #[test]
    fn unclosed_paragraphs_and_items_do_not_count_as_nested() {
        let cost = estimate(&"<p>one<li>two".repeat(5_000));
        assert!(cost.depth <= 4, "{cost:?}");
    }

    #[test]
    fn crowded_tag_is_found_wherever_it_hides() {
        let many: Vec<String> = (0..200).map(|number| format!(" a{number}")).collect();
        let many = many.concat();
        for (source, crowded) in [
            (format!("<p{many}>"), true),
            (format!("<p a=\">\"{many}>"), true),
            (format!("<style><a b=\"</style><p{many}>"), true),
            (format!("<p a='<'{many}>"), true),
            (format!("<p title=\"{many}\">x</p>"), false),
            (format!("<p>{many}</p>"), false),
            ("<p a=1 b='2' c=\"3\" d / e=f>".to_owned(), false),
            ("<p".to_owned(), false),
        ] {
            assert_eq!(estimate(&source).crowded, crowded, "{source}");
        }
        assert!(estimate(&"<a b=\"".repeat(50_000)).crowded);
    }

    #[test]
    fn nesting_and_unclosed_formatting_are_dear() {
        assert_eq!(estimate(&"<div>".repeat(600)).depth, 600);
        assert!(estimate(&"<div></p>".repeat(600)).depth >= 600);
        let attack = format!("{}{}", "<b>".repeat(400), "<p>x".repeat(10_000));
        assert!(estimate(&attack).elements > 4_000_000);
        let shielded =
            format!("{}{}", "<b><table><td></b></table>".repeat(100), "<p>x".repeat(10_000));
        assert!(estimate(&shielded).elements > 1_000_000);
    }
}
