//! Scripts, run in process: what they see, what they return, and how they fail.

use crate::world::World;

fn check(calls: &[(&[&str], &str)]) {
    let world = World::new();
    let mut client = world.client();
    for (arguments, expected) in calls {
        let words: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
        let bytes = client.bytes(&words).expect("one client alone never waits");
        assert_eq!(String::from_utf8_lossy(&bytes), *expected, "{arguments:?}");
    }
}

#[test]
fn values_become_replies() {
    check(&[
        (&["EVAL", "return 1.9", "0"], ":1\r\n"),
        (&["EVAL", "return 'x'", "0"], "$1\r\nx\r\n"),
        (&["EVAL", "return nil", "0"], "$-1\r\n"),
        (&["EVAL", "return false", "0"], "$-1\r\n"),
        (&["EVAL", "return true", "0"], ":1\r\n"),
        (&["EVAL", "return {1,'a',{2},nil,3}", "0"], "*3\r\n:1\r\n$1\r\na\r\n*1\r\n:2\r\n"),
        (&["EVAL", "return {ok='fine'}", "0"], "+fine\r\n"),
        (&["EVAL", "return {KEYS[1],ARGV[1]}", "1", "k", "v"], "*2\r\n$1\r\nk\r\n$1\r\nv\r\n"),
        (&["EVAL", "return redis.error_reply('My Err')", "0"], "-My Err\r\n"),
        (
            &["EVAL", "return redis.sha1hex('')", "0"],
            "$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n",
        ),
    ]);
}

#[test]
fn calls_reach_the_data() {
    let compare = "if redis.call('get',KEYS[1]) == ARGV[1] then \
                   return redis.call('delifeq',KEYS[1],ARGV[1]) else return 0 end";
    check(&[
        (&["EVAL", "return redis.call('set','k','v')", "0"], "+OK\r\n"),
        (&["GET", "k"], "$1\r\nv\r\n"),
        (&["EVAL", "return redis.call('get','none')", "0"], "$-1\r\n"),
        (&["EVAL", "return redis.call('get','none') == false", "0"], ":1\r\n"),
        (&["EVAL", compare, "1", "k", "v"], ":1\r\n"),
        (&["EVAL", compare, "1", "k", "v"], ":0\r\n"),
        (&["EVAL", "return redis.call('incrby','n',5)", "0"], ":5\r\n"),
        (
            &["EVAL", "return redis.pcall('incrby','n','x')['err']", "0"],
            "$43\r\nERR value is not an integer or out of range\r\n",
        ),
    ]);
}

#[test]
fn long_replies_are_whole() {
    let world = World::new();
    let mut client = world.client();
    client.call("HELLO 3");
    let script: &[u8] = b"local t = {} for i = 1, 20000 do t[i] = 'x' end return t";
    let resp::Frame::Array(items) = client.call_words(&[b"EVAL", script, b"0"]) else {
        panic!("a table is an array")
    };
    assert_eq!(items.len(), 20_000);
    let script: &[u8] = b"local t = {} for i = 1, 20000 do t[i] = 'x' end return {map = t}";
    let resp::Frame::Map(pairs) = client.call_words(&[b"EVAL", script, b"0"]) else {
        panic!("this table is a map")
    };
    assert_eq!(pairs.len(), 20_000);
}

#[test]
fn replies_may_be_nested_as_deep_as_the_stack_goes() {
    let world = World::new();
    let mut client = world.client();
    let mut run = |inner: &str, levels: usize| {
        let text = format!(
            "local top = {{}} local t = top for _ = 2, {levels} do local u = {{}} {inner} t = u end \
             return top"
        );
        client.bytes(&[b"EVAL", text.as_bytes(), b"0"]).unwrap()
    };
    let refusal = b"-ERR reached lua stack limit\r\n";
    for (inner, levels, level) in [
        ("t[1] = u", 7_900, "*1\r\n"),
        ("t.map = {x = u}", 2_600, "*2\r\n$1\r\nx\r\n"),
        ("t.set = {[u] = true}", 2_600, "*1\r\n"),
    ] {
        assert_eq!(run(inner, levels), [level.repeat(levels - 1).as_bytes(), b"*0\r\n"].concat());
        assert_eq!(run(inner, levels + 100), refusal, "{inner}");
        assert_eq!(run(inner, 200_000), refusal, "{inner}");
    }
    // A table in itself, and twice in itself.
    assert_eq!(run("t[1] = t", 2), refusal);
    assert_eq!(run("t[1] = t t[2] = t", 2), refusal);
}

#[test]
fn a_script_that_eats_memory_ends_and_leaves_nothing() {
    const HOG: &str = "local t = {} while true do t[#t + 1] = string.rep('x', 2^22) .. #t end";
    let world = World::new();
    let mut client = world.client();
    let mut run = |script: &str| {
        let bytes = client.bytes(&[b"EVAL", script.as_bytes(), b"0"]).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let refusal = run(HOG);
    assert!(refusal.starts_with("-ERR ") && refusal.contains("not enough memory"), "{refusal}");
    assert_eq!(run("return collectgarbage('count') < 10000"), ":1\r\n");
    let caught = run(&format!("return select(2, pcall(function() {HOG} end))"));
    assert_eq!(caught, "$17\r\nnot enough memory\r\n");
}

#[test]
fn broken_messages_are_refused() {
    // Every beginning of a message with one of everything, and everything behind a wrong byte.
    let script = "local whole = cmsgpack.pack({1, -1, 300, -300, 2^40, 0.5, 0.1, 'text', true, false, \
                  {a = {b = {}}}, string.rep('x', 40), string.rep('y', 300)}) \
                  local refused = 0 \
                  local function read(text) return (cmsgpack.unpack(text)) end \
                  for len = 1, #whole - 1 do \
                    if not pcall(read, string.sub(whole, 1, len)) then refused = refused + 1 end \
                  end \
                  for at = 1, #whole do for _, byte in ipairs({0, 127, 193, 201, 220, 223, 255}) do \
                    pcall(read, string.sub(whole, 1, at - 1) .. string.char(byte) \
                      .. string.sub(whole, at + 1)) \
                  end end \
                  return refused == #whole - 1";
    check(&[(&["EVAL", script, "0"], ":1\r\n")]);
}

#[test]
fn broken_json_is_refused() {
    let script = r#"local whole = '{"a":[1,-2.5e3,"t\u00e9\n",true,false,null,{"b":{}}],"c":"d"}'
                    local refused = 0
                    for len = 1, #whole - 1 do
                      if not pcall(cjson.decode, string.sub(whole, 1, len)) then
                        refused = refused + 1
                      end
                    end
                    for at = 1, #whole do for byte = 0, 255 do
                      pcall(cjson.decode, string.sub(whole, 1, at - 1) .. string.char(byte)
                        .. string.sub(whole, at + 1))
                    end end
                    return refused == #whole - 1"#;
    check(&[(&["EVAL", script, "0"], ":1\r\n")]);
}

#[test]
fn what_libraries_write_they_read() {
    let script = "local values = {0, -1, 1.5, 'text', true, {}, {1, 2, {3}}, {a = {b = 'c'}}, 2^40} \
                  for _, value in ipairs(values) do \
                    local packed = cmsgpack.pack(value) \
                    if packed ~= cmsgpack.pack(cmsgpack.unpack(packed)) then return packed end \
                    local text = cjson.encode(value) \
                    if text ~= cjson.encode(cjson.decode(text)) then return text end \
                  end \
                  return 1";
    check(&[(&["EVAL", script, "0"], ":1\r\n")]);
}

#[test]
fn one_script_sees_nothing_of_another() {
    check(&[
        (&["EVAL", "return cjson.encode_number_precision(3)", "0"], ":3\r\n"),
        (&["EVAL", "return cjson.encode_number_precision()", "0"], ":14\r\n"),
        (&["EVAL", "return getmetatable(cjson.decode('[]'))", "0"], "$-1\r\n"),
        (
            &[
                "EVAL",
                "cjson.decode_array_with_array_mt(true) \
                 local t = cjson.decode('[]') return {cjson.encode(t), cjson.encode({})}",
                "0",
            ],
            "*2\r\n$2\r\n[]\r\n$2\r\n{}\r\n",
        ),
    ]);
}

#[test]
fn patterns_that_would_exhaust_the_stack_are_refused() {
    let script = "return {pcall(string.find, string.rep('a', 100000), string.rep('a?', 100000)), \
                  string.find(string.rep('a', 10000) .. 'b', string.rep('a', 5000) .. 'b'), \
                  select(2, pcall(function() return (('x'):match(string.rep('x*', 5000))) end))}";
    check(&[(
        &["EVAL", script, "0"],
        "*3\r\n$-1\r\n:5001\r\n$34\r\nuser_script:1: pattern too complex\r\n",
    )]);
}
