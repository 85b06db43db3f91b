//! What DEBUG reaches beyond the keyspace: the allocator, the configuration's file, the name of the history.

use crate::acl;
use crate::args;
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;

/// `DEBUG CHANGE-REPL-ID` → OK: replicas that come back cannot go on where they were.
pub(super) fn change_replication_id(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.host.change_replication_id();
    ctx.reply.ok();
    Ok(())
}

/// `DEBUG CONFIG-REWRITE-FORCE-ALL` → OK: the file has a line for every setting.
pub(super) fn rewrite_config(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let users = acl::to_text(&ctx.engine.acl.users(), ctx.settings.dialect);
    let outcome = ctx.host.rewrite_config_wholly(&users);
    outcome.map_err(|reason| CommandError::DebugRewrite(reason.into()))?;
    ctx.reply.ok();
    Ok(())
}

/// `DEBUG MALLCTL name [value]` → a number of the allocator's, after it was set if there is a value.
pub(super) fn allocator_number(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let value = ctx.argv.get(3).map(args::integer).transpose()?;
    let name = String::from_utf8_lossy(ctx.argv.at(2));
    let number = ctx.host.allocator_number(&name, value);
    ctx.reply.integer(number.map_err(|reason| CommandError::Outside(reason.into()))?);
    Ok(())
}

/// `DEBUG MALLCTL-STR name` → a text of the allocator's.
pub(super) fn allocator_text(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let text = ctx.host.allocator_text(&String::from_utf8_lossy(ctx.argv.at(2)));
    ctx.reply.bulk(&text.map_err(|reason| CommandError::Outside(reason.into()))?);
    Ok(())
}
