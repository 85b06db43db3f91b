//! Snapshots on demand: SAVE, BGSAVE, LASTSAVE.

use super::host;
use crate::log;
use crate::persistence::save;
use crate::persistence::saver::Order;
use engine::args::Args;
use engine::command::{Categories, Flags, Group, Outcome};
use engine::context::Origin;
use engine::cut::Purpose;
use engine::{Command, CommandError, Ctx, Reach};
use std::sync::atomic::Ordering::Relaxed;

const ROW: Command = Command { group: Group::Server, ..Command::NEW };

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "bgsave",
        arity: -1,
        flags: Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::NO_ASYNC_LOADING),
        reach: Reach::All,
        run: bgsave,
        ..ROW
    },
    Command {
        name: "lastsave",
        arity: 1,
        flags: Flags::LOADING.with(Flags::STALE).with(Flags::FAST),
        acl: Categories::ADMIN.with(Categories::DANGEROUS),
        run: lastsave,
        ..ROW
    },
    Command {
        name: "save",
        arity: 1,
        flags: Flags::ADMIN
            .with(Flags::NOSCRIPT)
            .with(Flags::NO_ASYNC_LOADING)
            .with(Flags::NO_MULTI),
        reach: Reach::All,
        run: save,
        ..ROW
    },
];

/// `LASTSAVE` → when the last snapshot was written, in Unix seconds. O(1).
fn lastsave(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let saved_ms = host(ctx)?.snapshots.saved_ms.load(Relaxed);
    ctx.reply.integer((saved_ms / 1000) as i64);
    Ok(())
}

/// `SAVE` → OK: a snapshot of all data is on disk. Everything waits meanwhile. O(data).
fn save(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let host = host(ctx)?;
    if host.snapshots.running().is_some() {
        return Err(CommandError::SaveInProgress);
    }
    match save::save_alone(ctx.engine, ctx.data, host) {
        Ok(()) => {
            log::notice(format_args!("DB saved on disk"));
            ctx.reply.ok();
            Ok(())
        }
        Err(reason) => {
            log::warning(format_args!("Write error saving DB on disk: {reason}"));
            Err(CommandError::SaveFailed)
        }
    }
}

/// `BGSAVE [SCHEDULE | CANCEL]` → what becomes of it: a snapshot of all data as it is now is written while
/// everything goes on. O(shards), and O(data) in the background.
fn bgsave(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut args = Args::new(ctx.argv, 1);
    let is_patient = args.take("schedule");
    let cancels = !is_patient
        && ctx.settings.dialect.differences().bgsave_can_be_cancelled
        && args.take("cancel");
    args.end()?;
    if cancels {
        return cancel(ctx);
    }
    let host = host(ctx)?;
    if host.snapshots.running().is_some() {
        return Err(CommandError::SaveInProgress);
    }
    let is_within = ctx.origin != Origin::Client;
    // A cut that was walked to its end may still be on its way to the disk.
    if is_within || host.is_saving() || ctx.engine.cuts.present().is_some() {
        if !is_within && !is_patient {
            return Err(CommandError::CutInProgress);
        }
        host.snapshots.is_scheduled.store(true, Relaxed);
        ctx.reply.simple("Background saving scheduled");
        return Ok(());
    }
    let begun = ctx.engine.begin_cut(ctx.data, Purpose::Snapshot);
    let cut = begun.map_err(|_| CommandError::CutInProgress)?;
    host.snapshots.begun(&cut);
    host.saver.order(Order::Snapshot(cut));
    ctx.reply.simple("Background saving started");
    Ok(())
}

fn cancel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let snapshots = &host(ctx)?.snapshots;
    if let Some(cut) = snapshots.running() {
        log::notice(format_args!("Background saving will be aborted due to user request"));
        ctx.engine.cuts.cancel(&cut);
        ctx.reply.simple("Background saving cancelled");
    } else if snapshots.is_scheduled.swap(false, Relaxed) {
        log::notice(format_args!(
            "Scheduled background saving will be cancelled due to user request"
        ));
        ctx.reply.simple("Scheduled background saving cancelled");
    } else {
        return Err(CommandError::NoSaveInProgress);
    }
    Ok(())
}
