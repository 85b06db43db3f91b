//! Subscriptions of many clients against a naive twin: who receives what, and what PUBSUB says.

use crate::world::World;
use base::lock::Token;
use engine::host::NoHost;
use engine::{Executor, Session};
use proptest::prelude::*;
use resp::{ArgvBuffer, Reply};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const CLIENTS: usize = 5;
const NAMES: [&str; 6] = ["a", "ab", "abc", "b", "ba", "*"];
const PATTERNS: [&str; 5] = ["*", "a*", "?b", "[ab]", "a"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Channel,
    Pattern,
    Shard,
}

impl Topic {
    fn prefix(self) -> &'static str {
        match self {
            Self::Channel => "",
            Self::Pattern => "P",
            Self::Shard => "S",
        }
    }

    fn name(self, number: usize) -> &'static str {
        match self {
            Self::Pattern => PATTERNS[number % PATTERNS.len()],
            _ => NAMES[number % NAMES.len()],
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Subscribe(usize, Topic, Vec<usize>),
    Unsubscribe(usize, Topic, Vec<usize>),
    UnsubscribeAll(usize, Topic),
    Publish(Topic, usize),
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let topic = prop_oneof![Just(Topic::Channel), Just(Topic::Pattern), Just(Topic::Shard)];
    let names = prop::collection::vec(0..30_usize, 1..4);
    let published = prop_oneof![3 => Just(Topic::Channel), 1 => Just(Topic::Shard)];
    prop_oneof![
        4 => (0..CLIENTS, topic.clone(), names.clone()).prop_map(|(c, t, n)| Step::Subscribe(c, t, n)),
        2 => (0..CLIENTS, topic.clone(), names).prop_map(|(c, t, n)| Step::Unsubscribe(c, t, n)),
        1 => (0..CLIENTS, topic).prop_map(|(client, topic)| Step::UnsubscribeAll(client, topic)),
        6 => (published, 0..30_usize).prop_map(|(topic, name)| Step::Publish(topic, name)),
        1 => (0..CLIENTS).prop_map(Step::Leave),
    ]
}

/// What each client is subscribed to.
type Twin = Vec<BTreeSet<(Topic, &'static str)>>;

/// The clients on one thread; the last only publishes and asks.
struct Clients<'w> {
    executor: Executor<'w>,
    sessions: Vec<Session>,
    next_id: u64,
}

impl<'w> Clients<'w> {
    fn new(world: &'w World) -> Self {
        let executor = Executor::new(&world.engine, &NoHost, 0);
        let mut clients = Self { executor, sessions: Vec::new(), next_id: 1 };
        (0..=CLIENTS).for_each(|_| {
            let session = clients.session();
            clients.sessions.push(session);
        });
        clients
    }

    fn session(&mut self) -> Session {
        self.next_id += 1;
        Session::new(self.next_id, Token(self.next_id), Arc::new(()))
    }

    fn call(&mut self, client: usize, words: &[&str]) -> String {
        let mut argv = ArgvBuffer::new();
        words.iter().for_each(|word| argv.push(word.as_bytes()));
        let mut reply = Reply::new();
        assert!(self.executor.call(&mut self.sessions[client], argv.argv(), &mut reply));
        String::from_utf8(reply.to_vec()).unwrap()
    }

    fn ask(&mut self, words: &[&str]) -> String {
        self.call(CLIENTS, words)
    }

    /// What has come for a client since it was last asked, sorted.
    fn received(&mut self, client: usize) -> Vec<String> {
        let mut reply = Reply::new();
        self.executor.deliver_pushes(&mut self.sessions[client], &mut reply);
        let bytes = reply.to_vec();
        let (mut rest, mut messages) = (&bytes[..], Vec::new());
        while let Some((_, len)) = resp::decode(rest).unwrap() {
            messages.push(String::from_utf8(rest[..len].to_vec()).unwrap());
            rest = &rest[len..];
        }
        assert!(rest.is_empty());
        messages.sort();
        messages
    }

    fn leave(&mut self, client: usize) {
        self.executor.end_session(&mut self.sessions[client]);
        self.sessions[client] = self.session();
    }
}

fn array(words: &[&str]) -> String {
    let bulks = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), bulks.collect::<String>())
}

/// What a client with these subscriptions receives, sorted.
fn expected(of: &BTreeSet<(Topic, &'static str)>, topic: Topic, channel: &str) -> Vec<String> {
    let message = |(own, name): &(Topic, &'static str)| match (own, topic) {
        (Topic::Channel, Topic::Channel) if *name == channel => {
            Some(array(&["message", channel, "hello"]))
        }
        (Topic::Pattern, Topic::Channel)
            if base::glob::matches(name.as_bytes(), channel.as_bytes()) =>
        {
            Some(array(&["pmessage", name, channel, "hello"]))
        }
        (Topic::Shard, Topic::Shard) if *name == channel => {
            Some(array(&["smessage", channel, "hello"]))
        }
        _ => None,
    };
    let mut messages: Vec<String> = of.iter().filter_map(message).collect();
    messages.sort();
    messages
}

/// Checks what PUBSUB says of all topics.
fn check_questions(clients: &mut Clients<'_>, twin: &Twin) {
    for (topic, prefix) in [(Topic::Channel, ""), (Topic::Shard, "SHARD")] {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let names = twin.iter().flatten().filter(|(own, _)| *own == topic);
        names.for_each(|(_, name)| *counts.entry(name).or_default() += 1);
        let reply = clients.ask(&["PUBSUB", &format!("{prefix}CHANNELS")]);
        let mut names: Vec<&str> =
            reply.split("\r\n").filter(|line| NAMES.contains(line)).collect();
        names.sort_unstable();
        // The reply's head is no name, although one of these is a star.
        assert_eq!(names, counts.keys().copied().collect::<Vec<_>>(), "{reply:?}");
        let numbers = clients.ask(&["PUBSUB", &format!("{prefix}NUMSUB"), "a", "ab", "none"]);
        let count = |name: &str| counts.get(name).copied().unwrap_or(0);
        let shown = format!(
            "*6\r\n$1\r\na\r\n:{}\r\n$2\r\nab\r\n:{}\r\n$4\r\nnone\r\n:0\r\n",
            count("a"),
            count("ab")
        );
        assert_eq!(numbers, shown);
    }
    let patterns: BTreeSet<&str> = twin
        .iter()
        .flatten()
        .filter(|(own, _)| *own == Topic::Pattern)
        .map(|(_, name)| *name)
        .collect();
    assert_eq!(clients.ask(&["PUBSUB", "NUMPAT"]), format!(":{}\r\n", patterns.len()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn everybody_receives_what_they_subscribed_to(steps in prop::collection::vec(step(), 1..60)) {
        let world = World::new();
        let mut clients = Clients::new(&world);
        let mut twin: Twin = vec![BTreeSet::new(); CLIENTS];
        for step in steps {
            match step {
                Step::Subscribe(client, topic, numbers) => {
                    let names: Vec<_> = numbers.iter().map(|number| topic.name(*number)).collect();
                    let line = format!("{}SUBSCRIBE {}", topic.prefix(), names.join(" "));
                    let reply = clients.call(client, &line.split(' ').collect::<Vec<_>>());
                    twin[client].extend(names.into_iter().map(|name| (topic, name)));
                    let own = twin[client].iter().filter(|(own, _)| (*own == Topic::Shard) == (topic == Topic::Shard));
                    let count = format!(":{}\r\n", own.count());
                    prop_assert!(reply.ends_with(&count), "{reply:?}");
                }
                Step::Unsubscribe(client, topic, numbers) => {
                    let names: Vec<_> = numbers.iter().map(|number| topic.name(*number)).collect();
                    let line = format!("{}UNSUBSCRIBE {}", topic.prefix(), names.join(" "));
                    clients.call(client, &line.split(' ').collect::<Vec<_>>());
                    for name in names {
                        twin[client].remove(&(topic, name));
                    }
                }
                Step::UnsubscribeAll(client, topic) => {
                    clients.call(client, &[&format!("{}UNSUBSCRIBE", topic.prefix())]);
                    twin[client].retain(|(own, _)| *own != topic);
                }
                Step::Publish(topic, number) => {
                    let channel = topic.name(number);
                    let command = if topic == Topic::Shard { "SPUBLISH" } else { "PUBLISH" };
                    let reply = clients.ask(&[command, channel, "hello"]);
                    let mut sum = 0;
                    for (client, of) in twin.iter().enumerate() {
                        let messages = expected(of, topic, channel);
                        sum += messages.len();
                        prop_assert_eq!(clients.received(client), messages);
                    }
                    prop_assert_eq!(reply, format!(":{sum}\r\n"));
                }
                Step::Leave(client) => {
                    clients.leave(client);
                    twin[client].clear();
                }
            }
            check_questions(&mut clients, &twin);
        }
    }
}
