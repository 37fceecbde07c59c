//! A reader that counts lines and refuses a part of a file that is too long.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// The longest object or record, in bytes.
pub(super) const LONGEST: u64 = 1 << 20;

/// The position of a reader, shared with the parser above it.
#[derive(Debug)]
pub(super) struct ReadPosition {
    line: Cell<u64>,
    since: Cell<u64>,
    exceeded: Cell<bool>,
}

/// A reader that refuses to go on when more than [`LONGEST`] bytes were read since [`ReadPosition::begin`].
pub(super) struct LimitedReader<R> {
    inner: R,
    position: Rc<ReadPosition>,
}

impl ReadPosition {
    /// The line that is being read, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line.get()
    }

    /// Notes that a new part begins.
    pub(super) fn begin(&self) {
        self.since.set(0);
    }

    /// Whether the reader has refused to go on.
    pub(super) fn exceeded(&self) -> bool {
        self.exceeded.get()
    }
}

impl<R> LimitedReader<R> {
    pub(super) fn new(inner: R) -> (Self, Rc<ReadPosition>) {
        let position = ReadPosition { line: Cell::new(1), since: Cell::new(0), exceeded: Cell::new(false) };
        let position = Rc::new(position);
        (Self { inner, position: Rc::clone(&position) }, position)
    }
}

impl<R: Read> Read for LimitedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let position = &self.position;
        if position.since.get() > LONGEST {
            position.exceeded.set(true);
            return Err(io::Error::other("too long"));
        }
        let read = self.inner.read(buffer)?;
        let lines = buffer.iter().take(read).filter(|byte| **byte == b'\n').count();
        position.line.set(position.line.get() + lines as u64);
        position.since.set(position.since.get() + read as u64);
        Ok(read)
    }
}
