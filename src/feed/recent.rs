//! The buffer of recently published frames, from which followers that keep up are served.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::frames::Signed;
use crate::model::counters::Position;

/// The most frames in the buffer.
const MOST_FRAMES: usize = 1024;

/// The most bytes of frames in the buffer.
const MOST_BYTES: usize = 8 << 20;

/// The latest frames, in order and without gaps.
pub(super) struct Recent(Mutex<RecentFrames>);

struct RecentFrames {
    frames: VecDeque<Arc<Signed>>,
    bytes: usize,
    published: Position,
}

/// The result of a request for the frame after a position.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The frame that continues from the position.
    Frame(Arc<Signed>),
    /// Nothing has been published after the position yet.
    Nothing,
    /// The entries after the position are no longer in the buffer.
    Gone,
}

impl Recent {
    /// An empty buffer; everything up to `published` came before.
    pub(super) fn from(published: Position) -> Self {
        Self(Mutex::new(RecentFrames { frames: VecDeque::new(), bytes: 0, published }))
    }

    /// Appends the next frame, and drops the oldest ones above the limits.
    pub(super) fn push(&self, frame: Arc<Signed>) {
        let mut kept = self.kept();
        kept.published = frame.last;
        kept.bytes += frame.text.len();
        kept.frames.push_back(frame);
        while kept.frames.len() > MOST_FRAMES || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.frames.pop_front() else { return };
            kept.bytes -= oldest.text.len();
        }
    }

    /// Empties the buffer; the next frame follows `published`.
    pub(super) fn forget(&self, published: Position) {
        *self.kept() = RecentFrames { frames: VecDeque::new(), bytes: 0, published };
    }

    /// The next frame for a follower that has everything up to `position`.
    pub(super) fn after(&self, position: Position) -> Next {
        let kept = self.kept();
        let next = kept.frames.partition_point(|frame| frame.last <= position);
        match kept.frames.get(next) {
            Some(frame) if frame.after <= position => Next::Frame(Arc::clone(frame)),
            None if kept.published <= position => Next::Nothing,
            _ => Next::Gone,
        }
    }

    fn kept(&self) -> MutexGuard<'_, RecentFrames> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::counters::KeysVersion;

    fn frame(after: u64, last: u64) -> Arc<Signed> {
        let (after, last) = (Position::new(after), Position::new(last));
        Arc::new(Signed { after, last, keys: KeysVersion::default(), text: "v4.public.x".to_owned() })
    }

    fn next(recent: &Recent, position: u64) -> Next {
        recent.after(Position::new(position))
    }

    #[test]
    fn a_position_finds_the_frame_that_goes_on_from_it() {
        let recent = Recent::from(Position::new(10));
        assert_eq!(
            (next(&recent, 9), next(&recent, 10), next(&recent, 11)),
            (Next::Gone, Next::Nothing, Next::Nothing)
        );
        let (first, second) = (frame(10, 12), frame(12, 13));
        recent.push(Arc::clone(&first));
        recent.push(Arc::clone(&second));
        assert_eq!(next(&recent, 9), Next::Gone);
        assert_eq!(next(&recent, 10), Next::Frame(Arc::clone(&first)));
        assert_eq!(next(&recent, 11), Next::Frame(first), "half of it is news");
        assert_eq!(next(&recent, 12), Next::Frame(second));
        assert_eq!(next(&recent, 13), Next::Nothing);
    }

    #[test]
    fn who_is_too_far_behind_finds_nothing_and_memory_stays_flat() {
        let recent = Recent::from(Position::new(0));
        for at in 0..5_000 {
            recent.push(frame(at, at + 1));
        }
        let oldest = 5_000 - MOST_FRAMES as u64;
        assert_eq!(next(&recent, oldest - 1), Next::Gone);
        assert_eq!(next(&recent, oldest), Next::Frame(frame(oldest, oldest + 1)));
        assert_eq!(recent.kept().frames.len(), MOST_FRAMES);
        assert_eq!(recent.kept().bytes, MOST_FRAMES * "v4.public.x".len());

        let large = |at| {
            Arc::new(Signed { text: "x".repeat(64 << 10), ..Arc::into_inner(frame(at, at + 1)).unwrap() })
        };
        for at in 5_000..5_300 {
            recent.push(large(at));
        }
        assert!(recent.kept().bytes <= MOST_BYTES);
        assert_eq!(next(&recent, 5_299), Next::Frame(large(5_299)));
    }

    #[test]
    fn what_was_forgotten_is_gone_but_who_kept_up_goes_on() {
        let recent = Recent::from(Position::new(0));
        recent.push(frame(0, 4));
        recent.forget(Position::new(4));
        assert_eq!((next(&recent, 3), next(&recent, 4)), (Next::Gone, Next::Nothing));
        recent.push(frame(4, 5));
        assert_eq!(next(&recent, 4), Next::Frame(frame(4, 5)));
    }
}
