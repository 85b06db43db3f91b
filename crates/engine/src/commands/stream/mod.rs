//! Streams: logs of entries, and groups of consumers who share them.

mod group;
mod id;
mod info;
mod journal;
mod log;
mod once;
mod pending;
mod read;
mod reply;
mod trim;

use crate::command::{Categories, Command, Flags, Group, Origin, Reach};
use crate::keys::{self, Begin, Find, KeySpec};
use log::{xadd, xdel, xdelex, xlen, xrange, xrevrange, xsetid, xtrim};
use once::xcfgset;
use pending::{xack, xackdel, xautoclaim, xclaim, xnack, xpending};
use read::{xread, xreadgroup, xreadgroup_reach};

const ROW: Command = Command {
    reach: Reach::Keys,
    group: Group::Stream,
    acl: Categories::STREAM,
    since: "5.0.0",
    ..Command::NEW
};
const READ: Flags = Flags::READONLY;
const WRITE: Flags = Flags::WRITE;
const WRITE_FAST: Flags = Flags::WRITE.with(Flags::FAST);
const GROW: Flags = Flags::WRITE.with(Flags::DENYOOM);

const DELETING: &[KeySpec] = &[KeySpec::at(1, keys::RW_DELETE)];
const READING: &[KeySpec] = &[KeySpec::at(1, keys::RO_ACCESS)];
const UPDATING: &[KeySpec] = &[KeySpec::at(1, keys::RW_UPDATE)];

pub(crate) const COMMANDS: &[Command] = &[
    Command { name: "xack", arity: -4, flags: WRITE_FAST, keys: UPDATING, run: xack, ..ROW },
    Command {
        name: "xackdel",
        arity: -6,
        flags: WRITE_FAST,
        keys: &[KeySpec::at(1, keys::RW_UPDATE_DELETE)],
        since: "8.2.0",
        origin: Origin::Ochre,
        run: xackdel,
        ..ROW
    },
    Command {
        name: "xadd",
        arity: -5,
        flags: GROW.with(Flags::FAST),
        keys: UPDATING,
        run: xadd,
        ..ROW
    },
    Command {
        name: "xautoclaim",
        arity: -6,
        flags: WRITE_FAST,
        keys: DELETING,
        since: "6.2.0",
        run: xautoclaim,
        ..ROW
    },
    Command {
        name: "xcfgset",
        arity: -2,
        flags: WRITE_FAST,
        keys: UPDATING,
        since: "8.6.0",
        origin: Origin::Ochre,
        run: xcfgset,
        ..ROW
    },
    Command { name: "xclaim", arity: -6, flags: WRITE_FAST, keys: UPDATING, run: xclaim, ..ROW },
    Command { name: "xdel", arity: -3, flags: WRITE_FAST, keys: DELETING, run: xdel, ..ROW },
    Command {
        name: "xdelex",
        arity: -5,
        flags: WRITE_FAST,
        keys: DELETING,
        since: "8.2.0",
        origin: Origin::Ochre,
        run: xdelex,
        ..ROW
    },
    Command {
        name: "xgroup",
        arity: -2,
        acl: Categories::NONE,
        reach: Reach::None,
        subcommands: XGROUP,
        ..ROW
    },
    Command {
        name: "xinfo",
        arity: -2,
        acl: Categories::NONE,
        reach: Reach::None,
        subcommands: XINFO,
        ..ROW
    },
    Command {
        name: "xlen",
        arity: 2,
        flags: READ.with(Flags::FAST),
        keys: &[KeySpec::at(1, keys::RO)],
        run: xlen,
        ..ROW
    },
    Command {
        name: "xnack",
        arity: -7,
        flags: WRITE_FAST,
        keys: UPDATING,
        since: "8.8.0",
        origin: Origin::Ochre,
        run: xnack,
        ..ROW
    },
    Command { name: "xpending", arity: -3, flags: READ, keys: READING, run: xpending, ..ROW },
    Command { name: "xrange", arity: -4, flags: READ, keys: READING, run: xrange, ..ROW },
    Command {
        name: "xread",
        arity: -4,
        flags: READ.with(Flags::BLOCKING).with(Flags::MOVABLE_KEYS),
        keys: &[streams_from(1)],
        run: xread,
        ..ROW
    },
    Command {
        name: "xreadgroup",
        arity: -7,
        flags: WRITE.with(Flags::BLOCKING).with(Flags::MOVABLE_KEYS),
        keys: &[streams_from(4)],
        reach: Reach::ByArguments(xreadgroup_reach),
        run: xreadgroup,
        ..ROW
    },
    Command { name: "xrevrange", arity: -4, flags: READ, keys: READING, run: xrevrange, ..ROW },
    Command {
        name: "xsetid",
        arity: -3,
        flags: GROW.with(Flags::FAST),
        keys: UPDATING,
        run: xsetid,
        ..ROW
    },
    Command { name: "xtrim", arity: -4, flags: WRITE, keys: DELETING, run: xtrim, ..ROW },
];

const INSERTING: &[KeySpec] = &[KeySpec::at(2, keys::RW_INSERT)];
const HELP: Command = Command {
    name: "help",
    arity: 2,
    flags: Flags::LOADING.with(Flags::STALE),
    reach: Reach::None,
    ..ROW
};

const XGROUP: &[Command] = &[
    Command { name: "create", arity: -5, flags: GROW, keys: INSERTING, run: group::create, ..ROW },
    Command {
        name: "createconsumer",
        arity: 5,
        flags: GROW,
        keys: INSERTING,
        since: "6.2.0",
        run: group::createconsumer,
        ..ROW
    },
    Command {
        name: "delconsumer",
        arity: 5,
        flags: WRITE,
        keys: &[KeySpec::at(2, keys::RW_DELETE)],
        run: group::delconsumer,
        ..ROW
    },
    Command {
        name: "destroy",
        arity: 4,
        flags: WRITE,
        keys: &[KeySpec::at(2, keys::RW_DELETE)],
        run: group::destroy,
        ..ROW
    },
    Command { run: group::help, ..HELP },
    Command {
        name: "setid",
        arity: -5,
        flags: WRITE,
        keys: &[KeySpec::at(2, keys::RW_UPDATE)],
        run: group::setid,
        ..ROW
    },
];

const XINFO: &[Command] = &[
    Command { name: "consumers", arity: 4, run: info::consumers, ..INFO },
    Command { name: "groups", arity: 3, run: info::groups, ..INFO },
    Command { run: info::help, ..HELP },
    Command { name: "stream", arity: -3, run: info::stream, ..INFO },
];

const INFO: Command = Command { flags: READ, keys: &[KeySpec::at(2, keys::RO_ACCESS)], ..ROW };

/// The first half of what comes after STREAMS.
const fn streams_from(from: i32) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword { word: "streams", from },
        find: Find::Range { last: -1, step: 1, limit: 2 },
        ..KeySpec::unknown(keys::RO_ACCESS)
    }
}
