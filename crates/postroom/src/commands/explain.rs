//! `postroom explain`: why a conversation is where it is.

use std::process::ExitCode;

use postroom_model::{Clock as _, ConversationId, PassedOverCause, SystemClock};
use postroom_records::{Key, Row, held_of_kind};
use postroom_routing::{Considered, Desk, cause_words, explain};

use crate::cli::{self, Shared};
use crate::failure::Failure;
use crate::store::Store;
use crate::{output, setup};

pub(crate) async fn run(shared: &Shared, wanted: &cli::Explain) -> Result<ExitCode, Failure> {
    let id: ConversationId =
        wanted.conversation.parse().map_err(|_| Failure::usage("the id is not a UUID"))?;
    let store = Store::open_existing(&setup::preview(shared)?).await?;
    let rows = store.records.load(&[Key::Conversation(id), Key::Settings]).await?;
    let mut rows = rows.into_iter();
    let (Some(Row::Conversation(conversation)), Some(Row::Settings(settings))) =
        (rows.next().flatten(), rows.next().flatten())
    else {
        return Err(Failure::coded("conversation_not_found", "there is no such conversation"));
    };
    let presences = store.records.presences().await?;
    let records = store.records.as_ref();
    let held = held_of_kind(records, &conversation, &settings, &presences).await?;
    let desk = Desk { presences: &presences, held: &held };
    let explanation = explain(&conversation, &settings, desk, SystemClock.now());
    if shared.json {
        output::json(&explanation);
        return Ok(ExitCode::SUCCESS);
    }
    for sentence in &explanation.summary {
        output::say(sentence);
    }
    if !explanation.rules.is_empty() {
        output::say("\nRules");
        let rows = explanation.rules.iter().map(|rule| {
            let result = rule.result.replace('_', " ");
            let error = rule.error.clone().unwrap_or_default();
            vec![rule.number.to_string(), result, rule.when.clone(), error]
        });
        output::table(&["NO", "RESULT", "WHEN", "ERROR"], rows.collect());
    }
    if !explanation.agents.is_empty() {
        output::say("\nAgents of the queue, as they stand now");
        let rows = explanation.agents.iter().map(agent_row).collect();
        output::table(&["AGENT", "STATUS", "LOAD", "COULD TAKE IT"], rows);
    }
    Ok(ExitCode::SUCCESS)
}

fn agent_row(agent: &Considered) -> Vec<String> {
    let status = serde_json::to_value(agent.status).unwrap_or_default();
    let verdict = match &agent.passed_over {
        None => "yes".to_owned(),
        Some(PassedOverCause::Unavailable { .. }) => "no: not online".to_owned(),
        Some(
            PassedOverCause::LessIdle
            | PassedOverCause::LaterTurn
            | PassedOverCause::Preferred { .. },
        ) => "yes, after others".to_owned(),
        Some(cause) => format!("no: {}", cause_words(cause)),
    };
    vec![
        agent.name.clone(),
        status.as_str().unwrap_or_default().replace('_', " "),
        format!("{}/{}", agent.load, agent.capacity),
        verdict,
    ]
}
