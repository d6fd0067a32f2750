//! Many signatures at once, with the same verdicts as one by one.
//!
//! The sum over all claims of `z (s B - k A - R)`, times the cofactor, is the identity when every
//! equation holds. With a coefficient z for each that nobody can foresee, 128 bits long, it is not
//! when one of them fails, but for a chance of 2^-128. A chunk that fails is judged in parts, and a part that
//! fails one by one.

use super::cache::KeyCache;
use super::rule::{Claim, Item, Rule, key_point};
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use std::collections::HashMap;
use zeroize::Zeroizing;

/// How many signatures share one equation: the more, the less it costs each.
pub const CHUNK: usize = 1024;
/// How many share one where a chunk's does not hold, so that one bad signature costs the others little.
const PART: usize = 128;

const DOMAIN: &[u8] = b"grootboek/1 ed25519 batch\n";

/// Judges signatures; remembers public keys over calls.
pub struct Verifier {
    secret: Zeroizing<[u8; 32]>,
    cache: KeyCache,
}

impl Verifier {
    /// `secret` keys the coefficients; `capacity` is how many public keys are remembered (about
    /// 200 bytes each).
    #[must_use]
    pub fn new(secret: [u8; 32], capacity: usize) -> Self {
        Self { secret: Zeroizing::new(secret), cache: KeyCache::new(capacity) }
    }

    /// The verdict on one signature.
    #[must_use]
    pub fn verify(&self, item: &Item, rule: Rule) -> bool {
        let key = self.cache.points(&[item.key], key_point)[0];
        key.and_then(|key| Claim::new(item, key)).is_some_and(|claim| claim.holds(rule))
    }

    /// The verdict on each signature, equal to [`Verifier::verify`].
    #[must_use]
    pub fn verify_many(&self, items: &[Item], rule: Rule) -> Vec<bool> {
        items.chunks(CHUNK).flat_map(|chunk| self.verify_chunk(chunk, rule)).collect()
    }

    fn verify_chunk(&self, items: &[Item], rule: Rule) -> Vec<bool> {
        let keys: Vec<&[u8; 32]> = items.iter().map(|item| item.key).collect();
        let points = self.cache.points(&keys, key_point);
        let claims: Vec<Option<Claim>> =
            items.iter().zip(points).map(|(item, key)| Claim::new(item, key?)).collect();
        // The sum says nothing about the cofactorless equation.
        if rule == Rule::Cofactored { self.judge(&claims, PART) } else { one_by_one(&claims, rule) }
    }

    /// All at once, else in parts of `part` at once, else one by one.
    fn judge(&self, claims: &[Option<Claim>], part: usize) -> Vec<bool> {
        if self.all_hold(claims.iter().flatten()) {
            claims.iter().map(Option::is_some).collect()
        } else if claims.len() > part {
            claims.chunks(part).flat_map(|part| self.judge(part, part.len())).collect()
        } else {
            one_by_one(claims, Rule::Cofactored)
        }
    }

    /// Whether the sum over all claims is the identity. One claim alone is cheaper by itself.
    fn all_hold<'a, 'b: 'a>(&self, claims: impl Iterator<Item = &'a Claim<'b>>) -> bool {
        let claims: Vec<&Claim> = claims.collect();
        if claims.len() < 2 {
            return claims.iter().all(|claim| claim.holds(Rule::Cofactored));
        }
        let coefficients = self.coefficients(&claims);
        let sum = Sum::new(&claims, &coefficients);
        EdwardsPoint::vartime_multiscalar_mul(&sum.scalars, &sum.points).mul_by_cofactor().is_identity()
    }

    fn coefficients(&self, claims: &[&Claim]) -> Vec<Scalar> {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(DOMAIN).update(&claims.len().to_le_bytes());
        for claim in claims {
            hasher.update(claim.key_bytes).update(claim.signature).update(claim.k.as_bytes());
        }
        let mut blocks = vec![[0; 16]; claims.len()];
        hasher.finalize_xof().fill(blocks.as_flattened_mut());
        blocks.into_iter().map(|block| Scalar::from(u128::from_le_bytes(block))).collect()
    }
}

fn one_by_one(claims: &[Option<Claim>], rule: Rule) -> Vec<bool> {
    claims.iter().map(|claim| claim.as_ref().is_some_and(|claim| claim.holds(rule))).collect()
}

/// Scalars and points of the sum, with its sign turned: R and k A count up, s B counts down.
struct Sum {
    scalars: Vec<Scalar>,
    points: Vec<EdwardsPoint>,
}

impl Sum {
    fn new(claims: &[&Claim], coefficients: &[Scalar]) -> Self {
        let base = -claims.iter().zip(coefficients).map(|(claim, z)| z * claim.s).sum::<Scalar>();
        let mut sum = Self { scalars: vec![base], points: vec![ED25519_BASEPOINT_POINT] };
        sum.scalars.extend(coefficients);
        sum.points.extend(claims.iter().map(|claim| claim.r));
        let mut seen = HashMap::with_capacity(claims.len());
        for (claim, z) in claims.iter().zip(coefficients) {
            let slot = *seen.entry(claim.key_bytes).or_insert_with(|| sum.add_point(claim.key));
            sum.scalars[slot] += z * claim.k;
        }
        sum
    }

    fn add_point(&mut self, point: EdwardsPoint) -> usize {
        self.scalars.push(Scalar::ZERO);
        self.points.push(point);
        self.points.len() - 1
    }
}
