//! The program that users start: its log, its files, its end.

use crate::client::{PING, PONG, wait_until};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A started program, killed when the test ends early.
pub(crate) struct Program(pub(crate) Child);

impl Program {
    pub(crate) fn start(options: &[&str], folder: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_ochre-server"))
            .args(options)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    /// Reads the log up to the line that holds `text`.
    pub(crate) fn wait_for(&mut self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let log = BufReader::new(self.0.stdout.as_mut().unwrap());
        for line in log.lines().map(Result::unwrap) {
            let is_found = line.contains(text);
            lines.push(line);
            if is_found {
                return lines;
            }
        }
        panic!("the log ends without '{text}': {lines:#?}");
    }

    /// Threads that run loops and calls.
    fn worker_count(&self) -> usize {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let names =
            threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")));
        names.filter(|name| name.as_ref().unwrap().starts_with("worker-")).count()
    }

    /// As [`Program::finish`], with the signal that ended it.
    fn finish_by_signal(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        (rest, self.0.wait().unwrap().signal())
    }

    pub(crate) fn signal(&self, name: &str) {
        let number = self.0.id().to_string();
        assert!(Command::new("kill").args([name, &number]).status().unwrap().success());
    }

    /// What is left of the log, and how the program ended.
    pub(crate) fn finish(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        (rest, self.0.wait().unwrap().code())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn sigterm_and_sigint_end_it_in_good_order() {
    for (signal, words) in [("-TERM", "Received SIGTERM"), ("-INT", "Received SIGINT")] {
        let folder = tempfile::tempdir().unwrap();
        let (socket, pidfile) = (folder.path().join("socket"), folder.path().join("pid"));
        let options = [
            "--port",
            "0",
            "--save",
            "",
            "--unixsocket",
            socket.to_str().unwrap(),
            "--pidfile",
            pidfile.to_str().unwrap(),
        ];
        let mut program = Program::start(&options, folder.path());
        let lines = program.wait_for("Ready to accept connections unix");
        assert!(lines.iter().any(|line| line.contains("Server initialized")), "{lines:#?}");
        let number = std::fs::read_to_string(&pidfile).unwrap();
        assert_eq!(number.trim(), program.0.id().to_string());
        let mut client = UnixStream::connect(&socket).unwrap();
        client.write_all(PING).unwrap();
        let mut reply = [0; PONG.len()];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(reply, PONG);
        program.signal(signal);
        let (log, code) = program.finish();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains(words) && log.contains("User requested shutdown..."), "{log}");
        assert!(log.trim_end().ends_with("ready to exit, bye bye..."), "{log}");
        assert!(!socket.exists() && !pidfile.exists());
        assert_eq!(client.read(&mut reply).unwrap(), 0);
    }
}

#[test]
fn sighup_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let options = ["--port", "0", "--save", "", "--unixsocket", socket.to_str().unwrap()];
    let mut program = Program::start(&options, folder.path());
    program.wait_for("Ready to accept connections unix");
    program.signal("-HUP");
    let mut client = UnixStream::connect(&socket).unwrap();
    client.write_all(PING).unwrap();
    let mut reply = [0; PONG.len()];
    client.read_exact(&mut reply).unwrap();
    program.signal("-TERM");
    assert_eq!(program.finish().1, Some(0));
}

/// Options for a program that listens on `socket` alone.
fn on_socket<'a>(socket: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut options = vec!["--port", "0", "--save", "", "--unixsocket", socket];
    options.extend_from_slice(more);
    options
}

#[test]
fn a_broken_process_leaves_a_report() {
    for (name, number) in [("-SEGV", 11), ("-BUS", 7), ("-FPE", 8), ("-ILL", 4), ("-ABRT", 6)] {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let more = ["--enable-debug-command", "yes", "--io-threads", "2"];
        let options = on_socket(socket.to_str().unwrap(), &more);
        let mut program = Program::start(&options, folder.path());
        program.wait_for("Ready to accept connections unix");
        let mut client = UnixStream::connect(&socket).unwrap();
        // A thread has its name only once it runs.
        wait_until("both loops have their threads", || program.worker_count() == 2);
        client.write_all(b"DEBUG SLEEP 60 KEY a\r\n").unwrap();
        wait_until("the call runs, and another thread goes on", || 2 < program.worker_count());
        program.signal(name);
        let (log, signal) = program.finish_by_signal();
        assert_eq!(signal, Some(number), "{log}");
        for text in [
            "=== OCHRE BUG REPORT START",
            &format!("crashed by signal: {number}, si_code: 0"),
            "Killed by PID: ",
            "connected_clients:1",
            ": debug\n",
            "(+0x",
            "=== OCHRE BUG REPORT END ===",
        ] {
            assert!(log.contains(text), "{text}\n{log}");
        }
        assert_eq!(log.matches("BUG REPORT START").count(), 1);
    }
}

#[test]
fn a_panic_leaves_a_report_in_the_log_file() {
    for (enabled, reports) in [("yes", 1), ("no", 0)] {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let more =
            ["--enable-debug-command", "yes", "--logfile", "log", "--crash-log-enabled", enabled];
        let options = on_socket(socket.to_str().unwrap(), &more);
        let program = Program::start(&options, folder.path());
        let log = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        wait_until("it is ready", || log().contains("Ready to accept connections unix"));
        UnixStream::connect(&socket).unwrap().write_all(b"DEBUG PANIC\r\n").unwrap();
        assert_eq!(program.finish_by_signal().1, Some(6));
        let log = log();
        assert!(log.contains("crashed by a panic: a client has called DEBUG PANIC"), "{log}");
        assert_eq!(log.matches("BUG REPORT START").count(), reports, "{log}");
        assert_eq!(log.matches("used_memory:").count(), reports, "{log}");
    }
}

#[test]
fn the_process_title_tells_where_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let path = socket.to_str().unwrap();
    let title = |program: &Program| {
        let bytes = std::fs::read(format!("/proc/{}/cmdline", program.0.id())).unwrap();
        String::from_utf8(bytes).unwrap().trim_end_matches('\0').to_owned()
    };
    let mut program = Program::start(&on_socket(path, &[]), folder.path());
    program.wait_for("Ready to accept connections unix");
    assert_eq!(title(&program), format!("{} {path}", env!("CARGO_BIN_EXE_ochre-server")));
    let mut client = UnixStream::connect(&socket).unwrap();
    let long = "x".repeat(300);
    for template in [format!("{long} {{port}}"), "short".to_owned()] {
        let request = format!("CONFIG SET proc-title-template \"{template}\"\r\n");
        client.write_all(request.as_bytes()).unwrap();
        let mut reply = [0; 5];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"+OK\r\n");
        assert_eq!(title(&program), template.replace("{port}", "0"));
    }
    drop(program);
    let options = on_socket(path, &["--set-proc-title", "no"]);
    let mut program = Program::start(&options, folder.path());
    program.wait_for("Ready to accept connections unix");
    assert!(title(&program).ends_with("\0--set-proc-title\0no"));
}

#[test]
fn a_taken_port_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let program = Program::start(&["--bind", "127.0.0.1", "--port", &port], folder.path());
    let (log, code) = program.finish();
    assert_eq!(code, Some(1));
    assert!(log.contains(&format!("Failed listening on port {port} (tcp), aborting.")), "{log}");
    assert!(log.contains("bind: Address already in use"), "{log}");
}

#[test]
fn a_log_file_and_options_of_redis() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    std::fs::write(folder.path().join("a.conf"), "port 0\nsave \"\"\nlogfile a.log\n").unwrap();
    let options = ["a.conf", "--unixsocket", socket.to_str().unwrap()];
    let program = Program::start(&options, folder.path());
    let log = folder.path().join("a.log");
    let has = |text: &str| std::fs::read_to_string(&log).unwrap_or_default().contains(text);
    wait_until("it is ready", || has("Ready to accept connections unix"));
    program.signal("-TERM");
    let (output, code) = program.finish();
    assert_eq!((output.as_str(), code), ("", Some(0)));
    assert!(has("bye bye"));
}
