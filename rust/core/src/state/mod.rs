//! The authenticated map, its history and an index, moving together by height.
//!
//! Commits go to memory: the tree and what is *pending*. [`State::flush`] moves what is pending to the
//! store, in one durable batch with the height, so a crash falls back to exactly that height. Reads
//! look at what is pending first. Locks: a flush holds no lock while it writes, a commit only while it
//! changes the tree, and nothing calls out of this module under a lock.

mod arena;
mod flush;
mod forest;
mod pending;
mod proof;
mod record;
mod trie;
mod view;

pub use proof::verify;
pub use trie::{Change, Trie};
pub use view::View;

use crate::filter::IdFilter;
use crate::hash::{Hash, digest};
use crate::store::{Disk, Memory, Store, Table, entries};
use pending::Pending;
use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock, RwLockWriteGuard};
use trie::{KEY, VALUE};

/// The longest key: with all of its zeros escaped it fits what a store accepts.
pub const KEY_BYTES: usize = 1 << 14;

/// Why the state cannot do what it was asked.
#[derive(Debug)]
pub enum StateError {
    /// The height does not follow, or is not there.
    Height(u64),
    /// One commit writes a key twice.
    WrittenTwice,
    /// A key is empty or longer than [`KEY_BYTES`].
    KeyLength(usize),
    /// The undo records for this height are no longer kept, or it is yet to come.
    NotKept(u64),
    /// Only a state in memory can be made to crash.
    NotInMemory,
    /// The writes give another root than was asked for.
    OtherRoot,
    /// The store failed.
    Store(io::Error),
}

impl std::fmt::Display for StateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Height(height) => write!(f, "height {height} does not fit"),
            Self::WrittenTwice => write!(f, "a key is written twice"),
            Self::KeyLength(length) => write!(f, "a key has {length} bytes, not 1 to {KEY_BYTES}"),
            Self::NotKept(height) => write!(f, "no proof can be made for height {height}"),
            Self::NotInMemory => write!(f, "the state is not in memory"),
            Self::OtherRoot => write!(f, "the writes lead to another root"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StateError {}

impl From<io::Error> for StateError {
    fn from(error: io::Error) -> Self {
        Self::Store(error)
    }
}

/// A key with the value to write; None deletes.
pub type Put<'a> = (&'a [u8], Option<&'a [u8]>);

/// The state of a ledger.
pub struct State {
    shared: RwLock<Shared>,
    store: Box<dyn Store>,
    in_memory: bool,
    /// Held for the length of a flush: one at a time.
    flushing: Mutex<()>,
}

/// What readers and writers share.
struct Shared {
    trie: Trie,
    /// The hashes of all keys that are or were in the tree. What is absent is mostly new, and this tells so
    /// with fewer looks at memory than the tree, let alone the store.
    seen: IdFilter,
    height: u64,
    flushed: u64,
    /// Proofs can be made for this height and those above.
    floor: u64,
    values: Pending,
    index: Pending,
    /// Each pending height.
    heights: BTreeMap<u64, Arc<Sealed>>,
}

/// What a height leaves behind.
struct Sealed {
    root: Hash,
    undo: Vec<Change>,
}

impl State {
    /// An empty state in memory.
    #[must_use]
    pub fn in_memory() -> Self {
        let shared = Shared::new(Trie::default(), IdFilter::default(), 0, 0);
        Self {
            shared: RwLock::new(shared),
            store: Box::new(Memory::default()),
            in_memory: true,
            flushing: Mutex::new(()),
        }
    }

    /// Open or make the store in the folder `path`, and rebuild the tree from it.
    ///
    /// # Errors
    /// Where the folder cannot be used or its contents are damaged.
    pub fn open(path: &Path) -> io::Result<Self> {
        let store = Disk::open(path)?;
        let shared = restore(&store)?;
        Ok(Self {
            shared: RwLock::new(shared),
            store: Box::new(store),
            in_memory: false,
            flushing: Mutex::new(()),
        })
    }

    /// A consistent view; waits while a commit changes the tree.
    pub fn view(&self) -> View<'_> {
        View::new(self.shared.read().expect("no commit panicked"), &*self.store)
    }

    /// A consistent view, unless that would mean waiting.
    pub fn try_view(&self) -> Option<View<'_>> {
        self.shared.try_read().ok().map(|shared| View::new(shared, &*self.store))
    }

    /// Apply what `height` writes, and its index entries: the new root.
    ///
    /// # Errors
    /// Where `height` is not the next one, a key is written twice, or a key's length is not accepted;
    /// nothing is changed then.
    pub fn commit(&self, height: u64, writes: &[Put], index: &[(&[u8], &[u8])]) -> Result<Hash, StateError> {
        let hashed = checked(writes, index)?;
        let mut shared = self.write();
        if height != shared.height + 1 {
            return Err(StateError::Height(height));
        }
        let undo = shared.trie.apply(&hashed.changes);
        shared.seal(height, writes, &hashed, index, undo);
        Ok(shared.trie.root())
    }

    /// Go to `height`, at whatever distance above, in one commit that must give `root`.
    ///
    /// What the heights in between wrote is not known then, so no proof reaches below `height` any more.
    ///
    /// # Errors
    /// As for a commit, and where the root comes out otherwise; nothing is changed then. Where the last
    /// height is not flushed, or undo records are kept: flush it, keeping none.
    pub fn leap(
        &self,
        height: u64,
        root: &Hash,
        writes: &[Put],
        index: &[(&[u8], &[u8])],
    ) -> Result<(), StateError> {
        let hashed = checked(writes, index)?;
        let mut shared = self.write();
        let bare = shared.heights.is_empty() && shared.floor == shared.height;
        if !bare || height <= shared.height {
            return Err(StateError::Height(height));
        }
        let undo = shared.trie.apply(&hashed.changes);
        if shared.trie.root() != *root {
            shared.trie.apply(&undo);
            return Err(StateError::OtherRoot);
        }
        shared.seal(height, writes, &hashed, index, undo);
        shared.floor = height;
        Ok(())
    }

    /// Put entries into the index at once, of whatever height: durable when this returns.
    ///
    /// # Errors
    /// Where a key's length is not accepted or the store fails.
    pub fn index_put(&self, rows: &[(&[u8], &[u8])]) -> Result<(), StateError> {
        rows.iter().map(|(key, _)| key.len()).try_for_each(check_key)?;
        let row = |(key, value): &(&[u8], &[u8])| (Table::Index, key.to_vec(), Some(value.to_vec()));
        Ok(self.store.write(rows.iter().map(row).collect())?)
    }

    /// In memory only: fall back to the last flush.
    ///
    /// # Errors
    /// Where the state has a folder.
    pub fn crash(&self) -> Result<(), StateError> {
        if !self.in_memory {
            return Err(StateError::NotInMemory);
        }
        let _no_flush_meanwhile = self.flushing.lock().expect("no flush panicked");
        let shared = &mut *self.write();
        for sealed in shared.heights.values().rev() {
            shared.trie.apply(&sealed.undo);
        }
        shared.height = shared.flushed;
        shared.floor = shared.floor.min(shared.flushed);
        shared.heights.clear();
        shared.values.clear();
        shared.index.clear();
        Ok(())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shared> {
        self.shared.write().expect("no commit panicked")
    }
}

impl Shared {
    fn new(trie: Trie, seen: IdFilter, height: u64, floor: u64) -> Self {
        Self {
            trie,
            seen,
            height,
            flushed: height,
            floor,
            values: Pending::default(),
            index: Pending::default(),
            heights: BTreeMap::new(),
        }
    }

    /// Record what `height` wrote, once the tree has it.
    fn seal(
        &mut self,
        height: u64,
        writes: &[Put],
        hashed: &Hashed,
        index: &[(&[u8], &[u8])],
        undo: Vec<Change>,
    ) {
        let effects = hashed.effects(&undo);
        for (_, key) in effects.iter().zip(&hashed.keys).filter(|(effect, _)| **effect == Effect::Made) {
            self.seen.add(key);
        }
        let rows = writes.iter().zip(&hashed.keys).zip(&effects);
        // To delete what is absent does nothing.
        let rows = rows.filter(|(((_, value), _), effect)| value.is_some() || **effect != Effect::None);
        let rows = rows.map(|(((key, value), hash), effect)| (*hash, *key, *value, *effect == Effect::Made));
        self.values.add(height, rows);
        self.index.add(height, index.iter().map(|(key, value)| (digest(key), *key, Some(*value), false)));
        self.height = height;
        self.heights.insert(height, Arc::new(Sealed { root: self.trie.root(), undo }));
    }
}

/// What a write did to its key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    /// There was nothing under the key.
    Made,
    /// Another value, or none any more.
    Changed,
}

/// What a commit writes, by the hashes of its keys.
struct Hashed {
    /// As the writes come.
    keys: Vec<Hash>,
    /// Sorted by key hash.
    changes: Vec<Change>,
    /// Of which write each change is.
    order: Vec<usize>,
}

impl Hashed {
    fn new(writes: &[Put]) -> Result<Self, StateError> {
        let keys: Vec<Hash> = writes.iter().map(|(key, _)| KEY.hash(key)).collect();
        let mut order: Vec<usize> = (0..writes.len()).collect();
        order.sort_unstable_by_key(|write| keys[*write]);
        let change = |write: &usize| Change {
            key: keys[*write],
            value: writes[*write].1.map(|value| VALUE.hash(value)),
        };
        let changes: Vec<Change> = order.iter().map(change).collect();
        let twice = changes.windows(2).any(|pair| pair[0].key == pair[1].key);
        if twice { Err(StateError::WrittenTwice) } else { Ok(Self { keys, changes, order }) }
    }

    /// What each write did, where `undo` takes all of them back.
    fn effects(&self, undo: &[Change]) -> Vec<Effect> {
        let mut effects = vec![Effect::None; self.keys.len()];
        let mut undo = undo.iter().peekable();
        for (change, write) in self.changes.iter().zip(&self.order) {
            if let Some(before) = undo.next_if(|before| before.key == change.key) {
                effects[*write] = if before.value.is_none() { Effect::Made } else { Effect::Changed };
            }
        }
        effects
    }
}

/// What a commit writes, once its keys are checked.
fn checked(writes: &[Put], index: &[(&[u8], &[u8])]) -> Result<Hashed, StateError> {
    let keys = writes.iter().map(|(key, _)| key).chain(index.iter().map(|(key, _)| key));
    keys.map(|key| key.len()).try_for_each(check_key)?;
    Hashed::new(writes)
}

fn check_key(length: usize) -> Result<(), StateError> {
    if (1..=KEY_BYTES).contains(&length) { Ok(()) } else { Err(StateError::KeyLength(length)) }
}

/// The state that a store holds.
fn restore(store: &dyn Store) -> io::Result<Shared> {
    const AT_ONCE: usize = 1 << 16;
    let Some(applied) = store.get(Table::Meta, record::APPLIED)? else {
        return Ok(Shared::new(Trie::default(), IdFilter::default(), 0, 0));
    };
    let (height, root) = record::read_applied_row(&applied)?;
    let (mut trie, mut seen) = (Trie::default(), IdFilter::default());
    let mut changes = Vec::new();
    for entry in entries(store, Table::Values, &[], Bound::Unbounded) {
        let (key, row) = entry?;
        let (_, value) = record::read_value_row(row)?;
        let key = KEY.hash(&key);
        seen.add(&key);
        changes.push(Change { key, value: Some(VALUE.hash(&value)) });
        if changes.len() == AT_ONCE {
            apply_unsorted(&mut trie, &mut changes);
        }
    }
    apply_unsorted(&mut trie, &mut changes);
    if trie.root() != root {
        return Err(record::damaged("values"));
    }
    let oldest = store.page(Table::Undo, &[], Bound::Unbounded, 1)?.pop();
    let floor = oldest.map(|(key, _)| record::read_height(&key, "undo")).transpose()?;
    Ok(Shared::new(trie, seen, height, floor.map_or(height, |oldest| oldest.saturating_sub(1))))
}

fn apply_unsorted(trie: &mut Trie, changes: &mut Vec<Change>) {
    changes.sort_unstable_by_key(|change| change.key);
    trie.apply(changes);
    changes.clear();
}
