//! The first line of a library: `#!lua name=mylibrary`.

use super::is_name;
use crate::args::shown;
use crate::dialect::Dialect;
use crate::error::{CommandError, FunctionError};
use resp::{Quotes, split_words};

/// The name that a library gives itself.
pub(super) fn library_name(code: &[u8], dialect: Dialect) -> Result<Box<[u8]>, CommandError> {
    Ok(read(code, dialect.differences().quotes)?)
}

fn read(code: &[u8], quotes: Quotes) -> Result<Box<[u8]>, FunctionError> {
    let rest = code.strip_prefix(b"#!").ok_or(FunctionError::HeaderMissing)?;
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or(FunctionError::HeaderInvalid)?;
    let (mut buffer, mut spans) = (Vec::new(), Vec::new());
    split_words(&rest[..end], quotes, &mut buffer, &mut spans)
        .map_err(|_| FunctionError::HeaderInvalid)?;
    let mut words = spans.iter().map(|span| &buffer[span.start..span.start + span.len]);
    let engine = words.next().ok_or(FunctionError::HeaderInvalid)?;
    let mut name = None;
    for word in words {
        match word.split_at_checked(b"name=".len()) {
            Some((option, value)) if option.eq_ignore_ascii_case(b"name=") => {
                if name.replace(value).is_some() {
                    return Err(FunctionError::NameTwice);
                }
            }
            _ => return Err(FunctionError::HeaderUnknown(shown(word))),
        }
    }
    let name = name.ok_or(FunctionError::NameMissing)?;
    if !is_name(name) {
        return Err(FunctionError::Name);
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(FunctionError::EngineUnknown(shown(engine)));
    }
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(code: &str) -> Result<Box<[u8]>, FunctionError> {
        read(code.as_bytes(), Quotes::EndWords)
    }

    #[test]
    fn the_name_is_in_the_first_line() {
        assert_eq!(name("#!lua name=a_1\nreturn").unwrap(), b"a_1".as_slice().into());
        assert_eq!(name("#!LUA NAME=\"b\" \n").unwrap(), b"b".as_slice().into());
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert_eq!(name("return 1"), Err(FunctionError::HeaderMissing));
        assert_eq!(name("#!lua name=a"), Err(FunctionError::HeaderInvalid));
        assert_eq!(name("#!\nx"), Err(FunctionError::HeaderInvalid));
        assert_eq!(name("#!lua name=\"a\nx"), Err(FunctionError::HeaderInvalid));
        assert_eq!(name("#!lua\nx"), Err(FunctionError::NameMissing));
        assert_eq!(name("#!lua name=\nx"), Err(FunctionError::Name));
        assert_eq!(name("#!lua name=a name=a\nx"), Err(FunctionError::NameTwice));
        assert_eq!(name("#!lua what\nx"), Err(FunctionError::HeaderUnknown("what".into())));
        assert_eq!(name("#!js name=a\nx"), Err(FunctionError::EngineUnknown("js".into())));
    }
}
