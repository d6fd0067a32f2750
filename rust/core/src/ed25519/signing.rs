//! Signing (RFC 8032, section 5.1.6).

use super::rule::challenge;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A private key, wiped from memory when dropped. The arithmetic on secrets takes constant time.
#[derive(ZeroizeOnDrop)]
pub struct SigningKey {
    scalar: Scalar,
    prefix: [u8; 32],
    #[zeroize(skip)]
    public: [u8; 32],
}

impl SigningKey {
    /// From the 32-byte seed.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        let expanded = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(seed)));
        let (low, prefix) = expanded.split_at(32);
        let mut clamped = clamp_integer(low.try_into().expect("half of 64 bytes"));
        let scalar = Scalar::from_bytes_mod_order(clamped);
        clamped.zeroize();
        Self {
            scalar,
            prefix: prefix.try_into().expect("half of 64 bytes"),
            public: EdwardsPoint::mul_base(&scalar).compress().to_bytes(),
        }
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The deterministic signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let nonce = self.nonce(message);
        let r = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
        let s = challenge(&r, &self.public, &[message]) * self.scalar + *nonce;
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r);
        signature[32..].copy_from_slice(s.as_bytes());
        signature
    }

    fn nonce(&self, message: &[u8]) -> Zeroizing<Scalar> {
        let mut hasher = Sha512::new();
        hasher.update(self.prefix);
        hasher.update(message);
        let wide = Zeroizing::new(<[u8; 64]>::from(hasher.finalize()));
        Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide))
    }
}
