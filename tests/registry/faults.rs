//! Registries that are slow, broken, lying or hostile, before the whole program: a command ends well after some tries, or with one error that
//! says what is wrong; no name means a part of an image, and the store is whole.

use crate::support::{Answer, Asked, Break, Faulty, Machine, Odd, Registry, Small, plain, run, succeed};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

mod hostile;
mod reading;
mod writing;

/// How a command ends.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Well,
    /// With an error that says this.
    Saying(&'static str),
}

/// A request on its way, and what is on both sides of it.
struct Stage<'a> {
    asked: &'a Asked,
    /// Where the client thinks that the registry is.
    host: &'a str,
    /// Where it is.
    server: &'a str,
}

impl Stage<'_> {
    /// What the registry answers.
    fn passed_on(&self) -> Option<Answer> {
        self.asked.passed_on(self.server)
    }
}

/// What stands before a registry, and how a command then ends.
struct Fault {
    name: String,
    ends: Ends,
    play: Play,
}

/// What is answered to a request.
type Answering = dyn Fn(&Stage) -> Option<Answer> + Send + Sync;

enum Play {
    /// With whole requests.
    Requests(Box<Answering>),
    /// With some of the first connections.
    Connections(Break),
}

/// A proxy that runs.
enum Proxy {
    Odd(Odd),
    Faulty(Faulty),
}

/// The beginning of a request's line, and a part of it.
type Which = (&'static str, &'static str);

impl Fault {
    fn new(name: &str, ends: Ends, play: Play) -> Self {
        Self { name: name.into(), ends, play }
    }

    /// Connections that break at each kind of place, and slow ones.
    fn of_connections() -> impl Iterator<Item = Self> {
        let places = [0, 1, 30, 200, 600, 5_000, 150_000, 301_000];
        let breaks = places.into_iter().flat_map(|bytes| [Break::Sent(bytes), Break::Answered(bytes)]);
        let all = breaks.chain([Break::Slow(Duration::from_millis(5))]);
        all.map(|at| Self { name: format!("{at:?}"), ends: Ends::Well, play: Play::Connections(at) })
    }

    fn start(self, registry: &Registry) -> Proxy {
        let server = registry.host();
        match self.play {
            Play::Requests(play) => Proxy::Odd(Odd::start(move |asked, host| play(&Stage { asked, host, server: &server }))),
            Play::Connections(at @ Break::Slow(_)) => Proxy::Faulty(Faulty::start(&server, move |_| Some(at))),
            Play::Connections(at) => Proxy::Faulty(Faulty::start(&server, move |index| (1..3).contains(&index).then_some(at))),
        }
    }
}

impl Proxy {
    fn host(&self) -> &str {
        match self {
            Self::Odd(odd) => &odd.address,
            Self::Faulty(faulty) => faulty.host(),
        }
    }
}

/// The first so many of these requests are answered so, the others by the registry.
fn first(count: usize, (method, part): Which, answer: impl Fn(&Stage) -> Option<Answer> + Send + Sync + 'static) -> Play {
    let left = AtomicUsize::new(count);
    let take = move || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    Play::Requests(Box::new(move |stage| {
        let line = &stage.asked.line;
        if line.starts_with(method) && line.contains(part) && take() { answer(stage) } else { stage.passed_on() }
    }))
}

fn always(which: Which, answer: impl Fn(&Stage) -> Option<Answer> + Send + Sync + 'static) -> Play {
    first(usize::MAX, which, answer)
}

/// An answer with headers and without content.
fn empty(status: u16, headers: &[(&'static str, &str)]) -> Option<Answer> {
    Some((status, headers.iter().map(|(name, value)| (*name, (*value).to_string())).collect(), Vec::new()))
}

/// An image with a small layer and one of 300 kB, in a layout under the tag `x`.
fn layout(folder: &Path) -> Small {
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    Small::write(folder, "x", &[("small", b"small"), ("large", &noise.take(300_000).collect::<Vec<u8>>())])
}

/// Runs a command, which must end as it should, soon, and with one error at most; and the store must be whole.
fn ends(machine: &Machine, arguments: &[&str], fault: &str, ends: Ends) {
    let started = Instant::now();
    let output = run(&mut machine.command(arguments));
    let said = String::from_utf8_lossy(&output.stderr);
    let told = format!("{fault}: {arguments:?} ended after {:?} with {}:\n{said}", started.elapsed(), output.status);
    let errors = said.lines().filter(|line| line.contains("error:")).count();
    match ends {
        Ends::Well => assert!(output.status.success() && errors == 0, "{told}"),
        Ends::Saying(what) => assert!(output.status.code() == Some(1) && errors == 1 && said.contains(what), "{what}? {told}"),
    }
    assert!(!said.contains("panicked") && said.lines().count() < 10 && started.elapsed() < Duration::from_secs(50), "{told}");
    assert_eq!(succeed(&mut machine.command(&["store", "verify"])), "the store is valid\n", "{fault}");
}

/// Does the same for each fault, all at once: most of the time goes by waiting.
fn each<T: Send>(faults: Vec<T>, work: impl Fn(usize, T) + Sync) {
    std::thread::scope(|scope| {
        for (index, fault) in faults.into_iter().enumerate() {
            let work = &work;
            scope.spawn(move || work(index, fault));
        }
    });
}
