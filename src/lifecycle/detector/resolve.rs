//! Makes one plan of the build plans of a group (DET-24 to DET-30, DET-42).

use super::expand::Entry;
use crate::buildpack::{BuildPlan, Kind, Plan, PlanEntry, Provider, Require};

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
#[derive(Clone)]
struct Choice<'a> {
    at: usize,
    provides: Vec<&'a str>,
    requires: Vec<&'a Require>,
    optional: bool,
    provider: &'a Provider,
}

/// Tries every combination of alternatives, the main ones first. Returns the places of those that take part, and their plan.
pub(super) fn resolve(candidates: &[Candidate], say: &mut dyn FnMut(String)) -> Option<(Vec<usize>, Plan)> {
    let mut tried = 0;
    let mut picks = vec![0; candidates.len()];
    loop {
        tried += 1;
        say(format!("Resolving plan... (try #{tried})"));
        let choices = candidates.iter().zip(&picks).enumerate().map(|(at, (candidate, pick))| choice(at, candidate, *pick)).collect();
        match attempt(choices, say) {
            Ok(found) => return Some(found),
            Err(why) => say(why),
        }
        if !advance(&mut picks, candidates) {
            return None;
        }
    }
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
        let problem = choices.iter().enumerate().find_map(|(place, choice)| problem(&choices, place, choice).map(|why| (place, why)));
        match problem {
            Some((place, why)) if choices[place].optional => {
                say(format!("skip: {why}"));
                choices.remove(place);
            }
            Some((_, why)) => return Err(format!("fail: {why}")),
            None => break,
        }
    }
    if choices.iter().all(|choice| choice.provider.extension) {
        return Err("fail: no viable buildpacks in group".into());
    }
    Ok((choices.iter().map(|choice| choice.at).collect(), plan(&choices)))
}

/// A provider stands at the same place as who requires, or before it.
fn problem(choices: &[Choice], place: usize, choice: &Choice) -> Option<String> {
    let name = format!("{}@{}", choice.provider.id, choice.provider.version);
    let unmet =
        choice.requires.iter().find(|require| !choices[..=place].iter().any(|other| other.provides.contains(&require.name.as_str())));
    let unused = choice
        .provides
        .iter()
        .find(|provide| !choices[place..].iter().any(|other| other.requires.iter().any(|require| require.name == **provide)));
    match (unmet, unused) {
        (Some(require), _) => Some(format!("{name} requires {}", require.name)),
        (None, Some(provide)) => Some(format!("{name} provides unused {provide}")),
        (None, None) => None,
    }
}

fn plan(choices: &[Choice]) -> Plan {
    let mut entries: Vec<(&str, PlanEntry)> = Vec::new();
    for (place, choice) in choices.iter().enumerate() {
        for require in &choice.requires {
            let entry = match entries.iter().position(|(name, _)| *name == require.name) {
                Some(known) => &mut entries[known].1,
                None => {
                    entries.push((&require.name, PlanEntry::default()));
                    let last = entries.len() - 1;
                    &mut entries[last].1
                }
            };
            entry.requires.push((*require).clone());
            for provider in
                choices[..=place].iter().filter(|other| other.provides.contains(&require.name.as_str())).map(|other| other.provider)
            {
                if !entry.providers.contains(provider) {
                    entry.providers.push(provider.clone());
                }
            }
        }
    }
    Plan { entries: entries.into_iter().map(|(_, entry)| entry).collect() }
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
        let (kept, plan) = resolve(&candidates, &mut |_| ())?;
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
