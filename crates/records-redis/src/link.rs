//! The connections. One is shared by all that read; one is for writing alone, since a transaction's
//! condition belongs to its connection. Nothing here waits for an answer without limit, and nothing
//! that blocks in the server is sent over them.

use std::time::Duration;

use postroom_records::RecordsError;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, Value, pipe};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::{failure, values};

/// After a connection failed, callers are told so for this long before the next one tries again.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// A connection that is made anew when it is needed and the one before is of no use.
pub(crate) struct Link {
    client: Client,
    config: AsyncConnectionConfig,
    slot: Mutex<Slot>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("address", &self.address()).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Slot {
    held: Option<MultiplexedConnection>,
    /// Counts the connections, so that a late failure of an old one does not end the new one.
    number: u64,
    failed: Option<(Instant, String)>,
}

impl Link {
    pub(crate) fn new(client: Client, config: AsyncConnectionConfig) -> Self {
        Self { client, config, slot: Mutex::default() }
    }

    /// Without user and password.
    pub(crate) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// A connection of one's own.
    pub(crate) async fn connect(&self) -> Result<MultiplexedConnection, RecordsError> {
        let connected = self.client.get_multiplexed_async_connection_with_config(&self.config);
        connected.await.map_err(|error| failure::of(&error))
    }

    /// For messages that are published.
    pub(crate) async fn listen(&self) -> redis::RedisResult<redis::aio::PubSub> {
        self.client.get_async_pubsub().await
    }

    /// The answers to the commands, in their order; an error if one of them is.
    pub(crate) async fn ask(&self, commands: &Pipeline) -> Result<Vec<Value>, RecordsError> {
        let (mut connection, number) = self.shared().await?;
        let answered = send(&mut connection, commands).await;
        let error = match &answered {
            Ok(values) => failure::first(values),
            Err(error) => Some(error.clone()),
        };
        let Some(error) = error else {
            return answered.map_err(|error| failure::of(&error));
        };
        if failure::breaks(&error) {
            self.drop_connection(number).await;
        }
        Err(failure::of(&error))
    }

    pub(crate) async fn ask_one(&self, command: Cmd) -> Result<Value, RecordsError> {
        let mut commands = pipe();
        commands.add_command(command);
        values::last(self.ask(&commands).await?)
    }

    async fn shared(&self) -> Result<(MultiplexedConnection, u64), RecordsError> {
        let mut slot = self.slot.lock().await;
        if let Some(held) = &slot.held {
            return Ok((held.clone(), slot.number));
        }
        if let Some((at, why)) = &slot.failed
            && at.elapsed() < RETRY_AFTER
        {
            return Err(RecordsError::Unavailable(why.clone()));
        }
        match self.connect().await {
            Ok(connection) => {
                slot.number += 1;
                slot.held = Some(connection.clone());
                slot.failed = None;
                Ok((connection, slot.number))
            }
            Err(error) => {
                slot.failed = Some((Instant::now(), error.to_string()));
                Err(error)
            }
        }
    }

    async fn drop_connection(&self, number: u64) {
        let mut slot = self.slot.lock().await;
        if slot.number == number {
            slot.held = None;
        }
    }
}

/// Sends the commands in one piece; refusals are among the answers. A transaction has one answer.
pub(crate) async fn send(
    connection: &mut MultiplexedConnection,
    commands: &Pipeline,
) -> redis::RedisResult<Vec<Value>> {
    let count = commands.len();
    let (passed_over, wanted) = if commands.is_transaction() { (count + 1, 1) } else { (0, count) };
    connection.send_packed_commands(commands, passed_over, wanted).await
}
