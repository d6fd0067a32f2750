//! The log against plain trees over all leaves, with bundles forgotten and brought back.

#![allow(clippy::cast_possible_truncation, reason = "tests are small")]

use grootboek_core::Hash;
use grootboek_core::log::{BUNDLE, Bundles, Log, LogError};
use grootboek_core::merkle::{self, Levels, LogHash, Nodes, TreeHash};
use proptest::prelude::*;

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|i| LogHash.leaf(&i.to_le_bytes())).collect()
}

/// What the caller reads from disk.
fn bundles(all: &[Hash], numbers: &[u64]) -> Bundles {
    let bundle = |number: &u64| (*number, all[(number * BUNDLE) as usize..][..BUNDLE as usize].to_vec());
    numbers.iter().map(bundle).collect()
}

fn appended(all: &[Hash], step: usize, recent: u64) -> (Log, Vec<Hash>) {
    let mut log = Log::new(&[], &[], recent);
    let full = all.chunks(step).flat_map(|chunk| log.append(chunk)).collect();
    (log, full)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn proofs_need_only_the_bundles_that_missing_names(
        size in 1_u64..2000,
        step in 1_usize..700,
        recent in 0_u64..1500,
        a: prop::sample::Index,
        b: prop::sample::Index,
        cut: prop::sample::Index,
    ) {
        let all = leaves(size);
        let (log, _) = appended(&all, step, recent);
        let plain = Levels::of(&LogHash, all.iter().copied());
        let size = cut.index(size as usize) as u64 + 1;
        let (a, b) = (a.index(size as usize) as u64, b.index(size as usize) as u64);
        let (start, end) = (a.min(b), a.max(b) + 1);

        let given = bundles(&all, &log.missing(&[start, end - 1], size).unwrap());
        prop_assert_eq!(log.root(size, &given), Ok(merkle::root(&LogHash, &plain, size).unwrap()));
        prop_assert_eq!(
            log.inclusion(start, size, &given),
            Ok(merkle::inclusion(&LogHash, &plain, start, size).unwrap())
        );
        prop_assert_eq!(
            log.consistency(end, size, &given),
            Ok(merkle::consistency(&LogHash, &plain, end, size).unwrap())
        );
        prop_assert_eq!(
            log.range(start, end, size, &given),
            Ok(merkle::range(&LogHash, &plain, start, end, size).unwrap())
        );
        let inside: Vec<u64> = (start..end).collect();
        let given = bundles(&all, &log.missing(&inside, size).unwrap());
        prop_assert_eq!(log.leaves(start, end, &given), Ok(all[start as usize..end as usize].to_vec()));
    }

    #[test]
    fn recent_leaves_are_kept(size in 1_u64..3000, step in 1_usize..700, recent in 0_u64..1500) {
        let all = leaves(size);
        let (log, _) = appended(&all, step, recent);
        let start = size.saturating_sub(recent);
        prop_assert_eq!(
            log.leaves(start, size, &Bundles::new()),
            Ok(all[start as usize..].to_vec())
        );
    }

    #[test]
    fn restart_and_truncation_go_on_as_if_nothing_had_been(
        size in 1_u64..2000,
        cut: prop::sample::Index,
        recent in 0_u64..1500,
    ) {
        let all = leaves(size);
        let (mut log, full) = appended(&all, 333, recent);
        prop_assert_eq!(full.len() as u64, size / BUNDLE);
        let again = Log::new(&full, &all[full.len() * BUNDLE as usize..], recent);
        prop_assert_eq!(again.root(size, &Bundles::new()), log.root(size, &Bundles::new()));

        let cut = cut.index(size as usize + 1);
        let tail = &all[cut - cut % BUNDLE as usize..cut];
        log.truncate(cut as u64, tail).unwrap();
        prop_assert_eq!(log.size(), cut as u64);
        prop_assert_eq!(log.root(cut as u64, &Bundles::new()),
            Ok(merkle::root(&LogHash, &Levels::of(&LogHash, all[..cut].iter().copied()), cut as u64).unwrap()));
        log.append(&all[cut..]);
        prop_assert_eq!(log.root(size, &Bundles::new()), again.root(size, &Bundles::new()));
    }

    #[test]
    fn tiles_are_rows_of_the_tree(size in 1_u64..2000, tile: prop::sample::Index, width in 1_u64..=256) {
        let all = leaves(size);
        let (log, full) = appended(&all, 100, 0);
        let plain = Levels::of(&LogHash, all.iter().copied());
        let tile = tile.index((size / BUNDLE + 1) as usize) as u64;
        let fits = tile * BUNDLE + width <= size;
        let known: Vec<u64> = if fits { log.missing(&[tile * BUNDLE], size).unwrap() } else { vec![] };
        let expected = (tile * BUNDLE..tile * BUNDLE + width).map(|i| plain.node(0, i)).collect::<Result<Vec<_>, _>>();
        let found = log.tile(0, tile, width, &bundles(&all, &known));
        prop_assert_eq!(found, expected.map_err(|_| LogError::OutOfRange));
        let upper = log.tile(1, 0, width, &Bundles::new());
        let expected = full.get(..width as usize).map(<[Hash]>::to_vec).ok_or(LogError::OutOfRange);
        prop_assert_eq!(upper, expected);
    }
}

#[test]
fn edges_are_errors() {
    let all = leaves(600);
    let (log, _) = appended(&all, 600, 0);
    let none = Bundles::new();
    assert_eq!(log.root(0, &none), Ok(LogHash.empty()));
    assert_eq!(log.root(601, &none), Err(LogError::OutOfRange));
    assert_eq!(log.inclusion(0, 0, &none), Err(LogError::OutOfRange));
    assert_eq!(log.inclusion(600, 600, &none), Err(LogError::OutOfRange));
    assert_eq!(log.inclusion(0, 601, &none), Err(LogError::OutOfRange));
    assert_eq!(log.consistency(0, 600, &none), Err(LogError::OutOfRange));
    assert_eq!(log.consistency(5, 4, &none), Err(LogError::OutOfRange));
    assert_eq!(log.consistency(5, 601, &none), Err(LogError::OutOfRange));
    assert_eq!(log.range(3, 3, 600, &none), Err(LogError::OutOfRange));
    assert_eq!(log.range(3, 601, 601, &none), Err(LogError::OutOfRange));
    assert_eq!(log.leaves(3, 2, &none), Err(LogError::OutOfRange));
    assert_eq!(log.leaves(3, 3, &none), Ok(vec![]));
    assert_eq!(log.missing(&[600], 600), Err(LogError::OutOfRange));
    assert_eq!(log.missing(&[], 601), Err(LogError::OutOfRange));
    for (level, tile, width) in
        [(0, 0, 0), (0, 0, 257), (0, 3, 1), (1, 0, 3), (7, 0, 1), (8, 0, 1), (u32::MAX, 0, 1)]
    {
        assert_eq!(log.tile(level, tile, width, &none), Err(LogError::OutOfRange), "{level} {tile} {width}");
    }
    assert_eq!(log.tile(0, u64::MAX, 1, &none), Err(LogError::OutOfRange));
    assert_eq!(log.clone().truncate(601, &[]), Err(LogError::OutOfRange));
    assert_eq!(log.clone().truncate(5, &all[..4]), Err(LogError::OutOfRange));
}

#[test]
fn missing_and_wrong_bundles_are_told_apart() {
    let all = leaves(600);
    let (log, _) = appended(&all, 600, 0);
    assert_eq!(log.missing(&[3, 300, 599], 600), Ok(vec![0, 1]));
    assert_eq!(log.inclusion(3, 600, &Bundles::new()), Err(LogError::Missing(0)));
    let mut wrong = bundles(&all, &[0]);
    wrong.get_mut(&0).unwrap()[200][0] ^= 1;
    assert_eq!(log.inclusion(3, 600, &wrong), Err(LogError::WrongBundle(0)));
    wrong.get_mut(&0).unwrap().truncate(255);
    assert_eq!(log.inclusion(3, 600, &wrong), Err(LogError::WrongBundle(0)));
}
