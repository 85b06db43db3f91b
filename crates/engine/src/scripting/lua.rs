//! One thread's part of scripting: its interpreter, and the scripts that it has compiled.

use super::calls::Stray;
use super::interpreter::{Interpreter, ScriptArguments, Task, check_promises, lua_failure};
use super::running::{Kind, Running};
use super::{DigestMap, Script};
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;
use luastack::Kept;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Compiled scripts that a thread keeps; all are dropped when there are more.
const COMPILED_MAX: usize = 1000;

/// By how much an interpreter's size may differ from what INFO shows.
const TOLD_BYTES_APART: usize = 16 << 10;

/// A thread's part of scripting: its interpreter, built when the first script runs.
pub struct ThreadScripting {
    place: RefCell<Option<Compiled>>,
    running: Arc<Running>,
    /// The script of the call whose locks were taken last.
    found: Cell<Option<Arc<Script>>>,
}

struct Compiled {
    interpreter: Interpreter,
    scripts: DigestMap<Kept>,
    /// Generation of the script cache that `scripts` belongs to.
    generation: u64,
    /// Bytes of the interpreter that everybody knows of.
    told_bytes: usize,
}

impl ThreadScripting {
    /// For the thread whose place among the running scripts this is.
    pub fn new(running: Arc<Running>) -> Self {
        Self { place: RefCell::default(), running, found: Cell::default() }
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
        let Ok(mut place) = self.place.try_borrow_mut() else {
            return Err(CommandError::NotInScript);
        };
        let Compiled { interpreter, scripts, .. } = self.compiled(&mut place, ctx, script)?;
        let flags = script.flags;
        if flags.is_declared {
            check_promises(ctx, flags.never_writes, flags.allows_oom, is_read_only)?;
        }
        let task = Task {
            title: std::str::from_utf8(&script.digest).unwrap_or_default(),
            body: scripts.get(&script.digest).expect("it was compiled above"),
            is_read_only: is_read_only || flags.never_writes,
            allows_oom: flags.allows_oom,
        };
        let db = ctx.session.db;
        let finish = interpreter.run(ctx, &task, arguments);
        ctx.session.db = db;
        ctx.data.db = db;
        match finish.stray {
            Stray::No => finish.outcome,
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

    /// Compiles a script without running it, for SCRIPT LOAD.
    pub fn check(&self, ctx: &Ctx<'_, '_>, script: &Script) -> Outcome {
        let Ok(mut place) = self.place.try_borrow_mut() else { return Ok(()) };
        self.compiled(&mut place, ctx, script).map(|_| ())
    }

    /// The interpreter, with this script among those that are compiled.
    fn compiled<'p>(
        &self,
        place: &'p mut Option<Compiled>,
        ctx: &Ctx<'_, '_>,
        script: &Script,
    ) -> Result<&'p mut Compiled, CommandError> {
        if place.is_none() {
            let interpreter = Interpreter::new(ctx.settings.dialect, Kind::Script, &self.running);
            let interpreter = interpreter.map_err(|error| lua_failure(&error))?;
            let scripts = DigestMap::default();
            *place = Some(Compiled { interpreter, scripts, generation: 0, told_bytes: 0 });
        }
        let compiled = place.as_mut().expect("it was built above");
        compiled.tell(ctx);
        compiled.compile(script, ctx.engine.scripts.generation())?;
        Ok(compiled)
    }
}

impl Compiled {
    fn compile(&mut self, script: &Script, generation: u64) -> Outcome {
        if self.generation != generation || COMPILED_MAX < self.scripts.len() {
            self.generation = generation;
            self.scripts.clear();
        }
        if !self.scripts.contains_key(&script.digest) {
            let kept = self.interpreter.compile(&script.body);
            let kept = kept.map_err(|problem| CommandError::ScriptCompile(problem.into()))?;
            self.scripts.insert(script.digest, kept);
        }
        Ok(())
    }

    /// Lets INFO know what the interpreter uses, if that has changed much.
    fn tell(&mut self, ctx: &Ctx<'_, '_>) {
        let bytes = self.interpreter.memory_bytes();
        if TOLD_BYTES_APART < bytes.abs_diff(self.told_bytes) {
            ctx.engine.scripts.tell_growth(self.told_bytes, bytes);
            self.told_bytes = bytes;
        }
    }
}
