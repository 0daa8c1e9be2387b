//! A bare stream on the same server, as durable as the inlet, and nothing of Postroom in it.
//!
//! Only `postroom bench` uses it: what a server could reach that does no more than publish is the
//! measure of what the product reaches. Nothing else may be built on it.

use async_nats::HeaderMap;
use bytes::Bytes;
use postroom_bus::BusError;

use crate::answers::StreamConfig;
use crate::api::Api;
use crate::connect::connect;
use crate::examine::{of_failure, refuse};
use crate::names::Names;
use crate::{NatsError, NatsOptions, streams};

const STREAM: &str = "POSTROOM_BENCH";
const SUBJECT: &str = "postroom-bench";

/// The bare stream. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RawStream {
    api: Api,
}

impl RawStream {
    /// Connects, and makes the stream with the settings of an inlet.
    pub async fn create(options: &NatsOptions) -> Result<Self, NatsError> {
        let connected = connect(options).await?;
        let api = Api::new(&connected);
        let [inlet, ..] = streams::wanted(&Names::of(&options.workspace), options);
        let config =
            StreamConfig { name: STREAM.to_owned(), subjects: vec![SUBJECT.to_owned()], ..inlet };
        let made = streams::make(&api, &config).await;
        refuse(made.map_err(|failure| of_failure(options, &failure))?, &[])?;
        Ok(Self { api })
    }

    /// Publishes one body by itself and waits for the acknowledgement.
    pub async fn append(&self, body: Bytes) -> Result<(), BusError> {
        self.api.publish(STREAM, SUBJECT.to_owned(), HeaderMap::new(), body).await?;
        Ok(())
    }
}
