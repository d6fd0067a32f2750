//! Which ids may have been seen: a Bloom filter whose bits for one id lie in one cache line.
//!
//! Ids are digests, so their own bits are the hash functions. (F. Putze, P. Sanders, J. Singler, "Cache-,
//! hash- and space-efficient Bloom filters", 2007.) A parcel that is full is followed by one four times
//! as large, so no capacity has to be known, and a look costs one cache line for each of a few parcels.

use crate::hash::Hash;

/// Eight words of 64 bits: a cache line.
type Line = [u64; 8];

/// Bits set for each id. With [`IDS_PER_LINE`] a parcel that is full says "perhaps" to one stranger in 150.
const BITS: u32 = 6;
/// About 12 bits for each id.
const IDS_PER_LINE: usize = 42;
/// Lines of the first parcel.
const FIRST_LINES: usize = 16;
/// How much larger each parcel is than the one before it.
const GROWTH: usize = 4;

/// Ids that were added, up to false positives: what was added is always found.
#[derive(Debug, Default)]
pub struct IdFilter {
    parcels: Vec<Parcel>,
}

#[derive(Debug)]
struct Parcel {
    lines: Vec<Line>,
    /// How many more ids it takes.
    room: usize,
}

impl IdFilter {
    /// Add an id. One that is found already takes no room, so that memory is for different ids alone.
    pub fn add(&mut self, id: &Hash) {
        if self.may_contain(id) {
            return;
        }
        if self.parcels.last().is_none_or(|parcel| parcel.room == 0) {
            let lines = self.parcels.last().map_or(FIRST_LINES, |parcel| GROWTH * parcel.lines.len());
            self.parcels.push(Parcel { lines: vec![[0; 8]; lines], room: lines * IDS_PER_LINE });
        }
        if let Some(parcel) = self.parcels.last_mut() {
            parcel.add(id);
        }
    }

    /// Whether the id may have been added; false is certain.
    #[must_use]
    pub fn may_contain(&self, id: &Hash) -> bool {
        self.parcels.iter().any(|parcel| parcel.may_contain(id))
    }
}

impl Parcel {
    fn add(&mut self, id: &Hash) {
        let (place, line) = (self.place(id), mask(id));
        for (word, bits) in self.lines[place].iter_mut().zip(line) {
            *word |= bits;
        }
        self.room -= 1;
    }

    fn may_contain(&self, id: &Hash) -> bool {
        self.lines[self.place(id)].iter().zip(mask(id)).all(|(word, bits)| word & bits == bits)
    }

    /// The line of an id: the first 32 bits of it, spread over all lines.
    fn place(&self, id: &Hash) -> usize {
        let spread = u64::from(u32::from_le_bytes(part(id, 0))) * self.lines.len() as u64;
        usize::try_from(spread >> 32).expect("below the number of lines")
    }
}

/// The bits of an id in its line, each chosen by 9 bits of the id.
fn mask(id: &Hash) -> Line {
    let mut choices = u64::from_le_bytes(part(id, 8));
    let mut line = [0; 8];
    for _ in 0..BITS {
        line[(choices & 7) as usize] |= 1 << (choices >> 3 & 63);
        choices >>= 9;
    }
    line
}

/// Some bytes of an id.
fn part<const N: usize>(id: &Hash, start: usize) -> [u8; N] {
    std::array::from_fn(|i| id[start + i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::digest;

    fn ids(count: u32, role: u8) -> impl Iterator<Item = Hash> {
        (0..count).map(move |number| digest(&[&number.to_le_bytes()[..], &[role]].concat()))
    }

    #[test]
    fn what_was_added_is_found() {
        let mut filter = IdFilter::default();
        assert!(!filter.may_contain(&[0; 32]));
        for id in ids(20_000, 0) {
            filter.add(&id);
            assert!(filter.may_contain(&id));
        }
        assert!(ids(20_000, 0).all(|id| filter.may_contain(&id)));
    }

    #[test]
    fn few_others_are() {
        let mut filter = IdFilter::default();
        ids(100_000, 0).for_each(|id| filter.add(&id));
        let strangers = ids(100_000, 1).filter(|id| filter.may_contain(id)).count();
        assert!(strangers < 3_000, "{strangers} of 100,000 strangers");
    }

    #[test]
    fn it_grows_with_what_it_holds() {
        let mut filter = IdFilter::default();
        ids(100_000, 0).for_each(|id| filter.add(&id));
        let bytes: usize = filter.parcels.iter().map(|parcel| 64 * parcel.lines.len()).sum();
        assert!(bytes < 100_000 * 6, "{bytes} bytes");
    }

    #[test]
    fn what_comes_again_and_again_takes_no_room() {
        let mut filter = IdFilter::default();
        for _ in 0..1_000 {
            ids(100, 0).for_each(|id| filter.add(&id));
        }
        assert_eq!(filter.parcels.len(), 1);
    }
}
