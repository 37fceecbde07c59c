//! The budget of memory for password hashes that take more than those of this service, as imported ones do.
//!
//! The hash queue limits how many jobs run; with the configured parameters that also limits their memory. A job that
//! takes more waits on its thread until the budget has room for it, in the order of arrival.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// An amount of memory that jobs share.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    total: usize,
    state: Mutex<BudgetState>,
    changed: Condvar,
}

#[derive(Debug)]
struct BudgetState {
    free: usize,
    /// The number of jobs that have arrived, and of those that have got their share.
    arrived: u64,
    served: u64,
}

/// A share of the budget, given back when it is dropped.
pub(super) struct MemoryShare {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl MemoryBudget {
    pub(super) fn new(total: usize) -> Self {
        let state = Mutex::new(BudgetState { free: total, arrived: 0, served: 0 });
        Self { total, state, changed: Condvar::new() }
    }

    /// Blocks this thread until `bytes` are free and all who came before have their share. A job that is larger than
    /// the budget gets all of it.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> MemoryShare {
        let bytes = bytes.min(self.total);
        let mut state = self.state();
        let mine = state.arrived;
        state.arrived += 1;
        let waits = |state: &mut BudgetState| state.served != mine || state.free < bytes;
        state = self.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
        state.served += 1;
        state.free -= bytes;
        drop(state);
        self.changed.notify_all();
        MemoryShare { budget: Arc::clone(self), bytes }
    }

    fn state(&self) -> MutexGuard<'_, BudgetState> {
        // Nothing in here can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.budget.state().free += self.bytes;
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::thread;

    use super::*;

    #[test]
    fn the_shares_never_exceed_the_budget_and_everyone_is_served() {
        let (budget, taken) = (Arc::new(MemoryBudget::new(10)), AtomicUsize::new(0));
        thread::scope(|scope| {
            for bytes in [3, 10, 7, 99, 1, 4, 6, 10] {
                let (budget, taken) = (&budget, &taken);
                scope.spawn(move || {
                    for _ in 0..500 {
                        let share = budget.take(bytes);
                        assert!(taken.fetch_add(share.bytes, SeqCst) + share.bytes <= 10);
                        taken.fetch_sub(share.bytes, SeqCst);
                    }
                });
            }
        });
        assert_eq!(budget.state().free, 10);
    }
}
