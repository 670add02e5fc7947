//! Makes one plan of the build plans of a group (DET-24 to DET-30, DET-42).

use super::expand::Entry;
use crate::buildpack::{BuildPlan, Kind, Plan, PlanEntry, Provider, Require};
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};

/// More combinations of alternatives than this are a mistake or an attack.
const MOST_TRIALS: usize = 100_000;

/// One member of a group with what it said.
pub(super) struct Candidate {
    pub provider: Provider,
    pub optional: bool,
    pub plan: BuildPlan,
}

impl Candidate {
    pub fn new(entry: &Entry, plan: &BuildPlan) -> Self {
        let descriptor = &entry.descriptor;
        let provider =
            Provider { id: descriptor.id.clone(), version: descriptor.version.clone(), extension: descriptor.kind == Kind::Extension };
        Self { provider, optional: entry.optional, plan: plan.clone() }
    }
}

/// One member with the alternative that is tried.
struct Choice<'a> {
    at: usize,
    provides: Vec<&'a str>,
    requires: Vec<&'a Require>,
    optional: bool,
    provider: &'a Provider,
}

/// Tries every combination of alternatives, the main ones first. Returns the places of those that take part, and their plan.
///
/// # Errors
/// When there are too many combinations to try.
pub(super) fn resolve(candidates: &[Candidate], say: &mut dyn FnMut(String)) -> Result<Option<(Vec<usize>, Plan)>> {
    let mut picks = vec![0; candidates.len()];
    for tried in 1..=MOST_TRIALS {
        say(format!("Resolving plan... (try #{tried})"));
        let choices = candidates.iter().zip(&picks).enumerate().map(|(at, (candidate, pick))| choice(at, candidate, *pick)).collect();
        match attempt(choices, say) {
            Ok(found) => return Ok(Some(found)),
            Err(why) => say(why),
        }
        if !advance(&mut picks, candidates) {
            return Ok(None);
        }
    }
    Err(Error::new(format!("the build plans have too many alternatives: none of the first {MOST_TRIALS} combinations fits")))
}

/// The next combination: the last member's alternatives change fastest.
fn advance(picks: &mut [usize], candidates: &[Candidate]) -> bool {
    for (pick, candidate) in picks.iter_mut().zip(candidates).rev() {
        if *pick + 1 < candidate.plan.alternatives.len() {
            *pick += 1;
            return true;
        }
        *pick = 0;
    }
    false
}

fn choice(at: usize, candidate: &Candidate, pick: usize) -> Choice<'_> {
    let alternative = &candidate.plan.alternatives[pick];
    let is_last = pick + 1 == candidate.plan.alternatives.len();
    Choice {
        at,
        provides: alternative.provides.iter().map(|provide| provide.name.as_str()).collect(),
        requires: alternative.requires.iter().collect(),
        optional: candidate.optional && is_last,
        provider: &candidate.provider,
    }
}

/// Takes optional members out until everything fits; fails where a member that is needed does not fit.
fn attempt(mut choices: Vec<Choice>, say: &mut dyn FnMut(String)) -> Result<(Vec<usize>, Plan), String> {
    loop {
        let before = choices.len();
        choices = without_unmet(choices, say)?;
        choices = without_unused(choices, say)?;
        if choices.len() == before {
            break;
        }
    }
    if choices.iter().all(|choice| choice.provider.extension) {
        return Err("fail: no viable buildpacks in group".into());
    }
    Ok((choices.iter().map(|choice| choice.at).collect(), plan(&choices)))
}

/// Those that get what they require from a provider at the same place or before it.
fn without_unmet<'a>(choices: Vec<Choice<'a>>, say: &mut dyn FnMut(String)) -> Result<Vec<Choice<'a>>, String> {
    let mut provided: HashSet<&str> = HashSet::new();
    let mut kept = Vec::new();
    for choice in choices {
        let is_met = |name: &str| provided.contains(name) || choice.provides.contains(&name);
        match choice.requires.iter().find(|require| !is_met(&require.name)) {
            Some(require) => choice.skip(&format!("requires {}", require.name), say)?,
            None => {
                provided.extend(&choice.provides);
                kept.push(choice);
            }
        }
    }
    Ok(kept)
}

/// Those that provide only what somebody at the same place or after it requires.
fn without_unused<'a>(choices: Vec<Choice<'a>>, say: &mut dyn FnMut(String)) -> Result<Vec<Choice<'a>>, String> {
    let mut required: HashSet<&str> = HashSet::new();
    let mut kept = Vec::new();
    for choice in choices.into_iter().rev() {
        let own: Vec<&str> = choice.requires.iter().map(|require| require.name.as_str()).collect();
        match choice.provides.iter().find(|name| !required.contains(**name) && !own.contains(name)) {
            Some(name) => choice.skip(&format!("provides unused {name}"), say)?,
            None => {
                required.extend(own);
                kept.push(choice);
            }
        }
    }
    kept.reverse();
    Ok(kept)
}

impl Choice<'_> {
    /// Leaves a member out, or says why the group fails where it is needed.
    fn skip(&self, why: &str, say: &mut dyn FnMut(String)) -> Result<(), String> {
        let name = format!("{}@{}", self.provider.id, self.provider.version);
        if !self.optional {
            return Err(format!("fail: {name} {why}"));
        }
        say(format!("skip: {name} {why}"));
        Ok(())
    }
}

fn plan(choices: &[Choice]) -> Plan {
    let mut entries: Vec<PlanEntry> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut providers: HashMap<&str, Vec<&Provider>> = HashMap::new();
    for choice in choices {
        for name in &choice.provides {
            let known = providers.entry(name).or_default();
            if known.last() != Some(&choice.provider) {
                known.push(choice.provider);
            }
        }
        for require in &choice.requires {
            let place = *places.entry(&require.name).or_insert_with(|| {
                entries.push(PlanEntry::default());
                entries.len() - 1
            });
            let entry = &mut entries[place];
            entry.requires.push((*require).clone());
            let known = providers.get(require.name.as_str()).map_or(&[][..], Vec::as_slice);
            entry.providers.extend(known[entry.providers.len()..].iter().map(|provider| (*provider).clone()));
        }
    }
    Plan { entries }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: &str, optional: bool, plan: &str) -> Candidate {
        let provider = Provider { id: id.into(), version: "1".into(), extension: id.starts_with('+') };
        let alternative = |text: &str| {
            let word = |word: &str| {
                if let Some(name) = word.strip_prefix('!') {
                    format!("[[requires]]\nname = '{name}'\n")
                } else {
                    format!("[[provides]]\nname = '{word}'\n")
                }
            };
            text.split_whitespace().map(word).collect::<String>()
        };
        let mut parts = plan.split('|').map(alternative);
        let main = parts.next().unwrap_or_default();
        let others: String = parts.map(|part| format!("[[or]]\n{}", part.replace("[[", "[[or."))).collect();
        Candidate { provider, optional, plan: BuildPlan::parse(&format!("{main}{others}")).unwrap() }
    }

    fn resolved(candidates: &[(&str, bool, &str)]) -> Option<String> {
        let candidates: Vec<_> = candidates.iter().map(|(id, optional, plan)| candidate(id, *optional, plan)).collect();
        let (kept, plan) = resolve(&candidates, &mut |_| ()).unwrap()?;
        let kept: Vec<_> = kept.into_iter().map(|at| candidates[at].provider.id.clone()).collect();
        let entry = |entry: &PlanEntry| {
            format!(
                "{}:{}",
                entry.requires[0].name,
                entry.providers.iter().map(|provider| provider.id.as_str()).collect::<Vec<_>>().join("+")
            )
        };
        Some(format!("{} {}", kept.join(","), plan.entries.iter().map(entry).collect::<Vec<_>>().join(" ")).trim().to_string())
    }

    /// DET-24, DET-25, DET-26, DET-27, DET-28, DET-29, DET-30, DET-42.
    #[test]
    fn plans_fit_or_members_leave_or_the_group_fails() {
        for (group, expected) in [
            (&[("a", false, "x"), ("b", false, "!x")][..], Some("a,b x:a")),
            (&[("a", false, "!x"), ("b", false, "x")], None),
            (&[("a", false, "x")], None),
            (&[("a", false, "x !x")], Some("a x:a")),
            (&[("a", true, "x"), ("b", false, "")], Some("b")),
            (&[("a", true, "x"), ("b", true, "!x !y"), ("c", false, "")], Some("c")),
            (&[("a", true, "x !y")], None),
            (&[("a", false, "x|"), ("b", false, "")], Some("a,b")),
            (&[("a", false, "x|y"), ("b", false, "!z|!y")], Some("a,b y:a")),
            (&[("a", true, "x|y"), ("b", false, "!y|")], Some("a,b y:a")),
            (&[("a", false, "x"), ("b", false, "x"), ("c", false, "!x !x")], Some("a,b,c x:a+b")),
            (&[("+e", true, "x"), ("a", false, "")], Some("a")),
            (&[("+e", true, "x"), ("a", false, "!x !y"), ("b", false, "")], None),
            (&[("+e", true, "x"), ("a", false, "y !y !x")], Some("+e,a y:a x:+e")),
        ] {
            assert_eq!(resolved(group).as_deref(), expected, "{group:?}");
        }
    }
}
