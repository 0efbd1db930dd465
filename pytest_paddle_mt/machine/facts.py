"""Collects facts about the machine, and names machines whose results may be compared."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.machine.kernel import lines_of
from pytest_paddle_mt.machine.versions import installed_version, paddle_version

if TYPE_CHECKING:
    from collections.abc import Mapping


def cpu_model() -> str:
    """The name of the processor, or of the architecture where the kernel reports none."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


#: Instruction sets that oneDNN distinguishes (its developer guide, "CPU Dispatcher Control"), the best first, and the
#: processor flags that each needs.
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
    """The best instruction set that the processor offers to this system; None if it is not in the table."""
    flags = set((_cpuinfo("flags", "Features") or "").split())
    return next((name for name, needed in _INSTRUCTION_SETS if needed <= flags), None)


def _cpuinfo(*names: str) -> str | None:
    """The kernel's first entry with one of these names; None without one."""
    for line in lines_of(Path("/proc/cpuinfo")):
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return None


def smt() -> str | None:
    """Whether hardware threads share cores, ``on`` or ``off``; None if the kernel does not report it."""
    lines = lines_of(Path("/sys/devices/system/cpu/smt/active"))
    return {"1": "on", "0": "off"}.get(lines[0].strip()) if lines else None


def machine_facts(device: str = "cpu") -> dict[str, str | int | float | None]:
    """Lasting facts that decide whether figures of two machines may be compared.

    They contain no current frequency, no host name, and on a CPU nothing that an update of Paddle changes. The model
    runs on ``device``, ``cpu`` or ``gpu:`` and a number.
    """
    here = available_cores()
    facts: dict[str, str | int | float | None] = {
        "cpu_model": cpu_model(),
        "instruction_set": instruction_set(),
        "usable_cores": here.usable,
        "quota_cores": here.quota,
        "smt": smt(),
    }
    if device.startswith("gpu"):
        facts["gpu_model"] = _gpu_model(int(device.partition(":")[2] or 0))
        facts["gpu_driver"] = next(iter(lines_of(Path("/sys/module/nvidia/version"))), None)
        facts["cuda"], facts["cudnn"] = (_paddle_built_with(name) for name in ("cuda_version", "cudnn_version"))
    return facts


def machine_key(facts: Mapping[str, str | int | float | None] | None = None) -> str:
    """A directory name for ``facts``, by default those of this machine with its CPU."""
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
    """The driver's name for the GPU that Paddle calls ``gpu:number``; None if there is no such driver or GPU.

    The driver's library numbers GPUs as Paddle does, with CUDA_VISIBLE_DEVICES applied, and creates no context here.
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
    """``cuda_version`` or ``cudnn_version`` of the installed Paddle, read from its file without importing it."""
    found = importlib.util.find_spec("paddle")
    for directory in (found.submodule_search_locations if found else None) or ():
        for line in lines_of(Path(directory) / "version" / "__init__.py"):
            name, _, value = line.partition("=")
            if name.strip() == what:
                version_text = value.strip().strip("'\"")
                return None if version_text in {"False", "None", ""} else version_text
    return None


def describe_environment() -> dict[str, str | int | float | None]:
    """Facts about machine and software, for the results file."""
    here = available_cores()
    return {
        "machine_key": machine_key(),
        "cpu_model": cpu_model(),
        "usable_cores": here.usable,
        "affinity_cores": here.affinity,
        "quota_cores": here.quota,
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": installed_version("numpy"),
        "pytest": installed_version("pytest"),
        "paddlepaddle": paddle_version(),
        "kmp_blocktime": os.environ.get("KMP_BLOCKTIME"),
    }
