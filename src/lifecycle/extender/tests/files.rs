//! Arguments, and files from the context.

use super::*;
use crate::archive::{Entry as TarEntry, TarWriter};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// EXT-04, EXT-05.
#[test]
fn arguments_have_their_scope() {
    let world = World::new();
    let text = "ARG GIVEN\nARG ABSENT\nARG DEFAULT=x$GIVEN OTHER\nARG user_id\nARG group_id\nARG base_image\nRUN one\nENV GIVEN=env DEFAULT=\"$DEFAULT!\"\nRUN [\"two\"]\nUSER cnb\nSHELL [\"/bin/bash\", \"-c\"]\nWORKDIR /place\nWORKDIR new/\nRUN three\n";
    let extended = world.extend(&[text]).unwrap();
    let [one, two, three] = extended.programs.as_slice() else { panic!() };
    assert_eq!(one.arguments, ["/bin/sh", "-c", "one"]);
    assert_eq!((one.user, one.directory.as_path()), ((1002, 1000), Path::new("/")));
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(
        variables(one),
        [
            "BASE=of the image",
            "DEFAULT=xby the extension",
            "GIVEN=by the extension",
            "HOME=/home/cnb",
            path,
            "base_image=r@sha256:1",
            "group_id=1000",
            "http_proxy=p",
            "user_id=1002"
        ]
    );
    assert_eq!(two.arguments, ["two"]);
    assert!(variables(two).contains(&"GIVEN=env".to_string()) && variables(two).contains(&"DEFAULT=xby the extension!".to_string()));
    assert_eq!((three.arguments[0].to_str(), three.directory.to_str()), (Some("/bin/bash"), Some("/place/new")));
    assert_eq!(world.members(&extended.image.layers[0]), ["5 755 0:0 place", "5 755 1002:1000 place/new"]);
    assert_eq!(extended.image.config.config.env.unwrap(), ["BASE=of the image", "GIVEN=env", "DEFAULT=xby the extension!"]);
}

#[test]
fn files_go_where_docker_puts_them() {
    let world = World::new();
    for (text, expected) in [
        ("COPY a.txt /new/", vec!["5 755 0:0 new", "0 644 0:0 new/a.txt"]),
        ("COPY a.txt /new/file", vec!["5 755 0:0 new", "0 644 0:0 new/file"]),
        ("COPY a.txt /place", vec!["5 755 0:0 place", "0 644 0:0 place/a.txt"]),
        ("COPY a.txt /bin", vec!["5 755 0:0 usr", "5 755 0:0 usr/bin", "0 644 0:0 usr/bin/a.txt"]),
        ("COPY *.txt /bin/", vec!["5 755 0:0 usr", "5 755 0:0 usr/bin", "0 644 0:0 usr/bin/a.txt", "0 644 0:0 usr/bin/b.txt"]),
        ("COPY [\"a.txt\", \"/with blank\"]", vec!["0 644 0:0 with blank"]),
        (
            "COPY --chown=cnb:staff --chmod=0700 dir /x",
            vec!["5 700 1002:50 x", "0 700 1002:50 x/c", "5 700 1002:50 x/sub", "0 700 1002:50 x/sub/d"],
        ),
        ("COPY --chown=cnb dir/sub /place/sub", vec!["5 755 0:0 place", "5 755 1002:1000 place/sub", "0 644 1002:1000 place/sub/d"]),
        ("COPY --chown=7 ./dir/../dir/c /c", vec!["0 644 7:7 c"]),
        ("ENV D=dir\nWORKDIR /place\nCOPY $D/c .", vec!["5 755 0:0 place", "0 644 0:0 place/c"]),
        ("COPY <<EOF /doc\n\"$BASE\" 'x'\nEOF\n", vec!["0 644 0:0 doc"]),
    ] {
        assert_eq!(world.layer(text), expected, "{text}");
    }
    assert_eq!(fs::read_to_string(world.path("root/doc")).unwrap(), "\"of the image\" 'x'\n");
}

#[test]
fn archives_are_unpacked_by_add_only() {
    let world = World::new();
    let mut tar = TarWriter::new(Vec::new());
    tar.append(&TarEntry::directory("d", 0o750, 5, 6, 1), std::io::empty()).unwrap();
    tar.append(&TarEntry::file("d/f", 1, 0o4755, 5, 6, 1), b"x".as_slice()).unwrap();
    tar.append(&TarEntry::symlink("d/l", "f", 0, 0, 1), std::io::empty()).unwrap();
    let tar = tar.finish().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &tar).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    std::io::Write::write_all(&mut xz, &tar).unwrap();
    let names = ["plain.tar", "gzip.tgz", "xz.tar.xz", "zstd.tar.zst"];
    for (name, bytes) in
        names.into_iter().zip([tar.clone(), gzip.finish().unwrap(), xz.finish().unwrap(), zstd::encode_all(tar.as_slice(), 1).unwrap()])
    {
        fs::write(world.path("context").join(name), bytes).unwrap();
        let expected = ["5 755 0:0 o", "5 750 5:6 o/d", "0 4755 5:6 o/d/f", "2 777 0:0 o/d/l f"];
        assert_eq!(world.layer(&format!("ADD {name} /o/")), expected, "{name}");
        fs::remove_dir_all(world.path("root/o")).unwrap();
    }
    assert_eq!(world.layer("COPY plain.tar /p"), ["0 644 0:0 p"]);
    assert_eq!(world.layer("ADD a.txt /q"), ["0 644 0:0 q"]);
    let mut hostile = TarWriter::new(Vec::new());
    hostile.append(&TarEntry::symlink("out", "/etc", 0, 0, 1), std::io::empty()).unwrap();
    hostile.append(&TarEntry::file("out/passwd", 1, 0o644, 0, 0, 1), b"x".as_slice()).unwrap();
    fs::write(world.path("context/hostile.tar"), hostile.finish().unwrap()).unwrap();
    assert!(world.extend(&["ADD hostile.tar /h/"]).is_err());
    fs::write(world.path("context/b.bz2"), b"BZh91AY").unwrap();
    assert!(world.refused("ADD b.bz2 /").contains("bzip2"));
}

#[test]
fn what_the_context_leaves_out_cannot_be_copied() {
    let world = World::new();
    fs::write(world.path("context/.dockerignore"), "# comment\n*.txt\n!b.txt\ndir/**\n!dir/sub/d\n").unwrap();
    symlink("/etc/passwd", world.path("context/outside")).unwrap();
    symlink("b.txt", world.path("context/inside")).unwrap();
    assert_eq!(world.layer("COPY *.txt /"), ["0 644 0:0 b.txt"]);
    assert_eq!(world.layer("COPY dir /y"), ["5 755 0:0 y", "5 755 0:0 y/sub", "0 644 0:0 y/sub/d"]);
    assert_eq!(world.layer("COPY inside /z"), ["0 644 0:0 z"]);
    assert!(world.refused("COPY a.txt /").contains("`a.txt` is not in the context"));
    assert!(world.refused("COPY ../store/index.json /").contains("is not in the context"));
    assert!(world.refused("COPY outside /").contains("`outside` leads out of the context"));
}
