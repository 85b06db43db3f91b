//! Random command streams, run on two servers at once; every reply is compared.
//!
//! A stream is a list of commands on two connections, drawn from a grammar with a seed. Where the
//! replies differ, the stream is made shorter as long as they still differ, and printed as a case.

mod compare;
mod grammar;
mod pools;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use base::rand::Rng;

use crate::case::run::shown;
use crate::frame::{Frame, Protocol};
use crate::target::launch::Server;
use crate::target::socket::SocketTarget;
use crate::target::{Link, Received, Target, WAIT, request};
use compare::Queue;
use grammar::Grammar;

const CONNECTIONS: usize = 2;
const NAMES: [&str; CONNECTIONS] = ["A", "B"];
/// After so many differences the run ends: they will be the same.
const FAILURES_MAX: u64 = 5;
/// How often a failing stream is run again to make it shorter.
const SHRINKS_MAX: usize = 400;

pub struct Plan {
    pub server: PathBuf,
    pub reference: PathBuf,
    pub seed: Option<u64>,
    pub count: u64,
    /// Commands in a stream.
    pub length: usize,
}

pub struct Count {
    pub passed: u64,
    pub failed: u64,
}

#[derive(Clone)]
struct Call {
    connection: usize,
    words: Vec<Vec<u8>>,
}

/// Where two servers began to differ.
struct Mismatch {
    /// Index of the call; none when only the digests differ in the end.
    index: Option<usize>,
    ours: String,
    theirs: String,
}

/// Runs the streams and prints every difference.
///
/// # Errors
/// When a server does not start.
#[allow(clippy::print_stdout, reason = "what it finds is for the terminal")]
pub fn run(plan: &Plan) -> Result<Count, String> {
    let seed = plan.seed.unwrap_or_else(seed_of_now);
    println!("streams: --seed {seed} --count {} --length {}", plan.count, plan.length);
    let mut ours = Server::start(&plan.server, &[])?;
    let theirs = Server::start(&plan.reference, &[])?;
    let reference = SocketTarget::new(theirs.port)?;
    if SocketTarget::new(ours.port)?.identity().name == "ochre" {
        // Ochre has to speak as the reference does.
        let dialect = reference.identity().name.clone();
        ours = Server::start(&plan.server, &["dialect".to_owned(), dialect])?;
    }
    let mut pair = Pair::new(SocketTarget::new(ours.port)?, reference)?;
    let grammar = Grammar::read(pair.theirs.target.identity())?;
    let mut count = Count { passed: 0, failed: 0 };
    for number in 0..plan.count {
        let seed = seed.wrapping_add(number);
        let (protocol, calls) = stream(&grammar, seed, plan.length);
        match pair.run(protocol, &calls)? {
            None => count.passed += 1,
            Some(mismatch) => {
                let (calls, mismatch) = shrink(&mut pair, protocol, calls, mismatch)?;
                println!("\nwith --seed {seed} --count 1, {protocol:?}:");
                println!("{}", report(&calls, &mismatch));
                count.failed += 1;
            }
        }
        if count.failed == FAILURES_MAX {
            break;
        }
    }
    Ok(count)
}

fn seed_of_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

fn stream(grammar: &Grammar, seed: u64, length: usize) -> (Protocol, Vec<Call>) {
    let mut rng = Rng::new(seed);
    let protocol = if rng.below(2) == 0 { Protocol::Resp2 } else { Protocol::Resp3 };
    let calls = (0..length).map(|_| {
        let connection = if rng.below(4) == 0 { 1 } else { 0 };
        Call { connection, words: grammar.draw(&mut rng) }
    });
    (protocol, calls.collect())
}

/// One server with the connections of the stream in progress.
struct Side {
    target: SocketTarget,
    admin: Box<dyn Link>,
    links: Vec<Box<dyn Link>>,
}

impl Side {
    fn new(mut target: SocketTarget) -> Result<Self, String> {
        let admin = target.open()?;
        Ok(Self { target, admin, links: Vec::new() })
    }

    fn reset(&mut self, protocol: Protocol) -> Result<(), String> {
        self.links.clear();
        for words in [&["FLUSHALL"][..], &["SCRIPT", "FLUSH"]] {
            self.admin.call(words)?;
        }
        for _ in 0..CONNECTIONS {
            let mut link = self.target.open()?;
            if protocol == Protocol::Resp3 {
                link.call(&["HELLO", "3"])?;
            }
            self.links.push(link);
        }
        Ok(())
    }

    /// The digest of all databases. Some servers count keys that are past their deadline as long as
    /// nobody has come across them; KEYS does.
    fn digest(&mut self) -> Result<Frame, String> {
        for db in ["1", "2", "15", "0"] {
            self.admin.call(&["SELECT", db])?;
            self.admin.call(&["KEYS", "*"])?;
        }
        self.admin.call(&["DEBUG", "DIGEST"])
    }

    fn receive(&mut self, connection: usize) -> Result<Frame, String> {
        match self.links[connection].receive(WAIT)? {
            Received::Frame(frame) => Ok(frame),
            other => Err(format!("{}: {other:?} instead of a reply", self.target.identity())),
        }
    }
}

struct Pair {
    ours: Side,
    theirs: Side,
}

impl Pair {
    fn new(ours: SocketTarget, theirs: SocketTarget) -> Result<Self, String> {
        Ok(Self { ours: Side::new(ours)?, theirs: Side::new(theirs)? })
    }

    /// Runs a stream from an empty keyspace; none when every reply is the same.
    fn run(&mut self, protocol: Protocol, calls: &[Call]) -> Result<Option<Mismatch>, String> {
        self.ours.reset(protocol)?;
        self.theirs.reset(protocol)?;
        let mut queues: Vec<Queue> = (0..CONNECTIONS).map(|_| Queue::default()).collect();
        for (index, call) in calls.iter().enumerate() {
            let bytes = request(&call.words);
            // Both work at the same time.
            self.ours.links[call.connection].send(&bytes)?;
            self.theirs.links[call.connection].send(&bytes)?;
            let at = |message| format!("{message}\n{}", lines(call));
            let ours = self.ours.receive(call.connection).map_err(at)?;
            let theirs = self.theirs.receive(call.connection).map_err(at)?;
            let reference = self.theirs.target.identity();
            if !queues[call.connection].is_same(&call.words, &ours, &theirs, reference) {
                let (ours, theirs) = (ours.notation(), theirs.notation());
                return Ok(Some(Mismatch { index: Some(index), ours, theirs }));
            }
        }
        let (ours, theirs) = (self.ours.digest()?, self.theirs.digest()?);
        let is_same = ours == theirs;
        let (ours, theirs) = (ours.notation(), theirs.notation());
        Ok((!is_same).then_some(Mismatch { index: None, ours, theirs }))
    }
}

/// Leaves out pieces of the stream, ever smaller ones, as long as the servers still differ.
fn shrink(
    pair: &mut Pair,
    protocol: Protocol,
    mut calls: Vec<Call>,
    mut mismatch: Mismatch,
) -> Result<(Vec<Call>, Mismatch), String> {
    let mut budget = SHRINKS_MAX;
    calls.truncate(mismatch.index.map_or(calls.len(), |index| index + 1));
    let mut piece = calls.len() / 2;
    while 0 < piece && 0 < budget {
        let mut at = 0;
        while at < calls.len() && 0 < budget {
            budget -= 1;
            let mut fewer = calls.clone();
            fewer.drain(at..(at + piece).min(calls.len()));
            match pair.run(protocol, &fewer)? {
                Some(found) => {
                    fewer.truncate(found.index.map_or(fewer.len(), |index| index + 1));
                    (calls, mismatch) = (fewer, found);
                }
                None => at += piece,
            }
        }
        piece /= 2;
    }
    Ok((calls, mismatch))
}

fn lines(call: &Call) -> String {
    let words: Vec<String> = call.words.iter().map(|word| shown(word)).collect();
    format!("{}> {}", NAMES[call.connection], words.join(" "))
}

fn report(calls: &[Call], mismatch: &Mismatch) -> String {
    let mut text = String::new();
    for call in calls {
        let _ = writeln!(text, "{}", lines(call));
    }
    if mismatch.index.is_none() {
        text.push_str("> DEBUG DIGEST\n");
    }
    let _ = writeln!(text, "the reference:\n{}", mismatch.theirs);
    let _ = write!(text, "the server:\n{}", mismatch.ours);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::version::Identity;

    #[test]
    fn the_same_seed_gives_the_same_stream() {
        let reference = Identity::read("redis_version:7.0.15\r\n");
        let grammar = Grammar::read(&reference).expect("a grammar");
        let texts = |seed| {
            let (_, calls) = stream(&grammar, seed, 200);
            calls.iter().map(lines).collect::<Vec<_>>()
        };
        assert_eq!(texts(7), texts(7));
        assert_ne!(texts(7), texts(8));
    }

    #[test]
    fn newer_commands_are_for_newer_references() {
        let draws = |info: &str| {
            let grammar = Grammar::read(&Identity::read(info)).expect("a grammar");
            let (_, calls) = stream(&grammar, 1, 3_000);
            calls.iter().any(|call| call.words[0].eq_ignore_ascii_case(b"delifeq"))
        };
        assert!(!draws("redis_version:7.0.15\r\n"));
        assert!(draws("redis_version:7.2.4\r\nvalkey_version:9.1.2\r\n"));
    }

    #[test]
    fn replies_inside_exec_are_compared_by_their_commands() {
        let reference = Identity::read("redis_version:7.0.15\r\n");
        let words =
            |text: &str| text.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        let queued = Frame::Simple(b"QUEUED".to_vec());
        let ok = Frame::Simple(b"OK".to_vec());
        let mut queue = Queue::default();
        assert!(queue.is_same(&words("MULTI"), &ok, &ok, &reference));
        assert!(queue.is_same(&words("PTTL k"), &queued, &queued, &reference));
        let ours = Frame::Array(vec![Frame::Integer(1_000)]);
        let theirs = Frame::Array(vec![Frame::Integer(1_001)]);
        assert!(queue.is_same(&words("EXEC"), &ours, &theirs, &reference));
        assert!(!queue.is_same(&words("GET k"), &ours, &theirs, &reference));
    }
}
