//! What a running script asks of the server: `redis.call` and the other functions of `redis`.

use super::convert;
use super::running::{Kind, Running};
use crate::acl::{Called, Context};
use crate::admit;
use crate::command::{Flags, Reach};
use crate::context::{Ctx, HashedKey, Origin};
use crate::dialect::Dialect;
use crate::error::{AclError, CommandError};
use crate::keys;
use crate::table::{Entry, Lookup};
use luastack::{Answer, Host, Stack, Value};
use resp::{ArgvBuffer, Protocol, Reply};

const STRAYED_WARNING: &str = "A script that was taken for one that touches only its declared keys \
    has touched another one after it had written, and was ended. It runs alone from now on.";

/// What one run of a script knows.
pub(super) struct Run<'r, 'c, 'e> {
    pub(super) ctx: &'r mut Ctx<'c, 'e>,
    pub(super) buffers: &'r mut Buffers,
    pub(super) running: &'r Running,
    pub(super) kind: Kind,
    pub(super) protocol: Protocol,
    pub(super) is_read_only: bool,
    pub(super) allows_oom: bool,
    /// It runs behind the gate, and may touch any key.
    pub(super) is_alone: bool,
    pub(super) stray: Stray,
}

/// Whether a script that should touch only the keys that it was given has touched another. The
/// recognizer is there to make sure that none does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stray {
    No,
    /// Nothing has come of it so far: it is run once more, alone.
    BeforeEffects,
    /// It has written, published or logged: it ends with an error.
    AfterEffects,
}

/// Memory that calls use one after the other.
#[derive(Default)]
pub(super) struct Buffers {
    arguments: ArgvBuffer,
    argument: Vec<u8>,
    keys: Vec<HashedKey>,
    reply: Reply,
    flat: Vec<u8>,
    /// Something has come of the script's calls that running it again would repeat.
    has_effects: bool,
}

impl Buffers {
    /// Before a script runs.
    pub(super) fn reset(&mut self) {
        self.has_effects = false;
    }
}

/// A function of a script's host. An error is raised in the script.
type Function = fn(&mut Run<'_, '_, '_>, &mut Stack<'_>) -> Result<Answer, CommandError>;

/// The functions that scripts find in `redis`; a script's side knows them by their index here.
pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("acl_check_cmd", |run, stack| run.check_command(stack)),
    ("call", |run, stack| run.call(stack)),
    ("error_reply", |run, stack| run.error_reply(stack)),
    ("log", |run, stack| run.log(stack)),
    ("pcall", |run, stack| run.pcall(stack)),
    ("set_repl", |run, stack| run.set_replication(stack)),
    ("setresp", |run, stack| run.set_protocol(stack)),
    ("sha1hex", |run, stack| run.sha1(stack)),
    ("status_reply", |run, stack| run.status_reply(stack)),
    ("clock", |run, stack| run.clock(stack)),
];

impl Host for Run<'_, '_, '_> {
    fn call(&mut self, function: usize, stack: &mut Stack<'_>) -> Answer {
        let result = (FUNCTIONS[function].1)(self, stack);
        answer(result, stack)
    }
}

impl Run<'_, '_, '_> {
    /// `redis.call`.
    fn call(&mut self, stack: &mut Stack<'_>) -> Result<Answer, CommandError> {
        Ok(if self.make_call(stack) { Answer::Error } else { Answer::Value })
    }

    /// `redis.pcall`: an error is a value.
    fn pcall(&mut self, stack: &mut Stack<'_>) -> Result<Answer, CommandError> {
        self.make_call(stack);
        Ok(Answer::Value)
    }

    /// Makes the call whose arguments are on the stack and leaves the reply there; whether it is an
    /// error.
    fn make_call(&mut self, stack: &mut Stack<'_>) -> bool {
        let result = self.collect(stack).and_then(|()| self.admit());
        stack.clear();
        let entry = match result {
            Ok(entry) => entry,
            Err(error) => {
                push_error(stack, &self.worded(error));
                return true;
            }
        };
        if !self.is_within_reach(entry) {
            return self.end_strayed(stack);
        }
        let Buffers { arguments, keys, reply, flat, has_effects, .. } = &mut *self.buffers;
        *has_effects |= leaves_effects(entry);
        reply.clear();
        reply.set_protocol(self.protocol);
        // An error is in the reply already, as the client would see it.
        let _ = self.ctx.call(arguments.argv(), entry, keys, Origin::Script, Some(reply));
        let mut segments = reply.segments();
        let first = segments.next().unwrap_or_default();
        if segments.next().is_none() {
            return convert::push_reply(stack, first);
        }
        flat.clear();
        reply.append_to(flat);
        convert::push_reply(stack, flat)
    }

    fn collect(&mut self, stack: &Stack<'_>) -> Result<(), CommandError> {
        let Buffers { arguments, argument, .. } = &mut *self.buffers;
        arguments.clear();
        let count = stack.len();
        if count == 0 {
            return Err(CommandError::ScriptNoArguments);
        }
        for index in 0..count {
            match stack.value(index) {
                Value::Text(text) => arguments.push(text),
                value => {
                    argument.clear();
                    if !convert::argument(value, argument) {
                        return Err(CommandError::ScriptArgumentType);
                    }
                    arguments.push(argument);
                }
            }
        }
        Ok(())
    }

    fn admit(&mut self) -> Result<&'static Entry, CommandError> {
        let argv = self.buffers.arguments.argv();
        let entry = match self.ctx.engine.table.lookup(argv) {
            Lookup::Found(entry) => entry,
            Lookup::UnknownCommand => return Err(CommandError::ScriptUnknownCommand),
            lookup => admit::resolve(lookup, argv)?,
        };
        if !entry.row.accepts(argv.len()) {
            return Err(CommandError::ScriptWrongArity);
        }
        let flags = entry.row.flags;
        if flags.has(Flags::NOSCRIPT) && !self.ctx.engine.switches.scripts_call_all.is_on() {
            return Err(CommandError::NotInScript);
        }
        let changes = flags.has(Flags::WRITE) || flags.has(Flags::MAY_REPLICATE);
        if self.is_read_only && changes {
            return Err(CommandError::ScriptReadOnly);
        }
        let checked = self.ctx.check_rights(entry, argv, Context::Script);
        checked.map_err(AclError::NoPermissionInScript)?;
        let may_grow = self.allows_oom || !flags.has(Flags::DENYOOM);
        if !may_grow && self.ctx.data.changes == 0 && self.ctx.data.is_memory_short {
            return Err(CommandError::OutOfMemory);
        }
        if self.ctx.data.changes == 0 {
            admit::disk(self.ctx.engine, self.ctx.settings, self.ctx.session, entry)?;
        }
        if flags.has(Flags::WRITE) && !self.running.may_write() {
            return Err(self.kind.killed());
        }
        Ok(entry)
    }

    /// Whether the locks that are held suffice for the call; finds its keys on the way.
    fn is_within_reach(&mut self, entry: &Entry) -> bool {
        let Buffers { arguments, keys, .. } = &mut *self.buffers;
        let argv = arguments.argv();
        keys.clear();
        let keyspace = self.ctx.data.keyspace();
        match entry.only_key {
            Some(argument) if argument < argv.len() => {
                keys.push(HashedKey { argument, hash: keyspace.hash(argv.at(argument)) });
            }
            _ => {
                keys::each_key(entry.row, argv, |argument, _| {
                    keys.push(HashedKey { argument, hash: keyspace.hash(argv.at(argument)) });
                });
                keys.sort_unstable_by_key(|key| key.argument);
            }
        }
        self.is_alone
            || match entry.row.reach.of(argv) {
                Reach::None => true,
                Reach::Keys => keys.iter().all(|key| self.ctx.data.holds(key.hash)),
                _ => false,
            }
    }

    /// Ends the script, whatever it catches, since it needs locks that it does not hold.
    #[cold]
    fn end_strayed(&mut self, stack: &mut Stack<'_>) -> bool {
        self.running.abandon();
        if self.buffers.has_effects {
            self.stray = Stray::AfterEffects;
            self.ctx.host.log(3, STRAYED_WARNING);
        } else if self.stray == Stray::No {
            self.stray = Stray::BeforeEffects;
        }
        push_error(stack, &CommandError::ScriptStrayed);
        true
    }

    /// `redis.acl_check_cmd`: whether the client's user may make this call.
    fn check_command(&mut self, stack: &mut Stack<'_>) -> Result<Answer, CommandError> {
        self.collect(stack).map_err(|error| self.worded(error))?;
        let (ctx, argv) = (&*self.ctx, self.buffers.arguments.argv());
        match ctx.engine.table.lookup(argv) {
            Lookup::Found(entry) | Lookup::SubcommandMissing(entry) => {
                let call = Called { entry, argv, db: ctx.session.db };
                let user = ctx.engine.acl.user(ctx.session.user_name());
                stack.push_boolean(user.is_some_and(|user| user.check(&call).is_ok()));
                Ok(Answer::Value)
            }
            Lookup::UnknownCommand | Lookup::UnknownSubcommand(_) => {
                Err(self.worded(CommandError::ScriptCheckedCommand))
            }
        }
    }

    /// `redis.error_reply`: a table that is an error when it is returned.
    fn error_reply(&mut self, stack: &mut Stack<'_>) -> Result<Answer, CommandError> {
        reply_of_text(stack, "err", convert::error_line)
    }

    /// `redis.status_reply`: a table that is a status when it is returned.
    fn status_reply(&mut self, stack: &mut Stack<'_>) -> Result<Answer, CommandError> {
        reply_of_text(stack, "ok", <[u8]>::to_vec)
    }

    /// `redis.log`.
    fn log(&mut self, stack: &mut Stack<'_>) -> Result<Answer, CommandError> {
        let answer = log(stack, self.ctx.host, self.ctx.settings.dialect)?;
        self.buffers.has_effects = true;
        Ok(answer)
    }

    /// `redis.set_repl`: the journal and the replicas are all that there is to choose.
    fn set_replication(&mut self, stack: &mut Stack<'_>) -> Result<Answer, CommandError> {
        if stack.len() != 1 {
            return Err(self.worded(CommandError::ScriptReplicationArguments));
        }
        if whole(stack, 0) & !3 != 0 {
            return Err(self.worded(CommandError::ScriptReplicationFlags));
        }
        Ok(Answer::Nothing)
    }

    /// `redis.setresp`.
    fn set_protocol(&mut self, stack: &mut Stack<'_>) -> Result<Answer, CommandError> {
        if stack.len() != 1 {
            return Err(self.worded(CommandError::ScriptProtocolArguments));
        }
        self.protocol = match whole(stack, 0) {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return Err(CommandError::ScriptProtocol),
        };
        Ok(Answer::Nothing)
    }

    /// `redis.sha1hex`.
    fn sha1(&mut self, stack: &mut Stack<'_>) -> Result<Answer, CommandError> {
        if stack.len() != 1 {
            return Err(CommandError::ScriptArgumentCount);
        }
        let text = stack.text(0).unwrap_or_default();
        stack.push_text(&super::digest(&text));
        Ok(Answer::Value)
    }

    /// What os.clock() says: seconds of some clock that goes on evenly.
    fn clock(&mut self, stack: &mut Stack<'_>) -> Result<Answer, CommandError> {
        stack.push_number(self.ctx.engine.clock().now_ns() as f64 / 1e9);
        Ok(Answer::Value)
    }

    /// An error of a call in the words of the dialect.
    fn worded(&self, error: CommandError) -> CommandError {
        self.ctx.settings.dialect.script_error(error)
    }
}

/// An answer as it is, or an error as one that is raised.
pub(super) fn answer(result: Result<Answer, CommandError>, stack: &mut Stack<'_>) -> Answer {
    result.unwrap_or_else(|error| {
        stack.clear();
        push_error(stack, &error);
        Answer::Error
    })
}

/// Writes the line to the log whose level and parts are on the stack.
pub(super) fn log(
    stack: &mut Stack<'_>,
    host: &dyn crate::host::Host,
    dialect: Dialect,
) -> Result<Answer, CommandError> {
    if stack.len() < 2 {
        return Err(dialect.script_error(CommandError::ScriptLogArguments));
    }
    let Some(level) = stack.number(0) else {
        return Err(dialect.script_error(CommandError::ScriptLogLevelType));
    };
    let Some(level) = u8::try_from(level as i32).ok().filter(|level| *level <= 3) else {
        return Err(dialect.script_error(CommandError::ScriptLogLevel));
    };
    let mut line = Vec::new();
    for index in 1..stack.len() {
        // What is no text is left out, as if it were not there.
        let Some(text) = stack.text(index) else { continue };
        if index != 1 {
            line.push(b' ');
        }
        line.extend_from_slice(&text);
    }
    host.log(level, &String::from_utf8_lossy(&line));
    Ok(Answer::Nothing)
}

/// Whether others can see that the call was made.
fn leaves_effects(entry: &Entry) -> bool {
    entry.row.flags.has(Flags::WRITE) || entry.row.flags.has(Flags::MAY_REPLICATE)
}

fn reply_of_text(
    stack: &mut Stack<'_>,
    field: &str,
    line: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<Answer, CommandError> {
    match stack.value(0) {
        Value::Text(text) if stack.len() == 1 => {
            let line = line(text);
            convert::push_single(stack, field, &line);
        }
        _ => push_error(stack, &CommandError::ScriptArgumentsWrong),
    }
    Ok(Answer::Value)
}

/// A number, or a text that is one, as an `int` of C; 0 for all else.
fn whole(stack: &Stack<'_>, index: usize) -> i32 {
    stack.number(index).map_or(0, |number| number as i32)
}

fn push_error(stack: &mut Stack<'_>, error: &CommandError) {
    convert::push_single(stack, "err", error.text().as_bytes());
}
