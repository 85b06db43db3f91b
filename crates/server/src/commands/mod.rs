//! The command families that need the server around the engine: CLIENT, CONFIG, INFO and the like.
//!
//! They are rows as any others; the outside world comes in through [`engine::Host`], behind which
//! stands the [`ServerHost`].

pub mod client;
pub mod config;
pub mod info;
pub mod memory;
pub mod migrate;
pub mod save;
pub mod server;

use crate::clients::record::ClientRecord;
use crate::host::ServerHost;
use engine::{Command, CommandError, Ctx};
use resp::Reply;
use std::sync::Arc;

/// The server's own families.
pub const FAMILIES: &[&[Command]] = &[
    client::COMMANDS,
    config::COMMANDS,
    info::COMMANDS,
    memory::COMMANDS,
    migrate::COMMANDS,
    save::COMMANDS,
    server::COMMANDS,
];

/// The server behind the host.
pub(crate) fn host<'e>(ctx: &Ctx<'_, 'e>) -> Result<&'e ServerHost, CommandError> {
    ctx.host.as_any().downcast_ref().ok_or(CommandError::InternalInconsistency("no server host"))
}

/// The registry record of the calling client.
pub(crate) fn own_record(ctx: &Ctx<'_, '_>) -> Result<Arc<ClientRecord>, CommandError> {
    let record = Arc::clone(&ctx.session.record).downcast();
    record.map_err(|_| CommandError::InternalInconsistency("a session without a record"))
}

/// Replies with the lines of a HELP subcommand.
pub(crate) fn reply_help(reply: &mut Reply, lines: &[&str]) {
    reply.array(lines.len());
    lines.iter().for_each(|line| reply.simple(line));
}
