//! The clustered form under faults, on the real binary with real engines: processes and engines that
//! are killed, stopped and slowed down, answers that get lost, records that are thrown away or put
//! back from a backup, and a disk that is full.
//!
//! Who writes and answers notes what they were told; afterwards one judge compares that with what is
//! stored and what left, another judges the ledger by itself, and `verify` folds it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod chaos;
mod disk;
mod estate;
mod single;

use std::sync::Arc;
use std::time::{Duration, Instant};

use postroom_bus_nats::{Nats, NatsOptions};
use postroom_model::{SeededRandom, SystemClock, WorkspaceId};
use postroom_testkit::NatsSetup;
use postroom_tests::engines::Engines;
use postroom_tests::process::Callback;
use postroom_tests::sim::judge_stores;
use postroom_tests::street::{
    Follower, Street, Told, agent, customer, judge, settle, wanted, whole_feed,
};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::chaos::Chaos;
use crate::estate::Estate;

const THREADS: u64 = 8;
/// In a run of no minutes: each fault so often.
const ROUNDS: u64 = 2;

/// P1, P2, P3, P4, P5, P7: whatever breaks, nothing that was acknowledged is lost, doubled or
/// reordered. `make soak` runs it for as long as it is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_doubled_or_reordered_whatever_breaks() {
    let (seed, minutes) = (wanted("POSTROOM_SEED", 1), wanted("POSTROOM_SOAK_MINUTES", 0));
    println!("POSTROOM_SEED={seed} POSTROOM_SOAK_MINUTES={minutes}");
    let started = Instant::now();
    let until = started + Duration::from_secs(60 * minutes);
    let callback = Callback::start().await;
    let mut estate = Estate::start(NatsSetup::default(), &callback.url).await;
    let admin = estate.house.token("admin", None).await;
    let street = Street::new(estate.doors());
    let mut people = JoinSet::new();
    for n in 0..THREADS {
        let random = SeededRandom::new(seed ^ (n + 1));
        people.spawn(customer(format!("thread-{n}"), street.clone(), random));
    }
    for (n, name) in (100..).zip(["ada", "bob"]) {
        let token = estate.house.token("agent", Some(name)).await;
        people.spawn(agent(token, street.clone(), SeededRandom::new(seed ^ n)));
    }
    let follower = Follower::start(street.clone(), admin.clone());
    let mut chaos = Chaos::new(seed);
    while chaos.rounds() < ROUNDS || Instant::now() < until {
        chaos.strike(&mut estate).await;
        assert_eq!(estate.ended(), Vec::<String>::new(), "after {:?}", chaos.counts);
    }
    street.close();
    people.join_all().await;
    let told = street.told.lock().await.clone();
    let (total, answered) = (told.message_count(), told.replies.len());
    assert!(total > 100 && answered > 10, "there was load: {total}, {answered}");

    let found = settle(&street, &admin, &told, &callback).await;
    let mut complaints = judge(&told, &found);
    complaints.extend(feed_is_whole(&street, &admin, &follower).await);
    drop(follower);
    let cut = estate.line.cut();
    let stopped = estate.stop().await;
    complaints.extend(ledger_is_sound(&stopped.engines).await);
    assert!(complaints.is_empty(), "{complaints:#?}");
    let report = stopped.house.verify_within(Duration::from_mins(10)).await;
    assert_eq!(report["in_flight"], 0, "{report:#}");
    let uncertain = found.replies.iter().filter(|(_, _, state)| state == "uncertain").count();
    let Told { repeated, .. } = told;
    println!(
        "{} s, {} processes killed, {cut} answers cut off, faults {:?}",
        started.elapsed().as_secs(),
        chaos.processes_killed(),
        chaos.counts
    );
    println!(
        "{total} messages, {repeated} posted again, {answered} replies ({uncertain} uncertain)"
    );
    println!("{report}");
}

/// Over however many breaks, whoever follows has seen each event once and in order.
async fn feed_is_whole(street: &Street, admin: &str, follower: &Follower) -> Option<String> {
    let whole = whole_feed(&street.client(), admin).await;
    let seen = follower.caught_up(*whole.last().expect("a feed")).await;
    let same = whole.iter().zip(&seen).take_while(|(whole, seen)| whole == seen).count();
    (same < whole.len()).then(|| {
        let (there, came) = (whole.get(same), seen.get(same));
        format!("P4: after {same} events the feed has {there:?}, and {came:?} came")
    })
}

/// The chain, one outcome for each input, owners and capacity, and what was granted to be sent.
async fn ledger_is_sound(engines: &Engines) -> Vec<String> {
    let mut options = NatsOptions::new(engines.nats.url(), WorkspaceId::main());
    options.monitor_urls = vec![engines.nats.monitor_url().into()];
    let nats = Nats::open(&options, Arc::new(SystemClock), &TaskTracker::new()).await.unwrap();
    judge_stores(nats.inlet().as_ref(), nats.ledger().as_ref()).await
}
