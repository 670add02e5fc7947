//! The environment that buildpacks make for those after them.

use super::*;

/// A buildpack that prints the values of these variables, `-` where one is not set.
fn prints(names: &[&str]) -> String {
    names.iter().map(|name| format!("echo {name} $(printenv {name} || echo -)\n")).collect()
}

fn printed(world: &World, ids: &[&str], case: &Case) -> Vec<String> {
    let built = world.build_with(ids, "", case);
    built.result.unwrap();
    let root = world.path("layers").display().to_string();
    built.lines.iter().map(|line| line.replace(&root, "").replace(":/usr/bin:/bin", ":$")).collect()
}

/// ENV-01, ENV-02: nothing else of the lifecycle's own environment is seen.
#[test]
fn few_variables_of_the_lifecycle_are_seen() {
    let names = ["HOME", "HOSTNAME", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "CNB_STACK_ID"];
    let more = ["CPATH", "LIBRARY_PATH", "PKG_CONFIG_PATH", "LD_LIBRARY_PATH", "FOO", "CNB_REGISTRY_AUTH", "BP_X", "LANG"];
    let world = World::new(&[("a", &prints(&[&names[..], &more[..]].concat()))]);
    let environment = names.iter().chain(&more).map(|name| (*name, "x")).collect();
    let lines = printed(&world, &["a"], &Case { environment, ..Case::default() });
    let unseen: Vec<&str> = lines.iter().filter_map(|line| line.strip_suffix(" -")).collect();
    assert_eq!(unseen, more[4..]);
    assert_eq!(lines.iter().filter(|line| line.ends_with(" x")).count(), names.len() + 4);
}

/// ENV-03, ENV-04, ENV-05, ENV-06, ENV-12, ENV-27: folders of layers, layer by layer in order of their names.
#[test]
fn layers_add_their_folders_and_then_their_variables() {
    let script =
        "for l in node node-modules; do mkdir -p $1/$l/bin $1/$l/env $1/$l/env.build; printf '[types]\\nbuild = true\\n' > $1/$l.toml; done
mkdir $1/node/lib $1/node/include $1/node/pkgconfig; mkdir -p $1/launch-only/bin; printf '[types]\\nlaunch = true\\n' > $1/launch-only.toml
printf one > $1/node/env/V; printf +build > $1/node/env.build/V.append; printf +two > $1/node-modules/env/V.append
printf over > $1/node-modules/env.build/W; printf no > $1/node/env/W";
    let names = ["PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "PKG_CONFIG_PATH", "V", "W"];
    let world = World::new(&[("a", script), ("b", &prints(&names))]);
    let expected = [
        "PATH /a/node-modules/bin:/a/node/bin:$",
        "LD_LIBRARY_PATH /a/node/lib",
        "LIBRARY_PATH /a/node/lib",
        "CPATH /a/node/include",
        "PKG_CONFIG_PATH /a/node/pkgconfig",
        "V one+build+two",
        "W over",
    ];
    assert_eq!(printed(&world, &["a", "b"], &Case::default()), expected);
}

/// DESC-05, ENV-13, ENV-14, ENV-15, ENV-16, ENV-17, ENV-19, ENV-20: layers, then the user, then the operator.
#[test]
fn the_user_wins_over_layers_and_the_operator_over_the_user() {
    let script = "mkdir -p $1/l/env; printf '[types]\\nbuild = true\\n' > $1/l.toml; for v in BY_LAYER BY_USER BY_OPERATOR; do printf layer > $1/l/env/$v; done";
    let names = ["PATH", "BY_LAYER", "BY_USER", "BY_OPERATOR", "BY_OPERATOR_DEFAULT", "BP_X", "CNB_BUILDPACK_DIR"];
    let print = format!("{}echo A.B $(grep -zc ^A.B=dotted$ /proc/$$/environ)", prints(&names));
    let world = World::new(&[("a", script), ("b", &print), ("c", &print)]);
    for (name, value) in
        [("PATH", "/user"), ("BY_USER", "user"), ("BY_OPERATOR", "user"), ("BP_X", "x y"), ("A.B", "dotted"), ("CNB_BUILDPACK_DIR", "no")]
    {
        world.file(&format!("platform/env/{name}"), value);
    }
    for (name, value) in [("BY_OPERATOR.override", "operator"), ("BY_USER", "operator"), ("BY_OPERATOR_DEFAULT", "operator")] {
        world.file(&format!("config/env/{name}"), value);
    }
    let root = world.path("buildpacks").display().to_string();
    let shown = |id: &str, seen: [&str; 5], dotted: &str| {
        let mut lines: Vec<String> = names.iter().zip(seen).map(|(name, value)| format!("{name} {value}")).collect();
        lines.push(format!("BP_X {}", if dotted == "A.B 1" { "x y" } else { "-" }));
        lines.push(format!("CNB_BUILDPACK_DIR {root}/{id}/1"));
        lines.push(dotted.into());
        lines
    };
    let seen = ["/user:$", "layer", "user", "operator", "operator"];
    assert_eq!(printed(&world, &["a", "b", "c"], &Case::default()), [shown("b", seen, "A.B 1"), shown("c", seen, "A.B 1")].concat());
    world.describe("b", "0.12", "clear-env = true");
    let lines = printed(&world, &["a", "b"], &Case::default());
    assert_eq!(lines, shown("b", ["/usr/bin:/bin", "layer", "layer", "operator", "operator"], "A.B 0"));
}
