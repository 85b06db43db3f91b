//! Looking ahead: parses a batch of requests, and fetches what they will touch into the cache.
//!
//! With a pipeline most of a GET's time is two cache misses, the bucket and the entry. Done for a
//! batch before its first call runs, they overlap: first every key's bucket is prefetched, without
//! any lock, then, when the buckets have arrived, every key's entry, and then those elements of large
//! values that the calls name.

use crate::engine::Engine;
use crate::table::{Entry, Lookup};
use base::numbers;
use resp::{Argv, Limits, Parsed, ProtocolError, RequestParser, Span};
use smallvec::SmallVec;
use store::{Key, PREFETCH_CHUNK, Wanted};

/// Requests parsed ahead at most.
pub const REQUESTS_MAX: usize = 64;

/// Below so many requests the entries are not fetched ahead: their calls come too soon.
const PREFETCH_MIN: usize = 2;

/// A batch of parsed requests; its allocations are used again.
#[derive(Default)]
pub struct Batch {
    spans: Vec<Span>,
    pub(crate) requests: Vec<Request>,
}

/// One parsed request.
pub(crate) struct Request {
    /// The row, when the name is that of a plain command or a known subcommand.
    pub entry: Option<&'static Entry>,
    /// Hash of the first key, when the row says where that stands.
    pub hash: u64,
    /// Where it starts and ends in the input.
    pub start: usize,
    pub end: usize,
    spans: (usize, usize),
    is_inline: bool,
}

/// Why a batch ended.
pub(crate) enum End {
    /// The input holds no further complete request; `wanted` more bytes are known to come.
    Input { wanted: usize },
    /// The batch is full: there may be more.
    Full,
    /// Garbage follows.
    Broken(ProtocolError),
}

impl Batch {
    /// Parses requests from `input[from..]`, at most `max`.
    pub(crate) fn read(
        &mut self,
        parser: &mut RequestParser,
        limits: &Limits,
        input: &[u8],
        from: usize,
        max: usize,
    ) -> End {
        self.spans.clear();
        self.requests.clear();
        parser.clear_inline_buffer();
        let mut start = from;
        while self.requests.len() < max {
            let first = self.spans.len();
            let parsed = match parser.parse(&input[start..], &mut self.spans, limits) {
                Ok(parsed) => parsed,
                Err(error) => return End::Broken(error),
            };
            match parsed {
                Parsed::Incomplete { wanted } => {
                    self.spans.truncate(first);
                    return End::Input { wanted };
                }
                Parsed::Empty { consumed } => start += consumed,
                Parsed::Complete { consumed, is_inline } => {
                    let spans = (first, self.spans.len());
                    let end = start + consumed;
                    let request = Request { entry: None, hash: 0, start, end, spans, is_inline };
                    self.requests.push(request);
                    start = end;
                }
            }
        }
        End::Full
    }

    /// Finds rows and hashes, and fetches buckets of `db` into the cache; entries too, if the
    /// caller `is_inside` the gate, since that takes locks.
    pub(crate) fn look_ahead(
        &mut self,
        engine: &Engine,
        input: &[u8],
        db: usize,
        now_ns: u64,
        is_inside: bool,
    ) {
        let is_ahead = PREFETCH_MIN <= self.requests.len();
        for request in &mut self.requests {
            if request.is_inline {
                continue;
            }
            let argv =
                Argv::new(&input[request.start..], &self.spans[request.spans.0..request.spans.1]);
            let Lookup::Found(entry) = engine.table.lookup(argv) else { continue };
            request.entry = Some(entry);
            let Some(key) = entry.first_key.and_then(|index| argv.get(index)) else { continue };
            request.hash = engine.keyspace.hash(key);
            if is_ahead {
                engine.keyspace.prefetch_bucket(db, request.hash);
            }
        }
        if !is_inside {
            return;
        }
        if is_ahead {
            for request in &self.requests {
                if request.hash != 0 {
                    engine.keyspace.prefetch_entry(db, request.hash, now_ns);
                }
            }
        }
        let mut ahead = ElementsAhead { engine, db, now_ns, key: None, wanted: SmallVec::new() };
        for request in &self.requests {
            let Some(row) = request.entry.map(|entry| entry.row) else { continue };
            let Some((first, step)) = row.elements.places() else { continue };
            let argv =
                Argv::new(&input[request.start..], &self.spans[request.spans.0..request.spans.1]);
            // One alone has nothing to overlap with.
            if !is_ahead && argv.len() <= first.saturating_add(step) {
                continue;
            }
            let Some(key) = argv.get(1) else { continue };
            let key = Key { bytes: key, hash: request.hash };
            for index in (first..argv.len()).step_by(step) {
                let score =
                    row.elements.is_scored().then(|| numbers::parse_f64(argv.at(index - 1)));
                let score = score.flatten().filter(|score| !score.is_nan());
                ahead.push(key, Wanted { element: argv.at(index), score });
            }
        }
        ahead.fetch();
    }

    /// Fetches the bucket of the first request's key into the cache; returns the key's hash.
    pub(crate) fn look_at_first(
        &mut self,
        engine: &Engine,
        input: &[u8],
        db: usize,
    ) -> Option<u64> {
        let mut parser = RequestParser::default();
        // Whether the request is within limits is found out when it is served.
        self.read(&mut parser, &Limits::authenticated(0), input, 0, 1);
        let request = self.requests.first().filter(|request| !request.is_inline)?;
        let argv = self.argv(request, input, &parser);
        let Lookup::Found(entry) = engine.table.lookup(argv) else { return None };
        let hash = engine.keyspace.hash(argv.get(entry.first_key?)?);
        engine.keyspace.prefetch_bucket(db, hash);
        Some(hash)
    }

    /// The arguments of a request.
    pub(crate) fn argv<'b>(
        &'b self,
        request: &Request,
        input: &'b [u8],
        parser: &'b RequestParser,
    ) -> Argv<'b> {
        let spans = &self.spans[request.spans.0..request.spans.1];
        if request.is_inline {
            Argv::new(parser.inline_buffer(), spans)
        } else {
            Argv::new(&input[request.start..], spans)
        }
    }
}

/// Elements of one key's large value, collected from calls that follow each other.
struct ElementsAhead<'a> {
    engine: &'a Engine,
    db: usize,
    now_ns: u64,
    key: Option<Key<'a>>,
    wanted: SmallVec<[Wanted<'a>; PREFETCH_CHUNK]>,
}

impl<'a> ElementsAhead<'a> {
    fn push(&mut self, key: Key<'a>, wanted: Wanted<'a>) {
        let is_other = self.key.is_some_and(|own| own.hash != key.hash);
        if is_other || self.wanted.len() == PREFETCH_CHUNK {
            self.fetch();
        }
        self.key = Some(key);
        self.wanted.push(wanted);
    }

    fn fetch(&mut self) {
        if let Some(key) = self.key.take() {
            self.engine.keyspace.prefetch_elements(self.db, key, &self.wanted, self.now_ns);
            self.wanted.clear();
        }
    }
}
