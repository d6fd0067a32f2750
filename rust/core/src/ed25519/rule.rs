//! The acceptance rule.
//!
//! A and R are canonical (y < p, and no sign bit on y in {1, p - 1}); 8A is not the identity;
//! s < L; and 8sB = 8R + 8kA. Foreign verifiers use the equation without the cofactor 8, so keys
//! that they judge must satisfy that one too ([`Rule::Both`]).

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha512};

/// One signature to be judged; the message is `prefix` followed by `message`.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The public key, A.
    pub key: &'a [u8; 32],
    /// The first part of what was signed.
    pub prefix: &'a [u8],
    /// The rest of what was signed.
    pub message: &'a [u8],
    /// R and s.
    pub signature: &'a [u8; 64],
}

/// Which equations a signature must satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The cofactored one.
    Cofactored,
    /// The cofactored and the cofactorless one.
    Both,
}

/// A public key that may sign: canonical and not of small order.
pub(super) fn key_point(key: &[u8; 32]) -> Option<EdwardsPoint> {
    canonical_point(key).filter(|point| !point.is_small_order())
}

/// A signature of which only the equation is still to be judged.
pub(super) struct Claim<'a> {
    pub key_bytes: &'a [u8; 32],
    pub signature: &'a [u8; 64],
    pub key: EdwardsPoint,
    pub r: EdwardsPoint,
    pub s: Scalar,
    pub k: Scalar,
}

impl<'a> Claim<'a> {
    /// Judge everything but the equation. `key` is the item's key by [`key_point`].
    pub fn new(item: &Item<'a>, key: EdwardsPoint) -> Option<Self> {
        let (r_bytes, s_bytes) = halves(item.signature);
        let s = Option::from(Scalar::from_canonical_bytes(s_bytes))?;
        let r = canonical_point(&r_bytes)?;
        let k = challenge(&r_bytes, item.key, &[item.prefix, item.message]);
        Some(Self { key_bytes: item.key, signature: item.signature, key, r, s, k })
    }

    /// Whether the signature satisfies what `rule` asks.
    pub fn holds(&self, rule: Rule) -> bool {
        let difference =
            EdwardsPoint::vartime_double_scalar_mul_basepoint(&self.k, &-self.key, &self.s) - self.r;
        match rule {
            Rule::Cofactored => difference.mul_by_cofactor().is_identity(),
            Rule::Both => difference.is_identity(),
        }
    }
}

/// k = SHA-512(R, A, message) mod L.
pub(super) fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[&[u8]]) -> Scalar {
    let mut hasher = Sha512::new();
    hasher.update(r);
    hasher.update(key);
    for part in message {
        hasher.update(part);
    }
    Scalar::from_bytes_mod_order_wide(&hasher.finalize().into())
}

fn halves(signature: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let (r, s) = (signature.first_chunk::<32>(), signature.last_chunk::<32>());
    (*r.expect("64 bytes"), *s.expect("64 bytes"))
}

fn canonical_point(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    is_canonical(bytes).then(|| CompressedEdwardsY(*bytes).decompress()).flatten()
}

/// Whether the bytes are the one encoding of what they decode to, if they decode at all: y < p =
/// 2^255 - 19, and no sign on x = 0, which is where y is 1 or p - 1.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let high = bytes[31] & 0x7f;
    let signed = bytes[31] & 0x80 != 0;
    let low = bytes[0];
    if high == 0x7f && bytes[1..31].iter().all(|byte| *byte == 0xff) {
        return low < 0xec || (low == 0xec && !signed);
    }
    let is_one = low == 1 && high == 0 && bytes[1..31].iter().all(|byte| *byte == 0);
    !(is_one && signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_ends(low: u8, middle: u8, high: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (low, high);
        bytes
    }

    #[test]
    fn canonical_encodings_end_at_p() {
        for (bytes, expected) in [
            (with_ends(0xec, 0xff, 0x7f), true),
            (with_ends(0xec, 0xff, 0xff), false),
            (with_ends(0xed, 0xff, 0x7f), false),
            (with_ends(0xff, 0xff, 0xff), false),
            (with_ends(0xeb, 0xff, 0xff), true),
            (with_ends(1, 0, 0), true),
            (with_ends(1, 0, 0x80), false),
            (with_ends(0, 0, 0x80), true),
            (with_ends(2, 0, 0x80), true),
        ] {
            assert_eq!(is_canonical(&bytes), expected, "{bytes:02x?}");
        }
    }
}
