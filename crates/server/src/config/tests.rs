//! Tests of reading, showing and changing settings, with the texts that the reference servers give.

use proptest::prelude::*;

use super::*;

fn machine() -> Machine {
    Machine { cores: 4, memory_bytes: 1000 }
}

fn load(text: &str) -> Result<Config, String> {
    Config::from_text(text.as_bytes(), Dialect::Redis, machine()).map_err(|error| error.to_string())
}

/// The line number and the reason of the error that this text gives.
fn fails(text: &str, line: usize, reason: &str) {
    match Config::from_text(text.as_bytes(), Dialect::Redis, machine()) {
        Err(LoadError::Config(error)) => {
            assert_eq!(error.line.map(|(number, _)| number), Some(line), "{text}");
            assert_eq!(error.reason, reason, "{text}");
        }
        other => panic!("{text}: {other:?}"),
    }
}

fn shown(config: &Config, pattern: &str) -> Vec<String> {
    let found = config.find(&[pattern.as_bytes()]);
    found
        .into_iter()
        .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(&value)))
        .collect()
}

fn set(config: &mut Config, pairs: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
    let pairs: Vec<(&[u8], &[u8])> =
        pairs.iter().map(|(name, word)| (name.as_bytes(), word.as_bytes())).collect();
    let changes = config.set_many(&pairs, Caller::Remote).map_err(|error| error.to_string())?;
    Ok(changes.names().collect())
}

fn refused(pairs: &[(&str, &str)], name: &str, reason: &str) {
    let mut config = load("").unwrap();
    let before = config.values.clone();
    let expected = format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}");
    assert_eq!(set(&mut config, pairs), Err(expected));
    assert_eq!(config.values, before);
}

#[test]
fn a_closing_quote_ends_the_word_in_one_dialect_only() {
    let refused = load("hz \"1\"0").unwrap_err();
    assert!(refused.ends_with("Unbalanced quotes in configuration line\n"), "{refused}");
    let config = load("hz \"1\"0\ndialect valkey").unwrap();
    assert_eq!(config.settings().hz, 10);
}

#[test]
fn errors_stop_the_start_in_the_known_form() {
    let text = load("port 0\n\nhz x\n").unwrap_err();
    assert_eq!(
        text,
        "\n*** FATAL CONFIG FILE ERROR (Redis 8.0.6) ***\nReading the configuration file, at line 3\n\
         >>> 'hz x'\nargument couldn't be parsed into an integer\n"
    );
    let text = load("dialect valkey\nfoo bar").unwrap_err();
    assert!(text.starts_with("\n*** FATAL CONFIG FILE ERROR (Version 9.1.2) ***\n"), "{text}");
    let text = load("logfile /no/such/folder/log").unwrap_err();
    assert_eq!(
        text,
        "\n*** FATAL CONFIG FILE ERROR (Redis 8.0.6) ***\nCan't open the log file: No such file or directory\n"
    );
    let text = load("include /no/such/file").unwrap_err();
    assert_eq!(
        text,
        "Fatal error, can't open config file '/no/such/file': No such file or directory"
    );
}

#[test]
fn reasons_are_the_known_ones() {
    for (line, reason) in [
        ("foo bar", "Bad directive or wrong number of arguments"),
        ("port=0", "Bad directive or wrong number of arguments"),
        ("include", "Bad directive or wrong number of arguments"),
        ("include a b", "Bad directive or wrong number of arguments"),
        ("rename-command GET", "Bad directive or wrong number of arguments"),
        ("user", "Bad directive or wrong number of arguments"),
        ("loadmodule", "Bad directive or wrong number of arguments"),
        ("hz 10 20", "wrong number of arguments"),
        ("hz", "wrong number of arguments"),
        ("hz 5 # c", "wrong number of arguments"),
        ("requirepass a b", "wrong number of arguments"),
        ("oom-score-adj-values", "wrong number of arguments"),
        ("oom-score-adj-values 1 2", "wrong number of arguments"),
        ("hz \"10", "Unbalanced quotes in configuration line"),
        ("databases 0", "argument must be between 1 and 2147483647 inclusive"),
        ("io-threads 0", "argument must be between 1 and 256 inclusive"),
        ("cluster-enabled x", "argument must be 'yes' or 'no'"),
        ("save 900", "Invalid save parameters"),
        ("save \"\" 5", "Invalid save parameters"),
        (
            "client-output-buffer-limit normal 0 0",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit x 0 0 0",
            "Invalid client class specified in buffer limit configuration.",
        ),
        ("maxmemory 1x", "argument must be a memory value"),
        ("unixsocketperm 9", "argument couldn't be parsed as an octal number"),
        ("dir /no/such", "No such file or directory"),
        ("appenddirname a/b", "appenddirname can't be a path, just a dirname"),
        ("appendfilename \"\"", "appendfilename can't be empty"),
        ("dbfilename a/b", "dbfilename can't be a path, just a filename"),
        ("proc-title-template {x", "template format is invalid or contains unknown variables"),
        ("notify-keyspace-events q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        ("replicaof a x", "Invalid master port"),
        ("replicaof", "wrong number of arguments"),
        ("sentinel monitor", "sentinel directive while not in sentinel mode"),
        ("supervised x", "argument(s) must be one of the following: upstart, systemd, auto, no"),
        (
            "maxmemory-policy x",
            "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, \
             allkeys-lru, allkeys-lfu, allkeys-random, noeviction",
        ),
        ("bind 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "Too many bind addresses specified."),
    ] {
        fails(&format!("port 0\n{line}\n"), 2, reason);
    }
}

#[test]
fn what_guards_access_data_or_role_stops_the_start() {
    for line in [
        "aclfile /etc/users.acl\nuser alice on",
        "rename-command FLUSHALL \"\"",
        "tls-port 6380",
        "tls-replication yes",
        "loadmodule /usr/lib/x.so",
        "cluster-enabled yes",
        "replicaof 10.0.0.1 6379",
        "slaveof 10.0.0.1 6379",
        "min-replicas-to-write 1",
    ] {
        assert!(load(line).is_err(), "{line}");
    }
    for line in [
        "aclfile \"\"",
        "aclfile /etc/users.acl",
        "user alice on +@all ~* nopass",
        "user default on >secret ~* +@all",
        "user default on nopass sanitize-payload ~* &* +@all",
        "tls-port 0",
        "cluster-enabled no",
        "replicaof no one",
        "list-max-ziplist-entries 5",
        "bind",
        "save",
    ] {
        assert!(load(line).is_ok(), "{line}");
    }
    refused(&[("tls-port", "6380")], "tls-port", "TLS isn't available yet");
}

#[test]
fn later_lines_win_and_lists_grow() {
    let config = load(
        "port 1\nPORT 2\nsave 60 1\nsave 120 5\nclient-output-buffer-limit normal 1mb 2mb 3\n\
         client-output-buffer-limit pubsub 0 0 0\nlua-time-limit 7\nslave-priority 3\n",
    )
    .unwrap();
    let settings = config.settings();
    assert_eq!(settings.port, 2);
    assert_eq!(shown(&config, "save"), ["save=60 1 120 5"]);
    assert_eq!(settings.output_limit_normal.soft_seconds, 3);
    assert_eq!(settings.output_limit_replica.hard_bytes, 256 << 20);
    assert_eq!(settings.output_limit_pubsub, OutputLimit::default());
    assert_eq!(settings.busy_reply_threshold_ms, 7);
    assert_eq!(shown(&config, "*-priority"), ["replica-priority=3", "slave-priority=3"]);
    assert_eq!(shown(&load("save 1 1\nsave \"\"\n").unwrap(), "save"), ["save="]);
    assert_eq!(shown(&load("save \"\"\nsave 1 1").unwrap(), "save"), ["save=1 1"]);
}

#[test]
fn sources_count_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ochre.conf");
    fs::write(&path, "port 1\nhz 20\ntimeout 1\n").unwrap();
    let sources = Sources {
        file: Some(path.clone()),
        reads_standard_input: true,
        options: b"timeout \"3\"".to_vec(),
    };
    let load = |input: &str| {
        Config::load("/bin/valkey-server", &sources, &mut input.as_bytes(), machine())
    };
    let config = load("hz 30\ntimeout 2\n").unwrap();
    let settings = config.settings();
    assert_eq!((settings.port, settings.hz, settings.timeout_s), (1, 30, 3));
    assert_eq!(config.dialect(), Dialect::Valkey);
    assert_eq!(config.file(), Some(path.as_path()));
    let LoadError::Config(error) = load("foo 7\n").unwrap_err() else { panic!() };
    assert_eq!(error.line, Some((4, "foo 7".into())));
    let missing = Sources { file: Some("/no/such.conf".into()), ..Sources::default() };
    let error = Config::load("x", &missing, &mut std::io::empty(), machine()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Fatal error, can't open config file '/no/such.conf': No such file or directory"
    );
}

#[test]
fn the_machine_fills_in() {
    let config = load("maxmemory auto").unwrap();
    assert_eq!(shown(&config, "io-threads"), ["io-threads=4"]);
    assert_eq!(shown(&config, "maxmemory"), ["maxmemory=800"]);
    assert_eq!(config.settings().maxmemory, 800);
    assert_eq!(load("io-threads 2").unwrap().settings().io_threads, 2);
}

#[test]
fn addresses_to_listen_on() {
    let settings = load("").unwrap().settings();
    assert_eq!(
        settings.bind,
        [
            Bind { address: "*".into(), is_optional: false },
            Bind { address: "::*".into(), is_optional: true },
        ]
    );
    let settings = load("bind 127.0.0.1 -::1").unwrap().settings();
    assert_eq!(settings.bind[1], Bind { address: "::1".into(), is_optional: true });
    assert_eq!(load("bind \"\"").unwrap().settings().bind, []);
}

#[test]
fn dialects_have_their_own_names() {
    let text = b"slowlog-max-len 5\nmasterauth x";
    let config = Config::from_text(text, Dialect::Valkey, machine()).unwrap();
    assert_eq!(
        shown(&config, "*slow*-max-len"),
        ["commandlog-slow-execution-max-len=5", "slowlog-max-len=5"]
    );
    assert_eq!(shown(&config, "primaryauth"), ["primaryauth=x"]);
    assert_eq!(shown(&config, "lazyfree-lazy-expire"), ["lazyfree-lazy-expire=yes"]);
    let config = load("primaryauth x").unwrap();
    assert_eq!(shown(&config, "*auth"), ["masterauth=x"]);
    assert_eq!(load("dialect valkey\ndialect redis").unwrap().dialect(), Dialect::Redis);
    fails("dialect x", 1, "argument(s) must be one of the following: redis, valkey");
}

#[test]
fn patterns_find_settings() {
    let config = load("").unwrap();
    assert_eq!(shown(&config, "SLAVE-Priority"), ["SLAVE-Priority=100"]);
    assert_eq!(shown(&config, "HZ*"), ["hz=10"]);
    assert_eq!(shown(&config, "nope"), [] as [&str; 0]);
    assert_eq!(shown(&config, "user"), [] as [&str; 0]);
    let found = config.find(&[b"maxm*y", b"maxmemory"]);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["maxmemory", "maxmemory-eviction-tenacity", "maxmemory-policy"]);
    assert_eq!(config.find(&[b"maxmemory", b"MAXMEMORY"]).len(), 1);
}

#[test]
fn several_change_or_none() {
    let mut config = load("").unwrap();
    assert_eq!(
        set(&mut config, &[("maxmemory", "1mb"), ("HZ", "1000")]),
        Ok(vec!["maxmemory", "hz"])
    );
    assert_eq!(shown(&config, "hz"), ["hz=500"]);
    assert_eq!(set(&mut config, &[("maxmemory", "1mb")]), Ok(vec![]));
    assert_eq!(
        set(&mut config, &[("slave-priority", "1"), ("replica-priority", "2")]).unwrap().len(),
        2
    );
    assert_eq!(shown(&config, "replica-priority"), ["replica-priority=2"]);
    assert_eq!(set(&mut config, &[("save", "60 1 5 5")]), Ok(vec!["save"]));
    assert_eq!(set(&mut config, &[("save", "7 7")]), Ok(vec!["save"]));
    assert_eq!(shown(&config, "save"), ["save=7 7"]);

    let pairs: [(&[u8], &[u8]); 2] = [(b"slave-priority", b"8"), (b"replica-priority", b"9")];
    let changes = config.set_many(&pairs, Caller::Remote).unwrap();
    assert!(changes.touches("replica-priority"));
    assert!(!changes.touches("hz"));
    config.roll_back(changes);
    assert_eq!(shown(&config, "replica-priority"), ["replica-priority=2"]);
}

#[test]
fn refusals_change_nothing() {
    refused(
        &[("maxmemory", "1"), ("hz", "x")],
        "hz",
        "argument couldn't be parsed into an integer",
    );
    refused(&[("maxmemory", "x")], "maxmemory", "argument must be a memory value");
    refused(&[("MAXMEMORY", "1"), ("maxmemory", "2")], "maxmemory", "duplicate parameter");
    refused(&[("DATABASES", "2")], "DATABASES", "can't set immutable config");
    refused(&[("databases", "2"), ("foo", "1")], "databases", "can't set immutable config");
    refused(&[("dbfilename", "x")], "dbfilename", "can't set protected config");
    refused(
        &[("slave-priority", "x")],
        "slave-priority",
        "argument couldn't be parsed into an integer",
    );
    for pairs in [&[("maxmemory", "1"), ("Foo", "2")], &[("Foo", "2"), ("databases", "2")]] {
        let result = set(&mut load("").unwrap(), pairs);
        let text = "Unknown option or number of arguments for CONFIG SET - 'Foo'";
        assert_eq!(result, Err(text.to_owned()));
    }
}

#[test]
fn protected_settings_open_by_setting() {
    let pairs: [(&[u8], &[u8]); 1] = [(b"dbfilename", b"x.rdb")];
    let mut config = load("enable-protected-configs local").unwrap();
    assert!(config.set_many(&pairs, Caller::Remote).is_err());
    assert!(config.set_many(&pairs, Caller::Local).is_ok());
    let mut config = load("enable-protected-configs yes").unwrap();
    assert!(config.set_many(&pairs, Caller::Remote).is_ok());
    let pairs: [(&[u8], &[u8]); 1] = [(b"dir", b"/no/such")];
    let error = config.set_many(&pairs, Caller::Remote).unwrap_err().to_string();
    assert!(error.ends_with("- No such file or directory"), "{error}");
}

proptest! {
    /// Whatever a file holds, it is read or refused.
    #[test]
    fn any_bytes_are_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        // Includes would read the machine's own files.
        let text: Vec<u8> = text.into_iter().filter(|byte| !b"iI".contains(byte)).collect();
        let _ = Config::from_text(&text, Dialect::Redis, machine());
    }

    /// Whatever words follow a known name, they are taken or refused, and what is taken prints as
    /// something that is taken again.
    #[test]
    fn any_words_are_taken_or_refused(
        index in 0..ROWS.len(),
        words in proptest::collection::vec("[ -~]{0,6}|-?[0-9]{1,20}|[0-9]{1,4}(kb|MB|g|%)", 0..5),
    ) {
        let config = Config::new(Dialect::Redis, machine());
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        if let Ok(value) = config.parsed(index, &words, &config.values[index]) {
            let printed = ROWS[index].kind.print(&value);
            let again = ROWS[index].kind.parse(&[&printed], &config.values[index], config.dialect);
            prop_assert_eq!(again.ok(), Some(value));
        }
    }
}
