//! Instructions in a root file system that is a plain folder, and on the file system of a container.

use super::*;
use crate::archive::{Entry as TarEntry, Ownership, TarWriter, decompressed, unpack};
use crate::image::Layer;
use crate::store::Store;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// A root file system in a folder; what its programs would do is not its matter.
struct Folder<'a> {
    root: PathBuf,
    store: &'a Store,
    programs: Vec<Program>,
}

impl Root for Folder<'_> {
    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        let path = self.root.join(path.strip_prefix("/").unwrap());
        let Ok(status) = fs::symlink_metadata(&path) else { return Ok(None) };
        let kind = match status.file_type() {
            kind if kind.is_dir() => EntryKind::Folder,
            kind if kind.is_symlink() => EntryKind::Link(fs::read_link(&path).unwrap()),
            _ => EntryKind::File,
        };
        Ok(Some(Entry { kind, mode: status.mode() & 0o7777, uid: 0, gid: 0 }))
    }

    fn text(&self, path: &Path) -> Result<String> {
        Ok(fs::read_to_string(self.root.join(path.strip_prefix("/").unwrap())).unwrap())
    }

    fn add(&mut self, layer: &Layer) -> Result<()> {
        unpack(decompressed(self.store.blob(&layer.blob.digest)?)?, &self.root, Ownership::Squash, &mut std::io::sink())
    }

    fn run(&mut self, program: &Program) -> Result<Option<Layer>> {
        self.programs.push(program.clone());
        Ok(None)
    }
}

/// An image, a context, and a store.
struct World {
    folder: tempfile::TempDir,
    store: Store,
    image: Image,
    kind: Kind,
}

/// What became of a Dockerfile.
struct Extended {
    image: Image,
    programs: Vec<Program>,
    said: Vec<String>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["root/etc", "root/usr/bin", "root/place", "context/dir/sub"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for (file, content) in [
            ("root/etc/passwd", "root:x:0:0::/root:/bin/sh\ncnb:x:1002:1000::/home/cnb:/bin/sh\n"),
            ("root/etc/group", "root:x:0:\nstaff:x:50:\n"),
            ("root/place/there", ""),
            ("context/a.txt", "a"),
            ("context/b.txt", "b"),
            ("context/dir/c", "c"),
            ("context/dir/sub/d", "d"),
        ] {
            let path = folder.path().join(file);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        for name in ["root/etc", "root/usr", "root/usr/bin", "root/place", "context/dir", "context/dir/sub"] {
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        symlink("usr/bin", folder.path().join("root/bin")).unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let mut image = Image::default();
        image.config.config.user = "1002:1000".into();
        image.config.set_variable("BASE", "of the image");
        Self { folder, store, image, kind: Kind::Build }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn steps(&self) -> Steps<'_> {
        Steps { store: &self.store, longest: Duration::from_secs(60) }
    }

    fn extend(&self, dockerfiles: &[&str]) -> Result<Extended> {
        self.extend_with(dockerfiles, self.steps())
    }

    fn extend_with(&self, dockerfiles: &[&str], steps: Steps) -> Result<Extended> {
        let applied = dockerfiles.iter().enumerate().map(|(number, text)| Applied {
            extension: format!("acme/e{number}"),
            path: PathBuf::from(format!("/generated/{number}/Dockerfile")),
            dockerfile: Dockerfile::parse(&format!("ARG base_image\nFROM ${{base_image}}\n{text}")).unwrap(),
            arguments: vec![Argument { name: "GIVEN".into(), value: "by the extension".into() }],
            context: self.path("context"),
        });
        let applied: Vec<Applied> = applied.collect();
        let said = Mutex::new(Vec::new());
        let log = |level: Level, line: &str| {
            if level == Level::Warning {
                said.lock().unwrap().push(line.to_string());
            }
        };
        let mut root = Folder { root: self.path("root"), store: &self.store, programs: Vec::new() };
        let proxies = [("http_proxy".to_string(), "p".to_string())];
        let request =
            Extend { kind: self.kind, dockerfiles: &applied, image: &self.image, reference: "r@sha256:1", proxies: &proxies, steps };
        let image = extend(&request, &mut root, &log)?;
        Ok(Extended { image, programs: root.programs, said: said.into_inner().unwrap() })
    }

    fn refused(&self, dockerfile: &str) -> String {
        let error = self.extend(&[dockerfile]).err().unwrap_or_else(|| panic!("{dockerfile}"));
        assert_eq!(error.exit_code(), 102);
        error.causes().last().unwrap().clone()
    }

    /// The members of a layer: type, mode, owner, path, target.
    fn members(&self, layer: &Layer) -> Vec<String> {
        let mut tar = tar::Archive::new(decompressed(self.store.blob(&layer.blob.digest).unwrap()).unwrap());
        let members = tar.entries().unwrap().map(|member| {
            let member = member.unwrap();
            let header = member.header();
            assert_eq!(header.mtime().unwrap(), TarEntry::NORMAL_TIME);
            let link = member.link_name_bytes().map(|link| format!(" {}", String::from_utf8_lossy(&link))).unwrap_or_default();
            let path = String::from_utf8_lossy(&member.path_bytes()).into_owned();
            let kind = char::from(header.entry_type().as_byte());
            format!("{kind} {:o} {}:{} {path}{link}", header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap())
        });
        members.collect()
    }

    /// The members of the only layer that a Dockerfile makes.
    fn layer(&self, dockerfile: &str) -> Vec<String> {
        let image = self.extend(&[dockerfile]).unwrap().image;
        assert_eq!(image.layers.len(), 1, "{dockerfile}");
        self.members(&image.layers[0])
    }
}

fn variables(program: &Program) -> Vec<String> {
    program.environment.iter().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect()
}

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

#[test]
fn what_is_not_offered_is_refused_and_says_why() {
    let world = World::new();
    for (text, expected) in [
        ("RUN --mount=type=cache,target=/x a", "`RUN --mount=type=cache,target=/x` is not offered"),
        ("RUN --network=none a", "`RUN --network=none` is not offered"),
        ("RUN <<EOF\n#!/usr/bin/env python3\nEOF\n", "a here-document that names its own interpreter is not offered"),
        ("ADD https://x.test/y /y", "`https://x.test/y` is not on this machine, and nothing is downloaded for ADD"),
        ("COPY --from=other a /b", "files cannot be copied from another image or stage"),
        ("COPY --parents a /b", "the option `--parents` is not offered"),
        ("COPY --chown=ann a.txt /b", "the image has no user `ann`"),
        ("COPY --chmod=u+x a.txt /b", "`--chmod=u+x` is not an octal mode"),
        ("COPY a.txt b.txt /b", "with more than one source file, the destination must be a directory and end with a /"),
        ("COPY dir /place/there", "cannot copy a folder over the file `/place/there`"),
        ("COPY a.txt /place/there/x", "`/place/there` is not a folder"),
        ("USER $NOBODY", "`$NOBODY` is empty once its variables are replaced"),
        ("EXPOSE 70000", "`70000` is not a port"),
        ("HEALTHCHECK --interval=often CMD x", "`--interval=often` is not understood"),
        ("ENV x", "`x` has no value"),
        ("USER ann\nRUN x", "the image has no user `ann`"),
    ] {
        assert_eq!(world.refused(text), expected, "{text}");
    }
}

#[test]
fn the_configuration_is_what_docker_writes() {
    let world = World::new();
    let text = "CMD [\"old\"]\nENTRYPOINT [\"/x\", \"y\"]\nCMD z $BASE\nEXPOSE 80 53/udp 8000-8001\nVOLUME /v /w\nVOLUME [\"/v x\"]\nSTOPSIGNAL SIGINT\nHEALTHCHECK --interval=1m30s --retries=3 CMD curl x\nMAINTAINER Ann\nONBUILD RUN a\nLABEL a=\"$BASE\" b=c\nUSER 7:8\n";
    let image = world.extend(&[text]).unwrap().image;
    let config = serde_json::to_value(&image.config).unwrap();
    insta::assert_snapshot!(serde_json::to_string(&config["config"]).unwrap(), @r#"{"Cmd":["/bin/sh","-c","z $BASE"],"Entrypoint":["/x","y"],"Env":["BASE=of the image"],"ExposedPorts":{"53/udp":{},"80/tcp":{},"8000/tcp":{},"8001/tcp":{}},"Healthcheck":{"Interval":90000000000,"Retries":3,"Test":["CMD-SHELL","curl x"]},"Labels":{"a":"of the image","b":"c","io.buildpacks.rebasable":"false"},"OnBuild":["RUN a"],"StopSignal":"SIGINT","User":"7:8","Volumes":{"/v":{},"/v x":{},"/w":{}}}"#);
    assert_eq!((image.config.author.as_str(), image.config.created.as_str()), ("Ann", "0001-01-01T00:00:00Z"));
    let mut with_command = World::new();
    with_command.image.config.config.cmd = Some(vec!["inherited".into()]);
    let image = with_command.extend(&["ENTRYPOINT x"]).unwrap().image;
    assert_eq!((image.config.config.cmd, image.config.config.entrypoint.unwrap()[2].as_str()), (None, "x"));
    assert_eq!(world.extend(&["HEALTHCHECK NONE"]).unwrap().image.config.config.healthcheck.unwrap().to_string(), r#"{"Test":["NONE"]}"#);
}

/// EXT-12, EXT-13, EXT-14, EXT-15.
#[test]
fn who_may_rebase_and_who_runs() {
    let mut world = World::new();
    world.kind = Kind::Run;
    world.image.set_label(REBASABLE, "false");
    let yes = "LABEL io.buildpacks.rebasable=true\n";
    let rebasable = |dockerfiles: &[&str]| world.extend(dockerfiles).unwrap().image.label(REBASABLE).unwrap().to_string();
    assert_eq!(rebasable(&[]), "false");
    assert_eq!(rebasable(&[yes]), "true");
    assert_eq!(rebasable(&[yes, "LABEL io.buildpacks.rebasable=1"]), "true");
    assert_eq!(rebasable(&["USER 1", yes]), "false");
    assert_eq!(rebasable(&["LABEL io.buildpacks.rebasable=perhaps"]), "false");
    assert_eq!(world.extend(&[]).unwrap().image.config.created, "");
    let copied = world.extend(&["COPY   a.txt /"]).unwrap().image;
    assert_eq!(copied.layers[0].history.created_by, "Layer: 'COPY   a.txt /', Created by extension: acme/e0");
    let error = world.extend(&["USER root"]).err().unwrap();
    assert_eq!(error.exit_code(), 102);
    assert!(error.to_string().starts_with("the final user ID is 0 (root)"));
    let said = world.extend(&["USER 0", "ARG user_id\nUSER 5$user_id"]).unwrap().said;
    assert_eq!(said.len(), 2);
    assert!(said[0].contains("changed the user ID from 1002 to 0") && said[1].contains("was 1002 but"), "{said:?}");
    world.kind = Kind::Build;
    assert!(world.extend(&["USER root"]).is_ok());
}

/// EXT-08.
#[test]
fn results_are_used_again_until_something_differs() {
    let world = World::new();
    let ran = |text: &str| world.extend(&[text]).unwrap().programs.len();
    let text = "COPY a.txt /\nRUN one\nRUN two\n";
    assert_eq!((ran(text), ran(text)), (2, 0));
    assert_eq!(ran("COPY a.txt /\nRUN one\nRUN three\n"), 1);
    assert_eq!(ran("ENV X=y\nCOPY a.txt /\nRUN one\n"), 1);
    fs::write(world.path("context/a.txt"), "other").unwrap();
    assert_eq!(ran(text), 2);
    assert_eq!(ran("ARG build_id\nRUN four\n"), 1);
    assert_eq!(ran("ARG build_id\nRUN four\n"), 0);
    let each_time = "ARG build_id\nRUN four\nRUN echo ${build_id}\nENV ID=$build_id\nRUN five\n";
    assert_eq!((ran(each_time), ran(each_time)), (2, 2));
    assert_eq!(ran("ARG DEFAULT=1\nRUN six"), 1);
    assert_eq!(ran("ARG DEFAULT=2\nRUN six"), 1);
    let old = Steps { store: &world.store, longest: Duration::ZERO };
    assert_eq!(world.extend_with(&[text], old).unwrap().programs.len(), 2);
    let named = || world.store.list().unwrap().len();
    assert!(named() > 5);
    old.forget_old().unwrap();
    assert_eq!(named(), 0);
}

#[test]
fn the_same_files_make_the_same_layer() {
    let layer = || {
        let world = World::new();
        let file = fs::File::options().write(true).open(world.path("context/a.txt")).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(rand::random::<u32>().into())).unwrap();
        world.extend(&["COPY . /copied/"]).unwrap().image.layers[0].blob.digest.clone()
    };
    assert_eq!(layer(), layer());
}
