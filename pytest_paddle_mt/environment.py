"""The machine: usable cores, what else runs on it, and a name for results that may be compared."""

from __future__ import annotations

import ctypes
import importlib.util
import math
import os
import platform
import re
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from pytest_paddle_mt import __version__
from pytest_paddle_mt.records import Noise, record
from pytest_paddle_mt.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_CPU_ROOT = Path("/sys/devices/system/cpu")

#: The variables by which a user says what idle OpenMP workers do, and what is set where none is.
_IDLE_WORKERS = ("KMP_BLOCKTIME", "OMP_WAIT_POLICY")
_PARKED = {"KMP_BLOCKTIME": "0"}

#: The variables by which a user says which instructions oneDNN and MKL use, which Paddle's wheels compute with.
_MATH_LIBRARIES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")


@record
class Cores:
    """The cores that this process may use."""

    #: CPUs in its affinity: cores, or hardware threads of cores.
    affinity: int
    #: Cores that its cgroup's CPU quota is worth; None: no quota.
    quota: float | None
    #: Physical cores that those CPUs are hardware threads of; None: the kernel does not say.
    physical: int | None = None

    @property
    def usable(self) -> int:
        """Whole cores that it can keep busy at once, at least 1. Two hardware threads of one core are one core."""
        here = self.affinity if self.physical is None else min(self.affinity, self.physical)
        return here if self.quota is None else max(1, min(here, math.floor(self.quota)))

    @property
    def text(self) -> str:
        """For people: ``2 usable cores``, with what limits them."""
        plural = "s" if self.usable > 1 else ""
        limits = []
        if self.physical is not None and self.physical < self.affinity:
            limits.append(f"{self.affinity} hardware threads of {self.physical}")
        if self.quota is not None:
            limits.append(f"CPU quota {self.quota:g} of {self.affinity}")
        limit = f" ({'; '.join(limits)})" if limits else ""
        return f"{self.usable} usable core{plural}{limit}"


def cores() -> Cores:
    """The cores that this process may use, by its CPU affinity, hardware threads and the quotas of its cgroups."""
    cpus = os.sched_getaffinity(0)
    return Cores(
        affinity=len(cpus),
        quota=_cgroup_quota(_CGROUP_ROOT, Path("/proc/self/cgroup")),
        physical=_physical_cores(cpus, _CPU_ROOT),
    )


def _physical_cores(cpus: Iterable[int], root: Path) -> int | None:
    """How many cores these CPUs are hardware threads of; None where the kernel does not say of one of them."""
    siblings = [tuple(_lines(root / f"cpu{cpu}" / "topology" / "thread_siblings_list")) for cpu in cpus]
    return len(set(siblings)) if all(siblings) else None


def _cgroup_quota(root: Path, membership: Path) -> float | None:
    """The smallest CPU quota, in cores, of the cgroups (version 2 or 1) that a process is in; None without one."""
    quotas: list[float] = []
    for line in _lines(membership):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            quotas += _quotas_above(root, path, _quota_v2)
        elif "cpu" in controllers.split(","):
            for mount in ("cpu", "cpu,cpuacct"):
                quotas += _quotas_above(root / mount, path, _quota_v1)
    return min(quotas, default=None)


def _quotas_above(mount: Path, path: str, read: Callable[[Path], float | None]) -> list[float]:
    relative = Path(path.lstrip("/"))
    groups = [mount / ancestor for ancestor in (relative, *relative.parents)]  # the last one is the mount itself
    found = [read(group) for group in groups]
    return [quota for quota in found if quota is not None]


def _quota_v2(group: Path) -> float | None:
    lines = _lines(group / "cpu.max")
    if not lines:
        return None
    quota, _, period = lines[0].partition(" ")
    return None if quota == "max" else int(quota) / int(period or 100_000)


def _quota_v1(group: Path) -> float | None:
    quota, period = _lines(group / "cpu.cfs_quota_us"), _lines(group / "cpu.cfs_period_us")
    if not quota or not period or int(quota[0]) <= 0:
        return None
    return int(quota[0]) / int(period[0])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


class NoiseSensor:
    """Reads what the rest of the machine did between two moments."""

    def __init__(self) -> None:
        self._wall_ns = time.monotonic_ns()
        self._process_cpu_ns = time.process_time_ns()
        self._steal_ns = _steal_ns()

    def read(self) -> Noise:
        """What happened since this sensor was made."""
        steal_ns = _steal_ns()
        return Noise(
            steal_ns=None if steal_ns is None or self._steal_ns is None else steal_ns - self._steal_ns,
            process_cpu_ns=time.process_time_ns() - self._process_cpu_ns,
            wall_ns=time.monotonic_ns() - self._wall_ns,
            peak_rss_bytes=_peak_rss_bytes(),
        )


def _steal_ns() -> int | None:
    """CPU time that the hypervisor gave to others, since boot, all cores together."""
    lines = _lines(Path("/proc/stat"))
    fields = lines[0].split() if lines else []
    if len(fields) < 9:
        return None
    return int(fields[8]) * NS_PER_S // os.sysconf("SC_CLK_TCK")


def _peak_rss_bytes() -> int | None:
    """The most memory that this process has had so far.

    Not getrusage: what that says of a process begins with what its parent had.
    """
    for line in _lines(Path("/proc/self/status")):
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) * 1024
    return None


def cpu_model() -> str:
    """The processor's own name, or the architecture's where it gives none."""
    for line in _lines(Path("/proc/cpuinfo")):
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


#: Instruction sets by the flags that a processor needs for them, the best first, as oneDNN tells them apart (its
#: developer guide, "CPU Dispatcher Control").
_INSTRUCTION_SETS: tuple[tuple[str, frozenset[str]], ...] = (
    ("amx", frozenset({"amx_tile", "amx_int8"})),
    ("avx512-fp16", frozenset({"avx512f", "avx512_fp16"})),
    ("avx512-bf16", frozenset({"avx512f", "avx512_bf16"})),
    ("avx512-vnni", frozenset({"avx512f", "avx512_vnni"})),
    ("avx512", frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq"})),
    ("avx2-vnni", frozenset({"avx2", "avx_vnni"})),
    ("avx2", frozenset({"avx2"})),
    ("avx", frozenset({"avx"})),
    ("sse4", frozenset({"sse4_1"})),
    ("sve", frozenset({"sve"})),
    ("neon", frozenset({"asimd"})),
)


def instruction_set() -> str | None:
    """The best instruction set that the processor offers to this system; None where none of them is known."""
    for line in _lines(Path("/proc/cpuinfo")):
        key, _, value = line.partition(":")
        if key.strip() in {"flags", "Features"}:
            flags = set(value.split())
            return next((name for name, needed in _INSTRUCTION_SETS if needed <= flags), None)
    return None


def smt() -> str | None:
    """Whether cores share their arithmetic with a sibling, ``on`` or ``off``; None where the kernel does not say."""
    lines = _lines(Path("/sys/devices/system/cpu/smt/active"))
    return {"1": "on", "0": "off"}.get(lines[0].strip()) if lines else None


def machine_facts(device: str = "cpu") -> dict[str, str | int | float | None]:
    """What decides whether figures of two machines may be compared, from facts that stay.

    Neither the frequency of the moment nor a host name, nor what an update of Paddle changes on a CPU.

    Args:
        device: where the model runs, ``cpu`` or ``gpu:`` and a number.
    """
    here = cores()
    facts: dict[str, str | int | float | None] = {
        "cpu_model": cpu_model(),
        "instruction_set": instruction_set(),
        "usable_cores": here.usable,
        "quota_cores": here.quota,
        "smt": smt(),
    }
    if device.startswith("gpu"):
        facts["gpu_model"] = _gpu_model(int(device.partition(":")[2] or 0))
        facts["gpu_driver"] = next(iter(_lines(Path("/sys/module/nvidia/version"))), None)
        facts["cuda"], facts["cudnn"] = (_paddle_built_with(name) for name in ("cuda_version", "cudnn_version"))
    return facts


def machine_key(facts: Mapping[str, str | int | float | None] | None = None) -> str:
    """A name for ``facts`` (those of this machine with its CPU by default) that is fit for a directory."""
    facts = machine_facts() if facts is None else facts
    parts = [facts["cpu_model"], facts["instruction_set"], f"{facts['usable_cores']}c"]
    if facts["quota_cores"] is not None:
        parts.append(f"quota{facts['quota_cores']:g}")
    if facts["smt"] == "on":
        parts.append("smt")
    for name, prefix in (("gpu_model", ""), ("gpu_driver", "driver"), ("cuda", "cuda"), ("cudnn", "cudnn")):
        if facts.get(name) is not None:
            parts.append(f"{prefix}{facts[name]}")
    return "-".join(_slug(str(part)) for part in parts if part is not None)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _gpu_model(number: int) -> str | None:
    """What the driver calls the GPU that Paddle calls ``gpu:number``; None without a driver that says so.

    Asked of the driver's own library, which numbers GPUs as Paddle does (CUDA_VISIBLE_DEVICES and all) and makes no
    context for the question.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    handle, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    failed = (
        driver.cuInit(0)
        or driver.cuDeviceGet(ctypes.byref(handle), number)
        or driver.cuDeviceGetName(name, len(name), handle)
    )
    return None if failed else name.value.decode(errors="replace")


def _paddle_built_with(what: str) -> str | None:
    """``cuda_version`` or ``cudnn_version`` of the Paddle that is installed, read and not imported."""
    found = importlib.util.find_spec("paddle")
    for directory in (found.submodule_search_locations if found else None) or ():
        for line in _lines(Path(directory) / "version" / "__init__.py"):
            name, _, value = line.partition("=")
            if name.strip() == what:
                version_text = value.strip().strip("'\"")
                return None if version_text in {"False", "None", ""} else version_text
    return None


def describe() -> dict[str, str | int | float | None]:
    """Facts about machine and software, for the results file."""
    here = cores()
    return {
        "machine_key": machine_key(),
        "cpu_model": cpu_model(),
        "usable_cores": here.usable,
        "affinity_cores": here.affinity,
        "quota_cores": here.quota,
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "pytest": version("pytest"),
        "paddlepaddle": paddle_version(),
        "kmp_blocktime": os.environ.get("KMP_BLOCKTIME"),
    }


def version(distribution: str) -> str | None:
    """The installed version of a distribution; None when it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def measured_versions() -> dict[str, str | None]:
    """Versions of what a measurement depends on, by name: this plugin, Paddle, Python."""
    return {
        "pytest-paddle-mt": __version__,
        "paddlepaddle": paddle_version(),
        "python": platform.python_version(),
    }


def paddle_version() -> str | None:
    """The Paddle that this process has loaded, else the installed one; None without one."""
    paddle = sys.modules.get("paddle")
    if paddle is not None:
        return str(paddle.__version__)
    return version("paddlepaddle") or version("paddlepaddle-gpu")


def park_idle_math_threads() -> None:
    """Make OpenMP workers sleep as soon as they are idle, unless the user said otherwise.

    With more than one math thread they would spin for up to 0.2 s after each query, on cores that another window needs.
    """
    if not any(name in os.environ for name in _IDLE_WORKERS):
        os.environ.update(_PARKED)


def idle_math_threads() -> str:
    """What holds for idle OpenMP workers, for people."""
    for name in _IDLE_WORKERS:
        if name in os.environ:
            return f"{name}={os.environ[name]}"
    return "spinning"


def math_libraries() -> str | None:
    """What was said of the instructions that math libraries use, for people; None where nothing was."""
    given = [f"{name}={os.environ[name]}" for name in _MATH_LIBRARIES if name in os.environ]
    return ", ".join(given) or None
