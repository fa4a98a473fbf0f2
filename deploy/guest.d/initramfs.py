#!/usr/bin/env python3
"""initramfs.py TREE STRIP OUT: writes the guest's initramfs, the same bytes for the same inputs.

TREE is what deploy/guest unpacked and built: busybox, modules/ (the kernel's .ko.xz files, any
depth), init, profile, workloads. STRIP is the cross binutils' strip. Needs no root: device nodes
and owners are written straight into the archive.
"""
import lzma
import os
import re
import stat
import subprocess
import sys
import tempfile

MODULES = ["virtio_mmio", "virtio_blk", "virtio_net", "virtio-rng", "crc32c_generic", "ext4"]
FOLDERS = ["bin", "dev", "etc", "lib", "lib/modules", "mnt", "proc", "root", "sbin", "sys",
           "tmp", "usr", "usr/bin", "usr/sbin"]


class Archive:
    """cpio, format newc: inode numbers count up, all times are 0, all files are root's."""

    def __init__(self, out):
        self.out, self.inode = out, 0

    def add(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        name = name.encode() + b"\0"
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0]
        self.out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + name)
        self.pad()
        self.out.write(data)
        self.pad()

    def pad(self):
        self.out.write(b"\0" * (-self.out.tell() % 4))

    def folder(self, name):
        self.add(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644):
        self.add(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name, major, minor):
        self.add(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def close(self):
        self.inode = -1
        self.add("TRAILER!!!", 0)
        self.out.write(b"\0" * (-self.out.tell() % 512))


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def applets(busybox):
    """The names of busybox's applets: its table is a run of NUL-ended names from [ and [[ on."""
    start = busybox.find(b"[\0[[\0")
    if start < 0:
        sys.exit("initramfs.py: no table of applets in busybox")
    names = busybox[start:busybox.index(b"\0\0", start)].split(b"\0")
    names = [name.decode() for name in names]
    if "sh" not in names or "insmod" not in names:
        sys.exit("initramfs.py: busybox has no sh or no insmod")
    return sorted(set(names))


def plain(name):
    return name.replace("-", "_")


def kernel_modules(folder):
    """{name: path} of every module in the kernel's package."""
    found = {}
    for where, _, files in os.walk(folder):
        for file in files:
            match = re.fullmatch(r"(.+)\.ko(\.xz)?", file)
            if match:
                found[plain(match[1])] = os.path.join(where, file)
    return found


def stripped(data, strip):
    """The module without the local symbols that no relocation names: a quarter of the bytes, so
    that the guest neither copies nor checksums the rest at each boot. The signature goes with them,
    which the kernel notes and accepts."""
    with tempfile.NamedTemporaryFile(suffix=".ko") as file:
        file.write(data)
        file.flush()
        subprocess.run([strip, "--strip-unneeded", file.name], check=True)
        return read(file.name)


def with_needs(wanted, paths):
    """[(file name, bytes)] of the wanted modules, each after those it needs. Absent ones are built
    into the kernel."""
    ordered, seen = [], set()

    def visit(name):
        name = plain(name)
        if name in seen or name not in paths:
            return
        seen.add(name)
        data = read(paths[name])
        if paths[name].endswith(".xz"):
            data = lzma.decompress(data)
        for pattern in (rb"\0depends=([^\0]*)", rb"\0softdep=pre: ([^\0]*)"):
            for needs in re.findall(pattern, data):
                for need in re.split(r"[ ,]+", needs.decode()):
                    visit(need)
        ordered.append((name + ".ko", data))

    for name in wanted:
        visit(name)
    return ordered


def main():
    tree, strip, target = sys.argv[1:]
    busybox = read(tree, "busybox")
    modules = with_needs(MODULES, kernel_modules(os.path.join(tree, "modules")))
    if not any(name == "virtio_blk.ko" for name, _ in modules):
        sys.exit("initramfs.py: the kernel's package has no virtio_blk module")
    with open(target, "wb") as out:
        archive = Archive(out)
        for name in FOLDERS:
            archive.folder(name)
        archive.device("dev/console", 5, 1)
        archive.device("dev/null", 1, 3)
        archive.file("init", read(tree, "init"), 0o755)
        archive.file("etc/profile", read(tree, "profile"))
        archive.file("etc/passwd", b"root::0:0:root:/root:/bin/sh\n")
        archive.file("etc/group", b"root:x:0:\n")
        archive.file("etc/hostname", b"thaw\n")
        archive.file("bin/busybox", busybox, 0o755)
        for name in applets(busybox):
            if name != "busybox":
                archive.link("bin/" + name, "busybox")
        for name, data in modules:
            archive.file("lib/modules/" + name, stripped(data, strip))
        archive.file("lib/modules/order", b"".join(name.encode() + b"\n" for name, _ in modules))
        archive.file("usr/bin/workloads", read(tree, "workloads"), 0o755)
        archive.close()


main()
