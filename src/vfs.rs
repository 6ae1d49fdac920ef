//! The only reader of files: what a project's texts are, and where they may come from.
//!
//! A project is a folder; [`Root`] keeps every path inside it, symbolic links included. [`Files`]
//! holds the texts that were read, under the ids that spans refer to. [`Disk`] is where bytes come
//! from, so that tests and watch mode share one way in. [`watch`] says when to read again.

mod disk;
mod files;
mod natural;
mod root;
pub mod watch;

pub use disk::{Disk, FileKind, MemoryDisk, RealDisk};
pub use files::{Digest, File, Files, Limits, ReadError};
pub use natural::natural_cmp;
pub use root::{Globbed, Root};

#[cfg(test)]
mod tests;
