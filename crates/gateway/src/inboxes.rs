//! Who has an inbox open. It is told to the router now and then, as long as it is so: whoever is told
//! of no more is offline after a while. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use postroom_model::{Action, Actor, AgentId, Command, CommandId, Input, InputBody, InputId};
use tokio::sync::Notify;

use crate::gateway::App;

/// How often it is told within the time after which an agent is offline.
const TOLD_TIMES: i64 = 3;
/// How long nothing is told where nobody looks.
const IDLE_WAIT: Duration = Duration::from_secs(15);
/// Agents in one command.
const AGENTS_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(crate) struct Inboxes {
    /// How many event streams each agent has open.
    open: Mutex<BTreeMap<AgentId, usize>>,
    opened: Notify,
}

impl Inboxes {
    pub(crate) fn enter(&self, agent: &AgentId) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open.entry(agent.clone()).or_insert(0) += 1;
        self.opened.notify_one();
    }

    pub(crate) fn leave(&self, agent: &AgentId) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(agent) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(agent);
            }
        }
    }

    fn agents(&self) -> Vec<AgentId> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.keys().cloned().collect()
    }
}

/// Tells of the inboxes that are open, for as long as the gateway runs: at once when one opens, and
/// again a few times within the time that the configuration gives.
pub(crate) async fn tell(app: App) {
    loop {
        let grace_ms = app.settings_now().desk.grace_ms;
        if grace_ms.is_some() {
            let agents = app.inboxes.agents();
            for agents in agents.chunks(AGENTS_MAX) {
                tell_of(&app, agents.to_vec()).await;
            }
        }
        let pause = grace_ms.and_then(|grace| u64::try_from(grace / TOLD_TIMES).ok());
        let pause = pause.map_or(IDLE_WAIT, Duration::from_millis);
        // Who opens an inbox is told of at once; without a limit of time there is nothing to tell.
        tokio::select! {
            () = app.inboxes.opened.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn tell_of(app: &App, agents: Vec<AgentId>) {
    let id = app.ids.next();
    let action = Action::Present { agents };
    let command = Command { id: CommandId(id), actor: Actor::postroom(), action };
    let at = app.clock.now();
    let input = Input { id: InputId(id), at, body: InputBody::Command(Box::new(command)) };
    match app.intake.accept(&input).await {
        Ok(_) => {
            app.metrics.accepted.inc();
        }
        // It is told again long before the time is over.
        Err(error) => tracing::debug!(%error, "open inboxes could not be told of"),
    }
}
