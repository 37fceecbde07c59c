//! The pool of memory blocks for hashing: blocks are reused while other hashes wait, and freed when none does.
//!
//! Fresh memory costs a page fault for every 4 KiB: measured, a hash of 19 MiB took 25 ms instead of 15. There are
//! never more allocations than concurrent hashes.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use argon2::Block;

/// The least capacity of an allocation: more than 32 MiB, the most that glibc ever keeps in its heaps. Up to that size
/// glibc raises its threshold for mapping memory to what it has seen freed, and 19 MiB allocations stay resident for
/// ever: 270 MiB after 200 hashes, measured. A mapping of its own is returned to the system, and its untouched pages
/// cost nothing.
const OWN_MAPPING_BYTES: usize = 33 << 20;

#[derive(Debug, Default)]
pub(super) struct BlockPool(Mutex<Vec<Vec<Block>>>);

impl BlockPool {
    /// Takes `count` blocks with arbitrary content: argon2 writes each block before it reads it.
    pub(super) fn take(&self, count: usize) -> Vec<Block> {
        let kept = self.blocks().pop();
        kept.filter(|blocks| blocks.len() == count).unwrap_or_else(|| {
            let mut blocks = Vec::with_capacity(count.max(OWN_MAPPING_BYTES / Block::SIZE));
            blocks.resize(count, Block::default());
            blocks
        })
    }

    /// Returns blocks for the next hash.
    pub(super) fn put(&self, blocks: Vec<Block>) {
        self.blocks().push(blocks);
    }

    /// Frees all blocks in the pool.
    pub(super) fn clear(&self) {
        let blocks = mem::take(&mut *self.blocks());
        drop(blocks);
    }

    fn blocks(&self) -> MutexGuard<'_, Vec<Vec<Block>>> {
        // A push or a pop leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.blocks().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_the_right_number_are_used_again() {
        let pool = BlockPool::default();
        let blocks = pool.take(64);
        let address = blocks.as_ptr();
        pool.put(blocks);
        let again = pool.take(64);
        assert_eq!(again.as_ptr(), address);
        pool.put(vec![Block::default(); 8]);
        assert_eq!(pool.take(64).len(), 64, "those of another number are not");
        assert_eq!(pool.len(), 0);
    }

    #[test]
    fn every_allocation_is_big_enough_for_a_mapping_of_its_own() {
        assert!(BlockPool::default().take(8).capacity() * Block::SIZE > 32 << 20);
    }
}
