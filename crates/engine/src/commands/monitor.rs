//! MONITOR: all calls of all clients, as they are made.

use crate::command::{Command, Flags, Group, Outcome};
use crate::context::{Ctx, Origin};
use crate::error::CommandError;

pub(crate) const COMMANDS: &[Command] = &[Command {
    name: "monitor",
    arity: 1,
    flags: Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE),
    group: Group::Server,
    run: monitor,
    ..Command::NEW
}];

/// `MONITOR` → OK, and from then on a line for each call of any client; no reply to another MONITOR.
fn monitor(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.origin != Origin::Client {
        return Err(CommandError::MonitorInTransaction);
    }
    if !ctx.session.is_monitor {
        ctx.engine.monitors.add(ctx.session, ctx.host);
        ctx.reply.ok();
    }
    Ok(())
}
