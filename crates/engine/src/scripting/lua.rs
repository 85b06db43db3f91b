//! One thread's Lua interpreter, and how a script's calls become commands.

use super::calls::{self, Buffers, Run, Stray};
use super::convert;
use super::libraries::Libraries;
use super::prelude::PRELUDE;
use super::running::{Company, Running};
use super::{DigestMap, Script, without_first_line};
use crate::command::Outcome;
use crate::context::Ctx;
use crate::dialect::Dialect;
use crate::error::CommandError;
use base::limits::SCRIPT_MEMORY_BYTES_MAX;
use luastack::{Ending, Kept, Machine, Stack, Value};
use mlua::{HookTriggers, Lua, LuaOptions, StdLib, Table, VmState};
use resp::{Argv, Protocol};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Compiled scripts that a thread keeps; all are dropped when there are more.
const COMPILED_MAX: usize = 1000;

/// Instructions between two looks whether the script was ended.
const INSTRUCTIONS_PER_LOOK: u32 = 10_000;

/// Bytes by which an interpreter may grow between scripts before its garbage is collected at once.
const GROWTH_BYTES_MAX: usize = 32 << 20;

/// A thread's part of scripting: its interpreter, built when the first script runs.
pub struct ThreadScripting {
    interpreter: RefCell<Option<Interpreter>>,
    running: Arc<Running>,
    /// The script of the call whose locks were taken last.
    found: Cell<Option<Arc<Script>>>,
}

/// Which of a call's arguments are KEYS and which are ARGV.
#[derive(Clone, Copy)]
pub struct ScriptArguments<'c> {
    pub keys: Argv<'c>,
    pub values: Argv<'c>,
}

struct Interpreter {
    lua: Lua,
    machine: Machine,
    environment: Table,
    /// What scripts see behind their own globals: the libraries, `KEYS` and `ARGV`.
    globals: Kept,
    libraries: Libraries,
    compiled: DigestMap<Kept>,
    /// Generation of the script cache that `compiled` belongs to.
    generation: u64,
    /// Bytes that were left when garbage was last collected at once.
    settled_bytes: usize,
    running: Arc<Running>,
    buffers: Buffers,
}

impl ThreadScripting {
    /// For the thread whose place among the running scripts this is.
    pub fn new(running: Arc<Running>) -> Self {
        Self { interpreter: RefCell::default(), running, found: Cell::default() }
    }

    /// Leaves the script of a call, found when its locks were taken, for when it runs.
    pub(crate) fn set_found(&self, script: Option<Arc<Script>>) {
        self.found.set(script);
    }

    /// Takes what [`ThreadScripting::set_found`] has left.
    pub(crate) fn take_found(&self) -> Option<Arc<Script>> {
        self.found.take()
    }

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
            *place = Some(Interpreter::new(ctx, &self.running).map_err(lua_failure)?);
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
            *place = Some(Interpreter::new(ctx, &self.running).map_err(lua_failure)?);
        }
        let interpreter = place.as_mut().expect("it was built above");
        interpreter.compile(script, ctx.engine.scripts.generation())
    }
}

impl Interpreter {
    fn new(ctx: &Ctx<'_, '_>, running: &Arc<Running>) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let host = lua.create_table()?;
        let environment = lua.create_table()?;
        let differences = ctx.settings.dialect.differences();
        host.raw_set("environment", &environment)?;
        host.raw_set("version", differences.redis_version)?;
        host.raw_set("version_number", version_number(differences.redis_version))?;
        host.raw_set("is_valkey", differences.valkey_version.is_some())?;
        host.raw_set("where", lua.create_function(|lua, ()| Ok(script_line(lua)))?)?;
        lua.set_app_data(Arc::clone(running));
        watch(&lua, &host, running, ctx.settings.dialect)?;
        let libraries = Libraries::install(&lua, &host)?;
        // The functions of `redis` are those of the machine, which wants the handler of errors first:
        // so they are put in when the rest is there.
        let redis = lua.create_table()?;
        host.raw_set("redis", &redis)?;
        let handler = lua.load(PRELUDE).set_name("=prelude").call(&host)?;
        let machine = Machine::new(&lua, SCRIPT_MEMORY_BYTES_MAX, handler)?;
        for (number, (name, _)) in calls::FUNCTIONS.iter().enumerate() {
            let place = if *name == "clock" { &host } else { &redis };
            place.raw_set(*name, machine.function(number)?)?;
        }
        let globals = Kept::new(&lua, host.raw_get::<Table>("globals")?)?;
        Ok(Self {
            lua,
            machine,
            environment,
            globals,
            libraries,
            compiled: DigestMap::default(),
            generation: 0,
            settled_bytes: 0,
            running: Arc::clone(running),
            buffers: Buffers::default(),
        })
    }

    fn run(
        &mut self,
        ctx: &mut Ctx<'_, '_>,
        script: &Script,
        arguments: ScriptArguments<'_>,
        is_read_only: bool,
    ) -> Outcome {
        self.compile(script, ctx.engine.scripts.generation())?;
        let body = self.compiled.get(&script.digest).expect("it was compiled above");
        self.libraries.reset();
        let is_alone = ctx.data.exclusive.is_some();
        let company = if is_alone { Company::Alone } else { Company::BesideOthers };
        self.running.begin(ctx.started_ns, company);
        self.buffers.reset();
        let mut run = Run {
            ctx: &mut *ctx,
            buffers: &mut self.buffers,
            running: &self.running,
            protocol: Protocol::Resp2,
            is_read_only: is_read_only || script.flags.never_writes,
            allows_oom: script.flags.allows_oom,
            is_alone,
            stray: Stray::No,
        };
        let globals = &self.globals;
        let mut ended = self.machine.run(body, &mut run, |stack| {
            stack.push_kept(globals);
            for (name, values) in [("KEYS", arguments.keys), ("ARGV", arguments.values)] {
                stack.push_texts(values.iter());
                stack.set_field(name);
            }
            stack.pop();
            0
        });
        self.running.end(company);
        let stray = run.stray;
        let shows_booleans = run.protocol == Protocol::Resp3;
        let outcome = match ended.ending {
            Ending::Value => convert::reply(ctx.reply, ended.stack(), shows_booleans),
            Ending::Error => Err(failure(ended.stack(), script, ctx.settings.dialect)),
        };
        drop(ended);
        self.settle();
        match stray {
            Stray::No => outcome,
            Stray::BeforeEffects => {
                script.has_strayed();
                ctx.runs_again = true;
                Ok(())
            }
            Stray::AfterEffects => {
                script.has_strayed();
                Err(CommandError::ScriptStrayed)
            }
        }
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
            // The first ends the cycle that is under way; the second collects what has died since.
            let _ = self.lua.gc_collect().and_then(|()| self.lua.gc_collect());
            self.settled_bytes = self.lua.used_memory();
        }
    }

    fn compile(&mut self, script: &Script, generation: u64) -> Outcome {
        if self.generation != generation || COMPILED_MAX < self.compiled.len() {
            self.generation = generation;
            self.compiled.clear();
        }
        if self.compiled.contains_key(&script.digest) {
            return Ok(());
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
        let kept = Kept::new(&self.lua, function).map_err(lua_failure)?;
        self.compiled.insert(script.digest, kept);
        Ok(())
    }
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
    let ended_by = lua.create_table()?;
    ended_by.raw_set("err", dialect.script_error(CommandError::ScriptKilled).text().as_ref())?;
    host.raw_set("ended_by", ended_by)?;
    let (host, running) = (host.clone(), Arc::clone(running));
    host.raw_set("is_ended", {
        let running = Arc::clone(&running);
        lua.create_function(move |_, ()| Ok(running.is_ended()))?
    })?;
    let triggers = HookTriggers::new().every_nth_instruction(INSTRUCTIONS_PER_LOOK);
    lua.set_global_hook(triggers, move |_, _| {
        if running.is_ended() {
            return Err(raise(&host, host.raw_get("ended_by")?));
        }
        Ok(VmState::Continue)
    })
}

/// Leaves an error's table where the script's side finds it, and returns what is raised for it:
/// the binding can raise no table itself.
fn raise(host: &Table, error: Table) -> mlua::Error {
    match host.raw_set("raised", error) {
        Ok(()) => mlua::Error::runtime("raised"),
        Err(error) => error,
    }
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

/// The reply for a script that ended with an error.
fn failure(stack: &mut Stack<'_>, script: &Script, dialect: Dialect) -> CommandError {
    let digest = String::from_utf8_lossy(&script.digest);
    if stack.top() != Value::Table {
        // No handler ran: there was no memory for it, or it failed itself.
        let last = stack.len() - 1;
        let text = stack.text(last).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        return CommandError::Script(format!("Error running script {digest}, {text}").into());
    }
    stack.push_field("err");
    let text = stack.text(stack.len() - 1).unwrap_or_else(|| b"ERR".to_vec());
    let text = String::from_utf8_lossy(&text).replace(['\r', '\n'], " ");
    stack.pop();
    stack.push_field("where");
    let line = match stack.top() {
        Value::Number(line) if dialect.differences().errors_show_script => {
            format!("{text} script: {digest}, on @user_script:{line}.")
        }
        Value::Number(line) => format!("{text} script: on @user_script:{line}."),
        _ => format!("{text} script: {digest}"),
    };
    CommandError::Line(line.into())
}

fn lua_failure(error: mlua::Error) -> CommandError {
    CommandError::Script(error.to_string().replace(['\r', '\n'], " ").into())
}

fn version_number(version: &str) -> u32 {
    version.split('.').fold(0, |number, part| (number << 8) | part.parse().unwrap_or(0))
}
