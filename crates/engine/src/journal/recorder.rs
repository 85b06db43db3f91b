//! What stands for one call in the journal.

use resp::encode_request;

/// The commands that stand for a call, collected while it runs.
#[derive(Default)]
pub struct Recorder {
    is_on: bool,
    commands: Vec<Command>,
    /// Their bytes, one behind the other.
    bytes: Vec<u8>,
    /// The call has said what stands for it.
    is_said: bool,
    /// Changes of the call that are recorded on their own, such as a key whose time was up.
    apart: u64,
}

struct Command {
    db: usize,
    end: usize,
}

impl Recorder {
    /// Whether anything is recorded at all.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    pub(crate) fn set_on(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    /// Whether there is nothing to append.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Before a call.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.apart = 0;
    }

    /// Records a command.
    pub(crate) fn push<T: AsRef<[u8]>>(&mut self, db: usize, words: &[T]) {
        encode_request(&mut self.bytes, words);
        self.commands.push(Command { db, end: self.bytes.len() });
    }

    /// Records what stands for the present call instead of itself; again for a further command.
    pub(crate) fn say<T: AsRef<[u8]>>(&mut self, db: usize, words: &[T]) {
        self.push(db, words);
        self.is_said = true;
    }

    /// Records a change beside what the present call does.
    pub(crate) fn push_apart<T: AsRef<[u8]>>(&mut self, db: usize, words: &[T]) {
        self.apart += 1;
        if self.is_on {
            self.push(db, words);
        }
    }

    /// Changes of the present call that it has not made itself.
    pub(crate) fn apart(&self) -> u64 {
        self.apart
    }

    /// Whether the call has said what stands for it; asked once, at its end.
    pub(crate) fn take_said(&mut self) -> bool {
        std::mem::take(&mut self.is_said)
    }

    /// Writes all commands behind `out`, whose reader is in database `db`, and forgets them. Returns the
    /// database in which the reader is then.
    pub(crate) fn write(&mut self, db: Option<usize>, out: &mut Vec<u8>) -> usize {
        let is_group = 1 < self.commands.len();
        let mut db = db;
        let mut start = 0;
        for (index, command) in self.commands.iter().enumerate() {
            if db != Some(command.db) {
                encode_request(out, &["SELECT", &command.db.to_string()]);
                db = Some(command.db);
            }
            if is_group && index == 0 {
                encode_request(out, &["MULTI"]);
            }
            out.extend_from_slice(&self.bytes[start..command.end]);
            start = command.end;
        }
        if is_group {
            encode_request(out, &["EXEC"]);
        }
        self.commands.clear();
        self.bytes.clear();
        db.expect("there is a command")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(recorder: &mut Recorder, db: Option<usize>) -> (String, usize) {
        let mut out = Vec::new();
        let db = recorder.write(db, &mut out);
        assert!(recorder.is_empty());
        let mut text = String::new();
        let mut position = 0;
        while let Ok(Some((item, next))) = resp::read_item(&out, position) {
            match item {
                resp::Item::Bulk { bytes, .. } => {
                    text += &String::from_utf8_lossy(bytes);
                    text.push(' ');
                }
                _ => text += "| ",
            }
            position = next;
        }
        (text, db)
    }

    #[test]
    fn one_command_stands_alone_and_several_in_a_transaction() {
        let mut recorder = Recorder::default();
        recorder.push(0, &["SET", "a", "1"]);
        assert_eq!(written(&mut recorder, Some(0)), ("| SET a 1 ".into(), 0));
        recorder.push(0, &["SET", "a", "1"]);
        recorder.push(3, &["DEL", "b"]);
        let expected = "| SELECT 0 | MULTI | SET a 1 | SELECT 3 | DEL b | EXEC ";
        assert_eq!(written(&mut recorder, None), (expected.into(), 3));
    }
}
