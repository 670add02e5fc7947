use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn basic(text: &str) -> Credential {
    Credential::Basic(STANDARD.encode(text))
}

fn given(text: &str) -> Result<Credentials> {
    Credentials::read(Environment { registry_auth: Some(text.into()), ..Environment::default() })
}

/// IMG-08, IMG-09, IMG-10, IMG-13.
#[test]
fn the_variable_names_registries_and_authorizations() {
    let text =
        r#"{"https://r.test/v1":"Basic YQ==","q.test:5000":"bEaReR tok en","http://i.test":"X-Identity id","docker.io":"Basic eA=="}"#;
    let credentials = given(text).unwrap();
    let of = |registry| credentials.of(registry, "a/b").unwrap();
    assert_eq!(of("r.test"), Credential::Basic("YQ==".into()));
    assert_eq!(of("q.test:5000"), Credential::Bearer("tok en".into()));
    assert_eq!(of("i.test"), Credential::Identity("id".into()));
    assert_eq!(of("index.docker.io"), Credential::Anonymous);
    assert_eq!(of("q.test"), Credential::Anonymous);
}

/// IMG-08, IMG-09.
/// No error shows a credential.
#[test]
fn a_variable_that_makes_no_sense_is_refused() {
    for bad in ["{", "[]", r#"{"r.test":5}"#, r#"{"r.test":"Digest hunter2"}"#, r#"{"r.test":"hunter2"}"#, r#"{"r.test":["hunter2"]}"#] {
        let error = given(bad).err().unwrap_or_else(|| panic!("{bad}"));
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    assert_eq!(format!("{:?}", basic("a:b")), "Basic");
}

fn program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(format!("docker-credential-{name}"));
    fs::write(&path, format!("#!/bin/sh\nread key\necho \"$1 $key\" >> {}/asked\n{script}\n", folder.display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn with_file(folder: &Path, text: &str) -> Environment {
    fs::write(folder.join("config.json"), text).unwrap();
    Environment {
        files: vec![folder.join("none.json"), folder.join("config.json")],
        programs: Some(folder.into()),
        ..Environment::default()
    }
}

/// IMG-11.
#[test]
fn files_speak_where_the_variable_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"{"auths":{
        "https://index.docker.io/v1/":{"auth":"aHViOnB3"},
        "q.test/team":{"username":"team","password":"pw"},
        "q.test":{"auth":"YTpiAAA="},
        "i.test":{"identitytoken":"id"},
        "t.test":{"registrytoken":"tok"},
        "e.test":{}}}"#;
    let environment = Environment { registry_auth: Some(r#"{"q.test":"Bearer given"}"#.into()), ..with_file(folder.path(), text) };
    let credentials = Credentials::read(environment.clone()).unwrap();
    assert_eq!(credentials.of("index.docker.io", "library/x").unwrap(), basic("hub:pw"));
    assert_eq!(credentials.of("q.test", "team/x").unwrap(), Credential::Bearer("given".into()));
    let credentials = Credentials::read(Environment { registry_auth: None, ..environment }).unwrap();
    assert_eq!(credentials.of("q.test", "team/x").unwrap(), basic("team:pw"));
    assert_eq!(credentials.of("q.test", "teams/x").unwrap(), basic("a:b"));
    assert_eq!(credentials.of("i.test", "x").unwrap(), Credential::Identity("id".into()));
    assert_eq!(credentials.of("t.test", "x").unwrap(), Credential::Bearer("tok".into()));
    assert_eq!(credentials.of("e.test", "x").unwrap(), Credential::Anonymous);
}

/// IMG-11, IMG-13.
#[test]
fn programs_are_asked_once_for_a_registry() {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), "one", r#"echo '{"ServerURL":"x","Username":"u","Secret":"s"}'"#);
    program(
        folder.path(),
        "two",
        r#"[ "$key" = i.test ] && echo '{"Username":"<token>","Secret":"id"}' && exit 0
        echo 'credentials not found in native keychain'; exit 1"#,
    );
    program(folder.path(), "bad", "echo hunter2; exit 1");
    let text = r#"{"credHelpers":{"h.test":"one","b.test":"bad","m.test":"missing"},"credsStore":"two","auths":{"h.test":{}}}"#;
    let credentials = Credentials::read(with_file(folder.path(), text)).unwrap();
    for _ in 0..2 {
        assert_eq!(credentials.of("h.test", "a").unwrap(), basic("u:s"));
        assert_eq!(credentials.of("i.test", "a").unwrap(), Credential::Identity("id".into()));
        assert_eq!(credentials.of("index.docker.io", "a").unwrap(), Credential::Anonymous);
    }
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    assert_eq!(asked, "get h.test\nget i.test\nget https://index.docker.io/v1/\n");
    for registry in ["b.test", "m.test"] {
        let error = credentials.of(registry, "a").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

/// IMG-12.
#[test]
fn programs_of_clouds_are_asked_unless_they_are_to_be_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (amazon, azure) = ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "acme.azurecr.io");
    for name in ["ecr-login", "acr-env"] {
        program(folder.path(), name, r#"echo '{"Username":"u","Secret":"s"}'"#);
    }
    let found = |skip_amazon, skip_azure| {
        let environment = Environment { skip_amazon, skip_azure, programs: Some(folder.path().into()), ..Environment::default() };
        let credentials = Credentials::read(environment).unwrap();
        [amazon, azure, "r.test"].map(|registry| credentials.of(registry, "a").unwrap() == basic("u:s"))
    };
    assert_eq!(found(false, false), [true, true, false]);
    assert_eq!(found(true, false), [false, true, false]);
    assert_eq!(found(false, true), [true, false, false]);
    assert_eq!(fs::read_to_string(folder.path().join("asked")).unwrap().lines().count(), 4);
}

/// IMG-11, IMG-12.
#[test]
fn variables_say_where_the_files_are() {
    let variables = [
        ("HOME", "/home/a"),
        ("DOCKER_CONFIG", "/docker"),
        ("XDG_RUNTIME_DIR", "/run/a"),
        ("CNB_REGISTRY_AUTH", ""),
        ("CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AMAZON", "true"),
        ("CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AZURE", "1"),
    ];
    let environment = Environment::read(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()));
    let files: Vec<_> = environment.files.iter().map(|path| path.display().to_string()).collect();
    assert_eq!(files, ["/docker/config.json", "/run/a/containers/auth.json", "/home/a/.config/containers/auth.json"]);
    assert_eq!((environment.registry_auth, environment.skip_amazon, environment.skip_azure), (None, true, false));
    let environment = Environment::read(|name| (name == "HOME").then(|| "/home/a".into()));
    assert_eq!(environment.files[0], Path::new("/home/a/.docker/config.json"));
}

/// IMG-11.
/// What else a person wrote into the file stays.
#[test]
fn a_password_is_kept_in_the_file_and_forgotten_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker/config.json");
    let environment = Environment { files: vec![path.clone()], ..Environment::default() };
    assert_eq!(environment.forget("r.test").unwrap(), None);
    assert!(!path.exists());
    assert_eq!(environment.keep("r.test", "me", "first").unwrap(), Place::File(path.clone()));
    fs::write(&path, r#"{"detachKeys":"ctrl-x","auths":{"https://r.test/v1/":{"auth":"YTpi"},"q.test":{"auth":"YTpi"}}}"#).unwrap();
    environment.keep("r.test", "me", "pw").unwrap();
    environment.keep("index.docker.io", "hub", "pw").unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let document: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let keys: Vec<&str> = document["auths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((keys, &document["detachKeys"]), (vec!["https://index.docker.io/v1/", "q.test", "r.test"], &"ctrl-x".into()));
    let of = |registry| Credentials::read(environment.clone()).unwrap().of(registry, "x").unwrap();
    assert_eq!([of("r.test"), of("index.docker.io"), of("q.test")], [basic("me:pw"), basic("hub:pw"), basic("a:b")]);
    assert_eq!(environment.forget("r.test").unwrap(), Some(Place::File(path.clone())));
    assert_eq!((of("r.test"), of("q.test")), (Credential::Anonymous, basic("a:b")));
    fs::write(&path, "{ hunter2").unwrap();
    let error = environment.keep("r.test", "me", "pw").unwrap_err();
    assert!(format!("{error:?}").contains("cannot read the credentials") && !format!("{error:?}").contains("hunter2"), "{error:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{ hunter2");
}

/// IMG-11.
#[test]
fn a_program_keeps_the_password_where_the_file_names_one() {
    let folder = tempfile::tempdir().unwrap();
    let environment = with_file(folder.path(), r#"{"credsStore":"vault"}"#);
    let environment = Environment { files: environment.files[1..].to_vec(), ..environment };
    program(folder.path(), "vault", "exit 0");
    assert_eq!(environment.keep("r.test", "me", "pw").unwrap(), Place::Program("vault".into()));
    let text = fs::read_to_string(folder.path().join("config.json")).unwrap();
    assert!(text.contains("r.test") && !text.contains(&STANDARD.encode("me:pw")), "{text}");
    assert_eq!(environment.forget("r.test").unwrap(), Some(Place::Program("vault".into())));
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    assert_eq!(asked, "store {\"Secret\":\"pw\",\"ServerURL\":\"r.test\",\"Username\":\"me\"}\nerase r.test\n");
    program(folder.path(), "vault", "echo it is locked; exit 1");
    let error = format!("{:?}", environment.keep("r.test", "me", "secret").unwrap_err());
    assert!(error.contains("it is locked") && !error.contains("secret"), "{error}");
}
