"""Results files with everything that the page shows: figures are made up, and no test judges them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

#: What a hostile test might be called. No browser may take any of it for markup.
HOSTILE = (
    "test_x.py::test_<script>alert(1)</script>",
    "test_x.py::test_\"'><img src=x onerror=alert(1)>",
    "test_x.py::test_</title></style></svg><h1>{{ 7*7 }}{% raw %}",
    "test_x.py::test_\x00\x1b[31m\u202e\ud800&amp;",
)


def document(*sweeps: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": 1,
        "plugin_version": "0.1.0",
        "created_utc": "2026-01-31T12:00:00Z",
        "environment": {
            "machine_key": "epyc-7r13-avx2-8c",
            "cpu_model": "AMD EPYC 7R13",
            "usable_cores": 8,
            "quota_cores": None,
            "python": "3.11.7",
            "paddlepaddle": "3.3.1",
        },
        "sweeps": list(sweeps),
    }


def verdict(check: str, threads: int | None, status: str, limit: float | None, reason: str) -> dict[str, Any]:
    return {"check": check, "threads": threads, "status": status, "observed": 0.8, "limit": limit, "reason": reason}


def point(threads: int, qps: float, single: float, *, known: bool = True) -> dict[str, Any]:
    speedup = qps / single if known else None
    return {
        "threads": threads,
        "qps": qps,
        "qps_ci": [0.97 * qps, 1.03 * qps] if known else None,
        "speedup": speedup,
        "efficiency": None if speedup is None else speedup / threads,
        "efficiency_ci": None
        if threads == 1 or speedup is None
        else [0.95 * speedup / threads, 1.05 * speedup / threads],
        "latency_ms": {
            "mean": 1000 * threads / qps,
            "p50": 1000 * threads / qps,
            "p90": 1150 * threads / qps,
            "p99": 1500 * threads / qps if known else None,
            "max": 2600 * threads / qps,
        },
        "queries": 1200 * threads,
        "fairness": 0.97,
        "rounds": 24,
        "set_aside_rounds": 1 if threads > 2 else 0,
        "shared_core_rounds": 0,
        "lost_share": 0.01,
        "peak_rss_bytes": 310_000_000 + 24_000_000 * threads,
    }


def windows(qps: dict[int, float], rounds: int, *, timed: bool = True, side: str | None = None) -> list[dict[str, Any]]:
    """Windows with a little noise, the same each time, and one stall."""
    noise = random.Random(5)
    made = []
    at = 0.0
    for index in range(rounds):
        for threads in [*qps, *reversed(qps)]:
            typical = 1000 * threads / qps[threads]
            slowest = [round(typical * noise.uniform(1.1, 1.5), 4) for _ in range(threads)]
            if index == rounds // 2:
                slowest[-1] *= 3
            made.append(
                {
                    "stage": "sweep",
                    "fork": 0,
                    "round": index,
                    "threads": threads,
                    "qps": qps[threads] * noise.uniform(0.97, 1.03),
                    "queries": 12 * threads,
                    "window_s": 0.1,
                    "latency_ms": {"min": 0.9 * typical, "p50": typical, "p99": None},
                    "lost_share": 0.01,
                    "preempted": False,
                    **({"opened_s": round(at, 3), "slowest_ms": slowest} if timed else {}),
                    **({} if side is None else {"side": side}),
                }
            )
            at += 0.15
    return made


def sweep(**changes: Any) -> dict[str, Any]:
    """Sixteen threads on eight cores: linear up to eight, then level."""
    qps = changes.pop("qps", {1: 24.0, 2: 47.8, 4: 94.9, 8: 186.3, 16: 184.1})
    rounds = changes.pop("measured_rounds", 5)
    return {
        "nodeid": "tests/test_serving.py::test_mobilenet_v1_scales",
        "engine": "native",
        "device": "cpu",
        "batch_size": 1,
        "pool": "clone",
        "math_threads": 1,
        "gil": "held",
        "facts": {"paddle": "paddlepaddle 3.3.1", "oneDNN": "on"},
        "inputs": [
            {"name": "image", "dtype": "float32", "shape": [1, 3, None, 224], "min": 0.0, "max": 25.4, "made_up": True}
        ],
        "usable_cores": 8,
        "linear_until": 8,
        "linear_until_reason": "8 usable cores",
        "seed": 2002621793,
        "status": "pass",
        "gated": True,
        "smoke_reason": None,
        "elapsed_s": 41.3,
        "peak_rss_bytes": 700_000_000,
        "points": [point(threads, value, qps[1]) for threads, value in qps.items()],
        "windows": windows(qps, rounds),
        "usl": {"contention": 0.01, "coherency": 0.002},
        "verdicts": [
            verdict("linear", 8, "pass", 0.85, "scaling efficiency with 8 threads is 0.97, at or above the limit 0.85"),
            verdict("collapse", 16, "pass", 0.85, "QPS with 16 threads over QPS with 8 threads is 0.99"),
        ],
        "warnings": [{"kind": "gil_held", "text": "Predictor.run() holds the GIL: Python threads will not scale"}],
        "against": None,
        "baseline": {"runs": [accepted(day, {1: 23.8, 8: 180.0 + day}) for day in range(1, 13)]},
        **changes,
    }


def accepted(day: int, qps: dict[int, float]) -> dict[str, Any]:
    points = [{"threads": threads, "qps": value} for threads, value in qps.items()]
    return {"date": f"2026-01-{day:02}T12:00:00Z", "commit": f"{day:040x}", "points": points}


def failed(**changes: Any) -> dict[str, Any]:
    reason = (
        "scaling efficiency with 8 threads is 0.41 (0.39 to 0.43, 24 rounds), below the limit 0.85; the threads wait "
        "for each other: 1.9 voluntary switches a query, 0.1 with one thread. Look for a lock in the model's "
        "own operators"
    )
    known = {
        "nodeid": "tests/test_serving.py::test_recognition_scales[batch-4]",
        "qps": {1: 24.0, 2: 44.0, 4: 70.1, 8: 78.7, 16: 66.0},
        "status": "fail",
        "verdicts": [
            verdict("linear", 2, "pass", 0.85, "scaling efficiency with 2 threads is 0.92, at or above the limit 0.85"),
            verdict("linear", 8, "fail", 0.85, reason),
            verdict("collapse", 16, "inconclusive", 0.85, "QPS with 16 threads could not be judged"),
        ],
        "cause": {"kind": "lock", "threads": 8, "text": "threads waited 62% of the time", "figures": {}},
        "baseline": None,
    }
    return sweep(**{**known, **changes})


def compared(**changes: Any) -> dict[str, Any]:
    """Two sides, the new one slower."""
    qps, before = {1: 24.0, 2: 40.0, 4: 66.0}, {1: 24.2, 2: 47.0, 4: 92.0}
    ratios = [
        {"threads": n, "qps": qps[n] / before[n], "qps_ci": [0.97 * qps[n] / before[n], 1.03 * qps[n] / before[n]],
         "latency_p50": before[n] / qps[n], "rounds": 12}
        for n in qps
    ]  # fmt: skip
    known = {
        "nodeid": "tests/test_serving.py::test_detection_scales",
        "qps": qps,
        "status": "fail",
        "linear_until": None,
        "linear_until_reason": "",
        "windows": [*windows(qps, 12, side="this"), *windows(before, 12, side="other")],
        "verdicts": [verdict("against", 4, "fail", 0.952, "QPS with 4 threads is 0.717 times that of the other side")],
        "baseline": None,
        "against": {
            "names": ["this side", "the other"],
            "described": ["/new/bin/python in /repo", "/old/bin/python in /repo"],
            "identity": {"this": {"paddlepaddle": "3.3.1"}, "other": {"paddlepaddle": "3.2.2"}},
            "facts": None,
            "differences": ["paddlepaddle 3.3.1 against 3.2.2"],
            "max_drift": 0.05,
            "points": [point(threads, value, before[1]) for threads, value in before.items()],
            "ratios": ratios,
        },
    }
    return sweep(**{**known, **changes})


def unmeasured(**changes: Any) -> dict[str, Any]:
    """A sweep without figures."""
    known = {
        "nodeid": "tests/test_serving.py::test_nothing",
        "status": "no_data",
        "points": [],
        "windows": [],
        "usl": None,
        "inputs": [],
        "baseline": None,
        "verdicts": [verdict("linear", None, "no_data", None, "measuring is off")],
        "smoke_reason": "pytest-xdist runs other tests at the same time",
    }
    return sweep(**{**known, **changes})


def everything(names: Sequence[str] = ()) -> dict[str, Any]:
    hostile = [sweep(nodeid=name, measured_rounds=2) for name in names]
    return document(failed(), sweep(), compared(), unmeasured(), *hostile)
