//! Times the core without Python: `cargo run --release -p grootboek-core --example speed`.

use grootboek_core::ed25519::{Item, Rule, SigningKey, Verifier, backend};
use grootboek_core::hash::digest;
use grootboek_core::log::{Log, leaf_hashes};
use grootboek_core::state::{Change, State, Trie};
use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

const KEYS: u64 = 1_000_000;
const UPDATES: u64 = 10_000;

fn main() {
    println!("backend {:?}", backend());
    signatures();
    log();
    trie();
    state();
}

/// The best of five runs, per unit.
fn time(name: &str, units: u64, mut run: impl FnMut()) {
    let seconds = (0..5).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    let best = seconds.fold(f64::INFINITY, f64::min);
    #[expect(clippy::cast_precision_loss, reason = "a rate that is printed")]
    let each = best / units as f64;
    println!("{name:<34} {:>8.3} us {:>12.0} /s", each * 1e6, 1.0 / each);
}

fn signatures() {
    let message = [7; 170];
    let signed: Vec<_> = (0..1_000_u64)
        .map(|i| {
            let key = SigningKey::new(&digest(&i.to_le_bytes()));
            (*key.public(), key.sign(&message))
        })
        .collect();
    let item = |(key, signature)| Item { key, prefix: &[], message: &message, signature };
    let items: Vec<Item> = signed.iter().map(|(key, signature)| item((key, signature))).collect();
    let verifier = Verifier::new([0; 32], 1 << 15);
    for (name, rule) in [("verify_many", Rule::Cofactored), ("verify_many, cofactorless", Rule::Both)] {
        time(name, 1_000, || assert!(verifier.verify_many(&items, rule).into_iter().all(|good| good)));
    }
    let key = SigningKey::new(&[1; 32]);
    time("sign", 1_000, || {
        for _ in 0..1_000 {
            black_box(key.sign(&message));
        }
    });
}

fn log() {
    let entry = [7; 300];
    let entries = vec![&entry[..]; 20_000];
    time("log append, 300-byte entries", 20_000, || {
        black_box(Log::new(&[], &[], 1 << 17).append(&leaf_hashes(&entries)));
    });
    let mut log = Log::new(&[], &[], 1 << 17);
    log.append(&leaf_hashes(&entries));
    time("log inclusion", 1_000, || {
        for index in 0..1_000 {
            black_box(log.inclusion(index * 17, 20_000, &HashMap::new()).expect("kept"));
        }
    });
}

fn trie() {
    let mut trie = Trie::default();
    let mut round = 0_u64;
    let mut changes = |numbers: &mut dyn Iterator<Item = u64>| {
        round += 1;
        let change =
            |i: u64| Change { key: digest(&i.to_le_bytes()), value: Some(digest(&round.to_le_bytes())) };
        let mut changes: Vec<Change> = numbers.map(change).collect();
        changes.sort_unstable_by_key(|change| change.key);
        changes
    };
    for first in (0..KEYS).step_by(10_000) {
        trie.apply(&changes(&mut (first..first + 10_000)));
    }
    let mut rounds: Vec<_> =
        (0..5).map(|i| changes(&mut (0..UPDATES).map(|j| (j * 97 + i) % KEYS))).collect();
    time("trie update, 1M keys", UPDATES, || drop(trie.apply(&rounds.pop().expect("one a run"))));
}

fn state() {
    let state = State::in_memory();
    let keys: Vec<[u8; 32]> = (0..KEYS).map(|i| digest(&i.to_le_bytes())).collect();
    let mut height = 0;
    let mut commit = |keys: &mut dyn Iterator<Item = &[u8; 32]>| {
        height += 1;
        let value = digest(&height.to_string().into_bytes());
        let writes: Vec<_> = keys.map(|key| (&key[..], Some(&value[..]))).collect();
        state.commit(height, &writes, &[]).expect("the next height");
        if height.is_multiple_of(20) {
            state.flush(height, 0).expect("in memory");
        }
    };
    for chunk in keys.chunks(10_000) {
        commit(&mut chunk.iter());
    }
    time("state commit, 1M keys", UPDATES, || commit(&mut keys.iter().step_by(97).take(10_000)));
}
