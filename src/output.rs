//! Everything a person reads: headings, lines, warnings, progress. Data goes to standard output, all else to standard error.

mod counted;

pub use counted::Counted;

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors, and the data asked for.
    Quiet,
    /// Warnings too.
    Warnings,
    /// Headings, results, warnings.
    #[default]
    Normal,
    /// Every step.
    Verbose,
}

/// Whether colours are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal that shows them, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What the person asked of the output.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// How much is said.
    pub verbosity: Verbosity,
    /// Whether colours are written.
    pub colour: Colour,
    /// Whether each line starts with the time of day in UTC.
    pub timestamps: bool,
    /// Whose conventions the lines follow.
    pub convention: Convention,
}

/// Whose conventions the lines follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Convention {
    /// Those of this program: lines go to standard error, so that standard output has only data.
    #[default]
    Command,
    /// Those of the lifecycle's phases: everything goes to standard output, warnings and errors with the prefixes that platforms look for
    /// (EXIT-12 to EXIT-14).
    Phase,
}

/// The one way to say something. Cheap to clone, safe to share between threads.
#[derive(Clone)]
pub struct Output(Arc<Inner>);

struct Inner {
    settings: Settings,
    bars: MultiProgress,
    interactive: bool,
    line: Mutex<()>,
}

impl Output {
    /// An output to this process's own streams.
    pub fn new(settings: Settings) -> Self {
        match settings.colour {
            Colour::Auto => {}
            Colour::Always => anstream::ColorChoice::Always.write_global(),
            Colour::Never => anstream::ColorChoice::Never.write_global(),
        }
        let interactive = std::io::stderr().is_terminal()
            && settings.verbosity >= Verbosity::Normal
            && !settings.timestamps
            && settings.convention == Convention::Command;
        let target = if interactive { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self(Arc::new(Inner { settings, bars: MultiProgress::with_draw_target(target), interactive, line: Mutex::new(()) }))
    }

    /// An output that says nothing but errors and data.
    #[cfg(test)]
    pub fn quiet() -> Self {
        Self::new(Settings { verbosity: Verbosity::Quiet, ..Settings::default() })
    }

    /// How much is said.
    pub fn verbosity(&self) -> Verbosity {
        self.0.settings.verbosity
    }

    /// Starts a phase, as `===> DETECTING`.
    pub fn heading(&self, text: &str) {
        self.say(Verbosity::Normal, &styled(Style::new().bold().fg_color(Some(AnsiColor::Cyan.into())), &format!("===> {text}")));
    }

    /// Says one line.
    pub fn line(&self, text: &str) {
        self.say(Verbosity::Normal, text);
    }

    /// Says one line that the phases always say (platforms show it), and this program's own commands only to those who asked for every step.
    pub fn step(&self, text: &str) {
        match self.0.settings.convention {
            Convention::Phase => self.line(text),
            Convention::Command => self.detail(text),
        }
    }

    /// Says one line of what a program of somebody else's printed, behind its name.
    pub fn program_line(&self, program: &str, text: &str) {
        self.say(Verbosity::Normal, &format!("{} {text}", styled(Style::new().dimmed(), &format!("[{program}]"))));
    }

    /// Hands on one line of what a buildpack printed in a phase, however little the phase itself is to say.
    pub fn buildpack_line(&self, text: &str) {
        self.say(Verbosity::Quiet, text);
    }

    /// Says one line to those who asked for every step.
    pub fn detail(&self, text: &str) {
        self.say(Verbosity::Verbose, text);
    }

    /// Warns: the work goes on, but the reader should know.
    pub fn warn(&self, text: &str) {
        let prefix = self.prefix("warning:", "Warning:");
        self.say(Verbosity::Warnings, &format!("{} {text}", styled(Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())), prefix)));
    }

    /// Prints a failure with its causes and its hint; also when quiet.
    pub fn error(&self, error: &crate::error::Error) {
        let prefix = styled(Style::new().bold().fg_color(Some(AnsiColor::Red.into())), self.prefix("error:", "ERROR:"));
        let mut text = format!("{prefix} {error}");
        for cause in error.causes() {
            match self.0.settings.convention {
                Convention::Command => text.push_str(&format!("\n  caused by: {cause}")),
                // Platforms show one line, whatever a parser draws.
                Convention::Phase => text.push_str(&format!(": {}", cause.to_string().split_whitespace().collect::<Vec<_>>().join(" "))),
            }
        }
        if let Some(hint) = error.nearest_hint() {
            text.push_str(&format!("\n       {} {hint}", styled(Style::new().bold().fg_color(Some(AnsiColor::Green.into())), "hint:")));
        }
        self.say(Verbosity::Quiet, &text);
    }

    /// Prints data that was asked for to standard output, also when quiet. What images and buildpacks say may be in it: it cannot steer a
    /// terminal.
    ///
    /// # Errors
    /// When standard output cannot be written, as when its reader has gone.
    pub fn data(&self, text: &str) -> std::io::Result<()> {
        self.0.bars.suspend(|| {
            let mut stdout = std::io::stdout().lock();
            let shown = if stdout.is_terminal() { harmless(text) } else { Cow::Borrowed(text) };
            stdout.write_all(shown.as_bytes())?;
            if !text.ends_with('\n') {
                stdout.write_all(b"\n")?;
            }
            stdout.flush()
        })
    }

    /// Starts to show the progress of a step that handles `total` bytes, where known. On a terminal a bar; elsewhere one line when it
    /// starts to take long, and none when it is quick.
    pub fn progress(&self, label: &str, total: Option<u64>) -> Progress {
        let bar = if self.0.interactive {
            let bar = self.0.bars.add(ProgressBar::new(total.unwrap_or(0)));
            let template = match total {
                Some(_) => "{msg:32} [{bar:30.cyan/dim}] {bytes:>10}/{total_bytes:10} {bytes_per_sec}",
                None => "{msg:32} {spinner} {bytes}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(label.to_string());
            bar
        } else {
            ProgressBar::hidden()
        };
        Progress {
            output: self.clone(),
            label: label.to_string(),
            total,
            bar,
            started: Instant::now(),
            done: Mutex::new((0, Instant::now())),
        }
    }

    fn prefix(&self, command: &'static str, phase: &'static str) -> &'static str {
        match self.0.settings.convention {
            Convention::Command => command,
            Convention::Phase => phase,
        }
    }

    fn say(&self, least: Verbosity, text: &str) {
        if self.0.settings.verbosity < least {
            return;
        }
        let _one_line_at_a_time = self.0.line.lock();
        self.0.bars.suspend(|| {
            let mut stream: Box<dyn Write> = match self.0.settings.convention {
                Convention::Command => Box::new(anstream::stderr()),
                Convention::Phase => Box::new(anstream::stdout()),
            };
            // An empty line of a buildpack's stays one.
            for line in if text.is_empty() { "\n" } else { text }.lines() {
                let stamp = if self.0.settings.timestamps { format!("{} ", timestamp(SystemTime::now())) } else { String::new() };
                // A closed stream must not end the build.
                drop(writeln!(stream, "{stamp}{line}"));
            }
        });
    }
}

/// A text without characters that steer a terminal, but for the ends of lines and tabulators.
fn harmless(text: &str) -> Cow<'_, str> {
    let steers = |letter: char| letter.is_control() && !['\n', '\t'].contains(&letter);
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let parts = text.chars().map(|letter| if steers(letter) { letter.escape_default().to_string() } else { letter.to_string() });
    Cow::Owned(parts.collect())
}

/// A long step that is under way. Dropping it takes its bar away.
pub struct Progress {
    output: Output,
    label: String,
    total: Option<u64>,
    bar: ProgressBar,
    started: Instant,
    done: Mutex<(u64, Instant)>,
}

impl Progress {
    const BETWEEN_PLAIN_LINES: Duration = Duration::from_secs(5);

    /// Counts `bytes` more as done.
    pub fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
        if self.output.0.interactive {
            return;
        }
        let Ok(mut done) = self.done.lock() else { return };
        done.0 += bytes;
        if self.started.elapsed() > Self::BETWEEN_PLAIN_LINES && done.1.elapsed() > Self::BETWEEN_PLAIN_LINES {
            done.1 = Instant::now();
            let of_total = self.total.map(|total| format!(" of {}", human_bytes(total))).unwrap_or_default();
            self.output.line(&format!("{}: {}{of_total}", self.label, human_bytes(done.0)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A number of bytes as people write it, as `13.4 MB`.
pub fn human_bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// A duration as people write it, as `0.3 s` or `2 min 5 s`.
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 { format!("{:.1} s", duration.as_secs_f64()) } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

fn timestamp(now: SystemTime) -> String {
    let now = jiff::Timestamp::try_from(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{now:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(harmless("\u{1b}[2Ja\tb\n\u{9b}c\rü"), "\\u{1b}[2Ja\tb\n\\u{9b}c\\rü");
        assert!(matches!(harmless("a\nb"), Cow::Borrowed("a\nb")));
    }

    #[test]
    fn sizes_and_durations_read_well() {
        assert_eq!([0, 999, 1000, 13_400_000].map(human_bytes), ["0 B", "999 B", "1.0 kB", "13.4 MB"]);
        assert_eq!(human_duration(Duration::from_millis(340)), "0.3 s");
        assert_eq!(human_duration(Duration::from_secs(125)), "2 min 5 s");
    }
}
