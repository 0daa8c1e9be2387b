//! The suite that every backend passes, and pages over many conversations of which few are wanted.

use postroom_model::Timestamp;
use postroom_records::{ConversationQuery, Records as _, View, conformance};

use crate::server::Server;
use crate::support::{at, conversation, open, put};

#[tokio::test]
async fn redis_records_conform() {
    let server = Server::start().await;
    conformance::run(&open(&server).await).await;
}

#[tokio::test]
async fn search_that_finds_little_goes_on_from_page_to_page() {
    let server = Server::start().await;
    let records = open(&server).await;
    // Many at the same moment, more than one stretch brings.
    let changes = (0..=24_000).map(|number| {
        let mut row = conversation(number, "open", "About something");
        if number % 6_000 == 0 {
            row.tags = vec!["wanted".to_owned()];
        }
        let millis = i64::try_from(number / 1_200).unwrap();
        row.last_message_at = Timestamp::from_millis(millis);
        put(row)
    });
    records.write(0, at(1), changes.collect()).await.unwrap();
    for view in [View::All, View::Unassigned] {
        let tag = Some("wanted".to_owned());
        let mut query = ConversationQuery { view, tag, limit: 2, ..ConversationQuery::default() };
        let (mut found, mut pages) = (Vec::new(), 0);
        loop {
            let page = records.conversations(&query).await.unwrap();
            assert!(page.items.len() <= 2);
            found.extend(page.items.iter().map(|item| item.id.0.as_u64_pair().1));
            pages += 1;
            match page.next_cursor {
                Some(cursor) => query.cursor = Some(cursor),
                None => break,
            }
        }
        assert_eq!(found, [24_000, 18_000, 12_000, 6_000, 0], "{view:?}");
        assert!(pages >= 3, "{pages} pages");
    }
}
