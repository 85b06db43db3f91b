//! Tells scripts that touch only the keys that they were given from those that might touch others.
//!
//! The former need only the locks of these keys' shards; all others run alone, behind the gate. A
//! script is *accepted* if it can be read off its text that every key of every call is an element of
//! `KEYS`. Any doubt means no, so that only these forms are known:
//!
//! - `redis.call('NAME', …)` and `redis.pcall('NAME', …)`, with the command's name (and subcommand's)
//!   as a plain text; and one name for either, by `local call = redis.call`.
//! - Keys written as `KEYS[…]`; as a local variable that `KEYS[…]` was assigned to and nothing else ever;
//!   as the variable of `for _, key in ipairs(KEYS)`; as `unpack(KEYS)` where the arguments end.
//! - `KEYS` is otherwise only read by functions that keep nothing of it, and only globals that can
//!   neither change it nor make calls are named at all.
//!
//! This is not the guard: while a script runs, each of its calls is checked against the locks that are
//! held. It is what makes sure that the check does not fail after the script has written something.
//!
//! The reader is a recursive descent over Lua 5.1's grammar (reference manual, §8) which keeps nothing
//! but the scopes of local variables. It reads only what the interpreter has compiled.

mod arguments;
mod tokens;

use crate::table::CommandTable;
use tokens::Token;

/// Blocks and expressions within each other; the interpreter allows 200.
const DEPTH_MAX: usize = 64;

/// Longest script that is read: each of its bytes is looked at a few times, once per script.
const SCRIPT_LEN_MAX: usize = 256 << 10;

/// Functions that may be given `KEYS` as a whole: they read it, and keep nothing of it.
const READERS: &[&str] = &["ipairs", "next", "pairs", "tostring", "type", "unpack"];

/// Global functions that can neither change `KEYS` nor make calls.
const FUNCTIONS: &[&str] = &["assert", "error", "pcall", "rawequal", "select", "tonumber"];

/// Libraries of which this holds for all members.
const LIBRARIES: &[&str] = &["bit", "cjson", "cmsgpack", "math", "os", "string", "struct", "table"];

/// Members of `redis` of which this holds.
const MEMBERS: &[&str] = &[
    "LOG_DEBUG",
    "LOG_NOTICE",
    "LOG_VERBOSE",
    "LOG_WARNING",
    "error_reply",
    "log",
    "replicate_commands",
    "setresp",
    "sha1hex",
    "status_reply",
];

/// Whether every key that the script touches is one of those that it is given, for sure.
pub(super) fn names_its_keys(body: &[u8], table: &CommandTable) -> bool {
    if SCRIPT_LEN_MAX < body.len() {
        return false;
    }
    let tokens = std::str::from_utf8(body).ok().and_then(tokens::tokens);
    tokens.is_some_and(|tokens| Reader::new(&tokens, table).script().is_some())
}

/// What an expression is, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Value<'s> {
    /// An element of KEYS (or nil), by way of this variable or directly.
    Key(Option<usize>),
    /// A text or a whole number, as it stands in the script.
    Literal(&'s str),
    /// `#KEYS`.
    KeyCount,
    /// `unpack(KEYS)`: any number of keys.
    AllKeys,
    /// `ipairs(KEYS)` or `pairs(KEYS)`.
    KeyIterator,
    /// The function that makes calls.
    Call,
    /// Any number of values that might be anything.
    Many,
    /// One value that might be anything.
    One,
}

/// Where an expression could be assigned to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Variable(usize),
    Field,
    Nowhere,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Plain,
    /// Holds an element of KEYS, if nothing else is ever assigned to it.
    Key,
    /// Is the function that makes calls.
    Call,
}

struct Variable {
    role: Role,
    /// Something relies on its role.
    is_relied_on: bool,
    is_assigned: bool,
}

/// `None` means that the script is not accepted.
type Reading<T = ()> = Option<T>;

struct Reader<'t, 's> {
    tokens: &'t [Token<'s>],
    next: usize,
    table: &'t CommandTable,
    /// Names in scope, innermost last, with the number of their variable.
    scope: Vec<(&'s str, usize)>,
    variables: Vec<Variable>,
    depth: usize,
}

impl<'t, 's> Reader<'t, 's> {
    fn new(tokens: &'t [Token<'s>], table: &'t CommandTable) -> Self {
        Self { tokens, next: 0, table, scope: Vec::new(), variables: Vec::new(), depth: 0 }
    }

    fn script(mut self) -> Reading {
        self.block()?;
        let is_sound = |v: &Variable| !(v.is_relied_on && v.is_assigned);
        (self.peek() == Token::End && self.variables.iter().all(is_sound)).then_some(())
    }

    // Blocks and statements

    fn block(&mut self) -> Reading {
        let outer = self.scope.len();
        self.statements()?;
        self.scope.truncate(outer);
        Some(())
    }

    fn statements(&mut self) -> Reading {
        self.deeper()?;
        loop {
            match self.peek() {
                Token::End | Token::Word("end" | "else" | "elseif" | "until") => break,
                Token::Sign(";") => self.next += 1,
                _ => self.statement()?,
            }
        }
        self.depth -= 1;
        Some(())
    }

    fn statement(&mut self) -> Reading {
        let Token::Word(word) = self.peek() else { return self.expression_statement() };
        match word {
            "break" => self.word("break"),
            "do" => {
                self.next += 1;
                self.block()?;
                self.word("end")
            }
            "for" => self.for_loop(),
            "if" => self.branches(),
            "local" => self.local(),
            "repeat" => self.repeat(),
            "return" => self.return_values(),
            "while" => {
                self.next += 1;
                self.expression()?;
                self.word("do")?;
                self.block()?;
                self.word("end")
            }
            _ => self.expression_statement(),
        }
    }

    fn branches(&mut self) -> Reading {
        self.word("if")?;
        loop {
            self.expression()?;
            self.word("then")?;
            self.block()?;
            match self.take()? {
                Token::Word("elseif") => {}
                Token::Word("else") => {
                    self.block()?;
                    return self.word("end");
                }
                Token::Word("end") => return Some(()),
                _ => return None,
            }
        }
    }

    fn repeat(&mut self) -> Reading {
        self.word("repeat")?;
        let outer = self.scope.len();
        self.statements()?;
        self.word("until")?;
        // The condition sees what the block has declared.
        self.expression()?;
        self.scope.truncate(outer);
        Some(())
    }

    fn return_values(&mut self) -> Reading {
        self.word("return")?;
        match self.peek() {
            Token::End | Token::Sign(";") => Some(()),
            Token::Word("end" | "else" | "elseif" | "until") => Some(()),
            _ => self.expressions().map(|_| ()),
        }
    }

    fn for_loop(&mut self) -> Reading {
        self.word("for")?;
        let mut names = vec![self.name()?];
        while self.is_sign(",") {
            names.push(self.name()?);
        }
        let values = match self.take()? {
            Token::Sign("=") => self.expressions()?,
            Token::Word("in") => self.expressions()?,
            _ => return None,
        };
        self.word("do")?;
        let outer = self.scope.len();
        for (index, name) in names.into_iter().enumerate() {
            let is_key = index == 1 && values == [Value::KeyIterator];
            self.declare(name, if is_key { Role::Key } else { Role::Plain });
        }
        self.block()?;
        self.scope.truncate(outer);
        self.word("end")
    }

    fn local(&mut self) -> Reading {
        self.word("local")?;
        if self.is_word("function") {
            let name = self.name()?;
            self.declare(name, Role::Plain);
            return self.function_body();
        }
        let mut names = vec![self.name()?];
        while self.is_sign(",") {
            names.push(self.name()?);
        }
        let values = if self.is_sign("=") { self.expressions_or_call()? } else { Vec::new() };
        if values.contains(&Value::Call) && (names.len(), values.len()) != (1, 1) {
            return None;
        }
        // A name is in scope behind its own statement only.
        for (index, name) in names.into_iter().enumerate() {
            let role = match values.get(index) {
                Some(Value::Call) => Role::Call,
                Some(Value::Key(source)) => {
                    self.rely_on(*source);
                    Role::Key
                }
                _ => Role::Plain,
            };
            self.declare(name, role);
        }
        Some(())
    }

    /// An assignment or a call.
    fn expression_statement(&mut self) -> Reading {
        let (_, place) = self.suffixed()?;
        let mut places = vec![place];
        while self.is_sign(",") {
            places.push(self.suffixed()?.1);
        }
        if !self.is_sign("=") {
            return (places.len() == 1).then_some(());
        }
        self.expressions()?;
        places.into_iter().all(|place| self.assign(place)).then_some(())
    }

    fn assign(&mut self, place: Place) -> bool {
        match place {
            Place::Variable(id) => self.variables[id].is_assigned = true,
            Place::Field => {}
            Place::Nowhere => return false,
        }
        true
    }

    // Expressions

    fn expressions(&mut self) -> Reading<Vec<Value<'s>>> {
        let values = self.expressions_or_call()?;
        (!values.contains(&Value::Call)).then_some(values)
    }

    fn expressions_or_call(&mut self) -> Reading<Vec<Value<'s>>> {
        let mut values = vec![self.expression_or_call()?];
        while self.is_sign(",") {
            // Only the last keeps all its values.
            let last = values.len() - 1;
            values[last] = only_one(values[last]);
            values.push(self.expression_or_call()?);
        }
        Some(values)
    }

    fn expression(&mut self) -> Reading<Value<'s>> {
        self.expression_or_call().filter(|value| *value != Value::Call)
    }

    /// Operands and operators; who binds tighter makes no difference here.
    fn expression_or_call(&mut self) -> Reading<Value<'s>> {
        self.deeper()?;
        let mut value = self.operand()?;
        while self.is_operator() {
            let operand = self.operand()?;
            if value == Value::Call || operand == Value::Call {
                return None;
            }
            value = Value::One;
        }
        self.depth -= 1;
        Some(value)
    }

    fn operand(&mut self) -> Reading<Value<'s>> {
        let mut is_plain = true;
        loop {
            match self.peek() {
                Token::Sign("#") if self.is_whole_keys(1) => {
                    self.next += 2;
                    return Some(if is_plain { Value::KeyCount } else { Value::One });
                }
                Token::Sign("-" | "#") | Token::Word("not") => {
                    is_plain = false;
                    self.next += 1;
                }
                _ => break,
            }
        }
        let value = self.simple()?;
        match (is_plain, value) {
            (true, value) => Some(value),
            (false, Value::Call) => None,
            (false, _) => Some(Value::One),
        }
    }

    fn simple(&mut self) -> Reading<Value<'s>> {
        let value = match self.peek() {
            Token::Number(number) => {
                let is_whole = number.bytes().all(|byte| byte.is_ascii_digit());
                if is_whole { Value::Literal(number) } else { Value::One }
            }
            Token::Text(text) => Value::Literal(text),
            Token::OtherText | Token::Word("nil" | "true" | "false") => Value::One,
            Token::Sign("...") => Value::Many,
            Token::Sign("{") => return self.table_constructor(),
            Token::Word("function") => {
                self.next += 1;
                self.function_body()?;
                return Some(Value::One);
            }
            _ => return self.suffixed().map(|(value, _)| value),
        };
        self.next += 1;
        Some(value)
    }

    fn table_constructor(&mut self) -> Reading<Value<'s>> {
        self.sign("{")?;
        while !self.is_sign("}") {
            if self.is_sign("[") {
                self.expression()?;
                self.sign("]")?;
                self.sign("=")?;
            } else if let (Token::Word(_), Token::Sign("=")) = (self.peek(), self.peek_at(1)) {
                self.next += 2;
            }
            self.expression()?;
            if !self.is_sign(",") && !self.is_sign(";") && self.peek() != Token::Sign("}") {
                return None;
            }
        }
        Some(Value::One)
    }

    fn function_body(&mut self) -> Reading {
        self.sign("(")?;
        let outer = self.scope.len();
        while !self.is_sign(")") {
            if !self.is_sign("...") {
                let name = self.name()?;
                self.declare(name, Role::Plain);
            }
            if !self.is_sign(",") && self.peek() != Token::Sign(")") {
                return None;
            }
        }
        self.block()?;
        self.scope.truncate(outer);
        self.word("end")
    }

    /// A name or an expression in parentheses, with all that is applied to it.
    fn suffixed(&mut self) -> Reading<(Value<'s>, Place)> {
        let (mut value, mut place) = self.primary()?;
        loop {
            match self.peek() {
                Token::Sign(".") => {
                    self.next += 1;
                    self.name()?;
                    (value, place) = (self.used(value)?, Place::Field);
                }
                Token::Sign("[") => {
                    self.next += 1;
                    self.expression()?;
                    self.sign("]")?;
                    (value, place) = (self.used(value)?, Place::Field);
                }
                Token::Sign(":") => {
                    self.next += 1;
                    self.name()?;
                    self.used(value)?;
                    self.arguments(&[])?;
                    (value, place) = (Value::Many, Place::Nowhere);
                }
                Token::Sign("(" | "{") | Token::Text(_) | Token::OtherText => {
                    if value == Value::Call {
                        self.redis_call()?;
                    } else {
                        self.arguments(&[])?;
                    }
                    (value, place) = (Value::Many, Place::Nowhere);
                }
                _ => return Some((value, place)),
            }
        }
    }

    /// What is left of a value of which a part is taken; the function that makes calls has none.
    fn used(&self, value: Value<'s>) -> Reading<Value<'s>> {
        (value != Value::Call).then_some(Value::One)
    }

    fn primary(&mut self) -> Reading<(Value<'s>, Place)> {
        if self.is_sign("(") {
            let value = self.expression()?;
            self.sign(")")?;
            return Some((only_one(value), Place::Nowhere));
        }
        let name = self.name()?;
        if let Some(id) = self.variable(name) {
            let value = match self.variables[id].role {
                Role::Plain => Value::One,
                Role::Key => Value::Key(Some(id)),
                Role::Call => {
                    self.rely_on(Some(id));
                    Value::Call
                }
            };
            return Some((value, Place::Variable(id)));
        }
        self.global(name)
    }

    fn global(&mut self, name: &'s str) -> Reading<(Value<'s>, Place)> {
        let value = match name {
            "ARGV" => Value::One,
            "KEYS" => {
                self.sign("[")?;
                self.expression()?;
                self.sign("]")?;
                Value::Key(None)
            }
            "redis" | "server" => {
                self.sign(".")?;
                match self.name()? {
                    "call" | "pcall" => Value::Call,
                    member if MEMBERS.contains(&member) => Value::One,
                    _ => return None,
                }
            }
            _ if READERS.contains(&name) => return self.reader(name),
            _ if FUNCTIONS.contains(&name) => Value::One,
            _ if LIBRARIES.contains(&name) => {
                self.sign(".")?;
                self.name()?;
                Value::One
            }
            _ => return None,
        };
        Some((value, Place::Nowhere))
    }

    /// A function that may be given `KEYS`.
    fn reader(&mut self, name: &str) -> Reading<(Value<'s>, Place)> {
        if self.peek() != Token::Sign("(") {
            return Some((Value::One, Place::Nowhere));
        }
        let is_given_keys = self.is_whole_keys(1);
        self.arguments(if is_given_keys { &["KEYS"] } else { &[] })?;
        let value = match name {
            "unpack" if is_given_keys => Value::AllKeys,
            "ipairs" | "pairs" if is_given_keys => Value::KeyIterator,
            _ => Value::Many,
        };
        Some((value, Place::Nowhere))
    }

    /// The arguments of a call, of which the first may be one of `whole`.
    fn arguments(&mut self, whole: &[&str]) -> Reading<Vec<Value<'s>>> {
        match self.peek() {
            Token::Sign("(") => {}
            Token::Sign("{") => return self.table_constructor().map(|value| vec![value]),
            Token::Text(text) => {
                self.next += 1;
                return Some(vec![Value::Literal(text)]);
            }
            Token::OtherText => {
                self.next += 1;
                return Some(vec![Value::One]);
            }
            _ => return None,
        }
        self.next += 1;
        if self.is_sign(")") {
            return Some(Vec::new());
        }
        if matches!(self.peek(), Token::Word(name) if whole.contains(&name)) {
            self.next += 1;
            if self.is_sign(")") {
                return Some(vec![Value::One]);
            }
            self.sign(",")?;
        }
        let values = self.expressions()?;
        self.sign(")")?;
        Some(values)
    }

    fn redis_call(&mut self) -> Reading {
        let values = self.arguments(&[])?;
        for value in &values {
            if let Value::Key(source) = value {
                self.rely_on(*source);
            }
        }
        arguments::are_keys_named(self.table, &values).then_some(())
    }

    // Variables

    fn declare(&mut self, name: &'s str, role: Role) {
        self.scope.push((name, self.variables.len()));
        self.variables.push(Variable { role, is_relied_on: false, is_assigned: false });
    }

    fn variable(&self, name: &str) -> Option<usize> {
        self.scope.iter().rev().find(|(other, _)| *other == name).map(|(_, id)| *id)
    }

    fn rely_on(&mut self, variable: Option<usize>) {
        if let Some(id) = variable {
            self.variables[id].is_relied_on = true;
        }
    }

    // Tokens

    fn peek(&self) -> Token<'s> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Token<'s> {
        self.tokens.get(self.next + ahead).copied().unwrap_or(Token::End)
    }

    fn take(&mut self) -> Reading<Token<'s>> {
        let token = self.peek();
        self.next += 1;
        Some(token)
    }

    fn name(&mut self) -> Reading<&'s str> {
        const KEYWORDS: &[&str] = &[
            "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in",
            "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
        ];
        match self.take()? {
            Token::Word(word) if !KEYWORDS.contains(&word) => Some(word),
            _ => None,
        }
    }

    fn word(&mut self, word: &str) -> Reading {
        self.is_word(word).then_some(())
    }

    fn sign(&mut self, sign: &'static str) -> Reading {
        self.is_sign(sign).then_some(())
    }

    fn is_word(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Token::Word(next) if next == word);
        self.next += usize::from(is_it);
        is_it
    }

    fn is_sign(&mut self, sign: &'static str) -> bool {
        let is_it = self.peek() == Token::Sign(sign);
        self.next += usize::from(is_it);
        is_it
    }

    fn is_operator(&mut self) -> bool {
        let is_it = match self.peek() {
            Token::Word("and" | "or") => true,
            Token::Sign(sign) => matches!(
                sign,
                "+" | "-" | "*" | "/" | "%" | "^" | ".." | "==" | "~=" | "<" | "<=" | ">" | ">="
            ),
            _ => false,
        };
        self.next += usize::from(is_it);
        is_it
    }

    /// Whether the token so many ahead is `KEYS` as a whole: the global one, with nothing applied to it.
    fn is_whole_keys(&self, ahead: usize) -> bool {
        let is_applied_to = matches!(
            self.peek_at(ahead + 1),
            Token::Sign("." | "[" | ":" | "(" | "{") | Token::Text(_) | Token::OtherText
        );
        self.peek_at(ahead) == Token::Word("KEYS")
            && self.variable("KEYS").is_none()
            && !is_applied_to
    }

    fn deeper(&mut self) -> Reading {
        self.depth += 1;
        (self.depth <= DEPTH_MAX).then_some(())
    }
}

/// What a value becomes where only one is kept.
fn only_one(value: Value<'_>) -> Value<'_> {
    match value {
        Value::AllKeys | Value::KeyIterator | Value::Many => Value::One,
        value => value,
    }
}

#[cfg(test)]
mod tests;
