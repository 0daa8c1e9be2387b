//! The words of a search in the list of conversations: in subjects, in the name and the addresses of the
//! contact, and in the message that came or went last.
//!
//! The records list, and this looks through what they list, in bounded steps. A page can therefore be
//! short, or empty, and have a cursor that leads on.

use std::collections::BTreeMap;

use postroom_model::{Address, Contact, ContactId, Conversation};
use postroom_records::{ConversationQuery, Key, ListingCursor, Page, Row};

use crate::gateway::App;
use crate::problem::Problem;

/// Conversations that are looked through at once.
const STRETCH: usize = 200;

/// How often for one page.
const STRETCHES_MAX: usize = 25;

/// A page of those conversations of `query` in which the text stands, in any case.
pub(crate) async fn page(
    app: &App,
    mut query: ConversationQuery,
    text: &str,
) -> Result<Page<Conversation>, Problem> {
    let wanted = text.to_lowercase();
    let limit = std::mem::replace(&mut query.limit, STRETCH);
    let mut items = Vec::new();
    for _ in 0..STRETCHES_MAX {
        let stretch = app.records.conversations(&query).await?;
        let hits = hits(app, &stretch.items, &wanted).await?;
        let last = stretch.items.last().map(ListingCursor::of);
        for (conversation, _) in stretch.items.into_iter().zip(hits).filter(|(_, hit)| *hit) {
            let here = ListingCursor::of(&conversation);
            items.push(conversation);
            if items.len() == limit {
                let more = last != Some(here) || stretch.next_cursor.is_some();
                return Ok(Page { items, next_cursor: more.then(|| here.to_string()) });
            }
        }
        query.cursor = stretch.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    Ok(Page { items, next_cursor: query.cursor })
}

/// For each conversation whether the text stands in it. What costs nothing is looked at first.
async fn hits(
    app: &App,
    conversations: &[Conversation],
    wanted: &str,
) -> Result<Vec<bool>, Problem> {
    let mut hits: Vec<bool> = conversations.iter().map(|one| in_row(one, wanted)).collect();
    let open = |hits: &[bool]| -> Vec<usize> {
        hits.iter().enumerate().filter(|(_, hit)| !**hit).map(|(at, _)| at).collect()
    };
    let contacts = contacts(app, conversations, &open(&hits)).await?;
    for (hit, conversation) in hits.iter_mut().zip(conversations).filter(|(hit, _)| !**hit) {
        let contact = conversation.contact.and_then(|id| contacts.get(&id));
        *hit = contact.is_some_and(|contact| in_contact(contact, wanted));
    }
    let left = open(&hits);
    let ids: Vec<_> =
        left.iter().filter_map(|at| conversations.get(*at)).map(|one| one.id).collect();
    if !ids.is_empty() {
        let words = app.records.last_words(&ids).await?;
        for (at, words) in left.into_iter().zip(words) {
            if let Some(hit) = hits.get_mut(at) {
                *hit = words.is_some_and(|words| holds(&words, wanted));
            }
        }
    }
    Ok(hits)
}

async fn contacts(
    app: &App,
    conversations: &[Conversation],
    places: &[usize],
) -> Result<BTreeMap<ContactId, Contact>, Problem> {
    let rows = places.iter().filter_map(|at| conversations.get(*at));
    let keys: Vec<Key> = rows.filter_map(|row| row.contact).map(Key::Contact).collect();
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = app.records.load(&keys).await?.into_iter().flatten();
    Ok(found
        .filter_map(|row| match row {
            Row::Contact(contact) => Some((contact.id, contact)),
            _ => None,
        })
        .collect())
}

fn in_row(conversation: &Conversation, wanted: &str) -> bool {
    let customer = conversation.customer.as_ref();
    let address = customer.and_then(|one| one.address.as_ref()).map(Address::name);
    let texts = [
        conversation.subject.as_deref(),
        customer.and_then(|one| one.name.as_deref()),
        customer.and_then(|one| one.username.as_deref()),
        address,
    ];
    texts.into_iter().flatten().any(|text| holds(text, wanted))
}

fn in_contact(contact: &Contact, wanted: &str) -> bool {
    contact.name.as_deref().is_some_and(|name| holds(name, wanted))
        || contact.addresses.iter().any(|address| holds(address.name(), wanted))
}

fn holds(text: &str, wanted: &str) -> bool {
    text.to_lowercase().contains(wanted)
}
