//! What cases and streams run on: the engine in process, or a server behind a socket.

pub mod engine;
pub mod launch;
pub mod socket;
pub mod version;

use std::time::Duration;

use crate::frame::Frame;
use version::Identity;

/// Longer than anything that a healthy server takes for a case, a 512 MB string included.
pub const WAIT: Duration = Duration::from_secs(20);

/// So much of a command is in messages.
const SHOWN_LEN: usize = 100;

/// Something that accepts connections and speaks the protocol on them.
pub trait Target {
    /// # Errors
    /// When no connection can be made.
    fn open(&mut self) -> Result<Box<dyn Link>, String>;

    /// Who answers there, to tell which cases hold.
    fn identity(&self) -> &Identity;

    /// Whether connections are sockets, where bytes can be sent in any shape.
    fn has_sockets(&self) -> bool;
}

/// One connection.
pub trait Link {
    /// # Errors
    /// When the connection is gone.
    fn send(&mut self, bytes: &[u8]) -> Result<(), String>;

    /// The next reply, waited for at most so long.
    ///
    /// # Errors
    /// When what comes is no reply.
    fn receive(&mut self, wait: Duration) -> Result<Received, String>;
}

#[derive(Debug)]
pub enum Received {
    Closed,
    Frame(Frame),
    Nothing,
}

impl dyn Link {
    /// Sends one command and waits for its reply.
    ///
    /// # Errors
    /// When no reply comes.
    pub fn call(&mut self, words: &[&str]) -> Result<Frame, String> {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        self.send(&request(&words))?;
        match self.receive(WAIT)? {
            Received::Frame(frame) => Ok(frame),
            Received::Closed => Err("the connection was closed".to_owned()),
            Received::Nothing => {
                let shown: Vec<u8> = words.join(&b' ').into_iter().take(SHOWN_LEN).collect();
                Err(format!("no reply to {}", String::from_utf8_lossy(&shown)))
            }
        }
    }
}

/// A command on the wire.
pub fn request(words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).into_bytes());
        bytes.extend(word);
        bytes.extend(b"\r\n");
    }
    bytes
}
