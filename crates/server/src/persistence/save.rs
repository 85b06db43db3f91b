//! A snapshot that is written: to a temporary file, forced to disk, and then put in its place.
//!
//! The caller stands alone behind the gate, so what is written is one moment of all data.

use crate::config::Settings;
use engine::Ctx;
use engine::data::Data;
use engine::dialect::Dialect;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use store::rdb::Version;
use store::rdb::file::{Clocks, FileWriter, Style, WriteError};

/// Entries that are visited in one step of the walk.
const ENTRIES_PER_STEP: usize = 1 << 12;

/// Writes everything to the file that the settings name.
pub fn save(ctx: &mut Ctx<'_, '_>, settings: &Settings) -> io::Result<()> {
    let path = settings.dir.join(&settings.dbfilename);
    let temporary = settings.dir.join(format!("temp-{}.rdb", std::process::id()));
    let written = write_and_place(ctx, settings, &temporary, &path);
    if written.is_err() {
        // It may not even be there.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_and_place(
    ctx: &mut Ctx<'_, '_>,
    settings: &Settings,
    temporary: &Path,
    path: &Path,
) -> io::Result<()> {
    let mut version = settings.rdb_version.unwrap_or_else(|| oldest(ctx.data, settings.dialect));
    let file = loop {
        match write(ctx, settings, version, File::create(temporary)?) {
            Ok(file) => break file,
            Err(WriteError::Needs(newer)) if settings.rdb_version.is_some() => {
                let (newer, version) = (newer.number(), version.number());
                let reason = format!("rdb-version is {version}, and the data needs {newer}");
                return Err(io::Error::other(reason));
            }
            // Some value is newer than it looked. Newer versions are few.
            Err(WriteError::Needs(newer)) => version = newer,
            Err(WriteError::Io(error)) => return Err(error),
        }
    };
    file.sync_all()?;
    drop(file);
    fs::rename(temporary, path)?;
    sync_folder(path)
}

/// The oldest version that can hold the data, as far as it can be told without looking at every
/// value.
fn oldest(data: &mut Data<'_>, dialect: Dialect) -> Version {
    let has_timed_fields = databases(data).iter().any(|database| database.timed_hashes != 0);
    match (has_timed_fields, dialect) {
        (false, _) => Version::STREAM_COUNTS,
        (true, Dialect::Redis) => Version::FIELD_DEADLINES,
        (true, Dialect::Valkey) => Version::VALKEY,
    }
}

/// What there is of one numbered database.
#[derive(Clone, Copy, Default)]
struct Sizes {
    len: usize,
    volatile: usize,
    timed_hashes: usize,
}

fn databases(data: &mut Data<'_>) -> Vec<Sizes> {
    let mut databases = vec![Sizes::default(); data.keyspace().databases()];
    for index in 0..shards(data) {
        let shard = &data.shard_at(index).data;
        for (db, sizes) in databases.iter_mut().enumerate() {
            let database = shard.database_ref(db);
            sizes.len += database.len();
            sizes.volatile += database.volatile_len();
            sizes.timed_hashes += database.timed_hashes();
        }
    }
    databases
}

fn shards(data: &Data<'_>) -> u32 {
    data.keyspace().locks().len() as u32
}

fn write(
    ctx: &mut Ctx<'_, '_>,
    settings: &Settings,
    version: Version,
    file: File,
) -> Result<File, WriteError> {
    let clocks = if settings.maxmemory_policy.is_lfu() {
        Clocks::Frequencies
    } else if settings.maxmemory != 0 {
        Clocks::Times(ctx.data.access_clock)
    } else {
        Clocks::Ignored
    };
    let style = Style {
        version,
        compresses: settings.rdbcompression,
        has_checksum: settings.rdbchecksum,
        clocks,
    };
    let mut writer = FileWriter::new(file, style)?;
    let differences = settings.dialect.differences();
    let number = |number: u64| number.to_string().into_bytes();
    match differences.valkey_version {
        Some(version) => writer.field("valkey-ver", version.as_bytes())?,
        None => writer.field("redis-ver", differences.redis_version.as_bytes())?,
    }
    writer.field("redis-bits", b"64")?;
    writer.field("ctime", &number(ctx.data.now_ms / 1000))?;
    writer.field("used-mem", &number(base::memory::used() as u64))?;
    writer.field("aof-base", b"0")?;
    let libraries = ctx.engine.functions.libraries();
    if !libraries.is_empty() && version < Version::FUNCTIONS {
        return Err(WriteError::Needs(Version::FUNCTIONS));
    }
    libraries.iter().try_for_each(|library| writer.function(&library.code))?;
    for (db, sizes) in databases(ctx.data).into_iter().enumerate() {
        if sizes.len != 0 {
            writer.database(db, sizes.len, sizes.volatile)?;
            write_database(ctx.data, db, &mut writer)?;
        }
    }
    Ok(writer.finish()?)
}

fn write_database(
    data: &mut Data<'_>,
    db: usize,
    writer: &mut FileWriter<File>,
) -> Result<(), WriteError> {
    for index in 0..shards(data) {
        let database = data.shard_at(index).data.database_ref(db);
        let (mut cursor, mut written) = (0, Ok(()));
        loop {
            cursor = database.scan(cursor, ENTRIES_PER_STEP, |entry| {
                if written.is_ok() {
                    written = writer.entry(entry);
                }
            });
            if cursor == 0 || written.is_err() {
                break;
            }
        }
        written?;
    }
    Ok(())
}

/// A file's new name is as safe as its folder.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
    File::open(folder)?.sync_all()
}
