//! `docs/from-pack.md` says of every command and option of `pack` what it is here, and says it right.

use crate::support::{Machine, repository, succeed};
use std::collections::BTreeMap;
use std::fs;

const VERDICTS: [&str; 5] = ["equal", "better", "different", "refused", "not yet"];

/// The verdicts of the page, by command and option; an option of a command that is not there has none.
fn page() -> BTreeMap<String, BTreeMap<String, String>> {
    let text = fs::read_to_string(repository("docs/from-pack.md")).unwrap();
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut command = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## pack ") {
            command = name.to_string();
            found.entry(command.clone()).or_default();
        } else if let Some((flag, rest)) = line.strip_prefix("| `").and_then(|rest| rest.split_once("` | ")) {
            let verdict = rest.split(" | ").next().unwrap();
            found.get_mut(&command).unwrap().insert(flag.to_string(), verdict.to_string());
        } else if line == "Not there yet." {
            found.get_mut(&command).unwrap().insert(String::new(), "not yet".into());
        }
    }
    found
}

/// CLI-07, CLI-40, CLI-46, CLI-47, CLI-50.
#[test]
fn every_command_and_option_of_pack_is_on_the_page_and_in_the_parser() {
    let (page, machine) = (page(), Machine::shared());
    let list = fs::read_to_string(repository("tests/pack-0.40.5.txt")).unwrap();
    let mut wrong = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let (flags, command): (Vec<&str>, Vec<&str>) = line.split(' ').partition(|word| word.starts_with("--"));
        let Some(verdicts) = page.get(&command.join(" ")) else {
            wrong.push(format!("pack {} is not on the page", command.join(" ")));
            continue;
        };
        let is_there = !verdicts.contains_key("");
        let help = if is_there { succeed(&mut machine.command(&[command.as_slice(), &["--help"]].concat())) } else { String::new() };
        for flag in flags {
            let in_parser = help.split([' ', ',', '\n', '[']).any(|word| word == flag);
            match verdicts.get(flag).map(String::as_str) {
                None => wrong.push(format!("pack {} {flag} is not on the page", command.join(" "))),
                Some(verdict) if !VERDICTS.contains(&verdict) => wrong.push(format!("{flag}: `{verdict}` is no verdict")),
                // What is refused is unknown, or an error with a reason; what to do instead is named beside it.
                Some("not yet" | "refused") => {}
                Some(_) if in_parser => {}
                Some(verdict) => wrong.push(format!("pack {} {flag} is said to be {verdict}, and is not there", command.join(" "))),
            }
        }
    }
    for option in ["--quiet", "--verbose", "--no-color", "--force-color", "--timestamps", "--version", "--help"] {
        assert!(succeed(&mut machine.command(&["--help"])).contains(option), "{option}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
