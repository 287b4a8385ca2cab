//! How much memory a command may take: what the machine has left, and what control groups (as of a container)
//! and the limits of the shell (`ulimit`) allow on top of what is taken already.
//!
//! A program that goes beyond is killed, or aborts in the middle of an allocation, without a word to the user:
//! what takes much asks here first.

use std::path::{Component, Path, PathBuf};

/// Bytes that can be had without swapping; `None` where the operating system tells nothing.
pub fn available() -> Option<u64> {
    System::new().available()
}

/// Bytes that control groups and the shell's limits leave. A program that goes beyond ends there, whatever its user
/// allows it. `None` where there is no limit.
pub fn allowed() -> Option<u64> {
    System::new().allowed()
}

/// What a program takes besides what it can predict: stacks of threads, buffers of products, the heap's own
/// room. Kept back where the address space is limited, since that is counted there before it is used.
const RESERVE: u64 = 64 << 20;

/// The files of the kernel, below a folder that is `/` but in tests.
struct System {
    root: PathBuf,
}

/// Where a version of control groups keeps its numbers.
struct Version {
    mounts: &'static [&'static str],
    limit: &'static str,
    used: &'static str,
    /// In `memory.stat`: what is used for files that have not been touched for a while, and is given back when
    /// it is needed.
    given_back: &'static str,
}

const V1: Version = Version {
    mounts: &["sys/fs/cgroup/memory"],
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    given_back: "total_inactive_file",
};

const V2: Version = Version {
    mounts: &["sys/fs/cgroup", "sys/fs/cgroup/unified"],
    limit: "memory.max",
    used: "memory.current",
    given_back: "inactive_file",
};

impl System {
    fn new() -> System {
        System { root: "/".into() }
    }

    fn available(&self) -> Option<u64> {
        let machine = self.read("proc/meminfo").and_then(|text| field(&text, "MemAvailable:"));
        let machine = machine.map(|kib| kib.saturating_mul(1024));
        [machine, self.allowed()].into_iter().flatten().min()
    }

    fn allowed(&self) -> Option<u64> {
        [self.groups(), self.process()].into_iter().flatten().min()
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
        // A container may see the path that it has on its host: then only the root is there, which is its own.
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
            let given_back = field(&stat, version.given_back).unwrap_or(0);
            Some(limit.saturating_sub(used.saturating_sub(given_back)))
        };
        folders.filter_map(left).min()
    }

    /// What RLIMIT_AS and RLIMIT_DATA leave, less the [`RESERVE`].
    fn process(&self) -> Option<u64> {
        let (limits, status) = (self.read("proc/self/limits")?, self.read("proc/self/status")?);
        let left = |limit: &str, used: &str| {
            // The soft limit is the first number; `unlimited` is none.
            let limit = field(&limits, limit)?;
            let used = field(&status, used).unwrap_or(0).saturating_mul(1024);
            Some(limit.saturating_sub(used).saturating_sub(RESERVE))
        };
        let limits = [left("Max address space", "VmSize:"), left("Max data size", "VmData:")];
        limits.into_iter().flatten().min()
    }

    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }
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
    const FREE: &str = "Max data size             unlimited            unlimited            bytes\n\
        Max address space         unlimited            unlimited            bytes\n";
    const STATUS: &str = "VmPeak:\t  900000 kB\nVmSize:\t  100000 kB\nVmData:\t   50000 kB\n";

    /// What is available and allowed where the kernel has these files.
    fn found(files: &[(&str, &str)]) -> (Option<u64>, Option<u64>) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let system = System { root: folder.path().into() };
        (system.available(), system.allowed())
    }

    #[test]
    fn without_limits_it_is_what_the_machine_has() {
        assert_eq!(found(&[]), (None, None));
        let files = [("proc/meminfo", MEMINFO), ("proc/self/limits", FREE), ("proc/self/status", STATUS)];
        assert_eq!(found(&files), (Some(2_048_000_000), None));
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
        assert_eq!(found(&files), (Some(100), Some(100)));
        // Of which 50 are files that nobody reads.
        let stat = ("sys/fs/cgroup/pod/memory.stat", "anon 550\nfile 50\ninactive_file 50\n");
        assert_eq!(found(&[&files[..], &[stat]].concat()).1, Some(150));
        let tight = [("sys/fs/cgroup/memory.max", "800"), ("sys/fs/cgroup/memory.current", "900")];
        assert_eq!(found(&[&files[..], &tight].concat()).1, Some(0));
    }

    /// A container that sees the path it has on its host, where its own group is the root.
    #[test]
    fn groups_of_version_one() {
        let files = [
            ("proc/self/cgroup", "9:name=systemd:/\n5:cpu,memory:/docker/4f2c\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "400000\n"),
            ("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 100000\n"),
        ];
        assert_eq!(found(&files).1, Some(700_000));
        let own = [
            ("sys/fs/cgroup/memory/docker/4f2c/memory.limit_in_bytes", "500000\n"),
            ("sys/fs/cgroup/memory/docker/4f2c/memory.usage_in_bytes", "100000\n"),
        ];
        assert_eq!(found(&[&files[..], &own].concat()).1, Some(400_000));
    }

    #[test]
    fn limits_of_the_shell() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
            Max data size             unlimited            unlimited            bytes\n\
            Max address space         512000000            unlimited            bytes\n";
        let files = [("proc/self/limits", limits), ("proc/self/status", STATUS)];
        assert_eq!(found(&files).1, Some(512_000_000 - 102_400_000 - RESERVE));
        let limits = "Max data size             1024                 2048                 bytes\n";
        let files = [("proc/self/limits", limits), ("proc/self/status", STATUS), ("proc/meminfo", MEMINFO)];
        assert_eq!(found(&files), (Some(0), Some(0)));
    }
}
