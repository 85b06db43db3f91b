//! DUMP: a value on its own, with the version that reads it and a checksum; and FUNCTION DUMP, which
//! puts all libraries of functions into the same frame.
//!
//! ```text
//! | type 1 | value          | version 2 | checksum 8 |
//! | f5     | library | f5 … | version 2 | checksum 8 |
//! ```

use base::crc::crc64;

use super::file::opcode;
use super::value::{Rules, Value, plan, write};
use super::{RdbError, Reader, Target, Version, Writer};
use crate::layout::entry::EntryRef;
use crate::types::limits::Limits;

/// Version and checksum.
const FOOTER_LEN: usize = 10;
const CHECKSUM_LEN: usize = 8;

/// The value of `entry` as DUMP gives it; `None` if the target cannot hold it.
pub fn dump(entry: EntryRef<'_>, target: &Target) -> Option<Vec<u8>> {
    let plan = plan(entry, target)?;
    let mut writer = Writer::new(vec![plan.type_code.code()], target.compresses);
    write(&mut writer, entry, plan.type_code).expect("a vector takes whatever is written");
    Some(framed(writer.into_sink(), target.version.unwrap_or(plan.version)))
}

/// The texts of libraries as FUNCTION DUMP gives them.
pub fn dump_functions<'c>(codes: impl Iterator<Item = &'c [u8]>, target: &Target) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), target.compresses);
    for code in codes {
        let written = writer.bytes(&[opcode::FUNCTION]).and_then(|()| writer.string(code));
        written.expect("a vector takes whatever is written");
    }
    framed(writer.into_sink(), target.version.unwrap_or(Version::FUNCTIONS))
}

/// Puts version and checksum behind the bytes.
fn framed(mut bytes: Vec<u8>, version: Version) -> Vec<u8> {
    bytes.extend_from_slice(&version.number().to_le_bytes());
    let checksum = crc64(0, &bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Bytes that a snapshot needs for the value of `entry`; zero if the target cannot hold it.
pub fn value_len(entry: EntryRef<'_>, target: &Target) -> usize {
    dump(entry, target).map_or(0, |bytes| bytes.len() - FOOTER_LEN - 1)
}

/// A payload whose frame is right.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// The type and the value.
    bytes: &'a [u8],
    version: Version,
}

impl<'a> Payload<'a> {
    /// Looks at version and checksum.
    pub fn open(bytes: &'a [u8]) -> Result<Self, RdbError> {
        let payload = Self::open_unchecked(bytes)?;
        let mut expected = [0; CHECKSUM_LEN];
        expected.copy_from_slice(&bytes[bytes.len() - CHECKSUM_LEN..]);
        let expected = u64::from_le_bytes(expected);
        let found = crc64(0, &bytes[..bytes.len() - CHECKSUM_LEN]);
        if expected != found {
            return Err(RdbError::Checksum { expected, found });
        }
        Ok(payload)
    }

    /// Looks at the version alone.
    pub fn open_unchecked(bytes: &'a [u8]) -> Result<Self, RdbError> {
        let value_len = bytes.len().checked_sub(FOOTER_LEN).ok_or(RdbError::Truncated)?;
        let (value, footer) = bytes.split_at(value_len);
        let number = u32::from(u16::from_le_bytes([footer[0], footer[1]]));
        let version = Version::known(number).ok_or(RdbError::Version(number))?;
        Ok(Self { bytes: value, version })
    }

    /// The value.
    pub fn value(self, limits: &Limits, now_ms: u64) -> Result<Value, RdbError> {
        let mut reader = Reader::new(self.bytes);
        let code = reader.byte()?;
        Value::read(&mut reader, code, &Rules { version: self.version, limits, now_ms })
    }

    /// The texts of the libraries that it holds instead of a value.
    pub fn functions(self) -> Result<Vec<Vec<u8>>, RdbError> {
        let mut reader = Reader::new(self.bytes);
        let mut codes = Vec::new();
        while reader.offset() < self.bytes.len() as u64 {
            let code = reader.byte()?;
            if code != opcode::FUNCTION {
                return Err(RdbError::UnknownType(code));
            }
            let mut text = Vec::new();
            reader.string(&mut text)?;
            codes.push(text);
        }
        Ok(codes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_come_back_whole() {
        let long = b"#!lua name=long\n".repeat(40);
        let codes = [&b"#!lua name=a\n"[..], &long, b""];
        for compresses in [false, true] {
            let target = Target { compresses, ..Target::default() };
            let bytes = dump_functions(codes.into_iter(), &target);
            let found = Payload::open(&bytes).unwrap().functions().unwrap();
            assert_eq!(found, codes);
            assert_eq!(bytes.len() < long.len(), compresses);
            for len in 0..bytes.len() {
                assert!(Payload::open(&bytes[..len]).is_err());
            }
        }
        let empty = dump_functions(std::iter::empty(), &Target::default());
        assert_eq!(empty.len(), FOOTER_LEN);
        assert!(Payload::open(&empty).unwrap().functions().unwrap().is_empty());
    }

    #[test]
    fn what_is_no_library_is_refused() {
        let read = |bytes: &[u8]| {
            let payload = framed(bytes.to_vec(), Version::FUNCTIONS);
            Payload::open(&payload).unwrap().functions()
        };
        assert!(matches!(read(b"\x00\x01a"), Err(RdbError::UnknownType(0))));
        assert!(matches!(read(b"\xf5\x05abc"), Err(RdbError::Truncated)));
        assert!(matches!(read(b"\xf5"), Err(RdbError::Truncated)));
        assert!(read(b"\xf5\x01a\xff").is_err());
    }
}
