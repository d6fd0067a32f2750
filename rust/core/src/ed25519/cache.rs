//! Decompressed public keys, bounded, in two generations.

use curve25519_dalek::edwards::EdwardsPoint;
use std::collections::HashMap;
use std::mem;
use std::sync::Mutex;

/// Remembers between `capacity / 2` and `capacity` of the keys that were used last.
///
/// Decompression is about a third of a verification. When the young generation is full it becomes
/// the old one, and what was old and unused is forgotten: no list of uses to keep.
pub(super) struct KeyCache {
    generations: Mutex<Generations>,
    half: usize,
}

#[derive(Default)]
struct Generations {
    young: HashMap<[u8; 32], EdwardsPoint>,
    old: HashMap<[u8; 32], EdwardsPoint>,
}

impl KeyCache {
    pub fn new(capacity: usize) -> Self {
        Self { generations: Mutex::default(), half: (capacity / 2).max(1) }
    }

    /// The point of each key, computed by `point` where it is not remembered.
    pub fn points(
        &self,
        keys: &[&[u8; 32]],
        point: impl Fn(&[u8; 32]) -> Option<EdwardsPoint>,
    ) -> Vec<Option<EdwardsPoint>> {
        let mut points = self.recall(keys);
        let mut fresh = Vec::new();
        for (key, slot) in keys.iter().zip(&mut points).filter(|(_, slot)| slot.is_none()) {
            *slot = point(key);
            fresh.extend(slot.map(|point| (**key, point)));
        }
        self.remember(fresh);
        points
    }

    fn recall(&self, keys: &[&[u8; 32]]) -> Vec<Option<EdwardsPoint>> {
        let mut generations = self.generations.lock().expect("no panic under this lock");
        keys.iter().map(|key| generations.get(key, self.half)).collect()
    }

    fn remember(&self, fresh: Vec<([u8; 32], EdwardsPoint)>) {
        if fresh.is_empty() {
            return;
        }
        let mut generations = self.generations.lock().expect("no panic under this lock");
        for (key, point) in fresh {
            generations.insert(key, point, self.half);
        }
    }
}

impl Generations {
    fn get(&mut self, key: &[u8; 32], half: usize) -> Option<EdwardsPoint> {
        if let Some(point) = self.young.get(key) {
            return Some(*point);
        }
        let point = self.old.remove(key)?;
        self.insert(*key, point, half);
        Some(point)
    }

    fn insert(&mut self, key: [u8; 32], point: EdwardsPoint, half: usize) {
        if self.young.len() >= half {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, point);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
    use std::cell::Cell;

    #[test]
    fn recent_keys_are_computed_once_and_memory_is_bounded() {
        let cache = KeyCache::new(8);
        let computed = Cell::new(0);
        let look_up = |i: u8| {
            let points = cache.points(&[&[i; 32]], |_| {
                computed.set(computed.get() + 1);
                Some(ED25519_BASEPOINT_POINT)
            });
            assert_eq!(points, [Some(ED25519_BASEPOINT_POINT)]);
        };
        for i in 0..100 {
            look_up(i);
            look_up(0);
            let generations = cache.generations.lock().unwrap();
            assert!(generations.young.len() + generations.old.len() <= 8);
        }
        assert_eq!(computed.get(), 100);
    }

    #[test]
    fn refused_keys_are_not_kept() {
        let cache = KeyCache::new(8);
        assert_eq!(cache.points(&[&[7; 32]], |_| None), [None]);
        assert!(cache.generations.lock().unwrap().young.is_empty());
    }
}
