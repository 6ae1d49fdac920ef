//! Opening and making the two files, and why that fails.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase as _, StorageBackend, TableError};

use super::backend::AnyBackend;
use super::load::Logs;
use super::log::Log;
use super::tables::{self, META, OBJECT, SALT, folded};
use super::{FORMAT, Medium};
use crate::store::Holder;
use crate::store::embedded::OpenError;

/// Opens the database. With `check` all checksums are looked at: when a store is opened all of it
/// is read anyway.
pub(super) fn database(
    path: &Path,
    cache: usize,
    medium: Option<&Medium>,
    check: bool,
) -> Result<Database, redb::Error> {
    let mut builder = Builder::new();
    builder.set_cache_size(cache);
    builder.set_check_integrity_on_open(check);
    let database = match medium {
        None => builder.open(path)?,
        Some(medium) => {
            let file = File::options().read(true).write(true).open(path)?;
            builder.create_with_backend(AnyBackend(medium(file)?))?
        }
    };
    Ok(database)
}

/// Makes a new store: under another name first, so that a file of that name is always whole.
pub(super) fn create(path: &Path, seed: u64, salt: [u8; 32]) -> Result<(), OpenError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let make = || -> Result<(), redb::Error> {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let database = Builder::new().create(&new)?;
        // Whoever reads the salt can try passwords on the versions of credentials.
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
        let transaction = database.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert("format", FORMAT)?;
            meta.insert("seed", seed)?;
            meta.insert("folded", 0)?;
            meta.insert("floor", 0)?;
            transaction.open_table(SALT)?.insert((), salt)?;
            transaction.open_table(OBJECT)?;
        }
        transaction.commit()?;
        database.close()?;
        fs::rename(&new, path)?;
        sync_folder(path)?;
        Ok(())
    };
    make().map_err(|error| match error {
        redb::Error::Io(source) => io_error(path, "create", source),
        other => io_error(path, "create", io::Error::other(other.to_string())),
    })
}

/// The log's file: beside the rows, under their name and `.log`.
pub(super) fn log_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".log");
    path.with_file_name(name)
}

/// Makes the names of new files durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Opens the log of these rows, or makes an empty one, and reads it.
pub(super) fn open_log(
    path: &Path,
    medium: Option<&Medium>,
    database: &Database,
    format: u64,
) -> Result<(Log, Logs), OpenError> {
    let file = || -> Result<Box<dyn StorageBackend>, redb::Error> {
        let path = log_path(path);
        let is_new = !path.exists();
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)?;
        if is_new {
            sync_folder(&path)?;
        }
        Ok(match medium {
            None => Box::new(FileBackend::new(file)?),
            Some(medium) => medium(file)?,
        })
    };
    let failed = |error: redb::Error| open_error(path, error);
    let log_failed = |error: redb::Error| open_error(&log_path(path), error);
    let seed = tables::number(database, "seed").map_err(failed)?;
    let folded = folded(database).map_err(failed)?;
    let mut logged = Logs::default();
    if format == 1 {
        for (version, record) in tables::changes(database).map_err(failed)? {
            let taken = logged.take(version, &record);
            taken.map_err(|reason| damaged(path, reason))?;
        }
        // Whatever is in the log is of an earlier attempt to take this over.
        let log = Log::anew(file().map_err(log_failed)?, seed, folded);
        return Ok((log.map_err(|error| log_failed(error.into()))?, logged));
    }
    let has_log = tables::number(database, tables::LOGGED).map_err(failed)? == 1;
    if has_log && !log_path(path).exists() {
        let text = "its log is gone, which has the latest changes";
        return Err(damaged(path, text.into()));
    }
    let file = file().map_err(log_failed)?;
    let mut take = |version, record: &[u8]| logged.take(version, record);
    let log = Log::open(file, seed, folded, &mut take).map_err(|reason| damaged(path, reason))?;
    Ok((log, logged))
}

/// The format of the file, one that can be read.
pub(super) fn check_format(path: &Path, database: &Database) -> Result<u64, OpenError> {
    let read = || -> Result<Option<u64>, redb::Error> {
        let transaction = database.begin_read()?;
        let meta = match transaction.open_table(META) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            other => other?,
        };
        Ok(meta.get("format")?.map(|format| format.value()))
    };
    match read() {
        Ok(Some(found)) if found > FORMAT => Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: FORMAT,
        }),
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(damaged(
            path,
            "it is a database, but not metalform's".into(),
        )),
        Err(error) => Err(damaged(path, error.to_string())),
    }
}

pub(super) fn io_error(path: &Path, action: &'static str, source: io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        action,
        source,
    }
}

pub(super) fn damaged(path: &Path, reason: String) -> OpenError {
    OpenError::Damaged {
        path: path.to_owned(),
        reason,
    }
}

pub(super) fn open_error(path: &Path, error: redb::Error) -> OpenError {
    match error {
        redb::Error::Io(source)
            if !matches!(
                source.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            io_error(path, "open", source)
        }
        redb::Error::DatabaseAlreadyOpen => OpenError::Held {
            path: path.to_owned(),
            holder: Holder::default(),
        },
        other => damaged(path, other.to_string()),
    }
}
