//! The argument cursor: options, numbers and limits, with the standard error for each failure.

use crate::command::Outcome;
use crate::error::CommandError;
use base::numbers;
use resp::Argv;

/// Walks over the arguments of a call.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    argv: Argv<'a>,
    position: usize,
}

impl<'a> Args<'a> {
    /// Starts at argument `position` (0 is the command's name).
    pub fn new(argv: Argv<'a>, position: usize) -> Self {
        Self { argv, position }
    }

    /// The next argument, if one is left.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<&'a [u8]> {
        let argument = self.argv.get(self.position)?;
        self.position += 1;
        Some(argument)
    }

    /// The next argument, or a syntax error.
    pub fn required(&mut self) -> Result<&'a [u8], CommandError> {
        self.next().ok_or(CommandError::Syntax)
    }

    /// The next argument as a 64-bit integer.
    pub fn integer(&mut self) -> Result<i64, CommandError> {
        integer(self.required()?)
    }

    /// Takes the next argument if it is `word` (any case).
    pub fn take(&mut self, word: &str) -> bool {
        let is_word = self.peek().is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()));
        self.position += usize::from(is_word);
        is_word
    }

    /// A syntax error unless all arguments have been taken.
    pub fn end(&self) -> Outcome {
        if self.is_empty() { Ok(()) } else { Err(CommandError::Syntax) }
    }

    /// The next argument without taking it.
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.argv.get(self.position)
    }

    /// Index of the next argument.
    pub fn position(&self) -> usize {
        self.position
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.argv.len() - self.position.min(self.argv.len())
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.argv.len() <= self.position
    }
}

/// An argument as a 64-bit integer.
pub fn integer(argument: &[u8]) -> Result<i64, CommandError> {
    numbers::parse_i64(argument).ok_or(CommandError::NotAnInteger)
}

/// An argument as a 32-bit integer.
pub fn integer_32(argument: &[u8]) -> Result<i32, CommandError> {
    i32::try_from(integer(argument)?).map_err(|_| CommandError::OutOfRange32)
}

/// An argument as text for an error message: a character for each byte, up to a zero byte.
/// [`CommandError::line`] turns the characters back into the bytes that they stand for.
pub fn shown(argument: &[u8]) -> Box<str> {
    let bytes = argument.iter().take_while(|byte| **byte != 0);
    bytes.map(|byte| char::from(*byte)).collect::<String>().into()
}

/// An argument as a finite or infinite float.
pub fn float(argument: &[u8]) -> Result<f64, CommandError> {
    numbers::parse_f64(argument).ok_or(CommandError::NotAFloat)
}

/// Whether an argument is `word` in any case.
pub fn is_word(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}
