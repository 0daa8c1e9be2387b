//! Collects what failed, and looks for secrets in everything that the adapter says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use postroom_model::digest::Digest;
use postroom_model::limits::EXTERNAL_ID_CHARS_MAX;

use super::{Failure, Post};
use crate::{Adapter, Received, Refusal, SendError};

/// The statuses with which a post may be refused.
const STATUSES: [u16; 7] = [400, 401, 404, 405, 413, 415, 422];
/// Failures kept of one check; the rest would only repeat them.
const FAILURES_MAX: usize = 5;

pub(super) struct Judge {
    secrets: Vec<String>,
    failures: Vec<Failure>,
    pub(super) check: &'static str,
}

impl Judge {
    pub(super) fn new(secrets: Vec<String>) -> Self {
        Self { secrets, failures: Vec::new(), check: "start" }
    }

    pub(super) fn verdict(self) -> Result<(), Vec<Failure>> {
        if self.failures.is_empty() { Ok(()) } else { Err(self.failures) }
    }

    pub(super) fn fail(&mut self, detail: impl Into<String>) {
        let check = self.check;
        let same = self.failures.iter().filter(|one| one.check == check);
        if same.count() < FAILURES_MAX {
            self.failures.push(Failure { check, detail: detail.into() });
        }
    }

    pub(super) fn expect(&mut self, holds: bool, detail: impl FnOnce() -> String) {
        if !holds {
            self.fail(detail());
        }
    }

    /// Nothing that is said may hold a secret.
    pub(super) fn hear(&mut self, said: &str) {
        let heard = self.secrets.iter().any(|secret| said.contains(secret.as_str()));
        self.expect(!heard, || "a secret was said".to_owned());
    }

    /// Parses, and judges whatever comes of it. None if it panicked.
    pub(super) fn parse(
        &mut self,
        adapter: &dyn Adapter,
        post: &Post,
        json: bool,
    ) -> Option<Result<Received, Refusal>> {
        let Some(push) = adapter.push() else {
            self.fail("the adapter takes nothing that is posted");
            return None;
        };
        let parsed = catch_unwind(AssertUnwindSafe(|| push.parse(&post.request())));
        let Ok(parsed) = parsed else {
            let start: Vec<u8> = post.body.iter().copied().take(200).collect();
            self.fail(format!("panicked at {:?}", String::from_utf8_lossy(&start)));
            return None;
        };
        match &parsed {
            Ok(received) => self.received(received),
            Err(refusal) => self.refusal(refusal, json),
        }
        Some(parsed)
    }

    fn received(&mut self, received: &Received) {
        self.hear(&format!("{received:?}"));
        for arrival in &received.arrivals {
            let message = &arrival.message;
            let id = &message.external_id;
            let fits = !id.trim().is_empty() && id.chars().count() <= EXTERNAL_ID_CHARS_MAX;
            self.expect(fits, || format!("an external id that may not be: {id:?}"));
            let json = serde_json::to_string(message).unwrap_or_default();
            let clean = !json.contains("\\u0000");
            self.expect(clean, || "the character U+0000 came through".to_owned());
            for content in &arrival.contents {
                let named = message.attachments.get(content.attachment);
                let right = named.is_some_and(|attachment| {
                    attachment.sha256 == Some(Digest::of(&content.bytes))
                        && attachment.size_bytes == Some(content.bytes.len() as u64)
                });
                self.expect(right, || "a content whose hash or size is wrong".to_owned());
            }
        }
    }

    pub(super) fn refusal(&mut self, refusal: &Refusal, json: bool) {
        self.hear(&format!("{refusal:?} {refusal}"));
        let Refusal { status, code, pointers, .. } = refusal;
        let known = STATUSES.contains(status);
        self.expect(known, || format!("refused with the status {status}"));
        self.expect(is_code(code), || format!("no code: {code:?}"));
        let pointed = !json || *status != 422 || !pointers.is_empty();
        self.expect(pointed, || format!("{code}: 422 without a JSON pointer"));
        for (pointer, _) in pointers {
            self.expect(is_pointer(pointer), || format!("no JSON pointer: {pointer:?}"));
        }
    }

    pub(super) fn send_error(&mut self, error: &SendError) {
        self.hear(&format!("{error:?} {error}"));
        self.expect(is_code(error.code), || format!("no code: {:?}", error.code));
    }
}

fn is_code(code: &str) -> bool {
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    !code.is_empty() && code.bytes().all(good)
}

/// Empty, or starts with a slash; a tilde is followed by 0 or 1 (RFC 6901, 3).
fn is_pointer(text: &str) -> bool {
    let mut escapes = text.split('~').skip(1);
    (text.is_empty() || text.starts_with('/')) && escapes.all(|after| after.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use super::is_pointer;

    #[test]
    fn pointer_has_slashes_and_good_escapes() {
        for good in ["", "/", "/a/0", "/a~1b", "/~0", "/ä "] {
            assert!(is_pointer(good), "{good}");
        }
        for bad in ["a", "/a~", "/a~2", "#/a"] {
            assert!(!is_pointer(bad), "{bad}");
        }
    }
}
