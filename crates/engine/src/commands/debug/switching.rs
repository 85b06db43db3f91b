//! What DEBUG does to the server as a whole: switches, log lines, and its end.
//!
//! Some tune the inside of Redis. What they ask for does not exist here, so they are checked and accepted,
//! and change nothing: tests that set them first go on to what they are about.

use crate::args::{self, is_word};
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::switches::Switch;
use base::numbers;

/// Largest value of QUICKLIST-PACKED-THRESHOLD.
const THRESHOLD_MAX: u64 = 1 << 32;

/// `DEBUG ASSERT`: ends the server with a report.
pub(super) fn assert(_ctx: &mut Ctx<'_, '_>) -> Outcome {
    panic!("a client has called DEBUG ASSERT");
}

/// `DEBUG ERROR text` → an error with this text.
pub(super) fn error(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.error(ctx.argv.at(2));
    Ok(())
}

/// `DEBUG LEAK string` → OK: its memory is lost.
pub(super) fn leak(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.argv.at(2).to_vec().leak();
    ctx.reply.ok();
    Ok(())
}

/// `DEBUG LOG message` → OK: it is in the server's log.
pub(super) fn log(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let message = String::from_utf8_lossy(ctx.argv.at(2));
    ctx.host.log(3, &format!("DEBUG LOG: {message}"));
    ctx.reply.ok();
    Ok(())
}

/// `DEBUG OOM`: ends the server with a report.
pub(super) fn out_of_memory(_ctx: &mut Ctx<'_, '_>) -> Outcome {
    panic!("a client has called DEBUG OOM");
}

/// `DEBUG PAUSE-CRON 0 | 1` → OK: periodic jobs go on, or rest.
pub(super) fn pause_cron(ctx: &mut Ctx<'_, '_>) -> Outcome {
    switch(ctx, &ctx.engine.switches.pauses_jobs)
}

/// `DEBUG SET-DISABLE-DENY-SCRIPTS 0 | 1` → OK: scripts may call what only clients call otherwise, or not.
pub(super) fn set_disable_deny_scripts(ctx: &mut Ctx<'_, '_>) -> Outcome {
    switch(ctx, &ctx.engine.switches.scripts_call_all)
}

/// `DEBUG SET-SKIP-CHECKSUM-VALIDATION 0 | 1` → OK: RESTORE takes wrong checksums, or not.
pub(super) fn set_skip_checksum_validation(ctx: &mut Ctx<'_, '_>) -> Outcome {
    switch(ctx, &ctx.engine.switches.skips_checksums)
}

/// `DEBUG SEGFAULT`: ends the server as a stray pointer does.
pub(super) fn segfault(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.host.crash();
    Ok(())
}

/// `DEBUG AOF-FLUSH-SLEEP microseconds`, `DEBUG DICT-RESIZING 0 | 1`, `DEBUG REPLICATE word [word …]` → OK.
pub(super) fn accept(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.ok();
    Ok(())
}

/// `DEBUG QUICKLIST-PACKED-THRESHOLD size` → OK.
pub(super) fn quicklist_packed_threshold(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let size = numbers::parse_memory_size(ctx.argv.at(2)).filter(|size| *size < THRESHOLD_MAX);
    size.ok_or(CommandError::DebugThreshold)?;
    accept(ctx)
}

/// `DEBUG REPLYBUFFER PEAK-RESET-TIME NEVER | RESET | milliseconds`, `DEBUG REPLYBUFFER RESIZING 0 | 1` → OK.
pub(super) fn reply_buffer(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (subcommand, value) = (ctx.argv.at(2), ctx.argv.at(3));
    if is_word(subcommand, "peak-reset-time") {
        if !is_word(value, "never") && !is_word(value, "reset") {
            args::integer(value)?;
        }
        return accept(ctx);
    }
    if is_word(subcommand, "resizing") {
        return accept(ctx);
    }
    let name = args::shown(ctx.argv.at(1));
    Err(CommandError::UnknownSubcommandOrArity { container: "DEBUG", name })
}

/// Other than 0 switches it on, and so does not what is no number.
fn switch(ctx: &mut Ctx<'_, '_>, switch: &Switch) -> Outcome {
    switch.set(numbers::parse_i64(ctx.argv.at(2)).is_some_and(|number| number != 0));
    ctx.reply.ok();
    Ok(())
}
