//! Mails: in whatever order those of a thread come, they end in one conversation.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{ConversationId, EventBody};

use super::{Case, Complaints};

pub(super) fn judge(case: &Case<'_>, complaints: &mut Complaints) {
    let mut joined: BTreeSet<ConversationId> = BTreeSet::new();
    let mut threads: BTreeMap<&str, BTreeSet<ConversationId>> = BTreeMap::new();
    for (_, _, event) in case.events() {
        let Some(id) = event.conversation else { continue };
        match &event.body {
            // It may be somebody else's now, and then whoever wrote first is a stranger there.
            EventBody::ConversationMerged { into, .. } => joined.extend([id, *into]),
            EventBody::MessageReceived { message, mail: Some(_), .. } => {
                if let Some((thread, _)) = message.external_id.split_once('-') {
                    threads.entry(thread).or_default().insert(id);
                }
            }
            _ => {}
        }
    }
    for (thread, places) in threads {
        let as_it_was = places.is_disjoint(&joined);
        complaints.unless(!as_it_was || places.len() == 1, || {
            format!("P3: the mails of thread {thread} are in {places:?}")
        });
    }
}
