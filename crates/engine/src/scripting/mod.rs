//! Scripts: the cache that all threads share, and each thread's interpreter.
//!
//! A script whose text shows that it touches only the keys that it is given ([`recognizer`]) holds the
//! locks of their shards while it runs. Any other may touch any key, declared or not, and runs behind the
//! gate. Either way nobody else's call is between its own. The interpreter belongs to the thread; nothing
//! of a script's state outlives its run, because its globals are protected.

mod calls;
mod convert;
pub mod functions;
mod interpreter;
mod libraries;
mod lua;
mod prelude;
mod recognizer;
mod running;

pub use interpreter::ScriptArguments;
pub use lua::ThreadScripting;
pub use running::{Kind, RunningFunction, RunningScripts};

use crate::dialect::Dialect;
use crate::error::CommandError;
use crate::table::CommandTable;
use parking_lot::RwLock;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// SHA1 of a script's body, in lower-case hexadecimal.
pub type Digest = [u8; 40];

/// Something for each digest.
type DigestMap<T> = HashMap<Digest, T, foldhash::fast::RandomState>;

/// One cached script.
#[derive(Debug)]
pub struct Script {
    pub digest: Digest,
    pub body: Box<[u8]>,
    pub flags: ScriptFlags,
    /// Whether it touches no keys but those that it is given, for all that is known.
    names_its_keys: AtomicBool,
}

impl Script {
    /// Whether the locks of the keys that it is given suffice for it.
    pub fn names_its_keys(&self) -> bool {
        // Relaxed: whoever reads an old value finds out while the script runs.
        self.names_its_keys.load(Ordering::Relaxed)
    }

    /// It has touched another key: from now on it runs alone.
    pub(crate) fn has_strayed(&self) {
        self.names_its_keys.store(false, Ordering::Relaxed);
    }
}

/// What a script promises in its first line (`#!lua flags=no-writes`).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ScriptFlags {
    pub allows_oom: bool,
    /// Whether the script begins with such a line at all: then what it does not promise is refused
    /// before it runs.
    pub is_declared: bool,
    pub never_writes: bool,
}

/// The cache of scripts.
pub struct Scripts {
    cached: RwLock<Cache>,
    /// The scripts that run now; interpreters look at it while they run.
    pub running: RunningScripts,
    /// Changes when scripts are forgotten: threads then drop what they compiled.
    generation: AtomicU64,
    /// Of all threads' interpreters, as far as they have told.
    interpreter_bytes: AtomicUsize,
}

#[derive(Default)]
struct Cache {
    scripts: DigestMap<Cached>,
    /// Scripts that only EVAL brought, oldest first: bounded, for clients that build their
    /// scripts' texts anew each time.
    evaluated: VecDeque<Digest>,
    evicted: u64,
}

struct Cached {
    script: Arc<Script>,
    is_loaded: bool,
}

/// Scripts that EVAL (not SCRIPT LOAD) brought and that are kept.
const EVALUATED_MAX: usize = 500;

impl Scripts {
    /// An empty cache, for so many threads.
    pub fn new(threads: usize) -> Self {
        Self {
            cached: RwLock::default(),
            running: RunningScripts::new(threads),
            generation: AtomicU64::new(0),
            interpreter_bytes: AtomicUsize::new(0),
        }
    }

    /// The script with this digest.
    pub fn find(&self, digest: &Digest) -> Option<Arc<Script>> {
        self.cached.read().scripts.get(digest).map(|cached| Arc::clone(&cached.script))
    }

    /// The cached script with this body, which is cached now if it was not.
    ///
    /// # Errors
    /// A first line that names an engine or flags that do not exist.
    pub fn add(
        &self,
        body: &[u8],
        is_loaded: bool,
        table: &CommandTable,
        dialect: Dialect,
    ) -> Result<Arc<Script>, CommandError> {
        let digest = digest(body);
        if !is_loaded && let Some(script) = self.find(&digest) {
            return Ok(script);
        }
        let script = self.prepare(body, table, dialect)?;
        let mut cache = self.cached.write();
        if let Some(cached) = cache.scripts.get_mut(&digest) {
            cached.is_loaded |= is_loaded;
            return Ok(Arc::clone(&cached.script));
        }
        cache.scripts.insert(digest, Cached { script: Arc::clone(&script), is_loaded });
        if !is_loaded {
            cache.evaluated.push_back(digest);
            self.evict(&mut cache);
        }
        Ok(script)
    }

    /// A script that is not cached yet.
    ///
    /// # Errors
    /// As [`Scripts::add`].
    pub fn prepare(
        &self,
        body: &[u8],
        table: &CommandTable,
        dialect: Dialect,
    ) -> Result<Arc<Script>, CommandError> {
        let flags = parse_first_line(body, dialect)?;
        let names_its_keys = recognizer::names_its_keys(without_first_line(body), table);
        Ok(Arc::new(Script {
            digest: digest(body),
            body: body.into(),
            flags,
            names_its_keys: AtomicBool::new(names_its_keys),
        }))
    }

    /// Forgets all scripts.
    pub fn flush(&self) {
        let mut cache = self.cached.write();
        cache.scripts.clear();
        cache.evaluated.clear();
        // Pairs with the acquire in `generation`.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Number of cached scripts, their bytes, and how many were evicted so far.
    pub fn measure(&self) -> (usize, usize, u64) {
        let cache = self.cached.read();
        let bytes = cache.scripts.values().map(|c| c.script.body.len() + size_of::<Script>()).sum();
        (cache.scripts.len(), bytes, cache.evicted)
    }

    /// Bytes that the interpreters of all threads use.
    pub fn interpreter_bytes(&self) -> usize {
        self.interpreter_bytes.load(Ordering::Relaxed)
    }

    /// An interpreter has grown, or has become smaller.
    fn tell_growth(&self, before: usize, after: usize) {
        // A sum of wrapping differences is the difference of the sums.
        self.interpreter_bytes.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn evict(&self, cache: &mut Cache) {
        while EVALUATED_MAX < cache.evaluated.len() {
            let Some(oldest) = cache.evaluated.pop_front() else { return };
            if cache.scripts.get(&oldest).is_some_and(|cached| !cached.is_loaded) {
                cache.scripts.remove(&oldest);
                cache.evicted += 1;
            }
        }
    }
}

/// The SHA1 of a script's body.
pub fn digest(body: &[u8]) -> Digest {
    hexadecimal(&sha1_smol::Sha1::from(body).digest().bytes())
}

/// A digest as a client wrote it, in any case.
pub fn parse_digest(text: &[u8]) -> Option<Digest> {
    let mut digest: Digest = text.try_into().ok()?;
    digest.make_ascii_lowercase();
    Some(digest)
}

fn hexadecimal(bytes: &[u8; 20]) -> Digest {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 40];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// The body with its `#!` line made empty, so that line numbers stay true.
fn without_first_line(body: &[u8]) -> &[u8] {
    if !body.starts_with(b"#!") {
        return body;
    }
    body.iter().position(|byte| *byte == b'\n').map_or(&[], |end| &body[end..])
}

/// Reads `#!lua flags=…`, if the script begins so.
fn parse_first_line(body: &[u8], dialect: Dialect) -> Result<ScriptFlags, CommandError> {
    let mut flags = ScriptFlags::default();
    if !body.starts_with(b"#!") {
        return Ok(flags);
    }
    flags.is_declared = true;
    let Some(end) = body.iter().position(|byte| *byte == b'\n') else {
        return Err(CommandError::ScriptFirstLine("Invalid script shebang".into()));
    };
    let line = String::from_utf8_lossy(&body[..end]);
    let mut words = line.split_ascii_whitespace();
    let engine = words.next().unwrap_or_default();
    let is_known = engine == "#!lua";
    // One of them looks at the engine first, the other at the flags.
    if !is_known && !dialect.differences().script_engines_are_many {
        let text = format!("Unexpected engine in script shebang: {engine}");
        return Err(CommandError::ScriptFirstLine(text.into()));
    }
    for word in words {
        let Some(list) = word.strip_prefix("flags=") else {
            let text = format!("Unknown lua shebang option: {word}");
            return Err(CommandError::ScriptFirstLine(text.into()));
        };
        for flag in list.split(',').filter(|_| !list.is_empty()) {
            match flag {
                "no-writes" => flags.never_writes = true,
                "allow-oom" => flags.allows_oom = true,
                "allow-stale" | "no-cluster" | "allow-cross-slot-keys" => {}
                _ => {
                    let text = format!("Unexpected flag in script shebang: {flag}");
                    return Err(CommandError::ScriptFirstLine(text.into()));
                }
            }
        }
    }
    if !is_known {
        let name = &engine[2..];
        let text = format!("Could not find scripting engine '{name}'");
        return Err(CommandError::ScriptFirstLine(text.into()));
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_only_eval_brought_are_bounded() {
        let (scripts, table) = (Scripts::new(1), CommandTable::new(&[]));
        let add =
            |body: &[u8], is_loaded| scripts.add(body, is_loaded, &table, Dialect::Redis).unwrap();
        let loaded = add(b"return 'loaded'", true);
        for index in 0..EVALUATED_MAX + 10 {
            add(format!("return {index}").as_bytes(), false);
        }
        assert_eq!(scripts.measure().0, EVALUATED_MAX + 1);
        assert_eq!(scripts.measure().2, 10);
        assert!(scripts.find(&loaded.digest).is_some());
        assert!(scripts.find(&digest(b"return 0")).is_none());
    }

    #[test]
    fn the_first_line_may_hold_flags() {
        let parse = |body: &[u8]| parse_first_line(body, Dialect::Redis);
        let flags = parse(b"#!lua flags=no-writes,allow-oom\nreturn 1").unwrap();
        assert!(flags.never_writes && flags.allows_oom && flags.is_declared);
        assert!(parse(b"#!lua").is_err());
        assert!(parse(b"#!python\n").is_err());
        assert!(parse(b"#!lua flags=fast\n").is_err());
        assert_eq!(parse(b"return 1").unwrap(), ScriptFlags::default());
    }
}
