//! Trees and proofs against the definitions of RFC 6962 and RFC 9162, word for word.

#![allow(clippy::cast_possible_truncation, reason = "tests are small")]

use grootboek_core::Hash;
use grootboek_core::merkle::{
    self, Levels, LogHash, TreeHash, range_paths, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|i| LogHash.leaf(&i.to_le_bytes())).collect()
}

fn split(leaves: &[Hash]) -> usize {
    (0..32).map(|power| 1 << power).take_while(|k| *k < leaves.len()).last().unwrap()
}

/// MTH(D[n]), section 2.1.1, over leaf hashes.
fn slow_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => LogHash.empty(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves));
            LogHash.node(&slow_root(left), &slow_root(right))
        }
    }
}

/// PATH(m, D[n]), section 2.1.3.1.
fn slow_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = split(leaves);
    let (left, right) = leaves.split_at(k);
    let (mut path, sibling) =
        if m < k { (slow_path(m, left), right) } else { (slow_path(m - k, right), left) };
    path.push(slow_root(sibling));
    path
}

/// SUBPROOF(m, D[n], b), section 2.1.4.1.
fn slow_proof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![slow_root(leaves)] };
    }
    let k = split(leaves);
    let (left, right) = leaves.split_at(k);
    let (mut proof, sibling) =
        if m <= k { (slow_proof(m, left, whole), right) } else { (slow_proof(m - k, right, false), left) };
    proof.push(slow_root(sibling));
    proof
}

fn levels(leaves: &[Hash]) -> Levels {
    Levels::of(&LogHash, leaves.iter().copied())
}

#[test]
fn every_small_tree_equals_the_definition() {
    let all = leaves(40);
    for size in 1..=40_usize {
        let (n, tree, leaves) = (size as u64, levels(&all[..size]), &all[..size]);
        let root = merkle::root(&LogHash, &tree, n).unwrap();
        assert_eq!(root, slow_root(leaves));
        for index in 0..size {
            let path = merkle::inclusion(&LogHash, &tree, index as u64, n).unwrap();
            assert_eq!(path, slow_path(index, leaves));
            assert!(verify_inclusion(&LogHash, &root, n, index as u64, &leaves[index], &path));
        }
        for first in 1..=size {
            let proof = merkle::consistency(&LogHash, &tree, first as u64, n).unwrap();
            assert_eq!(proof, slow_proof(first, leaves, true));
            let old = slow_root(&leaves[..first]);
            assert!(verify_consistency(&LogHash, first as u64, &old, n, &root, &proof));
        }
    }
}

#[test]
fn a_tree_of_no_leaves_has_the_hash_of_nothing() {
    assert_eq!(merkle::root(&LogHash, &Levels::default(), 0).unwrap(), LogHash.empty());
}

#[test]
fn inclusion_edges_are_refused() {
    let leaves = leaves(5);
    let tree = levels(&leaves);
    let root = slow_root(&leaves);
    let path = merkle::inclusion(&LogHash, &tree, 2, 5).unwrap();
    let verify =
        |size, index, path: &[Hash]| verify_inclusion(&LogHash, &root, size, index, &leaves[2], path);
    assert!(verify(5, 2, &path));
    assert!(!verify(0, 0, &[]), "an empty tree has no leaf");
    assert!(!verify(5, 5, &path), "index = size");
    assert!(!verify(5, u64::MAX, &path));
    assert!(!verify(5, 3, &path), "another index");
    assert!(!verify(6, 4, &path), "another size and index");
    assert!(!verify(u64::MAX, 2, &path), "a path that is too short");
    assert!(!verify(5, 2, &path[..2]));
    assert!(!verify(5, 2, &[&path[..], &[[0; 32]]].concat()), "an extra node");
    assert!(!verify(1, 0, &path));
    assert!(verify_inclusion(&LogHash, &leaves[0], 1, 0, &leaves[0], &[]), "one leaf is the root");
}

#[test]
fn consistency_edges_are_refused() {
    let leaves = leaves(7);
    let tree = levels(&leaves);
    let root = |size: usize| slow_root(&leaves[..size]);
    let proof = merkle::consistency(&LogHash, &tree, 3, 7).unwrap();
    let verify = |first: usize, second: usize, proof: &[Hash]| {
        verify_consistency(&LogHash, first as u64, &root(first), second as u64, &root(second), proof)
    };
    assert!(verify(3, 7, &proof));
    assert!(!verify(0, 7, &[]), "nothing is consistent with the empty tree");
    assert!(!verify(0, 0, &[]));
    assert!(!verify(7, 3, &proof), "backwards");
    assert!(!verify(3, 7, &proof[1..]));
    assert!(!verify(3, 7, &[]));
    assert!(!verify(4, 7, &[]), "a power of two has a proof too");
    assert!(!verify(3, 7, &[&proof[..], &[[0; 32]]].concat()), "an extra node");
    assert!(verify(7, 7, &[]), "a tree is consistent with itself");
    assert!(!verify(7, 7, &proof), "by nothing but the empty proof");
    assert!(!verify_consistency(&LogHash, 7, &root(7), 7, &root(3), &[]), "two roots of one size");
}

#[test]
fn range_edges_are_refused() {
    let leaves = leaves(9);
    let nodes = merkle::range(&LogHash, &levels(&leaves), 2, 5, 9).unwrap();
    let paths =
        |size, start, leaves: &[Hash], nodes: &[Hash]| range_paths(&LogHash, size, start, leaves, nodes);
    assert!(paths(9, 2, &leaves[2..5], &nodes).is_some());
    assert_eq!(paths(9, 2, &[], &nodes), None, "no leaf");
    assert_eq!(paths(9, 7, &leaves[2..5], &nodes), None, "beyond the end");
    assert_eq!(paths(9, u64::MAX, &leaves[2..5], &nodes), None);
    assert_eq!(paths(9, 2, &leaves[2..5], &nodes[1..]), None);
    assert_eq!(paths(9, 2, &leaves[2..5], &[&nodes[..], &[[0; 32]]].concat()), None, "an extra node");
    let other = paths(9, 3, &leaves[2..5], &nodes);
    assert!(other.is_none_or(|(root, _)| root != slow_root(&leaves)), "another start");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ranges_give_root_and_paths(size in 1_u64..300, a: prop::sample::Index, b: prop::sample::Index) {
        let (a, b) = (a.index(size as usize), b.index(size as usize));
        let (start, end) = (a.min(b), a.max(b) + 1);
        let leaves = leaves(size);
        let nodes = merkle::range(&LogHash, &levels(&leaves), start as u64, end as u64, size).unwrap();
        let (root, paths) = range_paths(&LogHash, size, start as u64, &leaves[start..end], &nodes).unwrap();
        prop_assert_eq!(root, slow_root(&leaves));
        for (offset, path) in paths.iter().enumerate() {
            prop_assert_eq!(path, &slow_path(start + offset, &leaves));
        }
    }

    #[test]
    fn no_changed_proof_verifies(
        size in 2_u64..300,
        index: prop::sample::Index,
        place: prop::sample::Index,
        bit in 0..256_usize,
    ) {
        let leaves = leaves(size);
        let (tree, root) = (levels(&leaves), slow_root(&leaves));
        let flip = |proof: &mut Vec<Hash>| {
            if !proof.is_empty() {
                let place = place.index(proof.len());
                proof[place][bit / 8] ^= 1 << (bit % 8);
            }
        };
        let index = index.index(size as usize);
        let mut path = merkle::inclusion(&LogHash, &tree, index as u64, size).unwrap();
        flip(&mut path);
        prop_assert!(!verify_inclusion(&LogHash, &root, size, index as u64, &leaves[index], &path));
        let first = index as u64 + 1;
        let mut proof = merkle::consistency(&LogHash, &tree, first, size).unwrap();
        flip(&mut proof);
        let old = slow_root(&leaves[..=index]);
        prop_assert_eq!(verify_consistency(&LogHash, first, &old, size, &root, &proof), first == size);
    }

    #[test]
    fn truncated_levels_are_those_of_fewer_leaves(size in 0_u64..300, cut: prop::sample::Index) {
        let leaves = leaves(size);
        let cut = cut.index(size as usize + 1);
        let mut tree = levels(&leaves);
        tree.truncate(cut);
        prop_assert_eq!(tree.len(), cut);
        prop_assert_eq!(tree.leaves(), &leaves[..cut]);
        prop_assert_eq!(merkle::root(&LogHash, &tree, cut as u64).unwrap(), slow_root(&leaves[..cut]));
        leaves[cut..].iter().for_each(|leaf| tree.push(&LogHash, *leaf));
        prop_assert_eq!(merkle::root(&LogHash, &tree, size).unwrap(), slow_root(&leaves));
    }
}
