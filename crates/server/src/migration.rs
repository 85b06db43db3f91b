//! Keys on their way to another server, on a thread of their own: the network's part of MIGRATE.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// The longest line that a target answers.
const ANSWER_LEN_MAX: u64 = 64 << 10;
/// A delivery that nobody has asked for so long after its end is forgotten.
const KEPT: Duration = Duration::from_secs(60);

/// What is to be done at a target.
#[derive(Clone, Debug)]
pub struct Mission {
    pub host: String,
    pub port: u16,
    pub database: i64,
    /// For each step.
    pub timeout: Duration,
    /// User name and password, or the password alone, or nothing.
    pub credentials: Vec<Vec<u8>>,
    pub items: Vec<Item>,
}

/// One key.
#[derive(Clone, Debug)]
pub struct Item {
    /// The argument of the call that it is.
    pub argument: usize,
    pub key: Vec<u8>,
    /// Without one the key is deleted at the target.
    pub value: Option<SentValue>,
    /// How long it lives from now; 0: for ever.
    pub ttl_ms: u64,
    /// Whether it takes the place of what is there.
    pub replaces: bool,
}

/// A value as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentValue {
    pub payload: Vec<u8>,
    pub deadline: Option<u64>,
}

/// How far a delivery has come.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Of each item, whether the target has acknowledged it.
    pub is_done: Vec<bool>,
    /// The first thing that went wrong.
    pub failure: Option<Failure>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Connect,
    Read,
    /// The target's error.
    Refused(Vec<u8>),
    Write,
}

/// A mission under way, shared by the call and the thread that carries it out.
#[derive(Debug)]
pub struct Delivery {
    mission: Mission,
    round: usize,
    has_begun: AtomicBool,
    end: Mutex<Option<(Delivered, Instant)>>,
}

impl Delivery {
    /// One that has not begun.
    pub fn new(mission: Mission, round: usize) -> Self {
        Self { mission, round, has_begun: AtomicBool::new(false), end: Mutex::default() }
    }

    /// Carries it out on this thread.
    pub fn run(&self) -> Delivered {
        let delivered = self.mission.carry_out();
        *self.end.lock() = Some((delivered.clone(), Instant::now()));
        delivered
    }

    /// What has become of it, once it is over.
    pub fn delivered(&self) -> Option<Delivered> {
        self.end.lock().as_ref().map(|(delivered, _)| delivered.clone())
    }

    /// What is delivered.
    pub fn items(&self) -> &[Item] {
        &self.mission.items
    }

    /// How many went before it, for the same call.
    pub fn round(&self) -> usize {
        self.round
    }

    fn is_stale(&self) -> bool {
        self.end.lock().as_ref().is_some_and(|(_, ended)| KEPT < ended.elapsed())
    }
}

/// The deliveries for which clients wait.
#[derive(Debug, Default)]
pub struct Migrations {
    by_client: Mutex<HashMap<u64, Arc<Delivery>>>,
}

impl Migrations {
    /// Begins a delivery, unless it has begun; the client is going to ask for it.
    pub fn start(&self, client: u64, delivery: &Arc<Delivery>) {
        if delivery.has_begun.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut by_client = self.by_client.lock();
        by_client.retain(|_, delivery| !delivery.is_stale());
        by_client.insert(client, Arc::clone(delivery));
        drop(by_client);
        let own = Arc::clone(delivery);
        let thread = Builder::new().name("migration".to_owned()).spawn(move || {
            own.run();
        });
        if thread.is_err() {
            // No thread to be had: this one has to wait for the network.
            delivery.run();
        }
    }

    /// The delivery that a client waits for.
    pub fn of(&self, client: u64) -> Option<Arc<Delivery>> {
        self.by_client.lock().get(&client).map(Arc::clone)
    }

    /// The client does not wait any more.
    pub fn forget(&self, client: u64) {
        self.by_client.lock().remove(&client);
    }
}

impl Mission {
    /// Connects, sends everything, reads every answer.
    fn carry_out(&self) -> Delivered {
        let mut delivered = Delivered { is_done: vec![false; self.items.len()], failure: None };
        delivered.failure =
            self.connect().and_then(|stream| self.talk(stream, &mut delivered)).err();
        delivered
    }

    fn connect(&self) -> Result<TcpStream, Failure> {
        let addresses = (&*self.host, self.port).to_socket_addrs().map_err(|_| Failure::Connect)?;
        let mut failure = Failure::Connect;
        for address in addresses {
            match TcpStream::connect_timeout(&address, self.timeout) {
                Ok(stream) => {
                    let prepare = stream.set_nodelay(true);
                    let prepare =
                        prepare.and_then(|()| stream.set_read_timeout(Some(self.timeout)));
                    let prepare =
                        prepare.and_then(|()| stream.set_write_timeout(Some(self.timeout)));
                    return prepare.map(|()| stream).map_err(|_| Failure::Connect);
                }
                // Clients know it as what goes wrong when they write.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    failure = Failure::Write;
                }
                Err(_) => {}
            }
        }
        Err(failure)
    }

    fn talk(&self, mut stream: TcpStream, delivered: &mut Delivered) -> Result<(), Failure> {
        let reader = stream.try_clone().map_err(|_| Failure::Connect)?;
        let mut answers = BufReader::new(reader);
        let mut request = Vec::new();
        let mut greetings = 1;
        if !self.credentials.is_empty() {
            let words = self.credentials.iter().map(|word| &word[..]);
            push_request(&mut request, [&b"AUTH"[..]].into_iter().chain(words));
            greetings += 1;
        }
        push_request(&mut request, [b"SELECT", self.database.to_string().as_bytes()].into_iter());
        stream.write_all(&request).map_err(|_| Failure::Write)?;
        // Nothing is sent to a database that is the wrong one.
        for _ in 0..greetings {
            answer(&mut answers)?.map_err(Failure::Refused)?;
        }
        for item in &self.items {
            request.clear();
            item.push_request(&mut request);
            stream.write_all(&request).map_err(|_| Failure::Write)?;
        }
        let mut refusal = None;
        for is_done in &mut delivered.is_done {
            match answer(&mut answers)? {
                Ok(()) => *is_done = true,
                Err(text) => {
                    refusal.get_or_insert(text);
                }
            }
        }
        refusal.map_or(Ok(()), |text| Err(Failure::Refused(text)))
    }
}

impl Item {
    fn push_request(&self, out: &mut Vec<u8>) {
        let Some(value) = &self.value else {
            push_request(out, [b"DEL", &self.key[..]].into_iter());
            return;
        };
        let ttl = self.ttl_ms.to_string();
        let words = [b"RESTORE", &self.key[..], ttl.as_bytes(), &value.payload];
        let replace = self.replaces.then_some(&b"REPLACE"[..]);
        let words: Vec<&[u8]> = words.into_iter().chain(replace).collect();
        push_request(out, words.into_iter());
    }
}

fn push_request<'a>(out: &mut Vec<u8>, words: impl Iterator<Item = &'a [u8]> + Clone) {
    out.extend_from_slice(format!("*{}\r\n", words.clone().count()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// The next answer: good, or the target's error.
fn answer(answers: &mut impl BufRead) -> Result<Result<(), Vec<u8>>, Failure> {
    let mut line = Vec::new();
    let read = answers.take(ANSWER_LEN_MAX).read_until(b'\n', &mut line);
    read.map_err(|_| Failure::Read)?;
    match (line.first(), line.strip_suffix(b"\r\n")) {
        (Some(b'+' | b':'), Some(_)) => Ok(Ok(())),
        (Some(b'-'), Some(line)) => Ok(Err(line[1..].to_vec())),
        _ => Err(Failure::Read),
    }
}
