//! The fingerprint of data that DEBUG DIGEST shows: the same as Redis's for the same data, so that
//! two servers can be compared.
//!
//! A value is *mixed* into a digest where order matters (`digest ← sha1(digest ⊕ sha1(bytes))`) and
//! *added* where it must not (`digest ← digest ⊕ sha1(bytes)`). An entry mixes its key, its type
//! and its value, and adds a mark if it has a deadline; a database adds the digests of its entries.

use crate::data::Data;
use crate::dialect::Dialect;
use base::numbers::{FloatBuffer, IntegerBuffer};
use sha1_smol::Sha1;
use store::types::hash::{self, LargeHash};
use store::types::list::{self, End, LargeList};
use store::types::set::{self, LargeSet};
use store::types::sorted_set::{self, LargeSortedSet};
use store::types::stream::{self, Id, Stream};
use store::{EntryRef, Kind};

/// Entries that are visited in one step of a walk.
const ENTRIES_PER_STEP: usize = 1 << 16;

/// A SHA-1 sized fingerprint; all zero for nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Of everything in all databases. The caller stands alone behind the gate.
    pub fn of_keyspace(data: &mut Data<'_>, dialect: Dialect) -> Self {
        let mut digest = Self::default();
        let shards = data.keyspace().locks().len() as u32;
        for db in 0..data.keyspace().databases() {
            let (mut entries, mut count) = (Self::default(), 0);
            for index in 0..shards {
                let database = data.shard_at(index).data.database_ref(db);
                let mut cursor = 0;
                loop {
                    cursor = database.scan(cursor, ENTRIES_PER_STEP, |entry| {
                        entries.exclusive_or(&Self::of_entry(entry, dialect).0);
                        count += 1;
                    });
                    if cursor == 0 {
                        break;
                    }
                }
            }
            if 0 < count {
                digest.mix(&(db as u32).to_be_bytes());
                digest.exclusive_or(&entries.0);
            }
        }
        digest
    }

    /// Of one value, with the mark of a deadline.
    pub fn of_value(entry: EntryRef<'_>, dialect: Dialect) -> Self {
        let mut digest = Self::default();
        digest.mix_value(entry, dialect);
        digest
    }

    /// In hexadecimal.
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What an entry contributes to its database's digest.
    fn of_entry(entry: EntryRef<'_>, dialect: Dialect) -> Self {
        let mut digest = Self::default();
        digest.mix(entry.key());
        digest.mix_value(entry, dialect);
        let mut sum = Self::default();
        sum.add(&digest.0);
        sum
    }

    fn mix_value(&mut self, entry: EntryRef<'_>, dialect: Dialect) {
        self.mix(&type_number(entry.kind()).to_be_bytes());
        match entry.kind() {
            Kind::String => self.mix(entry.string().bytes()),
            Kind::Hash => {
                let marks_fields = dialect.differences().digest_marks_fields;
                for (field, value, deadline) in hash::iter_timed(entry.form::<LargeHash>()) {
                    let mut pair = Self::default();
                    pair.mix(field);
                    pair.mix(value);
                    if deadline.is_some() && marks_fields {
                        pair.add(b"!!hexpire!!");
                    }
                    self.add(&pair.0);
                }
            }
            Kind::List => {
                let mut digits = IntegerBuffer::new();
                let elements = list::walk(entry.form::<LargeList>(), End::Head, 0, usize::MAX);
                elements.for_each(|element| self.mix(element.bytes(&mut digits)));
            }
            Kind::Set => {
                let mut digits = IntegerBuffer::new();
                let members = set::iter(entry.form::<LargeSet>());
                members.for_each(|member| self.add(member.bytes(&mut digits)));
            }
            Kind::Stream => {
                let log = stream::look(entry.form::<Stream>()).log();
                for entry in log.range(Id::MIN, Id::MAX) {
                    self.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                    entry.fields.each(|field, value| {
                        self.mix(field);
                        self.mix(value);
                    });
                }
            }
            Kind::SortedSet => {
                let mut digits = FloatBuffer::new();
                for item in sorted_set::all(entry.form::<LargeSortedSet>()) {
                    let mut digest = Self::default();
                    digest.mix(item.member);
                    // Here whole numbers are not printed in full.
                    let is_short = item.score.is_finite() && item.score != 0.0;
                    digest.mix(match is_short {
                        true => digits.format_short(item.score),
                        false => digits.format(item.score),
                    });
                    self.add(&digest.0);
                }
            }
        }
        if entry.deadline().is_some() {
            self.add(b"!!expire!!");
        }
    }

    fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::from(self.0).digest().bytes();
    }

    fn add(&mut self, bytes: &[u8]) {
        self.exclusive_or(&Sha1::from(bytes).digest().bytes());
    }

    fn exclusive_or(&mut self, other: &[u8; 20]) {
        self.0.iter_mut().zip(other).for_each(|(own, other)| *own ^= other);
    }
}

/// The number of a type in Redis's own digests.
fn type_number(kind: Kind) -> u32 {
    match kind {
        Kind::String => 0,
        Kind::List => 1,
        Kind::Set => 2,
        Kind::SortedSet => 3,
        Kind::Hash => 4,
        Kind::Stream => 6,
    }
}
