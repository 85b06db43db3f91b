//! Random calls: few keys of every type, so that calls meet, nearly all of them right.
//!
//! The harness's streams look for wrong replies with every form of every command. Here a call only has to
//! change something in a way that is recorded; so there are fewer forms, and they are cheap.

use base::rand::Rng;

/// A call's words.
pub type Words = Vec<Vec<u8>>;

/// Forms, one on a line; `{…}` is drawn. The more often a form stands here the more often it comes.
const STRINGS: &str = "\
SET {s} {v}
SET {s} {v}
SET {s} {n}
SET {s} {v} PX {ms}
SET {s} {v} EX 1 NX
SET {s} {v} KEEPTTL
SET {s} {v} PXAT {at}
PSETEX {s} {ms} {n}
GET {s}
GETEX {s} PX {ms}
GETEX {s} PERSIST
GETDEL {s}
INCR {s}
INCRBY {s} {n}
INCRBYFLOAT {s} 0.5
APPEND {s} {v}
SETRANGE {s} 3 {v}
MSET {s} {v} {s} {v} {s} {v}
MSETNX {s} {v} {s} {v}
SETBIT {s} 17 1
BITFIELD {s} INCRBY u5 3 7
BITOP XOR {s} {s} {s}
PFADD {p} {v} {v} {n}
PFMERGE {p} {p} {p}";

const LISTS: &str = "\
RPUSH {l} {v} {n} {v}
RPUSH {l} {v}
LPUSH {l} {n} {v}
LPUSHX {l} {n}
LPOP {l}
RPOP {l} 2
LREM {l} 1 {n}
LSET {l} 0 {v}
LTRIM {l} 0 20
LINSERT {l} BEFORE {n} {v}
LMOVE {l} {l} LEFT RIGHT
LMPOP 2 {l} {l} LEFT COUNT 2
SORT {l} ALPHA STORE {l}
RPOPLPUSH {l} {l}";

const HASHES: &str = "\
HSET {h} {f} {v} {f} {n}
HSET {h} {f} {v}
HSET {h} {f} {n}
HMSET {h} {f} {v}
HSETNX {h} {f} {v}
HDEL {h} {f} {f}
HINCRBY {h} {f} {n}
HINCRBYFLOAT {h} {f} 1.5
HGETALL {h}
HPEXPIRE {h} {ms} FIELDS 1 {f}
HPEXPIREAT {h} {at} FIELDS 2 {f} {f}
HSETEX {h} PX {ms} FIELDS 1 {f} {v}
HGETEX {h} PX {ms} FIELDS 1 {f}
HPERSIST {h} FIELDS 1 {f}
HGETDEL {h} FIELDS 1 {f}";

const SETS: &str = "\
SADD {t} {v} {n} {n}
SADD {t} {n} {n}
SREM {t} {n}
SPOP {t}
SPOP {t} 2
SMOVE {t} {t} {n}
SUNIONSTORE {t} {t} {t}
SDIFFSTORE {t} {t} {t}
SINTERSTORE {t} {t} {t}";

const SORTED_SETS: &str = "\
ZADD {z} {n} {v} {n} {n}
ZADD {z} {n} {f}
ZADD {z} GT CH {n} {f}
ZINCRBY {z} {n} {f}
ZREM {z} {f}
ZPOPMIN {z}
ZPOPMAX {z} 2
ZMPOP 1 {z} MIN
ZREMRANGEBYRANK {z} 3 4
ZREMRANGEBYSCORE {z} 5 7
ZUNIONSTORE {z} 2 {z} {z} WEIGHTS 1 2
ZRANGESTORE {z} {z} 0 5
GEOADD {g} 13.361389 38.115556 {f}
GEOADD {g} 2.349 48.853 {f}
GEOSEARCHSTORE {g} {g} FROMLONLAT 15 37 BYRADIUS 2000 km";

const STREAMS: &str = "\
XADD {x} * {f} {v}
XADD {x} * {f} {v} {f} {n}
XADD {x} MAXLEN 5 * {f} {v}
XADD {x} MAXLEN ~ 3 * {f} {v}
XTRIM {x} MAXLEN 3
XGROUP CREATE {x} g 0 MKSTREAM
XGROUP CREATE {x} i $ MKSTREAM
XGROUP CREATECONSUMER {x} g {f}
XGROUP DELCONSUMER {x} g {f}
XGROUP SETID {x} g 0
XGROUP DESTROY {x} i
XREADGROUP GROUP g {f} COUNT 2 STREAMS {x} >
XREADGROUP GROUP i {f} COUNT 1 NOACK STREAMS {x} >
XREADGROUP GROUP g {f} COUNT 1 STREAMS {x} 0
XAUTOCLAIM {x} g {f} 0 0 COUNT 2
XAUTOCLAIM {x} g {f} {ms} 0
XSETID {x} 99999999999999-1";

const ALL: &str = "\
DEL {any} {any}
UNLINK {any}
PEXPIRE {any} {ms}
PEXPIRE {any} {ms}
PEXPIREAT {any} {at}
EXPIRE {any} 100 NX
PERSIST {any}
RENAME {any} {any}
RENAMENX {any} {any}
COPY {any} {any} REPLACE
COPY {any} {any} DB 1 REPLACE
MOVE {any} 1
EXISTS {any} {any}
TYPE {any}
TOUCH {any}
SELECT 1
SELECT 0
SELECT 0";

/// What comes seldom: it leaves little behind.
const RARE: &str = "\
FLUSHDB
FLUSHALL
SWAPDB 0 1";

const SCRIPTS: [&str; 4] = [
    "redis.call('SET', KEYS[1], ARGV[1]) redis.call('RPUSH', KEYS[2], ARGV[1]) return 1",
    "local n = redis.call('INCR', KEYS[1]) redis.call('SADD', KEYS[2], n) return n",
    "for i = 1, 4 do redis.call('HSET', KEYS[1], 'f' .. i, ARGV[1]) end \
     redis.call('PEXPIRE', KEYS[1], 300) return redis.call('SPOP', KEYS[2])",
    "redis.call('LPUSH', 'l1', ARGV[1]) redis.pcall('INCR', KEYS[1]) return redis.call('DBSIZE')",
];

const LIBRARY: &str = "#!lua name=lib{n}\n\
redis.register_function('f{n}', function(keys, args)\n\
  redis.call('SET', keys[1], args[1])\n\
  return redis.call('RPUSH', keys[2], args[1])\n\
end)";

const BLOCKING: &str = "\
BLPOP {l} {l} 0
BLMOVE {l} {l} LEFT RIGHT 0.1
BZPOPMIN {z} 0
BLMPOP 1 1 {l} LEFT COUNT 2
XREADGROUP GROUP g {f} BLOCK 50 STREAMS {x} >";

/// What one run's calls are drawn from.
pub struct Workload {
    forms: Vec<&'static str>,
    has_scripts: bool,
    /// One word in so many is of a key of another type, 0 is never.
    strays: u64,
    value_len_max: usize,
}

/// What a client does next.
pub enum Step {
    /// A call that may have to wait for others.
    Blocking(Words),
    Call(Words),
    /// Calls between MULTI and EXEC.
    Transaction(Vec<Words>),
}

impl Workload {
    /// A few families of calls.
    pub fn draw(rng: &mut Rng) -> Self {
        let families = [STRINGS, LISTS, HASHES, SETS, SORTED_SETS, STREAMS];
        let mut forms: Vec<&str> = ALL.lines().collect();
        let all = rng.below(4) == 0;
        let first = rng.index(families.len());
        for (index, family) in families.into_iter().enumerate() {
            if all || index == first || rng.below(4) == 0 {
                forms.extend(family.lines());
            }
        }
        if rng.below(2) == 0 {
            forms.extend(RARE.lines());
        }
        Self {
            forms,
            has_scripts: rng.below(6) == 0,
            strays: if rng.below(2) == 0 { 20 } else { 0 },
            value_len_max: [8, 8, 40, 40, 600][rng.index(5)],
        }
    }

    /// What comes next, at `now_ms`.
    pub fn draw_step(&self, now_ms: u64, rng: &mut Rng) -> Step {
        match rng.below(40) {
            0..3 => {
                let count = 1 + rng.index(5);
                Step::Transaction((0..count).map(|_| self.call(now_ms, rng)).collect())
            }
            3 => {
                let lines: Vec<&str> = BLOCKING.lines().collect();
                let form = lines[rng.index(lines.len())];
                Step::Blocking(self.fill(form, now_ms, rng))
            }
            4..8 if self.has_scripts => Step::Call(self.script(rng)),
            _ => Step::Call(self.call(now_ms, rng)),
        }
    }

    fn call(&self, now_ms: u64, rng: &mut Rng) -> Words {
        self.fill(self.forms[rng.index(self.forms.len())], now_ms, rng)
    }

    fn script(&self, rng: &mut Rng) -> Words {
        let words = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect();
        let (s, t) = (self.key(b's', rng), self.key(b't', rng));
        let (l, h) = (self.key(b'l', rng), self.key(b'h', rng));
        let value = self.value(rng);
        let number = rng.below(2).to_string();
        match rng.below(12) {
            0 => words(&[b"EVAL", SCRIPTS[0].as_bytes(), b"2", &s, &l, &value]),
            1 => words(&[b"EVAL", SCRIPTS[1].as_bytes(), b"2", &s, &t]),
            2 => words(&[b"EVAL", SCRIPTS[2].as_bytes(), b"2", &h, &t, &value]),
            3 => words(&[b"EVAL", SCRIPTS[3].as_bytes(), b"1", &s, &value]),
            4..7 => {
                let code = LIBRARY.replace("{n}", &number);
                words(&[b"FUNCTION", b"LOAD", b"REPLACE", code.as_bytes()])
            }
            7 => words(&[b"FUNCTION", b"DELETE", format!("lib{number}").as_bytes()]),
            8 if rng.below(3) == 0 => words(&[b"FUNCTION", b"FLUSH"]),
            _ => words(&[b"FCALL", format!("f{number}").as_bytes(), b"2", &s, &l, &value]),
        }
    }

    fn fill(&self, form: &str, now_ms: u64, rng: &mut Rng) -> Words {
        form.split(' ').map(|word| self.word(word, now_ms, rng)).collect()
    }

    fn word(&self, word: &str, now_ms: u64, rng: &mut Rng) -> Vec<u8> {
        let Some(pool) = word.strip_prefix('{') else { return word.as_bytes().to_vec() };
        match pool.trim_end_matches('}') {
            "any" => {
                let types = b"slhtzxgp";
                self.key(types[rng.index(types.len())], rng)
            }
            "at" => (now_ms + rng.below(4000)).saturating_sub(500).to_string().into_bytes(),
            "f" => vec![b'f', b'1' + rng.below(5) as u8],
            "ms" => {
                let bound = 1 << rng.below(13);
                (1 + rng.below(bound)).to_string().into_bytes()
            }
            "n" => (rng.below(20) as i64 - 5).to_string().into_bytes(),
            "v" => self.value(rng),
            pool => self.key(pool.as_bytes()[0], rng),
        }
    }

    fn key(&self, kind: u8, rng: &mut Rng) -> Vec<u8> {
        if self.strays != 0 && rng.below(self.strays) == 0 {
            return vec![b's', b'1'];
        }
        vec![kind, b'1' + rng.below(3) as u8]
    }

    fn value(&self, rng: &mut Rng) -> Vec<u8> {
        let mut bytes = vec![0; rng.index(self.value_len_max + 1)];
        match rng.below(4) {
            // Bytes that would mean something where they do not belong.
            0 => {
                let pattern = b"\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n";
                let start = rng.index(pattern.len());
                let rest = pattern[start..].iter().cycle();
                bytes.iter_mut().zip(rest).for_each(|(byte, new)| *byte = *new);
            }
            1 => rng.fill(&mut bytes),
            _ => bytes.fill(b'a' + rng.below(3) as u8),
        }
        bytes
    }
}
