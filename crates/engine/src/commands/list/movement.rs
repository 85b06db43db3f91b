//! What takes elements from one list and adds them to another: LMOVE, LMOVEM, RPOPLPUSH.

use super::pop::pop_name;
use super::{end_named, pop_event, positive_count, push_event};
use crate::args::Args;
use crate::command::Outcome;
use crate::commands::common::list::{reply_element, reply_elements};
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;
use base::numbers::IntegerBuffer;
use smallvec::SmallVec;
use store::types::limits::ListLimits;
use store::types::list::{self, End, LargeList};
use store::{Entry, Key};

/// An element on its way, without an allocation if it is short.
type Text = SmallVec<[u8; 128]>;
/// One of several elements on their way.
type Texts = Vec<SmallVec<[u8; 32]>>;

/// From where to where elements move.
#[derive(Clone, Copy)]
pub(super) struct Move<'k> {
    pub(super) source: Key<'k>,
    pub(super) destination: Key<'k>,
    pub(super) from: End,
    pub(super) to: End,
}

/// How many elements LMOVEM moves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) count: usize,
    /// Nothing moves if there are fewer.
    pub(super) is_exact: bool,
    /// One after the other, so that the order turns round if both ends are the same.
    pub(super) is_one_by_one: bool,
}

/// `LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>` → the element moved, or null. O(1).
pub(super) fn lmove(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let call = Move::parse(ctx)?;
    if !move_one(ctx, call)? {
        ctx.reply.null();
    }
    Ok(())
}

/// `LMOVEM source destination <LEFT | RIGHT> <LEFT | RIGHT> [<COUNT count | EXACTLY count>
/// <OBO | BULK>]` → the elements moved, as they stand in the destination; null if there are fewer
/// than exactly so many. O(elements).
pub(super) fn lmovem(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let call = Move::parse(ctx)?;
    let amount = Amount::parse(Args::new(ctx.argv, 5))?;
    if !move_many(ctx, call, amount)? {
        if amount.is_exact {
            ctx.reply.null_array();
        } else {
            ctx.reply.array(0);
        }
    }
    Ok(())
}

/// `RPOPLPUSH source destination` → the element moved, or null. O(1).
pub(super) fn rpoplpush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (source, destination) = (ctx.key(1), ctx.key(2));
    let call = Move { source, destination, from: End::Tail, to: End::Head };
    if !move_one(ctx, call)? {
        ctx.reply.null();
    }
    Ok(())
}

impl<'k> Move<'k> {
    /// Two keys and two ends, from the first argument on.
    pub(super) fn parse(ctx: &Ctx<'k, '_>) -> Result<Self, CommandError> {
        let (from, to) = (end_named(ctx.argv.at(3))?, end_named(ctx.argv.at(4))?);
        Ok(Self { source: ctx.key(1), destination: ctx.key(2), from, to })
    }

    /// Says that one element was moved, whether somebody has waited for it or not.
    fn journal(&self, ctx: &mut Ctx<'_, '_>) {
        let name = |end| if end == End::Head { &b"LEFT"[..] } else { b"RIGHT" };
        let keys = [self.source.bytes, self.destination.bytes];
        ctx.journal_as(&[&b"LMOVE"[..], keys[0], keys[1], name(self.from), name(self.to)]);
    }

    fn is_within_one_list(&self) -> bool {
        self.source.bytes == self.destination.bytes
    }
}

impl Amount {
    pub(super) const ONE: Self = Self { count: 1, is_exact: false, is_one_by_one: true };

    /// The optional part of LMOVEM.
    pub(super) fn parse(mut args: Args<'_>) -> Result<Self, CommandError> {
        if args.is_empty() {
            return Ok(Self::ONE);
        }
        if args.len() != 3 {
            return Err(CommandError::Syntax);
        }
        let is_exact = args.take("exactly");
        if !is_exact && !args.take("count") {
            return Err(CommandError::Syntax);
        }
        let mut words = args;
        words.required()?;
        let is_one_by_one = words.take("obo");
        if !is_one_by_one && !words.take("bulk") {
            return Err(CommandError::Syntax);
        }
        Ok(Self { count: positive_count(&mut args)?, is_exact, is_one_by_one })
    }
}

/// Moves one element and replies with it; `false` if there is none.
pub(super) fn move_one(ctx: &mut Ctx<'_, '_>, call: Move<'_>) -> Result<bool, CommandError> {
    let Move { source, destination, from, to } = call;
    if ctx.data.look_as::<LargeList>(source)?.is_none() {
        return Ok(false);
    }
    let (reply, limits) = (&mut *ctx.reply, ctx.settings.types.list);
    if call.is_within_one_list() {
        ctx.data.change::<LargeList, _>(source, |home| {
            list::rotate(home, from, to, limits, |element| reply_element(reply, element))
        })?;
        moved(ctx, call, false);
        call.journal(ctx);
        return Ok(true);
    }
    ctx.data.look_as::<LargeList>(destination)?;
    let popped = ctx.data.change::<LargeList, _>(source, |home| {
        list::pop(home, from, limits, |element| {
            reply_element(reply, element);
            Text::from_slice(element.bytes(&mut IntegerBuffer::new()))
        })
    })?;
    let Some(popped) = popped else { return Ok(false) };
    let text = popped.result.as_deref().into_iter();
    ctx.data.create::<LargeList, _>(destination, |home| {
        list::push(home, to, text.clone(), limits);
    })?;
    moved(ctx, call, popped.is_emptied);
    call.journal(ctx);
    Ok(true)
}

/// Moves elements and replies with them as they stand in the destination; `false` if nothing
/// moves, because there are none or not enough.
pub(super) fn move_many(
    ctx: &mut Ctx<'_, '_>,
    call: Move<'_>,
    amount: Amount,
) -> Result<bool, CommandError> {
    let Move { source, destination, from, to } = call;
    let Some(form) = ctx.data.look_as::<LargeList>(source)? else { return Ok(false) };
    let len = list::len(form);
    if amount.is_exact && len < amount.count {
        return Ok(false);
    }
    let count = amount.count.min(len);
    ctx.data.look_as::<LargeList>(destination)?;
    let limits = ctx.settings.types.list;
    let take = |home: &mut Entry| {
        let mut texts = Texts::with_capacity(count);
        list::pop_many(home, from, count, limits, |element| {
            texts.push(SmallVec::from_slice(element.bytes(&mut IntegerBuffer::new())));
        });
        order(texts, call, amount)
    };
    let mut is_emptied = false;
    if call.is_within_one_list() {
        // The list must not go while its elements are on their way.
        ctx.data.change::<LargeList, _>(source, |home| {
            let texts = take(home);
            put(home, to, &texts, limits);
        })?;
    } else if let Some(taken) = ctx.data.change::<LargeList, _>(source, take)? {
        is_emptied = taken.is_emptied;
        ctx.data
            .create::<LargeList, _>(destination, |home| put(home, to, &taken.result, limits))?;
    }
    if ctx.data.recorder.is_on() {
        let form = ctx.data.look_as::<LargeList>(destination)?.expect("it has got the elements");
        let skipped = if to == End::Head { 0 } else { list::len(form) - count };
        let mut added: Vec<Vec<u8>> = vec![push_name(to).to_vec(), destination.bytes.to_vec()];
        let mut digits = IntegerBuffer::new();
        let stand = list::walk(form, End::Head, skipped, count);
        let first = added.len();
        added.extend(stand.map(|element| element.bytes(&mut digits).to_vec()));
        if to == End::Head {
            // The last one that is pushed stands first.
            added[first..].reverse();
        }
        let number = count.to_string();
        ctx.journal_as(&[pop_name(from), source.bytes, number.as_bytes()]);
        ctx.journal_as(&added);
    }
    let form = ctx.data.look_as::<LargeList>(destination)?.expect("it has got the elements");
    let skipped = if to == End::Head { 0 } else { list::len(form) - count };
    reply_elements(ctx.reply, list::walk(form, End::Head, skipped, count));
    moved(ctx, call, is_emptied);
    Ok(true)
}

fn push_name(end: End) -> &'static [u8] {
    match end {
        End::Head => b"LPUSH",
        End::Tail => b"RPUSH",
    }
}

/// Adds texts that stand as they shall stand in the list.
fn put(home: &mut Entry, to: End, texts: &Texts, limits: ListLimits) {
    match to {
        End::Head => list::push(home, to, texts.iter().rev().map(|text| &text[..]), limits),
        End::Tail => list::push(home, to, texts.iter().map(|text| &text[..]), limits),
    }
}

/// The texts as they shall stand in the destination; they come as they were taken.
fn order(mut texts: Texts, call: Move<'_>, amount: Amount) -> Texts {
    let is_source_order = call.from == End::Head;
    let stays = call.from != call.to || !amount.is_one_by_one;
    if is_source_order != stays {
        texts.reverse();
    }
    texts
}

/// Tells that elements were moved.
fn moved(ctx: &mut Ctx<'_, '_>, call: Move<'_>, is_emptied: bool) {
    ctx.data.changed(call.destination, push_event(call.to));
    ctx.data.noted(call.source, pop_event(call.from));
    if is_emptied {
        ctx.data.noted(call.source, events::DEL);
    }
}
