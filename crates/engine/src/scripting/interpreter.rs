//! A Lua interpreter: built once, it runs one script or function after another.

use super::calls::{self, Buffers, Run, Stray};
use super::convert;
use super::libraries::Libraries;
use super::prelude::PRELUDE;
use super::running::{Company, Kind, Running};
use super::without_first_line;
use crate::command::Outcome;
use crate::context::Ctx;
use crate::dialect::Dialect;
use crate::error::{CommandError, FunctionError};
use crate::host::Host;
use base::clock::Clock;
use base::limits::SCRIPT_MEMORY_BYTES_MAX;
use luastack::{Answer, Ending, Kept, Machine, Stack, Value};
use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, VmState};
use resp::{Argv, Protocol};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Instructions between two looks whether the script was ended.
const INSTRUCTIONS_PER_LOOK: u32 = 10_000;

/// How long the text of a library may run: nobody else is served meanwhile.
const LOAD_NS_MAX: u64 = 500_000_000;

/// Bytes by which an interpreter may grow between scripts before its garbage is collected at once.
const GROWTH_BYTES_MAX: usize = 32 << 20;

/// An interpreter of scripts, or of functions.
pub(super) struct Interpreter {
    pub(super) lua: Lua,
    /// What the host shares with the script's side.
    pub(super) host: Table,
    machine: Machine,
    kind: Kind,
    environment: Table,
    /// What scripts see behind their own globals: the libraries, `KEYS` and `ARGV`.
    globals: Kept,
    libraries: Libraries,
    /// Bytes that were left when garbage was last collected at once.
    settled_bytes: usize,
    running: Arc<Running>,
    buffers: Buffers,
}

/// What is to be run.
pub(super) struct Task<'t> {
    /// The digest of a script or the name of a function, for errors.
    pub(super) title: &'t str,
    pub(super) body: &'t Kept,
    pub(super) is_read_only: bool,
    pub(super) allows_oom: bool,
}

/// What a library reaches while it is loaded: the log.
struct Loading<'l> {
    host: &'l dyn Host,
    dialect: Dialect,
}

impl luastack::Host for Loading<'_> {
    fn call(&mut self, function: usize, stack: &mut Stack<'_>) -> Answer {
        let (name, _) = calls::FUNCTIONS[function];
        let result = match name {
            "log" => calls::log(stack, self.host, self.dialect),
            _ => Ok(Answer::Nothing),
        };
        calls::answer(result, stack)
    }
}

/// When the text of a library must have come to its end; known to the interpreter that loads it.
pub(super) struct LoadLimit {
    clock: Arc<dyn Clock>,
    /// 0: nothing is loaded.
    until_ns: AtomicU64,
}

impl LoadLimit {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, until_ns: AtomicU64::new(0) }
    }

    /// Relaxed, here and below: only one thread uses the interpreter.
    fn begin(&self) {
        self.until_ns.store(self.clock.now_ns() + LOAD_NS_MAX, Ordering::Relaxed);
    }

    fn end(&self) {
        self.until_ns.store(0, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        let until_ns = self.until_ns.load(Ordering::Relaxed);
        until_ns != 0 && until_ns < self.clock.now_ns()
    }
}

/// Which of a call's arguments are KEYS and which are ARGV.
#[derive(Clone, Copy)]
pub struct ScriptArguments<'c> {
    pub keys: Argv<'c>,
    pub values: Argv<'c>,
}

/// The end of a run.
pub(super) struct Finish {
    pub(super) outcome: Outcome,
    pub(super) stray: Stray,
}

impl Interpreter {
    /// Builds one whose runs others see at `running`.
    pub(super) fn new(dialect: Dialect, kind: Kind, running: &Arc<Running>) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let host = lua.create_table()?;
        let environment = lua.create_table()?;
        let differences = dialect.differences();
        host.raw_set("environment", &environment)?;
        host.raw_set("source", &kind.chunk_name()[1..])?;
        host.raw_set("is_for_scripts", kind == Kind::Script)?;
        host.raw_set("version", differences.redis_version)?;
        host.raw_set("version_number", version_number(differences.redis_version))?;
        host.raw_set("is_valkey", differences.valkey_version.is_some())?;
        host.raw_set("where", lua.create_function(move |lua, ()| Ok(script_line(lua, kind)))?)?;
        lua.set_app_data(Arc::clone(running));
        watch(&lua, &host, running, kind, dialect)?;
        let libraries = Libraries::install(&lua, &host)?;
        // The functions of `redis` are those of the machine, which wants the handler of errors first:
        // so they are put in when the rest is there.
        let (redis, loading) = (lua.create_table()?, lua.create_table()?);
        host.raw_set("redis", &redis)?;
        host.raw_set("loading", &loading)?;
        let handler = lua.load(PRELUDE).set_name("=prelude").call(&host)?;
        let machine = Machine::new(&lua, SCRIPT_MEMORY_BYTES_MAX, handler)?;
        for (number, (name, _)) in calls::FUNCTIONS.iter().enumerate() {
            let function = machine.function(number)?;
            match *name {
                "clock" => host.raw_set(*name, function)?,
                "log" => {
                    loading.raw_set(*name, &function)?;
                    redis.raw_set(*name, function)?;
                }
                _ => redis.raw_set(*name, function)?,
            }
        }
        let globals = Kept::new(&lua, host.raw_get::<Table>("globals")?)?;
        Ok(Self {
            lua,
            host,
            machine,
            kind,
            environment,
            globals,
            libraries,
            settled_bytes: 0,
            running: Arc::clone(running),
            buffers: Buffers::default(),
        })
    }

    /// Runs a script or a function. What it returns is the reply.
    pub(super) fn run(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        task: &Task<'_>,
        arguments: ScriptArguments<'_>,
    ) -> Finish {
        let (kind, dialect) = (self.kind, ctx.settings.dialect);
        let finish = |run: &mut Run<'_, '_, '_>, ending, stack: &mut Stack<'_>| match ending {
            Ending::Value => convert::reply(run.ctx.reply, stack, run.protocol == Protocol::Resp3),
            Ending::Error => Err(failure(stack, task.title, kind, dialect)),
        };
        self.libraries.reset();
        let is_alone = ctx.data.exclusive.is_some();
        let company = if is_alone { Company::Alone } else { Company::BesideOthers };
        self.running.begin(ctx.started_ns, company);
        self.buffers.reset();
        let mut run = Run {
            ctx,
            buffers: &mut self.buffers,
            running: &self.running,
            kind: self.kind,
            protocol: Protocol::Resp2,
            is_read_only: task.is_read_only,
            allows_oom: task.allows_oom,
            is_alone,
            stray: Stray::No,
        };
        let globals = &self.globals;
        let prepare = |stack: &mut Stack<'_>| pass(stack, kind, globals, arguments);
        let outcome = self.machine.run(task.body, &mut run, prepare, finish);
        let stray = run.stray;
        self.running.end(company);
        self.settle();
        Finish { outcome, stray }
    }

    /// Runs the text of a library; the text of the error that it ended with, if it did.
    pub(super) fn load(
        &mut self,
        body: &Kept,
        host: &dyn Host,
        dialect: Dialect,
    ) -> Option<String> {
        self.set_loading(true);
        self.lua.app_data_ref::<LoadLimit>().inspect(|limit| limit.begin());
        let problem = self.machine.run(
            body,
            &mut Loading { host, dialect },
            |_| 0,
            |_, ending, stack| (ending == Ending::Error).then(|| error_text(stack)),
        );
        self.lua.app_data_ref::<LoadLimit>().inspect(|limit| limit.end());
        self.set_loading(false);
        self.settle();
        problem
    }

    /// After a script: what a large one has left is freed.
    fn settle(&mut self) {
        if self.settled_bytes + GROWTH_BYTES_MAX < self.lua.used_memory() {
            self.machine.on_stack(|stack| {
                stack.push_kept(&self.globals);
                for name in ["KEYS", "ARGV"] {
                    stack.push_nil();
                    stack.set_field(name);
                }
            });
            self.collect_garbage();
        }
    }

    /// Frees what nobody refers to any more.
    pub(super) fn collect_garbage(&mut self) {
        // The first ends the cycle that is under way; the second collects what has died since.
        let _ = self.lua.gc_collect().and_then(|()| self.lua.gc_collect());
        self.settled_bytes = self.lua.used_memory();
    }

    /// Makes a function of a text; what is wrong with it, if it is no Lua.
    pub(super) fn compile(&self, body: &[u8]) -> Result<Kept, String> {
        let body = without_first_line(body);
        // The collector must not run while a chunk is being built (CVE-2014-5461's family).
        self.lua.gc_stop();
        let chunk = self.lua.load(body).set_name(self.kind.chunk_name());
        let chunk = chunk.set_mode(mlua::chunk::ChunkMode::Text);
        let function = chunk.set_environment(self.environment.clone()).into_function();
        self.lua.gc_restart();
        function.and_then(|function| Kept::new(&self.lua, function)).map_err(|error| {
            let text = error.to_string();
            text.strip_prefix("syntax error: ").unwrap_or(&text).replace('\n', " ")
        })
    }

    /// Bytes that the interpreter uses.
    pub(super) fn memory_bytes(&self) -> usize {
        self.lua.used_memory()
    }

    /// Whether a library finds only what is there while it is loaded.
    fn set_loading(&self, is_loading: bool) {
        // It sets one field, for which there is always room.
        let set = self.host.raw_get::<Function>("set_loading");
        let _ = set.and_then(|set| set.call::<()>(is_loading));
    }
}

/// Hands over keys and arguments: to scripts as globals, to functions as two arguments, which are
/// counted.
fn pass(
    stack: &mut Stack<'_>,
    kind: Kind,
    globals: &Kept,
    arguments: ScriptArguments<'_>,
) -> usize {
    if kind == Kind::Function {
        stack.push_texts(arguments.keys.iter());
        stack.push_texts(arguments.values.iter());
        return 2;
    }
    stack.push_kept(globals);
    for (name, values) in [("KEYS", arguments.keys), ("ARGV", arguments.values)] {
        stack.push_texts(values.iter());
        stack.set_field(name);
    }
    stack.pop();
    0
}

/// What is not promised is refused before anything runs.
pub(super) fn check_promises(
    ctx: &Ctx<'_, '_>,
    never_writes: bool,
    allows_oom: bool,
    is_read_only: bool,
) -> Outcome {
    if never_writes {
        return Ok(());
    }
    if is_read_only {
        return Err(CommandError::ScriptMayWrite);
    }
    if !allows_oom && ctx.data.is_memory_short {
        return Err(CommandError::OutOfMemory);
    }
    Ok(())
}

/// Has the interpreter look, now and then, whether the script was ended. The error cannot be caught:
/// what catches errors looks at `is_ended`.
fn watch(
    lua: &Lua,
    host: &Table,
    running: &Arc<Running>,
    kind: Kind,
    dialect: Dialect,
) -> mlua::Result<()> {
    let ended_by = error_table(lua, &dialect.script_error(kind.killed()))?;
    host.raw_set("ended_by", ended_by)?;
    let (host, running) = (host.clone(), Arc::clone(running));
    host.raw_set("is_ended", {
        let running = Arc::clone(&running);
        lua.create_function(move |_, ()| Ok(running.is_ended()))?
    })?;
    let triggers = HookTriggers::new().every_nth_instruction(INSTRUCTIONS_PER_LOOK);
    lua.set_global_hook(triggers, move |lua, _| {
        if running.is_ended() {
            return Err(raise(&host, host.raw_get("ended_by")?));
        }
        if lua.app_data_ref::<LoadLimit>().is_some_and(|limit| limit.is_over()) {
            let error = error_table(lua, &FunctionError::LoadTimeout.into())?;
            return Err(raise(&host, error));
        }
        Ok(VmState::Continue)
    })
}

/// Leaves an error's table where the script's side finds it, and returns what is raised for it:
/// the binding can raise no table itself.
pub(super) fn raise(host: &Table, error: Table) -> mlua::Error {
    match host.raw_set("raised", error) {
        Ok(()) => mlua::Error::runtime("raised"),
        Err(error) => error,
    }
}

/// An error as the table that scripts see.
pub(super) fn error_table(lua: &Lua, error: &CommandError) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("err", error.text().as_ref())?;
    Ok(table)
}

/// The line of the script that is running, looked for on the stack.
fn script_line(lua: &Lua, kind: Kind) -> Option<usize> {
    (1..12).find_map(|level| {
        lua.inspect_stack(level, |frame| {
            let source = frame.source().source;
            let is_script = source.is_some_and(|source| source == kind.chunk_name());
            if is_script { frame.current_line() } else { None }
        })
        .flatten()
    })
}

/// The reply for a script or function, known as `title`, that ended with an error.
fn failure(stack: &mut Stack<'_>, title: &str, kind: Kind, dialect: Dialect) -> CommandError {
    let is_described = stack.top() == Value::Table;
    let text = error_text(stack);
    if !is_described {
        return CommandError::Script(format!("Error running script {title}, {text}").into());
    }
    stack.push_field("where");
    let source = kind.chunk_name();
    let line = match stack.top() {
        Value::Number(line) if dialect.differences().errors_show_script => {
            format!("{text} script: {title}, on {source}:{line}.")
        }
        Value::Number(line) => format!("{text} script: on {source}:{line}."),
        _ => format!("{text} script: {title}"),
    };
    CommandError::Line(line.into())
}

/// The text of the error on top.
fn error_text(stack: &mut Stack<'_>) -> String {
    if stack.top() != Value::Table {
        // No handler ran: there was no memory for it, or it failed itself.
        let text = stack.text(stack.len() - 1).unwrap_or_default();
        return String::from_utf8_lossy(&text).into_owned();
    }
    stack.push_field("err");
    let text = stack.text(stack.len() - 1).unwrap_or_else(|| b"ERR".to_vec());
    stack.pop();
    String::from_utf8_lossy(&text).replace(['\r', '\n'], " ")
}

/// What a client is told when the interpreter itself fails.
pub(super) fn lua_failure(error: &mlua::Error) -> CommandError {
    CommandError::Script(error.to_string().replace(['\r', '\n'], " ").into())
}

fn version_number(version: &str) -> u32 {
    version.split('.').fold(0, |number, part| (number << 8) | part.parse().unwrap_or(0))
}
