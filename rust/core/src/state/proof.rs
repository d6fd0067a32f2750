//! Proofs of presence and absence: made at any height that undo records reach, checked anywhere.
//!
//! Bytes: 0 (nothing where the path ends), 1 (the key's own leaf) or 2, another leaf's key hash and
//! value hash (that leaf is all there is below the path's end); then the siblings from there upwards,
//! 32 bytes each. Directions are the bits of the queried key's hash.

use super::trie::{Change, KEY, Keyed, LEAF, NODE, Part, Trie, VALUE, halves, hash_of, side};
use crate::hash::{Hash, Pair, ZERO, join};

const NOTHING: u8 = 0;
const OWN: u8 = 1;
const OTHER: u8 = 2;
const DEPTH: usize = 256;

/// The proof for the key with hash `key`. `undo`, sorted by key, takes the tree back to the height
/// that is asked for.
#[must_use]
pub fn prove(trie: &Trie, key: &Hash, undo: &[Change]) -> Vec<u8> {
    let mut walk = Walk { trie, key, end: Subtree::Empty, siblings: Vec::new() };
    walk.descend((trie.whole(), None), 0, undo);
    let mut proof = match walk.end {
        Subtree::Leaf(leaf) if leaf.first_chunk() == Some(key) => vec![OWN],
        Subtree::Leaf(leaf) => [&[OTHER], &leaf[..]].concat(),
        Subtree::Empty | Subtree::Node(_) => vec![NOTHING],
    };
    proof.extend_from_slice(walk.siblings.as_flattened());
    proof
}

/// Whether `key` has `value` (None: is absent) in the state with this root.
#[must_use]
pub fn verify(root: &Hash, key: &[u8], value: Option<&[u8]>, proof: &[u8]) -> bool {
    let key = KEY.hash(key);
    let parts = match (proof.split_first(), value) {
        (Some((&OWN, siblings)), Some(value)) => Some((LEAF.pair(&key, &VALUE.hash(value)), siblings, DEPTH)),
        (Some((&NOTHING, siblings)), None) => Some((ZERO, siblings, DEPTH)),
        (Some((&OTHER, rest)), None) => rest.split_first_chunk::<64>().and_then(|(leaf, siblings)| {
            let deepest = shared_bits(&key, leaf.first_chunk()?)?;
            Some((LEAF.hash(leaf), siblings, deepest))
        }),
        _ => None,
    };
    parts.is_some_and(|(end, siblings, depth)| climb(end, siblings, depth, &key) == Some(*root))
}

/// How many leading bits two keys share; None where they are equal.
fn shared_bits(key: &Hash, other: &Hash) -> Option<usize> {
    (0..DEPTH).find(|depth| side(key, *depth) != side(other, *depth))
}

/// The root above `end`, which may be at most `deepest` levels down.
fn climb(end: Hash, siblings: &[u8], deepest: usize, key: &Hash) -> Option<Hash> {
    let (siblings, []) = siblings.as_chunks::<32>() else { return None };
    if siblings.len() > deepest {
        return None;
    }
    let depths = (0..siblings.len()).rev();
    Some(siblings.iter().zip(depths).fold(end, |hash, (sibling, depth)| {
        if side(key, depth) == 0 { NODE.pair(&hash, sibling) } else { NODE.pair(sibling, &hash) }
    }))
}

/// A subtree as it was.
#[derive(Clone, Copy)]
enum Subtree {
    Empty,
    Leaf(Pair),
    Node(Hash),
}

impl Subtree {
    fn of(change: &Change) -> Self {
        change.value.map_or(Self::Empty, |value| Self::Leaf(join(&change.key, &value)))
    }

    fn hash(&self) -> Hash {
        match self {
            Self::Empty => ZERO,
            Self::Leaf(leaf) => LEAF.hash(leaf),
            Self::Node(hash) => *hash,
        }
    }

    fn join(halves: [Self; 2]) -> Self {
        match halves {
            [Self::Empty, lone @ (Self::Empty | Self::Leaf(_))] | [lone @ Self::Leaf(_), Self::Empty] => lone,
            [left, right] => Self::Node(NODE.pair(&left.hash(), &right.hash())),
        }
    }
}

/// A subtree as it is now, with its hash where a node holds it.
type Present<'a> = (Part<'a>, Option<Hash>);

struct Walk<'a> {
    trie: &'a Trie,
    key: &'a Hash,
    end: Subtree,
    siblings: Vec<Hash>,
}

impl<'a> Walk<'a> {
    /// Follow the key: what the subtree was; leaves the path's end and siblings behind.
    fn descend(&mut self, now: Present<'a>, depth: usize, undo: &[Change]) -> Subtree {
        if let Some(lone) = lone(now.0, undo) {
            self.end = lone;
            return lone;
        }
        let (near, children, undo) =
            (side(self.key, depth), children(self.trie, now.0, depth), halves(undo, depth));
        let far = 1 - near;
        let mut were = [Subtree::Empty; 2];
        were[near] = self.descend(children[near], depth + 1, undo[near]);
        were[far] = self.rewind(children[far], depth + 1, undo[far]);
        let was = Subtree::join(were);
        match was {
            Subtree::Node(_) => self.siblings.push(were[far].hash()),
            Subtree::Empty | Subtree::Leaf(_) => self.end = was,
        }
        was
    }

    /// What the subtree was.
    fn rewind(&self, now: Present, depth: usize, undo: &[Change]) -> Subtree {
        match (lone(now.0, undo), now, undo) {
            (Some(lone), ..) => lone,
            (None, (_, Some(hash)), []) => Subtree::Node(hash),
            (None, (Part::Leaves(leaves), None), []) => Subtree::Node(hash_of(leaves, depth)),
            (None, (part, _), _) => {
                let (children, undo) = (children(self.trie, part, depth), halves(undo, depth));
                Subtree::join([0, 1].map(|side| self.rewind(children[side], depth + 1, undo[side])))
            }
        }
    }
}

fn children<'a>(trie: &'a Trie, part: Part<'a>, depth: usize) -> [Present<'a>; 2] {
    match part {
        Part::Leaves(leaves) => halves(leaves, depth).map(|half| (Part::Leaves(half), None)),
        Part::Node(halves) => halves.map(|(link, hash)| (trie.part(link), Some(*hash))),
    }
}

/// What a subtree was that has and had at most one leaf, of one key.
fn lone(now: Part, undo: &[Change]) -> Option<Subtree> {
    match (now, undo) {
        (Part::Leaves([]), []) => Some(Subtree::Empty),
        (Part::Leaves([leaf]), []) => Some(Subtree::Leaf(leaf.0)),
        (Part::Leaves([]), [change]) => Some(Subtree::of(change)),
        (Part::Leaves([leaf]), [change]) if *leaf.key() == change.key => Some(Subtree::of(change)),
        _ => None,
    }
}
