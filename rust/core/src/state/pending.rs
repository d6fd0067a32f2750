//! What is committed and not yet in the store: the rows that each height wrote.
//!
//! A height's rows lie one behind the other, so that a row takes no allocation of its own, and a flush
//! shares them whole. The last row of a key is found by the key's hash; each row leads to the one of the
//! same key before it. An order of the keys is made only for whoever asks for it.

use crate::hash::Hash;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::iter;
use std::mem;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

/// Keys whose place in the table of keys is kept when they are forgotten.
const KEPT: usize = 1 << 14;

/// A height with the value that it wrote; None where it deleted.
pub type Version<'a> = (u64, Option<&'a [u8]>);

/// A row to write: the hash of its key, the key, its value (None deletes), and whether the store has
/// nothing under the key, as far as is known without asking it.
pub type NewRow<'a> = (Hash, &'a [u8], Option<&'a [u8]>, bool);

/// Which row of which height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    height: u64,
    row: usize,
}

/// What is pending of one table.
#[derive(Debug, Default)]
pub struct Pending {
    blocks: BTreeMap<u64, Arc<Rows>>,
    /// Of all their rows: who executes asks after each block.
    bytes: usize,
    latest: HashMap<Hash, Place>,
    order: Mutex<Order>,
}

/// Keys in order, each with its last row.
#[derive(Debug, Default)]
struct Order {
    keys: BTreeMap<Box<[u8]>, Place>,
    /// Up to which height.
    height: u64,
}

/// What one height wrote.
#[derive(Debug)]
pub struct Rows {
    height: u64,
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

/// A row, by where its bytes are: first the key, then the value.
#[derive(Debug)]
struct Span {
    start: usize,
    value: usize,
    end: usize,
    deletes: bool,
    fresh: bool,
    /// The row of the same key before it.
    older: Option<Place>,
}

/// A row as a flush has to write it.
#[derive(Debug)]
pub struct Written<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its value.
    pub version: Version<'a>,
    /// Whether it is the last of its key.
    pub last: bool,
    /// Whether the store may have a value that this is the first to overwrite.
    pub overwrites: bool,
}

impl Rows {
    fn key(&self, row: usize) -> &[u8] {
        let row = &self.spans[row];
        &self.bytes[row.start..row.value]
    }

    fn version(&self, row: usize) -> Version<'_> {
        let row = &self.spans[row];
        (self.height, (!row.deletes).then(|| &self.bytes[row.value..row.end]))
    }
}

impl Pending {
    /// Add what `height` wrote, which is above the last one added; of each key at most one row.
    pub fn add<'a>(&mut self, height: u64, new: impl Iterator<Item = NewRow<'a>>) {
        let mut rows =
            Rows { height, bytes: Vec::new(), spans: Vec::with_capacity(new.size_hint().1.unwrap_or(0)) };
        for (hash, key, value, fresh) in new {
            let place = Place { height, row: rows.spans.len() };
            let older = self.latest.insert(hash, place);
            let start = rows.bytes.len();
            rows.bytes.extend_from_slice(key);
            rows.bytes.extend_from_slice(value.unwrap_or_default());
            let (value, deletes) = (start + key.len(), value.is_none());
            rows.spans.push(Span { start, value, end: rows.bytes.len(), deletes, fresh, older });
        }
        rows.bytes.shrink_to_fit();
        self.bytes += rows.bytes.len();
        self.blocks.insert(height, Arc::new(rows));
    }

    /// The versions of the key with this hash, newest first.
    pub fn versions<'a>(&'a self, key: &Hash) -> impl Iterator<Item = Version<'a>> + use<'a> {
        iter::successors(self.found(self.latest.get(key).copied()), |(rows, row)| {
            self.found(rows.spans[*row].older)
        })
        .map(|(rows, row)| rows.version(row))
    }

    /// The last version of the key with this hash.
    pub fn last(&self, key: &Hash) -> Option<Version<'_>> {
        self.versions(key).next()
    }

    /// Keys from `from` on that start with `prefix`, in order, each with its last version.
    pub fn range(&self, prefix: &[u8], from: Bound<&[u8]>) -> impl Iterator<Item = (Vec<u8>, Version<'_>)> {
        let mut from = from.map(<[u8]>::to_vec);
        iter::from_fn(move || {
            let order = self.order();
            let bounds = (from.as_ref().map(Vec::as_slice), Bound::Unbounded);
            let (key, place) = order.keys.range::<[u8], _>(bounds).next()?;
            let found = (key.starts_with(prefix)).then(|| (key.to_vec(), self.version(*place)))?;
            from = Bound::Excluded(found.0.clone());
            Some(found)
        })
    }

    /// The greatest key that starts with `prefix` and is at most `last`, with its last version.
    pub fn greatest(&self, prefix: &[u8], last: &[u8]) -> Option<(Vec<u8>, Version<'_>)> {
        if last < prefix {
            return None;
        }
        let bounds = (Bound::Included(prefix), Bound::Included(last));
        let order = self.order();
        let (key, place) =
            order.keys.range::<[u8], _>(bounds).rev().find(|(key, _)| key.starts_with(prefix))?;
        Some((key.to_vec(), self.version(*place)))
    }

    /// Bytes of all keys and values.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the heights up to `height` wrote.
    pub fn up_to(&self, height: u64) -> Vec<Arc<Rows>> {
        self.blocks.range(..=height).map(|(_, rows)| rows.clone()).collect()
    }

    /// Forget the heights up to `height`.
    pub fn forget(&mut self, height: u64) {
        let order = self.order.get_mut().expect("no panic under this lock");
        order.keys.retain(|_, place| place.height > height);
        self.latest.retain(|_, place| place.height > height);
        self.latest.shrink_to(KEPT);
        let kept = self.blocks.split_off(&(height + 1));
        let dropped = mem::replace(&mut self.blocks, kept);
        self.bytes -= dropped.values().map(|rows| rows.bytes.len()).sum::<usize>();
    }

    /// Forget everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The row at `place`, unless it was forgotten.
    fn found(&self, place: Option<Place>) -> Option<(&Rows, usize)> {
        let Place { height, row } = place?;
        self.blocks.get(&height).map(|rows| (&**rows, row))
    }

    fn version(&self, place: Place) -> Version<'_> {
        self.blocks[&place.height].version(place.row)
    }

    /// The keys in order, brought up to date.
    fn order(&self) -> MutexGuard<'_, Order> {
        let mut order = self.order.lock().expect("no panic under this lock");
        for (&height, rows) in self.blocks.range(order.height + 1..) {
            for row in 0..rows.spans.len() {
                order.keys.insert(rows.key(row).into(), Place { height, row });
            }
            order.height = height;
        }
        order
    }
}

/// The rows of heights that follow one another, the first of them the first that is pending.
pub fn written(blocks: &[Arc<Rows>]) -> impl Iterator<Item = Written<'_>> {
    let first = blocks.first().map_or(0, |rows| rows.height);
    let rows = move || {
        blocks.iter().flat_map(|rows| rows.spans.iter().enumerate().map(move |(i, row)| (rows, i, row)))
    };
    let is_pending = move |place: &Place| place.height >= first;
    let overwritten: HashSet<Place> = rows().filter_map(|(_, _, row)| row.older).filter(is_pending).collect();
    rows().map(move |(rows, i, row)| Written {
        key: rows.key(i),
        version: rows.version(i),
        last: !overwritten.contains(&Place { height: rows.height, row: i }),
        overwrites: !row.fresh && !row.older.as_ref().is_some_and(is_pending),
    })
}
