//! The key under which a mail is found by what answers it: short enough for the address to which
//! answers go, and made of the Message-ID, so that everybody makes the same one.

use crate::digest::Digest;
use crate::{Address, ConversationId};

/// Characters of a key: 80 bits.
pub const CHARS: usize = 16;
const BYTES: usize = 10;
/// Base32 (RFC 4648) in lower case: addresses may come back in another case.
pub const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The key of the mail with this id, given without brackets.
pub fn of(external_id: &str) -> String {
    let digest = Digest::of_fields(&[b"mail-thread", external_id.as_bytes()]);
    base32(digest.0.get(..BYTES).unwrap_or_default())
}

/// The key of what one sender writes about a conversation in which they take no part. What is written in
/// their name and disowned has another one: nobody comes by it into what is theirs.
pub fn aside(conversation: ConversationId, sender: &Address, disowned: bool) -> String {
    let sender = sender.as_str().to_ascii_lowercase();
    let fields: [&[u8]; 4] =
        [b"mail-aside", conversation.0.as_bytes(), sender.as_bytes(), &[u8::from(disowned)]];
    let digest = Digest::of_fields(&fields);
    base32(digest.0.get(..BYTES).unwrap_or_default())
}

/// The key of the mail with this id, by this sender, that was answered before it came. Nobody can wait
/// for the mail of another.
pub fn awaited(external_id: &str, sender: &Address) -> String {
    let sender = sender.as_str().to_ascii_lowercase();
    let digest = Digest::of_fields(&[b"mail-awaited", external_id.as_bytes(), sender.as_bytes()]);
    base32(digest.0.get(..BYTES).unwrap_or_default())
}

/// Without padding.
pub fn base32(bytes: &[u8]) -> String {
    let (mut text, mut held, mut bits) = (String::new(), 0_usize, 0_u32);
    let mut push = |index: usize| {
        text.extend(ALPHABET.get(index & 31).copied().map(char::from));
    };
    for byte in bytes {
        held = (held << 8) | usize::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            push(held >> bits);
            held &= (1 << bits) - 1;
        }
    }
    if bits > 0 {
        push(held << (5 - bits));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{CHARS, aside, awaited, base32, of};
    use crate::{Address, ConversationId};

    #[test]
    fn base32_is_that_of_the_standard() {
        for (bytes, text) in
            [("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foobar", "mzxw6ytboi")]
        {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn key_aside_is_of_the_conversation_the_mailbox_and_whether_it_is_theirs() {
        let id = |number| ConversationId(uuid::Uuid::from_u128(number));
        let address = |text: &str| text.parse::<Address>().unwrap();
        let (eve, ada) = (address("mailto:eve@example.net"), address("mailto:ada@example.net"));
        let key = aside(id(1), &eve, false);
        assert_eq!(key, aside(id(1), &address("mailto:EVE@example.net"), false));
        assert_eq!(key.len(), CHARS);
        for other in
            [aside(id(2), &eve, false), aside(id(1), &ada, false), aside(id(1), &eve, true)]
        {
            assert_ne!(key, other);
        }
    }

    #[test]
    fn key_of_what_is_awaited_is_of_the_id_and_the_mailbox_that_sends_it() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        let (eve, ada) = (address("mailto:eve@example.net"), address("mailto:ada@example.net"));
        let key = awaited("1@example.net", &ada);
        assert_eq!(key, awaited("1@example.net", &address("mailto:ADA@example.net")));
        assert_eq!(key.len(), CHARS);
        let others = [awaited("1@example.net", &eve), awaited("2@example.net", &ada)];
        assert!(!others.contains(&key) && key != of("1@example.net"));
    }

    #[test]
    fn key_is_short_and_of_its_id_alone() {
        assert_eq!(of("a@example.com"), of("a@example.com"));
        assert_ne!(of("a@example.com"), of("b@example.com"));
        assert_eq!(of("a@example.com").len(), CHARS);
    }
}
