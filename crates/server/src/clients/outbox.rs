//! Replies that the socket has not taken yet, and the writing of replies.
//!
//! A reply is written as soon as its batch is done, straight out of the thread's own buffer. What the socket doesn't take
//! moves here, shared values by reference, and waits until the socket has room. Nobody writes more than
//! [`TURN_BYTES_MAX`] at a time: the rest of a long reply has another turn after the loop's other connections. The
//! system tells only once that a socket has room, so whether it may have more is kept here.

use crate::limits::{TURN_BYTES_MAX, WRITE_PIECES};
use resp::Reply;
use std::io::{self, ErrorKind, IoSlice, Write};

/// Unwritten replies of one connection; most hold none.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Option<Box<Reply>>,
    /// The last write was cut short by us and not by the socket.
    has_room: bool,
}

impl Outbox {
    /// Whether everything is written.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Whether something waits that the socket would take now.
    pub fn may_go_on(&self) -> bool {
        self.has_room && !self.is_empty()
    }

    /// Number of bytes that wait.
    pub fn len(&self) -> usize {
        self.waiting.as_ref().map_or(0, |reply| reply.len())
    }

    /// Pieces that wait.
    pub fn pieces(&self) -> usize {
        self.waiting.as_ref().map_or(0, |reply| reply.segments().count())
    }

    /// Bytes set aside.
    pub fn memory_bytes(&self) -> usize {
        self.waiting.as_ref().map_or(0, |reply| reply.memory_len() + size_of::<Reply>())
    }

    /// Writes what one turn may of `reply`, behind what waits; keeps the rest. `reply` is empty then. Returns the number
    /// of bytes written.
    pub fn send(&mut self, stream: &mut impl Write, reply: &mut Reply) -> io::Result<usize> {
        if let Some(waiting) = &mut self.waiting {
            waiting.append(reply);
            return Ok(0);
        }
        let written = self.write(stream, reply)?;
        if !reply.is_empty() {
            let mut waiting = Box::<Reply>::default();
            waiting.append(reply);
            self.waiting = Some(waiting);
        }
        Ok(written)
    }

    /// Keeps `reply`, which is empty then, until [`Outbox::flush`] is called.
    pub fn keep(&mut self, reply: &mut Reply) {
        self.has_room &= !self.is_empty();
        self.waiting.get_or_insert_default().append(reply);
    }

    /// As [`Outbox::send`], for a few bytes that are not in a reply.
    pub fn send_bytes(&mut self, stream: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
        let written = if self.is_empty() { write_bytes(stream, bytes)? } else { 0 };
        if written < bytes.len() {
            if self.is_empty() {
                self.has_room = false;
            }
            self.waiting.get_or_insert_default().raw(&bytes[written..]);
        }
        Ok(written)
    }

    /// Writes what one turn may of what waits. Returns the number of bytes written.
    pub fn flush(&mut self, stream: &mut impl Write) -> io::Result<usize> {
        let Some(mut waiting) = self.waiting.take() else { return Ok(0) };
        let written = self.write(stream, &mut waiting)?;
        if !waiting.is_empty() {
            self.waiting = Some(waiting);
        }
        Ok(written)
    }

    /// Writes `reply` until it is empty, the socket is full or the turn is over.
    fn write(&mut self, stream: &mut impl Write, reply: &mut Reply) -> io::Result<usize> {
        let mut total = 0;
        self.has_room = true;
        while !reply.is_empty() && total < TURN_BYTES_MAX {
            let (written, offered) = match write_once(stream, reply, TURN_BYTES_MAX - total) {
                Ok(counts) => counts,
                Err(error) if error.kind() == ErrorKind::WouldBlock => (0, 1),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            total += written;
            if written == reply.len() {
                reply.clear();
            } else {
                reply.discard_front(written);
            }
            // What was not taken would not be taken now either.
            if written < offered {
                self.has_room = false;
                break;
            }
        }
        Ok(total)
    }
}

/// Writes once; a socket that is full takes nothing.
fn write_bytes(stream: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    loop {
        return match stream.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome,
        };
    }
}

/// One call to the system for at most `bytes_max`. Returns how many bytes it took, and how many it was offered.
fn write_once(
    stream: &mut impl Write,
    reply: &Reply,
    bytes_max: usize,
) -> io::Result<(usize, usize)> {
    let mut segments = reply.segments();
    let first = segments.next().unwrap_or_default();
    let first = &first[..first.len().min(bytes_max)];
    let Some(second) = segments.next().filter(|_| first.len() < bytes_max) else {
        return Ok((stream.write(first)?, first.len()));
    };
    let mut pieces = [IoSlice::new(&[]); WRITE_PIECES];
    let mut count = 0;
    let mut offered = 0;
    for (piece, segment) in pieces.iter_mut().zip([first, second].into_iter().chain(segments)) {
        let segment = &segment[..segment.len().min(bytes_max - offered)];
        if segment.is_empty() {
            break;
        }
        *piece = IoSlice::new(segment);
        offered += segment.len();
        count += 1;
    }
    Ok((stream.write_vectored(&pieces[..count])?, offered))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Takes a few bytes at a time, and every second time none.
    struct Slow {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.taken.extend_from_slice(&bytes[..count]);
            self.room -= count;
            Ok(count)
        }

        fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
            self.write(&all)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_not_taken_waits_in_order() {
        let mut slow = Slow { taken: Vec::new(), room: 10 };
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        let mut reply = Reply::new();
        for round in 0..3_u8 {
            reply.bulk(&[b'a' + round; 20]);
            reply.bulk_shared(&Arc::new(vec![b'A' + round; 40_000]));
            expected.extend_from_slice(&reply.to_vec());
            outbox.send(&mut slow, &mut reply).unwrap();
            assert!(reply.is_empty() && !outbox.is_empty());
        }
        assert_eq!(outbox.len(), expected.len() - 10);
        while !outbox.is_empty() {
            slow.room = 777;
            outbox.flush(&mut slow).unwrap();
        }
        assert_eq!(slow.taken, expected);
        assert_eq!(outbox.memory_bytes(), 0);
    }

    #[test]
    fn a_long_reply_has_several_turns() {
        let mut fast = Slow { taken: Vec::new(), room: usize::MAX };
        let mut outbox = Outbox::default();
        let mut reply = Reply::new();
        let long = Arc::new(vec![b'l'; 3 * TURN_BYTES_MAX]);
        reply.bulk(b"before");
        reply.bulk_shared(&long);
        reply.bulk(b"behind");
        let expected = reply.to_vec();
        let mut turns = vec![outbox.send(&mut fast, &mut reply).unwrap()];
        while outbox.may_go_on() {
            turns.push(outbox.flush(&mut fast).unwrap());
        }
        let last = expected.len() - 3 * TURN_BYTES_MAX;
        assert_eq!(turns, [TURN_BYTES_MAX, TURN_BYTES_MAX, TURN_BYTES_MAX, last]);
        assert!(fast.taken == expected && outbox.is_empty());
        fast.room = 5;
        reply.bulk_shared(&long);
        outbox.send(&mut fast, &mut reply).unwrap();
        assert!(!outbox.is_empty() && !outbox.may_go_on(), "the socket is full");
        fast.room = usize::MAX;
        outbox.flush(&mut fast).unwrap();
        assert!(outbox.may_go_on());
    }
}
