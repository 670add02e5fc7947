use super::*;
use crate::lifecycle::extender::Kind;

fn parse(text: &str) -> Dockerfile {
    Dockerfile::parse(text).unwrap()
}

/// The only instruction behind `FROM`.
fn action(text: &str) -> Action {
    let file = parse(&format!("FROM x\n{text}"));
    assert_eq!(file.instructions.len(), 1, "{file:?}");
    file.instructions[0].action.clone()
}

fn shell(text: &str) -> String {
    match action(text) {
        Action::Run(Run { command: Command::Shell(line), .. }) => line,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lines_that_go_on_are_one_instruction() {
    let file = parse("# escape=`\n\nARG base_image\nFROM ${base_image}\nrun one `\n  # a comment\n\n  && two ` \n  && three\nUSER a`\nb\n");
    let found: Vec<(usize, &str)> = file.instructions.iter().map(|it| (it.line, it.text.as_str())).collect();
    assert_eq!(found, [(5, "run one   && two   && three"), (10, "USER ab")]);
    assert_eq!((file.escape, file.arguments, file.bases), ('`', vec!["base_image".to_string()], vec!["${base_image}".to_string()]));
    assert_eq!(shell("RUN a \\\r\n  b\r\n"), "a   b");
    assert_eq!(parse("FROM x").escape, '\\');
}

#[test]
fn both_forms_of_commands() {
    let words = |words: &[&str]| Command::Exec(words.iter().map(|word| (*word).to_string()).collect());
    assert_eq!(action(r#"CMD ["a", "b\"c", "\u0041"]"#), Action::Cmd(words(&["a", "b\"c", "A"])));
    assert_eq!(action("CMD [a, b]"), Action::Cmd(Command::Shell("[a, b]".into())));
    assert_eq!(action(r#"ENTRYPOINT ["x"]"#), Action::Entrypoint(words(&["x"])));
    assert_eq!(action(r#"SHELL ["/bin/bash", "-c"]"#), Action::Shell(vec!["/bin/bash".into(), "-c".into()]));
    let Action::Run(run) = action(r#"RUN --mount=type=cache,target=/x --network=none ["a"]"#) else { panic!() };
    let flags: Vec<String> = run.flags.iter().map(|flag| format!("{}={}", flag.name, flag.value)).collect();
    assert_eq!((flags, run.command), (vec!["mount=type=cache,target=/x".into(), "network=none".into()], words(&["a"])));
    assert_eq!(action("HEALTHCHECK NONE"), Action::Healthcheck(vec![], None));
    assert_eq!(action("ONBUILD RUN a \\\n b"), Action::Onbuild("RUN a  b".into()));
    assert_eq!(action("ENV a=b \\\n c='d e'"), Action::Env("a=b  c='d e'".into()));
}

#[test]
fn here_documents_wherever_they_are() {
    assert_eq!(shell("RUN <<EOF\necho one\n# kept\nEOF\n"), "echo one\n# kept\n");
    assert_eq!(shell("RUN <<-'EOF'\n\techo one\n\tEOF\n"), "echo one\n");
    assert_eq!(shell("RUN cat <<EOF > /x && echo\nCOPY . /\nEOF\n"), "cat <<EOF > /x && echo\nCOPY . /\nEOF\n");
    assert_eq!(shell("RUN <<A cat; cat <<B\none\nA\ntwo\nB\n"), "<<A cat; cat <<B\none\nA\ntwo\nB\n");
    for line in ["cat <<< here", "echo $((1<<2))", "echo '<<EOF'", "echo \\<<EOF", "a << 1"] {
        assert_eq!(shell(&format!("RUN {line}")), line);
    }
    let Action::Copy(copy) = action("COPY <<EOF <<\"TWO\" a /x/\n$one\nEOF\n$two\nTWO\n") else { panic!() };
    let document = |name: &str, content: &str, expand| Source::Document(Document { name: name.into(), content: content.into(), expand });
    let path = Source::Path("a".into());
    assert_eq!(copy.sources, [document("EOF", "$one\n", true), document("TWO", "$two\n", false), path]);
    let after = parse("FROM x\nRUN cat <<EOF >x\none\n\nEOF\nUSER y\n");
    assert_eq!(
        after.instructions.iter().map(|it| (it.line, it.text.as_str())).collect::<Vec<_>>(),
        [(2, "RUN cat <<EOF >x"), (6, "USER y")]
    );
}

/// GEN-09, GEN-10, GEN-11, GEN-12.
#[test]
fn what_an_extension_may_write() {
    let mut warnings = Vec::new();
    let mut check = |kind: Kind, text: &str| {
        Dockerfile::parse(text)
            .and_then(|file| file.check(kind, &mut |line| warnings.push(line.to_string())))
            .map(|effect| (effect.switches_to.unwrap_or_default(), effect.extends))
            .map_err(|error| error.to_string())
    };
    let no_arg = "build.Dockerfile did not start with required ARG command";
    for (text, expected) in [
        ("ARG base_image\nFROM ${base_image}\n", Ok(false)),
        ("ARG base_image=x\nFROM ${base_image}\nRUN a\n", Ok(true)),
        ("FROM ${base_image}", Err(no_arg)),
        ("ARG base_image\nARG other\nFROM ${base_image}", Err(no_arg)),
        ("ARG other\nFROM ${base_image}", Err(no_arg)),
        ("", Err(no_arg)),
        ("ARG base_image", Err("build.Dockerfile should have at least one stage")),
        ("ARG base_image\nFROM $base_image", Err("build.Dockerfile did not contain required FROM ${base_image} command")),
        ("ARG base_image\nFROM ${base_image}\nFROM x", Err("build.Dockerfile is not permitted to use multistage build")),
    ] {
        let found = check(Kind::Build, text).map(|(_, extends)| extends);
        assert_eq!(found, expected.map_err(str::to_string), "{text}");
    }
    for (text, expected) in [
        ("ARG base_image\nFROM ${base_image}\n", Ok(("", false))),
        ("FROM r.test/run:1\n", Ok(("r.test/run:1", false))),
        ("FROM r.test/run:1\nUSER x\n", Ok(("r.test/run:1", true))),
        ("ARG base_image\nFROM ${base_image}\nUSER x\nHEALTHCHECK NONE\n", Ok(("", true))),
        ("", Err("run.Dockerfile should have at least one stage")),
        ("FROM a AS b\nFROM b", Err("run.Dockerfile is not permitted to use multistage build")),
    ] {
        let found = check(Kind::Run, text);
        assert_eq!(found, expected.map(|(name, extends)| (name.to_string(), extends)).map_err(str::to_string), "{text}");
    }
    assert_eq!(warnings, ["run.Dockerfile command HEALTHCHECK on line 4 is not recommended"]);
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (text, expected) in [
        ("FROM x\n\nRUM a\n", "line 3: unknown instruction 'RUM'"),
        ("RUN a\nFROM x", "line 1: expected FROM"),
        ("FROM x\nCOPY a\n", "line 2: COPY instruction requires at least two arguments"),
        ("FROM x\nRUN cat <<EOF >y\nnever\n", "line 2"),
    ] {
        let error = Dockerfile::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn no_text_takes_long() {
    let started = std::time::Instant::now();
    let long = |piece: &str| piece.repeat(LONGEST / piece.len() - 10);
    for text in [
        format!("FROM x\nRUN a {}", long("\\\n")),
        format!("FROM x\nRUN {}", long("<<A ")),
        format!("FROM x\n{}", long("RUN cat <<A\nA\n")),
        format!("FROM x\nCMD [{}", long("\"a\",")),
        format!("FROM x\n{}", long("ONBUILD ")),
        long("#\n"),
        long("ARG a\n"),
        "x".repeat(LONGEST + 1),
    ] {
        drop(Dockerfile::parse(&text));
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(60), "{:?}", started.elapsed());
}

proptest::proptest! {
    #[test]
    fn no_text_is_fatal(text in "(FROM x\n)?((RUN|COPY|ENV|#escape=`|\\\\\n|<<-?[\"']?E|`|\n|E|ä|\\[\"|\"\\]| |=|\\$\\{|\t)){0,40}") {
        drop(Dockerfile::parse(&text));
    }
}
