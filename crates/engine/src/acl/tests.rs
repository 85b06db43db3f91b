//! Tests of the rules: what they say, what they print, and a naive twin of the check.

use super::*;
use crate::command::Categories;
use crate::dialect::Dialect;
use crate::error::RuleError;
use crate::table::Lookup;
use base::glob;
use proptest::prelude::*;
use resp::ArgvBuffer;
use std::collections::BTreeSet;
use std::sync::OnceLock;

fn table() -> &'static CommandTable {
    static TABLE: OnceLock<CommandTable> = OnceLock::new();
    TABLE.get_or_init(|| CommandTable::new(crate::commands::FAMILIES))
}

fn around() -> Around<'static> {
    Around { table: table(), has_channels: false }
}

/// A user with these rules, given as one line.
fn user(rules: &str) -> Result<User, RuleError> {
    let words = rules.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes);
    let rules = merge_selectors(words).expect("parentheses are closed");
    let mut user = User::new(b"u", false);
    for rule in &rules {
        user.apply(rule, &around())?;
    }
    Ok(user)
}

/// What a user may not do in a call on a database.
fn refused_in(user: &User, db: usize, call: &str) -> Option<Refusal> {
    let argv: ArgvBuffer = call.split(' ').map(str::as_bytes).collect();
    let argv = argv.argv();
    let Lookup::Found(entry) = table().lookup(argv) else { panic!("{call} is no command") };
    user.check(&Called { entry, argv, db }).err()
}

fn refused(rules: &str, call: &str) -> Option<Refused> {
    refused_in(&user(rules).unwrap(), 0, call).map(|refusal| refusal.what)
}

fn described(rules: &str) -> String {
    String::from_utf8(user(rules).unwrap().describe(Dialect::Redis)).unwrap()
}

#[test]
fn users_print_the_fewest_rules() {
    for (rules, printed) in [
        ("", "off sanitize-payload resetchannels -@all"),
        ("on nopass ~* &* +@all", "on nopass sanitize-payload ~* &* +@all"),
        ("allkeys allchannels allcommands", "off sanitize-payload ~* &* +@all"),
        ("+get +GET -get", "off sanitize-payload resetchannels -@all -get"),
        ("+acl|whoami +acl", "off sanitize-payload resetchannels -@all +acl"),
        ("+acl -acl|list", "off sanitize-payload resetchannels -@all +acl -acl|list"),
        ("+@Read -@read +get", "off sanitize-payload resetchannels -@all -@read +get"),
        ("+@all -@admin +acl|cat", "off sanitize-payload resetchannels +@all -@admin +acl|cat"),
        ("-get +@all", "off sanitize-payload resetchannels +@all"),
        ("+get nocommands +set", "off sanitize-payload resetchannels -@all +set"),
        ("+select|0 +select|1", "off sanitize-payload resetchannels -@all +select|0 +select|1"),
        (
            "~a %R~b %w~c %rW~d %R~e %W~e",
            "off sanitize-payload ~a %R~b %W~c ~d ~e resetchannels -@all",
        ),
        ("~a resetkeys ~b", "off sanitize-payload ~b resetchannels -@all"),
        ("&a &a &b*", "off sanitize-payload resetchannels &a &b* -@all"),
        ("skip-sanitize-payload on", "on skip-sanitize-payload resetchannels -@all"),
        ("db=3,1,3", "off sanitize-payload resetchannels db=1,3 -@all"),
        ("db=3 alldbs", "off sanitize-payload resetchannels -@all"),
        ("resetdbs", "off sanitize-payload resetchannels resetdbs -@all"),
        (
            "+get (~a +set) (%R~b &c +@read)",
            "off sanitize-payload resetchannels -@all +get (~a resetchannels -@all +set) \
             (%R~b resetchannels &c -@all +@read)",
        ),
        ("(+get) clearselectors", "off sanitize-payload resetchannels -@all"),
        ("on >x ~* +@all (+get) reset", "off sanitize-payload resetchannels -@all"),
    ] {
        assert_eq!(described(rules), printed, "{rules}");
    }
}

#[test]
fn passwords_are_hashed_and_counted_once() {
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    assert_eq!(
        described(&format!("on >secret #{hash}")),
        format!("on sanitize-payload #{hash} resetchannels -@all")
    );
    let secret = user("on >secret >other").unwrap();
    assert!(secret.accepts(b"secret") && secret.accepts(b"other"));
    assert!(!secret.accepts(b"") && !secret.accepts(b"Secret"));
    assert!(!user("off >secret").unwrap().accepts(b"secret"));
    assert!(!user("on >secret <secret").unwrap().accepts(b"secret"));
    assert!(!user(&format!("on >secret !{hash}")).unwrap().accepts(b"secret"));
    assert!(user("on nopass").unwrap().accepts(b"anything"));
    assert!(!user("on nopass resetpass").unwrap().accepts(b"anything"));
    assert!(!user("on nopass >x").unwrap().accepts(b"anything"));
    assert!(user("on >x nopass").unwrap().passwords().is_empty());
}

#[test]
fn wrong_rules_are_told_apart() {
    for (rules, error) in [
        ("foo", RuleError::Syntax),
        ("+nosuch", RuleError::Unknown),
        ("+", RuleError::Unknown),
        ("+@nosuch", RuleError::Unknown),
        ("+@", RuleError::Unknown),
        ("-select|0", RuleError::Unknown),
        ("+acl|nosuch", RuleError::Unknown),
        ("+acl|", RuleError::Syntax),
        ("+acl|cat|x", RuleError::FirstArgumentOfSubcommand),
        ("~* ~a", RuleError::KeysAfterAll),
        ("allkeys %R~a", RuleError::KeysAfterAll),
        ("&* &a", RuleError::ChannelsAfterAll),
        ("%~a", RuleError::Syntax),
        ("%RR~a", RuleError::Syntax),
        ("%X~a", RuleError::Syntax),
        ("%", RuleError::Syntax),
        ("<nosuch", RuleError::PasswordUnknown),
        ("#abc", RuleError::HashInvalid),
        ("!abc", RuleError::HashInvalid),
        ("(on)", RuleError::Syntax),
        ("(+nosuch)", RuleError::Unknown),
        ("(~* ~a)", RuleError::KeysAfterAll),
        ("db=", RuleError::Syntax),
        ("db=1,", RuleError::Syntax),
        ("db=x", RuleError::Syntax),
        ("db=2147483648", RuleError::DatabaseOutOfRange),
        ("db=-1", RuleError::DatabaseOutOfRange),
    ] {
        assert_eq!(user(rules).err(), Some(error), "{rules}");
    }
    let mut user = User::new(b"u", false);
    assert_eq!(user.apply(b"~a b", &around()), Err(RuleError::Syntax));
    assert_eq!(user.apply(b"&a\tb", &around()), Err(RuleError::Syntax));
    assert_eq!(user.apply(b"(\"+get)", &around()), Err(RuleError::Syntax));
    assert_eq!(user, User::new(b"u", false));
}

#[test]
fn parentheses_join_words() {
    let merged = |line: &str| merge_selectors(line.split(' ').map(str::as_bytes));
    assert_eq!(merged("a (b c) (d)"), Ok(vec![b"a".into(), b"(b c)".into(), b"(d)".into()]));
    assert_eq!(merged("a (b c"), Err(1));
    assert_eq!(merged("(a (b c) d"), Ok(vec![b"(a (b c)".into(), b"d".into()]));
}

#[test]
fn each_part_of_a_call_is_checked() {
    use Refused::{Channel, Command, Database, Key};
    for (rules, call, expected) in [
        ("~* +get", "get a", None),
        ("~* +get", "set a b", Some(Command)),
        ("~* +@read", "get a", None),
        ("~* +@read", "set a b", Some(Command)),
        ("~* +@all -@write", "set a b", Some(Command)),
        ("~* +@all -@write +set", "set a b", None),
        ("", "auth x", None),
        ("", "ping", Some(Command)),
        ("+acl|whoami", "acl whoami", None),
        ("+acl|whoami", "acl list", Some(Command)),
        ("+acl -acl|list", "acl list", Some(Command)),
        ("+select|1", "select 1", None),
        ("+select|1", "select 2", Some(Command)),
        ("+select|1 -select", "select 1", Some(Command)),
        ("~a* +get", "get b", Some(Key)),
        ("%R~a* +@all", "get a", None),
        ("%R~a* +@all", "set a b", Some(Key)),
        ("%W~a* +@all", "get a", Some(Key)),
        ("%W~a* +@all", "set a b", None),
        ("%W~a* +@all", "set a b get", Some(Key)),
        ("%W~a* +@all", "exists a", None),
        ("%R~a* %W~b* +@all", "copy a b", None),
        ("%R~a* %W~b* +@all", "copy b a", Some(Key)),
        ("~a +@all", "mset a 1 b 2", Some(Key)),
        ("~a +@all", "eval x 1 b", Some(Key)),
        ("~a +@all", "eval x 1 a b", None),
        ("&a* +@all", "publish ab x", None),
        ("&a* +@all", "publish b x", Some(Channel)),
        ("&a* +@all", "subscribe ab b", Some(Channel)),
        ("&a* +@all", "psubscribe a*", None),
        ("&a* +@all", "psubscribe ab*", Some(Channel)),
        ("+@all", "unsubscribe b", None),
        ("~* +@all db=1", "get a", Some(Database)),
        ("~* +@all db=0", "get a", None),
        ("~* +@all db=1", "select 1", None),
        ("~* +@all db=1", "select 0", Some(Database)),
        ("~* +@all db=0", "move a 1", Some(Database)),
        ("~* +@all db=1", "move a 1", Some(Database)),
        ("~* +@all db=0,1", "move a 1", None),
        ("~* +@all db=0", "copy a b db 0 replace", None),
        ("~* +@all db=0", "copy a b db 0 db 1", Some(Database)),
        ("~* +@all db=0", "swapdb 0 1", Some(Database)),
        ("~* +@all db=0,1", "swapdb 0 1", None),
        ("~* +@all db=0", "flushall", Some(Database)),
        ("~* +@all db=0", "flushdb", None),
        ("~* +@all db=1", "flushdb", Some(Database)),
        ("~* +@all db=1", "ping", None),
        ("~* +@all resetdbs", "dbsize", Some(Database)),
    ] {
        assert_eq!(refused(rules, call), expected, "{rules}: {call}");
    }
}

#[test]
fn one_selector_must_allow_all_of_a_call() {
    let rules = "+get ~a (+set ~b) (+mget %R~c %R~d)";
    for call in ["get a", "set b x", "mget c d"] {
        assert_eq!(refused(rules, call), None, "{call}");
    }
    for call in ["get b", "set a x", "mget a c"] {
        assert_eq!(refused(rules, call), Some(Refused::Key), "{call}");
    }
    assert_eq!(refused(rules, "del a"), Some(Refused::Command));
    // That of the selector which came farthest.
    let user = user("+mget ~x (+mget ~a) (+get ~a)").unwrap();
    let refusal = Refusal { what: Refused::Key, argument: 2 };
    assert_eq!(refused_in(&user, 0, "mget a b c"), Some(refusal));
}

#[test]
fn sorting_by_other_keys_needs_all_of_them() {
    let reads_all = |rules: &str| {
        let argv: ArgvBuffer = ["sort", "a"].into_iter().map(str::as_bytes).collect();
        let Lookup::Found(entry) = table().lookup(argv.argv()) else { panic!("sort is missing") };
        user(rules).unwrap().reads_all_keys(&Called { entry, argv: argv.argv(), db: 0 })
    };
    assert!(reads_all("+sort ~*"));
    assert!(reads_all("+sort %R~*"));
    assert!(reads_all("+get ~x (+sort %R~*)"));
    assert!(!reads_all("+sort %W~* %R~a"));
    assert!(!reads_all("+sort ~a (+get %R~*)"));
}

#[test]
fn files_are_all_right_or_all_wrong() {
    let parse = |text: &str| parse_file("f", text.as_bytes(), &around());
    let users = parse("\n user alice on nopass ~* +@all (+get ~x)  \r\nuser bob off\n").unwrap();
    assert_eq!(users.len(), 3);
    assert_eq!(*users[DEFAULT], User::all_powerful(DEFAULT, b""));
    let again = parse(str::from_utf8(&to_text(&users, Dialect::Redis)).unwrap()).unwrap();
    assert_eq!(again, users);
    for (text, error) in [
        ("foo", "f:1 should start with user keyword followed by the username. "),
        ("user", "f:1 should start with user keyword followed by the username. "),
        ("user a (+get", "f:1: Unmatched parenthesis in selector definition."),
        ("user a\nuser a", "WARNING: Duplicate user 'a' found on line 2. "),
        // Of a line's mistakes the first, but all names that do not exist.
        (
            "\nuser a foo bar\nuser b +@x ( +y",
            "f:2: Syntax error. f:3: Unmatched parenthesis in selector definition.",
        ),
        (
            "user a +@x +y",
            "f:1: Error in applying operation '+@x': Unknown command or category name in ACL. \
             f:1: Error in applying operation '+y': Unknown command or category name in ACL. ",
        ),
    ] {
        let end = "WARNING: ACL errors detected, no change to the previously active ACL rules was \
                   performed";
        assert_eq!(parse(text).unwrap_err(), format!("{error}{end}"));
    }
}

#[test]
fn the_log_counts_what_is_the_same() {
    let log = AclLog::default();
    let entry = |object: &str, now_ms| {
        let (what, context) = (Refused::Key, Context::TopLevel);
        LogEntry::new(what, context, object.as_bytes(), b"u", Vec::new(), now_ms)
    };
    for (object, now_ms) in [("a", 1), ("b", 2), ("a", 60_001), ("a", 200_000)] {
        log.add(entry(object, now_ms), 10);
    }
    let shown: Vec<(u64, u64, u64)> =
        log.newest(10).iter().map(|entry| (entry.id, entry.count, entry.updated_ms)).collect();
    assert_eq!(shown, [(2, 1, 200_000), (0, 2, 60_001), (1, 1, 2)]);
    log.add(entry("c", 200_001), 2);
    assert_eq!(log.newest(10).len(), 2);
    log.add(entry(&"k".repeat(1 << 20), 200_002), 2);
    assert!(log.newest(1)[0].object.len() < 1 << 16);
    log.clear();
    assert_eq!(log.newest(10), []);
}

/// Calls of the twin: its words, and what it needs.
struct Known {
    words: &'static str,
    name: &'static str,
    /// Key, and whether it is read and written.
    keys: &'static [(&'static str, bool, bool)],
    channels: &'static [(&'static str, bool)],
    /// Databases, when the session is in database 0.
    databases: Option<&'static [usize]>,
}

const KNOWN: &[Known] = &[
    Known {
        words: "get aa",
        name: "get",
        keys: &[("aa", true, false)],
        channels: &[],
        databases: Some(&[0]),
    },
    Known {
        words: "set ab x",
        name: "set",
        keys: &[("ab", false, true)],
        channels: &[],
        databases: Some(&[0]),
    },
    Known {
        words: "getdel b",
        name: "getdel",
        keys: &[("b", true, true)],
        channels: &[],
        databases: Some(&[0]),
    },
    Known {
        words: "exists b aa",
        name: "exists",
        keys: &[("b", false, false), ("aa", false, false)],
        channels: &[],
        databases: Some(&[0]),
    },
    Known {
        words: "mset aa 1 b 2",
        name: "mset",
        keys: &[("aa", false, true), ("b", false, true)],
        channels: &[],
        databases: Some(&[0]),
    },
    Known {
        words: "copy aa b db 1",
        name: "copy",
        keys: &[("aa", true, false), ("b", false, true)],
        channels: &[],
        databases: Some(&[0, 1]),
    },
    Known {
        words: "publish ab m",
        name: "publish",
        keys: &[],
        channels: &[("ab", false)],
        databases: Some(&[]),
    },
    Known {
        words: "subscribe aa b",
        name: "subscribe",
        keys: &[],
        channels: &[("aa", false), ("b", false)],
        databases: Some(&[]),
    },
    Known {
        words: "psubscribe a*",
        name: "psubscribe",
        keys: &[],
        channels: &[("a*", true)],
        databases: Some(&[]),
    },
    Known { words: "select 1", name: "select", keys: &[], channels: &[], databases: Some(&[1]) },
    Known {
        words: "swapdb 0 2",
        name: "swapdb",
        keys: &[],
        channels: &[],
        databases: Some(&[0, 2]),
    },
    Known { words: "flushall", name: "flushall", keys: &[], channels: &[], databases: None },
    Known { words: "ping", name: "ping", keys: &[], channels: &[], databases: Some(&[]) },
    Known {
        words: "object encoding aa",
        name: "object|encoding",
        keys: &[("aa", false, false)],
        channels: &[],
        databases: Some(&[0]),
    },
    Known {
        words: "acl whoami",
        name: "acl|whoami",
        keys: &[],
        channels: &[],
        databases: Some(&[]),
    },
];

/// One selector, the long way.
#[derive(Clone, Default)]
struct Twin {
    commands: BTreeSet<String>,
    first_arguments: Vec<(String, String)>,
    keys: Option<Vec<(bool, bool, String)>>,
    channels: Option<Vec<String>>,
    databases: Option<Vec<usize>>,
}

impl Twin {
    fn new() -> Self {
        Self { keys: Some(Vec::new()), channels: Some(Vec::new()), ..Self::default() }
    }

    /// Applies a rule that is known to be right.
    fn apply(&mut self, rule: &str) {
        let all = || table().all().map(|entry| entry.full_name.to_string());
        match rule {
            "+@all" => self.commands = all().collect(),
            "-@all" => (self.commands, self.first_arguments) = (BTreeSet::new(), Vec::new()),
            "~*" => self.keys = None,
            "resetkeys" => self.keys = Some(Vec::new()),
            "&*" => self.channels = None,
            "resetchannels" => self.channels = Some(Vec::new()),
            "alldbs" => self.databases = None,
            "resetdbs" => self.databases = Some(Vec::new()),
            _ => self.apply_other(rule),
        }
    }

    fn apply_other(&mut self, rule: &str) {
        let (sign, rest) = rule.split_at(1);
        if let Some(numbers) = rule.strip_prefix("db=") {
            self.databases = Some(numbers.split(',').map(|n| n.parse().unwrap()).collect());
        } else if sign == "~" {
            self.keys.get_or_insert_default().push((true, true, rest.to_owned()));
        } else if let Some(pattern) = rule.strip_prefix("%R~") {
            self.keys.get_or_insert_default().push((true, false, pattern.to_owned()));
        } else if let Some(pattern) = rule.strip_prefix("%W~") {
            self.keys.get_or_insert_default().push((false, true, pattern.to_owned()));
        } else if sign == "&" {
            self.channels.get_or_insert_default().push(rest.to_owned());
        } else if rest == "select|1" {
            self.first_arguments.push(("select".into(), "1".into()));
        } else {
            let is_meant = |name: &str, categories: Categories| match rest.strip_prefix('@') {
                Some(category) => categories.names().any(|name| name == category),
                None => name == rest,
            };
            for entry in table().entries() {
                let with_parts = is_meant(&entry.full_name, entry.row.categories());
                self.mark(sign, &entry.full_name, with_parts);
                for part in &entry.subcommands {
                    let is_part = is_meant(&part.full_name, part.row.categories());
                    self.mark(sign, &part.full_name, with_parts || is_part);
                }
            }
        }
    }

    fn mark(&mut self, sign: &str, name: &str, is_meant: bool) {
        if is_meant {
            self.first_arguments.retain(|(command, _)| command != name);
            if sign == "+" {
                self.commands.insert(name.to_owned());
            } else {
                self.commands.remove(name);
            }
        }
    }

    fn allows(&self, call: &Known) -> bool {
        let first = call.words.split(' ').nth(1).unwrap_or_default();
        let is_first = self.first_arguments.iter().any(|(c, a)| c == call.name && a == first);
        let key = |(key, reads, writes): &(&str, bool, bool)| {
            self.keys.as_ref().is_none_or(|patterns| {
                patterns.iter().any(|(r, w, pattern)| {
                    // The same pattern may be there once for each.
                    let has = |wanted: fn(&(bool, bool, String)) -> bool| {
                        patterns.iter().any(|known| known.2 == *pattern && wanted(known))
                    };
                    let _ = (r, w);
                    (!reads || has(|known| known.0))
                        && (!writes || has(|known| known.1))
                        && glob::matches(pattern.as_bytes(), key.as_bytes())
                })
            })
        };
        let channel = |(channel, is_pattern): &(&str, bool)| {
            self.channels.as_ref().is_none_or(|patterns| {
                patterns.iter().any(|pattern| {
                    if *is_pattern {
                        pattern == channel
                    } else {
                        glob::matches(pattern.as_bytes(), channel.as_bytes())
                    }
                })
            })
        };
        let databases = self.databases.as_ref().is_none_or(|allowed| {
            call.databases.is_some_and(|needed| needed.iter().all(|db| allowed.contains(db)))
        });
        (self.commands.contains(call.name) || is_first)
            && call.keys.iter().all(key)
            && call.channels.iter().all(channel)
            && databases
    }
}

fn rule() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "+@all",
        "-@all",
        "+@read",
        "-@read",
        "+@write",
        "-@write",
        "+@keyspace",
        "+@slow",
        "-@slow",
        "+@fast",
        "-@dangerous",
        "+@pubsub",
        "+@connection",
        "+get",
        "-get",
        "+set",
        "-set",
        "+mset",
        "+copy",
        "-copy",
        "+getdel",
        "+exists",
        "+publish",
        "-publish",
        "+subscribe",
        "+psubscribe",
        "+select",
        "-select",
        "+select|1",
        "+swapdb",
        "+flushall",
        "-flushall",
        "+object",
        "-object",
        "+object|encoding",
        "-object|encoding",
        "+acl",
        "-acl|whoami",
        "+acl|whoami",
        "~*",
        "resetkeys",
        "~a*",
        "%R~a*",
        "%W~a*",
        "%R~b",
        "%W~b",
        "~b",
        "&*",
        "resetchannels",
        "&a*",
        "&b",
        "alldbs",
        "resetdbs",
        "db=0",
        "db=1",
        "db=0,1",
        "db=0,2",
    ])
}

proptest! {
    #[test]
    fn the_check_is_that_of_the_twin(
        selectors in prop::collection::vec(prop::collection::vec(rule(), 0..14), 1..4)
    ) {
        let mut user = User::new(b"u", false);
        let mut twins = Vec::new();
        for (index, rules) in selectors.iter().enumerate() {
            let mut twin = Twin::new();
            let mut kept = Vec::new();
            let mut probe = Selector::new(false);
            for rule in rules {
                // A pattern after all of them is refused.
                if probe.apply(rule.as_bytes(), &around()).is_ok() {
                    twin.apply(rule);
                    kept.push(*rule);
                }
            }
            if index == 0 {
                kept.iter().for_each(|rule| user.apply(rule.as_bytes(), &around()).unwrap());
            } else {
                user.apply(format!("({})", kept.join(" ")).as_bytes(), &around()).unwrap();
            }
            twins.push(twin);
        }
        for call in KNOWN {
            let expected = twins.iter().any(|twin| twin.allows(call));
            let refusal = refused_in(&user, 0, call.words);
            prop_assert_eq!(refusal.is_none(), expected, "{}", call.words);
        }
        // What is printed makes the same user again.
        let text = String::from_utf8(user.describe(Dialect::Redis)).unwrap();
        let again = super::tests::user(&text).unwrap();
        prop_assert_eq!(String::from_utf8(again.describe(Dialect::Redis)).unwrap(), text);
        for call in KNOWN {
            let (before, after) = (refused_in(&user, 0, call.words), refused_in(&again, 0, call.words));
            prop_assert_eq!(before, after, "{}", call.words);
        }
    }
}
