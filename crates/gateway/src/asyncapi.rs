//! The description of what flows: the event feed, and the subjects of the bus in the clustered form.
//!
//! The payloads are described by the types that are sent; the addresses stand here. Whoever changes an
//! address changes it in `bus-nats` as well, whose tests name the published ones.

use postroom_model::{Envelope, Input, OutsideReply};
use postroom_records::TimelineItem;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// Where the schemas lie in the document.
const SCHEMAS: &str = "/components/schemas";

/// The whole description as JSON, the same at every call.
pub fn asyncapi() -> String {
    let document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Postroom",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The event feed, which every gateway serves, and the subjects of the bus, which \
                there are in the clustered form only. `workspace` is the id of the workspace, `main` unless \
                the configuration names another. The requests and answers of the API stand in /openapi.json.",
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" }
        },
        "defaultContentType": "application/json",
        "servers": servers(),
        "channels": channels(),
        "operations": operations(),
        "components": {
            "parameters": parameters(),
            "messageTraits": { "cloudEvent": cloud_event() },
            "messages": messages(),
            "securitySchemes": { "bearer": {
                "type": "http", "scheme": "bearer",
                "description": "A token of `postroom token create`; a signed-in browser sends its cookie instead"
            } },
            "schemas": schemas()
        }
    });
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text + "\n"
}

fn servers() -> Value {
    json!({
        "gateway": {
            "host": "127.0.0.1:8080", "protocol": "http",
            "description": "As in `server.public_url`",
            "security": [reference("/components/securitySchemes/bearer")]
        },
        "nats": {
            "host": "127.0.0.1:4222", "protocol": "nats",
            "description": "As in `bus.url`: JetStream of NATS 2.12 or newer. Streams \
                POSTROOM_<workspace>_IN, POSTROOM_<workspace>_LEDGER and POSTROOM_<workspace>_OUT"
        }
    })
}

fn channels() -> Value {
    let on_nats = |address: &str, parameters: &[&str], messages: &[&str], description: &str| {
        let all = |names: &[&str], at: &str| -> Map<String, Value> {
            let named = |name: &&str| ((*name).to_owned(), reference(&format!("{at}/{name}")));
            names.iter().map(named).collect()
        };
        json!({
            "address": address,
            "servers": [reference("/servers/nats")],
            "parameters": all(parameters, "/components/parameters"),
            "messages": all(messages, "/components/messages"),
            "description": description
        })
    };
    json!({
        "events": {
            "address": "/v1/events",
            "servers": [reference("/servers/gateway")],
            "messages": { "event": reference("/components/messages/event") },
            "description": "Server-sent events. `id` is the position of the event, `event` its type, `data` \
                the payload on one line. Starts after `Last-Event-ID`, else after `?after=`, else now; \
                `after=0` is from the start. A reader gets what it may see at that moment."
        },
        "inbound": on_nats("postroom.{workspace}.in.{channel}", &["workspace", "channel"], &["input"],
            "What comes in on one channel, published by an adapter outside of the process: messages, \
             receipts, calls and cursors, of that channel only. Everything else is set aside. `id` and `at` \
             are ours here: the hash of where it came from, and the time at which it was stored; what \
             stands there is passed over."),
        "commands": on_nats("postroom.{workspace}.cmd.{name}", &["workspace", "name"], &["input", "inputs"],
            "Everything else that asks for a decision. Gateways, routers and hosts publish what they have at \
             a moment as one batch, on `cmd.batch`: commands, settings, reports of deliveries, and what \
             their own channels took in."),
        "ledger": on_nats("postroom.{workspace}.ledger", &["workspace"], &["envelope"],
            "What was decided, one envelope for a batch. Only the active router appends, with \
             Nats-Expected-Last-Sequence."),
        "outbound": on_nats("postroom.{workspace}.out.{channel}", &["workspace", "channel"], &["outbound"],
            "Replies for an adapter outside of the process, of a channel of kind `external`. The consumer \
             `{channel}` of the stream POSTROOM_<workspace>_OUT is kept for it: it asks for messages on \
             $JS.API.CONSUMER.MSG.NEXT.POSTROOM_<workspace>_OUT.{channel}, sends, publishes a receipt on \
             in.{channel} that names the reply's `id` as its `external_id`, and then acknowledges.")
    })
}

fn operations() -> Value {
    let operation = |action: &str, channel: &str, messages: &[&str], summary: &str| {
        let at = format!("/channels/{channel}");
        let message = |name: &&str| reference(&format!("{at}/messages/{name}"));
        let messages: Vec<Value> = messages.iter().map(message).collect();
        json!({
            "action": action, "channel": reference(&at), "messages": messages, "summary": summary
        })
    };
    json!({
        "tellEvents": operation("send", "events", &["event"], "Tells readers what happens"),
        "takeInbound": operation("receive", "inbound", &["input"], "Takes in what adapters publish"),
        "takeCommands": operation("receive", "commands", &["input", "inputs"], "Takes what asks for a decision"),
        "giveCommands": operation("send", "commands", &["inputs"], "Publishes what its own doors took in"),
        "appendLedger": operation("send", "ledger", &["envelope"], "Appends what was decided"),
        "followLedger": operation("receive", "ledger", &["envelope"], "Follows what was decided"),
        "giveOutbound": operation("send", "outbound", &["outbound"], "Hands on what must leave")
    })
}

fn parameters() -> Value {
    json!({
        "workspace": { "description": "Id of the workspace", "default": "main" },
        "channel": { "description": "Id of the channel, as in the configuration" },
        "name": { "description": "Anything in one word; `batch` for what the program itself publishes" }
    })
}

/// The headers of everything on the bus: a CloudEvent in binary mode.
fn cloud_event() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({ "headers": {
        "type": "object",
        "required": ["Nats-Msg-Id", "ce-specversion", "ce-id", "ce-type", "ce-source", "ce-time"],
        "properties": {
            "Nats-Msg-Id": text("The same as `ce-id`: the server takes it once in its window"),
            "ce-specversion": { "type": "string", "const": "1.0" },
            "ce-id": text("The same for the same content"),
            "ce-type": text(
                "postroom.inputs.v1, postroom.envelope.v1, postroom.reply.v1; an adapter outside names its own"
            ),
            "ce-source": text("/postroom/<workspace>; an adapter outside names itself"),
            "ce-time": { "type": "string", "format": "date-time" }
        }
    } })
}

fn messages() -> Value {
    let on_bus = |title: &str, content: &str, schema: Value| {
        json!({
            "title": title, "contentType": content, "payload": schema,
            "traits": [reference("/components/messageTraits/cloudEvent")]
        })
    };
    let batch = json!({ "type": "array", "items": schema("Input") });
    json!({
        "event": {
            "title": "Something that happened", "contentType": "text/event-stream",
            "payload": schema("TimelineItem")
        },
        "input": on_bus("One input", "application/json", schema("Input")),
        "inputs": on_bus("Several inputs, in order", "application/cloudevents-batch+json", batch),
        "envelope": {
            "title": "What one batch decided",
            "summary": "The length of the head in four bytes, big-endian; the head as JSON, which the schema \
                describes; then the bodies as JSON, by the ids of messages and notes. The next envelope's \
                `prev_hash` is the SHA-256 of the head.",
            "contentType": "application/octet-stream",
            "payload": schema("Envelope"),
            "traits": [reference("/components/messageTraits/cloudEvent")]
        },
        "outbound": on_bus("A reply to send", "application/json", schema("OutsideReply"))
    })
}

/// In the draft that AsyncAPI takes where nothing else is said.
fn schemas() -> Map<String, Value> {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    generator.subschema_for::<Input>();
    generator.subschema_for::<Envelope>();
    generator.subschema_for::<OutsideReply>();
    generator.subschema_for::<TimelineItem>();
    generator.take_definitions(true)
}

fn schema(name: &str) -> Value {
    reference(&format!("{SCHEMAS}/{name}"))
}

fn reference(pointer: &str) -> Value {
    json!({ "$ref": format!("#{pointer}") })
}
