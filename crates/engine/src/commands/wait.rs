//! Waiting for others to have what was written: WAIT for replicas, WAITAOF for disks.

use crate::args;
use crate::blocking::{AtTimeout, Wait};
use crate::command::{Categories, Command, Flags, Group, Outcome};
use crate::commands::common::timeout;
use crate::context::Ctx;
use crate::error::CommandError;

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
    // No journal is written.
    if local != 0 {
        return Err(CommandError::WaitWithoutJournal);
    }
    if wanted == 0 || !ctx.wait(Wait::until(timeout, AtTimeout::Integers([0, 0]))) {
        ctx.reply.array(2);
        ctx.reply.integer(0);
        ctx.reply.integer(0);
    }
    Ok(())
}
