//! Keys give way when memory is short: in a process of its own, since memory is the process's.

use crate::client::request;
use crate::program::Program;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const LIMIT: usize = 24 << 20;
/// What is not counted at once: each thread tells of what it allocates when that is 16 KiB.
const SLACK: usize = 512 << 10;

/// A server with a limit and a policy, and a client of it.
struct Limited {
    folder: tempfile::TempDir,
    _program: Program,
    stream: BufReader<UnixStream>,
}

impl Limited {
    fn new(policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let limit = LIMIT.to_string();
        let options = [
            "--port",
            "0",
            "--save",
            "",
            "--unixsocket",
            socket.to_str().unwrap(),
            "--maxmemory",
            &limit,
            "--maxmemory-policy",
            policy,
        ];
        let mut program = Program::start(&options, folder.path());
        program.wait_for("Ready to accept connections unix");
        let stream = BufReader::new(UnixStream::connect(&socket).unwrap());
        Self { folder, _program: program, stream }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// One request; its reply's first line without the line end.
    fn ask(&mut self, arguments: &[&[u8]]) -> String {
        self.stream.get_mut().write_all(&request(arguments)).unwrap();
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Writes keys of a kilobyte, in pipelines; says how many were refused.
    fn fill(&mut self, prefix: &str, count: usize, more: &[&[u8]]) -> usize {
        let value = [b'x'; 1000];
        let mut refused = 0;
        for start in (0..count).step_by(100) {
            let mut requests = Vec::new();
            for number in start..start + 100 {
                let key = format!("{prefix}:{number}");
                let set = [&[&b"SET"[..], key.as_bytes(), &value], more].concat();
                requests.extend(request(&set));
            }
            self.stream.get_mut().write_all(&requests).unwrap();
            refused += (0..100).filter(|_| self.line().starts_with("-OOM")).count();
        }
        refused
    }

    fn info(&mut self, field: &str) -> usize {
        let header = self.ask(&[b"INFO", b"everything"]);
        let mut text = vec![0; header[1..].parse::<usize>().unwrap() + 2];
        self.stream.read_exact(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let line = text.lines().find(|line| line.split(':').next() == Some(field));
        line.and_then(|line| line.split(':').nth(1)).unwrap().parse().unwrap()
    }

    /// How many of these keys are left.
    fn left(&mut self, prefix: &str, count: usize) -> usize {
        let exists = |number: usize| format!("{prefix}:{number}").into_bytes();
        let keys: Vec<Vec<u8>> = (0..count).map(exists).collect();
        let mut arguments: Vec<&[u8]> = vec![b"EXISTS"];
        arguments.extend(keys.iter().map(Vec::as_slice));
        self.ask(&arguments)[1..].parse().unwrap()
    }
}

#[test]
fn used_memory_stays_within_its_limit() {
    for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-lrm", "allkeys-random"] {
        let mut server = Limited::new(policy);
        assert_eq!(server.fill("key", 60_000, &[]), 0, "{policy}");
        assert!(server.info("used_memory") <= LIMIT + SLACK, "{policy}");
        assert!(30_000 < server.info("evicted_keys"), "{policy}");
        assert!(10_000 < server.left("key", 60_000), "{policy}");
    }
}

/// What is on its way to be freed makes room already: nothing else has to go for it.
#[test]
fn a_large_value_that_was_deleted_makes_room_at_once() {
    let mut server = Limited::new("allkeys-lru");
    let element = [b'x'; 1000];
    for round in 0..10 {
        let mut push: Vec<&[u8]> = vec![b"RPUSH", b"large"];
        push.extend(std::iter::repeat_n(&element[..], 12_000));
        assert_eq!(server.ask(&push), ":12000", "{round}");
        assert_eq!(server.ask(&[b"UNLINK", b"large"]), ":1", "{round}");
        assert_eq!(server.fill("key", 5_000, &[]), 0);
        assert_eq!(server.info("evicted_keys"), 0, "{round}");
    }
    while server.info("lazyfree_pending_objects") != 0 {}
    assert_eq!(server.info("lazyfreed_objects"), 10);
    assert_eq!(server.ask(&[b"FLUSHALL", b"ASYNC"]), "+OK");
    while server.info("lazyfree_pending_objects") != 0 {}
    assert_eq!(server.info("lazyfreed_objects"), 5_010);
    assert_eq!(server.ask(&[b"CONFIG", b"RESETSTAT"]), "+OK");
    assert_eq!(server.info("lazyfreed_objects"), 0);
}

/// Clients that write at once, and requests that each has on the way.
const WRITERS: usize = 50;
const PIPELINE: usize = 20;
/// What they can have in flight beyond the limit: each a request, and each thread what it has not
/// yet counted.
const SLACK_OF_WRITERS: usize = WRITERS * (20 << 10);

/// Fifty clients write as fast as they can, large values too, while another looks at the memory.
#[test]
fn fifty_writers_do_not_get_above_the_limit() {
    let policies = [
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-lrm",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-lrm",
        "volatile-ttl",
        "volatile-random",
        "noeviction",
    ];
    for policy in policies {
        let mut server = Limited::new(policy);
        let is_over = AtomicBool::new(false);
        let refused = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let stream = UnixStream::connect(server.socket()).unwrap();
                    let is_over = &is_over;
                    scope.spawn(move || write_all_the_time(stream, writer, is_over))
                })
                .collect();
            let mut most = 0;
            while server.info("total_commands_processed") < 40_000 {
                most = most.max(server.info("used_memory"));
            }
            is_over.store(true, Relaxed);
            let refused: usize = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
            assert!(most <= LIMIT + SLACK_OF_WRITERS, "{policy}: {most}");
            assert!(LIMIT / 2 < most, "{policy}: {most}");
            refused
        });
        if policy == "noeviction" {
            assert!(0 < refused);
        } else {
            assert!(500 < server.info("evicted_keys"), "{policy}");
            assert_eq!(refused, 0, "{policy}");
        }
    }
}

/// Writes strings and large values, each with a deadline; says how many were refused.
fn write_all_the_time(stream: UnixStream, writer: usize, is_over: &AtomicBool) -> usize {
    let mut stream = BufReader::new(stream);
    let (value, deadline) = ([b'x'; 1000], [&b"EX"[..], b"1000"]);
    let mut refused = 0;
    for round in 0.. {
        if is_over.load(Relaxed) {
            break;
        }
        let mut requests = Vec::new();
        for number in 0..PIPELINE {
            let key = format!("{writer}:{}", round * PIPELINE + number);
            requests.extend(request(&[b"SET", key.as_bytes(), &value, deadline[0], deadline[1]]));
        }
        // A list of 2,000 elements grows and is replaced by the next.
        let list = format!("large:{writer}:{}", round / 100);
        let mut push: Vec<&[u8]> = vec![b"RPUSH", list.as_bytes()];
        push.extend(std::iter::repeat_n(&value[..100], 20));
        requests.extend(request(&push));
        requests.extend(request(&[b"EXPIRE", list.as_bytes(), b"1000"]));
        stream.get_mut().write_all(&requests).unwrap();
        for _ in 0..PIPELINE + 2 {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            refused += usize::from(line.starts_with("-OOM"));
        }
    }
    refused
}

/// `noeviction` refuses what may take more memory, wherever that is asked for, and nothing else.
#[test]
fn what_takes_memory_is_refused_and_nothing_else() {
    const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.";
    let mut server = Limited::new("noeviction");
    assert_eq!(server.ask(&[b"SET", b"key", b"1"]), "+OK");
    assert_eq!(server.ask(&[b"RPUSH", b"list", b"a", b"b", b"c"]), ":3");
    assert_eq!(server.ask(&[b"CONFIG", b"SET", b"maxmemory", b"1000"]), "+OK");
    let refused: &[&[&[u8]]] = &[
        &[b"SET", b"key", b"2"],
        &[b"INCR", b"key"],
        &[b"APPEND", b"key", b"2"],
        &[b"RPUSH", b"list", b"d"],
        &[b"LMOVE", b"list", b"list", b"LEFT", b"RIGHT"],
        &[b"SORT", b"list", b"ALPHA", b"STORE", b"other"],
        &[b"COPY", b"key", b"other"],
        &[b"SUNIONSTORE", b"other", b"nothing"],
        &[b"PFADD", b"other", b"a"],
        &[b"BLMOVE", b"list", b"list", b"LEFT", b"RIGHT", b"1"],
    ];
    for words in refused {
        assert_eq!(server.ask(words), OOM, "{}", words[0].escape_ascii());
    }
    let allowed: &[(&[&[u8]], &str)] = &[
        (&[b"EXPIRE", b"key", b"100"], ":1"),
        (&[b"LPOP", b"list"], "$1"),
        (&[b"RENAME", b"key", b"other"], "+OK"),
        (&[b"MOVE", b"other", b"1"], ":1"),
        (&[b"LTRIM", b"list", b"0", b"0"], "+OK"),
        (&[b"PUBLISH", b"channel", b"message"], ":0"),
        (&[b"DEL", b"list"], ":1"),
        (&[b"MULTI"], "+OK"),
    ];
    for (words, expected) in allowed {
        assert_eq!(server.ask(words), *expected, "{}", words[0].escape_ascii());
        if expected.starts_with('$') {
            server.line();
        }
    }
    // What is queued is refused when it is queued, and the whole is then.
    assert_eq!(server.ask(&[b"SET", b"key", b"1"]), OOM);
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(server.ask(&[b"EXEC"]), aborted);
    assert_eq!(server.ask(&[b"CONFIG", b"SET", b"maxmemory", b"0"]), "+OK");
    assert_eq!(server.ask(&[b"SET", b"key", b"1"]), "+OK");
}

#[test]
fn nothing_goes_without_a_policy() {
    let mut server = Limited::new("noeviction");
    let refused = server.fill("key", 60_000, &[]);
    assert!(30_000 < refused);
    assert_eq!(server.left("key", 60_000), 60_000 - refused);
    assert_eq!(server.info("evicted_keys"), 0);
    // What takes no more memory is allowed.
    assert_eq!(server.ask(&[b"DEL", b"key:1"]), ":1");
}

#[test]
fn volatile_policies_leave_keys_without_deadline() {
    for policy in ["volatile-lru", "volatile-lfu", "volatile-ttl", "volatile-random"] {
        let mut server = Limited::new(policy);
        assert_eq!(server.fill("kept", 5_000, &[]), 0, "{policy}");
        assert_eq!(server.fill("volatile", 60_000, &[b"EX", b"1000"]), 0, "{policy}");
        assert_eq!(server.left("kept", 5_000), 5_000, "{policy}");
        assert!(server.info("used_memory") <= LIMIT + SLACK, "{policy}");
        // In the end there is nothing more to evict.
        assert!(0 < server.fill("more", 30_000, &[]), "{policy}");
        let left = server.left("volatile", 60_000);
        assert!(left < 100, "{policy}: {left} are left");
        assert_eq!(server.left("kept", 5_000), 5_000, "{policy}");
    }
}

#[test]
fn what_expires_soonest_goes_first() {
    let mut server = Limited::new("volatile-ttl");
    server.fill("late", 10_000, &[b"EX", b"100000"]);
    server.fill("soon", 20_000, &[b"EX", b"1000"]);
    assert!(9_900 < server.left("late", 10_000));
}

#[test]
fn what_is_used_stays() {
    for policy in ["allkeys-lru", "allkeys-lfu"] {
        let mut server = Limited::new(policy);
        server.fill("hot", 2_000, &[]);
        for round in 0..40 {
            for number in 0..2_000 {
                let key = format!("hot:{number}");
                server.stream.get_mut().write_all(&request(&[b"STRLEN", key.as_bytes()])).unwrap();
                server.line();
            }
            server.fill(&format!("cold{round}"), 1_500, &[]);
        }
        let left = server.left("hot", 2_000);
        assert!(1_900 < left, "{policy}: {left}");
    }
}
