//! How fast mails are read beside `mail-parser` alone on the same bytes, in turns in one run. Sanitising
//! for display is measured apart.
//!
//!     cargo run --release -p postroom-channel-email --example mail_speed -- FOLDER [ROUNDS]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "an example for the terminal"
)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mail_parser::MessageParser;

/// That of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;

/// Every mail of a folder and of those in it, in order.
fn mails(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            mails(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "eml") {
            found.push(path);
        }
    }
}

fn timed(raws: &[Vec<u8>], mut read: impl FnMut(&[u8])) -> Duration {
    let clock = Instant::now();
    for raw in raws {
        read(raw);
    }
    clock.elapsed()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("a folder with mails"));
    let rounds = arguments.next().map_or(ROUNDS, |text| text.parse().expect("a number"));
    let mut paths = Vec::new();
    mails(&folder, &mut paths);
    let raws: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let bytes: usize = raws.iter().map(Vec::len).sum();
    // What would be sanitised, as the library reads it.
    let parser = MessageParser::default();
    let pages: Vec<Vec<u8>> = raws
        .iter()
        .filter_map(|raw| {
            let mail = parser.parse(raw.as_slice())?;
            let rich = mail.html_body.first().and_then(|id| mail.parts.get(*id as usize))?;
            let html = matches!(rich.body, mail_parser::PartType::Html(_));
            html.then(|| mail.body_html(0).map(|html| html.into_owned().into_bytes())).flatten()
        })
        .collect();
    println!("{} mails of {bytes} bytes, {} with HTML; seconds a round", raws.len(), pages.len());
    let mut least = [f64::MAX; 3];
    for round in 1..=rounds {
        let alone = timed(&raws, |raw| drop(black_box(parser.parse(raw))));
        let ours = timed(&raws, |raw| drop(black_box(postroom_channel_email::parse(raw))));
        let clean = timed(&pages, |page| {
            let page = std::str::from_utf8(page).expect("it was text");
            drop(black_box(postroom_channel::html::sanitize(page)));
        });
        let took = [alone, ours, clean].map(|took| took.as_secs_f64());
        told(&format!("round {round}"), took);
        for (least, took) in least.iter_mut().zip(took) {
            *least = least.min(took);
        }
    }
    // What other work on the machine took away is least in the shortest times.
    told("the shortest", least);
}

fn told(what: &str, [alone, ours, clean]: [f64; 3]) {
    let ratio = alone / (ours - clean).max(f64::EPSILON);
    println!(
        "{what}: mail-parser {alone:.4}, ours {ours:.4} (sanitising {clean:.4}), ratio {ratio:.3}"
    );
}
