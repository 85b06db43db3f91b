//! The arguments of SORT, and the keys that its patterns name.

use crate::args::Args;
use crate::command::Reach;
use crate::error::CommandError;
use resp::Argv;
use smallvec::SmallVec;
use std::ops::Range;

/// What a call asks for.
#[derive(Clone, Debug)]
pub(super) struct Query<'a> {
    pub(super) by: By<'a>,
    /// What is returned of each element; none: the element.
    pub(super) gets: SmallVec<[Get<'a>; 4]>,
    pub(super) is_alphabetic: bool,
    pub(super) is_descending: bool,
    /// The argument that is the key to store to.
    pub(super) store: Option<usize>,
    offset: i64,
    /// Negative: all.
    count: i64,
}

/// What elements are sorted by.
#[derive(Clone, Copy, Debug)]
pub(super) enum By<'a> {
    Element,
    /// They keep the order that they have.
    Nothing,
    Pattern(Pattern<'a>),
}

/// What is returned of an element.
#[derive(Clone, Copy, Debug)]
pub(super) enum Get<'a> {
    Element,
    /// A pattern that names no key.
    Nothing,
    Pattern(Pattern<'a>),
}

/// `prefix*postfix` or `prefix*postfix->field`, where the element takes the place of the star.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern<'a> {
    prefix: &'a [u8],
    postfix: &'a [u8],
    /// The field of a hash.
    pub(super) field: Option<&'a [u8]>,
}

/// Whether a call may store what it sorts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Storing {
    Allowed,
    Forbidden,
}

impl<'a> Query<'a> {
    pub(super) fn parse(argv: Argv<'a>, storing: Storing) -> Result<Self, CommandError> {
        let mut query = Self {
            by: By::Element,
            gets: SmallVec::new(),
            is_alphabetic: false,
            is_descending: false,
            store: None,
            offset: 0,
            count: -1,
        };
        let mut args = Args::new(argv, 2);
        while !args.is_empty() {
            if args.take("asc") {
                query.is_descending = false;
            } else if args.take("desc") {
                query.is_descending = true;
            } else if args.take("alpha") {
                query.is_alphabetic = true;
            } else if 2 < args.len() && args.take("limit") {
                (query.offset, query.count) = (args.integer()?, args.integer()?);
            } else if storing == Storing::Allowed && 1 < args.len() && args.take("store") {
                query.store = Some(args.position());
                args.required()?;
            } else if args.take("by") {
                query.set_by(args.required()?);
            } else if args.take("get") {
                query.gets.push(Get::parse(args.required()?));
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(query)
    }

    /// Which of `len` sorted elements are wanted.
    pub(super) fn range(&self, len: usize) -> Range<usize> {
        let limited = |number: i64| usize::try_from(number).unwrap_or(usize::MAX).min(len);
        let start = limited(self.offset.max(0));
        let count = if self.count < 0 { len } else { limited(self.count) };
        start..len.min(start + count)
    }

    /// A pattern without a star says that nothing is to be sorted, whatever follows.
    fn set_by(&mut self, pattern: &'a [u8]) {
        if !matches!(self.by, By::Nothing) {
            self.by = Pattern::parse(pattern).map_or(By::Nothing, By::Pattern);
        }
    }

    fn looks_elsewhere(&self) -> bool {
        matches!(self.by, By::Pattern(_))
            || self.gets.iter().any(|get| matches!(get, Get::Pattern(_)))
    }
}

impl<'a> Get<'a> {
    fn parse(pattern: &'a [u8]) -> Self {
        match pattern {
            b"#" => Self::Element,
            _ => Pattern::parse(pattern).map_or(Self::Nothing, Self::Pattern),
        }
    }
}

impl<'a> Pattern<'a> {
    /// The pattern, if it has a star.
    fn parse(pattern: &'a [u8]) -> Option<Self> {
        let star = pattern.iter().position(|byte| *byte == b'*')?;
        let (prefix, rest) = (&pattern[..star], &pattern[star + 1..]);
        // An arrow with nothing behind it belongs to the key.
        let arrow = rest.windows(2).position(|pair| pair == b"->");
        let arrow = arrow.filter(|arrow| arrow + 2 < rest.len());
        let postfix = arrow.map_or(rest, |arrow| &rest[..arrow]);
        Some(Self { prefix, postfix, field: arrow.map(|arrow| &rest[arrow + 2..]) })
    }

    /// Writes the key for an element.
    pub(super) fn write_key(&self, element: &[u8], key: &mut Vec<u8>) {
        key.clear();
        key.extend_from_slice(self.prefix);
        key.extend_from_slice(element);
        key.extend_from_slice(self.postfix);
    }
}

/// All, if the call looks at keys that only its elements name.
pub(in crate::commands::keys) fn reach(argv: Argv<'_>) -> Reach {
    match Query::parse(argv, Storing::Allowed) {
        Ok(query) if query.looks_elsewhere() => Reach::All,
        _ => Reach::Keys,
    }
}

/// The argument that is the key to store to.
pub(in crate::commands::keys) fn target(argv: Argv<'_>) -> Range<usize> {
    let query = Query::parse(argv, Storing::Allowed).ok();
    query.and_then(|query| query.store).map_or(0..0, |index| index..index + 1)
}
