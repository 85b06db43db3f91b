//! Lua 5.1's own stack, safe and without detours: for scripts that run for a microsecond.
//!
//! `mlua` builds an interpreter, compiles, and has libraries written in Rust; each value that it
//! hands over is an object with a reference of its own, and each call is wrapped twice. Where a script
//! of two calls should cost a microsecond in all, that is most of it. This crate does the few things
//! that happen on every run on the interpreter's stack itself: it hands over arguments, calls a
//! function, lets the script call back, and reads what it returns.
//!
//! What keeps it sound:
//!
//! - **No error crosses Rust.** The interpreter reports errors by `longjmp`. Functions of its interface
//!   that can raise one for another reason than memory are called with arguments that cannot
//!   (tables are tables, keys are neither nil nor NaN), or as the last thing in [`trampoline`], whose frame
//!   owns nothing. Memory: the limit of scripts is lifted while Rust works on the stack.
//! - **Nobody reads beneath.** A [`Stack`] knows where its own values begin and counts them.
//! - **A host does not outlive its run.** It is reachable only between the two ends of [`Machine::run`].
//! - **One thread at a time.** Whatever works on the state does so under the interpreter's own lock
//!   ([`locked`]), so an interpreter may go from thread to thread.

use mlua::ffi::{self, lua_State};
use mlua::{Function, IntoLua, Lua};
use std::cell::Cell;
use std::ffi::c_int;
use std::marker::PhantomData;
use std::ptr;

mod stack;

pub use stack::{Stack, Value};

/// What a script can call back.
pub trait Host {
    /// The function with this number was called: its arguments are on the stack, and what it
    /// leaves on top is its answer.
    fn call(&mut self, function: usize, stack: &mut Stack<'_>) -> Answer;
}

/// How a function answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The value on top is raised as an error.
    Error,
    /// It returns nothing.
    Nothing,
    /// It returns the value on top.
    Value,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// With an error, which the handler has made, or (where that could not run) the interpreter.
    Error,
    /// With the value that it returned.
    Value,
}

/// An interpreter whose functions are called again and again.
pub struct Machine {
    lua: Lua,
    state: *mut lua_State,
    /// Leaked, since functions may outlive the machine: there is one in a thread's life.
    shared: &'static Shared,
    handler: Kept,
}

/// What functions of the host reach by their upvalue.
struct Shared {
    lua: Lua,
    /// The host of the present run; null between runs.
    host: Cell<*mut (dyn Host + 'static)>,
    /// Bytes that scripts may use.
    memory_limit: usize,
}

/// A value that the interpreter keeps until this is dropped.
pub struct Kept {
    lua: Lua,
    state: *mut lua_State,
    reference: c_int,
}

// SAFETY: the state and what is shared are used under the interpreter's lock only: see the crate's head.
unsafe impl Send for Machine {}
// SAFETY: as above. What is kept is only a number to all but the interpreter.
unsafe impl Send for Kept {}

/// The binding itself takes care of its part.
const _: () = {
    const fn assert_goes_between_threads<T: Send + Sync>() {}
    assert_goes_between_threads::<Lua>();
};

impl Machine {
    /// Prepares an interpreter. Scripts may use `memory_limit` bytes; `handler` gets their errors, and
    /// what it returns is the error of the run.
    pub fn new(lua: &Lua, memory_limit: usize, handler: Function) -> mlua::Result<Self> {
        let state = main_state(lua)?;
        let host = Cell::new(ptr::null_mut::<NoHost>() as *mut (dyn Host + 'static));
        let shared = Box::leak(Box::new(Shared { lua: lua.clone(), host, memory_limit }));
        Ok(Self { lua: lua.clone(), state, shared, handler: Kept::new(lua, handler)? })
    }

    /// A function that calls [`Host::call`] with this number. Outside of runs it does nothing.
    pub fn function(&self, number: usize) -> mlua::Result<Function> {
        let shared: *const Shared = self.shared;
        let push = |state| {
            // SAFETY: this runs in the protected call below, on a stack of its own with room.
            unsafe { push_trampoline(state, shared, number) };
        };
        // SAFETY: what is called leaves one value on its stack.
        unsafe { self.lua.exec_raw((), push) }
    }

    /// Calls `body`: `prepare` pushes its arguments and returns how many they are; `finish` finds one
    /// value on the stack, what it returned or its error.
    pub fn run<H: Host, R>(
        &mut self,
        body: &Kept,
        host: &mut H,
        prepare: impl FnOnce(&mut Stack<'_>) -> usize,
        finish: impl FnOnce(&mut H, Ending, &mut Stack<'_>) -> R,
    ) -> R {
        locked(&self.lua, || {
            let mut stack = Stack::of_rest(self.state);
            stack.push_kept(&self.handler);
            stack.push_kept(body);
            let count = prepare(&mut stack);
            assert_eq!(stack.len(), count + 2, "the arguments, and nothing else, are pushed");
            let session = HostSession::begin(self.shared, host);
            let status = stack.call(count);
            drop(session);
            let ending = if status == ffi::LUA_OK { Ending::Value } else { Ending::Error };
            finish(host, ending, &mut stack)
        })
    }

    /// Works on the stack outside of a run.
    pub fn on_stack<R>(&self, work: impl FnOnce(&mut Stack<'_>) -> R) -> R {
        locked(&self.lua, || work(&mut Stack::of_rest(self.state)))
    }

    /// Bytes that the interpreter uses.
    pub fn memory_bytes(&self) -> usize {
        self.lua.used_memory()
    }
}

impl Kept {
    /// Keeps a value.
    pub fn new(lua: &Lua, value: impl IntoLua) -> mlua::Result<Self> {
        let state = main_state(lua)?;
        let mut reference = ffi::LUA_NOREF;
        let keep = |state| {
            // SAFETY: this runs in the protected call below, with the value on top.
            reference = unsafe { ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX) };
        };
        // SAFETY: what is called takes the one value from the stack that it is given.
        unsafe { lua.exec_raw::<()>(value, keep)? };
        Ok(Self { lua: lua.clone(), state, reference })
    }

    /// Whether it is kept in this interpreter.
    fn is_of(&self, state: *mut lua_State) -> bool {
        let _ = &self.lua;
        // SAFETY: both states are alive; registries are compared by address only.
        unsafe { same_registry(self.state, state) }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        locked(&self.lua, || {
            // SAFETY: `lua` keeps the state alive; giving a reference back only writes to a place that
            // the registry has already, which allocates nothing and so raises nothing.
            unsafe { ffi::luaL_unref(self.state, ffi::LUA_REGISTRYINDEX, self.reference) };
        });
    }
}

/// Makes a host reachable for as long as it lives.
struct HostSession<'s> {
    shared: &'s Shared,
    before: *mut (dyn Host + 'static),
}

impl<'s> HostSession<'s> {
    fn begin(shared: &'s Shared, host: &mut dyn Host) -> Self {
        let host: *mut (dyn Host + '_) = host;
        // SAFETY: only the lifetime changes, and `drop` takes the pointer back before that ends.
        let host: *mut (dyn Host + 'static) = unsafe { std::mem::transmute(host) };
        let before = shared.host.replace(host);
        // `Err` would mean that the interpreter counts no bytes: it does, it was built so.
        let _ = shared.lua.set_memory_limit(shared.memory_limit);
        Self { shared, before }
    }
}

impl Drop for HostSession<'_> {
    fn drop(&mut self) {
        let _ = self.shared.lua.set_memory_limit(0);
        self.shared.host.set(self.before);
    }
}

/// Stands for no host.
enum NoHost {}

impl Host for NoHost {
    fn call(&mut self, _: usize, _: &mut Stack<'_>) -> Answer {
        match *self {}
    }
}

/// Works while no other thread uses the interpreter.
fn locked<R>(lua: &Lua, work: impl FnOnce() -> R) -> R {
    let mut result = None;
    // A scope holds the lock for as long as it lasts.
    let held = lua.scope(|_| {
        result = Some(work());
        Ok(())
    });
    held.expect("a scope without values has nothing that could fail");
    result.expect("a scope runs its body")
}

fn main_state(lua: &Lua) -> mlua::Result<*mut lua_State> {
    let mut main = ptr::null_mut();
    // SAFETY: the closure only looks which state it is given.
    unsafe { lua.exec_raw::<()>((), |state| main = state)? };
    Ok(main)
}

/// # Safety
/// Both must be alive.
unsafe fn same_registry(one: *mut lua_State, other: *mut lua_State) -> bool {
    // SAFETY: by the caller's promise; the index names a table in every state.
    let address = |state| unsafe { ffi::lua_topointer(state, ffi::LUA_REGISTRYINDEX) };
    address(one) == address(other)
}

/// Leaves on the stack a function whose upvalues are `shared` and `number`.
///
/// # Safety
/// `state` must be alive, in a protected call, with room for two values.
unsafe fn push_trampoline(state: *mut lua_State, shared: *const Shared, number: usize) {
    // SAFETY: by the caller's promise.
    unsafe { ffi::lua_pushlightuserdata(state, shared.cast_mut().cast()) };
    // SAFETY: as above.
    unsafe { ffi::lua_pushinteger(state, number as ffi::lua_Integer) };
    // SAFETY: as above; both upvalues are on top.
    unsafe { ffi::lua_pushcclosure(state, trampoline, 2) };
}

/// The interpreter calls a function of the host.
///
/// # Safety
/// Only the interpreter calls it, with the upvalues that [`push_trampoline`] has set.
unsafe extern "C-unwind" fn trampoline(state: *mut lua_State) -> c_int {
    // SAFETY: the upvalue is what it was set to.
    let shared = unsafe { ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)) };
    // SAFETY: it is never freed.
    let shared = unsafe { &*shared.cast::<Shared>() };
    // SAFETY: as the first.
    let number = unsafe { ffi::lua_tointeger(state, ffi::lua_upvalueindex(2)) };
    match answer(shared, state, number as usize) {
        Answer::Nothing => 0,
        Answer::Value => 1,
        // SAFETY: the error is on top, and this frame owns nothing that the jump would leave behind.
        Answer::Error => unsafe { ffi::lua_error(state) },
    }
}

fn answer(shared: &Shared, state: *mut lua_State, number: usize) -> Answer {
    let host = shared.host.get();
    if host.is_null() {
        return Answer::Nothing;
    }
    // While Rust works on the stack no allocation may fail: see the crate's head.
    let _ = shared.lua.set_memory_limit(0);
    let mut stack = Stack::of_call(state);
    // SAFETY: not null, so the run goes on whose host this is, and nobody else refers to it: a host's
    // function that ran another script would have put that script's host here.
    let host = unsafe { &mut *host };
    let answer = host.call(number, &mut stack);
    assert!(answer == Answer::Nothing || !stack.is_empty(), "an answer is on the stack");
    // The values are the interpreter's now.
    std::mem::forget(stack);
    let _ = shared.lua.set_memory_limit(shared.memory_limit);
    answer
}

/// What ties a stack to the machine that it belongs to.
type Tie<'m> = PhantomData<&'m mut lua_State>;

#[cfg(test)]
mod tests;
