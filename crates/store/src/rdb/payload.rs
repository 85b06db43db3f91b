//! DUMP: a value on its own, with the version that reads it and a checksum.
//!
//! ```text
//! | type 1 | value | version 2 | checksum 8 |
//! ```

use base::crc::crc64;

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
    let mut bytes = writer.into_sink();
    bytes.extend_from_slice(&target.version.unwrap_or(plan.version).number().to_le_bytes());
    let checksum = crc64(0, &bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    Some(bytes)
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
}
