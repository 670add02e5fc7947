//! Alternatives (update-alternatives(1)): which of several programs has the common name. Scripts name them literally; the rest is a table.

use super::super::tree::{Tree, canonical};
use super::Facts;
use std::collections::BTreeMap;

/// One program that offers itself under a common name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Choice {
    link: String,
    path: String,
    priority: i64,
    /// Link, name and path of what goes along with it.
    slaves: Vec<[String; 3]>,
}

pub(super) fn finish(tree: &mut Tree, facts: &Facts, warnings: &mut Vec<String>) {
    let made = &facts.made;
    let mut all: BTreeMap<String, Vec<Choice>> = BTreeMap::new();
    for package in facts.packages {
        let script = package.text("postinst");
        let (found, computed) = choices(&script);
        if computed && !is_in_table(&package.package.name) {
            warnings.push(format!("the package `{}` chooses alternatives in a way that is not known", package.package.name));
        }
        found.into_iter().for_each(|(name, choice)| all.entry(name).or_default().push(choice));
    }
    for (name, choice) in from_table(tree) {
        all.entry(name).or_default().push(choice);
    }
    tree.put_directory("etc/alternatives", 0o755, made);
    for (name, mut choices) in all {
        choices.retain(|choice| tree.resolve(&canonical(&choice.path)).is_some());
        choices.sort_by(|one, other| other.priority.cmp(&one.priority).then_with(|| one.path.cmp(&other.path)));
        choices.dedup();
        let Some(best) = choices.first().cloned() else { continue };
        link(tree, facts, &best.link, &name, &best.path);
        for [slave_link, slave_name, slave_path] in &best.slaves {
            if tree.has(&canonical(slave_path)) {
                link(tree, facts, slave_link, slave_name, slave_path);
            }
        }
        if tree.below("var/lib/dpkg/").next().is_some() || tree.has("usr/bin/update-alternatives") || !facts.packages.is_empty() {
            tree.put_directory("var/lib/dpkg/alternatives", 0o755, made);
            tree.put_file(&format!("var/lib/dpkg/alternatives/{name}"), record(&choices), 0o644, made);
        }
    }
}

fn link(tree: &mut Tree, facts: &Facts, link: &str, name: &str, path: &str) {
    tree.put_link(&format!("etc/alternatives/{name}"), path, &facts.made);
    tree.put_link(&canonical(link), &format!("/etc/alternatives/{name}"), &facts.made);
}

/// The state file that update-alternatives keeps.
fn record(choices: &[Choice]) -> String {
    let slaves = &choices[0].slaves;
    let mut text = format!("auto\n{}\n", choices[0].link);
    slaves.iter().for_each(|[link, name, _]| text.push_str(&format!("{name}\n{link}\n")));
    text.push('\n');
    for choice in choices {
        text.push_str(&format!("{}\n{}\n", choice.path, choice.priority));
        for [_, name, _] in slaves {
            let own = choice.slaves.iter().find(|[_, other, _]| other == name);
            text.push_str(&format!("{}\n", own.map_or("", |[_, _, path]| path.as_str())));
        }
    }
    text.push('\n');
    text
}

/// What a script installs literally, and whether it also installs something that it computes.
fn choices(script: &str) -> (Vec<(String, Choice)>, bool) {
    let without_comments: String =
        script.lines().filter(|line| !line.trim_start().starts_with('#')).map(|line| format!("{line}\n")).collect();
    let joined = without_comments.replace("\\\n", " ");
    let (mut found, mut computed) = (Vec::new(), false);
    for line in unrolled(&joined).lines() {
        let Some((_, rest)) = line.split_once("update-alternatives").and_then(|(_, rest)| rest.split_once("--install")) else { continue };
        let rest = rest.split(['|', '&', ';']).next().unwrap_or("");
        let words: Vec<&str> = rest.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
        let [link, name, path, priority, slaves @ ..] = words.as_slice() else { continue };
        let Ok(priority) = priority.parse() else {
            computed = true;
            continue;
        };
        if [link, name, path].iter().any(|word| word.contains(['$', '`'])) {
            computed = true;
            continue;
        }
        let slaves = slaves.chunks_exact(4).filter(|chunk| chunk[0] == "--slave" && !chunk.iter().any(|word| word.contains('$')));
        let slaves = slaves.map(|chunk| [chunk[1].to_string(), chunk[2].to_string(), chunk[3].to_string()]).collect();
        found.push(((*name).to_string(), Choice { link: (*link).into(), path: (*path).into(), priority, slaves }));
    }
    (found, computed)
}

/// Writes out loops over literal words, `for x in a b; do … done`.
fn unrolled(script: &str) -> String {
    let mut out = String::new();
    let mut rest = script;
    while let Some(at) = rest.find("for ") {
        let (before, loop_text) = rest.split_at(at);
        out.push_str(before);
        let parts = (|| {
            let (variable, after) = loop_text.strip_prefix("for ")?.split_once(" in ")?;
            let (words, after) = after.split_once("do")?;
            let (body, after) = after.split_once("done")?;
            let simple = variable.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') && !words.contains(['$', '`']);
            simple.then(|| (variable, words.trim().trim_end_matches(';'), body, after))
        })();
        match parts {
            Some((variable, words, body, after)) if body.contains("update-alternatives") => {
                for word in words.split_whitespace() {
                    out.push_str(&body.replace(&format!("${{{variable}}}"), word).replace(&format!("${variable}"), word));
                    out.push('\n');
                }
                rest = after;
            }
            _ => {
                out.push_str("for ");
                rest = &loop_text[4..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn is_in_table(package: &str) -> bool {
    package == "xz-utils" || package.starts_with("openjdk-")
}

/// Packages whose scripts compute what they install.
fn from_table(tree: &Tree) -> Vec<(String, Choice)> {
    let mut found = Vec::new();
    if tree.has("usr/bin/xz") {
        let pairs = [
            "unlzma unxz",
            "lzcat xzcat",
            "lzmore xzmore",
            "lzless xzless",
            "lzdiff xzdiff",
            "lzcmp xzcmp",
            "lzgrep xzgrep",
            "lzegrep xzegrep",
            "lzfgrep xzfgrep",
        ];
        let pairs = pairs.iter().filter_map(|pair| pair.split_once(' '));
        let program = |(lzma, xz): (&str, &str)| [format!("/usr/bin/{lzma}"), lzma.to_string(), format!("/usr/bin/{xz}")];
        let page = |(lzma, xz): (&str, &str)| {
            [format!("/usr/share/man/man1/{lzma}.1.gz"), format!("{lzma}.1.gz"), format!("/usr/share/man/man1/{xz}.1.gz")]
        };
        let slaves = pairs.clone().map(program).chain([("lzma", "xz")].into_iter().chain(pairs).map(page)).collect();
        found.push(("lzma".into(), Choice { link: "/usr/bin/lzma".into(), path: "/usr/bin/xz".into(), priority: 20, slaves }));
    }
    for (path, _) in tree.below("usr/lib/jvm/java-") {
        let parts = path
            .strip_prefix("usr/lib/jvm/java-")
            .and_then(|rest| rest.split_once("-openjdk-"))
            .and_then(|(version, rest)| Some((version, rest.split_once("/bin/")?.1)));
        if let Some((version, program)) = parts.filter(|(_, program)| !program.contains('/'))
            && let Ok(version) = version.parse::<i64>()
        {
            let choice =
                Choice { link: format!("/usr/bin/{program}"), path: format!("/{path}"), priority: version * 100 + 11, slaves: vec![] };
            found.push((program.to_string(), choice));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_calls_loops_and_computed_ones() {
        let script = "if true; then\n  update-alternatives --quiet --install /usr/bin/awk awk /usr/bin/mawk 5 \\\n    --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz || true\nfi\n# update-alternatives --install a b c 1\nfor x in one two; do\n update-alternatives --install /usr/bin/$x $x /usr/lib/${x} 7\ndone\nupdate-alternatives --install /usr/bin/y y $path 5\n";
        let (found, computed) = choices(script);
        let names: Vec<_> =
            found.iter().map(|(name, choice)| format!("{name} {} {} {}", choice.path, choice.priority, choice.slaves.len())).collect();
        assert_eq!(names, ["awk /usr/bin/mawk 5 1", "one /usr/lib/one 7 0", "two /usr/lib/two 7 0"]);
        assert!(computed);
    }
}
