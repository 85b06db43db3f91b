//! A page of the hash trie: elements with their keys, packed into one allocation.
//!
//! ```text
//! | count of holders 8 | head 16 | tag … | offset … |   room   | … item | item | item |
//!                                  1 each  2 each                 newest      oldest
//! ```
//!
//! A tag is the lowest byte of an element's hash, which is never used to route before the last
//! level. To find a key is to search the tags for its own, which is one `memchr`, and to compare the
//! keys of those that have it: one in 256 for nothing. An offset says how far before the page's end
//! the item begins, so a page can be moved into a larger or smaller allocation as it is.
//!
//! Tags, offsets and items are kept without gaps. A page asks for exactly the allocator's next size
//! class, and these lie 12 to 25 % apart, so a page grows in such steps, and about 8 % are unused.
//!
//! ```text
//! item: | lead | value length | payload | key | value |       lead: flags and key length, 1 or 3
//! item: | lead | index 2 | payload |                          for long ones
//! ```
//!
//! The payload is left out if it is the default. The value length is there only in tries that have
//! values, and takes 1 byte, or 3 from 255 on. An item with a key and value of over [`ITEM_LEN_MAX`]
//! bytes keeps these in an allocation of their own, to which all copies of the page point.

use std::marker::PhantomData;
use std::ops::Range;

use triomphe::{Arc, HeaderSlice};

use super::super::prefetch::{prefetch_bytes, prefetch_line};
use super::super::size_class::size_class;
use super::tree::Page as TreePage;
use super::{Element, KeyRoute, Payload, Route, hash};

/// Most elements in a page: a search of so many tags is still one of a few vectors.
const COUNT_MAX: usize = 128;
/// Most bytes in a page: so little is copied when a page was frozen.
const LEN_MAX: usize = 4096 - OVERHEAD;
/// Key and value of an item in the page; longer ones lie outside.
const ITEM_LEN_MAX: usize = 512;
/// What an allocation holds besides the bytes.
const OVERHEAD: usize = size_of::<usize>() + size_of::<Head>();
/// A long item's allocation besides the bytes: count, key length.
const LONG_OVERHEAD: usize = size_of::<usize>() + size_of::<u32>();
/// A tag and an offset.
const SLOT_LEN: usize = 3;

/// In the lead: key and value lie outside.
const IS_LONG: u8 = 0x80;
/// In the lead: the payload is there.
const HAS_PAYLOAD: u8 = 0x40;
/// The key length in the lead that says: it follows in two bytes.
const KEY_LEN_WIDE: u8 = 0x3f;
/// The value length that says: it follows in two bytes.
const VALUE_LEN_WIDE: u8 = 0xff;

const _: () = assert!(size_of::<Head>() == 16);

/// See the file's header.
pub(super) struct Page<V> {
    block: Arc<HeaderSlice<Head, [u8]>>,
    payload: PhantomData<V>,
}

#[derive(Clone, Default)]
struct Head {
    count: u16,
    /// Bytes of all items.
    used: u16,
    /// What lies outside; none for most pages.
    longs: Option<Box<Longs>>,
}

#[derive(Clone, Default)]
struct Longs {
    items: Vec<Long>,
    memory_bytes: usize,
}

/// Key and value of a long item, and how much of it is the key.
type Long = Arc<HeaderSlice<u32, [u8]>>;

/// The parts of an item, as places behind its beginning.
struct Parts {
    long: Option<usize>,
    payload: Range<usize>,
    key: Range<usize>,
    value: Range<usize>,
}

impl Parts {
    #[inline]
    fn read<V: Payload>(item: &[u8]) -> Self {
        let lead = item[0];
        let payload_len = if lead & HAS_PAYLOAD == 0 { 0 } else { V::LEN };
        if lead & IS_LONG != 0 {
            let payload = 3..3 + payload_len;
            let end = payload.end;
            return Self { long: Some(wide(item, 1)), payload, key: end..end, value: end..end };
        }
        let (mut at, key_len) = match lead & KEY_LEN_WIDE {
            KEY_LEN_WIDE => (3, wide(item, 1)),
            short => (1, usize::from(short)),
        };
        let mut value_len = 0;
        if V::HAS_VALUE {
            (at, value_len) = match item[at] {
                VALUE_LEN_WIDE => (at + 3, wide(item, at + 1)),
                short => (at + 1, usize::from(short)),
            };
        }
        let payload = at..at + payload_len;
        let key = payload.end..payload.end + key_len;
        let value = key.end..key.end + value_len;
        Self { long: None, payload, key, value }
    }

    fn len(&self) -> usize {
        self.value.end
    }

    #[inline]
    fn payload_of<V: Payload>(&self, item: &[u8]) -> V {
        if self.payload.is_empty() { V::default() } else { V::read(&item[self.payload.clone()]) }
    }
}

/// What an element is written from.
#[derive(Clone, Copy)]
struct Draft<'a, V> {
    key: &'a [u8],
    payload: V,
    value: &'a [u8],
}

impl<V: Payload> Draft<'_, V> {
    fn is_long(&self) -> bool {
        ITEM_LEN_MAX < self.key.len() + self.value.len()
    }

    fn payload_len(&self) -> usize {
        if self.payload == V::default() { 0 } else { V::LEN }
    }

    /// How many bytes it takes in a page.
    fn len(&self) -> usize {
        if self.is_long() {
            return 3 + self.payload_len();
        }
        let key_head = if self.key.len() < usize::from(KEY_LEN_WIDE) { 1 } else { 3 };
        let value_head = match self.value.len() {
            _ if !V::HAS_VALUE => 0,
            len if len < usize::from(VALUE_LEN_WIDE) => 1,
            _ => 3,
        };
        key_head + value_head + self.payload_len() + self.key.len() + self.value.len()
    }

    /// Writes it; `long_index` is where its bytes lie if it is long.
    fn write(&self, item: &mut [u8], long_index: usize) {
        let flag = if self.payload_len() == 0 { 0 } else { HAS_PAYLOAD };
        let mut at = 1;
        if self.is_long() {
            item[0] = IS_LONG | flag;
            set_wide(item, 1, long_index);
            at = 3;
        } else if self.key.len() < usize::from(KEY_LEN_WIDE) {
            item[0] = flag | self.key.len() as u8;
        } else {
            item[0] = flag | KEY_LEN_WIDE;
            set_wide(item, 1, self.key.len());
            at = 3;
        }
        if V::HAS_VALUE && !self.is_long() {
            if self.value.len() < usize::from(VALUE_LEN_WIDE) {
                item[at] = self.value.len() as u8;
                at += 1;
            } else {
                item[at] = VALUE_LEN_WIDE;
                set_wide(item, at + 1, self.value.len());
                at += 3;
            }
        }
        if flag != 0 {
            self.payload.write(&mut item[at..at + V::LEN]);
            at += V::LEN;
        }
        if !self.is_long() {
            let (key, value) = item[at..].split_at_mut(self.key.len());
            key.copy_from_slice(self.key);
            value[..self.value.len()].copy_from_slice(self.value);
        }
    }
}

impl<V: Payload> Page<V> {
    fn with_room(needed: usize) -> Self {
        Self { block: block(Head::default(), room(needed)), payload: PhantomData }
    }

    /// Adds an element whose key is not there.
    pub(super) fn push(&mut self, tag: u8, key: &[u8], payload: V, value: &[u8]) {
        let draft = Draft { key, payload, value };
        let mut long_index = 0;
        if draft.is_long() {
            let mut bytes = Vec::with_capacity(key.len() + value.len());
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(value);
            let long = Arc::from_header_and_slice(key.len() as u32, &bytes);
            long_index = self.add_long(long);
        }
        draft.write(self.add_slot(tag, draft.len()), long_index);
    }

    /// Takes an element out.
    pub(super) fn remove(&mut self, index: usize) {
        let parts = Parts::read::<V>(self.item(index));
        if let Some(long) = parts.long {
            self.remove_long(long);
        }
        self.cut(index, parts.len());
        let needed = self.needed();
        if 4 * (OVERHEAD + needed) < 3 * (OVERHEAD + self.block.slice.len()) {
            self.rebuild(room(needed));
        }
    }

    /// Gives an element, whose key this is, another payload and value; its index may be another one
    /// then. Returns the payload that it had.
    #[inline]
    pub(super) fn replace(&mut self, index: usize, key: &[u8], payload: V, value: &[u8]) -> V {
        let item = self.item(index);
        let parts = Parts::read::<V>(item);
        let before = parts.payload_of::<V>(item);
        debug_assert!(self.element(index).key == key);
        if parts.long.is_some() || parts.value.len() != value.len() {
            self.replace_slowly(index, key, payload, value);
            return before;
        }
        if item[parts.value.clone()] != *value {
            let (head, slice) = self.unique();
            let start = item_start(slice, head, index);
            slice[start + parts.value.start..start + parts.value.end].copy_from_slice(value);
        }
        if before != payload {
            self.set_payload(index, payload);
        }
        before
    }

    fn replace_slowly(&mut self, index: usize, key: &[u8], payload: V, value: &[u8]) {
        let old = self.element(index);
        if old.value.len() == value.len() {
            if old.value != value {
                self.value_mut(index).copy_from_slice(value);
            }
            self.set_payload(index, payload);
            return;
        }
        let tag = self.tags()[index];
        self.remove(index);
        self.push(tag, key, payload, value);
    }

    /// Gives an element another payload; its index may be another one then.
    pub(super) fn set_payload(&mut self, index: usize, payload: V) {
        if self.element(index).payload == payload {
            return;
        }
        let parts = Parts::read::<V>(self.item(index));
        let has_room = !parts.payload.is_empty();
        if has_room && payload != V::default() {
            let (head, slice) = self.unique();
            let start = item_start(slice, head, index);
            payload.write(&mut slice[start + parts.payload.start..start + parts.payload.end]);
            return;
        }
        // The item becomes longer or shorter by the payload.
        let mut item = self.item(index)[..parts.len()].to_vec();
        let new: &[u8] = if payload == V::default() { &[] } else { &vec![0; V::LEN] };
        item.splice(parts.payload.clone(), new.iter().copied());
        item[0] ^= HAS_PAYLOAD;
        if payload != V::default() {
            payload.write(&mut item[parts.payload.start..parts.payload.start + V::LEN]);
        }
        let tag = self.tags()[index];
        self.cut(index, parts.len());
        self.add_slot(tag, item.len()).copy_from_slice(&item);
    }

    /// An element's value, to change without changing its length.
    pub(super) fn value_mut(&mut self, index: usize) -> &mut [u8] {
        let parts = Parts::read::<V>(self.item(index));
        let (head, slice) = self.unique();
        let Some(long) = parts.long else {
            let start = item_start(slice, head, index);
            return &mut slice[start + parts.value.start..start + parts.value.end];
        };
        let longs = head.longs.as_mut().expect("a long item has its bytes there");
        let long = &mut longs.items[long];
        if !long.is_unique() {
            *long = Arc::from_header_and_slice(long.header, &long.slice);
        }
        let long = Arc::get_mut(long).expect("it is unique now");
        &mut long.slice[long.header as usize..]
    }

    /// The index of a key's element.
    #[inline]
    pub(super) fn find(&self, tag: u8, key: &[u8]) -> Option<usize> {
        memchr::memchr_iter(tag, self.tags()).find(|index| self.element(*index).key == key)
    }

    /// Fetches what [`Page::find`] looks at first: the tags.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_bytes(self.block.slice.as_ptr().wrapping_sub(OVERHEAD), OVERHEAD + COUNT_MAX);
    }

    /// Fetches the offset of the element that may have this tag, whose index is returned. The tags
    /// should have come.
    #[inline]
    pub(super) fn prefetch_offset(&self, tag: u8) -> Option<usize> {
        let index = memchr::memchr(tag, self.tags())?;
        let slice = &self.block.slice;
        prefetch_line(slice.as_ptr().wrapping_add(self.len() + 2 * index));
        Some(index)
    }

    /// Fetches an element, whose offset should have come.
    #[inline]
    pub(super) fn prefetch_item(&self, index: usize) {
        prefetch_bytes(self.item(index).as_ptr(), 48);
    }

    /// The element at an index below `len`.
    #[inline]
    pub(super) fn element(&self, index: usize) -> Element<'_, V> {
        let item = self.item(index);
        let parts = Parts::read::<V>(item);
        let payload = parts.payload_of::<V>(item);
        if let Some(long) = parts.long {
            let long = self.long(long);
            let (key, value) = long.slice.split_at(long.header as usize);
            return Element { key, payload, value };
        }
        Element { key: &item[parts.key], payload, value: &item[parts.value] }
    }

    /// Makes room for an item, and gives the place where it is to be written.
    fn add_slot(&mut self, tag: u8, len: usize) -> &mut [u8] {
        let needed = self.needed() + SLOT_LEN + len;
        if self.block.slice.len() < needed {
            self.rebuild(room(needed));
        }
        let (head, slice) = self.unique();
        let count = usize::from(head.count);
        head.count += 1;
        head.used += len as u16;
        slice.copy_within(count..3 * count, count + 1);
        slice[count] = tag;
        set_wide(slice, count + 1 + 2 * count, usize::from(head.used));
        let start = slice.len() - usize::from(head.used);
        &mut slice[start..start + len]
    }

    /// Takes an item of this length away, and nothing that it points to; the last slot takes its.
    fn cut(&mut self, index: usize, len: usize) {
        let (head, slice) = self.unique();
        let (count, used, end) = (usize::from(head.count), usize::from(head.used), slice.len());
        let offset = wide(slice, count + 2 * index);
        slice.copy_within(end - used..end - offset, end - used + len);
        slice[index] = slice[count - 1];
        let last = wide(slice, count + 2 * (count - 1));
        set_wide(slice, count + 2 * index, last);
        slice.copy_within(count..count + 2 * (count - 1), count - 1);
        head.count -= 1;
        head.used -= len as u16;
        for slot in 0..count - 1 {
            let at = count - 1 + 2 * slot;
            let other = wide(slice, at);
            if offset < other {
                set_wide(slice, at, other - len);
            }
        }
    }

    /// Adds a copy of another page's element.
    fn push_from(&mut self, other: &Self, index: usize) {
        let item = other.item(index);
        let parts = Parts::read::<V>(item);
        let long_index = parts.long.map(|long| self.add_long(Arc::clone(other.long(long))));
        let copy = self.add_slot(other.tags()[index], parts.len());
        copy.copy_from_slice(&item[..parts.len()]);
        if let Some(long_index) = long_index {
            set_wide(copy, 1, long_index);
        }
    }

    fn long(&self, index: usize) -> &Long {
        let longs = self.block.header.longs.as_ref();
        &longs.expect("a long item has its bytes there").items[index]
    }

    fn add_long(&mut self, long: Long) -> usize {
        let (head, _) = self.unique();
        let longs = head.longs.get_or_insert_default();
        longs.memory_bytes += long_memory(&long);
        longs.items.push(long);
        longs.items.len() - 1
    }

    /// Drops a long item's bytes; those behind it move up.
    fn remove_long(&mut self, removed: usize) {
        let (head, slice) = self.unique();
        let Some(longs) = &mut head.longs else { return };
        longs.memory_bytes -= long_memory(&longs.items.remove(removed));
        if longs.items.is_empty() {
            head.longs = None;
        }
        for index in 0..usize::from(head.count) {
            let start = item_start(slice, head, index);
            let item = &mut slice[start..];
            if item[0] & IS_LONG != 0 && removed < wide(item, 1) {
                let above = wide(item, 1);
                set_wide(item, 1, above - 1);
            }
        }
    }

    /// The page, to change: a copy if somebody else holds it.
    #[inline]
    fn unique(&mut self) -> (&mut Head, &mut [u8]) {
        if !self.block.is_unique() {
            self.rebuild(self.block.slice.len());
        }
        let block = Arc::get_mut(&mut self.block).expect("it is unique now");
        (&mut block.header, &mut block.slice)
    }

    /// Moves everything into an allocation of this many bytes.
    fn rebuild(&mut self, len: usize) {
        let head = match Arc::get_mut(&mut self.block) {
            // What lies outside moves along; the old allocation keeps only its numbers.
            Some(block) => Head { longs: block.header.longs.take(), ..block.header },
            None => self.block.header.clone(),
        };
        let (count, used) = (usize::from(head.count), usize::from(head.used));
        let old = &self.block.slice;
        let mut new = block(head, len);
        let slice = &mut Arc::get_mut(&mut new).expect("it is new").slice;
        slice[..SLOT_LEN * count].copy_from_slice(&old[..SLOT_LEN * count]);
        slice[len - used..].copy_from_slice(&old[old.len() - used..]);
        self.block = new;
    }

    #[inline]
    fn tags(&self) -> &[u8] {
        &self.block.slice[..usize::from(self.block.header.count)]
    }

    /// The bytes from the item's beginning on.
    #[inline]
    fn item(&self, index: usize) -> &[u8] {
        let HeaderSlice { header, slice } = &*self.block;
        assert!(index < usize::from(header.count), "there is no such element");
        &slice[item_start(slice, header, index)..]
    }

    /// Bytes that tags, offsets and items take.
    fn needed(&self) -> usize {
        let head = &self.block.header;
        SLOT_LEN * usize::from(head.count) + usize::from(head.used)
    }
}

impl<V: Payload> TreePage for Page<V> {
    type Due = V::Due;
    const NEVER: V::Due = V::NEVER;
    // A key has as many bytes of hash as are asked for: see `KeyRoute`.
    const LEVELS_MAX: u32 = u32::MAX;

    fn empty() -> Self {
        Self::with_room(0)
    }

    fn split(&mut self, level: u32, mask: u8) -> Self {
        let goes: Vec<bool> = (0..self.len())
            .map(|index| KeyRoute::new(self.element(index).key).byte(level) & mask != 0)
            .collect();
        let mut needed = [0; 2];
        for (index, goes) in goes.iter().enumerate() {
            needed[usize::from(*goes)] += SLOT_LEN + Parts::read::<V>(self.item(index)).len();
        }
        let mut parts = needed.map(Self::with_room);
        // The oldest items first, as if they had come in this order.
        for (index, goes) in goes.iter().enumerate() {
            parts[usize::from(*goes)].push_from(self, index);
        }
        let [stays, goes] = parts;
        *self = stays;
        goes
    }

    fn absorb(&mut self, other: &Self) {
        self.rebuild(room(self.needed() + other.needed()));
        (0..other.len()).for_each(|index| self.push_from(other, index));
    }

    #[inline]
    fn len(&self) -> usize {
        usize::from(self.block.header.count)
    }

    fn due(&self) -> V::Due {
        let dues = (0..self.len()).map(|index| self.element(index).payload.due());
        dues.min().unwrap_or(V::NEVER)
    }

    #[inline]
    fn is_over(&self) -> bool {
        COUNT_MAX < self.len() || LEN_MAX < self.needed()
    }

    fn fits_with(&self, other: &Self) -> bool {
        self.len() + other.len() <= COUNT_MAX / 2 && self.needed() + other.needed() <= LEN_MAX / 2
    }

    fn memory_bytes(&self) -> usize {
        let longs = self.block.header.longs.as_ref().map_or(0, |longs| {
            let list = longs.items.capacity() * size_of::<Long>();
            longs.memory_bytes + size_class(size_of::<Longs>()) + size_class(list)
        });
        size_class(OVERHEAD + self.block.slice.len()) + longs
    }

    fn check_invariants(&self) {
        let count = self.len();
        assert!(self.needed() <= self.block.slice.len());
        let mut starts: Vec<(usize, usize)> = (0..count)
            .map(|index| {
                let start = item_start(&self.block.slice, &self.block.header, index);
                (start, Parts::read::<V>(self.item(index)).len())
            })
            .collect();
        starts.sort_unstable();
        let mut at = self.block.slice.len() - usize::from(self.block.header.used);
        for (start, len) in starts {
            assert_eq!(start, at);
            at += len;
        }
        assert_eq!(at, self.block.slice.len());
        let mut longs: Vec<usize> =
            (0..count).filter_map(|index| Parts::read::<V>(self.item(index)).long).collect();
        longs.sort_unstable();
        let known = self.block.header.longs.as_ref().map_or(0, |longs| longs.items.len());
        assert_eq!(longs, (0..known).collect::<Vec<_>>());
        for (index, tag) in self.tags().iter().enumerate() {
            let element = self.element(index);
            assert_eq!(*tag, hash(element.key) as u8);
            assert_eq!(self.find(*tag, element.key), Some(index));
            let is_long = ITEM_LEN_MAX < element.key.len() + element.value.len();
            assert_eq!(Parts::read::<V>(self.item(index)).long.is_some(), is_long);
        }
    }

    fn check_routes(&self, level: u32, range: Range<usize>) {
        for index in 0..self.len() {
            let byte = KeyRoute::new(self.element(index).key).byte(level);
            assert!(range.contains(&usize::from(byte)));
        }
    }
}

impl<V> Clone for Page<V> {
    fn clone(&self) -> Self {
        Self { block: Arc::clone(&self.block), payload: PhantomData }
    }
}

/// Where an item begins.
#[inline]
fn item_start(slice: &[u8], head: &Head, index: usize) -> usize {
    slice.len() - wide(slice, usize::from(head.count) + 2 * index)
}

/// The bytes to ask for when so many are needed.
fn room(needed: usize) -> usize {
    size_class(OVERHEAD + needed) - OVERHEAD
}

fn block(head: Head, len: usize) -> Arc<HeaderSlice<Head, [u8]>> {
    static ZEROS: [u8; 2 * LEN_MAX] = [0; 2 * LEN_MAX];
    match ZEROS.get(..len) {
        Some(zeros) => Arc::from_header_and_slice(head, zeros),
        None => Arc::from_header_and_vec(head, vec![0; len]),
    }
}

fn long_memory(long: &Long) -> usize {
    size_class(LONG_OVERHEAD + long.slice.len())
}

#[inline]
fn wide(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

#[inline]
fn set_wide(bytes: &mut [u8], at: usize, value: usize) {
    bytes[at..at + 2].copy_from_slice(&(value as u16).to_le_bytes());
}
