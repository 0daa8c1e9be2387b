//! Bad bodies, made from a good one.

use postroom_model::{Random as _, SeededRandom};
use serde_json::{Value, json};

use crate::json::Pointer;

/// JSON as nobody should send it, whatever the format.
pub(super) fn oddities() -> Vec<Vec<u8>> {
    let deep_list = [vec![b'['; 200_000], vec![b']'; 200_000]].concat();
    let deep_object = [br#"{"a":"#.repeat(100_000), b"1".to_vec(), b"}".repeat(100_000)].concat();
    let many = format!("[{}0]", "0,".repeat(500_000)).into_bytes();
    let short = [
        "",
        " ",
        "\n",
        "null",
        "true",
        "0",
        "\"\"",
        "[]",
        "{}",
        "[[]]",
        "[{}]",
        "{",
        "}",
        "{}{}",
        "{\"a\":1,\"a\":2}",
        "{\"\":{}}",
        "{\"a\":NaN}",
        "\"\\ud800\"",
        "{\"id\":\"\\udc00\"}",
        "\u{feff}{}",
        "{\"a\":1e999999999}",
        "-",
        "{'a':1}",
        "// x\n{}",
    ];
    let mut bodies: Vec<Vec<u8>> = short.iter().map(|text| text.as_bytes().to_vec()).collect();
    bodies.extend([deep_list, deep_object, many, vec![0xff; 64], vec![0; 64]]);
    bodies
}

/// `body` with each of its values replaced in turn by each of a set of others.
pub(super) fn with_values_replaced(body: &Value) -> Vec<(Pointer, Vec<u8>)> {
    const HUGE: [&str; 4] = ["1e400", "99999999999999999999999999999", "-1e-400", "-0.0"];
    const PLACE: &str = "\u{1}huge\u{1}";
    let others = [
        Value::Null,
        json!(true),
        json!(7),
        json!(-0.5),
        json!(""),
        json!("x"),
        json!("a\0b"),
        json!("\u{202e}\u{feff}"),
        json!([]),
        json!({}),
        json!([null]),
        json!({ "a": [{}] }),
        json!("😀".repeat(5_000)),
    ];
    let written_place = Value::from(PLACE).to_string();
    let mut bodies = Vec::new();
    for pointer in pointers(body) {
        for other in &others {
            let text = replaced(body, &pointer, other.clone()).to_string();
            bodies.push((pointer.clone(), text.into_bytes()));
        }
        let marked = replaced(body, &pointer, PLACE.into()).to_string();
        for huge in HUGE {
            let text = marked.replace(&written_place, huge);
            bodies.push((pointer.clone(), text.into_bytes()));
        }
    }
    bodies
}

/// `body` with one member more in each of its objects in turn.
pub(super) fn with_unknown_members(body: &Value) -> Vec<(Pointer, Vec<u8>)> {
    let objects = pointers(body).into_iter().filter_map(|pointer| {
        let mut object = body.pointer(pointer.as_str())?.as_object()?.clone();
        object.insert("surprise~/".to_owned(), json!({ "a": 1 }));
        let text = replaced(body, &pointer, Value::Object(object)).to_string();
        Some((pointer, text.into_bytes()))
    });
    objects.collect()
}

/// `body` with one byte that is no UTF-8, in each of its texts in turn.
pub(super) fn not_utf8(body: &Value) -> Vec<Vec<u8>> {
    const PLACE: &str = "postroom-place";
    let texts = pointers(body)
        .into_iter()
        .filter(|pointer| body.pointer(pointer.as_str()).is_some_and(Value::is_string));
    let broken = texts.map(|pointer| {
        let text = replaced(body, &pointer, PLACE.into()).to_string();
        let (before, after) = text.split_once(PLACE).unwrap_or_default();
        [before.as_bytes(), &[0xc3, 0x28, 0xff], after.as_bytes()].concat()
    });
    broken.collect()
}

/// One of many small changes, as the random numbers say.
pub(super) fn mutated(body: &[u8], random: &SeededRandom) -> Vec<u8> {
    const TOKENS: [&[u8]; 12] = [
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b"\\u0000",
        b"\\ud800",
        b"\xf0\x9f",
        b"\0",
        b"null",
        b"1e309",
        b"\r\n",
    ];
    let mut out = body.to_vec();
    for _ in 0..=random.below(3) {
        let place = pick(random, out.len() + 1);
        match random.below(5) {
            0 if !out.is_empty() => {
                let index = pick(random, out.len());
                let bit = 1_u8 << random.below(8);
                if let Some(byte) = out.get_mut(index) {
                    *byte ^= bit;
                }
            }
            1 => out.truncate(place),
            2 => {
                let token = TOKENS.get(pick(random, TOKENS.len())).copied();
                out.splice(place..place, token.unwrap_or_default().iter().copied());
            }
            3 => {
                let end = (place + pick(random, 32)).min(out.len());
                out.drain(place.min(end)..end);
            }
            _ => {
                let end = (place + pick(random, 64)).min(out.len());
                let copy: Vec<u8> = out.drain(place.min(end)..end).collect();
                let twice = [copy.as_slice(), copy.as_slice()].concat();
                let place = place.min(out.len());
                out.splice(place..place, twice);
            }
        }
    }
    // Draws one number more, so that neighbours in the sequence differ in their changes.
    let _unused = random.next_u64();
    out
}

fn pick(random: &SeededRandom, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).unwrap_or(0)
}

/// Every value in `body`, itself included.
fn pointers(body: &Value) -> Vec<Pointer> {
    let mut found = Vec::new();
    let mut waiting = vec![(Pointer::root(), body)];
    while let Some((pointer, value)) = waiting.pop() {
        match value {
            Value::Array(items) => {
                let items = items.iter().enumerate();
                waiting.extend(items.map(|(index, item)| (pointer.item(index), item)));
            }
            Value::Object(members) => {
                waiting.extend(members.iter().map(|(name, item)| (pointer.member(name), item)));
            }
            _ => {}
        }
        found.push(pointer);
    }
    found
}

fn replaced(body: &Value, pointer: &Pointer, value: Value) -> Value {
    let mut body = body.clone();
    if let Some(place) = body.pointer_mut(pointer.as_str()) {
        *place = value;
    }
    body
}
