//! The engines of the clustered form, and a configuration that names them.

use postroom_testkit::{NatsServer, NatsSetup, RedisServer};

use crate::process::config;

/// Both engines; ended when they are dropped.
#[derive(Debug)]
pub struct Engines {
    pub nats: NatsServer,
    pub redis: RedisServer,
}

impl Engines {
    pub async fn start() -> Self {
        Self::start_with(NatsSetup::default()).await
    }

    pub async fn start_with(setup: NatsSetup) -> Self {
        Self { nats: NatsServer::start_with(setup).await, redis: RedisServer::start().await }
    }

    /// A whole configuration after `[server]`; see [`config`].
    pub fn config(&self, callback: &str) -> String {
        self.config_over(&self.nats.url(), callback)
    }

    /// The same, where the bus is reached by another way.
    pub fn config_over(&self, bus: &str, callback: &str) -> String {
        let (monitor, redis) = (self.nats.monitor_url(), self.redis.url());
        let engines = format!(
            "[bus]\nurl = \"{bus}\"\nmonitor_urls = [\"{monitor}\"]\n[records]\nurl = \"{redis}\"\n"
        );
        engines + &config(callback)
    }
}
