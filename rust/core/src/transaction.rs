//! Transactions as clients submit them: `Transaction`, `Header` and `Command` of `wire.py`.

use crate::hash::Hash;
use crate::msgpack::{Malformed, Reader};

/// How many bytes of the genesis digest a header repeats.
pub const CHAIN_BYTES: usize = 8;

const HEADER_TAG: u64 = 1;
const HEADER_ENTRY: u8 = 1;
const SIGNERS: usize = 16;
const NAME_CHARS: usize = 64;
const NONCE: u64 = 1 << 63;
const MILLIS: u64 = 1 << 53;
const VERSION: u64 = 1 << 16;

/// Why bytes are no transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// They do not decode.
    Malformed,
    /// They decode, but another encoding of the value is the accepted one.
    NonCanonical,
}

impl From<Malformed> for Unreadable {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

type Result<T> = std::result::Result<T, Unreadable>;

/// A transaction, borrowed from its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction<'a> {
    /// The encoded header: what is signed.
    pub header_bytes: &'a [u8],
    /// What it says.
    pub header: Header<'a>,
    /// One for each signer, if it is a good transaction.
    pub signatures: Vec<&'a [u8; 64]>,
    /// The commands, each with its bytes.
    pub commands: Vec<(Command<'a>, &'a [u8])>,
    /// Header and signatures as they stand in the transaction, encoded.
    signed_part: &'a [u8],
}

/// The signed part of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The first bytes of the genesis digest.
    pub chain: &'a [u8; CHAIN_BYTES],
    /// Public keys; the first one is the sender's.
    pub signers: Vec<&'a [u8; 32]>,
    /// Client's choice.
    pub nonce: u64,
    /// Milliseconds of agreed time.
    pub expiry: u64,
    /// All commands or none.
    pub atomic: bool,
    /// How many commands.
    pub count: u64,
    /// The root over them.
    pub root: &'a Hash,
}

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// The module's name.
    pub module: &'a str,
    /// The command's name.
    pub name: &'a str,
    /// The command's version.
    pub version: u64,
    /// The encoded Struct of the module.
    pub body: &'a [u8],
}

impl<'a> Transaction<'a> {
    /// Read a transaction from the contents of its frame.
    ///
    /// # Errors
    /// Malformed where any part is, else non-canonical where any part is.
    pub fn read(data: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new(data);
        reader.array_of(3)?;
        let start = reader.position();
        let header_bytes = reader.bytes()?;
        let signatures = read_all(&mut reader, Reader::bytes_of)?;
        let signed_part = &data[start..reader.position()];
        let commands = read_all(&mut reader, Reader::bytes)?;
        reader.end()?;

        let (header, header_canonical) = Header::read(header_bytes)?;
        let mut canonical = reader.canonical() && header_canonical;
        let mut read_command = |bytes| {
            let (command, command_canonical) = Command::read(bytes)?;
            canonical &= command_canonical;
            Ok((command, bytes))
        };
        let commands = commands.into_iter().map(&mut read_command).collect::<Result<_>>()?;
        if !canonical {
            return Err(Unreadable::NonCanonical);
        }
        Ok(Self { header_bytes, header, signatures, commands, signed_part })
    }

    /// The log entry that opens this transaction: its type byte, then the encoded `HeaderEntry`.
    #[must_use]
    pub fn header_entry(&self) -> Vec<u8> {
        const ARRAY_OF_TWO: u8 = 0x92;
        [&[HEADER_ENTRY, ARRAY_OF_TWO], self.signed_part].concat()
    }
}

impl<'a> Header<'a> {
    /// The header, and whether the encoding is canonical.
    fn read(data: &'a [u8]) -> Result<(Self, bool)> {
        let mut reader = Reader::new(data);
        reader.array_of(8)?;
        within(reader.natural()?, HEADER_TAG, HEADER_TAG + 1)?;
        let header = Self {
            chain: reader.bytes_of()?,
            signers: read_signers(&mut reader)?,
            nonce: within(reader.natural()?, 0, NONCE)?,
            expiry: within(reader.natural()?, 0, MILLIS)?,
            atomic: reader.boolean()?,
            count: positive(reader.natural()?)?,
            root: reader.bytes_of()?,
        };
        reader.end()?;
        Ok((header, reader.canonical()))
    }
}

impl<'a> Command<'a> {
    /// The command, and whether the encoding is canonical.
    fn read(data: &'a [u8]) -> Result<(Self, bool)> {
        let mut reader = Reader::new(data);
        reader.array_of(5)?;
        let command = Self {
            module: read_name(&mut reader)?,
            name: read_name(&mut reader)?,
            version: within(reader.natural()?, 1, VERSION)?,
            body: reader.bytes()?,
        };
        reader.bytes_of::<16>()?;
        reader.end()?;
        Ok((command, reader.canonical()))
    }
}

fn read_all<'a, T>(
    reader: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> std::result::Result<T, Malformed>,
) -> Result<Vec<T>> {
    let count = reader.array()?;
    Ok((0..count).map(|_| read(reader)).collect::<std::result::Result<_, _>>()?)
}

fn read_signers<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8; 32]>> {
    let signers = read_all(reader, Reader::bytes_of)?;
    if (1..=SIGNERS).contains(&signers.len()) { Ok(signers) } else { Err(Unreadable::Malformed) }
}

fn read_name<'a>(reader: &mut Reader<'a>) -> Result<&'a str> {
    let name = reader.text()?;
    let fits = !name.is_empty() && name.chars().nth(NAME_CHARS).is_none();
    if fits { Ok(name) } else { Err(Unreadable::Malformed) }
}

/// `value`, if `least` <= `value` < `end`.
fn within(value: u64, least: u64, end: u64) -> Result<u64> {
    if (least..end).contains(&value) { Ok(value) } else { Err(Unreadable::Malformed) }
}

fn positive(value: u64) -> Result<u64> {
    if value > 0 { Ok(value) } else { Err(Unreadable::Malformed) }
}
