//! One granted attempt: read the reply, hand it to the adapter, say what became of it. Whatever goes
//! wrong before the adapter has the reply is surely not sent; whatever breaks off afterwards may be
//! (P7).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use postroom_channel::{Adapter, Patience, SendError, SendErrorKind, SendReceipt};
use postroom_model::limits::EXTERNAL_ID_CHARS_MAX;
use postroom_model::{
    DeliveryInput, DeliveryState, Input, InputBody, InputId, MessageId, Outbound, SendResult,
};
use postroom_records::{Key, Records, RecordsError, Row};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::files::{BlobFiles, fill_body};
use crate::host::DeliveryParts;
use crate::outbox::{Grant, STALE_OWNER};
use crate::publish;
use crate::schedule::Schedule;

/// How long an adapter may take for one attempt. What is not done by then is uncertain.
pub const ATTEMPT_DEADLINE: Duration = Duration::from_secs(30);

/// How long reading a reply and its words may take before the attempt is given back unsent.
pub const PREPARE_DEADLINE: Duration = Duration::from_secs(10);

/// Characters of a detail that travel to the ledger.
const DETAIL_CHARS_MAX: usize = 500;

/// A granted attempt with all that it takes.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) grant: Grant,
    pub(crate) way: Way,
    /// Cancelled when another host takes the channel.
    pub(crate) superseded: CancellationToken,
    /// The id of the report, known before the attempt begins.
    pub(crate) report: InputId,
}

/// How a granted attempt goes.
#[derive(Debug)]
pub(crate) enum Way {
    Through(Arc<dyn Adapter>),
    /// The channel went between the question and the grant.
    NoAdapter,
    /// The host is about to end; another one sends it, at once.
    Stopping,
}

/// Makes the attempt and reports until the report is stored.
pub(crate) async fn carry_out(parts: &DeliveryParts, job: Job) {
    let grant = &job.grant;
    let result = match &job.way {
        Way::Stopping => SendResult::Retry {
            retry_at: parts.clock.now(),
            code: "shutting_down".to_owned(),
            detail: "the program was stopped before the attempt began".to_owned(),
        },
        Way::NoAdapter => {
            let detail = "the channel is no longer configured to send";
            let error = SendError::retryable("channel_not_configured", detail);
            failed(parts, Patience::Days, grant, &error)
        }
        Way::Through(adapter) => match attempt(parts, &job, adapter.as_ref()).await {
            Ok(receipt) => sent(receipt),
            Err(error) => failed(parts, adapter.patience(), grant, &error),
        },
    };
    let (message, channel, attempt) = (grant.message, &grant.channel, grant.attempt);
    tracing::info!(%message, %channel, attempt, result = result_name(&result), "attempt made");
    parts.metrics.attempted(channel, &result);
    let settle = DeliveryInput::Settle { message, epoch: grant.epoch, attempt, result };
    let input = Input { id: job.report, at: parts.clock.now(), body: InputBody::Delivery(settle) };
    publish::until_stored(&parts.intake, &input).await;
}

async fn attempt(
    parts: &DeliveryParts,
    job: &Job,
    adapter: &dyn Adapter,
) -> Result<SendReceipt, SendError> {
    let prepared = tokio::time::timeout(PREPARE_DEADLINE, prepare(parts, &job.grant)).await;
    let outbound = prepared.unwrap_or_else(|_| {
        let detail = format!("the reply could not be read within {} s", PREPARE_DEADLINE.as_secs());
        Err(SendError::retryable("reply_not_readable", detail))
    })?;
    if job.superseded.is_cancelled() {
        let detail = "another host took the channel before the attempt began";
        return Err(SendError::retryable(STALE_OWNER, detail));
    }
    let files = BlobFiles::new(parts.blobs.clone());
    let sending = without_panic(adapter.send(&outbound, &files));
    let done = tokio::time::timeout(ATTEMPT_DEADLINE, sending).await;
    done.unwrap_or_else(|_| {
        let detail = format!("no answer within {} s", ATTEMPT_DEADLINE.as_secs());
        Err(SendError::uncertain("attempt_timed_out", detail))
    })
}

/// The reply as the adapter gets it, with its words.
async fn prepare(parts: &DeliveryParts, grant: &Grant) -> Result<Outbound, SendError> {
    let mut backoff = Backoff::new();
    let mut outbound = loop {
        match reply(parts.records.as_ref(), grant.message).await {
            Ok(Some(outbound)) => break outbound,
            // The grant can be seen on the ledger before the records hold the reply.
            Ok(None) => {}
            Err(error) => {
                let (code, message) = (error.code(), grant.message);
                tracing::warn!(%message, code, %error, "the reply cannot be read yet");
            }
        }
        tokio::time::sleep(backoff.step()).await;
    };
    outbound.state = DeliveryState::Sending;
    outbound.attempts = grant.attempt;
    outbound.epoch = Some(grant.epoch);
    fill_body(&parts.blobs, &mut outbound.message).await?;
    Ok(outbound)
}

/// A reply as the records hold it.
pub(crate) async fn reply(
    records: &dyn Records,
    message: MessageId,
) -> Result<Option<Outbound>, RecordsError> {
    let rows = records.load(&[Key::Outbound(message)]).await?;
    Ok(rows.into_iter().flatten().find_map(|row| match row {
        Row::Outbound(row) => Some(row.outbound),
        _ => None,
    }))
}

/// An adapter that panics harms only its own attempt (P9), of which nobody knows how far it came.
async fn without_panic(
    sending: impl Future<Output = Result<SendReceipt, SendError>>,
) -> Result<SendReceipt, SendError> {
    let mut sending = pin!(sending);
    std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| sending.as_mut().poll(context)));
        polled.unwrap_or_else(|_| {
            let error = SendError::uncertain("adapter_panicked", "the adapter broke off");
            std::task::Poll::Ready(Err(error))
        })
    })
    .await
}

/// What an attempt ended in, for metrics and logs.
pub(crate) fn result_name(result: &SendResult) -> &'static str {
    match result {
        SendResult::Sent { .. } => "sent",
        SendResult::Retry { .. } => "retry",
        SendResult::Failed { .. } => "failed",
        SendResult::Uncertain { .. } => "uncertain",
    }
}

fn sent(receipt: SendReceipt) -> SendResult {
    let too_long = |id: &String| id.chars().count() > EXTERNAL_ID_CHARS_MAX;
    if receipt.external_id.as_ref().is_some_and(too_long) {
        tracing::warn!(
            "the provider's id of a reply is too long; its receipts will not be matched"
        );
    }
    SendResult::Sent { external_id: receipt.external_id.filter(|id| !too_long(id)) }
}

fn failed(
    parts: &DeliveryParts,
    patience: Patience,
    grant: &Grant,
    error: &SendError,
) -> SendResult {
    let code = error.code.to_owned();
    let detail: String = error.detail.chars().take(DETAIL_CHARS_MAX).collect();
    match error.kind {
        SendErrorKind::Permanent => SendResult::Failed { code, detail },
        SendErrorKind::Uncertain => SendResult::Uncertain { code, detail },
        SendErrorKind::Retryable => {
            let (now, random) = (parts.clock.now(), parts.random.next_u64());
            let attempt = grant.attempt_since_queued;
            match Schedule::of(patience).next(attempt, now, random, error.retry_after) {
                Some(retry_at) => SendResult::Retry { retry_at, code, detail },
                None => SendResult::Failed {
                    code,
                    detail: format!("{detail}; given up after {attempt} attempts"),
                },
            }
        }
    }
}
