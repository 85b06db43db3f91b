//! The arguments of one call: borrowed places in a buffer, and an owned list for calls that wait.

use std::fmt;

use crate::request::Span;

/// What stands around an argument at most: a sign, the digits of its length, two line ends.
const HEADER_LEN_MAX: usize = 1 + 20 + 2 + 2;

/// The arguments of one call, borrowed from wherever they lie; cheap to copy.
#[derive(Clone, Copy)]
pub struct Argv<'a> {
    buffer: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Argv<'a> {
    /// The arguments that lie at `spans` in `buffer`.
    #[inline]
    pub fn new(buffer: &'a [u8], spans: &'a [Span]) -> Self {
        Self { buffer, spans }
    }

    /// How many arguments there are, the command's name included.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`, if there are so many.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| span.of(self.buffer))
    }

    /// The argument at `index`. Unlike indexing it lives as long as the buffer.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline]
    pub fn at(&self, index: usize) -> &'a [u8] {
        self.spans[index].of(self.buffer)
    }

    /// All arguments in order.
    #[inline]
    pub fn iter(
        &self,
    ) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone + use<'a> {
        let buffer = self.buffer;
        self.spans.iter().map(move |span| span.of(buffer))
    }

    /// The arguments from `start` on; none if there are not so many.
    #[inline]
    pub fn from(&self, start: usize) -> Self {
        Self { buffer: self.buffer, spans: self.spans.get(start..).unwrap_or_default() }
    }

    /// The arguments from `start` up to but not including `end`.
    ///
    /// # Panics
    /// If there are not so many, or the range runs backwards.
    #[inline]
    pub fn range(&self, start: usize, end: usize) -> Self {
        Self { buffer: self.buffer, spans: &self.spans[start..end] }
    }

    /// How many bytes the request has that says this, in the form of the protocol.
    pub fn request_len(&self) -> usize {
        let headed = |number: usize| 3 + number.max(1).ilog10() as usize + 1;
        let arguments = self.spans.iter().map(|span| headed(span.len) + span.len + 2);
        headed(self.len()) + arguments.sum::<usize>()
    }

    /// More than [`Self::request_len`], at most by some bytes for each argument. O(1).
    #[inline]
    pub fn request_len_max(&self) -> usize {
        let Some(last) = self.spans.last() else { return 0 };
        let extent = last.start + last.len - self.spans[0].start;
        extent + (self.len() + 1) * HEADER_LEN_MAX
    }

    /// How many bytes all arguments have together.
    pub fn bytes_len(&self) -> usize {
        self.spans.iter().map(|span| span.len).sum()
    }
}

impl std::ops::Index<usize> for Argv<'_> {
    type Output = [u8];

    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.at(index)
    }
}

impl fmt::Debug for Argv<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.iter().map(|argument| argument.escape_ascii().to_string());
        formatter.debug_list().entries(texts).finish()
    }
}

/// Arguments in a buffer of their own: queued calls, records read back, calls made by scripts.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ArgvBuffer {
    buffer: Vec<u8>,
    spans: Vec<Span>,
}

impl ArgvBuffer {
    /// No arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an argument.
    pub fn push(&mut self, argument: &[u8]) {
        self.spans.push(Span { start: self.buffer.len(), len: argument.len() });
        self.buffer.extend_from_slice(argument);
    }

    /// Forgets the arguments and keeps the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.spans.clear();
    }

    /// The arguments, borrowed.
    #[inline]
    pub fn argv(&self) -> Argv<'_> {
        Argv::new(&self.buffer, &self.spans)
    }
}

impl From<Argv<'_>> for ArgvBuffer {
    /// Copies the arguments, in memory of just the size that they need.
    fn from(argv: Argv<'_>) -> Self {
        let mut copy = Self {
            buffer: Vec::with_capacity(argv.bytes_len()),
            spans: Vec::with_capacity(argv.len()),
        };
        argv.iter().for_each(|argument| copy.push(argument));
        copy
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for ArgvBuffer {
    fn from_iter<I: IntoIterator<Item = T>>(arguments: I) -> Self {
        let mut buffer = Self::new();
        arguments.into_iter().for_each(|argument| buffer.push(argument.as_ref()));
        buffer
    }
}

impl fmt::Debug for ArgvBuffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.argv().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_found() {
        let owned: ArgvBuffer = ["SET", "key", "", "value"].into_iter().collect();
        let argv = owned.argv();
        assert_eq!((argv.len(), argv.bytes_len()), (4, 11));
        assert_eq!((&argv[1], argv.at(2), argv.get(4)), (&b"key"[..], &b""[..], None));
        assert_eq!(argv.from(2).iter().collect::<Vec<_>>(), [&b""[..], b"value"]);
        let mut request = Vec::new();
        crate::encode_request(&mut request, &argv.iter().collect::<Vec<_>>());
        assert_eq!(argv.request_len(), request.len());
        assert!(argv.request_len() <= argv.request_len_max());
        assert_eq!(argv.range(0, 1).iter().collect::<Vec<_>>(), [b"SET"]);
        assert!(argv.from(9).is_empty());
        assert_eq!(format!("{argv:?}"), r#"["SET", "key", "", "value"]"#);
        assert_eq!(ArgvBuffer::from(argv), owned);
    }
}
