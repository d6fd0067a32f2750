//! The state tree: a binary Merkle trie over key hashes, compressed where a subtree has one leaf.
//!
//! The hash of a subtree is 32 zero bytes if it is empty, the leaf's hash if it has one leaf, and
//! otherwise the hash of its halves, told apart by the next bit of the key hash. A leaf's hash covers
//! key hash and value hash.
//!
//! In memory a subtree of up to [`BUCKET`] leaves is a *bucket*: its leaves in order, and no hashes, which
//! are computed from the leaves whenever one of them changes. A larger subtree is a node, which holds its
//! children's hashes, so that its 64 bytes are the very input of its own hash.
//!
//! Memory: 64 bytes a leaf and 72 a node, of which there is one for 5.5 leaves: 77 bytes a key.

use super::arena::Arena;
use super::forest::Forest;
use crate::hash::{Hash, LANES, Pair, Role, ZERO, join};
use std::mem;
use std::sync::LazyLock;

pub(super) static KEY: LazyLock<Role> = LazyLock::new(|| Role::new("state key"));
pub(super) static VALUE: LazyLock<Role> = LazyLock::new(|| Role::new("state value"));
pub(super) static LEAF: LazyLock<Role> = LazyLock::new(|| Role::new("state leaf"));
pub(super) static NODE: LazyLock<Role> = LazyLock::new(|| Role::new("state node"));

/// Leaves that a subtree may have without a node of its own. More save memory and cost hashes.
const BUCKET: usize = 8;

/// Changes that are made together: what they read and write fits the processor's cache.
const PORTION: usize = 512;

/// A key hash and the hash of its value from now on; None where it is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key's hash.
    pub key: Hash,
    /// The value's hash.
    pub value: Option<Hash>,
}

/// What belongs to one key.
pub(super) trait Keyed {
    /// The key's hash.
    fn key(&self) -> &Hash;
}

impl Keyed for Change {
    fn key(&self) -> &Hash {
        &self.key
    }
}

/// Two hashes as they are hashed, in one cache line: a leaf's key and value, or a node's halves.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Line(pub Pair);

impl Line {
    fn half(&self, side: usize) -> &Hash {
        let halves: &[Hash; 2] = self.0.as_chunks().0.try_into().expect("64 bytes");
        &halves[side]
    }

    fn set_half(&mut self, side: usize, hash: &Hash) {
        self.0[32 * side..32 * (side + 1)].copy_from_slice(hash);
    }
}

impl Keyed for Line {
    fn key(&self) -> &Hash {
        self.half(0)
    }
}

/// The bit of `key` that tells the halves of a subtree at `depth` apart, the first bit of a byte first.
pub(super) fn side(key: &Hash, depth: usize) -> usize {
    usize::from(key[depth / 8] >> (7 - depth % 8) & 1)
}

/// The part of what is sorted by key that belongs to each half of a subtree at `depth`.
pub(super) fn halves<T: Keyed>(sorted: &[T], depth: usize) -> [&[T]; 2] {
    let (left, right) = sorted.split_at(sorted.partition_point(|one| side(one.key(), depth) == 0));
    [left, right]
}

/// A subtree, in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link(u32);

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Empty,
    /// So many leaves, and their slot.
    Bucket(usize, u32),
    Node(u32),
}

impl Link {
    const EMPTY: Self = Self(u32::MAX);
    const BUCKET_BIT: u32 = 1 << 31;
    const SLOT_BITS: u32 = 28;

    fn bucket(leaves: usize, slot: u32) -> Self {
        assert!(slot < (1 << Self::SLOT_BITS) - 1, "at most 2^28 buckets of a size");
        let size = u32::try_from(leaves - 1).expect("few leaves");
        Self(Self::BUCKET_BIT | size << Self::SLOT_BITS | slot)
    }

    fn node(slot: u32) -> Self {
        assert!(slot < Self::BUCKET_BIT, "at most 2^31 nodes");
        Self(slot)
    }

    const fn target(self) -> Target {
        match self {
            Self::EMPTY => Target::Empty,
            Self(bits) if bits & Self::BUCKET_BIT != 0 => {
                let size = (bits & !Self::BUCKET_BIT) >> Self::SLOT_BITS;
                Target::Bucket(size as usize + 1, bits & ((1 << Self::SLOT_BITS) - 1))
            }
            Self(bits) => Target::Node(bits),
        }
    }
}

/// A subtree, to read.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    /// All its leaves, in order.
    Leaves(&'a [Line]),
    /// Its halves, with their hashes.
    Node([(Link, &'a Hash); 2]),
}

/// The tree, in memory.
#[derive(Clone, Debug)]
pub struct Trie {
    /// Of each node the links to its halves, which finding a path reads, and apart from them the hashes.
    links: Arena<[Link; 2]>,
    hashes: Arena<Line>,
    /// By size: those of one leaf first.
    buckets: [Arena<Line>; BUCKET],
    root: Link,
    hash: Hash,
}

/// A subtree after an update, and whether its hash has to be computed anew.
#[derive(Clone, Copy)]
struct Updated {
    link: Link,
    dirty: bool,
}

/// A child whose hash is missing in its node.
#[derive(Clone, Copy)]
struct Gap {
    node: u32,
    side: usize,
}

/// What an update leaves to be done.
#[derive(Default)]
struct Work {
    /// Children that are buckets, with their depth.
    buckets: Vec<(Gap, usize)>,
    /// Children that are nodes, by the depth of their parent.
    nodes: Vec<Vec<Gap>>,
    /// What the changed leaves were, in order.
    undo: Vec<Change>,
    /// Whether a portion is being worked on.
    in_portion: bool,
    /// Where the leaves of a bucket meet their changes.
    merged: Vec<Line>,
}

impl Default for Trie {
    fn default() -> Self {
        let buckets = std::array::from_fn(|i| Arena::new(i + 1));
        Self { links: Arena::new(1), hashes: Arena::new(1), buckets, root: Link::EMPTY, hash: ZERO }
    }
}

impl Trie {
    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buckets.iter().map(Arena::len).sum()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root == Link::EMPTY
    }

    /// The root's hash.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.hash
    }

    pub(super) fn whole(&self) -> Part<'_> {
        self.part(self.root)
    }

    pub(super) fn part(&self, link: Link) -> Part<'_> {
        match link.target() {
            Target::Node(slot) => {
                let (links, hashes) = (self.links(slot), &self.hashes.get(slot)[0]);
                Part::Node([0, 1].map(|side| (links[side], hashes.half(side))))
            }
            _ => Part::Leaves(self.leaves(link)),
        }
    }

    fn links(&self, slot: u32) -> [Link; 2] {
        self.links.get(slot)[0]
    }

    fn set_hash(&mut self, gap: Gap, hash: &Hash) {
        self.hashes.get_mut(gap.node)[0].set_half(gap.side, hash);
    }

    /// The leaves of what is no node.
    fn leaves(&self, link: Link) -> &[Line] {
        match link.target() {
            Target::Bucket(leaves, slot) => self.buckets[leaves - 1].get(slot),
            _ => &[],
        }
    }

    /// Apply changes, sorted by key, each key once: the changes that take them back.
    pub fn apply(&mut self, changes: &[Change]) -> Vec<Change> {
        let mut work = Work::default();
        let root = self.update(self.root, 0, changes, &mut work);
        self.root = root.link;
        if root.dirty {
            self.fill(&mut work);
            self.hash = match self.root.target() {
                Target::Node(slot) => NODE.hash(&self.hashes.get(slot)[0].0),
                _ => hash_of(self.leaves(self.root), 0),
            };
        }
        work.undo
    }

    fn update(&mut self, link: Link, depth: usize, changes: &[Change], work: &mut Work) -> Updated {
        match link.target() {
            _ if changes.is_empty() => Updated { link, dirty: false },
            Target::Node(slot) if changes.len() <= PORTION && !work.in_portion => {
                self.portion(slot, depth, changes, work)
            }
            Target::Node(slot) => self.branch(slot, depth, changes, work),
            _ => self.rewrite(link, depth, changes, work),
        }
    }

    /// Update a subtree up to its hashes while the cache has it.
    fn portion(&mut self, slot: u32, depth: usize, changes: &[Change], work: &mut Work) -> Updated {
        self.warm(slot, depth, changes);
        work.in_portion = true;
        let updated = self.branch(slot, depth, changes, work);
        work.in_portion = false;
        self.fill(work);
        updated
    }

    /// Read the paths of `changes` below a node, level by level: unlike those of the update itself,
    /// the reads of one level do not wait for each other, and memory is what an update waits for.
    fn warm(&self, slot: u32, mut depth: usize, changes: &[Change]) {
        let mut paths: Vec<(u32, &Hash)> = changes.iter().map(|change| (slot, &change.key)).collect();
        while paths.len() > 1 {
            paths.retain_mut(|(slot, key)| {
                let child = self.links(*slot)[side(key, depth)];
                if let Target::Node(child) = child.target() {
                    *slot = child;
                    return true;
                }
                // Each leaf is a cache line.
                std::hint::black_box(self.leaves(child).iter().fold(0, |sum, leaf| sum ^ leaf.0[0]));
                false
            });
            depth += 1;
        }
    }

    /// Update both halves of a node.
    fn branch(&mut self, slot: u32, depth: usize, changes: &[Change], work: &mut Work) -> Updated {
        let (children, changes) = (self.links(slot), halves(changes, depth));
        let updated = [0, 1].map(|side| self.update(children[side], depth + 1, changes[side], work));
        if !updated.iter().any(|child| child.dirty) {
            return Updated { link: Link::node(slot), dirty: false };
        }
        let children = updated.map(|child| child.link);
        if let Some(link) = self.gather(children, work) {
            self.links.remove(slot);
            self.hashes.remove(slot);
            return Updated { link, dirty: true };
        }
        self.links.get_mut(slot)[0] = children;
        for side in [0, 1].into_iter().filter(|side| updated[*side].dirty) {
            self.note(work, depth, Gap { node: slot, side });
        }
        Updated { link: Link::node(slot), dirty: true }
    }

    /// The leaves of both halves of a node in one bucket, where they fit.
    fn gather(&mut self, halves: [Link; 2], work: &mut Work) -> Option<Link> {
        if halves.iter().any(|half| matches!(half.target(), Target::Node(_))) {
            return None;
        }
        let leaves = halves.map(|half| self.leaves(half));
        if leaves[0].len() + leaves[1].len() > BUCKET {
            return None;
        }
        work.merged.clear();
        work.merged.extend(leaves.iter().copied().flatten());
        for half in halves {
            self.release(half);
        }
        Some(self.bucket(&work.merged))
    }

    /// Update what is no node, and may become one.
    fn rewrite(&mut self, link: Link, depth: usize, changes: &[Change], work: &mut Work) -> Updated {
        let before = work.undo.len();
        let mut merged = mem::take(&mut work.merged);
        merged.clear();
        merge(self.leaves(link), changes, &mut merged, &mut work.undo);
        let dirty = work.undo.len() > before;
        let link = if dirty { self.replace(link, &merged, depth, work) } else { link };
        work.merged = merged;
        Updated { link, dirty }
    }

    /// A subtree of `leaves` in place of what was no node.
    fn replace(&mut self, link: Link, leaves: &[Line], depth: usize, work: &mut Work) -> Link {
        match link.target() {
            Target::Bucket(size, slot) if size == leaves.len() => {
                self.buckets[size - 1].get_mut(slot).copy_from_slice(leaves);
                link
            }
            _ => {
                self.release(link);
                self.build(leaves, depth, work)
            }
        }
    }

    /// A new subtree of `leaves`.
    fn build(&mut self, leaves: &[Line], depth: usize, work: &mut Work) -> Link {
        if leaves.len() <= BUCKET {
            return self.bucket(leaves);
        }
        let children = halves(leaves, depth).map(|half| self.build(half, depth + 1, work));
        let slot = self.links.add(&[children]);
        self.hashes.add(&[Line([0; 64])]);
        for side in [0, 1] {
            self.note(work, depth, Gap { node: slot, side });
        }
        Link::node(slot)
    }

    fn bucket(&mut self, leaves: &[Line]) -> Link {
        match leaves.len() {
            0 => Link::EMPTY,
            size => Link::bucket(size, self.buckets[size - 1].add(leaves)),
        }
    }

    /// Let the slot of what is no node be used again.
    fn release(&mut self, link: Link) {
        if let Target::Bucket(size, slot) = link.target() {
            self.buckets[size - 1].remove(slot);
        }
    }

    fn note(&mut self, work: &mut Work, depth: usize, gap: Gap) {
        match self.child(gap).target() {
            Target::Empty => self.set_hash(gap, &ZERO),
            Target::Bucket(..) => work.buckets.push((gap, depth + 1)),
            Target::Node(_) => {
                if work.nodes.len() <= depth {
                    work.nodes.resize_with(depth + 1, Vec::new);
                }
                work.nodes[depth].push(gap);
            }
        }
    }

    fn child(&self, gap: Gap) -> Link {
        self.links(gap.node)[gap.side]
    }

    /// Compute what is missing: all buckets, then the nodes from the deepest level upwards.
    fn fill(&mut self, work: &mut Work) {
        let mut forest = Forest::default();
        for (gap, depth) in &work.buckets {
            forest.add(self.leaves(self.child(*gap)), *depth);
        }
        let hashes = forest.hashes();
        for ((gap, _), hash) in work.buckets.drain(..).zip(&hashes) {
            self.set_hash(gap, hash);
        }
        for gaps in work.nodes.iter_mut().rev() {
            gaps.chunks(LANES).for_each(|gaps| self.fill_nodes(gaps));
            gaps.clear();
        }
    }

    fn fill_nodes(&mut self, gaps: &[Gap]) {
        let blocks = gaps.iter().filter_map(|gap| match self.child(*gap).target() {
            Target::Node(slot) => Some(&self.hashes.get(slot)[0].0),
            _ => None,
        });
        let hashes = NODE.lanes(blocks);
        for (gap, hash) in gaps.iter().zip(&hashes) {
            self.set_hash(*gap, hash);
        }
    }
}

/// The leaves after `changes`, and what takes these back.
fn merge(mut leaves: &[Line], changes: &[Change], merged: &mut Vec<Line>, undo: &mut Vec<Change>) {
    for change in changes {
        let place = leaves.partition_point(|leaf| *leaf.key() < change.key);
        let (before, rest) = leaves.split_at(place);
        merged.extend_from_slice(before);
        let (old, rest) = match rest.split_first() {
            Some((leaf, rest)) if *leaf.key() == change.key => (Some(*leaf.half(1)), rest),
            _ => (None, rest),
        };
        leaves = rest;
        merged.extend(change.value.map(|value| Line(join(&change.key, &value))));
        if change.value != old {
            undo.push(Change { key: change.key, value: old });
        }
    }
    merged.extend_from_slice(leaves);
}

/// The hash of the subtree of `leaves` at `depth`.
pub(super) fn hash_of(leaves: &[Line], depth: usize) -> Hash {
    match leaves {
        [] => ZERO,
        [leaf] => LEAF.hash(&leaf.0),
        _ => {
            let [left, right] = halves(leaves, depth).map(|half| hash_of(half, depth + 1));
            NODE.pair(&left, &right)
        }
    }
}
