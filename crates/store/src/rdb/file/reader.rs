//! A snapshot that is read, record by record.

use std::io::Read;

use super::super::value::{Rules, Value, module_name};
use super::super::{Family, RdbError, Reader, Version};
use super::entries::Entries;
use super::frame::{self, Framed};
use super::opcode;
use super::summed::SummedSource;

/// The first version that ends with a checksum.
const CHECKSUM_SINCE: u16 = 5;

/// What comes next in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The entries that come are in this database.
    Database(u64),
    /// A key; its value must be read next, or passed over.
    Entry(Head),
    /// No more comes, and the checksum is right.
    End,
    /// A name, and what there is to say of it.
    Field(Vec<u8>, Vec<u8>),
    /// A library of functions.
    Function(Vec<u8>),
    /// How many entries come, and how many of them with a deadline.
    Sizes(u64, u64),
    /// In a slot are so many keys, and so many with a deadline.
    SlotInfo([u64; 3]),
}

/// What a snapshot says of an entry beside its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The key.
    pub key: Vec<u8>,
    /// When it expires, in Unix milliseconds.
    pub deadline: Option<u64>,
    /// For how many seconds it was not used.
    pub idle_seconds: Option<u64>,
    /// How often it was used.
    pub frequency: Option<u8>,
    /// The type of the value.
    pub code: u8,
}

/// Reads a snapshot.
pub struct FileReader<R> {
    reader: Reader<SummedSource<R>>,
    version: Version,
}

impl<R: Read> FileReader<R> {
    /// Looks at the header.
    pub fn new(source: R) -> Result<Self, RdbError> {
        let mut reader = Reader::new(SummedSource::new(source));
        let header: [u8; 9] = reader.array()?;
        let (family, digits) = match header.split_at(5) {
            (b"REDIS", digits) => (Family::Redis, digits),
            (b"VALKE", [b'Y', digits @ ..]) => (Family::Valkey, digits),
            _ => return Err(RdbError::Corrupt("no snapshot begins like this")),
        };
        let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        let number = number.ok_or(RdbError::Corrupt("the version is no number"))?;
        let version = Version::known(number).filter(|version| version.family() == family);
        Ok(Self { reader, version: version.ok_or(RdbError::Version(number))? })
    }

    /// The version in which it is written.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How many bytes have been read.
    pub fn offset(&self) -> u64 {
        self.reader.offset()
    }

    /// What was taken from the source and comes behind what was read.
    pub fn unread(&mut self) -> &[u8] {
        self.reader.source().unread()
    }

    /// The next entries, as many of them as lie whole in what was read; none if what comes next is to be taken
    /// as a record. Their bytes come in the buffer they were read into, and `spare` is for the next.
    pub fn entries(&mut self, spare: &mut Vec<u8>) -> Result<Option<Entries>, RdbError> {
        let version = self.version;
        if self.reader.source().is_low() {
            self.reader.source().read_ahead()?;
        }
        loop {
            let source = self.reader.source();
            let (len, count, next) = frame::entries(source.unread(), version);
            if count != 0 {
                let offset = self.reader.offset();
                let (bytes, range) = self.reader.source().take(len, std::mem::take(spare));
                self.reader.passed(len);
                return Ok(Some(Entries { bytes, range, count, offset, version }));
            }
            if next == Framed::Other || !source.read_ahead()? {
                return Ok(None);
            }
        }
    }

    /// The next record.
    pub fn record(&mut self) -> Result<Record, RdbError> {
        let mut head = Head::default();
        match read_head(&mut self.reader, &mut head)? {
            None => Ok(Record::Entry(head)),
            Some(code) => self.between(code),
        }
    }

    /// The value of the entry that was the last record.
    pub fn value(&mut self, head: &Head, rules: &Rules<'_>) -> Result<Value, RdbError> {
        Value::read(&mut self.reader, head.code, rules)
    }

    /// A record that is no entry.
    fn between(&mut self, code: u8) -> Result<Record, RdbError> {
        let mut string = || {
            let mut bytes = Vec::new();
            self.reader.string(&mut bytes).map(|()| bytes)
        };
        Ok(match code {
            opcode::AUX => Record::Field(string()?, string()?),
            opcode::DATABASE => Record::Database(self.reader.length()?),
            opcode::END => {
                self.check_end()?;
                Record::End
            }
            opcode::FUNCTION => Record::Function(string()?),
            opcode::FUNCTION_EARLY => {
                return Err(RdbError::Corrupt("functions in a form that was never released"));
            }
            opcode::KEY_META if self.version.family() == Family::Valkey => {
                return Err(RdbError::Corrupt("slots that were being moved"));
            }
            opcode::KEY_META => return Err(RdbError::Corrupt("what modules have added to keys")),
            opcode::MODULE_AUX => {
                return Err(RdbError::Module(module_name(self.reader.length()?)));
            }
            opcode::SIZES => Record::Sizes(self.reader.length()?, self.reader.length()?),
            opcode::SLOT_INFO => {
                let mut numbers = || self.reader.length();
                Record::SlotInfo([numbers()?, numbers()?, numbers()?])
            }
            _ => return Err(RdbError::UnknownType(code)),
        })
    }

    /// Looks at the checksum; zero stands for none.
    fn check_end(&mut self) -> Result<(), RdbError> {
        if self.version.number() < CHECKSUM_SINCE {
            return Ok(());
        }
        let found = self.reader.source().checksum();
        let expected = u64::from_le_bytes(self.reader.array()?);
        if expected == 0 || expected == found {
            Ok(())
        } else {
            Err(RdbError::Checksum { expected, found })
        }
    }
}

/// Reads what is said of an entry beside its value; or the code of something else, that comes next.
pub(super) fn read_head<R: Read>(
    reader: &mut Reader<R>,
    head: &mut Head,
) -> Result<Option<u8>, RdbError> {
    (head.deadline, head.idle_seconds, head.frequency) = (None, None, None);
    let mut has_head = false;
    loop {
        let code = reader.byte()?;
        match code {
            opcode::DEADLINE_MS => head.deadline = Some(reader.milliseconds()?),
            opcode::DEADLINE_S => {
                // Signed, so what looks late enough was before all time.
                let seconds = i32::from_le_bytes(reader.array()?);
                head.deadline = Some(u64::try_from(seconds).unwrap_or(0) * 1000);
            }
            opcode::IDLE => head.idle_seconds = Some(reader.length()?),
            opcode::FREQUENCY => head.frequency = Some(reader.byte()?),
            opcode::KEY_META.. if has_head => return Err(RdbError::Corrupt("a key is missing")),
            opcode::KEY_META.. => return Ok(Some(code)),
            _ => {
                head.code = code;
                reader.string(&mut head.key)?;
                return Ok(None);
            }
        }
        has_head = true;
    }
}
