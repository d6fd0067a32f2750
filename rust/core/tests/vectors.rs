//! The JSON vectors of docs/spec/vectors, which the Python tests make and run too.

use grootboek_core::batch::{Rules, judge};
use grootboek_core::ed25519::{Item, Rule, Verifier};
use grootboek_core::log::{Bundles, Log, leaf_hashes};
use grootboek_core::merkle::{LogHash, range_paths, verify_consistency, verify_inclusion};
use grootboek_core::{Hash, command, state};
use proptest::prelude::*;
use serde_json::Value;
use std::path::Path;

fn load(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn size(value: &Value) -> usize {
    usize::try_from(number(value)).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn fixed<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn hashes(value: &Value) -> Vec<Hash> {
    list(value).iter().map(fixed).collect()
}

#[test]
fn signatures() {
    let verifier = Verifier::new([1; 32], 100);
    for case in list(&load("signatures.json")) {
        let (key, message, signature) =
            (fixed(&case["key"]), bytes(&case["message"]), fixed(&case["signature"]));
        let item = Item { key: &key, prefix: &[], message: &message, signature: &signature };
        assert_eq!(verifier.verify(&item, Rule::Cofactored), case["accepted"], "{}", case["name"]);
        assert_eq!(verifier.verify(&item, Rule::Both), case["cofactorless"], "{}", case["name"]);
    }
}

#[test]
fn log() {
    let data = load("log.json");
    let (none, leaves) = (Bundles::new(), hashes(&data["leaves"]));
    let entries: Vec<Vec<u8>> = list(&data["entries"]).iter().map(bytes).collect();
    assert_eq!(leaf_hashes(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>()), leaves);
    let mut log = Log::new(&[], &[], 0);
    log.append(&leaves);
    let root = |size: u64| log.root(size, &none).unwrap();
    for (size, expected) in (0..).zip(hashes(&data["roots"])) {
        assert_eq!(root(size), expected);
    }
    for case in list(&data["inclusion"]) {
        let (index, n, path) = (number(&case["index"]), number(&case["size"]), hashes(&case["path"]));
        assert_eq!(log.inclusion(index, n, &none).as_ref(), Ok(&path));
        assert!(verify_inclusion(&LogHash, &root(n), n, index, &leaves[size(&case["index"])], &path));
    }
    for case in list(&data["consistency"]) {
        let (first, second, proof) =
            (number(&case["first"]), number(&case["second"]), hashes(&case["proof"]));
        assert_eq!(log.consistency(first, second, &none).as_ref(), Ok(&proof));
        assert!(verify_consistency(&LogHash, first, &root(first), second, &root(second), &proof));
    }
    for case in list(&data["range"]) {
        let (start, end, n) = (number(&case["start"]), number(&case["end"]), number(&case["size"]));
        let nodes = hashes(&case["nodes"]);
        assert_eq!(log.range(start, end, n, &none).as_ref(), Ok(&nodes));
        let chosen = &leaves[size(&case["start"])..size(&case["end"])];
        assert_eq!(range_paths(&LogHash, n, start, chosen, &nodes).unwrap().0, root(n));
    }
}

#[test]
fn commands() {
    for case in list(&load("commands.json")) {
        let commands: Vec<Vec<u8>> = list(&case["commands"]).iter().map(bytes).collect();
        let (root, path) = (fixed(&case["root"]), hashes(&case["last_path"]));
        let (count, last) = (commands.len() as u64, commands.len() as u64 - 1);
        let all = || commands.iter().map(Vec::as_slice);
        assert_eq!(command::root(all()), root);
        assert_eq!(command::path(all(), last).as_ref(), Some(&path));
        assert!(command::verify(&root, count, last, commands.last().unwrap(), &path));
    }
}

#[test]
fn states() {
    let state = state::State::in_memory();
    for (height, case) in (1..).zip(list(&load("state.json"))) {
        let parse = |pair: &Value| (bytes(&pair[0]), pair[1].as_str().map(|_| bytes(&pair[1])));
        let writes: Vec<(Vec<u8>, Option<Vec<u8>>)> = list(&case["writes"]).iter().map(parse).collect();
        let puts: Vec<_> = writes.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        let root = fixed(&case["root"]);
        assert_eq!(state.commit(height, &puts, &[]).unwrap(), root);
        for proof in list(&case["proofs"]) {
            let (key, made) = (bytes(&proof["key"]), bytes(&proof["proof"]));
            let value = proof["value"].as_str().map(|_| bytes(&proof["value"]));
            assert_eq!(state.view().prove(&key, height).unwrap(), made);
            assert!(state::verify(&root, &key, value.as_deref(), &made));
        }
    }
}

#[test]
fn transactions() {
    let data = load("transactions.json");
    let limits = &data["limits"];
    let rules = Rules {
        chain: fixed(&data["chain"]),
        signers: size(&limits["signers"]),
        commands: size(&limits["commands"]),
        command_bytes: size(&limits["command_bytes"]),
        transaction_bytes: size(&limits["transaction_bytes"]),
        check_signatures: true,
    };
    let mut buffer = Vec::new();
    for case in list(&data["cases"]) {
        let transaction = bytes(&case["transaction"]);
        buffer.extend(u32::try_from(transaction.len()).unwrap().to_be_bytes());
        buffer.extend(transaction);
    }
    let judged = judge(&buffer, &rules, &Verifier::new([1; 32], 100)).unwrap();
    assert_eq!(judged.len(), list(&data["cases"]).len());
    for (case, judged) in list(&data["cases"]).iter().zip(judged) {
        assert_eq!(judged.verdict as u64, number(&case["verdict"]), "{}", case["name"]);
        let id = judged.summary.map_or(Vec::new(), |summary| summary.id.to_vec());
        assert_eq!(id, bytes(&case["id"]), "{}", case["name"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// No bytes make the core panic; frames cover the buffer.
    #[test]
    fn any_buffer_is_judged(mut buffer in prop::collection::vec(any::<u8>(), 0..300), small: bool) {
        if small {
            // Mostly small lengths, so that frames fit.
            for byte in &mut buffer {
                *byte &= if *byte < 200 { 7 } else { 0xff };
            }
        }
        let rules = Rules {
            chain: [0; 32],
            signers: 16,
            commands: 1_000,
            command_bytes: 49_152,
            transaction_bytes: 262_144,
            check_signatures: true,
        };
        if let Ok(judged) = judge(&buffer, &rules, &Verifier::new([1; 32], 4)) {
            let ends: Vec<usize> = judged.iter().map(|judged| judged.end).collect();
            let starts: Vec<usize> = judged.iter().map(|judged| judged.start).collect();
            prop_assert_eq!(starts.get(1..).unwrap_or(&[]), &ends[..ends.len().saturating_sub(1)]);
            prop_assert_eq!(ends.last().copied().unwrap_or(0), buffer.len());
        }
    }
}
