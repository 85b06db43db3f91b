//! Sets: different members without an order, in one of three forms.
//!
//! ```text
//! integers   | width 2, 4, 8 | integer | integer | …         packed, in ascending order
//! texts      | 1 | count 2 | length | bytes | …              packed, in order of arrival
//! large      a trie of pages                                 an object of its own
//! ```
//!
//! A set begins as integers while all its members are canonical decimal integers, and as texts
//! otherwise. It changes its form only when a member is added that the present form cannot hold
//! (see [`SetLimits`]), and never back when members go. A caller that announces how many members
//! come ([`reserve`]) spares the set forms that it would not keep.

mod combine;
mod random;
#[cfg(test)]
mod tests;
mod texts;

use base::numbers::{self, IntegerBuffer};

use super::limits::SetLimits;
use crate::layout::entry::Kind;
use crate::layout::home::{Form, Home, Large, Wanted};
use crate::layout::rubble::Rubble;
use crate::layout::trie::{self, Trie};
use crate::layout::{intset, packed};

pub use combine::{combine_len, difference, intersection, raise_to_difference, union};
pub use random::{is_rebuilt_by_pop, pop, random, sample};
use texts::Texts;

/// The large form.
#[derive(Clone, Debug, Default)]
pub struct LargeSet(Trie<()>);

impl Large for LargeSet {
    const KIND: Kind = Kind::Set;

    #[inline]
    fn len(form: Form<'_, Self>) -> usize {
        match form {
            Form::Packed(bytes) if intset::is_intset(bytes) => intset::len(bytes),
            Form::Packed(bytes) => packed::len(texts::items(bytes)),
            Form::Large(set) => set.0.len(),
        }
    }

    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    fn is_cheap_to_free(&self) -> bool {
        self.0.is_cheap_to_free()
    }

    fn crumble(self, rubble: &mut Rubble) {
        self.0.crumble(rubble);
    }

    fn prefetch(&self, wanted: &[Wanted<'_>]) {
        self.0.prefetch(wanted.iter().map(|wanted| wanted.element));
    }
}

/// A member as the set keeps it: a number is not printed before somebody wants its digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member<'a> {
    /// A number; as a member it is its decimal form.
    Integer(i64),
    /// Any bytes, digits too.
    Text(&'a [u8]),
}

impl Member<'_> {
    /// The bytes of the member.
    #[inline]
    pub fn bytes<'b>(&'b self, buffer: &'b mut IntegerBuffer) -> &'b [u8] {
        match self {
            Self::Integer(value) => buffer.format(*value),
            Self::Text(bytes) => bytes,
        }
    }
}

/// How a set is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Packed integers.
    Integers,
    /// A large set.
    Large,
    /// Packed texts.
    Texts,
}

/// How the set is kept.
pub fn encoding(form: Form<'_, LargeSet>) -> Encoding {
    match form {
        Form::Packed(bytes) if intset::is_intset(bytes) => Encoding::Integers,
        Form::Packed(_) => Encoding::Texts,
        Form::Large(_) => Encoding::Large,
    }
}

/// Adds `member`; says whether it is new.
pub fn add<H: Home<LargeSet>>(home: &mut H, member: &[u8], limits: &SetLimits) -> bool {
    if let Some(set) = home.large_mut() {
        return set.0.insert(member, (), &[]);
    }
    let bytes = home.packed();
    let takes_integers = match bytes.is_empty() {
        true => 0 < limits.integers_max,
        false => intset::is_intset(bytes),
    };
    if takes_integers {
        if let Some(value) = numbers::parse_i64(member) {
            return add_integer(home, value, limits);
        }
        if !home.packed().is_empty() {
            leave_integers(home, member.len(), limits);
        }
    }
    add_text(home, member, limits)
}

/// Adds a member of another set.
pub fn add_member<H: Home<LargeSet>>(home: &mut H, member: Member<'_>, limits: &SetLimits) -> bool {
    add(home, member.bytes(&mut IntegerBuffer::new()), limits)
}

/// Takes `member` out; says whether it was there.
pub fn remove<H: Home<LargeSet>>(home: &mut H, member: &[u8]) -> bool {
    if let Some(set) = home.large_mut() {
        return set.0.remove(member);
    }
    let bytes = home.packed();
    if intset::is_intset(bytes) {
        return numbers::parse_i64(member).is_some_and(|value| intset::remove(home, value));
    }
    let Some((_, offset)) = packed::find(texts::items(bytes), member, 1) else { return false };
    texts::remove(home, offset);
    true
}

/// Prepares a set for `count` further members, of which `first` is the first: one that would
/// outgrow its form if all were new takes the next form at once.
pub fn reserve<H: Home<LargeSet>>(home: &mut H, first: &[u8], count: usize, limits: &SetLimits) {
    let is_too_many = match home.form() {
        Form::Large(_) => false,
        Form::Packed([]) => {
            let is_integer = numbers::parse_i64(first).is_some();
            if is_integer && count <= limits.integers_max {
                return;
            }
            if is_integer && count <= limits.packed_entries_max {
                texts::begin(home);
            }
            limits.packed_entries_max < count
        }
        Form::Packed(bytes) if intset::is_intset(bytes) => limits.integers_max < count,
        Form::Packed(_) => limits.packed_entries_max < count,
    };
    if is_too_many {
        enlarge(home);
    }
}

/// Whether `member` is in the set.
#[inline]
pub fn contains(form: Form<'_, LargeSet>, member: &[u8]) -> bool {
    match form {
        Form::Packed(bytes) if intset::is_intset(bytes) => {
            numbers::parse_i64(member).is_some_and(|value| intset::contains(bytes, value))
        }
        Form::Packed(bytes) => packed::find(texts::items(bytes), member, 1).is_some(),
        Form::Large(set) => set.0.contains(member),
    }
}

/// Whether a member of another set is in the set.
#[inline]
pub fn contains_member(form: Form<'_, LargeSet>, member: Member<'_>) -> bool {
    match (form, member) {
        (Form::Packed(bytes), Member::Integer(value)) if intset::is_intset(bytes) => {
            intset::contains(bytes, value)
        }
        _ => contains(form, member.bytes(&mut IntegerBuffer::new())),
    }
}

/// All members.
pub fn iter(form: Form<'_, LargeSet>) -> Iter<'_> {
    Iter(match form {
        Form::Packed(bytes) if intset::is_intset(bytes) => Members::Integers { bytes, index: 0 },
        Form::Packed(bytes) => Members::Texts(packed::iter(texts::items(bytes))),
        Form::Large(set) => Members::Large(set.0.iter()),
    })
}

/// Visits members from `cursor` on, at least `count_min` if there are as many, and returns the
/// cursor to go on with, 0 at the end. A member that is there throughout is visited.
pub fn scan(
    form: Form<'_, LargeSet>,
    cursor: u64,
    count_min: usize,
    mut visit: impl FnMut(Member<'_>),
) -> u64 {
    if let Form::Large(set) = form {
        return set.0.scan(cursor, count_min, |element| visit(Member::Text(element.key)));
    }
    iter(form).for_each(visit);
    0
}

/// Checks what must hold; for tests and debugging.
///
/// # Panics
/// If it does not hold.
pub fn check_invariants(form: Form<'_, LargeSet>) {
    match form {
        Form::Packed([]) => {}
        Form::Packed(bytes) if intset::is_intset(bytes) => {
            assert!(intset::iter(bytes).is_sorted_by(|a, b| a < b));
            assert!(0 < intset::len(bytes));
        }
        Form::Packed(bytes) => {
            assert!(bytes[0] == texts::TAG);
            let mut members: Vec<_> = packed::iter(texts::items(bytes)).collect();
            assert!(!members.is_empty());
            members.sort_unstable();
            assert!(members.is_sorted_by(|a, b| a < b));
        }
        Form::Large(set) => set.0.check_invariants(),
    }
}

/// The members of a set.
pub struct Iter<'a>(Members<'a>);

enum Members<'a> {
    Integers { bytes: &'a [u8], index: usize },
    Large(trie::Iter<'a, ()>),
    Texts(packed::Iter<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        match &mut self.0 {
            Members::Integers { bytes, index } => {
                let is_left = *index < intset::len(bytes);
                is_left.then(|| {
                    *index += 1;
                    Member::Integer(intset::at(bytes, *index - 1))
                })
            }
            Members::Large(elements) => elements.next().map(|element| Member::Text(element.key)),
            Members::Texts(items) => items.next().map(Member::Text),
        }
    }
}

fn add_integer<H: Home<LargeSet>>(home: &mut H, value: i64, limits: &SetLimits) -> bool {
    let count_max = limits.integers_max.min(intset::COUNT_MAX);
    if !home.packed().is_empty() && count_max <= intset::len(home.packed()) {
        if intset::contains(home.packed(), value) {
            return false;
        }
        let set = enlarge(home);
        return set.0.insert(IntegerBuffer::new().format(value), (), &[]);
    }
    intset::add(home, value)
}

/// Adds to a set that is not one of integers.
fn add_text<H: Home<LargeSet>>(home: &mut H, member: &[u8], limits: &SetLimits) -> bool {
    if let Some(set) = home.large_mut() {
        return set.0.insert(member, (), &[]);
    }
    let items = texts::items(home.packed());
    if packed::find(items, member, 1).is_some() {
        return false;
    }
    let fits = packed::len(items) < limits.packed_entries_max
        && member.len() <= limits.packed_value_max
        && texts::has_room(items, member);
    if fits {
        packed::push(&mut Texts(home), &[member]);
        return true;
    }
    enlarge(home).0.insert(member, (), &[])
}

/// Turns integers into texts if those would be within the limits with one more member of `len`
/// bytes, else into a large set.
fn leave_integers<H: Home<LargeSet>>(home: &mut H, len: usize, limits: &SetLimits) {
    let bytes = home.packed();
    let count = intset::len(bytes);
    let ends = [0, count.wrapping_sub(1)].map(|index| {
        if index < count { numbers::decimal_len(intset::at(bytes, index)) } else { 0 }
    });
    let fits = count < limits.packed_entries_max
        && ends.into_iter().chain([len]).all(|len| len <= limits.packed_value_max);
    if !fits {
        enlarge(home);
        return;
    }
    let mut new = texts::with_capacity(count, ends.into_iter().max().unwrap_or(0));
    for value in intset::iter(bytes) {
        packed::push(&mut Texts(&mut new), &[IntegerBuffer::new().format(value)]);
    }
    home.set_packed(&new);
}

/// Makes a set large.
fn enlarge<H: Home<LargeSet>>(home: &mut H) -> &mut LargeSet {
    let mut large = LargeSet::default();
    for member in iter(home.form()) {
        large.0.insert(member.bytes(&mut IntegerBuffer::new()), (), &[]);
    }
    home.set_large(large);
    home.large_mut().expect("it was made large in the line above")
}
