//! What buildpacks provide and require: the build plan that each writes, the plan that detection makes of them, the plan that each is
//! given (CNB Buildpack Specification, build plan; Platform Specification, plan.toml).

use super::keys;
use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What one buildpack says at detection: alternatives, the main one first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildPlan {
    /// The alternatives; at least one.
    pub alternatives: Vec<Alternative>,
}

/// One set of provides and requires.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Alternative {
    /// What the buildpack provides.
    #[serde(default)]
    pub provides: Vec<Provide>,
    /// What the buildpack requires.
    #[serde(default)]
    pub requires: Vec<Require>,
}

/// Something that is provided.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Provide {
    /// Its name.
    pub name: String,
}

/// Something that is required.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Require {
    /// Its name.
    pub name: String,
    /// What the provider should know.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub metadata: toml::Table,
}

#[derive(Deserialize)]
struct PlanFile {
    #[serde(flatten)]
    main: Alternative,
    #[serde(default)]
    or: Vec<Alternative>,
}

impl BuildPlan {
    /// Reads what a buildpack wrote (DET-20).
    ///
    /// # Errors
    /// When the text is not a build plan, or gives a required version outside the metadata (DET-21).
    pub fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = keys::parse(text).context(|| "the build plan is not TOML")?;
        let alternatives = table.get("or").and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_table);
        for alternative in std::iter::once(&table).chain(alternatives) {
            let requires = alternative.get("requires").and_then(toml::Value::as_array).into_iter().flatten();
            if requires.filter_map(toml::Value::as_table).any(|require| require.contains_key("version")) {
                return Err(Error::new("the build plan has a `requires.version`").hint("put it into `requires.metadata.version`"));
            }
        }
        let file: PlanFile = table.try_into().context(|| "the file is not a build plan")?;
        Ok(Self { alternatives: std::iter::once(file.main).chain(file.or).collect() })
    }

    /// Whether it requires anything.
    pub fn has_requires(&self) -> bool {
        self.alternatives.iter().any(|alternative| !alternative.requires.is_empty())
    }
}

/// `plan.toml`: what was required, and who provides it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The entries, in the order in which they were first required (DET-42).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<PlanEntry>,
}

/// One thing that is required.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// Who provides it.
    #[serde(default)]
    pub providers: Vec<Provider>,
    /// Each requirement of it.
    #[serde(default)]
    pub requires: Vec<Require>,
}

/// A buildpack or extension that provides something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// Its ID.
    pub id: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// Whether it is an extension.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extension: bool,
}

/// The plan that a buildpack is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BuildpackPlan {
    /// What it is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Requirement>,
}

/// One thing that a buildpack is asked for.
pub type Requirement = Require;

impl Plan {
    /// Reads `plan.toml`.
    ///
    /// # Errors
    /// When the text is not one.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context(|| "it is not a plan")
    }

    /// What a provider is asked for (BLD-08).
    pub fn of(&self, id: &str, extension: bool) -> BuildpackPlan {
        let own =
            self.entries.iter().filter(|entry| entry.providers.iter().any(|provider| provider.id == id && provider.extension == extension));
        BuildpackPlan { entries: own.flat_map(|entry| entry.requires.clone()).collect() }
    }

    /// The plan without what a provider was asked for, except what it left unmet (BLD-10, GEN-04).
    pub fn without_met(mut self, given: &BuildpackPlan, unmet: &BTreeSet<String>) -> Self {
        let met: BTreeSet<&str> = given.entries.iter().map(|entry| entry.name.as_str()).filter(|name| !unmet.contains(*name)).collect();
        self.entries.retain(|entry| !entry.requires.iter().any(|require| met.contains(require.name.as_str())));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DET-20, DET-21.
    #[test]
    fn build_plans_have_alternatives() {
        let plan =
            BuildPlan::parse("[[provides]]\nname = 'a'\n[[or]]\n[[or.requires]]\nname = 'b'\n[or.requires.metadata]\nx = 1\n").unwrap();
        assert_eq!((plan.alternatives.len(), plan.alternatives[0].provides[0].name.as_str()), (2, "a"));
        assert_eq!(plan.alternatives[1].requires[0].metadata["x"].as_integer(), Some(1));
        assert_eq!(BuildPlan::parse("").unwrap().alternatives.len(), 1);
        assert!(BuildPlan::parse("[[requires]]\nname = 'a'\nversion = '1'").is_err());
    }

    /// BLD-08, BLD-10.
    #[test]
    fn what_is_met_vanishes_for_later_providers() {
        let provider = |id: &str| Provider { id: id.into(), version: "1".into(), extension: false };
        let require = |name: &str| Require { name: name.into(), metadata: toml::Table::new() };
        let entry = |name: &str| PlanEntry { providers: vec![provider("a"), provider("b")], requires: vec![require(name), require(name)] };
        let plan = Plan { entries: vec![entry("x"), entry("y")] };
        let given = plan.of("a", false);
        assert_eq!(given.entries.len(), 4);
        let left = plan.without_met(&given, &BTreeSet::from(["y".to_string()]));
        assert_eq!(left.of("b", false).entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["y", "y"]);
        assert!(left.of("b", true).entries.is_empty());
    }

    /// FMT-17.
    #[test]
    fn an_empty_plan_is_an_empty_file() {
        assert_eq!(toml::to_string(&Plan::default()).unwrap(), "");
        assert_eq!(toml::to_string(&BuildpackPlan::default()).unwrap(), "");
    }
}
