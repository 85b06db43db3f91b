//! Hashes: fields with values, and fields that expire.
//!
//! *Packed*, while a hash is small and no field of it has ever had a deadline: field, value, field,
//! value, in the order in which the fields came. *Large*: a hash trie, whose elements have a
//! deadline beside their key if they have one at all (eight bytes for those that do, none for the
//! others). A hash turns large for good. Clients tell three encodings apart: to them a hash that is
//! large only because of its deadlines is still a kind of list.
//!
//! A field past its deadline (as for keys: later than it) is not there for any verb. It goes when its time is up ([`purge`], by
//! the keyspace's queue, which knows the earliest deadline of each hash), and until then a verb that
//! meets it passes over it. So every verb wants to know the time, and the number of fields is that
//! of all less those that are due, which the trie counts by looking only where there are any.

use base::rand::Rng;

use super::limits::HashLimits;
use crate::layout::entry::Kind;
use crate::layout::home::{Form, Home, Large, Wanted};
use crate::layout::packed;
use crate::layout::rubble::Rubble;
use crate::layout::trie::{self, Payload, Trie};

/// Random fields that are drawn before all are looked at for one that has not expired.
const DRAWS_MAX: usize = 64;

/// The large form of a hash.
#[derive(Clone, Debug)]
pub struct LargeHash {
    fields: Trie<Deadline>,
    /// Whether it is within the limits of packed hashes, and only its deadlines made it large.
    is_compact: bool,
}

/// When a field expires, in Unix milliseconds; zero is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Deadline(u64);

impl Payload for Deadline {
    const LEN: usize = 8;
    const HAS_VALUE: bool = true;
    type Due = u64;
    const NEVER: u64 = u64::MAX;

    #[inline]
    fn due(self) -> u64 {
        if self.0 == 0 { Self::NEVER } else { self.0 }
    }

    fn write(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Self {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        Self(u64::from_le_bytes(word))
    }
}

impl Large for LargeHash {
    const KIND: Kind = Kind::Hash;

    /// Fields that have expired and were not yet removed are counted.
    fn len(form: Form<'_, Self>) -> usize {
        match form {
            Form::Packed(bytes) => packed::len(bytes) / 2,
            Form::Large(large) => large.fields.len(),
        }
    }

    fn memory_bytes(&self) -> usize {
        self.fields.memory_bytes()
    }

    fn is_cheap_to_free(&self) -> bool {
        self.fields.is_cheap_to_free()
    }

    fn crumble(self, rubble: &mut Rubble) {
        self.fields.crumble(rubble);
    }

    fn prefetch(&self, wanted: &[Wanted<'_>]) {
        self.fields.prefetch(wanted.iter().map(|wanted| wanted.element));
    }

    fn purge_due(&mut self, now_ms: u64, gone: &mut dyn FnMut(&[u8])) {
        self.fields.remove_due_before(now_ms, usize::MAX, gone);
    }

    fn next_deadline_ms(&self) -> Option<u64> {
        Some(self.fields.due()).filter(|due| *due != Deadline::NEVER)
    }
}

/// A look at a hash.
pub type Fields<'a> = Form<'a, LargeHash>;

/// What clients call the form in which a hash is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Small.
    Packed,
    /// Small, and fields have, or had, deadlines.
    PackedTimed,
    /// Large.
    Table,
}

/// What becomes of a field's deadline when its value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// It has this one, not earlier than now, in Unix milliseconds.
    At(u64),
    /// It has none.
    Clear,
    /// It keeps the one that it has.
    Keep,
}

/// Sets a field; says whether it is new.
pub fn set<H: Home<LargeHash>>(
    home: &mut H,
    field: &[u8],
    value: &[u8],
    ttl: Ttl,
    now_ms: u64,
    limits: HashLimits,
) -> bool {
    if let Some(large) = home.large_mut() {
        return large.set(field, value, ttl, now_ms, limits);
    }
    let is_timed = matches!(ttl, Ttl::At(_));
    if !is_timed && limits.fit(field, value) && packed::has_room(home.packed(), &[field, value]) {
        let bytes = home.packed();
        if let Some((_, at)) = packed::find(bytes, field, 2) {
            let at = packed::skip(bytes, at, 1);
            packed::replace(home, at, value);
            return false;
        }
        if packed::len(bytes) / 2 < limits.packed_entries_max {
            packed::push(home, &[field, value]);
            return true;
        }
    }
    let large = grow(home);
    large.is_compact = is_timed;
    large.set(field, value, ttl, now_ms, limits)
}

/// Takes a field out; says whether it was there.
pub fn delete<H: Home<LargeHash>>(home: &mut H, field: &[u8], now_ms: u64) -> bool {
    if let Some(large) = home.large_mut() {
        return large.deadline(field, now_ms).is_some() && large.fields.remove(field);
    }
    let Some((_, at)) = packed::find(home.packed(), field, 2) else { return false };
    packed::remove(home, at, 2);
    true
}

/// Gives a field a deadline, not earlier than now, or takes it away; says whether the field is there.
pub fn set_deadline<H: Home<LargeHash>>(
    home: &mut H,
    field: &[u8],
    deadline: Option<u64>,
    now_ms: u64,
) -> bool {
    if !contains(home.form(), field, now_ms) {
        return false;
    }
    match (home.large_mut(), deadline) {
        (Some(large), _) => large.fields.set_payload(field, Deadline(deadline.unwrap_or(0))),
        (None, None) => true,
        (None, Some(deadline)) => grow(home).fields.set_payload(field, Deadline(deadline)),
    }
}

/// Removes fields past their deadline, at most `max`, and calls `gone` with each; returns how many.
pub fn purge(large: &mut LargeHash, now_ms: u64, max: usize, gone: impl FnMut(&[u8])) -> usize {
    large.fields.remove_due_before(now_ms, max, gone)
}

/// A field's value.
#[inline]
pub fn get<'a>(form: Fields<'a>, field: &[u8], now_ms: u64) -> Option<&'a [u8]> {
    match form {
        Form::Packed(bytes) => {
            let (_, at) = packed::find(bytes, field, 2)?;
            Some(packed::item(bytes, packed::skip(bytes, at, 1)).0)
        }
        Form::Large(large) => {
            let element = large.fields.get(field)?;
            (now_ms <= element.payload.due()).then_some(element.value)
        }
    }
}

/// Whether a field is there.
pub fn contains(form: Fields<'_>, field: &[u8], now_ms: u64) -> bool {
    get(form, field, now_ms).is_some()
}

/// A field's deadline, if the field is there.
pub fn deadline(form: Fields<'_>, field: &[u8], now_ms: u64) -> Option<Option<u64>> {
    match form {
        Form::Packed(bytes) => packed::find(bytes, field, 2).map(|_| None),
        Form::Large(large) => large.deadline(field, now_ms),
    }
}

/// Number of fields.
pub fn len(form: Fields<'_>, now_ms: u64) -> usize {
    match form {
        Form::Packed(bytes) => packed::len(bytes) / 2,
        Form::Large(large) => large.fields.len() - large.fields.count_due_before(now_ms),
    }
}

/// All fields with their values; [`len`] many.
pub fn iter(form: Fields<'_>, now_ms: u64) -> Iter<'_> {
    match form {
        Form::Packed(bytes) => Iter::Packed(packed::iter(bytes)),
        Form::Large(large) => Iter::Large(large.fields.iter(), now_ms),
    }
}

/// All fields with their deadlines, those that have expired too: for digests and copies.
pub fn iter_timed(form: Fields<'_>) -> impl Iterator<Item = (&[u8], &[u8], Option<u64>)> {
    let mut iter = iter(form, 0);
    std::iter::from_fn(move || match &mut iter {
        Iter::Packed(items) => Some((items.next()?, items.next()?, None)),
        Iter::Large(fields, _) => {
            let element = fields.next()?;
            Some((element.key, element.value, element.payload.known()))
        }
    })
}

/// Visits fields with their values from `cursor` on, at least `count_min` if there are as many, and
/// returns the cursor to go on with: zero at the end. A field that is there throughout is visited.
pub fn scan(
    form: Fields<'_>,
    cursor: u64,
    count_min: usize,
    now_ms: u64,
    mut visit: impl FnMut(&[u8], &[u8]),
) -> u64 {
    match form {
        Form::Packed(_) => {
            iter(form, now_ms).for_each(|(field, value)| visit(field, value));
            0
        }
        Form::Large(large) => large.fields.scan(cursor, count_min, |element| {
            if now_ms <= element.payload.due() {
                visit(element.key, element.value);
            }
        }),
    }
}

/// Some field with its value, each equally likely.
pub fn random<'a>(form: Fields<'a>, rng: &mut Rng, now_ms: u64) -> Option<(&'a [u8], &'a [u8])> {
    let large = match form {
        Form::Packed(bytes) => {
            let count = packed::len(bytes) / 2;
            return (count != 0).then(|| iter(form, now_ms).nth(rng.index(count)))?;
        }
        Form::Large(large) => large,
    };
    for _ in 0..DRAWS_MAX {
        let element = large.fields.random(rng)?;
        if now_ms <= element.payload.due() {
            return Some((element.key, element.value));
        }
    }
    let count = len(form, now_ms);
    (count != 0).then(|| iter(form, now_ms).nth(rng.index(count)))?
}

/// Visits `count` different fields, or all if there are fewer; each choice is equally likely.
pub fn random_distinct<'a>(
    form: Fields<'a>,
    rng: &mut Rng,
    count: usize,
    now_ms: u64,
    mut visit: impl FnMut(&'a [u8], &'a [u8]),
) {
    if let Form::Large(large) = form
        && now_ms <= large.fields.due()
    {
        large.fields.random_distinct(rng, count, |element| visit(element.key, element.value));
        return;
    }
    let len = len(form, now_ms);
    let mut wanted = count.min(len);
    for (index, (field, value)) in iter(form, now_ms).enumerate() {
        // Each is taken with the chance that so many of those left are still wanted.
        if rng.index(len - index) < wanted {
            wanted -= 1;
            visit(field, value);
        }
    }
}

/// What clients call the form of this hash.
pub fn encoding(form: Fields<'_>) -> Encoding {
    match form {
        Form::Packed(_) => Encoding::Packed,
        Form::Large(large) if large.is_compact => Encoding::PackedTimed,
        Form::Large(_) => Encoding::Table,
    }
}

/// Makes a packed hash large.
///
/// # Panics
/// If it is large.
fn grow<H: Home<LargeHash>>(home: &mut H) -> &mut LargeHash {
    let mut fields = Trie::new();
    for (field, value) in iter(home.form(), 0) {
        fields.insert(field, Deadline::default(), value);
    }
    home.set_large(LargeHash { fields, is_compact: true });
    home.large_mut().expect("it has just become large")
}

impl HashLimits {
    fn fit(&self, field: &[u8], value: &[u8]) -> bool {
        field.len().max(value.len()) <= self.packed_value_max
    }
}

impl Deadline {
    fn known(self) -> Option<u64> {
        (self.0 != 0).then_some(self.0)
    }
}

impl LargeHash {
    fn set(
        &mut self,
        field: &[u8],
        value: &[u8],
        ttl: Ttl,
        now_ms: u64,
        limits: HashLimits,
    ) -> bool {
        let old = if self.fields.due() == Deadline::NEVER {
            None
        } else {
            // Only where fields have deadlines is there one to keep, or a field that is not there.
            self.deadline(field, now_ms)
        };
        let is_expired = self.fields.due() < now_ms && old.is_none();
        let deadline = match ttl {
            Ttl::At(deadline) => Deadline(deadline),
            Ttl::Clear => Deadline::default(),
            Ttl::Keep => Deadline(old.flatten().unwrap_or(0)),
        };
        let is_new = self.fields.insert(field, deadline, value) || is_expired;
        if self.is_compact {
            let is_short = self.fields.len() <= limits.packed_entries_max;
            self.is_compact = is_short && limits.fit(field, value);
        }
        is_new
    }

    fn deadline(&self, field: &[u8], now_ms: u64) -> Option<Option<u64>> {
        let element = self.fields.get(field)?;
        (now_ms <= element.payload.due()).then(|| element.payload.known())
    }
}

/// Fields with their values.
pub enum Iter<'a> {
    /// Of a packed hash.
    Packed(packed::Iter<'a>),
    /// Of a large hash, at a time.
    #[expect(private_interfaces, reason = "it is only iterated over")]
    Large(trie::Iter<'a, Deadline>, u64),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Packed(items) => Some((items.next()?, items.next()?)),
            Self::Large(fields, now_ms) => {
                let element = fields.find(|element| *now_ms <= element.payload.due())?;
                Some((element.key, element.value))
            }
        }
    }
}

#[cfg(test)]
mod tests;
