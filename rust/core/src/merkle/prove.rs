//! Roots and proofs from complete subtrees (RFC 9162, sections 2.1.1, 2.1.3.1 and 2.1.4.1).
//!
//! Callers keep indexes inside sizes: these functions judge no arguments.

use super::{Nodes, TreeHash, split};
use crate::hash::Hash;

/// The root of the first `size` leaves.
///
/// # Errors
/// Those of `nodes`.
pub fn root<N: Nodes>(tree: &impl TreeHash, nodes: &N, size: u64) -> Result<Hash, N::Error> {
    if size == 0 { Ok(tree.empty()) } else { subtree(tree, nodes, 0, size) }
}

/// The hash of the subtree over leaves [`start`, `end`): `start` is where a split put it.
///
/// # Errors
/// Those of `nodes`.
pub fn subtree<N: Nodes>(tree: &impl TreeHash, nodes: &N, start: u64, end: u64) -> Result<Hash, N::Error> {
    let size = end - start;
    if size.is_power_of_two() {
        let level = size.ilog2();
        return nodes.node(level, start >> level);
    }
    let middle = start + split(size);
    Ok(tree.node(&subtree(tree, nodes, start, middle)?, &subtree(tree, nodes, middle, end)?))
}

/// The siblings of leaf `index` in the tree of `size` leaves, from the leaf upwards.
///
/// # Errors
/// Those of `nodes`.
pub fn inclusion<N: Nodes>(
    tree: &impl TreeHash,
    nodes: &N,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, N::Error> {
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(subtree(tree, nodes, middle, end)?);
            end = middle;
        } else {
            path.push(subtree(tree, nodes, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// What leads from the root of the first `first` leaves to that of the first `second`.
///
/// # Errors
/// Those of `nodes`.
pub fn consistency<N: Nodes>(
    tree: &impl TreeHash,
    nodes: &N,
    first: u64,
    second: u64,
) -> Result<Vec<Hash>, N::Error> {
    let (mut start, mut end) = (0, second);
    let mut path = Vec::new();
    while first < end {
        let middle = start + split(end - start);
        if first <= middle {
            path.push(subtree(tree, nodes, middle, end)?);
            end = middle;
        } else {
            path.push(subtree(tree, nodes, start, middle)?);
            start = middle;
        }
    }
    if start > 0 {
        // The verifier has the root of the first tree only where that is this very subtree.
        path.push(subtree(tree, nodes, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// The largest subtrees beside leaves [`start`, `end`) in the tree of `size`, from left to right.
///
/// # Errors
/// Those of `nodes`.
pub fn range<N: Nodes>(
    tree: &impl TreeHash,
    nodes: &N,
    start: u64,
    end: u64,
    size: u64,
) -> Result<Vec<Hash>, N::Error> {
    let mut beside = Vec::new();
    collect_beside((start, end), (0, size), &mut beside);
    beside.into_iter().map(|(start, end)| subtree(tree, nodes, start, end)).collect()
}

fn collect_beside(range: (u64, u64), tree: (u64, u64), beside: &mut Vec<(u64, u64)>) {
    if tree.1 <= range.0 || range.1 <= tree.0 {
        beside.push(tree);
    } else if tree.0 < range.0 || range.1 < tree.1 {
        let middle = tree.0 + split(tree.1 - tree.0);
        collect_beside(range, (tree.0, middle), beside);
        collect_beside(range, (middle, tree.1), beside);
    }
}
