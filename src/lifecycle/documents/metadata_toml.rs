//! The text of `<layers>/config/metadata.toml`. The file is a layer of the image, so its bytes are those that the reference's encoder
//! writes: an image that either builds anew shares that layer (TAR-07, TAR-14).

use crate::buildpack::{Api, BomEntry, BuildMetadata, GroupElement, Process};
use crate::image::to_json;
use std::fmt::Write;
use toml::Value;

/// The keys of a table, in order.
type Fields = Vec<(String, Item)>;

enum Item {
    /// A value that stands on its key's line, written already.
    Inline(String),
    Table(Fields),
    Tables(Vec<Fields>),
}

/// The text for a Platform API; `bom` is the old bill of materials.
pub fn metadata_toml(metadata: &BuildMetadata, bom: &[BomEntry], api: Api) -> String {
    let labels = metadata.labels.iter().map(|label| vec![text("key", &label.key), text("value", &label.value)]);
    let slices = metadata.slices.iter().map(|slice| vec![list("paths", &slice.paths)]);
    let mut fields = vec![
        tables("bom", bom.iter().map(bom_entry)),
        tables("buildpacks", metadata.buildpacks.iter().map(element)),
        tables("extensions", metadata.extensions.iter().map(element)),
        tables("labels", labels),
        tables("processes", metadata.processes.iter().map(|process| self::process(process, api))),
        tables("slices", slices),
    ];
    if metadata.processes.is_empty() {
        fields.push(("processes".into(), Item::Inline("[]".into())));
    }
    fields.extend(metadata.default_process_type.as_ref().map(|kind| text("buildpack-default-process-type", kind)));
    let mut out = String::new();
    write_fields(&mut out, "", 0, &fields);
    out
}

fn bom_entry(entry: &BomEntry) -> Fields {
    let buildpack = vec![text("id", &entry.buildpack.id), text("version", &entry.buildpack.version)];
    vec![
        text("name", &entry.name),
        ("metadata".into(), Item::Table(fields_of(&entry.metadata))),
        ("buildpack".into(), Item::Table(buildpack)),
    ]
}

fn element(element: &GroupElement) -> Fields {
    let more = [("api", Some(&element.api)), ("homepage", element.homepage.as_ref())];
    let more = more.into_iter().filter_map(|(key, value)| value.filter(|value| !value.is_empty()).map(|value| text(key, value)));
    [text("id", &element.id), text("version", &element.version)].into_iter().chain(more).collect()
}

fn process(process: &Process, api: Api) -> Fields {
    let old = api < Api::new(0, 10);
    // The reference writes commands as JSON.
    let command = match process.command.first() {
        Some(command) if old => json(command),
        None if old => json(""),
        Some(_) | None => format!("[{}]", process.command.iter().map(|part| json(part)).collect::<Vec<_>>().join(", ")),
    };
    let mut fields = vec![text("type", &process.kind), ("command".into(), Item::Inline(command))];
    if old || process.args.is_some() {
        fields.push(list("args", process.args.as_deref().unwrap_or_default()));
    }
    fields.push(("direct".into(), Item::Inline(process.direct.to_string())));
    fields.push(text("buildpack-id", &process.buildpack_id));
    fields.extend(process.working_dir.as_ref().filter(|folder| !folder.is_empty()).map(|folder| text("working-dir", folder)));
    if !process.exec_env.is_empty() {
        fields.push(list("exec-env", &process.exec_env));
    }
    fields
}

fn json(text: &str) -> String {
    String::from_utf8_lossy(&to_json(&text)).into_owned()
}

fn text(key: &str, value: &str) -> (String, Item) {
    (key.into(), Item::Inline(quoted(value)))
}

fn list(key: &str, values: &[String]) -> (String, Item) {
    (key.into(), Item::Inline(format!("[{}]", values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", "))))
}

fn tables(key: &str, tables: impl Iterator<Item = Fields>) -> (String, Item) {
    (key.into(), Item::Tables(tables.collect()))
}

fn fields_of(table: &toml::Table) -> Fields {
    let item = |value: &Value| match value {
        Value::Table(table) => Item::Table(fields_of(table)),
        Value::Array(all) if !all.is_empty() && all.iter().all(Value::is_table) => {
            Item::Tables(all.iter().filter_map(Value::as_table).map(fields_of).collect())
        }
        other => Item::Inline(inline(other)),
    };
    table.iter().map(|(key, value)| (key.clone(), item(value))).collect()
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(all) => format!("[{}]", all.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let pairs = table.iter().map(|(key, value)| format!("{} = {}", self::key(key), inline(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => value.to_string(),
    }
}

/// Values come before tables; each table is indented by its depth.
fn write_fields(out: &mut String, path: &str, depth: usize, fields: &Fields) {
    let indent = "  ".repeat(depth);
    for (name, item) in fields {
        if let Item::Inline(value) = item {
            push(out, &format!("{indent}{} = {value}\n", key(name)));
        }
    }
    for (name, item) in fields {
        let path = if path.is_empty() { key(name) } else { format!("{path}.{}", key(name)) };
        match item {
            Item::Inline(_) => {}
            Item::Table(fields) => {
                push(out, &format!("{indent}[{path}]\n"));
                write_fields(out, &path, depth + 1, fields);
            }
            Item::Tables(all) => {
                for fields in all {
                    let line = if out.is_empty() { "" } else { "\n" };
                    push(out, &format!("{line}{indent}[[{path}]]\n"));
                    write_fields(out, &path, depth + 1, fields);
                }
            }
        }
    }
}

fn push(out: &mut String, text: &str) {
    out.push_str(text);
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    if bare { name.into() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\0'..'\u{20}' | '\u{7f}' => write!(quoted, "\\u{:04x}", u32::from(letter)).unwrap_or_default(),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FMT-08, FMT-11, BLD-23.
    #[test]
    fn the_text_is_the_references() {
        let written = "buildpack-default-process-type = 'web'\n[[bom]]\nname = 'x'\nmetadata = {a = 1, b = '<q>', list = [{z = 1.5}], t = {k = true}}\n\
            buildpack = {id = 'a', version = '1'}\n[[buildpacks]]\nid = 'a'\nversion = '1'\napi = '0.8'\n\
            [[labels]]\nkey = 'k'\nvalue = 'a \"b\" \\ <c>\té'\n[[processes]]\ntype = 'web'\ncommand = ['sh', '<c>']\nargs = ['<y>']\ndirect = true\n\
            buildpack-id = 'a'\nexec-env = ['test']\n";
        #[derive(serde::Deserialize)]
        struct Bom {
            bom: Vec<BomEntry>,
        }
        let metadata: BuildMetadata = toml::from_str(written).unwrap();
        let bom: Bom = toml::from_str(written).unwrap();
        insta::assert_snapshot!(metadata_toml(&metadata, &bom.bom, Api::new(0, 15)), @r#"
        buildpack-default-process-type = "web"

        [[bom]]
          name = "x"
          [bom.metadata]
            a = 1
            b = "<q>"

            [[bom.metadata.list]]
              z = 1.5
            [bom.metadata.t]
              k = true
          [bom.buildpack]
            id = "a"
            version = "1"

        [[buildpacks]]
          id = "a"
          version = "1"
          api = "0.8"

        [[labels]]
          key = "k"
          value = "a \"b\" \\ <c>\té"

        [[processes]]
          type = "web"
          command = ["sh", "\u003cc\u003e"]
          args = ["<y>"]
          direct = true
          buildpack-id = "a"
          exec-env = ["test"]
        "#);
        assert_eq!(metadata_toml(&BuildMetadata::default(), &[], Api::new(0, 15)), "processes = []\n");
    }
}
