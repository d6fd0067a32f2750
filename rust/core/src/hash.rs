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

/// Blocks that are hashed at a time.
pub const LANES: usize = 16;

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

    /// The hash of each of `blocks`, of which there are at most [`LANES`], in order.
    #[must_use]
    pub fn lanes<'a>(&self, blocks: impl Iterator<Item = &'a Pair>) -> [Hash; LANES] {
        let (mut inputs, mut count) = ([&[0; 64]; LANES], 0);
        for block in blocks {
            inputs[count] = block;
            count += 1;
        }
        let (inputs, mut hashes) = (&inputs[..count], [ZERO; LANES]);
        match self.many {
            Some(platform) => platform.hash_many(
                inputs,
                &self.words,
                0,
                IncrementCounter::No,
                KEYED_HASH,
                CHUNK_START,
                CHUNK_END | ROOT,
                hashes.as_flattened_mut(),
            ),
            None => hashes.iter_mut().zip(inputs).for_each(|(hash, block)| *hash = self.hash(*block)),
        }
        hashes
    }

    /// `hash_many` is hidden and promises nothing, so it is used only where it equals the public path.
    fn many_is_right(&self) -> bool {
        let blocks: [Pair; LANES] =
            std::array::from_fn(|i| std::array::from_fn(|j| (i * 64 + j).to_le_bytes()[0]));
        (1..=LANES).all(|count| {
            let hashes = self.lanes(blocks[..count].iter());
            blocks[..count].iter().zip(hashes).all(|(block, hash)| self.hash(block) == hash)
        })
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
        let blocks: [Pair; LANES] = std::array::from_fn(|i| [i.to_le_bytes()[0]; 64]);
        for count in 0..=LANES {
            let expected: Vec<Hash> = blocks[..count].iter().map(|block| role.hash(block)).collect();
            assert_eq!(role.lanes(blocks[..count].iter())[..count], expected);
        }
    }

    #[test]
    fn roles_differ() {
        assert_ne!(Role::new("a").hash(b""), Role::new("b").hash(b""));
    }
}
