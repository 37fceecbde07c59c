//! The progress of a long command, drawn on stderr for a person who waits at a terminal.

use std::fmt;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::output::OutputFormat;

/// How much a task is in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskSize {
    /// A number of users or records.
    Count(u64),
    /// The bytes of a file.
    Bytes(u64),
    /// The end is known only when it is reached.
    Unknown,
}

/// The progress of one task. It is cleared when it is dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Shows the progress of `task`. Nothing is drawn when stderr is no terminal, or when the command prints JSON.
    pub(super) fn show(task: &str, size: TaskSize, format: OutputFormat) -> Self {
        let target = if format.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self::on(target, task, size)
    }

    fn on(target: ProgressDrawTarget, task: &str, size: TaskSize) -> Self {
        let (template, length) = match size {
            TaskSize::Count(total) => ("{msg} [{bar:25}] {human_pos}/{human_len}{left}", Some(total)),
            TaskSize::Bytes(total) => ("{msg} [{bar:25}] {bytes}/{total_bytes}{left}", Some(total)),
            TaskSize::Unknown => ("{spinner} {msg} {human_pos}, {elapsed} so far", None),
        };
        let mut bar = ProgressBar::with_draw_target(length, target).with_message(task.to_owned());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar = bar.with_style(style.progress_chars("=> ").with_key("left", remaining_time));
        }
        bar.tick();
        Self(bar)
    }

    /// Shows how much is done.
    pub(super) fn set(&self, done: u64) {
        self.0.set_position(done);
    }
}

/// Writes the time that the rest will take, once that can be estimated.
fn remaining_time(state: &ProgressState, to: &mut dyn fmt::Write) {
    if state.pos() > 0 {
        // Writing to a string cannot fail.
        let _ = write!(to, ", {:#} left", HumanDuration(state.eta()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// The lines that a terminal of 80 columns was sent.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<Vec<String>>>);

    impl Screen {
        fn show(&self, task: &str, size: TaskSize) -> Progress {
            Progress::on(ProgressDrawTarget::term_like(Box::new(self.clone())), task, size)
        }

        fn last(&self) -> String {
            self.0.lock().unwrap().last().unwrap().clone()
        }

        /// Notes what is drawn, and not what fills the rest of the line.
        fn add(&self, text: &str) {
            if !text.trim().is_empty() {
                self.0.lock().unwrap().push(text.trim_end().to_owned());
            }
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.add(text);
            Ok(())
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.add(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_known_total_is_a_bar_with_the_remaining_time_once_there_is_one() {
        let screen = Screen::default();
        let progress = screen.show("importing users:", TaskSize::Count(6000));
        assert_eq!(screen.last(), "importing users: [                         ] 0/6,000");
        progress.set(1500);
        let shown = screen.last();
        assert!(shown.starts_with("importing users: [======>                  ] 1,500/6,000, "), "{shown}");
        assert!(shown.ends_with(" left"), "{shown}");
    }

    #[test]
    fn bytes_have_their_unit() {
        let screen = Screen::default();
        let progress = screen.show("checking users:", TaskSize::Bytes(2048));
        progress.set(512);
        let shown = screen.last();
        assert!(shown.starts_with("checking users: [======>                  ] 512 B/2.00 KiB, "), "{shown}");
    }

    #[test]
    fn an_unknown_total_is_a_counter() {
        let screen = Screen::default();
        let progress = screen.show("records copied:", TaskSize::Unknown);
        progress.set(1234);
        let shown = screen.last();
        assert!(shown.ends_with("records copied: 1,234, 0s so far"), "{shown}");
        assert!(!shown.contains(" left"), "{shown}");
    }
}
