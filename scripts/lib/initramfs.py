# SPDX-License-Identifier: MIT
"""The guest's root file system: an initramfs made from the host's own files.

It has two layers. What comes from the distribution (busybox, libraries, stock
modules) makes up most of it and hardly ever changes, so that layer is kept in
build/vm and used again. What comes from the tree is put before it on each run.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from . import BUILD, ROOT, SCRIPTS, Error, kmod
from .cpio import Archive

BUSYBOX = "/bin/busybox"
CACHE = os.path.join(BUILD, "vm")

# Directories that are links into /usr on a merged system, here and in the guest.
MERGED = ("bin", "sbin", "lib", "lib64")

# Loaded by name when a thread is cancelled, which ldd cannot see.
DLOPENED = ("/lib/x86_64-linux-gnu/libgcc_s.so.1",)

# Programs of the host that tests use.
TOOLS = ("/usr/bin/jq",)

PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUP = "root:x:0:\nvideo:x:44:\nrender:x:105:\nnogroup:x:65534:\n"
DIRECTORIES = ("dev", "proc", "sys", "run", "root", "tmp", "results", "var")


def libraries(programs):
    """The shared libraries that the dynamically linked @programs load."""
    if not programs:
        return set()
    env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(BUILD, "lib"), LC_ALL="C")
    run = subprocess.run(["ldd", *programs], text=True, check=False, env=env,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    missing = re.findall(r"^\s+(\S+) => not found", run.stdout, re.M)
    if missing:
        raise Error(f"library {missing[0]} is missing; run scripts/deps")
    found = re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", run.stdout, re.M)
    return set(found) | {lib for lib in DLOPENED if os.path.exists(lib)}


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def mode_of(path):
    return 0o755 if os.access(path, os.X_OK) else 0o644


def newest(*trees):
    """When the last change to a file below @trees was."""
    return max((os.path.getmtime(os.path.join(directory, file))
                for tree in trees for directory, _, files in os.walk(tree) for file in files
                if file.endswith((".c", ".h"))), default=0)


def guest_path(path):
    """Where in the guest a host's path is, without links on the way."""
    first = path.strip("/").split("/")[0]
    return "/usr" + path if first in MERGED else path


class Image:
    """What goes into one guest."""

    def __init__(self, lane):
        self.lane = lane
        self._files = {}        # guest path -> host path
        self._texts = {}        # guest path -> contents
        self._modules = []      # module files that are not the kernel's own
        for path in glob.glob(os.path.join(SCRIPTS, "guest", "*")):
            if os.access(path, os.X_OK):
                self._files["/usr/lib/vshare/" + os.path.basename(path)] = path
        self._files["/init"] = os.path.join(SCRIPTS, "guest", "init")

    def text(self, guest, contents):
        self._texts[guest] = contents

    def file(self, host, guest=None):
        """Bring a file, and the libraries it needs if it is a program."""
        if not os.path.isfile(host):
            raise Error(f"{host}: no such file")
        self._files[guest_path(guest or os.path.abspath(host))] = host

    def module(self, path):
        if not os.path.isfile(path):
            raise Error(f"module {path}: no such file")
        self._modules.append(path)

    def tree(self):
        """Bring what the tree has built: modules, programs, libraries, tests."""
        built = os.path.join(BUILD, f"modules-{self.lane.release}", "drivers")
        modules = sorted(glob.glob(os.path.join(built, "*", "*.ko")))
        if not modules:
            print(f"vm: no modules are built for {self.lane.release}; make modules would do it "
                  f"for lane {self.lane.name}", file=sys.stderr)
        elif newest(os.path.join(ROOT, "drivers"), os.path.join(ROOT, "uapi")) > \
                max(os.path.getmtime(path) for path in modules):
            print("vm: the modules are older than their sources; run make", file=sys.stderr)
        for path in modules:
            self.module(path)
        for path in TOOLS:
            if not os.path.exists(path):
                raise Error(f"{path} is missing; run scripts/deps")
            self.file(path)
        for path in glob.glob(os.path.join(BUILD, "guest", "*")):
            self.file(path, "/usr/lib/vshare/" + os.path.basename(path))
        for path in glob.glob(os.path.join(BUILD, "bin", "*")):
            self.file(path, "/usr/bin/" + os.path.basename(path))
        for path in glob.glob(os.path.join(BUILD, "lib", "*.so.*")):
            self.file(path, "/usr/lib/" + os.path.basename(path))
        for path in glob.glob(os.path.join(BUILD, "igt", "*")):
            if os.path.isfile(path) and os.access(path, os.X_OK):
                self.file(path, "/usr/libexec/vshare/" + os.path.basename(path))

    def build(self, out):
        """Write the whole image to the file @out."""
        tree = kmod.Tree(self.lane.modules)
        stock = set(tree.closure(kmod.WANTED))
        own = {kmod.name_of(path) for path in self._modules}
        for path in self._modules:
            needs = [name for name in kmod.depends(path) if name not in own]
            stock.update(tree.closure(needs, needed_by=path))

        programs = [path for path in self._files.values() if is_elf(path)]
        libs = {lib for lib in libraries(programs) if not lib.startswith(ROOT + "/")}
        base = self._base(tree, sorted(stock), sorted(libs))

        with open(out, "wb") as image:
            archive = Archive(image)
            for guest, host in sorted(self._files.items()):
                archive.file(guest, read(host), mode_of(host))
            for guest, contents in sorted(self._texts.items()):
                archive.file(guest, contents.encode())
            self._module_layer(archive, os.path.join(base, "modules"))
            archive.close()
            with open(os.path.join(base, "base.cpio"), "rb") as rest:
                shutil.copyfileobj(rest, image, 1 << 20)

    def _module_layer(self, archive, stock):
        """Modules of ours, and indexes over all modules of the guest."""
        with tempfile.TemporaryDirectory() as root:
            where = os.path.join(root, "lib/modules", self.lane.release)
            shutil.copytree(stock, where)
            os.makedirs(os.path.join(where, "extra"))
            for path in self._modules:
                name = kmod.name_of(path) + ".ko"
                contents = kmod.read(path)
                with open(os.path.join(where, "extra", name), "wb") as file:
                    file.write(contents)
                archive.file(f"usr/lib/modules/{self.lane.release}/extra/{name}", contents)
            kmod.depmod(root, self.lane.release)
            for path in glob.glob(os.path.join(where, "modules.*")):
                archive.file(f"usr/lib/modules/{self.lane.release}/" + os.path.basename(path),
                             read(path))

    def _base(self, tree, modules, libs):
        """Directory with the layer that comes from the distribution."""
        if not os.path.exists(BUSYBOX):
            raise Error(f"{BUSYBOX} is missing; run scripts/deps")
        inputs = [BUSYBOX, os.path.abspath(__file__), *libs,
                  *(os.path.join(tree.path, m) for m in modules),
                  os.path.join(tree.path, "modules.dep")]
        key = hashlib.sha256(self.lane.release.encode())
        for path in inputs:
            if os.path.exists(path):
                info = os.stat(path)
                key.update(f"{path} {info.st_size} {info.st_mtime_ns}\n".encode())
        base = os.path.join(CACHE, f"base-{key.hexdigest()[:16]}")
        if os.path.isdir(base):
            os.utime(base)
            return base

        os.makedirs(CACHE, exist_ok=True)
        work = tempfile.mkdtemp(dir=CACHE)
        stock = os.path.join(work, "modules")
        os.makedirs(stock)
        kmod.unpack(tree, modules, stock)
        with open(os.path.join(work, "base.cpio"), "wb") as out:
            write_base(Archive(out), libs, stock, self.lane.release)
        os.chmod(work, 0o755)
        try:
            os.rename(work, base)
        except OSError:     # another run was faster
            shutil.rmtree(work)
        prune()
        return base


def write_base(archive, libs, stock, release):
    for name in MERGED:
        archive.directory("usr/" + name)
        archive.symlink(name, "usr/" + name)
    for name in DIRECTORIES:
        archive.directory(name)
    # The kernel opens it for init before anything is mounted.
    archive.chardev("dev/console", 5, 1)
    archive.chardev("dev/null", 1, 3, 0o666)
    archive.file("etc/passwd", PASSWD.encode())
    archive.file("etc/group", GROUP.encode())
    archive.file("etc/hosts", b"127.0.0.1 localhost\n")

    archive.file("usr/bin/busybox", read(BUSYBOX), 0o755)
    applets = subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, text=True, check=True)
    for applet in applets.stdout.split():
        # request_module() runs /sbin/modprobe, and libkmod's users the rest.
        where = "sbin" if applet.endswith(("mod", "modprobe")) else "bin"
        archive.symlink(f"usr/{where}/{applet}", "/usr/bin/busybox")
    for lib in libs:
        archive.file(guest_path(lib), read(lib), 0o755)
    for directory, _, files in os.walk(stock):
        for file in files:
            if file.endswith(".ko"):
                path = os.path.join(directory, file)
                archive.file(f"usr/lib/modules/{release}/" + os.path.relpath(path, stock),
                             read(path))
    archive.close()


def prune(age=86400):
    """Drop layers that nothing has used for a day."""
    for path in glob.glob(os.path.join(CACHE, "*")):
        if os.path.getmtime(path) < time.time() - age:
            shutil.rmtree(path, ignore_errors=True)
