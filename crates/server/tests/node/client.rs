//! What the tests of the server share: a node on a free port, and a client that speaks in bytes.

use engine::command::{Flags, Outcome};
use engine::keys::{self, KeySpec};
use engine::{Command, Ctx, Reach};
use server::config::{Config, Dialect, Machine};
use server::listeners::Port;
use server::start::{Node, Options};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The shortest question, and its answer.
pub(crate) const PING: &[u8] = b"PING\r\n";
pub(crate) const PONG: &[u8] = b"+PONG\r\n";

/// `HOLD key milliseconds` → OK: keeps the key's shard, and the thread, for so long.
pub(crate) const HOLD: &[Command] = &[Command {
    name: "hold",
    arity: 3,
    flags: Flags::WRITE,
    keys: &[KeySpec::at(1, keys::RW_ACCESS_UPDATE)],
    reach: Reach::Keys,
    run: hold,
    ..Command::NEW
}];

fn hold(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let text = std::str::from_utf8(&ctx.argv[2]).expect("tests send numbers");
    let milliseconds: u64 = text.parse().expect("tests send numbers");
    ctx.host.sleep_ns(milliseconds * 1_000_000);
    ctx.reply.ok();
    Ok(())
}

/// A node with these lines of configuration.
pub(crate) fn node(text: &str) -> Node {
    let machine = Machine { cores: 2, memory_bytes: 1 << 30 };
    let text = format!("save \"\"\nbind 127.0.0.1\n{text}");
    let config = Config::from_text(text.as_bytes(), Dialect::Redis, machine).unwrap();
    Node::start(config, Options { port: Port::Any, rows: &[HOLD], ..Options::default() }).unwrap()
}

/// A connected client.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
}

impl Client {
    /// Connects to a node.
    pub(crate) fn new(node: &Node) -> Self {
        Self::to_port(node.port())
    }

    /// Connects to a port of this machine.
    pub(crate) fn to_port(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Reads as many bytes as `expected` has and compares them.
    pub(crate) fn expect(&mut self, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        self.stream.read_exact(&mut bytes).unwrap();
        assert!(bytes == expected, "{} is not {}", brief(&bytes), brief(expected));
    }

    /// Sends one request and compares its reply.
    pub(crate) fn ask(&mut self, words: &[&[u8]], expected: &[u8]) {
        self.send(&request(words));
        self.expect(expected);
    }

    /// Asks the shortest question.
    pub(crate) fn ping(&mut self) {
        self.send(PING);
        self.expect(PONG);
    }

    /// Reads one line, its end included.
    pub(crate) fn read_line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        line
    }

    /// Reads until the server closes. A reset counts as closing.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = self.stream.read(&mut piece) {
            bytes.extend_from_slice(&piece[..count]);
        }
        bytes
    }
}

/// A request in the protocol's form.
pub(crate) fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A bulk string in the protocol's form.
pub(crate) fn bulk(value: &[u8]) -> Vec<u8> {
    let mut bytes = format!("${}\r\n", value.len()).into_bytes();
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Waits until `is_so`, which must become true.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

fn brief(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(200)].escape_ascii().to_string()
}
