//! BLAKE3: digests, domains, and many 64-byte blocks at once.

use blake3::IncrementCounter;
use blake3::platform::Platform;

/// A 32-byte digest, of whichever hash function.
pub type Hash = [u8; 32];

/// Two hashes side by side: the input of every node and leaf of the state tree.
pub type Pair = [u8; 64];

/// What stands where nothing is.
pub const ZERO: Hash = [0; 32];

/// BLAKE3 of `data`.
#[must_use]
pub fn digest(data: &[u8]) -> Hash {
    *blake3::hash(data).as_bytes()
}

/// The prefix of a signed or hashed value of this `chain` that belongs to no epoch.
#[must_use]
pub fn domain(kind: &str, chain: &Hash) -> Vec<u8> {
    let mut bytes = format!("grootboek/1 {kind}\n").into_bytes();
    bytes.extend_from_slice(chain);
    bytes.extend_from_slice(&0_u64.to_be_bytes());
    bytes
}

/// BLAKE3 of `data` under the domain `kind` of `chain`.
#[must_use]
pub fn domain_digest(kind: &str, chain: &Hash, data: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&domain(kind, chain)).update(data);
    *hasher.finalize().as_bytes()
}

/// Keyed BLAKE3 for one role. Its key is the digest of `grootboek/1 <role>\n`, so that no input
/// hashes to the same value in two roles.
#[derive(Clone)]
pub struct Role {
    key: Hash,
    words: [u32; 8],
    many: Option<Platform>,
}

// BLAKE3's flags (section 2.1 of its paper) for a keyed message of exactly one block.
const KEYED_HASH: u8 = 1 << 4;
const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;

/// Inputs handed to the SIMD path at a time.
const LANES: usize = 16;

impl Role {
    /// The keyed hash for `role`.
    #[must_use]
    pub fn new(role: &str) -> Self {
        let key = digest(format!("grootboek/1 {role}\n").as_bytes());
        let words = std::array::from_fn(|i| {
            u32::from_le_bytes([key[4 * i], key[4 * i + 1], key[4 * i + 2], key[4 * i + 3]])
        });
        let mut role = Self { key, words, many: Some(Platform::detect()) };
        if !role.many_is_right() {
            role.many = None;
        }
        role
    }

    /// The hash of `data`.
    #[must_use]
    pub fn hash(&self, data: &[u8]) -> Hash {
        *blake3::keyed_hash(&self.key, data).as_bytes()
    }

    /// The hash of `left` followed by `right`.
    #[must_use]
    pub fn pair(&self, left: &Hash, right: &Hash) -> Hash {
        self.hash(&join(left, right))
    }

    /// The hash of each of `blocks`, in order.
    #[must_use]
    pub fn many(&self, blocks: &[&Pair]) -> Vec<Hash> {
        let Some(platform) = self.many else {
            return blocks.iter().map(|block| self.hash(*block)).collect();
        };
        let mut hashes = vec![ZERO; blocks.len()];
        for (blocks, hashes) in blocks.chunks(LANES).zip(hashes.chunks_mut(LANES)) {
            platform.hash_many(
                blocks,
                &self.words,
                0,
                IncrementCounter::No,
                KEYED_HASH,
                CHUNK_START,
                CHUNK_END | ROOT,
                hashes.as_flattened_mut(),
            );
        }
        hashes
    }

    /// `hash_many` is hidden and promises nothing, so it is used only where it equals the public path.
    fn many_is_right(&self) -> bool {
        let blocks: Vec<Pair> =
            (0..=LANES).map(|i| std::array::from_fn(|j| (i * 64 + j).to_le_bytes()[0])).collect();
        let blocks: Vec<&Pair> = blocks.iter().collect();
        let hashes = self.many(&blocks);
        blocks.iter().zip(hashes).all(|(block, hash)| self.hash(*block) == hash)
    }
}

/// `left` followed by `right`.
#[must_use]
pub fn join(left: &Hash, right: &Hash) -> Pair {
    let mut pair = [0; 64];
    pair[..32].copy_from_slice(left);
    pair[32..].copy_from_slice(right);
    pair
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_equals_one_by_one() {
        let role = Role::new("test");
        assert!(role.many.is_some(), "the SIMD path must be right for the pinned version");
        for count in [0, 1, 15, 16, 17, 100] {
            let blocks: Vec<Pair> = (0..count).map(|i: u8| [i; 64]).collect();
            let blocks: Vec<&Pair> = blocks.iter().collect();
            let expected: Vec<Hash> = blocks.iter().map(|block| role.hash(*block)).collect();
            assert_eq!(role.many(&blocks), expected);
        }
    }

    #[test]
    fn roles_differ() {
        assert_ne!(Role::new("a").hash(b""), Role::new("b").hash(b""));
    }
}
