//! Replies that the socket has not taken yet, and the writing of replies.
//!
//! A reply is written as soon as its batch is done, straight out of the thread's own buffer. What the socket doesn't take
//! moves here, shared values by reference, and waits until the socket has room.

use crate::limits::WRITE_PIECES;
use resp::Reply;
use std::io::{self, ErrorKind, IoSlice, Write};

/// Unwritten replies of one connection; most hold none.
#[derive(Debug, Default)]
pub struct Outbox(Option<Box<Reply>>);

impl Outbox {
    /// Whether everything is written.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Number of bytes that wait.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |reply| reply.len())
    }

    /// Pieces that wait.
    pub fn pieces(&self) -> usize {
        self.0.as_ref().map_or(0, |reply| reply.segments().count())
    }

    /// Bytes set aside.
    pub fn memory_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |reply| reply.memory_len() + size_of::<Reply>())
    }

    /// Writes as much of `reply` as the socket takes, behind what waits; keeps the rest. `reply` is empty then. Returns
    /// the number of bytes written.
    pub fn send(&mut self, stream: &mut impl Write, reply: &mut Reply) -> io::Result<usize> {
        if let Some(waiting) = &mut self.0 {
            waiting.append(reply);
            return Ok(0);
        }
        let written = write(stream, reply)?;
        if !reply.is_empty() {
            let mut waiting = Box::<Reply>::default();
            waiting.append(reply);
            self.0 = Some(waiting);
        }
        Ok(written)
    }

    /// As [`Outbox::send`], for bytes that are not in a reply.
    pub fn send_bytes(&mut self, stream: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
        let written = if self.is_empty() { write_bytes(stream, bytes)? } else { 0 };
        if written < bytes.len() {
            self.0.get_or_insert_default().raw(&bytes[written..]);
        }
        Ok(written)
    }

    /// Writes as much of what waits as the socket takes. Returns the number of bytes written.
    pub fn flush(&mut self, stream: &mut impl Write) -> io::Result<usize> {
        let Some(waiting) = &mut self.0 else { return Ok(0) };
        let written = write(stream, waiting)?;
        if waiting.is_empty() {
            self.0 = None;
        }
        Ok(written)
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

/// Writes `reply` until it is empty or the socket is full.
fn write(stream: &mut impl Write, reply: &mut Reply) -> io::Result<usize> {
    let mut total = 0;
    while !reply.is_empty() {
        let (written, offered) = match write_once(stream, reply) {
            Ok(counts) => counts,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
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
            break;
        }
    }
    Ok(total)
}

/// One call to the system. Returns how many bytes it took, and how many it was offered.
fn write_once(stream: &mut impl Write, reply: &Reply) -> io::Result<(usize, usize)> {
    let mut segments = reply.segments();
    let first = segments.next().unwrap_or_default();
    let Some(second) = segments.next() else {
        return Ok((stream.write(first)?, first.len()));
    };
    let mut pieces = [IoSlice::new(&[]); WRITE_PIECES];
    let mut count = 0;
    for (piece, segment) in pieces.iter_mut().zip([first, second].into_iter().chain(segments)) {
        *piece = IoSlice::new(segment);
        count += 1;
    }
    let offered = pieces[..count].iter().map(|piece| piece.len()).sum();
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
}
