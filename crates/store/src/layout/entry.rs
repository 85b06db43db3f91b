//! Entries: a key, its value and its deadline in one allocation.
//!
//! ```text
//! | header 8 | deadline 8 | key length 8 | pointer 8 | key bytes | value bytes |
//!              if volatile  if 255 and up  if not inline            if inline
//! ```
//!
//! A string of up to [`INLINE_LEN_MAX`] bytes lies in the entry itself, so a small key costs its
//! bytes, eight more and what the allocator rounds up. A longer one hangs off an
//! `Arc<Vec<u8>>`: a reader clones the pointer and writes the bytes to its socket after the lock is
//! gone, and a writer who finds the value shared makes its own copy. Collections are packed bytes
//! inside the entry while they are small ([`Home`]), and large objects behind a pointer (`object`)
//! after that.
//!
//! The size of the allocation is not stored but follows from the header and the lengths
//! ([`size_class`] of their sum). Whatever changes a length keeps to that: inside the class in
//! place, else by a new allocation. So what is freed is what was allocated.
//!
//! The table keeps entries as thin pointers, and `Raw` is such a pointer. Every `Raw` in this file
//! points to a live allocation that begins with a valid header and is laid out as drawn above:
//! `allocate` makes it so, and each function leaves it so. That is the invariant which the SAFETY
//! comments call "a live entry". Who holds the [`Entry`], or a borrow of it, has the right to look;
//! who holds it mutably, to write.

mod collection;
mod header;
mod object;

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

use header::{Header, KEY_LEN_WIDE};
use object::ObjectPointer;

use super::rubble::Rubble;
use super::size_class::size_class;
use super::table::Item;

/// Longest string that lies inside its entry.
pub const INLINE_LEN_MAX: usize = 16 << 10;

/// From here on freeing a string may mean to give pages back to the system.
const CHEAP_TO_FREE_MAX: usize = 512 << 10;

/// Where the deadline stands when there is one.
const DEADLINE_OFFSET: usize = 8;

/// What an `Arc<Vec<u8>>` points to: two counts and the vector.
const SHARED_SIZE: usize = 40;

const _: () = assert!(size_of::<Arc<Vec<u8>>>() == 8);
const _: () = assert!(size_of::<Entry>() == 8);
const _: () = assert!(size_of::<Option<Entry>>() == 8);

/// What kind of value a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    String,
    /// A sequence of strings.
    List,
    /// Distinct strings.
    Set,
    /// Distinct strings, each with a score, in the order of scores.
    SortedSet,
    /// Fields with values.
    Hash,
    /// An append-only log.
    Stream,
}

impl Kind {
    #[inline]
    fn from_bits(bits: u8) -> Self {
        match bits {
            0 => Self::String,
            1 => Self::List,
            2 => Self::Set,
            3 => Self::SortedSet,
            4 => Self::Hash,
            5 => Self::Stream,
            _ => unreachable!("a header holds only kinds"),
        }
    }
}

/// The value of a string, where it lies.
#[derive(Clone, Copy, Debug)]
pub enum StringRef<'a> {
    /// Inside the entry: copy it.
    Inline(&'a [u8]),
    /// Outside: clone the pointer, and the bytes outlive the lock.
    Shared(&'a Arc<Vec<u8>>),
}

impl<'a> StringRef<'a> {
    /// The bytes.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    /// Number of bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(self) -> usize {
        self.bytes().len()
    }
}

/// A key with its value, deadline and access clock; owned. Dropping it frees the value.
pub struct Entry {
    raw: Raw,
}

// SAFETY: an entry owns its allocation and what hangs off it; the values are Send.
unsafe impl Send for Entry {}
// SAFETY: through a shared entry the bytes are only read.
unsafe impl Sync for Entry {}

impl Entry {
    /// A string. Bytes above [`INLINE_LEN_MAX`] are put into a vector of their own.
    #[inline]
    pub fn string(key: &[u8], value: &[u8], deadline: Option<u64>, clock: u32) -> Self {
        if INLINE_LEN_MAX < value.len() {
            return Self::shared(key, Arc::new(value.to_vec()), deadline, clock);
        }
        let mut header = Header::new(Kind::String, key.len(), clock);
        header.set_value_len(value.len());
        let raw = Raw::allocate(header, key, deadline);
        raw.write_value(value);
        Self { raw }
    }

    /// A string whose bytes are there already. Short ones move into the entry.
    pub fn shared(key: &[u8], value: Arc<Vec<u8>>, deadline: Option<u64>, clock: u32) -> Self {
        if value.len() <= INLINE_LEN_MAX {
            return Self::string(key, &value, deadline, clock);
        }
        let mut header = Header::new(Kind::String, key.len(), clock);
        header.set_pointer(true);
        let raw = Raw::allocate(header, key, deadline);
        raw.write_shared(value);
        Self { raw }
    }

    /// The same entry under another key.
    #[must_use]
    pub fn with_key(mut self, key: &[u8]) -> Self {
        let deadline = self.as_ref().deadline();
        self.rebuild(Some(key), deadline);
        self
    }

    /// Gives a string another value, deadline and clock, in place if the sizes allow; otherwise
    /// the entry that was there comes back, for the caller to free where it likes.
    #[inline]
    pub fn set_string(&mut self, value: &[u8], deadline: Option<u64>, clock: u32) -> Option<Self> {
        let header = self.raw.header();
        if header.has_deadline() == deadline.is_some() && self.raw.fits_in_place(value.len()) {
            self.raw.replace_in_place(value, clock);
            if let Some(deadline) = deadline {
                self.raw.set_word(DEADLINE_OFFSET, deadline);
            }
            return None;
        }
        let mut fresh = Self::string(self.as_ref().key(), value, deadline, clock);
        fresh.as_mut().inherit(header);
        Some(std::mem::replace(self, fresh))
    }

    /// Sets, changes or takes away the deadline; the access clock and the rest stay.
    pub fn set_deadline(&mut self, deadline: Option<u64>) {
        match (self.raw.header().has_deadline(), deadline) {
            (true, Some(deadline)) => self.raw.set_word(DEADLINE_OFFSET, deadline),
            (false, None) => {}
            _ => self.rebuild(None, deadline),
        }
    }

    /// Makes a string `len` bytes long: cuts it off, or fills it up with zeros.
    ///
    /// # Panics
    /// If it is not a string.
    pub fn resize_value(&mut self, len: usize) {
        let header = self.raw.header();
        assert!(header.kind() == Kind::String);
        match (header.has_pointer(), len <= INLINE_LEN_MAX) {
            (false, true) => self.resize_inline(len),
            (false, false) => {
                let mut value = Vec::with_capacity(grown_capacity(len));
                value.extend_from_slice(self.raw.value());
                value.resize(len, 0);
                self.replace_value(|key, deadline, clock| {
                    Self::shared(key, Arc::new(value), deadline, clock)
                });
            }
            (true, false) => resize_shared(self.raw.shared_mut(), len),
            (true, true) => {
                let value = Arc::clone(self.raw.shared());
                self.replace_value(|key, deadline, clock| {
                    Self::string(key, &value[..len], deadline, clock)
                });
            }
        }
    }

    /// Another entry with the same value and deadline. What hangs off a pointer is shared until one
    /// of the two changes.
    #[must_use]
    pub fn duplicate(source: EntryRef<'_>, key: &[u8]) -> Self {
        if source.kind() != Kind::String {
            return Self::duplicate_collection(source, key);
        }
        let (deadline, clock) = (source.deadline(), source.access_clock());
        let mut copy = match source.string() {
            StringRef::Inline(value) => Self::string(key, value, deadline, clock),
            StringRef::Shared(value) => Self::shared(key, Arc::clone(value), deadline, clock),
        };
        copy.as_mut().set_raw(source.is_raw());
        copy.as_mut().set_text(source.is_text());
        copy
    }

    /// Whether dropping it takes no longer than handing it to another thread.
    #[inline]
    pub fn is_cheap_to_free(&self) -> bool {
        let header = self.raw.header();
        match (header.has_pointer(), header.kind()) {
            (false, _) => true,
            (true, Kind::String) => self.raw.shared().capacity() < CHEAP_TO_FREE_MAX,
            (true, _) => self.raw.object().is_cheap_to_free(),
        }
    }

    /// Frees it, but for what takes long: that is left as parts.
    pub fn crumble(self, rubble: &mut Rubble) {
        let raw = ManuallyDrop::new(self).raw;
        let header = raw.header();
        match (header.has_pointer(), header.kind()) {
            (false, _) => {}
            (true, Kind::String) => raw.drop_shared(),
            (true, _) => raw.object().crumble(rubble),
        }
        raw.free_memory();
    }

    /// A look at it.
    #[inline]
    pub fn as_ref(&self) -> EntryRef<'_> {
        EntryRef { raw: self.raw, life: PhantomData }
    }

    /// A look that may change what needs no other size.
    #[inline]
    pub fn as_mut(&mut self) -> EntryMut<'_> {
        EntryMut { raw: self.raw, life: PhantomData }
    }

    /// A look that may note its use.
    #[inline]
    pub fn as_use(&mut self) -> EntryUse<'_> {
        EntryUse(self.as_mut())
    }

    fn resize_inline(&mut self, len: usize) {
        let mut header = self.raw.header();
        let old_len = header.value_len();
        let old_size = self.raw.size();
        header.set_value_len(len);
        let size = size_class(self.raw.value_offset() + len);
        if size != old_size {
            // SAFETY: a live entry, allocated with exactly this layout; the new size is not zero.
            let moved = unsafe { realloc(self.raw.0.as_ptr(), layout(old_size), size) };
            let Some(moved) = NonNull::new(moved) else { handle_alloc_error(layout(size)) };
            self.raw = Raw(moved);
        }
        self.raw.set_header(header);
        if old_len < len {
            self.raw.zero_value(old_len, len - old_len);
        }
    }

    /// Puts a rebuilt string in this one's place; flags stay.
    fn replace_value(&mut self, build: impl FnOnce(&[u8], Option<u64>, u32) -> Self) {
        let look = self.as_ref();
        let mut fresh = build(look.key(), look.deadline(), look.access_clock());
        fresh.as_mut().set_raw(look.is_raw());
        fresh.as_mut().inherit(self.raw.header());
        *self = fresh;
    }

    /// Moves everything into a new allocation, under another key if one is given.
    fn rebuild(&mut self, key: Option<&[u8]>, deadline: Option<u64>) {
        let old = self.raw;
        let mut header = old.header();
        let key = key.unwrap_or_else(|| old.key());
        header.set_key_len(key.len());
        let new = Raw::allocate(header, key, deadline);
        if header.has_pointer() {
            new.move_pointer_from(old);
        } else {
            new.write_value(old.value());
        }
        self.raw = new;
        old.free_memory();
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let header = self.raw.header();
        match (header.has_pointer(), header.kind()) {
            (false, _) => {}
            (true, Kind::String) => self.raw.drop_shared(),
            (true, _) => self.raw.object().free(),
        }
        self.raw.free_memory();
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_ref().fmt(formatter)
    }
}

/// A look at an entry.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    raw: Raw,
    life: PhantomData<&'a [u8]>,
}

impl<'a> EntryRef<'a> {
    /// The key.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        self.raw.key()
    }

    /// What kind of value it has.
    #[inline]
    pub fn kind(self) -> Kind {
        self.raw.header().kind()
    }

    /// When it expires, in Unix milliseconds.
    #[inline]
    pub fn deadline(self) -> Option<u64> {
        self.raw.header().has_deadline().then(|| self.raw.word(DEADLINE_OFFSET))
    }

    /// Whether its deadline has passed at `now_ms`.
    #[inline]
    pub fn is_expired(self, now_ms: u64) -> bool {
        self.deadline().is_some_and(|deadline| deadline < now_ms)
    }

    /// The value of a string.
    ///
    /// # Panics
    /// If it is not a string.
    #[inline]
    pub fn string(self) -> StringRef<'a> {
        let header = self.raw.header();
        assert!(header.kind() == Kind::String);
        if header.has_pointer() {
            StringRef::Shared(self.raw.shared())
        } else {
            StringRef::Inline(self.raw.value())
        }
    }

    /// 24 bits that say when, or how often, the key was last used.
    #[inline]
    pub fn access_clock(self) -> u32 {
        self.raw.header().clock()
    }

    /// Whether it was used since it was written first.
    #[inline]
    pub fn is_used(self) -> bool {
        self.raw.header().is_used()
    }

    /// Whether the string was made by an edit, such as an append.
    #[inline]
    pub fn is_raw(self) -> bool {
        self.raw.header().is_raw()
    }

    /// Whether the string is no integer, even if it looks like one: a sum of decimal fractions.
    #[inline]
    pub fn is_text(self) -> bool {
        self.raw.header().is_text()
    }

    /// Which pass over the expiry index has seen it.
    pub(crate) fn expiry_pass(self) -> bool {
        self.raw.header().expiry_pass()
    }

    /// Which cut it was last saved for, or came after.
    #[inline]
    pub(crate) fn cut_mark(self) -> bool {
        self.raw.header().cut_mark()
    }

    /// Whether the value is a collection behind a pointer.
    pub(crate) fn is_large(self) -> bool {
        self.raw.header().has_pointer() && self.kind() != Kind::String
    }

    /// The bytes that are allocated for it, values behind pointers included.
    pub fn memory_bytes(self) -> usize {
        let header = self.raw.header();
        let beyond = match (header.has_pointer(), header.kind()) {
            (false, _) => 0,
            (true, Kind::String) => SHARED_SIZE + size_class(self.raw.shared().capacity()),
            (true, _) => self.raw.object().memory_bytes(),
        };
        self.raw.size() + beyond
    }
}

impl std::fmt::Debug for EntryRef<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Entry")
            .field("key", &self.key().escape_ascii().to_string())
            .field("kind", &self.kind())
            .field("deadline", &self.deadline())
            .field("memory_bytes", &self.memory_bytes())
            .finish()
    }
}

/// A look at an entry that may note its use. Whoever changes more has to tell the database first, since the
/// entry may belong to a cut that has not saved it yet.
pub struct EntryUse<'a>(EntryMut<'a>);

impl<'a> EntryUse<'a> {
    /// Sets the access clock; writes only when it changed, so that a cache line stays clean.
    #[inline]
    pub fn touch(&mut self, clock: u32) {
        self.0.touch(clock);
    }

    /// A look at it.
    #[inline]
    pub fn as_ref(&self) -> EntryRef<'_> {
        self.0.as_ref()
    }

    /// A look at it for as long as it is borrowed.
    #[inline]
    pub fn into_ref(self) -> EntryRef<'a> {
        self.0.into_ref()
    }

    /// What kind of value it has.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.as_ref().kind()
    }

    /// When it expires, in Unix milliseconds.
    #[inline]
    pub fn deadline(&self) -> Option<u64> {
        self.as_ref().deadline()
    }

    /// The value of a string.
    ///
    /// # Panics
    /// If it is not a string.
    #[inline]
    pub fn string(&self) -> StringRef<'_> {
        self.as_ref().string()
    }
}

impl<'a> From<EntryMut<'a>> for EntryUse<'a> {
    #[inline]
    fn from(entry: EntryMut<'a>) -> Self {
        Self(entry)
    }
}

/// A look at an entry that may change what needs no other size.
pub struct EntryMut<'a> {
    raw: Raw,
    life: PhantomData<&'a mut [u8]>,
}

impl<'a> EntryMut<'a> {
    /// The same for a while.
    #[inline]
    pub fn reborrow(&mut self) -> EntryMut<'_> {
        EntryMut { raw: self.raw, life: PhantomData }
    }

    /// Sets the access clock; writes only when it changed, so that a cache line stays clean.
    #[inline]
    pub fn touch(&mut self, clock: u32) {
        let old = self.raw.header();
        let mut header = old;
        header.set_clock(clock);
        header.set_used(true);
        if header != old {
            self.raw.set_header(header);
        }
    }

    /// Says that it has been used since it was written.
    pub fn set_used(&mut self) {
        let mut header = self.raw.header();
        header.set_used(true);
        self.raw.set_header(header);
    }

    /// Gives a string another value if that fits where the old one lies, and is of the same length;
    /// says whether it did. Deadline and clock stay.
    #[inline]
    pub fn replace_string(&mut self, value: &[u8]) -> bool {
        let header = self.raw.header();
        let is_alike = header.kind() == Kind::String
            && !header.has_pointer()
            && header.value_len() == value.len();
        if is_alike {
            self.raw.replace_in_place(value, self.raw.header().clock());
        }
        is_alike
    }

    /// The bytes of a string, to be changed in place; copied first if somebody else reads them.
    ///
    /// # Panics
    /// If it is not a string.
    pub fn string_mut(self) -> &'a mut [u8] {
        let header = self.raw.header();
        assert!(header.kind() == Kind::String);
        if header.has_pointer() {
            Arc::make_mut(self.raw.shared_mut()).as_mut_slice()
        } else {
            self.raw.value_mut()
        }
    }

    /// Says whether the string was made by an edit.
    pub fn set_raw(&mut self, raw: bool) {
        let mut header = self.raw.header();
        header.set_raw(raw);
        self.raw.set_header(header);
    }

    /// Takes over what an entry in whose place this one comes knew of the key's past.
    fn inherit(&mut self, old: Header) {
        let mut header = self.raw.header();
        header.set_expiry_pass(old.expiry_pass());
        header.set_used(old.is_used());
        header.set_cut_mark(old.cut_mark());
        self.raw.set_header(header);
    }

    /// Says whether the string is no integer, even if it looks like one.
    pub fn set_text(&mut self, text: bool) {
        let mut header = self.raw.header();
        header.set_text(text);
        self.raw.set_header(header);
    }

    /// Says which pass over the expiry index has seen it.
    pub(crate) fn set_expiry_pass(&mut self, pass: bool) {
        let mut header = self.raw.header();
        header.set_expiry_pass(pass);
        self.raw.set_header(header);
    }

    /// Says which cut it was last saved for, or came after.
    #[inline]
    pub(crate) fn set_cut_mark(&mut self, mark: bool) {
        let mut header = self.raw.header();
        header.set_cut_mark(mark);
        self.raw.set_header(header);
    }

    /// Says of a new entry what a database notes of its entries.
    #[inline]
    pub(crate) fn set_marks(&mut self, expiry_pass: bool, cut_mark: bool) {
        let mut header = self.raw.header();
        header.set_expiry_pass(expiry_pass);
        header.set_cut_mark(cut_mark);
        self.raw.set_header(header);
    }

    /// A look at it.
    #[inline]
    pub fn as_ref(&self) -> EntryRef<'_> {
        EntryRef { raw: self.raw, life: PhantomData }
    }

    /// A look at it for as long as it is borrowed.
    #[inline]
    pub fn into_ref(self) -> EntryRef<'a> {
        EntryRef { raw: self.raw, life: PhantomData }
    }

    /// What kind of value it has.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.as_ref().kind()
    }

    /// When it expires, in Unix milliseconds.
    #[inline]
    pub fn deadline(&self) -> Option<u64> {
        self.as_ref().deadline()
    }

    /// The value of a string.
    ///
    /// # Panics
    /// If it is not a string.
    #[inline]
    pub fn string(&self) -> StringRef<'_> {
        self.as_ref().string()
    }
}

// SAFETY: `into_raw` gives up the pointer of an owned entry and `from_raw` takes it back; the
// borrows read and write only through it. Entries are aligned to 8.
unsafe impl Item for Entry {
    type Ref<'a> = EntryRef<'a>;
    type Mut<'a> = EntryMut<'a>;

    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).raw.0
    }

    #[inline]
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Self { raw: Raw(raw) }
    }

    #[inline]
    unsafe fn borrow<'a>(raw: NonNull<u8>) -> EntryRef<'a> {
        EntryRef { raw: Raw(raw), life: PhantomData }
    }

    #[inline]
    unsafe fn borrow_mut<'a>(raw: NonNull<u8>) -> EntryMut<'a> {
        EntryMut { raw: Raw(raw), life: PhantomData }
    }

    #[inline]
    fn key<'a>(item: EntryRef<'a>) -> &'a [u8]
    where
        // The trait's signature, where only `Ref` names the lifetime, binds it this way.
        'a: 'a,
    {
        item.key()
    }
}

/// A pointer to a live entry (see the top of this file).
#[derive(Clone, Copy)]
struct Raw(NonNull<u8>);

impl Raw {
    /// Allocates an entry and writes all of it but the value or the pointer to it. Whether there
    /// is a deadline is the argument's to say; the header's other facts stay.
    #[inline]
    fn allocate(mut header: Header, key: &[u8], deadline: Option<u64>) -> Self {
        header.set_deadline(deadline.is_some());
        let size = size_class(header.key_offset() + key.len() + header.value_len());
        // SAFETY: the size is never zero.
        let memory = unsafe { alloc(layout(size)) };
        let Some(memory) = NonNull::new(memory) else { handle_alloc_error(layout(size)) };
        let raw = Self(memory);
        raw.set_header(header);
        if let Some(deadline) = deadline {
            raw.set_word(DEADLINE_OFFSET, deadline);
        }
        if header.is_wide() {
            raw.set_word(header.wide_offset(), key.len() as u64);
        }
        raw.write(header.key_offset(), key);
        raw
    }

    #[inline]
    fn header(self) -> Header {
        Header(self.word(0))
    }

    #[inline]
    fn set_header(self, header: Header) {
        self.set_word(0, header.0);
    }

    #[inline]
    fn key_len(self) -> usize {
        let header = self.header();
        match header.key_len() {
            KEY_LEN_WIDE => self.word(header.wide_offset()) as usize,
            len => len,
        }
    }

    #[inline]
    fn key<'a>(self) -> &'a [u8] {
        let start = self.at(self.header().key_offset());
        // SAFETY: a live entry; these bytes were written by `allocate`, and the borrow that the
        // caller holds keeps them for 'a.
        unsafe { std::slice::from_raw_parts(start, self.key_len()) }
    }

    /// Where the value inside the entry begins.
    #[inline]
    fn value_offset(self) -> usize {
        self.header().key_offset() + self.key_len()
    }

    /// The bytes of a value inside the entry.
    #[inline]
    fn value<'a>(self) -> &'a [u8] {
        debug_assert!(!self.header().has_pointer());
        let start = self.at(self.value_offset());
        // SAFETY: a live entry; whoever set the value's length wrote as many bytes.
        unsafe { std::slice::from_raw_parts(start, self.header().value_len()) }
    }

    fn value_mut<'a>(self) -> &'a mut [u8] {
        debug_assert!(!self.header().has_pointer());
        let start = self.at(self.value_offset());
        // SAFETY: as for `value`, and the caller holds the entry mutably for 'a.
        unsafe { std::slice::from_raw_parts_mut(start, self.header().value_len()) }
    }

    /// Whether a string of `len` bytes can take the place of the value without another allocation.
    #[inline]
    fn fits_in_place(self, len: usize) -> bool {
        let header = self.header();
        let offset = self.value_offset();
        header.kind() == Kind::String
            && !header.has_pointer()
            && len <= INLINE_LEN_MAX
            && size_class(offset + len) == size_class(offset + header.value_len())
    }

    /// Writes a value for which `fits_in_place` holds.
    #[inline]
    fn replace_in_place(self, value: &[u8], clock: u32) {
        let mut header = self.header();
        header.set_clock(clock);
        header.set_value_len(value.len());
        header.set_raw(false);
        header.set_text(false);
        self.set_header(header);
        self.write_value(value);
    }

    /// Writes the value inside the entry; the header says its length already.
    #[inline]
    fn write_value(self, value: &[u8]) {
        debug_assert!(value.len() == self.header().value_len());
        self.write(self.value_offset(), value);
    }

    fn zero_value(self, from: usize, len: usize) {
        debug_assert!(from + len <= self.header().value_len());
        let start = self.at(self.value_offset() + from);
        // SAFETY: inside the value of a live entry.
        unsafe { start.write_bytes(0, len) };
    }

    fn write_shared(self, value: Arc<Vec<u8>>) {
        // SAFETY: a live entry with room for a pointer here, aligned to 8.
        unsafe { self.shared_field().write(value) };
    }

    #[inline]
    fn shared<'a>(self) -> &'a Arc<Vec<u8>> {
        debug_assert!(self.header().kind() == Kind::String);
        // SAFETY: a live string entry that has a pointer, as every caller has checked.
        unsafe { &*self.shared_field() }
    }

    fn shared_mut<'a>(self) -> &'a mut Arc<Vec<u8>> {
        // SAFETY: as for `shared`, and the caller holds the entry mutably for 'a.
        unsafe { &mut *self.shared_field() }
    }

    fn drop_shared(self) {
        // SAFETY: as for `shared`; the entry is freed next and nobody looks again.
        unsafe { self.shared_field().drop_in_place() };
    }

    /// The object of a collection that has a pointer.
    #[inline]
    fn object(self) -> ObjectPointer {
        debug_assert!(self.header().kind() != Kind::String);
        // SAFETY: a live entry of a collection with a pointer, as every caller has checked.
        unsafe { self.shared_field().cast::<ObjectPointer>().read() }
    }

    fn write_object(self, object: ObjectPointer) {
        // SAFETY: a live entry with room for a pointer here, aligned to 8.
        unsafe { self.shared_field().cast::<ObjectPointer>().write(object) };
    }

    fn move_pointer_from(self, other: Self) {
        // SAFETY: two different live entries; the old one is freed next without dropping it.
        unsafe { self.shared_field().copy_from_nonoverlapping(other.shared_field(), 1) };
    }

    fn shared_field(self) -> *mut Arc<Vec<u8>> {
        let header = self.header();
        debug_assert!(header.has_pointer());
        self.at(header.pointer_offset()).cast()
    }

    /// The size of the allocation.
    #[inline]
    fn size(self) -> usize {
        size_class(self.value_offset() + self.header().value_len())
    }

    /// Frees the allocation and nothing that hangs off it.
    fn free_memory(self) {
        let layout = layout(self.size());
        // SAFETY: a live entry, allocated with this layout; its owner gives it up.
        unsafe { dealloc(self.0.as_ptr(), layout) };
    }

    #[inline]
    fn word(self, offset: usize) -> u64 {
        // SAFETY: a live entry; every caller's field of 8 bytes is there, and offsets are
        // multiples of 8, so it is aligned.
        unsafe { self.at(offset).cast::<u64>().read() }
    }

    #[inline]
    fn set_word(self, offset: usize, word: u64) {
        // SAFETY: as for `word`; the caller holds the entry mutably or has just allocated it.
        unsafe { self.at(offset).cast::<u64>().write(word) };
    }

    #[inline]
    fn write(self, offset: usize, bytes: &[u8]) {
        // SAFETY: the allocation was sized for these bytes at this place, and a caller's slice
        // never overlaps an entry that is being written.
        unsafe { self.at(offset).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    #[inline]
    fn at(self, offset: usize) -> *mut u8 {
        // SAFETY: every offset that is asked for lies inside the allocation or at its end.
        unsafe { self.0.as_ptr().add(offset) }
    }
}

#[inline]
fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("sizes come from lengths of slices in memory")
}

/// Makes the vector `len` bytes long, in a copy if somebody else reads it.
fn resize_shared(shared: &mut Arc<Vec<u8>>, len: usize) {
    if let Some(value) = Arc::get_mut(shared) {
        if value.capacity() < len {
            value.reserve_exact(grown_capacity(len) - value.len());
        }
        value.resize(len, 0);
        if grown_capacity(len) < value.capacity() {
            value.shrink_to_fit();
        }
        return;
    }
    let kept = len.min(shared.len());
    let mut value = Vec::with_capacity(grown_capacity(len));
    value.extend_from_slice(&shared[..kept]);
    value.resize(len, 0);
    *shared = Arc::new(value);
}

/// Room for an eighth more, so that appending piece by piece copies each byte about nine times.
fn grown_capacity(len: usize) -> usize {
    len + len / 8
}

#[cfg(test)]
mod tests;
