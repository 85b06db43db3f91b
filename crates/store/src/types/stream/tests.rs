//! Random calls against naive twins, with frozen views that must not change.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;

type Text = Vec<u8>;
type Pairs = Vec<(Text, Text)>;

#[derive(Clone, Debug)]
enum Call {
    Acknowledge(u8, usize),
    Append(u64, u64, Pairs),
    Assign(u8, u8, usize),
    CreateGroup(u8, usize),
    Delete(usize, References),
    Freeze,
    GiveBack(u8, usize),
    Idle(u8, usize),
    ReadGroup(u8, u8, usize, bool),
    RemoveConsumer(u8, u8),
    RemoveGroup(u8),
    Trim(Bound, bool, u64, References),
}

/// How far to trim: to a length, or to the id at a place.
#[derive(Clone, Debug)]
enum Bound {
    Len(u64),
    Place(usize),
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        4 => (0..3_u8).prop_map(|n| vec![b'a' + n]),
        2 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        2 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => proptest::collection::vec(any::<u8>(), 100..400),
    ]
}

fn references() -> impl Strategy<Value = References> {
    prop_oneof![
        1 => Just(References::Acknowledged),
        1 => Just(References::Delete),
        2 => Just(References::Keep)
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let place = 0..64_usize;
    let names = (0..2_u8, 0..3_u8);
    let pairs = proptest::collection::vec((text(), text()), 1..3);
    let same = text().prop_map(|value| vec![(b"field".to_vec(), value)]);
    let step = prop_oneof![4 => Just((0_u64, 1_u64)), 1 => (0..1000_u64, 0..3_u64)];
    let bound = prop_oneof![(0..64_u64).prop_map(Bound::Len), place.clone().prop_map(Bound::Place)];
    prop_oneof![
        24 => (step, prop_oneof![3 => same, 1 => pairs])
            .prop_map(|((ms, seq), pairs)| Call::Append(ms, seq, pairs)),
        6 => (place.clone(), references()).prop_map(|(place, refs)| Call::Delete(place, refs)),
        2 => (bound, any::<bool>(), 0..20_u64, references())
            .prop_map(|(bound, is_approximate, limit, refs)| {
                Call::Trim(bound, is_approximate, limit, refs)
            }),
        2 => Just(Call::Freeze),
        2 => (0..2_u8, place.clone()).prop_map(|(group, place)| Call::CreateGroup(group, place)),
        1 => (0..2_u8).prop_map(Call::RemoveGroup),
        8 => (names.clone(), 1..20_usize, any::<bool>())
            .prop_map(|((group, name), count, ack)| Call::ReadGroup(group, name, count, ack)),
        4 => (0..2_u8, place.clone()).prop_map(|(group, place)| Call::Acknowledge(group, place)),
        4 => (names.clone(), place.clone())
            .prop_map(|((group, name), place)| Call::Assign(group, name, place)),
        2 => (0..2_u8, place.clone()).prop_map(|(group, place)| Call::GiveBack(group, place)),
        1 => (0..2_u8, place).prop_map(|(group, count)| Call::Idle(group, count)),
        1 => names.prop_map(|(group, name)| Call::RemoveConsumer(group, name)),
    ]
}

/// Owner (none after a nack), time or number of the nack, count.
type TwinPending = (Option<Text>, u64, u64);

#[derive(Clone, Debug, Default)]
struct TwinGroup {
    last_id: Id,
    pending: BTreeMap<Id, TwinPending>,
    consumers: BTreeMap<Text, ()>,
    nacks: u64,
}

#[derive(Clone, Debug, Default)]
struct Twin {
    entries: BTreeMap<Id, Pairs>,
    groups: BTreeMap<Text, TwinGroup>,
    last_id: Id,
    max_deleted_id: Id,
    added: u64,
}

impl Twin {
    fn is_referenced(&self, id: Id) -> bool {
        self.groups.values().any(|g| g.last_id < id || g.pending.contains_key(&id))
    }

    fn forget(&mut self, id: Id) {
        self.groups.values_mut().for_each(|group| {
            group.pending.remove(&id);
        });
    }

    /// The id of the entry at a place, counted round; else some id.
    fn id_at(&self, place: usize) -> Id {
        let place = place % self.entries.len().max(1);
        self.entries.keys().nth(place).copied().unwrap_or_else(|| Id::new(place as u64, 1))
    }
}

fn pairs_of(entry: Entry<'_>) -> Pairs {
    let mut pairs = Vec::new();
    entry.fields.each(|field, value| pairs.push((field.to_vec(), value.to_vec())));
    pairs
}

fn borrowed(pairs: &Pairs) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
    pairs.iter().map(|(field, value)| (&field[..], &value[..]))
}

fn assert_same(stream: &Stream, twin: &Twin) {
    stream.check_invariants();
    let log = stream.log();
    assert_eq!(log.len(), twin.entries.len() as u64);
    let entries: Vec<_> = log.range(Id::MIN, Id::MAX).map(|e| (e.id, pairs_of(e))).collect();
    let twins: Vec<_> = twin.entries.clone().into_iter().collect();
    assert_eq!(entries, twins);
    let mut back: Vec<_> = log.range_back(Id::MIN, Id::MAX).map(|e| e.id).collect();
    back.reverse();
    assert!(back.iter().eq(twin.entries.keys()));
    let (from, to) = (twin.id_at(7), twin.id_at(23));
    if from <= to {
        let inside = || twin.entries.range(from..=to).map(|(id, _)| *id);
        assert!(log.range(from, to).map(|e| e.id).eq(inside()));
        assert!(log.range_back(from, to).map(|e| e.id).eq(inside().rev()));
    }
    assert_eq!((stream.last_id(), stream.entries_added()), (twin.last_id, twin.added));
    assert_eq!(stream.max_deleted_id(), twin.max_deleted_id);
    assert_eq!(stream.groups_len(), twin.groups.len());
    for ((name, group), (twin_name, twin)) in stream.groups().zip(&twin.groups) {
        assert_eq!((name, group.last_id), (&twin_name[..], twin.last_id));
        assert!(group.consumers().map(Consumer::name).eq(twin.consumers.keys()));
        let name_of = |p: Pending| p.owner().map(|n| group.consumer(n).unwrap().name().to_vec());
        let pending = group.pending_from(Id::MIN).map(|(id, p)| (id, name_of(p), p.count));
        let twins = twin.pending.iter().map(|(id, (name, _, count))| (*id, name.clone(), *count));
        assert!(pending.eq(twins));
        for name in twin.consumers.keys() {
            let number = group.consumer_number(name).unwrap();
            let own = group.pending_of(number, Id::MIN).map(|(id, p)| (id, p.delivered_ms()));
            let twins = twin.pending.iter().filter(|(_, p)| p.0.as_ref() == Some(name));
            assert!(own.eq(twins.map(|(id, p)| (*id, p.1))));
        }
    }
}

fn name(prefix: &str, number: u8) -> Text {
    format!("{prefix}{number}").into_bytes()
}

fn run(stream: &mut Stream, twin: &mut Twin, call: Call, now_ms: u64) {
    let limits = StreamLimits { node_bytes_max: 600, node_entries_max: 20 };
    match call {
        Call::Append(ms, seq, pairs) => {
            let last = twin.last_id;
            let id = if ms == 0 {
                Id::new(last.ms, last.seq + seq.max(1))
            } else {
                Id::new(last.ms + ms, seq)
            };
            stream.append(id, borrowed(&pairs), limits);
            twin.entries.insert(id, pairs);
            (twin.last_id, twin.added) = (id, twin.added + 1);
        }
        Call::Delete(place, references) => {
            let id = twin.id_at(place);
            let deletion = stream.delete(id, references);
            if references == References::Delete {
                twin.forget(id);
            }
            let expected = if !twin.entries.contains_key(&id) {
                Deletion::Missing
            } else if references == References::Acknowledged && twin.is_referenced(id) {
                Deletion::Refused
            } else {
                twin.entries.remove(&id);
                twin.max_deleted_id = twin.max_deleted_id.max(id);
                Deletion::Deleted
            };
            assert_eq!(deletion, expected);
        }
        Call::Trim(bound, is_approximate, limit, references) => {
            let trim = match bound {
                Bound::Len(len) => Trim::LenMax(len),
                Bound::Place(place) => Trim::IdMin(twin.id_at(place)),
            };
            trim_both(stream, twin, TrimRule { trim, is_approximate, limit, references });
        }
        Call::Freeze => {}
        Call::CreateGroup(group, place) => {
            let (group, last_id) = (name("group", group), twin.id_at(place));
            let is_new = !twin.groups.contains_key(&group);
            let read = stream.entries_before(last_id);
            assert_eq!(stream.create_group(&group, last_id, read), is_new);
            twin.groups
                .entry(group)
                .or_insert_with(|| TwinGroup { last_id, ..TwinGroup::default() });
        }
        Call::RemoveGroup(group) => {
            let group = name("group", group);
            assert_eq!(stream.remove_group(&group), twin.groups.remove(&group).is_some());
        }
        Call::Acknowledge(group, place) => {
            let (group, id) = (name("group", group), twin.id_at(place));
            let (Some(own), Some(twin)) = (stream.group_mut(&group), twin.groups.get_mut(&group))
            else {
                return;
            };
            assert_eq!(own.acknowledge(id), twin.pending.remove(&id).is_some());
        }
        Call::Assign(group, consumer, place) => {
            let (group, consumer) = (name("group", group), name("consumer", consumer));
            let id = twin.id_at(place);
            let (Some(own), Some(twin)) = (stream.group_mut(&group), twin.groups.get_mut(&group))
            else {
                return;
            };
            let (number, _) = own.create_consumer(&consumer, now_ms);
            own.assign(id, number, now_ms, 7);
            twin.consumers.insert(consumer.clone(), ());
            twin.pending.insert(id, (Some(consumer), now_ms, 7));
        }
        Call::GiveBack(group, place) => {
            let (group, id) = (name("group", group), twin.id_at(place));
            let (Some(own), Some(twin)) = (stream.group_mut(&group), twin.groups.get_mut(&group))
            else {
                return;
            };
            own.give_back(id, 3);
            twin.nacks += 1;
            twin.pending.insert(id, (None, twin.nacks, 3));
        }
        Call::Idle(group, count) => {
            let group = name("group", group);
            let (Some(own), Some(twin)) = (stream.group_mut(&group), twin.groups.get(&group))
            else {
                return;
            };
            let mut order: Vec<_> = twin
                .pending
                .iter()
                .map(|(id, (owner, time, _))| (owner.is_some(), *time, *id))
                .filter(|(is_owned, time, _)| !is_owned || time + 10 <= now_ms)
                .collect();
            order.sort_unstable();
            let idle = own.idle(now_ms, 10, count, |_| true);
            assert!(idle.iter().eq(order.iter().map(|(_, _, id)| id).take(count)));
        }
        Call::RemoveConsumer(group, consumer) => {
            let (group, consumer) = (name("group", group), name("consumer", consumer));
            let (Some(own), Some(twin)) = (stream.group_mut(&group), twin.groups.get_mut(&group))
            else {
                return;
            };
            let before = twin.pending.len();
            let expected = twin.consumers.remove(&consumer).map(|()| {
                twin.pending.retain(|_, pending| pending.0.as_ref() != Some(&consumer));
                before - twin.pending.len()
            });
            assert_eq!(own.remove_consumer(&consumer), expected);
        }
        Call::ReadGroup(group, consumer, count, is_acknowledged) => {
            let (group, consumer) = (name("group", group), name("consumer", consumer));
            let Some(own) = stream.group_mut(&group) else { return };
            let (number, _) = own.create_consumer(&consumer, now_ms);
            let mut ids = Vec::new();
            let visit = |entry: Entry<'_>| {
                ids.push(entry.id);
                ControlFlow::Continue(())
            };
            stream.read_group(&group, number, now_ms, count, is_acknowledged, visit);
            let Twin { entries, groups, .. } = twin;
            let twin = groups.get_mut(&group).expect("it is in both");
            twin.consumers.insert(consumer.clone(), ());
            let from = twin.last_id.next().expect("ids are small");
            let expected: Vec<_> = entries.range(from..).map(|(id, _)| *id).take(count).collect();
            assert_eq!(ids, expected);
            for id in ids {
                twin.last_id = id;
                if !is_acknowledged {
                    twin.pending.insert(id, (Some(consumer.clone()), now_ms, 1));
                }
            }
        }
    }
}

fn trim_both(stream: &mut Stream, twin: &mut Twin, rule: TrimRule) {
    let before = stream.log().len();
    let count = stream.trim(rule);
    if rule.is_approximate || rule.limit != 0 {
        // Which chunks go is the log's affair: never too much, and from the front.
        let bound = match rule.trim {
            Trim::LenMax(len) => before.saturating_sub(len),
            Trim::IdMin(id) => twin.entries.range(..id).count() as u64,
        };
        assert!(count <= bound);
        assert!(rule.limit == 0 || count <= rule.limit);
    }
    let mut over = match rule.trim {
        Trim::LenMax(len) => before.saturating_sub(len),
        Trim::IdMin(id) => twin.entries.range(..id).count() as u64,
    };
    let mut left = if rule.is_approximate || rule.limit != 0 { count } else { u64::MAX };
    for id in twin.entries.keys().copied().collect::<Vec<_>>() {
        if over == 0 || left == 0 {
            break;
        }
        let is_kept = rule.references == References::Acknowledged && twin.is_referenced(id);
        if matches!(rule.trim, Trim::IdMin(_)) || !is_kept {
            over -= 1;
        }
        if is_kept {
            continue;
        }
        if rule.references == References::Delete {
            twin.forget(id);
        }
        left -= 1;
        twin.entries.remove(&id);
    }
    assert_eq!(before - stream.log().len(), count);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]

    #[test]
    fn calls_agree_with_a_twin(calls in proptest::collection::vec(call(), 1..250)) {
        let (mut stream, mut twin) = (Stream::new(), Twin::default());
        let mut frozen = Vec::new();
        for (round, call) in calls.into_iter().enumerate() {
            if matches!(call, Call::Freeze) {
                frozen.push((stream.clone(), twin.clone()));
            }
            run(&mut stream, &mut twin, call, 1000 + round as u64);
            assert_same(&stream, &twin);
        }
        for (stream, twin) in &frozen {
            assert_same(stream, twin);
        }
    }
}

fn append_many(stream: &mut Stream, count: u64, step_ms: u64) {
    let start = stream.last_id().ms.max(1_700_000_000_000);
    for n in 1..=count {
        let value = format!("value:{n:08}");
        let pairs = [(&b"name"[..], value.as_bytes()), (b"size", b"1234567")];
        stream.append(Id::new(start + n * step_ms, 0), pairs.into_iter(), StreamLimits::default());
    }
}

#[test]
fn an_entry_of_two_small_fields_costs_little() {
    let mut stream = Stream::new();
    append_many(&mut stream, 10_000, 3);
    // Two bytes of head, a string of 14 bytes, an integer of 4; and what the allocator rounds up.
    assert!(stream.memory_bytes() < 10_000 * (2 + 15 + 5) * 5 / 4);
    let chunk_count = stream.log().chunks_len();
    assert_eq!(chunk_count, 100);
}

#[test]
fn what_is_deleted_gives_its_memory_back() {
    let mut stream = Stream::new();
    append_many(&mut stream, 10_000, 1);
    let before = stream.memory_bytes();
    let ids: Vec<_> = stream.log().range(Id::MIN, Id::MAX).map(|entry| entry.id).collect();
    for (place, id) in ids.iter().enumerate() {
        if place % 10 != 0 {
            assert_eq!(stream.delete(*id, References::Keep), Deletion::Deleted);
        }
    }
    stream.check_invariants();
    assert!(stream.memory_bytes() < before / 3);
    let rule = TrimRule {
        trim: Trim::LenMax(0),
        is_approximate: false,
        limit: 0,
        references: References::Keep,
    };
    assert_eq!(stream.trim(rule), 1000);
    assert!(stream.is_cheap_to_free());
    assert_eq!((stream.memory_bytes(), stream.first_id()), (0, Id::MIN));
}

#[test]
fn a_freeze_copies_nothing_but_a_path() {
    let mut stream = Stream::new();
    append_many(&mut stream, 100_000, 1);
    let frozen = stream.clone();
    append_many(&mut stream, 1, 1);
    assert_eq!((frozen.log().len(), stream.log().len()), (100_000, 100_001));
    frozen.check_invariants();
    stream.check_invariants();
}

#[test]
fn what_a_group_has_read_is_counted_while_that_is_known() {
    let mut stream = Stream::new();
    append_many(&mut stream, 10, 1);
    let ids: Vec<_> = stream.log().range(Id::MIN, Id::MAX).map(|entry| entry.id).collect();
    assert_eq!(stream.entries_before(Id::MIN), Some(0));
    assert_eq!(stream.entries_before(ids[0]), Some(1));
    assert_eq!(stream.entries_before(ids[9]), Some(10));
    assert_eq!(stream.entries_before(ids[4]), None);
    assert!(stream.create_group(b"group", Id::MIN, None));
    let (number, _) = stream.group_mut(b"group").unwrap().create_consumer(b"one", 5);
    assert_eq!(stream.read_group(b"group", number, 5, 4, true, |_| ControlFlow::Continue(())), 4);
    let group = stream.group(b"group").unwrap();
    assert_eq!((group.entries_read, stream.lag(group)), (Some(4), Some(6)));
    stream.delete(ids[7], References::Keep);
    assert_eq!(stream.lag(stream.group(b"group").unwrap()), None);
    assert_eq!(stream.read_group(b"group", number, 5, 100, true, |_| ControlFlow::Continue(())), 5);
    assert_eq!(stream.lag(stream.group(b"group").unwrap()), Some(0));
}
