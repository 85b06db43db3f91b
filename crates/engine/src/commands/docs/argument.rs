//! The tree of a command's arguments, and short words to write one down.

/// One argument, or a group of arguments.
#[derive(Clone, Copy)]
pub struct Argument {
    pub name: &'static str,
    pub kind: ArgumentKind,
    /// Which key spec of the row finds it.
    pub key_spec: Option<usize>,
    /// The word that stands before it, or that it consists of; empty: none.
    pub token: &'static str,
    /// The version that brought it, if later than the command; empty: none.
    pub since: &'static str,
    pub is_multiple: bool,
    pub is_optional: bool,
    /// With `is_multiple`: the token is repeated as well.
    pub repeats_token: bool,
    pub parts: &'static [Self],
}

/// What an argument is, by the names in COMMAND DOCS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgumentKind {
    Block,
    Double,
    Integer,
    Key,
    OneOf,
    Pattern,
    PureToken,
    String,
    UnixTime,
}

impl ArgumentKind {
    /// The name in COMMAND DOCS.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Double => "double",
            Self::Integer => "integer",
            Self::Key => "key",
            Self::OneOf => "oneof",
            Self::Pattern => "pattern",
            Self::PureToken => "pure-token",
            Self::String => "string",
            Self::UnixTime => "unix-time",
        }
    }

    /// Whether it stands for what a user types, and not for a group.
    pub fn is_shown(self) -> bool {
        !matches!(self, Self::Block | Self::OneOf)
    }
}

const fn argument(name: &'static str, kind: ArgumentKind) -> Argument {
    Argument {
        name,
        kind,
        key_spec: None,
        token: "",
        since: "",
        is_multiple: false,
        is_optional: false,
        repeats_token: false,
        parts: &[],
    }
}

pub(super) const fn block(name: &'static str, parts: &'static [Argument]) -> Argument {
    Argument { parts, ..argument(name, ArgumentKind::Block) }
}

pub(super) const fn double(name: &'static str) -> Argument {
    argument(name, ArgumentKind::Double)
}

pub(super) const fn integer(name: &'static str) -> Argument {
    argument(name, ArgumentKind::Integer)
}

/// A key that the row's key spec number `spec` finds.
pub(super) const fn key(name: &'static str, spec: usize) -> Argument {
    Argument { key_spec: Some(spec), ..argument(name, ArgumentKind::Key) }
}

pub(super) const fn one_of(name: &'static str, parts: &'static [Argument]) -> Argument {
    Argument { parts, ..argument(name, ArgumentKind::OneOf) }
}

pub(super) const fn pattern(name: &'static str) -> Argument {
    argument(name, ArgumentKind::Pattern)
}

pub(super) const fn string(name: &'static str) -> Argument {
    argument(name, ArgumentKind::String)
}

/// A word that stands for itself.
pub(super) const fn word(name: &'static str, token: &'static str) -> Argument {
    Argument { token, ..argument(name, ArgumentKind::PureToken) }
}

pub(super) const fn unix_time(name: &'static str) -> Argument {
    argument(name, ArgumentKind::UnixTime)
}

impl Argument {
    pub(super) const fn after(self, token: &'static str) -> Self {
        Self { token, ..self }
    }

    pub(super) const fn multiple(self) -> Self {
        Self { is_multiple: true, ..self }
    }

    pub(super) const fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }

    pub(super) const fn repeating_token(self) -> Self {
        Self { repeats_token: true, ..self }
    }

    pub(super) const fn since(self, since: &'static str) -> Self {
        Self { since, ..self }
    }
}
