//! `system.toml`: buildpacks that the builder's author puts around every group (CNB Platform Specification, system.toml).

use super::order::{Group, Order, OrderEntry};
use crate::error::{Context, Result};
use serde::{Deserialize, Serialize};

/// What comes before and after each group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct System {
    pre: Frame,
    post: Frame,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Frame {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    buildpacks: Vec<OrderEntry>,
}

#[derive(Default, Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    system: System,
}

impl System {
    /// Reads `system.toml`.
    ///
    /// # Errors
    /// When the text is not one.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str::<Document>(text).map(|document| document.system).context(|| "it is no description of system buildpacks")
    }

    /// The text of `system.toml`.
    ///
    /// # Errors
    /// When there is no such text.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(&Document { system: self.clone() }).context(|| "cannot describe the system buildpacks")
    }

    /// All entries, those before a group first.
    pub fn entries_mut(&mut self) -> impl Iterator<Item = &mut OrderEntry> {
        self.pre.buildpacks.iter_mut().chain(&mut self.post.buildpacks)
    }

    /// The order with these buildpacks around each of its groups, unless a group names them itself, whichever version (DET-37 to DET-39).
    pub fn around(&self, order: Order, say: &mut dyn FnMut(String)) -> Order {
        let mut frame = |group: Group| {
            let new = |frame: &Frame| {
                let missing = |entry: &&OrderEntry| !group.group.iter().any(|other| other.id == entry.id);
                frame.buildpacks.iter().filter(missing).cloned().collect::<Vec<_>>()
            };
            let (pre, post) = (new(&self.pre), new(&self.post));
            for (what, added) in [("Prepending", &pre), ("Appending", &post)] {
                if !added.is_empty() {
                    say(format!("{what} {} system buildpack(s) to group", added.len()));
                }
            }
            Group { group: pre.into_iter().chain(group.group).chain(post).collect() }
        };
        Order { order: order.order.into_iter().map(&mut frame).collect(), ..order }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DET-37, DET-38, DET-39.
    #[test]
    fn groups_are_framed_but_nothing_is_there_twice() {
        let entry = |id: &str| OrderEntry { id: id.into(), version: "1".into(), ..OrderEntry::default() };
        let group = |ids: &[&str]| Group { group: ids.iter().map(|id| entry(id)).collect() };
        let order = Order { order: vec![group(&["a"]), group(&["post", "b"]), group(&[])], extensions: vec![group(&["x"])] };
        let text = "[[system.pre.buildpacks]]\nid = 'pre'\nversion = '1'\noptional = true\n\
                    [[system.post.buildpacks]]\nid = 'post'\nversion = '2'\n[other]\nx = 1\n";
        let mut said = Vec::new();
        let framed = System::parse(text).unwrap().around(order.clone(), &mut |line| said.push(line));
        assert_eq!((said.len(), said[0].as_str()), (5, "Prepending 1 system buildpack(s) to group"));
        let ids: Vec<Vec<&str>> = framed.order.iter().map(|group| group.group.iter().map(|entry| entry.id.as_str()).collect()).collect();
        assert_eq!(ids, [vec!["pre", "a", "post"], vec!["pre", "post", "b"], vec!["pre", "post"]]);
        assert!(framed.order[0].group[0].optional);
        assert_eq!(framed.extensions, order.extensions);
        assert_eq!(System::default().around(order.clone(), &mut |_| ()), order);
        assert!(System::parse("system = 1").is_err());
    }
}
