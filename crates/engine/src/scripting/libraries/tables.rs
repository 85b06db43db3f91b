//! Tables of a script, seen from outside: whether they are arrays, and one pair after the other.

use super::fault::Fault;
use crate::scripting::running::Running;
use mlua::{Function, Lua, Table, Value};
use std::cell::Cell;
use std::sync::Arc;

/// Steps of a walk between two looks whether the script was ended.
const STEPS_PER_LOOK: u32 = 1024;

/// What a table's keys and values say of it.
pub(super) struct Shape {
    /// Pairs in it.
    pub(super) count: usize,
    /// The largest key, if all are whole numbers from 1 on.
    pub(super) index_max: Option<usize>,
    /// Whether one of its values is a table.
    pub(super) is_nested: bool,
}

impl Shape {
    pub(super) fn of(table: &Table) -> mlua::Result<Self> {
        let mut shape = Self { count: 0, index_max: Some(0), is_nested: false };
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            let index = index(&key);
            shape.index_max = shape.index_max.zip(index).map(|(max, index)| max.max(index));
            shape.is_nested |= matches!(value, Value::Table(_));
            shape.count += 1;
        }
        Ok(shape)
    }
}

/// The keys of arrays are those that an `int` of C holds.
fn index(key: &Value) -> Option<usize> {
    match key {
        Value::Integer(key) if 0 < *key => i32::try_from(*key).ok().map(|key| key as usize),
        _ => None,
    }
}

/// Goes through tables a pair at a time: a walk that can stop at a nested table and go on later,
/// without recursion. It may be long, since a table can stand in another any number of times, so it
/// ends when the script is ended.
pub(super) struct Walker {
    next: Function,
    running: Option<Arc<Running>>,
    steps: Cell<u32>,
}

impl Walker {
    pub(super) fn new(lua: &Lua) -> mlua::Result<Self> {
        let running = lua.app_data_ref::<Arc<Running>>().map(|running| Arc::clone(&*running));
        Ok(Self { next: lua.globals().raw_get("next")?, running, steps: Cell::new(0) })
    }

    /// The pair behind `key`; the first behind nil.
    pub(super) fn pair_after(
        &self,
        table: &Table,
        key: &Value,
    ) -> mlua::Result<Option<(Value, Value)>> {
        let (key, value) = self.next.call::<(Value, Value)>((table, key))?;
        Ok(if matches!(key, Value::Nil) { None } else { Some((key, value)) })
    }

    /// Counts a step.
    pub(super) fn step(&self) -> Result<(), Fault> {
        let steps = self.steps.get() + 1;
        self.steps.set(steps % STEPS_PER_LOOK);
        let is_ended = |running: &Arc<Running>| running.is_ended();
        if steps == STEPS_PER_LOOK && self.running.as_ref().is_some_and(is_ended) {
            return Err(Fault::Ended);
        }
        Ok(())
    }
}
