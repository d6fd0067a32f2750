//! The log's Merkle tree: hashes only, and not all of them.
//!
//! Leaves are grouped in bundles of 256. In memory are all complete subtrees from bundles upwards
//! (64 bytes for 256 leaves) and, for recent bundles, those below (64 bytes a leaf). For older leaves
//! the caller brings the leaf hashes of the bundles that [`Log::missing`] names.

use crate::hash::Hash;
use crate::merkle::{self, Levels, LogHash, Nodes, TreeHash};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, VecDeque};

/// Leaves of a bundle.
pub const BUNDLE: u64 = 1 << BUNDLE_LEVEL;
const BUNDLE_LEVEL: u32 = 8;

/// Why the log cannot answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogError {
    /// A size, index or width is outside the log, or does not fit the others.
    OutOfRange,
    /// The leaf hashes of this bundle are needed and not at hand.
    Missing(u64),
    /// The leaf hashes given for this bundle are not those of the log.
    WrongBundle(u64),
}

impl std::fmt::Display for LogError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OutOfRange => write!(f, "an argument is outside the log"),
            Self::Missing(bundle) => write!(f, "the leaf hashes of bundle {bundle} are needed"),
            Self::WrongBundle(bundle) => {
                write!(f, "the leaf hashes given for bundle {bundle} are not those of the log")
            }
        }
    }
}

impl std::error::Error for LogError {}

type Result<T> = std::result::Result<T, LogError>;

/// The tree of all leaves so far.
#[derive(Clone, Debug)]
pub struct Log {
    /// Complete subtrees whose leaves are bundles.
    upper: Levels,
    /// The trees of the last bundles; only the last one may be incomplete.
    recent: VecDeque<Levels>,
    /// The number of the first recent bundle.
    first_recent: u64,
    size: u64,
    keep: u64,
}

impl Log {
    /// The log with these full bundles and leaves after them; `recent` is how many of the last
    /// leaves to keep.
    #[must_use]
    pub fn new(bundles: &[Hash], tail: &[Hash], recent: u64) -> Self {
        let full = bundles.len() as u64;
        let upper = Levels::of(&LogHash, bundles.iter().copied());
        let recent_bundles = VecDeque::new();
        let mut log =
            Self { upper, recent: recent_bundles, first_recent: full, size: full * BUNDLE, keep: recent };
        log.append(tail);
        log
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Append leaf hashes: the hashes of the bundles that became full.
    pub fn append(&mut self, leaves: &[Hash]) -> Vec<Hash> {
        let full: Vec<Hash> = leaves.iter().filter_map(|leaf| self.push(*leaf)).collect();
        self.forget();
        full
    }

    fn push(&mut self, leaf: Hash) -> Option<Hash> {
        if self.size.is_multiple_of(BUNDLE) {
            self.recent.push_back(Levels::default());
        }
        self.size += 1;
        let bundle = self.recent.back_mut().expect("a bundle was opened");
        bundle.push(&LogHash, leaf);
        let hash = bundle.get(BUNDLE_LEVEL, 0)?;
        self.upper.push(&LogHash, hash);
        Some(hash)
    }

    fn forget(&mut self) {
        while ((self.first_recent + 1) * BUNDLE).saturating_add(self.keep) <= self.size {
            self.recent.pop_front();
            self.first_recent += 1;
        }
    }

    /// Forget all leaves from `size` on; `tail` are the leaf hashes of the bundle that is cut.
    ///
    /// # Errors
    /// Where `size` is above the log's, or `tail` has another length than it says.
    pub fn truncate(&mut self, size: u64, tail: &[Hash]) -> Result<()> {
        ensure(size <= self.size && tail.len() as u64 == size % BUNDLE)?;
        let full = size / BUNDLE;
        self.upper.truncate(index(full));
        self.recent.truncate(index(full.saturating_sub(self.first_recent)));
        self.first_recent = self.first_recent.min(full);
        self.size = full * BUNDLE;
        self.append(tail);
        Ok(())
    }

    /// Those of the bundles at `positions`, and of the one that ends the tree of `size` leaves, whose
    /// leaf hashes are needed for proofs and not kept.
    ///
    /// # Errors
    /// Where a position is outside `size`, or `size` outside the log.
    pub fn missing(&self, positions: &[u64], size: u64) -> Result<Vec<u64>> {
        ensure(size <= self.size && positions.iter().all(|position| *position < size))?;
        let mut missing: BTreeSet<u64> = positions.iter().map(|position| position / BUNDLE).collect();
        if !positions.is_empty() && !size.is_multiple_of(BUNDLE) {
            missing.insert(size / BUNDLE);
        }
        Ok(missing.into_iter().filter(|bundle| *bundle < self.first_recent).collect())
    }

    /// The root of the first `size` leaves.
    ///
    /// # Errors
    /// As for all proofs: arguments outside the log, bundles that are missing or wrong.
    pub fn root(&self, size: u64, bundles: &Bundles) -> Result<Hash> {
        ensure(size <= self.size)?;
        merkle::root(&LogHash, &self.view(bundles), size)
    }

    /// The inclusion path of leaf `index` in the tree of `size` leaves.
    ///
    /// # Errors
    /// See [`Log::root`].
    pub fn inclusion(&self, index: u64, size: u64, bundles: &Bundles) -> Result<Vec<Hash>> {
        ensure(index < size && size <= self.size)?;
        merkle::inclusion(&LogHash, &self.view(bundles), index, size)
    }

    /// The proof that the tree of `first` leaves is the beginning of the tree of `second`.
    ///
    /// # Errors
    /// See [`Log::root`].
    pub fn consistency(&self, first: u64, second: u64, bundles: &Bundles) -> Result<Vec<Hash>> {
        ensure(0 < first && first <= second && second <= self.size)?;
        merkle::consistency(&LogHash, &self.view(bundles), first, second)
    }

    /// The nodes beside leaves [`start`, `end`) in the tree of `size` leaves.
    ///
    /// # Errors
    /// See [`Log::root`].
    pub fn range(&self, start: u64, end: u64, size: u64, bundles: &Bundles) -> Result<Vec<Hash>> {
        ensure(start < end && end <= size && size <= self.size)?;
        merkle::range(&LogHash, &self.view(bundles), start, end, size)
    }

    /// The leaf hashes of [`start`, `end`).
    ///
    /// # Errors
    /// See [`Log::root`].
    pub fn leaves(&self, start: u64, end: u64, bundles: &Bundles) -> Result<Vec<Hash>> {
        ensure(start <= end && end <= self.size)?;
        let view = self.view(bundles);
        (start..end).map(|index| view.node(0, index)).collect()
    }

    /// `width` hashes from the start of tile `tile` at tile level `level` (C2SP tlog-tiles).
    ///
    /// # Errors
    /// See [`Log::root`].
    pub fn tile(&self, level: u32, tile: u64, width: u64, bundles: &Bundles) -> Result<Vec<Hash>> {
        let level =
            level.checked_mul(BUNDLE_LEVEL).filter(|level| *level < 64).ok_or(LogError::OutOfRange)?;
        let start = tile.checked_mul(BUNDLE).ok_or(LogError::OutOfRange)?;
        let end = start.checked_add(width).ok_or(LogError::OutOfRange)?;
        ensure((1..=BUNDLE).contains(&width) && end <= self.size >> level)?;
        let view = self.view(bundles);
        (start..end).map(|index| view.node(level, index)).collect()
    }

    fn view<'a>(&'a self, bundles: &'a Bundles) -> View<'a> {
        View { log: self, bundles, grown: RefCell::default() }
    }

    fn recent(&self, bundle: u64) -> Option<&Levels> {
        self.recent.get(index(bundle.checked_sub(self.first_recent)?))
    }
}

/// Leaf hashes of older bundles, by number.
pub type Bundles = HashMap<u64, Vec<Hash>>;

/// The log together with the bundles that the caller brought.
struct View<'a> {
    log: &'a Log,
    bundles: &'a Bundles,
    /// Their trees, grown when first needed.
    grown: RefCell<HashMap<u64, Levels>>,
}

impl Nodes for View<'_> {
    type Error = LogError;

    fn node(&self, level: u32, position: u64) -> Result<Hash> {
        if level >= BUNDLE_LEVEL {
            return self.log.upper.get(level - BUNDLE_LEVEL, position).ok_or(LogError::OutOfRange);
        }
        let bundle = position >> (BUNDLE_LEVEL - level);
        let inside = position - (bundle << (BUNDLE_LEVEL - level));
        if let Some(levels) = self.log.recent(bundle) {
            return levels.get(level, inside).ok_or(LogError::OutOfRange);
        }
        let mut grown = self.grown.borrow_mut();
        if let Some(levels) = grown.get(&bundle) {
            return levels.get(level, inside).ok_or(LogError::OutOfRange);
        }
        let levels = self.grow(bundle)?;
        let hash = levels.get(level, inside).ok_or(LogError::OutOfRange)?;
        grown.insert(bundle, levels);
        Ok(hash)
    }
}

impl View<'_> {
    fn grow(&self, bundle: u64) -> Result<Levels> {
        let leaves = self.bundles.get(&bundle).ok_or(LogError::Missing(bundle))?;
        let levels = Levels::of(&LogHash, leaves.iter().copied());
        let known = self.log.upper.get(0, bundle);
        let right = levels.len() as u64 == BUNDLE && levels.get(BUNDLE_LEVEL, 0) == known;
        if right { Ok(levels) } else { Err(LogError::WrongBundle(bundle)) }
    }
}

/// The leaf hash of each entry.
#[must_use]
pub fn leaf_hashes(entries: &[&[u8]]) -> Vec<Hash> {
    entries.iter().map(|entry| LogHash.leaf(entry)).collect()
}

fn ensure(fits: bool) -> Result<()> {
    if fits { Ok(()) } else { Err(LogError::OutOfRange) }
}

fn index(value: u64) -> usize {
    usize::try_from(value).expect("fewer than the log has leaves")
}
