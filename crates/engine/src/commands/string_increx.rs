//! INCREX: a counter that may have bounds and a deadline, in one call.
//!
//! Both replies come from one computation: the new number, and by how much it has changed. A step
//! that would leave the bounds (or the range of the type) is not made, and nothing of the key
//! changes then; or it ends at the bound, if the caller wants that.

use crate::args::{self, Args};
use crate::command::Outcome;
use crate::commands::common::deadline::{self, TimeForm};
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events::{self, Event};
use base::numbers::{self, LongDouble};
use store::Key;

/// `INCREX key [BYINT n | BYFLOAT x] [LBOUND min] [UBOUND max] [SATURATE] [EX s | PX ms | EXAT s |
/// PXAT ms | PERSIST] [ENX] [NX | XX]` → the new number, and the increment. O(1).
pub(super) fn increx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = Options::parse(Args::new(ctx.argv, 2))?;
    let time = options.time.map(|time| deadline::deadline(time, ctx.data.now_ms, "increx"));
    let time = time.transpose()?;
    match options.step()? {
        Step::Integer(step) => count(ctx, &options, time, step),
        Step::Float(step) => count(ctx, &options, time, step),
    }
}

fn count<N: Number>(
    ctx: &mut Ctx<'_, '_>,
    options: &Options<'_>,
    time: Option<u64>,
    step: Bounded<N>,
) -> Outcome {
    let key = ctx.key(1);
    let (old, before) = match ctx.data.write_string(key)? {
        None => (N::ZERO, None),
        Some(entry) => (N::stored(entry.string().bytes())?, Some(entry.deadline())),
    };
    let is_allowed = options.only_if.is_none_or(|wanted| wanted == before.is_some());
    let next = if is_allowed { step.next(old, options.saturates)? } else { None };
    let (new, applied) = next.unwrap_or((old, N::ZERO));
    if next.is_some() {
        store(ctx, key, &new, before, options, time);
    }
    ctx.reply.array(2);
    new.reply(ctx);
    applied.reply(ctx);
    Ok(())
}

/// Sets the new number, and the deadline that it is to have; `before` is the one that it had, of a
/// key that existed.
fn store<N: Number>(
    ctx: &mut Ctx<'_, '_>,
    key: Key<'_>,
    new: &N,
    before: Option<Option<u64>>,
    options: &Options<'_>,
    time: Option<u64>,
) {
    let before_deadline = before.flatten();
    let keeps = options.only_if_persistent && before_deadline.is_some();
    let time = time.filter(|_| !keeps);
    if time.is_some_and(|deadline| deadline <= ctx.data.now_ms) {
        if ctx.data.remove(key) {
            ctx.data.changed(key, events::DEL);
            ctx.journal_as(&[b"DEL", key.bytes]);
        }
        return;
    }
    let deadline = if options.persists { None } else { time.or(before_deadline) };
    let mut text = Vec::new();
    new.append_to(&mut text);
    ctx.data.set_string(key, &text, deadline);
    ctx.data.edit(key, |entry| entry.as_mut().set_text(N::IS_TEXT));
    ctx.data.changed(key, N::EVENT);
    if time.is_some() {
        ctx.data.noted(key, events::EXPIRE);
    } else if options.persists && before_deadline.is_some() {
        ctx.data.noted(key, events::PERSIST);
    }
    ctx.journal_as_set(key);
}

/// A step with its bounds.
struct Bounded<N> {
    step: N,
    min: N,
    max: N,
}

impl<N: Number> Bounded<N> {
    /// Where the step leads, and how far that is; nothing if it may not be made.
    fn next(&self, old: N, saturates: bool) -> Result<Option<(N, N)>, CommandError> {
        let sum = old.checked_add(self.step);
        let is_backward = self.step.is_less_than(N::ZERO);
        let is_above = sum.map_or(!is_backward, |sum| self.max.is_less_than(sum));
        let is_below = sum.map_or(is_backward, |sum| sum.is_less_than(self.min));
        let new = match sum {
            Some(sum) if !is_above && !is_below => sum,
            _ if !saturates => return Ok(None),
            _ if is_above => self.max,
            _ => self.min,
        };
        let applied = new.checked_sub(old).ok_or(N::DISTANCE_ERROR)?;
        Ok(Some((new, applied)))
    }
}

/// What is counted.
trait Number: Copy {
    const ZERO: Self;
    const MIN: Self;
    const MAX: Self;
    const EVENT: Event;
    /// Whether what is stored counts as text even if it looks like an integer.
    const IS_TEXT: bool;
    /// The way from one number to another is no number.
    const DISTANCE_ERROR: CommandError;

    fn parse(text: &[u8], what: &'static str) -> Result<Self, CommandError>;
    fn stored(text: &[u8]) -> Result<Self, CommandError>;
    fn checked_add(self, other: Self) -> Option<Self>;
    fn checked_sub(self, other: Self) -> Option<Self>;
    fn is_less_than(self, other: Self) -> bool;
    fn append_to(&self, text: &mut Vec<u8>);
    fn reply(self, ctx: &mut Ctx<'_, '_>);
}

impl Number for i64 {
    const ZERO: Self = 0;
    const MIN: Self = Self::MIN;
    const MAX: Self = Self::MAX;
    const EVENT: Event = events::INCRBY;
    const IS_TEXT: bool = false;
    const DISTANCE_ERROR: CommandError = CommandError::AppliedOverflow;

    fn parse(text: &[u8], what: &'static str) -> Result<Self, CommandError> {
        numbers::parse_i64(text).ok_or(CommandError::NotAnIntegerNamed(what))
    }

    fn stored(text: &[u8]) -> Result<Self, CommandError> {
        args::integer(text)
    }

    fn checked_add(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }

    fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_sub(other)
    }

    fn is_less_than(self, other: Self) -> bool {
        self < other
    }

    fn append_to(&self, text: &mut Vec<u8>) {
        numbers::append_i64(text, *self);
    }

    fn reply(self, ctx: &mut Ctx<'_, '_>) {
        ctx.reply.integer(self);
    }
}

impl Number for LongDouble {
    const ZERO: Self = Self::ZERO;
    const MIN: Self = Self::MIN;
    const MAX: Self = Self::MAX;
    const EVENT: Event = events::INCRBYFLOAT;
    const IS_TEXT: bool = true;
    const DISTANCE_ERROR: CommandError = CommandError::AppliedInfinite;

    fn parse(text: &[u8], what: &'static str) -> Result<Self, CommandError> {
        Self::parse(text).ok_or(CommandError::NotAFloatNamed(what))
    }

    fn stored(text: &[u8]) -> Result<Self, CommandError> {
        let value = Self::parse(text).ok_or(CommandError::NotAFloat)?;
        if value.is_finite() { Ok(value) } else { Err(CommandError::ValueInfinite) }
    }

    fn checked_add(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }

    fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(other.negated())
    }

    fn is_less_than(self, other: Self) -> bool {
        Self::is_less_than(&self, &other)
    }

    fn append_to(&self, text: &mut Vec<u8>) {
        self.append_to(text);
    }

    fn reply(self, ctx: &mut Ctx<'_, '_>) {
        let mut text = Vec::new();
        self.append_to(&mut text);
        ctx.reply.double_text(&text);
    }
}

enum Step {
    Float(Bounded<LongDouble>),
    Integer(Bounded<i64>),
}

#[derive(Default)]
struct Options<'a> {
    integer: Option<&'a [u8]>,
    float: Option<&'a [u8]>,
    min: Option<&'a [u8]>,
    max: Option<&'a [u8]>,
    saturates: bool,
    time: Option<(TimeForm, &'a [u8])>,
    persists: bool,
    /// The deadline is set only if there is none.
    only_if_persistent: bool,
    /// Only if the key exists, or only if it does not.
    only_if: Option<bool>,
}

impl<'a> Options<'a> {
    /// Nothing may be said twice.
    fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        while !args.is_empty() {
            let has_step = options.integer.is_some() || options.float.is_some();
            if !has_step && args.take("byint") {
                options.integer = Some(args.required()?);
            } else if !has_step && args.take("byfloat") {
                options.float = Some(args.required()?);
            } else if options.min.is_none() && args.take("lbound") {
                options.min = Some(args.required()?);
            } else if options.max.is_none() && args.take("ubound") {
                options.max = Some(args.required()?);
            } else if !options.saturates && args.take("saturate") {
                options.saturates = true;
            } else if options.only_if.is_none() && args.take("nx") {
                options.only_if = Some(false);
            } else if options.only_if.is_none() && args.take("xx") {
                options.only_if = Some(true);
            } else {
                options.take_time(&mut args)?;
            }
        }
        if options.only_if_persistent && options.time.is_none() {
            return Err(CommandError::IncrexEnxAlone);
        }
        Ok(options)
    }

    fn take_time(&mut self, args: &mut Args<'a>) -> Outcome {
        let is_free = self.time.is_none() && !self.persists;
        if is_free && !self.only_if_persistent && args.take("persist") {
            self.persists = true;
        } else if !self.only_if_persistent && !self.persists && args.take("enx") {
            self.only_if_persistent = true;
        } else if is_free && let Some(time) = deadline::take_option(args)? {
            self.time = Some(time);
        } else {
            return Err(CommandError::Syntax);
        }
        Ok(())
    }

    fn step(&self) -> Result<Step, CommandError> {
        match self.float {
            Some(step) => {
                let step: LongDouble = Number::parse(step, "Increment")?;
                if !step.is_finite() {
                    return Err(CommandError::IncrementInfinite);
                }
                Ok(Step::Float(self.bounded(step)?))
            }
            None => {
                let step = self.integer.map(|step| Number::parse(step, "Increment"));
                Ok(Step::Integer(self.bounded(step.transpose()?.unwrap_or(1))?))
            }
        }
    }

    fn bounded<N: Number>(&self, step: N) -> Result<Bounded<N>, CommandError> {
        let min = self.min.map_or(Ok(N::MIN), |min| N::parse(min, "LBOUND"))?;
        let max = self.max.map_or(Ok(N::MAX), |max| N::parse(max, "UBOUND"))?;
        if max.is_less_than(min) {
            return Err(CommandError::BoundsCrossed);
        }
        Ok(Bounded { step, min, max })
    }
}
