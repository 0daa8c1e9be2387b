//! Hints of what other processes write.

use postroom_bus::ReadLimits;
use postroom_testkit::NatsServer;

use crate::{WAIT, open, payload};

#[tokio::test]
async fn hint_comes_from_another_connection_and_after_the_entry_is_there() {
    let server = NatsServer::start().await;
    let (here, there) = (open(&server).await, open(&server).await);
    for number in 0..20_u64 {
        let mut inlet = here.inlet().changes();
        let mut ledger = here.ledger().changes();
        inlet.mark_unchanged();
        ledger.mark_unchanged();
        let seq = there.inlet().publish(payload(usize::try_from(number).unwrap())).await.unwrap();
        while here.inlet().read(seq - 1, ReadLimits::default()).await.unwrap().is_empty() {
            tokio::time::timeout(WAIT, inlet.changed()).await.unwrap().unwrap();
        }
        let events = (number + 1, number + 1);
        there.ledger().append(number, events, payload(0)).await.unwrap();
        let reached = ledger.wait_for(|reached| *reached > number);
        assert_eq!(*tokio::time::timeout(WAIT, reached).await.unwrap().unwrap(), number + 1);
        assert_eq!(here.ledger().read(number, ReadLimits::default()).await.unwrap().len(), 1);
    }
}
