//! The tree over a transaction's commands: its root is what the header signs.

use crate::hash::{Hash, Role, ZERO};
use crate::merkle::{self, Levels, TreeHash};
use std::sync::LazyLock;

/// Keyed BLAKE3: one key for leaves, one for nodes.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandHash;

static LEAF: LazyLock<Role> = LazyLock::new(|| Role::new("command leaf"));
static NODE: LazyLock<Role> = LazyLock::new(|| Role::new("command node"));

impl TreeHash for CommandHash {
    fn leaf(&self, data: &[u8]) -> Hash {
        LEAF.hash(data)
    }

    fn node(&self, left: &Hash, right: &Hash) -> Hash {
        NODE.pair(left, right)
    }

    fn empty(&self) -> Hash {
        ZERO
    }
}

/// The root over the encoded `commands`.
pub fn root<'a>(commands: impl IntoIterator<Item = &'a [u8]>) -> Hash {
    let levels = levels(commands);
    let size = levels.len() as u64;
    merkle::root(&CommandHash, &levels, size).expect("every subtree is there")
}

/// The path of command `index` to the root, from the leaf upwards; None where there is no such one.
pub fn path<'a>(commands: impl IntoIterator<Item = &'a [u8]>, index: u64) -> Option<Vec<Hash>> {
    let levels = levels(commands);
    let size = levels.len() as u64;
    let path = || merkle::inclusion(&CommandHash, &levels, index, size).expect("every subtree is there");
    (index < size).then(path)
}

/// Whether `path` leads from the encoded `command` at `index` of `count` to `root`.
#[must_use]
pub fn verify(root: &Hash, count: u64, index: u64, command: &[u8], path: &[Hash]) -> bool {
    merkle::verify_inclusion(&CommandHash, root, count, index, &LEAF.hash(command), path)
}

fn levels<'a>(commands: impl IntoIterator<Item = &'a [u8]>) -> Levels {
    Levels::of(&CommandHash, commands.into_iter().map(|command| LEAF.hash(command)))
}
