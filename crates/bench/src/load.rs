//! One run: threads that keep their connections busy and note how long every pipeline took.
//!
//! A connection sends a pipeline, waits for all of its replies, and sends the next. The bytes to
//! send are the thread's one template, renumbered each time and written from there; a connection
//! keeps bytes of its own only when its socket takes fewer than the pipeline has. Replies are
//! counted in the thread's one read buffer and forgotten. So both buffers stay in the nearest
//! cache, and a request without a pipeline costs two system calls and a share of a third.
//!
//! Unpaced (a *closed* loop), the latency of a pipeline starts when it is written. Paced by
//! `--rps` it starts when the pipeline was due: a stalled server delays the requests behind the
//! stall too, and their wait is part of the truth.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use base::rand::Rng;
use hdrhistogram::Histogram;
use mio::event::Event;
use mio::{Events, Poll, Token};

use crate::connection::{LoadError, Server, Stream};
use crate::options::Options;
use crate::scan::Scanner;
use crate::template::{Numbers, Template};
use crate::workload::Workload;

const READ_BUFFER_LEN: usize = 64 * 1024;
const EVENTS_MAX: usize = 1024;
/// How soon a thread notices that another one has failed.
const NAP: Duration = Duration::from_millis(100);
/// The event loop sleeps in whole milliseconds; a nearer due time is waited for awake.
const SLEEP_MIN: Duration = Duration::from_millis(2);
/// Three digits of every latency are kept, up to an hour of nanoseconds.
const DIGITS: u8 = 3;
const LATENCY_MAX: u64 = 3_600_000_000_000;

/// What a run measured.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) elapsed: Duration,
    /// Nanoseconds, one count for each request.
    pub(crate) latency: Histogram<u64>,
}

impl Outcome {
    pub(crate) fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// What the threads of a run share.
struct Shared<'a> {
    server: &'a Server,
    options: &'a Options,
    numbers: Numbers,
    /// Requests given out, and how many there are to give.
    issued: AtomicU64,
    requests: u64,
    finished: AtomicU64,
    errors: AtomicU64,
    /// Seconds of the run when an error was last shown.
    error_shown_at: AtomicU64,
    has_failed: AtomicBool,
    threads: usize,
    start: Barrier,
}

impl Shared<'_> {
    /// Up to a pipeline of requests for a connection that is free at `now`.
    fn take(&self, started: Instant, now: Instant) -> u64 {
        if self.options.duration.is_some_and(|duration| duration <= now - started) {
            return 0;
        }
        let pipeline = self.options.pipeline as u64;
        // Relaxed: a counter; what it gives out is not shared.
        let before = self.issued.fetch_add(pipeline, Ordering::Relaxed);
        self.requests.saturating_sub(before).min(pipeline)
    }

    /// Nothing more is to be sent.
    fn is_done(&self, started: Instant, now: Instant) -> bool {
        self.requests <= self.issued.load(Ordering::Relaxed)
            || self.options.duration.is_some_and(|duration| duration <= now - started)
    }
}

/// Loads `server` with `workload` as the options say. `watch` is called ten times a second with
/// the requests finished so far.
///
/// # Errors
/// With the first failure of any connection; the run is over then.
pub(crate) fn run(
    server: &Server,
    workload: &Workload,
    options: &Options,
    seed: u64,
    mut watch: impl FnMut(u64),
) -> Result<Outcome, LoadError> {
    let threads = options.threads.unwrap_or(1).min(options.clients);
    let shared = Shared {
        server,
        options,
        numbers: match options.keyspace {
            None => Numbers::Fixed,
            Some(keyspace) if options.is_sequential => Numbers::sequential(keyspace),
            Some(keyspace) => Numbers::Random { keyspace },
        },
        issued: AtomicU64::new(0),
        requests: if options.duration.is_some() { u64::MAX } else { options.requests },
        finished: AtomicU64::new(0),
        errors: AtomicU64::new(0),
        error_shown_at: AtomicU64::new(u64::MAX),
        has_failed: AtomicBool::new(false),
        threads,
        start: Barrier::new(threads),
    };
    // All connections stand before the first request leaves.
    let mut workers = Vec::with_capacity(threads);
    for index in 0..threads {
        let clients = (options.clients + index) / threads;
        let rng = Rng::new(seed.wrapping_add(index as u64));
        workers.push(Worker::new(&shared, workload, clients, rng)?);
    }
    let results = run_all(workers, || watch(shared.finished.load(Ordering::Relaxed)));
    sum(results, &shared)
}

/// Runs every worker on a thread of its own, and calls `watch` while any of them runs.
fn run_all(workers: Vec<Worker<'_>>, mut watch: impl FnMut()) -> Vec<Result<Measured, LoadError>> {
    let (done, is_done) = mpsc::channel();
    let mut running = workers.len();
    thread::scope(|scope| {
        let mut handles = Vec::with_capacity(running);
        for worker in workers {
            let done = done.clone();
            handles.push(scope.spawn(move || {
                let result = worker.run();
                // Fails only if nobody waits any more.
                let _ = done.send(());
                result
            }));
        }
        while running != 0 {
            match is_done.recv_timeout(NAP) {
                Ok(()) => running -= 1,
                Err(_) => watch(),
            }
        }
        let join = |handle: thread::ScopedJoinHandle<'_, _>| {
            handle.join().expect("a worker returns its failures instead of panicking")
        };
        handles.into_iter().map(join).collect()
    })
}

fn sum(
    results: Vec<Result<Measured, LoadError>>,
    shared: &Shared<'_>,
) -> Result<Outcome, LoadError> {
    let mut outcome = Outcome {
        requests: shared.finished.load(Ordering::Relaxed),
        errors: shared.errors.load(Ordering::Relaxed),
        elapsed: Duration::ZERO,
        latency: histogram(),
    };
    let measured = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    let start = measured.iter().map(|one| one.started).min();
    for one in &measured {
        outcome.elapsed = outcome.elapsed.max(one.ended - start.unwrap_or(one.started));
        outcome.latency.add(&one.latency).expect("both histograms have the same bounds");
    }
    Ok(outcome)
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_MAX, DIGITS).expect("the bounds are constants that are right")
}

/// One connection and the pipeline that it waits for.
struct Connection {
    stream: Stream,
    scanner: Scanner,
    /// Replies still to come, and the requests that they answer.
    replies: u64,
    requests: u64,
    since: Instant,
    unsent: VecDeque<u8>,
}

/// What one thread found out.
struct Measured {
    started: Instant,
    ended: Instant,
    latency: Histogram<u64>,
}

/// One thread of the generator.
struct Worker<'a> {
    shared: &'a Shared<'a>,
    poll: Poll,
    connections: Vec<Connection>,
    /// Connections that wait for the next due time; empty unless paced.
    idle: VecDeque<usize>,
    busy: usize,
    template: Template,
    replies_per_request: u64,
    rng: Rng,
    buffer: Vec<u8>,
    pace: Option<Duration>,
    due: Instant,
    measured: Measured,
}

impl<'a> Worker<'a> {
    fn new(
        shared: &'a Shared<'a>,
        workload: &Workload,
        clients: usize,
        rng: Rng,
    ) -> Result<Self, LoadError> {
        let (poll, now) = (Poll::new()?, Instant::now());
        let mut connections = Vec::with_capacity(clients);
        for index in 0..clients {
            let mut stream = shared.server.connect()?;
            stream.register(poll.registry(), Token(index))?;
            connections.push(Connection {
                stream,
                scanner: Scanner::new(),
                replies: 0,
                requests: 0,
                since: now,
                unsent: VecDeque::new(),
            });
        }
        let options = shared.options;
        let interval = |rps: u64| {
            let pipelines_per_second = rps as f64 / options.pipeline as f64 / shared.threads as f64;
            Duration::from_secs_f64(1.0 / pipelines_per_second)
        };
        Ok(Self {
            shared,
            poll,
            connections,
            idle: VecDeque::new(),
            busy: 0,
            template: Template::new(&workload.request, options.pipeline),
            replies_per_request: workload.replies as u64,
            rng,
            buffer: vec![0; READ_BUFFER_LEN],
            pace: options.rps.map(interval),
            due: now,
            measured: Measured { started: now, ended: now, latency: histogram() },
        })
    }

    fn run(mut self) -> Result<Measured, LoadError> {
        self.shared.start.wait();
        let now = Instant::now();
        self.measured.started = now;
        self.due = now;
        let result = self.drive();
        if result.is_err() {
            self.shared.has_failed.store(true, Ordering::Relaxed);
        }
        self.measured.ended = Instant::now();
        result.map(|()| self.measured)
    }

    fn drive(&mut self) -> Result<(), LoadError> {
        let now = self.measured.started;
        for index in 0..self.connections.len() {
            match self.pace {
                Some(_) => self.idle.push_back(index),
                None => self.start(index, now, now)?,
            }
        }
        let mut events = Events::with_capacity(EVENTS_MAX);
        self.start_due()?;
        while self.busy != 0 || !self.idle.is_empty() {
            match self.poll.poll(&mut events, Some(self.nap())) {
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                    return Err(error.into());
                }
                _ => {}
            }
            for event in &events {
                self.handle(event)?;
            }
            self.start_due()?;
            if self.shared.has_failed.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }

    /// How long to wait for events.
    fn nap(&self) -> Duration {
        if self.idle.is_empty() {
            return NAP;
        }
        match self.due.saturating_duration_since(Instant::now()) {
            near if near < SLEEP_MIN => Duration::ZERO,
            far => (far - SLEEP_MIN / 2).min(NAP),
        }
    }

    /// Sends what is due on connections that are free.
    fn start_due(&mut self) -> Result<(), LoadError> {
        let Some(pace) = self.pace else { return Ok(()) };
        let now = Instant::now();
        if self.shared.is_done(self.measured.started, now) {
            self.idle.clear();
        }
        while self.due <= now {
            let Some(index) = self.idle.pop_front() else { break };
            self.start(index, self.due, now)?;
            self.due += pace;
        }
        Ok(())
    }

    /// Sends the next pipeline; the connection stays unused if there is no more to send.
    fn start(&mut self, index: usize, since: Instant, now: Instant) -> Result<(), LoadError> {
        let requests = self.shared.take(self.measured.started, now);
        if requests == 0 {
            return Ok(());
        }
        let bytes = self.template.fill(requests as usize, &self.shared.numbers, &mut self.rng);
        let connection = &mut self.connections[index];
        connection.since = since;
        connection.requests = requests;
        connection.replies = requests * self.replies_per_request;
        connection.send(bytes)?;
        self.busy += 1;
        Ok(())
    }

    fn handle(&mut self, event: &Event) -> Result<(), LoadError> {
        let index = event.token().0;
        let connection = &mut self.connections[index];
        if event.is_writable() && !connection.unsent.is_empty() {
            connection.flush()?;
        }
        if !event.is_readable() && !event.is_read_closed() {
            return Ok(());
        }
        loop {
            let Some(len) = connection.stream.try_read(&mut self.buffer)? else { return Ok(()) };
            if len == 0 {
                // Nobody misses a connection that has nothing to wait for.
                return if connection.replies == 0 { Ok(()) } else { Err(LoadError::Closed) };
            }
            let found = connection.scanner.feed(&self.buffer[..len]);
            let found = found.map_err(|garbage| LoadError::Garbage { byte: garbage.byte })?;
            if let Some(text) = connection.scanner.take_error() {
                note_error(self.shared, self.measured.started, text)?;
            }
            if connection.replies < found {
                return Err(LoadError::Surplus);
            }
            connection.replies -= found;
            if found != 0 && connection.replies == 0 {
                return self.finish(index);
            }
            // Less than was asked for: the socket is empty, and the next byte is an event.
            if len < self.buffer.len() && !event.is_read_closed() {
                return Ok(());
            }
        }
    }

    fn finish(&mut self, index: usize) -> Result<(), LoadError> {
        let now = Instant::now();
        let connection = &mut self.connections[index];
        let nanos = (now - connection.since).as_nanos() as u64;
        let requests = std::mem::take(&mut connection.requests);
        self.measured.latency.saturating_record_n(nanos, requests);
        self.shared.finished.fetch_add(requests, Ordering::Relaxed);
        self.busy -= 1;
        if !self.shared.options.keeps_alive {
            connection.stream = self.shared.server.connect()?;
            connection.stream.register(self.poll.registry(), Token(index))?;
        }
        match self.pace {
            Some(_) => self.idle.push_back(index),
            None => self.start(index, now, now)?,
        }
        Ok(())
    }
}

/// Ends the run at the first error, or shows one a second with `-e`.
fn note_error(shared: &Shared<'_>, started: Instant, text: String) -> Result<(), LoadError> {
    if !shared.options.shows_errors {
        return Err(LoadError::Server(text));
    }
    // Relaxed: counters. Two threads may show their errors in the same second; no harm.
    shared.errors.fetch_add(1, Ordering::Relaxed);
    let second = started.elapsed().as_secs();
    if shared.error_shown_at.swap(second, Ordering::Relaxed) != second {
        crate::complain(&format!("Error from server: {text}"));
    }
    Ok(())
}

impl Connection {
    fn send(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        let mut sent = 0;
        while sent < bytes.len() {
            let Some(len) = self.stream.try_write(&bytes[sent..])? else { break };
            sent += len;
        }
        self.unsent.extend(&bytes[sent..]);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LoadError> {
        while !self.unsent.is_empty() {
            let Some(len) = self.stream.try_write(self.unsent.as_slices().0)? else { break };
            self.unsent.drain(..len);
        }
        Ok(())
    }
}
