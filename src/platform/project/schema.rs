//! The schemas of `project.toml`. Older ones have the same content in other tables.

use super::source::Declared;
use super::{Inline, Module, Project};
use crate::error::{Advice, Context, Error, Result};
use crate::platform::environment::Variable;
use crate::platform::packages::Packages;
use serde::Deserialize;

/// The newest schema, for hints.
const HINT: &str = "write `schema-version = \"0.2\"` below `[_]`";

/// Every key of schema 0.2 and 0.3; the groups of `pre` and `post` are as `group` itself. What else stands in their tables is a mistake or too new
/// (PRJ-20).
const KEYS: [&str; 25] = [
    "_.schema-version",
    "_.id",
    "_.name",
    "_.version",
    "_.authors",
    "_.documentation-url",
    "_.source-url",
    "_.licenses.type",
    "_.licenses.uri",
    "io.buildpacks.builder",
    "io.buildpacks.include",
    "io.buildpacks.exclude",
    "io.buildpacks.build.env.name",
    "io.buildpacks.build.env.value",
    "io.buildpacks.env.build.name",
    "io.buildpacks.env.build.value",
    "io.buildpacks.group.id",
    "io.buildpacks.group.version",
    "io.buildpacks.group.uri",
    "io.buildpacks.group.script.api",
    "io.buildpacks.group.script.inline",
    "io.buildpacks.group.script.shell",
    // Of schema 0.3.
    "io.buildpacks.group.exec-env",
    "io.buildpacks.build.env.exec-env",
    "io.buildpacks.env.build.exec-env",
];
/// Every key of schema 0.1.
const KEYS_OF_01: [&str; 20] = [
    "project.id",
    "project.name",
    "project.version",
    "project.authors",
    "project.documentation-url",
    "project.source-url",
    "project.licenses.type",
    "project.licenses.uri",
    "build.builder",
    "build.include",
    "build.exclude",
    "build.env.name",
    "build.env.value",
    "build.buildpacks.id",
    "build.buildpacks.version",
    "build.buildpacks.uri",
    "build.buildpacks.script.api",
    "build.buildpacks.script.inline",
    "build.buildpacks.script.shell",
    "_.schema-version",
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(rename = "_")]
    header: Header,
    io: Io,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DocumentOf01 {
    project: Header,
    build: Build,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Header {
    version: String,
    source_url: String,
    licenses: Vec<License>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "lowercase")]
struct License {
    r#type: String,
    uri: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Io {
    buildpacks: Buildpacks,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Buildpacks {
    builder: Option<String>,
    include: Option<Vec<String>>,
    exclude: Option<Vec<String>>,
    group: Vec<Entry>,
    pre: Groups,
    post: Groups,
    build: BuildTable,
    /// The key of old, in the wrong order.
    env: EnvTable,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Build {
    builder: Option<String>,
    include: Option<Vec<String>>,
    exclude: Option<Vec<String>>,
    buildpacks: Vec<Entry>,
    env: Vec<Env>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Groups {
    group: Vec<Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BuildTable {
    env: Vec<Env>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EnvTable {
    build: Vec<Env>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Env {
    name: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    exec_env: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Entry {
    id: String,
    version: String,
    uri: String,
    script: Option<Script>,
    exec_env: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Script {
    api: String,
    inline: String,
    shell: String,
}

impl Project {
    /// Reads the text. `warn` is told what is ignored.
    ///
    /// # Errors
    /// When it is no project file of a known schema.
    pub(super) fn parse(text: &str, exec_env: &str, warn: &mut dyn FnMut(&str)) -> Result<Self> {
        let table: toml::Table = toml::from_str(text).context(|| "it is no TOML")?;
        let version = table.get("_").and_then(|header| header.get("schema-version")).and_then(toml::Value::as_str);
        if version.is_none() {
            warn(&format!("no schema version is declared, so it is read as 0.1; {HINT}"));
        }
        let (header, buildpacks) = match version.unwrap_or("0.1") {
            "0.1" => {
                warn_of_keys(&table, "0.1", warn);
                let document: DocumentOf01 = toml::from_str(text).context(|| "it does not follow schema 0.1")?;
                (document.project, document.build.into())
            }
            known @ ("0.2" | "0.3") => {
                warn_of_keys(&table, known, warn);
                let document: Document = toml::from_str(text).context(|| format!("it does not follow schema {known}"))?;
                (document.header, document.io.buildpacks)
            }
            other => return Err(Error::new(format!("the schema version `{other}` is unknown"))).hint(HINT),
        };
        check(&header, &buildpacks)?;
        let here = |envs: &[String]| envs.is_empty() || envs.iter().any(|env| env == "*" || env == exec_env);
        let modules = |entries: Vec<Entry>| -> Result<Vec<Module>> {
            entries.into_iter().filter(|entry| here(&entry.exec_env)).map(Entry::module).collect()
        };
        let env = if buildpacks.build.env.is_empty() { buildpacks.env.build } else { buildpacks.build.env };
        let options: Vec<String> = env.iter().filter(|env| here(&env.exec_env)).map(|env| format!("{}={}", env.name, env.value)).collect();
        Ok(Self {
            builder: buildpacks.builder.filter(|builder| !builder.is_empty()),
            include: buildpacks.include,
            exclude: buildpacks.exclude,
            environment: Variable::collect(&[], &options, |_| None)?,
            group: modules(buildpacks.group).context(|| "cannot use an entry of `group`")?,
            pre: modules(buildpacks.pre.group).context(|| "cannot use an entry of `pre.group`")?,
            post: modules(buildpacks.post.group).context(|| "cannot use an entry of `post.group`")?,
            declared: Declared { version: header.version, url: header.source_url, first: version.is_none_or(|version| version == "0.1") },
            ..Self::default()
        })
    }
}

/// `[io.cooper.packages]`, whatever the schema, as variables of the build: what asks for packages reads the file in the source itself, but not one
/// that is elsewhere.
///
/// # Errors
/// When the table makes no sense.
pub(super) fn packages(text: &str) -> Result<Vec<Variable>> {
    let table: toml::Table = toml::from_str(text).context(|| "it is no TOML")?;
    let own = table.get("io").and_then(|io| io.get("cooper")?.get("packages")).cloned();
    let packages: Packages = own.map(toml::Value::try_into).transpose().context(|| "cannot read `io.cooper.packages`")?.unwrap_or_default();
    let variable = |(name, list): (&str, Vec<String>)| Variable { name: name.into(), value: list.join(" ") };
    Ok([("BP_SYSTEM_PACKAGES_BUILD", packages.build), ("BP_SYSTEM_PACKAGES_RUN", packages.run)].map(variable).into())
}

impl From<Build> for Buildpacks {
    fn from(build: Build) -> Self {
        let Build { builder, include, exclude, buildpacks, env } = build;
        Self { builder, include, exclude, group: buildpacks, build: BuildTable { env }, ..Self::default() }
    }
}

/// PRJ-04, PRJ-06.
fn check(header: &Header, buildpacks: &Buildpacks) -> Result<()> {
    if buildpacks.include.is_some() && buildpacks.exclude.is_some() {
        return Err(Error::new("it has both `include` and `exclude`")).hint("keep one of them: what is not included is excluded");
    }
    if header.licenses.iter().any(|license| license.r#type.is_empty() && license.uri.is_empty()) {
        return Err(Error::new("a license has neither `type` nor `uri`")).hint("write `type = \"MIT\"`");
    }
    Ok(())
}

impl Entry {
    /// PRJ-10, PRJ-12.
    fn module(self) -> Result<Module> {
        let wrong = |what: &str| Err(Error::new(what)).hint("write `id` and `version`, or `uri`, or `id` and `script`");
        let script = self.script.filter(|script| !script.inline.is_empty());
        match (self.id.as_str(), self.version.as_str(), self.uri.as_str(), script) {
            ("", _, "", _) => wrong("it has neither `id` nor `uri`"),
            (_, version, uri, _) if !version.is_empty() && !uri.is_empty() => wrong("it has both `uri` and `version`"),
            (id, version, "", Some(script)) if !id.is_empty() => {
                Inline::new(id, version, &script.api, &script.shell, &script.inline).map(Module::Inline)
            }
            (_, _, _, Some(_)) => wrong("it has a `script`, which needs an `id` and no `uri`"),
            (id, "", "", None) => Ok(Module::Named(id.to_string())),
            (id, version, "", None) => Ok(Module::Named(format!("{id}@{version}"))),
            (_, _, uri, None) => Ok(Module::Named(uri.to_string())),
        }
    }
}

fn warn_of_keys(table: &toml::Table, version: &str, warn: &mut dyn FnMut(&str)) {
    let mut unknown = Vec::new();
    collect_unknown(&toml::Value::Table(table.clone()), "", version, &mut unknown);
    unknown.dedup();
    if unknown.is_empty() {
        return;
    }
    let advice = if version == "0.1" { format!("; {HINT} for those of that schema") } else { String::new() };
    warn(&format!("schema {version} does not know these keys, which are ignored: {}{advice}", unknown.join(", ")));
}

fn collect_unknown(value: &toml::Value, path: &str, version: &str, unknown: &mut Vec<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect_unknown(value, &path, version, unknown);
            }
        }
        toml::Value::Array(list) if list.iter().any(toml::Value::is_table) => {
            list.iter().for_each(|value| collect_unknown(value, path, version, unknown));
        }
        _ if is_unknown(path, version) => unknown.push(path.to_string()),
        _ => {}
    }
}

fn is_unknown(path: &str, version: &str) -> bool {
    let (tables, keys): (&[&str], &[&str]) = match version {
        "0.1" => (&["project.", "build.", "io.buildpacks."], &KEYS_OF_01),
        _ => (&["_.", "io.buildpacks."], &KEYS),
    };
    let is_free = path.starts_with("_.metadata.");
    let plain = path.replacen("io.buildpacks.pre.", "io.buildpacks.", 1).replacen("io.buildpacks.post.", "io.buildpacks.", 1);
    let is_newer = version == "0.2" && path.ends_with(".exec-env");
    !is_free && tables.iter().any(|table| path.starts_with(table)) && (is_newer || !keys.contains(&plain.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Result<Project>, Vec<String>) {
        let mut warnings = Vec::new();
        let project = Project::parse(text, "production", &mut |line| warnings.push(line.to_string()));
        (project, warnings)
    }

    fn read(text: &str) -> Project {
        let (project, warnings) = parsed(&format!("[_]\nschema-version = '0.2'\n{text}"));
        assert_eq!(warnings, Vec::<String>::new());
        project.unwrap()
    }

    fn refused(text: &str) -> String {
        format!("{:?}", parsed(&format!("[_]\nschema-version = '0.3'\n{text}")).0.unwrap_err())
    }

    /// PRJ-03, PRJ-05, PRJ-11, PRJ-17.
    #[test]
    fn the_whole_of_schema_02_is_read() {
        let project = read(
            "id = 'io.acme.app'\nname = 'App'\nversion = '1.2'\nauthors = ['A']\ndocumentation-url = 'd'\nsource-url = 's'\n\
             [[_.licenses]]\ntype = 'MIT'\n[_.metadata]\nany = { thing = 1 }\n\
             [io.buildpacks]\nbuilder = 'acme/builder'\nexclude = ['*.md']\n\
             [[io.buildpacks.group]]\nid = 'a/one'\n[[io.buildpacks.group]]\nid = 'a/two'\nversion = '2'\n\
             [[io.buildpacks.group]]\nuri = './three'\n\
             [[io.buildpacks.pre.group]]\nuri = 'x.tgz'\n[[io.buildpacks.post.group]]\nid = 'last'\n\
             [[io.buildpacks.build.env]]\nname = 'A'\nvalue = 'x=y'\n[io.cooper.packages]\nrun = ['tini']\n[own]\nx = 1\n",
        );
        let named = |list: &[&str]| list.iter().map(|name| Module::Named((*name).to_string())).collect::<Vec<_>>();
        assert_eq!(project.group, named(&["a/one", "a/two@2", "./three"]));
        assert_eq!((project.pre, project.post), (named(&["x.tgz"]), named(&["last"])));
        assert_eq!((project.builder.as_deref(), project.exclude), (Some("acme/builder"), Some(vec!["*.md".to_string()])));
        assert_eq!(project.environment, [Variable { name: "A".into(), value: "x=y".into() }]);
        let old = read("[[io.buildpacks.env.build]]\nname = 'OLD'\nvalue = '1'\n");
        assert_eq!(old.environment[0].name, "OLD");
    }

    /// PRJ-02, PRJ-18.
    #[test]
    fn the_schema_version_says_how_it_is_read() {
        let text = "[project]\nid = 'x'\nversion = '3'\nsource-url = 'https://acme.test'\n[build]\nbuilder = 'b'\ninclude = ['src']\n\
                    [[build.buildpacks]]\nid = 'a'\n[[build.env]]\nname = 'N'\nvalue = 'V'\n[metadata]\nany = 1\n";
        let (project, warnings) = parsed(text);
        let project = project.unwrap();
        assert!(warnings.len() == 1 && warnings[0].contains("read as 0.1"), "{warnings:?}");
        assert_eq!((project.builder.as_deref(), project.include, project.group.len()), (Some("b"), Some(vec!["src".to_string()]), 1));
        assert_eq!((project.environment[0].value.as_str(), project.declared.version.as_str()), ("V", "3"));
        for version in ["0.1", "0.2", "0.3"] {
            assert_eq!(parsed(&format!("[_]\nschema-version = '{version}'\n")).1, Vec::<String>::new());
        }
        let error = format!("{:?}", parsed("[_]\nschema-version = '9.9'\n").0.unwrap_err());
        assert!(error.contains("`9.9` is unknown") && error.contains("schema-version = \"0.2\""), "{error}");
    }

    /// PRJ-20.
    #[test]
    fn keys_of_another_schema_are_named() {
        let warnings = |version: &str, text: &str| parsed(&format!("[_]\nschema-version = '{version}'\n{text}")).1.join("\n");
        assert!(
            warnings("0.2", "nam = 'x'\n[io.buildpacks]\nexcludes = []\n[[io.buildpacks.pre.group]]\nid='a'\nurl='b'\n")
                .contains("_.nam, ")
        );
        assert!(warnings("0.2", "[[io.buildpacks.group]]\nid = 'a'\nexec-env = ['test']\n").contains("io.buildpacks.group.exec-env"));
        assert!(warnings("0.1", "[io.buildpacks]\nbuilder = 'b'\n").contains("schema-version = \"0.2\""));
        assert_eq!(warnings("0.1", "[io.cooper.packages]\nrun = []\n[metadata]\nx = 1\n"), "");
        assert_eq!(warnings("0.3", "[[io.buildpacks.post.group]]\nid = 'a'\nexec-env = ['test']\n"), "");
    }

    /// PRJ-04, PRJ-06, PRJ-10.
    #[test]
    fn what_contradicts_itself_is_refused() {
        let group = |entry: &str| refused(&format!("[[io.buildpacks.group]]\n{entry}\n"));
        for (said, text) in [
            ("both `include` and `exclude`", refused("[io.buildpacks]\ninclude = []\nexclude = []\n")),
            ("neither `type` nor `uri`", refused("[[_.licenses]]\n")),
            ("neither `id` nor `uri`", group("version = '1'")),
            ("both `uri` and `version`", group("id = 'a'\nuri = 'u'\nversion = '1'")),
            ("which needs an `id`", group("uri = 'u'\nscript = { api = '0.10', inline = 'x' }")),
            ("has no API", group("id = 'a'\nscript = { inline = 'x' }")),
            ("cannot be the name of a variable", refused("[[io.buildpacks.build.env]]\nname = 'a/b'\n")),
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
    }

    /// PRJ-19.
    #[test]
    fn entries_for_other_execution_environments_are_left_out() {
        let text = "[_]\nschema-version = '0.3'\n[[io.buildpacks.group]]\nid = 'a'\nexec-env = ['test']\n[[io.buildpacks.group]]\nid = 'b'\n\
                    [[io.buildpacks.build.env]]\nname = 'A'\nexec-env = ['production']\n[[io.buildpacks.build.env]]\nname = 'B'\nexec-env = ['test']\n";
        let of = |exec_env: &str| {
            let project = Project::parse(text, exec_env, &mut |line| panic!("{line}")).unwrap();
            (project.group.len(), project.environment.into_iter().map(|variable| variable.name).collect::<String>())
        };
        assert_eq!((of("production"), of("test")), ((1, "A".to_string()), (2, "B".to_string())));
    }
}
