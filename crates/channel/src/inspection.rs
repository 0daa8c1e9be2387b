//! What Postroom makes of a raw message, as `postroom inspect` prints it. The same for every kind.

use postroom_model::{Call, Message, Receipt};
use serde::Serialize;

use crate::{PushResponse, Received, Refusal};

/// One raw message, or one sequence of them, read and stored nowhere.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    pub outcome: InspectionOutcome,
    pub messages: Vec<Message>,
    pub receipts: Vec<Receipt>,
    /// The state of each call after the whole sequence.
    pub calls: Vec<Call>,
    /// The call that each file is about, as it stands after that file, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Option<Call>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InspectionOutcome {
    /// Holds something for an agent, a receipt or a call.
    Accepted,
    /// Well formed, and holds nothing for an agent.
    Nothing,
    /// A provider's question who listens.
    Challenge,
    /// Could not be read; would be set aside, raw.
    Parked,
    /// Would be refused to its sender.
    Refused,
}

/// What the provider would be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Response {
    pub status: u16,
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub code: String,
    pub detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pointers: Vec<Mistake>,
}

/// Where in a JSON body (RFC 6901) it went wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    pub pointer: String,
    pub detail: String,
}

impl Inspection {
    fn empty(outcome: InspectionOutcome) -> Self {
        Self {
            outcome,
            messages: Vec::new(),
            receipts: Vec::new(),
            calls: Vec::new(),
            after: Vec::new(),
            response: None,
            problem: None,
        }
    }

    /// What was read, or why it was refused.
    pub fn of(result: Result<Received, Refusal>) -> Self {
        match result {
            Ok(received) => Self::of_received(received),
            Err(refusal) => Self::of_refusal(refusal),
        }
    }

    pub fn of_received(received: Received) -> Self {
        let empty = received.arrivals.is_empty()
            && received.receipts.is_empty()
            && received.calls.is_empty()
            && received.legs.is_empty();
        let outcome = if empty { InspectionOutcome::Nothing } else { InspectionOutcome::Accepted };
        let messages = received.arrivals.into_iter();
        Self {
            messages: messages.map(|arrival| arrival.message).collect(),
            receipts: received.receipts,
            calls: received.calls,
            response: received.response.map(Response::from),
            ..Self::empty(outcome)
        }
    }

    pub fn of_refusal(refusal: Refusal) -> Self {
        let response = Response { status: refusal.status, body: String::new() };
        let pointers = refusal.pointers.into_iter();
        let pointers = pointers.map(|(pointer, detail)| Mistake { pointer, detail });
        let problem = Problem {
            code: refusal.code.to_owned(),
            detail: refusal.detail,
            pointers: pointers.collect(),
        };
        Self {
            response: Some(response),
            problem: Some(problem),
            ..Self::empty(InspectionOutcome::Refused)
        }
    }

    /// The answer to a provider's question who listens.
    pub fn of_challenge(result: Result<PushResponse, Refusal>) -> Self {
        match result {
            Err(refusal) => Self::of_refusal(refusal),
            Ok(response) => Self {
                response: Some(response.into()),
                ..Self::empty(InspectionOutcome::Challenge)
            },
        }
    }

    /// Something that cannot be read and would be kept raw.
    pub fn parked(code: &str, detail: impl Into<String>) -> Self {
        let problem =
            Problem { code: code.to_owned(), detail: detail.into(), pointers: Vec::new() };
        Self { problem: Some(problem), ..Self::empty(InspectionOutcome::Parked) }
    }

    /// The exit code of `postroom inspect`.
    pub fn exit_code(&self) -> u8 {
        match self.outcome {
            InspectionOutcome::Accepted
            | InspectionOutcome::Nothing
            | InspectionOutcome::Challenge => 0,
            InspectionOutcome::Parked => 3,
            InspectionOutcome::Refused => 4,
        }
    }
}

impl From<PushResponse> for Response {
    fn from(response: PushResponse) -> Self {
        Self { status: response.status, body: response.body }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Inspection;
    use crate::{PushResponse, Received, Refusal};

    #[test]
    fn inspection_has_the_shape_and_the_exit_code_of_its_outcome() {
        let response = || PushResponse {
            status: 200,
            media_type: "text/plain",
            body: "1158201444".to_owned(),
        };
        let refusal = || Refusal::new(422, "body_nul", "bad").at("/text", "U+0000");
        let empty = json!({ "outcome": "nothing", "messages": [], "receipts": [], "calls": [] });
        for (inspection, outcome, exit_code, beside) in [
            (Inspection::of(Ok(Received::default())), "nothing", 0, json!({})),
            (
                Inspection::of_challenge(Ok(response())),
                "challenge",
                0,
                json!({ "response": { "status": 200, "body": "1158201444" } }),
            ),
            (
                Inspection::parked("mail_unreadable", "no headers"),
                "parked",
                3,
                json!({ "problem": { "code": "mail_unreadable", "detail": "no headers" } }),
            ),
            (
                Inspection::of(Err(refusal())),
                "refused",
                4,
                json!({
                    "response": { "status": 422, "body": "" },
                    "problem": {
                        "code": "body_nul",
                        "detail": "bad",
                        "pointers": [{ "pointer": "/text", "detail": "U+0000" }],
                    },
                }),
            ),
        ] {
            assert_eq!(inspection.exit_code(), exit_code);
            let mut expected = empty.clone();
            expected["outcome"] = outcome.into();
            for (name, value) in beside.as_object().unwrap() {
                expected[name] = value.clone();
            }
            assert_eq!(serde_json::to_value(&inspection).unwrap(), expected);
        }
    }
}
