//! The named tests: one row each, with the keys and the titles of redis-benchmark.

use crate::options::Options;
use crate::template::{encode, with_data};

/// One thing to measure.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) title: String,
    /// The bytes of one request, placeholders for numbers included.
    pub(crate) request: Vec<u8>,
    /// Replies that one request brings; more than one for a sequence of commands.
    pub(crate) replies: usize,
    /// Skipped with a note if the server does not know its command.
    pub(crate) is_optional: bool,
}

/// A row: the name for `-t`, the title, the words of the command.
struct Row {
    name: &'static str,
    title: &'static str,
    words: &'static str,
    /// Runs without `-t`.
    is_default: bool,
}

const fn row(name: &'static str, title: &'static str, words: &'static str) -> Row {
    Row { name, title, words, is_default: true }
}

const fn extra(name: &'static str, title: &'static str, words: &'static str) -> Row {
    Row { name, title, words, is_default: false }
}

/// Names the rows that fill the list for the LRANGE tests; chosen with any of them.
const LRANGE_FILL: &str = "lrange";
/// `__score__` is a random score with `-r` and 0 without; `__ten_…__` is repeated ten times.
const ROWS: &[Row] = &[
    row("ping_inline", "PING_INLINE", ""),
    row("ping_mbulk", "PING_MBULK", "PING"),
    row("set", "SET", "SET key:__rand_int__ __data__"),
    row("get", "GET", "GET key:__rand_int__"),
    row("incr", "INCR", "INCR counter:__rand_int__"),
    row("lpush", "LPUSH", "LPUSH mylist __data__"),
    row("rpush", "RPUSH", "RPUSH mylist __data__"),
    row("lpop", "LPOP", "LPOP mylist"),
    row("rpop", "RPOP", "RPOP mylist"),
    row("sadd", "SADD", "SADD myset element:__rand_int__"),
    row("hset", "HSET", "HSET myhash element:__rand_int__ __data__"),
    row("spop", "SPOP", "SPOP myset"),
    row("zadd", "ZADD", "ZADD myzset __score__ element:__rand_int__"),
    row("zpopmin", "ZPOPMIN", "ZPOPMIN myzset"),
    row(LRANGE_FILL, "LPUSH (needed to benchmark LRANGE)", "LPUSH mylist __data__"),
    row("lrange_100", "LRANGE_100 (first 100 elements)", "LRANGE mylist 0 99"),
    row("lrange_300", "LRANGE_300 (first 300 elements)", "LRANGE mylist 0 299"),
    row("lrange_500", "LRANGE_500 (first 500 elements)", "LRANGE mylist 0 499"),
    row("lrange_600", "LRANGE_600 (first 600 elements)", "LRANGE mylist 0 599"),
    row("mset", "MSET (10 keys)", "MSET __ten_pairs__"),
    extra("mget", "MGET (10 keys)", "MGET __ten_keys__"),
    extra("setex", "SETEX", "SETEX key:__rand_int__ 3600 __data__"),
    extra("expire", "EXPIRE", "EXPIRE key:__rand_int__ 3600"),
    extra("xadd", "XADD", "XADD mystream * myfield __data__"),
    extra("eval", "EVAL (compare and delete)", "EVAL __script__ 1 key:__rand_int__ __data__"),
];
const KEY: &str = "key:__rand_int__";
/// How locks are released; keys with another value stay.
const SCRIPT: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
                      return redis.call('DEL', KEYS[1]) end return 0";

/// What the options choose, in the order of the table.
///
/// # Errors
/// If `-t` names something unknown.
pub(crate) fn choose(options: &Options, data: &[u8]) -> Result<Vec<Workload>, String> {
    if !options.command.is_empty() {
        return Ok(vec![command(&options.command, data)]);
    }
    if let Some(names) = &options.tests {
        let is_known = |name: &&String| ROWS.iter().any(|row| is_meant(row, name));
        if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
            return Err(format!("Unknown test \"{unknown}\""));
        }
    }
    let is_chosen = |row: &&Row| match &options.tests {
        Some(names) => names.iter().any(|name| is_meant(row, name)),
        None => row.is_default,
    };
    let workload = |row: &Row| Workload {
        title: row.title.to_owned(),
        request: request(row, options, data),
        replies: 1,
        is_optional: options.tests.is_none(),
    };
    Ok(ROWS.iter().filter(is_chosen).map(workload).collect())
}

fn is_meant(row: &Row, name: &str) -> bool {
    let own = row.name;
    let is_family = |family: &str| name == family && own.starts_with(family);
    let fills_lrange = own == LRANGE_FILL && name.starts_with(LRANGE_FILL);
    own == name || is_family("ping") || is_family(LRANGE_FILL) || fills_lrange
}

fn request(row: &Row, options: &Options, data: &[u8]) -> Vec<u8> {
    if row.words.is_empty() {
        return b"PING\r\n".to_vec();
    }
    let score = if options.keyspace.is_some() { "__rand_int__" } else { "0" };
    let mut arguments: Vec<Vec<u8>> = Vec::new();
    for word in row.words.split(' ') {
        match word {
            "__score__" => arguments.push(score.into()),
            "__script__" => arguments.push(SCRIPT.into()),
            "__ten_keys__" => arguments.extend((0..10).map(|_| KEY.into())),
            "__ten_pairs__" => {
                arguments.extend((0..10).flat_map(|_| [KEY.into(), data.to_vec()]));
            }
            _ => arguments.push(with_data(word.as_bytes(), data)),
        }
    }
    let mut bytes = Vec::new();
    encode(&arguments, &mut bytes);
    bytes
}

/// The command of the command line; `;` separates several that count as one.
fn command(arguments: &[Vec<u8>], data: &[u8]) -> Workload {
    let words: Vec<String> =
        arguments.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let mut request = Vec::new();
    let mut replies = 0;
    for single in arguments.split(|word| word == b";").filter(|single| !single.is_empty()) {
        let single: Vec<Vec<u8>> = single.iter().map(|word| with_data(word, data)).collect();
        encode(&single, &mut request);
        replies += 1;
    }
    Workload { title: words.join(" "), request, replies, is_optional: false }
}

/// A payload of `len` printable bytes, the same in every run.
pub(crate) fn payload(len: usize) -> Vec<u8> {
    let mut rng = base::rand::Rng::new(1234);
    (0..len).map(|_| b'0' + rng.below(64) as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(tests: Option<&[&str]>) -> Vec<String> {
        let tests = tests.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let options = Options { tests, ..Options::default() };
        let chosen = choose(&options, b"xxx").unwrap();
        chosen.into_iter().map(|workload| workload.title).collect()
    }

    #[test]
    fn all_tests_of_redis_benchmark_run_by_default() {
        let all = titles(None);
        assert_eq!(all.len(), 20);
        assert_eq!((all[0].as_str(), all[19].as_str()), ("PING_INLINE", "MSET (10 keys)"));
    }

    #[test]
    fn names_choose_and_families_choose_all_of_theirs() {
        assert_eq!(titles(Some(&["get", "set"])), ["SET", "GET"]);
        assert_eq!(titles(Some(&["ping"])), ["PING_INLINE", "PING_MBULK"]);
        let one_range = titles(Some(&["lrange_300"]));
        assert_eq!(one_range.len(), 2);
        assert!(one_range[0].starts_with("LPUSH") && one_range[1].starts_with("LRANGE_300"));
        assert_eq!(titles(Some(&["lrange"])).len(), 5);
        assert_eq!(titles(Some(&["setex", "mget"])), ["MGET (10 keys)", "SETEX"]);
    }

    #[test]
    fn unknown_names_are_told() {
        let options =
            Options { tests: Some(vec!["get".to_owned(), "gte".to_owned()]), ..Options::default() };
        assert_eq!(choose(&options, b"x").unwrap_err(), "Unknown test \"gte\"");
    }

    #[test]
    fn requests_carry_payload_and_score() {
        let with_keyspace = Options { keyspace: Some(10), ..Options::default() };
        let find = |options: &Options, title: &str| {
            let all = choose(options, b"xyz").unwrap();
            let workload = all.into_iter().find(|workload| workload.title == title).unwrap();
            String::from_utf8(workload.request).unwrap()
        };
        let set = find(&with_keyspace, "SET");
        assert_eq!(set, "*3\r\n$3\r\nSET\r\n$16\r\nkey:__rand_int__\r\n$3\r\nxyz\r\n");
        assert!(find(&with_keyspace, "ZADD").contains("$12\r\n__rand_int__\r\n"));
        assert!(find(&Options::default(), "ZADD").contains("$1\r\n0\r\n"));
        assert!(find(&with_keyspace, "MSET (10 keys)").starts_with("*21\r\n"));
    }

    #[test]
    fn a_sequence_is_one_request_with_several_replies() {
        let words = ["MULTI", ";", "INCR", "c", ";", "EXEC"].map(|word| word.as_bytes().to_vec());
        let workload = command(&words, b"");
        assert_eq!((workload.replies, workload.title.as_str()), (3, "MULTI ; INCR c ; EXEC"));
    }
}
