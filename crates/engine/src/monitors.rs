//! Who watches all calls (MONITOR), and how a call is shown to them.
//!
//! A line is left in the mailboxes of all monitors by the thread that makes the call, under its
//! locks: so lines of calls that touch the same key are in the order of the calls. As long as nobody
//! watches, a call costs one load more.

use crate::call_log::REDACTED;
use crate::command::Flags;
use crate::context::{Ctx, Origin};
use crate::host::Host;
use crate::pushes::{Mailbox, Push};
use crate::session::Session;
use parking_lot::RwLock;
use resp::Reply;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The monitors of a server, on cache lines of their own: every call looks at the count.
#[derive(Default)]
#[repr(align(128))]
pub struct Monitors {
    /// By the ids of their sessions.
    mailboxes: RwLock<HashMap<u64, Arc<Mailbox>>>,
    /// How many there are, to be read without the lock.
    count: AtomicUsize,
}

/// When a call is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A script, so that its calls follow it.
    Begin,
    /// Any other.
    End,
}

impl Monitors {
    /// A session watches from now on.
    pub fn add(&self, session: &mut Session, host: &dyn Host) {
        let mailbox = Arc::clone(session.mailbox(host));
        session.is_monitor = true;
        let mut mailboxes = self.mailboxes.write();
        mailboxes.insert(session.id, mailbox);
        self.count.store(mailboxes.len(), Ordering::Release);
    }

    /// A session watches no longer.
    pub fn remove(&self, session: &mut Session) {
        if !session.is_monitor {
            return;
        }
        session.is_monitor = false;
        let mut mailboxes = self.mailboxes.write();
        mailboxes.remove(&session.id);
        self.count.store(mailboxes.len(), Ordering::Release);
    }

    /// Whether anybody watches.
    #[inline]
    pub fn is_watched(&self) -> bool {
        // Pairs with the releases above; who has had the reply of its MONITOR sees every later call.
        self.count.load(Ordering::Acquire) != 0
    }
}

/// Shows a call to all monitors, if this is the moment for it and it is none of those that are
/// nobody's business.
#[cold]
pub(crate) fn show(ctx: &mut Ctx<'_, '_>, moment: Moment) {
    let flags = ctx.entry.row.flags;
    let is_script = flags.has(Flags::SKIP_MONITOR);
    let own_moment = if is_script { Moment::Begin } else { Moment::End };
    // A call that has waited was shown when it began to.
    if flags.has(Flags::ADMIN) || own_moment != moment || ctx.waiter.is_some() {
        return;
    }
    let mut line = Reply::new();
    line.simple(&shown(ctx));
    let push = Push::whole(&line);
    let bytes_max = ctx.settings.monitor_bytes_max;
    for mailbox in ctx.engine.monitors.mailboxes.read().values() {
        ctx.data.notices.postings.post_within(mailbox, &push, bytes_max);
    }
}

/// `1700000000.123456 [0 127.0.0.1:50000] "SET" "key" "value"`
fn shown(ctx: &Ctx<'_, '_>) -> String {
    let now_us = ctx.engine.clock().wall_us();
    let mut line = format!(
        "{}.{:06} [{} {}]",
        now_us / 1_000_000,
        now_us % 1_000_000,
        ctx.session.db,
        caller(ctx)
    );
    for (index, argument) in ctx.argv.iter().enumerate() {
        let is_secret = ctx.entry.row.secrets.hides(ctx.argv, index);
        line.push(' ');
        quote(&mut line, if is_secret { REDACTED } else { argument });
    }
    line
}

fn caller(ctx: &Ctx<'_, '_>) -> String {
    if ctx.origin == Origin::Script {
        return "lua".to_owned();
    }
    let client = ctx.host.client_shown(ctx.session);
    match client.socket {
        Some(path) => format!("unix:{path}"),
        None => client.address,
    }
}

/// Appends bytes in quotes, so that what is not printable stays readable.
fn quote(line: &mut String, bytes: &[u8]) {
    line.push('"');
    for byte in bytes {
        match byte {
            b'\\' => line.push_str("\\\\"),
            b'"' => line.push_str("\\\""),
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            7 => line.push_str("\\a"),
            8 => line.push_str("\\b"),
            b' '..=b'~' => line.push(char::from(*byte)),
            _ => {
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_quoted() {
        let mut line = String::new();
        quote(&mut line, b"a \"b\" \\ \n\r\t\x07\x08\x00\x7f\xff~");
        assert_eq!(line, r#""a \"b\" \\ \n\r\t\a\b\x00\x7f\xff~""#);
    }
}
