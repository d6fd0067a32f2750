//! Signatures that verifiers disagree about, made from known secrets.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity};
use sha2::{Digest, Sha512};

/// A signature with the verdicts of the rule: with the cofactored equation, and with both.
pub struct Case {
    pub name: String,
    pub key: [u8; 32],
    pub message: Vec<u8>,
    pub signature: [u8; 64],
    pub accepted: bool,
    pub cofactorless: bool,
}

const MESSAGE: &[u8] = b"edge";
/// The group's order, L, and the field's, p = 2^255 - 19; little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];
const FIELD: [u8; 32] = {
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (0xed, 0x7f);
    bytes
};

/// All of them.
pub fn edge_cases() -> Vec<Case> {
    let mut cases = vec![good(MESSAGE), good(b""), good(&[9; 1000])];
    cases.extend(torsion());
    cases.extend(large_s());
    cases.extend(not_canonical());
    cases.extend(off_the_curve());
    cases.extend(changed());
    cases
}

fn secret() -> Scalar {
    scalar(b"secret")
}

fn scalar(seed: &[u8]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&Sha512::digest(seed).into())
}

fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    scalar(&[r, key, message].concat())
}

/// A signature under the encodings `key` and `r`, whose points are `secret` B and `nonce` B up to
/// points of small order.
fn sign(name: &str, key: [u8; 32], r: [u8; 32], nonce: Scalar, secret: Scalar, message: &[u8]) -> Case {
    let s = nonce + challenge(&r, &key, message) * secret;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(s.as_bytes());
    let message = message.to_vec();
    Case { name: name.to_owned(), key, message, signature, accepted: true, cofactorless: true }
}

fn good(message: &[u8]) -> Case {
    let nonce = scalar(message);
    let encode = |scalar: &Scalar| EdwardsPoint::mul_base(scalar).compress().to_bytes();
    sign("good", encode(&secret()), encode(&nonce), nonce, secret(), message)
}

/// Every sum of a key or R with a point of small order, and small order alone (secret 0).
fn torsion() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, secret) in [("key", secret()), ("small key", Scalar::ZERO)] {
        for (i, key_torsion) in EIGHT_TORSION.iter().enumerate() {
            for (j, r_torsion) in EIGHT_TORSION.iter().enumerate() {
                for (r_name, nonce) in [("R", scalar(b"nonce")), ("small R", Scalar::ZERO)] {
                    let key = (EdwardsPoint::mul_base(&secret) + key_torsion).compress().to_bytes();
                    let r = (EdwardsPoint::mul_base(&nonce) + r_torsion).compress().to_bytes();
                    let mut case = sign(&format!("{name} {i}, {r_name} {j}"), key, r, nonce, secret, MESSAGE);
                    case.accepted = secret != Scalar::ZERO;
                    let rest = challenge(&r, &key, MESSAGE) * key_torsion + r_torsion;
                    case.cofactorless = case.accepted && rest.is_identity();
                    cases.push(case);
                }
            }
        }
    }
    cases
}

/// s + L, s + 2 L... as far as 32 bytes reach, and L itself for s = 0.
fn large_s() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut s: [u8; 32] = good(MESSAGE).signature[32..].try_into().unwrap();
    for multiple in 1..=15 {
        s = add(&s, &ORDER);
        let mut case = refused(&format!("s + {multiple} L"), good(MESSAGE));
        case.signature[32..].copy_from_slice(&s);
        cases.push(case);
    }
    // With R = -k A the equation holds for s = 0; without k in it for a key of small order only, so
    // here it is the range that must refuse L, and the equation that must refuse 0.
    for (name, s) in [("s = L", ORDER), ("s = 0", [0; 32])] {
        let mut case = refused(name, good(MESSAGE));
        case.signature[32..].copy_from_slice(&s);
        cases.push(case);
    }
    cases
}

/// Other encodings of points: y + p, and a sign on x = 0. All such points are of small order, so R
/// is the identity or one of its kin, with s to fit; as keys they would be refused anyway.
fn not_canonical() -> Vec<Case> {
    let signed = |mut bytes: [u8; 32]| {
        bytes[31] |= 0x80;
        bytes
    };
    let small = |value: u8| {
        let mut bytes = [0; 32];
        bytes[0] = value;
        bytes
    };
    let mut minus_one = FIELD;
    minus_one[0] -= 1;
    let mut encodings = vec![signed(small(1)), signed(minus_one)];
    for y in 0..19 {
        encodings.push(add(&FIELD, &small(y)));
        encodings.push(signed(add(&FIELD, &small(y))));
    }
    let key = EdwardsPoint::mul_base(&secret()).compress().to_bytes();
    let mut cases = Vec::new();
    for encoding in encodings {
        let name = format!("R {encoding:02x?}");
        cases.push(refused(&name, sign("", key, encoding, Scalar::ZERO, secret(), MESSAGE)));
        let name = format!("key {encoding:02x?}");
        let identity = EdwardsPoint::identity().compress().to_bytes();
        cases.push(refused(&name, sign("", encoding, identity, Scalar::ZERO, Scalar::ZERO, MESSAGE)));
    }
    cases
}

/// Half of all y have no x.
fn off_the_curve() -> Vec<Case> {
    let mut nowhere = [0; 32];
    while CompressedEdwardsY(nowhere).decompress().is_some() {
        nowhere[0] += 1;
    }
    let (mut key, mut r) =
        (refused("key off the curve", good(MESSAGE)), refused("R off the curve", good(MESSAGE)));
    key.key = nowhere;
    r.signature[..32].copy_from_slice(&nowhere);
    vec![key, r]
}

/// One bit of each part.
fn changed() -> Vec<Case> {
    let mut cases: Vec<Case> =
        ["message", "key", "R", "s"].iter().map(|part| refused(part, good(MESSAGE))).collect();
    cases[0].message[0] ^= 1;
    cases[1].key[3] ^= 1;
    cases[2].signature[3] ^= 1;
    cases[3].signature[35] ^= 1;
    cases
}

fn refused(name: &str, case: Case) -> Case {
    Case { name: name.to_owned(), accepted: false, cofactorless: false, ..case }
}

fn add(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    std::array::from_fn(|i| {
        let sum = u16::from(a[i]) + u16::from(b[i]) + carry;
        carry = sum >> 8;
        sum.to_le_bytes()[0]
    })
}
