//! Kills a real server again and again while clients write, and looks whether anything is lost.
//!
//! Each client takes numbered steps of four parts: a counter, a list, a hash, and two strings in a
//! transaction. What is there after a restart must be what some prefix of these parts leaves, the parts
//! of a transaction together, and no shorter than what had been replied to: under `appendfsync always`
//! nothing may be missing; otherwise what was replied to in the last moments may still have been in the
//! process.

use base::rand::Rng;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::frame::Frame;
use crate::target::launch::Server;
use crate::target::socket::SocketLink;
use crate::target::{Link, Received, WAIT, request};

const POLICIES: [&str; 3] = ["always", "everysec", "no"];
const CLIENTS: usize = 4;
/// Fields of each client's hash.
const FIELDS: u64 = 7;
/// Replies to one step.
const REPLIES: usize = 7;
/// What a process may keep to itself before it hands it to the system, but under `always`.
const UNWRITTEN: Duration = Duration::from_millis(500);

pub struct Plan {
    pub server: PathBuf,
    pub seed: u64,
    /// How often each server is killed, under each policy.
    pub rounds: u64,
}

/// What one client has done in one round.
struct Track {
    /// What its keys begin with.
    name: String,
    /// The last step of which anything was sent.
    sent: u64,
    /// When the last reply to a step came, by step from 1.
    replied: Vec<Instant>,
}

/// How far each part of the steps has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    counter: u64,
    list: u64,
    hash: u64,
    strings: u64,
}

/// Runs all rounds; how many, or what was lost.
///
/// # Errors
/// What was lost, or why the server does not start.
#[allow(clippy::print_stdout, reason = "what it does is for the terminal")]
pub fn run(plan: &Plan) -> Result<u64, String> {
    println!("kills: --seed {} --rounds {}", plan.seed, plan.rounds);
    let mut rng = Rng::new(plan.seed);
    for policy in POLICIES {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut world =
            World { plan, policy, folder: folder.path(), settled: Vec::new(), steps: 0 };
        for round in 0..plan.rounds {
            world.round(round, &mut rng).map_err(|e| format!("{policy}, round {round}: {e}"))?;
        }
        println!("{policy}: {} steps in {} rounds", world.steps, plan.rounds);
    }
    Ok(plan.rounds * POLICIES.len() as u64)
}

/// One folder on which one server after the other lives.
struct World<'p> {
    plan: &'p Plan,
    policy: &'p str,
    folder: &'p Path,
    /// What the rounds before have left: it was read from the file, so it stays.
    settled: Vec<(String, Found)>,
    steps: u64,
}

impl World<'_> {
    fn start(&self, rng: &mut Rng) -> Result<Server, String> {
        let preamble = if rng.below(4) == 0 { "no" } else { "yes" };
        let options = [
            ("appendonly", "yes"),
            ("appendfsync", self.policy),
            ("aof-use-rdb-preamble", preamble),
            ("auto-aof-rewrite-percentage", "100"),
            ("auto-aof-rewrite-min-size", "100kb"),
        ];
        let options: Vec<String> = options
            .iter()
            .flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()])
            .collect();
        Server::start_in(self.folder, &self.plan.server, &options)
    }

    /// A server lives, is killed, and another finds what it has left.
    fn round(&mut self, round: u64, rng: &mut Rng) -> Result<(), String> {
        let server = self.start(rng)?;
        let (port, is_over) = (server.port, AtomicBool::new(false));
        let life = Duration::from_millis(20 + rng.below(400));
        let (seeds, rewrites_after) = ([(); CLIENTS].map(|()| rng.next_u64()), rng.below(600));
        let (tracks, killed) = thread::scope(|scope| {
            let is_over = &is_over;
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let name = format!("{round}:{client}:");
                    scope.spawn(move || write(port, name, is_over, Rng::new(seeds[client])))
                })
                .collect();
            scope.spawn(move || rewrite(port, is_over, Duration::from_millis(rewrites_after)));
            thread::sleep(life);
            let killed = (Instant::now(), server.kill());
            is_over.store(true, Ordering::Relaxed);
            let tracks: Vec<Result<Track, String>> = clients
                .into_iter()
                .map(|client| client.join().unwrap_or_else(|_| Err("a client has panicked".into())))
                .collect();
            (tracks, killed)
        });
        killed.1?;
        let tracks = tracks.into_iter().collect::<Result<Vec<_>, _>>()?;
        let server = self.start(rng)?;
        let mut link: Box<dyn Link> = Box::new(SocketLink::open(server.port)?);
        for (name, expected) in &self.settled {
            let found = look(&mut *link, name)?;
            if found != *expected {
                return Err(format!("{name} has changed since: {expected:?}, now {found:?}"));
            }
        }
        for track in tracks {
            let found = look(&mut *link, &track.name)?;
            self.check(&track, found, killed.0)?;
            self.steps += track.sent;
            self.settled.push((track.name, found));
        }
        // And what was found is not lost by being killed right away.
        server.kill()
    }

    fn check(&self, track: &Track, found: Found, killed: Instant) -> Result<(), String> {
        let Found { counter, list, hash, strings } = found;
        let parts = [counter, list, hash, strings];
        let is_prefix = parts.is_sorted_by(|one, next| next <= one) && counter <= strings + 1;
        if !is_prefix || track.sent < counter {
            return Err(format!("{}: no prefix of the steps: {found:?}", track.name));
        }
        let margin = if self.policy == "always" { Duration::ZERO } else { UNWRITTEN };
        let is_due = |at: &&Instant| **at + margin <= killed || margin.is_zero();
        let due = track.replied.iter().take_while(is_due).count() as u64;
        if strings < due {
            let (name, replied) = (&track.name, track.replied.len());
            return Err(format!(
                "{name}: {replied} steps were replied to, {due} must be there, and {found:?} is"
            ));
        }
        Ok(())
    }
}

/// Takes steps until the server is gone.
fn write(port: u16, name: String, is_over: &AtomicBool, mut rng: Rng) -> Result<Track, String> {
    let mut link: Box<dyn Link> = Box::new(SocketLink::open(port)?);
    let mut track = Track { name, sent: 0, replied: Vec::new() };
    while !is_over.load(Ordering::Relaxed) {
        let count = if rng.below(2) == 0 { 1 } else { 1 + rng.below(16) };
        let mut bytes = Vec::new();
        for step in track.sent + 1..=track.sent + count {
            add_step(&track.name, step, &mut rng, &mut bytes);
        }
        track.sent += count;
        if link.send(&bytes).is_err() {
            break;
        }
        for _ in 0..count {
            for _ in 0..REPLIES {
                match link.receive(WAIT) {
                    Ok(Received::Frame(Frame::Error(error))) => {
                        return Err(format!("refused: {}", error.escape_ascii()));
                    }
                    Ok(Received::Frame(_)) => {}
                    Ok(Received::Closed) | Err(_) => return Ok(track),
                    Ok(Received::Nothing) => return Err("no reply".to_owned()),
                }
            }
            track.replied.push(Instant::now());
        }
    }
    Ok(track)
}

fn add_step(name: &str, step: u64, rng: &mut Rng, bytes: &mut Vec<u8>) {
    let mut add = |words: &[&str]| {
        let mut words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        if let Some(key) = words.get_mut(1) {
            *key = [name.as_bytes(), key.as_slice()].concat();
        }
        bytes.extend(request(&words));
    };
    let number = step.to_string();
    // Sometimes a large one, which takes more than one write.
    let padding = if rng.below(50) == 0 { "x".repeat(100_000) } else { String::new() };
    let value = format!("{number} {padding}");
    add(&["INCR", "counter"]);
    add(&["RPUSH", "list", &number]);
    add(&["HSET", "hash", &(step % FIELDS).to_string(), &number]);
    add(&["MULTI"]);
    add(&["SET", "one", &number]);
    add(&["SET", "two", &value]);
    add(&["EXEC"]);
}

/// Has everything written anew, after a while, as often as it can.
fn rewrite(port: u16, is_over: &AtomicBool, after: Duration) {
    let Ok(link) = SocketLink::open(port) else { return };
    let mut link: Box<dyn Link> = Box::new(link);
    let started = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(5));
        // It may be refused because one goes on, or the server may be gone.
        if after <= started.elapsed()
            && (link.call(&["BGREWRITEAOF"]).is_err() || link.call(&["BGSAVE"]).is_err())
        {
            return;
        }
    }
}

/// What there is of a client's keys.
fn look(link: &mut (dyn Link + 'static), name: &str) -> Result<Found, String> {
    let mut call = |words: &[&str]| {
        let key = format!("{name}{}", words[1]);
        link.call(&[&[words[0], &key], &words[2..]].concat())
    };
    let number = |frame: &Frame| -> Option<u64> {
        let text = std::str::from_utf8(frame.text()?).ok()?;
        text.split(' ').next()?.parse().ok()
    };
    let counter = number(&call(&["GET", "counter"])?).unwrap_or(0);
    let Frame::Array(list) = call(&["LRANGE", "list", "0", "-1"])? else {
        return Err("LRANGE replies with no array".to_owned());
    };
    for (element, step) in list.iter().zip(1..) {
        if number(element) != Some(step) {
            return Err(format!("{name}list holds {element:?} for {step}"));
        }
    }
    let Frame::Array(words) = call(&["HGETALL", "hash"])? else {
        return Err("HGETALL replies with no array".to_owned());
    };
    let numbers: Vec<u64> = words.iter().filter_map(&number).collect();
    let hash = numbers.chunks(2).map(|pair| pair[1]).max().unwrap_or(0);
    for pair in numbers.chunks(2) {
        let behind = (hash + FIELDS - pair[0]) % FIELDS;
        if hash - behind != pair[1] {
            return Err(format!("{name}hash holds {} in {}, and {hash} too", pair[1], pair[0]));
        }
    }
    let one = number(&call(&["GET", "one"])?).unwrap_or(0);
    let two = number(&call(&["GET", "two"])?).unwrap_or(0);
    if one != two {
        return Err(format!("{name}: half a transaction: {one} and {two}"));
    }
    Ok(Found { counter, list: list.len() as u64, hash, strings: one })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a client that has sent four steps, and had a reply to three, the last just now.
    fn check(policy: &str, parts: [u64; 4]) -> Result<(), String> {
        let plan = Plan { server: PathBuf::new(), seed: 1, rounds: 1 };
        let world =
            World { plan: &plan, policy, folder: Path::new(""), settled: Vec::new(), steps: 0 };
        let killed = Instant::now();
        let before = killed - 2 * UNWRITTEN;
        let replied = vec![before, before, killed];
        let track = Track { name: "c:".to_owned(), sent: 4, replied };
        let [counter, list, hash, strings] = parts;
        world.check(&track, Found { counter, list, hash, strings }, killed)
    }

    #[test]
    fn what_was_replied_to_must_be_there() {
        for policy in POLICIES {
            for parts in [[3; 4], [4; 4], [4, 4, 3, 3], [4, 3, 3, 3]] {
                check(policy, parts).unwrap();
            }
            check(policy, [2, 2, 2, 1]).unwrap_err();
        }
        check("always", [3, 3, 3, 2]).unwrap_err();
        check("everysec", [3, 3, 3, 2]).unwrap();
    }

    #[test]
    fn no_part_is_there_without_those_before_it() {
        for parts in [[3, 4, 4, 4], [4, 4, 3, 4], [5; 4], [5, 3, 3, 3]] {
            check("always", parts).unwrap_err();
        }
    }
}
