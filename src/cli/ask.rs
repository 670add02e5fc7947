//! Questions to the person at the terminal.

use crate::error::{Context, Result};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::io::{BufRead, Read, Write};

/// A longer password is a file that was given by mistake.
const LONGEST: u64 = 64 << 10;

/// Asks for one line.
pub(super) fn ask(question: &str) -> Result<String> {
    let mut terminal = std::io::stderr();
    terminal.write_all(question.as_bytes()).and_then(|()| terminal.flush()).context(|| "cannot ask")?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context(|| "cannot read the answer")?;
    Ok(line.trim_end_matches(['\n', '\r']).to_string())
}

/// A password that is piped in.
pub(super) fn piped() -> Result<String> {
    let mut password = String::new();
    std::io::stdin().take(LONGEST).read_to_string(&mut password).context(|| "cannot read the password")?;
    password.truncate(password.trim_end_matches(['\n', '\r']).len());
    Ok(password)
}

/// Asks while the terminal does not show what is typed.
pub(super) fn unseen<T>(ask: impl FnOnce() -> Result<T>) -> Result<T> {
    let describe = || "cannot hide what is typed";
    let before = tcgetattr(std::io::stdin()).context(describe)?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &hidden).context(describe)?;
    let answer = ask();
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &before).context(describe)?;
    std::io::stderr().write_all(b"\n").context(describe)?;
    answer
}
