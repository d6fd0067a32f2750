//! Many leaves at once: one proof, the root and each leaf's own path.

use super::{TreeHash, split};
use crate::hash::Hash;

/// A root, and the inclusion path of each leaf of a range.
pub type RangePaths = (Hash, Vec<Vec<Hash>>);

/// The root that consecutive `leaves` from `start` on and the nodes beside them lead to in a tree of
/// `size`, and the path of each leaf. None where counts do not fit.
#[must_use]
pub fn range_paths(
    tree: &impl TreeHash,
    size: u64,
    start: u64,
    leaves: &[Hash],
    nodes: &[Hash],
) -> Option<RangePaths> {
    let end = start.checked_add(u64::try_from(leaves.len()).ok()?)?;
    if leaves.is_empty() || end > size {
        return None;
    }
    let mut walk = Walk { tree, start, end, leaves, nodes: nodes.iter(), paths: vec![vec![]; leaves.len()] };
    let root = walk.subtree(0, size)?;
    walk.nodes.next().is_none().then_some((root, walk.paths))
}

struct Walk<'a, T> {
    tree: &'a T,
    start: u64,
    end: u64,
    leaves: &'a [Hash],
    nodes: std::slice::Iter<'a, Hash>,
    paths: Vec<Vec<Hash>>,
}

impl<T: TreeHash> Walk<'_, T> {
    fn subtree(&mut self, from: u64, to: u64) -> Option<Hash> {
        if to <= self.start || self.end <= from {
            return self.nodes.next().copied();
        }
        if to - from == 1 {
            return Some(self.leaves[self.offset(from)]);
        }
        let middle = from + split(to - from);
        let left = self.subtree(from, middle)?;
        let right = self.subtree(middle, to)?;
        self.extend_paths(from, middle, &right);
        self.extend_paths(middle, to, &left);
        Some(self.tree.node(&left, &right))
    }

    fn extend_paths(&mut self, from: u64, to: u64, sibling: &Hash) {
        let range = self.offset(from)..self.offset(to);
        self.paths[range].iter_mut().for_each(|path| path.push(*sibling));
    }

    /// The offset of a position among the leaves of the range, cut to its ends.
    fn offset(&self, position: u64) -> usize {
        let offset = position.clamp(self.start, self.end) - self.start;
        usize::try_from(offset).expect("at most the number of leaves")
    }
}
