//! Blocks of the manager interface of Asterisk: `Cdr` and `CEL` events and, where the interface
//! gives them a time (`timestampevents = yes`), the events of channels themselves.
//!
//! A block is lines of `Name: value` and ends with an empty line. What is no event of a call is
//! passed over: answers to commands, registrations, meters.

use std::borrow::Cow;

use postroom_channel::Refusal;
use postroom_model::legs::endpoint;
use postroom_model::{CallLeg, Direction, LegNote, LegStep};

use crate::desk::{self, Desk, Held, Sink, decoded, short, web_address};
use crate::dialect::asterisk_cdr::{TIME_SKIPPED, caller, is_conference, is_voicemail, outcome};
use crate::dialect::asterisk_cel::{self, Texts};
use crate::event::{CallEvent, Outcome, Stage};
use crate::limits::{FIELDS_MAX, LOG_BYTES_MAX, RECORD_BYTES_MAX};

const BLOCK_TOO_LONG: &str = "a block that is longer than 64 KiB";

/// One block.
struct Block<'a> {
    lines: Vec<(&'a str, &'a str)>,
    number: u64,
    /// As it stands in what was sent.
    raw: &'a str,
}

impl<'a> Block<'a> {
    fn get(&self, name: &str) -> &'a str {
        let found = self.lines.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    fn has(&self, name: &str) -> bool {
        self.lines.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    fn is(&self, event: &str) -> bool {
        self.get("Event").eq_ignore_ascii_case(event)
    }
}

/// Reads what the interface sent, or a part of it.
pub(super) fn parse(log: &[u8], desk: &Desk<'_>, sink: Sink<'_>) -> Result<Held, Refusal> {
    if log.len() > LOG_BYTES_MAX {
        let detail = format!("the log is larger than {LOG_BYTES_MAX} bytes");
        return Err(Refusal::new(413, "body_too_large", detail));
    }
    let mut held = Held::default();
    let text = decoded(log);
    let is_utf8 = matches!(text, Cow::Borrowed(_));
    let mut block = Block { lines: Vec::new(), number: 1, raw: "" };
    let (mut read_bytes, mut block_bytes) = (0, 0);
    let (mut begins, mut ends) = (0, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let line_bytes = if is_utf8 { line.len() } else { line.chars().count() };
        ends += line.len();
        block.raw = text.get(begins..ends).unwrap_or_default();
        read_bytes += line_bytes;
        block_bytes += line_bytes;
        if line.trim().is_empty() {
            if too_long(&block, block_bytes) {
                held.unreadable.add(block.number, BLOCK_TOO_LONG, block.raw.as_bytes());
            } else {
                take(&block, desk, sink, &mut held)?;
            }
            block = Block { lines: Vec::new(), number: number + 1, raw: "" };
            (held.whole_bytes, block_bytes, begins) = (read_bytes, 0, ends);
            continue;
        }
        // Of one that is too long nothing more is kept.
        if !too_long(&block, block_bytes)
            && let Some((name, value)) = line.split_once(':')
        {
            block.lines.push((name.trim(), value.trim()));
        }
    }
    // Without an empty line at its end a block may still be on its way; one that has its last words
    // is taken.
    let has_last_words = (block.is("Cdr") && !block.get("Disposition").is_empty())
        || (block.is("CEL") && !block.get("EventTime").is_empty());
    if too_long(&block, block_bytes) {
        held.unreadable.add(block.number, BLOCK_TOO_LONG, block.raw.as_bytes());
        held.whole_bytes = read_bytes;
    } else if has_last_words && text.ends_with('\n') {
        take(&block, desk, sink, &mut held)?;
        held.whole_bytes = read_bytes;
    }
    Ok(held)
}

fn too_long(block: &Block<'_>, bytes: usize) -> bool {
    bytes > RECORD_BYTES_MAX || block.lines.len() > FIELDS_MAX
}

fn take(
    block: &Block<'_>,
    desk: &Desk<'_>,
    sink: Sink<'_>,
    held: &mut Held,
) -> Result<(), Refusal> {
    let read = if block.is("Cdr") {
        of_record(block, desk)?.map(Some)
    } else if block.is("CEL") {
        let mut texts = Texts::default();
        for (name, value) in &block.lines {
            if let Some(field) = asterisk_cel::field(name) {
                texts.set(field, Cow::Borrowed(*value));
            }
        }
        asterisk_cel::event(&texts, desk)?.map(Some)
    } else {
        Ok(of_channel(block, desk)?)
    };
    match read {
        Ok(Some(event)) => {
            if desk.clockwork.take_skipped() {
                held.unreadable.add(block.number, TIME_SKIPPED, block.raw.as_bytes());
            }
            sink(event);
        }
        Ok(None) => {}
        Err(why) => held.unreadable.add(block.number, why, block.raw.as_bytes()),
    }
    Ok(())
}

/// A `Cdr` event says what a line of the call detail records says.
fn of_record(
    block: &Block<'_>,
    desk: &Desk<'_>,
) -> Result<Result<CallEvent, &'static str>, Refusal> {
    let Some(call_id) = desk::id(block.get("UniqueID"))? else {
        return Ok(Err("the unique id is missing"));
    };
    let started_at = desk.clockwork.read(block.get("StartTime"));
    let (Some(mut found), Some(started_at)) = (outcome(block.get("Disposition")), started_at)
    else {
        return Ok(Err("the disposition or the start cannot be read"));
    };
    let duration_s: Option<u64> = block.get("Duration").parse().ok();
    let (start, end) = (block.get("StartTime"), block.get("EndTime"));
    let span = duration_s.and_then(|seconds| desk.clockwork.span(start, end, seconds));
    let started_at = span.map_or(started_at, |(started_at, _)| started_at);
    let answered = found == Outcome::Answered;
    let answered_at = desk.clockwork.read_after(block.get("AnswerTime"), Some(started_at));
    let answered_at = answered_at.filter(|_| answered);
    let not_before = answered_at.unwrap_or(started_at);
    if answered && is_voicemail(block.get("LastApplication")) {
        found = Outcome::Voicemail;
    }
    let (name, number) = caller(block.get("CallerID"));
    let source = block.get("Source");
    let source = if source.is_empty() { number } else { source };
    let (from, to) = (desk.dialled(source), desk.dialled(block.get("Destination")));
    let places = &desk.setting.places;
    let direction =
        places.direction(block.get("DestinationContext"), from.as_deref(), to.as_deref());
    let reached_nobody = found == Outcome::Answered
        && direction == Direction::In
        && block.has("DestinationChannel")
        && block.get("DestinationChannel").is_empty()
        && !is_conference(block.get("LastApplication"));
    if reached_nobody {
        found = Outcome::NoAnswer;
    }
    let channel = match direction {
        Direction::Out => block.get("Channel"),
        _ => block.get("DestinationChannel"),
    };
    let is_queue = block.get("LastApplication").eq_ignore_ascii_case("queue");
    let queue = block.get("LastData").split(',').next().filter(|_| is_queue);
    Ok(Ok(CallEvent {
        call_id,
        linked_id: short(block.get("LinkedID")),
        stage: Some(Stage::Ended),
        direction: Some(direction),
        from_name: short(name).filter(|name| name != source),
        dialled: to.clone(),
        started_at: Some(started_at),
        answered_at: answered_at.filter(|_| !reached_nobody),
        ended_at: span
            .map(|(_, ended_at)| ended_at)
            .or_else(|| desk.clockwork.read_after(end, Some(not_before))),
        duration_s,
        talk_s: block.get("BillableSeconds").parse().ok().filter(|_| !reached_nobody),
        outcome: Some(found),
        agents: endpoint(channel).and_then(short).into_iter().collect(),
        queue: queue.and_then(short),
        recording_url: web_address(block.get("RecordingURL")),
        from,
        to,
        ..CallEvent::default()
    }))
}

/// The events of channels say what CEL says, in other words.
fn of_channel(block: &Block<'_>, desk: &Desk<'_>) -> Result<Option<CallEvent>, Refusal> {
    let (step, note) = match block.get("Event").to_ascii_lowercase().as_str() {
        "newchannel" => (LegStep::Start, None),
        "newstate" if block.get("ChannelStateDesc") == "Up" => (LegStep::Answer, None),
        "newstate" | "newcallerid" => (LegStep::Other, None),
        "bridgeenter" => (LegStep::BridgeEnter, None),
        "bridgeleave" => (LegStep::BridgeExit, None),
        "blindtransfer" => (LegStep::Other, Some(LegNote::Transfer)),
        "attendedtransfer" => {
            let number = known(block.get("TransferTargetCallerIDNum"));
            let number = number.and_then(|number| desk.dialled(&number));
            let channel = block.get("TransferTargetChannel");
            (LegStep::Other, Some(asterisk_cel::handed_over(number.as_deref(), channel)))
        }
        "queuecallerjoin" => (
            LegStep::Other,
            short(block.get("Queue")).map(|name| LegNote::Queue { name: name.into() }),
        ),
        "dialend" => {
            let dial_status = short(block.get("DialStatus")).unwrap_or_default().into();
            (LegStep::Other, Some(LegNote::Hangup { cause: 0, dial_status }))
        }
        "hangup" => {
            let cause = block.get("Cause").parse().unwrap_or_default();
            (LegStep::End, Some(LegNote::Hangup { cause, dial_status: String::new() }))
        }
        _ => return Ok(None),
    };
    // A transfer names several legs; it is told of that of whoever transfers.
    let whose = match &note {
        Some(LegNote::Transfer | LegNote::HandedOver { .. }) => transferrer(block),
        _ => "",
    };
    let of_leg = |name: &str| block.get(&format!("{whose}{name}"));
    let unique_id = desk::id(of_leg("Uniqueid"))?;
    let linked_id = desk::id(of_leg("Linkedid"))?;
    let Some(at) = desk.clockwork.read(block.get("Timestamp")) else {
        return Ok(None);
    };
    let Some(call_id) = linked_id.or_else(|| unique_id.clone()) else {
        return Ok(None);
    };
    let places = &desk.setting.places;
    let number = known(of_leg("CallerIDNum")).and_then(|number| desk.dialled(&number));
    let exten = desk.dialled(block.get("Exten"));
    let side = |number: Option<&str>| number.map(|number| places.side(number)).unwrap_or_default();
    let leg = CallLeg {
        at,
        step,
        leg_id: unique_id.unwrap_or_default().into(),
        channel: short(of_leg("Channel")).unwrap_or_default().into(),
        number_side: side(number.as_deref()),
        number: number.map(String::from),
        name: known(of_leg("CallerIDName")).map(String::from),
        exten_side: side(exten.as_deref()),
        exten: exten.map(String::from),
        from_outside: places.comes_from_outside(block.get("Context")),
        note,
    };
    Ok(Some(CallEvent { call_id, leg: Some(Box::new(leg)), ..CallEvent::default() }))
}

fn known(text: &str) -> Option<smol_str::SmolStr> {
    short(text).filter(|text| text != "<unknown>")
}

/// What stands before the names of the leg of whoever transfers.
fn transferrer(block: &Block<'_>) -> &'static str {
    let attended = !block.get("OrigTransfererUniqueid").is_empty();
    if attended { "OrigTransferer" } else { "Transferer" }
}
