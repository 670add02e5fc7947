//! What a program said, as far as platforms and people read it.

/// Lines that are not compared, by their beginning, and why.
const LEFT_OUT: [(&str, &str); 6] = [
    ("Valid phases: ", "a hint in our words"),
    ("Using app image: ", "only for layouts, and the line `Saving` says it again"),
    ("target distro name/version labels not found", "said when it is first needed, which is no particular moment"),
    ("       hint: ", "ours, below an error"),
    ("Adding layer 'test/ext:extended-layer-", "the reference is silent about layers of extensions"),
    ("Warning: Failed to open remote image ", "the reference asks again for what is not there"),
];

/// Not compared where a phase fails: how far it came depends on the order of its work.
const BEFORE_A_FAILURE: [&str; 8] = [
    "Warning: No cached data ",
    "Warning: No analyzed metadata ",
    "Warning: Did not find SBOM ",
    "Warning: BOM table is deprecated ",
    "Adding layer ",
    "Reusing layer ",
    "Added ",
    "Reused ",
];

/// The lines of an output of a program that ended with success or not.
pub fn lines_of(success: bool, output: &[u8]) -> Vec<String> {
    let compared = |line: &String| success || !BEFORE_A_FAILURE.iter().any(|start| line.starts_with(start));
    lines(output).into_iter().filter(compared).collect()
}

/// The lines of an output, without colours.
fn lines(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let plain = text.lines().map(|line| anstream::adapter::strip_str(line).to_string());
    let mut lines: Vec<String> = Vec::new();
    for line in plain.filter(|line| !LEFT_OUT.iter().any(|(start, _)| line.starts_with(start))) {
        // CACHE-09: the reference says both.
        let again = line.strip_prefix("Adding cache layer ").map(|id| format!("Reusing cache layer {id}"));
        if !again.is_some_and(|again| lines.contains(&again)) {
            // The reference says some of its warnings with the word twice.
            lines.push(without_cause(line.replace("Warning: Warning: ", "Warning: ")));
        }
    }
    // The reference warns for each table of a buildpack.
    lines.dedup_by(|one, other| one == other && one.starts_with("Warning: BOM table is deprecated"));
    // The reference restores in the order of a map, which changes from run to run.
    for run in lines.chunk_by_mut(|one, other| of_restoring(one) && of_restoring(other)) {
        run.sort();
    }
    lines
}

fn of_restoring(line: &str) -> bool {
    line.starts_with("Restoring metadata for ") || line.starts_with("Restoring data for \"") || line.starts_with("Removing \"")
}

/// EXIT-12: platforms look for how an error begins; what went wrong is told in our own words.
fn without_cause(line: String) -> String {
    let action = line.strip_prefix("ERROR: failed to ").and_then(|rest| rest.split_once(": ")).map(|(action, _)| action.len());
    match action {
        Some(length) => line[.."ERROR: failed to ".len() + length + 1].to_string(),
        None => line,
    }
}

/// An image in a layout is a path for the reference where we say its name, which is what people and `run.toml` call it. Neither stands in
/// an identifier, which goes on with its digest.
pub fn image_names(text: String) -> String {
    let mut rest = text.as_str();
    let mut named = String::new();
    for mark in ["{case}/layout/index.docker.io/library/", "index.docker.io/library/"] {
        while let Some(at) = rest.find(mark) {
            let name = &rest[at + mark.len()..];
            let end = name.find(|letter: char| !(letter.is_ascii_alphanumeric() || "-_./:".contains(letter))).unwrap_or(name.len());
            let end = name[..end].trim_end_matches('.').len();
            let (name, after) = name.split_at(end);
            named.push_str(&rest[..at]);
            match name.strip_suffix("/latest").or(name.strip_suffix(":latest")) {
                Some(name) if !after.starts_with('@') => named.push_str(name),
                Some(_) | None => named.push_str(&rest[at..at + mark.len() + end]),
            }
            rest = after;
        }
        if !named.is_empty() {
            break;
        }
    }
    named + rest
}
