//! Every decoder and verifier of grootboek-core, fed any bytes: none panics, and each keeps its promise.
//!
//! `cargo fuzz` runs them for hours, `cargo test` for seconds (rust/core/tests/hostile.rs).

use grootboek_core::batch::{Rules, Verdict, gather, judge};
use grootboek_core::ed25519::{Item, Rule, SigningKey, Verifier};
use grootboek_core::frame;
use grootboek_core::log::{Bundles, Log};
use grootboek_core::merkle::{LogHash, TreeHash, range_paths, verify_consistency, verify_inclusion};
use grootboek_core::state::{self, State};
use grootboek_core::transaction::Transaction;
use grootboek_core::{Hash, command};

/// A name, and what is done with the bytes.
type Target = (&'static str, fn(&[u8]));

/// The targets by name.
pub const ALL: &[Target] = &[
    ("frames", frames),
    ("transactions", transactions),
    ("signatures", signatures),
    ("inclusion", inclusion),
    ("consistency", consistency),
    ("ranges", ranges),
    ("commands", commands),
    ("states", states),
    ("logs", logs),
];

/// Run the target called `name`.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = ALL.iter().find(|(known, _)| *known == name).expect("a target of that name");
    target(data);
}

/// What a target takes from the bytes; zeros where they end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        let count = N.min(self.0.len());
        taken[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        taken
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }

    /// Small, around a power of two, or anything.
    fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..200 => u64::from(small),
            power @ 200..232 => {
                (1_u64 << (2 * (power - 200))).wrapping_add(u64::from(self.byte())).wrapping_sub(128)
            }
            _ => u64::from_le_bytes(self.take()),
        }
    }

    fn hashes(&mut self) -> Vec<Hash> {
        let (whole, _) = self.0.as_chunks::<32>();
        whole.to_vec()
    }

    /// `proof` with a node flipped, dropped or added, as the bytes say.
    fn changed(&mut self, proof: &[Hash]) -> Vec<Hash> {
        let mut proof = proof.to_vec();
        let (what, place, bit) = (self.byte() % 3, usize::from(self.byte()), usize::from(self.byte()));
        let place = place % (proof.len() + 1);
        match what {
            _ if place == proof.len() => proof.push(self.take()),
            0 => proof[place][bit / 8] ^= 1 << (bit % 8),
            1 => drop(proof.remove(place)),
            _ => proof.insert(place, self.take()),
        }
        proof
    }
}

/// Frames cover the buffer, and framing their contents again gives it.
fn frames(data: &[u8]) {
    reframe::<2>(data);
    reframe::<4>(data);
}

fn reframe<const WIDTH: usize>(data: &[u8]) {
    let Ok(contents) = frame::contents::<WIDTH>(data) else { return };
    let mut again = Vec::new();
    for content in contents {
        again.extend_from_slice(&content.len().to_be_bytes()[8 - WIDTH..]);
        again.extend_from_slice(content);
    }
    assert_eq!(again, data);
}

/// Every transaction has a verdict; signatures decide between two of them only.
fn transactions(data: &[u8]) {
    let chain = data.first_chunk().copied().unwrap_or_default();
    let rules = |check_signatures| Rules {
        chain,
        signers: 16,
        commands: 1_000,
        command_bytes: 49_152,
        transaction_bytes: 262_144,
        check_signatures,
    };
    let buffer = data.get(32..).unwrap_or_default();
    let verifier = Verifier::new([1; 32], 16);
    let Ok(judged) = judge(buffer, &rules(true), &verifier) else { return };
    let trusted = judge(buffer, &rules(false), &verifier).expect("the same frames");
    for (one, other) in judged.iter().zip(&trusted) {
        let content = &buffer[one.start + 4..one.end];
        assert!(one.verdict == other.verdict || one.verdict == Verdict::BadSignature);
        assert_eq!(one.summary, other.summary);
        if one.verdict == Verdict::Admissible {
            let entry = Transaction::read(content).expect("it is admissible").header_entry();
            assert!(content.windows(entry.len() - 2).any(|part| *part == entry[2..]));
        }
    }
    assert_eq!(gather(judged.iter().map(|one| (buffer, one))), (buffer.to_vec(), judged));
}

/// Alone and among others a signature has one verdict, the stricter rule accepts no more, and what a
/// bit was changed of does not verify.
fn signatures(data: &[u8]) {
    let mut input = Input(data);
    let verifier = Verifier::new([1; 32], 16);
    let signer = SigningKey::new(&input.take());
    let (bit, key, mut signature) = (usize::from(input.byte()), input.take::<32>(), input.take::<64>());
    let message = input.0;
    let good = signer.sign(message);
    let mut changed = good;
    changed[bit / 8] ^= 1 << (bit % 8);
    if bit % 2 == 1 {
        signature[..32].copy_from_slice(&good[..32]);
    }
    let item = |key, signature| Item { key, prefix: &[], message, signature };
    let items = [
        item(signer.public(), &good),
        item(signer.public(), &changed),
        item(signer.public(), &signature),
        item(&key, &signature),
        item(&key, &good),
    ];
    for rule in [Rule::Cofactored, Rule::Both] {
        let together = verifier.verify_many(&items, rule);
        for (one, verdict) in items.iter().zip(&together) {
            assert_eq!(verifier.verify(one, rule), *verdict);
            assert!(rule == Rule::Cofactored || !verdict || verifier.verify(one, Rule::Cofactored));
        }
        assert_eq!(together[..2], [true, false]);
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|i| LogHash.leaf(&i.to_be_bytes())).collect()
}

fn log_of(leaves: &[Hash]) -> Log {
    let mut log = Log::new(&[], &[], 1_000);
    log.append(leaves);
    log
}

/// Only the path itself leads to the root.
fn inclusion(data: &[u8]) {
    let mut input = Input(data);
    let size = u64::from(input.byte()) + 1;
    let index = input.number() % size;
    let (leaves, none) = (leaves(size), Bundles::new());
    let log = log_of(&leaves);
    let (root, path) = (log.root(size, &none).unwrap(), log.inclusion(index, size, &none).unwrap());
    let leaf = &leaves[usize::try_from(index).unwrap()];
    assert!(verify_inclusion(&LogHash, &root, size, index, leaf, &path));
    let changed = input.changed(&path);
    assert_eq!(verify_inclusion(&LogHash, &root, size, index, leaf, &changed), changed == path);
    let (size, index) = (input.number(), input.number());
    let _ = verify_inclusion(&LogHash, &root, size, index, leaf, &input.hashes());
}

/// Only the proof itself shows that one tree is the beginning of the other.
fn consistency(data: &[u8]) {
    let mut input = Input(data);
    let second = u64::from(input.byte()) + 1;
    let first = input.number() % second + 1;
    let none = Bundles::new();
    let log = log_of(&leaves(second));
    let (old, new) = (log.root(first, &none).unwrap(), log.root(second, &none).unwrap());
    let proof = log.consistency(first, second, &none).unwrap();
    assert!(verify_consistency(&LogHash, first, &old, second, &new, &proof));
    let changed = input.changed(&proof);
    assert_eq!(verify_consistency(&LogHash, first, &old, second, &new, &changed), changed == proof);
    let (first, second) = (input.number(), input.number());
    let _ = verify_consistency(&LogHash, first, &old, second, &new, &input.hashes());
}

/// A range proof leads to the root, and gives paths that verify; a changed one leads elsewhere.
fn ranges(data: &[u8]) {
    let mut input = Input(data);
    let size = u64::from(input.byte()) + 1;
    let start = input.number() % size;
    let end = start + 1 + input.number() % (size - start);
    let (all, none) = (leaves(size), Bundles::new());
    let log = log_of(&all);
    let root = log.root(size, &none).unwrap();
    let nodes = log.range(start, end, size, &none).unwrap();
    let chosen = &all[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()];
    let (led, paths) = range_paths(&LogHash, size, start, chosen, &nodes).unwrap();
    assert_eq!(led, root);
    for ((index, leaf), path) in (start..).zip(chosen).zip(&paths) {
        assert!(verify_inclusion(&LogHash, &root, size, index, leaf, path));
    }
    let changed = input.changed(&nodes);
    let led = range_paths(&LogHash, size, start, chosen, &changed);
    assert_eq!(led.is_some_and(|(led, _)| led == root), changed == nodes);
    let (size, start) = (input.number(), input.number());
    let _ = range_paths(&LogHash, size, start, chosen, &input.hashes());
}

/// A command's path verifies for it alone.
fn commands(data: &[u8]) {
    let Ok(commands) = frame::contents::<2>(data) else { return };
    let all = || commands.iter().copied();
    let root = command::root(all());
    let count = commands.len() as u64;
    assert_eq!(command::path(all(), count), None);
    let mut input = Input(data);
    for (index, one) in (0..).zip(&commands) {
        let path = command::path(all(), index).unwrap();
        assert!(command::verify(&root, count, index, one, &path));
        let changed = input.changed(&path);
        assert_eq!(command::verify(&root, count, index, one, &changed), changed == path);
        let _ = command::verify(&root, input.number(), input.number(), one, &path);
    }
}

/// A state proof shows what is there and nothing else, however it is changed.
fn states(data: &[u8]) {
    let mut input = Input(data);
    let state = State::in_memory();
    let keys: Vec<[u8; 1]> = (0..input.byte() % 24).map(|i| [i]).collect();
    let writes: Vec<_> = keys.iter().map(|key| (&key[..], Some(&b"value"[..]))).collect();
    let root = state.commit(1, &writes, &[]).unwrap();
    let key = [input.byte() % 32];
    let value = keys.contains(&key).then_some(&b"value"[..]);
    let proof = state.view().prove(&key, 1).unwrap();
    assert!(state::verify(&root, &key, value, &proof));
    let other = if value.is_some() { None } else { Some(&b"value"[..]) };
    let mut changed = proof.clone();
    let place = usize::from(input.byte()) % changed.len();
    match input.byte() % 3 {
        0 => changed[place] ^= 1 << (input.byte() % 8),
        1 => changed.truncate(place),
        _ => changed.extend_from_slice(input.0),
    }
    assert_eq!(state::verify(&root, &key, value, &changed), changed == proof);
    for lie in [&proof, &changed, &input.0.to_vec()] {
        assert!(!state::verify(&root, &key, other, lie));
        assert!(!state::verify(&root, &key, Some(b"another"), lie));
    }
}

/// A log answers any position with a proof or an error.
fn logs(data: &[u8]) {
    let mut input = Input(data);
    let mut log = log_of(&leaves(input.number() % 600));
    let none = Bundles::new();
    let (a, b, c) = (input.number(), input.number(), input.number());
    let _ = log.missing(&[a, b], c);
    let _ = (log.root(a, &none), log.inclusion(a, b, &none), log.consistency(a, b, &none));
    let (_, _) = (log.range(a, b, c, &none), log.leaves(a, b, &none));
    let level = u32::from(input.byte());
    let _ = log.tile(level, a, b, &none);
    let (size, tail) = (log.size(), input.hashes());
    assert!(log.truncate(a, &tail).is_err() || log.size() == a);
    assert!(log.size() <= size);
}
