//! Values that one server dumps and another restores, there and back.
//!
//! A value of a random type and size is made on one server by ordinary commands. What DUMP gives goes
//! to the other server's RESTORE, and what that dumps comes back. DEBUG DIGEST-VALUE, and of
//! streams what can be asked about their groups, must be the same everywhere.

use std::path::PathBuf;

use base::rand::Rng;

use crate::frame::Frame;
use crate::target::launch::Server;
use crate::target::socket::SocketTarget;
use crate::target::{Link, Received, Target, WAIT, request};

/// Elements that one command adds.
const ELEMENTS_PER_CALL: usize = 500;
/// After so many differences the run ends: they will be the same.
const FAILURES_MAX: u64 = 5;
/// Numbers of elements: below and above the limits of the small forms, and far beyond them.
const SIZES: [usize; 12] = [1, 2, 7, 40, 127, 128, 129, 511, 512, 513, 1500, 6000];

pub struct Plan {
    pub server: PathBuf,
    pub reference: PathBuf,
    pub seed: u64,
    pub count: u64,
}

pub struct Count {
    pub passed: u64,
    pub failed: u64,
}

type Words = Vec<Vec<u8>>;

/// Makes and moves the values, and prints every difference.
///
/// # Errors
/// When a server does not start or goes away.
#[allow(clippy::print_stdout, reason = "what it finds is for the terminal")]
pub fn run(plan: &Plan) -> Result<Count, String> {
    println!("dumps: --seed {} --count {}", plan.seed, plan.count);
    let theirs = Server::start(&plan.reference, &[])?;
    let mut reference = SocketTarget::new(theirs.port)?;
    let dialect = reference.identity().name.clone();
    let ours = Server::start(&plan.server, &["dialect".to_owned(), dialect])?;
    let mut links = [SocketTarget::new(ours.port)?.open()?, reference.open()?];
    let ports = [ours.port, theirs.port];
    let names = ["ours", "theirs"];
    let mut count = Count { passed: 0, failed: 0 };
    let times_fields = has_command(links[1].as_mut(), "HPEXPIREAT")?;
    for seed in plan.seed..plan.seed + plan.count {
        let mut rng = Rng::new(seed);
        let from = (seed % 2) as usize;
        let value = value(&mut rng, times_fields);
        match carry(&mut links, ports, from, &value, times_fields)? {
            None => count.passed += 1,
            Some(difference) => {
                let (from, about) = (names[from], shown(&value));
                println!("\nwith --seed {seed} --count 1, from {from}: {about}\n{difference}");
                count.failed += 1;
            }
        }
        if count.failed == FAILURES_MAX {
            break;
        }
    }
    Ok(count)
}

/// Makes the value on one server and carries it to the other and back. Says what differs.
fn carry(
    links: &mut [Box<dyn Link>; 2],
    ports: [u16; 2],
    from: usize,
    value: &[Words],
    times_fields: bool,
) -> Result<Option<String>, String> {
    for link in links.iter_mut() {
        link.call(&["FLUSHALL"])?;
    }
    for words in value {
        let reply = call(links[from].as_mut(), words)?;
        if reply.is_error() {
            return Ok(Some(format!("{} refused: {reply:?}", shown(std::slice::from_ref(words)))));
        }
    }
    let made = facts(links[from].as_mut(), "k", times_fields)?;
    for (giver, taker, key) in [(from, 1 - from, "k"), (1 - from, from, "back")] {
        let Frame::Bulk(bytes) = links[giver].call(&["DUMP", "k"])? else {
            return Ok(Some("there is nothing to dump".to_owned()));
        };
        let words = [b"RESTORE".to_vec(), key.into(), b"0".to_vec(), bytes.clone()];
        let reply = call(links[taker].as_mut(), &words)?;
        if reply != Frame::Simple(b"OK".to_vec()) {
            return Ok(Some(format!("RESTORE: {reply:?} for {}", bytes.escape_ascii())));
        }
        let restored = facts(links[taker].as_mut(), key, times_fields)?;
        if made != restored {
            let [made, restored] = [made, restored].map(|facts| format!("{facts:?}"));
            return Ok(Some(format!("made:     {made}\nrestored: {restored}")));
        }
    }
    migrate(links, ports, from, &made, times_fields)
}

/// Moves the value to the other server, where it is already, by MIGRATE. Says what differs.
fn migrate(
    links: &mut [Box<dyn Link>; 2],
    ports: [u16; 2],
    from: usize,
    made: &[Frame],
    times_fields: bool,
) -> Result<Option<String>, String> {
    let port = ports[1 - from].to_string();
    let words = ["MIGRATE", "127.0.0.1", &port, "back", "0", "10000"];
    let reply = links[from].call(&words)?;
    let left = links[from].call(&["EXISTS", "back"])?;
    if (&reply, &left) != (&Frame::Simple(b"OK".to_vec()), &Frame::Integer(0)) {
        return Ok(Some(format!("MIGRATE: {reply:?}, and {left:?} is left")));
    }
    let moved = facts(links[1 - from].as_mut(), "back", times_fields)?;
    Ok((moved != made).then(|| format!("made:  {made:?}\nmoved: {moved:?}")))
}

/// All that must be the same on both servers.
pub(crate) fn facts(
    link: &mut (dyn Link + 'static),
    key: &str,
    times_fields: bool,
) -> Result<Vec<Frame>, String> {
    let kind = link.call(&["TYPE", key])?;
    let mut facts = vec![link.call(&["DEBUG", "DIGEST-VALUE", key])?];
    if kind == Frame::Simple(b"hash".to_vec()) && times_fields {
        facts.extend(field_deadlines(link, key)?);
    }
    if kind == Frame::Simple(b"stream".to_vec()) {
        for field in ["length", "last-generated-id", "max-deleted-entry-id", "entries-added"] {
            let reply = link.call(&["XINFO", "STREAM", key])?;
            facts.push(field_of(&reply, field));
        }
        facts.push(link.call(&["XINFO", "GROUPS", key])?);
        for group in ["g0", "g1"] {
            facts.push(link.call(&["XPENDING", key, group])?);
        }
    }
    facts.push(kind);
    Ok(facts)
}

/// The fields of a hash in order, each with its deadline.
fn field_deadlines(link: &mut (dyn Link + 'static), key: &str) -> Result<Vec<Frame>, String> {
    let Frame::Array(fields) = link.call(&["HKEYS", key])? else { return Ok(Vec::new()) };
    let mut fields: Words =
        fields.iter().filter_map(|field| field.text().map(<[u8]>::to_vec)).collect();
    fields.sort();
    let head = ["HPEXPIRETIME", key, "FIELDS", &fields.len().to_string()].map(str::to_owned);
    let head = head.into_iter().map(String::into_bytes);
    let deadlines = call(link, &head.chain(fields.clone()).collect::<Words>())?;
    Ok(fields.into_iter().map(Frame::Bulk).chain([deadlines]).collect())
}

/// What stands behind this name in a map that comes as an array.
fn field_of(reply: &Frame, name: &str) -> Frame {
    let Frame::Array(items) = reply else { return Frame::Null };
    let mut pairs = items.chunks_exact(2);
    let found = pairs.find(|pair| pair[0].text() == Some(name.as_bytes()));
    found.map_or(Frame::Null, |pair| pair[1].clone())
}

pub(crate) fn has_command(link: &mut (dyn Link + 'static), name: &str) -> Result<bool, String> {
    let Frame::Array(found) = link.call(&["COMMAND", "INFO", name])? else { return Ok(false) };
    Ok(matches!(found.first(), Some(Frame::Array(_))))
}

pub(crate) fn call(link: &mut (dyn Link + 'static), words: &[Vec<u8>]) -> Result<Frame, String> {
    link.send(&request(words))?;
    match link.receive(WAIT)? {
        Received::Frame(frame) => Ok(frame),
        Received::Closed | Received::Nothing => Err("no reply".to_owned()),
    }
}

fn shown(value: &[Words]) -> String {
    let text = value.concat().join(&b' ').escape_ascii().to_string();
    let cut: String = text.chars().take(300).collect();
    format!("{} commands, {cut}…", value.len())
}

/// The commands that make a value at `k`.
pub(crate) fn value(rng: &mut Rng, times_fields: bool) -> Vec<Words> {
    let taste = Taste::draw(rng);
    let size = SIZES[rng.index(SIZES.len())];
    match rng.below(7) {
        0 => vec![words(["SET", "k"], vec![taste.text(rng, 0)])],
        1 => calls(["RPUSH", "k"], size, |index| vec![taste.text(rng, index)]),
        2 => calls(["SADD", "k"], size, |index| vec![taste.text(rng, index)]),
        3 => calls(["ZADD", "k"], size, |index| vec![score(rng), taste.text(rng, index)]),
        4 => stream(rng, taste, size.min(600)),
        5 if times_fields => timed_hash(rng, taste, size),
        _ => calls(["HSET", "k"], size, |index| vec![taste.text(rng, index), taste.text(rng, 0)]),
    }
}

fn timed_hash(rng: &mut Rng, taste: Taste, size: usize) -> Vec<Words> {
    let fields: Vec<Vec<u8>> = (0..size).map(|index| taste.text(rng, index)).collect();
    let mut value = calls(["HSET", "k"], size, |index| vec![fields[index].clone(), b"v".to_vec()]);
    for field in &fields {
        if rng.below(2) == 0 {
            // Far enough that no reference's clock will be there.
            let deadline = (4_000_000_000_000 + rng.below(1 << 40)).to_string();
            let rest = vec![deadline.into(), b"FIELDS".to_vec(), b"1".to_vec(), field.clone()];
            value.push(words(["HPEXPIREAT", "k"], rest));
        }
    }
    value
}

fn stream(rng: &mut Rng, taste: Taste, size: usize) -> Vec<Words> {
    let mut value = Vec::new();
    let names: Vec<Vec<u8>> = (0..1 + rng.index(3)).map(|index| taste.text(rng, index)).collect();
    let id = |index: usize| format!("{}-{}", 1 + index / 3, index % 3);
    for index in 0..size {
        let mut rest = vec![id(index).into_bytes()];
        for name in &names {
            let has_own = rng.below(8) == 0;
            rest.push(if has_own { taste.text(rng, 9) } else { name.clone() });
            rest.push(taste.text(rng, index));
        }
        value.push(words(["XADD", "k"], rest));
    }
    for group in ["g0", "g1"] {
        let from = if rng.below(2) == 0 { "0".to_owned() } else { id(rng.index(size)) };
        let rest = [group, &from].map(|word| word.as_bytes().to_vec()).to_vec();
        value.push(words(["XGROUP", "CREATE", "k"], rest));
        for consumer in ["alice", "bob"] {
            let count = (1 + rng.below(20)).to_string();
            let rest = [group, consumer, "COUNT", &count, "STREAMS", "k", ">"];
            value
                .push(words(["XREADGROUP", "GROUP"], rest.map(|w| w.as_bytes().to_vec()).to_vec()));
        }
    }
    for _ in 0..rng.below(5) {
        value.push(words(["XDEL", "k"], vec![id(rng.index(size)).into_bytes()]));
        let rest = vec![b"g0".to_vec(), id(rng.index(size)).into_bytes()];
        value.push(words(["XACK", "k"], rest));
    }
    value
}

/// Commands that each add some of `size` elements.
fn calls<const HEAD: usize>(
    head: [&str; HEAD],
    size: usize,
    mut element: impl FnMut(usize) -> Words,
) -> Vec<Words> {
    let starts = (0..size).step_by(ELEMENTS_PER_CALL);
    starts
        .map(|start| {
            let indices = start..size.min(start + ELEMENTS_PER_CALL);
            words(head, indices.flat_map(&mut element).collect())
        })
        .collect()
}

fn words<const HEAD: usize>(head: [&str; HEAD], rest: Words) -> Words {
    head.into_iter().map(|word| word.as_bytes().to_vec()).chain(rest).collect()
}

fn score(rng: &mut Rng) -> Vec<u8> {
    match rng.below(6) {
        0 => b"inf".to_vec(),
        1 => b"-inf".to_vec(),
        // Of few binary digits: servers agree on how these are printed.
        2 => (rng.below(1 << 20) as f64 / 16.0).to_string().into_bytes(),
        3 => format!("-{}", (1 + rng.below(1000)) << 40).into_bytes(),
        _ => rng.below(10).to_string().into_bytes(),
    }
}

/// What the texts of one value are like.
#[derive(Clone, Copy)]
enum Taste {
    Bytes,
    Integers,
    Long,
    Mixed,
    Short,
}

impl Taste {
    fn draw(rng: &mut Rng) -> Self {
        [Self::Bytes, Self::Integers, Self::Long, Self::Mixed, Self::Short][rng.index(5)]
    }

    /// A text; those of different numbers differ, as a rule.
    fn text(self, rng: &mut Rng, number: usize) -> Vec<u8> {
        match self {
            Self::Bytes => (0..rng.below(70)).map(|_| rng.next_u64() as u8).collect(),
            Self::Integers => {
                let bits = 1 + rng.below(63);
                ((rng.next_u64() >> bits) as i64 - (1 << (62 - bits.min(62)))).to_string().into()
            }
            Self::Long => {
                let len = [65, 300, 5000][rng.index(3)] / (1 + number / 64);
                format!("{number}-{}", "abcdefgh".repeat(len / 8)).into()
            }
            Self::Short => format!("e{number}").into(),
            Self::Mixed => {
                let taste = [Self::Bytes, Self::Integers, Self::Long, Self::Short][rng.index(4)];
                taste.text(rng, number)
            }
        }
    }
}
