//! What heavy clients do while the others are watched.

use std::time::Instant;

use super::{ACTION_SECONDS, Stage, Words, run, words};
use crate::process::Outcome;

const LARGE_LEN: usize = 50 << 20;
const SLOW_SCRIPT: &str = "local x = 0 for i = 1, ARGV[1] do x = x + i % 7 end \
                           return redis.call('SET', KEYS[1], x)";
const SCRIPT_STEPS: u64 = 10_000_000;
/// How long a rehearsal takes, so that it has begun when it is asked about.
const REHEARSAL_SECONDS: f64 = 1.0;
const MEMBERS: usize = 1_000_000;
const KEYS_AT_ONCE: usize = 500;

/// What the heavy clients do.
#[derive(Default)]
pub(super) struct Call {
    /// Of each client the words for the generator.
    pub(super) clients: Vec<Words>,
    /// Of each client that holds keys for long: what holds the same keys for a shorter time.
    pub(super) rehearsals: Vec<Words>,
}

impl Call {
    fn plain(line: &str) -> Self {
        Self { clients: vec![words(line)], rehearsals: Vec::new() }
    }

    /// Over and over, holding the key of the large set.
    fn on_large_set(line: &str) -> Self {
        let call = Self::plain(&format!("--duration {ACTION_SECONDS} {line}"));
        Self { rehearsals: vec![sleep_words(REHEARSAL_SECONDS, "members")], ..call }
    }
}

/// Something heavy that clients do.
pub(super) struct Action {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// Done before the probes start; what it returns is what the clients do then.
    pub(super) prepare: fn(&Stage<'_>) -> Outcome<Call>,
}

/// In the order in which they are done: the last leaves nothing.
pub(super) const ACTIONS: &[Action] = &[
    Action { name: "idle", label: "nothing", prepare: |_| Ok(Call::default()) },
    Action { name: "keys", label: "KEYS *", prepare: |_| Ok(Call::plain("-n 1 KEYS *")) },
    Action { name: "eval", label: "EVAL of 3 s", prepare: prepare_script },
    Action {
        name: "sleep",
        label: "DEBUG SLEEP 3 KEY k",
        prepare: |_| {
            let rehearsals = vec![sleep_words(REHEARSAL_SECONDS, "sleeper")];
            let clients = vec![sleep_words(f64::from(ACTION_SECONDS), "sleeper")];
            Ok(Call { clients, rehearsals })
        },
    },
    Action { name: "get", label: "GET of 50 MB, in a loop", prepare: prepare_large_value },
    Action {
        name: "set",
        label: "SET of 50 MB, in a loop",
        prepare: |_| {
            let set = format!("--duration {ACTION_SECONDS} -d {LARGE_LEN} SET large __data__");
            Ok(Call::plain(&set))
        },
    },
    Action {
        name: "smembers",
        label: "SMEMBERS of 1 M, in a loop",
        prepare: |stage| {
            fill_large_set(stage)?;
            Ok(Call::on_large_set("SMEMBERS members"))
        },
    },
    Action {
        name: "sort",
        label: "SORT of 1 M, in a loop",
        prepare: |stage| {
            fill_large_set(stage)?;
            Ok(Call::on_large_set("SORT members ALPHA LIMIT 0 10"))
        },
    },
    Action { name: "mget", label: "MGET of 500, in a loop", prepare: |_| Ok(many_keys()) },
    Action { name: "together", label: "five of these at once", prepare: prepare_together },
    Action {
        name: "load",
        label: "SET of new keys",
        prepare: |stage| {
            let count = stage.new_keys;
            let load = "-P 64 -d 8 --sequential SET grow:__rand_int__ __data__";
            Ok(Call::plain(&format!("-n {count} -r {count} {load}")))
        },
    },
    Action { name: "flushall", label: "FLUSHALL", prepare: |_| Ok(Call::plain("-n 1 FLUSHALL")) },
];

/// Finds how many steps take three seconds here.
fn prepare_script(stage: &Stage<'_>) -> Outcome<Call> {
    let script = |steps: u64| {
        let mut words = words("-n 1 EVAL");
        words.extend([SLOW_SCRIPT, "1", "{script}", &steps.to_string()].map(str::to_owned));
        words
    };
    let start = Instant::now();
    run(stage.generator, stage.server, &script(SCRIPT_STEPS))?;
    let seconds = start.elapsed().as_secs_f64().max(0.01);
    let steps = SCRIPT_STEPS as f64 * f64::from(ACTION_SECONDS) / seconds;
    // Not a shorter script: how long one takes is known too badly for that.
    let rehearsals = vec![sleep_words(REHEARSAL_SECONDS, "{script}")];
    Ok(Call { clients: vec![script(steps as u64)], rehearsals })
}

fn prepare_large_value(stage: &Stage<'_>) -> Outcome<Call> {
    let set = format!("-n 1 -d {LARGE_LEN} SET large __data__");
    run(stage.generator, stage.server, &words(&set))?;
    Ok(Call::plain(&format!("--duration {ACTION_SECONDS} GET large")))
}

fn fill_large_set(stage: &Stage<'_>) -> Outcome {
    let add = "-P 100 --sequential SADD members member:__rand_int__";
    run(stage.generator, stage.server, &words(&format!("-n {MEMBERS} -r {MEMBERS} {add}")))
}

fn many_keys() -> Call {
    let mut words = words(&format!("--duration {ACTION_SECONDS} -r 1000000 MGET"));
    words.extend(std::iter::repeat_n("key:__rand_int__".to_owned(), KEYS_AT_ONCE));
    Call { clients: vec![words], rehearsals: Vec::new() }
}

/// KEYS, a script, SMEMBERS, SORT and MGET. Two of them hold a key for long, the script's and the set.
fn prepare_together(stage: &Stage<'_>) -> Outcome<Call> {
    fill_large_set(stage)?;
    // MGET waits for the script's key, and with five clients on few cores the script takes long.
    let patience = words("-n 1 CONFIG SET busy-reply-threshold 60000");
    run(stage.generator, stage.server, &patience)?;
    let parts = [
        prepare_script(stage)?,
        Call::on_large_set("SMEMBERS members"),
        Call::on_large_set("SORT members ALPHA LIMIT 0 10"),
        many_keys(),
        Call::plain("-n 1 KEYS *"),
    ];
    let mut together = Call::default();
    for Call { clients, rehearsals } in parts {
        together.clients.extend(clients);
        together.rehearsals.extend(rehearsals);
    }
    Ok(together)
}

fn sleep_words(seconds: f64, key: &str) -> Words {
    words(&format!("-n 1 DEBUG SLEEP {seconds} KEY {key}"))
}
