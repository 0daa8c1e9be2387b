//! What is done with a folder on demand: fetching again what is still there, and comparing it with what
//! was ever accepted. Folders are only looked at, and places stay where they are.

use std::collections::BTreeMap;

use bytes::Bytes;
use postroom_channel::{Audit, Inlet, Known};
use postroom_model::digest::Digest;
use postroom_model::{ChannelId, Timestamp};

use crate::ImapError;
use crate::fetch::Wanted;
use crate::folder::Folder;
use crate::give::Giver;
use crate::limits::{FETCH_MESSAGES_MAX, MISSING_TOLD_MAX};
use crate::place::{Place, Shown};
use crate::plan::{self, Listed, Steps};
use crate::session::Session;

/// The date of a server has the grain of a day, in a zone of its own.
const DAY_MS: i64 = 86_400_000;

impl Folder<'_> {
    /// Fetches again what came since then, and gives how many mails that were.
    pub(crate) async fn backfill(
        &self,
        inlet: &dyn Inlet,
        since: Timestamp,
    ) -> Result<u64, ImapError> {
        let mut session = Session::open(self.way).await?;
        let shown = session.open_folder(self.name, true).await?;
        let known = Some(inlet.known().await?);
        let giver = Giver { cursor: None, ..self.giver(inlet, known) };
        let mut place = Place::anew(&shown, None);
        let wanted = Wanted {
            from: place.clone(),
            next: shown.next,
            floor: Some(since.plus_millis(-DAY_MS)),
            floor_upto: u32::MAX,
        };
        let mut tries = BTreeMap::new();
        let took = self.take(&mut session, &wanted, &mut tries, &giver, &mut place).await?;
        session.close().await;
        Ok(took.mails)
    }

    /// Compares what is there with what was accepted.
    pub(crate) async fn audit(&self, known: &Known) -> Result<Audit, ImapError> {
        let mut session = Session::open(self.way).await?;
        let shown = session.open_folder(self.name, true).await?;
        let mut audit = Audit { part: self.name.to_owned(), ..Audit::default() };
        let mut steps = Steps::above(0, shown.next);
        loop {
            let step = steps.step();
            let seen = session.list(&step.set(&[]), false).await?;
            let found = seen.len();
            let listed: Vec<Listed> = seen.into_iter().map(|seen| seen.mail).collect();
            for group in listed.chunks(FETCH_MESSAGES_MAX) {
                self.compare(&mut session, &shown, group, known, &mut audit).await?;
            }
            if step.last.is_none() {
                break;
            }
            steps.went(step, found);
        }
        session.close().await;
        Ok(audit)
    }

    /// The header tells the id of nearly every mail; the others are fetched whole.
    async fn compare(
        &self,
        session: &mut Session,
        shown: &Shown,
        group: &[Listed],
        known: &Known,
        audit: &mut Audit,
    ) -> Result<(), ImapError> {
        let uids: Vec<u32> = group.iter().map(|mail| mail.uid).collect();
        let mut unclear = Vec::new();
        let mut there = 0;
        let asked = session.ask_for(&plan::set(&uids), "HEADER").await?;
        while let Some((uid, header)) = session.body(&asked).await? {
            there += 1;
            if !is_known(self.channel, &header, known) {
                unclear.push(uid);
            }
        }
        audit.there += there;
        audit.stored += there - unclear.len() as u64;
        for uid in unclear {
            let asked = session.ask_for(&uid.to_string(), "").await?;
            let mut whole = None;
            while let Some((_, bytes)) = session.body(&asked).await? {
                whole = Some(bytes);
            }
            match whole {
                // Somebody removed it just now.
                None => audit.there -= 1,
                Some(raw) if is_known(self.channel, &raw, known) => audit.stored += 1,
                Some(raw) => {
                    if audit.missing.len() < MISSING_TOLD_MAX {
                        audit.missing.push(name(shown, uid, &raw));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a mail was accepted, or set aside for what is wrong with it.
fn is_known(channel: &ChannelId, raw: &Bytes, known: &Known) -> bool {
    match postroom_channel_email::parse(raw) {
        Ok(received) => received
            .arrivals
            .iter()
            .all(|arrival| known.holds(channel, &arrival.message.external_id)),
        Err(error) => known.holds_unparsed(channel, &Digest::of(raw), error.code()),
    }
}

fn name(shown: &Shown, uid: u32, raw: &[u8]) -> String {
    let id = postroom_channel_email::parse(raw).ok().and_then(|received| {
        received.arrivals.first().map(|arrival| arrival.message.external_id.clone())
    });
    let epoch = shown.epoch.unwrap_or_default();
    format!("UID {uid} (UIDVALIDITY {epoch}), {}", id.unwrap_or_else(|| "unreadable".to_owned()))
}
