//! Between replies and Lua values, by the rules that Redis documents for EVAL.

use crate::error::CommandError;
use base::numbers;
use luastack::{Stack, Value};
use resp::{Item, Reply};

/// Deepest nesting of a table that becomes a reply; deeper ones end the script with an error.
const DEPTH_MAX: usize = 100;

/// Pushes a command's reply, as it would be sent, as a Lua value. Returns whether it is an error.
pub(super) fn push_reply(stack: &mut Stack<'_>, bytes: &[u8]) -> bool {
    push_item(stack, bytes, 0);
    matches!(bytes.first(), Some(b'-' | b'!'))
}

/// Pushes the item at `position`; returns where the next one begins.
fn push_item(stack: &mut Stack<'_>, bytes: &[u8], position: usize) -> usize {
    // A command's reply is whole and well formed: it was written a moment ago.
    let Ok(Some((item, next))) = resp::read_item(bytes, position) else {
        stack.push_nil();
        return bytes.len();
    };
    match item {
        Item::Line { kind, text } => push_line(stack, kind, text),
        Item::Bulk { kind: b'!', bytes } => push_single(stack, "err", bytes),
        Item::Bulk { kind: b'=', bytes } => push_verbatim(stack, bytes),
        Item::Bulk { bytes, .. } => stack.push_text(bytes),
        // What RESP2 calls null has always been false in Lua.
        Item::NullArray | Item::NullBulk => stack.push_boolean(false),
        Item::Aggregate { kind, len } => return push_aggregate(stack, kind, len, bytes, next),
    }
    next
}

fn push_line(stack: &mut Stack<'_>, kind: u8, text: &[u8]) {
    match kind {
        b':' => stack.push_number(numbers::parse_i64(text).unwrap_or_default() as f64),
        b'+' => push_single(stack, "ok", text),
        b'-' => push_single(stack, "err", text),
        b'#' => stack.push_boolean(text == b"t"),
        b'(' => push_single(stack, "big_number", text),
        b',' => {
            stack.push_table(0, 1);
            stack.push_number(numbers::parse_f64(text).unwrap_or(f64::NAN));
            stack.set_field("double");
        }
        _ => stack.push_nil(),
    }
}

fn push_aggregate(
    stack: &mut Stack<'_>,
    kind: u8,
    len: usize,
    bytes: &[u8],
    mut next: usize,
) -> usize {
    match kind {
        b'%' => {
            stack.push_table(0, 1);
            stack.push_table(0, len);
            for _ in 0..len {
                next = push_item(stack, bytes, next);
                next = push_item(stack, bytes, next);
                stack.set_pair();
            }
            stack.set_field("map");
        }
        b'~' => {
            stack.push_table(0, 1);
            stack.push_table(0, len);
            for _ in 0..len {
                next = push_item(stack, bytes, next);
                stack.push_boolean(true);
                stack.set_pair();
            }
            stack.set_field("set");
        }
        b'|' => {
            // What is said about the reply is no part of it.
            for _ in 0..len * 2 {
                next = push_item(stack, bytes, next);
                stack.pop();
            }
            next = push_item(stack, bytes, next);
        }
        _ => {
            stack.push_table(len, 0);
            for index in 1..=len {
                next = push_item(stack, bytes, next);
                stack.set_element(index);
            }
        }
    }
    next
}

/// Pushes a table of one text.
pub(super) fn push_single(stack: &mut Stack<'_>, name: &str, text: &[u8]) {
    stack.push_table(0, 1);
    stack.push_text(text);
    stack.set_field(name);
}

/// A text with its format: `txt:…`.
fn push_verbatim(stack: &mut Stack<'_>, bytes: &[u8]) {
    let (format, text) = bytes.split_at_checked(4).unwrap_or((b"txt:", bytes));
    stack.push_table(0, 1);
    push_single(stack, "format", &format[..3]);
    stack.push_text(text);
    stack.set_field("string");
    stack.set_field("verbatim_string");
}

/// Writes what a script returns, on top of the stack, as its reply.
///
/// # Errors
/// It is nested too deep.
pub(super) fn reply(
    reply: &mut Reply,
    stack: &mut Stack<'_>,
    shows_booleans: bool,
) -> Result<(), CommandError> {
    Writer { reply, stack, shows_booleans }.write_top(0)
}

struct Writer<'w, 's> {
    reply: &'w mut Reply,
    stack: &'w mut Stack<'s>,
    shows_booleans: bool,
}

impl Writer<'_, '_> {
    /// Writes the value on top, and leaves it there.
    fn write_top(&mut self, depth: usize) -> Result<(), CommandError> {
        if DEPTH_MAX < depth {
            return Err(CommandError::ScriptReplyDepth);
        }
        match self.stack.top() {
            Value::Text(text) => self.reply.bulk(text),
            Value::Number(number) => self.reply.integer(integer(number)),
            Value::Boolean(is_true) if self.shows_booleans => self.reply.boolean(is_true),
            Value::Boolean(true) => self.reply.integer(1),
            Value::Boolean(false) | Value::Nil | Value::Other => self.reply.null(),
            Value::Table => return self.write_table(depth),
        }
        Ok(())
    }

    fn write_table(&mut self, depth: usize) -> Result<(), CommandError> {
        let one_line = |text: &[u8]| String::from_utf8_lossy(text).replace(['\r', '\n'], " ");
        let is_written = self.write_field("err", |reply, value| {
            let Value::Text(error) = value else { return false };
            reply.error(&error_line(error));
            true
        }) || self.write_field("ok", |reply, value| {
            let Value::Text(status) = value else { return false };
            reply.simple(&one_line(status));
            true
        }) || self.write_field("double", |reply, value| {
            let Value::Number(number) = value else { return false };
            reply.double(number);
            true
        });
        if is_written {
            return Ok(());
        }
        for (field, form) in [("map", Pairs::Map), ("set", Pairs::Set)] {
            self.stack.push_field(field);
            let is_table = self.stack.top() == Value::Table;
            let written = if is_table { self.write_pairs(form, depth) } else { Ok(()) };
            self.stack.pop();
            if is_table {
                return written;
            }
        }
        let is_written = self.write_field("big_number", |reply, value| {
            let Value::Text(number) = value else { return false };
            reply.big_number(&one_line(number));
            true
        }) || self.write_verbatim();
        if is_written { Ok(()) } else { self.write_sequence(depth) }
    }

    /// Lets `write` write a field of the table on top, if it is of the type for that.
    fn write_field(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut Reply, Value<'_>) -> bool,
    ) -> bool {
        self.stack.push_field(name);
        let is_written = write(self.reply, self.stack.top());
        self.stack.pop();
        is_written
    }

    fn write_verbatim(&mut self) -> bool {
        self.stack.push_field("verbatim_string");
        let is_verbatim = self.stack.top() == Value::Table;
        if is_verbatim {
            self.stack.push_field("format");
            let format = match self.stack.top() {
                Value::Text(format) => Some(String::from_utf8_lossy(format).into_owned()),
                _ => None,
            };
            self.stack.pop();
            self.stack.push_field("string");
            match (format, self.stack.top()) {
                (Some(format), Value::Text(text)) => self.reply.verbatim(&format, text),
                _ => self.reply.null(),
            }
            self.stack.pop();
        }
        self.stack.pop();
        is_verbatim
    }

    /// Writes the pairs of the table on top.
    fn write_pairs(&mut self, form: Pairs, depth: usize) -> Result<(), CommandError> {
        let mut count = 0;
        self.stack.push_nil();
        while self.stack.next_pair() {
            self.stack.pop();
            count += 1;
        }
        match form {
            Pairs::Map => self.reply.map(count),
            Pairs::Set => self.reply.set(count),
        }
        self.stack.push_nil();
        while self.stack.next_pair() {
            self.stack.push_copy(1);
            self.write_top(depth + 1)?;
            self.stack.pop();
            if form == Pairs::Map {
                self.write_top(depth + 1)?;
            }
            self.stack.pop();
        }
        Ok(())
    }

    /// Writes the elements of the table on top, up to the first that is nil.
    fn write_sequence(&mut self, depth: usize) -> Result<(), CommandError> {
        let mark = self.reply.begin_array();
        let mut count = 0;
        loop {
            self.stack.push_element(count + 1);
            if self.stack.top() == Value::Nil {
                self.stack.pop();
                break;
            }
            self.write_top(depth + 1)?;
            self.stack.pop();
            count += 1;
        }
        self.reply.finish_array(mark, count);
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pairs {
    Map,
    Set,
}

/// A Lua number as an integer, as the processors that Redis runs on convert it: what does not fit
/// becomes the smallest.
fn integer(number: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&number) { number as i64 } else { i64::MIN }
}

/// Appends an argument of `redis.call`; `false` if it is neither a text nor a number.
pub(super) fn argument(value: Value<'_>, bytes: &mut Vec<u8>) -> bool {
    match value {
        Value::Text(text) => bytes.extend_from_slice(text),
        Value::Number(number) => numbers::append_f64(bytes, number),
        _ => return false,
    }
    true
}

/// An error of a script as an error line: with a code, on one line.
pub(super) fn error_line(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let mut line = text.to_vec();
    if !text.contains(&b' ') {
        line.splice(0..0, *b"ERR ");
    }
    line
}
