//! The documents that the phases hand to each other and to platforms: labels (JSON) and files (TOML). Parsing and writing are pure;
//! start with [`layers_metadata`], which says what an app image is made of.

pub mod analyzed;
pub mod build_metadata;
pub mod layers_metadata;
pub mod metadata_toml;
pub mod project_metadata;
pub mod report;
pub mod run;

/// Label: the layers of an app image, its run image (Platform spec, `io.buildpacks.lifecycle.metadata`).
pub const LIFECYCLE_METADATA_LABEL: &str = "io.buildpacks.lifecycle.metadata";
/// Label: the buildpacks that took part, the processes (Platform spec, `io.buildpacks.build.metadata`).
pub const BUILD_METADATA_LABEL: &str = "io.buildpacks.build.metadata";
/// Label: where the source came from (Platform spec, `io.buildpacks.project.metadata`).
pub const PROJECT_METADATA_LABEL: &str = "io.buildpacks.project.metadata";
/// Label: the execution environment that the app was built for.
pub const EXEC_ENV_LABEL: &str = "io.buildpacks.exec-env";

/// A TOML value as JSON: times become strings.
pub fn json_of_toml(value: &toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.clone().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(*number).map_or(serde_json::Value::Null, Into::into),
        toml::Value::Boolean(yes) => (*yes).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.iter().map(json_of_toml).collect::<Vec<_>>().into(),
        toml::Value::Table(table) => json_of_table(table),
    }
}

/// A TOML table as a JSON object.
pub fn json_of_table(table: &toml::Table) -> serde_json::Value {
    serde_json::Value::Object(table.iter().map(|(key, value)| (key.clone(), json_of_toml(value))).collect())
}

/// A JSON value as TOML, which has no null: such members are left out. Whole numbers stay whole numbers.
pub fn toml_of_json(value: &serde_json::Value) -> Option<toml::Value> {
    Some(match value {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(yes) => (*yes).into(),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64()?.into(),
        },
        serde_json::Value::String(text) => text.clone().into(),
        serde_json::Value::Array(items) => items.iter().filter_map(toml_of_json).collect::<Vec<_>>().into(),
        serde_json::Value::Object(members) => {
            toml::Value::Table(members.iter().filter_map(|(key, value)| Some((key.clone(), toml_of_json(value)?))).collect())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RES-24.
    #[test]
    fn whole_numbers_stay_whole_from_toml_to_json_and_back() {
        let table: toml::Table = toml::from_str("n = 1\nf = 1.5\ntext = 'x'\nlist = [1, 2]\n[deep]\nyes = true").expect("TOML");
        let back = toml_of_json(&json_of_table(&table)).expect("a table");
        assert_eq!(back, toml::Value::Table(table));
    }
}
