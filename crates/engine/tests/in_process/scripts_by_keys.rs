//! Scripts made at random, to trick the recognizer: one that it accepts must not touch a key that it was
//! not given, and must do what it does when it runs alone.

use crate::world::{Client, World};
use base::rand::Rng;
use engine::scripting;

const SCRIPTS: usize = 4_000;

/// Makes it do nothing else, and be refused by the recognizer.
const ALONE: &str = "local _ = loadstring ";

/// Many shards, so that a wrong key is in another one.
fn world() -> World {
    World::of(|parts| parts.shards = 1024)
}

fn ask(client: &mut Client<'_>, arguments: &[&str]) -> String {
    let words: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
    let bytes = client.bytes(&words);
    let bytes = bytes.unwrap_or_else(|| panic!("{arguments:?} waits"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes scripts. The parts fit together in ways that Lua accepts; most also run without an error.
struct Author {
    rng: Rng,
    /// Statements that may still be written.
    left: usize,
}

impl Author {
    fn one_of(&mut self, choices: &[&str]) -> String {
        choices[self.rng.below(choices.len() as u64) as usize].to_owned()
    }

    fn script(&mut self) -> String {
        self.left = 2 + self.rng.below(6) as usize;
        let mut text = String::new();
        if self.rng.below(3) == 0 {
            text += "local c = redis.call ";
        } else {
            text += "local c = function(...) return 1 end ";
        }
        text += "local a, b = KEYS[1], KEYS[2] local k = KEYS[1] ";
        text += &self.block();
        text + "return {tostring(a), tostring(b), #KEYS}"
    }

    fn block(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..=self.rng.below(3) {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            text += &self.statement();
            text.push(' ');
        }
        text
    }

    fn statement(&mut self) -> String {
        match self.rng.below(16) {
            0..=5 => self.call(),
            6 => format!("do local k = {} {} end", self.key(), self.block()),
            7 => format!("for i, k in ipairs({}) do {} end", self.list(), self.block()),
            8 => format!("local function f(k) {} end f({})", self.block(), self.key()),
            9 => format!("pcall(function() {} end)", self.block()),
            10 => format!("if {} then {} else {} end", self.key(), self.block(), self.block()),
            11 => format!("for i = 1, 2 do {} end", self.block()),
            12 => format!("local k, a = {}, {}", self.key(), self.key()),
            13 => self.trick(),
            14 => format!("repeat local b = {} {} until true", self.key(), self.block()),
            _ => format!("local t = {{{}, x = {}}}", self.key(), self.key()),
        }
    }

    fn call(&mut self) -> String {
        let function = self.one_of(&["redis.call", "redis.pcall", "redis.call", "c"]);
        let arguments = match self.rng.below(10) {
            0 => format!("'set', {}, 'x'", self.key()),
            1 => format!("'get', {}", self.key()),
            2 => format!("'del', {}, {}", self.key(), self.rest()),
            3 => format!("'mset', {}, 'x', {}, {}", self.key(), self.key(), self.rest()),
            4 => format!("'rename', {}, {}", self.key(), self.key()),
            5 => format!("'sunionstore', {}, {}", self.key(), self.rest()),
            6 => format!("'zunionstore', {}, {}", self.key(), self.counted()),
            7 => format!("'bitop', 'not', {}, {}", self.key(), self.key()),
            8 => format!("'sort', {}, 'store', {}", self.key(), self.key()),
            _ => format!("'eval', 'return 1', 1, {}", self.key()),
        };
        format!("{function}({arguments})")
    }

    fn counted(&mut self) -> String {
        match self.rng.below(4) {
            0 => format!("2, {}, {}", self.key(), self.key()),
            1 => format!("#KEYS, {}", self.rest()),
            2 => format!("1, {}, 'weights', '2'", self.key()),
            _ => format!("{}, {}, {}", self.key(), self.key(), self.key()),
        }
    }

    fn rest(&mut self) -> String {
        let mut choices = vec!["unpack(KEYS)", "unpack(KEYS, 2)", "unpack(ARGV)", "(unpack(KEYS))"];
        choices.extend(["ARGV[1], unpack(KEYS)", "unpack(KEYS), ARGV[1]", "unpack({KEYS[1]})"]);
        if self.rng.below(2) == 0 { self.one_of(&choices) } else { self.key() }
    }

    fn list(&mut self) -> String {
        self.one_of(&["KEYS", "KEYS", "ARGV", "{KEYS[1], ARGV[1]}", "{unpack(KEYS)}"])
    }

    fn key(&mut self) -> String {
        let plain = ["KEYS[1]", "KEYS[2]", "KEYS[#KEYS]", "a", "b", "k", "(KEYS[1])"];
        let odd = ["ARGV[1]", "'other'", "KEYS[1] .. 'x'", "KEYS[1] or 'x'", "KEYS['1']", "#KEYS"];
        let odder = ["tostring(KEYS[1])", "-1", "not a", "(a .. b)", "KEYS[1]:upper()", "nil"];
        match self.rng.below(12) {
            0 => self.one_of(&odd),
            1 => self.one_of(&odder),
            _ => self.one_of(&plain),
        }
    }

    fn trick(&mut self) -> String {
        self.one_of(&[
            "a = 'other'",
            "k, b = 'other', a",
            "a, b = b, a",
            "local KEYS = ARGV",
            "local KEYS = {'other', 'one'}",
            "local redis = {call = c}",
            "KEYS[1] = 'other'",
            "local t = KEYS t[1] = 'other'",
            "table.insert(KEYS, 1, 'other')",
            "local function g() a = 'other' end g()",
            "local c = redis.call c('get', 'other')",
            "local d = redis d.call('set', 'other', 1)",
            "pcall(redis.call, 'set', 'other', 1)",
            "for i, a in ipairs(KEYS) do a = 'other' c('del', a) end",
            "rawset(KEYS, 1, 'other')",
            "setmetatable(KEYS, {__index = function() return 'other' end})",
            "string.format('%s', KEYS[1])",
            "local ipairs = function() return next, {'other'} end",
            "local unpack = function() return 'other' end",
            "redis.call('get', [[other]])",
            "--[[ a = 'other' ]]",
            "-- redis.call('get', 'other')\n",
        ])
    }
}

#[test]
fn what_the_recognizer_accepts_touches_no_other_keys() {
    let (beside, alone) = (world(), world());
    let (mut beside_client, mut alone_client) = (beside.client(), alone.client());
    let mut author = Author { rng: Rng::new(0x5c21_97a1), left: 0 };
    let mut accepted = 0;
    for number in 0..SCRIPTS {
        let text = author.script();
        let sha1 = ask(&mut beside_client, &["SCRIPT", "LOAD", &text]);
        let digest = sha1.get(5..45).and_then(|sha1| scripting::parse_digest(sha1.as_bytes()));
        let digest = digest.unwrap_or_else(|| panic!("script {number} is no Lua: {sha1}\n{text}"));
        let script = beside.engine.scripts.find(&digest).unwrap();
        if !script.names_its_keys() {
            continue;
        }
        accepted += 1;
        for (key, kind) in [("key:1", "one"), ("key:2", "two")] {
            for one in [&mut beside_client, &mut alone_client] {
                ask(one, &["DEL", key]);
                ask(one, &["RPUSH", key, kind]);
            }
        }
        let arguments = ["2", "key:1", "key:2", "argument"];
        let sha1 = String::from_utf8_lossy(&digest).into_owned();
        let own = ask(&mut beside_client, &[&["EVALSHA", &sha1], &arguments[..]].concat());
        let text_alone = format!("{ALONE}{text}");
        let twin = ask(&mut alone_client, &[&["EVAL", &text_alone], &arguments[..]].concat());
        assert!(script.names_its_keys(), "script {number} has strayed:\n{text}");
        let without_place = |reply: &str| reply.split(" script: ").next().unwrap().to_owned();
        assert_eq!(without_place(&own), without_place(&twin), "script {number}:\n{text}");
        let digests =
            [&mut beside_client, &mut alone_client].map(|one| ask(one, &["DEBUG", "DIGEST"]));
        assert_eq!(digests[0], digests[1], "script {number}:\n{text}");
    }
    assert!(SCRIPTS / 10 < accepted, "{accepted} of {SCRIPTS} were accepted");
}
