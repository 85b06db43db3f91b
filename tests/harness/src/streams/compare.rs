//! When two servers' replies count as the same.

use crate::frame::Frame;
use crate::target::version::{Identity, Selector};

/// How the replies of a command are compared.
#[derive(Clone, Copy)]
enum Rule {
    Exact,
    /// Both are of the same kind; what they say depends on the server.
    Kind,
    /// Lists are compared sorted.
    Sorted,
    /// Numbers may differ by this much: the two calls are not simultaneous.
    Within(i64),
}

const RULES: &[(&str, Rule)] = &[
    // Older servers count a key whose deadline was over from the start until they come across it.
    ("dbsize", Rule::Within(3)),
    ("expiretime", Rule::Within(2)),
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
    ("srandmember", Rule::Kind),
    ("sscan", Rule::Sorted),
    ("sunion", Rule::Sorted),
    ("ttl", Rule::Within(2)),
];

/// A difference between a reference and Ochre that is known and right: our reply follows a newer
/// server. All such differences stand here.
struct Difference {
    /// References that answer in the other way.
    reference: &'static str,
    command: &'static str,
    ours: &'static str,
    theirs: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    // Without an end the range goes to the end, as in Valkey 8.
    Difference {
        reference: "redis>=1",
        command: "bitcount",
        ours: ":",
        theirs: "-ERR syntax error",
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

fn is_reply_same(words: &[Vec<u8>], ours: &Frame, theirs: &Frame, reference: &Identity) -> bool {
    let name = name(words);
    let rule =
        RULES.iter().find(|(command, _)| *command == name).map_or(Rule::Exact, |(_, rule)| *rule);
    let is_same = match (rule, ours, theirs) {
        _ if ours == theirs => true,
        (Rule::Kind, ours, theirs) => is_kind_same(ours, theirs),
        (Rule::Sorted, ours, theirs) => sorted(ours) == sorted(theirs),
        (Rule::Within(distance), Frame::Integer(ours), Frame::Integer(theirs)) => {
            0 <= *ours && 0 <= *theirs && ours.abs_diff(*theirs) <= distance.unsigned_abs()
        }
        _ => false,
    };
    is_same || DIFFERENCES.iter().any(|known| known.is_it(&name, ours, theirs, reference))
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
            && (self.command == name || self.command == "*")
            && says(ours, self.ours)
            && says(theirs, self.theirs)
    }
}

fn name(words: &[Vec<u8>]) -> String {
    words.first().map(|word| String::from_utf8_lossy(word).to_lowercase()).unwrap_or_default()
}

/// Errors must be equal all the same.
fn is_kind_same(ours: &Frame, theirs: &Frame) -> bool {
    !ours.is_error() && std::mem::discriminant(ours) == std::mem::discriminant(theirs)
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
