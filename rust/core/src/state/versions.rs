//! What is committed and not yet in the store: each key's values by height.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::iter;
use std::mem;
use std::ops::Bound;
use std::sync::Arc;

/// Bytes shared between what is pending and whoever writes it to the store.
pub type Bytes = Arc<[u8]>;

/// A height with the value that it wrote; None where it deleted.
pub type Version = (u64, Option<Bytes>);

/// What is pending, by key.
#[derive(Clone, Debug, Default)]
pub struct Pending(BTreeMap<Bytes, Versions>);

/// The pending versions of a key: most have one, so only the older ones are a list.
#[derive(Clone, Debug)]
pub struct Versions {
    older: Vec<Version>,
    last: Version,
    fresh: bool,
}

impl Versions {
    /// The last one.
    pub const fn last(&self) -> &Version {
        &self.last
    }

    /// Whether the store has nothing under the key, as far as is known without asking it.
    pub const fn fresh(&self) -> bool {
        self.fresh
    }

    /// All, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Version> {
        iter::once(&self.last).chain(self.older.iter().rev())
    }

    /// All but the last one, oldest first.
    pub fn older(&self) -> &[Version] {
        &self.older
    }

    /// The height of the oldest one.
    pub fn first_height(&self) -> u64 {
        self.older.first().unwrap_or(&self.last).0
    }

    fn push(&mut self, version: Version) {
        self.older.push(mem::replace(&mut self.last, version));
    }

    fn up_to(&self, height: u64) -> Option<Self> {
        let mut older = self.older.clone();
        older.push(self.last.clone());
        older.truncate(older.partition_point(|(written, _)| *written <= height));
        older.pop().map(|last| Self { older, last, fresh: self.fresh })
    }
}

impl Pending {
    /// Add what `height` wrote, which is at least the last height added; `fresh` where there was nothing
    /// under the key before.
    pub fn add(&mut self, key: &[u8], height: u64, value: Option<&[u8]>, fresh: bool) {
        let version = (height, value.map(Bytes::from));
        match self.0.entry(Bytes::from(key)) {
            Entry::Occupied(mut versions) => versions.get_mut().push(version),
            Entry::Vacant(slot) => {
                slot.insert(Versions { older: Vec::new(), last: version, fresh });
            }
        }
    }

    /// The versions of `key`.
    pub fn get(&self, key: &[u8]) -> Option<&Versions> {
        self.0.get(key)
    }

    /// The last version of `key` up to `height`.
    pub fn at(&self, key: &[u8], height: u64) -> Option<&Version> {
        self.get(key)?.newest_first().find(|(written, _)| *written <= height)
    }

    /// Keys from `from` on that start with `prefix`, in order, each with its last version.
    pub fn range<'a>(
        &'a self,
        prefix: &'a [u8],
        from: Bound<&[u8]>,
    ) -> impl Iterator<Item = (&'a Bytes, &'a Version)> {
        self.0
            .range::<[u8], _>((from, Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, versions)| (key, versions.last()))
    }

    /// The greatest key that starts with `prefix` and is at most `last`, with its last version.
    pub fn last(&self, prefix: &[u8], last: &[u8]) -> Option<(&Bytes, &Version)> {
        if last < prefix {
            return None;
        }
        let bounds = (Bound::Included(prefix), Bound::Included(last));
        let found = self.0.range::<[u8], _>(bounds).rev().find(|(key, _)| key.starts_with(prefix));
        found.map(|(key, versions)| (key, versions.last()))
    }

    /// The versions up to `height`, of each key that has one.
    pub fn up_to(&self, height: u64) -> Vec<(Bytes, Versions)> {
        self.0.iter().filter_map(|(key, versions)| Some((key.clone(), versions.up_to(height)?))).collect()
    }

    /// Forget the versions up to `height`.
    pub fn forget(&mut self, height: u64) {
        self.0.retain(|_, versions| {
            versions.fresh &= versions.first_height() > height;
            versions.older.retain(|(written, _)| *written > height);
            versions.last.0 > height
        });
    }

    /// Forget everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
