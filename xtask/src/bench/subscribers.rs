//! Clients that have subscribed to a channel and read whatever is published, on one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::server::Server;
use crate::process::Outcome;

/// The word with which every message begins, as RESP2 has it.
const MESSAGE: &[u8] = b"$7\r\nmessage\r\n";
const PATIENCE: Duration = Duration::from_secs(30);

/// Subscribers of the channel `news`.
pub(crate) struct Subscribers {
    count: usize,
    /// Messages that all of them are still to receive; `usize::MAX` until that is known.
    wanted: Arc<AtomicUsize>,
    reader: Option<JoinHandle<Outcome>>,
}

impl Subscribers {
    /// # Errors
    /// If the server does not take them.
    pub(crate) fn new(server: &Server, count: usize) -> Outcome<Self> {
        let wanted = Arc::new(AtomicUsize::new(usize::MAX));
        let streams = (0..count).map(|_| subscribe(server)).collect::<std::io::Result<Vec<_>>>();
        let streams = streams.map_err(|error| format!("a subscriber: {error}"))?;
        let reader = (count != 0).then(|| {
            let wanted = Arc::clone(&wanted);
            thread::spawn(move || read_all(streams, &wanted))
        });
        Ok(Self { count, wanted, reader })
    }

    /// Waits until each has received so many messages.
    ///
    /// # Errors
    /// If that does not happen.
    pub(crate) fn finish(self, messages: usize) -> Outcome {
        self.wanted.store(messages * self.count, Ordering::Relaxed);
        let Some(reader) = self.reader else { return Ok(()) };
        reader.join().unwrap_or_else(|_| Err("the subscribers panicked".to_owned()))
    }
}

fn subscribe(server: &Server) -> std::io::Result<TcpStream> {
    let mut stream = server.connect()?;
    stream.write_all(b"SUBSCRIBE news\r\n")?;
    let mut reply = [0; 64];
    let len = stream.read(&mut reply)?;
    if !reply[..len].starts_with(b"*3\r\n$9\r\nsubscribe") {
        return Err(std::io::Error::other("SUBSCRIBE is refused"));
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Reads until all that is wanted has come. Messages are counted by their first word, of which no part
/// is in two reads unless the read was full: then the rest is counted with the next.
fn read_all(streams: Vec<TcpStream>, wanted: &AtomicUsize) -> Outcome {
    let mut readers: Vec<(TcpStream, Vec<u8>)> =
        streams.into_iter().map(|stream| (stream, Vec::new())).collect();
    let mut received = 0;
    let mut last = Instant::now();
    let mut buffer = vec![0; 1 << 20];
    while received < wanted.load(Ordering::Relaxed) {
        let mut is_idle = true;
        for (stream, kept) in &mut readers {
            let len = match stream.read(&mut buffer) {
                Ok(0) => return Err("a subscriber was cut off".to_owned()),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(format!("a subscriber: {error}")),
            };
            is_idle = false;
            kept.extend_from_slice(&buffer[..len]);
            received += kept.windows(MESSAGE.len()).filter(|window| *window == MESSAGE).count();
            // What could be the beginning of another stays.
            kept.drain(..kept.len().saturating_sub(MESSAGE.len() - 1));
        }
        if is_idle {
            if PATIENCE < last.elapsed() {
                return Err(format!("only {received} messages have come"));
            }
            thread::sleep(Duration::from_micros(300));
        } else {
            last = Instant::now();
        }
    }
    Ok(())
}
