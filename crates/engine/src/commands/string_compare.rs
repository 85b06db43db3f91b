//! Strings compared with what a client saw last: DELEX, DIGEST, and the conditions of SET.
//!
//! A client that has read a value changes or deletes it only if nobody else did meanwhile. It shows
//! the value itself, or its digest when the value is long.

use crate::args::{self, Args};
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;
use crate::keys::{self, KeyFlags};
use base::xxh3::xxh3;
use resp::Argv;
use store::Kind;

/// Digits of a digest.
const DIGEST_LEN: usize = 16;

/// What must hold of the value that is there.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'a> {
    by: By,
    wants_equal: bool,
    expected: &'a [u8],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Digest,
    Value,
}

const WORDS: [(&str, By, bool); 4] = [
    ("ifeq", By::Value, true),
    ("ifne", By::Value, false),
    ("ifdeq", By::Digest, true),
    ("ifdne", By::Digest, false),
];

impl<'a> Comparison<'a> {
    /// Takes an `IFEQ value`-like option if one is next.
    pub(super) fn take(args: &mut Args<'a>) -> Result<Option<Self>, CommandError> {
        for (word, by, wants_equal) in WORDS {
            if args.take(word) {
                return Ok(Some(Self { by, wants_equal, expected: args.required()? }));
            }
        }
        Ok(None)
    }

    /// Whether it holds where nothing is: nothing is equal to no value.
    pub(super) fn holds_of_nothing(self) -> bool {
        !self.wants_equal
    }

    /// Whether it holds of this value.
    pub(super) fn holds_of(self, value: &[u8]) -> Result<bool, CommandError> {
        let is_equal = match self.by {
            By::Value => value == self.expected,
            By::Digest if self.expected.len() != DIGEST_LEN => {
                return Err(CommandError::DigestInvalid);
            }
            By::Digest => digest_of(value).eq_ignore_ascii_case(self.expected),
        };
        Ok(is_equal == self.wants_equal)
    }
}

/// `DELEX key [IFEQ value | IFNE value | IFDEQ digest | IFDNE digest]` → 1 if the key was deleted.
/// O(1), or O(bytes) to compare digests.
pub(super) fn delex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let is_conditional = 2 < ctx.argv.len();
    if is_conditional && ctx.argv.len() != 4 {
        return Err(CommandError::WrongArity(ctx.entry.full_name.clone()));
    }
    let is_wanted = match ctx.data.write(key) {
        None => false,
        Some(_) if !is_conditional => true,
        Some(entry) if entry.kind() != Kind::String => return Err(CommandError::ConditionType),
        Some(entry) => {
            let condition = Comparison::take(&mut Args::new(ctx.argv, 2))?;
            let condition = condition.ok_or(CommandError::ConditionInvalid)?;
            condition.holds_of(entry.string().bytes())?
        }
    };
    if is_wanted {
        ctx.data.remove(key);
        ctx.data.changed(key, events::DEL);
    }
    ctx.reply.integer(i64::from(is_wanted));
    Ok(())
}

/// Without a condition nothing of the value is read.
pub(super) fn delex_key_flags(argv: Argv<'_>) -> KeyFlags {
    if 2 < argv.len() { keys::RW_ACCESS_DELETE } else { keys::RM_DELETE }
}

/// `DIGEST key` → the XXH3 hash of the value in hexadecimal digits. O(bytes).
pub(super) fn digest(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match ctx.data.read_string(ctx.key(1))? {
        None => ctx.reply.null(),
        Some(entry) => ctx.reply.bulk(&digest_of(entry.string().bytes())),
    }
    Ok(())
}

/// Whether the options of a SET compare with the old value.
pub(super) fn is_comparison(word: &[u8]) -> bool {
    WORDS.iter().any(|(name, _, _)| args::is_word(word, name))
}

fn digest_of(value: &[u8]) -> [u8; DIGEST_LEN] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let hash = xxh3(value);
    std::array::from_fn(|place| DIGITS[(hash >> (60 - place * 4)) as usize % 16])
}
