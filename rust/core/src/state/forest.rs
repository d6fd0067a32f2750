//! The hashes of many small subtrees of the state tree at once: all leaves, then level by level upwards.

use super::trie::{LEAF, Line, NODE, halves};
use crate::hash::{Hash, LANES, ZERO, join};

/// Subtrees, given by their leaves. Each hash has a number; that of what is empty is 0.
#[derive(Default)]
pub struct Forest<'a> {
    roots: Vec<usize>,
    leaves: Vec<Numbered<&'a Line>>,
    /// By depth: the numbers of both halves.
    joins: Vec<Vec<Numbered<[usize; 2]>>>,
    last: usize,
}

/// What is hashed, and the number of its hash.
type Numbered<T> = (usize, T);

impl<'a> Forest<'a> {
    /// Add the subtree of `leaves` at `depth`.
    pub fn add(&mut self, leaves: &'a [Line], depth: usize) {
        let root = self.plan(leaves, depth);
        self.roots.push(root);
    }

    /// The hash of each subtree, in the order in which they were added.
    pub fn hashes(&self) -> Vec<Hash> {
        let mut hashes = vec![ZERO; self.last + 1];
        for leaves in self.leaves.chunks(LANES) {
            let digests = LEAF.lanes(leaves.iter().map(|(_, leaf)| &leaf.0));
            set(&mut hashes, leaves, &digests);
        }
        for joins in self.joins.iter().rev().flat_map(|level| level.chunks(LANES)) {
            let mut blocks = [[0; 64]; LANES];
            for (block, (_, [left, right])) in blocks.iter_mut().zip(joins) {
                *block = join(&hashes[*left], &hashes[*right]);
            }
            let digests = NODE.lanes(blocks[..joins.len()].iter());
            set(&mut hashes, joins, &digests);
        }
        self.roots.iter().map(|root| hashes[*root]).collect()
    }

    fn plan(&mut self, leaves: &'a [Line], depth: usize) -> usize {
        match leaves {
            [] => 0,
            [leaf] => {
                let number = self.number();
                self.leaves.push((number, leaf));
                number
            }
            _ => {
                let both = halves(leaves, depth).map(|half| self.plan(half, depth + 1));
                if self.joins.len() <= depth {
                    self.joins.resize_with(depth + 1, Vec::new);
                }
                let number = self.number();
                self.joins[depth].push((number, both));
                number
            }
        }
    }

    fn number(&mut self) -> usize {
        self.last += 1;
        self.last
    }
}

fn set<T>(hashes: &mut [Hash], inputs: &[Numbered<T>], digests: &[Hash]) {
    for ((number, _), digest) in inputs.iter().zip(digests) {
        hashes[*number] = *digest;
    }
}
