//! Where the entries of a snapshot end, without looking at what is in them.
//!
//! Values are written with their lengths, so one thread can go over a snapshot far faster than it
//! could build what is in it, and hand the bytes of many entries to others, who do that. Nothing is judged
//! here: what is not framed, because it is damaged, of an unknown form or too long, is left to the reader
//! that takes records one by one and knows what to say.

use super::super::types::TypeCode;
use super::super::{Reader, Version};
use super::opcode;

/// What comes next in some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framed {
    /// An entry that is not all there, or damaged.
    Incomplete,
    /// Not an entry, or one whose end is only known to who reads it.
    Other,
    /// An entry of so many bytes.
    Whole(usize),
}

/// The entries that lie whole at the beginning of `bytes`: how long they are, how many, and what
/// comes behind them.
pub(super) fn entries(bytes: &[u8], version: Version) -> (usize, usize, Framed) {
    let (mut len, mut count) = (0, 0);
    loop {
        match entry(&bytes[len..], version) {
            Framed::Whole(more) => (len, count) = (len + more, count + 1),
            end => return (len, count, end),
        }
    }
}

fn entry(bytes: &[u8], version: Version) -> Framed {
    let mut walk = Walk { bytes, at: 0 };
    let code = loop {
        let passed = match walk.byte() {
            Some(opcode::DEADLINE_MS) => walk.pass(8),
            Some(opcode::DEADLINE_S) => walk.pass(4),
            Some(opcode::IDLE) => walk.length().map(drop),
            Some(opcode::FREQUENCY) => walk.pass(1),
            Some(opcode::KEY_META..) => return Framed::Other,
            Some(code) => break code,
            None => None,
        };
        if passed.is_none() {
            return Framed::Incomplete;
        }
    };
    let Some(type_code) = TypeCode::known(code, version) else { return Framed::Other };
    if matches!(type_code, TypeCode::Stream(_) | TypeCode::Module) {
        return Framed::Other;
    }
    match walk.string().and_then(|()| walk.value(type_code)) {
        Some(()) => Framed::Whole(walk.at),
        None => Framed::Incomplete,
    }
}

/// Goes over bytes; `None` where they end, or make no sense.
struct Walk<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Walk<'_> {
    fn value(&mut self, type_code: TypeCode) -> Option<()> {
        use TypeCode as T;
        match type_code {
            T::String
            | T::ListZiplist
            | T::SetIntset
            | T::SetListpack
            | T::SortedSetListpack
            | T::SortedSetZiplist
            | T::HashListpack
            | T::HashTimedListpackEarly
            | T::HashZiplist
            | T::HashZipmap => self.string(),
            T::HashTimedListpack => {
                self.pass(8)?;
                self.string()
            }
            T::List | T::ListOfZiplists | T::Set => self.each(Self::string),
            T::ListOfListpacks => self.each(|walk| {
                walk.length()?;
                walk.string()
            }),
            T::SortedSet => self.each(|walk| {
                walk.string()?;
                walk.pass(8)
            }),
            T::SortedSetDigits => self.each(|walk| {
                walk.string()?;
                match walk.byte()? {
                    253.. => Some(()),
                    len => walk.pass(usize::from(len)),
                }
            }),
            T::Hash => self.each(|walk| {
                walk.string()?;
                walk.string()
            }),
            T::HashTimed => {
                self.pass(8)?;
                self.each(Self::timed_field)
            }
            T::HashTimedEarly => self.each(Self::timed_field),
            T::HashTimedValkey => self.each(|walk| {
                walk.string()?;
                walk.string()?;
                walk.pass(8)
            }),
            T::Stream(_) | T::Module => None,
        }
    }

    fn timed_field(&mut self) -> Option<()> {
        self.length()?;
        self.string()?;
        self.string()
    }

    /// As many of something as a length says.
    fn each(&mut self, mut one: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        for _ in 0..self.length()? {
            one(self)?;
        }
        Some(())
    }

    #[inline]
    fn string(&mut self) -> Option<()> {
        let first = *self.bytes.get(self.at)?;
        if first < 0x40 {
            self.at += 1;
            return self.pass(usize::from(first));
        }
        match first {
            0x40..0x80 => {
                let second = *self.bytes.get(self.at + 1)?;
                self.at += 2;
                self.pass(usize::from(first & 0x3f) << 8 | usize::from(second))
            }
            0xc0..=0xc2 => self.pass(1 + (1 << (first - 0xc0))),
            0xc3 => {
                self.at += 1;
                let compressed_len = self.length()?;
                self.length()?;
                self.pass(usize::try_from(compressed_len).ok()?)
            }
            _ => {
                let len = self.length()?;
                self.pass(usize::try_from(len).ok()?)
            }
        }
    }

    /// A length, or any number that is written like one.
    fn length(&mut self) -> Option<u64> {
        let mut reader = Reader::new(&self.bytes[self.at..]);
        let length = reader.length().ok()?;
        self.at += reader.offset() as usize;
        Some(length)
    }

    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    fn pass(&mut self, len: usize) -> Option<()> {
        let left = self.bytes.len() - self.at;
        (len <= left).then(|| self.at += len)
    }
}
