//! A connection that asks and waits, for what the generator cannot do.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::memory::encode;
use super::server::Server;
use crate::process::Outcome;

/// A connection, and what was read of it and not used.
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    /// # Errors
    /// If the server does not take it.
    pub(crate) fn new(server: &Server) -> Outcome<Self> {
        let stream = server.connect().map_err(|error| error.to_string())?;
        Ok(Self { stream, unread: Vec::new() })
    }

    /// The reply as a number.
    ///
    /// # Errors
    /// If it is none, or as [`Client::ask`].
    pub(crate) fn number(&mut self, words: &[&str]) -> Outcome<usize> {
        let text = self.ask(words)?;
        text.parse().map_err(|_| format!("not a number: {text}"))
    }

    /// The number behind the first of these fields that INFO has.
    ///
    /// # Errors
    /// If it has none of them.
    pub(crate) fn info(&mut self, fields: &[&str]) -> Outcome<usize> {
        let text = self.ask(&["INFO", "everything"])?;
        let of = |field: &&str| {
            text.lines().find_map(|line| line.strip_prefix(*field)?.strip_prefix(':'))
        };
        let number = fields.iter().find_map(of).and_then(|number| number.trim().parse().ok());
        number.ok_or_else(|| format!("INFO has no {}", fields.join(" or ")))
    }

    /// A reply that is a line or a string; empty if it is null.
    ///
    /// # Errors
    /// If it is an error, or the server goes away.
    pub(crate) fn ask(&mut self, words: &[&str]) -> Outcome<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut request = Vec::new();
        encode(&words, &mut request);
        self.stream.write_all(&request).map_err(|error| error.to_string())?;
        Ok(self.reply()?.unwrap_or_default())
    }

    /// Sends commands at once; for each, whether its reply is something.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub(crate) fn send(
        &mut self,
        commands: impl Iterator<Item = Vec<String>>,
    ) -> Outcome<Vec<bool>> {
        let mut request = Vec::new();
        let mut count = 0;
        for command in commands {
            encode(&command, &mut request);
            count += 1;
        }
        self.stream.write_all(&request).map_err(|error| error.to_string())?;
        (0..count).map(|_| Ok(self.reply()?.is_some())).collect()
    }

    fn reply(&mut self) -> Outcome<Option<String>> {
        let line = self.take_line()?;
        match line.as_bytes().first() {
            Some(b'$') => {
                let len: i64 = line[1..].parse().map_err(|_| line.clone())?;
                let Ok(len) = usize::try_from(len) else { return Ok(None) };
                while self.unread.len() < len + 2 {
                    self.read()?;
                }
                let text = String::from_utf8_lossy(&self.unread[..len]).into_owned();
                self.unread.drain(..len + 2);
                Ok(Some(text))
            }
            Some(b'-') => Err(line),
            _ => Ok(Some(line.get(1..).unwrap_or_default().to_owned())),
        }
    }

    fn take_line(&mut self) -> Outcome<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&self.unread[..end]).trim_end().to_owned();
                self.unread.drain(..=end);
                return Ok(line);
            }
            self.read()?;
        }
    }

    fn read(&mut self) -> Outcome {
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer).map_err(|error| error.to_string())? {
            0 => Err("the server closed the connection".to_owned()),
            len => {
                self.unread.extend_from_slice(&buffer[..len]);
                Ok(())
            }
        }
    }
}
