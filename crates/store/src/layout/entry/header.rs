//! The eight bytes at the front of every entry.
//!
//! ```text
//! bit  0..24  access clock
//!     24..32  key length; 255: the length follows in eight bytes of its own
//!     32..50  length of the value inside the entry
//!     50..53  kind
//!         53  a deadline follows
//!         54  the value hangs off a pointer
//!         55  the string was made by an edit (its encoding is called raw)
//!         56  which pass of the expiry index has seen the entry
//!         57  used since it was written first
//!         58  the string is no integer, whatever it looks like (its encoding is called embstr)
//!         59  which cut the entry was last saved for, or came after
//!     60..64  free
//! ```

use super::Kind;

/// Key lengths from here on are written out.
pub(super) const KEY_LEN_WIDE: usize = 255;

const CLOCK_MASK: u64 = (1 << 24) - 1;
const KEY_LEN_SHIFT: u32 = 24;
const KEY_LEN_MASK: u64 = 0xff << KEY_LEN_SHIFT;
const VALUE_LEN_SHIFT: u32 = 32;
const VALUE_LEN_MASK: u64 = ((1 << 18) - 1) << VALUE_LEN_SHIFT;
const KIND_SHIFT: u32 = 50;
const KIND_MASK: u64 = 7 << KIND_SHIFT;
const DEADLINE: u64 = 1 << 53;
const POINTER: u64 = 1 << 54;
const RAW: u64 = 1 << 55;
const EXPIRY_PASS: u64 = 1 << 56;
const USED: u64 = 1 << 57;
const TEXT: u64 = 1 << 58;
const CUT: u64 = 1 << 59;

/// The packed facts of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header(pub(super) u64);

impl Header {
    pub(super) fn new(kind: Kind, key_len: usize, clock: u32) -> Self {
        let key_len = key_len.min(KEY_LEN_WIDE) as u64;
        let mut header = Self(key_len << KEY_LEN_SHIFT | (kind as u64) << KIND_SHIFT);
        header.set_clock(clock);
        header
    }

    #[inline]
    pub(super) fn set_clock(&mut self, clock: u32) {
        self.0 = self.0 & !CLOCK_MASK | u64::from(clock) & CLOCK_MASK;
    }

    #[inline]
    pub(super) fn set_value_len(&mut self, len: usize) {
        debug_assert!(len as u64 <= VALUE_LEN_MASK >> VALUE_LEN_SHIFT);
        self.0 = self.0 & !VALUE_LEN_MASK | (len as u64) << VALUE_LEN_SHIFT;
    }

    /// Takes key length, kind and everything else that a change of the key alters from `other`.
    pub(super) fn set_key_len(&mut self, len: usize) {
        self.0 = self.0 & !KEY_LEN_MASK | (len.min(KEY_LEN_WIDE) as u64) << KEY_LEN_SHIFT;
    }

    #[inline]
    pub(super) fn set_deadline(&mut self, on: bool) {
        self.set(DEADLINE, on);
    }

    pub(super) fn set_pointer(&mut self, on: bool) {
        self.set(POINTER, on);
    }

    #[inline]
    pub(super) fn set_raw(&mut self, on: bool) {
        self.set(RAW, on);
    }

    #[inline]
    pub(super) fn set_text(&mut self, on: bool) {
        self.set(TEXT, on);
    }

    #[inline]
    pub(super) fn set_expiry_pass(&mut self, pass: bool) {
        self.set(EXPIRY_PASS, pass);
    }

    #[inline]
    pub(super) fn set_cut_mark(&mut self, mark: bool) {
        self.set(CUT, mark);
    }

    #[inline]
    pub(super) fn set_used(&mut self, used: bool) {
        self.set(USED, used);
    }

    #[inline]
    pub(super) fn is_used(self) -> bool {
        self.0 & USED != 0
    }

    #[inline]
    pub(super) fn clock(self) -> u32 {
        (self.0 & CLOCK_MASK) as u32
    }

    /// The key's length, or [`KEY_LEN_WIDE`] when it is written out.
    #[inline]
    pub(super) fn key_len(self) -> usize {
        ((self.0 & KEY_LEN_MASK) >> KEY_LEN_SHIFT) as usize
    }

    #[inline]
    pub(super) fn value_len(self) -> usize {
        ((self.0 & VALUE_LEN_MASK) >> VALUE_LEN_SHIFT) as usize
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        Kind::from_bits(((self.0 & KIND_MASK) >> KIND_SHIFT) as u8)
    }

    #[inline]
    pub(super) fn has_deadline(self) -> bool {
        self.0 & DEADLINE != 0
    }

    #[inline]
    pub(super) fn has_pointer(self) -> bool {
        self.0 & POINTER != 0
    }

    #[inline]
    pub(super) fn is_wide(self) -> bool {
        self.0 & KEY_LEN_MASK == KEY_LEN_MASK
    }

    #[inline]
    pub(super) fn is_raw(self) -> bool {
        self.0 & RAW != 0
    }

    #[inline]
    pub(super) fn is_text(self) -> bool {
        self.0 & TEXT != 0
    }

    #[inline]
    pub(super) fn expiry_pass(self) -> bool {
        self.0 & EXPIRY_PASS != 0
    }

    #[inline]
    pub(super) fn cut_mark(self) -> bool {
        self.0 & CUT != 0
    }

    /// Where the key's length stands when it is wide, else the next field.
    #[inline]
    pub(super) fn wide_offset(self) -> usize {
        8 + 8 * usize::from(self.has_deadline())
    }

    /// Where the pointer stands when there is one, else the key.
    #[inline]
    pub(super) fn pointer_offset(self) -> usize {
        self.wide_offset() + 8 * usize::from(self.is_wide())
    }

    /// Where the key's bytes begin.
    #[inline]
    pub(super) fn key_offset(self) -> usize {
        self.pointer_offset() + 8 * usize::from(self.has_pointer())
    }

    #[inline]
    fn set(&mut self, bit: u64, on: bool) {
        self.0 = self.0 & !bit | if on { bit } else { 0 };
    }
}
