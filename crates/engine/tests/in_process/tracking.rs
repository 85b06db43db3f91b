//! Client-side caches of many clients: whatever a client may have is what the server has, or it was told.
//!
//! Each client keeps a naive cache: what its reads said, minus what it was told of. After every step all
//! that is in a cache is compared with the server. A second twin says exactly who is to be told of what.

use crate::world::World;
use base::lock::Token;
use engine::host::{ClientShown, Host};
use engine::pushes::Mailbox;
use engine::tracking::{self, Modes, Options};
use engine::{Executor, Session};
use parking_lot::Mutex;
use proptest::prelude::*;
use resp::{ArgvBuffer, Frame, Protocol, Reply};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const CLIENTS: usize = 4;
const KEYS: [&str; 6] = ["a", "ab", "b", "ba", "c", ""];
const PREFIXES: [&str; 4] = ["", "a", "b", "ba"];

/// Knows the clients' mailboxes, as the server's registry does.
#[derive(Default)]
struct Mailboxes(Mutex<HashMap<u64, Arc<Mailbox>>>);

impl Host for Mailboxes {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
    fn client_shown(&self, _session: &Session) -> ClientShown {
        ClientShown::default()
    }
    fn mailbox(&self, client: u64) -> Option<Arc<Mailbox>> {
        self.0.lock().get(&client).cloned()
    }
    fn sleep_ns(&self, _nanoseconds: u64) {}
    fn relax(&self) {}
    fn log(&self, _level: u8, _message: &str) {}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Default,
    Broadcast(usize),
    OptIn,
    OptOut,
}

#[derive(Clone, Debug)]
enum Step {
    Begin {
        client: usize,
        mode: Mode,
        skips_own: bool,
        receiver: Option<usize>,
    },
    End(usize),
    Leave(usize),
    /// What CLIENT CACHING would say, if the mode has it.
    Caching(usize),
    Read {
        client: usize,
        keys: Vec<usize>,
        in_script: bool,
    },
    Write {
        client: usize,
        keys: Vec<usize>,
        in_transaction: bool,
    },
    Remove {
        client: usize,
        key: usize,
    },
    /// The key's time is over, and somebody meets it.
    Expire {
        client: usize,
        key: usize,
        is_met: bool,
    },
    Flush(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    let key = 0..KEYS.len();
    let keys = prop::collection::vec(key.clone(), 1..4);
    let mode = prop_oneof![
        3 => Just(Mode::Default),
        2 => (0..PREFIXES.len()).prop_map(Mode::Broadcast),
        1 => Just(Mode::OptIn),
        1 => Just(Mode::OptOut),
    ];
    let receiver = prop::option::weighted(0.3, client.clone());
    prop_oneof![
        3 => (client.clone(), mode, any::<bool>(), receiver).prop_map(
            |(client, mode, skips_own, receiver)| Step::Begin { client, mode, skips_own, receiver }
        ),
        1 => client.clone().prop_map(Step::End),
        1 => client.clone().prop_map(Step::Leave),
        1 => client.clone().prop_map(Step::Caching),
        8 => (client.clone(), keys.clone(), any::<bool>())
            .prop_map(|(client, keys, in_script)| Step::Read { client, keys, in_script }),
        8 => (client.clone(), keys, any::<bool>())
            .prop_map(|(client, keys, in_transaction)| Step::Write { client, keys, in_transaction }),
        3 => (client.clone(), key.clone()).prop_map(|(client, key)| Step::Remove { client, key }),
        2 => (client.clone(), key, any::<bool>())
            .prop_map(|(client, key, is_met)| Step::Expire { client, key, is_met }),
        1 => client.prop_map(Step::Flush),
    ]
}

/// What the naive twin knows of one client.
#[derive(Clone, Debug, Default)]
struct Own {
    id: u64,
    mode: Option<Mode>,
    prefixes: BTreeSet<&'static str>,
    skips_own: bool,
    receiver: Option<u64>,
    is_caching_said: bool,
    /// Keys that it has read and was not told of since.
    read: BTreeSet<&'static str>,
    /// What it would find in its cache.
    cache: BTreeMap<&'static str, Option<String>>,
}

impl Own {
    fn registers(&self) -> bool {
        match self.mode {
            Some(Mode::Default) => true,
            Some(Mode::OptIn) => self.is_caching_said,
            Some(Mode::OptOut) => !self.is_caching_said,
            Some(Mode::Broadcast(_)) | None => false,
        }
    }
}

/// The clients on one thread, and the twin.
struct Clients<'w> {
    world: &'w World,
    host: &'w Mailboxes,
    executor: Executor<'w>,
    sessions: Vec<Session>,
    twin: Vec<Own>,
    data: BTreeMap<&'static str, String>,
    next_id: u64,
    next_value: u64,
    /// What each client is to be told, in any order.
    expected: Vec<Vec<String>>,
}

impl<'w> Clients<'w> {
    fn new(world: &'w World, host: &'w Mailboxes) -> Self {
        let mut clients = Self {
            world,
            host,
            executor: Executor::new(&world.engine, host, 0),
            sessions: Vec::new(),
            twin: vec![Own::default(); CLIENTS],
            data: BTreeMap::new(),
            next_id: 0,
            next_value: 0,
            expected: vec![Vec::new(); CLIENTS],
        };
        for index in 0..CLIENTS {
            let session = clients.session();
            clients.twin[index].id = session.id;
            clients.sessions.push(session);
        }
        clients
    }

    fn session(&mut self) -> Session {
        self.next_id += 1;
        let (id, token) = (self.next_id, Token(self.next_id));
        self.host.0.lock().insert(id, Arc::new(Mailbox::new(id, token)));
        let mut session = Session::new(id, token, Arc::new(()));
        session.protocol = Protocol::Resp3;
        session
    }

    /// Makes a call; returns its reply alone. What was pushed behind it stays to be looked at.
    fn call(&mut self, client: usize, words: &[&str]) -> (Frame, Vec<Frame>) {
        let mut argv = ArgvBuffer::new();
        words.iter().for_each(|word| argv.push(word.as_bytes()));
        let mut reply = Reply::with_protocol(Protocol::Resp3);
        assert!(self.executor.call(&mut self.sessions[client], argv.argv(), &mut reply));
        let mut frames = frames(&reply.to_vec());
        // A push never comes before the reply of the call.
        let first = frames.remove(0);
        assert!(!matches!(first, Frame::Push(_)), "{words:?}: {first:?}");
        (first, frames)
    }

    /// As `call`; pushes go where those of others go.
    fn ask(&mut self, client: usize, words: &[&str]) -> Frame {
        let (reply, pushes) = self.call(client, words);
        pushes.into_iter().for_each(|push| self.receive(client, &push));
        self.twin[client].is_caching_said = false;
        reply
    }

    /// Takes a push for a client as its cache would.
    fn receive(&mut self, client: usize, push: &Frame) {
        let shown = shown(push);
        let place = self.expected[client].iter().position(|expected| *expected == shown);
        let place = place.unwrap_or_else(|| {
            panic!("client {client} was told {shown}, expected {:?}", self.expected[client])
        });
        self.expected[client].remove(place);
    }

    /// What a client tells its caches that it was told; whoever has redirected to it is meant.
    fn tell(&mut self, of: usize, message: &str) {
        let own = &self.twin[of];
        let receiver = own.receiver.unwrap_or(own.id);
        match self.twin.iter().position(|other| other.id == receiver) {
            Some(place) => self.expected[place].push(message.to_owned()),
            None => self.expected[of].push(format!("tracking-redir-broken {receiver}")),
        }
    }

    /// Keys have changed by a call of `by`, in this order.
    fn changed(&mut self, keys: &[&'static str], by: Option<usize>) {
        // While nobody tracks at all, nobody looks.
        if self.twin.iter().all(|own| own.mode.is_none()) {
            return;
        }
        for client in 0..CLIENTS {
            let own = self.twin[client].clone();
            let skips = own.skips_own && by == Some(client);
            match own.mode {
                Some(Mode::Broadcast(_)) => {
                    self.twin[client].read.retain(|read| !keys.contains(read));
                    let all: BTreeSet<&str> = keys.iter().copied().collect();
                    for prefix in &own.prefixes {
                        let begun = |key: &&str| key.starts_with(prefix);
                        let all: Vec<&str> = all.iter().copied().filter(begun).collect();
                        if !skips && !all.is_empty() {
                            self.tell(client, &format!("invalidate [{}]", all.join(",")));
                        }
                    }
                }
                mode => {
                    for key in keys {
                        if self.twin[client].read.remove(key) && mode.is_some() && !skips {
                            self.tell(client, &format!("invalidate [{key}]"));
                            self.twin[client].cache.remove(key);
                        }
                    }
                }
            }
            if skips {
                // Its own changes are in its own cache, or it forgets them.
                keys.iter().for_each(|key| drop(self.twin[client].cache.remove(key)));
            }
        }
    }

    fn has_read(&mut self, client: usize, keys: &[&'static str]) {
        let data = self.data.clone();
        let own = &mut self.twin[client];
        if own.registers() {
            for key in keys {
                own.read.insert(key);
                own.cache.insert(key, data.get(key).cloned());
            }
        }
    }

    fn value(&mut self) -> String {
        self.next_value += 1;
        self.next_value.to_string()
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Begin { client, mode, skips_own, receiver } => {
                self.begin(*client, *mode, *skips_own, *receiver);
            }
            Step::End(client) => {
                self.world.engine.tracking.end(&mut self.sessions[*client]);
                let own = &mut self.twin[*client];
                (own.mode, own.is_caching_said) = (None, false);
                own.cache.clear();
                own.prefixes.clear();
            }
            Step::Leave(client) => {
                self.executor.end_session(&mut self.sessions[*client]);
                self.host.0.lock().remove(&self.sessions[*client].id);
                let session = self.session();
                self.twin[*client] = Own { id: session.id, ..Own::default() };
                self.sessions[*client] = session;
                self.expected[*client].clear();
            }
            Step::Caching(client) => {
                let is_yes = self.twin[*client].mode == Some(Mode::OptIn);
                let said = tracking::say_caching(&mut self.sessions[*client], is_yes);
                let is_meant = matches!(self.twin[*client].mode, Some(Mode::OptIn | Mode::OptOut));
                assert_eq!(said.is_ok(), is_meant);
                self.twin[*client].is_caching_said |= is_meant;
            }
            Step::Read { client, keys, in_script } => self.read(*client, keys, *in_script),
            Step::Write { client, keys, in_transaction } => {
                self.write(*client, keys, *in_transaction);
            }
            Step::Remove { client, key } => {
                let key = KEYS[*key];
                let is_there = self.data.remove(key).is_some();
                if is_there {
                    self.changed(&[key], Some(*client));
                }
                assert_eq!(self.ask(*client, &["DEL", key]), Frame::Integer(is_there.into()));
            }
            Step::Expire { client, key, is_met } => self.expire(*client, KEYS[*key], *is_met),
            Step::Flush(client) => {
                self.data.clear();
                for other in 0..CLIENTS {
                    self.twin[other].read.clear();
                    self.twin[other].cache.clear();
                    if self.twin[other].mode.is_some() {
                        self.tell(other, "invalidate all");
                    }
                }
                self.ask(*client, &["FLUSHALL"]);
            }
        }
    }

    fn begin(&mut self, client: usize, mode: Mode, skips_own: bool, receiver: Option<usize>) {
        let receiver = receiver.map(|receiver| self.twin[receiver].id);
        let mut options = Options { redirect: receiver.unwrap_or(0), ..Options::default() };
        options.modes = match mode {
            Mode::Default => Modes::NONE,
            Mode::Broadcast(_) => Modes::BROADCAST,
            Mode::OptIn => Modes::OPT_IN,
            Mode::OptOut => Modes::OPT_OUT,
        };
        if let Mode::Broadcast(prefix) = mode {
            options.prefixes.push(PREFIXES[prefix].as_bytes());
        }
        if skips_own {
            options.modes = options.modes.with(Modes::NO_LOOP);
        }
        let before = self.twin[client].mode;
        let known = &self.twin[client].prefixes;
        let is_refused = match (before, mode) {
            (None, _) => false,
            (Some(Mode::Broadcast(_)), Mode::Broadcast(prefix)) => known
                .iter()
                .any(|one| one.starts_with(PREFIXES[prefix]) || PREFIXES[prefix].starts_with(one)),
            (Some(Mode::Broadcast(_)), _) | (_, Mode::Broadcast(_)) => true,
            (Some(Mode::OptIn), Mode::OptOut) | (Some(Mode::OptOut), Mode::OptIn) => true,
            _ => false,
        };
        let session = &mut self.sessions[client];
        let begun = self.world.engine.tracking.begin(session, self.host, &options);
        assert_eq!(begun.is_err(), is_refused, "{before:?} {mode:?} {begun:?}");
        if begun.is_ok() {
            let own = &mut self.twin[client];
            (own.mode, own.skips_own, own.receiver) = (Some(mode), skips_own, receiver);
            if let Mode::Broadcast(prefix) = mode {
                own.prefixes.insert(PREFIXES[prefix]);
            }
        }
    }

    fn read(&mut self, client: usize, keys: &[usize], in_script: bool) {
        let keys: Vec<&'static str> = keys.iter().map(|key| KEYS[*key]).collect();
        let count = keys.len().to_string();
        let script =
            "local r = {} for i, k in ipairs(KEYS) do r[i] = redis.call('GET', k) end return r";
        let mut words = if in_script { vec!["EVAL", script, &count] } else { vec!["MGET"] };
        words.extend(&keys);
        let expected: Vec<Option<String>> =
            keys.iter().map(|key| self.data.get(key).cloned()).collect();
        self.has_read(client, &keys);
        let Frame::Array(values) = self.ask(client, &words) else { panic!("{words:?}") };
        let values: Vec<Option<String>> = values.iter().map(text).collect();
        assert_eq!(values, expected);
    }

    fn write(&mut self, client: usize, keys: &[usize], in_transaction: bool) {
        let pairs: Vec<(&'static str, String)> =
            keys.iter().map(|key| (KEYS[*key], self.value())).collect();
        let names: Vec<&'static str> = pairs.iter().map(|(key, _)| *key).collect();
        self.data.extend(pairs.iter().cloned());
        self.changed(&names, Some(client));
        if in_transaction {
            let said = self.twin[client].is_caching_said;
            self.ask(client, &["MULTI"]);
            for (key, value) in &pairs {
                self.ask(client, &["SET", key, value]);
            }
            self.ask(client, &["GET", names[0]]);
            // Said before MULTI it holds for all of the transaction.
            self.twin[client].is_caching_said = said;
            self.has_read(client, &names[..1]);
            self.ask(client, &["EXEC"]);
        } else {
            let mut words = vec!["MSET"];
            words.extend(pairs.iter().flat_map(|(key, value)| [*key, value.as_str()]));
            self.ask(client, &words);
        }
    }

    fn expire(&mut self, client: usize, key: &'static str, is_met: bool) {
        let value = self.value();
        self.changed(&[key], Some(client));
        self.ask(client, &["SET", key, &value, "PX", "10"]);
        self.data.insert(key, value);
        // Somebody has it in a cache when its time is over.
        let reader = (client + 1) % CLIENTS;
        self.has_read(reader, &[key]);
        self.ask(reader, &["GET", key]);
        // More than a tick of what finds them in the background.
        self.world.clock.advance_ms(200);
        self.data.remove(key);
        self.changed(&[key], None);
        if is_met {
            self.ask(client, &["EXISTS", key]);
            // It reads by that.
            self.twin[client].is_caching_said = false;
            if self.twin[client].registers() {
                self.has_read(client, &[key]);
            }
        } else {
            let mut upkeep = Session::new(0, Token(0), Arc::new(()));
            for index in 0..self.world.engine.keyspace.locks().len() {
                self.executor.look_after_shard(&mut upkeep, index, true);
            }
        }
    }

    /// Everybody is told what is left to be told; then all caches are compared with the data.
    fn settle(&mut self) {
        for client in 0..CLIENTS {
            let mut reply = Reply::with_protocol(Protocol::Resp3);
            self.executor.deliver_pushes(&mut self.sessions[client], &mut reply);
            for push in frames(&reply.to_vec()) {
                self.receive(client, &push);
            }
        }
        assert_eq!(self.expected, vec![Vec::<String>::new(); CLIENTS]);
        for own in &self.twin {
            for (key, value) in &own.cache {
                assert_eq!(self.data.get(key), value.as_ref(), "{key} in the cache of {own:?}");
            }
        }
        let tracking = &self.world.engine.tracking;
        let read: BTreeSet<&str> = self.twin.iter().flat_map(|own| &own.read).copied().collect();
        assert!(read.len() <= tracking.keys());
        assert_eq!(tracking.clients(), self.twin.iter().filter(|own| own.mode.is_some()).count());
    }
}

fn frames(bytes: &[u8]) -> Vec<Frame> {
    let (mut rest, mut frames) = (bytes, Vec::new());
    while let Some((frame, len)) = resp::decode(rest).unwrap() {
        frames.push(frame);
        rest = &rest[len..];
    }
    assert!(rest.is_empty());
    frames
}

fn text(frame: &Frame) -> Option<String> {
    match frame {
        Frame::Bulk(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
        Frame::Null => None,
        other => panic!("{other:?}"),
    }
}

fn shown(push: &Frame) -> String {
    let Frame::Push(parts) = push else { panic!("{push:?}") };
    let kind = text(&parts[0]).unwrap();
    match &parts[1] {
        Frame::Null => format!("{kind} all"),
        Frame::Integer(number) => format!("{kind} {number}"),
        Frame::Array(keys) => {
            let keys: Vec<String> = keys.iter().map(|key| text(key).unwrap()).collect();
            format!("{kind} [{}]", keys.join(","))
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn nobody_keeps_what_has_changed(steps in prop::collection::vec(step(), 1..80)) {
        let (world, host) = (World::new(), Mailboxes::default());
        let mut clients = Clients::new(&world, &host);
        for step in &steps {
            clients.run(step);
            clients.settle();
        }
    }
}

#[test]
fn fields_that_a_recorded_call_finds_past_their_time_are_told_of() {
    for gone in [&["a"][..], &["a", "b"]] {
        let (world, host) = (World::new(), Mailboxes::default());
        world.engine.set_journaled(true);
        let mut clients = Clients::new(&world, &host);
        clients.ask(0, &["HSET", "h", "a", "1", "b", "2"]);
        let count = gone.len().to_string();
        clients.ask(0, &[&["HPEXPIRE", "h", "100", "FIELDS", &count], gone].concat());
        clients.begin(0, Mode::Default, false, None);
        clients.ask(0, &["HGETALL", "h"]);
        clients.ask(0, &["WATCH", "h"]);
        world.clock.advance_ms(200);
        // It changes nothing itself, but they go for good.
        clients.expected[0].push("invalidate [h]".to_owned());
        assert_eq!(clients.ask(1, &["HDEL", "h", "missing"]), Frame::Integer(0));
        clients.ask(0, &["MULTI"]);
        clients.ask(0, &["PING"]);
        let reply = clients.ask(0, &["EXEC"]);
        assert!(reply.is_null(), "{gone:?}: {reply:?}");
        clients.settle();
    }
}

/// A reader with a cache beside a writer, both as fast as they can: when the writer has ended, and the reader
/// has taken what it was told, its cache is right.
#[test]
fn a_cache_beside_a_writer_is_right_in_the_end() {
    const WRITES: usize = 20_000;
    let (world, host) = (World::new(), Mailboxes::default());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut executor = Executor::new(&world.engine, &host, 1);
            let mut session = Session::new(2, Token(2), Arc::new(()));
            for number in 0..WRITES {
                let key = KEYS[number % KEYS.len()];
                call(&mut executor, &mut session, &["SET", key, &number.to_string()]);
            }
            is_over.store(true, Ordering::Release);
        });
        let mut executor = Executor::new(&world.engine, &host, 0);
        let mut session = Session::new(1, Token(1), Arc::new(()));
        session.protocol = Protocol::Resp3;
        world.engine.tracking.begin(&mut session, &host, &Options::default()).unwrap();
        let mut cache: BTreeMap<&str, Frame> = BTreeMap::new();
        let (mut told, mut ends) = (0, false);
        while !ends {
            // What was written before the end was told before it.
            ends = is_over.load(Ordering::Acquire);
            for key in KEYS {
                let mut frames = Vec::new();
                if !cache.contains_key(key) {
                    frames.extend(call(&mut executor, &mut session, &["GET", key]));
                }
                let mut reply = Reply::with_protocol(Protocol::Resp3);
                executor.deliver_pushes(&mut session, &mut reply);
                frames.extend(self::frames(&reply.to_vec()));
                // A call that had to wait for its shard has its reply behind what was pushed meanwhile.
                for frame in frames {
                    if !matches!(frame, Frame::Push(_)) {
                        cache.insert(key, frame);
                        continue;
                    }
                    let key = shown(&frame).replace("invalidate [", "").replace(']', "");
                    told += usize::from(cache.remove(&*key).is_some());
                }
            }
        }
        for (key, value) in cache {
            let now = call(&mut executor, &mut session, &["GET", key]).remove(0);
            assert_eq!(now, value, "{key}, after {told} invalidations");
        }
        assert!(0 < told);
    });
}

fn call(executor: &mut Executor<'_>, session: &mut Session, words: &[&str]) -> Vec<Frame> {
    let mut argv = ArgvBuffer::new();
    words.iter().for_each(|word| argv.push(word.as_bytes()));
    let mut reply = Reply::with_protocol(session.protocol);
    while !executor.call(session, argv.argv(), &mut reply) {
        std::thread::yield_now();
    }
    frames(&reply.to_vec())
}
