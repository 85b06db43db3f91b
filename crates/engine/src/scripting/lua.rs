//! One thread's Lua interpreter, and how a script's calls become commands.

use super::convert;
use super::prelude::PRELUDE;
use super::{Digest, Script};
use crate::admit;
use crate::command::{Flags, Outcome};
use crate::context::{Ctx, Origin};
use crate::dialect::Dialect;
use crate::error::CommandError;
use crate::table::{Entry, Lookup};
use mlua::{Function, Lua, LuaOptions, MultiValue, StdLib, Table, Value, Variadic};
use resp::{Argv, ArgvBuffer, Frame, Protocol, Reply};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// Compiled scripts that a thread keeps; all are dropped when there are more.
const COMPILED_MAX: usize = 1000;

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
    compiled: HashMap<Digest, Function>,
    /// Generation of the script cache that `compiled` belongs to.
    generation: u64,
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
        set_plain_functions(&lua, &host)?;
        let runner = lua.load(PRELUDE).set_name("=prelude").call(&host)?;
        let buffers = RefCell::default();
        Ok(Self {
            lua,
            environment,
            host,
            redis,
            runner,
            compiled: HashMap::new(),
            generation: 0,
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
        let run = Run {
            ctx: RefCell::new(&mut *ctx),
            buffers: &self.buffers,
            protocol: Cell::new(Protocol::Resp2),
            is_read_only: is_read_only || script.flags.never_writes,
            allows_oom: script.flags.allows_oom,
        };
        let result = self.lua.scope(|scope| {
            let call = scope.create_function(|lua, values: MultiValue| {
                let (is_error, value) = run.call(lua, &values)?;
                if is_error { Err(raise(&self.host, value)) } else { Ok(value) }
            })?;
            let pcall =
                scope.create_function(|lua, values: MultiValue| Ok(run.call(lua, &values)?.1))?;
            let set_protocol = scope.create_function(|lua, version: Value| {
                run.set_protocol(lua, &self.host, &version)
            })?;
            let log = scope
                .create_function(|lua, values: MultiValue| run.log(lua, &self.host, &values))?;
            let clock = scope.create_function(|_, ()| Ok(run.seconds()))?;
            self.redis.raw_set("call", call)?;
            self.redis.raw_set("pcall", pcall)?;
            self.redis.raw_set("setresp", set_protocol)?;
            self.redis.raw_set("log", log)?;
            self.host.raw_set("clock", clock)?;
            self.runner.call::<(bool, Value)>(function)
        });
        let shows_booleans = run.protocol.get() == Protocol::Resp3;
        match result.map_err(lua_failure)? {
            (true, value) => convert::reply(ctx.reply, &value, shows_booleans),
            (false, error) => Err(failure(&error, script, ctx.settings.dialect)),
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
    fn call(&self, lua: &Lua, values: &MultiValue) -> mlua::Result<(bool, Value)> {
        let mut buffers = self.buffers.borrow_mut();
        let Buffers { arguments, argument, reply, flat } = &mut *buffers;
        if let Err(error) = collect(values, arguments, argument) {
            return error_value(lua, &self.worded(error));
        }
        let argv = arguments.argv();
        let mut ctx = self.ctx.borrow_mut();
        let entry = match self.admit(&ctx, argv) {
            Ok(entry) => entry,
            Err(error) => {
                drop(ctx);
                return error_value(lua, &self.worded(error));
            }
        };
        reply.clear();
        reply.set_protocol(self.protocol.get());
        // An error is in the reply already, as the client would see it.
        let _ = ctx.call(argv, entry, Origin::Script, Some(reply));
        flat.clear();
        reply.append_to(flat);
        let frame = resp::decode(flat).ok().flatten().map_or(Frame::Null, |(frame, _)| frame);
        Ok((frame.is_error(), convert::to_lua(lua, &frame)?))
    }

    fn admit(&self, ctx: &Ctx<'_, '_>, argv: Argv<'_>) -> Result<&'static Entry, CommandError> {
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
        if self.is_read_only && entry.row.flags.has(Flags::WRITE) {
            return Err(CommandError::ScriptReadOnly);
        }
        let may_grow = self.allows_oom || !entry.row.flags.has(Flags::DENYOOM);
        if !may_grow && ctx.data.changes == 0 && ctx.data.is_memory_short {
            return Err(CommandError::OutOfMemory);
        }
        Ok(entry)
    }

    fn set_protocol(&self, lua: &Lua, host: &Table, version: &Value) -> mlua::Result<()> {
        let protocol = match version {
            Value::Integer(2) | Value::Number(2.0) => Protocol::Resp2,
            Value::Integer(3) | Value::Number(3.0) => Protocol::Resp3,
            _ => return Err(raise_error(lua, host, &CommandError::ScriptProtocol)?),
        };
        self.protocol.set(protocol);
        Ok(())
    }

    fn log(&self, lua: &Lua, host: &Table, values: &MultiValue) -> mlua::Result<()> {
        let mut values = values.iter();
        let level = match values.next() {
            Some(Value::Integer(level)) => u8::try_from(*level).ok(),
            Some(Value::Number(level)) => u8::try_from(*level as i64).ok(),
            _ => None,
        };
        let Some(level) = level.filter(|level| *level <= 3) else {
            return Err(raise_error(lua, host, &CommandError::ScriptLogLevel)?);
        };
        let mut line = Vec::new();
        for value in values {
            if !line.is_empty() {
                line.push(b' ');
            }
            convert::argument(value, &mut line);
        }
        self.ctx.borrow().host.log(level, &String::from_utf8_lossy(&line));
        Ok(())
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

/// Functions that need nothing of the present call.
fn set_plain_functions(lua: &Lua, host: &Table) -> mlua::Result<()> {
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
    let Value::Table(table) = error else {
        return CommandError::Script(format!("{error:?}").into());
    };
    let text = table.raw_get::<mlua::LuaString>("err");
    let text = text.map_or_else(|_| "ERR".to_owned(), |text| text.to_string_lossy());
    let digest = String::from_utf8_lossy(&script.digest);
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
