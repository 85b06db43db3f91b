//! SORT: the elements of a list, set or sorted set in order, or what other keys hold for them.
//!
//! The value is frozen first, so its elements are looked at where they lie while other keys are
//! read. Each element gets a *weight* once; with LIMIT only the wanted part is put in order.
//!
//! Only BY and GET with a pattern reach beyond the keys of the call: then it stands behind the gate.

mod query;

use crate::command::Outcome;
use crate::context::{Ctx, Origin};
use crate::data::Data;
use crate::error::{AclError, CommandError};
use crate::events;
use base::numbers::{self, IntegerBuffer};
use query::{By, Get, Pattern, Query, Storing};
use std::cmp::Ordering;
use std::ops::Range;
use store::types::hash::{self, LargeHash};
use store::types::list::{self, End, LargeList};
use store::types::set::{self, LargeSet};
use store::types::sorted_set::{self, LargeSortedSet};
use store::{Entry, EntryRef, Form, Home, Key, Kind, Large, Own};

pub(super) use query::{reach, target};

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA]
/// [STORE destination]` → the elements, or what GET found for them; with STORE how many were
/// stored. O(elements + sorted × log(sorted)).
pub(super) fn sort(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, Storing::Allowed)
}

/// `SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA]` → as SORT
/// without STORE.
pub(super) fn sort_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, Storing::Forbidden)
}

fn run(ctx: &mut Ctx<'_, '_>, storing: Storing) -> Outcome {
    let mut query = Query::parse(ctx.argv, storing)?;
    // GET of the element itself asks for as much as any other, as in the references.
    let asks_for_all = matches!(query.by, By::Pattern(_)) || !query.gets.is_empty();
    if asks_for_all && !ctx.may_read_all_keys() {
        let is_by = matches!(query.by, By::Pattern(_));
        return Err(if is_by { AclError::SortBy } else { AclError::SortGet }.into());
    }
    let key = ctx.key(1);
    let source = Source::freeze(ctx.data.read(key))?;
    let needs_order = query.store.is_some() || ctx.origin == Origin::Script;
    if matches!((&source, query.by), (Source::Set(_), By::Nothing)) && needs_order {
        // What is kept, or may be computed with, must not depend on the order of a set.
        (query.by, query.is_alphabetic) = (By::Element, true);
    }
    let range = query.range(source.len());
    let elements = match query.by {
        By::Nothing => source.elements(range, query.is_descending),
        By::Element | By::Pattern(_) => sorted(ctx.data, &source, &query, range)?,
    };
    match query.store {
        None => reply(ctx, &query.gets, &elements),
        Some(target) => {
            store(ctx, ctx.key(target), &query.gets, &elements);
            // The result may have replaced what was sorted: then this was the last to hold it.
            source.free(ctx.data);
        }
    }
    Ok(())
}

/// What is sorted, as it was when the call began.
enum Source {
    List(Own<LargeList>),
    Missing,
    Set(Own<LargeSet>),
    SortedSet(Own<LargeSortedSet>),
}

impl Source {
    fn freeze(entry: Option<EntryRef<'_>>) -> Result<Self, CommandError> {
        let Some(entry) = entry else { return Ok(Self::Missing) };
        match entry.kind() {
            Kind::List => Ok(Self::List(freeze(entry.form()))),
            Kind::Set => Ok(Self::Set(freeze(entry.form()))),
            Kind::SortedSet => Ok(Self::SortedSet(freeze(entry.form()))),
            Kind::Hash | Kind::Stream | Kind::String => Err(CommandError::WrongType),
        }
    }

    fn free(self, data: &Data<'_>) {
        let entry = match self {
            Self::List(list) => Entry::collection(b"", list, None, 0),
            Self::Missing => return,
            Self::Set(set) => Entry::collection(b"", set, None, 0),
            Self::SortedSet(set) => Entry::collection(b"", set, None, 0),
        };
        if !entry.is_cheap_to_free() {
            // Its bytes are counted with the key, whoever holds that now.
            data.reclaim().reclaim(entry, 0);
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::List(list) => LargeList::len(list.form()),
            Self::Missing => 0,
            Self::Set(set) => LargeSet::len(set.form()),
            Self::SortedSet(set) => LargeSortedSet::len(set.form()),
        }
    }

    /// Some of the elements in the order that they have; backwards, the last one is number 0.
    fn elements(&self, range: Range<usize>, is_backwards: bool) -> Vec<Element<'_>> {
        let len = self.len();
        match self {
            Self::List(list) => {
                let end = if is_backwards { End::Tail } else { End::Head };
                let elements = list::walk(list.form(), end, range.start, range.len());
                elements.map(Element::from).collect()
            }
            Self::Missing => Vec::new(),
            Self::Set(set) => {
                let members = set::iter(set.form()).skip(range.start).take(range.len());
                members.map(Element::from).collect()
            }
            Self::SortedSet(set) => {
                let items = if is_backwards {
                    sorted_set::iter_back(set.form(), len - range.end..len - range.start)
                } else {
                    sorted_set::iter(set.form(), range)
                };
                items.map(|item| Element::Text(item.member)).collect()
            }
        }
    }
}

/// The value as it is now: constant time for a large one.
fn freeze<L: Large>(form: Form<'_, L>) -> Own<L> {
    match form {
        Form::Packed(bytes) => Own::Packed(bytes.to_vec()),
        Form::Large(large) => Own::Large(large.clone()),
    }
}

#[derive(Clone, Copy)]
enum Element<'a> {
    Integer(i64),
    Text(&'a [u8]),
}

impl Element<'_> {
    fn bytes<'b>(&'b self, buffer: &'b mut IntegerBuffer) -> &'b [u8] {
        match self {
            Self::Integer(value) => buffer.format(*value),
            Self::Text(bytes) => bytes,
        }
    }
}

impl<'a> From<list::Element<'a>> for Element<'a> {
    fn from(element: list::Element<'a>) -> Self {
        match element {
            list::Element::Bytes(bytes) => Self::Text(bytes),
            list::Element::Integer(value) => Self::Integer(value),
            list::Element::Shared(bytes) => Self::Text(bytes),
        }
    }
}

impl<'a> From<set::Member<'a>> for Element<'a> {
    fn from(member: set::Member<'a>) -> Self {
        match member {
            set::Member::Integer(value) => Self::Integer(value),
            set::Member::Text(bytes) => Self::Text(bytes),
        }
    }
}

/// What an element is sorted by. A call has only scores, or none.
enum Weight<'a> {
    /// There is no key for the element: before all others.
    Missing,
    Score(f64),
    /// Text from another key, or digits.
    Own(Box<[u8]>),
    Text(&'a [u8]),
}

impl Weight<'_> {
    fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Missing | Self::Score(_) => None,
            Self::Own(bytes) => Some(bytes),
            Self::Text(bytes) => Some(bytes),
        }
    }
}

struct Weighed<'a> {
    weight: Weight<'a>,
    element: Element<'a>,
    /// Its number before sorting: what is otherwise equal stays in order.
    number: u32,
}

impl Weighed<'_> {
    fn compare(&self, other: &Self) -> Ordering {
        let (Weight::Score(score), Weight::Score(other_score)) = (&self.weight, &other.weight)
        else {
            return self.weight.text().cmp(&other.weight.text());
        };
        let by_score = score.partial_cmp(other_score).unwrap_or(Ordering::Equal);
        by_score.then_with(|| {
            let (mut buffer, mut other_buffer) = (IntegerBuffer::new(), IntegerBuffer::new());
            self.element.bytes(&mut buffer).cmp(other.element.bytes(&mut other_buffer))
        })
    }
}

/// The elements in `range` of all elements in order.
fn sorted<'s>(
    data: &mut Data<'_>,
    source: &'s Source,
    query: &Query<'_>,
    range: Range<usize>,
) -> Result<Vec<Element<'s>>, CommandError> {
    let elements = source.elements(0..source.len(), false);
    let mut weighed = Vec::with_capacity(elements.len());
    for (number, element) in elements.into_iter().enumerate() {
        let weight = weigh(data, query, element)?;
        weighed.push(Weighed { weight, element, number: number as u32 });
    }
    let compare = |one: &Weighed<'_>, other: &Weighed<'_>| {
        let order = one.compare(other);
        let order = if query.is_descending { order.reverse() } else { order };
        order.then(one.number.cmp(&other.number))
    };
    if range.is_empty() {
        return Ok(Vec::new());
    }
    if range.end < weighed.len() {
        weighed.select_nth_unstable_by(range.end, compare);
        weighed.truncate(range.end);
    }
    weighed.sort_unstable_by(compare);
    Ok(weighed[range].iter().map(|weighed| weighed.element).collect())
}

fn weigh<'s>(
    data: &mut Data<'_>,
    query: &Query<'_>,
    element: Element<'s>,
) -> Result<Weight<'s>, CommandError> {
    let By::Pattern(pattern) = query.by else {
        return match (element, query.is_alphabetic) {
            (Element::Integer(value), true) => {
                Ok(Weight::Own(IntegerBuffer::new().format(value).into()))
            }
            (Element::Text(bytes), true) => Ok(Weight::Text(bytes)),
            (Element::Integer(value), false) => Ok(Weight::Score(value as f64)),
            (Element::Text(bytes), false) => score(bytes).map(Weight::Score),
        };
    };
    with_found(data, pattern, element, |found| match (found, query.is_alphabetic) {
        (None, true) => Ok(Weight::Missing),
        (Some(bytes), true) => Ok(Weight::Own(bytes.into())),
        (None, false) => Ok(Weight::Score(0.0)),
        (Some(bytes), false) => score(bytes).map(Weight::Score),
    })
}

/// The number that a text stands for, as far as a text in C would go.
fn score(text: &[u8]) -> Result<f64, CommandError> {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    numbers::parse_f64_bound(&text[..end]).ok_or(CommandError::SortScoreInvalid)
}

/// Looks up what a pattern names for an element: a string, or a field of a hash.
fn with_found<R>(
    data: &mut Data<'_>,
    pattern: Pattern<'_>,
    element: Element<'_>,
    look: impl FnOnce(Option<&[u8]>) -> R,
) -> R {
    let mut bytes = Vec::new();
    pattern.write_key(element.bytes(&mut IntegerBuffer::new()), &mut bytes);
    let key = Key { bytes: &bytes, hash: data.keyspace().hash(&bytes) };
    let now_ms = data.now_ms;
    let entry = data.read(key);
    look(match (entry, pattern.field) {
        (Some(entry), None) if entry.kind() == Kind::String => Some(entry.string().bytes()),
        (Some(entry), Some(field)) if entry.kind() == Kind::Hash => {
            hash::get(entry.form::<LargeHash>(), field, now_ms)
        }
        _ => None,
    })
}

/// Calls `visit` with everything that is asked for, in order.
fn each_result(
    data: &mut Data<'_>,
    gets: &[Get<'_>],
    elements: &[Element<'_>],
    mut visit: impl FnMut(Option<&[u8]>),
) {
    let gets = if gets.is_empty() { &[Get::Element] } else { gets };
    for element in elements {
        for get in gets {
            match get {
                Get::Element => visit(Some(element.bytes(&mut IntegerBuffer::new()))),
                Get::Nothing => visit(None),
                Get::Pattern(pattern) => with_found(data, *pattern, *element, &mut visit),
            }
        }
    }
}

fn reply(ctx: &mut Ctx<'_, '_>, gets: &[Get<'_>], elements: &[Element<'_>]) {
    let reply = &mut *ctx.reply;
    reply.array(elements.len() * gets.len().max(1));
    each_result(ctx.data, gets, elements, |result| match result {
        Some(bytes) => reply.bulk(bytes),
        None => reply.null(),
    });
}

/// Stores everything that is asked for as a list; what is missing is an empty text there.
fn store(ctx: &mut Ctx<'_, '_>, target: Key<'_>, gets: &[Get<'_>], elements: &[Element<'_>]) {
    let limits = ctx.settings.types.list;
    let mut result = Own::<LargeList>::default();
    each_result(ctx.data, gets, elements, |found| {
        let text = std::iter::once(found.unwrap_or_default());
        list::push(&mut result, End::Tail, text, limits);
    });
    let len = LargeList::len(result.form());
    if len != 0 {
        ctx.data.put_collection(target, result, None);
        ctx.data.changed(target, events::SORTSTORE);
    } else if ctx.data.remove(target) {
        ctx.data.changed(target, events::DEL);
    }
    ctx.reply.integer(len as i64);
}
