//! The allocator of every program that runs the service.

use tikv_jemallocator::Jemalloc;
use zeroizing_alloc::ZeroAlloc;

/// The type of [`ALLOCATOR`].
pub type Allocator = ZeroAlloc<Jemalloc>;

/// Clears memory when it is freed. Passwords pass through buffers of the HTTP library and the JSON parser that nobody else
/// clears, and would stay readable in a dump of the memory until something is written over them.
///
/// Beneath it is jemalloc: a request that waits for the database often goes on in another thread, and in the allocator of
/// glibc or musl threads that free what others allocated wait for each other. It does not replace
/// the `malloc` of C: libfaketime and a `malloc` that asks for the time call each other until the program is killed.
pub const ALLOCATOR: Allocator = ZeroAlloc(Jemalloc);
