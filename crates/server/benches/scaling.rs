//! How the engine scales without the network in the way: operations per second by threads.
//!
//! `cargo bench -p server --bench scaling [-- SECONDS]`, with the server's allocator and clock. Every thread serves its own sessions from
//! requests that were written beforehand, in batches of 64, as a loop serves its connections; a
//! session whose call waits is passed over until its token is woken. Loads: GET 80 % and SET 20 %
//! over 1 M keys of 16 bytes with values of 64 bytes; and GET, and INCR, of one key by everybody.
//!
//! Two engines of one thread each, side by side, show what the machine itself gives.

use base::lock::{Token, Wake};
use base::rand::Rng;
use engine::data::ReclaimNow;
use engine::engine::Parts;
use engine::host::NoHost;
use engine::run::Served;
use engine::settings::Settings;
use engine::{Engine, Executor, Session};
use resp::{Limits, Reply, RequestParser};
use server::clock::MachineClock;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

const KEYS: u64 = 1_000_000;
const BATCH: usize = 64;
const BATCHES: usize = 4096;
const SESSIONS: usize = 16;
const ROUNDS: usize = 5;
/// Name, engines, and threads of each.
const SHAPES: [(&str, usize, usize); 4] =
    [("1 thread", 1, 1), ("2 threads", 1, 2), ("8 threads", 1, 8), ("2 separate engines", 2, 1)];

/// What is measured.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    write: fn(&mut Vec<u8>, &mut Rng),
}

const MIXED: Load = Load { name: "GET 80 % SET 20 %, 1 M keys", write: mixed };
const GET_ONE: Load =
    Load { name: "GET, one key", write: |out, _| request(out, &[b"GET", b"one"]) };
const INCR_ONE: Load =
    Load { name: "INCR, one key", write: |out, _| request(out, &[b"INCR", b"count"]) };

fn main() {
    let seconds: f64 = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1.0);
    let duration = Duration::from_secs_f64(seconds);
    let mut out = std::io::stdout();
    for load in [MIXED, GET_ONE, INCR_ONE] {
        let mut rates = vec![Vec::new(); SHAPES.len()];
        for _ in 0..ROUNDS {
            for (place, (_, engines, threads)) in SHAPES.iter().enumerate() {
                rates[place].push(measure(load, *engines, *threads, duration));
            }
        }
        let median = |rates: &mut Vec<f64>| {
            rates.sort_by(f64::total_cmp);
            rates[rates.len() / 2]
        };
        let medians: Vec<f64> = rates.iter_mut().map(median).collect();
        for ((shape, ..), rate) in SHAPES.iter().zip(&medians) {
            let (million, ratio) = (rate / 1e6, rate / medians[0]);
            let name = load.name;
            let _ = writeln!(out, "{name:30} {shape:22} {million:6.2} M ops/s  {ratio:.2}");
        }
    }
}

fn measure(load: Load, engines: usize, threads: usize, duration: Duration) -> f64 {
    let wakes: Vec<Arc<Wakes>> = (0..engines).map(|_| Arc::new(Wakes::new(threads))).collect();
    let engines: Vec<Engine> = wakes.iter().map(|wakes| engine(wakes, threads)).collect();
    let barrier = Barrier::new(engines.len() * threads + 1);
    let (stop, total) = (AtomicBool::new(false), AtomicU64::new(0));
    let elapsed = std::thread::scope(|scope| {
        for (engine, wakes) in engines.iter().zip(&wakes) {
            for thread in 0..threads {
                let (barrier, stop, total) = (&barrier, &stop, &total);
                scope.spawn(move || {
                    let inputs = inputs(load, thread as u64);
                    barrier.wait();
                    let done = serve(engine, wakes, thread, &inputs, stop);
                    total.fetch_add(done, Ordering::Relaxed);
                });
            }
        }
        barrier.wait();
        let start = Instant::now();
        std::thread::sleep(duration);
        stop.store(true, Ordering::Relaxed);
        start.elapsed()
    });
    total.load(Ordering::Relaxed) as f64 / elapsed.as_secs_f64()
}

fn engine(wakes: &Arc<Wakes>, threads: usize) -> Engine {
    let engine = Engine::new(Parts {
        rows: Vec::new(),
        settings: Settings::default(),
        clock: Arc::new(MachineClock::new()),
        wake: Arc::clone(wakes) as Arc<dyn Wake>,
        reclaim: Box::new(ReclaimNow),
        shards: 128,
        threads,
        seed: 7,
    });
    fill(&engine);
    engine
}

/// One thread's loop: every session in turn gets one batch, unless it waits.
fn serve(
    engine: &Engine,
    wakes: &Wakes,
    thread: usize,
    inputs: &[Vec<u8>],
    stop: &AtomicBool,
) -> u64 {
    let mut executor = Executor::new(engine, &NoHost, thread);
    let token = |place: usize| Token((thread as u64) << 48 | place as u64);
    let mut places: Vec<Place> = (0..SESSIONS).map(|place| Place::new(token(place))).collect();
    let mut reply = Reply::new();
    let (mut done, mut next_input) = (0_u64, 0);
    while !stop.load(Ordering::Relaxed) {
        wakes.take(thread, |place| places[place].waits = false);
        for place in &mut places {
            if place.waits {
                continue;
            }
            if place.rest == 0 {
                place.input = next_input % inputs.len();
                next_input += 1;
                place.rest = inputs[place.input].len();
            }
            let input = &inputs[place.input];
            let from = input.len() - place.rest;
            let (session, parser) = (&mut place.session, &mut place.parser);
            let limits = |_: &Session| Limits::default();
            let progress = executor.serve(session, parser, limits, &input[from..], &mut reply);
            place.rest -= progress.consumed;
            place.waits = matches!(progress.state, Served::Suspended { .. });
            done += (progress.consumed * BATCH / input.len()) as u64;
            reply.clear();
        }
        if places.iter().all(|place| place.waits) {
            std::thread::yield_now();
        }
    }
    done
}

struct Place {
    session: Session,
    parser: RequestParser,
    input: usize,
    rest: usize,
    waits: bool,
}

impl Place {
    fn new(token: Token) -> Self {
        let session = Session::new(token.0, token, Arc::new(()));
        Self { session, parser: RequestParser::default(), input: 0, rest: 0, waits: false }
    }
}

fn inputs(load: Load, seed: u64) -> Vec<Vec<u8>> {
    let mut rng = Rng::new(seed);
    let batch = |_| {
        let mut out = Vec::new();
        (0..BATCH).for_each(|_| (load.write)(&mut out, &mut rng));
        out
    };
    (0..BATCHES).map(batch).collect()
}

fn mixed(out: &mut Vec<u8>, rng: &mut Rng) {
    let key = key(rng.below(KEYS));
    if rng.below(5) == 0 {
        request(out, &[b"SET", &key, &[b'x'; 64]]);
    } else {
        request(out, &[b"GET", &key]);
    }
}

fn key(number: u64) -> Vec<u8> {
    format!("key:{number:012}").into_bytes()
}

fn request(out: &mut Vec<u8>, arguments: &[&[u8]]) {
    let _ = write!(out, "*{}\r\n", arguments.len());
    for argument in arguments {
        let _ = write!(out, "${}\r\n", argument.len());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}

fn fill(engine: &Engine) {
    let mut executor = Executor::new(engine, &NoHost, 0);
    let mut place = Place::new(Token(0));
    let mut input = Vec::new();
    for number in 0..KEYS {
        request(&mut input, &[b"SET", &key(number), &[b'x'; 64]]);
    }
    request(&mut input, &[b"SET", b"one", &[b'x'; 64]]);
    let mut reply = Reply::new();
    let mut from = 0;
    while from < input.len() {
        let limits = |_: &Session| Limits::default();
        let (session, parser) = (&mut place.session, &mut place.parser);
        from += executor.serve(session, parser, limits, &input[from..], &mut reply).consumed;
        reply.clear();
    }
}

/// Woken tokens, by thread.
struct Wakes(Vec<(AtomicBool, Mutex<Vec<Token>>)>);

impl Wakes {
    fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| Default::default()).collect())
    }

    fn take(&self, thread: usize, mut woken: impl FnMut(usize)) {
        let (is_any, tokens) = &self.0[thread];
        if is_any.swap(false, Ordering::Acquire) {
            let tokens =
                std::mem::take(&mut *tokens.lock().expect("no thread panics while it holds this"));
            tokens.into_iter().for_each(|token| woken(token.0 as usize & 0xffff));
        }
    }
}

impl Wake for Wakes {
    fn wake(&self, token: Token) {
        let (is_any, tokens) = &self.0[(token.0 >> 48) as usize];
        tokens.lock().expect("no thread panics while it holds this").push(token);
        is_any.store(true, Ordering::Release);
    }
}
