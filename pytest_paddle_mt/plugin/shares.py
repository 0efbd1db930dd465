"""Decides what each worker of pytest-xdist measures with. Imported where ``--paddle-xdist`` is given."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.machine.placement import shares
from pytest_paddle_mt.machine.visible_gpus import VARIABLE as GPUS_VARIABLE
from pytest_paddle_mt.machine.visible_gpus import visible_gpus
from pytest_paddle_mt.units import counted

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from pytest_paddle_mt.settings import Xdist

#: In the environment of a worker until it has read it: its share. A worker that takes the place of one that crashed
#: gets the environment of that one, and so its share.
VARIABLE = "PYTEST_PADDLE_MT_SHARE"

#: Ways of pytest-xdist under which a node id does not name one test.
_OTHER_IDS = {"each": "runs every test on every worker", "loadgroup": "gives tests names of its own"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Share:
    """What one worker measures with."""

    mode: str
    workers: int  #: How many workers there are.
    cpus: tuple[int, ...] = ()  #: The CPUs that it may use; none: those of the controller.
    gpu: str | None = None  #: The GPU that it sees, as CUDA_VISIBLE_DEVICES names it; None: those of the controller.
    missing: str | None = None  #: Why it can only run smoke runs; None: it can measure.

    @property
    def facts(self) -> dict[str, str]:
        """What reporters print of it; ``xdist`` tells runs apart that cannot be compared."""
        if self.mode == "serial" or self.missing is not None:
            return {}
        where = f"CPU {','.join(map(str, self.cpus))}"
        own = where if self.gpu is None else f"GPU {self.gpu} and {where}"
        name = os.environ.get("PYTEST_XDIST_WORKER", "worker")
        return {"xdist": f"{self.mode} ({counted(self.workers, 'worker')})", "measured by": f"{name} on {own}"}

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which it reaches its worker."""
        gpu = {} if self.gpu is None else {GPUS_VARIABLE: self.gpu}
        return {VARIABLE: json.dumps(dataclasses.asdict(self)), **gpu}


def of_workers(wanted: Xdist, local: Sequence[bool], dist: str) -> list[Share]:
    """The share of each worker.

    Args:
        wanted: how they measure.
        local: of each worker, whether it runs here, in this interpreter.
        dist: how pytest-xdist hands out tests, its ``--dist``.

    Raises:
        UsageError: a GPU is named that is not there.
    """
    count = len(local)
    here = available_cores()
    cpus = shares(os.sched_getaffinity(0), count, here.usable)
    gpus = _gpus(wanted)

    def share(index: int) -> Share:
        missing = None
        if dist in _OTHER_IDS:
            missing = f"--dist={dist} {_OTHER_IDS[dist]}; use --dist=load, loadfile or worksteal"
        elif not local[index]:
            missing = "this worker of pytest-xdist runs in another interpreter or on another machine"
        elif wanted.mode != "serial" and not cpus[index]:
            missing = f"{counted(count, 'worker')} of pytest-xdist share {here.text}; give -n {here.usable} or fewer"
        elif wanted.mode == "devices" and index >= len(gpus):
            missing = f"{counted(count, 'worker')} of pytest-xdist share {counted(len(gpus), 'visible GPU')}"
        if missing is not None:
            return Share(mode=wanted.mode, workers=count, missing=missing)
        gpu = gpus[index] if wanted.mode == "devices" else None
        own = () if wanted.mode == "serial" else cpus[index]
        return Share(mode=wanted.mode, workers=count, cpus=own, gpu=gpu)

    return [share(index) for index in range(count)]


def _gpus(wanted: Xdist) -> tuple[str, ...]:
    """The GPUs to share out, as CUDA_VISIBLE_DEVICES names them."""
    if wanted.mode != "devices":
        return ()
    visible = visible_gpus()
    unknown = [number for number in wanted.gpus if number >= len(visible)]
    if unknown:
        raise UsageError(
            f"--paddle-xdist=devices:{','.join(map(str, wanted.gpus))}: there is no gpu:{unknown[0]} here, "
            f"{counted(len(visible), 'GPU')} visible ({GPUS_VARIABLE}, libcuda.so.1); name others, or drop the list"
        )
    return tuple(visible[number] for number in wanted.gpus) or visible


def take(environ: MutableMapping[str, str]) -> Share:
    """The share of this worker, which leaves the environment: what this worker starts has none of its own."""
    known: dict[str, Any] = json.loads(environ.pop(VARIABLE))
    share = Share(**{**known, "cpus": tuple(known["cpus"])})
    if share.cpus:
        try:
            _keep_to(share.cpus)
        except OSError as error:
            missing = f"CPU {','.join(map(str, share.cpus))} cannot be used ({error.strerror})"
            return dataclasses.replace(share, missing=missing)
    return share


def _keep_to(cpus: Sequence[int]) -> None:
    """Keep every thread of this process to these CPUs, and so all that they start."""
    for thread in Path("/proc/self/task").iterdir():
        try:
            os.sched_setaffinity(int(thread.name), cpus)
        except ProcessLookupError:  # it has ended
            continue
