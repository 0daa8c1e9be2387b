//! Two hosts that send: each may take a channel from the other, dies at bad moments, and sends only
//! what the router has granted to it.

use std::sync::Arc;

use postroom_model::{
    ChannelId, DeliveryInput, HostId, InboundReceipt, Input, InputBody, InputId, MessageId,
    OutcomeKind, Receipt, ReceiptStatus, SeededRandom, SendResult,
};

use super::agents::fresh;
use super::dice::{mix, named};
use super::inlet::LineInlet;
use super::line::Line;
use super::names::{SENDING, channel};
use super::plan::Sabotage;
use super::stage::Stage;

const LANE: u64 = 8;
/// For how long a host waits for the outcome of what it asked for.
const PATIENCE_MS: u64 = 400;

struct Host {
    stage: Arc<Stage>,
    random: SeededRandom,
    inlet: LineInlet,
    lane: u64,
    id: HostId,
}

/// Host `number`, 0 or 1.
pub(crate) async fn host(stage: Arc<Stage>, number: u64) {
    let random = SeededRandom::new(mix(named(stage.plan.seed, "host"), number));
    let lane = LANE + number;
    let inlet = LineInlet(Line::new(&stage, lane, 0));
    let id = HostId(fresh(&random));
    let mut host = Host { stage, random, inlet, lane, id };
    for _ in 0..host.stage.plan.sends {
        host.stage.rest(lane, host.random.below(150)).await;
        let place = usize::try_from(host.random.below(2)).unwrap_or(0);
        let channel = channel(SENDING.get(place).copied().unwrap_or("chat"));
        if host.random.chance(20) {
            host.receipt(&channel).await;
        } else {
            host.send_one(&channel).await;
        }
    }
}

impl Host {
    async fn ask(&self, body: InputBody) -> InputId {
        let input = Input { id: InputId(fresh(&self.random)), at: self.stage.now(), body };
        self.inlet.give(std::slice::from_ref(&input)).await;
        input.id
    }

    async fn report(&self, report: DeliveryInput) -> Option<OutcomeKind> {
        let id = self.ask(InputBody::Delivery(report)).await;
        let patient_until = self.stage.clock.elapsed_ms() + PATIENCE_MS;
        loop {
            if let Some(kind) = self.stage.look(|view| view.outcomes.get(&id).copied()).await {
                return Some(kind);
            }
            if self.stage.clock.elapsed_ms() > patient_until {
                return None;
            }
            self.stage.rest(self.lane, 16).await;
        }
    }

    /// The epoch in which this host owns the channel; asks for it, also from the other host.
    async fn epoch(&self, channel: &ChannelId) -> Option<u64> {
        let owner = self.stage.look(|view| view.owners.get(channel).copied()).await;
        match owner {
            Some((host, epoch)) if host == self.id => return Some(epoch),
            Some(_) if self.random.chance(40) => return None,
            _ => {}
        }
        self.report(DeliveryInput::Own { channel: channel.clone(), host: self.id }).await?;
        let owner = self.stage.look(|view| view.owners.get(channel).copied()).await;
        owner.filter(|(host, _)| *host == self.id).map(|(_, epoch)| epoch)
    }

    async fn send_one(&mut self, channel: &ChannelId) {
        let Some(epoch) = self.epoch(channel).await else { return };
        let Some(message) = self.next_reply(channel).await else { return };
        let granted = self.report(DeliveryInput::Attempt { message, epoch }).await;
        let bold = self.stage.plan.sabotage == Sabotage::HostSendsUngranted;
        let attempt = match granted {
            Some(OutcomeKind::Routed) => {
                let reply = self.stage.look(|view| view.replies.get(&message).cloned()).await;
                reply.map_or(0, |reply| reply.attempt)
            }
            _ if bold => 1,
            _ => return,
        };
        let result = self.result(message);
        if self.leaves(&result) {
            *self.stage.notes().left.entry(message).or_default() += 1;
        }
        if self.random.chance(15) {
            // It dies before it can tell; the next run is another host.
            self.id = HostId(fresh(&self.random));
            return;
        }
        self.stage.rest(self.lane, self.random.below(200)).await;
        self.report(DeliveryInput::Settle { message, epoch, attempt, result }).await;
    }

    /// What seems due; now and then what is not.
    async fn next_reply(&self, channel: &ChannelId) -> Option<MessageId> {
        let (now, random) = (self.stage.now(), &self.random);
        let mut due: Vec<MessageId> = self
            .stage
            .look(|view| {
                let due = view.replies.iter().filter(|(_, reply)| {
                    let ready = reply.waits() && reply.next_at <= now;
                    reply.channel == *channel && (ready || random.chance(5))
                });
                due.map(|(message, _)| *message).collect()
            })
            .await;
        let place = usize::try_from(random.below(due.len() as u64)).ok()?;
        (place < due.len()).then(|| due.swap_remove(place))
    }

    fn result(&self, message: MessageId) -> SendResult {
        let (code, detail) = ("refused".to_owned(), "said no".to_owned());
        match self.random.below(8) {
            0 | 1 => {
                let later_ms = i64::try_from(self.random.below(200)).unwrap_or(0);
                let retry_at = self.stage.now().plus_millis(later_ms);
                SendResult::Retry { retry_at, code, detail }
            }
            2 => SendResult::Failed { code, detail },
            3 => SendResult::Uncertain { code, detail },
            4 => SendResult::Sent { external_id: None },
            _ => SendResult::Sent { external_id: Some(format!("p-{message}")) },
        }
    }

    fn leaves(&self, result: &SendResult) -> bool {
        match result {
            SendResult::Sent { .. } => true,
            SendResult::Uncertain { .. } => self.random.chance(50),
            SendResult::Retry { .. } | SendResult::Failed { .. } => false,
        }
    }

    /// What a provider tells about a reply, under its own id or ours, or about one unknown to us.
    async fn receipt(&self, channel: &ChannelId) {
        let random = &self.random;
        let named: Option<String> = self
            .stage
            .look(|view| {
                let ours = view.replies.iter().filter(|(_, reply)| reply.channel == *channel);
                let theirs = view.provider_ids.iter().filter(|(of, _)| of == channel);
                let ids = theirs.map(|(_, id)| id.clone());
                let all: Vec<String> = ids.chain(ours.map(|(id, _)| id.to_string())).collect();
                all.get(usize::try_from(random.below(all.len() as u64)).ok()?).cloned()
            })
            .await;
        let status = match random.below(4) {
            0 => ReceiptStatus::Sent,
            1 => ReceiptStatus::Delivered,
            2 => ReceiptStatus::Read,
            _ => ReceiptStatus::Failed,
        };
        let external_id = named.unwrap_or_else(|| "unknown".to_owned());
        let receipt = Receipt { external_id, status, at: None, code: None, dead: None };
        let body = InputBody::Receipt(InboundReceipt { channel: channel.clone(), receipt });
        self.ask(body).await;
    }
}
