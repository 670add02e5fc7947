//! Examples in the help of every command. They are in one place so that a test can read them all: each is a line that the parser takes.

use clap::Command;

/// The lines of each command, without the program's name. A group of commands has the first line of each of its own.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("build", &["build my-app", "build my-app --path src --builder bookworm", "build registry.example/team/my-app:1 --publish"]),
    ("run", &["run my-app -p 8080:8080", "run my-app --env PORT=9000 --entrypoint worker", "run my-app --entrypoint launcher -- bash"]),
    ("images", &["images", "images --output json"]),
    ("pull", &["pull registry.example/team/my-app:1"]),
    ("push", &["push registry.example/team/my-app:1", "push my-app oci:out"]),
    ("copy", &["copy my-app docker:my-app", "copy docker://registry.example/team/my-app:1 oci:out:v1"]),
    ("tag", &["tag my-app registry.example/team/my-app:1"]),
    ("rmi", &["rmi my-app", "rmi docker://registry.example/team/my-app:old"]),
    (
        "rebase",
        &["rebase my-app", "rebase registry.example/team/my-app:1 --publish", "rebase --all registry.example/team --check --output json"],
    ),
    ("sbom download", &["sbom download my-app --output-dir sbom"]),
    (
        "builder create",
        &[
            "builder create acme/builder --config builder.toml",
            "builder create registry.example/builder:1 --config builder.toml --publish",
            "builder create acme/python --builtin trixie --package ffmpeg --output docker",
        ],
    ),
    ("builder inspect", &["builder inspect", "builder inspect registry.example/builder:1 --output json --depth 1"]),
    ("builder suggest", &["builder suggest --path my-app"]),
    ("builder update", &["builder update", "builder update bookworm --without debian-security"]),
    ("buildpack new", &["buildpack new acme/hello", "buildpack new acme/hello --language rust --targets linux/amd64,linux/arm64"]),
    (
        "buildpack package",
        &[
            "buildpack package acme/hello:1 --path hello",
            "buildpack package hello.cnb --path hello --format file",
            "buildpack package registry.example/hello:1 --config package.toml --publish",
        ],
    ),
    ("buildpack validate", &["buildpack validate hello", "buildpack validate hello.cnb --output json"]),
    ("buildpack test", &["buildpack test hello", "buildpack test hello --test small --update"]),
    ("buildpack inspect", &["buildpack inspect registry.example/hello:1", "buildpack inspect hello.cnb --depth 1 --output json"]),
    ("buildpack pull", &["buildpack pull registry.example/hello:1", "buildpack pull urn:cnb:registry:acme/hello@1.0.0"]),
    ("buildpack register", &["buildpack register registry.example/hello:1"]),
    ("buildpack yank", &["buildpack yank acme/hello@1.0.0", "buildpack yank acme/hello@1.0.0 --undo"]),
    ("lifecycle package", &["lifecycle package --output lifecycle.tgz"]),
    ("lifecycle image", &["lifecycle image registry.example/lifecycle:1"]),
    ("manifest create", &["manifest create registry.example/app:1 registry.example/app:amd64 registry.example/app:arm64"]),
    ("manifest add", &["manifest add registry.example/app:1 registry.example/app:arm64"]),
    ("manifest annotate", &["manifest annotate registry.example/app:1 registry.example/app:arm64 --arch arm64 --variant v8"]),
    ("manifest rm", &["manifest rm registry.example/app:1 registry.example/app:arm64"]),
    ("manifest remove", &["manifest remove registry.example/app:1"]),
    ("manifest inspect", &["manifest inspect registry.example/app:1"]),
    ("manifest push", &["manifest push registry.example/app:1", "manifest push registry.example/app:1 --purge"]),
    ("key generate", &["key generate", "key generate --output-key-prefix team"]),
    ("key public", &["key public cosign.key"]),
    ("login", &["login registry.example --username me --password-stdin"]),
    ("logout", &["logout registry.example"]),
    ("store prune", &["store prune"]),
    ("store verify", &["store verify"]),
    ("config default-builder", &["config default-builder bookworm", "config default-builder --unset"]),
    ("config pull-policy", &["config pull-policy if-not-present"]),
    ("config lifecycle-image", &["config lifecycle-image registry.example/lifecycle:1"]),
    ("config experimental", &["config experimental true"]),
    ("config trusted-builders list", &["config trusted-builders list"]),
    ("config trusted-builders add", &["config trusted-builders add acme/builder"]),
    ("config trusted-builders remove", &["config trusted-builders remove acme/builder"]),
    ("config run-image-mirrors list", &["config run-image-mirrors list"]),
    ("config run-image-mirrors add", &["config run-image-mirrors add acme/run --mirror registry.example/run"]),
    ("config run-image-mirrors remove", &["config run-image-mirrors remove acme/run"]),
    ("config registry-mirrors list", &["config registry-mirrors list"]),
    ("config registry-mirrors add", &["config registry-mirrors add index.docker.io --mirror mirror.example"]),
    ("config registry-mirrors remove", &["config registry-mirrors remove index.docker.io"]),
    ("config trust list", &["config trust list"]),
    ("config trust add", &["config trust add registry.example/base/* --key base.pub"]),
    ("config trust remove", &["config trust remove registry.example/base/*"]),
    ("config registries list", &["config registries list"]),
    ("config registries add", &["config registries add ours https://git.example/registry --default"]),
    ("config registries remove", &["config registries remove ours"]),
    ("config registries default", &["config registries default ours", "config registries default --unset"]),
    ("stack suggest", &["stack suggest"]),
    ("doctor", &["doctor"]),
    ("report", &["report", "report --explicit"]),
    ("version", &["version"]),
];

/// A command with examples in its own help and in that of all below it.
pub fn with(command: Command) -> Command {
    let (command, _) = below(command, "");
    command
}

/// A command with examples, and its first one.
fn below(mut command: Command, path: &str) -> (Command, Vec<String>) {
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_string()).collect();
    let mut lines = of(path);
    for name in &names {
        let inner = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        let mut first = Vec::new();
        command = command.mut_subcommand(name, |command| {
            let (command, own) = below(command, &inner);
            first = own;
            command
        });
        lines.extend(first.into_iter().take(1));
    }
    let known = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    if lines.is_empty() || known.contains("Examples:") {
        return (command, lines);
    }
    // The main help lists the commands themselves.
    let shown = lines.iter().take(if path.is_empty() { 3 } else { 6 }).map(|line| format!("\n  cooper {line}")).collect::<String>();
    let text = if known.is_empty() { format!("Examples:{shown}") } else { format!("{known}\n\nExamples:{shown}") };
    (command.after_help(text), lines)
}

/// The lines of a command itself. What is done with buildpacks is done with extensions.
fn of(path: &str) -> Vec<String> {
    let as_buildpack = path.replacen("extension ", "buildpack ", 1);
    let found = EXAMPLES.iter().find(|(of, _)| *of == as_buildpack).map_or(&[][..], |(_, lines)| lines);
    let is_for_both = |line: &&&str| path == as_buildpack || !line.contains("--language") && !line.contains("urn:cnb:registry");
    let own = |line: &&str| if path == as_buildpack { line.to_string() } else { line.replacen("buildpack ", "extension ", 1) };
    found.iter().filter(is_for_both).map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::CommandLine;
    use clap::CommandFactory;

    fn check(command: &Command, path: &str, wrong: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        match help.split_once("Examples:\n") {
            None => wrong.push(format!("{path}: no examples")),
            Some((_, lines)) => {
                for line in lines.lines().filter_map(|line| line.trim().strip_prefix("cooper ")) {
                    let line = line.split(" | ").next().unwrap().split(" > ").next().unwrap();
                    let words = std::iter::once("cooper").chain(line.split(' ')).map(|word| word.trim_matches('\''));
                    if let Err(error) = CommandLine::command().try_get_matches_from(words) {
                        wrong.push(format!("{path}: {line}: {error}"));
                    }
                }
            }
        }
        for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
            check(command, &format!("{path} {}", command.get_name()), wrong);
        }
    }

    /// CLI-47: the help of every command has examples, and each is one that the parser takes.
    #[test]
    fn every_command_has_examples_that_the_parser_takes() {
        let mut wrong = Vec::new();
        check(&with(CommandLine::command()), "cooper", &mut wrong);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        for (path, lines) in EXAMPLES {
            assert!(lines.iter().all(|line| line.starts_with(path)), "{path}: {lines:?}");
        }
    }
}
