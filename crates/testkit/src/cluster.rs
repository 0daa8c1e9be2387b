//! Three nats-servers that keep their streams together.

use std::net::TcpListener;

use crate::{NatsServer, NatsSetup};

/// Servers of one cluster, named `n0`, `n1` and `n2`.
#[derive(Debug)]
pub struct NatsCluster {
    pub servers: Vec<NatsServer>,
}

impl NatsCluster {
    /// Started; the cluster may still look for its leader.
    pub async fn start() -> Self {
        let routes = free_ports();
        let all: Vec<String> =
            routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let mut servers = Vec::new();
        for (at, port) in routes.into_iter().enumerate() {
            let lines = [
                format!("server_name: n{at}"),
                format!("cluster {{ name: test, listen: \"127.0.0.1:{port}\", routes: {all:?} }}"),
            ];
            let setup = NatsSetup { more: lines.join("\n"), ..NatsSetup::default() };
            servers.push(NatsServer::start_with(setup).await);
        }
        Self { servers }
    }

    /// The addresses of all.
    pub fn url(&self) -> String {
        let urls: Vec<String> = self.servers.iter().map(NatsServer::url).collect();
        urls.join(",")
    }
}

/// Three ports that were free a moment ago: servers of a cluster must know each other's beforehand.
fn free_ports() -> [u16; 3] {
    let held = [0; 3].map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}
