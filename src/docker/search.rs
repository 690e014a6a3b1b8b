//! Finding a program, with `which` on a system that has no home folders.
//!
//! `which` expands `~` in a search path through `std::env::home_dir`, which links the whole name
//! service of a static C library (300 kB) for a case that a shell has settled before us.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use which::WhichConfig;
use which::sys::{RealSys, Sys};

/// The absolute path of a program that is on `path`, or is itself a path from `/`.
pub(super) fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    WhichConfig::new_with_sys(Homeless(RealSys))
        .binary_name(program.into())
        .custom_path_list(path.to_owned())
        .custom_cwd(PathBuf::from("/"))
        .first_result()
        .ok()
}

#[derive(Clone, Copy)]
struct Homeless(RealSys);

impl Sys for Homeless {
    type ReadDirEntry = <RealSys as Sys>::ReadDirEntry;
    type Metadata = <RealSys as Sys>::Metadata;

    fn home_dir(&self) -> Option<PathBuf> {
        None
    }

    fn is_windows(&self) -> bool {
        self.0.is_windows()
    }

    fn current_dir(&self) -> io::Result<PathBuf> {
        self.0.current_dir()
    }

    fn env_split_paths(&self, paths: &OsStr) -> Vec<PathBuf> {
        self.0.env_split_paths(paths)
    }

    fn env_path(&self) -> Option<OsString> {
        self.0.env_path()
    }

    fn env_path_ext(&self) -> Option<OsString> {
        self.0.env_path_ext()
    }

    fn metadata(&self, path: &Path) -> io::Result<Self::Metadata> {
        self.0.metadata(path)
    }

    fn symlink_metadata(&self, path: &Path) -> io::Result<Self::Metadata> {
        self.0.symlink_metadata(path)
    }

    fn read_dir(
        &self,
        path: &Path,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Self::ReadDirEntry>>>> {
        self.0.read_dir(path)
    }

    fn is_valid_executable(&self, path: &Path) -> io::Result<bool> {
        self.0.is_valid_executable(path)
    }
}
