//! Client transactions that were admitted at a replica and are not yet in a batch.
//!
//! Fairness by three rules. Each sender has a queue of its own, and batches take one transaction of each
//! sender in turn. A sender may hold at most as much as is still free, so however many senders fill the
//! pool, a new one finds room: k greedy senders get 1/(k+1) of it each and leave as much over. (The rule
//! is the dynamic threshold of Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory
//! packet switches", 1998.) And a transaction leaves when its time is over.
//!
//! No clock, and no order that a hash map gives: the same calls give the same batches everywhere.

use crate::batch::{Judged, Summary, Verdict};
use crate::hash::Hash;
use std::collections::{BTreeMap, BTreeSet, HashMap};

type Key = [u8; 32];

/// Why a transaction is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no room for it.
    Full,
    /// Its sender holds as many transactions as there is room for others.
    Share,
    /// Its sender would hold more bytes than there is room for.
    ShareOfBytes,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "the pool is full",
            Self::Share => "the sender's share of the pool is full",
            Self::ShareOfBytes => "the sender's share of the pool's bytes is full",
        })
    }
}

/// A transaction that waits.
struct Waiting {
    /// Its bytes, with their length in front.
    frame: Box<[u8]>,
    summary: Summary,
    arrival: u64,
}

/// What one sender has waiting; senders with nothing are forgotten.
struct Sender {
    /// Ids by arrival.
    queue: BTreeMap<u64, Hash>,
    bytes: usize,
    /// Where it stands among the senders.
    turn: u64,
}

/// The waiting transactions, bounded in number and bytes.
pub struct Pool {
    transactions: usize,
    capacity: usize,
    bytes: usize,
    waiting: HashMap<Hash, Waiting>,
    senders: HashMap<Key, Sender>,
    /// Whose turn it is: the first one's.
    turns: BTreeMap<u64, Key>,
    expiries: BTreeSet<(u64, Hash)>,
    /// Numbers for arrivals and turns.
    next: u64,
}

impl Pool {
    /// An empty pool for so many transactions and bytes.
    #[must_use]
    pub fn new(transactions: usize, bytes: usize) -> Self {
        Self {
            transactions,
            capacity: bytes,
            bytes: 0,
            waiting: HashMap::new(),
            senders: HashMap::new(),
            turns: BTreeMap::new(),
            expiries: BTreeSet::new(),
            next: 0,
        }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes of all that wait, the lengths of their frames included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it waits here.
    #[must_use]
    pub fn contains(&self, id: &Hash) -> bool {
        self.waiting.contains_key(id)
    }

    /// Take a transaction; one that waits here already is taken as done.
    ///
    /// # Errors
    /// Where there is no room, in all or for this sender.
    pub fn add(&mut self, frame: &[u8], summary: Summary) -> Result<(), Refusal> {
        if self.contains(&summary.id) {
            return Ok(());
        }
        self.check(&summary.sender, frame.len())?;
        let arrival = self.number();
        if !self.senders.contains_key(&summary.sender) {
            let turn = self.number();
            self.turns.insert(turn, summary.sender);
            self.senders.insert(summary.sender, Sender { queue: BTreeMap::new(), bytes: 0, turn });
        }
        if let Some(sender) = self.senders.get_mut(&summary.sender) {
            sender.queue.insert(arrival, summary.id);
            sender.bytes += frame.len();
        }
        self.bytes += frame.len();
        self.expiries.insert((summary.expiry, summary.id));
        self.waiting.insert(summary.id, Waiting { frame: frame.into(), summary, arrival });
        Ok(())
    }

    /// Whether the sender may hold another one of so many bytes.
    fn check(&self, sender: &Key, size: usize) -> Result<(), Refusal> {
        let free = self.transactions.saturating_sub(self.len());
        let free_bytes = self.capacity.saturating_sub(self.bytes);
        let held = self.senders.get(sender);
        let (count, bytes) = held.map_or((0, 0), |sender| (sender.queue.len(), sender.bytes));
        if free == 0 || size > free_bytes {
            Err(Refusal::Full)
        } else if count >= free {
            Err(Refusal::Share)
        } else if count > 0 && bytes + size > free_bytes {
            Err(Refusal::ShareOfBytes)
        } else {
            Ok(())
        }
    }

    /// Remove the next batch, one transaction of each sender in turn: its buffer, and what is in it.
    ///
    /// The first one is taken even where it alone is above `max_bytes`, so that nothing waits for ever;
    /// the batch ends at the first that does not fit beside those before it.
    pub fn take(&mut self, max_transactions: usize, max_bytes: usize) -> (Vec<u8>, Vec<Judged>) {
        let (mut buffer, mut taken) = (Vec::new(), Vec::new());
        while taken.len() < max_transactions {
            let Some(id) = self
                .first()
                .filter(|id| taken.is_empty() || buffer.len() + self.waiting[id].frame.len() <= max_bytes)
            else {
                break;
            };
            let Some(waiting) = self.leave(&id) else { break };
            self.pass_turn(&waiting.summary.sender);
            let start = buffer.len();
            buffer.extend_from_slice(&waiting.frame);
            taken.push(Judged {
                start,
                end: buffer.len(),
                verdict: Verdict::Admissible,
                summary: Some(waiting.summary),
            });
        }
        (buffer, taken)
    }

    /// Drop one that is in the log, or refused for good.
    pub fn remove(&mut self, id: &Hash) {
        self.leave(id);
    }

    /// Drop all whose expiry is not after `time`: their ids.
    pub fn expire(&mut self, time: u64) -> Vec<Hash> {
        let gone: Vec<Hash> =
            self.expiries.iter().take_while(|(expiry, _)| *expiry <= time).map(|(_, id)| *id).collect();
        for id in &gone {
            self.leave(id);
        }
        gone
    }

    /// The oldest transaction of the sender whose turn it is.
    fn first(&self) -> Option<Hash> {
        let (_, key) = self.turns.first_key_value()?;
        self.senders[key].queue.first_key_value().map(|(_, id)| *id)
    }

    fn pass_turn(&mut self, key: &Key) {
        let turn = self.number();
        if let Some(sender) = self.senders.get_mut(key) {
            self.turns.remove(&sender.turn);
            self.turns.insert(turn, *key);
            sender.turn = turn;
        }
    }

    fn leave(&mut self, id: &Hash) -> Option<Waiting> {
        let waiting = self.waiting.remove(id)?;
        let (summary, size) = (&waiting.summary, waiting.frame.len());
        self.bytes -= size;
        self.expiries.remove(&(summary.expiry, summary.id));
        if let Some(sender) = self.senders.get_mut(&summary.sender) {
            sender.queue.remove(&waiting.arrival);
            sender.bytes -= size;
            if sender.queue.is_empty() {
                self.turns.remove(&sender.turn);
                self.senders.remove(&summary.sender);
            }
        }
        Some(waiting)
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(pool: &mut Pool, sender: u8, number: u8) -> Result<(), Refusal> {
        let mut id = [sender; 32];
        id[0] = number;
        pool.add(&[number; 10], Summary { id, sender: [sender; 32], expiry: u64::from(number) })
    }

    #[test]
    fn senders_take_turns_and_what_has_left_is_forgotten() {
        let mut pool = Pool::new(100, 10_000);
        for number in 0..5 {
            add(&mut pool, 1, number).unwrap();
        }
        add(&mut pool, 2, 9).unwrap();
        let (buffer, taken) = pool.take(3, 1_000);
        let senders: Vec<u8> = taken.iter().map(|one| one.summary.unwrap().sender[0]).collect();
        assert_eq!((senders, buffer.len()), (vec![1, 2, 1], 30));
        assert_eq!(pool.expire(3).len(), 2);
        assert_eq!((pool.len(), pool.bytes()), (1, 10));
        assert_eq!(pool.take(10, 1).1.len(), 1);
        assert!(pool.senders.is_empty() && pool.turns.is_empty() && pool.expiries.is_empty());
    }

    #[test]
    fn a_sender_may_hold_as_much_as_is_free() {
        let mut pool = Pool::new(10, 1_000);
        let refused: Vec<_> = (0..10).filter(|number| add(&mut pool, 1, *number).is_err()).collect();
        assert_eq!(refused, [5, 6, 7, 8, 9]);
        assert_eq!(add(&mut pool, 1, 20), Err(Refusal::Share));
        assert_eq!(add(&mut pool, 2, 20), Ok(()));
    }
}
