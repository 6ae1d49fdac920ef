//! Reading, on a disk in memory and on a real one.

use std::path::{Path, PathBuf};

use super::*;
use crate::diag::{Place, Span};

const FLEET: &str = "import \"racks/*.kdl\"\n";

fn disk() -> MemoryDisk {
    MemoryDisk::new()
        .with("/p/fleet.kdl", FLEET)
        .with("/p/racks/r1.kdl", "rack r1\n")
        .with("/p/racks/r2.kdl", "rack r2\n")
        .with("/p/racks/r10.kdl", "rack r10\n")
        .with("/p/racks/.hidden.kdl", "")
        .with("/p/racks/notes.txt", "")
        .with("/p/racks/deep/r3.kdl", "rack r3\n")
        .with("/p/sites/a/site.kdl", "a")
        .with("/p/sites/b/site.kdl", "b")
        .with("/p/sites/c/other.kdl", "c")
        .with("/etc/passwd", "secret")
}

fn root(disk: &dyn Disk) -> Root {
    Root::open(disk, Path::new("/p/fleet.kdl")).expect("a root")
}

/// The files that a pattern names, relative to the root, or the first error.
fn glob(disk: &dyn Disk, pattern: &str) -> Result<Vec<String>, ReadError> {
    let root = root(disk);
    let found = root.glob(disk, root.path(), pattern);
    match found.errors.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(found.files.iter().map(|path| root.display(path)).collect()),
    }
}

#[test]
fn the_root_is_the_folder_of_the_file() {
    let disk = disk();
    assert_eq!(root(&disk).path(), Path::new("/p"));
    assert_eq!(
        Root::open(&disk, Path::new("/p")).expect("a root").path(),
        Path::new("/p")
    );
    let missing = Root::open(&disk, Path::new("/q/fleet.kdl")).expect_err("nothing there");
    assert_eq!(
        missing,
        ReadError::Missing {
            path: "/q/fleet.kdl".into()
        }
    );
}

#[test]
fn patterns_name_files_in_natural_order() {
    let disk = disk();
    let names = |pattern| glob(&disk, pattern).expect("a pattern");
    assert_eq!(
        names("racks/*.kdl"),
        ["racks/r1.kdl", "racks/r2.kdl", "racks/r10.kdl"]
    );
    assert_eq!(names("./racks/r[12].kdl"), ["racks/r1.kdl", "racks/r2.kdl"]);
    assert_eq!(names("racks/r?.kdl"), ["racks/r1.kdl", "racks/r2.kdl"]);
    assert_eq!(names("racks/.*.kdl"), ["racks/.hidden.kdl"]);
    assert_eq!(
        names("sites/*/site.kdl"),
        ["sites/a/site.kdl", "sites/b/site.kdl"]
    );
    assert_eq!(names("*/*/*.kdl").len(), 4);
    assert_eq!(names("racks/r1.kdl"), ["racks/r1.kdl"]);
    assert_eq!(names("none/*.kdl"), [""; 0]);
    assert_eq!(
        names("racks/../racks/r1*.kdl"),
        ["racks/r1.kdl", "racks/r10.kdl"]
    );
    let wrong = glob(&disk, "racks/[.kdl").expect_err("no pattern");
    assert!(matches!(wrong, ReadError::Pattern { .. }), "{wrong}");
    let missing = glob(&disk, "racks/r3.kdl").expect_err("not there");
    assert_eq!(missing.to_string(), "no file at `/p/racks/r3.kdl`");
}

#[test]
fn folders_that_were_looked_into_are_told() {
    let disk = disk();
    let root = root(&disk);
    let visited = |pattern| root.glob(&disk, root.path(), pattern).visited;
    // A file that is not there yet may come.
    assert_eq!(
        visited("sites/*/site.kdl"),
        ["/p/sites", "/p/sites/c/site.kdl"].map(PathBuf::from)
    );
    assert_eq!(visited("none/*.kdl"), [PathBuf::from("/p/none")]);
}

#[test]
fn what_a_pattern_may_mean_and_cannot_be_looked_at_is_an_error_beside_the_files() {
    let mut disk = disk()
        .with("/p/sites/d/deep/site.kdl", "d")
        .with("/p/sites/e/deep", "a file");
    disk.link("/p/racks/r3.kdl", "gone.kdl");
    disk.link("/p/sites/c/deep", "../gone");
    disk.link("/p/sites/gone", "nowhere");
    disk.forbid("/p/sites/b");
    let root = root(&disk);
    let look = |pattern: &str| {
        let found = root.glob(&disk, root.path(), pattern);
        let files: Vec<String> = found.files.iter().map(|path| root.display(path)).collect();
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        (files.join(" "), errors.join("; "), found.visited)
    };
    let (files, errors, visited) = look("racks/*.kdl");
    assert_eq!(files, "racks/r1.kdl racks/r2.kdl racks/r10.kdl");
    assert_eq!(errors, "`/p/racks/r3.kdl` is a link that leads nowhere");
    assert!(visited.contains(&"/p/racks/r3.kdl".into()), "{visited:?}");

    let (files, errors, _) = look("sites/[a-c]/site.kdl");
    assert_eq!(files, "sites/a/site.kdl");
    assert_eq!(
        errors,
        "`/p/sites/b/site.kdl` cannot be read: permission denied"
    );

    let (files, errors, _) = look("sites/*/deep/*.kdl");
    assert_eq!(files, "sites/d/deep/site.kdl");
    assert_eq!(
        errors,
        "`/p/sites/gone` is a link that leads nowhere; \
         `/p/sites/b/deep` cannot be read: permission denied; \
         `/p/sites/c/deep` is a link that leads nowhere"
    );
}

#[test]
fn a_link_is_watched_beside_the_file_that_it_leads_to() {
    let mut disk = disk();
    disk.link("/p/now.kdl", "racks/r1.kdl");
    let root = root(&disk);
    for pattern in ["now.kdl", "n*.kdl"] {
        let found = root.glob(&disk, root.path(), pattern);
        assert_eq!(found.files, [PathBuf::from("/p/racks/r1.kdl")]);
        assert!(found.visited.contains(&"/p/now.kdl".into()), "{pattern}");
    }
}

#[test]
fn nothing_outside_of_the_root_is_read() {
    let mut disk = disk();
    disk.link("/p/inside.kdl", "racks/r1.kdl");
    disk.link("/p/outside.kdl", "../etc/passwd");
    disk.link("/p/absolute.kdl", "/etc/passwd");
    disk.link("/p/out", "/etc");
    disk.link("/p/loop.kdl", "loop.kdl");
    disk.write("/pp/x.kdl", "a neighbour whose name starts alike");
    assert_eq!(glob(&disk, "inside.kdl").expect("inside"), ["racks/r1.kdl"]);
    for path in [
        "outside.kdl",
        "absolute.kdl",
        "out/passwd",
        "../etc/passwd",
        "/etc/passwd",
        "*ide.kdl",
        "out/*",
        "../pp/x.kdl",
        "/etc/*",
        "../*/passwd",
        "racks/../../etc/passwd",
    ] {
        let error = glob(&disk, path).expect_err(path);
        assert!(
            matches!(error, ReadError::Outside { .. }),
            "{path}: {error}"
        );
        assert_eq!(error.code().to_string(), "MF2207");
    }
    let error = glob(&disk, "loop.kdl").expect_err("a loop");
    assert!(matches!(error, ReadError::Unreadable { .. }), "{error}");
    let error = glob(&disk, "outside.kdl").expect_err("outside");
    assert_eq!(
        error.to_string(),
        "`/p/outside.kdl` leads to `/etc/passwd`, which is outside the project `/p`"
    );
}

#[test]
fn files_of_a_mounted_volume_keep_their_names_when_it_is_replaced() {
    let mut disk = MemoryDisk::new();
    disk.link("/m/fleet.kdl", "..data/fleet.kdl");
    disk.link("/m/racks", "..data/racks");
    for version in ["..2026_01", "..2026_02"] {
        disk.write(Path::new("/m").join(version).join("fleet.kdl"), FLEET);
        disk.write(
            Path::new("/m").join(version).join("racks/r1.kdl"),
            "rack r1",
        );
        disk.link("/m/..data", version);
        let root = Root::open(&disk, Path::new("/m/fleet.kdl")).expect("a root");
        let real = disk.canonical(Path::new("/m/fleet.kdl")).expect("there");
        assert_eq!(root.display(&real), "fleet.kdl");
        let found = root.glob(&disk, real.parent().expect("a folder"), "racks/*.kdl");
        assert_eq!(found.files.len(), 1);
        assert_eq!(root.display(&found.files[0]), "racks/r1.kdl");
    }
}

#[test]
fn a_file_is_read_once() {
    let disk = disk();
    let root = root(&disk);
    let mut files = Files::new();
    let path = root
        .resolve(&disk, root.path(), "fleet.kdl")
        .expect("there");
    let id = files
        .load(&disk, &root, &path, &Limits::default())
        .expect("read");
    assert_eq!(files.load(&disk, &root, &path, &Limits::default()), Ok(id));
    assert_eq!(files.len(), 1);
    assert_eq!(files.path(id), "fleet.kdl");
    assert_eq!(&**files.text(id), FLEET);
    assert_eq!(files.digest(id), Digest::of(FLEET.as_bytes()));
    assert_eq!(files.find(&path), Some(id));
    let other = files.add("<params>", "a 1");
    assert_eq!(files.path(other), "<params>");
    assert_eq!(files.iter().count(), 2);
    assert_eq!(files.str(Span::new(0, 6).in_file(id)), "import");
}

#[test]
fn what_cannot_be_read_says_why() {
    let mut disk = disk()
        .with("/p/latin1.kdl", b"a \"caf\xe9\"")
        .with("/p/large.kdl", "x".repeat(2000))
        .with("/p/closed.kdl", "");
    disk.forbid("/p/closed.kdl");
    disk.forbid("/p/sites/a");
    let root = root(&disk);
    let limits = Limits {
        file: 1000,
        project: 1500,
    };
    let mut files = Files::new();
    let mut load = |path: &str| {
        files
            .load(&disk, &root, Path::new(path), &limits)
            .map_err(|error| (error.code().to_string(), error.to_string()))
    };
    let error = |code: &str, text: &str| Err((code.to_owned(), text.to_owned()));
    assert_eq!(
        load("/p/none.kdl"),
        error("MF2207", "no file at `/p/none.kdl`")
    );
    assert_eq!(
        load("/p/racks"),
        error(
            "MF2207",
            "`/p/racks` is a folder; name a file, or `/p/racks/*.kdl` for the files in it"
        )
    );
    assert_eq!(
        load("/p/latin1.kdl"),
        error(
            "MF1040",
            "`/p/latin1.kdl` is not UTF-8: byte 6 begins no character; save it as UTF-8"
        )
    );
    assert_eq!(
        load("/p/large.kdl"),
        error(
            "MF9001",
            "`/p/large.kdl` is larger than 1000 bytes; split it"
        )
    );
    assert_eq!(
        load("/p/closed.kdl"),
        error(
            "MF2207",
            "`/p/closed.kdl` cannot be read: permission denied"
        )
    );
    let folder = glob(&disk, "sites/a/*.kdl").expect_err("closed");
    assert!(matches!(folder, ReadError::Unreadable { .. }), "{folder}");

    let mut files = Files::new();
    files.add("a", "x".repeat(1400));
    files.add("b", "x".repeat(90));
    let error = files
        .load(&disk, &root, Path::new("/p/fleet.kdl"), &limits)
        .expect_err("too much");
    assert_eq!(error.code().to_string(), "MF9002");
}

#[test]
fn lines_and_columns_count_code_points() {
    let mut files = Files::new();
    let id = files.add("f", "é\u{1f600}x\r\nb\rc\n");
    let at = |offset: u32| {
        files.line_col(Place {
            file: id,
            span: Span::point(offset),
        })
    };
    assert_eq!(
        [0, 1, 2, 6, 7].map(at),
        [(1, 1), (1, 1), (1, 2), (1, 3), (1, 4)]
    );
    assert_eq!(
        [9, 10, 11, 12, 13, 99].map(at),
        [(2, 1), (2, 2), (3, 1), (3, 2), (4, 1), (4, 1)]
    );
    assert_eq!(files.whole(id).span, Span::new(0, 13));
}

/// The same on the disk of this machine.
mod real {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn files_folders_and_links_are_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(outside.path().join("x.kdl"), "x").expect("written");
        fs::create_dir(at("racks")).expect("made");
        fs::write(at("fleet.kdl"), FLEET).expect("written");
        fs::write(at("racks/r1.kdl"), "rack r1").expect("written");
        fs::write(at("latin1.kdl"), b"\xff").expect("written");
        fs::write(at("large.kdl"), vec![b'a'; 5000]).expect("written");
        symlink(outside.path().join("x.kdl"), at("racks/x.kdl")).expect("linked");
        symlink("r1.kdl", at("racks/same.kdl")).expect("linked");
        symlink("nowhere", at("dangling.kdl")).expect("linked");

        let disk = RealDisk;
        let root = Root::open(&disk, &at("fleet.kdl")).expect("a root");
        let limits = Limits {
            file: 4096,
            ..Limits::default()
        };
        let mut files = Files::new();
        let mut load = |name: &str| {
            let real = root.resolve(&disk, root.path(), name)?;
            files.load(&disk, &root, &real, &limits)
        };
        let first = load("racks/r1.kdl").expect("read");
        assert_eq!(
            load("racks/same.kdl"),
            Ok(first),
            "one file however it is named"
        );
        assert!(matches!(
            load("racks/x.kdl"),
            Err(ReadError::Outside { .. })
        ));
        assert!(matches!(load("racks"), Err(ReadError::Folder { .. })));
        assert!(matches!(
            load("dangling.kdl"),
            Err(ReadError::Missing { .. })
        ));
        assert!(matches!(
            load("fleet.kdl/x"),
            Err(ReadError::Missing { .. })
        ));
        assert!(matches!(
            load("latin1.kdl"),
            Err(ReadError::NotUtf8 { offset: 0, .. })
        ));
        assert!(matches!(
            load("large.kdl"),
            Err(ReadError::FileTooLarge { limit: 4096, .. })
        ));
        let found = root.glob(&disk, root.path(), "racks/[rs]*.kdl");
        assert_eq!(
            (found.files.len(), found.errors),
            (1, Vec::new()),
            "a link and its target are one file"
        );
        let found = root.glob(&disk, root.path(), "racks/*.kdl");
        assert!(matches!(found.errors[..], [ReadError::Outside { .. }]));
        let found = root.glob(&disk, root.path(), "*ing.kdl");
        assert!(matches!(found.errors[..], [ReadError::Dangling { .. }]));
        let device = files.load(&disk, &root, Path::new("/dev/zero"), &limits);
        assert!(matches!(device, Err(ReadError::NotAFile { .. })));
    }
}
