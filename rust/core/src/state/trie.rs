//! The state tree: a binary Merkle trie over key hashes, compressed where a subtree has one leaf.
//!
//! The hash of a subtree is 32 zero bytes if it is empty, the leaf's hash if it has one leaf, and
//! otherwise the hash of its halves, told apart by the next bit of the key hash. A leaf's hash covers
//! key hash and value hash. A node holds its children's hashes, so that its 64 bytes are the very
//! input of its own hash; hashes are filled in level by level, many at once.
//!
//! Memory: 64 bytes a leaf and 72 a node, of which there are about 1.44 a leaf: 168 bytes a key.

use super::arena::Arena;
use crate::hash::{Hash, Pair, Role, ZERO, join};
use std::ops::Range;
use std::sync::LazyLock;

pub(super) static KEY: LazyLock<Role> = LazyLock::new(|| Role::new("state key"));
pub(super) static VALUE: LazyLock<Role> = LazyLock::new(|| Role::new("state value"));
pub(super) static LEAF: LazyLock<Role> = LazyLock::new(|| Role::new("state leaf"));
pub(super) static NODE: LazyLock<Role> = LazyLock::new(|| Role::new("state node"));

/// A key hash and the hash of its value from now on; None where it is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key's hash.
    pub key: Hash,
    /// The value's hash.
    pub value: Option<Hash>,
}

/// The bit of `key` that tells the halves of a subtree at `depth` apart, the first bit of a byte first.
pub(super) fn side(key: &Hash, depth: usize) -> usize {
    usize::from(key[depth / 8] >> (7 - depth % 8) & 1)
}

/// The part of sorted `changes` that belongs to each half of a subtree at `depth`.
pub(super) fn halves(changes: &[Change], depth: usize) -> [&[Change]; 2] {
    let (left, right) = changes.split_at(changes.partition_point(|change| side(&change.key, depth) == 0));
    [left, right]
}

/// The key hash of a leaf.
pub(super) fn key_of(leaf: &Pair) -> &Hash {
    leaf.first_chunk().expect("64 bytes")
}

/// The value hash of a leaf.
pub(super) fn value_of(leaf: &Pair) -> &Hash {
    leaf.last_chunk().expect("64 bytes")
}

/// A subtree: empty, a leaf or a node, in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link(u32);

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Empty,
    Leaf(u32),
    Node(u32),
}

impl Link {
    pub const EMPTY: Self = Self(u32::MAX);
    const LEAF_BIT: u32 = 1 << 31;

    fn leaf(slot: u32) -> Self {
        assert!(slot < Self::LEAF_BIT - 1, "at most 2^31 keys");
        Self(slot | Self::LEAF_BIT)
    }

    fn node(slot: u32) -> Self {
        assert!(slot < Self::LEAF_BIT, "at most 2^31 nodes");
        Self(slot)
    }

    pub const fn target(self) -> Target {
        match self {
            Self::EMPTY => Target::Empty,
            Self(bits) if bits & Self::LEAF_BIT != 0 => Target::Leaf(bits & !Self::LEAF_BIT),
            Self(bits) => Target::Node(bits),
        }
    }
}

/// A node with two or more leaves below it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub hashes: Pair,
    pub children: [Link; 2],
}

impl Node {
    pub fn hash(&self, side: usize) -> Hash {
        *if side == 0 { key_of(&self.hashes) } else { value_of(&self.hashes) }
    }

    fn set_hash(&mut self, side: usize, hash: &Hash) {
        self.hashes[32 * side..32 * (side + 1)].copy_from_slice(hash);
    }
}

/// The tree, in memory.
#[derive(Clone, Debug)]
pub struct Trie {
    nodes: Arena<Node>,
    leaves: Arena<Pair>,
    root: Link,
    hash: Hash,
}

/// For about so many changes the nodes that an update reads fit the processor's cache.
const WARM: Range<usize> = 256..512;

/// A subtree after an update, and whether its hash has to be computed anew.
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
    /// Children that are leaves.
    leaves: Vec<Gap>,
    /// Children that are nodes, by the depth of their parent.
    nodes: Vec<Vec<Gap>>,
    /// What the changed leaves were, in order.
    undo: Vec<Change>,
}

impl Default for Trie {
    fn default() -> Self {
        Self { nodes: Arena::new(), leaves: Arena::new(), root: Link::EMPTY, hash: ZERO }
    }
}

impl Trie {
    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The root's hash.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.hash
    }

    pub(super) fn root_link(&self) -> Link {
        self.root
    }

    pub(super) fn node(&self, slot: u32) -> &Node {
        self.nodes.get(slot)
    }

    pub(super) fn leaf(&self, slot: u32) -> &Pair {
        self.leaves.get(slot)
    }

    /// Apply changes, sorted by key, each key once: the changes that take them back.
    pub fn apply(&mut self, changes: &[Change]) -> Vec<Change> {
        let mut work = Work::default();
        let root = self.update(self.root, 0, changes, &mut work);
        self.root = root.link;
        if root.dirty {
            self.fill(&work);
            self.hash = self.root_hash();
        }
        work.undo
    }

    /// Read the paths of `changes` below a node, level by level: unlike those of the update itself,
    /// the reads of one level do not wait for each other, and memory is what an update waits for.
    fn warm(&self, slot: u32, mut depth: usize, changes: &[Change]) {
        let mut paths: Vec<(u32, &Hash)> = changes.iter().map(|change| (slot, &change.key)).collect();
        while !paths.is_empty() {
            paths.retain_mut(|(slot, key)| {
                let child = self.nodes.get(*slot).children[side(key, depth)].target();
                if let Target::Node(child) = child {
                    *slot = child;
                }
                matches!(child, Target::Node(_))
            });
            depth += 1;
        }
    }

    fn update(&mut self, link: Link, depth: usize, changes: &[Change], work: &mut Work) -> Updated {
        match (link.target(), changes) {
            (_, []) => Updated { link, dirty: false },
            (Target::Empty, [change]) => self.insert(change, work),
            (Target::Empty, _) => self.branch(None, [Link::EMPTY; 2], depth, changes, work),
            (Target::Leaf(slot), [change]) if *key_of(self.leaves.get(slot)) == change.key => {
                self.replace(slot, change, work)
            }
            (Target::Leaf(slot), _) => {
                let mut children = [Link::EMPTY; 2];
                children[side(key_of(self.leaves.get(slot)), depth)] = link;
                self.branch(None, children, depth, changes, work)
            }
            (Target::Node(slot), _) => {
                self.branch(Some(slot), self.nodes.get(slot).children, depth, changes, work)
            }
        }
    }

    /// Where there was nothing.
    fn insert(&mut self, change: &Change, work: &mut Work) -> Updated {
        let Some(value) = change.value else {
            return Updated { link: Link::EMPTY, dirty: false };
        };
        work.undo.push(Change { key: change.key, value: None });
        let slot = self.leaves.add(join(&change.key, &value));
        Updated { link: Link::leaf(slot), dirty: true }
    }

    /// Where this key's leaf was.
    fn replace(&mut self, slot: u32, change: &Change, work: &mut Work) -> Updated {
        let old = *value_of(self.leaves.get(slot));
        if change.value == Some(old) {
            return Updated { link: Link::leaf(slot), dirty: false };
        }
        work.undo.push(Change { key: change.key, value: Some(old) });
        let Some(value) = change.value else {
            self.leaves.remove(slot);
            return Updated { link: Link::EMPTY, dirty: true };
        };
        *self.leaves.get_mut(slot) = join(&change.key, &value);
        Updated { link: Link::leaf(slot), dirty: true }
    }

    /// Update both halves of what is, or may become, a node (`slot` where it is one already).
    fn branch(
        &mut self,
        slot: Option<u32>,
        children: [Link; 2],
        depth: usize,
        changes: &[Change],
        work: &mut Work,
    ) -> Updated {
        if let (Some(slot), true) = (slot, WARM.contains(&changes.len())) {
            self.warm(slot, depth, changes);
        }
        let [left, right] = halves(changes, depth);
        let left = self.update(children[0], depth + 1, left, work);
        let right = self.update(children[1], depth + 1, right, work);
        let fresh = slot.is_none();
        if let (Some(slot), false, false) = (slot, left.dirty, right.dirty) {
            return Updated { link: Link::node(slot), dirty: false };
        }
        if let Some(link) = lone(left.link, right.link) {
            if let Some(slot) = slot {
                self.nodes.remove(slot);
            }
            return Updated { link, dirty: true };
        }
        let children = [left.link, right.link];
        let slot = slot.unwrap_or_else(|| self.nodes.add(Node { hashes: [0; 64], children }));
        self.nodes.get_mut(slot).children = children;
        for (side, child) in [left, right].iter().enumerate().filter(|(_, child)| fresh || child.dirty) {
            self.note(work, depth, Gap { node: slot, side }, child.link);
        }
        Updated { link: Link::node(slot), dirty: true }
    }

    fn note(&mut self, work: &mut Work, depth: usize, gap: Gap, child: Link) {
        match child.target() {
            Target::Empty => self.nodes.get_mut(gap.node).set_hash(gap.side, &ZERO),
            Target::Leaf(_) => work.leaves.push(gap),
            Target::Node(_) => {
                if work.nodes.len() <= depth {
                    work.nodes.resize_with(depth + 1, Vec::new);
                }
                work.nodes[depth].push(gap);
            }
        }
    }

    /// Compute what is missing: all leaves, then the nodes from the deepest level upwards.
    fn fill(&mut self, work: &Work) {
        self.fill_level(&LEAF, &work.leaves);
        work.nodes.iter().rev().for_each(|gaps| self.fill_level(&NODE, gaps));
    }

    fn fill_level(&mut self, role: &Role, gaps: &[Gap]) {
        let blocks: Vec<&Pair> = gaps.iter().filter_map(|gap| self.block(self.child(*gap))).collect();
        let hashes = role.many(&blocks);
        for (gap, hash) in gaps.iter().zip(&hashes) {
            self.nodes.get_mut(gap.node).set_hash(gap.side, hash);
        }
    }

    fn child(&self, gap: Gap) -> Link {
        self.nodes.get(gap.node).children[gap.side]
    }

    /// The 64 bytes that a leaf or node hashes to its own hash.
    fn block(&self, link: Link) -> Option<&Pair> {
        match link.target() {
            Target::Empty => None,
            Target::Leaf(slot) => Some(self.leaves.get(slot)),
            Target::Node(slot) => Some(&self.nodes.get(slot).hashes),
        }
    }

    fn root_hash(&self) -> Hash {
        match self.root.target() {
            Target::Empty => ZERO,
            Target::Leaf(slot) => LEAF.hash(self.leaves.get(slot)),
            Target::Node(slot) => NODE.hash(&self.nodes.get(slot).hashes),
        }
    }
}

/// What is left of a node with fewer than two leaves.
fn lone(left: Link, right: Link) -> Option<Link> {
    match (left.target(), right.target()) {
        (Target::Empty, Target::Empty | Target::Leaf(_)) => Some(right),
        (Target::Leaf(_), Target::Empty) => Some(left),
        _ => None,
    }
}
