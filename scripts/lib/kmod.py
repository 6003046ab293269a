# SPDX-License-Identifier: MIT
"""Kernel modules: which a guest needs, and their indexes."""

import gzip
import lzma
import os
import shutil
import subprocess

from . import Error

# Stock modules that every guest has: what ours are built on, plus vgem and virtio_gpu,
# exporters that need no hardware but QEMU's, zram, to swap to, ext2, to have on it, and two
# drivers that have the kernel itself look into a dma-buf: vivid, a camera, and vkms, a screen.
# For some kernels ext2 is a part of ext4, which needs a checksum that is loaded by name. Those
# that the lane's kernel has not got are left out.
WANTED = ("crc32c_generic", "drm", "drm_exec", "drm_gpuvm", "drm_ttm_helper", "ext2", "ext4",
          "gpu_sched", "ttm", "vgem", "virtio_gpu", "vivid", "vkms", "zram")

INDEXES = ("modules.builtin", "modules.builtin.modinfo", "modules.order")


def name_of(path):
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def depends(path):
    """The modules that the file @path says it needs."""
    run = subprocess.run(["modinfo", "-F", "depends", path], text=True, check=False,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if run.returncode:
        raise Error(f"{path}: not a kernel module ({run.stderr.strip()})")
    return [name.replace("-", "_") for name in run.stdout.strip().split(",") if name]


def read(path):
    """Contents of a module file, decompressed."""
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout
    opener = lzma.open if path.endswith(".xz") else gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as file:
        return file.read()


class Tree:
    """An installed directory of modules, /lib/modules/RELEASE."""

    def __init__(self, path):
        self.path = path
        self._files = {}
        self._deps = {}
        self._builtin = set()
        try:
            with open(os.path.join(path, "modules.dep"), encoding="ascii") as dep:
                for line in dep:
                    file, _, needs = line.partition(":")
                    self._files[name_of(file)] = file
                    self._deps[name_of(file)] = [name_of(need) for need in needs.split()]
            with open(os.path.join(path, "modules.builtin"), encoding="ascii") as builtin:
                self._builtin = {name_of(line.strip()) for line in builtin}
        except FileNotFoundError:
            pass    # a kernel with everything built in

    def closure(self, names, needed_by=None):
        """Files, relative to the tree, that @names and what they need are in."""
        files = set()
        for name in names:
            if name in self._files:
                # modules.dep lists what is needed indirectly, too.
                files.update(self._files[n] for n in [name, *self._deps[name]])
            elif needed_by and name not in self._builtin:
                raise Error(f"{needed_by} needs module {name}, which {self.path} has not got; "
                            f"give --module or --modules-dir")
        return sorted(files)


def unpack(tree, files, dest):
    """Put the modules @files of @tree, decompressed, and the indexes below @dest."""
    for file in files:
        target = os.path.join(dest, file.split(".ko")[0] + ".ko")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as out:
            out.write(read(os.path.join(tree.path, file)))
    for index in INDEXES:
        if os.path.exists(os.path.join(tree.path, index)):
            os.makedirs(dest, exist_ok=True)
            shutil.copy(os.path.join(tree.path, index), dest)


def depmod(root, release):
    """Index the modules below @root; the guest's modprobe knows no other way."""
    run = subprocess.run(["depmod", "-b", root, release], text=True, check=False,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode:
        raise Error(f"depmod failed: {run.stdout.strip()}")
