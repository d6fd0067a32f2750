//! Merkle trees of the shape of RFC 6962 (section 2.1), over any hash function.
//!
//! A tree of n > 1 leaves splits at the largest power of two below n, so every proof is made of
//! *complete* subtrees (2^level leaves, aligned) and of subtrees at the right edge that fold from
//! those. [`Nodes`] gives the complete ones, from wherever they are kept.

mod prove;
mod range;
mod verify;

pub use prove::{consistency, inclusion, range, root, subtree};
pub use range::{RangePaths, range_paths};
pub use verify::{verify_consistency, verify_inclusion};

use crate::hash::Hash;
use sha2::{Digest, Sha256};

/// The hash function of a tree.
pub trait TreeHash {
    /// The hash of a leaf's data.
    fn leaf(&self, data: &[u8]) -> Hash;
    /// The hash of two subtrees.
    fn node(&self, left: &Hash, right: &Hash) -> Hash;
    /// The root of the tree without leaves.
    fn empty(&self) -> Hash;
}

/// SHA-256 as RFC 6962 says: 0x00 before a leaf, 0x01 before two nodes.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogHash;

impl TreeHash for LogHash {
    fn leaf(&self, data: &[u8]) -> Hash {
        Sha256::new_with_prefix([0]).chain_update(data).finalize().into()
    }

    fn node(&self, left: &Hash, right: &Hash) -> Hash {
        let mut data = [1; 65];
        data[1..33].copy_from_slice(left);
        data[33..].copy_from_slice(right);
        Sha256::digest(data).into()
    }

    fn empty(&self) -> Hash {
        Sha256::digest([]).into()
    }
}

/// The hashes of complete subtrees.
pub trait Nodes {
    /// Why a hash cannot be given.
    type Error;

    /// The hash over the 2^`level` leaves from `index` * 2^`level` on.
    ///
    /// # Errors
    /// Where the hash is not at hand.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Where the tree of `size` > 1 leaves splits: the largest power of two below `size`.
#[must_use]
pub fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// All complete subtrees over the leaves pushed so far, in memory.
#[derive(Clone, Debug, Default)]
pub struct Levels(Vec<Vec<Hash>>);

impl Levels {
    /// The subtrees over `leaves`.
    pub fn of(tree: &impl TreeHash, leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut levels = Self::default();
        leaves.into_iter().for_each(|leaf| levels.push(tree, leaf));
        levels
    }

    /// How many leaves.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.first().map_or(0, Vec::len)
    }

    /// Whether there is no leaf.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The leaf hashes.
    #[must_use]
    pub fn leaves(&self) -> &[Hash] {
        self.0.first().map_or(&[], Vec::as_slice)
    }

    /// Add a leaf and every subtree that it completes.
    pub fn push(&mut self, tree: &impl TreeHash, leaf: Hash) {
        let mut hash = leaf;
        for level in 0.. {
            if level == self.0.len() {
                self.0.push(Vec::new());
            }
            let hashes = &mut self.0[level];
            hashes.push(hash);
            match hashes.as_slice() {
                [.., left, right] if hashes.len().is_multiple_of(2) => hash = tree.node(left, right),
                _ => return,
            }
        }
    }

    /// Forget all leaves from `len` on.
    pub fn truncate(&mut self, len: usize) {
        for (level, hashes) in self.0.iter_mut().enumerate() {
            hashes.truncate(len >> level);
        }
        self.0.retain(|hashes| !hashes.is_empty());
    }

    /// The hash of a complete subtree.
    #[must_use]
    pub fn get(&self, level: u32, index: u64) -> Option<Hash> {
        let hashes = self.0.get(usize::try_from(level).ok()?)?;
        hashes.get(usize::try_from(index).ok()?).copied()
    }
}

impl Nodes for Levels {
    type Error = Absent;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Absent> {
        self.get(level, index).ok_or(Absent)
    }
}

/// There is no such subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent;
