//! Files, as persistence needs them: the machine's own, or simulated ones.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A place for files. What was written is safe from a crash only once it was synced: a file's bytes by
/// [`Output::sync`], its name (when it was created, renamed or removed) by [`Disk::sync_folder`].
pub trait Disk: Send + Sync {
    /// A file for reading, from its beginning.
    ///
    /// # Errors
    /// As the system says; `NotFound` when there is none.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Input>>;

    /// An empty file for writing, in place of any that is there.
    ///
    /// # Errors
    /// As the system says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>>;

    /// A file for writing at its end; it is made if there is none.
    ///
    /// # Errors
    /// As the system says.
    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>>;

    /// Gives a file another name, in place of any file that has it.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder, unless it is there.
    ///
    /// # Errors
    /// As the system says.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// The names of the files in a folder, in no order; those that are no UTF-8 are left out.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Makes the names in a folder safe from a crash.
    ///
    /// # Errors
    /// As the system says.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// A file that is read.
pub trait Input: Read + Send {
    /// How long it is, in bytes.
    ///
    /// # Errors
    /// As the system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether it is empty.
    ///
    /// # Errors
    /// As the system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A file that is written, from where it was opened.
pub trait Output: Write + Send {
    /// Makes all that was written safe from a crash.
    ///
    /// # Errors
    /// As the system says; what was written since the last success may be lost then.
    fn sync(&mut self) -> io::Result<()>;

    /// How long the file is, in bytes.
    ///
    /// # Errors
    /// As the system says.
    fn len(&self) -> io::Result<u64>;

    /// Cuts the file to `len` bytes, behind which writing goes on.
    ///
    /// # Errors
    /// As the system says.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Whether it is empty.
    ///
    /// # Errors
    /// As the system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// The machine's own disks.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineDisk;

impl Disk for MachineDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Input>> {
        Ok(Box::new(MachineFile(File::open(path)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(MachineFile(File::create(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Box::new(MachineFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            made => made,
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let names =
            fs::read_dir(or_here(folder))?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(io::Result::transpose).collect()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(or_here(folder))?.sync_all()
    }
}

/// A folder without a name is the present one.
fn or_here(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }
}

struct MachineFile(File);

impl Read for MachineFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Input for MachineFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

impl Write for MachineFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for MachineFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)?;
        self.0.seek(SeekFrom::Start(len))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_on_where_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        let disk = MachineDisk;
        let mut file = disk.create(&path).unwrap();
        file.write_all(b"one two").unwrap();
        file.truncate(4).unwrap();
        file.write_all(b"three").unwrap();
        file.sync().unwrap();
        drop(file);
        let mut file = disk.append(&path).unwrap();
        file.write_all(b" four").unwrap();
        assert_eq!(file.len().unwrap(), 14);
        file.truncate(9).unwrap();
        file.write_all(b"!").unwrap();
        drop(file);
        disk.rename(&path, &other).unwrap();
        disk.sync_folder(folder.path()).unwrap();
        let mut text = String::new();
        disk.open(&other).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "one three!");
        assert_eq!(disk.list(folder.path()).unwrap(), ["b"]);
        disk.remove(&other).unwrap();
        assert_eq!(disk.open(&other).map(drop).unwrap_err().kind(), io::ErrorKind::NotFound);
        let inner = folder.path().join("inner");
        disk.create_folder(&inner).unwrap();
        disk.create_folder(&inner).unwrap();
    }
}
