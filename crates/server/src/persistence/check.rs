//! `--check-rdb`: looks through a snapshot and says what is in it, or where it is damaged.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use store::rdb::RdbError;
use store::rdb::file::{FileReader, Head, Record};
use store::rdb::value::Rules;
use store::types::limits::Limits;

/// What was found.
pub struct Report {
    /// What there is to say, line by line.
    pub text: String,
    pub is_fine: bool,
}

/// What is counted on the way.
#[derive(Default)]
struct Counts {
    keys: u64,
    expires: u64,
    expired: u64,
}

/// Looks at the snapshot at `path`; keys have expired if their deadline is before `now_ms`.
pub fn check(path: &Path, now_ms: u64) -> Report {
    let mut text = format!("[offset 0] Checking RDB file {}\n", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            text = format!("Cannot open file '{}': {error}\n", path.display());
            return Report { text, is_fine: false };
        }
    };
    let (report, _) = check_source(file, now_ms);
    text.push_str(&report.text);
    Report { text, is_fine: report.is_fine }
}

/// Looks at a snapshot; what was read beyond its end comes with it.
pub(super) fn check_source(source: impl Read, now_ms: u64) -> (Report, Vec<u8>) {
    let mut text = String::new();
    let mut counts = Counts::default();
    let mut key = None;
    let mut unread = Vec::new();
    let checked = match FileReader::new(source) {
        Ok(mut reader) => {
            let walked = walk(&mut reader, now_ms, &mut counts, &mut key, &mut text);
            unread.extend_from_slice(reader.unread());
            walked.map_err(|error| (error, reader.offset()))
        }
        Err(error) => Err((error, 0)),
    };
    let is_fine = checked.is_ok();
    if let Err((error, offset)) = checked {
        text.push_str("--- RDB ERROR DETECTED ---\n");
        let _ = writeln!(text, "[offset {offset}] {error}");
        if let Some(key) = key {
            let _ = writeln!(text, "[additional info] Reading key '{}'", key.escape_ascii());
        }
    }
    let Counts { keys, expires, expired } = counts;
    let _ = writeln!(text, "[info] {keys} keys read");
    let _ = writeln!(text, "[info] {expires} expires");
    let _ = writeln!(text, "[info] {expired} already expired");
    (Report { text, is_fine }, unread)
}

fn walk<R: Read>(
    reader: &mut FileReader<R>,
    now_ms: u64,
    counts: &mut Counts,
    key: &mut Option<Vec<u8>>,
    text: &mut String,
) -> Result<(), RdbError> {
    let limits = Limits::default();
    // Fields of hashes are read whatever their deadlines.
    let rules = Rules { version: reader.version(), limits: &limits, now_ms: 0 };
    loop {
        let offset = reader.offset();
        match reader.record()? {
            Record::Database(db) => {
                let _ = writeln!(text, "[offset {offset}] Selecting DB ID {db}");
            }
            Record::End => {
                let offset = reader.offset();
                let _ = writeln!(text, "[offset {offset}] Checksum OK");
                let _ = writeln!(text, "[offset {offset}] \\o/ RDB looks OK! \\o/");
                return Ok(());
            }
            Record::Entry(head) => {
                *key = Some(head.key.clone());
                match reader.value(&head, &rules) {
                    // Servers skip it.
                    Ok(_) | Err(RdbError::Empty) => counts.add(&head, now_ms),
                    Err(error) => return Err(error),
                }
                *key = None;
            }
            Record::Field(name, value) => {
                let (name, value) = (name.escape_ascii(), value.escape_ascii());
                let _ = writeln!(text, "[offset {offset}] AUX FIELD {name} = '{value}'");
            }
            Record::Function(_) => {
                let _ = writeln!(text, "[offset {offset}] A library of functions");
            }
            Record::Sizes(..) | Record::SlotInfo(_) => {}
        }
    }
}

impl Counts {
    fn add(&mut self, head: &Head, now_ms: u64) {
        self.keys += 1;
        self.expires += u64::from(head.deadline.is_some());
        self.expired += u64::from(head.deadline.is_some_and(|deadline| deadline < now_ms));
    }
}
