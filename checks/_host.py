"""Blocking reads of this host: processor time, memory, mounts, processes. To be called in threads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase

import psutil

_GB = 1e9
# Made by the kernel or by memory, full by nature, or far away where a look may hang for ever.
_KINDS = (
    "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devfs devpts devtmpfs efivarfs erofs fuse.gvfsd-fuse "
    "fuse.lxcfs fuse.portal fusectl hugetlbfs iso9660 mqueue nsfs nullfs proc pstore ramfs rpc_pipefs securityfs "
    "selinuxfs squashfs sysfs tmpfs tracefs udf "
    "9p afs ceph cifs fuse.glusterfs fuse.rclone fuse.s3fs fuse.sshfs nfs nfs4 smb3 smbfs"
)
_NOT_DISKS = frozenset(_KINDS.split())


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Seconds the processors were busy and altogether, since the host started."""

    busy: float
    total: float

    def percent_since(self, earlier: CpuTimes) -> float | None:
        """Share of the time between that was busy; None when no time passed."""
        passed = self.total - earlier.total
        if passed <= 0:
            return None
        return min(100.0, max(0.0, (self.busy - earlier.busy) / passed * 100))


@dataclass(frozen=True, slots=True)
class Mount:
    """One file system that can fill up. Percent as `df` has it: of what an ordinary user may use."""

    path: str
    kind: str
    percent: float
    free_gb: float
    total_gb: float
    inodes_percent: float | None


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What one process uses; `cpu_percent` of one processor, as `top` shows it."""

    pid: int
    name: str
    cpu_percent: float
    rss_mb: float


def cpu_times() -> CpuTimes:
    """psutil's own percentages remember the last call by thread, which a pool of threads makes useless."""
    times = psutil.cpu_times()
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)  # counted in user
    return CpuTimes(total - times.idle - getattr(times, "iowait", 0.0), total)


def mounts(include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> tuple[list[Mount], list[str]]:
    """The mounts that hold data, fullest first, and the patterns of `include` that nothing is mounted at.

    Bind mounts of one file system count once. With `include` those and only those are looked at, whatever
    their kind. Patterns are the shell's: `/srv/*`.
    """
    found: dict[int, Mount] = {}
    partitions = sorted(psutil.disk_partitions(all=True), key=lambda part: len(part.mountpoint))
    for part in partitions:
        path = part.mountpoint
        if _matches(path, exclude) or not (
            _matches(path, include) if include else _holds_data(part.fstype, path)
        ):
            continue
        try:
            device = os.stat(path).st_dev
            if mount := None if device in found else _mount(path, part.fstype):
                found[device] = mount
        except OSError:
            continue  # gone meanwhile, or not ours to look at
    missing = [
        pattern for pattern in include if not any(_matches(p.mountpoint, (pattern,)) for p in partitions)
    ]
    return sorted(found.values(), key=lambda mount: mount.percent, reverse=True), missing


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def process_times() -> dict[int, tuple[float, str, float]]:
    """Of each process, by its number: seconds of processor time, name, resident megabytes."""
    times = {}
    for process in psutil.process_iter(["name", "cpu_times", "memory_info"]):
        info = process.info
        if info["cpu_times"] is not None and info["memory_info"] is not None:
            spent = info["cpu_times"].user + info["cpu_times"].system
            times[process.pid] = (spent, info["name"] or "?", info["memory_info"].rss / 1e6)
    return times


def process_use(
    earlier: dict[int, tuple[float, str, float]], later: dict[int, tuple[float, str, float]], seconds: float
) -> list[ProcessUse]:
    """What each process used between two looks, the busiest first."""
    used = [
        ProcessUse(pid, name, max(0.0, spent - earlier.get(pid, (spent, "", 0.0))[0]) / seconds * 100, rss)
        for pid, (spent, name, rss) in later.items()
    ]
    return sorted(used, key=lambda use: (use.cpu_percent, use.rss_mb), reverse=True)


def _holds_data(kind: str, path: str) -> bool:
    if kind == "overlay":
        return path == "/"  # a container's own root; elsewhere one repeats the disk beneath it
    # A container runtime mounts single files over /etc/hosts and the like.
    return kind not in _NOT_DISKS and not path.startswith(("/proc/", "/sys/", "/dev/", "/etc/"))


def _mount(path: str, kind: str) -> Mount | None:
    usage = psutil.disk_usage(path)
    if not usage.total:
        return None
    inodes = os.statvfs(path)
    used = inodes.f_files - inodes.f_ffree
    return Mount(
        path=path,
        kind=kind,
        percent=usage.percent,
        free_gb=round(usage.free / _GB, 2),
        total_gb=round(usage.total / _GB, 2),
        inodes_percent=round(used / inodes.f_files * 100, 1) if inodes.f_files else None,
    )
