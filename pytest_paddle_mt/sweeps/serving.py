"""Turns the arguments of ``concurrent_runner`` (pool, predictors or synthetic work, inputs, query) into a worker."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from pytest_paddle_mt.engines import ON_PYTHON_THREADS, SyntheticWork, Workload, callables
from pytest_paddle_mt.engines.instrumentation import instrumentation
from pytest_paddle_mt.engines.synchronised import refuse_unfinished
from pytest_paddle_mt.errors import ModelError, UsageError
from pytest_paddle_mt.machine.gpu import sensor_of
from pytest_paddle_mt.machine.math_threads import idle_math_threads, math_libraries
from pytest_paddle_mt.predictors import gil, identity
from pytest_paddle_mt.predictors.callable_pool import CallablePool
from pytest_paddle_mt.predictors.inputs import (
    DefaultInputs,
    InputsOnDemand,
    alike,
    checked_inputs,
    default_inputs,
    input_sets,
    served_inputs,
    suspicion_of_made_up,
)
from pytest_paddle_mt.predictors.onnx_pool import OnnxPool
from pytest_paddle_mt.predictors.pool import PredictorPool
from pytest_paddle_mt.predictors.sequences import lod_of
from pytest_paddle_mt.records import Subject
from pytest_paddle_mt.sweeps import right_answers
from pytest_paddle_mt.sweeps.terms import thread_counts
from pytest_paddle_mt.units import NS_PER_S
from pytest_paddle_mt.workers.in_process import InProcessWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_paddle_mt.engines import Engine, Query
    from pytest_paddle_mt.predictors.inputs import InputSet
    from pytest_paddle_mt.records import Side
    from pytest_paddle_mt.settings import Settings


class Serving:
    """Makes workers for what one test wants to have measured."""

    def __init__(self, *, settings: Settings, engine: Engine, engines: Mapping[str, Engine], inputs: Any) -> None:
        """Nothing is served yet.

        Args:
            settings: of the test.
            engine: measures it, unless what is served needs another.
            engines: all that there are, by name.
            inputs: as the fixture ``paddle_inputs`` gave them.
        """
        self._settings = settings
        self._engine = engine
        self._engines = engines
        self._inputs = inputs

    def engine_for(self, served: object, query: object) -> Engine:
        """The engine that serves it: the one that was asked for, unless what is served has an engine of its own.

        Raises:
            UsageError: the query cannot be called, or the engine that was asked for cannot run it.
        """
        engine = self._engine
        if isinstance(served, SyntheticWork):
            return self._engines["synthetic"]
        if not (query is None or callable(query)):
            raise UsageError(f"query={query!r} cannot be called; give a function query(predictor, inputs)")
        own = _engine_of(served, query) if engine.needs_pool else None
        if own is not None:
            return self._engines[own]
        serves_only = getattr(engine, "serves_only", None)
        if serves_only is not None:
            raise UsageError(f"the {engine.name} engine serves {serves_only}; got {type(served).__name__}")
        if query is None or engine.takes_query:
            return engine
        chosen = self._settings.sources.get("engine")
        if chosen is None:
            return self._engines["python"]
        raise UsageError(
            f"the {engine.name} engine cannot run a query of your own ({chosen}); measure it with "
            "--paddle-engine=python"
        )

    def engines_for(self, served: Mapping[Side, object], query: object) -> dict[Side, Engine]:
        """The engines that serve two sides: on Python threads both where one side can be served only there.

        An engine that was asked for serves whatever it can.

        Raises:
            UsageError: the two cannot be compared.
        """
        engines = {side: self.engine_for(one, query) for side, one in served.items()}
        if engines["this"] is engines["other"]:
            return engines
        if not all(engine.needs_pool for engine in engines.values()):
            raise UsageError(
                "compare was given predictors and synthetic work, which cannot be compared; give it two of a kind"
            )
        if "engine" in self._settings.sources:
            return engines
        python = self._engines["python"]
        return {side: python if engine is self._engine else engine for side, engine in engines.items()}

    def how_alike(self, pools: Mapping[Side, PredictorPool | None], query: Query | None) -> str:
        """Let both sides answer the first input set; how alike they do, human-readable.

        Raises:
            ModelError: not as alike as two runtimes do that serve one model.
        """
        if self._settings.answers is None:
            return "the answers of both sides were not compared with each other (--paddle-answers=off)"
        asked: list[InputSet] = []
        given: list[object] = []
        for pool in (pools["other"], pools["this"]):
            assert pool is not None, "an engine that needs none is not compared with another"
            self._choose(pool)
            asked.append(self._inputs_for(pool, query)[0])
            own = _query_of(pool, query, asked[-1])
            given.append(pool.answer(0, asked[-1]) if own is None else own(pool[0], asked[-1]))
        if len({identity.inputs_digest([one]) for one in asked}) > 1:
            return "the two sides take other inputs, so their answers were not compared with each other"
        return right_answers.how_alike(*given)

    def _choose(self, pool: PredictorPool | None) -> None:
        if isinstance(pool, OnnxPool):
            pool.choose(self._settings.pool, self._settings.device if "device" in self._settings.sources else None)

    def worker_for(
        self,
        engine: Engine,
        pool: PredictorPool | None,
        served: object,
        query: Query | None,
        seed: int,
        describe: bool = False,
    ) -> tuple[InProcessWorker, Subject, float | None]:
        """A worker in this process, what it serves, and how long the first query took, in seconds, if there was one.

        ``describe`` adds what exactly it serves, which takes reading the model's files.
        """
        __tracebackhide__ = True
        self._choose(pool)
        inputs: Sequence[InputSet] = () if pool is None else self._inputs_for(pool, query)
        if pool is not None:
            query = _query_of(pool, query, inputs[0])
        made_up = isinstance(self._inputs, (DefaultInputs, InputsOnDemand))
        work = served if isinstance(served, SyntheticWork) else None
        query_s = None if work is None else work.spin_ns / NS_PER_S
        if pool is not None:
            began_s = time.monotonic()
            if query is None:
                try:
                    pool.answer(0, inputs[0], suspicion=_made_up(pool, inputs[0]) if made_up else None)
                except ModelError as error:
                    raise error from None  # it quotes Paddle's own, which pytest would print with our code
            else:
                query(pool[0], inputs[0])
            query_s = time.monotonic() - began_s
            if query is not None:
                refuse_unfinished(functools.partial(query, pool[0], inputs[0]), pool.device or self._settings.device)
        subject = self._subject(engine, pool, inputs, query)
        if subject.batch_size is not None and len(self._settings.batch_sizes) > 1:
            _refuse_another_batch(inputs, self._settings.batch_size)
        shown = served_inputs(inputs, made_up=made_up, checked=query is None or made_up)
        workload = Workload(pool=pool, inputs=inputs, query=query, synthetic=work, seed=seed)
        if pool is not None and self._settings.answers is not None and getattr(engine, "checks_answers", False):
            sets = right_answers.OWN_SETS * thread_counts(self._settings)[-1]
            own = alike(inputs[0], sets, query_s or 0.0) if made_up and inputs[0] else []
            workload = right_answers.with_golden(workload, own)
        compared = {} if pool is None else {"answers": right_answers.described(workload.golden)}
        subject = dataclasses.replace(subject, inputs=shown, facts={**subject.facts, **compared})
        sensor = None
        if subject.device != "cpu":
            sensor, observed = sensor_of(subject.device)
            subject = dataclasses.replace(subject, facts={**subject.facts, "GPU observed": observed})
        if describe:
            running = pool[0] if isinstance(pool, CallablePool) else query or work
            subject = dataclasses.replace(subject, identity=identity.describe(subject, pool, inputs, running))
        return InProcessWorker(engine.open(workload), sensor), subject, query_s

    def _inputs_for(self, pool: PredictorPool, query: Query | None) -> list[InputSet]:
        """The input sets: what the model takes, or whatever the user's own query takes."""
        given = self._inputs
        own = query is not None or isinstance(pool, CallablePool)
        if own and isinstance(given, (DefaultInputs, InputsOnDemand)) and not pool.knows_inputs:
            return [dict(given)]  # of the fixture's own model, or empty
        if isinstance(given, InputsOnDemand):  # made for the pool that the fixture knows of
            given = DefaultInputs({}, None)
        if own and not isinstance(given, DefaultInputs):
            return input_sets(given)
        if isinstance(given, DefaultInputs) and given.predictor is not pool[0]:
            asked = "batch_size" in self._settings.sources
            return [default_inputs(pool, self._settings.batch_size, batch_size_asked=asked)]
        return checked_inputs(pool, given)

    def _subject(
        self, engine: Engine, pool: PredictorPool | None, inputs: Sequence[InputSet], query: Query | None
    ) -> Subject:
        __tracebackhide__ = True  # a query of the user's own may raise here
        if pool is None:
            return Subject(engine=engine.name, device="cpu", batch_size=None, pool=None, math_threads=None, gil=None)
        # What objects of the user's own take may be an image, whose first dimension is no batch.
        batched = query is None or pool.knows_inputs
        first = next(iter(inputs[0].values()), None) if batched else None
        facts = {
            **pool.facts(),
            "math threads": "unknown" if pool.math_threads is None else str(pool.math_threads),
        }
        facts.setdefault("idle math threads", idle_math_threads())
        if query is not None and pool.noun != "callable":
            facts["measured"] = "a query of the test's own"
        libraries = math_libraries()
        if libraries is not None:
            facts["math libraries"] = libraries
        if pool.config is not None:
            facts["oneDNN"] = "on" if pool.config.mkldnn_enabled() else "off"
        if pool.streams is not None:
            facts["streams"] = "own"
        tracers = instrumentation() if engine.name in ON_PYTHON_THREADS else ()
        if tracers:
            facts["tracing"] = f"off in windows ({', '.join(tracers)})"
        return Subject(
            engine=engine.name,
            device=pool.device or self._settings.device,
            batch_size=None if first is None else _batch_size(first),
            pool=pool.method,
            math_threads=pool.math_threads,
            gil=pool.gil(inputs[0]) if query is None else gil.probe_query(functools.partial(query, pool[0], inputs[0])),
            gil_of="run()" if query is None else "the callable" if pool.noun == "callable" else "the query",
            facts=facts,
        )


def _engine_of(served: object, query: object) -> str | None:
    """The engine that alone serves it; None where any may."""
    if isinstance(served, PredictorPool):
        return served.engine
    if query is None and isinstance(served, (list, tuple)) and served and callable(served[0]):
        return CallablePool.engine
    return None


def _query_of(pool: PredictorPool, query: Query | None, inputs: InputSet) -> Query | None:
    """What is called with an object of the pool; None: the predictor runs.

    Raises:
        UsageError: a callable does not take what it is to be called with.
    """
    if not isinstance(pool, CallablePool):
        return query
    for index in range(len(pool)):
        callables.refuse_arguments(pool[index], inputs)
    return callables.call


def _made_up(pool: PredictorPool, inputs: InputSet) -> Callable[[], str]:
    """What an error of the first query suspects where its inputs were made up."""
    return lambda: suspicion_of_made_up(pool.input_specs(), inputs)


def pool_of(served: object, engine: Engine, query: object) -> PredictorPool | None:
    """The predictors to serve, or whatever ``query`` takes in place of them; None where the engine needs none.

    Raises:
        UsageError: it is neither a pool nor has one object per thread, or the pool is closed.
    """
    if isinstance(served, SyntheticWork) or not engine.needs_pool:
        return None
    if isinstance(served, PredictorPool):
        if served.closed:
            raise UsageError("the predictor pool is closed; use it inside the test, or make one with a wider scope")
        return served
    if query is not None:
        return PredictorPool.of_objects(_objects(served))
    if _engine_of(served, query) == CallablePool.engine:
        return CallablePool(served)  # type: ignore[arg-type]  # it is a list
    if isinstance(served, (list, tuple)):
        return PredictorPool.of(served)
    raise UsageError(
        f"concurrent_runner serves a predictor pool or a list of predictors, got {type(served).__name__}; call "
        "concurrent_runner(predictor_pool)"
    )


def _objects(served: Any) -> list[Any]:
    """The objects of whatever has a length and can be indexed."""
    in_order = hasattr(served, "__len__") and hasattr(served, "__getitem__")
    if not in_order or isinstance(served, (str, bytes, Mapping, AbstractSet)):
        raise UsageError(
            "with query=, concurrent_runner serves a predictor pool or a list with one object per thread, got "
            f"{type(served).__name__}; call concurrent_runner([one, two], query=...)"
        )
    return [served[index] for index in range(len(served))]


def on_loops(engines: Mapping[Side, Engine]) -> Iterator[str]:
    """Whether the two sides are served by one loop, where a reader must know that."""
    names = {"a": engines["other"].name, "b": engines["this"].name}
    on_python = [side for side, name in names.items() if name in ON_PYTHON_THREADS]
    if len(on_python) == 1:
        [side] = on_python
        yield (
            f"{side} is served by Python threads, whose loop takes some microseconds a query, and the other side by "
            f"the {names['b' if side == 'a' else 'a']} engine, which has no such loop; with --paddle-engine=python "
            "both are served by Python threads"
        )


def refuse_too_few(pool: PredictorPool | None, counts: tuple[int, ...]) -> None:
    """Refuse a pool that can never have a predictor for each thread of the largest count.

    Raises:
        UsageError: it cannot.
    """
    if pool is not None and pool.size is not None and pool.size < counts[-1]:
        given = "the pool" if pool.noun == "predictor" else "what was given"
        raise UsageError(
            f"{counts[-1]} threads need {counts[-1]} {pool.noun}s and {given} has {pool.size}; give it more, or "
            f"measure fewer with --paddle-threads={pool.size}"
        )


def described(served: object, pool: PredictorPool | None) -> str:
    """What ``compare`` was given, human-readable."""
    if pool is None:
        return identity.name_of(served)
    return identity.name_of(pool[0]) if pool.noun in ("object", "callable") else pool.name


def _refuse_another_batch(inputs: Sequence[InputSet], asked: int) -> None:
    """Refuse inputs of the user's own that do not follow the batch size of the test.

    Raises:
        UsageError: there are such inputs.
    """
    for one in inputs:
        sizes = [_batch_size(array) for array in one.values()]
        if asked not in sizes:
            raise UsageError(
                f"this test is to be measured with a batch size of {asked}, and its inputs have {sizes[0]}: request "
                "the fixture paddle_batch_size in paddle_inputs and make arrays of that size, or give one batch size"
            )


def _batch_size(array: Any) -> int | None:
    """First dimension of an array, or how many sequences it has; None for a scalar, or for what is no array."""
    lod = lod_of(array)
    if lod:
        return len(lod[0]) - 1
    shape = getattr(array, "shape", ())
    return int(shape[0]) if shape else None
