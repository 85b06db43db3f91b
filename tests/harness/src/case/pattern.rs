//! What a reply is expected to be, and whether one is that.
//!
//! A pattern is written for RESP3, which says more; where RESP2 has no such type the pattern matches
//! what Redis sends instead: a map as a flat array, a double as a text, a boolean as a number.

use crate::frame::{Frame, Protocol};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// One reply, whatever it is.
    Any,
    /// The server closed the connection.
    Closed,
    ErrorPrefix(Vec<u8>),
    Exact(Frame),
    /// A text with these pieces in this order; nothing before the first and after the last.
    Like(Vec<Vec<u8>>),
    List(Kind, Vec<Self>),
    Range(i64, i64),
    /// In a list: any number of further items.
    Rest,
    /// No reply at all.
    Silence,
}

/// What a list of patterns stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Array,
    ArrayAnyOrder,
    Map,
    MapAnyOrder,
    Push,
    /// Always in any order.
    Set,
}

impl Pattern {
    pub fn matches(&self, frame: &Frame, protocol: Protocol) -> bool {
        match self {
            Self::Any => true,
            Self::Closed | Self::Silence | Self::Rest => false,
            Self::ErrorPrefix(prefix) => {
                matches!(frame, Frame::Error(text) if text.starts_with(prefix))
            }
            Self::Exact(expected) => matches_exactly(expected, frame, protocol),
            Self::Like(pieces) => {
                !frame.is_error() && frame.text().is_some_and(|text| is_like(pieces, text))
            }
            Self::List(kind, patterns) => matches_list(*kind, patterns, frame, protocol),
            Self::Range(low, high) => {
                matches!(frame, Frame::Integer(value) if (*low..=*high).contains(value))
            }
        }
    }
}

fn matches_exactly(expected: &Frame, frame: &Frame, protocol: Protocol) -> bool {
    match (protocol, expected) {
        (Protocol::Resp3, Frame::NullBulk | Frame::NullArray) => *frame == Frame::Null,
        (Protocol::Resp2, Frame::Null) => *frame == Frame::NullBulk,
        (
            Protocol::Resp2,
            Frame::BigNumber(text) | Frame::Double(text) | Frame::Verbatim(_, text),
        ) => matches!(frame, Frame::Bulk(bulk) if bulk == text),
        (Protocol::Resp2, Frame::Boolean(value)) => *frame == Frame::Integer(i64::from(*value)),
        _ => expected == frame,
    }
}

fn matches_list(kind: Kind, patterns: &[Pattern], frame: &Frame, protocol: Protocol) -> bool {
    let flat: Vec<&Frame> = match frame {
        Frame::Map(pairs) => pairs.iter().flat_map(|(key, value)| [key, value]).collect(),
        Frame::Array(items) | Frame::Set(items) | Frame::Push(items) => items.iter().collect(),
        _ => return false,
    };
    let is_kind = match (protocol, kind) {
        (_, Kind::Array | Kind::ArrayAnyOrder) => matches!(frame, Frame::Array(_)),
        (Protocol::Resp2, _) => matches!(frame, Frame::Array(_)),
        (Protocol::Resp3, Kind::Map | Kind::MapAnyOrder) => matches!(frame, Frame::Map(_)),
        (Protocol::Resp3, Kind::Push) => matches!(frame, Frame::Push(_)),
        (Protocol::Resp3, Kind::Set) => matches!(frame, Frame::Set(_)),
    };
    let (patterns, is_open) = match patterns.split_last() {
        Some((Pattern::Rest, fixed)) => (fixed, true),
        _ => (patterns, false),
    };
    let fits = if is_open { patterns.len() <= flat.len() } else { patterns.len() == flat.len() };
    if !is_kind || !fits {
        return false;
    }
    match kind {
        Kind::Array | Kind::Map | Kind::Push => {
            patterns.iter().zip(&flat).all(|(pattern, item)| pattern.matches(item, protocol))
        }
        Kind::ArrayAnyOrder | Kind::Set => matches_any_order(patterns, &flat, 1, protocol),
        Kind::MapAnyOrder => matches_any_order(patterns, &flat, 2, protocol),
    }
}

/// Groups of `width` items in any order. Each pattern takes the first group that it matches, which is
/// enough as long as at most one pattern of a list is loose.
fn matches_any_order(
    patterns: &[Pattern],
    items: &[&Frame],
    width: usize,
    protocol: Protocol,
) -> bool {
    let mut left: Vec<&[&Frame]> = items.chunks(width).collect();
    let (exact, loose): (Vec<_>, Vec<_>) = patterns
        .chunks(width)
        .partition(|group| group.iter().all(|pattern| matches!(pattern, Pattern::Exact(_))));
    exact.into_iter().chain(loose).all(|group| {
        let found = left.iter().position(|items| {
            group.len() == items.len()
                && group.iter().zip(*items).all(|(pattern, item)| pattern.matches(item, protocol))
        });
        found.map(|index| left.remove(index)).is_some()
    })
}

fn is_like(pieces: &[Vec<u8>], text: &[u8]) -> bool {
    let [first, middle @ .., last] = pieces else {
        return pieces.first().is_some_and(|only| only == text);
    };
    let Some(rest) = text.strip_prefix(first.as_slice()) else { return false };
    let Some(mut rest) = rest.strip_suffix(last.as_slice()) else { return false };
    for piece in middle.iter().filter(|piece| !piece.is_empty()) {
        let Some(at) = rest.windows(piece.len()).position(|part| part == piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    true
}
