//! A strict reader of msgpack as msgspec writes it: array-like Structs of integers, booleans,
//! binary and text.
//!
//! It follows msgspec's decoder through longer forms of integers and lengths, and remembers that it
//! met one: such bytes decode, but are not the one encoding of what they decode to.

/// The bytes are no such value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

type Result<T> = std::result::Result<T, Malformed>;

pub struct Reader<'a> {
    data: &'a [u8],
    position: usize,
    canonical: bool,
}

/// The tags of the forms of one family; None where msgpack has none.
struct Family {
    fixed: Option<(u8, u8)>,
    one: Option<u8>,
    two: u8,
    four: u8,
}

const ARRAY: Family = Family { fixed: Some((0x90, 15)), one: None, two: 0xdc, four: 0xdd };
const BINARY: Family = Family { fixed: None, one: Some(0xc4), two: 0xc5, four: 0xc6 };
const TEXT: Family = Family { fixed: Some((0xa0, 31)), one: Some(0xd9), two: 0xda, four: 0xdb };

impl<'a> Reader<'a> {
    pub const fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0, canonical: true }
    }

    /// How many bytes were read.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Whether everything read was in its shortest form.
    pub const fn canonical(&self) -> bool {
        self.canonical
    }

    /// Nothing may follow.
    pub fn end(&self) -> Result<()> {
        if self.position == self.data.len() { Ok(()) } else { Err(Malformed) }
    }

    /// The number of elements of an array, at most as many as bytes are left.
    pub fn array(&mut self) -> Result<usize> {
        let length = self.length(&ARRAY)?;
        if length > self.data.len() - self.position { Err(Malformed) } else { Ok(length) }
    }

    /// An array of exactly `length` elements.
    pub fn array_of(&mut self, length: usize) -> Result<()> {
        if self.array()? == length { Ok(()) } else { Err(Malformed) }
    }

    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.length(&BINARY)?;
        self.take(length)
    }

    pub fn bytes_of<const LENGTH: usize>(&mut self) -> Result<&'a [u8; LENGTH]> {
        self.bytes()?.try_into().map_err(|_| Malformed)
    }

    pub fn text(&mut self) -> Result<&'a str> {
        let length = self.length(&TEXT)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Malformed)
    }

    pub fn boolean(&mut self) -> Result<bool> {
        match self.byte()? {
            0xc2 => Ok(false),
            0xc3 => Ok(true),
            _ => Err(Malformed),
        }
    }

    /// A natural number; signed forms count as longer ones.
    pub fn natural(&mut self) -> Result<u64> {
        let tag = self.byte()?;
        let (value, least) = match tag {
            0..=0x7f => (u64::from(tag), 0),
            0xcc => (self.number::<1>()?, 0x80),
            0xcd => (self.number::<2>()?, 0x100),
            0xce => (self.number::<4>()?, 0x1_0000),
            0xcf => (self.number::<8>()?, 0x1_0000_0000),
            0xd0 => (non_negative(self.number::<1>()?, 7)?, u64::MAX),
            0xd1 => (non_negative(self.number::<2>()?, 15)?, u64::MAX),
            0xd2 => (non_negative(self.number::<4>()?, 31)?, u64::MAX),
            0xd3 => (non_negative(self.number::<8>()?, 63)?, u64::MAX),
            _ => return Err(Malformed),
        };
        self.canonical &= value >= least;
        Ok(value)
    }

    fn length(&mut self, family: &Family) -> Result<usize> {
        let tag = self.byte()?;
        let (value, least) = match (tag, family.fixed) {
            (tag, Some((base, most))) if (base..=base + most).contains(&tag) => (u64::from(tag - base), 0),
            (tag, fixed) if Some(tag) == family.one => (self.number::<1>()?, longest(fixed)),
            (tag, fixed) if tag == family.two => {
                let least = if family.one.is_some() { 0x100 } else { longest(fixed) };
                (self.number::<2>()?, least)
            }
            (tag, _) if tag == family.four => (self.number::<4>()?, 0x1_0000),
            _ => return Err(Malformed),
        };
        self.canonical &= value >= least;
        usize::try_from(value).map_err(|_| Malformed)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn number<const WIDTH: usize>(&mut self) -> Result<u64> {
        Ok(self.take(WIDTH)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let rest = &self.data[self.position..];
        let taken = rest.get(..length).ok_or(Malformed)?;
        self.position += length;
        Ok(taken)
    }
}

/// One more than what the fixed form can say.
fn longest(fixed: Option<(u8, u8)>) -> u64 {
    fixed.map_or(0, |(_, most)| u64::from(most) + 1)
}

fn non_negative(value: u64, sign: u32) -> Result<u64> {
    if value >> sign == 0 { Ok(value) } else { Err(Malformed) }
}
