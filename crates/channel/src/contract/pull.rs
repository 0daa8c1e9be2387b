//! The checks of what is fetched: nothing is acknowledged before the inlet has it (P1).

use std::sync::Arc;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::judge::Judge;
use super::{PATIENCE, PullFixture, TestInlet};
use crate::Inlet;

pub(super) async fn run(fixture: &dyn PullFixture, judge: &mut Judge) {
    judge.hear(&format!("{:?}", fixture.adapter()));
    let busy = refused(fixture, judge).await;
    let hanging = dropped(fixture, judge).await;
    let taken = taken(fixture, judge).await;
    judge.check = "same_ids";
    for before in [busy, hanging] {
        let mut known = before.iter().filter(|id| taken.contains(id));
        let same = known.next().is_some() || before.is_empty();
        judge.expect(same, || "what is fetched again is another message".to_owned());
    }
}

/// The inlet takes nothing.
async fn refused(fixture: &dyn PullFixture, judge: &mut Judge) -> Vec<String> {
    judge.check = "inlet_busy";
    let inlet = Arc::new(TestInlet::busy());
    let shutdown = CancellationToken::new();
    let adapter = fixture.adapter();
    let run = adapter.run(Arc::clone(&inlet) as Arc<dyn Inlet>, shutdown.clone());
    let watch = async {
        inlet.wait_for(1).await;
        shutdown.cancel();
    };
    let both = timeout(PATIENCE, async { tokio::join!(run, watch).0 }).await;
    judge.expect(both.is_ok(), || "nothing was offered, or it did not end".to_owned());
    if let Ok(Err(error)) = both {
        judge.hear(&format!("{error:?} {error}"));
    }
    nothing_acknowledged(fixture, &inlet, judge).await;
    inlet.external_ids()
}

/// The work is dropped while the inlet has not answered.
async fn dropped(fixture: &dyn PullFixture, judge: &mut Judge) -> Vec<String> {
    judge.check = "cancelled";
    let inlet = Arc::new(TestInlet::hanging());
    let adapter = fixture.adapter();
    let run = adapter.run(Arc::clone(&inlet) as Arc<dyn Inlet>, CancellationToken::new());
    let outcome = timeout(PATIENCE, async {
        tokio::select! {
            _ = run => false,
            () = inlet.wait_for(1) => true,
        }
    });
    let asked = outcome.await.unwrap_or(false);
    judge.expect(asked, || "nothing was offered".to_owned());
    nothing_acknowledged(fixture, &inlet, judge).await;
    inlet.external_ids()
}

/// The inlet takes everything.
async fn taken(fixture: &dyn PullFixture, judge: &mut Judge) -> Vec<String> {
    judge.check = "taken";
    let inlet = Arc::new(TestInlet::taking());
    let shutdown = CancellationToken::new();
    let adapter = fixture.adapter();
    let run = adapter.run(Arc::clone(&inlet) as Arc<dyn Inlet>, shutdown.clone());
    // One who acknowledged too early is not waited for: that was told already.
    let left = fixture.offered().saturating_sub(fixture.acknowledged(&[]).await);
    let watch = async {
        inlet.wait_for(left).await;
        shutdown.cancel();
    };
    let both = timeout(PATIENCE, async { tokio::join!(run, watch).0 }).await;
    judge.expect(matches!(both, Ok(Ok(()))), || {
        format!("not everything was offered, or it did not end well: {both:?}")
    });
    let (offered, done) = (fixture.offered(), fixture.acknowledged(&inlet.places()).await);
    judge.expect(done == offered, || {
        format!("{done} of {offered} items that were taken are acknowledged")
    });
    let mut ids = inlet.external_ids();
    ids.sort();
    let all = ids.len();
    ids.dedup();
    judge.expect(ids.len() == all, || "an item was offered twice".to_owned());
    ids
}

async fn nothing_acknowledged(fixture: &dyn PullFixture, inlet: &TestInlet, judge: &mut Judge) {
    let done = fixture.acknowledged(&inlet.places()).await;
    judge.expect(done == 0, || {
        format!("{done} items are acknowledged that the inlet does not have")
    });
}
