//! Runs the blocks of case files on a target.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::pattern::Pattern;
use super::{Action, Block, CaseFile, Step};
use crate::frame::{Frame, Protocol};
use crate::target::{Link, Received, Target, WAIT, request};

/// How long a reply that must not come is waited for.
const SILENCE: Duration = Duration::from_millis(30);
/// How long an `until>` repeats its call, and its pace.
const UNTIL_MAX: Duration = Duration::from_secs(10);
const UNTIL_PACE: Duration = Duration::from_millis(2);

/// What became of a run.
#[derive(Debug, Default)]
pub struct Summary {
    pub passed: u64,
    pub failures: Vec<String>,
    /// Blocks that need commands which the server does not have.
    pub skipped: u64,
    /// Blocks that are for other servers.
    pub elsewhere: u64,
}

/// What one step got.
#[derive(Debug)]
pub struct Got {
    pub frames: Vec<Frame>,
    pub is_closed: bool,
    /// What the connection speaks, after HELLO and RESET.
    pub protocol: Protocol,
}

/// Runs every block in both protocols.
///
/// # Errors
/// When the target cannot be reached or reset.
pub fn run(files: &[CaseFile], target: &mut dyn Target) -> Result<Summary, String> {
    let mut summary = Summary::default();
    let mut admin = target.open()?;
    let mut known = BTreeMap::new();
    for file in files {
        for block in &file.blocks {
            if !block.holds_for(target.identity()) || block.needs_socket && !target.has_sockets() {
                summary.elsewhere += 1;
                continue;
            }
            if !knows_all(&block.needs, &mut admin, &mut known)? {
                summary.skipped += 1;
                continue;
            }
            for protocol in block.protocols() {
                match run_block(block, protocol, target, &mut admin) {
                    Ok(()) => summary.passed += 1,
                    Err(message) => {
                        let path = file.path.display();
                        summary.failures.push(format!("{path}:{message}, {protocol:?}"));
                    }
                }
            }
        }
    }
    Ok(summary)
}

/// Whether the server has these commands at all; each is asked for once.
fn knows_all(
    commands: &[String],
    admin: &mut Box<dyn Link>,
    known: &mut BTreeMap<String, bool>,
) -> Result<bool, String> {
    for command in commands {
        if !known.contains_key(command) {
            let reply = admin.call(&["COMMAND", "INFO", command])?;
            let is_known =
                matches!(&reply, Frame::Array(items) if matches!(items[..], [Frame::Array(_)]));
            known.insert(command.clone(), is_known);
        }
    }
    Ok(commands.iter().all(|command| known[command]))
}

fn run_block(
    block: &Block,
    protocol: Protocol,
    target: &mut dyn Target,
    admin: &mut Box<dyn Link>,
) -> Result<(), String> {
    let at = |step: &Step, message: String| format!("{}: {message}", step.line);
    let mut stage = Stage::new(block, protocol, target, admin)
        .map_err(|message| format!("{}: {message}", block.line))?;
    let mut outcome = Ok(());
    for step in &block.steps {
        outcome = stage.step(step).map_err(|message| at(step, message)).and_then(|got| match step
            .expected(protocol)
        {
            None => Err(at(step, "there is no expectation".to_owned())),
            Some(expected) if is_right(expected, &got) => Ok(()),
            Some(_) => Err(at(step, difference(step, &got))),
        });
        if outcome.is_err() {
            break;
        }
    }
    stage.restore().map_err(|message| format!("{}: {message}", block.line))?;
    outcome
}

/// A block in progress: its connections, what it captured, which settings it changed.
pub struct Stage<'a> {
    protocol: Protocol,
    target: &'a mut dyn Target,
    admin: &'a mut Box<dyn Link>,
    links: BTreeMap<String, (Box<dyn Link>, Protocol)>,
    captured: BTreeMap<String, Vec<u8>>,
    settings: Vec<(String, String)>,
}

impl<'a> Stage<'a> {
    /// Empties the keyspace and applies the block's settings.
    ///
    /// # Errors
    /// When the target refuses.
    pub fn new(
        block: &Block,
        protocol: Protocol,
        target: &'a mut dyn Target,
        admin: &'a mut Box<dyn Link>,
    ) -> Result<Self, String> {
        let flushed = admin.call(&["FLUSHALL"])?;
        if flushed.is_error() {
            return Err(format!("FLUSHALL: {}", flushed.notation()));
        }
        let mut stage = Self {
            protocol,
            target,
            admin,
            links: BTreeMap::new(),
            captured: BTreeMap::new(),
            settings: Vec::new(),
        };
        for (name, value) in &block.config {
            let before = stage.setting(name)?;
            stage.settings.push((name.clone(), before));
            stage.set(name, value)?;
        }
        Ok(stage)
    }

    /// Does one step and returns what came back.
    ///
    /// # Errors
    /// When a connection cannot be made or what comes is no reply.
    pub fn step(&mut self, step: &Step) -> Result<Got, String> {
        let expected = step.expected(self.protocol).unwrap_or_default();
        let got = match &step.action {
            Action::Call(words) => {
                let words = self.filled(words);
                let mut got = self.exchange(&step.connection, &request(&words), expected)?;
                self.follow_protocol(&step.connection, &words, &mut got);
                got
            }
            Action::Raw(bytes) => self.exchange(&step.connection, bytes, expected)?,
            Action::Read => self.exchange(&step.connection, b"", expected)?,
            Action::Until(words) => {
                let bytes = request(&self.filled(words));
                let deadline = Instant::now() + UNTIL_MAX;
                loop {
                    let got = self.exchange(&step.connection, &bytes, expected)?;
                    if is_right(expected, &got) || deadline < Instant::now() {
                        break got;
                    }
                    std::thread::sleep(UNTIL_PACE);
                }
            }
        };
        if let (Some(name), Some(frame)) = (&step.capture, got.frames.first()) {
            let text = match frame {
                Frame::Integer(value) => value.to_string().into_bytes(),
                other => other.text().unwrap_or_default().to_vec(),
            };
            self.captured.insert(name.clone(), text);
        }
        Ok(got)
    }

    /// Sends bytes and reads as many replies as are expected, or one.
    fn exchange(
        &mut self,
        connection: &str,
        bytes: &[u8],
        expected: &[Pattern],
    ) -> Result<Got, String> {
        if !self.links.contains_key(connection) {
            let link = self.open()?;
            self.links.insert(connection.to_owned(), (link, self.protocol));
        }
        let (link, protocol) = self.links.get_mut(connection).ok_or("no connection")?;
        link.send(bytes)?;
        let mut got = Got { frames: Vec::new(), is_closed: false, protocol: *protocol };
        let count = expected.len().max(1);
        for index in 0..count {
            let is_silence = matches!(expected.get(index), Some(Pattern::Silence));
            match link.receive(if is_silence { SILENCE } else { WAIT })? {
                Received::Frame(frame) => got.frames.push(frame),
                Received::Closed => {
                    got.is_closed = true;
                    break;
                }
                Received::Nothing => break,
            }
        }
        Ok(got)
    }

    /// HELLO and RESET change what the connection speaks, beginning with their own reply.
    fn follow_protocol(&mut self, connection: &str, words: &[Vec<u8>], got: &mut Got) {
        let is_error = got.frames.first().is_none_or(Frame::is_error);
        let words: Vec<String> =
            words.iter().map(|word| String::from_utf8_lossy(word).to_lowercase()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let after = match words[..] {
            ["hello", "2", ..] | ["reset"] if !is_error => Protocol::Resp2,
            ["hello", "3", ..] if !is_error => Protocol::Resp3,
            _ => return,
        };
        got.protocol = after;
        if let Some((_, protocol)) = self.links.get_mut(connection) {
            *protocol = after;
        }
    }

    fn open(&mut self) -> Result<Box<dyn Link>, String> {
        let mut link = self.target.open()?;
        if self.protocol == Protocol::Resp3 {
            let hello = link.call(&["HELLO", "3"])?;
            // Without a password HELLO is refused, and the block is about that.
            if hello.is_error() && self.settings.iter().all(|(name, _)| name != "requirepass") {
                return Err(format!("HELLO 3: {}", hello.notation()));
            }
        }
        Ok(link)
    }

    /// The words with `${name}` replaced by what was captured.
    fn filled(&self, words: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut words = words.to_vec();
        for (name, value) in &self.captured {
            let mark = format!("${{{name}}}").into_bytes();
            for word in &mut words {
                while let Some(at) = word.windows(mark.len()).position(|part| part == mark) {
                    word.splice(at..at + mark.len(), value.iter().copied());
                }
            }
        }
        words
    }

    /// Waits until the server has noticed the end of the block's connections: the next block must not
    /// meet their subscriptions.
    fn wait_until_alone(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + UNTIL_MAX;
        loop {
            let info = self.admin.call(&["INFO", "clients"])?;
            let info = String::from_utf8_lossy(info.text().unwrap_or_default()).into_owned();
            let count = info.lines().find_map(|line| line.strip_prefix("connected_clients:"));
            match count {
                Some("1") => return Ok(()),
                Some(_) if Instant::now() < deadline => std::thread::yield_now(),
                _ => return Err(format!("a connection is left behind: {info}")),
            }
        }
    }

    fn setting(&mut self, name: &str) -> Result<String, String> {
        match self.admin.call(&["CONFIG", "GET", name])? {
            Frame::Array(items) if items.len() == 2 => {
                Ok(String::from_utf8_lossy(items[1].text().unwrap_or_default()).into_owned())
            }
            other => Err(format!("CONFIG GET {name}: {}", other.notation())),
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let reply = self.admin.call(&["CONFIG", "SET", name, value])?;
        if reply.is_error() {
            return Err(format!("CONFIG SET {name}: {}", reply.notation()));
        }
        Ok(())
    }

    /// Ends the block's connections, and puts the settings back as they were, the last one first: one
    /// may have been set twice.
    ///
    /// # Errors
    /// When the target refuses, or keeps a connection.
    pub fn restore(mut self) -> Result<(), String> {
        self.links.clear();
        if self.target.has_sockets() {
            self.wait_until_alone()?;
        }
        for (name, value) in std::mem::take(&mut self.settings).into_iter().rev() {
            self.set(&name, &value)?;
        }
        Ok(())
    }
}

/// Whether what came is what was expected, no less and, as far as one can tell, no more.
pub fn is_right(expected: &[Pattern], got: &Got) -> bool {
    let replies = expected.iter().filter(|one| !matches!(one, Pattern::Closed | Pattern::Silence));
    let replies: Vec<&Pattern> = replies.collect();
    let is_closed = expected.contains(&Pattern::Closed);
    got.is_closed == is_closed
        && replies.len() == got.frames.len()
        && replies.iter().zip(&got.frames).all(|(one, frame)| one.matches(frame, got.protocol))
}

fn difference(step: &Step, got: &Got) -> String {
    let mut text = String::new();
    let words = match &step.action {
        Action::Call(words) | Action::Until(words) => words.clone(),
        Action::Raw(bytes) => vec![bytes.clone()],
        Action::Read => Vec::new(),
    };
    let words: Vec<String> = words.iter().map(|word| shown(word)).collect();
    let _ = writeln!(text, "{}> {}", step.connection, words.join(" "));
    text.push_str("  got:\n");
    for frame in &got.frames {
        for line in frame.notation().lines().take(40) {
            let _ = writeln!(text, "    {}", line.chars().take(300).collect::<String>());
        }
    }
    if got.is_closed {
        text.push_str("    (closed)\n");
    }
    text.push_str("  not as expected");
    text
}

/// A word as a case file would have it.
pub fn shown(word: &[u8]) -> String {
    let is_bare = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\".contains(byte);
    if !word.is_empty() && word.iter().all(is_bare) {
        return String::from_utf8_lossy(word).into_owned();
    }
    crate::token::quoted(word)
}
