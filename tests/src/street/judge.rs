//! The judge of what people were told. It only reads.

use std::collections::BTreeMap;

use super::{Found, Told};

/// What is not as promised.
pub fn judge(told: &Told, found: &Found) -> Vec<String> {
    let mut complaints = told.wrong.clone();
    for (thread, ids) in &told.messages {
        if found.messages.get(thread) != Some(ids) {
            complaints.push(difference(thread, ids, found.messages.get(thread)));
        }
    }
    let strangers = found.messages.keys().filter(|thread| !told.messages.contains_key(*thread));
    complaints.extend(strangers.map(|thread| format!("{thread}: nobody wrote there")));
    let mut known: BTreeMap<&String, (&String, &String)> = BTreeMap::new();
    for (id, words, state) in &found.replies {
        if known.insert(id, (words, state)).is_some() {
            complaints.push(format!("reply {id} stands twice on a timeline"));
        }
    }
    for (id, words) in &told.replies {
        match known.get(id) {
            Some((stored, _)) if *stored == words => {}
            Some((stored, _)) => complaints.push(format!("reply {id}: {words} became {stored}")),
            None if found.refused.contains(id) => {}
            None => complaints.push(format!("reply {id} was acknowledged and is lost")),
        }
    }
    let mut arrived: BTreeMap<&String, usize> = BTreeMap::new();
    for id in &found.arrived {
        *arrived.entry(id).or_default() += 1;
    }
    for (id, times) in &arrived {
        if *times > 1 {
            complaints.push(format!("reply {id} left {times} times"));
        }
        if !known.contains_key(id) {
            complaints.push(format!("reply {id} left and is on no timeline"));
        }
    }
    for (id, (_, state)) in known {
        match state.as_str() {
            // It may or may not have left.
            "uncertain" => {}
            "sent" if arrived.contains_key(id) => {}
            _ => complaints.push(format!("reply {id} is {state}, and left {:?}", arrived.get(id))),
        }
    }
    complaints
}

/// Where two timelines part.
fn difference(thread: &str, told: &[String], found: Option<&Vec<String>>) -> String {
    let found = found.map(Vec::as_slice).unwrap_or_default();
    let at = told.iter().zip(found).take_while(|(told, found)| told == found).count();
    format!(
        "{thread}: {} were acknowledged and {} are there; from {at} on {:?} and {:?}",
        told.len(),
        found.len(),
        told.iter().skip(at).take(4).collect::<Vec<_>>(),
        found.iter().skip(at).take(4).collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::judge;
    use crate::street::{Found, Told};

    #[test]
    fn judge_complains_of_what_is_lost_doubled_or_reordered() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let reply =
            |id: &str, state: &str| (id.to_owned(), format!("words {id}"), state.to_owned());
        let told = Told {
            messages: BTreeMap::from([("t".to_owned(), ids(&["1", "2", "3"]))]),
            replies: ["a", "b", "c"].map(|id| (id.to_owned(), format!("words {id}"))).into(),
            wrong: vec![],
            repeated: 0,
        };
        let good = Found {
            messages: told.messages.clone(),
            replies: vec![reply("a", "sent"), reply("b", "uncertain")],
            arrived: ids(&["a", "b"]),
            refused: ids(&["c"]),
        };
        assert_eq!(judge(&told, &good), Vec::<String>::new());
        let messages = |list: &[&str]| BTreeMap::from([("t".to_owned(), ids(list))]);
        for (what, found) in [
            ("lost", Found { messages: messages(&["1", "3"]), ..good.clone() }),
            ("doubled", Found { messages: messages(&["1", "2", "2", "3"]), ..good.clone() }),
            ("reordered", Found { messages: messages(&["2", "1", "3"]), ..good.clone() }),
            ("a thread is gone", Found { messages: BTreeMap::new(), ..good.clone() }),
            ("reply lost", Found { refused: vec![], ..good.clone() }),
            ("left twice", Found { arrived: ids(&["a", "a", "b"]), ..good.clone() }),
            ("not sent", Found { arrived: ids(&["b"]), ..good.clone() }),
            ("left unknown", Found { arrived: ids(&["a", "b", "x"]), ..good.clone() }),
            (
                "hangs",
                Found { replies: vec![reply("a", "sent"), reply("b", "waiting")], ..good.clone() },
            ),
            (
                "twice there",
                Found {
                    replies: [good.replies.clone(), vec![reply("a", "sent")]].concat(),
                    ..good.clone()
                },
            ),
        ] {
            assert_eq!(judge(&told, &found).len(), 1, "{what}: {:?}", judge(&told, &found));
        }
        let wrong = Told { wrong: ids(&["1: another id"]), ..told };
        assert_eq!(judge(&wrong, &good).len(), 1);
    }
}
