//! kill -9 of the serving process at random moments under load: nothing acknowledged is lost, doubled
//! or reordered (P1, P2, P3, P7).
//!
//! Customers and agents note what they were told; afterwards a judge compares their notes with the
//! timelines, with what arrived at the callback, and with what `verify` counts.

use std::time::Duration;

use postroom_model::SeededRandom;
use postroom_tests::process::{Callback, House, config};
use postroom_tests::street::{Street, agent, customer, judge, settle, wanted};
use tokio::sync::watch;
use tokio::task::JoinSet;

const THREADS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_doubled_or_reordered_by_kill_9() {
    let (kills, seed) = (wanted("POSTROOM_KILLS", 20), wanted("POSTROOM_SEED", 1));
    println!("POSTROOM_SEED={seed} POSTROOM_KILLS={kills}");
    let random = SeededRandom::new(seed);
    let callback = Callback::start().await;
    let house = House::new(&config(&callback.url));
    let mut server = house.serve().await;
    let admin = house.token("admin", None).await;
    let tokens = [house.token("agent", Some("ada")).await, house.token("agent", Some("bob")).await];
    let (doors, reader) = watch::channel(vec![server.address.clone()]);
    let street = Street::new(reader);
    let mut people = JoinSet::new();
    for n in 0..THREADS {
        let random = SeededRandom::new(seed ^ (n as u64 + 1));
        people.spawn(customer(format!("thread-{n}"), street.clone(), random));
    }
    for (n, token) in tokens.into_iter().enumerate() {
        let random = SeededRandom::new(seed ^ (n as u64 + 100));
        people.spawn(agent(token, street.clone(), random));
    }
    for _ in 0..kills {
        let moment = Duration::from_millis(100 + random.below(1_400));
        // The moment of the kill is the one thing here that is a matter of time.
        drop(tokio::time::timeout(moment, std::future::pending::<()>()).await);
        server.kill().await;
        server = house.serve().await;
        doors.send_replace(vec![server.address.clone()]);
    }
    street.close();
    while let Some(ended) = people.join_next().await {
        ended.expect("nobody gives up");
    }
    let told = street.told.lock().await.clone();
    let total = told.message_count();
    assert!(total > 100 && told.replies.len() > 10, "there was load: {total}");
    let found = settle(&street, &admin, &told, &callback).await;
    let complaints = judge(&told, &found);
    assert!(complaints.is_empty(), "{complaints:#?}");
    server.stop().await;
    let report = house.verify().await;
    assert_eq!(report["in_flight"], 0, "{report:#}");
    let uncertain = found.replies.iter().filter(|(_, _, state)| state == "uncertain").count();
    assert!(uncertain * 2 < found.replies.len(), "uncertain is the exception: {uncertain}");
    println!(
        "{kills} kills, {total} messages, {} replies ({uncertain} uncertain), {} inputs",
        told.replies.len(),
        report["inputs"]
    );
}
