//! DEBUG RELOAD and DEBUG LOADAOF: data that goes to disk and comes back.
//!
//! The host does it on a thread of its own. The client waits as in any blocking call, which is made again until
//! there is an outcome; what others ask for meanwhile is refused because data is being loaded.

use crate::args::Args;
use crate::blocking::{AtTimeout, Wait};
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::reload::{Reload, SnapshotReload};
use std::time::Duration;

/// How soon the call looks whether all is loaded.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// `DEBUG RELOAD [NOSAVE] [NOFLUSH] [MERGE]` → OK: all data was saved to a snapshot, and loaded from it. O(data).
pub(super) fn reload(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut how = SnapshotReload { saves: true, keeps: false, merges: false };
    let mut args = Args::new(ctx.argv, 2);
    while !args.is_empty() {
        if args.take("merge") {
            how.merges = true;
        } else if args.take("noflush") {
            how.keeps = true;
        } else if args.take("nosave") {
            how.saves = false;
        } else {
            return Err(CommandError::ReloadOption);
        }
    }
    carry_out(ctx, Reload::Snapshot(how))
}

/// `DEBUG LOADAOF` → OK: all data was loaded from the append-only file, behind its last change. O(data).
pub(super) fn loadaof(ctx: &mut Ctx<'_, '_>) -> Outcome {
    carry_out(ctx, Reload::Journal)
}

fn carry_out(ctx: &mut Ctx<'_, '_>, what: Reload) -> Outcome {
    let is_first = !ctx.is_made_again();
    let outcome = if is_first { None } else { ctx.host.reloaded(ctx.session.id) };
    if let Some(outcome) = outcome {
        outcome?;
        ctx.reply.ok();
        return Ok(());
    }
    let wait = Wait { retry: Some(LOOK_AGAIN), ..Wait::until(None, AtTimeout::NullArray) };
    if !ctx.wait(wait) {
        // The load needs the gate that a transaction has closed, or may close.
        return Err(CommandError::NotInTransaction);
    }
    if is_first {
        ctx.host.reload(ctx.session.id, what);
    }
    Ok(())
}
