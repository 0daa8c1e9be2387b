//! Gives the host's inputs to the inlet, for as long as it takes. Never changes an input between two
//! tries: the router tells a repeated one by its id.

use postroom_bus::{BusError, Intake};
use postroom_model::Input;

use crate::backoff::Backoff;

/// Offers the very same input until it is stored. Gives up only when the bus is closed for good;
/// an attempt that could not report then becomes uncertain with the next owner.
pub(crate) async fn until_stored(intake: &Intake, input: &Input) {
    let mut backoff = Backoff::new();
    loop {
        match intake.accept(input).await {
            Ok(_) => return,
            Err(BusError::Closed) => {
                tracing::warn!(input = %input.id, "the bus is closed, the report is lost");
                return;
            }
            Err(error) => {
                let code = error.code();
                tracing::warn!(input = %input.id, code, %error, "the report is not stored yet");
            }
        }
        tokio::time::sleep(backoff.step()).await;
    }
}
