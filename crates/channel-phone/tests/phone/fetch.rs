//! What is fetched: a log that is written, cut and renamed while it is followed, a folder of posts, and
//! a manager interface of our own that hangs up.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postroom_channel::contract::{self, PullFixture, TestInlet};
use postroom_channel::{Adapter, Inlet, PushRequest, Reached};
use postroom_channel_phone::{PhoneAdapter, PhoneOptions};
use postroom_model::{Call, CallLeg, CallState, ChannelId, Disposition, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const WAIT: Duration = Duration::from_secs(20);

fn adapter(dialect: &str, options: &Value) -> Arc<PhoneAdapter> {
    let options = PhoneOptions::parse(dialect, options.as_object().unwrap()).unwrap();
    Arc::new(PhoneAdapter::new(ChannelId::new("pbx").unwrap(), options, "http://localhost"))
}

fn line(number: usize) -> String {
    format!(
        "\"\",\"030901820\",\"200\",\"from-trunk\",\"\"\"Ada\"\" <030901820>\",\"PJSIP/trunk-{number:08x}\",\
         \"PJSIP/200-{number:08x}\",\"Dial\",\"PJSIP/200\",\"2026-03-01 10:30:00\",,\"2026-03-01 10:30:20\",\
         20,0,\"NO ANSWER\",\"DOCUMENTATION\",\"1772357400.{number}\",\"\"\n"
    )
}

fn append(path: &Path, text: &str) {
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A log in a folder of its own, and who follows it.
struct Log {
    folder: TempDir,
    inlet: Arc<TestInlet>,
}

/// An adapter at work.
struct Work {
    stop: CancellationToken,
    task: JoinHandle<()>,
    _tasks: TaskTracker,
}

impl Work {
    fn start(adapter: Arc<PhoneAdapter>, inlet: &Arc<TestInlet>) -> Self {
        let (stop, inlet) = (CancellationToken::new(), Arc::clone(inlet) as Arc<dyn Inlet>);
        let asked = stop.clone();
        let tasks = TaskTracker::new();
        let task = tasks.spawn(async move { adapter.run(inlet, asked).await.unwrap() });
        Self { stop, task, _tasks: tasks }
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(WAIT, self.task).await.unwrap().unwrap();
    }
}

impl Log {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), inlet: Arc::new(TestInlet::taking()) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("Master.csv")
    }

    fn follow(&self) -> Work {
        self.follow_from("all")
    }

    fn follow_from(&self, start: &str) -> Work {
        let options = json!({ "file": self.path(), "start": start, "region": "DE",
            "time_zone": "Europe/Berlin" });
        Work::start(adapter("asterisk-cdr", &options), &self.inlet)
    }

    /// Waits until so many calls were accepted; then they are each there once.
    async fn calls(&self, count: usize) -> Vec<Call> {
        let calls = wait_for_calls(&self.inlet, count).await;
        let ids: BTreeSet<&str> = calls.iter().map(|call| call.call_id.as_str()).collect();
        assert_eq!((calls.len(), ids.len()), (count, count), "{ids:?}");
        calls
    }
}

async fn wait_for_calls(inlet: &TestInlet, count: usize) -> Vec<Call> {
    let waiting = async {
        let mut accepted = 1;
        loop {
            inlet.wait_for(accepted).await;
            let calls: Vec<Call> =
                inlet.offered().into_iter().flat_map(|received| received.calls).collect();
            if calls.len() >= count {
                return calls;
            }
            accepted += 1;
        }
    };
    tokio::time::timeout(WAIT, waiting).await.unwrap()
}

/// What `cel_custom` writes of a call that nobody answers.
fn legs(number: usize) -> String {
    let line = |kind: &str, who: &str, leg: usize| {
        format!(
            "\"{kind}\",\"2026-03-01 10:30:00\",\"\",\"{who}\",\"\",\"\",\"\",\"200\",\"from-trunk\",\
             \"PJSIP/{leg}-{number}\",\"\",\"\",\"3\",\"\",\"{number}.{leg}\",\"{number}.1\",\"\",\"\",\"\",\"\"\n"
        )
    };
    [
        line("CHAN_START", "030901820", 1),
        line("CHAN_START", "201", 2),
        line("HANGUP", "201", 2),
        line("CHAN_END", "030901820", 1),
        line("LINKEDID_END", "030901820", 1),
    ]
    .concat()
}

#[tokio::test]
async fn log_of_legs_is_followed_like_any_other() {
    let log = Log::new();
    let options = json!({ "file": log.path(), "start": "all", "region": "DE",
        "time_zone": "Europe/Berlin" });
    let follow = || Work::start(adapter("asterisk-cel", &options), &log.inlet);
    append(
        &log.path(),
        "eventtype,eventtime,cid_name,cid_num,cid_ani,cid_rdnis,cid_dnid,exten,\
        context,channame,appname,appdata,amaflags,accountcode,uniqueid,linkedid,bridgepeer,\
        userfield,userdeftype,eventextra\n",
    );
    let work = follow();
    append(&log.path(), &legs(1));
    wait_for_legs(&log.inlet, 5).await;
    work.end().await;
    append(&log.path(), &legs(2));
    fs::rename(log.path(), log.folder.path().join("Master.csv.1")).unwrap();
    append(&log.path(), &format!("\"CHAN_START\",\"never\"\n{}", legs(3)));
    let work = follow();
    let legs = wait_for_legs(&log.inlet, 15).await;
    work.end().await;
    let calls: BTreeSet<&str> = legs.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(calls, BTreeSet::from(["1.1", "2.1", "3.1"]));
    assert_eq!(legs[0].1.number.as_deref(), Some("+4930901820"));
    assert_eq!(legs[0].1.at.to_string(), "2026-03-01T09:30:00.000Z");
    assert_eq!(legs.len(), 15, "{legs:?}");
    assert_eq!(log.inlet.unparsed().len(), 1);
}

async fn wait_for_legs(inlet: &TestInlet, count: usize) -> Vec<(String, CallLeg)> {
    let waiting = async {
        let mut accepted = 1;
        loop {
            inlet.wait_for(accepted).await;
            let legs: Vec<(String, CallLeg)> =
                inlet.offered().into_iter().flat_map(|received| received.legs).collect();
            if legs.len() >= count {
                return legs;
            }
            accepted += 1;
        }
    };
    tokio::time::timeout(WAIT, waiting).await.unwrap()
}

#[tokio::test]
async fn log_is_followed_over_pauses_renames_and_cuts() {
    let log = Log::new();
    let work = log.follow();
    append(&log.path(), &line(1));
    let calls = log.calls(1).await;
    assert_eq!(calls[0].from.as_deref(), Some("+4930901820"));
    assert_eq!(calls[0].disposition, Some(Disposition::NoAnswer));
    assert_eq!(calls[0].started_at.unwrap().to_string(), "2026-03-01T09:30:00.000Z");
    // A line that is still being written waits for its end.
    let whole = line(2);
    let (begin, end) = whole.split_at(150);
    append(&log.path(), &format!("{}{begin}", line(3)));
    log.calls(2).await;
    append(&log.path(), end);
    log.calls(3).await;
    work.end().await;

    // What came while nobody looked, in a log that was renamed meanwhile, and in the new one.
    append(&log.path(), &line(4));
    fs::rename(log.path(), log.folder.path().join("Master.csv.1")).unwrap();
    append(&log.path(), &line(5));
    let work = log.follow();
    log.calls(5).await;

    // Renamed while it is followed.
    append(&log.path(), &line(6));
    log.calls(6).await;
    fs::rename(log.path(), log.folder.path().join("Master.csv.2")).unwrap();
    append(&log.path(), &line(7));
    log.calls(7).await;

    // Copied and cut.
    fs::copy(log.path(), log.folder.path().join("Master.csv.3")).unwrap();
    File::options().write(true).truncate(true).open(log.path()).unwrap();
    append(&log.path(), &line(8));
    log.calls(8).await;
    work.end().await;

    // Copied and cut while nobody looked, and grown beyond where it was read.
    append(&log.path(), &line(9));
    fs::copy(log.path(), log.folder.path().join("Master.csv.4")).unwrap();
    File::options().write(true).truncate(true).open(log.path()).unwrap();
    append(&log.path(), &(10..20).map(line).collect::<String>());
    let work = log.follow();
    log.calls(19).await;
    work.end().await;

    // Renamed twice while nobody looked.
    let now = fs::metadata(log.path()).unwrap().modified().unwrap();
    for (number, name) in [(20, "Master.csv.5"), (21, "Master.csv.6")] {
        append(&log.path(), &line(number));
        // Logs are not rotated twice within one tick of the clock.
        let written = now + Duration::from_secs(number as u64 * 10);
        File::options().write(true).open(log.path()).unwrap().set_modified(written).unwrap();
        fs::rename(log.path(), log.folder.path().join(name)).unwrap();
    }
    append(&log.path(), &line(22));
    let work = log.follow();
    log.calls(22).await;
    work.end().await;
}

/// Waits until a place was accepted.
async fn wait_for_place(inlet: &TestInlet, count: usize) {
    tokio::time::timeout(WAIT, inlet.wait_for(count)).await.unwrap();
    assert!(!inlet.places().is_empty());
}

#[tokio::test]
async fn log_that_is_followed_for_the_first_time_begins_at_its_end() {
    let log = Log::new();
    // The past, and a line of which the rest is still to come.
    let whole = line(3);
    let (begin, end) = whole.split_at(150);
    append(&log.path(), &format!("{}{}{begin}", line(1), line(2)));
    let work = log.follow_from("new");
    wait_for_place(&log.inlet, 1).await;
    append(&log.path(), &format!("{end}{}", line(4)));
    let ids = |calls: Vec<Call>| calls.into_iter().map(|call| call.call_id).collect::<Vec<_>>();
    assert_eq!(ids(log.calls(2).await), ["1772357400.3", "1772357400.4"]);
    work.end().await;
    // What is written while nobody looks is no past.
    append(&log.path(), &line(5));
    let work = log.follow_from("new");
    assert_eq!(ids(log.calls(3).await).pop().unwrap(), "1772357400.5");
    work.end().await;
}

#[tokio::test]
async fn log_that_is_empty_or_not_there_yet_is_read_whole_once_it_is_written() {
    for empty in [false, true] {
        let log = Log::new();
        if empty {
            append(&log.path(), "");
        }
        let work = log.follow_from("new");
        wait_for_place(&log.inlet, 1).await;
        work.end().await;
        append(&log.path(), &line(1));
        if empty {
            fs::rename(log.path(), log.folder.path().join("Master.csv.1")).unwrap();
            append(&log.path(), &line(2));
        }
        let work = log.follow_from("new");
        log.calls(if empty { 2 } else { 1 }).await;
        work.end().await;
    }
}

#[tokio::test]
async fn line_that_is_no_record_is_kept_and_harms_no_other() {
    let log = Log::new();
    append(&log.path(), &line(1));
    append(&log.path(), "\"\",\"030\",\"an open quotation mark\n");
    append(&log.path(), &line(2));
    let work = log.follow();
    log.calls(2).await;
    assert_eq!(log.inlet.unparsed(), ["\"\",\"030\",\"an open quotation mark\n"]);
    work.end().await;
}

#[tokio::test]
async fn log_with_a_line_of_names_is_read_by_them_from_any_place() {
    let log = Log::new();
    append(&log.path(), "calldate,src,dst,duration,billsec,disposition,uniqueid\n");
    append(&log.path(), "2026-03-01 10:30:00,030901820,200,20,15,ANSWERED,a.1\n");
    let work = log.follow();
    log.calls(1).await;
    append(&log.path(), "2026-03-01 10:31:00,030901821,200,20,15,ANSWERED,a.2\n");
    let calls = log.calls(2).await;
    assert_eq!(calls[1].talk_s, Some(15));
    work.end().await;
}

#[tokio::test]
async fn backfill_reads_again_from_a_date_on_and_moves_no_place() {
    let log = Log::new();
    append(&log.folder.path().join("Master.csv.1"), &line(1));
    append(&log.path(), &line(2).replace("2026-03-01", "2026-03-05"));
    let options = json!({ "file": log.path() });
    let since: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
    let inlet = Arc::clone(&log.inlet) as Arc<dyn Inlet>;
    let adapter = adapter("asterisk-cdr", &options);
    assert_eq!(adapter.backfill(Arc::clone(&inlet), since).await, Ok(Some(1)));
    assert_eq!(adapter.backfill(inlet, Timestamp::EPOCH).await, Ok(Some(2)));
    assert!(log.inlet.offered().iter().all(|received| received.reached.is_none()));
}

#[tokio::test]
async fn posts_that_did_not_arrive_are_read_from_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    let cdr = json!({"variables": {"uuid": "f-1", "start_uepoch": "1772357400500000",
        "hangup_cause": "NO_ANSWER"}, "callflow": []});
    fs::write(folder.path().join("a_f-1.cdr.json"), cdr.to_string()).unwrap();
    fs::write(folder.path().join("b_broken.cdr.json"), "{").unwrap();
    let adapter = adapter("freeswitch-cdr", &json!({ "folder": folder.path() }));
    let inlet = Arc::new(TestInlet::taking());
    let read = adapter.backfill(Arc::clone(&inlet) as Arc<dyn Inlet>, Timestamp::EPOCH).await;
    assert_eq!(read, Ok(Some(1)));
    assert_eq!(inlet.offered()[0].calls[0].call_id, "f-1");
    assert_eq!(inlet.unparsed(), ["{"]);
}

/// Takes one connection as the manager interface does, and checks who logs in.
async fn log_in(listener: &TcpListener) -> BufReader<TcpStream> {
    let (stream, _) = listener.accept().await.unwrap();
    let mut peer = BufReader::new(stream);
    peer.get_mut().write_all(b"Asterisk Call Manager/7.0.3\r\n").await.unwrap();
    let mut asked = Vec::new();
    loop {
        let mut line = String::new();
        peer.read_line(&mut line).await.unwrap();
        if line.trim().is_empty() {
            break;
        }
        asked.push(line.trim().to_owned());
    }
    assert!(asked.contains(&"Username: postroom".to_owned()), "{asked:?}");
    assert!(asked.contains(&"Secret: canary-of-the-tests".to_owned()), "{asked:?}");
    let welcome =
        b"Event: FullyBooted\r\n\r\nResponse: Success\r\nMessage: Authentication accepted\r\n\r\n";
    peer.get_mut().write_all(welcome).await.unwrap();
    peer
}

fn cdr(number: usize) -> String {
    format!(
        "Event: Cdr\r\nSource: 030901820\r\nDestination: 200\r\nDestinationContext: from-trunk\r\n\
         CallerID: \"Ada\" <030901820>\r\nChannel: PJSIP/trunk-1\r\nDestinationChannel: PJSIP/200-1\r\n\
         LastApplication: Dial\r\nStartTime: 2026-03-01 10:30:00\r\nAnswerTime: \r\n\
         EndTime: 2026-03-01 10:30:20\r\nDuration: 20\r\nBillableSeconds: 0\r\n\
         Disposition: NO ANSWER\r\nUniqueID: 1772357400.{number}\r\n\r\n"
    )
}

#[tokio::test]
async fn manager_interface_that_hangs_up_is_connected_to_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let options =
        json!({ "address": address, "username": "postroom", "secret": "canary-of-the-tests" });
    let inlet = Arc::new(TestInlet::taking());
    let adapter = adapter("asterisk-ami", &options);
    assert!(adapter.push().is_none(), "its secret opens no door");
    let work = Work::start(adapter, &inlet);

    let mut peer = log_in(&listener).await;
    // A block in two parts, with an event between that tells of no call.
    let whole = cdr(1);
    let (begin, end) = whole.split_at(100);
    peer.get_mut().write_all(b"Event: RTCPSent\r\nTo: x\r\n\r\n").await.unwrap();
    peer.get_mut().write_all(begin.as_bytes()).await.unwrap();
    peer.get_mut().write_all(end.as_bytes()).await.unwrap();
    let calls = wait_for_calls(&inlet, 1).await;
    assert_eq!((calls[0].state, calls[0].call_id.as_str()), (CallState::Ended, "1772357400.1"));
    drop(peer);

    let mut peer = log_in(&listener).await;
    // What was told before is no news.
    peer.get_mut().write_all(format!("{}{}", cdr(1), cdr(2)).as_bytes()).await.unwrap();
    let calls = wait_for_calls(&inlet, 2).await;
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1].call_id, "1772357400.2");
    work.end().await;
}

#[tokio::test]
async fn manager_interface_is_examined_by_logging_in() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let options =
        json!({ "address": address, "username": "postroom", "secret": "canary-of-the-tests" });
    let adapter = adapter("asterisk-ami", &options);
    let (found, _peer) = tokio::join!(adapter.examine(), log_in(&listener));
    assert_eq!(found[0].found, Ok(format!("{address} lets us in")));
    let refuse = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"Asterisk Call Manager/7.0.3\r\n").await.unwrap();
        stream
            .write_all(b"Response: Error\r\nMessage: Authentication failed\r\n\r\n")
            .await
            .unwrap();
        stream
    };
    let (found, _stream) = tokio::join!(adapter.examine(), refuse);
    assert_eq!(found[0].found.as_ref().unwrap_err().0, "manager_login_refused");
    let other = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 mail.example\r\n").await.unwrap();
    };
    let (found, ()) = tokio::join!(adapter.examine(), other);
    assert_eq!(found[0].found.as_ref().unwrap_err().0, "manager_unreachable");
    drop(listener);
    let found = adapter.examine().await;
    assert!(!format!("{found:?}").contains("canary"), "{found:?}");
    assert_eq!(found[0].found.as_ref().unwrap_err().0, "manager_unreachable");
}

#[tokio::test]
async fn call_of_the_manager_interface_is_told_as_it_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let options =
        json!({ "address": address, "username": "postroom", "secret": "canary-of-the-tests" });
    let inlet = Arc::new(TestInlet::taking());
    let work = Work::start(adapter("asterisk-ami", &options), &inlet);
    let mut peer = log_in(&listener).await;
    let event = |name: &str, leg: &str, at: u32, more: &str| {
        format!(
            "Event: {name}\r\nTimestamp: {}.0\r\nChannel: PJSIP/{leg}-1\r\nUniqueid: {leg}.1\r\n\
             Linkedid: trunk.1\r\nCallerIDNum: 442079460011\r\nContext: from-trunk\r\nExten: 200\r\n{more}\r\n",
            1_772_357_400 + at
        )
    };
    let state = "ChannelStateDesc: Up\r\nChannelState: 6\r\n";
    for block in [
        event("Newchannel", "trunk", 0, ""),
        event("Newchannel", "200", 1, ""),
        event("Newstate", "200", 5, state),
        event("Newstate", "trunk", 5, state),
        event("BridgeEnter", "trunk", 5, "BridgeUniqueid: b\r\n"),
        event("BridgeEnter", "200", 5, "BridgeUniqueid: b\r\n"),
        event("Hangup", "200", 20, "Cause: 16\r\n"),
        event("Hangup", "trunk", 20, "Cause: 16\r\n"),
    ] {
        peer.get_mut().write_all(block.as_bytes()).await.unwrap();
    }
    let waiting = async {
        let mut count = 1;
        loop {
            let calls = wait_for_calls(&inlet, count).await;
            if calls.last().is_some_and(|call| call.state == CallState::Ended) {
                return calls;
            }
            count = calls.len() + 1;
        }
    };
    let calls = tokio::time::timeout(WAIT, waiting).await.unwrap();
    let states: Vec<CallState> = calls.iter().map(|call| call.state).collect();
    assert_eq!(states.first(), Some(&CallState::Ringing));
    assert!(states.contains(&CallState::Answered), "{states:?}");
    assert_eq!(calls.last().unwrap().disposition, Some(Disposition::Answered));
    work.end().await;
}

/// One log of one part.
struct Followed {
    folder: TempDir,
}

#[async_trait]
impl PullFixture for Followed {
    fn adapter(&self) -> Arc<dyn Adapter> {
        let options = json!({ "file": self.folder.path().join("Master.csv"), "start": "all",
            "secret": "canary-shared-word" });
        adapter("asterisk-cdr", &options)
    }

    fn secrets(&self) -> Vec<String> {
        vec!["canary-shared-word".to_owned()]
    }

    fn offered(&self) -> usize {
        1
    }

    async fn acknowledged(&self, places: &[Reached]) -> usize {
        places.len()
    }
}

#[tokio::test]
async fn follower_passes_the_suite_of_adapters_that_fetch() {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("Master.csv"), &(1..50).map(line).collect::<String>());
    let suite = contract::run_pull(&Followed { folder }).await;
    assert_eq!(suite, Ok(()));
}

/// P2 of a log that is posted: nothing of it vanishes.
#[test]
fn posted_log_gives_what_can_be_read_and_tells_of_the_rest() {
    let adapter = adapter("asterisk-cdr", &json!({ "secret": "a-word-of-the-tests" }));
    let headers = http::HeaderMap::new();
    let read = |body: &[u8]| {
        let (method, uri) = (&http::Method::POST, "/");
        adapter.push().unwrap().parse(&PushRequest { method, uri, headers: &headers, body })
    };
    let good = line(1);
    let received = read(good.trim_end().as_bytes()).unwrap();
    assert_eq!((received.calls.len(), received.unread), (1, None));
    let long = format!("\"\",\"030{}\"\n", "9".repeat(70_000));
    for (rest, detail) in [
        (long.as_str(), "line 2: longer than 64 KiB; is a quotation mark left open?"),
        ("nonsense\n", "line 2: a column is missing"),
        ("\"\",\"0309", "the last record breaks off"),
        ("x,y\n\"0309", "line 2: a column is missing; the last record breaks off"),
    ] {
        let log = format!("{good}{rest}");
        let received = read(log.as_bytes()).unwrap();
        let unread = received.unread.unwrap();
        // What was taken is not set aside with it.
        assert_eq!((received.calls.len(), &unread.raw[..]), (1, rest.as_bytes()), "{rest}");
        assert_eq!((unread.code, unread.detail.as_str()), ("log_records_unreadable", detail));
        assert_eq!(read(rest.as_bytes()).unwrap_err().code, "log_records_unreadable");
    }
    // What follows it is taken too.
    let received = read(format!("{good}{long}{}", line(2)).as_bytes()).unwrap();
    let ids: Vec<&str> = received.calls.iter().map(|call| call.call_id.as_str()).collect();
    assert_eq!(ids, ["1772357400.1", "1772357400.2"]);
    assert_eq!(received.unread.unwrap().raw, long);
}
