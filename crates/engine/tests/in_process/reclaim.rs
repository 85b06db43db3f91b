//! Large values are not freed under the lock of their shard, whatever makes them go.

use crate::world::{Client, World};
use engine::data::Reclaim;
use resp::Frame;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use store::{Database, Entry, Key};

const COUNT: usize = 30_000;

/// Counts the bytes that it was given.
struct Scales(Arc<AtomicUsize>);

impl Reclaim for Scales {
    fn reclaim(&self, _entry: Entry, bytes: usize) {
        self.0.fetch_add(bytes, Relaxed);
    }
    fn reclaim_database(&self, database: Database) {
        self.0.fetch_add(database.estimated_bytes(), Relaxed);
    }
    fn help(&self) {}
}

fn fill(client: &mut Client<'_>, kind: &str) {
    let texts: Vec<Vec<u8>> =
        (0..COUNT).map(|number| format!("element:{number:06}").into_bytes()).collect();
    let (command, before, after): (&[u8], &[&[u8]], &[&[u8]]) = match kind {
        "hash" => (b"HSET", &[], &[b"value"]),
        "list" => (b"RPUSH", &[], &[]),
        "set" => (b"SADD", &[], &[]),
        "zset" => (b"ZADD", &[b"1"], &[]),
        "stream" => {
            for number in 1..=COUNT {
                client.call(&format!("XADD k {number} field value"));
            }
            client.call("XGROUP CREATE k group 0");
            client.call(&format!("XREADGROUP GROUP group one COUNT {COUNT} STREAMS k >"));
            return;
        }
        kind => panic!("{kind}"),
    };
    let mut words: Vec<&[u8]> = vec![command, b"k"];
    for text in &texts {
        words.extend(before);
        words.push(text);
        words.extend(after);
    }
    client.call_words(&words);
}

/// Makes a large value at `k`, makes the call, and checks that nine tenths of what it freed, if not
/// all, was given away to be freed.
#[track_caller]
fn check(kinds: &[&str], lines: &[&str]) {
    for kind in kinds {
        for line in lines {
            let freed = Arc::<AtomicUsize>::default();
            let world = World::of(|parts| parts.reclaim = Box::new(Scales(Arc::clone(&freed))));
            let mut client = world.client();
            client.call("SADD small a");
            client.call("RPUSH list a");
            client.call("SET string 1");
            client.call("ZADD zset 1 a");
            fill(&mut client, kind);
            let before = bytes(&world);
            if line.starts_with("PEXPIRE") {
                client.call(line);
                world.clock.advance_ms(10);
                client.call("EXISTS k");
            } else if let Frame::Error(error) = client.call(line) {
                panic!("{kind}: {line}: {error:?}");
            }
            let gone = before - bytes(&world);
            assert!(100_000 < gone, "{kind}: {line}: {gone} of {before}");
            let freed = freed.load(Relaxed);
            assert!(
                gone / 10 * 9 <= freed && freed <= before / 8 * 9,
                "{kind}: {line}: {freed} of {gone}"
            );
        }
    }
}

/// Bytes of the value at `k`; none if there is no such key.
fn bytes(world: &World) -> usize {
    let keyspace = &world.engine.keyspace;
    let key = Key { bytes: b"k", hash: keyspace.hash(b"k") };
    let shard = keyspace.locks()[keyspace.shard_index(key.hash)].try_lock(0).unwrap();
    shard.data.database_ref(0).find(key).map_or(0, |entry| entry.memory_bytes())
}

#[test]
fn a_key_that_goes_or_is_replaced_is_freed_elsewhere() {
    check(
        &["hash", "list", "set", "stream", "zset"],
        &[
            "DEL k",
            "UNLINK k",
            "SET k v",
            "MSET string 2 k v",
            "RENAME string k",
            "COPY string k REPLACE",
            "SUNIONSTORE k small",
            "SINTERSTORE k small nothing",
            "ZUNIONSTORE k 1 zset",
            "ZRANGESTORE k zset 0 -1",
            "SORT list ALPHA STORE k",
            "BITOP NOT k string",
            "PEXPIRE k 1",
            "EXPIREAT k 1",
            "EVAL return(redis.call('del',KEYS[1])) 1 k",
            "FLUSHDB SYNC",
            "FLUSHALL ASYNC",
        ],
    );
}

#[test]
fn a_large_part_of_a_list_is_freed_elsewhere() {
    check(
        &["list"],
        &[
            "LTRIM k 1 0",
            "LTRIM k 0 9",
            "LTRIM k 15000 15003",
            "LPOP k 30000",
            "RPOP k 29990",
            "LMPOP 2 nothing k LEFT COUNT 100000",
            "SORT k BY nosort LIMIT 0 10 STORE k",
        ],
    );
}

#[test]
fn a_large_part_of_a_set_is_freed_elsewhere() {
    check(&["set"], &["SPOP k 29990", "SPOP k 28000", "SPOP k 30000"]);
}

#[test]
fn all_of_a_sorted_set_is_freed_elsewhere() {
    check(
        &["zset"],
        &[
            "ZREMRANGEBYRANK k 0 -1",
            "ZREMRANGEBYSCORE k -inf +inf",
            "ZREMRANGEBYLEX k - +",
            "ZPOPMIN k 30000",
            "ZMPOP 1 k MAX COUNT 30000",
        ],
    );
}

#[test]
fn a_large_part_of_a_stream_is_freed_elsewhere() {
    check(
        &["stream"],
        &[
            "XTRIM k MAXLEN 0",
            "XTRIM k MAXLEN 10",
            "XTRIM k MINID 29990",
            "XTRIM k MINID 40000",
            "XADD k MAXLEN 3 * field value",
            "XGROUP DESTROY k group",
        ],
    );
}
