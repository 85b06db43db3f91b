//! The values on the interpreter's stack, counted from where one's own begin.

use crate::{Kept, Tie};
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;
use std::marker::PhantomData;

/// Values beyond those of the function's own that the interface pushes in passing.
const SPARE: c_int = 4;

/// A part of the interpreter's stack.
///
/// The values above where it begins are its own: they are counted from 0, the last is the top one.
pub struct Stack<'m> {
    state: *mut lua_State,
    /// How many values stand below.
    below: c_int,
    tie: Tie<'m>,
}

/// A value on the stack.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'s> {
    Boolean(bool),
    Nil,
    Number(f64),
    /// A function, a thread, or userdata.
    Other,
    Table,
    Text(&'s [u8]),
}

impl Stack<'_> {
    /// What is above the values that are there now.
    pub(crate) fn of_rest(state: *mut lua_State) -> Self {
        // SAFETY: a machine's state is alive.
        let below = unsafe { ffi::lua_gettop(state) };
        Self { state, below, tie: PhantomData }
    }

    /// The arguments of the function that the interpreter is calling.
    pub(crate) fn of_call(state: *mut lua_State) -> Self {
        Self { state, below: 0, tie: PhantomData }
    }

    /// Calls the function below the `count` values on top, with the handler below it; leaves the
    /// one result or the error.
    pub(crate) fn call(&mut self, count: usize) -> c_int {
        let handler = self.below + 1;
        // SAFETY: handler, function and arguments were pushed; errors are caught.
        let status = unsafe { ffi::lua_pcall(self.state, count as c_int, 1, handler) };
        self.remove_handler(handler);
        status
    }

    fn remove_handler(&mut self, handler: c_int) {
        // SAFETY: two values are left: the handler and what the call has left.
        unsafe { ffi::lua_remove(self.state, handler) };
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        // SAFETY: the state is alive.
        let top = unsafe { ffi::lua_gettop(self.state) };
        (top - self.below) as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at `index`; nil beyond the last.
    pub fn value(&self, index: usize) -> Value<'_> {
        // Above the top there is nothing, which reads as nil.
        self.value_at(self.below + 1 + index as c_int)
    }

    /// The value on top.
    pub fn top(&self) -> Value<'_> {
        self.len().checked_sub(1).map_or(Value::Nil, |last| self.value(last))
    }

    fn value_at(&self, index: c_int) -> Value<'_> {
        let state = self.state;
        // SAFETY: any index above the first is answered, here and below.
        match unsafe { ffi::lua_type(state, index) } {
            ffi::LUA_TNIL | ffi::LUA_TNONE => Value::Nil,
            // SAFETY: as above.
            ffi::LUA_TBOOLEAN => Value::Boolean(unsafe { ffi::lua_toboolean(state, index) } != 0),
            // SAFETY: as above.
            ffi::LUA_TNUMBER => Value::Number(unsafe { ffi::lua_tonumber(state, index) }),
            ffi::LUA_TTABLE => Value::Table,
            ffi::LUA_TSTRING => {
                let mut len = 0;
                // SAFETY: it is a text, so nothing is converted in place.
                let text = unsafe { ffi::lua_tolstring(state, index, &raw mut len) };
                // SAFETY: the text is not moved or freed while it is on the stack, and taking it off needs
                // the stack for oneself.
                Value::Text(unsafe { std::slice::from_raw_parts(text.cast(), len) })
            }
            _ => Value::Other,
        }
    }

    /// A number, or a text that the language reads as one.
    pub fn number(&self, index: usize) -> Option<f64> {
        if self.len() <= index {
            return None;
        }
        let index = self.below + 1 + index as c_int;
        // SAFETY: there is a value at `index`.
        let is_number = unsafe { ffi::lua_isnumber(self.state, index) } != 0;
        // SAFETY: as above; a text is not converted in place.
        is_number.then(|| unsafe { ffi::lua_tonumber(self.state, index) })
    }

    /// A text, or a number as the language writes it.
    pub fn text(&mut self, index: usize) -> Option<Vec<u8>> {
        match self.value(index) {
            Value::Text(text) => Some(text.to_vec()),
            Value::Number(number) => {
                self.push_number(number);
                let mut len = 0;
                // SAFETY: the number is on top; what is converted in place is this copy.
                let text = unsafe { ffi::lua_tolstring(self.state, -1, &raw mut len) };
                // SAFETY: the text stays where it is until it is taken off below.
                let text = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) }.to_vec();
                self.pop();
                Some(text)
            }
            _ => None,
        }
    }

    /// Takes the value on top off.
    pub fn pop(&mut self) {
        assert!(!self.is_empty(), "only one's own values are taken off");
        // SAFETY: there is one, by the line above.
        unsafe { ffi::lua_settop(self.state, -2) };
    }

    /// Takes all values off.
    pub fn clear(&mut self) {
        // SAFETY: `below` values were there when this stack began, and nobody takes those off.
        unsafe { ffi::lua_settop(self.state, self.below) };
    }

    /// Whether so many more values can be pushed.
    pub fn has_room(&self, count: usize) -> bool {
        // Beyond reason it is refused all the same.
        let count = c_int::try_from(count).unwrap_or(c_int::MAX - SPARE) + SPARE;
        // SAFETY: the state is alive, and no allocation fails.
        unsafe { ffi::lua_checkstack(self.state, count) != 0 }
    }

    /// Pushes nil.
    pub fn push_nil(&mut self) {
        self.reserve();
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnil(self.state) };
    }

    /// Pushes true or false.
    pub fn push_boolean(&mut self, is_true: bool) {
        self.reserve();
        // SAFETY: there is room.
        unsafe { ffi::lua_pushboolean(self.state, c_int::from(is_true)) };
    }

    /// Pushes a number.
    pub fn push_number(&mut self, number: f64) {
        self.reserve();
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnumber(self.state, number) };
    }

    /// Pushes a text.
    pub fn push_text(&mut self, text: &[u8]) {
        self.reserve();
        // SAFETY: there is room, and no allocation fails.
        unsafe { ffi::lua_pushlstring_(self.state, text.as_ptr().cast(), text.len()) };
    }

    /// Pushes a table of texts.
    pub fn push_texts<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t [u8]>) {
        self.push_table(texts.len(), 0);
        for (index, text) in texts.enumerate() {
            // SAFETY: `push_table` has made room, and no allocation fails.
            unsafe { ffi::lua_pushlstring_(self.state, text.as_ptr().cast(), text.len()) };
            // SAFETY: the table is below the text.
            unsafe { ffi::lua_rawseti_(self.state, -2, index as c_int + 1) };
        }
    }

    /// Pushes an empty table with room for so many elements in sequence, and so many others.
    pub fn push_table(&mut self, elements: usize, others: usize) {
        // A hint only: what a script's reply claims is not believed beyond reason.
        const HINT_MAX: usize = 1 << 20;
        let hint = |count: usize| count.min(HINT_MAX) as c_int;
        self.reserve();
        // SAFETY: there is room, and no allocation fails.
        unsafe { ffi::lua_createtable(self.state, hint(elements), hint(others)) };
    }

    /// Pushes the value so many below the top once more.
    pub fn push_copy(&mut self, below_top: usize) {
        assert!(below_top < self.len(), "only one's own values are copied");
        self.reserve();
        // SAFETY: there is a value, by the line above, and room.
        unsafe { ffi::lua_pushvalue(self.state, -1 - below_top as c_int) };
    }

    /// Pushes a value that is kept.
    pub fn push_kept(&mut self, kept: &Kept) {
        debug_assert!(kept.is_of(self.state));
        self.reserve();
        // SAFETY: there is room; the registry is a table.
        unsafe { ffi::lua_rawgeti_(self.state, ffi::LUA_REGISTRYINDEX, kept.reference) };
    }

    /// Takes the value on top off and sets it as the field `name` of the table below it.
    pub fn set_field(&mut self, name: &str) {
        self.assert_table(1);
        self.push_text(name.as_bytes());
        // SAFETY: the name was pushed above the value.
        unsafe { ffi::lua_insert(self.state, -2) };
        // SAFETY: table, name and value are on top; a text is a good key.
        unsafe { ffi::lua_rawset(self.state, -3) };
    }

    /// Takes the value on top off and sets it as the element `index` (from 1) of the table below it.
    pub fn set_element(&mut self, index: usize) {
        self.assert_table(1);
        // SAFETY: table and value are on top.
        unsafe { ffi::lua_rawseti_(self.state, -2, index as c_int) };
    }

    /// Takes the two values on top off and sets the upper one under the lower one as its key in the
    /// table below them. What cannot be a key (nil and NaN) is left out.
    pub fn set_pair(&mut self) {
        self.assert_table(2);
        let is_key = match self.value(self.len() - 2) {
            Value::Nil => false,
            Value::Number(number) => !number.is_nan(),
            _ => true,
        };
        if is_key {
            // SAFETY: table, key and value are on top, and the key can be one.
            unsafe { ffi::lua_rawset(self.state, -3) };
        } else {
            self.pop();
            self.pop();
        }
    }

    /// Pushes the field `name` of the table on top, past any metatable.
    pub fn push_field(&mut self, name: &str) {
        self.assert_table(0);
        self.push_text(name.as_bytes());
        // SAFETY: the table is below the name, which makes room for its value.
        unsafe { ffi::lua_rawget_(self.state, -2) };
    }

    /// Pushes the element `index` (from 1) of the table on top, past any metatable.
    pub fn push_element(&mut self, index: usize) {
        self.assert_table(0);
        self.reserve();
        // SAFETY: the table is on top, and there is room.
        unsafe { ffi::lua_rawgeti_(self.state, -1, index as c_int) };
    }

    /// With the table below the key on top (nil to begin with): replaces the key by the next one and
    /// pushes its value, or takes the key off if it was the last. The table must not be changed meanwhile.
    pub fn next_pair(&mut self) -> bool {
        self.assert_table(1);
        self.reserve();
        // SAFETY: the table is below the key, which is nil or came from the same table.
        unsafe { ffi::lua_next(self.state, -2) != 0 }
    }

    /// Whether the table so many values below the top is one.
    #[track_caller]
    fn assert_table(&self, below_top: usize) {
        let place = self.len().checked_sub(below_top + 1);
        let is_table = place.is_some_and(|place| self.value(place) == Value::Table);
        assert!(is_table, "there is a table at this place of the stack");
    }

    fn reserve(&mut self) {
        // SAFETY: the state is alive, and no allocation fails.
        let has_room = unsafe { ffi::lua_checkstack(self.state, SPARE) } != 0;
        assert!(has_room, "nobody pushes more than a few thousand values");
    }
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}
