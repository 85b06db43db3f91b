//! Every large form comes down in pieces, and its frozen views stay whole.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Part, Rubble};
use crate::keyspace::shard::Shard;
use crate::layout::Key;
use crate::layout::entry::{Entry, INLINE_LEN_MAX};
use crate::layout::home::{Form, Large, Own};
use crate::layout::prefetch::PrefetchHint;
use crate::types::hash::{self, LargeHash, Ttl};
use crate::types::limits::{HashLimits, ListLimits, SetLimits, SortedSetLimits, StreamLimits};
use crate::types::list::{self, End, LargeList};
use crate::types::set::{self, LargeSet};
use crate::types::sorted_set::{self, LargeSortedSet};
use crate::types::stream::{Id, Stream};

const COUNT: u64 = 100_000;

fn texts() -> impl Iterator<Item = Vec<u8>> {
    (0..COUNT).map(|number| format!("element:{number:010}").into_bytes())
}

/// Takes a value down while a frozen view holds it, and then the view; returns the pieces of each.
fn take_down<L: Large>(value: Own<L>, check: impl Fn(Form<'_, L>)) -> [usize; 2] {
    let entry = Entry::collection(b"key", value, None, 0);
    assert!(!entry.is_cheap_to_free());
    let view = Entry::duplicate(entry.as_ref(), b"view");
    let shared = pieces(entry);
    check(view.as_ref().form());
    [shared, pieces(view)]
}

fn pieces(entry: Entry) -> usize {
    let mut rubble = Rubble::default();
    rubble.add(entry);
    let mut count = 0;
    loop {
        count += 1;
        if !rubble.clear_some() {
            return count;
        }
    }
}

#[test]
fn lists_come_down_in_pieces() {
    let mut value = Own::default();
    let all: Vec<_> = texts().collect();
    list::push(&mut value, End::Tail, all.iter().map(|text| &text[..]), ListLimits::default());
    let [shared, own] = take_down::<LargeList>(value, |form| {
        let mut elements = all.iter();
        for element in list::walk(form, End::Head, 0, usize::MAX) {
            assert_eq!(Some(&element.bytes(&mut Default::default()).to_vec()), elements.next());
        }
        assert!(elements.next().is_none());
    });
    // Some 400 elements are in a chunk, and 32 chunks below a branch.
    assert!(shared == 2 && (5..100).contains(&own), "{shared} {own}");
}

#[test]
fn hashes_come_down_in_pieces() {
    let mut value = Own::default();
    for text in texts() {
        hash::set(&mut value, &text, b"value", Ttl::Clear, 0, HashLimits::default());
    }
    let [shared, own] = take_down::<LargeHash>(value, |form| {
        assert!(texts().all(|text| hash::contains(form, &text, 0)));
    });
    assert!(shared == 2 && (5..2000).contains(&own), "{shared} {own}");
}

#[test]
fn sets_come_down_in_pieces() {
    let mut value = Own::default();
    for text in texts() {
        set::add(&mut value, &text, &SetLimits::default());
    }
    let [shared, own] = take_down::<LargeSet>(value, |form| {
        assert!(texts().all(|text| set::contains(form, &text)));
    });
    assert!(shared == 2 && (5..2000).contains(&own), "{shared} {own}");
}

#[test]
fn sorted_sets_come_down_in_pieces() {
    let mut value = Own::default();
    for (number, text) in texts().enumerate() {
        sorted_set::set(&mut value, &text, number as f64, &SortedSetLimits::default());
    }
    let [shared, own] = take_down::<LargeSortedSet>(value, |form| {
        assert!(texts().enumerate().all(|(number, text)| {
            sorted_set::rank(form, &text) == Some((number, number as f64))
        }));
    });
    // The tree and the index are a piece each.
    assert!(shared == 3 && (20..2000).contains(&own), "{shared} {own}");
}

#[test]
fn streams_come_down_in_pieces() {
    let mut value = Own::default();
    let stream = crate::types::stream::open(&mut value);
    for number in 1..=COUNT {
        let pairs = [(&b"field"[..], &b"value"[..])].into_iter();
        stream.append(Id::new(number, 0), pairs, StreamLimits::default());
    }
    stream.create_group(b"group", Id::MIN, None);
    for name in [b"one", b"two"] {
        let group = stream.group_mut(b"group").expect("it was made");
        let (consumer, _) = group.create_consumer(name, 1);
        let count = (COUNT / 2) as usize;
        stream.read_group(b"group", consumer, 1, count, false, |_| ControlFlow::Continue(()));
    }
    stream.check_invariants();
    let [shared, own] = take_down::<Stream>(value, |form| {
        let stream = crate::types::stream::look(form);
        stream.check_invariants();
        assert_eq!(stream.group(b"group").map(|group| group.pending_len()), Some(COUNT as usize));
    });
    // Log and groups; then the pages of both, and of what is pending.
    assert!(shared == 3 && 3000 < own, "{shared} {own}");
}

#[test]
fn databases_come_down_in_pieces() {
    let hints: Arc<[PrefetchHint]> =
        std::iter::repeat_with(PrefetchHint::default).take(1).collect();
    let mut shard = Shard::new(1, hints, 0, 5);
    let key_hash = base::hash::KeyedHash::new(5);
    let shared = Arc::new(vec![b'v'; INLINE_LEN_MAX + 1]);
    for text in texts() {
        let key = Key { bytes: &text, hash: key_hash.hash(&text) };
        shard.database(0).set_shared(key, Arc::clone(&shared), None, 0);
    }
    let mut value = Own::default();
    for text in texts() {
        set::add(&mut value, &text, &SetLimits::default());
    }
    let large = Entry::collection::<LargeSet>(b"large", value, None, 0);
    let bytes = large.as_ref().memory_bytes();
    shard.database(0).insert(large, key_hash.hash(b"large"));
    let database = shard.take_database(0).unwrap();
    let exact = (INLINE_LEN_MAX + 100) * COUNT as usize + bytes;
    let estimate = database.estimated_bytes();
    assert!(exact / 3 * 2 < estimate && estimate < exact * 2, "{estimate} {exact}");
    let mut rubble = Rubble::default();
    rubble.add(database);
    let mut last = Arc::strong_count(&shared);
    let mut most = 0;
    while rubble.clear_some() {
        most = most.max(last - Arc::strong_count(&shared));
        last = Arc::strong_count(&shared);
    }
    assert_eq!(Arc::strong_count(&shared), 1);
    assert!(most < 300, "{most}");
}

#[test]
fn what_is_left_goes_with_the_rubble() {
    let shared = Arc::new(());
    struct Endless(Arc<()>);
    impl Part for Endless {
        fn crumble(self: Box<Self>, rubble: &mut Rubble) {
            rubble.add(Self(Arc::clone(&self.0)));
            rubble.put_back(self);
        }
    }
    let mut rubble = Rubble::default();
    rubble.add(Endless(Arc::clone(&shared)));
    assert!((0..10).all(|_| rubble.clear_some()));
    assert_eq!(Arc::strong_count(&shared), 12);
    drop(rubble);
    assert_eq!(Arc::strong_count(&shared), 1);
}
