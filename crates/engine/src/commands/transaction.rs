//! Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//!
//! EXEC holds the shards of all keys of its queue and of all watched keys before it looks whether a
//! watched key has changed, so what follows is serializable: nothing happens between the check and
//! the calls. Time stands still for all of them.

use crate::acl::Context;
use crate::command::{Categories, Command, Flags, Group, Outcome, Reach};
use crate::context::{Ctx, Origin};
use crate::error::{AclError, CommandError};
use crate::keys::{self, KeySpec};
use crate::session::Transaction;
use crate::watch::WatchedKey;
use std::sync::Arc;

const ANYTIME: Flags = Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE);
const FAST: Flags = ANYTIME.with(Flags::FAST).with(Flags::ALLOW_BUSY);
const ROW: Command = Command {
    flags: FAST,
    group: Group::Transactions,
    acl: Categories::TRANSACTION,
    ..Command::NEW
};

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "discard",
        arity: 1,
        flags: FAST.with(Flags::UNQUEUED),
        since: "2.0.0",
        run: discard,
        ..ROW
    },
    Command {
        name: "exec",
        arity: 1,
        flags: ANYTIME.with(Flags::SKIP_SLOWLOG).with(Flags::UNQUEUED),
        reach: Reach::Transaction,
        since: "1.2.0",
        run: exec,
        ..ROW
    },
    Command {
        name: "multi",
        arity: 1,
        flags: FAST.with(Flags::NO_MULTI).with(Flags::UNQUEUED),
        since: "1.2.0",
        run: multi,
        ..ROW
    },
    Command { name: "unwatch", arity: 1, since: "2.2.0", run: unwatch, ..ROW },
    Command {
        name: "watch",
        arity: -2,
        flags: FAST.with(Flags::NO_MULTI).with(Flags::UNQUEUED),
        keys: &[KeySpec::range(1, -1, 1, keys::RO)],
        reach: Reach::Keys,
        since: "2.2.0",
        run: watch,
        ..ROW
    },
];

/// `DISCARD` → OK: the queue and all watches are given up. O(watched keys).
fn discard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.session.transaction.take().is_none() {
        return Err(CommandError::DiscardWithoutMulti);
    }
    ctx.session.unwatch();
    ctx.reply.ok();
    Ok(())
}

/// `EXEC` → the replies of the queued calls, or null if a watched key has changed.
fn exec(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let Some(transaction) = ctx.session.transaction.take() else {
        return Err(CommandError::ExecWithoutMulti);
    };
    let is_lost = is_watch_lost(ctx);
    ctx.session.unwatch();
    if transaction.is_doomed {
        return Err(CommandError::ExecAborted);
    }
    if is_lost {
        ctx.reply.null_array();
        return Ok(());
    }
    ctx.reply.array(transaction.calls.len());
    for call in &transaction.calls {
        // The user may have changed since it was queued, by one of these calls too.
        if let Err(denial) = ctx.check_rights(call.entry, call.argv(), Context::Transaction) {
            let error = CommandError::from(AclError::NoPermissionInTransaction(denial));
            ctx.reply.error(&error.line());
            ctx.engine.errors.count(&error.code());
            continue;
        }
        // Its error is its reply; the others run all the same.
        let _ = ctx.call(call.argv(), call.entry, &[], Origin::Transaction, None);
    }
    Ok(())
}

/// `MULTI` → OK: from here on calls are queued. O(1).
fn multi(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.session.transaction.is_some() {
        return Err(CommandError::MultiInsideMulti);
    }
    ctx.session.transaction = Some(Transaction::default());
    ctx.reply.ok();
    Ok(())
}

/// `UNWATCH` → OK: all watches are given up. O(watched keys).
fn unwatch(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.session.unwatch();
    ctx.reply.ok();
    Ok(())
}

/// `WATCH key [key …]` → OK: the next EXEC runs only if none of them changes until then. O(keys).
fn watch(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.session.transaction.is_some() {
        return Err(CommandError::WatchInsideMulti);
    }
    let db = ctx.data.db;
    for index in 1..ctx.argv.len() {
        let key = ctx.key(index);
        if ctx.session.watched.iter().any(|w| w.db == db && *w.key == *key.bytes) {
            continue;
        }
        // A key past its deadline goes now: its removal later would count as a change.
        ctx.data.exists(key);
        ctx.data.shard(key.hash).watched.add(db, key.bytes, &ctx.session.watch_flag);
        let watched = WatchedKey { db, key: key.bytes.into(), hash: key.hash };
        ctx.session.watched.push(watched);
    }
    ctx.reply.ok();
    Ok(())
}

/// Whether a watched key has changed; one whose deadline has passed since counts as changed.
fn is_watch_lost(ctx: &mut Ctx<'_, '_>) -> bool {
    let db = ctx.data.db;
    for watched in &ctx.session.watched {
        ctx.data.db = watched.db;
        // Removes it if its deadline has passed, and so raises the flag.
        ctx.data.exists(store::Key { bytes: &watched.key, hash: watched.hash });
    }
    ctx.data.db = db;
    let flag = Arc::clone(&ctx.session.watch_flag);
    flag.is_raised()
}
