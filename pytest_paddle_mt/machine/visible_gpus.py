"""Finds the GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The GPUs in their order: entry N is the one that Paddle calls ``gpu:N``.

    Where CUDA_VISIBLE_DEVICES is set, it is taken as it is: as in CUDA, an entry that names none ends the list. Else
    the driver counts them, which makes no context.
    """
    if VARIABLE in environ:
        names: list[str] = []
        for name in (one.strip() for one in environ[VARIABLE].split(",")):
            if not name or name.startswith("-"):
                break
            names.append(name)
        return tuple(names)
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ()
    count = ctypes.c_int()
    failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    return () if failed else tuple(str(number) for number in range(count.value))
