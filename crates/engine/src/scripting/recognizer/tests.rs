//! Scripts that are accepted, and tricks that are not.

use super::names_its_keys;
use crate::commands;
use crate::table::CommandTable;

fn table() -> CommandTable {
    CommandTable::new(commands::FAMILIES)
}

fn check(scripts: &[&str], is_accepted: bool) {
    let table = table();
    for script in scripts {
        assert_eq!(names_its_keys(script.as_bytes(), &table), is_accepted, "{script}");
    }
}

#[test]
fn scripts_that_name_their_keys_are_accepted() {
    check(
        &[
            "return 1",
            "return redis.call('get', KEYS[1])",
            "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) \
             else return 0 end",
            "local key = KEYS[1] local call = redis.call return call('INCRBY', key, ARGV[1])",
            "local a, b = KEYS[1], KEYS[2] redis.call(\"rename\", a, b)",
            "for i, key in ipairs(KEYS) do redis.call('DEL', key) end",
            "for i = 1, #KEYS do redis.call('DEL', KEYS[i]) end",
            "return redis.call('DEL', unpack(KEYS))",
            "return redis.call('MGET', KEYS[1], unpack(KEYS, 2))",
            "return redis.call('ZUNIONSTORE', KEYS[1], #KEYS, unpack(KEYS))",
            "return redis.call('ZUNIONSTORE', KEYS[1], 2, KEYS[2], KEYS[3])",
            "return redis.call('MSET', KEYS[1], ARGV[1], KEYS[2], ARGV[2])",
            "return redis.call('HSET', KEYS[1], unpack(ARGV))",
            "return redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '$')",
            "return redis.call('PUBLISH', ARGV[1], KEYS[1] .. ':done')",
            "local function take(n) return redis.call('DECRBY', KEYS[1], n) end return take(2)",
            "local t = redis.call('TIME') return t[1] * 1000 + #ARGV[1]",
            "local ok, e = pcall(function() return redis.pcall('get', KEYS[1]) end) return e",
            "local h = {} h.x = 1 h['y'] = {a = 1, [2] = 3; 4} return cjson.encode(h)",
            "repeat local n = redis.call('INCR', KEYS[1]) until n == 3",
            "while true do break end do local x = -1 end return not (1 < 2)",
            "return redis.error_reply('x ' .. tostring(KEYS[1]))",
            "return redis.call('BITOP', 'AND', KEYS[1], KEYS[2], KEYS[3])",
            "return redis.call('object', 'encoding', (KEYS[1]))",
            "redis.call('set', KEYS[1], 'x', 'EX', 10) return ('x'):rep(3)",
        ],
        true,
    );
}

#[test]
fn any_doubt_means_no() {
    check(
        &[
            "return redis.call('get', 'literal')",
            "return redis.call('get', KEYS[1] .. ':x')",
            "return redis.call('get', ARGV[1])",
            "return redis.call(ARGV[1], KEYS[1])",
            "return redis.call('get', (unpack(KEYS)))",
            "return redis.call('get', KEYS[1] or 'x')",
            "return redis.call(unpack(ARGV))",
            "return redis.call('del', KEYS[1], unpack(ARGV))",
            "return redis.call('mget', KEYS[1], f())",
            "local key = KEYS[1] key = 'x' return redis.call('get', key)",
            "local key = KEYS[1] local function f() redis.call('get', key) end key = 'x' f()",
            "local key = KEYS[1] do local key = 'x' redis.call('get', key) end",
            "local key = 'x' return redis.call('get', key)",
            "local key, other = KEYS[1] return redis.call('get', other)",
            "local a = KEYS[1] local b = a a = 'x' return redis.call('get', b)",
            "local KEYS = ARGV return redis.call('get', KEYS[1])",
            "local function f(KEYS) return redis.call('get', KEYS[1]) end f({'x'})",
            "KEYS[1] = 'x' return redis.call('get', KEYS[1])",
            "KEYS = ARGV return 1",
            "local k = KEYS k[1] = 'x' return redis.call('get', KEYS[1])",
            "table.insert(KEYS, 'x') return redis.call('get', KEYS[1])",
            "rawset(KEYS, 1, 'x') return redis.call('get', KEYS[1])",
            "for _, t in pairs({KEYS}) do t[1] = 'x' end return redis.call('get', KEYS[1])",
            "for key in pairs(KEYS) do redis.call('get', key) end",
            "for _, key in ipairs(ARGV) do redis.call('get', key) end",
            "for _, key in ipairs(KEYS) do key = 'x' redis.call('get', key) end",
            "local r = redis return r.call('get', 'x')",
            "return pcall(redis.call, 'get', 'x')",
            "local c = {redis.call} return c[1]('get', 'x')",
            "local c, d = redis.call, redis.pcall return d('get', 'x')",
            "local c = redis.call c = c return c('get', KEYS[1])",
            "return redis['call']('get', 'x')",
            "return (redis.call)('get', 'x')",
            "return redis.call{'get'}",
            "return loadstring('return redis.call(\"get\", \"x\")')()",
            "return _G['redis'].call('get', 'x')",
            "return getfenv().redis.call('get', 'x')",
            "setmetatable(KEYS, {__index = function() return 'x' end})",
            "return redis.call('keys', '*')",
            "return redis.call('sort', KEYS[1], 'BY', 'x_*')",
            "return redis.call('eval', 'return 1', 0)",
            "return redis.call('ZUNIONSTORE', KEYS[1], ARGV[1], KEYS[2])",
            "return redis.call('ZUNIONSTORE', KEYS[1], #KEYS, KEYS[2], unpack(ARGV))",
            "return redis.call('ZUNIONSTORE', KEYS[1], #KEYS, unpack(KEYS), ARGV[1])",
            "return redis.call('xread', 'STREAMS', KEYS[1], '0')",
            "return redis.call('g\\101t', 'x')",
            "return redis.call('nosuch', KEYS[1])",
            "return redis.acl_check_cmd('get', KEYS[1])",
            "function f() end",
            "return 'unfinished",
            "x = 1",
        ],
        false,
    );
}

#[test]
fn what_is_deep_or_long_is_refused_and_ends() {
    let table = table();
    let deep = format!("return {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(!names_its_keys(deep.as_bytes(), &table));
    let blocks = format!("{}{}", "do ".repeat(1000), "end ".repeat(1000));
    assert!(!names_its_keys(blocks.as_bytes(), &table));
    assert!(!names_its_keys(&vec![b' '; 1 << 20], &table));
    assert!(!names_its_keys(b"return '\xff'", &table));
}
