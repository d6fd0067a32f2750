//! Buffers of frames: each a big-endian length and that many bytes.

/// A length that reaches beyond the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenFrame {
    /// Where the frame starts.
    pub offset: usize,
}

impl std::fmt::Display for BrokenFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the frame at byte {} is longer than the buffer", self.offset)
    }
}

impl std::error::Error for BrokenFrame {}

/// Start and end of each frame, the length prefix of `WIDTH` bytes included.
///
/// # Errors
/// Where a frame reaches beyond the buffer.
pub fn bounds<const WIDTH: usize>(buffer: &[u8]) -> Result<Vec<(usize, usize)>, BrokenFrame> {
    let mut frames = Vec::new();
    let mut start = 0;
    while start < buffer.len() {
        let end = end::<WIDTH>(&buffer[start..]).ok_or(BrokenFrame { offset: start })?;
        frames.push((start, start + end));
        start += end;
    }
    Ok(frames)
}

/// The contents of each frame.
///
/// # Errors
/// Where a frame reaches beyond the buffer.
pub fn contents<const WIDTH: usize>(buffer: &[u8]) -> Result<Vec<&[u8]>, BrokenFrame> {
    let bounds = bounds::<WIDTH>(buffer)?;
    Ok(bounds.into_iter().map(|(start, end)| &buffer[start + WIDTH..end]).collect())
}

fn end<const WIDTH: usize>(rest: &[u8]) -> Option<usize> {
    let length = rest.first_chunk::<WIDTH>()?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let end = WIDTH.checked_add(length)?;
    (end <= rest.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_in_order() {
        assert_eq!(bounds::<2>(&[]), Ok(vec![]));
        assert_eq!(bounds::<2>(&[0, 0, 0, 1, 9]), Ok(vec![(0, 2), (2, 5)]));
        assert_eq!(contents::<2>(&[0, 0, 0, 1, 9]), Ok(vec![&[][..], &[9]]));
    }

    #[test]
    fn broken_frames_are_refused() {
        assert_eq!(bounds::<2>(&[0]), Err(BrokenFrame { offset: 0 }));
        assert_eq!(bounds::<2>(&[0, 0, 0, 2, 9]), Err(BrokenFrame { offset: 2 }));
        assert_eq!(bounds::<4>(&[255, 255, 255, 255, 9]), Err(BrokenFrame { offset: 0 }));
    }
}
