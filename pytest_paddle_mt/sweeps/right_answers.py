"""Gets the right answers to what is served before it is measured, and reports how many were compared with them."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_paddle_mt.engines import answers
from pytest_paddle_mt.errors import ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from pytest_paddle_mt.engines import InputSets, Workload
    from pytest_paddle_mt.engines.answers import Golden
    from pytest_paddle_mt.records import Round, Side, Subject, Window, WindowPlan
    from pytest_paddle_mt.sweeps.rounds import Stop

#: Input sets that a thread has of its own where the plugin makes them up: with two in turn, the answer to the query
#: before shows.
OWN_SETS = 2

#: So far apart may the answers of two runtimes be, as a share of the largest element: they add in another order.
#: MobileNetV1 and PP-OCR recognition differ by 3e-6 between Paddle and ONNX Runtime.
_APART = 1e-3

_COMPARED = "compared"  #: How ``Golden.described`` begins where there is something to compare.


def with_golden(workload: Workload, own: InputSets = ()) -> Workload:
    """The workload with the right answers to its input sets.

    Args:
        workload: what is served; it has a pool.
        own: input sets in place of its only one, ``OWN_SETS`` for each thread, the first of which is that one; they are
            served where the model, or the user's query, takes all of them.

    Raises:
        ModelError: the model does not answer its input sets.
    """
    __tracebackhide__ = True
    if len(own) > 1:
        several = dataclasses.replace(workload, inputs=own, own_sets=min(OWN_SETS, len(own)))
        try:
            return dataclasses.replace(several, golden=_golden(several))
        except Exception:  # whatever a query of the user's own raises: nobody promised that it takes other inputs
            pass
    try:
        return dataclasses.replace(workload, golden=_golden(workload))
    except ModelError as error:
        raise error from None  # it quotes Paddle's own, which pytest would print with our code


def _golden(workload: Workload) -> Golden:
    __tracebackhide__ = True  # a query of the user's own may raise here
    pool, query, inputs = workload.pool, workload.query, workload.inputs
    if pool is None:
        raise UsageError("there is no predictor to ask; give the workload a pool")

    def ask(index: int) -> object:
        __tracebackhide__ = True
        return pool.answer(0, inputs[index]) if query is None else query(pool[0], inputs[index])

    return dataclasses.replace(answers.golden(ask, len(inputs)), own_sets=workload.own_sets)


def how_alike(a: object, b: object) -> str:
    """How alike two runtimes answer the same input, human-readable.

    Raises:
        ModelError: an output of ``b`` is of another shape or kind, or further away from that of ``a`` than
            ``_APART`` of its largest element.
    """
    ours, theirs = (list((answers.parts(one) or {}).values()) for one in (a, b))
    if not ours or not theirs:
        return "the answers of both sides were not compared with each other: one has nothing that can be compared"
    step = "they do not serve one model: export it again. To compare their speed anyway: --paddle-answers=off"
    if len(ours) != len(theirs):
        raise ModelError(f"a answers with {len(ours)} outputs and b with {len(theirs)}; {step}")
    largest_share = 0.0
    for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
            shapes = f"{one.dtype} {one.shape} of a and {other.dtype} {other.shape} of b"
            raise ModelError(f"output {index} is {shapes}; {step}")
        share = _apart(one, other)
        if not share <= _APART:
            raise ModelError(
                f"output {index} of b is up to {share:.2g} of the largest element away from that of a, and "
                f"{_APART:g} is allowed; {step}"
            )
        largest_share = max(largest_share, share)
    return f"both sides answer alike, within {largest_share:.1g} of the largest element (allowed: {_APART:g})"


def _apart(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """The largest difference of an element over the largest element; infinite where only one is NaN, or no number."""
    if one.dtype.kind not in "fc":
        return 0.0 if np.array_equal(one, other) else math.inf
    finite = np.isfinite(one)
    if not np.array_equal(finite, np.isfinite(other)) or not np.array_equal(
        one[~finite], other[~finite], equal_nan=True
    ):
        return math.inf
    ours, theirs = one[finite], other[finite]
    largest, difference = (float(np.abs(part).max(initial=0)) for part in (ours, ours - theirs))
    return difference / largest if largest else math.inf if difference else 0.0


def described(golden: Golden | None) -> str:
    """What is compared, human-readable: follows the word "answers"."""
    return "not compared" if golden is None else golden.described


def with_share(subject: Subject, rounds: Sequence[Round]) -> Subject:
    """The subject of one side with how many of the answers that its rounds gave were compared."""
    said = subject.facts.get("answers", "")
    windows = [visit.window for one in rounds for visit in one.visits]
    served = sum(window.served for window in windows)
    if not said.startswith(_COMPARED) or not served:
        return subject
    share = f"{sum(window.compared for window in windows):,} of {served:,}"
    return dataclasses.replace(subject, facts={**subject.facts, "answers": f"{said} ({share})"})


class LongerWarmUps:
    """Lets warm-ups serve so many queries that enough answers are compared, of each side."""

    def __init__(self, wanted: int, windows: int) -> None:
        """Nothing was compared yet.

        Args:
            wanted: how many answers of each side are compared at least; 0: as many as come.
            windows: how many windows of each side share them.
        """
        self._each = math.ceil(wanted / max(windows, 1))
        self._left: dict[Side, int] = {"this": wanted, "other": wanted}

    def plan(self, plan: WindowPlan, stop: Stop) -> WindowPlan:
        """The window of this stop, with as many queries of each thread to warm up as it takes."""
        if self._left[stop.side] <= 0:
            return plan
        queries = math.ceil(min(self._each, self._left[stop.side]) / stop.threads)
        return dataclasses.replace(plan, warmup_queries=max(plan.warmup_queries, queries))

    def measured(self, window: Window, side: Side) -> None:
        """Count what a window compared; where it compared nothing, none that follows does."""
        self._left[side] = self._left[side] - window.compared if window.compared else 0
