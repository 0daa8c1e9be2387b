//! A whole house in the clustered form, two processes of each role, and what can be done to it.

use std::time::Duration;

use postroom_testkit::{NatsSetup, Proxy, hold_process};
use postroom_tests::engines::Engines;
use postroom_tests::process::{House, Role, Server};
use tokio::sync::watch;

/// Two of each role.
pub(crate) const EACH: usize = 2;

#[derive(Debug)]
pub(crate) struct Estate {
    pub(crate) house: House,
    pub(crate) engines: Engines,
    /// Between all processes and NATS.
    pub(crate) line: Proxy,
    pub(crate) gateways: Vec<Server>,
    pub(crate) routers: Vec<Role>,
    pub(crate) hosts: Vec<Role>,
    doors: watch::Sender<Vec<String>>,
}

impl Estate {
    /// Everything runs, and the redis holds something to go back to.
    pub(crate) async fn start(setup: NatsSetup, callback: &str) -> Self {
        let engines = Engines::start_with(setup).await;
        let request = "PUB postroom.main.ledger ";
        let line =
            Proxy::start(engines.nats.port(), request, "\"stream\":\"POSTROOM_main_LEDGER\"").await;
        let bus = format!("nats://{}", line.address());
        let house = House::new(&engines.config_over(&bus, callback));
        let (mut gateways, mut routers, mut hosts) = (vec![], vec![], vec![]);
        for _ in 0..EACH {
            gateways.push(house.gateway().await);
            routers.push(house.role("router").await);
            hosts.push(house.role("channels").await);
        }
        let (doors, _) = watch::channel(vec![]);
        let estate = Self { house, engines, line, gateways, routers, hosts, doors };
        estate.show_doors();
        estate.engines.redis.back_up();
        estate
    }

    pub(crate) fn doors(&self) -> watch::Receiver<Vec<String>> {
        self.doors.subscribe()
    }

    fn show_doors(&self) {
        let open = self.gateways.iter().map(|gateway| gateway.address.clone()).collect();
        self.doors.send_replace(open);
    }

    pub(crate) async fn kill_gateway(&mut self, which: usize) {
        self.gateways.remove(which).kill().await;
        self.show_doors();
        self.gateways.insert(which, self.house.gateway().await);
        self.show_doors();
    }

    pub(crate) async fn kill_router(&mut self, which: usize) {
        self.routers.remove(which).kill().await;
        self.routers.insert(which, self.house.role("router").await);
    }

    pub(crate) async fn kill_host(&mut self, which: usize) {
        self.hosts.remove(which).kill().await;
        self.hosts.insert(which, self.house.role("channels").await);
    }

    pub(crate) async fn kill_nats(&mut self, away: Duration) {
        self.engines.nats.kill();
        pass(away).await;
        self.engines.nats.start_again().await;
    }

    pub(crate) async fn kill_redis(&mut self, away: Duration) {
        self.engines.redis.kill();
        pass(away).await;
        self.engines.redis.restart(&[]).await;
    }

    /// Stops a router for a while as a machine would that swaps; it wakes up and knows nothing of it.
    pub(crate) async fn hold_router(&self, which: usize, held: Duration) {
        hold_process(self.routers[which].pid(), true);
        pass(held).await;
        hold_process(self.routers[which].pid(), false);
    }

    /// Processes that ended by themselves, in words.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let gateways = self.gateways.iter_mut().map(|one| ("gateway", one.ended()));
        let routers = self.routers.iter_mut().map(|one| ("router", one.ended()));
        let hosts = self.hosts.iter_mut().map(|one| ("channels", one.ended()));
        let all = gateways.chain(routers).chain(hosts);
        all.filter_map(|(name, ended)| Some(format!("a {name} ended by itself: {}", ended?)))
            .collect()
    }

    /// Asks everything to end, the routers last, and waits until it has.
    pub(crate) async fn stop(self) -> Stopped {
        for gateway in self.gateways {
            gateway.stop().await;
        }
        for host in self.hosts {
            host.stop().await;
        }
        for router in self.routers {
            router.stop().await;
        }
        Stopped { house: self.house, engines: self.engines, _line: self.line }
    }
}

/// What is left of an estate when its processes have ended.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) house: House,
    pub(crate) engines: Engines,
    _line: Proxy,
}

/// Lets a moment pass: when something breaks, and for how long, is the one thing here that is a matter
/// of time.
pub(crate) async fn pass(moment: Duration) {
    drop(tokio::time::timeout(moment, std::future::pending::<()>()).await);
}
