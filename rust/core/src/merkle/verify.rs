//! Checking proofs (RFC 9162, sections 2.1.3.2 and 2.1.4.2).

use super::TreeHash;
use crate::hash::Hash;

/// Whether `path` leads from the leaf hash at `index` of `size` to `root`.
#[must_use]
pub fn verify_inclusion(
    tree: &impl TreeHash,
    root: &Hash,
    size: u64,
    index: u64,
    leaf: &Hash,
    path: &[Hash],
) -> bool {
    if index >= size {
        return false;
    }
    let mut climb = Climb { index, last: size - 1 };
    let mut hash = *leaf;
    for sibling in path {
        let Some(right) = climb.step() else { return false };
        hash = if right { tree.node(sibling, &hash) } else { tree.node(&hash, sibling) };
    }
    climb.last == 0 && hash == *root
}

/// Whether the tree of `first` leaves is the beginning of the tree of `second`. The empty tree is
/// the beginning of every tree, so a proof from it would say nothing: `first` = 0 is refused.
#[must_use]
pub fn verify_consistency(
    tree: &impl TreeHash,
    first: u64,
    first_root: &Hash,
    second: u64,
    second_root: &Hash,
    proof: &[Hash],
) -> bool {
    if first == 0 || first > second {
        return false;
    }
    if first == second {
        return proof.is_empty() && first_root == second_root;
    }
    let (seed, rest) = match proof {
        _ if first.is_power_of_two() => (first_root, proof),
        [seed, rest @ ..] => (seed, rest),
        [] => return false,
    };
    let complete = first.trailing_zeros();
    let mut climb = Climb { index: (first - 1) >> complete, last: (second - 1) >> complete };
    let (mut old, mut new) = (*seed, *seed);
    for sibling in rest {
        let Some(right) = climb.step() else { return false };
        if right {
            old = tree.node(sibling, &old);
            new = tree.node(sibling, &new);
        } else {
            new = tree.node(&new, sibling);
        }
    }
    climb.last == 0 && old == *first_root && new == *second_root
}

/// A node's index and that of the last node, at a level of the tree.
struct Climb {
    index: u64,
    last: u64,
}

impl Climb {
    /// To the parent, past levels without a sibling: whether the node was a right child.
    fn step(&mut self) -> Option<bool> {
        if self.last == 0 {
            return None;
        }
        let right = self.index % 2 == 1 || self.index == self.last;
        if right {
            // The last node of an odd level moves up alone.
            let alone = self.index.trailing_zeros();
            self.index >>= alone;
            self.last >>= alone;
        }
        self.index >>= 1;
        self.last >>= 1;
        Some(right)
    }
}
