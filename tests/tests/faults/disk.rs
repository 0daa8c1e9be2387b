//! A disk that is full, as root may mount a small one.

use std::path::PathBuf;
use std::process::Command;

use postroom_model::{Random as _, SeededRandom};
use postroom_testkit::NatsSetup;
use postroom_tests::process::Callback;
use postroom_tests::street::{Request, Street, judge, settle};
use serde_json::json;
use tempfile::TempDir;

use crate::estate::Estate;
use crate::ledger_is_sound;

/// Small enough to be full soon; NATS is told of a larger one, so that it finds out by itself.
const SMALL: &str = "size=12m";
const LARGE: &str = "remount,size=256m";
const NOT_TOLD: &str = "max_file_store: 64GB";

/// A small disk, unmounted on drop.
struct Disk {
    folder: TempDir,
}

impl Disk {
    /// None where this process may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SMALL, "tmpfs"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self { folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn enlarge(&self) {
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-o", LARGE]).arg(self.folder.path()).status();
        assert!(mounted.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Nobody stores there any more; lazily, should somebody still end.
        drop(Command::new("umount").arg("-l").arg(self.folder.path()).status());
    }
}

/// P1: nothing is acknowledged that a full disk does not hold, and with more room and a new start of
/// NATS everything goes on.
#[tokio::test]
async fn full_disk_of_nats_acknowledges_nothing_that_it_loses() {
    let Some(disk) = Disk::mount() else {
        println!("skipped: this process may not mount a tmpfs; as root it may");
        return;
    };
    let setup = NatsSetup {
        store: Some(disk.path().join("store")),
        jetstream_more: NOT_TOLD.to_owned(),
        ..NatsSetup::default()
    };
    let mut estate = Estate::start(setup, "").await;
    let admin = estate.house.token("admin", None).await;
    let street = Street::new(estate.doors());
    let random = SeededRandom::new(1);
    let mut refused = None;
    let mut waiting = None;
    for n in 0..4_000 {
        let id = format!("m{n}");
        let text = noise(&random);
        let event = json!({ "id": id, "thread": "t", "from": { "id": "t" }, "text": text });
        let reply = street.client().event(&event).await;
        if reply.status == 202 {
            street.told.lock().await.messages.entry("t".to_owned()).or_default().push(id);
            continue;
        }
        (refused, waiting) = (Some(reply), Some((id, event)));
        break;
    }
    let refused = refused.expect("the disk is small");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(street.told.lock().await.message_count() > 20);

    disk.enlarge();
    estate.engines.nats.start_again().await;
    let (id, event) = waiting.unwrap();
    let taken = street.insist(&Request::Event(&event)).await;
    assert_eq!(taken.status, 202, "{}", taken.text());
    street.told.lock().await.messages.entry("t".to_owned()).or_default().push(id);
    let told = street.told.lock().await.clone();
    let callback = Callback::start().await;
    let found = settle(&street, &admin, &told, &callback).await;
    assert_eq!(judge(&told, &found), Vec::<String>::new());
    assert_eq!(estate.ended(), Vec::<String>::new());
    let stopped = estate.stop().await;
    assert_eq!(ledger_is_sound(&stopped.engines).await, Vec::<String>::new());
    stopped.house.verify().await;
}

/// Words that no compression makes small.
fn noise(random: &SeededRandom) -> String {
    let words: Vec<String> = (0..800).map(|_| random.next_u64().to_string()).collect();
    words.join(" ")
}
