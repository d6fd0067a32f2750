//! The state against a model that keeps every height, in memory and on disk.

#![allow(clippy::cast_possible_truncation, reason = "tests are small")]

use grootboek_core::state::{KEY_BYTES, State, StateError, verify};
use grootboek_core::store::{Disk, Store, Table};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// What happens to a state.
#[derive(Clone, Debug)]
enum Step {
    Commit {
        writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
        index: BTreeMap<Vec<u8>, Vec<u8>>,
    },
    Flush {
        back: u64,
        keep: u64,
    },
    /// A crash: what was not flushed is gone.
    Restart,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0, 1, 255]), 1..4)
}

fn step() -> impl Strategy<Value = Step> {
    let value = || prop::collection::vec(0..4_u8, 0..3);
    let writes = prop::collection::btree_map(key(), prop::option::weighted(0.7, value()), 0..6);
    let index = prop::collection::btree_map(key(), value(), 0..3);
    prop_oneof![
        6 => (writes, index).prop_map(|(writes, index)| Step::Commit { writes, index }),
        2 => (0..3_u64, 0..4_u64).prop_map(|(back, keep)| Step::Flush { back, keep }),
        1 => Just(Step::Restart),
    ]
}

/// Everything there was, by height.
#[derive(Clone, Default)]
struct Model {
    maps: Vec<Map>,
    indexes: Vec<Map>,
    roots: Vec<[u8; 32]>,
    /// The heights that wrote each key.
    written: BTreeMap<Vec<u8>, Vec<u64>>,
    flushed: usize,
    floor: u64,
}

impl Model {
    fn new() -> Self {
        Self { maps: vec![Map::new()], indexes: vec![Map::new()], roots: vec![[0; 32]], ..Self::default() }
    }

    fn height(&self) -> u64 {
        self.maps.len() as u64 - 1
    }

    fn commit(&mut self, writes: &BTreeMap<Vec<u8>, Option<Vec<u8>>>, index: &Map, root: [u8; 32]) {
        let (mut map, mut indexed) =
            (self.maps.last().unwrap().clone(), self.indexes.last().unwrap().clone());
        let height = self.height() + 1;
        for (key, value) in writes {
            let effective = match value {
                Some(value) => {
                    map.insert(key.clone(), value.clone());
                    true
                }
                None => map.remove(key).is_some(),
            };
            if effective {
                self.written.entry(key.clone()).or_default().push(height);
            }
        }
        indexed.extend(index.clone());
        self.maps.push(map);
        self.indexes.push(indexed);
        self.roots.push(root);
    }

    fn flush(&mut self, height: u64, keep: u64) {
        self.flushed = height as usize;
        self.floor = self.floor.max(height.saturating_sub(keep));
    }

    fn crash(&mut self) {
        self.maps.truncate(self.flushed + 1);
        self.indexes.truncate(self.flushed + 1);
        self.roots.truncate(self.flushed + 1);
        for heights in self.written.values_mut() {
            heights.retain(|height| *height <= self.flushed as u64);
        }
    }

    fn keys(&self) -> BTreeSet<Vec<u8>> {
        let mut keys: BTreeSet<Vec<u8>> = self.maps.iter().flat_map(Map::keys).cloned().collect();
        keys.extend([b"never".to_vec(), Vec::new()]);
        keys
    }
}

fn commit(state: &State, model: &mut Model, writes: &BTreeMap<Vec<u8>, Option<Vec<u8>>>, index: &Map) {
    let puts: Vec<_> = writes.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
    let entries: Vec<_> = index.iter().map(|(key, value)| (&key[..], &value[..])).collect();
    let root = state.commit(model.height() + 1, &puts, &entries).unwrap();
    model.commit(writes, index, root);
}

fn pairs(map: &Map, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let wanted = |key: &[u8]| key.starts_with(prefix) && after.is_none_or(|after| key > after);
    let found = map.iter().filter(|(key, _)| wanted(key)).take(limit);
    found.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn check_reads(state: &State, model: &Model) {
    let view = state.view();
    assert_eq!(view.height(), model.height());
    assert_eq!(view.flushed(), model.flushed as u64);
    assert_eq!(view.root(), *model.roots.last().unwrap());
    assert_eq!(view.len(), model.maps.last().unwrap().len());
    for key in model.keys() {
        assert_eq!(view.get(&key).unwrap().as_ref(), model.maps.last().unwrap().get(&key));
        for (height, map) in model.maps.iter().enumerate() {
            assert_eq!(view.get_at(&key, height as u64).unwrap().as_ref(), map.get(&key));
        }
        let written = model.written.get(&key).map_or(&[][..], Vec::as_slice);
        for limit in [0, 1, 2, 100] {
            let expected: Vec<u64> = written.iter().rev().take(limit).copied().collect();
            assert_eq!(view.changes(&key, limit).unwrap(), expected);
        }
        for (i, map) in model.maps.iter().enumerate() {
            for (after, limit) in [(None, 100), (Some(&key[..]), 2), (None, 0)] {
                let expected = pairs(map, &key[..key.len() / 2], after, limit);
                assert_eq!(view.scan_at(&key[..key.len() / 2], after, limit, i as u64).unwrap(), expected);
                if i + 1 == model.maps.len() {
                    assert_eq!(view.scan(&key[..key.len() / 2], after, limit).unwrap(), expected);
                }
            }
        }
    }
}

fn check_index(state: &State, model: &Model) {
    let (view, index) = (state.view(), model.indexes.last().unwrap());
    for key in index.keys().cloned().chain([vec![], vec![1], vec![2], vec![255, 255, 255, 255]]) {
        assert_eq!(view.index_get(&key).unwrap().as_ref(), index.get(&key));
        for prefix in [&key[..key.len() / 2], &key, &[1]] {
            let last = index.iter().rfind(|(found, _)| found.starts_with(prefix) && **found <= key);
            let expected = last.map(|(key, value)| (key.clone(), value.clone()));
            assert_eq!(view.index_last(prefix, &key).unwrap(), expected);
        }
    }
}

fn check_proofs(state: &State, model: &Model) {
    let view = state.view();
    for height in 0..=model.height() + 1 {
        for key in model.keys() {
            let proof = view.prove(&key, height);
            if height < model.floor || height > model.height() {
                assert!(matches!(proof, Err(StateError::NotKept(_))));
                continue;
            }
            let (proof, root) = (proof.unwrap(), model.roots[height as usize]);
            let value = model.maps[height as usize].get(&key).map(Vec::as_slice);
            assert!(verify(&root, &key, value, &proof));
            let wrong: Option<&[u8]> = if value.is_some() { None } else { Some(b"value") };
            assert!(!verify(&root, &key, wrong, &proof));
            assert!(!verify(&root, &key, Some(b"no such value"), &proof));
        }
    }
}

/// Run `steps`; `restart` gives the state as it is after a crash.
fn run(steps: &[Step], mut state: State, restart: impl Fn(State) -> State) {
    let mut model = Model::new();
    for step in steps {
        match step {
            Step::Commit { writes, index } => commit(&state, &mut model, writes, index),
            Step::Flush { back, keep } => {
                let height = model.height().saturating_sub(*back).max(model.flushed as u64);
                state.flush(height, *keep).unwrap();
                model.flush(height, *keep);
            }
            Step::Restart => {
                state = restart(state);
                model.crash();
            }
        }
        check_reads(&state, &model);
        check_index(&state, &model);
        check_proofs(&state, &model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_in_memory_equals_the_model(steps in prop::collection::vec(step(), 1..14)) {
        run(&steps, State::in_memory(), |state| {
            state.crash().unwrap();
            state
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_on_disk_equals_the_model(steps in prop::collection::vec(step(), 1..14)) {
        let folder = tempfile::tempdir().unwrap();
        run(&steps, State::open(folder.path()).unwrap(), |state| {
            drop(state);
            State::open(folder.path()).unwrap()
        });
    }
}

#[test]
fn wrong_commits_change_nothing() {
    let state = State::in_memory();
    let root = state.commit(1, &[(b"a", Some(b"1"))], &[]).unwrap();
    assert!(matches!(state.commit(1, &[], &[]), Err(StateError::Height(1))));
    assert!(matches!(state.commit(3, &[], &[]), Err(StateError::Height(3))));
    let twice: [(&[u8], Option<&[u8]>); 2] = [(b"a", Some(b"2")), (b"a", None)];
    assert!(matches!(state.commit(2, &twice, &[]), Err(StateError::WrittenTwice)));
    for key in [vec![], vec![0; KEY_BYTES + 1]] {
        assert!(matches!(state.commit(2, &[(&key, None)], &[]), Err(StateError::KeyLength(_))));
        assert!(matches!(state.commit(2, &[], &[(&key, b"")]), Err(StateError::KeyLength(_))));
    }
    assert_eq!((state.view().height(), state.view().root()), (1, root));
    assert!(matches!(state.flush(2, 0), Err(StateError::Height(2))));
    state.flush(1, 0).unwrap();
    assert!(matches!(state.flush(0, 0), Err(StateError::Height(0))));
}

#[test]
fn the_longest_key_fits_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let state = State::open(folder.path()).unwrap();
    let key = vec![0; KEY_BYTES];
    for (height, value) in [(1, b"1"), (2, b"2")] {
        state.commit(height, &[(&key, Some(value))], &[(&key, value)]).unwrap();
        state.flush(height, 0).unwrap();
    }
    assert_eq!(state.view().get_at(&key, 1).unwrap(), Some(b"1".to_vec()));
    assert_eq!(state.view().index_get(&key).unwrap(), Some(b"2".to_vec()));
    assert_eq!(state.view().get(b"").unwrap(), None);
}

#[test]
fn only_a_state_in_memory_crashes_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let state = State::open(folder.path()).unwrap();
    assert!(matches!(state.crash(), Err(StateError::NotInMemory)));
}

#[test]
fn a_damaged_store_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let state = State::open(folder.path()).unwrap();
    state.commit(1, &[(b"key", Some(b"value"))], &[]).unwrap();
    state.flush(1, 0).unwrap();
    drop(state);
    let store = Disk::open(folder.path()).unwrap();
    let row = store.get(Table::Values, b"key").unwrap().unwrap();
    drop(store);
    for damaged in [[&row[..], b"!"].concat(), vec![1, 2]] {
        let store = Disk::open(folder.path()).unwrap();
        store.write(vec![(Table::Values, b"key".to_vec(), Some(damaged))]).unwrap();
        drop(store);
        assert_eq!(State::open(folder.path()).err().unwrap().kind(), std::io::ErrorKind::InvalidData);
    }
}

/// Each batch is a file: the newest one counts, also after a restart and after files were merged.
#[test]
fn the_last_batch_counts() {
    let folder = tempfile::tempdir().unwrap();
    let key = |i: u8| vec![i % 3];
    for batch in 0..40_u8 {
        let store = Disk::open(folder.path()).unwrap();
        let value = (batch % 5 != 4).then(|| vec![batch]);
        let meta = (Table::Meta, key(batch), Some(vec![0]));
        store.write(vec![(Table::Values, key(batch), Some(vec![255])), meta]).unwrap();
        let earlier = (Table::Values, key(batch), Some(vec![254]));
        store.write(vec![earlier, (Table::Values, key(batch), value.clone())]).unwrap();
        assert_eq!(store.get(Table::Values, &key(batch)).unwrap(), value);
        assert_eq!(store.get(Table::History, &key(batch)).unwrap(), None);
        drop(store);
        let store = Disk::open(folder.path()).unwrap();
        assert_eq!(store.get(Table::Values, &key(batch)).unwrap(), value);
        let last = store.last(Table::Values, b"", &key(batch)).unwrap();
        assert_eq!(value.clone().map(|value| (key(batch), value)), last.filter(|_| value.is_some()));
        assert_eq!(store.last(Table::History, b"", b"zzz").unwrap(), None);
        let page = store.page(Table::Meta, b"", std::ops::Bound::Unbounded, 9).unwrap();
        assert_eq!(page.len(), usize::from(batch + 1).min(3));
    }
}

#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let _state = State::open(folder.path()).unwrap();
    assert!(State::open(folder.path()).is_err());
}

/// Readers and a flush run beside commits and see only whole heights.
#[test]
fn threads_see_whole_heights() {
    let state = State::in_memory();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while state.view().height() < 300 {
                    let view = state.view();
                    let (a, b) = (view.get(b"a").unwrap(), view.get(b"b").unwrap());
                    assert_eq!(a, b);
                    assert_eq!(
                        a.map_or(0, |value| u64::from_le_bytes(value.try_into().unwrap())),
                        view.height()
                    );
                }
            });
        }
        scope.spawn(|| {
            while state.view().flushed() < 300 {
                let height = state.view().height();
                state.flush(height, 1_000).unwrap();
            }
        });
        for height in 1..=300_u64 {
            let value = height.to_le_bytes();
            state.commit(height, &[(b"a", Some(&value)), (b"b", Some(&value))], &[]).unwrap();
        }
    });
    assert_eq!(state.view().changes(b"a", 1_000).unwrap().len(), 300);
    assert_eq!(state.view().get_at(b"b", 7).unwrap(), Some(7_u64.to_le_bytes().to_vec()));
}

#[test]
fn changed_proofs_fail() {
    let state = State::in_memory();
    let keys: Vec<[u8; 2]> = (0..200_u16).map(u16::to_le_bytes).collect();
    let writes: Vec<_> = keys.iter().map(|key| (&key[..], Some(&b"value"[..]))).collect();
    let root = state.commit(1, &writes, &[]).unwrap();
    for (key, value) in [(&keys[7][..], Some(&b"value"[..])), (b"absent", None), (b"missing", None)] {
        let proof = state.view().prove(key, 1).unwrap();
        assert!(verify(&root, key, value, &proof));
        for bit in 0..8 * proof.len() {
            let mut changed = proof.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(&root, key, value, &changed), "bit {bit}");
        }
        for length in 0..proof.len() {
            assert!(!verify(&root, key, value, &proof[..length]));
        }
        assert!(!verify(&root, key, value, &[&proof[..], &[0; 32]].concat()));
        assert!(!verify(&root, key, value, &[&proof[..], &[0]].concat()));
    }
}

/// A lone leaf is the root: as "another leaf" it must not show its own key's absence.
#[test]
fn a_key_is_not_absent_beside_itself() {
    let state = State::in_memory();
    let root = state.commit(1, &[(b"key", Some(b"value"))], &[]).unwrap();
    let proof = state.view().prove(b"other", 1).unwrap();
    assert!(verify(&root, b"other", None, &proof));
    assert!(!verify(&root, b"key", None, &proof));
    assert_eq!(state.view().prove(b"key", 1).unwrap(), [1]);
    assert_eq!(state.view().prove(b"key", 0).unwrap(), [0]);
}
