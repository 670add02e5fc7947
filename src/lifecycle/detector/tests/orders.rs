//! Which groups are tried, and in which order.

use super::*;
use crate::buildpack::{Group, OrderEntry, System};
use std::time::Instant;

impl World {
    /// Composite buildpacks, each with its groups as in [`written`].
    fn composites(&self, composites: &[(&str, &str)]) -> &Self {
        for (id, order) in composites {
            self.module("buildpacks", id, "buildpack", &written(order), "");
        }
        self
    }

    /// The groups that are tried where nothing passes, one a line, as `a b?`.
    fn tried(&self, order: &str) -> Vec<String> {
        self.tried_with(order, &Case::default())
    }

    fn tried_with(&self, order: &str, case: &Case) -> Vec<String> {
        let (result, said) = self.detect_with(order, case);
        assert_eq!(result.unwrap_err().exit_code(), 20, "{said}");
        let member = |line: &str| match line.split_once(": ")? {
            ("fail", name) => name.strip_suffix("@1").map(str::to_string),
            ("skip", name) => Some(format!("{}?", name.strip_suffix("@1")?)),
            _ => None,
        };
        let groups = said.split("======== Results ========\n").skip(1);
        groups.map(|lines| lines.lines().filter_map(member).collect::<Vec<_>>().join(" ")).collect()
    }
}

/// DET-02, DET-03, DET-04, DET-05, DESC-06, DESC-07.
#[test]
fn orders_are_written_out_from_left_to_right_and_depth_first() {
    let world = World::new();
    for id in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        world.buildpack(id, "exit 100");
    }
    for id in ["x", "y"] {
        world.module("extensions", id, "extension", "", "exit 100");
    }
    world.composites(&[("o", "a b | c d"), ("p", "g | h"), ("deep", "e p? f | o"), ("twice", "a | a b")]);
    for (order, expected) in [
        ("e o f", &["e a b f", "e c d f"][..]),
        ("o p", &["a b g", "a b h", "c d g", "c d h"]),
        ("e o? f", &["e a b f", "e c d f", "e f"]),
        ("deep", &["e g f", "e h f", "e f", "a b", "c d"]),
        ("deep? | h", &["e g f", "e h f", "e f", "a b", "c d", "h"]),
        ("a? o", &["a? b", "a? c d"]),
        ("twice c", &["a c", "a b c"]),
        ("e o / x y", &["x? y? e a b", "x? y? e c d", "e a b", "e c d"]),
        ("e | f / x", &["x? e", "e", "x? f", "f"]),
        ("", &[]),
    ] {
        assert_eq!(world.tried(order), expected, "{order}");
    }
    let two_extensions = Order::parse(&format!("{}{}", written("o / x"), written("/ y").replace("[[order]]\n", ""))).unwrap();
    let (result, said) = world.detect_order(&two_extensions, &Case::default());
    assert_eq!((result.unwrap_err().exit_code(), said.matches("======== Results").count()), (20, 6));
    let firsts: Vec<&str> = said.split("Results ========\n").skip(1).filter_map(|group| group.lines().next()).collect();
    assert_eq!(firsts, ["skip: x@1", "skip: x@1", "skip: y@1", "skip: y@1", "fail: a@1", "fail: c@1"]);
}

/// DET-05: the first version of an ID counts; an extension may have a buildpack's ID; IDs are equal only letter by letter (DESC-03).
#[test]
fn the_first_of_several_with_one_id_counts() {
    let world = World::new();
    world.buildpack("a", "exit 100").buildpack("A", "exit 100").module("extensions", "a", "extension", "", "exit 100");
    let other = world.path("buildpacks/a/2");
    fs::create_dir_all(other.join("bin")).unwrap();
    fs::write(other.join("buildpack.toml"), "api = '0.12'\n[buildpack]\nid = 'a'\nversion = '2'\n").unwrap();
    let mut order = Order::parse(&written("a A / a")).unwrap();
    order.order[0].group.push(OrderEntry { id: "a".into(), version: "2".into(), ..OrderEntry::default() });
    let (result, said) = world.detect_order(&order, &Case::default());
    assert_eq!(result.unwrap_err().exit_code(), 20);
    let results: Vec<&str> = said.lines().filter(|line| line.contains("@")).collect();
    assert_eq!(results, ["skip: a@1", "fail: a@1", "fail: A@1", "fail: a@1", "fail: A@1"]);
}

/// DET-06: the error shows the circle.
#[test]
fn circles_are_shown() {
    let world = World::new();
    world.buildpack("a", "exit 100").buildpack("b", "true").composites(&[
        ("self", "self"),
        ("one", "a? two"),
        ("two", "a | three"),
        ("three", "a one?"),
    ]);
    world.composites(&[("fine", "shared shared"), ("shared", "b")]);
    for (order, circle) in [
        ("self", "the order goes in a circle: self@1 -> self@1"),
        ("b | two", ""),
        ("three", "the order goes in a circle: three@1 -> one@1 -> two@1 -> three@1"),
    ] {
        let (result, _) = world.detect(order);
        assert_eq!(result.err().map(|error| error.to_string()).unwrap_or_default(), circle, "{order}");
    }
    assert_eq!(names(&world.detect("fine").0.unwrap()), ["b"]);
}

/// Orders of foreign builders may be as long or as deep as they like: neither time nor memory grow with what they stand for.
#[test]
fn long_and_deep_orders_end_soon() {
    let world = World::new();
    world.buildpack("no", "exit 100").buildpack("yes", "true");
    let entry = |id: &str, optional| OrderEntry { id: id.into(), version: "1".into(), optional, ..OrderEntry::default() };
    let started = Instant::now();
    let long = Order { order: vec![Group { group: vec![entry("no", false)] }; 10_000], extensions: vec![] };
    assert_eq!(world.detect_order(&long, &Case::default()).0.unwrap_err().exit_code(), 20);
    let wide = Order { order: vec![Group { group: vec![entry("yes", false); 10_000] }], extensions: vec![] };
    assert_eq!(names(&world.detect_order(&wide, &Case::default()).0.unwrap()), ["yes"]);
    // A chain of composites, each in the next, deeper than any stack of calls.
    for at in 0..2000 {
        let next = if at == 1999 { "yes".to_string() } else { format!("c{}", at + 1) };
        world.composites(&[(&format!("c{at}"), &next)]);
    }
    assert_eq!(names(&world.detect("c0").0.unwrap()), ["yes"]);
    // Thirty places with two ways each stand for a thousand million groups.
    let places: Vec<String> = (0..30).map(|at| format!("m{at}")).collect();
    for (at, id) in places.iter().enumerate() {
        world.composites(&[(id, &format!("n{at} | o{at}"))]);
        for letter in ["n", "o"] {
            world.buildpack(&format!("{letter}{at}"), "exit 100");
        }
    }
    let (result, _) = world.detect(&places.join(" "));
    assert_eq!(result.unwrap_err().to_string(), "the order stands for too many groups: none of the first 100000 passed");
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}

/// DET-38: an optional system buildpack may fail.
#[test]
fn system_buildpacks_are_members_like_others() {
    let world = World::new();
    world.buildpack("a", "true").buildpack("b", "exit 100");
    let text = |optional| format!("[[system.pre.buildpacks]]\nid = 'b'\nversion = '1'\noptional = {optional}\n");
    for (optional, passes) in [(true, true), (false, false)] {
        let order = System::parse(&text(optional)).unwrap().around(Order::parse(&written("a")).unwrap(), &mut |_| ());
        assert_eq!(world.detect_order(&order, &Case::default()).0.is_ok(), passes);
    }
}

/// DESC-08, DESC-10, DET-35, DET-36: execution environments count from Buildpack API 0.12 and Platform API 0.15 on.
#[test]
fn members_for_other_execution_environments_are_left_out() {
    let world = World::new();
    world.buildpack("plain", "exit 100");
    for (id, api, exec_env) in [("test", "0.12", "'test'"), ("all", "0.12", "'*'"), ("none", "0.12", ""), ("old", "0.11", "'test'")] {
        world.buildpack(id, "exit 100");
        let text = format!("api = '{api}'\n[buildpack]\nid = '{id}'\nversion = '1'\nexec-env = [{exec_env}]\n");
        fs::write(world.path(&format!("buildpacks/{id}/1/buildpack.toml")), text).unwrap();
    }
    for (exec_env, platform_api, expected) in [
        ("production", 15, &["all none old", "plain"][..]),
        ("test", 15, &["test all none old", "plain", "test"]),
        ("production", 14, &["test all none old", "plain", "test"]),
    ] {
        let case = Case { exec_env: exec_env.into(), platform_api, ..Case::default() };
        assert_eq!(world.tried_with("test all none old | plain | test", &case), expected, "{exec_env} {platform_api}");
    }
    let mut order = Order::parse(&written("plain all | plain")).unwrap();
    order.order[0].group[0].exec_env = vec!["test".into()];
    let (_, said) = world.detect_order(&order, &Case::default());
    assert_eq!(said.lines().filter(|line| line.starts_with("fail: ")).collect::<Vec<_>>(), ["fail: all@1", "fail: plain@1"]);
}
