//! The real pack and this program, started with the same arguments, do the same: each case here has a record of what pack made (images with their
//! labels and files, lists, documents), which what this program makes is compared with.
//!
//! Where `PEER_PACK` names pack 0.40.5, it is run too and compared with its record; `COOPER_RECORD=1` writes the records anew from it.

mod cases;
mod look;

use crate::support::{Engine, Machine, Registry, cooper, repository, run};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One of the two programs, in a folder and with a registry of its own.
pub struct Actor {
    folder: tempfile::TempDir,
    registry: Registry,
    pack: Option<PathBuf>,
}

/// What a case does: it starts commands, and returns what they made.
type Case = fn(&Actor) -> Value;

impl Actor {
    fn new(pack: Option<&Path>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), registry: Registry::start(), pack: pack.map(Path::to_path_buf) }
    }

    /// The folder that commands are started in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The full name of an image.
    pub fn name(&self, image: &str) -> String {
        self.registry.name(image)
    }

    /// Starts a command, whose arguments both programs take. `REGISTRY` in them is the registry's host.
    pub fn start(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(self.pack.as_deref().unwrap_or(cooper()));
        command.args(arguments.iter().map(|argument| argument.replace("REGISTRY", &self.registry.host())));
        command.current_dir(self.folder()).env("HOME", self.folder()).env("PACK_HOME", self.folder().join("pack"));
        for variable in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "COOPER_STORE", "DOCKER_CONFIG"] {
            command.env_remove(variable);
        }
        if self.pack.is_some() {
            command.env("DOCKER_HOST", Engine::shared().host());
        }
        run(&mut command)
    }

    /// The same of a command that must succeed; returns what it wrote to standard output.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.start(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?} of {}: {said}", if self.pack.is_some() { "pack" } else { "cooper" });
        String::from_utf8(output.stdout).unwrap()
    }

    /// A store that looks at what was made.
    pub fn observer(&self) -> Machine {
        Machine::empty(&self.folder().join("observer"))
    }

    /// Without what may differ between two runs or the two programs: the registry's host, and who made it.
    fn cleaned(&self, mut value: Value) -> Value {
        without(&mut value, &["createdBy", "created_by", "history"]);
        serde_json::from_str(&value.to_string().replace(&self.registry.host(), "REGISTRY")).unwrap()
    }
}

fn without(value: &mut Value, keys: &[&str]) {
    match value {
        Value::Object(members) => {
            members.retain(|key, _| !keys.contains(&key.as_str()));
            members.values_mut().for_each(|member| without(member, keys));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without(item, keys)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Runs a case and compares. `better` names the places where our answer is another on purpose, each with its reason.
fn compare(name: &str, case: Case, better: &[(&str, &str)]) {
    let path = repository("fixtures/golden/pack").join(format!("{name}.json"));
    if let Some(pack) = std::env::var_os("PEER_PACK") {
        let actor = Actor::new(Some(Path::new(&pack)));
        let live = actor.cleaned(case(&actor));
        if std::env::var_os("COOPER_RECORD").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, serde_json::to_string_pretty(&live).unwrap() + "\n").unwrap();
        }
        assert!(differences(&live, &read(&path)).is_empty(), "pack against its record: {:#?}", differences(&live, &read(&path)));
    }
    let actor = Actor::new(None);
    let ours = actor.cleaned(case(&actor));
    let mut found = differences(&ours, &read(&path));
    let of = |place: &str, line: &String| line.starts_with(&format!("{place}:"));
    for (place, reason) in better {
        assert!(found.iter().any(|line| of(place, line)), "`{place}` is as pack's now, though {reason}");
    }
    found.retain(|line| !better.iter().any(|(place, _)| of(place, line)));
    assert!(found.is_empty(), "ours against pack's record: {found:#?}");
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Lines `PLACE: OURS, not THEIRS`.
fn differences(ours: &Value, theirs: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare_at("", ours, theirs, &mut found);
    found
}

fn compare_at(place: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    let below = |name: &str| if place.is_empty() { name.to_string() } else { format!("{place}/{name}") };
    match (ours, theirs) {
        (Value::Object(one), Value::Object(other)) => {
            for name in one.keys().chain(other.keys().filter(|name| !one.contains_key(*name))) {
                compare_at(&below(name), &ours[name.as_str()], &theirs[name.as_str()], found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).enumerate().for_each(|(at, (one, other))| compare_at(&below(&at.to_string()), one, other, found));
        }
        (one, other) if one == other => {}
        (one, other) => found.push(format!("{place}: {one}, not {other}")),
    }
}

#[test]
fn differences_have_their_places() {
    let (one, other) = (json!({ "a": [1, 2], "b": 1 }), json!({ "a": [1, 3], "c": 1 }));
    assert_eq!(differences(&one, &other), ["a/1: 2, not 3", "b: 1, not null", "c: null, not 1"]);
}
