//! What was ever accepted from outside, by its ids.

use postroom_model::digest::Digest;
use postroom_model::{ChannelId, InputId, MessageId, WorkspaceId};

/// The ids of all inputs that a ledger tells of, however old. For what happens rarely: a source that was
/// set up anew, or that is compared with what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    workspace: WorkspaceId,
    ids: Vec<InputId>,
}

impl Known {
    pub fn new(workspace: WorkspaceId, mut ids: Vec<InputId>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        ids.shrink_to_fit();
        Self { workspace, ids }
    }

    /// Whether a message with this id came in through the channel.
    pub fn holds(&self, channel: &ChannelId, external_id: &str) -> bool {
        let id = MessageId::of_external(&self.workspace, channel, external_id);
        self.ids.binary_search(&InputId(id.0)).is_ok()
    }

    /// Whether these bytes were set aside with this code.
    pub fn holds_unparsed(&self, channel: &ChannelId, raw: &Digest, code: &str) -> bool {
        let id = InputId::of_unparsed(&self.workspace, channel, raw, code);
        self.ids.binary_search(&id).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use postroom_model::digest::Digest;
    use postroom_model::{ChannelId, InputId, MessageId, WorkspaceId};

    use super::Known;

    #[test]
    fn what_was_accepted_is_known_by_channel_and_id() {
        let (workspace, mail) = (WorkspaceId::main(), ChannelId::new("mail").unwrap());
        let other = ChannelId::new("other").unwrap();
        let raw = Digest::of(b"raw");
        let known = Known::new(
            workspace.clone(),
            vec![
                InputId(MessageId::of_external(&workspace, &mail, "a@b").0),
                InputId::of_unparsed(&workspace, &mail, &raw, "mail_empty"),
            ],
        );
        assert!(
            known.holds(&mail, "a@b") && !known.holds(&other, "a@b") && !known.holds(&mail, "c")
        );
        assert!(known.holds_unparsed(&mail, &raw, "mail_empty"));
        assert!(!known.holds_unparsed(&mail, &raw, "mail_too_deep"));
    }
}
