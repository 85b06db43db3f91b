//! What is measured: one row per load and one per shape of data. A new family adds rows here.

/// A load that `ochre-benchmark` makes.
#[derive(Debug)]
pub(crate) struct Workload {
    /// For `--only`.
    pub(crate) name: &'static str,
    /// The bars of a plot are grouped by this …
    pub(crate) command: &'static str,
    /// … in one panel for each pipeline.
    pub(crate) pipeline: u32,
    pub(crate) requests: u64,
    /// What the server holds before.
    pub(crate) family: Family,
    /// Clients that have subscribed to the channel `news`.
    pub(crate) subscribers: usize,
    /// How it is asked for; keys, payload and connections are the same for all.
    pub(crate) arguments: &'static [&'static str],
}

/// Loads that share a server and its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Collections,
    Sessions,
    Strings,
}

impl Family {
    pub(crate) const ALL: [Self; 3] = [Self::Strings, Self::Collections, Self::Sessions];

    /// For `--only`.
    fn name(self) -> &'static str {
        match self {
            Self::Collections => "collections",
            Self::Sessions => "sessions",
            Self::Strings => "strings",
        }
    }

    /// What is in a server before the loads start: every key that they touch.
    pub(crate) fn preloads(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Strings => &[
                &["-t", "set", "-n", "1000000", "-P", "100", "--sequential"],
                &["-t", "incr", "-n", "1000000", "-P", "100", "--sequential"],
            ],
            Self::Sessions => &[],
            Self::Collections => &[
                &["-t", "hset", "-n", "1000000", "-P", "100", "--sequential"],
                &["-t", "sadd", "-n", "1000000", "-P", "100", "--sequential"],
                &["-t", "zadd", "-n", "1000000", "-P", "100", "--sequential"],
                &["-t", "rpush", "-n", "100000", "-P", "100"],
            ],
        }
    }

    /// More of it, written by these commands.
    pub(crate) fn setup(self) -> Vec<Vec<String>> {
        match self {
            Self::Strings => Vec::new(),
            // EVAL caches what EVALSHA names, and its reply is a line.
            Self::Sessions => SCRIPTS
                .iter()
                .map(|body| words(&[&["EVAL", *body, "1", "warm"], &SCRIPT_VALUES[..]].concat()))
                .collect(),
            Self::Collections => Self::collections(),
        }
    }

    fn collections() -> Vec<Vec<String>> {
        let mut commands = vec![words(&["XADD", "readers", "1-1", "field", "value"])];
        commands.push(words(&["XGROUP", "CREATE", "readers", "group", "$"]));
        for field in 0..100 {
            commands.push(words(&["HSET", "hash:100", &format!("field:{field}"), "a value"]));
        }
        for member in 0..100_000 {
            commands.push(words(&["SADD", "set:one", &format!("member:{member}")]));
            commands.push(words(&["SADD", "set:other", &format!("member:{}", member + 50_000)]));
        }
        commands
    }
}

/// Given to every load.
pub(crate) const COMMON: &[&str] = &["-c", "50", "-d", "64", "-r", "1000000"];

const fn load(
    name: &'static str,
    command: &'static str,
    pipeline: u32,
    arguments: &'static [&'static str],
) -> Workload {
    // About as many as a second or two takes.
    let requests = match pipeline {
        1 => 300_000,
        16 => 3_000_000,
        _ => 6_000_000,
    };
    Workload {
        name,
        command,
        pipeline,
        requests,
        family: Family::Strings,
        subscribers: 0,
        arguments,
    }
}

const fn collection(
    name: &'static str,
    command: &'static str,
    pipeline: u32,
    requests: u64,
    arguments: &'static [&'static str],
) -> Workload {
    let family = Family::Collections;
    Workload { name, command, pipeline, requests, family, subscribers: 0, arguments }
}

const fn script(
    name: &'static str,
    command: &'static str,
    arguments: &'static [&'static str],
) -> Workload {
    let (family, pipeline, requests) = (Family::Sessions, 16, 600_000);
    Workload { name, command, pipeline, requests, family, subscribers: 0, arguments }
}

const fn publish(name: &'static str, pipeline: u32, requests: u64) -> Workload {
    let (family, command) = (Family::Sessions, "PUBLISH to 100");
    let arguments = &["PUBLISH", "news", "__data__"];
    Workload { name, command, pipeline, requests, family, subscribers: 100, arguments }
}

/// The scripts of the loads, which name them by their SHA1: a lock's release, the same with a key that it is
/// not given, and a token bucket.
const SCRIPTS: [&str; 3] = [RELEASE, RELEASE_ANY, BUCKET];
const RELEASE: &str = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) \
    else return 0 end";
const RELEASE_ANY: &str = "local key = ARGV[2] if redis.call('get', key) == ARGV[1] then return \
    redis.call('del', key) else return 0 end";
const BUCKET: &str = "local rate, capacity, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]) \
    local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'time') local tokens, time = \
    tonumber(bucket[1]) or capacity, tonumber(bucket[2]) or now tokens = \
    math.min(capacity, tokens + (now - time) * rate) local allowed = 0 if tokens >= 1 \
    then tokens, allowed = tokens - 1, 1 end redis.call('HSET', KEYS[1], 'tokens', \
    tokens, 'time', now) redis.call('PEXPIRE', KEYS[1], 60000) return allowed";
const SCRIPT_VALUES: [&str; 3] = ["10", "100", "1000"];

pub(crate) const WORKLOADS: &[Workload] = &[
    load("get_p1", "GET", 1, &["-t", "get"]),
    load("set_p1", "SET", 1, &["-t", "set"]),
    load("incr_p1", "INCR", 1, &["-t", "incr"]),
    load("get_p16", "GET", 16, &["-t", "get"]),
    load("set_p16", "SET", 16, &["-t", "set"]),
    load("incr_p16", "INCR", 16, &["-t", "incr"]),
    load("get_p100", "GET", 100, &["-t", "get"]),
    load("set_p100", "SET", 100, &["-t", "set"]),
    load("incr_p100", "INCR", 100, &["-t", "incr"]),
    collection("hset", "HSET", 16, 1_500_000, &["-t", "hset"]),
    collection("hget", "HGET", 16, 1_500_000, &["HGET", "myhash", "element:__rand_int__"]),
    collection("hgetall_100", "HGETALL", 16, 60_000, &["HGETALL", "hash:100"]),
    collection("sadd", "SADD", 16, 1_500_000, &["-t", "sadd"]),
    collection("sinter_100k", "SINTER", 1, 40, &["-c", "1", "SINTER", "set:one", "set:other"]),
    collection("zadd", "ZADD", 16, 1_000_000, &["-t", "zadd"]),
    collection("zrank", "ZRANK", 16, 1_000_000, &["ZRANK", "myzset", "element:__rand_int__"]),
    collection("zrange", "ZRANGE", 16, 400_000, &["ZRANGE", "myzset", "500000", "500009"]),
    collection(
        "zrangebyscore",
        "ZRANGEBYSCORE",
        16,
        400_000,
        &["ZRANGEBYSCORE", "myzset", "__rand_int__", "+inf", "LIMIT", "0", "10"],
    ),
    collection("lpush", "LPUSH", 16, 1_500_000, &["-t", "lpush"]),
    collection("lpop", "LPOP", 16, 1_500_000, &["-t", "lpop"]),
    collection("lrange_100", "LRANGE", 16, 100_000, &["LRANGE", "mylist", "0", "99"]),
    collection("xadd", "XADD", 16, 1_000_000, &["XADD", "readers", "*", "field", "__data__"]),
    collection(
        "xreadgroup",
        "XREADGROUP",
        16,
        500_000,
        &["XREADGROUP", "GROUP", "group", "me", "COUNT", "1", "STREAMS", "readers", ">"],
    ),
    script(
        "script_release",
        "EVALSHA release",
        &["EVALSHA", "e9f69f2beb755be68b5e456ee2ce9aadfbc4ebf4", "1", "lock:__rand_int__", "token"],
    ),
    script(
        "script_any",
        "EVALSHA release, undeclared",
        &["EVALSHA", "6a9466861c48f48daafe3a3bc5434c8cbff9fd40", "0", "token", "lock:__rand_int__"],
    ),
    script(
        "script_bucket",
        "EVALSHA token bucket",
        &[
            "EVALSHA",
            "60249bf9297a95f7c076c92e4581204ea8a540e0",
            "1",
            "bucket:__rand_int__",
            "10",
            "100",
            "1000",
        ],
    ),
    publish("publish_p1", 1, 20_000),
    publish("publish_p16", 16, 60_000),
];

/// Data whose memory is measured.
pub(crate) struct Shape {
    /// For `--only`.
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// What the label counts. Each is written by one command.
    pub(crate) items: u64,
    /// The words of the command that writes an item.
    pub(crate) command: fn(u64) -> Vec<String>,
}

pub(crate) const SHAPES: &[Shape] = &[
    Shape {
        name: "string_64",
        label: "string, 16 B key, 64 B value",
        items: 3_000_000,
        command: |i| words(&["SET", &format!("key:{i:012}"), &"x".repeat(64)]),
    },
    Shape {
        name: "string_8",
        label: "string, 16 B key, 8 B value",
        items: 3_000_000,
        command: |i| words(&["SET", &format!("key:{i:012}"), &format!("{i:08}")]),
    },
    Shape {
        name: "string_64_ttl",
        label: "string, 16 B key, 64 B value, TTL",
        items: 2_000_000,
        command: |i| {
            let seconds = (100_000 + i % 1000).to_string();
            words(&["SET", &format!("key:{i:012}"), &"x".repeat(64), "EX", &seconds])
        },
    },
    Shape {
        name: "session",
        label: "session: 32 B key, 300 B value, TTL",
        items: 1_000_000,
        command: |i| words(&["SET", &format!("session:{i:024}"), &"s".repeat(300), "EX", "86400"]),
    },
    Shape {
        name: "hash_of_5",
        label: "hash of 5 small fields",
        items: 500_000,
        command: |i| {
            let (key, name) = (format!("user:{i:08}"), format!("user{i}"));
            let (email, age, number) =
                (format!("u{i}@example.com"), (i % 90).to_string(), i.to_string());
            words(&[
                "HSET", &key, "name", &name, "email", &email, "age", &age, "city", "paris", "n",
                &number,
            ])
        },
    },
    Shape {
        name: "hash_field",
        label: "one hash, per field (16 B + 16 B)",
        items: 2_000_000,
        command: |i| words(&["HSET", "h", &format!("field:{i:010}"), &format!("value:{i:010}")]),
    },
    Shape {
        name: "set_member",
        label: "one set, per member (17 B)",
        items: 2_000_000,
        command: |i| words(&["SADD", "s", &format!("member:{i:010}")]),
    },
    Shape {
        name: "zset_member",
        label: "one sorted set, per member (17 B)",
        items: 2_000_000,
        command: |i| {
            let score = (i * 7919 % 2_000_003).to_string();
            words(&["ZADD", "z", &score, &format!("member:{i:010}")])
        },
    },
    Shape {
        name: "zset_of_20",
        label: "sorted set of 20 members",
        items: 100_000,
        command: |i| {
            let mut command = words(&["ZADD", &format!("zz:{i:08}")]);
            for member in 0..20 {
                command.extend([(member * 3 + i).to_string(), format!("m{member:04}")]);
            }
            command
        },
    },
    Shape {
        name: "list_element",
        label: "one list, per element (18 B)",
        items: 2_000_000,
        command: |i| words(&["RPUSH", "l", &format!("element:{i:010}")]),
    },
    Shape {
        name: "stream_entry",
        label: "stream entry of 2 fields",
        items: 1_000_000,
        command: |i| {
            let (id, user) = (format!("{}-1", i + 1), i.to_string());
            words(&["XADD", "st", &id, "user", &user, "event", "click"])
        },
    },
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Which rows `--only` leaves: those whose name it lists, or whose family.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    names: Option<Vec<String>>,
}

impl Choice {
    /// # Errors
    /// If a name is no row's and no family's.
    pub(crate) fn new(names: Option<&[String]>) -> Result<Self, String> {
        let rows = WORKLOADS.iter().map(|row| row.name).chain(SHAPES.iter().map(|row| row.name));
        let known: Vec<&str> =
            rows.chain(["memory", "speed", "strings", "collections", "sessions"]).collect();
        let unknown = names.unwrap_or_default().iter().find(|name| !known.contains(&name.as_str()));
        match unknown {
            Some(name) => Err(format!("--only {name}: known are {}", known.join(" "))),
            None => Ok(Self { names: names.map(<[String]>::to_vec) }),
        }
    }

    pub(crate) fn workloads(&self) -> Vec<&'static Workload> {
        let is_chosen =
            |row: &&Workload| self.has(row.name, "speed") || self.has(row.name, row.family.name());
        WORKLOADS.iter().filter(is_chosen).collect()
    }

    pub(crate) fn shapes(&self) -> Vec<&'static Shape> {
        SHAPES.iter().filter(|row| self.has(row.name, "memory")).collect()
    }

    fn has(&self, name: &str, family: &str) -> bool {
        let is_named = |names: &Vec<String>| names.iter().any(|one| one == name || one == family);
        self.names.as_ref().is_none_or(is_named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leaves_what_it_names() {
        let count = |names: &[&str]| {
            let names: Vec<String> = words(names);
            let choice = Choice::new(Some(&names)).unwrap();
            (choice.workloads().len(), choice.shapes().len())
        };
        assert_eq!(count(&["get_p1", "session"]), (1, 1));
        assert_eq!(count(&["memory"]), (0, SHAPES.len()));
        assert_eq!(count(&["speed", "session"]), (WORKLOADS.len(), 1));
        let strings = WORKLOADS.iter().filter(|row| row.family == Family::Strings).count();
        assert_eq!(count(&["strings"]), (strings, 0));
        let all = Choice::new(None).unwrap();
        assert_eq!((all.workloads().len(), all.shapes().len()), (WORKLOADS.len(), SHAPES.len()));
        assert!(Choice::new(Some(&words(&["get_p2"]))).unwrap_err().contains("get_p16"));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = WORKLOADS.iter().map(|row| row.name).collect();
        names.extend(SHAPES.iter().map(|row| row.name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn shapes_have_the_sizes_that_their_labels_say() {
        let sizes = |name: &str| {
            let shape = SHAPES.iter().find(|shape| shape.name == name).unwrap();
            let words = (shape.command)(shape.items - 1);
            (words[1].len(), words[2].len(), words.len())
        };
        assert_eq!(sizes("string_64"), (16, 64, 3));
        assert_eq!(sizes("string_8"), (16, 8, 3));
        assert_eq!(sizes("string_64_ttl"), (16, 64, 5));
        assert_eq!(sizes("session"), (32, 300, 5));
    }
}
