//! Where functions live: the interpreter that runs the texts of libraries, and what they register.

use super::{Function, FunctionFlags, is_name};
use crate::dialect::Dialect;
use crate::engine::Engine;
use crate::error::{CommandError, FunctionError};
use crate::host::Host;
use crate::scripting::interpreter::{Interpreter, LoadLimit, error_table, lua_failure, raise};
use crate::scripting::running::Kind;
use luastack::Kept;
use mlua::{Lua, MultiValue, Table, Value};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Where functions live.
pub(super) struct Home {
    pub(super) interpreter: Interpreter,
    /// Of functions, by their numbers.
    pub(super) bodies: HashMap<u64, Kept>,
    numbers: u64,
    dialect: Dialect,
    /// What the text that is being loaded has registered so far.
    loading: Arc<Mutex<Option<Vec<Registered>>>>,
}

/// A function, as a library names it.
struct Registered {
    name: Box<[u8]>,
    description: Option<Box<[u8]>>,
    flags: FunctionFlags,
    body: mlua::Function,
}

impl Home {
    pub(super) fn new(engine: &Engine) -> Result<Self, CommandError> {
        Self::build(engine).map_err(|error| lua_failure(&error))
    }

    fn build(engine: &Engine) -> mlua::Result<Self> {
        let (running, dialect) = (engine.scripts.running.of_functions(), engine.settings().dialect);
        let interpreter = Interpreter::new(dialect, Kind::Function, &running)?;
        let Interpreter { lua, host, .. } = &interpreter;
        lua.set_app_data(LoadLimit::new(engine.shared_clock()));
        let loading = Arc::new(Mutex::new(None));
        let register = {
            let (host, loading) = (host.clone(), Arc::clone(&loading));
            lua.create_function(move |lua, values: MultiValue| {
                register(lua, &values, &loading, dialect).map_err(|error| {
                    let error = dialect.script_error(error.into());
                    error_table(lua, &error).map_or_else(|error| error, |table| raise(&host, table))
                })
            })?
        };
        host.raw_get::<Table>("loading")?.raw_set("register_function", register)?;
        Ok(Self { interpreter, bodies: HashMap::new(), numbers: 0, dialect, loading })
    }

    /// The functions that a text registers.
    pub(super) fn load(
        &mut self,
        host: &dyn Host,
        code: &[u8],
    ) -> Result<Vec<Arc<Function>>, CommandError> {
        let body = self.interpreter.compile(code);
        let body = body.map_err(|problem| FunctionError::Compile(problem.into()))?;
        *self.loading.lock() = Some(Vec::new());
        let problem = self.interpreter.load(&body, host, self.dialect);
        let registered = self.loading.lock().take().unwrap_or_default();
        if let Some(text) = problem {
            return Err(FunctionError::Load(text.into()).into());
        }
        if registered.is_empty() {
            return Err(FunctionError::NothingRegistered.into());
        }
        if self.dialect.differences().function_names_wait {
            for (index, function) in registered.iter().enumerate() {
                check_name(&function.name, &registered[..index], FunctionError::FunctionName)?;
            }
        }
        let keep = registered.into_iter().map(|function| self.keep(function));
        keep.collect::<mlua::Result<_>>().map_err(|error| lua_failure(&error))
    }

    /// Forgets the bodies of all other functions.
    pub(super) fn keep_only(&mut self, numbers: &HashSet<u64>) {
        self.bodies.retain(|number, _| numbers.contains(number));
    }

    fn keep(&mut self, function: Registered) -> mlua::Result<Arc<Function>> {
        let Registered { name, description, flags, body } = function;
        self.numbers += 1;
        let number = self.numbers;
        self.bodies.insert(number, Kept::new(&self.interpreter.lua, body)?);
        Ok(Arc::new(Function { name, description, flags, number }))
    }
}

/// `redis.register_function(name, callback)`, or with a table of named arguments.
fn register(
    lua: &Lua,
    values: &MultiValue,
    loading: &Mutex<Option<Vec<Registered>>>,
    dialect: Dialect,
) -> Result<(), FunctionError> {
    let mut loading = loading.lock();
    let functions = loading.as_mut().ok_or(FunctionError::LoadOnly)?;
    let function = match (values.front(), values.get(1), values.len()) {
        (Some(Value::Table(arguments)), None, 1) => named(lua, arguments)?,
        (_, _, 1) => return Err(FunctionError::ArgumentsNotNamed),
        (Some(name), Some(body), 2) => positional(lua, name, body)?,
        _ => return Err(FunctionError::ArgumentCount),
    };
    if !dialect.differences().function_names_wait {
        check_name(&function.name, functions, FunctionError::Name)?;
    }
    functions.push(function);
    Ok(())
}

fn positional(lua: &Lua, name: &Value, body: &Value) -> Result<Registered, FunctionError> {
    let name = text(lua, name).ok_or(FunctionError::FirstArgument)?;
    let Value::Function(body) = body else { return Err(FunctionError::SecondArgument) };
    let flags = FunctionFlags::default();
    Ok(Registered { name, description: None, flags, body: body.clone() })
}

fn named(lua: &Lua, arguments: &Table) -> Result<Registered, FunctionError> {
    let (mut name, mut description, mut body) = (None, None, None);
    let mut flags = FunctionFlags::default();
    for pair in arguments.pairs::<Value, Value>() {
        let Ok((Value::String(key), value)) = pair else {
            return Err(FunctionError::ArgumentUnknown);
        };
        match (&*key.as_bytes(), value) {
            (b"function_name", value) => {
                let text = text(lua, &value);
                name = Some(text.ok_or(FunctionError::ArgumentType("function_name"))?);
            }
            (b"description", value) => {
                let text = text(lua, &value);
                description = Some(text.ok_or(FunctionError::ArgumentType("description"))?);
            }
            (b"callback", Value::Function(callback)) => body = Some(callback),
            (b"callback", _) => return Err(FunctionError::Callback),
            (b"flags", Value::Table(names)) => flags = read_flags(&names)?,
            (b"flags", _) => return Err(FunctionError::FlagsType),
            _ => return Err(FunctionError::ArgumentUnknown),
        }
    }
    let name = name.ok_or(FunctionError::FunctionNameMissing)?;
    let body = body.ok_or(FunctionError::CallbackMissing)?;
    Ok(Registered { name, description, flags, body })
}

/// A text, or a number as text.
fn text(lua: &Lua, value: &Value) -> Option<Box<[u8]>> {
    let text = lua.coerce_string(value.clone()).ok().flatten()?;
    Some(text.as_bytes().as_ref().into())
}

/// A function's name: of the right letters, else `ill_formed`, and not taken.
fn check_name(
    name: &[u8],
    others: &[Registered],
    ill_formed: FunctionError,
) -> Result<(), FunctionError> {
    if !is_name(name) {
        return Err(ill_formed);
    }
    if others.iter().any(|other| other.name.eq_ignore_ascii_case(name)) {
        return Err(FunctionError::RegisteredTwice);
    }
    Ok(())
}

fn read_flags(names: &Table) -> Result<FunctionFlags, FunctionError> {
    let mut flags = FunctionFlags::default();
    for name in names.sequence_values::<Value>() {
        let is_known = match name {
            Ok(Value::String(name)) => flags.set(&name.as_bytes()),
            _ => false,
        };
        if !is_known {
            return Err(FunctionError::FlagUnknown);
        }
    }
    Ok(flags)
}
