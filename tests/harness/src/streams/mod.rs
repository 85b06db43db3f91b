//! Random command streams, run on two servers at once; every reply is compared.
//!
//! A stream is a list of commands on two connections, drawn from a grammar with a seed. Where the
//! replies differ, the stream is made shorter as long as they still differ, and printed as a case.

mod compare;
mod grammar;
pub mod journal;
mod pools;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use base::rand::Rng;

use crate::case::run::shown;
use crate::frame::{Frame, Protocol};
use crate::target::launch::Server;
use crate::target::socket::SocketTarget;
use crate::target::version::Identity;
use crate::target::{Link, Received, Target, WAIT, request};
use compare::Queue;
use grammar::Grammar;
use pools::Pools;

/// All that streams select; the last is the one that a new connection has.
const DATABASES: [&str; 4] = ["1", "2", "15", "0"];
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

/// What one key holds in the end.
struct Held {
    place: String,
    words: Vec<Vec<u8>>,
    reply: Frame,
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
    let grammar = Grammar::read(reference.identity())?;
    let mut pair = Pair::new(SocketTarget::new(ours.port)?, reference)?;
    pair.defaults = pair.theirs.settings(&grammar.settings())?;
    let mut count = Count { passed: 0, failed: 0 };
    for number in 0..plan.count {
        let seed = seed.wrapping_add(number);
        let (protocol, calls) = stream(&grammar, seed, plan.length);
        match pair.run(protocol, &calls)? {
            None => count.passed += 1,
            Some(mismatch) => {
                let run = |calls: &[Call]| pair.run(protocol, calls);
                let (calls, mismatch) = shrink(run, calls, mismatch)?;
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
    let focus = grammar.focus(&mut rng);
    let mut pools = Pools::new(rng);
    let mut calls: Vec<Call> =
        focus.first(&mut pools).into_iter().map(|words| Call { connection: 0, words }).collect();
    calls.extend((0..length).map(|_| {
        let connection = if pools.rng.below(4) == 0 { 1 } else { 0 };
        Call { connection, words: focus.draw(&mut pools) }
    }));
    (protocol, calls)
}

/// One server with the connections of the stream in progress.
struct Side {
    target: Box<dyn Target>,
    admin: Box<dyn Link>,
    links: Vec<Box<dyn Link>>,
}

impl Side {
    fn new(mut target: Box<dyn Target>) -> Result<Self, String> {
        let admin = target.open()?;
        Ok(Self { target, admin, links: Vec::new() })
    }

    /// `CONFIG SET` commands that bring settings back to what they are now.
    fn settings(&mut self, names: &[Vec<u8>]) -> Result<Vec<Vec<Vec<u8>>>, String> {
        let mut commands = Vec::new();
        for name in names {
            let Frame::Array(pair) = self.ask(&[b"CONFIG", b"GET", name])? else {
                return Err(format!("{}: no settings", self.target.identity()));
            };
            let value = pair.get(1).and_then(Frame::text).unwrap_or_default();
            commands.push(vec![b"CONFIG".to_vec(), b"SET".to_vec(), name.clone(), value.to_vec()]);
        }
        Ok(commands)
    }

    fn reset(&mut self, protocol: Protocol, defaults: &[Vec<Vec<u8>>]) -> Result<(), String> {
        self.links.clear();
        for command in defaults {
            self.admin.send(&request(command))?;
            match self.admin.receive(WAIT)? {
                Received::Frame(Frame::Simple(_)) => {}
                other => {
                    return Err(format!("{}: {other:?} to CONFIG SET", self.target.identity()));
                }
            }
        }
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

    /// What a command reads from each key of all databases, sorted.
    fn contents(&mut self) -> Result<Vec<Held>, String> {
        let mut contents = Vec::new();
        for db in DATABASES {
            self.ask(&[b"SELECT", db.as_bytes()])?;
            let Frame::Array(keys) = self.ask(&[b"KEYS", b"*"])? else {
                return Err(format!("{}: no keys", self.target.identity()));
            };
            for key in &keys {
                let key = key.text().unwrap_or_default();
                let kind = self.ask(&[b"TYPE", key])?;
                let words: &[&[u8]] = match kind.text().unwrap_or_default() {
                    b"hash" => &[b"HGETALL", key],
                    b"list" => &[b"LRANGE", key, b"0", b"-1"],
                    b"set" => &[b"SMEMBERS", key],
                    b"stream" => &[b"XRANGE", key, b"-", b"+"],
                    b"zset" => &[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
                    _ => &[b"GET", key],
                };
                let reply = self.ask(words)?;
                let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
                let place = format!("in database {db}: {}\n", line(&words));
                contents.push(Held { place, words, reply });
            }
        }
        contents.sort_by(|one, other| one.place.cmp(&other.place));
        Ok(contents)
    }

    fn ask(&mut self, words: &[&[u8]]) -> Result<Frame, String> {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
        self.admin.send(&request(&words))?;
        match self.admin.receive(WAIT)? {
            Received::Frame(frame) => Ok(frame),
            other => Err(format!("{}: {other:?} instead of a reply", self.target.identity())),
        }
    }

    /// The digest of all databases. Some servers count keys that are past their deadline as long as
    /// nobody has come across them; KEYS does.
    fn digest(&mut self) -> Result<Frame, String> {
        for db in DATABASES {
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
    /// Commands that take back the settings of the stream before.
    defaults: Vec<Vec<Vec<u8>>>,
}

impl Pair {
    fn new(ours: SocketTarget, theirs: SocketTarget) -> Result<Self, String> {
        let (ours, theirs) = (Side::new(Box::new(ours))?, Side::new(Box::new(theirs))?);
        Ok(Self { ours, theirs, defaults: Vec::new() })
    }

    /// Runs a stream from an empty keyspace; none when every reply is the same.
    fn run(&mut self, protocol: Protocol, calls: &[Call]) -> Result<Option<Mismatch>, String> {
        self.ours.reset(protocol, &self.defaults)?;
        self.theirs.reset(protocol, &self.defaults)?;
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
        if ours == theirs {
            return Ok(None);
        }
        let reference = self.theirs.target.identity().clone();
        let held = (self.ours.contents()?, self.theirs.contents()?);
        if let Some(mismatch) = different(&held.0, &held.1, &reference) {
            return Ok(Some(mismatch));
        }
        // Scores are in the digest as a server prints them, and fields' deadlines are in some.
        let is_in_own_way =
            |held: &Held| [&b"ZRANGE"[..], b"HGETALL"].contains(&&held.words[0][..]);
        let is_same = held.0.iter().any(is_in_own_way);
        let (ours, theirs) = (ours.notation(), theirs.notation());
        Ok((!is_same).then_some(Mismatch { index: None, ours, theirs }))
    }
}

/// The first key that is not the same on both.
fn different(ours: &[Held], theirs: &[Held], reference: &Identity) -> Option<Mismatch> {
    let is_same = |(ours, theirs): &(&Held, &Held)| {
        ours.place == theirs.place
            && compare::is_reply_same(&ours.words, &ours.reply, &theirs.reply, reference)
    };
    let same = ours.iter().zip(theirs).take_while(is_same).count();
    let text = |held: &[Held]| match held.get(same) {
        Some(held) => held.place.clone() + &held.reply.notation(),
        None => "no more keys".to_owned(),
    };
    let is_all = same == ours.len().max(theirs.len());
    (!is_all).then(|| Mismatch { index: None, ours: text(ours), theirs: text(theirs) })
}

/// Leaves out pieces of the stream, ever smaller ones, as long as the servers still differ.
fn shrink(
    mut run: impl FnMut(&[Call]) -> Result<Option<Mismatch>, String>,
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
            match run(&fewer)? {
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
    format!("{}> {}", NAMES[call.connection], line(&call.words))
}

fn line(words: &[Vec<u8>]) -> String {
    let words: Vec<String> = words.iter().map(|word| shown(word)).collect();
    words.join(" ")
}

fn report(calls: &[Call], mismatch: &Mismatch) -> String {
    let mut text = String::new();
    for call in calls {
        let _ = writeln!(text, "{}", lines(call));
    }
    if mismatch.index.is_none() {
        text.push_str("and then, in what they hold:\n");
    }
    let _ = writeln!(text, "the reference:\n{}", excerpt(&mismatch.theirs, &mismatch.ours));
    let _ = write!(text, "the server:\n{}", excerpt(&mismatch.ours, &mismatch.theirs));
    text
}

/// A long reply from shortly before where it differs from the other.
fn excerpt(text: &str, other: &str) -> String {
    const LINES_BEFORE: usize = 4;
    const LINES_MAX: usize = 30;
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= LINES_MAX {
        return text.to_owned();
    }
    let same = lines.iter().zip(other.lines()).take_while(|(one, other)| **one == *other).count();
    let first = same.saturating_sub(LINES_BEFORE);
    let shown = &lines[first..lines.len().min(first + LINES_MAX)];
    let mut text = format!("({} lines, from line {first})\n{}", lines.len(), shown.join("\n"));
    if first + LINES_MAX < lines.len() {
        text.push_str("\n…");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

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
            // Not every stream draws from the family of the command.
            let mut calls = (0..40).flat_map(|seed| stream(&grammar, seed, 300).1);
            calls.any(|call| call.words[0].eq_ignore_ascii_case(b"delifeq"))
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
