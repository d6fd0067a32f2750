//! Slots by 32-bit number, each of the same number of values, in chunks so that growing never moves them.

/// Slots in a chunk.
const CHUNK: usize = 1024;

/// Slots, some of them free.
#[derive(Clone, Debug)]
pub struct Arena<T> {
    width: usize,
    chunks: Vec<Vec<T>>,
    free: Vec<u32>,
}

impl<T: Copy> Arena<T> {
    /// Slots of `width` values.
    pub const fn new(width: usize) -> Self {
        Self { width, chunks: Vec::new(), free: Vec::new() }
    }

    /// Values in the slots that are in use.
    pub fn len(&self) -> usize {
        (self.slots() - self.free.len()) * self.width
    }

    /// The number of a slot that now holds `values`.
    pub fn add(&mut self, values: &[T]) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.get_mut(slot).copy_from_slice(values);
            return slot;
        }
        let slot = u32::try_from(self.slots()).expect("fewer than 2^32 slots fit in memory");
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK * self.width => chunk.extend_from_slice(values),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK * self.width);
                chunk.extend_from_slice(values);
                self.chunks.push(chunk);
            }
        }
        slot
    }

    pub fn get(&self, slot: u32) -> &[T] {
        let start = slot as usize % CHUNK * self.width;
        &self.chunks[slot as usize / CHUNK][start..start + self.width]
    }

    pub fn get_mut(&mut self, slot: u32) -> &mut [T] {
        let start = slot as usize % CHUNK * self.width;
        &mut self.chunks[slot as usize / CHUNK][start..start + self.width]
    }

    /// Let the slot be used again.
    pub fn remove(&mut self, slot: u32) {
        self.free.push(slot);
    }

    fn slots(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len() / self.width)
    }
}
