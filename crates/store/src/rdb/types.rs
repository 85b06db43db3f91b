//! The codes of types, and what they mean in which version.

use super::version::{Family, Version};

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeCode {
    /// One string.
    String,
    /// Elements.
    List,
    /// A ziplist of elements.
    ListZiplist,
    /// Ziplists of elements.
    ListOfZiplists,
    /// Listpacks of elements, and elements on their own.
    ListOfListpacks,
    /// Members.
    Set,
    /// Sorted integers.
    SetIntset,
    /// A listpack of members.
    SetListpack,
    /// Members, each with its score in digits.
    SortedSetDigits,
    /// Members, each with its score in eight bytes.
    SortedSet,
    /// A ziplist of members and scores.
    SortedSetZiplist,
    /// A listpack of members and scores.
    SortedSetListpack,
    /// Fields with values.
    Hash,
    /// A zipmap of fields with values.
    HashZipmap,
    /// A ziplist of fields with values.
    HashZiplist,
    /// A listpack of fields with values.
    HashListpack,
    /// Deadlines, fields and values; before the form was settled.
    HashTimedEarly,
    /// A listpack of fields, values and deadlines; before the form was settled.
    HashTimedListpackEarly,
    /// The earliest deadline; distances from it, fields and values.
    HashTimed,
    /// The earliest deadline; a listpack of fields, values and deadlines.
    HashTimedListpack,
    /// Fields, values and deadlines, as Valkey writes them.
    HashTimedValkey,
    /// Listpacks of entries; the number says what else comes, 1 to 5.
    Stream(u8),
    /// A module's data.
    Module,
}

use TypeCode as T;

/// Every code but those of [`T::HashTimedEarly`] and [`T::HashTimedValkey`], which share one.
const CODES: [(u8, TypeCode); 24] = [
    (0, T::String),
    (1, T::List),
    (2, T::Set),
    (3, T::SortedSetDigits),
    (4, T::Hash),
    (5, T::SortedSet),
    (7, T::Module),
    (9, T::HashZipmap),
    (10, T::ListZiplist),
    (11, T::SetIntset),
    (12, T::SortedSetZiplist),
    (13, T::HashZiplist),
    (14, T::ListOfZiplists),
    (15, T::Stream(1)),
    (16, T::HashListpack),
    (17, T::SortedSetListpack),
    (18, T::ListOfListpacks),
    (19, T::Stream(2)),
    (20, T::SetListpack),
    (21, T::Stream(3)),
    (23, T::HashTimedListpackEarly),
    (24, T::HashTimed),
    (25, T::HashTimedListpack),
    (26, T::Stream(4)),
];
/// Where the two families differ.
const SPLIT: u8 = 22;
const STREAM_NACKS: u8 = 27;

impl TypeCode {
    /// What a code means in this version.
    pub fn known(code: u8, version: Version) -> Option<Self> {
        match (code, version.family()) {
            (SPLIT, Family::Redis) => Some(Self::HashTimedEarly),
            (SPLIT, Family::Valkey) => Some(Self::HashTimedValkey),
            (STREAM_NACKS, Family::Redis) => Some(Self::Stream(5)),
            (SPLIT.., Family::Valkey) => None,
            _ => CODES.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning),
        }
    }

    /// The byte that stands for it.
    pub fn code(self) -> u8 {
        match self {
            Self::HashTimedEarly | Self::HashTimedValkey => SPLIT,
            Self::Stream(5) => STREAM_NACKS,
            _ => CODES
                .iter()
                .find(|(_, meaning)| *meaning == self)
                .map_or(u8::MAX, |(code, _)| *code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_meaning_and_back() {
        for version in [Version::OLDEST, Version::VALKEY] {
            for code in 0..=u8::MAX {
                if let Some(meaning) = TypeCode::known(code, version) {
                    assert_eq!(meaning.code(), code);
                }
            }
        }
        let of = |code, version| TypeCode::known(code, version);
        assert_eq!(of(22, Version::FIELD_DEADLINES), Some(TypeCode::HashTimedEarly));
        assert_eq!(of(22, Version::VALKEY), Some(TypeCode::HashTimedValkey));
        assert_eq!((of(24, Version::VALKEY), of(27, Version::VALKEY)), (None, None));
        assert_eq!(of(27, Version::STREAM_NACKS), Some(TypeCode::Stream(5)));
        assert_eq!((of(6, Version::OLDEST), of(28, Version::STREAM_NACKS)), (None, None));
    }
}
