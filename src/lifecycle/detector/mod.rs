//! The detector: which group of buildpacks can build the app (CNB Platform Specification, detector). Start with [`detect`].

mod expand;
mod resolve;

use super::log::{Level, Log};
use crate::buildpack::{self, Descriptor, DetectInput, DetectOutcome, Kind, Modules, Order, Plan, Verdict};
use crate::error::{Context, Error, Result};
use expand::{Entry, groups};
use std::collections::HashMap;

/// Exit code where no group passes (EXIT-02).
pub const NOTHING_PASSED: u8 = 20;
/// The same where a buildpack went wrong.
pub const SOMETHING_WENT_WRONG: u8 = 21;

/// What the detector needs.
pub struct Input<'a> {
    /// Where buildpacks and extensions are.
    pub modules: &'a Modules,
    /// The groups to try.
    pub order: &'a Order,
    /// What each buildpack is asked with.
    pub detect: DetectInput<'a>,
}

/// The group that passed.
#[derive(Debug)]
pub struct Detected {
    /// Its buildpacks, in order.
    pub buildpacks: Vec<Descriptor>,
    /// Its extensions, in order.
    pub extensions: Vec<Descriptor>,
    /// What they require of each other.
    pub plan: Plan,
}

/// Finds the first group that passes (DET-07).
///
/// # Errors
/// When none does: exit code 21 where a buildpack that was needed went wrong, else 20.
pub fn detect(input: &Input, log: &Log) -> Result<Detected> {
    let mut detector = Detector { input, outcomes: HashMap::new(), lines: Vec::new(), went_wrong: false };
    for group in groups(input.order, input.modules, input.detect.exec_env)? {
        if let Some(detected) = detector.try_group(&group)? {
            detector.lines.iter().for_each(|(level, line)| log(*level, line));
            return Ok(detected);
        }
    }
    // What was only for those who look for a mistake is what everybody looks for now (DET-18).
    detector.lines.iter().for_each(|(_, line)| log(Level::Info, line));
    let code = if detector.went_wrong { SOMETHING_WENT_WRONG } else { NOTHING_PASSED };
    let nothing = Error::new("No buildpack groups passed detection.").code(code);
    // DET-13.
    Err(if detector.went_wrong { nothing } else { nothing.hint("Please check that you are running against the correct path.") })
}

struct Detector<'a> {
    input: &'a Input<'a>,
    outcomes: HashMap<(Kind, String), DetectOutcome>,
    /// What there is to say; how loud, is known at the end.
    lines: Vec<(Level, String)>,
    went_wrong: bool,
}

impl Detector<'_> {
    fn say(&mut self, level: Level, line: String) {
        self.lines.push((level, line));
    }

    fn try_group(&mut self, group: &[Entry]) -> Result<Option<Detected>> {
        self.ask(group)?;
        self.say_outputs(group);
        self.say(Level::Debug, "======== Results ========".into());
        let mut passed = Vec::new();
        let (mut failed, mut went_wrong, mut buildpacks) = (false, false, 0);
        for entry in group {
            let name = entry.descriptor.full_name();
            let outcome = self.outcomes.get(&key(&entry.descriptor)).context(|| format!("`{name}` was not asked"))?.clone();
            let (line, level) = match (&outcome.verdict, entry.optional) {
                (Verdict::Pass, _) => (format!("pass: {name}"), Level::Debug),
                (Verdict::Fail, true) => (format!("skip: {name}"), Level::Debug),
                (Verdict::Fail, false) => (format!("fail: {name}"), Level::Debug),
                (Verdict::Error(-1), _) => (format!("err:  {name}"), Level::Info),
                (Verdict::Error(code), _) => (format!("err:  {name} ({code})"), Level::Info),
            };
            self.say(level, line);
            match outcome.verdict {
                Verdict::Pass => {
                    buildpacks += usize::from(entry.descriptor.kind == Kind::Buildpack);
                    passed.push((entry, outcome.plan));
                }
                Verdict::Fail => failed |= !entry.optional,
                Verdict::Error(_) => {
                    failed |= !entry.optional;
                    went_wrong = true;
                }
            }
        }
        if failed {
            self.went_wrong |= went_wrong;
            return Ok(None);
        }
        if buildpacks == 0 {
            self.say(Level::Debug, "fail: no viable buildpacks in group".into());
            return Ok(None);
        }
        Ok(self.resolve(&passed, group.len()))
    }

    fn resolve(&mut self, passed: &[(&Entry, buildpack::BuildPlan)], asked: usize) -> Option<Detected> {
        let candidates: Vec<resolve::Candidate> = passed.iter().map(|(entry, plan)| resolve::Candidate::new(entry, plan)).collect();
        let mut lines = Vec::new();
        let found = resolve::resolve(&candidates, &mut |line| lines.push(line));
        lines.into_iter().for_each(|line| self.say(Level::Debug, line));
        let (kept, plan) = found?;
        let kept: Vec<&Descriptor> = kept.into_iter().map(|at| &passed[at].0.descriptor).collect();
        let of = |kind: Kind| {
            kept.iter().filter(|descriptor| descriptor.kind == kind).map(|descriptor| (*descriptor).clone()).collect::<Vec<_>>()
        };
        let detected = Detected { buildpacks: of(Kind::Buildpack), extensions: of(Kind::Extension), plan };
        if kept.len() < asked {
            self.say(Level::Info, format!("{} of {asked} buildpacks participating", kept.len()));
        }
        let longest = kept.iter().map(|descriptor| descriptor.id.len()).max().unwrap_or(0);
        for descriptor in kept {
            self.say(Level::Info, format!("{:longest$} {}", descriptor.id, descriptor.version));
        }
        Some(detected)
    }

    /// Asks those of the group that were not asked yet, at the same time (DET-08, DET-09).
    fn ask(&mut self, group: &[Entry]) -> Result<()> {
        let new: Vec<&Entry> = group.iter().filter(|entry| !self.outcomes.contains_key(&key(&entry.descriptor))).collect();
        let input = self.input;
        let outcomes: Vec<DetectOutcome> = std::thread::scope(|scope| {
            let asked: Vec<_> = new.iter().map(|entry| scope.spawn(move || ask(&entry.descriptor, entry.optional, input))).collect();
            asked
                .into_iter()
                .map(|thread| thread.join().map_err(|_| Error::new("a thread of the detector ended early")))
                .collect::<Result<_>>()
        })?;
        for (entry, outcome) in new.into_iter().zip(outcomes) {
            self.outcomes.insert(key(&entry.descriptor), outcome);
        }
        Ok(())
    }

    /// Each group tells what its members said, also those that were asked for an earlier one.
    fn say_outputs(&mut self, group: &[Entry]) {
        for entry in group {
            let Some(outcome) = self.outcomes.get(&key(&entry.descriptor)).cloned() else { continue };
            let name = entry.descriptor.full_name();
            let level = if matches!(outcome.verdict, Verdict::Error(_)) { Level::Info } else { Level::Debug };
            if !outcome.output.trim().is_empty() {
                self.say(level, format!("======== Output: {name} ========"));
                outcome.output.trim_end().lines().for_each(|line| self.say(level, line.to_string()));
            }
            if let Some(problem) = &outcome.problem {
                self.say(level, format!("======== Error: {name} ========"));
                self.say(level, problem.clone());
            }
        }
    }
}

/// A buildpack that does not work on the run image is not even asked (DET-32, DET-34).
fn ask(descriptor: &Descriptor, optional: bool, input: &Input) -> DetectOutcome {
    let target = input.detect.target;
    let fits = descriptor.targets.is_empty() || descriptor.targets.iter().any(|wanted| wanted.accepts(target));
    if fits {
        return buildpack::detect(descriptor, &input.detect);
    }
    let problem =
        format!("unable to satisfy target os/arch constraints; run image: {}, buildpack: {}", json(target), json(&descriptor.targets));
    let verdict = if optional { Verdict::Fail } else { Verdict::Error(-1) };
    DetectOutcome { verdict, plan: buildpack::BuildPlan::default(), output: String::new(), problem: Some(problem) }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn key(descriptor: &Descriptor) -> (Kind, String) {
    (descriptor.kind, descriptor.full_name())
}

#[cfg(test)]
mod tests;
