//! Keys of a module's rows: order-preserving and prefix-free in their parts.

/// One part of a key.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A number: 8 bytes, big-endian, behind a mark.
    Number(u64),
    /// Text or bytes: behind another mark, zeros escaped, and the end marked.
    Bytes(&'a [u8]),
}

const NUMBER: u8 = 1;
const BYTES: u8 = 2;
const ESCAPED_ZERO: [u8; 2] = [0, 0xff];
const END: [u8; 2] = [0, 0];

/// `prefix` followed by the parts.
#[must_use]
pub fn key<'a>(prefix: &[u8], parts: impl IntoIterator<Item = Part<'a>>) -> Vec<u8> {
    let mut key = Vec::with_capacity(prefix.len() + 96);
    key.extend_from_slice(prefix);
    for part in parts {
        add(&mut key, part);
    }
    key
}

fn add(key: &mut Vec<u8>, part: Part) {
    match part {
        Part::Number(number) => {
            key.push(NUMBER);
            key.extend_from_slice(&number.to_be_bytes());
        }
        Part::Bytes(bytes) => {
            key.push(BYTES);
            let mut pieces = bytes.split(|byte| *byte == 0);
            key.extend_from_slice(pieces.next().unwrap_or_default());
            for piece in pieces {
                key.extend_from_slice(&ESCAPED_ZERO);
                key.extend_from_slice(piece);
            }
            key.extend_from_slice(&END);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_marked_and_zeros_escaped() {
        let parts = [Part::Bytes(b"a\0b"), Part::Number(258), Part::Bytes(b"")];
        let expected = b"row\0\x02a\0\xffb\0\0\x01\0\0\0\0\0\0\x01\x02\x02\0\0";
        assert_eq!(key(b"row\0", parts), expected);
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_parts_do(a: Vec<u8>, b: Vec<u8>, m: u64, n: u64) {
            let one = key(b"", [Part::Bytes(&a), Part::Number(m)]);
            let two = key(b"", [Part::Bytes(&b), Part::Number(n)]);
            prop_assert_eq!(one.cmp(&two), (&a, m).cmp(&(&b, n)));
        }

        #[test]
        fn no_key_begins_another(a: Vec<u8>, b: Vec<u8>) {
            let (one, two) = (key(b"", [Part::Bytes(&a)]), key(b"", [Part::Bytes(&b)]));
            prop_assert_eq!(two.starts_with(&one), a == b);
        }
    }
}
