//! Tests over the command table: what every row must keep to, whatever its arguments. The server's tests
//! compare the facts with those of the reference servers.

use crate::facts::facts;
use crate::world::{Client, World};
use engine::command::{Categories, Command, Flags, Origin, Reach};
use engine::commands::{FAMILIES, docs};
use engine::keys::{Begin, Find, NOT_KEY};
use engine::settings::Access;
use engine::table::Entry;
use proptest::prelude::*;
use resp::Frame;
use std::collections::BTreeSet;

/// Every row with its full name.
fn rows() -> Vec<(String, &'static Command)> {
    let commands = FAMILIES.iter().flat_map(|family| family.iter());
    let with_parts = commands.flat_map(|row| {
        let parts =
            row.subcommands.iter().map(move |part| (format!("{}|{}", row.name, part.name), part));
        std::iter::once((row.name.to_owned(), row)).chain(parts)
    });
    with_parts.collect()
}

#[test]
fn names_are_unique_and_sorted() {
    let is_sorted = |rows: &[Command]| rows.windows(2).all(|pair| pair[0].name < pair[1].name);
    for family in FAMILIES {
        assert!(is_sorted(family), "{}", family[0].name);
        assert!(family.iter().all(|row| is_sorted(row.subcommands)), "{}", family[0].name);
    }
    let names: Vec<String> = rows().into_iter().map(|(name, _)| name).collect();
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
    let flags = Flags::NAMES.iter().map(|(flag, _)| *flag);
    let is_alone = |flag: Flags| flags.clone().filter(|other| *other == flag).count() == 1;
    assert!(flags.clone().all(is_alone), "two flags share a bit");
}

#[test]
fn elements_stand_behind_the_only_key() {
    let world = World::new();
    let with_elements =
        world.engine.table.all().filter(|entry| entry.row.elements.places().is_some());
    for entry in with_elements {
        assert_eq!(entry.only_key, Some(1), "{}", entry.full_name);
        let (first, _) = entry.row.elements.places().unwrap();
        assert!(
            (2..entry.row.arity.unsigned_abs() as usize).contains(&first),
            "{}",
            entry.full_name
        );
    }
}

#[test]
fn categories_list_their_commands() {
    let world = World::new();
    let mut client = world.client();
    let known: BTreeSet<String> = rows().into_iter().map(|(name, _)| name).collect();
    let facts = facts();
    let named = |words: &[&[u8]], client: &mut Client<'_>| -> BTreeSet<String> {
        let Frame::Array(items) = client.call_words(words) else { panic!("a list of names") };
        let text = |item: &Frame| String::from_utf8(item.bytes().unwrap().to_vec()).unwrap();
        items.iter().map(text).collect()
    };
    let categories = named(&[b"acl", b"cat"], &mut client);
    let mentioned: BTreeSet<String> =
        facts.values().flat_map(|facts| facts.categories.iter().cloned()).collect();
    assert!(mentioned.is_subset(&categories), "{mentioned:?}, {categories:?}");
    for category in &categories {
        let listed = named(&[b"acl", b"cat", category.as_bytes()], &mut client);
        // Names that are ours alone have no facts.
        let listed: BTreeSet<&String> =
            listed.iter().filter(|name| facts.contains_key(*name)).collect();
        let members = facts.iter().filter(|(_, facts)| facts.categories.contains(category));
        let wanted: BTreeSet<&String> =
            members.map(|(name, _)| name).filter(|name| known.contains(*name)).collect();
        assert_eq!(listed, wanted, "{category}");
    }
}

#[test]
fn every_row_has_its_documentation() {
    let facts = facts();
    let rows = rows();
    let ours = rows.iter().filter(|(_, row)| row.origin == Origin::Ochre);
    let ours: Vec<&str> = ours.map(|(name, _)| name.as_str()).collect();
    for (name, row) in &rows {
        let doc = docs::find(name).unwrap_or_else(|| panic!("{name} has no documentation"));
        assert!(doc.summary.ends_with('.'), "{name}: a summary is a sentence");
        for argument in doc.arguments {
            check_key_specs(name, row, argument);
        }
        let takes_arguments = !doc.arguments.is_empty();
        let parts = 1 + usize::from(name.contains('|'));
        let may_take = row.arity.unsigned_abs() as usize > parts || row.arity < 0;
        assert!(!takes_arguments || may_take, "{name} takes no arguments");
    }
    for docs in docs::DOCS {
        assert!(docs.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(docs.iter().all(|doc| facts.contains_key(doc.name) || ours.contains(&doc.name)));
    }
}

fn check_key_specs(name: &str, row: &Command, argument: &docs::Argument) {
    assert!(argument.key_spec.is_none_or(|spec| spec < row.keys.len()), "{name}: a spec too many");
    argument.parts.iter().for_each(|part| check_key_specs(name, row, part));
}

#[test]
fn rows_agree_with_themselves() {
    for (name, row) in rows() {
        let writes = row.flags.has(Flags::WRITE);
        assert!(!(writes && row.flags.has(Flags::READONLY)), "{name} reads or writes");
        assert!(!row.flags.has(Flags::DENYOOM) || writes, "{name} grows without writing");
        assert!(row.arity != 0, "{name} has no arity");
        let last = row.keys.iter().filter_map(|spec| match (spec.begin, spec.find) {
            (Begin::Index(index), Find::Range { last: 0, .. }) => Some(index),
            _ => None,
        });
        let needed = last.max().map_or(1, |index| index + 1);
        assert!(needed <= row.arity.unsigned_abs() as usize, "{name}: keys beyond its arity");
        assert!(row.acl.names().count() <= Categories::NAMES.len());
        // What it has read is noted in the shards of its keys, so they must be held.
        let has_keys = row.keys.iter().any(|spec| spec.flags != NOT_KEY);
        let holds_none = matches!(row.reach, Reach::None | Reach::Slices);
        assert!(
            !(row.flags.has(Flags::READONLY) && has_keys && holds_none),
            "{name} holds no keys"
        );
    }
}

/// Arguments that commands may take for keys, numbers, options or values.
fn argument() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &[&str] = &[
        "k1",
        "k2",
        "k3",
        "k4",
        "s1",
        "s2",
        "s3",
        "x1",
        "1-1",
        ">",
        "g",
        "group",
        "ids",
        "maxlen",
        "mkstream",
        "streams",
        "limit",
        "",
        "0",
        "1",
        "-1",
        "2",
        "16",
        "100",
        "9223372036854775807",
        "-9223372036854775808",
        "99999999999999999999",
        "1.5",
        "nan",
        "inf",
        "abc",
        "*",
        "k[1-3]",
        "nx",
        "xx",
        "gt",
        "lt",
        "ex",
        "px",
        "exat",
        "pxat",
        "keepttl",
        "persist",
        "get",
        "db",
        "replace",
        "match",
        "count",
        "type",
        "string",
        "async",
        "sync",
        "samples",
        "ifeq",
        "idx",
        "len",
        "minmatchlen",
        "withmatchlen",
        "filterby",
        "pattern",
        "aclcat",
        "module",
        "auth",
        "default",
        "setname",
        "key",
        "3",
        "return redis.call('set','k1','x')",
        "set",
        "and",
        "HYLL\x01\0\0\0\0\0\0\0\0\0\0\u{7f}\u{7f}",
        "not",
        "bit",
        "u8",
        "#1",
        "incrby",
        "overflow",
        "fail",
    ];
    prop_oneof![
        8 => prop::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

/// A call of any row: mostly as many arguments as it needs, or a few more.
fn any_call() -> impl Strategy<Value = (usize, Vec<Vec<u8>>)> {
    (any::<prop::sample::Index>(), prop::collection::vec(argument(), 0..7))
        .prop_map(|(row, arguments)| (row.index(rows().len()), arguments))
}

/// Calls that would stop the test, or the session, and not the server.
fn is_left_out(name: &str) -> bool {
    ["auth", "hello", "monitor", "quit", "reset"].contains(&name)
}

fn words<'a>(name: &'a str, row: &Command, arguments: &'a [Vec<u8>]) -> Vec<&'a [u8]> {
    let mut words: Vec<&[u8]> = name.split('|').map(str::as_bytes).collect();
    let wanted = row.arity.unsigned_abs() as usize;
    let filler: &[u8] = b"k1";
    words.extend(arguments.iter().map(Vec::as_slice));
    if 0 < row.arity {
        words.truncate(wanted);
    }
    words.resize(words.len().max(wanted), filler);
    words
}

/// A world with a few keys of all lengths, some of them with deadlines.
fn filled() -> World {
    let world = World::new();
    let mut client = world.client();
    client.call("MSET k1 1 k2 value k3 -12.5");
    client.call("SET k4 soon PX 100000");
    client.call_words(&[b"SET", b"k5", &[b'x'; 100]]);
    client.call("SADD s1 1 2 3");
    client.call("SADD s2 a 1 b");
    client.call("SADD s3 3");
    client.call("XADD x1 1-1 field value");
    client.call("XADD x1 2-1 field 1 other 2");
    client.call("XGROUP CREATE x1 g 0");
    client.call("XREADGROUP GROUP g c COUNT 1 STREAMS x1 >");
    client.call("SELECT 2");
    client.call("SET k1 other");
    drop(client);
    world
}

fn digest(client: &mut Client<'_>) -> Vec<u8> {
    client.bytes(&[b"DEBUG", b"DIGEST"]).unwrap()
}

fn changes(world: &World) -> u64 {
    world.engine.threads().iter().map(|thread| thread.changes.value()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn reads_change_nothing_and_changes_are_told(
        calls in prop::collection::vec(any_call(), 1..20),
    ) {
        let (world, rows) = (filled(), rows());
        // The observer is another client: what a call does to its own session stays there.
        let (mut client, mut observer) = (world.client(), world.client_on(1));
        for (index, arguments) in &calls {
            let (name, row) = &rows[*index];
            if is_left_out(name) || !row.subcommands.is_empty() {
                continue;
            }
            let words = words(name, row, arguments);
            let (digest_before, changes_before) = (digest(&mut observer), changes(&world));
            prop_assert!(client.bytes(&words).is_some(), "{} waits", name);
            let is_same = digest(&mut observer) == digest_before;
            // PFCOUNT notes in the value what it has computed.
            if row.flags.has(Flags::READONLY) && !row.flags.has(Flags::MAY_REPLICATE) {
                prop_assert!(is_same, "{} changed the data: {:?}", name, words);
            }
            prop_assert!(is_same || changes_before < changes(&world), "{} tells nothing: {:?}", name, words);
        }
    }

    #[test]
    fn who_has_no_right_to_write_changes_nothing(
        calls in prop::collection::vec((any_call(), any::<bool>()), 1..20),
    ) {
        let (world, rows) = (filled(), rows());
        let mut observer = world.client_on(1);
        // No key is called so; and all of them may be read.
        for keys in [&b"~never*"[..], b"%R~*"] {
            let rules: [&[u8]; 12] = [
                b"ACL", b"SETUSER", b"u", b"reset", b"on", b"nopass", b"allchannels", keys,
                b"+@all", b"-@dangerous", b"+sort", b"+restore",
            ];
            observer.bytes(&rules);
            let mut client = world.client();
            client.bytes(&[b"AUTH", b"u", b""]);
            for ((index, arguments), is_queued) in &calls {
                let (name, row) = &rows[*index];
                // PFCOUNT notes in the value what it has computed.
                let notes = row.flags.has(Flags::READONLY) && row.flags.has(Flags::MAY_REPLICATE);
                if is_left_out(name) || !row.subcommands.is_empty() || notes {
                    continue;
                }
                let before = digest(&mut observer);
                if *is_queued {
                    client.bytes(&[b"MULTI"]);
                }
                let words = words(name, row, arguments);
                client.bytes(&words);
                if *is_queued {
                    client.bytes(&[b"EXEC"]);
                }
                prop_assert!(digest(&mut observer) == before, "{}: {:?}", name, words);
            }
        }
    }

    #[test]
    fn no_call_panics(
        calls in prop::collection::vec((any_call(), any::<bool>()), 1..20),
    ) {
        let (world, rows) = (filled(), rows());
        let mut client = world.client();
        for ((index, arguments), is_queued) in &calls {
            let (name, row) = &rows[*index];
            if *is_queued {
                client.bytes(&[b"MULTI"]);
            }
            // Here even with too few or too many.
            let mut call: Vec<&[u8]> = name.split('|').map(str::as_bytes).collect();
            call.extend(arguments.iter().map(Vec::as_slice));
            client.bytes(&call);
            client.bytes(&words(name, row, arguments));
            if *is_queued {
                client.bytes(&[b"EXEC"]);
            }
            world.clock.advance_ms(10);
        }
        check_invariants(&world);
    }
}

fn check_invariants(world: &World) {
    let keyspace = &world.engine.keyspace;
    for lock in keyspace.locks() {
        let shard = lock.try_lock(0).unwrap();
        for db in 0..keyspace.databases() {
            shard.data.database_ref(db).check_invariants();
        }
    }
}

#[test]
fn rows_are_found_by_their_names() {
    let world = World::new();
    let by_name =
        |name: &str| -> Option<&'static Entry> { world.engine.table.full_named(name.as_bytes()) };
    for (name, row) in rows() {
        let found = by_name(&name).unwrap();
        assert_eq!(&*found.full_name, name);
        assert_eq!(found.row.name, row.name);
        assert!(by_name(&name.to_uppercase()).is_some());
    }
    assert!(by_name("nothing").is_none());
    assert!(by_name("object|nothing").is_none());
}

#[test]
fn modules_are_refused_even_where_they_are_allowed() {
    let world = World::with(|settings| settings.module_access = Access::Everyone);
    let mut client = world.client();
    client.check(&[
        ("MODULE LOAD /nowhere", "-ERR Error loading the extension. Please check the server logs."),
        (
            "MODULE LOADEX /nowhere CONFIG a b ARGS c",
            "-ERR Error loading the extension. Please check the server logs.",
        ),
        ("MODULE UNLOAD name", "-ERR Error unloading module: no such module with that name"),
        ("MODULE LIST", "*0"),
    ]);
}
