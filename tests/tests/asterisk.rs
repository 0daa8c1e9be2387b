//! A real Asterisk, where there is one: another one calls it and has its telephones, and Postroom reads
//! the calls in all three ways that Asterisk tells of them. `POSTROOM_ASTERISK` names the root folder of a system that has one
//! (`/` for this one); without it there is nothing to test here. CONTRIBUTING.md says how to get one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use postroom_tests::process::{Client, House, WAIT, again, config};
use tempfile::TempDir;
use tokio::process::{Child, Command};

const WORD: &str = "a-word-of-the-tests";
const MODULES: [&str; 19] = [
    "app_dial",
    "bridge_builtin_features",
    "bridge_holding",
    "bridge_native_rtp",
    "bridge_simple",
    "cdr_csv",
    "cdr_manager",
    "cel_custom",
    "chan_iax2",
    "codec_ulaw",
    "format_pcm",
    "func_callerid",
    "func_channel",
    "func_strings",
    "func_timeout",
    "pbx_config",
    "pbx_spool",
    "res_musiconhold",
    "res_timing_timerfd",
];

/// An Asterisk with a folder of its own.
struct Asterisk {
    folder: TempDir,
    manager_port: u16,
    iax_port: u16,
    server: Child,
}

/// The telephone system, and the world around it: who calls, and the telephones.
struct Stage {
    pbx: Asterisk,
    world: Asterisk,
}

impl Stage {
    fn start() -> Option<Self> {
        let root = PathBuf::from(std::env::var_os("POSTROOM_ASTERISK")?);
        // All are free now, which is as good as it gets for programs that bind by themselves.
        let ports = || UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (inner, outer) = (ports(), ports());
        Some(Self {
            pbx: Asterisk::start(&root, inner, outer),
            world: Asterisk::start(&root, outer, inner),
        })
    }

    /// Somebody outside dials `number` and hangs up after ten seconds at the latest.
    fn call(&self, caller: &str, number: &str) {
        let text = format!(
            "Channel: IAX2/trunk:{WORD}@127.0.0.1:{}/{number}\nCallerID: \"Ada\" <{caller}>\n\
             WaitTime: 20\nApplication: Wait\nData: 10\n",
            self.pbx.iax_port
        );
        // The spool takes a file as soon as it is there, so it comes whole.
        let folder = self.world.folder.path();
        let written = folder.join(format!("{number}.call"));
        fs::write(&written, text).unwrap();
        fs::rename(written, folder.join(format!("spool/outgoing/{number}.call"))).unwrap();
    }
}

impl Asterisk {
    fn start(root: &Path, iax_port: u16, other_port: u16) -> Self {
        let folder = tempfile::Builder::new().tempdir_in(root.join("tmp")).unwrap();
        let inside = Path::new("/").join(folder.path().strip_prefix(root).unwrap());
        let manager_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for name in ["spool/outgoing", "run", "log/cdr-csv", "log/cel-custom"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for (name, text) in files(&inside, manager_port, iax_port, other_port) {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let mut command = Command::new("chroot");
        command.arg(root).args(["asterisk", "-f", "-C"]).arg(inside.join("asterisk.conf"));
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").kill_on_drop(true);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let server = command.spawn().unwrap();
        Self { folder, manager_port, iax_port, server }
    }

    /// Until the manager interface is there, which comes last.
    async fn ready(&self) {
        let listening = async {
            let mut again = again();
            while std::net::TcpStream::connect(("127.0.0.1", self.manager_port)).is_err() {
                again.tick().await;
            }
        };
        tokio::time::timeout(WAIT, listening).await.unwrap();
    }

    fn log(&self, name: &str) -> String {
        self.folder.path().join("log").join(name).display().to_string()
    }
}

#[expect(clippy::too_many_lines, reason = "the files of a telephone system, one after the other")]
fn files(
    inside: &Path,
    manager_port: u16,
    iax_port: u16,
    other_port: u16,
) -> Vec<(&'static str, String)> {
    let here = inside.display();
    let modules: Vec<_> = MODULES.iter().map(|module| format!("load = {module}.so\n")).collect();
    let modules = modules.concat();
    let cel: Vec<String> = [
        "${eventtype}",
        "${eventtime}",
        "${CALLERID(name)}",
        "${CALLERID(num)}",
        "${CALLERID(ANI)}",
        "${CALLERID(RDNIS)}",
        "${CALLERID(DNID)}",
        "${CHANNEL(exten)}",
        "${CHANNEL(context)}",
        "${CHANNEL(channame)}",
        "${CHANNEL(appname)}",
        "${CHANNEL(appdata)}",
        "${CHANNEL(amaflags)}",
        "${CHANNEL(accountcode)}",
        "${CHANNEL(uniqueid)}",
        "${CHANNEL(linkedid)}",
        "${BRIDGEPEER}",
        "${CHANNEL(userfield)}",
        "${userdeftype}",
        "${eventextra}",
    ]
    .iter()
    .map(|field| format!("${{CSV_QUOTE({field})}}"))
    .collect();
    let telephone = format!("IAX2/phones:{WORD}@127.0.0.1:{other_port}");
    let peer = |name: &str, context: &str| {
        format!(
            "[{name}]\ntype=user\ncontext={context}\nauth=plaintext\nsecret={WORD}\nrequirecalltoken=no\n"
        )
    };
    vec![
        (
            "asterisk.conf",
            format!(
                "[directories]\nastetcdir => {here}\nastmoddir => /usr/lib/asterisk/modules\n\
                 astvarlibdir => /var/lib/asterisk\nastdbdir => {here}\nastkeydir => {here}\n\
                 astdatadir => /usr/share/asterisk\nastspooldir => {here}/spool\n\
                 astrundir => {here}/run\nastlogdir => {here}/log\n"
            ),
        ),
        ("modules.conf", format!("[modules]\nautoload=no\n{modules}")),
        ("logger.conf", String::new()),
        (
            "cdr.conf",
            "[general]\nenable=yes\n[csv]\nusegmtime=yes\nloguniqueid=yes\n\
             newcdrcolumns=yes\n"
                .to_owned(),
        ),
        ("cdr_manager.conf", "[general]\nenabled = yes\n".to_owned()),
        ("cel.conf", "[general]\nenable=yes\napps=dial\nevents=ALL\n".to_owned()),
        ("cel_custom.conf", format!("[mappings]\nMaster.csv => {}\n", cel.join(","))),
        (
            "manager.conf",
            format!(
                "[general]\nenabled=yes\nport={manager_port}\nbindaddr=127.0.0.1\n\
                 timestampevents=yes\n[postroom]\nsecret={WORD}\nread=call,cdr\n"
            ),
        ),
        (
            "iax.conf",
            format!(
                "[general]\nbindport={iax_port}\nbindaddr=127.0.0.1\n\
                 calltokenoptional=127.0.0.1/255.255.255.255\ndisallow=all\nallow=ulaw\n{}{}",
                peer("trunk", "from-trunk"),
                peer("phones", "phones")
            ),
        ),
        (
            "extensions.conf",
            format!(
                "[from-trunk]\nexten => 200,1,Dial({telephone}/201,10)\nsame => n,Hangup()\n\
                 exten => 300,1,Dial({telephone}/202,2)\nsame => n,Hangup()\n\
                 [phones]\nexten => 201,1,Ringing()\nsame => n,Wait(1)\nsame => n,Answer()\n\
                 same => n,Wait(2)\nsame => n,Hangup()\n\
                 exten => 202,1,Ringing()\nsame => n,Wait(8)\nsame => n,Hangup()\n"
            ),
        ),
    ]
}

fn with_asterisk(pbx: &Asterisk) -> String {
    let channel = |id: &str, more: &str| {
        format!(
            "\n[[channels]]\nid = \"{id}\"\nkind = \"phone\"\ndialect = \"asterisk-{id}\"\nregion = \"DE\"\n{more}\n"
        )
    };
    [
        config(""),
        channel("cdr", &format!("file = \"{}\"", pbx.log("cdr-csv/Master.csv"))),
        channel("cel", &format!("file = \"{}\"", pbx.log("cel-custom/Master.csv"))),
        channel(
            "ami",
            &format!(
                "address = \"127.0.0.1:{}\"\nusername = \"postroom\"\nsecret = \"{WORD}\"",
                pbx.manager_port
            ),
        ),
    ]
    .concat()
}

/// Subject and status of what each channel has of calls from the two numbers.
async fn found(client: &Client, admin: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for view in ["all", "resolved"] {
        let path = format!("/v1/conversations?view={view}&limit=200");
        let page = client.get_json(&path, admin).await.json();
        for item in page["items"].as_array().unwrap() {
            let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
            found.entry(text("channel")).or_default().push((text("subject"), text("status")));
        }
    }
    for all in found.values_mut() {
        all.sort();
        all.dedup();
    }
    found
}

#[tokio::test]
async fn real_asterisk_is_read_in_its_three_ways() {
    let Some(mut stage) = Stage::start() else {
        return;
    };
    stage.pbx.ready().await;
    stage.world.ready().await;
    let house = House::new(&with_asterisk(&stage.pbx));
    let server = house.serve().await;
    let client = server.client();
    let admin = house.token("admin", None).await;
    let mut stream = client.stream("", &admin, None).await;
    let wanted = vec![
        ("Call from Ada".to_owned(), "resolved".to_owned()),
        ("Missed call from Ada".to_owned(), "open".to_owned()),
    ];
    let mut rung = false;
    let calling = async {
        let mut again = again();
        stage.call("030901820", "200");
        stage.call("030901821", "300");
        loop {
            let (_, told) = stream.next_of("call.recorded").await;
            rung |= told["call"]["state"] == "ringing" && told["call"]["from"] == "+4930901821";
            again.tick().await;
            let found = found(&client, &admin).await;
            let all =
                ["cdr", "cel", "ami"].iter().all(|channel| found.get(*channel) == Some(&wanted));
            if all {
                return;
            }
        }
    };
    let done = tokio::time::timeout(WAIT, calling).await;
    assert!(done.is_ok(), "{:#?}", found(&client, &admin).await);
    assert!(rung, "the call was told while it rang");
    server.stop().await;
    house.verify().await;
    stage.pbx.server.kill().await.unwrap();
    stage.world.server.kill().await.unwrap();
}
