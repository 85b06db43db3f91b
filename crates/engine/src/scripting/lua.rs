//! One thread's Lua interpreter, and how a script's calls become commands.

use super::convert;
use super::libraries::Libraries;
use super::prelude::PRELUDE;
use super::{Digest, Running, Script};
use crate::acl::{Called, Context};
use crate::admit;
use crate::command::{Flags, Outcome};
use crate::context::{Ctx, Origin};
use crate::dialect::Dialect;
use crate::error::{AclError, CommandError};
use crate::table::{Entry, Lookup};
use base::limits::SCRIPT_MEMORY_BYTES_MAX;
use mlua::{
    Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, Variadic, VmState,
};
use resp::{Argv, ArgvBuffer, Frame, Protocol, Reply};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// Compiled scripts that a thread keeps; all are dropped when there are more.
const COMPILED_MAX: usize = 1000;

/// Instructions between two looks whether the script was ended.
const INSTRUCTIONS_PER_LOOK: u32 = 10_000;

/// Bytes by which an interpreter may grow between scripts before its garbage is collected at once.
const GROWTH_BYTES_MAX: usize = 32 << 20;

/// A thread's part of scripting: its interpreter, built when the first script runs.
#[derive(Default)]
pub struct ThreadScripting {
    interpreter: RefCell<Option<Interpreter>>,
}

/// Which of a call's arguments are KEYS and which are ARGV.
#[derive(Clone, Copy)]
pub struct ScriptArguments<'c> {
    pub keys: Argv<'c>,
    pub values: Argv<'c>,
}

struct Interpreter {
    lua: Lua,
    environment: Table,
    host: Table,
    /// What scripts know as `redis`.
    redis: Table,
    runner: Function,
    libraries: Libraries,
    compiled: HashMap<Digest, Function>,
    /// Generation of the script cache that `compiled` belongs to.
    generation: u64,
    /// Bytes that were left when garbage was last collected at once.
    settled_bytes: usize,
    running: Arc<Running>,
    buffers: RefCell<Buffers>,
}

#[derive(Default)]
struct Buffers {
    arguments: ArgvBuffer,
    argument: Vec<u8>,
    reply: Reply,
    flat: Vec<u8>,
}

/// What one run of a script knows.
struct Run<'r, 'c, 'e> {
    ctx: RefCell<&'r mut Ctx<'c, 'e>>,
    buffers: &'r RefCell<Buffers>,
    running: &'r Running,
    protocol: Cell<Protocol>,
    is_read_only: bool,
    allows_oom: bool,
}

impl ThreadScripting {
    /// Runs a script; its result becomes the reply.
    pub fn run(
        &self,
        ctx: &mut Ctx<'_, '_>,
        script: &Script,
        arguments: ScriptArguments<'_>,
        is_read_only: bool,
    ) -> Outcome {
        let Ok(mut place) = self.interpreter.try_borrow_mut() else {
            return Err(CommandError::NotInScript);
        };
        if place.is_none() {
            *place = Some(Interpreter::new(ctx).map_err(lua_failure)?);
        }
        let interpreter = place.as_mut().expect("it was built above");
        check_promises(ctx, script, is_read_only)?;
        let db = ctx.session.db;
        let outcome = interpreter.run(ctx, script, arguments, is_read_only);
        ctx.session.db = db;
        ctx.data.db = db;
        outcome
    }

    /// Bytes that this thread's interpreter uses.
    pub fn memory_bytes(&self) -> usize {
        let interpreter = self.interpreter.try_borrow();
        interpreter.ok().and_then(|i| i.as_ref().map(|i| i.lua.used_memory())).unwrap_or(0)
    }

    /// Compiles a script without running it, for SCRIPT LOAD.
    pub fn check(&self, ctx: &Ctx<'_, '_>, script: &Script) -> Outcome {
        let Ok(mut place) = self.interpreter.try_borrow_mut() else { return Ok(()) };
        if place.is_none() {
            *place = Some(Interpreter::new(ctx).map_err(lua_failure)?);
        }
        let interpreter = place.as_mut().expect("it was built above");
        interpreter.compiled(script, ctx.engine.scripts.generation()).map(|_| ())
    }
}

impl Interpreter {
    fn new(ctx: &Ctx<'_, '_>) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let host = lua.create_table()?;
        let redis = lua.create_table()?;
        host.raw_set("redis", &redis)?;
        let environment = lua.create_table()?;
        let differences = ctx.settings.dialect.differences();
        host.raw_set("environment", &environment)?;
        host.raw_set("version", differences.redis_version)?;
        host.raw_set("version_number", version_number(differences.redis_version))?;
        host.raw_set("is_valkey", differences.valkey_version.is_some())?;
        set_plain_functions(&lua, &host, ctx.settings.dialect)?;
        let running = Arc::clone(&ctx.engine.scripts.running);
        lua.set_app_data(Arc::clone(&running));
        watch(&lua, &host, &running, ctx.settings.dialect)?;
        let libraries = Libraries::install(&lua, &host)?;
        let runner = lua.load(PRELUDE).set_name("=prelude").call(&host)?;
        let buffers = RefCell::default();
        Ok(Self {
            lua,
            environment,
            host,
            redis,
            runner,
            libraries,
            compiled: HashMap::new(),
            generation: 0,
            settled_bytes: 0,
            running,
            buffers,
        })
    }

    fn run(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        script: &Script,
        arguments: ScriptArguments<'_>,
        is_read_only: bool,
    ) -> Outcome {
        let function = self.compiled(script, ctx.engine.scripts.generation())?;
        self.set_arguments(arguments).map_err(lua_failure)?;
        self.libraries.reset();
        let run = Run {
            ctx: RefCell::new(&mut *ctx),
            buffers: &self.buffers,
            running: &self.running,
            protocol: Cell::new(Protocol::Resp2),
            is_read_only: is_read_only || script.flags.never_writes,
            allows_oom: script.flags.allows_oom,
        };
        self.running.begin(run.ctx.borrow().engine.clock().now_ns());
        let result = self.lua.scope(|scope| {
            let call = scope.create_function(|lua, values: MultiValue| {
                let (is_error, value) = run.call(lua, &values)?;
                if is_error { Err(raise(&self.host, value)) } else { Ok(value) }
            })?;
            let pcall =
                scope.create_function(|lua, values: MultiValue| Ok(run.call(lua, &values)?.1))?;
            let set_protocol = scope.create_function(|lua, values: MultiValue| {
                run.set_protocol(lua, &self.host, &values)
            })?;
            let log = scope
                .create_function(|lua, values: MultiValue| run.log(lua, &self.host, &values))?;
            let clock = scope.create_function(|_, ()| Ok(run.seconds()))?;
            let check = scope.create_function(|lua, values: MultiValue| {
                run.check_command(lua, &self.host, &values)
            })?;
            self.redis.raw_set("call", call)?;
            self.redis.raw_set("pcall", pcall)?;
            self.redis.raw_set("setresp", set_protocol)?;
            self.redis.raw_set("log", log)?;
            self.redis.raw_set("acl_check_cmd", check)?;
            self.host.raw_set("clock", clock)?;
            self.lua.set_memory_limit(SCRIPT_MEMORY_BYTES_MAX)?;
            self.runner.call::<(bool, Value)>(function)
        });
        self.running.end();
        let shows_booleans = run.protocol.get() == Protocol::Resp3;
        let outcome = match result.map_err(lua_failure) {
            Ok((true, value)) => convert::reply(ctx.reply, &value, shows_booleans),
            Ok((false, error)) => Err(failure(&error, script, ctx.settings.dialect)),
            Err(error) => Err(error),
        };
        self.settle();
        outcome
    }

    /// After a script: the limits are for scripts only, and what a large one has left is freed.
    fn settle(&mut self) {
        // `Err` would mean that the interpreter counts no bytes: it does, it was built so.
        let _ = self.lua.set_memory_limit(0);
        if self.settled_bytes + GROWTH_BYTES_MAX < self.lua.used_memory() {
            for name in ["KEYS", "ARGV"] {
                let _ = self.environment.raw_set(name, Value::Nil);
            }
            // The first ends the cycle that is under way; the second collects what has died since.
            let _ = self.lua.gc_collect().and_then(|()| self.lua.gc_collect());
            self.settled_bytes = self.lua.used_memory();
        }
    }

    fn compiled(&mut self, script: &Script, generation: u64) -> Result<Function, CommandError> {
        if self.generation != generation || COMPILED_MAX < self.compiled.len() {
            self.generation = generation;
            self.compiled.clear();
        }
        if let Some(function) = self.compiled.get(&script.digest) {
            return Ok(function.clone());
        }
        let body = without_first_line(&script.body);
        // The collector must not run while a chunk is being built (CVE-2014-5461's family).
        self.lua.gc_stop();
        let chunk =
            self.lua.load(body).set_name("@user_script").set_mode(mlua::chunk::ChunkMode::Text);
        let function = chunk.set_environment(self.environment.clone()).into_function();
        self.lua.gc_restart();
        let function = function.map_err(|error| {
            let text = error.to_string();
            let text = text.strip_prefix("syntax error: ").unwrap_or(&text).replace('\n', " ");
            CommandError::ScriptCompile(text.into())
        })?;
        self.compiled.insert(script.digest, function.clone());
        Ok(function)
    }

    fn set_arguments(&self, arguments: ScriptArguments<'_>) -> mlua::Result<()> {
        for (name, values) in [("KEYS", arguments.keys), ("ARGV", arguments.values)] {
            let table = self.lua.create_table_with_capacity(values.len(), 0)?;
            for (index, value) in values.iter().enumerate() {
                table.raw_set(index + 1, self.lua.create_string(value)?)?;
            }
            self.environment.raw_set(name, table)?;
        }
        Ok(())
    }
}

impl Run<'_, '_, '_> {
    /// `redis.call` and `redis.pcall`: whether it failed, and the reply or the error.
    ///
    /// A reply may pass the limit of the script's memory: it is bounded by what is stored, and without
    /// the limit its texts are made in half the time. What the script does next meets the limit.
    fn call(&self, lua: &Lua, values: &MultiValue) -> mlua::Result<(bool, Value)> {
        lua.set_memory_limit(0)?;
        let result = self.call_without_limit(lua, values);
        lua.set_memory_limit(SCRIPT_MEMORY_BYTES_MAX)?;
        result
    }

    fn call_without_limit(&self, lua: &Lua, values: &MultiValue) -> mlua::Result<(bool, Value)> {
        let mut buffers = self.buffers.borrow_mut();
        let Buffers { arguments, argument, reply, flat } = &mut *buffers;
        if let Err(error) = collect(values, arguments, argument) {
            return error_value(lua, &self.worded(error));
        }
        let argv = arguments.argv();
        let mut ctx = self.ctx.borrow_mut();
        let entry = match self.admit(&mut ctx, argv) {
            Ok(entry) => entry,
            Err(error) => {
                drop(ctx);
                return error_value(lua, &self.worded(error));
            }
        };
        if entry.row.flags.has(Flags::WRITE) && !self.running.may_write() {
            drop(ctx);
            return error_value(lua, &self.worded(CommandError::ScriptKilled));
        }
        reply.clear();
        reply.set_protocol(self.protocol.get());
        // An error is in the reply already, as the client would see it.
        let _ = ctx.call(argv, entry, Origin::Script, Some(reply));
        flat.clear();
        reply.append_to(flat);
        let frame = resp::decode(flat).ok().flatten().map_or(Frame::Null, |(frame, _)| frame);
        Ok((frame.is_error(), convert::to_lua(lua, &frame)?))
    }

    fn admit(&self, ctx: &mut Ctx<'_, '_>, argv: Argv<'_>) -> Result<&'static Entry, CommandError> {
        let entry = match ctx.engine.table.lookup(argv) {
            Lookup::Found(entry) => entry,
            Lookup::UnknownCommand => return Err(CommandError::ScriptUnknownCommand),
            lookup => admit::resolve(lookup, argv)?,
        };
        if !entry.row.accepts(argv.len()) {
            return Err(CommandError::ScriptWrongArity);
        }
        if entry.row.flags.has(Flags::NOSCRIPT) {
            return Err(CommandError::NotInScript);
        }
        let flags = entry.row.flags;
        let changes = flags.has(Flags::WRITE) || flags.has(Flags::MAY_REPLICATE);
        if self.is_read_only && changes {
            return Err(CommandError::ScriptReadOnly);
        }
        ctx.check_rights(entry, argv, Context::Script).map_err(AclError::NoPermissionInScript)?;
        let may_grow = self.allows_oom || !entry.row.flags.has(Flags::DENYOOM);
        if !may_grow && ctx.data.changes == 0 && ctx.data.is_memory_short {
            return Err(CommandError::OutOfMemory);
        }
        Ok(entry)
    }

    fn set_protocol(&self, lua: &Lua, host: &Table, values: &MultiValue) -> mlua::Result<()> {
        let version = (values.len() == 1).then(|| values.front().map(|v| whole(lua, v)));
        let protocol = match version.flatten() {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(raise_error(lua, host, &CommandError::ScriptProtocol)?),
            None => {
                let error = self.worded(CommandError::ScriptProtocolArguments);
                return Err(raise_error(lua, host, &error)?);
            }
        };
        self.protocol.set(protocol);
        Ok(())
    }

    fn log(&self, lua: &Lua, host: &Table, values: &MultiValue) -> mlua::Result<()> {
        let refuse = |error| Err(raise_error(lua, host, &self.worded(error))?);
        if values.len() < 2 {
            return refuse(CommandError::ScriptLogArguments);
        }
        let mut values = values.iter();
        let level = values.next().filter(|level| number(lua, level).is_some());
        let Some(level) = level.map(|level| whole(lua, level)) else {
            return refuse(CommandError::ScriptLogLevelType);
        };
        let Some(level) = u8::try_from(level).ok().filter(|level| *level <= 3) else {
            return refuse(CommandError::ScriptLogLevel);
        };
        let mut line = Vec::new();
        for (index, value) in values.enumerate() {
            // What is no text is left out, as if it were not there.
            let Some(text) = lua.coerce_string(value.clone())? else { continue };
            if index != 0 {
                line.push(b' ');
            }
            line.extend_from_slice(&text.as_bytes());
        }
        self.ctx.borrow().host.log(level, &String::from_utf8_lossy(&line));
        Ok(())
    }

    /// `redis.acl_check_cmd`: whether the client's user may make this call.
    fn check_command(&self, lua: &Lua, host: &Table, values: &MultiValue) -> mlua::Result<bool> {
        let mut buffers = self.buffers.borrow_mut();
        let Buffers { arguments, argument, .. } = &mut *buffers;
        if let Err(error) = collect(values, arguments, argument) {
            return Err(raise_error(lua, host, &self.worded(error))?);
        }
        let argv = arguments.argv();
        let ctx = self.ctx.borrow();
        match ctx.engine.table.lookup(argv) {
            Lookup::Found(entry) | Lookup::SubcommandMissing(entry) => {
                let call = Called { entry, argv, db: ctx.session.db };
                let user = ctx.engine.acl.user(ctx.session.user_name());
                Ok(user.is_some_and(|user| user.check(&call).is_ok()))
            }
            Lookup::UnknownCommand | Lookup::UnknownSubcommand(_) => {
                let error = self.worded(CommandError::ScriptCheckedCommand);
                Err(raise_error(lua, host, &error)?)
            }
        }
    }

    /// An error of a call in the words of the dialect.
    fn worded(&self, error: CommandError) -> CommandError {
        self.ctx.borrow().settings.dialect.script_error(error)
    }

    /// What os.clock() says: seconds of some clock that goes on evenly.
    fn seconds(&self) -> f64 {
        self.ctx.borrow().engine.clock().now_ns() as f64 / 1e9
    }
}

fn collect(
    values: &MultiValue,
    arguments: &mut ArgvBuffer,
    argument: &mut Vec<u8>,
) -> Result<(), CommandError> {
    arguments.clear();
    if values.is_empty() {
        return Err(CommandError::ScriptNoArguments);
    }
    for value in values {
        argument.clear();
        if !convert::argument(value, argument) {
            return Err(CommandError::ScriptArgumentType);
        }
        arguments.push(argument);
    }
    Ok(())
}

/// What a script's first line does not promise is refused before it runs.
fn check_promises(ctx: &Ctx<'_, '_>, script: &Script, is_read_only: bool) -> Outcome {
    let flags = script.flags;
    if !flags.is_declared || flags.never_writes {
        return Ok(());
    }
    if is_read_only {
        return Err(CommandError::ScriptMayWrite);
    }
    if !flags.allows_oom && ctx.data.is_memory_short {
        return Err(CommandError::OutOfMemory);
    }
    Ok(())
}

/// Has the interpreter look, now and then, whether the script was ended. The error cannot be caught:
/// what catches errors looks at `is_ended`.
fn watch(lua: &Lua, host: &Table, running: &Arc<Running>, dialect: Dialect) -> mlua::Result<()> {
    let ended_by = error_value(lua, &dialect.script_error(CommandError::ScriptKilled))?.1;
    host.raw_set("ended_by", ended_by)?;
    let (host, running) = (host.clone(), Arc::clone(running));
    host.raw_set("is_ended", {
        let running = Arc::clone(&running);
        lua.create_function(move |_, ()| Ok(running.is_killed()))?
    })?;
    let triggers = HookTriggers::new().every_nth_instruction(INSTRUCTIONS_PER_LOOK);
    lua.set_global_hook(triggers, move |_, _| {
        if running.is_killed() {
            return Err(raise(&host, host.raw_get("ended_by")?));
        }
        Ok(VmState::Continue)
    })
}

/// Functions that need nothing of the present call.
fn set_plain_functions(lua: &Lua, host: &Table, dialect: Dialect) -> mlua::Result<()> {
    let place = host.clone();
    host.raw_set(
        "set_repl",
        lua.create_function(move |lua, values: MultiValue| {
            let error = match values.front() {
                Some(flags) if values.len() == 1 => {
                    // The journal and the replicas are all that there is to choose.
                    if whole(lua, flags) & !3 == 0 {
                        return Ok(());
                    }
                    CommandError::ScriptReplicationFlags
                }
                _ => CommandError::ScriptReplicationArguments,
            };
            Err(raise_error(lua, &place, &dialect.script_error(error))?)
        })?,
    )?;
    let place = host.clone();
    host.raw_set(
        "sha1hex",
        lua.create_function(move |lua, values: Variadic<Value>| {
            let mut text = Vec::new();
            if values.len() != 1 {
                return Err(raise_error(lua, &place, &CommandError::ScriptArgumentCount)?);
            }
            convert::argument(&values[0], &mut text);
            lua.create_string(super::digest(&text))
        })?,
    )?;
    for (function, field) in [("error_reply", "err"), ("status_reply", "ok")] {
        host.raw_set(
            function,
            lua.create_function(move |lua, values: Variadic<Value>| {
                table_of_one(lua, field, &values)
            })?,
        )?;
    }
    host.raw_set("where", lua.create_function(|lua, ()| Ok(script_line(lua)))?)
}

fn table_of_one(lua: &Lua, field: &str, values: &Variadic<Value>) -> mlua::Result<Table> {
    let [Value::String(text)] = &values[..] else {
        let table = lua.create_table()?;
        table.raw_set("err", CommandError::ScriptArgumentsWrong.text().as_ref())?;
        return Ok(table);
    };
    let table = lua.create_table()?;
    if field == "err" {
        table.raw_set(field, lua.create_string(convert::error_line(&text.as_bytes()))?)?;
    } else {
        table.raw_set(field, text)?;
    }
    Ok(table)
}

fn number(lua: &Lua, value: &Value) -> Option<f64> {
    lua.coerce_number(value.clone()).ok().flatten()
}

/// A number, or a text that is one, as an `int` of C; 0 for all else.
fn whole(lua: &Lua, value: &Value) -> i32 {
    number(lua, value).map_or(0, |number| number as i32)
}

/// Leaves an error's table where the script's side finds it, and returns what is raised for it:
/// the binding can raise no table itself.
fn raise(host: &Table, error: Value) -> mlua::Error {
    match host.raw_set("raised", error) {
        Ok(()) => mlua::Error::runtime("raised"),
        Err(error) => error,
    }
}

fn raise_error(lua: &Lua, host: &Table, error: &CommandError) -> mlua::Result<mlua::Error> {
    Ok(raise(host, error_value(lua, error)?.1))
}

/// The line of the script that is running, looked for on the stack.
fn script_line(lua: &Lua) -> Option<usize> {
    (1..12).find_map(|level| {
        lua.inspect_stack(level, |frame| {
            let is_script = frame.source().source.is_some_and(|source| source == "@user_script");
            if is_script { frame.current_line() } else { None }
        })
        .flatten()
    })
}

fn error_value(lua: &Lua, error: &CommandError) -> mlua::Result<(bool, Value)> {
    let table = lua.create_table()?;
    table.raw_set("err", error.text().as_ref())?;
    Ok((true, Value::Table(table)))
}

/// The reply for a script that ended with an error.
fn failure(error: &Value, script: &Script, dialect: Dialect) -> CommandError {
    let digest = String::from_utf8_lossy(&script.digest);
    let Value::Table(table) = error else {
        // No handler ran: there was no memory for it, or it failed itself.
        let text = error.to_string().unwrap_or_default();
        return CommandError::Script(format!("Error running script {digest}, {text}").into());
    };
    let text = table.raw_get::<mlua::LuaString>("err");
    let text = text.map_or_else(|_| "ERR".to_owned(), |text| text.to_string_lossy());
    let text = text.replace(['\r', '\n'], " ");
    let line = match table.raw_get::<Option<usize>>("where") {
        Ok(Some(line)) if dialect.differences().errors_show_script => {
            format!("{text} script: {digest}, on @user_script:{line}.")
        }
        Ok(Some(line)) => format!("{text} script: on @user_script:{line}."),
        _ => format!("{text} script: {digest}"),
    };
    CommandError::Line(line.into())
}

fn lua_failure(error: mlua::Error) -> CommandError {
    CommandError::Script(error.to_string().replace(['\r', '\n'], " ").into())
}

/// The body with its `#!` line made empty, so that line numbers stay true.
fn without_first_line(body: &[u8]) -> &[u8] {
    if !body.starts_with(b"#!") {
        return body;
    }
    body.iter().position(|byte| *byte == b'\n').map_or(&[], |end| &body[end..])
}

fn version_number(version: &str) -> u32 {
    version.split('.').fold(0, |number, part| (number << 8) | part.parse().unwrap_or(0))
}
