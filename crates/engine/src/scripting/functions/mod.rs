//! Function libraries: Lua that is loaded once, and whose functions are called by name.
//!
//! All libraries live in one interpreter that all threads share, since a library may keep state
//! between calls. Whoever runs it is alone behind the gate, so its lock is always free. What there is
//! to call stands beside it, for those who only look.

mod header;
mod load;

use super::interpreter::{ScriptArguments, Task, check_promises};
use crate::command::Outcome;
use crate::context::Ctx;
use crate::engine::Engine;
use crate::error::{CommandError, FunctionError};
use crate::host::Host;
use load::Home;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use store::rdb::{Target, payload};

/// The libraries of a server.
#[derive(Default)]
pub struct Functions {
    /// Built with the first library.
    home: Mutex<Option<Home>>,
    shelf: RwLock<Shelf>,
}

/// A set of libraries whose functions have different names.
#[derive(Clone, Default)]
pub struct Shelf {
    libraries: BTreeMap<Box<[u8]>, Arc<Library>>,
    /// By their names in lower case.
    functions: HashMap<Box<[u8]>, Arc<Function>>,
}

/// A library: its text and what it has registered.
pub struct Library {
    pub name: Box<[u8]>,
    pub code: Box<[u8]>,
    pub functions: Vec<Arc<Function>>,
}

/// A function of a library.
pub struct Function {
    pub name: Box<[u8]>,
    pub description: Option<Box<[u8]>>,
    pub flags: FunctionFlags,
    /// Under which its body is kept where functions live.
    number: u64,
}

/// What a function promises.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct FunctionFlags(u8);

impl FunctionFlags {
    /// The names of all flags, in the order in which they are shown.
    const NAMES: [&'static str; 5] =
        ["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"];

    /// The names of those that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> + Clone {
        let names = Self::NAMES.iter().enumerate();
        names.filter(move |(bit, _)| self.0 & 1 << bit != 0).map(|(_, name)| *name)
    }

    /// Sets a flag; `false` if none has this name.
    fn set(&mut self, name: &[u8]) -> bool {
        let bit = Self::NAMES.iter().position(|known| name == known.as_bytes());
        bit.inspect(|bit| self.0 |= 1 << bit).is_some()
    }

    fn never_writes(self) -> bool {
        self.0 & 1 != 0
    }

    fn allows_oom(self) -> bool {
        self.0 & 2 != 0
    }
}

/// What a library is loaded with.
#[derive(Clone, Copy)]
pub struct Loader<'l> {
    pub engine: &'l Engine,
    pub host: &'l dyn Host,
}

/// What to do about a library that there is already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    /// It is in the way.
    Refuse,
    /// It gives way.
    Replace,
}

impl Functions {
    /// Loads a library; its name.
    ///
    /// # Errors
    /// The text is no library, or names what there is already: nothing has changed then.
    pub fn load(
        &self,
        loader: Loader<'_>,
        code: &[u8],
        existing: Existing,
    ) -> Result<Box<[u8]>, CommandError> {
        let mut shelf = self.shelf.read().clone();
        let loaded = self.load_into(loader, &mut shelf, code, existing);
        self.settle(loaded.is_ok().then_some(shelf));
        loaded
    }

    /// Loads several libraries, all or none.
    ///
    /// # Errors
    /// As [`Functions::load`].
    pub fn load_all(
        &self,
        loader: Loader<'_>,
        codes: &[Vec<u8>],
        existing: Existing,
        keeps_others: bool,
    ) -> Outcome {
        let mut shelf = if keeps_others { self.shelf.read().clone() } else { Shelf::default() };
        let loaded = codes.iter().try_for_each(|code| {
            let loaded = self.load_into(loader, &mut shelf, code, existing);
            loaded.map(|_| ()).map_err(|error| match error {
                CommandError::Function(FunctionError::LibraryExists(name)) => {
                    FunctionError::LibraryCollides(name).into()
                }
                error => error,
            })
        });
        self.settle(loaded.is_ok().then_some(shelf));
        loaded
    }

    /// Puts up a new shelf, if there is one, and forgets the bodies of functions that are on none.
    fn settle(&self, shelf: Option<Shelf>) {
        if let Some(shelf) = shelf {
            *self.shelf.write() = shelf;
        }
        if let Some(home) = &mut *self.home.lock() {
            let shelf = self.shelf.read();
            let numbers = shelf.functions.values().map(|function| function.number);
            home.keep_only(&numbers.collect());
        }
    }

    fn load_into(
        &self,
        loader: Loader<'_>,
        shelf: &mut Shelf,
        code: &[u8],
        existing: Existing,
    ) -> Result<Box<[u8]>, CommandError> {
        let name = header::library_name(code, loader.engine.settings().dialect)?;
        if shelf.libraries.contains_key(&name) {
            if existing == Existing::Refuse {
                return Err(FunctionError::LibraryExists(shown(&name)).into());
            }
            shelf.remove(&name);
        }
        let mut place = self.home.lock();
        if place.is_none() {
            *place = Some(Home::new(loader.engine)?);
        }
        let home = place.as_mut().expect("it was built above");
        let functions = home.load(loader.host, code)?;
        shelf.add(Library { name: name.clone(), code: code.into(), functions })?;
        Ok(name)
    }

    /// Removes a library; `false` if there is none of this name.
    pub fn delete(&self, name: &[u8]) -> bool {
        let is_removed = self.shelf.write().remove(name);
        self.settle(None);
        is_removed
    }

    /// Removes all libraries, and frees what they held.
    pub fn flush(&self) {
        self.settle(Some(Shelf::default()));
        if let Some(home) = &mut *self.home.lock() {
            home.interpreter.collect_garbage();
        }
    }

    /// The libraries, by name.
    pub fn libraries(&self) -> Vec<Arc<Library>> {
        self.shelf.read().libraries.values().map(Arc::clone).collect()
    }

    /// The libraries as bytes that FUNCTION RESTORE takes, here and elsewhere.
    pub fn dump(&self, target: &Target) -> Vec<u8> {
        let libraries = self.libraries();
        payload::dump_functions(libraries.iter().map(|library| &*library.code), target)
    }

    /// How many libraries and functions there are.
    pub fn count(&self) -> (usize, usize) {
        let shelf = self.shelf.read();
        (shelf.libraries.len(), shelf.functions.len())
    }

    /// Bytes of the libraries' texts and tables, and of the interpreter (0 while it runs).
    pub fn memory_bytes(&self) -> (usize, usize) {
        let texts = self.shelf.read().libraries.values().map(|library| library.bytes()).sum();
        let home = self.home.try_lock();
        let home = home.as_ref().and_then(|place| place.as_ref());
        (texts, home.map_or(0, |home| home.interpreter.memory_bytes()))
    }

    /// The function with this name, in any case.
    pub fn find(&self, name: &[u8]) -> Option<Arc<Function>> {
        self.shelf.read().functions.get(&*name.to_ascii_lowercase()).map(Arc::clone)
    }

    /// Calls a function; its result becomes the reply.
    ///
    /// # Errors
    /// What it does not promise is refused, and what it ends with is an error.
    pub fn call(
        &self,
        ctx: &mut Ctx<'_, '_>,
        function: &Function,
        arguments: ScriptArguments<'_>,
        is_read_only: bool,
    ) -> Outcome {
        let flags = function.flags;
        check_promises(ctx, flags.never_writes(), flags.allows_oom(), is_read_only)?;
        let mut place = self.home.lock();
        let Home { interpreter, bodies, .. } = place.as_mut().ok_or(FunctionError::NotFound)?;
        let title = shown(&function.name);
        let task = Task {
            title: &title,
            body: bodies.get(&function.number).ok_or(FunctionError::NotFound)?,
            is_read_only: is_read_only || flags.never_writes(),
            allows_oom: flags.allows_oom(),
        };
        let running = &ctx.engine.scripts.running;
        running.describe(&function.name, ctx.argv);
        let db = ctx.session.db;
        let finish = interpreter.run(ctx, &task, arguments);
        ctx.session.db = db;
        ctx.data.db = db;
        running.forget_call();
        finish.outcome
    }
}

impl Shelf {
    fn add(&mut self, library: Library) -> Result<(), CommandError> {
        for function in &library.functions {
            let name = function.name.to_ascii_lowercase().into_boxed_slice();
            if self.functions.insert(name, Arc::clone(function)).is_some() {
                return Err(FunctionError::FunctionExists(shown(&function.name)).into());
            }
        }
        self.libraries.insert(library.name.clone(), Arc::new(library));
        Ok(())
    }

    fn remove(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.libraries.remove(name) else { return false };
        for function in &library.functions {
            self.functions.remove(&*function.name.to_ascii_lowercase());
        }
        true
    }
}

impl Library {
    fn bytes(&self) -> usize {
        let function = |function: &Arc<Function>| {
            let description = function.description.as_ref().map_or(0, |text| text.len());
            size_of::<Function>() + function.name.len() + description
        };
        let functions: usize = self.functions.iter().map(function).sum();
        size_of::<Self>() + self.name.len() + self.code.len() + functions
    }
}

fn shown(name: &[u8]) -> Box<str> {
    String::from_utf8_lossy(name).into()
}

/// Whether a library or a function may be called so.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_names() {
        let mut flags = FunctionFlags::default();
        assert!(flags.set(b"allow-oom") && flags.set(b"no-writes"));
        assert!(!flags.set(b"NO-WRITES") && !flags.set(b""));
        assert!(flags.never_writes() && flags.allows_oom());
        assert_eq!(flags.names().collect::<Vec<_>>(), ["no-writes", "allow-oom"]);
        assert_eq!(FunctionFlags::default().names().count(), 0);
    }

    #[test]
    fn names_are_letters_digits_and_underscores() {
        assert!(is_name(b"a_B9") && is_name(b"9"));
        assert!(!is_name(b"") && !is_name(b"a-b") && !is_name(b"a b") && !is_name("ä".as_bytes()));
    }
}
