//! A door for programs that try this crate with bytes that nobody means well by: what a server says is
//! read as on a connection, without one. The program itself does not come here.

use async_imap::Client;
use tokio::io::AsyncWriteExt as _;

use crate::limits::SILENCE;
use crate::meter::Meter;
use crate::steady::steady;

/// Bytes of a response that are taken.
const RESPONSE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads what a server says until it ends or cannot be read, and gives how many responses that were.
pub async fn responses(said: &[u8]) -> usize {
    let (near, mut far) = tokio::io::duplex(said.len().max(1));
    let mut client = Client::new(Meter::new(near, RESPONSE_BYTES_MAX, SILENCE));
    let speaking = async {
        drop(far.write_all(said).await);
        drop(far);
    };
    let reading = async {
        let mut count = 0;
        while let Ok(Ok(Some(_))) = steady(client.read_response()).await {
            count += 1;
        }
        // What is over a limit leaves the rest unread.
        drop(client);
        count
    };
    tokio::join!(reading, speaking).0
}

#[cfg(test)]
mod tests {
    use super::responses;

    #[tokio::test]
    async fn responses_are_read_to_the_end_or_to_the_first_that_is_none() {
        let good = b"* OK hello\r\n* 3 EXISTS\r\n* 1 FETCH (UID 7 BODY[] {3}\r\nabc)\r\n";
        assert_eq!(responses(good).await, 3);
        assert_eq!(responses(b"* OK hello\r\n* nonsense\r\n").await, 1);
        // What is over a limit is not read at all.
        assert_eq!(responses(b"* 1 FETCH (UID 7 BODY[] {2000000}\r\n").await, 0);
        assert_eq!(responses(b"").await, 0);
    }
}
