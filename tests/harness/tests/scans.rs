//! SCAN, HSCAN, SSCAN and ZSCAN while what they walk over grows, shrinks and changes its encoding:
//! what is there all the time is returned, what never was is not, and the cursor comes to an end.

use std::collections::BTreeSet;

use base::rand::Rng;
use harness::frame::Frame;
use harness::target::{Link, Received, WAIT, request};

/// One of the four, with the commands that add a member and remove it.
struct Walk {
    scan: &'static [&'static str],
    add: fn(&str) -> Vec<String>,
    remove: fn(&str) -> Vec<String>,
    /// Words of a reply for each member.
    words_each: usize,
}

const WALKS: [Walk; 4] = [
    Walk {
        scan: &["SCAN"],
        add: |name| words(&["SET", name, "x"]),
        remove: |name| words(&["DEL", name]),
        words_each: 1,
    },
    Walk {
        scan: &["HSCAN", "k"],
        add: |name| words(&["HSET", "k", name, "x"]),
        remove: |name| words(&["HDEL", "k", name]),
        words_each: 2,
    },
    Walk {
        scan: &["SSCAN", "k"],
        add: |name| words(&["SADD", "k", name]),
        remove: |name| words(&["SREM", "k", name]),
        words_each: 1,
    },
    Walk {
        scan: &["ZSCAN", "k"],
        add: |name| words(&["ZADD", "k", &name.len().to_string(), name]),
        remove: |name| words(&["ZREM", "k", name]),
        words_each: 2,
    },
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn call(link: &mut Box<dyn Link>, words: &[String]) -> Frame {
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.clone().into_bytes()).collect();
    link.send(&request(&words)).expect("sent");
    match link.receive(WAIT).expect("a reply") {
        Received::Frame(frame) if !frame.is_error() => frame,
        other => panic!("{other:?}"),
    }
}

/// The next cursor and the members of one reply.
fn step(link: &mut Box<dyn Link>, walk: &Walk, cursor: &str, count: u64) -> (String, Vec<String>) {
    let mut ask = words(walk.scan);
    ask.extend(words(&[cursor, "COUNT", &count.to_string()]));
    let Frame::Array(parts) = call(link, &ask) else { panic!("no array") };
    let [cursor, Frame::Array(items)] = &parts[..] else { panic!("no cursor and list") };
    let text = |frame: &Frame| String::from_utf8_lossy(frame.text().expect("a text")).into_owned();
    (text(cursor), items.iter().step_by(walk.words_each).map(text).collect())
}

/// One walk with changes between its calls, all of it from the seed.
fn walk_while_it_changes(link: &mut Box<dyn Link>, walk: &Walk, seed: u64) {
    call(link, &words(&["FLUSHALL"]));
    let mut rng = Rng::new(seed);
    // Few stay packed, many do not; numbers alone are a set of integers until a name comes.
    let staying_max = [5, 60, 600, 3_000][rng.index(4)];
    let prefix = ["", "member:"][rng.index(2)];
    let stays: BTreeSet<String> =
        (0..rng.below(staying_max)).map(|number| format!("{prefix}{number}")).collect();
    let comes = |number: u64| format!("{prefix}{}", 1_000_000 + number);
    let mut ever = stays.clone();
    for name in &stays {
        call(link, &(walk.add)(name));
    }
    let extra = rng.below(2_000);
    let count = 1 + [rng.below(10), rng.below(1_000)][rng.index(2)];
    let is_growth_first = rng.below(2) == 0;
    if !is_growth_first {
        for name in (0..extra).map(comes) {
            call(link, &(walk.add)(&name));
            ever.insert(name);
        }
    }
    let (mut seen, mut cursor, mut at) = (BTreeSet::new(), "0".to_owned(), 0);
    // Every call that is asked for one shows one or more places; a table has at most a few times as
    // many places as members.
    for _ in 0..50_000 {
        let names;
        (cursor, names) = step(link, walk, &cursor, count);
        seen.extend(names);
        if cursor == "0" {
            break;
        }
        // First all the others come and then they go, or the other way round.
        for _ in 0..rng.below(4 + count) {
            let name = comes(at % extra.max(1));
            at += 1;
            let grows = (at < extra) == is_growth_first;
            let change = if grows { walk.add } else { walk.remove };
            call(link, &change(&name));
            if grows {
                ever.insert(name);
            }
        }
    }
    let name = walk.scan[0];
    assert_eq!(cursor, "0", "{name} does not end, seed {seed}, COUNT {count}");
    let missed: Vec<_> = stays.difference(&seen).take(5).collect();
    assert!(missed.is_empty(), "{name} missed {missed:?} and so on, seed {seed}, COUNT {count}");
    let odd: Vec<_> = seen.difference(&ever).take(5).collect();
    assert!(odd.is_empty(), "{name} shows {odd:?}, seed {seed}, COUNT {count}");
}

#[test]
fn what_stays_is_found_whatever_comes_and_goes() {
    let mut target = harness::target::engine::target().expect("an engine");
    let mut link = target.open().expect("a connection");
    for seed in 0..60 {
        for walk in &WALKS {
            walk_while_it_changes(&mut link, walk, seed);
        }
    }
}
