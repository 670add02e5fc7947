//! Orders and groups: which buildpacks are tried together (CNB Platform Specification, order.toml and group.toml).

use super::{GroupElement, can_be_layer, escape_id};
use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};

/// The groups to try, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The groups of buildpacks.
    #[serde(default)]
    pub order: Vec<Group>,
    /// The groups of extensions, put in front of every group of buildpacks (DET-02).
    #[serde(rename = "order-extensions", default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<Group>,
}

/// Buildpacks that are tried together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// They, in the order in which they build.
    #[serde(default)]
    pub group: Vec<OrderEntry>,
}

/// One place in a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderEntry {
    /// ID of the buildpack.
    pub id: String,
    /// Its version; none in a builder.toml that leaves the choice to the builder (BIMG-09).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Whether the group passes without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// The execution environments that it is for; all where it is empty (DESC-08).
    #[serde(rename = "exec-env", default, skip_serializing_if = "Vec::is_empty")]
    pub exec_env: Vec<String>,
}

impl Order {
    /// Reads `order.toml`.
    ///
    /// # Errors
    /// When the text is not one.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context(|| "it is not an order")
    }
}

/// `group.toml`: the buildpacks and extensions that passed detection (DET-40).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupDocument {
    /// The buildpacks, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<GroupElement>,
    /// The extensions, in order.
    #[serde(rename = "group-extensions", default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<GroupElement>,
}

impl GroupDocument {
    /// Reads `group.toml`.
    ///
    /// # Errors
    /// When the text is not one, or the layers of a member would be in a folder that is not its own.
    pub fn parse(text: &str) -> Result<Self> {
        let group: Self = toml::from_str(text).context(|| "it is not a group")?;
        match group.group.iter().chain(&group.extensions).find(|member| !can_be_layer(&escape_id(&member.id))) {
            Some(member) => Err(Error::new(format!("`{}` cannot be the ID of a buildpack", member.id))),
            None => Ok(group),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DET-01, FMT-14, FMT-16.
    #[test]
    fn orders_are_read_and_written() {
        let text = "[[order]]\n[[order.group]]\nid = 'a'\nversion = '1'\noptional = true\njunk = 1\n[[order-extensions]]\n[[order-extensions.group]]\nid = 'x'\nversion = '2'\n";
        let order = Order::parse(text).unwrap();
        assert!(order.order[0].group[0].optional && order.extensions[0].group[0].id == "x");
        assert_eq!(Order::parse(&toml::to_string(&order).unwrap()).unwrap(), order);
        assert!(Order::parse("[[order]").is_err());
    }

    /// FMT-14.
    #[test]
    fn ids_that_lead_out_of_the_layers_are_refused() {
        for (id, good) in [("a/b", true), ("..", false), (".", false), ("", false), ("../x", true)] {
            assert_eq!(GroupDocument::parse(&format!("junk = 1\n[[group]]\nid = '{id}'\nversion = '1'\n")).is_ok(), good, "{id}");
        }
    }

    /// FMT-17.
    #[test]
    fn an_empty_group_is_an_empty_file() {
        assert_eq!(toml::to_string(&GroupDocument::default()).unwrap(), "");
    }
}
