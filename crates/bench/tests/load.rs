//! The whole program against a small server in a thread: what arrives, and what is printed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

/// How often each command arrived, with its arguments.
type Seen = Arc<Mutex<HashMap<Vec<String>, u64>>>;

/// Listens on a free port and answers until the test's process ends.
fn serve() -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let for_threads = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, seen) = (stream.unwrap(), Arc::clone(&for_threads));
            thread::spawn(move || answer(stream, &seen));
        }
    });
    (port, seen)
}

fn answer(stream: TcpStream, seen: &Seen) {
    stream.set_nodelay(true).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(words) = read_command(&mut reader) {
        let reply: &[u8] = match words[0].as_str() {
            "GET" => b"$5\r\nhello\r\n",
            "INCR" | "LPUSH" => b":1\r\n",
            "LRANGE" => b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
            "SET" | "SELECT" | "PING" | "MSET" => b"+OK\r\n",
            "AUTH" if words[1..] != ["secret"] => b"-WRONGPASS no\r\n",
            "AUTH" => b"+OK\r\n",
            "CONFIG" => b"*2\r\n$1\r\nx\r\n$6\r\n3600 1\r\n",
            _ => b"-ERR unknown command\r\n",
        };
        *seen.lock().unwrap().entry(words).or_default() += 1;
        // In two pieces, so that replies arrive cut.
        let (first, second) = reply.split_at(reply.len() / 2);
        if writer.write_all(first).and_then(|()| writer.write_all(second)).is_err() {
            return;
        }
    }
}

fn read_command(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let Some(count) = line.strip_prefix('*') else {
        return Some(line.split_whitespace().map(str::to_owned).collect());
    };
    let mut words = Vec::new();
    for _ in 0..count.trim().parse().unwrap() {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let len: usize = line.trim()[1..].parse().unwrap();
        let mut word = vec![0; len + 2];
        reader.read_exact(&mut word).ok()?;
        words.push(String::from_utf8(word[..len].to_vec()).unwrap());
    }
    Some(words)
}

fn benchmark(port: u16, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ochre-benchmark"));
    command.args(["-p", &port.to_string()]).args(line.split_whitespace());
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr_of_failure(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Requests that arrived for a command.
fn count(seen: &Seen, name: &str) -> u64 {
    seen.lock().unwrap().iter().filter(|(words, _)| words[0] == name).map(|(_, n)| n).sum()
}

#[test]
fn exactly_the_requests_asked_for_arrive_and_are_counted() {
    let (port, seen) = serve();
    let output = benchmark(port, "-t set,get,lrange_100 -n 1001 -P 7 -c 5 -r 50 -d 4 --csv");
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("\"test\",\"rps\",\"avg_latency_ms\""));
    assert!(lines[1].starts_with("\"SET\",\"") && lines[2].starts_with("\"GET\",\""));
    assert_eq!((count(&seen, "SET"), count(&seen, "GET")), (1001, 1001));
    let seen = seen.lock().unwrap();
    let keys = seen.keys().filter(|words| words[0] == "SET").map(|words| words[1].as_str());
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    assert_eq!((keys.len(), keys[0], keys[49]), (50, "key:000000000000", "key:000000000049"));
}

#[test]
fn the_report_names_its_conditions() {
    let (port, _) = serve();
    let text = stdout(&benchmark(port, "-t get -n 100 -c 2 --threads 2"));
    for line in [
        "====== GET ======",
        "  100 requests completed in ",
        "  2 parallel clients",
        "  host configuration \"save\": 3600 1",
        "  threads: 2",
        "Latency by percentile distribution:",
        "(cumulative count 100)",
        "  throughput summary: ",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
}

#[test]
fn connections_greet_with_password_and_database() {
    let (port, seen) = serve();
    stdout(&benchmark(port, "-a secret --dbnum 3 -c 4 -n 100 -k 0 -q SET k v"));
    assert_eq!(count(&seen, "SET"), 100);
    assert!(100 <= count(&seen, "SELECT"), "every new connection selects");
    assert_eq!(count(&seen, "AUTH"), count(&seen, "SELECT"));
    let refused = stderr_of_failure(&benchmark(port, "-a wrong -n 10 -q SET k v"));
    assert_eq!(refused, "Error from server: WRONGPASS no\n");
}

#[test]
fn an_error_ends_the_run_unless_it_is_to_be_shown() {
    let (port, seen) = serve();
    let text = stderr_of_failure(&benchmark(port, "-n 1000 -q NOSUCH x"));
    assert_eq!(text, "Error from server: ERR unknown command\n");
    let shown = benchmark(port, "-n 1000 -q -e NEITHER x");
    assert!(stdout(&shown).contains("NEITHER x: "));
    assert_eq!(count(&seen, "NEITHER"), 1000);
    let shown = String::from_utf8(shown.stderr).unwrap();
    assert!(shown.starts_with("Error from server: ERR unknown command\n"));
}

#[test]
fn tests_that_the_server_cannot_do_are_skipped_unless_named() {
    let (port, _) = serve();
    let all = benchmark(port, "-n 50 --csv");
    let lines = stdout(&all);
    let names: Vec<&str> = lines.lines().skip(1).map(|line| &line[..5]).collect();
    let expected =
        ["\"PING", "\"PING", "\"SET\"", "\"GET\"", "\"INCR", "\"LPUS", "\"LPUS", "\"LRAN"];
    assert_eq!(names[..8], expected);
    assert!(String::from_utf8(all.stderr).unwrap().contains("SADD: skipped: ERR unknown command"));
    stderr_of_failure(&benchmark(port, "-n 50 --csv -t sadd"));
}

#[test]
fn a_paced_run_takes_its_time() {
    let (port, seen) = serve();
    let text = stdout(&benchmark(port, "-n 100 --rps 400 -c 2 --json GET k"));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let seconds = value["seconds"].as_f64().unwrap();
    assert!((0.2..5.0).contains(&seconds), "100 requests at 400 a second took {seconds} s");
    assert_eq!(count(&seen, "GET"), 100);
    let latency = |name: &str| value["latency_ms"][name].as_f64().unwrap();
    let (min, p50, max) = (latency("min"), latency("p50"), latency("max"));
    assert!(0.0 < min && min <= p50 && p50 <= max && max < seconds * 1e3, "{text}");
}

#[test]
fn nobody_listening_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let expected = format!("Could not connect to server at 127.0.0.1:{port}: Connection refused\n");
    assert_eq!(stderr_of_failure(&benchmark(port, "-q")), expected);
    let path = stderr_of_failure(&benchmark(port, "-q -s /nonexistent/socket"));
    assert_eq!(
        path,
        "Could not connect to server at /nonexistent/socket: No such file or directory\n"
    );
}

#[test]
fn bad_options_end_with_the_usage() {
    for line in ["--nonsense", "-n x", "-t nosuch"] {
        let text = stderr_of_failure(&benchmark(1, line));
        assert!(text.contains("nonsense") || text.contains("\"x\"") || text.contains("nosuch"));
        assert_eq!(text.contains("Usage: ochre-benchmark"), line != "-t nosuch");
    }
    assert!(stdout(&benchmark(1, "--help")).starts_with("Usage: ochre-benchmark"));
    assert!(stdout(&benchmark(1, "--version")).starts_with("ochre-benchmark "));
}
