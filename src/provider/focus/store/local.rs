//! Local files below one folder. No link leads out of it, and only regular files are opened.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, MetadataExt, OpenOptions, OpenOptionsExt},
};
use futures_util::{StreamExt, future::BoxFuture};
use jiff::Timestamp;
use tokio::task;

use super::{Keep, Listed, Listing, MAX_PAGES, Store, Version};
use crate::{
    error::{ProviderError, Reason},
    provider::focus::{
        file::{ExportFile, FileBytes},
        location::{is_data_file, local},
    },
};

/// How many folders may lie within each other.
const MAX_DEPTH: usize = 32;
/// The maximum number of files and folders that are looked at.
const MAX_ENTRIES: usize = MAX_PAGES * 1_000;
/// How many bytes are read at once.
const CHUNK: usize = 256 * 1024;
/// `O_NONBLOCK` of Linux: opening a pipe, which may take the place of a file after it was listed, must not wait.
const O_NONBLOCK: i32 = 0o4000;

const LEAVES: &str = "is a link out of the location, or to nothing";
const NOT_REGULAR: &str = "is not a regular file";
const NOT_UTF_8: &str = "has a name that is not UTF-8";

/// Local folders.
#[derive(Debug)]
pub(in crate::provider::focus) struct LocalStore;

impl Store for LocalStore {
    fn list<'a>(
        &'a self,
        path: &'a str,
        keep: &'a Keep,
    ) -> BoxFuture<'a, Result<Listing, ProviderError>> {
        Box::pin(async move {
            // The names are few bytes each, so all are gathered before they are chosen from.
            let root = Root::of(path);
            let found = on_blocking_thread(move || root.walk()).await?;
            let mut listing = Listing::default();
            for file in found {
                let name = file.name.clone();
                listing.add(&name, keep, file)?;
            }
            Ok(listing)
        })
    }

    fn open(&self, path: &str, file: &Listed) -> Result<Arc<dyn ExportFile>, ProviderError> {
        if let Some(problem) = file.problem {
            let what = format!("{}: {problem}", file.name);
            return Err(ProviderError::malformed(what));
        }
        Ok(Arc::new(LocalFile {
            folder: Root::of(path).folder,
            listed: file.clone(),
        }))
    }
}

/// The folder of a location, and the one file in it that the location names, if it does.
#[derive(Debug)]
struct Root {
    folder: PathBuf,
    only: Option<PathBuf>,
}

impl Root {
    fn of(path: &str) -> Self {
        let whole = local(path);
        if is_data_file(path)
            && !whole.is_dir()
            && let (Some(folder), Some(name)) = (whole.parent(), whole.file_name())
        {
            return Self {
                folder: folder.to_owned(),
                only: Some(PathBuf::from(name)),
            };
        }
        Self {
            folder: whole,
            only: None,
        }
    }

    /// Every file below the folder. Links to folders are not followed, as the files in them would count twice.
    fn walk(&self) -> Result<Vec<Listed>, ProviderError> {
        let root = open_folder(&self.folder)?;
        if let Some(only) = &self.only {
            return match root.symlink_metadata(only) {
                Ok(_) => Ok(listed(&root, only).into_iter().collect()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(error) => Err(unreadable(only, error)),
            };
        }
        let mut found = Vec::new();
        let mut entries = 0;
        let mut folders = vec![(PathBuf::new(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            if depth > MAX_DEPTH {
                let what = format!("{}: too many folders in each other", folder.display());
                return Err(ProviderError::new(Reason::TooLarge, what));
            }
            let listing = if folder.as_os_str().is_empty() {
                root.entries()
            } else {
                root.read_dir(&folder)
            };
            for entry in listing.map_err(|error| unreadable(&folder, error))? {
                let entry = entry.map_err(|error| unreadable(&folder, error))?;
                entries += 1;
                if entries > MAX_ENTRIES {
                    let what = format!("more than {MAX_ENTRIES} files; name a narrower location");
                    return Err(ProviderError::new(Reason::TooLarge, what));
                }
                let path = folder.join(entry.file_name());
                let kind = entry.file_type();
                let kind = kind.map_err(|error| unreadable(&path, error))?;
                if kind.is_dir() {
                    folders.push((path, depth + 1));
                } else {
                    found.extend(listed(&root, &path));
                }
            }
        }
        Ok(found)
    }
}

/// A file as it is now; `None` for a link to a folder.
fn listed(root: &Dir, path: &Path) -> Option<Listed> {
    let mut file = Listed {
        name: path.to_string_lossy().into_owned(),
        size: 0,
        modified: Timestamp::UNIX_EPOCH,
        version: Version::Time,
        problem: None,
        head: None,
    };
    match root.metadata(path) {
        Err(_) => file.problem = Some(LEAVES),
        Ok(metadata) if metadata.is_dir() => return None,
        Ok(metadata) if !metadata.is_file() => file.problem = Some(NOT_REGULAR),
        Ok(_) if path.to_str().is_none() => file.problem = Some(NOT_UTF_8),
        Ok(metadata) => {
            file.size = metadata.len();
            file.modified = modified(&metadata);
            file.version = version(&metadata);
        }
    }
    Some(file)
}

fn version(metadata: &Metadata) -> Version {
    Version::Inode {
        device: metadata.dev(),
        number: metadata.ino(),
        nanos: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
    }
}

fn modified(metadata: &Metadata) -> Timestamp {
    let nanos = i32::try_from(metadata.mtime_nsec()).unwrap_or_default();
    Timestamp::new(metadata.mtime(), nanos).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn open_folder(folder: &Path) -> Result<Dir, ProviderError> {
    Dir::open_ambient_dir(folder, ambient_authority()).map_err(|error| unreadable(folder, error))
}

fn unreadable(path: &Path, error: io::Error) -> ProviderError {
    let reason = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Reason::NotFound,
        io::ErrorKind::PermissionDenied => Reason::Forbidden,
        _ => Reason::UpstreamError,
    };
    ProviderError::new(reason, format!("cannot read {}", path.display())).because(error)
}

/// One file, as it was listed.
struct LocalFile {
    folder: PathBuf,
    listed: Listed,
}

/// The same file while it is read.
struct OpenFile {
    file: cap_std::fs::File,
    listed: Listed,
    left: u64,
}

impl LocalFile {
    async fn open(&self) -> Result<OpenFile, ProviderError> {
        let (folder, listed) = (self.folder.clone(), self.listed.clone());
        on_blocking_thread(move || OpenFile::open(&folder, listed)).await
    }
}

impl OpenFile {
    fn open(folder: &Path, listed: Listed) -> Result<Self, ProviderError> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(O_NONBLOCK);
        let path = Path::new(&listed.name);
        let file = open_folder(folder)?
            .open_with(path, &options)
            .map_err(|error| {
                let gone = error.kind() == io::ErrorKind::NotFound;
                let error = unreadable(path, error);
                if gone {
                    let what = format!("{}: is gone since it was listed", listed.name);
                    ProviderError::truncated(what)
                } else {
                    error
                }
            })?;
        let open = Self {
            file,
            left: listed.size,
            listed,
        };
        open.check()?;
        Ok(open)
    }

    /// Fails where the file is not what was listed.
    fn check(&self) -> Result<(), ProviderError> {
        let name = &self.listed.name;
        let metadata = self.file.metadata();
        let metadata = metadata.map_err(|error| unreadable(Path::new(name), error))?;
        if !metadata.is_file() {
            return Err(ProviderError::malformed(format!("{name}: {NOT_REGULAR}")));
        }
        if metadata.len() != self.listed.size || version(&metadata) != self.listed.version {
            let what = format!("{name}: was changed since it was listed");
            return Err(ProviderError::truncated(what));
        }
        Ok(())
    }

    /// The next bytes; `None` once all were read and the file is still the same.
    fn next(&mut self) -> Result<Option<Bytes>, ProviderError> {
        if self.left == 0 {
            self.check()?;
            return Ok(None);
        }
        let length = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        let chunk = self.read(length)?;
        self.left -= chunk.len() as u64;
        Ok(Some(chunk))
    }

    fn read(&mut self, length: usize) -> Result<Bytes, ProviderError> {
        let mut chunk = vec![0; length];
        self.file.read_exact(&mut chunk).map_err(|error| {
            let name = &self.listed.name;
            if error.kind() == io::ErrorKind::UnexpectedEof {
                ProviderError::truncated(format!("{name}: is shorter than it was listed"))
            } else {
                unreadable(Path::new(name), error)
            }
        })?;
        Ok(Bytes::from(chunk))
    }
}

impl ExportFile for LocalFile {
    fn name(&self) -> &str {
        &self.listed.name
    }

    fn size(&self) -> Option<u64> {
        Some(self.listed.size)
    }

    fn stream(&self) -> BoxFuture<'_, Result<FileBytes, ProviderError>> {
        Box::pin(async move {
            let open = self.open().await?;
            let bytes = futures_util::stream::unfold(Some(open), |open| async move {
                let mut open = open?;
                let read = on_blocking_thread(move || {
                    let chunk = open.next()?;
                    Ok((chunk, open))
                });
                match read.await {
                    Ok((Some(chunk), open)) => Some((Ok(chunk), Some(open))),
                    Ok((None, _)) => None,
                    Err(error) => Some((Err(error), None)),
                }
            });
            Ok(bytes.boxed())
        })
    }

    fn range(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ProviderError>> {
        Box::pin(async move {
            let mut open = self.open().await?;
            on_blocking_thread(move || {
                let length = usize::try_from(range.end.saturating_sub(range.start));
                let length = length.map_err(|_| {
                    let what = format!("{}: too long a range", open.listed.name);
                    ProviderError::new(Reason::TooLarge, what)
                })?;
                let sought = open.file.seek(SeekFrom::Start(range.start));
                sought.map_err(|error| unreadable(Path::new(&open.listed.name), error))?;
                let bytes = open.read(length)?;
                open.check()?;
                Ok(bytes)
            })
            .await
        })
    }
}

async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    match task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ProviderError::new(
                Reason::Timeout,
                "the exporter is shutting down",
            )),
        },
    }
}
