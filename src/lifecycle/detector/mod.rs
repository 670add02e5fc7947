//! The detector: which group of buildpacks can build the app (CNB Platform Specification, detector). Start with [`detect`].

mod expand;
mod resolve;

use super::log::{Level, Log};
use crate::buildpack::{self, Api, BuildPlan, Descriptor, DetectInput, DetectOutcome, Kind, Modules, Order, Plan, Verdict};
use crate::error::{Error, Result};
use expand::{Entry, Groups};
use resolve::Candidate;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Exit code where no group passes (EXIT-02).
pub const NOTHING_PASSED: u8 = 20;
/// The same where a buildpack went wrong.
pub const SOMETHING_WENT_WRONG: u8 = 21;

/// How many buildpacks are asked at the same time.
const MOST_AT_ONCE: usize = 32;
/// Bytes of what is kept to be said at the end.
const MOST_SAID: usize = 64 << 20;

/// What the detector needs.
pub struct Input<'a> {
    /// Where buildpacks and extensions are.
    pub modules: &'a Modules,
    /// The groups to try.
    pub order: &'a Order,
    /// What each buildpack is asked with.
    pub detect: DetectInput<'a>,
    /// The Platform API that the platform speaks.
    pub platform_api: Api,
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
    let mut detector = Detector { input, outcomes: Vec::new(), lines: Vec::new(), said: 0, went_wrong: false };
    let detected = detector.first_that_passes();
    // What was only for those who look for a mistake is what everybody looks for when nothing passes (DET-18).
    let raised = if matches!(detected, Ok(Some(_))) { Level::Debug } else { Level::Info };
    detector.lines.iter().for_each(|(level, line)| log(raised.max(*level), line));
    if let Some(detected) = detected? {
        return Ok(detected);
    }
    let nothing = Error::new("No buildpack groups passed detection.");
    // DET-13.
    Err(match detector.went_wrong {
        true => nothing.code(SOMETHING_WENT_WRONG),
        false => nothing.hint("Please check that you are running against the correct path.").code(NOTHING_PASSED),
    })
}

struct Detector<'a> {
    input: &'a Input<'a>,
    /// What each descriptor answered, by its number.
    outcomes: Vec<Option<DetectOutcome>>,
    /// What there is to say; how loud, is known at the end.
    lines: Vec<(Level, String)>,
    said: usize,
    went_wrong: bool,
}

impl Detector<'_> {
    fn say(&mut self, level: Level, line: String) {
        if self.said < MOST_SAID {
            self.said += line.len() + 1;
            self.lines.push((level, line));
            if self.said >= MOST_SAID {
                self.lines.push((level, "(the rest is left out)".into()));
            }
        }
    }

    fn first_that_passes(&mut self) -> Result<Option<Detected>> {
        let input = self.input;
        let exec_env = (input.platform_api >= Api::new(0, 15)).then_some(input.detect.exec_env);
        let mut groups = Groups::new(input.order, input.modules, exec_env)?;
        while let Some(group) = groups.next()? {
            if let Some(detected) = self.try_group(&group)? {
                return Ok(Some(detected));
            }
        }
        Ok(None)
    }

    fn try_group(&mut self, group: &[Entry]) -> Result<Option<Detected>> {
        self.ask(group)?;
        self.say_outputs(group);
        self.say(Level::Debug, "======== Results ========".into());
        let mut passed = Vec::new();
        let (mut failed, mut went_wrong, mut buildpacks) = (false, false, 0);
        for entry in group {
            let name = entry.descriptor.full_name();
            // One that does not work on the run image was not asked (DET-32, DET-34).
            let verdict = match self.outcomes.get(entry.number).and_then(Option::as_ref) {
                Some(outcome) => outcome.verdict.clone(),
                None if entry.optional => Verdict::Fail,
                None => Verdict::Error(-1),
            };
            match verdict {
                Verdict::Pass => {
                    self.say(Level::Debug, format!("pass: {name}"));
                    buildpacks += usize::from(entry.descriptor.kind == Kind::Buildpack);
                    passed.push(entry);
                }
                Verdict::Fail => {
                    self.say(Level::Debug, format!("{}: {name}", if entry.optional { "skip" } else { "fail" }));
                    failed |= !entry.optional;
                }
                Verdict::Error(code) => {
                    self.say(Level::Info, format!("err:  {name}{}", if code < 0 { String::new() } else { format!(" ({code})") }));
                    failed |= !entry.optional;
                    went_wrong = true;
                }
            }
        }
        self.went_wrong |= failed && went_wrong;
        if !failed && buildpacks == 0 {
            self.say(Level::Debug, "fail: no viable buildpacks in group".into());
        }
        if failed || buildpacks == 0 { Ok(None) } else { self.resolve(&passed, group.len()) }
    }

    fn resolve(&mut self, passed: &[&Entry], of: usize) -> Result<Option<Detected>> {
        let nothing = BuildPlan::default();
        let plan = |entry: &Entry| self.outcomes.get(entry.number).and_then(Option::as_ref).map_or(&nothing, |outcome| &outcome.plan);
        let candidates: Vec<Candidate> = passed.iter().map(|entry| Candidate::new(entry, plan(entry))).collect();
        let mut lines = Vec::new();
        let found = resolve::resolve(&candidates, &mut |line| lines.push(line));
        lines.into_iter().for_each(|line| self.say(Level::Debug, line));
        let Some((kept, plan)) = found? else { return Ok(None) };
        let kept: Vec<&Descriptor> = kept.into_iter().map(|at| &*passed[at].descriptor).collect();
        if kept.len() < of {
            self.say(Level::Info, format!("{} of {of} buildpacks participating", kept.len()));
        }
        let longest = kept.iter().map(|descriptor| descriptor.id.len()).max().unwrap_or(0);
        for descriptor in &kept {
            self.say(Level::Info, format!("{:longest$} {}", descriptor.id, descriptor.version));
        }
        let of = |kind: Kind| kept.iter().filter(|descriptor| descriptor.kind == kind).map(|descriptor| (*descriptor).clone()).collect();
        Ok(Some(Detected { buildpacks: of(Kind::Buildpack), extensions: of(Kind::Extension), plan }))
    }

    /// Asks those of the group that were not asked yet and work on the run image, at the same time (DET-08, DET-09).
    fn ask(&mut self, group: &[Entry]) -> Result<()> {
        let is_new = |entry: &&Entry| !self.outcomes.get(entry.number).is_some_and(Option::is_some);
        let new: Vec<&Entry> = group.iter().filter(is_new).filter(|entry| self.problem_with_target(&entry.descriptor).is_none()).collect();
        for (entry, outcome) in ask_at_once(&new, &self.input.detect)? {
            if self.outcomes.len() <= entry.number {
                self.outcomes.resize(entry.number + 1, None);
            }
            self.outcomes[entry.number] = Some(outcome);
        }
        Ok(())
    }

    /// Each group tells what its members said, also those that were asked for an earlier one.
    fn say_outputs(&mut self, group: &[Entry]) {
        for entry in group.iter().filter(|_| self.said < MOST_SAID).collect::<Vec<_>>() {
            let (mut level, mut problem, mut output) = (Level::Debug, None, String::new());
            match self.outcomes.get(entry.number).and_then(Option::as_ref) {
                Some(outcome) => {
                    level = if matches!(outcome.verdict, Verdict::Error(_)) { Level::Info } else { Level::Debug };
                    (problem, output) = (outcome.problem.clone(), outcome.output.clone());
                }
                None if entry.optional => {}
                None => (level, problem) = (Level::Info, self.problem_with_target(&entry.descriptor)),
            }
            let name = entry.descriptor.full_name();
            if !output.trim().is_empty() {
                self.say(level, format!("======== Output: {name} ========"));
                output.trim_end().lines().for_each(|line| self.say(level, line.to_string()));
            }
            if let Some(problem) = problem {
                self.say(level, format!("======== Error: {name} ========"));
                self.say(level, problem);
            }
        }
    }

    /// Why a buildpack does not work on the run image, where it does not (DET-31).
    fn problem_with_target(&self, descriptor: &Descriptor) -> Option<String> {
        let target = self.input.detect.target;
        let fits = descriptor.targets.is_empty() || descriptor.targets.iter().any(|wanted| wanted.accepts(target));
        (!fits && self.input.platform_api >= Api::new(0, 12)).then(|| {
            let (image, own) = (json(target), json(&descriptor.targets));
            format!("unable to satisfy target os/arch constraints; run image: {image}, buildpack: {own}")
        })
    }
}

/// Asks all of them, some at the same time, and returns what they answered, in order.
fn ask_at_once<'a>(entries: &[&'a Entry], input: &DetectInput) -> Result<Vec<(&'a Entry, DetectOutcome)>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut answers = Vec::new();
        while let Some((at, entry)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, *entries.get(at)?))) {
            answers.push((at, buildpack::detect(&entry.descriptor, input)));
        }
        answers
    };
    let mut answers: Vec<(usize, DetectOutcome)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..entries.len().min(MOST_AT_ONCE)).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().map_err(|_| Error::new("a thread of the detector ended early")));
        joined.collect::<Result<Vec<_>>>().map(|answers| answers.into_iter().flatten().collect())
    })?;
    answers.sort_by_key(|(at, _)| *at);
    Ok(answers.into_iter().map(|(at, outcome)| (entries[at], outcome)).collect())
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
