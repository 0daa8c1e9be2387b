//! The records of one workspace in one Redis.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use postroom_model::{
    Conversation, ConversationId, Outbound, ParkedId, Presence, QueueId, WorkspaceId,
};
use postroom_records::{
    Change, ConversationQuery, Key, Page, Parked, QueueCounts, Records, RecordsError, Row,
    Standing, TimelineItem,
};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::hints::Hints;
use crate::keys::Names;
use crate::link::Link;
use crate::scan::Scanner;
use crate::write::Writer;
use crate::{RedisError, RedisOptions, examine, list, options, read, write};

/// Open records. What runs for them ends when they are dropped.
#[derive(Debug)]
pub struct RedisRecords {
    link: Arc<Link>,
    names: Names,
    writer: Writer,
    scanner: Scanner,
    hints: Arc<Hints>,
    _tasks: JoinSet<()>,
}

impl RedisRecords {
    /// Connects, and refuses a server that would not keep the records, as far as the operator has not
    /// accepted it, and records of another workspace. Writes nothing.
    pub async fn open(
        url: &str,
        workspace: WorkspaceId,
        options: &RedisOptions,
    ) -> Result<Self, RedisError> {
        let link = Arc::new(Link::new(options::client(url, options)?, options.connection()));
        let findings = examine::look(&link).await?;
        let (accepted, refused): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|finding| finding.is_accepted(&options.accepted));
        if !refused.is_empty() {
            return Err(RedisError::Unfit { address: link.address(), findings: refused });
        }
        for finding in accepted {
            tracing::warn!(code = finding.code(), %finding, "accepted by the configuration");
        }
        let names = Names::of(workspace);
        let seq = stands_at(&link, &names).await?;
        let hints = Arc::new(Hints {
            link: Arc::clone(&link),
            names: names.clone(),
            seq: watch::Sender::new(seq),
            look_every: options.look_every,
            wait: options.response_wait,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&hints).keep_looking());
        tasks.spawn(Arc::clone(&hints).keep_listening());
        Ok(Self {
            writer: Writer::new(Arc::clone(&link), names.clone(), Arc::clone(&options.random)),
            link,
            names,
            scanner: Scanner::default(),
            hints,
            _tasks: tasks,
        })
    }
}

/// Where the records stand when they are opened. Those that must be rebuilt are opened nevertheless.
async fn stands_at(link: &Link, names: &Names) -> Result<u64, RedisError> {
    let unavailable = |error: RecordsError| RedisError::Unavailable {
        address: link.address(),
        detail: error.to_string(),
    };
    let meta = match write::meta(link, names).await {
        Ok(meta) => meta,
        Err(RecordsError::Damaged(_)) => return Ok(0),
        Err(error) => return Err(unavailable(error)),
    };
    let wanted = names.workspace.as_str();
    if meta.schema.is_some() && !meta.workspace.is_empty() && meta.workspace != wanted {
        let (address, found) = (link.address(), meta.workspace);
        return Err(RedisError::OtherWorkspace { address, found, wanted: wanted.to_owned() });
    }
    Ok(meta.standing.seq)
}

#[async_trait]
impl Records for RedisRecords {
    async fn standing(&self) -> Result<Standing, RecordsError> {
        let meta = write::meta(&self.link, &self.names).await?;
        meta.check(&self.names.workspace)?;
        Ok(meta.standing)
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, RecordsError> {
        read::load(&self.link, &self.names, keys).await
    }

    async fn write(
        &self,
        from: u64,
        to: Standing,
        changes: Arc<[Change]>,
    ) -> Result<(), RecordsError> {
        self.writer.write(from, to, changes).await?;
        self.hints.told(to.seq);
        Ok(())
    }

    async fn clear(&self) -> Result<(), RecordsError> {
        self.writer.clear().await?;
        self.hints.told(0);
        Ok(())
    }

    async fn scan(
        &self,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Row)>, RecordsError> {
        self.scanner.scan(&self.link, &self.names, after, limit).await
    }

    async fn conversations(
        &self,
        query: &ConversationQuery,
    ) -> Result<Page<Conversation>, RecordsError> {
        list::conversations(&self.link, &self.names, query).await
    }

    async fn timeline(
        &self,
        conversations: &[ConversationId],
        after: u64,
        limit: usize,
    ) -> Result<Vec<TimelineItem>, RecordsError> {
        list::timeline(&self.link, &self.names, conversations, after, limit).await
    }

    async fn last_words(
        &self,
        conversations: &[ConversationId],
    ) -> Result<Vec<Option<String>>, RecordsError> {
        list::last_words(&self.link, &self.names, conversations).await
    }

    async fn presences(&self) -> Result<Vec<Presence>, RecordsError> {
        list::presences(&self.link, &self.names).await
    }

    async fn live_calls(&self, limit: usize) -> Result<Vec<TimelineItem>, RecordsError> {
        list::live_calls(&self.link, &self.names, limit).await
    }

    async fn queue_counts(&self) -> Result<BTreeMap<QueueId, QueueCounts>, RecordsError> {
        list::queue_counts(&self.link, &self.names).await
    }

    async fn outbox(&self, limit: usize) -> Result<Vec<Outbound>, RecordsError> {
        list::outbox(&self.link, &self.names, limit).await
    }

    async fn parked(
        &self,
        after: Option<ParkedId>,
        limit: usize,
    ) -> Result<Vec<Parked>, RecordsError> {
        list::parked(&self.link, &self.names, after, limit).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.hints.seq.subscribe()
    }
}
