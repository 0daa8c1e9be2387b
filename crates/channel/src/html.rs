//! HTML from strangers: sanitised by an allow-list, and plain text made from it.
//!
//! Parsing HTML can cost far more than its size: what is nested deeply, or opened and never closed,
//! is copied again and again. So the cost is estimated first, in linear time, and what is too dear
//! is refused before a parser sees it. What comes out is still shown in a sandbox (P10).

mod cost;
mod plain;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};

/// Bytes of HTML in one message.
pub const HTML_BYTES_MAX: usize = 512 * 1024;
/// Elements within each other.
pub const HTML_DEPTH_MAX: usize = 512;
/// Elements that the parser may have to make, copies of unclosed ones included.
pub const HTML_ELEMENTS_MAX: usize = 500_000;

/// Why HTML is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HtmlError {
    #[error("more than {HTML_BYTES_MAX} bytes of HTML")]
    TooLarge,
    #[error("more than {HTML_DEPTH_MAX} elements within each other")]
    TooDeep,
    #[error("so many unclosed elements or attributes that reading it would take too long")]
    TooDear,
}

impl HtmlError {
    /// Stable; each has a page in `docs/errors`.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "html_too_large",
            Self::TooDeep | Self::TooDear => "html_too_deep",
        }
    }

    /// The same HTML costs the same every time.
    pub fn retryable(self) -> bool {
        false
    }
}

const TAGS: [&str; 60] = [
    "a",
    "abbr",
    "b",
    "bdi",
    "bdo",
    "blockquote",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
    "var",
];

/// Elements whose content is no text for people.
const DROPPED_WHOLE: [&str; 6] = ["script", "style", "title", "template", "noscript", "iframe"];

static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let attributes: [(&str, &[&str]); 7] = [
        ("a", &["href"]),
        ("bdo", &["dir"]),
        ("img", &["src", "alt", "width", "height"]),
        ("ol", &["start"]),
        ("td", &["colspan", "rowspan", "align"]),
        ("th", &["colspan", "rowspan", "align"]),
        ("tr", &["align"]),
    ];
    let attributes =
        attributes.into_iter().map(|(tag, names)| (tag, names.iter().copied().collect()));
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(TAGS))
        .clean_content_tags(HashSet::from(DROPPED_WHOLE))
        .tag_attributes(attributes.collect::<HashMap<_, HashSet<_>>>())
        .generic_attributes(HashSet::from(["lang", "title"]))
        // `cid` names a file of the same message and reaches nothing by itself.
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "cid"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .strip_comments(true);
    builder
});

/// What of `source` may be shown to an agent; empty if nothing is left.
pub fn sanitize(source: &str) -> Result<String, HtmlError> {
    if source.len() > HTML_BYTES_MAX {
        return Err(HtmlError::TooLarge);
    }
    let cost = cost::estimate(source);
    if cost.depth > HTML_DEPTH_MAX {
        return Err(HtmlError::TooDeep);
    }
    if cost.crowded || cost.elements > HTML_ELEMENTS_MAX {
        return Err(HtmlError::TooDear);
    }
    let clean = SANITIZER.clean(source).to_string();
    Ok(clean.trim().replace("\r\n", "\n").replace('\r', "\n"))
}

/// The words of sanitised HTML, lines as they would be seen.
pub fn text_of(clean: &str) -> String {
    // Nothing is wrapped; the width is only a bound for what html2text aligns.
    const WIDTH: usize = 1_000;
    let rendered = html2text::config::with_decorator(plain::Plain)
        .raw_mode(true)
        .no_table_borders()
        .allow_width_overflow()
        .string_from_read(clean.as_bytes(), WIDTH);
    let text = rendered.unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{HtmlError, sanitize, text_of};

    #[test]
    fn nothing_that_runs_or_calls_home_is_left() {
        for (source, clean) in [
            ("<p>Hello <b>Ada</b></p>", "<p>Hello <b>Ada</b></p>"),
            ("<img src=\"cid:logo@x\">", "<img src=\"cid:logo@x\">"),
            ("<script>alert(1)</script>ok", "ok"),
            ("<scr<script>ipt>alert(1)</script>", "ipt&gt;alert(1)"),
            ("<img src=x onerror=alert(1)>", "<img>"),
            (
                "<img src=\"https://example.com/a.png\" alt=a>",
                "<img src=\"https://example.com/a.png\" alt=\"a\">",
            ),
            (
                "<a href=\"javascript:alert(1)\">x</a>",
                "<a rel=\"noopener noreferrer nofollow\">x</a>",
            ),
            (
                "<a href=\" java\nscript:alert(1)\">x</a>",
                "<a rel=\"noopener noreferrer nofollow\">x</a>",
            ),
            ("<a href=\"data:text/html,x\">x</a>", "<a rel=\"noopener noreferrer nofollow\">x</a>"),
            ("<svg><style><img src=x onerror=alert(1)></style></svg>", ""),
            (
                "<math><mtext><table><mglyph><style><!--</style>\
                 <img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
                "<table></table>",
            ),
            ("<form action=/x><input name=a></form>", ""),
            (
                "<div style=\"background:url(https://example.com)\" class=a id=b>x</div>",
                "<div>x</div>",
            ),
            (
                "<iframe srcdoc=\"<b>\"></iframe><base href=//example.com><meta http-equiv=refresh>",
                "",
            ),
            ("a<!-- c -->b", "ab"),
        ] {
            let left = sanitize(source).unwrap();
            for bad in ["<script", "onerror", "javascript", "style=", "<iframe", "<base", "data:"] {
                let escaped = left.contains("&lt;") || !left.contains(bad);
                assert!(escaped, "{source}: {left}");
            }
            if !source.contains("<math>") && !source.contains("<svg>") {
                assert_eq!(left, clean, "{source}");
            }
        }
    }

    #[test]
    fn html_over_a_limit_is_refused_before_it_is_parsed() {
        let large = "x".repeat(super::HTML_BYTES_MAX + 1);
        assert_eq!(sanitize(&large), Err(HtmlError::TooLarge));
        assert_eq!(sanitize(&"<div>".repeat(20_000)), Err(HtmlError::TooDeep));
        assert_eq!(sanitize(&"<b>".repeat(20_000)), Err(HtmlError::TooDeep));
        let copies = "<b>".repeat(400) + &"<p>x".repeat(20_000);
        assert_eq!(sanitize(&copies), Err(HtmlError::TooDear));
        let attributes: Vec<String> = (0..50_000).map(|number| format!(" a{number}")).collect();
        let attributes = attributes.concat();
        assert_eq!(sanitize(&format!("<p{attributes}>")), Err(HtmlError::TooDear));
    }

    #[test]
    fn html_at_the_limits_is_read_in_reasonable_time() {
        let clock = std::time::Instant::now();
        for source in [
            "<div>".repeat(512) + &"x".repeat(400_000),
            "<table><tr><td>".repeat(120) + "deep",
            "<p>x".repeat(100_000),
            "<hr>".repeat(100_000),
            "<ul><li>".repeat(250) + "x",
            "<blockquote>".repeat(500) + "x",
            "<a href=https://example.com>".repeat(400) + "x",
            "<b>x</b> ".repeat(50_000),
            "<td>".repeat(100_000),
            "&lt;".repeat(100_000),
        ] {
            let clean = sanitize(&source).unwrap();
            assert!(text_of(&clean).len() <= source.len());
        }
        // Generous for a busy machine: hostile input of this size takes minutes where nothing
        // bounds it.
        assert!(clock.elapsed().as_secs() < 60);
    }

    #[test]
    fn text_of_html_reads_as_it_is_seen() {
        for (source, text) in [
            ("<p>Hello <b>Ada</b>,</p><p>thank you.</p>", "Hello Ada,\n\nthank you."),
            ("one<br>two &amp; three", "one\ntwo & three"),
            ("<ul><li>茶</li><li>咖啡 ☕</li></ul>", "* 茶\n* 咖啡 ☕"),
            ("<table><tr><td>Order</td><td>77</td></tr></table>", "Order\n77"),
            ("<h2>Title</h2><a href='https://example.com'>a link</a>", "Title\n\na link"),
            ("<ol><li>a</li><li>b</li></ol><blockquote>said</blockquote>", "1. a\n2. b\n\n> said"),
            ("<img src='https://example.com/a.png' alt='a cat'>", "a cat"),
            ("<script>x</script>", ""),
        ] {
            assert_eq!(text_of(&sanitize(source).unwrap()), text, "{source}");
        }
    }
}
