//! Rights of users, over the whole command table: every command, allowed and forbidden by its name,
//! its categories, its keys and its channels.

use crate::world::{Client, World};
use engine::command::{Categories, Channels, Databases, Flags};
use engine::keys;
use engine::table::Entry;
use resp::{ArgvBuffer, Frame};
use std::collections::BTreeSet;

/// Arguments beyond what a command asks for at least.
const FURTHER_ARGUMENTS: usize = 2;

/// A call of one command, in the form of its arity.
struct Call {
    words: Vec<String>,
    /// Places of keys, with whether the call reads and writes them.
    keys: Vec<(usize, bool, bool)>,
    channels: Vec<usize>,
}

impl Call {
    fn of(entry: &'static Entry) -> Self {
        let mut words: Vec<String> = entry.full_name.split('|').map(str::to_owned).collect();
        let wanted = entry.row.arity.unsigned_abs() as usize;
        let further = if entry.row.arity < 0 { FURTHER_ARGUMENTS } else { 0 };
        // A count of keys is one; everything else may be anything.
        words.resize((wanted + further).max(words.len()), "1".to_owned());
        let argv: ArgvBuffer = words.iter().map(String::as_bytes).collect();
        let mut keys = Vec::new();
        keys::each_key(entry.row, argv.argv(), |index, spec| {
            let flags = spec.flags_of(argv.argv()).0;
            let is_any = |words: &[&str]| flags.iter().any(|flag| words.contains(flag));
            keys.push((index, is_any(&["access"]), is_any(&["insert", "update", "delete"])));
        });
        keys.iter().for_each(|(index, _, _)| words[*index] = format!("key:{index}"));
        let channels: Vec<usize> = match entry.row.channels {
            Channels::None => Vec::new(),
            Channels::One(index) => vec![index],
            Channels::All(first) | Channels::Patterns(first) => (first..words.len()).collect(),
        };
        channels.iter().for_each(|index| words[*index] = format!("channel:{index}"));
        Self { words, keys, channels }
    }

    /// What ACL DRYRUN says of it for a user with these rules.
    fn asked(&self, client: &mut Client<'_>, rules: &str) -> String {
        let mut words: Vec<&[u8]> = vec![b"acl", b"setuser", b"u", b"reset"];
        words.extend(rules.split(' ').map(str::as_bytes));
        assert_eq!(client.call_words(&words), Frame::Simple("OK".into()), "{rules}");
        let mut words: Vec<&[u8]> = vec![b"acl", b"dryrun", b"u"];
        words.extend(self.words.iter().map(String::as_bytes));
        let reply = client.call_words(&words);
        String::from_utf8(reply.bytes().unwrap_or_else(|| panic!("{words:?}: {reply}")).to_vec())
            .unwrap()
    }
}

/// Commands that can be called, with a call of each.
fn calls(world: &World) -> Vec<(&'static Entry, Call)> {
    let entries = world.engine.table.all();
    let callable = entries.filter(|entry| entry.subcommands.is_empty());
    callable.map(|entry| (entry, Call::of(entry))).collect()
}

#[test]
fn every_command_can_be_allowed_and_forbidden() {
    let world = World::new();
    let mut client = world.client();
    for (entry, call) in calls(&world) {
        let name = &*entry.full_name;
        let denied = format!("User u has no permissions to run the '{name}' command");
        let is_free = entry.row.flags.has(Flags::NO_AUTH);
        let expected = if is_free { "OK" } else { &denied };
        for rules in ["+@all".to_owned(), format!("+{name}"), format!("-@all +{name}")] {
            assert_eq!(call.asked(&mut client, &format!("~* &* {rules}")), "OK", "{rules}");
        }
        for rules in ["-@all".to_owned(), format!("+@all -{name}"), format!("+{name} -{name}")] {
            assert_eq!(call.asked(&mut client, &format!("~* &* {rules}")), expected, "{rules}");
        }
        if let Some((container, _)) = name.split_once('|') {
            let rules = format!("~* &* +{container}");
            assert_eq!(call.asked(&mut client, &rules), "OK", "{name}: {rules}");
            let rules = format!("~* &* +@all -{container}");
            assert_eq!(call.asked(&mut client, &rules), expected, "{name}: {rules}");
        }
    }
}

#[test]
fn every_command_follows_its_categories() {
    let world = World::new();
    let mut client = world.client();
    for (entry, call) in calls(&world) {
        let name = &*entry.full_name;
        let denied = format!("User u has no permissions to run the '{name}' command");
        let is_free = entry.row.flags.has(Flags::NO_AUTH);
        let expected = if is_free { "OK" } else { &denied };
        for category in entry.row.categories().names() {
            let rules = format!("~* &* +@{category}");
            assert_eq!(call.asked(&mut client, &rules), "OK", "{name}: {rules}");
            let rules = format!("~* &* +@all -@{category}");
            assert_eq!(call.asked(&mut client, &rules), expected, "{name}: {rules}");
        }
    }
}

#[test]
fn every_key_is_checked_for_what_is_done_with_it() {
    let world = World::new();
    let mut client = world.client();
    let mut with_keys = 0;
    for (entry, call) in calls(&world) {
        let name = &*entry.full_name;
        with_keys += usize::from(!call.keys.is_empty());
        let own: Vec<String> =
            call.keys.iter().map(|(index, _, _)| format!("~key:{index}")).collect();
        let rules = format!("&* +@all {}", own.join(" "));
        assert_eq!(call.asked(&mut client, rules.trim_end()), "OK", "{name}: {rules}");
        for (place, (index, reads, writes)) in call.keys.iter().enumerate() {
            let others: Vec<&str> = own
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != place)
                .map(|(_, pattern)| &**pattern)
                .collect();
            let denied = format!("User u has no permissions to access the 'key:{index}' key");
            let mut check = |rule: &str, is_allowed: bool| {
                let rules = format!("&* +@all {rule} {}", others.join(" "));
                let expected = if is_allowed { "OK" } else { &denied };
                assert_eq!(call.asked(&mut client, rules.trim_end()), expected, "{name}: {rules}");
            };
            check("~other", false);
            check(&format!("%R~key:{index}"), !writes);
            check(&format!("%W~key:{index}"), !reads);
            check(&format!("%RW~key:{index}"), true);
        }
    }
    assert!(100 < with_keys, "{with_keys} commands with keys");
}

#[test]
fn every_channel_is_checked() {
    let world = World::new();
    let mut client = world.client();
    let mut with_channels = 0;
    for (entry, call) in calls(&world) {
        let name = &*entry.full_name;
        let Some(first) = call.channels.first() else { continue };
        with_channels += 1;
        let own: Vec<String> =
            call.channels.iter().map(|index| format!("&channel:{index}")).collect();
        let rules = format!("~* +@all {}", own.join(" "));
        assert_eq!(call.asked(&mut client, &rules), "OK", "{name}: {rules}");
        let denied = format!("User u has no permissions to access the 'channel:{first}' channel");
        let others = own[1..].join(" ");
        let rules = format!("~* +@all &other {others}");
        assert_eq!(call.asked(&mut client, rules.trim_end()), denied, "{name}: {rules}");
        // A pattern must be allowed as it is, a channel only matched.
        let is_pattern = matches!(entry.row.channels, Channels::Patterns(_));
        let rules = format!("~* +@all &chan* {others}");
        let expected = if is_pattern { &*denied } else { "OK" };
        assert_eq!(call.asked(&mut client, rules.trim_end()), expected, "{name}: {rules}");
    }
    assert_eq!(with_channels, 5);
}

#[test]
fn every_database_is_checked() {
    const OWN: usize = 0;
    let world = World::new();
    let mut client = world.client();
    let mut seen = BTreeSet::new();
    for (entry, mut call) in calls(&world) {
        let (name, row) = (&*entry.full_name, entry.row);
        let categories = [Categories::KEYSPACE, Categories::READ, Categories::WRITE];
        let touches_own = categories.into_iter().any(|one| row.categories().has(one))
            || row.keys.iter().any(|spec| spec.flags != keys::NOT_KEY);
        let places: Vec<usize> = match row.databases {
            Databases::Own | Databases::Every => Vec::new(),
            Databases::Named(places) => places.to_vec(),
            Databases::OwnAnd(find) => {
                // COPY names it after a word.
                let has_option = row.arity < 0;
                if has_option {
                    call.words.truncate(row.arity.unsigned_abs() as usize);
                    call.words.extend(["db".to_owned(), "1".to_owned()]);
                }
                let argv: ArgvBuffer = call.words.iter().map(String::as_bytes).collect();
                find(argv.argv()).to_vec()
            }
        };
        let mut touched: BTreeSet<usize> = (2..).zip(&places).map(|(db, _)| db).collect();
        for (db, place) in touched.iter().zip(&places) {
            call.words[*place] = db.to_string();
        }
        if !matches!(row.databases, Databases::Named(_)) && touches_own {
            touched.insert(OWN);
        }
        let is_every = matches!(row.databases, Databases::Every);
        seen.insert((places.len(), is_every, touched.contains(&OWN)));
        let mut is_allowed = |rule: &str| {
            let said = call.asked(&mut client, &format!("~* &* +@all {rule}"));
            let is_denial = said.starts_with("User u has no permissions to access database ");
            assert!(said == "OK" || is_denial, "{name}: {rule}: {said}");
            !is_denial
        };
        assert!(is_allowed("alldbs"), "{name}");
        assert_eq!(is_allowed("resetdbs"), touched.is_empty() && !is_every, "{name}");
        let all: Vec<String> = touched.iter().map(ToString::to_string).collect();
        if !all.is_empty() {
            assert_eq!(is_allowed(&format!("db={}", all.join(","))), !is_every, "{name}");
        }
        for left_out in &touched {
            let others: Vec<String> =
                (0..5).filter(|db| db != left_out).map(|db| db.to_string()).collect();
            let rule = format!("db={}", others.join(","));
            assert!(!is_allowed(&rule), "{name}: {rule}");
        }
    }
    // No database, the own, one that is named, two, the own and one more, all.
    let kinds = [
        (0, false, false),
        (0, false, true),
        (0, true, true),
        (1, false, false),
        (1, false, true),
        (2, false, false),
    ];
    assert_eq!(seen, BTreeSet::from(kinds));
}

#[test]
fn what_dryrun_says_is_what_happens() {
    let world = World::new();
    let mut client = world.client();
    client.check(&[
        ("acl setuser u on nopass ~a &c +@all -set", "+OK"),
        ("auth u x", "+OK"),
        ("acl whoami", "$1 u"),
        ("get a", "$-1"),
        ("get b", "-NOPERM No permissions to access a key"),
        ("set a 1", "-NOPERM User u has no permissions to run the 'set' command"),
        ("publish d x", "-NOPERM No permissions to access a channel"),
        ("acl setuser u +set", "+OK"),
        ("set a 1", "+OK"),
        ("reset", "+RESET"),
        ("get b", "$-1"),
        ("acl setuser default -get", "+OK"),
        ("get b", "-NOPERM User default has no permissions to run the 'get' command"),
        ("acl setuser default +@all", "+OK"),
        ("get b", "$-1"),
    ]);
}

#[test]
fn a_user_who_is_gone_can_do_nothing() {
    let world = World::new();
    let (mut admin, mut client) = (world.client(), world.client_on(1));
    admin.check(&[("acl setuser u on nopass +@all ~*", "+OK")]);
    client.check(&[("auth u x", "+OK"), ("get a", "$-1")]);
    admin.check(&[("acl deluser u", ":1")]);
    client.check(&[("get a", "-NOPERM User u has no permissions to run the 'get' command")]);
    assert!(client.session.is_closing);
}
