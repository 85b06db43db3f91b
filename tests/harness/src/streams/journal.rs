//! Random command streams on the engine, whose journal another engine replays, or a reference server that
//! reads it as it would read its own: both must hold the same.

use super::{
    CONNECTIONS, Call, Count, FAILURES_MAX, Grammar, Mismatch, Side, different, report,
    seed_of_now, shrink, stream,
};
use crate::frame::{Frame, Protocol};
use crate::target::engine::{node, target_of};
use crate::target::launch::Server;
use crate::target::socket::SocketTarget;
use crate::target::version::Identity;
use crate::target::{Received, Target, WAIT, request};
use base::rand::Rng;
use std::fmt::Write as _;
use std::path::PathBuf;

pub struct Plan {
    /// A server that replays the journals; without one, another engine does.
    pub reference: Option<PathBuf>,
    pub seed: Option<u64>,
    pub count: u64,
    /// Commands in a stream.
    pub length: usize,
}

/// Runs the streams and prints every difference.
///
/// # Errors
/// When an engine does not answer.
#[allow(clippy::print_stdout, reason = "what it finds is for the terminal")]
pub fn run(plan: &Plan) -> Result<Count, String> {
    let seed = plan.seed.unwrap_or_else(seed_of_now);
    println!("journal: --seed {seed} --count {} --length {}", plan.count, plan.length);
    let server = plan.reference.as_ref().map(|path| Server::start(path, &[])).transpose()?;
    let reader = match &server {
        Some(server) => {
            Reader::Server(server.port, SocketTarget::new(server.port)?.identity().clone())
        }
        None => Reader::Engine,
    };
    let grammar = match &reader {
        Reader::Engine => Grammar::read(target_of(node()?)?.identity())?,
        Reader::Server(_, identity) => Grammar::read(identity)?,
    };
    let mut count = Count { passed: 0, failed: 0 };
    for number in 0..plan.count {
        let seed = seed.wrapping_add(number);
        let (protocol, mut calls) = stream(&grammar, seed, plan.length);
        // Settings are in no journal, and decide in which form some values are kept.
        calls.retain(|call| !call.words[0].eq_ignore_ascii_case(b"config"));
        let calls = match &reader {
            Reader::Engine => with_moments(calls, seed),
            // A server has no time of its own: what is up between the two looks is not the same on both.
            Reader::Server(..) => calls,
        };
        match replay(&reader, protocol, &calls)? {
            None => count.passed += 1,
            Some(mismatch) => {
                let run = |calls: &[Call]| replay(&reader, protocol, calls);
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

/// Who replays the journals.
enum Reader {
    Engine,
    /// By its port.
    Server(u16, Identity),
}

impl Reader {
    /// Replays a journal from an empty keyspace; what was refused of it, and where its outcome can be seen.
    fn read(&self, journal: &[u8]) -> Result<(Option<String>, Side), String> {
        let Self::Server(port, _) = self else {
            let node = node()?;
            let refused = node.server.replay(journal).err();
            return Ok((refused, Side::new(target_of(node)?)?));
        };
        let mut side = Side::new(Box::new(SocketTarget::new(*port)?))?;
        side.admin.call(&["FLUSHALL"])?;
        let mut link = side.target.open()?;
        link.send(journal)?;
        let mut replies = Vec::new();
        for _ in frames(journal) {
            match link.receive(WAIT)? {
                Received::Frame(frame) => replies.push(frame),
                other => return Err(format!("{other:?} instead of a reply")),
            }
        }
        Ok((error_in(&replies), side))
    }
}

fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Ok(Some((frame, len))) = Frame::decode(bytes) {
        bytes = &bytes[len..];
        frames.push(frame);
    }
    frames
}

/// Puts calls between the others after which time is up soon, and some that let it pass.
fn with_moments(calls: Vec<Call>, seed: u64) -> Vec<Call> {
    const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    const LINES: [&str; 9] = [
        "PEXPIRE {} 2",
        "SET {} value PX 2",
        "GETEX {} PX 3",
        "HSET {} one 1 two 2 three 3",
        "DEBUG SLEEP 0.003",
        "HPEXPIRE {} 2 FIELDS 2 one two",
        "HSETEX {} PX 2 FIELDS 1 three 3",
        "HINCRBY {} one 1",
        "HSETEX {} FNX FIELDS 1 two 2",
    ];
    let mut rng = Rng::new(seed);
    let mut all = Vec::with_capacity(calls.len() * 2);
    for call in calls {
        all.push(call);
        while rng.below(3) == 0 {
            let line = LINES[rng.index(LINES.len())].replace("{}", KEYS[rng.index(KEYS.len())]);
            let words = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            all.push(Call { connection: 0, words });
        }
    }
    all
}

/// Makes the calls on a new engine, and those of its journal on another one; none when both hold the same.
fn replay(reader: &Reader, protocol: Protocol, calls: &[Call]) -> Result<Option<Mismatch>, String> {
    let first = node()?;
    first.server.engine().set_journaled(true);
    let mut ours = Side::new(target_of(first.clone())?)?;
    for _ in 0..CONNECTIONS {
        let mut link = target_of(first.clone())?.open()?;
        if protocol == Protocol::Resp3 {
            link.call(&["HELLO", "3"])?;
        }
        ours.links.push(link);
    }
    for call in calls {
        ours.links[call.connection].send(&request(&call.words))?;
        // Whatever the reply is: the reference has been asked for it elsewhere.
        let Received::Frame(_) = ours.links[call.connection].receive(WAIT)? else { continue };
    }
    // What is past its deadline goes, and that is recorded too.
    let ours_digest = ours.digest()?;
    let journal = first.server.engine().journal.take(Vec::new()).bytes;
    let (refused, mut theirs) = reader.read(&journal)?;
    if let Some(error) = refused {
        let theirs = format!("{error} (from the journal)\n{}", shown(&journal));
        return Ok(Some(Mismatch { index: None, ours: String::new(), theirs }));
    }
    let theirs_digest = theirs.digest()?;
    if ours_digest == theirs_digest {
        return Ok(None);
    }
    let identity = theirs.target.identity().clone();
    let (held, held_there) = (ours.contents()?, theirs.contents()?);
    let mut mismatch = match (different(&held, &held_there, &identity), reader) {
        (Some(mismatch), _) => mismatch,
        // Scores are in the digest as a server prints them.
        (None, Reader::Server(..)) => return Ok(None),
        (None, Reader::Engine) => {
            let (ours, theirs) = (ours_digest.notation(), theirs_digest.notation());
            Mismatch { index: None, ours, theirs }
        }
    };
    mismatch.theirs = format!("{}\n{}", mismatch.theirs, shown(&journal));
    Ok(Some(mismatch))
}

/// The first error among replies: a journal has none.
fn error_in(replies: &[Frame]) -> Option<String> {
    let all = replies.iter().flat_map(|frame| match frame {
        Frame::Array(items) => &items[..],
        frame => std::slice::from_ref(frame),
    });
    all.into_iter().find(|frame| frame.is_error()).map(Frame::notation)
}

/// The journal's calls, one on a line.
fn shown(journal: &[u8]) -> String {
    let mut text = String::new();
    for frame in frames(journal) {
        let Frame::Array(words) = frame else { continue };
        let words: Vec<Vec<u8>> =
            words.iter().map(|word| word.text().unwrap_or_default().to_vec()).collect();
        let _ = writeln!(text, "journal> {}", super::line(&words));
    }
    text
}
