//! Keys, whatever they hold: DEL, EXPIRE, RENAME, SCAN, OBJECT and their relatives.

mod dump;
mod expire;
mod object;
mod rename;
mod scan;
mod sort;

use crate::command::{Categories, Command, Databases, Flags, Group, Outcome, Reach};
use crate::commands::common::kind;
use crate::context::Ctx;
use crate::events;
use crate::keys::{self, KeySpec};
use dump::{dump, restore};
use expire::{expire, expireat, expiretime, persist, pexpire, pexpireat, pexpiretime, pttl, ttl};
use object::{encoding, freq, help, idletime, refcount};
use rename::{copy, move_, rename, renamenx};
use scan::{keys as keys_, randomkey, scan};
use smallvec::SmallVec;
use sort::{sort, sort_ro};

const ROW: Command = Command {
    reach: Reach::Keys,
    group: Group::Generic,
    acl: Categories::KEYSPACE,
    ..Command::NEW
};
const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.with(Flags::FAST);
const WALK: Flags = Flags::READONLY.with(Flags::TOUCHES_ARBITRARY_KEYS);
const WRITE_FAST: Flags = Flags::WRITE.with(Flags::FAST);

const DEADLINE_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RW_UPDATE)];
const DELETED_KEYS: &[KeySpec] = &[KeySpec::range(1, -1, 1, keys::RM_DELETE)];
const LOOKED_AT_KEYS: &[KeySpec] = &[KeySpec::range(1, -1, 1, keys::RO)];
const READ_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RO_ACCESS)];

const SETS_DEADLINE: Command = Command { arity: -3, flags: WRITE_FAST, keys: DEADLINE_KEY, ..ROW };
const READS_DEADLINE: Command = Command { arity: 2, flags: READ_FAST, keys: READ_KEY, ..ROW };
const RESTORES: Command = Command {
    arity: -4,
    flags: Flags::WRITE.with(Flags::DENYOOM),
    keys: &[KeySpec::at(1, keys::OW_UPDATE)],
    acl: Categories::KEYSPACE.with(Categories::DANGEROUS),
    run: restore,
    ..ROW
};
const SORTS: Command = Command {
    arity: -2,
    reach: Reach::ByArguments(sort::reach),
    acl: Categories::SET
        .with(Categories::SORTED_SET)
        .with(Categories::LIST)
        .with(Categories::DANGEROUS),
    ..ROW
};

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "copy",
        arity: -3,
        flags: Flags::WRITE.with(Flags::DENYOOM),
        keys: &[KeySpec::at(1, keys::RO_ACCESS), KeySpec::at(2, keys::OW_UPDATE)],
        databases: Databases::OwnAnd(rename::copy_database),
        since: "6.2.0",
        run: copy,
        ..ROW
    },
    Command { name: "del", arity: -2, flags: Flags::WRITE, keys: DELETED_KEYS, run: del, ..ROW },
    Command {
        name: "dump",
        arity: 2,
        flags: READ,
        keys: READ_KEY,
        since: "2.6.0",
        run: dump,
        ..ROW
    },
    Command {
        name: "exists",
        arity: -2,
        flags: READ_FAST,
        keys: LOOKED_AT_KEYS,
        run: exists,
        ..ROW
    },
    Command { name: "expire", run: expire, ..SETS_DEADLINE },
    Command { name: "expireat", since: "1.2.0", run: expireat, ..SETS_DEADLINE },
    Command { name: "expiretime", since: "7.0.0", run: expiretime, ..READS_DEADLINE },
    Command {
        name: "keys",
        arity: 2,
        flags: READ,
        reach: Reach::Slices,
        acl: Categories::KEYSPACE.with(Categories::DANGEROUS),
        run: keys_,
        ..ROW
    },
    Command {
        name: "move",
        arity: 3,
        flags: WRITE_FAST,
        databases: Databases::OwnAnd(|_| SmallVec::from_slice(&[2])),
        keys: &[KeySpec::at(1, keys::RW_ACCESS_UPDATE)],
        run: move_,
        ..ROW
    },
    Command {
        name: "object",
        arity: -2,
        acl: Categories::NONE,
        since: "2.2.3",
        subcommands: OBJECT,
        ..ROW
    },
    Command { name: "persist", arity: 2, since: "2.2.0", run: persist, ..SETS_DEADLINE },
    Command { name: "pexpire", since: "2.6.0", run: pexpire, ..SETS_DEADLINE },
    Command { name: "pexpireat", since: "2.6.0", run: pexpireat, ..SETS_DEADLINE },
    Command { name: "pexpiretime", since: "7.0.0", run: pexpiretime, ..READS_DEADLINE },
    Command { name: "pttl", since: "2.6.0", run: pttl, ..READS_DEADLINE },
    Command {
        name: "randomkey",
        arity: 1,
        flags: WALK,
        reach: Reach::Slices,
        run: randomkey,
        ..ROW
    },
    Command {
        name: "rename",
        arity: 3,
        flags: Flags::WRITE,
        keys: &[KeySpec::at(1, keys::RW_ACCESS_DELETE), KeySpec::at(2, keys::OW_UPDATE)],
        run: rename,
        ..ROW
    },
    Command {
        name: "renamenx",
        arity: 3,
        flags: WRITE_FAST,
        keys: &[KeySpec::at(1, keys::RW_ACCESS_DELETE), KeySpec::at(2, keys::OW_INSERT)],
        run: renamenx,
        ..ROW
    },
    Command { name: "restore", since: "2.6.0", ..RESTORES },
    Command {
        name: "restore-asking",
        flags: RESTORES.flags.with(Flags::ASKING),
        group: Group::Server,
        since: "3.0.0",
        ..RESTORES
    },
    Command {
        name: "scan",
        arity: -2,
        flags: WALK,
        reach: Reach::Slices,
        since: "2.8.0",
        run: scan,
        ..ROW
    },
    Command {
        name: "sort",
        flags: Flags::WRITE.with(Flags::DENYOOM),
        keys: &[
            KeySpec::at(1, keys::RO_ACCESS),
            KeySpec::unknown(keys::RO_ACCESS),
            KeySpec::unknown(keys::OW_UPDATE).located(sort::target),
        ],
        run: sort,
        ..SORTS
    },
    Command {
        name: "sort_ro",
        flags: READ,
        keys: &[KeySpec::at(1, keys::RO_ACCESS), KeySpec::unknown(keys::RO_ACCESS)],
        since: "7.0.0",
        run: sort_ro,
        ..SORTS
    },
    Command {
        name: "touch",
        arity: -2,
        flags: READ_FAST,
        keys: LOOKED_AT_KEYS,
        since: "3.2.1",
        run: touch,
        ..ROW
    },
    Command { name: "ttl", run: ttl, ..READS_DEADLINE },
    Command {
        name: "type",
        arity: 2,
        flags: READ_FAST,
        keys: &[KeySpec::at(1, keys::RO)],
        run: type_,
        ..ROW
    },
    Command {
        name: "unlink",
        arity: -2,
        flags: WRITE_FAST,
        keys: DELETED_KEYS,
        since: "4.0.0",
        run: unlink,
        ..ROW
    },
];

const LOOK: Command =
    Command { arity: 3, flags: READ, keys: &[KeySpec::at(2, keys::RO)], since: "2.2.3", ..ROW };

const OBJECT: &[Command] = &[
    Command { name: "encoding", run: encoding, ..LOOK },
    Command { name: "freq", since: "4.0.0", run: freq, ..LOOK },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::LOADING.with(Flags::STALE),
        reach: Reach::None,
        since: "6.2.0",
        run: help,
        ..ROW
    },
    Command { name: "idletime", run: idletime, ..LOOK },
    Command { name: "refcount", run: refcount, ..LOOK },
];

/// `DEL key [key …]` → how many were there. O(keys); big values are freed elsewhere.
fn del(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut count = 0;
    for index in 1..ctx.argv.len() {
        let key = ctx.key(index);
        if ctx.data.remove(key) {
            ctx.data.changed(key, events::DEL);
            count += 1;
        }
    }
    ctx.reply.integer(count);
    Ok(())
}

/// `EXISTS key [key …]` → how many are there, each as often as it is named. O(keys).
fn exists(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let found = (1..ctx.argv.len()).filter(|index| ctx.data.look(ctx.key(*index)).is_some());
    let count = found.count();
    ctx.reply.integer(count as i64);
    Ok(())
}

/// `TOUCH key [key …]` → how many are there; each counts as used now. O(keys).
fn touch(ctx: &mut Ctx<'_, '_>) -> Outcome {
    // Even for a client whose other calls leave access clocks alone.
    let is_no_touch = std::mem::take(&mut ctx.data.is_no_touch);
    let found = (1..ctx.argv.len()).filter(|index| ctx.data.read(ctx.key(*index)).is_some());
    let count = found.count();
    ctx.data.is_no_touch = is_no_touch;
    ctx.reply.integer(count as i64);
    Ok(())
}

/// `TYPE key` → the kind of its value; none if missing. O(1).
fn type_(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let name = ctx.data.look(key).map_or("none", |entry| kind::name(entry.kind()));
    ctx.reply.simple(name);
    Ok(())
}

/// `UNLINK key [key …]` → how many were there. O(keys): DEL does no more here either.
fn unlink(ctx: &mut Ctx<'_, '_>) -> Outcome {
    del(ctx)
}
