//! When two servers' replies count as the same.

use crate::frame::Frame;
use crate::target::version::{Identity, Selector};

/// How the replies of a command are compared.
#[derive(Clone, Copy)]
enum Rule {
    Exact,
    /// What XINFO tells: names and values, at any depth. Times may differ, and so may how many nodes
    /// there are.
    Info,
    /// Both are of the same kind; what they say depends on the server.
    Kind,
    /// Any members, but the same number of them.
    Length,
    /// Names and values in any order.
    Pairs,
    /// Entries that wait for XACK: since when may differ.
    Pending,
    /// Members and scores in any order, with scores printed in any way.
    Scores,
    /// Lists are compared sorted.
    Sorted,
    /// Numbers, also those in a list, may differ by this much: the two calls are not simultaneous.
    Within(i64),
}

/// By the first word, or by the first two.
const RULES: &[(&str, Rule)] = &[
    // Older servers count a key whose deadline was over from the start until they come across it.
    ("dbsize", Rule::Within(3)),
    ("expiretime", Rule::Within(2)),
    ("hexpiretime", Rule::Within(2)),
    ("hgetall", Rule::Pairs),
    ("hkeys", Rule::Sorted),
    ("hpexpiretime", Rule::Within(2_000)),
    ("hpttl", Rule::Within(2_000)),
    ("hrandfield", Rule::Length),
    ("hscan", Rule::Pairs),
    ("httl", Rule::Within(2)),
    ("hvals", Rule::Sorted),
    ("keys", Rule::Sorted),
    ("memory", Rule::Kind),
    ("object", Rule::Kind),
    ("pexpiretime", Rule::Within(2_000)),
    ("pttl", Rule::Within(2_000)),
    ("randomkey", Rule::Kind),
    ("scan", Rule::Sorted),
    ("sdiff", Rule::Sorted),
    ("sinter", Rule::Sorted),
    ("smembers", Rule::Sorted),
    ("spop", Rule::Sorted),
    ("srandmember", Rule::Length),
    ("sscan", Rule::Sorted),
    ("sunion", Rule::Sorted),
    ("ttl", Rule::Within(2)),
    ("xinfo", Rule::Info),
    ("xpending", Rule::Pending),
    ("zrandmember", Rule::Length),
    ("zscan", Rule::Scores),
];

/// Searches of places: without an order or a count the reply has none.
const SEARCHES: &[&str] =
    &["georadius", "georadius_ro", "georadiusbymember", "georadiusbymember_ro", "geosearch"];

/// In what XINFO tells: times, which differ between two calls.
const TIMES: &[&[u8]] = &[b"active-time", b"idle", b"inactive", b"seen-time"];
/// What only newer servers tell, Ochre too.
const NEWER: &[&[u8]] = &[b"active-time", b"inactive", b"nacked-count"];
/// How the nodes of a large stream are made is each server's own affair.
const NODES: &[&[u8]] = &[b"radix-tree-keys", b"radix-tree-nodes"];
/// Longer than a stream of commands takes.
const MILLISECONDS_APART: u64 = 5_000;

/// A difference between a reference and Ochre that is known and right: our reply follows a newer
/// server. All such differences stand here.
struct Difference {
    /// References that answer in the other way.
    reference: &'static str,
    /// Names with spaces between; `*` is any.
    commands: &'static str,
    ours: &'static str,
    theirs: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    // Without an end the range goes to the end, as in Valkey 8.
    Difference {
        reference: "redis>=1",
        commands: "bitcount",
        ours: ":",
        theirs: "-ERR syntax error",
    },
    Difference {
        reference: "redis>=1",
        commands: "bitcount",
        ours: "-ERR value is not an integer or out of range",
        theirs: "-ERR syntax error",
    },
    // Errors that were said in other words once.
    Difference {
        reference: "redis<7.2",
        commands: "blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin",
        ours: "-ERR timeout is out of range",
        theirs: "-ERR timeout is negative",
    },
    Difference {
        reference: "redis<7.4, valkey",
        commands: "xread xreadgroup",
        ours: "-ERR Unbalanced 'xread",
        theirs: "-ERR Unbalanced ",
    },
    // What newer servers understand.
    Difference {
        reference: "redis<7.4",
        commands: "xread",
        ours: "",
        theirs: "-ERR Invalid stream ID",
    },
    Difference { reference: "redis<7.2", commands: "xgroup", ours: ":0", theirs: ":1" },
    // Valkey looks at the options of a key that is missing.
    Difference { reference: "valkey", commands: "getex", ours: "(nil)", theirs: "-ERR " },
    Difference { reference: "valkey", commands: "getex", ours: "-WRONGTYPE", theirs: "-ERR " },
    // Valkey says these in words of its own.
    Difference {
        reference: "valkey",
        commands: "*",
        ours: "-NOSCRIPT No matching script. Please use EVAL.",
        theirs: "-NOSCRIPT No matching script.",
    },
    Difference {
        reference: "valkey",
        commands: "*",
        ours: "-ERR could not decode requested zset member",
        theirs: "-ERR member ",
    },
    Difference {
        reference: "valkey",
        commands: "hexpire hexpireat hexpiretime hgetdel hgetex hpersist hpexpire hpexpireat \
                   hpexpiretime hpttl hsetex httl",
        ours: "-",
        theirs: "-",
    },
];

/// What the comparison needs to know about a connection: the commands that EXEC will run.
#[derive(Default)]
pub(super) struct Queue {
    commands: Option<Vec<Vec<Vec<u8>>>>,
}

impl Queue {
    /// Whether both replies to `words` are the same, and what they make of the queue.
    pub(super) fn is_same(
        &mut self,
        words: &[Vec<u8>],
        ours: &Frame,
        theirs: &Frame,
        reference: &Identity,
    ) -> bool {
        let name = name(words);
        let is_same = match (self.commands.take(), name.as_str(), ours, theirs) {
            (Some(commands), "exec", Frame::Array(ours), Frame::Array(theirs)) => {
                ours.len() == theirs.len()
                    && ours.len() == commands.len()
                    && commands.iter().zip(ours.iter().zip(theirs)).all(
                        |(words, (ours, theirs))| is_reply_same(words, ours, theirs, reference),
                    )
            }
            (Some(mut commands), _, Frame::Simple(text), _) if text == b"QUEUED" => {
                commands.push(words.to_vec());
                self.commands = Some(commands);
                ours == theirs
            }
            (commands, _, _, _) => {
                let ends =
                    ["exec", "discard", "reset"].contains(&name.as_str()) && !ours.is_error();
                let aborted = name == "exec";
                self.commands = if ends || aborted { None } else { commands };
                is_reply_same(words, ours, theirs, reference)
            }
        };
        if name == "multi" && !ours.is_error() {
            self.commands = Some(Vec::new());
        }
        is_same
    }
}

/// Whether both replies to `words` are the same, outside of EXEC.
pub(super) fn is_reply_same(
    words: &[Vec<u8>],
    ours: &Frame,
    theirs: &Frame,
    reference: &Identity,
) -> bool {
    let is_same = match (rule(words), ours, theirs) {
        _ if ours == theirs => true,
        (_, Frame::Error(_), _) | (_, _, Frame::Error(_)) => false,
        (Rule::Kind, ours, theirs) => is_kind_same(ours, theirs),
        (Rule::Info, ours, theirs) => is_info_same(ours, theirs),
        (Rule::Length, Frame::Array(ours), Frame::Array(theirs)) => ours.len() == theirs.len(),
        (Rule::Length, ours, theirs) => is_kind_same(ours, theirs),
        (Rule::Pairs, ours, theirs) => in_pairs(ours) == in_pairs(theirs),
        (Rule::Pending, ours, theirs) => is_pending_same(ours, theirs),
        (Rule::Scores, ours, theirs) => in_pairs(&read(ours)) == in_pairs(&read(theirs)),
        (Rule::Sorted, ours, theirs) => sorted(ours) == sorted(theirs),
        (Rule::Within(distance), ours, theirs) => is_within(distance, ours, theirs),
        (Rule::Exact, _, _) => false,
    };
    let name = name(words);
    is_same
        || is_number_same(ours, theirs, prints_all_digits(reference))
        || DIFFERENCES.iter().any(|known| known.is_it(&name, ours, theirs, reference))
}

fn rule(words: &[Vec<u8>]) -> Rule {
    let name = name(words);
    let has = |option: &str| words.iter().any(|word| word.eq_ignore_ascii_case(option.as_bytes()));
    if has("novalues") {
        return Rule::Sorted;
    }
    if SEARCHES.contains(&name.as_str()) {
        return match (has("any"), has("asc") || has("desc") || has("count")) {
            (true, _) => Rule::Length,
            (false, true) => Rule::Exact,
            (false, false) => Rule::Sorted,
        };
    }
    RULES.iter().find(|(command, _)| *command == name).map_or(Rule::Exact, |(_, rule)| *rule)
}

/// Redis printed doubles with seventeen digits, before it looked for the shortest text.
fn prints_all_digits(reference: &Identity) -> bool {
    reference.name == "redis" && reference.version < vec![7, 2]
}

/// The same, but that scores have no -0 here, and that all numbers may be written in another way.
fn is_number_same(ours: &Frame, theirs: &Frame, is_any: bool) -> bool {
    let value = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<f64>().ok().map(f64::to_bits);
    match (ours, theirs) {
        (Frame::Array(ours), Frame::Array(theirs)) => {
            is_each(ours, theirs, |ours, theirs| is_number_same(ours, theirs, is_any))
        }
        (Frame::Bulk(ours), Frame::Bulk(theirs)) | (Frame::Double(ours), Frame::Double(theirs)) => {
            ours == theirs
                || (ours == b"0" && theirs == b"-0")
                || (is_any && value(ours).is_some() && value(ours) == value(theirs))
        }
        (ours, theirs) => ours == theirs,
    }
}

fn is_each(ours: &[Frame], theirs: &[Frame], is_same: impl Fn(&Frame, &Frame) -> bool) -> bool {
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(ours, theirs))
}

fn is_within(distance: i64, ours: &Frame, theirs: &Frame) -> bool {
    match (ours, theirs) {
        (Frame::Array(ours), Frame::Array(theirs)) => {
            is_each(ours, theirs, |ours, theirs| is_within(distance, ours, theirs))
        }
        (Frame::Integer(ours), Frame::Integer(theirs)) => {
            // Below zero are answers of another meaning.
            ours == theirs
                || (0 <= *ours && 0 <= *theirs && ours.abs_diff(*theirs) <= distance.unsigned_abs())
        }
        (ours, theirs) => ours == theirs,
    }
}

fn is_pending_same(ours: &Frame, theirs: &Frame) -> bool {
    match (ours, theirs) {
        (Frame::Array(one), Frame::Array(other)) => match (&one[..], &other[..]) {
            (
                [id, consumer, Frame::Integer(since), count],
                [their_id, their_consumer, Frame::Integer(their_since), their_count],
            ) => {
                (id, consumer, count) == (their_id, their_consumer, their_count)
                    && since.abs_diff(*their_since) <= MILLISECONDS_APART
            }
            (one, other) => is_each(one, other, is_pending_same),
        },
        (ours, theirs) => ours == theirs,
    }
}

fn is_info_same(ours: &Frame, theirs: &Frame) -> bool {
    if let (Some(ours), Some(theirs)) = (named(ours), named(theirs)) {
        let ours = without_newer(&ours, &theirs);
        return ours.len() == theirs.len()
            && ours.iter().zip(&theirs).all(|((our_name, our_value), (name, value))| {
                our_name == name
                    && (NODES.contains(name)
                        || is_info_same(our_value, value)
                        || (TIMES.contains(name) && is_kind_same(our_value, value)))
            });
    }
    match (ours, theirs) {
        (Frame::Array(ours), Frame::Array(theirs)) => is_each(ours, theirs, is_info_same),
        (Frame::Integer(ours), Frame::Integer(theirs)) => {
            // When a pending entry was delivered has no name of its own.
            const YEAR_2001_MS: i64 = 1_000_000_000_000;
            ours == theirs
                || (YEAR_2001_MS < *ours.min(theirs)
                    && ours.abs_diff(*theirs) <= MILLISECONDS_APART)
        }
        (ours, theirs) => ours == theirs,
    }
}

type Named<'a> = Vec<(&'a [u8], &'a Frame)>;

/// The pairs of a map, which is a flat list in RESP2.
fn named(frame: &Frame) -> Option<Named<'_>> {
    const BEGINNINGS: [&[u8]; 2] = [b"length", b"name"];
    let pairs: Vec<(&Frame, &Frame)> = match frame {
        Frame::Map(pairs) => pairs.iter().map(|(name, value)| (name, value)).collect(),
        Frame::Array(items) => {
            let first = items.first().and_then(Frame::text)?;
            // An entry's fields are a list too: these have ids before them.
            if items.len() < 8 || !BEGINNINGS.contains(&first) {
                return None;
            }
            items.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect()
        }
        _ => return None,
    };
    pairs.into_iter().map(|(name, value)| Some((name.text()?, value))).collect()
}

fn without_newer<'a>(ours: &Named<'a>, theirs: &Named<'_>) -> Named<'a> {
    let is_known = |name: &[u8]| theirs.iter().any(|(their_name, _)| *their_name == name);
    let stays = |(name, _): &&(&[u8], &Frame)| is_known(name) || !NEWER.contains(name);
    ours.iter().filter(stays).copied().collect()
}

impl Difference {
    fn is_it(&self, name: &str, ours: &Frame, theirs: &Frame, reference: &Identity) -> bool {
        let says = |frame: &Frame, prefix: &str| frame.notation().starts_with(prefix);
        let is_reference = self
            .reference
            .split(',')
            .filter_map(|text| Selector::parse(text.trim()).ok())
            .any(|selector| selector.holds_for(reference));
        is_reference
            && (self.commands == "*" || self.commands.split(' ').any(|command| command == name))
            && says(ours, self.ours)
            && says(theirs, self.theirs)
    }
}

fn name(words: &[Vec<u8>]) -> String {
    words.first().map(|word| String::from_utf8_lossy(word).to_lowercase()).unwrap_or_default()
}

/// Errors must be equal all the same, and below zero are answers of another meaning.
fn is_kind_same(ours: &Frame, theirs: &Frame) -> bool {
    match (ours, theirs) {
        (Frame::Error(_), _) => false,
        (Frame::Integer(ours), Frame::Integer(theirs)) => (*ours < 0) == (*theirs < 0),
        (ours, theirs) => std::mem::discriminant(ours) == std::mem::discriminant(theirs),
    }
}

fn sorted(frame: &Frame) -> String {
    match frame {
        Frame::Array(items) | Frame::Set(items) => {
            let mut items: Vec<String> = items.iter().map(sorted).collect();
            // SCAN's cursor stands first and sorts before texts of keys: it is always "0" here.
            items.sort();
            items.concat()
        }
        other => other.notation(),
    }
}

/// A reply with all texts of numbers printed in one way.
fn read(frame: &Frame) -> Frame {
    match frame {
        Frame::Array(items) => Frame::Array(items.iter().map(read).collect()),
        Frame::Bulk(text) => {
            match std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
                Some::<f64>(number) => Frame::Bulk((0.0 + number).to_string().into_bytes()),
                None => frame.clone(),
            }
        }
        other => other.clone(),
    }
}

/// Names with their values, sorted: of a map, of a flat list, or of what stands behind a cursor.
fn in_pairs(frame: &Frame) -> Vec<String> {
    let mut pairs: Vec<String> = match frame {
        Frame::Map(pairs) => {
            pairs.iter().map(|(name, value)| name.notation() + &value.notation()).collect()
        }
        Frame::Array(items) => match &items[..] {
            [cursor, list @ Frame::Array(_)] => {
                return [vec![cursor.notation()], in_pairs(list)].concat();
            }
            items if items.len() % 2 == 0 => {
                items.chunks_exact(2).map(|pair| pair[0].notation() + &pair[1].notation()).collect()
            }
            items => items.iter().map(Frame::notation).collect(),
        },
        other => vec![other.notation()],
    };
    pairs.sort();
    pairs
}
