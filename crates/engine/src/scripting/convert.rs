//! Between replies and Lua values, by the rules that Redis documents for EVAL.

use crate::error::CommandError;
use base::limits::REPLY_REPEATED_LEN_MAX;
use base::numbers;
use luastack::{Stack, Value};
use resp::{Item, Mark, Position, Reply};

/// Values that one level of a reply keeps on the stack at most, and the one beneath its name.
const LEVEL_VALUES: usize = 4;

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
/// Nothing recurses over what a script has nested: the interpreter's stack holds the values that have been
/// begun, and its room is the limit, some thousand levels.
///
/// # Errors
/// It is nested deeper, or so long as it only gets by saying the same table again and again.
pub(super) fn reply(
    reply: &mut Reply,
    stack: &mut Stack<'_>,
    shows_booleans: bool,
) -> Result<(), CommandError> {
    let start = reply.position();
    Writer { reply, stack, shows_booleans, start, open: Vec::new() }.write()
}

struct Writer<'w, 's> {
    reply: &'w mut Reply,
    stack: &'w mut Stack<'s>,
    shows_booleans: bool,
    start: Position,
    /// The tables that have been begun, the innermost last.
    open: Vec<Level>,
}

/// What is written of a table that has been begun.
enum Level {
    /// The elements of the table on top, up to the first that is nil.
    Sequence { mark: Mark, count: usize },
    /// The pairs of the table on top, whose last key is above it.
    Map,
    /// The value that belongs to the key below it.
    MapValue,
    /// The keys of the table on top, whose last one is above it.
    Set,
}

impl Writer<'_, '_> {
    /// Writes the value on top, and takes it off.
    fn write(&mut self) -> Result<(), CommandError> {
        self.begin()?;
        while let Some(level) = self.open.pop() {
            if self.step(level) {
                self.begin()?;
            }
        }
        Ok(())
    }

    /// Writes the value on top and takes it off, unless there is more inside: then it is open.
    fn begin(&mut self) -> Result<(), CommandError> {
        if REPLY_REPEATED_LEN_MAX < self.reply.len_since(self.start) {
            return Err(CommandError::ReplyTooLarge);
        }
        match self.stack.top() {
            Value::Text(text) => self.reply.bulk(text),
            Value::Number(number) => self.reply.integer(integer(number)),
            Value::Boolean(is_true) if self.shows_booleans => self.reply.boolean(is_true),
            Value::Boolean(true) => self.reply.integer(1),
            Value::Boolean(false) | Value::Nil | Value::Other => self.reply.null(),
            Value::Table if !self.stack.has_room(LEVEL_VALUES) => {
                return Err(CommandError::ScriptReplyDepth);
            }
            Value::Table => {
                self.begin_table();
                return Ok(());
            }
        }
        self.stack.pop();
        Ok(())
    }

    /// Goes on with a table: leaves the next value of it on top, or takes the table off.
    fn step(&mut self, level: Level) -> bool {
        match level {
            Level::Sequence { mark, count } => {
                self.stack.push_element(count + 1);
                if self.stack.top() != Value::Nil {
                    self.open.push(Level::Sequence { mark, count: count + 1 });
                    return true;
                }
                self.stack.pop();
                self.reply.finish_array(mark, count);
            }
            Level::MapValue => {
                self.open.push(Level::Map);
                return true;
            }
            Level::Map if self.stack.next_pair() => {
                self.open.push(Level::MapValue);
                self.stack.push_copy(1);
                return true;
            }
            Level::Set if self.stack.next_pair() => {
                self.open.push(Level::Set);
                self.stack.pop();
                self.stack.push_copy(0);
                return true;
            }
            // The table of pairs is a field of the table that goes with it.
            Level::Map | Level::Set => self.stack.pop(),
        }
        self.stack.pop();
        false
    }

    /// Writes the table on top and takes it off, or leaves it open.
    fn begin_table(&mut self) {
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
            return self.stack.pop();
        }
        if self.begin_pairs("map", Level::Map) || self.begin_pairs("set", Level::Set) {
            return;
        }
        let is_written = self.write_field("big_number", |reply, value| {
            let Value::Text(number) = value else { return false };
            reply.big_number(&one_line(number));
            true
        }) || self.write_verbatim();
        if is_written {
            return self.stack.pop();
        }
        self.open.push(Level::Sequence { mark: self.reply.begin_array(), count: 0 });
    }

    /// Opens the field of that name, if it is a table.
    fn begin_pairs(&mut self, field: &str, level: Level) -> bool {
        self.stack.push_field(field);
        if self.stack.top() != Value::Table {
            self.stack.pop();
            return false;
        }
        let mut count = 0;
        self.stack.push_nil();
        while self.stack.next_pair() {
            self.stack.pop();
            count += 1;
        }
        match level {
            Level::Set => self.reply.set(count),
            _ => self.reply.map(count),
        }
        self.stack.push_nil();
        self.open.push(level);
        true
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
