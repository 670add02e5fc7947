//! Here-documents of `RUN`. The library knows only one, at the start of the line; the others are taken out of the text before it sees them,
//! and put back into what the shell gets.

use super::Document;
use crate::error::{Context, Error, Result};
use parse_dockerfile::{Command, Instruction, RunInstruction, parse_iter};
use std::collections::BTreeMap;

/// Each of them means to read the text once more.
const MOST: usize = 64;

/// A text without the here-documents that the library does not know. Places in it are those in the original text.
pub(super) struct Lifted {
    pub text: String,
    /// The documents that were taken out, by the place of their `RUN`.
    pub documents: BTreeMap<usize, Vec<Document>>,
}

/// Takes here-documents out.
pub(super) fn lift(text: &str) -> Result<Lifted> {
    let mut lifted = Lifted { text: text.strip_prefix('\u{feff}').unwrap_or(text).to_string(), documents: BTreeMap::new() };
    while let Some(found) = lifted.next()? {
        if lifted.documents.len() == MOST {
            return Err(Error::new(format!("more than {MOST} instructions have here-documents")));
        }
        let mut at = found.at;
        let mut documents = Vec::new();
        for marker in &found.markers {
            let (document, end) = read(&lifted.text, at, marker).context(|| format!("line {}", line_of(&lifted.text, found.start)))?;
            documents.push(document);
            at = end;
        }
        blank(&mut lifted.text, found.at, at);
        lifted.documents.insert(found.start, documents);
    }
    Ok(lifted)
}

/// An instruction with documents that the library took for instructions.
struct Found {
    start: usize,
    at: usize,
    markers: Vec<Marker>,
}

impl Lifted {
    fn next(&self) -> Result<Option<Found>> {
        // What is wrong with the text is said when it is read for good.
        let Ok(instructions) = parse_iter(&self.text) else { return Ok(None) };
        for instruction in instructions.map_while(|instruction| instruction.ok()) {
            let Instruction::Run(run) = instruction else { continue };
            let start = run.run.span.start;
            let Command::Shell(line) = &run.arguments else { continue };
            // The marker of a document that the library took is not in the line.
            let markers = markers(line.value);
            if self.documents.contains_key(&start) || markers.is_empty() {
                continue;
            }
            return Ok(Some(Found { start, at: self.after(&run, line.span.end), markers }));
        }
        Ok(None)
    }

    /// The start of the line after what the library took for the instruction.
    fn after(&self, run: &RunInstruction, end: usize) -> usize {
        let end = run.here_docs.last().map_or(end, |document| document.span.end);
        self.text[end..].find('\n').map_or(self.text.len(), |length| end + length + 1)
    }
}

/// Where a shell's line says that a document follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub name: String,
    strip_tabs: bool,
    pub expand: bool,
}

/// The markers in a line, as a shell finds them.
pub(super) fn markers(line: &str) -> Vec<Marker> {
    let mut found = Vec::new();
    let (mut quote, mut rest) = (None, line);
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None | Some('"'), '\\') => {
                rest = after.chars().next().map_or(after, |next| &after[next.len_utf8()..]);
                continue;
            }
            (None, '<') if after.starts_with("<<") => {
                // A here-string.
                rest = after.trim_start_matches('<');
                continue;
            }
            (None, '<') if after.starts_with('<') => {
                let (marker, end) = marker(&after[1..]);
                found.extend(marker);
                rest = end;
                continue;
            }
            _ => {}
        }
        rest = after;
    }
    found
}

fn marker(text: &str) -> (Option<Marker>, &str) {
    let (strip_tabs, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let text = text.trim_start_matches([' ', '\t']);
    let end = text.find(|letter: char| letter.is_whitespace() || ";&|<>()".contains(letter)).unwrap_or(text.len());
    let (written, rest) = text.split_at(end);
    let name: String = written.chars().filter(|letter| !"'\"\\".contains(*letter)).collect();
    // `$((1<<2))` and the like.
    let valid = name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    (valid.then(|| Marker { expand: name == written, name, strip_tabs }), rest)
}

/// The document that starts at a place, and where the text goes on.
fn read(text: &str, at: usize, marker: &Marker) -> Result<(Document, usize)> {
    let (mut content, mut end) = (String::new(), at);
    for line in text[at..].split_inclusive('\n') {
        end += line.len();
        let line = if marker.strip_tabs { line.trim_start_matches('\t') } else { line };
        if line.trim_end_matches(['\r', '\n']) == marker.name {
            return Ok((Document { name: marker.name.clone(), content, expand: marker.expand }, end));
        }
        content.push_str(line);
    }
    Err(Error::new(format!("the here-document `{}` has no end", marker.name)))
}

/// Blanks are nothing to the library, and lines keep their numbers.
fn blank(text: &mut String, from: usize, to: usize) {
    let blanks: String = text[from..to].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    text.replace_range(from..to, &blanks);
}

/// The number of the line that a place is on.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
