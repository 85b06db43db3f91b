//! A disk whose new files are forced to it while they are written, so that little is left for their end.
//!
//! A large file that is synced only once leaves all of its bytes to one moment, and who syncs another file of
//! that disk then, as the append-only file does every second or for every reply, waits for them too. In steps
//! nobody waits for more than one step.

use crate::disk::{Disk, Input, Output};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// After so many bytes a file is synced: some milliseconds' worth, and for each sync the file system has some
/// work besides. With 4 MB a snapshot takes a tenth longer, with this a twentieth.
const STEP_LEN: u64 = 32 << 20;

/// The same disk, with new files that are synced in steps.
pub struct InSteps(Arc<dyn Disk>);

impl InSteps {
    /// On this disk.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self(disk)
    }
}

impl Disk for InSteps {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Input>> {
        self.0.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(SteppedFile { output: self.0.create(path)?, unsynced_len: 0 }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.0.append(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.0.create_folder(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.0.list(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.sync_folder(folder)
    }
}

struct SteppedFile {
    output: Box<dyn Output>,
    unsynced_len: u64,
}

impl Write for SteppedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Before the write, so that an error is never one of bytes that are there.
        if STEP_LEN <= self.unsynced_len {
            self.sync()?;
        }
        let written = self.output.write(bytes)?;
        self.unsynced_len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

impl Output for SteppedFile {
    fn sync(&mut self) -> io::Result<()> {
        self.output.sync()?;
        self.unsynced_len = 0;
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.output.len()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.output.truncate(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    /// Counts what is written and synced; a sync that leaves more than a step to be done fails.
    #[derive(Default)]
    struct Counted {
        unsynced_len: AtomicU64,
        syncs: AtomicU64,
    }

    struct File(Arc<Counted>);

    impl Write for File {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.unsynced_len.fetch_add(bytes.len() as u64, Relaxed);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output for File {
        fn sync(&mut self) -> io::Result<()> {
            self.0.syncs.fetch_add(1, Relaxed);
            let len = self.0.unsynced_len.swap(0, Relaxed);
            if len < STEP_LEN + 1000 { Ok(()) } else { Err(io::Error::other("it is too much")) }
        }

        fn len(&self) -> io::Result<u64> {
            Ok(0)
        }

        fn truncate(&mut self, _len: u64) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_sync_has_more_than_a_step_to_do() {
        let counted = Arc::new(Counted::default());
        let output = Box::new(File(Arc::clone(&counted)));
        let mut file = SteppedFile { output, unsynced_len: 0 };
        let piece = [0; 999];
        for _ in 0..=5 * STEP_LEN / 999 {
            file.write_all(&piece).unwrap();
        }
        assert_eq!(counted.syncs.load(Relaxed), 4);
        file.sync().unwrap();
        file.write_all(&piece).unwrap();
        file.sync().unwrap();
        assert_eq!((counted.syncs.load(Relaxed), counted.unsynced_len.load(Relaxed)), (6, 0));
    }
}
