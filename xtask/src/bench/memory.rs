//! Resident bytes per item: the set before and after a load, divided by what was loaded.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::server::Server;
use super::speed::Contestant;
use super::workload::Shape;
use crate::process::Outcome;

/// Commands sent at once. More would measure the servers' buffers.
const BATCH: usize = 500;
/// Time for a server to settle: to return buffers, to finish resizing.
const SETTLE: Duration = Duration::from_secs(1);

/// One shape of data in one server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) shape: String,
    pub(crate) label: String,
    pub(crate) items: u64,
    pub(crate) server: String,
    pub(crate) bytes_per_item: f64,
}

/// Rows in the order of the shapes, then of the contestants.
///
/// # Errors
/// If a server does not start or refuses a command.
pub(crate) fn measure(
    contestants: &[Contestant<'_>],
    shapes: &[&Shape],
    divisor: u64,
) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for shape in shapes {
        for contestant in contestants {
            let items = shape.items / divisor;
            eprintln!("{}: memory of {}", contestant.label, shape.label);
            let server = Server::start(contestant.program, &contestant.setup)?;
            thread::sleep(SETTLE);
            let before = server.resident_bytes();
            let fail = |reason| format!("{}: {}: {reason}", contestant.label, shape.name);
            fill(&server, shape, items).map_err(fail)?;
            thread::sleep(SETTLE);
            let grown = server.resident_bytes().saturating_sub(before);
            rows.push(Row {
                shape: shape.name.to_owned(),
                label: shape.label.to_owned(),
                items,
                server: contestant.label.clone(),
                bytes_per_item: grown as f64 / items as f64,
            });
        }
    }
    Ok(rows)
}

fn fill(server: &Server, shape: &Shape, items: u64) -> Outcome {
    write(server, (0..items).map(shape.command))
}

/// Sends commands, each of which is answered by one line, or by a string of one line.
///
/// # Errors
/// What the server complains about.
pub(crate) fn write(server: &Server, commands: impl Iterator<Item = Vec<String>>) -> Outcome {
    let mut stream = server.connect().map_err(|error| error.to_string())?;
    let mut commands = commands.peekable();
    let mut request = Vec::new();
    while commands.peek().is_some() {
        request.clear();
        let mut lines = 0;
        for command in commands.by_ref().take(BATCH) {
            lines += if command[0] == "XADD" { 2 } else { 1 };
            encode(&command, &mut request);
        }
        stream.write_all(&request).map_err(|error| error.to_string())?;
        expect_lines(&mut stream, lines)?;
    }
    Ok(())
}

/// A request as the wire wants it.
pub(crate) fn encode(words: &[String], target: &mut Vec<u8>) {
    target.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        target.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

/// Waits for so many replies of one line each.
fn expect_lines(stream: &mut TcpStream, count: u64) -> Outcome {
    let mut missing = count;
    let mut is_line_start = true;
    let mut buffer = [0; 16 * 1024];
    while missing != 0 {
        let len = stream.read(&mut buffer).map_err(|error| error.to_string())?;
        if len == 0 {
            return Err("the server closed the connection".to_owned());
        }
        for (index, &byte) in buffer[..len].iter().enumerate() {
            if is_line_start && byte == b'-' {
                return Err(String::from_utf8_lossy(&buffer[index..len]).trim_end().to_owned());
            }
            is_line_start = byte == b'\n';
            missing = missing.saturating_sub(u64::from(is_line_start));
        }
    }
    Ok(())
}

/// The table; the ratio is to the first server.
pub(crate) fn print(rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    println!("\n{:38}{:20}{:>12}{:>10}", "resident bytes per item", "server", "bytes", "ratio");
    let mut base = f64::NAN;
    for row in rows {
        if row.server == rows[0].server {
            base = row.bytes_per_item;
        }
        let Row { label, server, bytes_per_item, .. } = row;
        println!("{label:38}{server:20}{bytes_per_item:>12.1}{:>10.2}", bytes_per_item / base);
    }
}
