#![allow(warnings, clippy::all, clippy::pedantic)]
use std::sync::Arc;
use std::time::Instant;
use postroom_embedded::{Embedded, EmbeddedOptions};
use postroom_model::*;
use postroom_records::*;
use uuid::Uuid;

fn env(n: &str, d: u64) -> u64 { std::env::var(n).ok().and_then(|v| v.parse().ok()).unwrap_or(d) }

fn cpu() -> f64 { let s = std::fs::read_to_string("/proc/self/stat").unwrap(); let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect(); (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0 }
fn written() -> f64 { let s = std::fs::read_to_string("/proc/self/io").unwrap(); s.lines().find(|l| l.starts_with("wchar")).unwrap().split(' ').nth(1).unwrap().parse::<f64>().unwrap() / 1e6 }

fn conv_id(n: u64) -> ConversationId { ConversationId(ids::decided(Timestamp::from_millis(1_700_000_000_000 + n as i64 * 37), "conversation", &[n])) }

fn conversation(n: u64, at: i64, version: u64) -> Conversation {
    Conversation {
        id: conv_id(n), status: if n % 10 == 0 { Status::Pending } else { Status::Open },
        subject: Some(format!("Where is my parcel number {n}, it has not come")),
        channel: ChannelId::new("site").unwrap(), thread: Some(format!("thread-{n}")),
        queue: Some(QueueId::new(["support","billing","sales"][(n % 3) as usize]).unwrap()),
        assignee: if n % 2 == 0 { Some(AgentId::new(&format!("agent-{}", n % 40)).unwrap()) } else { None },
        contact: Some(ContactId(conv_id(n + 7).0)), customer: None, priority: 5, skills: Default::default(), cost: 20,
        tags: vec!["vip".into()], targets: vec![], opened_at: Timestamp::from_millis(1_700_000_000_000),
        last_message_at: Timestamp::from_millis(at), waiting_since: Some(Timestamp::from_millis(at)),
        snoozed_until: None, merged_into: None, merged_from: vec![], version, message_version: version,
        route: RuleTrace { tried: 3, matched: Some(3), when: Some("message.text.contains('parcel')".into()), failed: vec![], config: "0123456789abcdef".into() },
        assignment: None,
    }
}

fn timeline(n: u64, position: u64, at: i64) -> TimelineItem {
    let message = Message {
        external_id: format!("ext-{position}"), thread: Some(format!("thread-{n}")),
        from: Some(Party { address: Some(format!("mailto:customer{n}@example.com").parse().unwrap()), name: Some("A Customer".into()), username: None }),
        text: Some("Hello, I ordered three weeks ago and the parcel has not come yet. Could you look where it is? ".repeat(3)),
        visible_text: None, sent_at: Some(Timestamp::from_millis(at)), ..Message::default()
    };
    TimelineItem { position, conversation: Some(conv_id(n)), at: Timestamp::from_millis(at), kind: "message.received".into(), id: Some(Uuid::new_v8(digest::Digest::of(&position.to_be_bytes()).head())), message: Some(Box::new(message)), text: None, by: None, reason: None, delivery: None, details: Default::default() }
}

fn seen(position: u64, n: u64, at: i64) -> (Key, Row) {
    let id = InputId(Uuid::new_v8(digest::Digest::of(&position.to_be_bytes()).head()));
    let outcome = Outcome { position: Position { seq: position, index: 3 }, input: id, kind: OutcomeKind::Routed, code: None, detail: None, conversation: Some(conv_id(n)), message: Some(MessageId(id.0)), version: Some(4) };
    (Key::Seen(id), Row::Seen(Box::new(Seen { at: Timestamp::from_millis(at), outcome })))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe() {
    let folder = tempfile::tempdir_in("/work").unwrap();
    let store = Embedded::open(folder.path(), &EmbeddedOptions::default()).unwrap();
    let records = store.records();
    let (conversations, rounds, batch) = (env("CONV", 20_000), env("ROUNDS", 100), env("BATCH", 500));
    let mut seq = 0;
    let mut position = 0u64;
    let random = SeededRandom::new(1);
    println!("sizes: conv {} timeline {} seen {}", serde_json::to_vec(&conversation(1, 1, 1)).unwrap().len(), serde_json::to_vec(&timeline(1, 1, 1)).unwrap().len(), serde_json::to_vec(&seen(1,1,1).1).unwrap().len());
    // fill
    let pre = env("PRE", 20_000);
    let started = Instant::now();
    for chunk in 0..(pre / 1000) {
        let mut changes = vec![];
        for i in 0..1000 {
            let k = chunk * 1000 + i;
            position += 1; let at = 1_700_000_000_000 + position as i64;
            let n = if k < conversations { k } else { random.below(conversations) };
            changes.push(Change::Put(Key::Conversation(conv_id(n)), Row::Conversation(Box::new(conversation(n, at, 1)))));
            changes.push(Change::Put(Key::Timeline(conv_id(n), position), Row::Timeline(Box::new(timeline(n, position, at)))));
            let (k, r) = seen(position, n, at); changes.push(Change::Put(k, r));
        }
        records.write(seq, Standing { seq: seq + 1, last_event: position, at: Timestamp::EPOCH }, changes).await.unwrap(); seq += 1;
    }
    println!("fill {pre}: {:.0}/s", pre as f64 / started.elapsed().as_secs_f64());
    let (mut load_t, mut write_t, mut worst) = (0.0, 0.0, 0.0f64);
    let (mut load_c, mut write_c, w0) = (0.0, 0.0, written());
    for round in 0..rounds {
        let mut keys = vec![]; let mut changes = vec![]; 
        let mut ns = std::collections::BTreeSet::new();
        while ns.len() < batch as usize { ns.insert(random.below(conversations)); }
        for n in ns {
            position += 1; let at = 1_700_000_000_000 + position as i64;
            let (sk, sr) = seen(position, n, at);
            keys.push(Key::Conversation(conv_id(n))); keys.push(Key::Thread(ChannelId::new("site").unwrap(), format!("thread-{n}"))); keys.push(sk.clone());
            changes.push(Change::Put(Key::Conversation(conv_id(n)), Row::Conversation(Box::new(conversation(n, at, round + 2)))));
            changes.push(Change::Put(Key::Timeline(conv_id(n), position), Row::Timeline(Box::new(timeline(n, position, at)))));
            changes.push(Change::Put(sk, sr));
        }
        let c = cpu(); let t = Instant::now();
        let rows = records.load(&keys).await.unwrap();
        assert_eq!(rows.iter().flatten().count(), batch as usize);
        let l = t.elapsed().as_secs_f64(); load_t += l; load_c += cpu() - c; let c = cpu();
        let t = Instant::now();
        records.write(seq, Standing { seq: seq + 1, last_event: position, at: Timestamp::EPOCH }, changes).await.unwrap(); seq += 1;
        let w = t.elapsed().as_secs_f64(); write_t += w; write_c += cpu() - c; worst = worst.max(w);
    }
    let total = (rounds * batch) as f64;
    println!("load {:.2} ms/batch, write {:.2} ms/batch (worst {:.1} ms), together {:.0} messages/s", load_t * 1000.0 / rounds as f64, write_t * 1000.0 / rounds as f64, worst * 1000.0, total / (load_t + write_t));
    println!("cpu: load {:.1} us/msg, write {:.1} us/msg; {:.0} msgs per cpu second; written {:.1} KB/msg", load_c / total * 1e6, write_c / total * 1e6, total / (load_c + write_c), (written() - w0) * 1000.0 / total);
    if let Ok(k) = std::env::var("PROBE_KEEP") { for f in ["postroom.db", "postroom.db-wal"] { std::fs::copy(folder.path().join(f), format!("{k}/{f}")).unwrap(); } }
    let s = std::process::Command::new("ls").arg("-la").arg(folder.path()).output().unwrap(); println!("{}", String::from_utf8_lossy(&s.stdout));

    let t = Instant::now();
    let q = ConversationQuery { limit: 50, ..Default::default() };
    let page = records.conversations(&q).await.unwrap(); println!("list all {:?} ({})", t.elapsed(), page.items.len());
    let t = Instant::now(); let c = records.queue_counts().await.unwrap(); println!("queue counts {:?} {c:?}", t.elapsed());
    let t = Instant::now(); let q = ConversationQuery { limit: 50, text: Some("nothing like it".into()), ..Default::default() };
    let page = records.conversations(&q).await.unwrap(); println!("search nothing {:?} ({} {:?})", t.elapsed(), page.items.len(), page.next_cursor);

    let inlet = store.inlet();
    let payload = bytes::Bytes::from(vec![b'x'; 1000]);
    for publishers in [1u64, 64] {
        let each = if publishers == 1 { 500 } else { 300 };
        let t = Instant::now();
        let mut lat = vec![];
        let mut tasks = vec![];
        for _ in 0..publishers {
            let (inlet, payload) = (inlet.clone(), payload.clone());
            tasks.push(tokio::spawn(async move { let mut l = vec![]; for _ in 0..each { let t = Instant::now(); inlet.publish(payload.clone()).await.unwrap(); l.push(t.elapsed()); } l }));
        }
        for task in tasks { lat.extend(task.await.unwrap()); }
        lat.sort();
        println!("{publishers} publishers: {:.0}/s p50 {:?} p99 {:?}", (publishers * each) as f64 / t.elapsed().as_secs_f64(), lat[lat.len()/2], lat[lat.len()*99/100]);
    }
}
