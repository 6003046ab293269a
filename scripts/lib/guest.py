# SPDX-License-Identifier: MIT
"""A running guest: QEMU's command line, and what became of it."""

import io
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile

from . import Error

QEMU = "qemu-system-x86_64"

# Exit status of scripts/vm when there is no verdict of the command to report.
NO_VERDICT = 125

# QEMU's exit status for the byte 0x31 that guest/init writes to the debug port.
ORDERLY_EXIT = 0x31 << 1 | 1

# Beside the limit of the command: time to boot, and to hand over the results.
GRACE = 90

# oops=panic: a kernel that has oopsed is dead for us, and must not go on to
# report success. panic=-1: with -no-reboot, a panic ends QEMU at once.
# printk.devkmsg=on: the marks that tests leave in the log must not be rationed.
# no_timer_check: the kernel expects so many timer interrupts in so many cycles, and
# panics on a host that is too busy to run QEMU meanwhile.
APPEND = ("console=ttyS0 quiet panic=-1 oops=panic log_buf_len=4M printk.devkmsg=on "
          "no_timer_check")


# Its interrupt routing is a table. That of "pc" is a program, which takes a kernel
# with KASAN and kmemleak half a minute to interpret.
MACHINE = "q35"


# A clock that ticks once per instruction, and nothing that differs from boot to boot:
# what was measured does not depend on how busy the host is. It knows nothing of
# caches. "rep movs" counts every word, which it would not with -erms left on.
COUNTING = ["-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2025-01-01,clock=vm"]
COUNTING_CPU = "max,-rdrand,-rdseed,-erms,-fsrm"
COUNTING_APPEND = "nokaslr norandmaps random.trust_cpu=off"

# TCG executes "rep movsb" byte by byte. A kernel that is told that it is no faster than
# others copies words, and takes two thirds of the time for the tests of the debug lane,
# which poisons and checks all memory that it gives out.
EMULATED_CPU = "max,-erms,-fsrm"


def accelerator_arguments(accelerator, smp=1, thread="single"):
    if accelerator == "icount":
        return ["-accel", "tcg,thread=single", "-cpu", COUNTING_CPU, *COUNTING]
    if accelerator != "tcg":
        return ["-accel", accelerator, "-cpu", "max"]
    # Two TCG threads panic a kernel that patches its own text.
    threads = f",thread={thread}" if smp > 1 else ""
    return ["-accel", f"tcg{threads}", "-cpu", EMULATED_CPU]


def base_arguments(kernel, initrd, append):
    return [QEMU, "-nodefaults", "-machine", MACHINE, "-display", "none", "-vga", "none",
            "-monitor", "none", "-nic", "none", "-no-reboot",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
            "-kernel", kernel, "-initrd", initrd, "-append", append]


def config(**settings):
    """Text of the guest's /etc/vshare/config."""
    return "".join(f"{key}={shlex.quote(str(value))}\n" for key, value in settings.items())


class Guest:
    """One boot of one lane. A context: leaving it ends QEMU."""

    def __init__(self, lane, image, accelerator, *, append="", stdin=None, stdout=None,
                 agent=None):
        self.lane = lane
        self._work = tempfile.mkdtemp(prefix="vshare-vm-")
        self._console = os.path.join(self._work, "console")
        self._status = os.path.join(self._work, "status")
        self._results = os.path.join(self._work, "results")

        if not shutil.which(QEMU):
            raise Error(f"{QEMU} is missing; run scripts/deps")
        if not os.access(lane.kernel, os.R_OK):
            raise Error(f"kernel {lane.kernel} cannot be read; run scripts/deps, or give --kernel")
        if accelerator == "icount":
            append = f"{COUNTING_APPEND} {append}"
        args = base_arguments(lane.kernel, image, f"{APPEND} {lane.append} {append}")
        args += accelerator_arguments(accelerator, lane.smp, lane.thread)
        args += ["-smp", str(lane.smp), "-m", lane.memory,
                 # Without an ioeventfd a write to a port is over when the guest's
                 # write returns, so nothing is lost when the guest then exits.
                 "-device", "virtio-serial-pci,ioeventfd=off",
                 # An exporter of others; nothing happens until a test loads its driver.
                 "-device", "virtio-gpu-pci"]
        args += self._port("status", f"file,path={self._status}")
        args += self._port("results", f"file,path={self._results}")
        inherited = ()
        if agent is not None:
            args += self._port("agent", f"socket,fd={agent.fileno()}")
            inherited = (agent.fileno(),)
        if stdout is subprocess.DEVNULL:
            console = f"file,path={self._console}"
        else:
            console = f"stdio,logfile={self._console},signal={'off' if stdin is None else 'on'}"
        args += ["-chardev", f"{console},id=console", "-serial", "chardev:console"]
        self._qemu = subprocess.Popen(args, stdin=stdin, stdout=stdout, pass_fds=inherited)

    @staticmethod
    def _port(name, backend):
        return ["-chardev", f"{backend},id={name}",
                "-device", f"virtserialport,chardev={name},name=vshare.{name}"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self._work, ignore_errors=True)

    def kill(self):
        if self._qemu.poll() is None:
            self._qemu.kill()
        self._qemu.wait()

    def wait(self, limit=None):
        """Wait for QEMU to end. True if it did by itself within @limit seconds."""
        try:
            self._qemu.wait(limit)
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def verdict(self):
        """(status, None) of the command, or (None, why there is none)."""
        word = _read(self._status).decode(errors="replace").strip()
        if self._qemu.returncode == ORDERLY_EXIT and word.isdigit():
            return int(word), None
        if self._qemu.returncode == ORDERLY_EXIT and word == "timeout":
            return None, "the command took longer than its time limit"
        if self._qemu.returncode == ORDERLY_EXIT and word == "module":
            return None, "a module could not be loaded"
        console = self.console()
        if "Kernel panic" in console:
            return None, "the guest's kernel panicked"
        if self._qemu.returncode > 0:
            return None, f"QEMU failed (exit status {self._qemu.returncode})"
        if self._qemu.returncode < 0:
            return None, "the guest hung, and was killed"
        return None, "the guest ended without a verdict"

    def console(self):
        return _read(self._console).decode(errors="replace").replace("\r", "")

    def last_messages(self, count=40):
        """The end of what the kernel said."""
        lines = self.console().splitlines()
        kernel = [line for line in lines if re.match(r"\[ *\d+\.\d+\]", line)]
        return (kernel or lines)[-count:]

    def extract(self, directory):
        """Unpack what the guest left in /results; nothing but files below @directory."""
        os.makedirs(directory, exist_ok=True)
        data = _read(self._results)
        if not data:
            return
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for member in tar:
                    name = os.path.normpath(member.name)
                    if not member.isfile() or name.startswith(("..", "/")):
                        continue
                    target = os.path.join(directory, name)
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    with open(target, "wb") as out:
                        shutil.copyfileobj(tar.extractfile(member), out)
        except tarfile.TarError as err:
            raise Error(f"the results are damaged: {err}") from err


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
