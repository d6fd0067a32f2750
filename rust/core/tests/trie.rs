//! The state tree against its definition, and its proofs at every height.

use grootboek_core::Hash;
use grootboek_core::hash::{Role, ZERO, digest, join};
use grootboek_core::state::{Change, Trie};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;

type Leaves = BTreeMap<Hash, Hash>;

static LEAF: LazyLock<Role> = LazyLock::new(|| Role::new("state leaf"));
static NODE: LazyLock<Role> = LazyLock::new(|| Role::new("state node"));

/// The definition: empty, the leaf itself, or the hash of both halves.
fn slow_root(leaves: &[(Hash, Hash)], depth: usize) -> Hash {
    match leaves {
        [] => ZERO,
        [(key, value)] => LEAF.hash(&join(key, value)),
        _ => {
            let is_left = |(key, _): &(Hash, Hash)| key[depth / 8] << (depth % 8) & 0x80 == 0;
            let (left, right): (Vec<_>, Vec<_>) = leaves.iter().partition(|leaf| is_left(leaf));
            NODE.pair(&slow_root(&left, depth + 1), &slow_root(&right, depth + 1))
        }
    }
}

fn root_of(leaves: &Leaves) -> Hash {
    slow_root(&leaves.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>(), 0)
}

/// Keys that share long beginnings, so that paths are deep and leaves often move.
fn key() -> impl Strategy<Value = Hash> {
    (0..3_u8, 0..4_u8, 0..3_u8).prop_map(|(first, middle, last)| {
        let mut key = [0; 32];
        (key[0], key[9], key[31]) = (first << 6, middle, last);
        key
    })
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let value = prop_oneof![2 => (1..5_u8).prop_map(|byte| Some([byte; 32])), 1 => Just(None)];
    prop::collection::btree_map(key(), value, 0..20)
        .prop_map(|changes| changes.into_iter().map(|(key, value)| Change { key, value }).collect())
}

fn apply(leaves: &mut Leaves, changes: &[Change]) {
    for Change { key, value } in changes {
        match value {
            Some(value) => leaves.insert(*key, *value),
            None => leaves.remove(key),
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn roots_equal_the_definition_and_undo_goes_back(rounds in prop::collection::vec(changes(), 1..8)) {
        let (mut trie, mut leaves) = (Trie::default(), Leaves::new());
        let mut past = Vec::new();
        for changes in &rounds {
            let before = trie.root();
            apply(&mut leaves, changes);
            let undo = trie.apply(changes);
            prop_assert!(undo.is_sorted_by_key(|change| change.key));
            prop_assert_eq!(trie.root(), root_of(&leaves));
            prop_assert_eq!(trie.len(), leaves.len());
            past.push((before, undo));
        }
        for (before, undo) in past.iter().rev() {
            trie.apply(undo);
            prop_assert_eq!(trie.root(), *before);
        }
        prop_assert!(trie.is_empty());
    }
}

#[test]
fn many_keys_at_once_and_one_by_one() {
    let key = |i: u32| digest(&i.to_le_bytes());
    let mut changes: Vec<Change> = (0..3_000).map(|i| Change { key: key(i), value: Some(key(i)) }).collect();
    changes.sort_by_key(|change| change.key);
    let (mut at_once, mut one_by_one) = (Trie::default(), Trie::default());
    at_once.apply(&changes);
    for change in &changes {
        one_by_one.apply(&[*change]);
    }
    let leaves: Leaves = changes.iter().map(|change| (change.key, change.value.unwrap())).collect();
    assert_eq!(at_once.root(), root_of(&leaves));
    assert_eq!(one_by_one.root(), at_once.root());
    // Again over what is there: this is when paths are read ahead.
    at_once
        .apply(&changes.iter().map(|change| Change { value: Some([1; 32]), ..*change }).collect::<Vec<_>>());
    assert_eq!(at_once.root(), root_of(&leaves.keys().map(|key| (*key, [1; 32])).collect()));
}

#[test]
fn many_keys_go_and_come_back() {
    let key = |i: u32| digest(&i.to_le_bytes());
    let mut changes: Vec<Change> = (0..3_000).map(|i| Change { key: key(i), value: Some(key(i)) }).collect();
    changes.sort_by_key(|change| change.key);
    let mut trie = Trie::default();
    trie.apply(&changes);
    let (full, mut leaves) = (trie.root(), Leaves::new());
    apply(&mut leaves, &changes);
    // Most of what is left were halves of nodes.
    let gone: Vec<Change> =
        changes.iter().enumerate().filter(|(i, _)| i % 7 > 0).map(|(_, one)| *one).collect();
    let gone: Vec<Change> = gone.iter().map(|change| Change { value: None, ..*change }).collect();
    apply(&mut leaves, &gone);
    let undo = trie.apply(&gone);
    assert_eq!((trie.root(), trie.len()), (root_of(&leaves), leaves.len()));
    trie.apply(&undo);
    assert_eq!((trie.root(), trie.len()), (full, 3_000));
}
