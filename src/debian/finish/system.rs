//! The skeleton of a system: merged `/usr`, folders, users, copies of templates.

use super::super::tree::{MERGED, Made, Tree};
use super::Facts;
use crate::archive::Entry;

/// Templates that a script copies, and where to.
pub(super) const COPIES: [(&str, &str); 9] = [
    ("usr/share/base-files/dot.profile", "root/.profile"),
    ("usr/share/base-files/dot.bashrc", "root/.bashrc"),
    ("usr/share/base-files/profile", "etc/profile"),
    ("usr/share/base-files/nsswitch.conf", "etc/nsswitch.conf"),
    ("usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf"),
    ("usr/share/base-files/motd", "etc/motd"),
    ("usr/share/base-files/networks", "etc/networks"),
    ("usr/share/debianutils/shells", "etc/shells"),
    ("usr/share/readline/inputrc", "etc/inputrc"),
];

const FOLDERS: [(&str, u32); 34] = [
    ("boot", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("etc/opt", 0o755),
    ("home", 0o755),
    ("media", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("run/lock", 0o1777),
    ("srv", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/local", 0o755),
    ("usr/local/bin", 0o755),
    ("usr/local/etc", 0o755),
    ("usr/local/games", 0o755),
    ("usr/local/include", 0o755),
    ("usr/local/lib", 0o755),
    ("usr/local/libexec", 0o755),
    ("usr/local/sbin", 0o755),
    ("usr/local/share", 0o755),
    ("usr/local/share/man", 0o755),
    ("usr/local/src", 0o755),
    ("var", 0o755),
    ("var/lib", 0o755),
    ("var/local", 0o2775),
    ("var/mail", 0o2775),
    ("var/opt", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
];

const LINKS: [(&str, &str); 5] = [
    ("usr/local/man", "share/man"),
    ("var/lock", "/run/lock"),
    ("var/run", "/run"),
    ("var/spool/mail", "../mail"),
    ("etc/localtime", "/usr/share/zoneinfo/Etc/UTC"),
];

/// Group `staff` and `mail` own some folders of base-files.
const STAFF: u64 = 50;
const MAIL: u64 = 8;
const SHADOW: u64 = 42;

pub(super) fn finish(tree: &mut Tree, facts: &Facts) {
    let made = &facts.made;
    for name in MERGED {
        if tree.below(&format!("usr/{name}/")).next().is_some() {
            tree.put_link(name, &format!("usr/{name}"), made);
        }
    }
    for (path, mode) in FOLDERS {
        tree.put_directory(path, mode, made);
    }
    own(tree, "var/local", STAFF);
    own(tree, "var/mail", MAIL);
    for (path, target) in LINKS {
        if !tree.has(path) {
            tree.put_link(path, target, made);
        }
    }
    if tree.has("etc/dpkg/origins/debian") {
        tree.put_link("etc/dpkg/origins/default", "debian", made);
    }
    for (from, to) in COPIES {
        if let (Some(content), false) = (tree.content(from).map(<[u8]>::to_vec), tree.has(to)) {
            tree.put_file(to, content, 0o644, made);
        }
    }
    shells(tree, made);
    users(tree, facts);
    network(tree, made);
    python(tree, made);
}

fn own(tree: &mut Tree, path: &str, group: u64) {
    if let Some(node) = tree.nodes.get_mut(path) {
        node.entry.gid = group;
    }
}

/// Packages list their shells in files of their own.
fn shells(tree: &mut Tree, made: &Made) {
    let Some(text) = tree.text("etc/shells") else { return };
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    let fragments: Vec<String> = tree.below("usr/share/debianutils/shells.d/").filter_map(|(path, _)| tree.text(path)).collect();
    for shell in fragments.iter().flat_map(|fragment| fragment.lines()).filter(|line| line.starts_with('/')) {
        if !lines.iter().any(|line| line == shell) {
            lines.push(shell.to_string());
        }
    }
    tree.put_file("etc/shells", lines.join("\n") + "\n", 0o644, made);
}

/// Debian's own users, then the image's.
fn users(tree: &mut Tree, facts: &Facts) {
    let made = &facts.made;
    let master = |tree: &Tree, name: &str| tree.text(&format!("usr/share/base-passwd/{name}.master"));
    let mut passwd = master(tree, "passwd")
        .unwrap_or_else(|| "root:*:0:0:root:/root:/bin/sh\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n".into());
    let mut group = master(tree, "group").unwrap_or_else(|| "root:*:0:\nnogroup:*:65534:\n".into());
    if tree.has("etc/apt") {
        passwd.push_str("_apt:*:42:65534::/nonexistent:/usr/sbin/nologin\n");
    }
    if let Some(user) = facts.base.user(facts.kind) {
        let home = format!("home/{}", user.name);
        passwd.push_str(&format!("{}:*:{}:{}::/{home}:/bin/bash\n", user.name, user.uid, user.gid));
        group.push_str(&format!("{}:*:{}:\n", user.name, user.gid));
        let entry = Entry::directory(home.as_str(), 0o755, u64::from(user.uid), u64::from(user.gid), made.mtime);
        tree.put(&home, entry, None, made);
    }
    let names = |text: &str| text.lines().filter_map(|line| line.split(':').next()).map(str::to_string).collect::<Vec<_>>();
    let shadow: String = names(&passwd).iter().map(|name| format!("{name}:*:19000:0:99999:7:::\n")).collect();
    let gshadow: String = names(&group).iter().map(|name| format!("{name}:*::\n")).collect();
    for (path, content, mode) in [
        ("etc/passwd", passwd.replace(":*:", ":x:"), 0o644),
        ("etc/group", group.replace(":*:", ":x:"), 0o644),
        ("etc/shadow", shadow, 0o640),
        ("etc/gshadow", gshadow, 0o640),
    ] {
        tree.put_file(path, content, mode, made);
        if mode == 0o640 {
            own(tree, path, SHADOW);
        }
    }
}

/// Files that every container engine puts its own over.
fn network(tree: &mut Tree, made: &Made) {
    for (path, content) in
        [("etc/hostname", ""), ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"), ("etc/resolv.conf", ""), ("etc/environment", "")]
    {
        if !tree.has(path) {
            tree.put_file(path, content, 0o644, made);
        }
    }
}

/// Where Debian's Python looks for what an administrator installs.
fn python(tree: &mut Tree, made: &Made) {
    let versions: Vec<String> = tree
        .below("usr/lib/python3.")
        .filter_map(|(path, _)| path.strip_prefix("usr/lib/")?.strip_suffix("/os.py").map(str::to_string))
        .collect();
    for version in versions {
        for path in [format!("usr/local/lib/{version}"), format!("usr/local/lib/{version}/dist-packages")] {
            tree.put_directory(&path, 0o755, made);
        }
    }
}
