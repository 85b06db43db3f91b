//! NX, XX, GT and LT: what must hold of a deadline that is to be replaced.

use crate::args::{self, Args};
use crate::error::CommandError;

/// What must hold of the present deadline.
#[derive(Default)]
pub(crate) struct Conditions {
    is_missing: bool,
    is_there: bool,
    is_earlier: bool,
    is_later: bool,
}

impl Conditions {
    /// Reads all words that are left.
    pub(crate) fn parse(mut args: Args<'_>) -> Result<Self, CommandError> {
        let mut conditions = Self::default();
        while let Some(word) = args.next() {
            let condition = match word {
                word if args::is_word(word, "nx") => &mut conditions.is_missing,
                word if args::is_word(word, "xx") => &mut conditions.is_there,
                word if args::is_word(word, "gt") => &mut conditions.is_earlier,
                word if args::is_word(word, "lt") => &mut conditions.is_later,
                _ => {
                    return Err(CommandError::ExpireOption(args::shown(word)));
                }
            };
            *condition = true;
        }
        let Self { is_missing, is_there, is_earlier, is_later } = conditions;
        if is_missing && (is_there || is_earlier || is_later) {
            return Err(CommandError::ExpireFlagsExclusiveNx);
        }
        if is_earlier && is_later {
            return Err(CommandError::ExpireFlagsExclusiveGtLt);
        }
        Ok(conditions)
    }

    /// Takes one word, if one is next.
    pub(crate) fn take_one(args: &mut Args<'_>) -> Self {
        let mut conditions = Self::default();
        let words = [
            ("gt", &mut conditions.is_earlier),
            ("lt", &mut conditions.is_later),
            ("nx", &mut conditions.is_missing),
            ("xx", &mut conditions.is_there),
        ];
        if let Some((_, condition)) = words.into_iter().find(|(word, _)| args.take(word)) {
            *condition = true;
        }
        conditions
    }

    /// Whether `new` may take the place of `old`; what has none lives forever.
    pub(crate) fn allow(&self, old: Option<u64>, new: i64) -> bool {
        let old = old.map(|old| i64::try_from(old).unwrap_or(i64::MAX));
        (!self.is_missing || old.is_none())
            && (!self.is_there || old.is_some())
            && (!self.is_earlier || old.is_some_and(|old| old < new))
            && (!self.is_later || old.is_none_or(|old| new < old))
    }
}

#[cfg(test)]
mod tests {
    use super::Conditions;

    #[test]
    fn forever_is_later_than_any_deadline() {
        let later = Conditions { is_earlier: true, ..Conditions::default() };
        assert!(!later.allow(None, 100));
        assert!(later.allow(Some(99), 100));
        assert!(!later.allow(Some(100), 100));
        let earlier = Conditions { is_later: true, ..Conditions::default() };
        assert!(earlier.allow(None, 100));
        assert!(earlier.allow(Some(101), 100));
        assert!(!earlier.allow(Some(100), 100));
        assert!(earlier.allow(Some(u64::MAX), -5));
    }
}
