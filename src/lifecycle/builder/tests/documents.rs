//! What buildpacks write, and what becomes of it.

use super::*;

/// A script that writes a file into the buildpack's layers folder.
fn writes(file: &str, content: &str) -> String {
    format!("cat > $1/{file} <<'END'\n{content}\nEND\n")
}

/// A build of one buildpack that writes `launch.toml`.
fn launch(api: &str, content: &str, platform_api: u64) -> (World, Built) {
    let world = World::new(&[("a", &writes("launch.toml", content))]);
    world.describe("a", api, "");
    let built = world.build_with(&["a"], "", &Case { platform_api, ..Case::default() });
    (world, built)
}

/// BLD-03, BLD-04, BLD-05, BLD-06: where a program runs, and what it is told, by the Buildpack API that it speaks.
#[test]
fn programs_are_told_what_their_api_says() {
    let script = "touch $1/there; echo $(pwd) $1 $2 $3; env | sed -n 's/^CNB_//p' | sort";
    let old = ["BUILDPACK_DIR=B"];
    let since_08 = ["BP_PLAN_PATH=P", "BUILDPACK_DIR=B", "LAYERS_DIR=L", "PLATFORM_DIR=D"];
    let target = ["TARGET_ARCH=arm64", "TARGET_DISTRO_NAME=debian", "TARGET_DISTRO_VERSION=13", "TARGET_OS=linux"];
    let exec_env = ["EXEC_ENV=production"];
    for (api, expected) in [
        ("0.7", [&old[..], &[], &[]].concat()),
        ("0.8", [&since_08[..], &[], &[]].concat()),
        ("0.10", [&since_08[..], &target, &[]].concat()),
        ("0.12", [&since_08[..], &target, &exec_env].concat()),
    ] {
        let world = World::new(&[("x/y", script)]);
        world.describe("x/y", api, "").file("platform/env/CNB_LAYERS_DIR", "/elsewhere");
        let mut case = Case { target: Target { os: "linux".into(), arch: "arm64".into(), ..Target::default() }, ..Case::default() };
        case.target.add_distro(Some(("debian".into(), "13".into())));
        let built = world.build_with(&["x/y"], "", &case);
        built.result.unwrap();
        let (app, platform) = (world.path("app").canonicalize().unwrap(), world.path("platform"));
        let (layers, root) = (world.path("layers/x_y"), world.path("buildpacks/x_y/1"));
        let plan = built.lines[0].split(' ').next_back().unwrap().to_string();
        assert_eq!(built.lines[0], format!("{} {} {} {plan}", app.display(), layers.display(), platform.display()));
        let shorter = |line: &String| {
            let places = [
                (layers.display().to_string(), "L"),
                (root.display().to_string(), "B"),
                (platform.display().to_string(), "D"),
                (plan.clone(), "P"),
            ];
            places.iter().fold(line.clone(), |line, (path, letter)| line.replace(&format!("={path}"), &format!("={letter}")))
        };
        let mut expected: Vec<String> = expected.into_iter().map(str::to_string).collect();
        if api == "0.7" {
            expected.push("LAYERS_DIR=/elsewhere".into());
        }
        expected.sort();
        assert_eq!(built.lines[1..].iter().map(shorter).collect::<Vec<_>>(), expected, "{api}");
        assert!(world.path("layers/x_y/there").exists());
    }
}

/// BLD-08, BLD-09, BLD-10: what is not marked unmet is gone for later buildpacks; what is, goes to the next provider.
#[test]
fn plans_shrink_as_buildpacks_meet_them() {
    let show = "if test -s $3; then grep name $3; else echo nothing; fi";
    let world = World::new(&[("a", &format!("{show}; {}", writes("build.toml", "[[unmet]]\nname = 'y'"))), ("b", show), ("c", show)]);
    let entry = |name: &str| {
        let providers: String = ["a", "b", "c"].map(|id| format!("[[entries.providers]]\nid = '{id}'\n")).concat();
        format!(
            "[[entries]]\n{providers}[[entries.requires]]\nname = '{name}'\n[[entries.requires]]\nname = '{name}'\n[entries.requires.metadata]\nk = 1\n"
        )
    };
    let (result, lines) = world.build(&["a", "b", "c"], &format!("{}{}", entry("x"), entry("y")));
    result.unwrap();
    let names: Vec<&str> = lines.iter().map(|line| line.trim_start_matches("name = ").trim_matches('"')).collect();
    assert_eq!(names, ["x", "x", "y", "y", "y", "y", "nothing"]);
    for (content, expected) in [
        ("[[unmet]]\nname = 'other'", "unmet.name 'other' must match a requested dependency"),
        ("[[unmet]]", "unmet.name is required"),
        ("unmet = 1", "build.toml is not what it should be"),
    ] {
        let world = World::new(&[("a", &writes("build.toml", content))]);
        assert!(why(world.build(&["a"], &entry("x")).0).contains(expected), "{content}");
    }
}

/// BLD-11, BLD-12, BLD-13, BLD-14, BLD-32: layers for nothing are put aside before the next buildpack runs; restored ones are seen.
#[test]
fn layers_are_what_their_types_say() {
    let first = "cat $1/restored.toml; mkdir $1/none $1/kept $1/launch $1/store; touch $1/none.toml $1/gone.toml $1/store.toml\nprintf '[types]\\ncache = true\\n' > $1/kept.toml";
    let world = World::new(&[("a", first), ("b", "ls $1/../a")]);
    world.file("layers/a/restored.toml", "# restored").file("layers/a/restored/file", "");
    let (result, lines) = world.build(&["a", "b"], "");
    result.unwrap();
    let expected =
        ["# restored", "gone.toml", "kept", "kept.toml", "launch", "none.ignore", "none.toml", "restored.ignore", "restored.toml"];
    assert_eq!(lines[..9], expected);
    assert_eq!(lines[9..], ["store", "store.toml"]);
    let world = World::new(&[("a", &writes("l.toml", "launch = true"))]);
    let path = world.path("layers/a/l.toml");
    let message = format!("the launch, cache and build flags should be in the types table of {}", path.display());
    assert!(why(world.build(&["a"], "").0).ends_with(&message));
}

/// BLD-16, BLD-22, BLD-23, BLD-24, BLD-25, BLD-26, BLD-31, FMT-17, FMT-18: metadata.toml, read by somebody else's reader.
#[test]
fn metadata_toml_is_what_launcher_and_exporter_read() {
    let content = "[[processes]]\ntype = 'web'\ncommand = ['run', 'it']\nargs = ['now']\ndefault = true\nworking-dir = '/w'\n\
        [[processes]]\ntype = 'job'\ncommand = ['j']\nexec-env = ['test']\n[[labels]]\nkey = 'k'\nvalue = 'v'\n[[slices]]\npaths = ['s']";
    for (platform_api, web) in [
        (15, "{'type': 'web', 'command': ['run', 'it'], 'args': ['now'], 'direct': True, 'buildpack-id': 'a', 'working-dir': '/w'}"),
        (9, "{'type': 'web', 'command': 'run', 'args': ['it', 'now'], 'direct': True, 'buildpack-id': 'a', 'working-dir': '/w'}"),
    ] {
        let (world, built) = launch("0.12", content, platform_api);
        built.result.unwrap();
        let reader = "import tomllib, sys; d = tomllib.load(open(sys.argv[1], 'rb'))\nfor k in sorted(d): print(k, d[k] if k != 'processes' else d[k][1])\nprint([p['type'] for p in d['processes']], d['processes'][0].get('exec-env'))";
        let output =
            std::process::Command::new("python3").args(["-c", reader]).arg(world.path("layers/config/metadata.toml")).output().unwrap();
        let expected = [
            "buildpack-default-process-type web",
            "buildpacks [{'id': 'a', 'version': '1', 'api': '0.12'}]",
            "extensions [{'id': 'ext', 'version': '2', 'api': '0.10'}]",
            "labels [{'key': 'k', 'value': 'v'}]",
            &format!("processes {web}"),
            "slices [{'paths': ['s']}]",
            "['job', 'web'] ['test']",
        ];
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().collect::<Vec<_>>(), expected, "{platform_api} {output:?}");
    }
    let (world, _) = launch("0.12", "", 15);
    assert!(world.read("layers/config/metadata.toml").contains("processes = []"));
}

/// BLD-20, BLD-21: which process is the default when several buildpacks name one.
#[test]
fn the_last_default_counts_unless_it_is_taken_back() {
    let process = |kind: &str, default: bool| format!("[[processes]]\ntype = '{kind}'\ncommand = ['x']\ndefault = {default}\n");
    for (first, second, default, warned) in [
        (process("web", true), process("job", true), Some("job"), ""),
        (process("web", true), process("job", false), Some("web"), ""),
        (
            process("web", true),
            process("web", false),
            None,
            "redefining the following default process type with a process not marked as default: web",
        ),
        (
            process("web", false) + &process("web", true),
            String::new(),
            Some("web"),
            "has the process type `web` more than once; the last one counts",
        ),
    ] {
        let world = World::new(&[("a", &writes("launch.toml", &first)), ("b", &writes("launch.toml", &second))]);
        let built = world.build_with(&["a", "b"], "", &Case::default());
        assert_eq!(built.result.unwrap().default_process_type.as_deref(), default, "{first}{second}");
        assert!(built.warnings.concat().ends_with(warned) && built.warnings.is_empty() == warned.is_empty(), "{:?}", built.warnings);
    }
}

/// BLD-17, BLD-28, BLD-29: old APIs.
#[test]
fn old_bills_of_materials_and_working_directories() {
    let bom = "[[bom]]\nname = 'jre'\n[bom.metadata]\nversion = '8'\n";
    let (world, built) = launch("0.8", bom, 9);
    built.result.unwrap();
    assert!(built.warnings[0].contains("deprecated"), "{:?}", built.warnings);
    let expected = "[{\"name\":\"jre\",\"metadata\":{\"version\":\"8\"},\"buildpack\":{\"id\":\"a\",\"version\":\"1\"}}]\n";
    assert_eq!(world.read("layers/sbom/launch/sbom.legacy.json"), expected);
    assert_eq!(world.read("layers/sbom/build/sbom.legacy.json"), "null\n");
    assert!(!world.read("layers/config/metadata.toml").contains("bom"));
    let (world, built) = launch("0.8", bom, 8);
    built.result.unwrap();
    assert!(world.read("layers/config/metadata.toml").contains("[[bom]]") && !world.path("layers/sbom").exists());
    let (_, built) = launch("0.8", "[[bom]]\nname = 'jre'\nversion = '8'", 15);
    assert!(why(built.result).contains("bom entry 'jre' has a top level version which is not allowed"));
    let (_, built) = launch("0.7", "[[processes]]\ntype = 'a'\ncommand = 'x'\nworking-dir = '/w'", 15);
    assert_eq!((built.result.unwrap().processes[0].working_dir.clone(), built.warnings.len()), (None, 1));
}

/// SBOM-08, SBOM-02: SBOM files are copied when all have built, from Platform API 0.8 on; one that is not declared ends the build at once.
#[test]
fn sbom_files_are_copied_at_the_end() {
    let script = "touch $1/launch.sbom.cdx.json; ls $1/../sbom 2>/dev/null || echo none";
    let world = World::new(&[("a", script), ("b", script)]);
    let formats = "sbom-formats = ['application/vnd.cyclonedx+json']";
    world.describe("a", "0.12", formats).describe("b", "0.12", formats);
    let built = world.build_with(&["a", "b"], "", &Case { platform_api: 7, ..Case::default() });
    built.result.unwrap();
    assert!(built.lines == ["none", "none"] && !world.path("layers/sbom").exists());
    world.build(&["a", "b"], "").0.unwrap();
    assert!(world.path("layers/sbom/launch/a/sbom.cdx.json").exists() && world.path("layers/sbom/launch/b/sbom.cdx.json").exists());
    world.describe("a", "0.12", "");
    let (result, lines) = world.build(&["a", "b"], "");
    assert!(why(result).ends_with("undeclared SBOM media type: 'application/vnd.cyclonedx+json'"));
    assert_eq!(lines.len(), 1);
}
