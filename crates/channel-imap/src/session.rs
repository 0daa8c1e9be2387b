//! One connection to a mailbox. The library reads and writes; which answer ends a command, what counts
//! and how long anything may take is decided here.
//!
//! Whoever drops a call that runs drops the connection with it: what the server was about to say would be
//! taken for the answer to the next command.

use std::collections::BTreeMap;
use std::time::Duration;

use async_imap::Session as Inner;
use async_imap::imap_proto::{
    AttributeValue, Capability, MailboxDatum, RequestId, Response, ResponseCode, Status,
};
use bytes::Bytes;
use postroom_model::Timestamp;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::ImapError;
use crate::connect::{Way, Wire, signed_in};
use crate::limits::{COMMAND_WAIT, SILENCE};
use crate::meter::{Meter, excess};
use crate::names::{self, words};
use crate::place::Shown;
use crate::plan::Listed;
use crate::steady::steady;

/// What the server can do, of what we would use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Skills {
    pub(crate) idle: bool,
    pub(crate) condstore: bool,
    pub(crate) moves: bool,
    pub(crate) uidplus: bool,
}

/// A mail that is there, and when it came to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) mail: Listed,
    pub(crate) at: Option<Timestamp>,
}

/// What a server says of mails that were asked for.
#[derive(Debug)]
pub(crate) enum Said {
    Body(u32, Bytes),
    /// What was asked for has all been said, or will not be.
    Ended(RequestId, Result<(), ImapError>),
}

/// Why waiting for news ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Something,
    /// Nothing was said for as long as one waits.
    Nothing,
    Shutdown,
}

#[derive(Debug)]
pub(crate) struct Session {
    inner: Inner<Meter<Wire>>,
    /// Whether the server told of mails since the folder was last listed.
    told: bool,
    pub(crate) skills: Skills,
}

impl Session {
    /// Connects and signs in.
    pub(crate) async fn open(way: &Way) -> Result<Self, ImapError> {
        let inner = signed_in(way).await?;
        let mut session = Self { inner, told: false, skills: Skills::default() };
        session.skills = session.ask_skills().await?;
        Ok(session)
    }

    async fn ask_skills(&mut self) -> Result<Skills, ImapError> {
        let mut skills = Skills::default();
        self.ask("CAPABILITY", |response| {
            if let Response::Capabilities(all) = response {
                for skill in all {
                    let name = match skill {
                        Capability::Atom(name) => name.to_ascii_uppercase(),
                        _ => continue,
                    };
                    match name.as_str() {
                        "IDLE" => skills.idle = true,
                        "CONDSTORE" | "QRESYNC" => skills.condstore = true,
                        "MOVE" => skills.moves = true,
                        "UIDPLUS" => skills.uidplus = true,
                        _ => {}
                    }
                }
            }
        })
        .await?;
        Ok(skills)
    }

    /// Opens a folder; where it is only looked at, nothing in it can be changed.
    pub(crate) async fn open_folder(
        &mut self,
        folder: &str,
        look: bool,
    ) -> Result<Shown, ImapError> {
        let verb = if look { "EXAMINE" } else { "SELECT" };
        let more = if self.skills.condstore { " (CONDSTORE)" } else { "" };
        let command = format!("{verb} {}{more}", names::quoted(&names::encode(folder)));
        let mut shown = Shown::default();
        let opened = self.ask(&command, |response| show(&mut shown, response)).await;
        opened.map_err(|error| match error {
            ImapError::Refused(words) => ImapError::Folder { folder: folder.to_owned(), words },
            other => other,
        })?;
        Ok(shown)
    }

    /// The mails of a set that are there, in order.
    pub(crate) async fn list(&mut self, set: &str, dated: bool) -> Result<Vec<Seen>, ImapError> {
        let date = if dated { " INTERNALDATE" } else { "" };
        let command = format!("UID FETCH {set} (UID RFC822.SIZE{date})");
        // A server may tell of one mail in several answers, and of flags in between.
        let mut found: BTreeMap<u32, Seen> = BTreeMap::new();
        self.told = false;
        self.ask(&command, |response| {
            let Response::Fetch(_, attributes) = response else { return };
            let Some(uid) = uid_of(attributes) else { return };
            let seen =
                found.entry(uid).or_insert(Seen { mail: Listed { uid, bytes: 0 }, at: None });
            for attribute in attributes {
                match attribute {
                    AttributeValue::Rfc822Size(bytes) => seen.mail.bytes = u64::from(*bytes),
                    AttributeValue::InternalDate(date) => seen.at = names::moment(date),
                    _ => {}
                }
            }
        })
        .await?;
        Ok(found.into_values().collect())
    }

    /// Asks for the mails of a set; [`Self::said`] tells them. `section` is empty for all of a mail.
    /// More may be asked for before they have come.
    pub(crate) async fn ask_for(
        &mut self,
        set: &str,
        section: &str,
    ) -> Result<RequestId, ImapError> {
        self.begin(&format!("UID FETCH {set} (UID BODY.PEEK[{section}])")).await
    }

    /// What is said next of what was asked for, in whatever order it comes.
    pub(crate) async fn said(&mut self) -> Result<Said, ImapError> {
        loop {
            let said = self.next(|response| match response {
                Response::Done { tag, status, outcome } => {
                    let ended = ended(status, outcome.information.as_deref());
                    Ok(Some(Said::Ended(tag.clone(), ended)))
                }
                Response::Fetch(_, attributes) => {
                    let body = attributes.iter().find_map(body_of);
                    let mail = uid_of(attributes).zip(body);
                    Ok(mail.map(|(uid, body)| Said::Body(uid, Bytes::copy_from_slice(body))))
                }
                other => bye(other).map(|()| None),
            });
            if let Some(said) = said.await?? {
                return Ok(said);
            }
        }
    }

    /// The next mail, where nothing else was asked for; none at the end.
    pub(crate) async fn body(&mut self, id: &RequestId) -> Result<Option<(u32, Bytes)>, ImapError> {
        loop {
            match self.said().await? {
                Said::Body(uid, body) => return Ok(Some((uid, body))),
                Said::Ended(tag, ended) if tag == *id => return ended.map(|()| None),
                Said::Ended(..) => {}
            }
        }
    }

    /// The header of a mail alone; none if it is gone.
    pub(crate) async fn header(&mut self, uid: u32) -> Result<Option<Bytes>, ImapError> {
        let asked = self.ask_for(&uid.to_string(), "HEADER").await?;
        let mut header = None;
        while let Some((_, bytes)) = self.body(&asked).await? {
            header = Some(bytes);
        }
        Ok(header)
    }

    async fn begin(&mut self, command: &str) -> Result<RequestId, ImapError> {
        let begun = timeout(SILENCE, self.inner.run_command(command)).await;
        begun.map_err(|_| ImapError::Silent)?.map_err(of_library)
    }

    /// Waits until the server has something to tell, for as long as it is worth asking anew.
    pub(crate) async fn news(
        &mut self,
        wait: Duration,
        stop: &CancellationToken,
    ) -> Result<News, ImapError> {
        if std::mem::take(&mut self.told) {
            return Ok(News::Something);
        }
        if !self.skills.idle {
            let slept = stop.run_until_cancelled(tokio::time::sleep(wait)).await;
            return Ok(if slept.is_some() { News::Nothing } else { News::Shutdown });
        }
        let id = self.begin("IDLE").await?;
        let waits = loop {
            let said = self.next(|response| match response {
                Response::Continue(_) => Ok(Some(true)),
                Response::Done { tag, status, outcome } if *tag == id => {
                    ended(status, outcome.information.as_deref()).map(|()| Some(false))
                }
                other => bye(other).map(|()| None),
            });
            if let Some(waits) = said.await?? {
                break waits;
            }
        };
        if !waits {
            // It does not want to now; then it is asked from time to time.
            self.skills.idle = false;
            return Ok(News::Nothing);
        }
        self.inner.get_mut().set_silence(wait.saturating_add(SILENCE));
        let heard = timeout(wait, stop.run_until_cancelled(self.something(&id))).await;
        self.inner.get_mut().set_silence(SILENCE);
        let news = match heard {
            Ok(Some(heard)) => heard.map(|()| News::Something)?,
            Ok(None) => return Ok(News::Shutdown),
            Err(_) => News::Nothing,
        };
        let told = timeout(SILENCE, self.inner.run_command_untagged("DONE")).await;
        told.map_err(|_| ImapError::Silent)?.map_err(of_library)?;
        self.finish(&id, |_| {}).await.map(|()| news)
    }

    /// Until there is something that may be a mail. Servers say that they are still here, too.
    async fn something(&mut self, id: &RequestId) -> Result<(), ImapError> {
        while !std::mem::take(&mut self.told) {
            let said = self.next(|response| match response {
                Response::Done { tag, .. } if tag == id => {
                    Err(ImapError::Closed("it does not wait any more".to_owned()))
                }
                Response::Data { .. } | Response::Done { .. } | Response::Continue(_) => {
                    bye(response).map(|()| false)
                }
                _ => Ok(true),
            });
            if said.await?? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Marks mails, or moves them. What the server does not want is left as it is.
    pub(crate) async fn mark(&mut self, set: &str, flag: &str) -> Result<(), ImapError> {
        self.ask(&format!("UID STORE {set} +FLAGS.SILENT ({flag})"), |_| {}).await
    }

    pub(crate) async fn move_to(&mut self, set: &str, folder: &str) -> Result<(), ImapError> {
        let folder = names::quoted(&names::encode(folder));
        if self.skills.moves {
            return self.ask(&format!("UID MOVE {set} {folder}"), |_| {}).await;
        }
        self.ask(&format!("UID COPY {set} {folder}"), |_| {}).await?;
        self.mark(set, "\\Deleted").await?;
        if self.skills.uidplus {
            self.ask(&format!("UID EXPUNGE {set}"), |_| {}).await?;
        }
        Ok(())
    }

    /// Puts a mail into a folder, as one that was read. A folder that is not there is made.
    pub(crate) async fn append(&mut self, folder: &str, mail: &[u8]) -> Result<(), ImapError> {
        let name = names::quoted(&names::encode(folder));
        match self.append_to(&name, mail).await {
            Err(ImapError::Refused(_)) => {
                self.ask(&format!("CREATE {name}"), |_| {}).await?;
                self.append_to(&name, mail).await
            }
            done => done,
        }
    }

    async fn append_to(&mut self, name: &str, mail: &[u8]) -> Result<(), ImapError> {
        let id = self.begin(&format!("APPEND {name} (\\Seen) {{{}}}", mail.len())).await?;
        loop {
            let said = self.next(|response| match response {
                Response::Continue(_) => Ok(true),
                Response::Done { tag, status, outcome } if *tag == id => {
                    ended(status, outcome.information.as_deref())
                        .and(Err(ImapError::Refused("it takes no mail".to_owned())))
                }
                other => bye(other).map(|()| false),
            });
            if said.await?? {
                break;
            }
        }
        let stream = self.inner.get_mut();
        let writing = async {
            stream.write_all(mail).await?;
            stream.write_all(b"\r\n").await?;
            stream.flush().await
        };
        writing.await.map_err(|error| of_io(&error))?;
        self.finish(&id, |_| {}).await
    }

    /// UIDs of a set that are there.
    pub(crate) async fn present(&mut self, set: &str) -> Result<Vec<u32>, ImapError> {
        let mut found = Vec::new();
        self.ask(&format!("UID FETCH {set} (UID)"), |response| {
            if let Response::Fetch(_, attributes) = response {
                found.extend(uid_of(attributes));
            }
        })
        .await?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// What was told of mails so far is known.
    pub(crate) fn heard(&mut self) {
        self.told = false;
    }

    /// Says good-bye, as far as the server listens.
    pub(crate) async fn close(mut self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        drop(timeout(PATIENCE, self.ask("LOGOUT", |_| {})).await);
    }

    /// One command until its end; `each` hears everything else that is said meanwhile.
    async fn ask(
        &mut self,
        command: &str,
        each: impl FnMut(&Response<'_>) + Send,
    ) -> Result<(), ImapError> {
        let asking = async {
            let id = self.inner.run_command(command).await.map_err(of_library)?;
            self.finish(&id, each).await
        };
        timeout(COMMAND_WAIT, asking).await.map_err(|_| ImapError::Silent)?
    }

    async fn finish(
        &mut self,
        id: &RequestId,
        mut each: impl FnMut(&Response<'_>) + Send,
    ) -> Result<(), ImapError> {
        loop {
            let said = self.next(|response| match response {
                Response::Done { tag, status, outcome } if tag == id => {
                    ended(status, outcome.information.as_deref()).map(|()| true)
                }
                other => {
                    each(other);
                    bye(other).map(|()| false)
                }
            });
            if said.await?? {
                return Ok(());
            }
        }
    }

    /// What is made of the next response.
    async fn next<T>(&mut self, read: impl FnOnce(&Response<'_>) -> T) -> Result<T, ImapError> {
        match steady(self.inner.read_response()).await? {
            Ok(Some(said)) => {
                let response = said.parsed();
                let tells = matches!(response, Response::MailboxData(MailboxDatum::Exists(_)));
                self.told |= tells;
                Ok(read(response))
            }
            Ok(None) => Err(ImapError::Closed("without a word".to_owned())),
            Err(error) => Err(of_io(&error)),
        }
    }
}

fn ended(status: &Status, information: Option<&str>) -> Result<(), ImapError> {
    let said = || words(information.unwrap_or_default());
    match status {
        Status::Ok => Ok(()),
        Status::Bye => Err(ImapError::Closed(said())),
        Status::No | Status::Bad | Status::PreAuth => Err(ImapError::Refused(said())),
    }
}

fn bye(response: &Response<'_>) -> Result<(), ImapError> {
    match response {
        Response::Data { status: Status::Bye, outcome } => {
            Err(ImapError::Closed(words(outcome.information.as_deref().unwrap_or_default())))
        }
        _ => Ok(()),
    }
}

/// What the library says of a response that it cannot read repeats the response, which may be a mail.
pub(crate) fn of_library(error: async_imap::error::Error) -> ImapError {
    use async_imap::error::Error;
    match error {
        Error::Io(error) => of_io(&error),
        Error::No(said) | Error::Bad(said) => ImapError::Refused(words(information(&said))),
        Error::ConnectionLost => ImapError::Closed("without a word".to_owned()),
        Error::Validate(_) => ImapError::Refused("what is to be said cannot be said".to_owned()),
        _ => ImapError::Unreadable,
    }
}

/// What a server said, as the library repeats it: `code: None, info: Some("Authentication failed.")`.
fn information(said: &str) -> &str {
    let inner = said.split_once("info: Some(\"").and_then(|(_, rest)| rest.rsplit_once("\")"));
    inner.map_or(said, |(inner, _)| inner)
}

pub(crate) fn of_io(error: &std::io::Error) -> ImapError {
    use std::io::ErrorKind;
    if let Some(excess) = excess(error) {
        return ImapError::TooLarge(excess.to_string());
    }
    match error.kind() {
        ErrorKind::TimedOut => ImapError::Silent,
        ErrorKind::Other | ErrorKind::InvalidData => ImapError::Unreadable,
        kind => ImapError::Closed(kind.to_string()),
    }
}

fn show(shown: &mut Shown, response: &Response<'_>) {
    match response {
        Response::MailboxData(MailboxDatum::Exists(count)) => shown.exists = *count,
        Response::Data { status: Status::Ok, outcome } => match &outcome.code {
            Some(ResponseCode::UidValidity(epoch)) => shown.epoch = Some(*epoch),
            Some(ResponseCode::UidNext(next)) => shown.next = Some(*next),
            Some(ResponseCode::HighestModSeq(changes)) => shown.changes = Some(*changes),
            _ => {}
        },
        _ => {}
    }
}

fn uid_of(attributes: &[AttributeValue<'_>]) -> Option<u32> {
    attributes.iter().find_map(|attribute| match attribute {
        AttributeValue::Uid(uid) => Some(*uid),
        _ => None,
    })
}

fn body_of<'a>(attribute: &'a AttributeValue<'_>) -> Option<&'a [u8]> {
    match attribute {
        AttributeValue::BodySection { data: Some(data), .. } => Some(data.as_ref()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::information;

    #[test]
    fn words_of_a_server_are_told_without_those_of_the_library() {
        for (said, words) in [
            ("code: None, info: Some(\"[AUTHENTICATIONFAILED] No.\")", "[AUTHENTICATIONFAILED] No."),
            ("code: Some(Alert), info: Some(\"say (\\\"x\\\")\")", "say (\\\"x\\\")"),
            ("code: None, info: None", "code: None, info: None"),
            ("", ""),
        ] {
            assert_eq!(information(said), words);
        }
    }
}
