//! How much memory a command may take: what the machine has left, and what control groups (as of a container)
//! and the limits of the process (as by `ulimit`) allow on top of what is taken already.
//!
//! A program that goes beyond is killed, or aborts in the middle of an allocation, without a word to the
//! user: what takes much asks here first.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use super::output;

/// Memory that can be had, and who sets that bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    pub bytes: u64,
    source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Machine,
    Group,
    Process,
}

/// Such as `the machine has 2.00 GB left`.
impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let left = output::bytes(self.bytes);
        match self.source {
            Source::Machine => write!(f, "the machine has {left} left"),
            Source::Group => write!(f, "the control group (as of a container) has {left} left"),
            Source::Process => write!(f, "the limits of the process (as by ulimit) leave {left}"),
        }
    }
}

/// What can be had without swapping.
///
/// To be asked on the threads that the work will run on: each has allocated by then (see
/// [`try_with_threads`](crate::linalg::try_with_threads)), so that the region of the heap that an allocator
/// reserves for it is taken already.
pub fn available() -> Room {
    System::new().available()
}

/// What control groups and the limits of the process leave: beyond that it ends, whatever its user allows it.
pub fn allowed() -> Room {
    System::new().allowed()
}

/// The largest block that can be had at once, to a [`STEP`]; its pages are never touched.
///
/// The limits themselves would not do: what counts against them besides the pages in use, such as the address
/// space that an allocator reserves for each thread, is known to the system only.
fn largest_block() -> u64 {
    let fits = |bytes: u64| {
        let mut block = Vec::<u8>::new();
        let fits = usize::try_from(bytes).is_ok_and(|bytes| block.try_reserve_exact(bytes).is_ok());
        // The compiler may leave out an allocation that nobody looks at, and take it for made.
        std::hint::black_box(&mut block);
        fits
    };
    let (mut low, mut high) = (0, MOST);
    while high - low > STEP {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The address space of a process: no block is larger.
const MOST: u64 = 1 << 47;

const STEP: u64 = 1 << 20;

/// One part in so many of a limit of the process is kept back, for what a program takes besides what it can
/// predict: stacks of threads, buffers of products, the heap's own room.
const KEPT_BACK: u64 = 8;

/// The files of the kernel, below a folder that is `/` but in tests.
struct System {
    root: PathBuf,
    /// What [`largest_block`] found.
    block: u64,
}

/// Where a version of control groups keeps its numbers.
struct Version {
    mounts: &'static [&'static str],
    limit: &'static str,
    used: &'static str,
    /// In `memory.stat`: what is used for files, and is given back when it is needed.
    given_back: [&'static str; 2],
}

const V1: Version = Version {
    mounts: &["sys/fs/cgroup/memory"],
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    given_back: ["total_inactive_file", "total_active_file"],
};

const V2: Version = Version {
    mounts: &["sys/fs/cgroup", "sys/fs/cgroup/unified"],
    limit: "memory.max",
    used: "memory.current",
    given_back: ["inactive_file", "active_file"],
};

impl System {
    fn new() -> System {
        System { root: "/".into(), block: largest_block() }
    }

    fn available(&self) -> Room {
        let machine = self.meminfo("MemAvailable:").map(|bytes| Room { bytes, source: Source::Machine });
        least(self.allowed(), machine)
    }

    fn allowed(&self) -> Room {
        least(self.process(), self.groups().map(|bytes| Room { bytes, source: Source::Group }))
    }

    fn process(&self) -> Room {
        // Linux refuses a block larger than all memory even where the process has no limit. That one is found to
        // a step, and takes some pages besides.
        if self.meminfo("MemTotal:").is_some_and(|total| self.block + 2 * STEP >= total) {
            return Room { bytes: self.block, source: Source::Machine };
        }
        Room { bytes: self.block - self.block / KEPT_BACK, source: Source::Process }
    }

    fn meminfo(&self, name: &str) -> Option<u64> {
        field(&self.read("proc/meminfo")?, name).map(|kib| kib.saturating_mul(1024))
    }

    /// The least that a control group of the process leaves, or one above it.
    fn groups(&self) -> Option<u64> {
        let text = self.read("proc/self/cgroup")?;
        let groups = text.lines().filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            match controllers {
                "" => Some((&V2, path)),
                _ if controllers.split(',').any(|name| name == "memory") => Some((&V1, path)),
                _ => None,
            }
        });
        groups.filter_map(|(version, path)| self.group(version, path)).min()
    }

    fn group(&self, version: &Version, path: &str) -> Option<u64> {
        // A container may see the path that it has on its host: then only the root is there, which is its
        // own.
        let path: PathBuf =
            Path::new(path).components().filter(|part| matches!(part, Component::Normal(_))).collect();
        let folders = version.mounts.iter().flat_map(|mount| {
            let mount = Path::new(mount);
            path.ancestors().map(|group| mount.join(group)).collect::<Vec<_>>()
        });
        let left = |folder: PathBuf| {
            let number = |name: &str| self.read(folder.join(name))?.trim().parse::<u64>().ok();
            // `max`, which is no number, is no limit.
            let (limit, used) = (number(version.limit)?, number(version.used)?);
            let stat = self.read(folder.join("memory.stat")).unwrap_or_default();
            let given_back = version.given_back.iter().filter_map(|name| field(&stat, name));
            Some(limit.saturating_sub(given_back.fold(used, u64::saturating_sub)))
        };
        folders.filter_map(left).min()
    }

    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }
}

/// The smaller one.
fn least(room: Room, other: Option<Room>) -> Room {
    other.filter(|other| other.bytes < room.bytes).unwrap_or(room)
}

/// The number behind a name, in the first line that begins with the name.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal: 24684084 kB\nMemFree: 100 kB\nMemAvailable:   2000000 kB\n";
    /// What is available and allowed where the kernel has these files, and no block is larger.
    fn found(files: &[(&str, &str)], block: u64) -> (Room, Room) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let system = System { root: folder.path().into(), block };
        (system.available(), system.allowed())
    }

    fn room(bytes: u64, source: Source) -> Room {
        Room { bytes, source }
    }

    #[test]
    fn without_limits_it_is_what_the_machine_has() {
        // All memory is the most that the kernel gives out; the search for it ends less than a `STEP` below.
        let block = (24_684_084 << 10) - STEP - 4096;
        let (available, allowed) = found(&[("proc/meminfo", MEMINFO)], block);
        assert_eq!(available, room(2_048_000_000, Source::Machine));
        assert_eq!(allowed, room(block, Source::Machine));
        assert_eq!(available.to_string(), "the machine has 2.05 GB left");
    }

    #[test]
    fn the_least_of_the_groups_above_counts() {
        let group = ("proc/self/cgroup", "0::/pod/box\n");
        let outer =
            [("sys/fs/cgroup/pod/memory.max", "700\n"), ("sys/fs/cgroup/pod/memory.current", "600\n")];
        let inner = [
            ("sys/fs/cgroup/pod/box/memory.max", "max\n"),
            ("sys/fs/cgroup/pod/box/memory.current", "500\n"),
            ("proc/meminfo", MEMINFO),
        ];
        let files = [&[group][..], &outer, &inner].concat();
        let group = |bytes| room(bytes, Source::Group);
        assert_eq!(found(&files, MOST), (group(100), group(100)));
        assert!(group(0).to_string().starts_with("the control group (as of a container) has 0 B"));
        // Of which 80 are files.
        let stat = ("sys/fs/cgroup/pod/memory.stat", "anon 520\nfile 80\ninactive_file 50\nactive_file 30\n");
        assert_eq!(found(&[&files[..], &[stat]].concat(), MOST).1, group(180));
        let tight = [("sys/fs/cgroup/memory.max", "800"), ("sys/fs/cgroup/memory.current", "900")];
        assert_eq!(found(&[&files[..], &tight].concat(), MOST).1, group(0));
    }

    /// A container that sees the path it has on its host, where its own group is the root.
    #[test]
    fn groups_of_version_one() {
        let files = [
            ("proc/self/cgroup", "9:name=systemd:/\n5:cpu,memory:/docker/4f2c\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "400000\n"),
            (
                "sys/fs/cgroup/memory/memory.stat",
                "inactive_file 7\ntotal_inactive_file 100000\ntotal_active_file 20000\n",
            ),
        ];
        assert_eq!(found(&files, MOST).1, room(720_000, Source::Group));
        let own = [
            ("sys/fs/cgroup/memory/docker/4f2c/memory.limit_in_bytes", "500000\n"),
            ("sys/fs/cgroup/memory/docker/4f2c/memory.usage_in_bytes", "100000\n"),
        ];
        assert_eq!(found(&[&files[..], &own].concat(), MOST).1, room(400_000, Source::Group));
    }

    #[test]
    fn limits_of_the_process() {
        let found = found(&[("proc/meminfo", MEMINFO)], 800_000_000).0;
        assert_eq!(found, room(700_000_000, Source::Process));
        assert_eq!(found.to_string(), "the limits of the process (as by ulimit) leave 700 MB");
    }

    #[test]
    fn the_largest_block() {
        let block = largest_block();
        assert!((STEP..MOST).contains(&block), "{block}");
        assert!(Vec::<u8>::new().try_reserve_exact(block as usize / 2).is_ok());
    }
}
