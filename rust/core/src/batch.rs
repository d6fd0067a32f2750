//! Framed transactions in one buffer, parsed and judged in one pass.

use crate::command;
use crate::ed25519::{Item, Rule, Verifier};
use crate::frame::{BrokenFrame, bounds};
use crate::hash::{Hash, ZERO, digest, domain, domain_digest};
use crate::transaction::{CHAIN_BYTES, Transaction, Unreadable};

/// Bytes of a frame's length.
pub const PREFIX: usize = 4;

/// What a transaction is, by the last digit of its error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// It may be ordered.
    Admissible = 0,
    /// The bytes are no transaction.
    Malformed = 1,
    /// A size or count is above its limit.
    Oversized = 2,
    /// The bytes are not the one encoding of what they decode to.
    NonCanonical = 3,
    /// It names another chain.
    ForeignChain = 4,
    /// A signature, a key or their number is not acceptable.
    BadSignature = 5,
    /// The signed root or count is not that of the commands.
    BadCommandRoot = 8,
}

/// What transactions are judged by. Limits are inclusive.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The digest of the genesis file.
    pub chain: Hash,
    /// Signers of a transaction.
    pub signers: usize,
    /// Commands of a transaction.
    pub commands: usize,
    /// Bytes of an encoded command.
    pub command_bytes: usize,
    /// Bytes of a transaction, without its length prefix.
    pub transaction_bytes: usize,
    /// False for transactions that a quorum has certified.
    pub check_signatures: bool,
}

/// One transaction of a buffer with its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Where its frame starts in the buffer.
    pub start: usize,
    /// Where its frame ends.
    pub end: usize,
    /// What it is.
    pub verdict: Verdict,
    /// What it says, unless it is malformed, oversized or not canonical.
    pub summary: Option<Summary>,
}

/// What the pool needs to know of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The transaction's id.
    pub id: Hash,
    /// The first signer.
    pub sender: [u8; 32],
    /// Milliseconds of agreed time.
    pub expiry: u64,
}

/// The digest by which a batch is ordered.
#[must_use]
pub fn batch_digest(chain: &Hash, buffer: &[u8]) -> Hash {
    domain_digest("batch", chain, buffer)
}

/// Judge every transaction of `buffer`.
///
/// # Errors
/// Where a frame reaches beyond the buffer.
pub fn judge(buffer: &[u8], rules: &Rules, verifier: &Verifier) -> Result<Vec<Judged>, BrokenFrame> {
    let frames = bounds::<PREFIX>(buffer)?;
    let prefix = domain("transaction", &rules.chain);
    let mut signed = Signed::new(&prefix);
    let mut judged = Vec::with_capacity(frames.len());
    for (index, (start, end)) in frames.into_iter().enumerate() {
        let (verdict, summary) = match read(&buffer[start + PREFIX..end], rules) {
            Err(verdict) => (verdict, None),
            Ok(transaction) => {
                let summary = summarize(&transaction, &prefix);
                let verdict = judge_contents(&transaction, rules);
                if verdict == Verdict::Admissible && rules.check_signatures {
                    signed.add(index, &transaction);
                }
                (verdict, Some(summary))
            }
        };
        judged.push(Judged { start, end, verdict, summary });
    }
    for index in signed.refused(verifier) {
        judged[index].verdict = Verdict::BadSignature;
    }
    Ok(judged)
}

/// The frames of `picked` in one new buffer, with what is known of them.
pub fn gather<'a>(picked: impl IntoIterator<Item = (&'a [u8], &'a Judged)>) -> (Vec<u8>, Vec<Judged>) {
    let mut buffer = Vec::new();
    let mut gathered = Vec::new();
    for (source, judged) in picked {
        let start = buffer.len();
        buffer.extend_from_slice(&source[judged.start..judged.end]);
        gathered.push(Judged { start, end: buffer.len(), ..judged.clone() });
    }
    (buffer, gathered)
}

fn read<'a>(data: &'a [u8], rules: &Rules) -> Result<Transaction<'a>, Verdict> {
    if data.len() > rules.transaction_bytes {
        return Err(Verdict::Oversized);
    }
    let transaction = Transaction::read(data).map_err(|unreadable| match unreadable {
        Unreadable::Malformed => Verdict::Malformed,
        Unreadable::NonCanonical => Verdict::NonCanonical,
    })?;
    let oversized = transaction.header.signers.len() > rules.signers
        || transaction.commands.len() > rules.commands
        || transaction.commands.iter().any(|(_, bytes)| bytes.len() > rules.command_bytes);
    if oversized { Err(Verdict::Oversized) } else { Ok(transaction) }
}

fn summarize(transaction: &Transaction, prefix: &[u8]) -> Summary {
    let signed_bytes = [prefix, transaction.header_bytes].concat();
    let header = &transaction.header;
    Summary { id: digest(&signed_bytes), sender: *header.signers[0], expiry: header.expiry }
}

/// Everything but the signatures themselves, cheap things first.
fn judge_contents(transaction: &Transaction, rules: &Rules) -> Verdict {
    let header = &transaction.header;
    if header.chain[..] != rules.chain[..CHAIN_BYTES] {
        Verdict::ForeignChain
    } else if transaction.signatures.len() != header.signers.len() || has_twins(&header.signers) {
        Verdict::BadSignature
    } else if header.count != transaction.commands.len() as u64 || *header.root != root(transaction) {
        Verdict::BadCommandRoot
    } else {
        Verdict::Admissible
    }
}

fn has_twins(keys: &[&[u8; 32]]) -> bool {
    keys.iter().enumerate().any(|(i, key)| keys[..i].contains(key))
}

fn root(transaction: &Transaction) -> Hash {
    if transaction.commands.is_empty() {
        return ZERO;
    }
    command::root(transaction.commands.iter().map(|(_, bytes)| *bytes))
}

/// The signatures of a batch, each with the index of its transaction.
struct Signed<'a> {
    prefix: &'a [u8],
    items: Vec<Item<'a>>,
    owners: Vec<usize>,
}

impl<'a> Signed<'a> {
    fn new(prefix: &'a [u8]) -> Self {
        Self { prefix, items: Vec::new(), owners: Vec::new() }
    }

    fn add(&mut self, owner: usize, transaction: &Transaction<'a>) {
        for (key, signature) in transaction.header.signers.iter().zip(&transaction.signatures) {
            self.items.push(Item { key, prefix: self.prefix, message: transaction.header_bytes, signature });
            self.owners.push(owner);
        }
    }

    /// The transactions of which a signature is bad.
    fn refused(&self, verifier: &Verifier) -> impl Iterator<Item = usize> {
        let verdicts = verifier.verify_many(&self.items, Rule::Cofactored);
        self.owners.iter().zip(verdicts).filter(|(_, good)| !good).map(|(owner, _)| *owner)
    }
}
