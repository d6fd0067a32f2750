//! The fuzz targets, for a moment each: seeds and what a few changes make of them. `make fuzz` runs
//! them for longer, guided by coverage.

#[path = "../../fuzz/src/targets.rs"]
mod targets;

use serde_json::Value;
use std::path::Path;

const RUNS: u32 = 1_500;

/// Marsaglia's xorshift: the same inputs in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % end.max(1)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    /// Some bytes changed, cut out, doubled or added.
    fn mutate(&mut self, data: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let place = self.below(data.len() + 1);
            match self.below(5) {
                0 => data.truncate(place.max(1)),
                1 => data.insert(place, self.byte()),
                2 => data.extend_from_within(..place),
                3 if place < data.len() => drop(data.remove(place)),
                _ if place < data.len() => data[place] ^= 1 << self.below(8),
                _ => data.push(self.byte()),
            }
        }
        data.truncate(1 << 12);
    }
}

/// Inputs to start from: not only zeros reach far.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![], vec![1; 40], (0..=255).collect(), vec![7; 400]];
    if name == "commands" || name == "frames" {
        seeds.push([&[0, 3, 1, 2, 3][..], &[0, 0, 0, 1, 9, 0, 2, 7, 7]].concat());
        seeds.push([0, 1, 5].repeat(17));
    }
    seeds
}

/// The transactions of the published vectors, good and bad, behind their chain.
fn transactions() -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors/transactions.json");
    let data: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let chain = hex(&data["chain"]);
    let framed = |case: &Value| {
        let bytes = hex(&case["transaction"]);
        [&chain[..], &u32::try_from(bytes.len()).unwrap().to_be_bytes(), &bytes].concat()
    };
    data["cases"].as_array().unwrap().iter().map(framed).filter(|seed| seed.len() < 1 << 12).collect()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

#[test]
fn no_bytes_break_a_decoder_or_a_verifier() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (name, target) in targets::ALL {
        let mut seeds = seeds(name);
        if *name == "transactions" {
            seeds.extend(transactions());
        }
        for seed in &seeds {
            target(seed);
        }
        for _ in 0..RUNS {
            let mut data = seeds[random.below(seeds.len())].clone();
            random.mutate(&mut data);
            target(&data);
        }
    }
}

/// The programs of rust/fuzz are the targets.
#[test]
fn every_target_has_its_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/Cargo.toml");
    let manifest = std::fs::read_to_string(path).unwrap();
    for (name, _) in targets::ALL {
        assert!(manifest.contains(&format!("[[bin]]\nname = \"{name}\"\n")), "{name}");
    }
    targets::run("frames", &[]);
}
