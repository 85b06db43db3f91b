//! Waiting for others to have what was written: WAIT for replicas, WAITAOF for disks.

use crate::args;
use crate::blocking::{AtTimeout, Wait};
use crate::command::{Categories, Command, Flags, Group, Outcome};
use crate::commands::common::timeout;
use crate::context::Ctx;
use crate::error::CommandError;
use std::time::Duration;

/// How often it is looked whether the disk has what a client waits for.
const LOOK_PERIOD: Duration = Duration::from_millis(5);

const ROW: Command = Command {
    flags: Flags::BLOCKING,
    group: Group::Generic,
    acl: Categories::CONNECTION,
    ..Command::NEW
};

pub(crate) const COMMANDS: &[Command] = &[
    Command { name: "wait", arity: 3, since: "3.0.0", run: wait, ..ROW },
    Command { name: "waitaof", arity: 4, since: "7.2.0", run: waitaof, ..ROW },
];

/// `WAIT numreplicas timeout` → how many replicas have this client's writes. O(1).
fn wait(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let wanted = args::integer(ctx.argv.at(1))?;
    let timeout = timeout::milliseconds(ctx.argv.at(2), ctx.data.now_ms)?;
    // There are no replicas.
    if wanted <= 0 || !ctx.wait(Wait::until(timeout, AtTimeout::Integer(0))) {
        ctx.reply.integer(0);
    }
    Ok(())
}

/// `WAITAOF numlocal numreplicas timeout` → how many disks have this client's writes, here and at replicas. O(1).
fn waitaof(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let local = args::integer(ctx.argv.at(1))?;
    if !(0..=1).contains(&local) {
        return Err(CommandError::OutOfRangeBinary);
    }
    let wanted = args::integer(ctx.argv.at(2)).ok().filter(|count| 0 <= *count);
    let wanted = wanted.ok_or(CommandError::OutOfRangePositive)?;
    let timeout = timeout::milliseconds(ctx.argv.at(3), ctx.data.now_ms)?;
    let journal = &ctx.engine.journal;
    if local != 0 && !journal.is_on() {
        return Err(CommandError::WaitWithoutJournal);
    }
    let here = i64::from(journal.is_on() && ctx.session.written_offset <= journal.safe());
    // There are no replicas.
    let is_done = local <= here && wanted == 0;
    let at_timeout = AtTimeout::Integers([here, 0]);
    let wait = Wait { retry: Some(LOOK_PERIOD), ..Wait::until(timeout, at_timeout) };
    if is_done || !ctx.wait(wait) {
        ctx.reply.array(2);
        ctx.reply.integer(here);
        ctx.reply.integer(0);
    }
    Ok(())
}
