//! The command row: the only place that states a fact about a command.
//!
//! Arity errors, COMMAND replies, ACL checks, routing, locking, journaling, statistics and
//! completion all read rows; no other production code compares command names.

use crate::context::Ctx;
use crate::engine::Engine;
use crate::error::CommandError;
use crate::keys::KeySpec;
use crate::scripting::Script;
use crate::settings::Settings;
use resp::Argv;
use smallvec::SmallVec;
use std::sync::Arc;

/// What a command function returns: its reply is already written, or an error says why not.
pub type Outcome = Result<(), CommandError>;

/// The function that carries a command out.
pub type Run = fn(&mut Ctx<'_, '_>) -> Outcome;

/// One command or subcommand.
pub struct Command {
    /// Lower case; of a subcommand only its own part (`get` of `config|get`).
    pub name: &'static str,
    /// Number of arguments with the name (and the container's); negative: at least so many.
    pub arity: i32,
    /// What the command does and where it may run.
    pub flags: Flags,
    /// Which arguments are keys.
    pub keys: &'static [KeySpec],
    /// Which arguments are elements of its only key's value, so that they can be fetched ahead.
    pub elements: Elements,
    /// Which arguments are channels, for whoever may use only some.
    pub channels: Channels,
    /// Which databases it touches, for whoever may use only some.
    pub databases: Databases,
    /// What it touches beside its keys.
    pub reach: Reach,
    /// The family, as COMMAND DOCS names it.
    pub group: Group,
    /// Which of its arguments logs and monitors do not show.
    pub secrets: Secrets,
    /// ACL categories beside those that follow from group and flags.
    pub acl: Categories,
    /// Version of Redis (or Valkey) that brought it.
    pub since: &'static str,
    /// Who knows it.
    pub origin: Origin,
    /// Subcommands, when this is a container.
    pub subcommands: &'static [Self],
    /// Carries it out; containers are resolved before and never run.
    pub run: Run,
}

/// Arguments that are fields or members. A hint: where options may stand in between, a call that
/// has some is fetched ahead for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elements {
    /// None, or not at fixed places.
    None,
    /// This argument.
    One(usize),
    /// This argument and all that follow.
    All(usize),
    /// This argument and every second one behind it.
    Pairs(usize),
    /// As `Pairs`, and each has its score before it.
    Scored(usize),
}

impl Elements {
    /// The first of them, and the distance to the next; `None` if there are none.
    pub fn places(self) -> Option<(usize, usize)> {
        match self {
            Self::None => None,
            Self::One(first) => Some((first, usize::MAX)),
            Self::All(first) => Some((first, 1)),
            Self::Pairs(first) | Self::Scored(first) => Some((first, 2)),
        }
    }

    /// Whether each has its score before it.
    pub fn is_scored(self) -> bool {
        matches!(self, Self::Scored(_))
    }
}

impl Command {
    /// What a row leaves out: no flags, no keys, reach none.
    pub const NEW: Self = Self {
        name: "",
        arity: -1,
        flags: Flags::NONE,
        keys: &[],
        elements: Elements::None,
        channels: Channels::None,
        databases: Databases::Own,
        reach: Reach::None,
        group: Group::Generic,
        secrets: Secrets::None,
        acl: Categories::NONE,
        since: "1.0.0",
        origin: Origin::Both,
        subcommands: &[],
        run: |_| Ok(()),
    };

    /// All ACL categories: the row's own, and those that follow from its flags.
    pub fn categories(&self) -> Categories {
        let is_script = self.group == Group::Scripting;
        let implied = [
            (self.flags.has(Flags::READONLY) && !is_script, Categories::READ),
            (self.flags.has(Flags::WRITE), Categories::WRITE),
            (self.flags.has(Flags::ADMIN), Categories::ADMIN.with(Categories::DANGEROUS)),
            (self.flags.has(Flags::PUBSUB), Categories::PUBSUB),
            (self.flags.has(Flags::BLOCKING), Categories::BLOCKING),
            (self.flags.has(Flags::FAST), Categories::FAST),
            (!self.flags.has(Flags::FAST), Categories::SLOW),
        ];
        let implied = implied.iter().filter(|(is_implied, _)| *is_implied);
        implied.fold(self.acl, |all, (_, category)| all | *category)
    }

    /// Whether `count` arguments (name included) satisfy the arity.
    pub fn accepts(&self, count: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { wanted <= count } else { wanted == count }
    }
}

/// Which of the reference servers knows a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    Both,
    Ochre,
    Redis,
    Valkey,
}

/// What a call touches beside its keys; decides what is locked.
#[derive(Clone, Copy)]
pub enum Reach {
    /// Nothing of the keyspace.
    None,
    /// The shards of its keys.
    Keys,
    /// Walks all shards, one at a time.
    Slices,
    /// Everything at once, behind the gate.
    All,
    /// The keys of the queued calls and the watched keys (EXEC).
    Transaction,
    /// The shards of its keys if the script touches no others, else everything; nothing if there is no
    /// such script.
    Script(FindScript),
    /// Depends on the arguments.
    ByArguments(fn(Argv<'_>) -> Self),
}

/// Finds the script that a call runs.
pub type FindScript = fn(&Engine, &Settings, Argv<'_>) -> Option<Arc<Script>>;

impl Reach {
    /// The reach of one call.
    pub fn of(self, argv: Argv<'_>) -> Self {
        match self {
            Self::ByArguments(decide) => decide(argv),
            reach => reach,
        }
    }
}

/// Arguments that are nobody's business but the client's.
#[derive(Clone, Copy)]
pub enum Secrets {
    None,
    /// This argument and all that follow.
    From(usize),
    /// Those for which this says so.
    Where(fn(Argv<'_>, usize) -> bool),
}

impl Secrets {
    /// Whether the argument at `index` is hidden.
    pub fn hides(self, argv: Argv<'_>, index: usize) -> bool {
        match self {
            Self::None => false,
            Self::From(first) => first <= index,
            Self::Where(hides) => hides(argv, index),
        }
    }
}

/// Arguments that are channels which the call publishes to or subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    None,
    /// This argument.
    One(usize),
    /// This argument and all that follow.
    All(usize),
    /// As `All`, and they are patterns.
    Patterns(usize),
}

/// Databases that a call touches.
#[derive(Clone, Copy)]
pub enum Databases {
    /// The session's, if it touches the keyspace at all.
    Own,
    /// Every one.
    Every,
    /// Those that the arguments at these places name, not the session's.
    Named(&'static [usize]),
    /// The session's, and those that the arguments at these places name.
    OwnAnd(fn(Argv<'_>) -> SmallVec<[usize; 2]>),
}

/// Families, by the names that COMMAND DOCS uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    HyperLogLog,
    List,
    PubSub,
    Scripting,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    /// The name in COMMAND DOCS.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Cluster => "cluster",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::HyperLogLog => "hyperloglog",
            Self::List => "list",
            Self::PubSub => "pubsub",
            Self::Scripting => "scripting",
            Self::Server => "server",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Stream => "stream",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }
}

/// A set of command flags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

/// A set of ACL categories.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Categories(u32);

macro_rules! bit_set {
    ($type:ident { $($(#[$doc:meta])* $name:ident = $bit:expr, $text:expr;)* }) => {
        impl $type {
            /// The empty set.
            pub const NONE: Self = Self(0);
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
            /// Every member with the name that clients see (empty: not shown).
            pub const NAMES: &'static [(Self, &'static str)] = &[$((Self::$name, $text)),*];

            /// Both sets together.
            pub const fn with(self, other: Self) -> Self { Self(self.0 | other.0) }
            /// Whether all of `other` is in it.
            pub const fn has(self, other: Self) -> bool { self.0 & other.0 == other.0 }
            /// Names of the members, in the order that the reference uses.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::NAMES.iter().filter(move |(f, n)| self.has(*f) && !n.is_empty()).map(|(_, n)| *n)
            }
        }
        impl std::ops::BitOr for $type {
            type Output = Self;
            fn bitor(self, other: Self) -> Self { self.with(other) }
        }
    };
}

bit_set! { Flags {
    /// May change the keyspace.
    WRITE = 0, "write";
    /// Never changes the keyspace.
    READONLY = 1, "readonly";
    /// Refused when memory is short.
    DENYOOM = 2, "denyoom";
    ADMIN = 3, "admin";
    PUBSUB = 4, "pubsub";
    /// Not from scripts.
    NOSCRIPT = 5, "noscript";
    BLOCKING = 6, "blocking";
    /// Allowed while loading.
    LOADING = 7, "loading";
    /// Allowed on a replica that lost its primary.
    STALE = 8, "stale";
    SKIP_MONITOR = 9, "skip_monitor";
    SKIP_SLOWLOG = 10, "skip_slowlog";
    ASKING = 11, "asking";
    /// Constant or logarithmic time.
    FAST = 12, "fast";
    /// Allowed before authentication.
    NO_AUTH = 13, "no_auth";
    /// Reaches replicas though not a write (EVAL, PUBLISH). Not shown.
    MAY_REPLICATE = 14, "";
    NO_MANDATORY_KEYS = 15, "no_mandatory_keys";
    /// Not while data is loaded in the background.
    NO_ASYNC_LOADING = 23, "no_async_loading";
    /// Not inside MULTI.
    NO_MULTI = 19, "no_multi";
    /// Not inside MULTI, in dialect valkey; in dialect redis it is queued.
    NO_MULTI_VALKEY = 26, "no_multi";
    /// Keys cannot be found by a fixed range.
    MOVABLE_KEYS = 18, "movablekeys";
    /// Allowed while a script is busy.
    ALLOW_BUSY = 17, "allow_busy";
    /// Guarded by a setting.
    PROTECTED = 16, "";
    TOUCHES_ARBITRARY_KEYS = 20, "";
    /// Runs at once inside MULTI instead of being queued. Ours, not shown.
    UNQUEUED = 21, "";
    /// Allowed to a client that CLIENT PAUSE holds. Ours, not shown.
    UNPAUSED = 22, "";
    /// Allowed to a client of RESP2 that has subscribed to something. Ours, not shown.
    WHILE_SUBSCRIBED = 24, "";
    /// What CLIENT CACHING has said holds after it. Ours, not shown.
    KEEPS_CACHING = 25, "";
    /// Refused like a write while data cannot be kept on disk, so that whoever watches hears of it. Ours, not shown.
    TELLS_OF_DISK = 28, "";
    /// Guarded by the setting for modules, not by that for DEBUG. Ours, not shown.
    ABOUT_MODULES = 27, "";
} }

bit_set! { Categories {
    KEYSPACE = 0, "keyspace";
    READ = 1, "read";
    WRITE = 2, "write";
    SET = 3, "set";
    SORTED_SET = 4, "sortedset";
    LIST = 5, "list";
    HASH = 6, "hash";
    STRING = 7, "string";
    BITMAP = 8, "bitmap";
    HYPERLOGLOG = 9, "hyperloglog";
    GEO = 10, "geo";
    STREAM = 11, "stream";
    PUBSUB = 12, "pubsub";
    ADMIN = 13, "admin";
    FAST = 14, "fast";
    SLOW = 15, "slow";
    BLOCKING = 16, "blocking";
    DANGEROUS = 17, "dangerous";
    CONNECTION = 18, "connection";
    TRANSACTION = 19, "transaction";
    SCRIPTING = 20, "scripting";
} }
