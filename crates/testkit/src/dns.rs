//! A name server that answers what a test tells it to: over UDP, from memory.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio_util::task::AbortOnDropHandle;

const TYPE_A: u16 = 1;
const TYPE_TXT: u16 = 16;
/// The longest text in one string of a TXT record.
const STRING_BYTES_MAX: usize = 255;
const HEADER_BYTES: usize = 12;

/// What is said of a name.
#[derive(Debug, Clone)]
pub enum Answer<'a> {
    Txt(&'a str),
    Address(Ipv4Addr),
    /// The server is broken.
    Failure,
    /// Nothing is said at all.
    Silence,
}

#[derive(Debug, Clone)]
enum Kept {
    Record(u16, Vec<u8>),
    Failure,
    Silence,
}

/// Answers until it is dropped; names that it was not told do not exist.
#[derive(Debug)]
pub struct ScriptedDns {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: AbortOnDropHandle<()>,
}

impl ScriptedDns {
    pub async fn start(zone: &[(&str, Answer<'_>)]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let kept = zone.iter().map(|(name, answer)| (name.to_lowercase(), keep(answer))).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let serving =
            tokio_util::task::TaskTracker::new().spawn(serve(socket, kept, Arc::clone(&asked)));
        Self { address, asked, _serving: AbortOnDropHandle::new(serving) }
    }

    /// The names that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn keep(answer: &Answer<'_>) -> Kept {
    match answer {
        Answer::Txt(text) => {
            let strings = text.as_bytes().chunks(STRING_BYTES_MAX);
            let data = strings.flat_map(|string| {
                let length = u8::try_from(string.len()).unwrap();
                std::iter::once(length).chain(string.iter().copied())
            });
            Kept::Record(TYPE_TXT, data.collect())
        }
        Answer::Address(address) => Kept::Record(TYPE_A, address.octets().to_vec()),
        Answer::Failure => Kept::Failure,
        Answer::Silence => Kept::Silence,
    }
}

async fn serve(socket: UdpSocket, zone: BTreeMap<String, Kept>, asked: Arc<Mutex<Vec<String>>>) {
    let mut question = [0; 4_096];
    loop {
        let (length, from) = socket.recv_from(&mut question).await.unwrap();
        let Some((name, kind, end)) = read(&question[..length]) else { continue };
        asked.lock().unwrap().push(name.clone());
        let (code, record) = match zone.get(&name) {
            Some(Kept::Silence) => continue,
            Some(Kept::Failure) => (2, None),
            Some(Kept::Record(known, data)) => (0, (*known == kind).then_some(data)),
            None => (3, None),
        };
        let mut answer = question[..2].to_vec();
        answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(record.is_some()), 0, 0, 0, 0]);
        answer.extend(&question[HEADER_BYTES..end]);
        if let Some(data) = record {
            // The name as in the question, the class IN, and a minute to keep it.
            answer.extend([0xC0, 0x0C]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1, 0, 0, 0, 60]);
            answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            answer.extend(data);
        }
        socket.send_to(&answer, from).await.unwrap();
    }
}

/// Name and type of the question, and where it ends.
fn read(question: &[u8]) -> Option<(String, u16, usize)> {
    let (mut labels, mut at) = (Vec::new(), HEADER_BYTES);
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes(question.get(at..at + 2)?.try_into().ok()?);
    Some((labels.join("."), kind, at + 4))
}
