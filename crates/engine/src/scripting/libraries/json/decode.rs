//! `cjson.decode`: JSON as a value.
//!
//! As the library in C, it reads a little more than JSON: numbers in all forms that C's `strtod`
//! knows, unless that is switched off, and texts with control characters. A zero byte is the end.

use super::super::arguments::Arguments;
use super::super::fault::Fault;
use super::super::{Answer, Lua, NESTING_MAX};
use super::number::{is_odd_number, number_at};
use super::options::{JsonOptions, Options};
use mlua::{LuaString, MultiValue, Table, Value};

/// `cjson.decode(text)` → the value.
pub(super) fn decode(
    lua: &Lua,
    call: &Arguments<'_>,
    options: &JsonOptions,
    array_mark: &Table,
) -> Answer {
    if call.len() != 1 {
        return Err(Fault::argument(1, "expected 1 argument"));
    }
    let text = call.text(1)?;
    let text = text.as_bytes();
    if matches!(*text, [0, _, ..] | [_, 0, ..]) {
        return Err(Fault::UnicodeWide);
    }
    let options = options.now();
    let array_mark = options.marks_arrays.then_some(array_mark);
    let mut reader = Reader { lua, options, array_mark, text: &text, at: 0, scratch: Vec::new() };
    let value = reader.document()?;
    Ok(MultiValue::from_vec(vec![value]))
}

/// A piece of the text and where it begins; what is wrong is one too.
enum Token {
    ArrayBegin,
    ArrayEnd,
    Boolean(bool),
    Colon,
    Comma,
    End,
    Null,
    Number(f64),
    ObjectBegin,
    ObjectEnd,
    Text(LuaString),
    Wrong(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Null => "T_NULL",
            Self::Number(_) => "T_NUMBER",
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::Text(_) => "T_STRING",
            Self::Wrong(problem) => problem,
        }
    }
}

/// A table that is being read.
enum Open {
    Array { table: Table, at: usize },
    Object { table: Table, key: LuaString },
}

struct Reader<'t> {
    lua: &'t Lua,
    options: Options,
    array_mark: Option<&'t Table>,
    text: &'t [u8],
    at: usize,
    scratch: Vec<u8>,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Value, Fault> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let Some(mut value) = self.begin(&mut open)? else { continue };
            // With the value ends every table that ends behind it.
            loop {
                let Some(last) = open.last_mut() else {
                    let (token, start) = self.token()?;
                    return match token {
                        Token::End => Ok(value),
                        token => Err(unexpected("the end", &token, start)),
                    };
                };
                match self.put(last, value)? {
                    Some(table) => value = Value::Table(table),
                    None => break,
                }
                open.pop();
            }
        }
    }

    /// Reads a value; if it is a table that holds something, only its beginning.
    fn begin(&mut self, open: &mut Vec<Open>) -> Result<Option<Value>, Fault> {
        let (token, start) = self.token()?;
        Ok(Some(match token {
            Token::Boolean(is_true) => Value::Boolean(is_true),
            Token::Null => Value::NULL,
            Token::Number(number) => Value::Number(number),
            Token::Text(text) => Value::String(text),
            Token::ArrayBegin => {
                self.descend(open.len() + 1)?;
                let table = self.lua.create_table()?;
                if let Some(mark) = self.array_mark {
                    table.set_metatable(Some(mark.clone()))?;
                }
                if !self.skips(b']') {
                    open.push(Open::Array { table, at: 0 });
                    return Ok(None);
                }
                Value::Table(table)
            }
            Token::ObjectBegin => {
                self.descend(open.len() + 1)?;
                let table = self.lua.create_table()?;
                if !self.skips(b'}') {
                    let key = self.key()?;
                    open.push(Open::Object { table, key });
                    return Ok(None);
                }
                Value::Table(table)
            }
            token => return Err(unexpected("value", &token, start)),
        }))
    }

    /// Puts a value into its table, and reads what follows: the table, if that is its end.
    fn put(&mut self, last: &mut Open, value: Value) -> Result<Option<Table>, Fault> {
        match last {
            Open::Array { table, at } => {
                *at += 1;
                table.raw_set(*at, value)?;
                match self.token()? {
                    (Token::Comma, _) => Ok(None),
                    (Token::ArrayEnd, _) => Ok(Some(table.clone())),
                    (token, start) => Err(unexpected("comma or array end", &token, start)),
                }
            }
            Open::Object { table, key } => {
                table.raw_set(&*key, value)?;
                match self.token()? {
                    (Token::Comma, _) => {
                        *key = self.key()?;
                        Ok(None)
                    }
                    (Token::ObjectEnd, _) => Ok(Some(table.clone())),
                    (token, start) => Err(unexpected("comma or object end", &token, start)),
                }
            }
        }
    }

    fn descend(&self, depth: usize) -> Result<(), Fault> {
        if NESTING_MAX.min(self.options.decode_depth_max as usize) < depth {
            return Err(Fault::DecodeNesting(depth, self.at));
        }
        Ok(())
    }

    /// A key of an object and the colon behind it.
    fn key(&mut self) -> Result<LuaString, Fault> {
        let key = match self.token()? {
            (Token::Text(key), _) => key,
            (token, start) => return Err(unexpected("object key string", &token, start)),
        };
        match self.token()? {
            (Token::Colon, _) => Ok(key),
            (token, start) => Err(unexpected("colon", &token, start)),
        }
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += rest.iter().take_while(is_space).count();
    }

    /// Skips this byte if it is the next one.
    fn skips(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_next = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// The next piece and where it begins, or where it is wrong.
    fn token(&mut self) -> Result<(Token, usize), Fault> {
        self.skip_space();
        let start = self.at;
        let rest = &self.text[start..];
        let (token, len) = match rest.first() {
            None | Some(0) => (Token::End, 0),
            Some(b'[') => (Token::ArrayBegin, 1),
            Some(b']') => (Token::ArrayEnd, 1),
            Some(b'{') => (Token::ObjectBegin, 1),
            Some(b'}') => (Token::ObjectEnd, 1),
            Some(b':') => (Token::Colon, 1),
            Some(b',') => (Token::Comma, 1),
            Some(b'"') => return self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(rest),
            Some(b't') if rest.starts_with(b"true") => (Token::Boolean(true), 4),
            Some(b'f') if rest.starts_with(b"false") => (Token::Boolean(false), 5),
            Some(b'n') if rest.starts_with(b"null") => (Token::Null, 4),
            Some(b'+' | b'i' | b'I' | b'n' | b'N')
                if self.options.reads_odd_numbers && is_odd_number(rest) =>
            {
                self.number(rest)
            }
            Some(_) => (Token::Wrong("invalid token"), 0),
        };
        self.at += len;
        Ok((token, start))
    }

    fn number(&self, rest: &[u8]) -> (Token, usize) {
        let is_allowed = self.options.reads_odd_numbers || !is_odd_number(rest);
        match number_at(rest).filter(|_| is_allowed) {
            Some((number, len)) => (Token::Number(number), len),
            None => (Token::Wrong("invalid number"), 0),
        }
    }

    fn string(&mut self) -> Result<(Token, usize), Fault> {
        let start = self.at;
        self.at += 1;
        self.scratch.clear();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0)).count();
            self.scratch.extend_from_slice(&rest[..plain]);
            self.at += plain;
            match rest.get(plain) {
                Some(b'"') => break,
                Some(b'\\') => {
                    if let Err(problem) = self.escape() {
                        return Ok((Token::Wrong(problem), self.at));
                    }
                }
                _ => return Ok((Token::Wrong("unexpected end of string"), self.at)),
            }
        }
        self.at += 1;
        Ok((Token::Text(self.lua.create_string(&self.scratch)?), start))
    }

    /// A backslash and what it stands for; what is wrong is blamed on its place.
    fn escape(&mut self) -> Result<(), &'static str> {
        let byte = match self.text.get(self.at + 1) {
            Some(b'b') => 0x08,
            Some(b't') => b'\t',
            Some(b'n') => b'\n',
            Some(b'f') => 0x0c,
            Some(b'r') => b'\r',
            Some(byte @ (b'"' | b'/' | b'\\')) => *byte,
            Some(b'u') => return self.code_point().ok_or("invalid unicode escape code"),
            _ => return Err("invalid escape code"),
        };
        self.scratch.push(byte);
        self.at += 2;
        Ok(())
    }

    /// A character by its number, or by the two halves of one.
    fn code_point(&mut self) -> Option<()> {
        let first = self.code_unit(self.at)?;
        let (number, len) = match first {
            0xdc00..=0xdfff => return None,
            0xd800..=0xdbff => {
                let second = self.code_unit(self.at + 6)?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return None;
                }
                (0x1_0000 + ((first & 0x3ff) << 10 | second & 0x3ff), 12)
            }
            _ => (first, 6),
        };
        let mut bytes = [0; 4];
        let character = char::from_u32(number)?;
        self.scratch.extend_from_slice(character.encode_utf8(&mut bytes).as_bytes());
        self.at += len;
        Some(())
    }

    /// The number of `\uXXXX` at `at`.
    fn code_unit(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits
            .iter()
            .try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
    }
}

fn unexpected(expected: &'static str, token: &Token, start: usize) -> Fault {
    Fault::DecodeUnexpected(expected, token.name(), start + 1)
}
