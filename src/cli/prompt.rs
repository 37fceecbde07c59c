//! Prompts at the terminal: passwords without echo, and a confirmation before what cannot be undone.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use super::failure::CommandFailure;

/// The most that is read of one line, in bytes: far more than any password has.
const LONGEST_LINE: u64 = 64 * 1024;

/// The byte order mark with which some programs begin a text in UTF-8. It is no part of the text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A source of answers to prompts.
pub(super) trait Prompt {
    /// Whether there is a terminal to prompt at.
    fn is_here(&self) -> bool;
    /// Prompts for an answer, typed with echo.
    fn answer(&mut self, question: &str) -> io::Result<String>;
    /// Prompts for an answer, typed without echo.
    fn secret(&mut self, question: &str) -> io::Result<String>;
    /// Reads one line of standard input, without its line break.
    fn piped(&mut self) -> io::Result<String>;
}

/// The terminal of this process. Prompts go to stderr, so that redirected output stays clean.
pub(super) struct Terminal;

impl Prompt for Terminal {
    fn is_here(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    fn answer(&mut self, question: &str) -> io::Result<String> {
        write!(io::stderr(), "{question}")?;
        io::stderr().flush()?;
        self.piped()
    }

    fn secret(&mut self, question: &str) -> io::Result<String> {
        rpassword::prompt_password(question)
    }

    fn piped(&mut self) -> io::Result<String> {
        let mut line = String::new();
        io::stdin().lock().take(LONGEST_LINE).read_line(&mut line)?;
        Ok(line.trim_end_matches(['\n', '\r']).to_owned())
    }
}

/// Reads a new password: typed twice at a terminal, or one line of stdin with `--password-stdin`. Never an argument,
/// because every user of the machine can read those.
pub(super) fn new_password(prompt: &mut dyn Prompt, from_stdin: bool) -> Result<String, CommandFailure> {
    let password = if from_stdin {
        let line = prompt.piped()?;
        line.strip_prefix(BYTE_ORDER_MARK).map(str::to_owned).unwrap_or(line)
    } else if prompt.is_here() {
        let first = prompt.secret("Password: ")?;
        if first != prompt.secret("Again: ")? {
            return Err(CommandFailure::new("the two passwords differ", "run the command again"));
        }
        first
    } else {
        return Err(CommandFailure::new(
            "there is no terminal to ask for a password",
            "pipe it in with --password-stdin",
        ));
    };
    if password.is_empty() { Err(CommandFailure::new("the password is empty", "")) } else { Ok(password) }
}

/// Asks for confirmation before something that cannot be undone. Without a terminal it fails unless `--yes` was given.
pub(super) fn confirm(prompt: &mut dyn Prompt, yes: bool, deed: &str) -> Result<(), CommandFailure> {
    if yes {
        return Ok(());
    }
    if !prompt.is_here() {
        return Err(CommandFailure::new(
            format!("this would {deed}, and there is no terminal to ask"),
            "use --yes to do it without a question",
        ));
    }
    match prompt.answer(&format!("This will {deed}. Go on? [y/N] "))?.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(CommandFailure::new("nothing was done", "")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Known answers to prompts, with or without a terminal.
    pub(in crate::cli) struct Scripted {
        pub(in crate::cli) here: bool,
        pub(in crate::cli) answers: Vec<&'static str>,
    }

    impl Scripted {
        fn next(&mut self) -> io::Result<String> {
            if self.answers.is_empty() {
                Err(io::ErrorKind::UnexpectedEof.into())
            } else {
                Ok(self.answers.remove(0).to_owned())
            }
        }
    }

    impl Prompt for Scripted {
        fn is_here(&self) -> bool {
            self.here
        }
        fn answer(&mut self, _: &str) -> io::Result<String> {
            self.next()
        }
        fn secret(&mut self, _: &str) -> io::Result<String> {
            self.next()
        }
        fn piped(&mut self) -> io::Result<String> {
            self.next()
        }
    }

    fn at_terminal(answers: &[&'static str]) -> Scripted {
        Scripted { here: true, answers: answers.to_vec() }
    }

    fn in_script(answers: &[&'static str]) -> Scripted {
        Scripted { here: false, answers: answers.to_vec() }
    }

    #[test]
    fn a_password_is_typed_twice_the_same() {
        assert_eq!(
            new_password(&mut at_terminal(&["correct horse", "correct horse"]), false).unwrap(),
            "correct horse"
        );
        assert!(new_password(&mut at_terminal(&["correct horse", "correct hose"]), false).is_err());
    }

    #[test]
    fn a_script_pipes_the_password_in() {
        assert_eq!(new_password(&mut in_script(&["correct horse"]), true).unwrap(), "correct horse");
        let refused = new_password(&mut in_script(&["correct horse"]), false).unwrap_err();
        assert!(refused.help.contains("--password-stdin"));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_password() {
        let piped = |text| new_password(&mut in_script(&[text]), true);
        assert_eq!(piped("\u{feff}correct horse").unwrap(), "correct horse");
        assert_eq!(piped("correct\u{feff}horse").unwrap(), "correct\u{feff}horse");
        assert!(piped("\u{feff}").is_err(), "nothing but the mark is empty");
    }

    #[test]
    fn an_empty_password_is_refused_before_anything_is_sent() {
        assert!(new_password(&mut in_script(&[""]), true).is_err());
    }

    #[test]
    fn only_a_clear_yes_confirms() {
        assert!(confirm(&mut at_terminal(&["y"]), false, "do it").is_ok());
        assert!(confirm(&mut at_terminal(&[""]), false, "do it").is_err());
        assert!(confirm(&mut at_terminal(&["maybe"]), false, "do it").is_err());
    }

    #[test]
    fn without_a_terminal_only_the_flag_confirms() {
        assert!(confirm(&mut in_script(&["y"]), false, "do it").unwrap_err().help.contains("--yes"));
        assert!(confirm(&mut in_script(&[]), true, "do it").is_ok());
    }
}
