//! Users in files: at start, by ACL LOAD and SAVE, and in what CONFIG REWRITE writes; and rights that
//! are taken while others use them.

use crate::client::{Client, node, request, wait_until};
use crate::program::Program;
use server::config::{Config, Dialect, Machine};
use server::listeners::Port;
use server::start::{Node, Options};
use std::fs;
use std::path::Path;
use std::thread;

/// Why a node with these lines of configuration does not start.
fn refused(text: &str) -> String {
    let machine = Machine { cores: 2, memory_bytes: 1 << 30 };
    let text = format!("save \"\"\nbind 127.0.0.1\n{text}");
    let config = Config::from_text(text.as_bytes(), Dialect::Redis, machine).unwrap();
    match Node::start(config, Options { port: Port::Any, ..Options::default() }) {
        Ok(_) => panic!("it starts with {text}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn lines_of_the_configuration_make_users() {
    let node = node("requirepass pw\nuser alice on >secret ~a* +get (+set ~s)\nuser bob off\n");
    let mut client = Client::new(&node);
    client.ask(&[b"GET", b"a"], b"-NOAUTH Authentication required.\r\n");
    client.ask(&[b"AUTH", b"alice", b"secret"], b"+OK\r\n");
    client.ask(&[b"GET", b"a"], b"$-1\r\n");
    client.ask(&[b"SET", b"s", b"1"], b"+OK\r\n");
    client.ask(&[b"SET", b"a", b"1"], b"-NOPERM No permissions to access a key\r\n");
    client.ask(&[b"AUTH", b"pw"], b"+OK\r\n");
    client.ask(&[b"ACL", b"USERS"], b"*3\r\n$5\r\nalice\r\n$3\r\nbob\r\n$7\r\ndefault\r\n");
    node.stop();
}

#[test]
fn the_default_user_can_be_configured() {
    let node = node("user default on >pw ~a* +get\n");
    let mut client = Client::new(&node);
    client.ask(&[b"GET", b"a"], b"-NOAUTH Authentication required.\r\n");
    client.ask(&[b"AUTH", b"pw"], b"+OK\r\n");
    client.ask(&[b"GET", b"a"], b"$-1\r\n");
    client.ask(&[b"GET", b"b"], b"-NOPERM No permissions to access a key\r\n");
    node.stop();
}

#[test]
fn wrong_users_stop_the_start() {
    let refusal = refused("user alice +nosuch\n");
    let reason = "rule '+nosuch' for the user named 'alice': Unknown command or category name";
    assert!(refusal.contains(reason), "{refusal}");
    let refusal = refused("user alice on\nuser alice off\n");
    assert!(refusal.contains("Duplicate user found"), "{refusal}");
    let refusal = refused("aclfile /no/such/file\n");
    assert!(refusal.ends_with("opening file '/no/such/file': No such file or directory"));
}

#[test]
fn a_file_of_users_is_loaded_and_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.acl");
    fs::write(&path, "user alice on nopass ~* +@all\nuser bob on nopass +get ~*\n").unwrap();
    let node = node(&format!("aclfile {}\n", path.display()));
    let mut admin = Client::new(&node);
    let mut alice = Client::new(&node);
    let mut bob = Client::new(&node);
    alice.ask(&[b"AUTH", b"alice", b""], b"+OK\r\n");
    bob.ask(&[b"AUTH", b"bob", b""], b"+OK\r\n");
    admin.ask(&[b"ACL", b"SETUSER", b"carol", b"on"], b"+OK\r\n");
    admin.ask(&[b"ACL", b"SAVE"], b"+OK\r\n");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        "user alice on nopass sanitize-payload ~* resetchannels +@all\n\
         user bob on nopass sanitize-payload ~* resetchannels -@all +get\n\
         user carol on sanitize-payload resetchannels -@all\n\
         user default on nopass sanitize-payload ~* &* +@all\n"
    );
    // Half wrong: nothing changes.
    fs::write(&path, "user dave on\nuser erin +nosuch\n").unwrap();
    admin.send(&request(&[b"ACL", b"LOAD"]));
    let line = String::from_utf8(admin.read_line()).unwrap();
    let reason = format!("-ERR {}:2: Error in applying operation '+nosuch': ", path.display());
    assert!(line.starts_with(&reason), "{line}");
    admin.ask(&[b"ACL", b"GETUSER", b"dave"], b"$-1\r\n");
    // Who has changed goes on with the new rights, who is gone is ended.
    let text = text.replace("user bob on nopass", "user bob on >pw").replace("+get", "+set");
    let lines = text.lines().filter(|line| !line.starts_with("user carol"));
    fs::write(&path, lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let mut carol = Client::new(&node);
    admin.ask(&[b"ACL", b"SETUSER", b"carol", b"nopass"], b"+OK\r\n");
    carol.ask(&[b"AUTH", b"carol", b""], b"+OK\r\n");
    admin.ask(&[b"ACL", b"LOAD"], b"+OK\r\n");
    alice.ping();
    bob.ask(&[b"SET", b"a", b"1"], b"+OK\r\n");
    assert_eq!(carol.read_to_end(), b"");
    Client::new(&node).ask(&[b"AUTH", b"bob", b"pw"], b"+OK\r\n");
    node.stop();
}

#[test]
fn subscribers_are_ended_by_what_a_file_withdraws() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.acl");
    fs::write(&path, "user alice on nopass &a &b +@pubsub\n").unwrap();
    let node = node(&format!("aclfile {}\n", path.display()));
    let mut subscribers = [b"a", b"b"].map(|channel| {
        let mut client = Client::new(&node);
        client.ask(&[b"AUTH", b"alice", b""], b"+OK\r\n");
        client.send(&request(&[b"SUBSCRIBE", channel]));
        client.expect(b"*3\r\n$9\r\nsubscribe\r\n$1\r\n");
        client.expect(&[channel[0], b'\r', b'\n', b':', b'1', b'\r', b'\n']);
        client
    });
    fs::write(&path, "user alice on nopass &b +@pubsub\n").unwrap();
    let mut admin = Client::new(&node);
    admin.ask(&[b"ACL", b"LOAD"], b"+OK\r\n");
    assert_eq!(subscribers[0].read_to_end(), b"");
    admin.ask(&[b"PUBLISH", b"b", b"x"], b":1\r\n");
    subscribers[1].expect(b"*3\r\n$7\r\nmessage\r\n$1\r\nb\r\n$1\r\nx\r\n");
    node.stop();
}

#[test]
fn a_password_of_the_settings_has_no_effect_beside_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.acl");
    fs::write(&path, "user alice on nopass ~* +@all\n").unwrap();
    let node = node(&format!("requirepass pw\naclfile {}\n", path.display()));
    let mut client = Client::new(&node);
    client.ping();
    client.ask(&[b"CONFIG", b"SET", b"requirepass", b"new"], b"+OK\r\n");
    Client::new(&node).ask(&[b"PING"], b"-NOAUTH Authentication required.\r\n");
    Client::new(&node).ask(&[b"AUTH", b"new"], b"+OK\r\n");
    fs::write(&path, "user default on >file ~* +@all\n").unwrap();
    client.ask(&[b"ACL", b"LOAD"], b"+OK\r\n");
    Client::new(&node).ask(&[b"AUTH", b"file"], b"+OK\r\n");
    node.stop();
}

/// A client that counts as long as it may.
fn count_until_refused(node: &Node) {
    let mut client = Client::new(node);
    client.ask(&[b"AUTH", b"alice", b""], b"+OK\r\n");
    let calls = request(&[b"INCR", b"n"]).repeat(16);
    loop {
        client.send(&calls);
        let lines: Vec<Vec<u8>> = (0..16).map(|_| client.read_line()).collect();
        if lines.iter().any(|line| line.starts_with(b"-NOPERM")) {
            // From the first that was refused on all were.
            assert!(lines.is_sorted_by_key(|line| line.starts_with(b"-NOPERM")));
            return;
        }
    }
}

fn counted(client: &mut Client) -> u64 {
    client.send(&request(&[b"GET", b"n"]));
    client.read_line();
    String::from_utf8(client.read_line()).unwrap().trim_end().parse().unwrap()
}

#[test]
fn once_a_right_is_taken_no_call_is_made_with_it() {
    let node = node("io-threads 2\n");
    let mut admin = Client::new(&node);
    for _ in 0..20 {
        admin.ask(&[b"SET", b"n", b"0"], b"+OK\r\n");
        admin.ask(&[b"ACL", b"SETUSER", b"alice", b"on", b"nopass", b"~*", b"+incr"], b"+OK\r\n");
        let count = thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| count_until_refused(&node));
            }
            wait_until("they count", || 100 < counted(&mut admin));
            admin.ask(&[b"ACL", b"SETUSER", b"alice", b"-incr"], b"+OK\r\n");
            counted(&mut admin)
        });
        // The others have ended since.
        assert_eq!(counted(&mut admin), count);
    }
    node.stop();
}

#[test]
fn rewriting_the_configuration_keeps_users() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ochre.conf");
    fs::write(&path, "port 0\nunixsocket socket\nuser alice on\n# mine\n").unwrap();
    let mut program = start(&path, folder.path());
    let mut client = connect(folder.path());
    ask(&mut client, "ACL SETUSER bob on >pw (+get ~x)", "+OK");
    ask(&mut client, "CONFIG REWRITE", "+OK");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("user ")).collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("user alice on sanitize-payload "), "{text}");
    assert!(lines[1].ends_with(" resetchannels -@all (~x resetchannels -@all +get)"), "{text}");
    drop(client);
    program.0.kill().unwrap();
    program.0.wait().unwrap();
    let mut program = start(&path, folder.path());
    let mut client = connect(folder.path());
    ask(&mut client, "AUTH bob pw", "+OK");
    ask(&mut client, "GET x", "$-1");
    program.0.kill().unwrap();
    program.0.wait().unwrap();
}

fn start(config: &Path, folder: &Path) -> Program {
    let mut program = Program::start(&[config.to_str().unwrap(), "--save", ""], folder);
    program.wait_for("Ready to accept connections unix");
    program
}

fn connect(folder: &Path) -> std::os::unix::net::UnixStream {
    std::os::unix::net::UnixStream::connect(folder.join("socket")).unwrap()
}

fn ask(client: &mut std::os::unix::net::UnixStream, line: &str, expected: &str) {
    use std::io::{Read, Write};
    client.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    let mut bytes = vec![0; expected.len() + 2];
    client.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), format!("{expected}\r\n"), "{line}");
}
