"""Objects of a user's own, one per thread, served by a query of the user's own."""

from __future__ import annotations

import pytest

from tests.suite import Suite, text

#: Two real predictors in each object, in turn.
PIPELINES = """
    import numpy as np
    import pytest
    from paddle import inference

    MODEL = {model!r}

    def predictor():
        config = inference.Config(*MODEL)
        config.disable_glog_info()
        config.disable_mkldnn()
        return inference.create_predictor(config)

    def answer(predictor, array):
        predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(array)
        predictor.run()
        return predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()

    class Pipeline:
        def __init__(self):
            self.first, self.second = predictor(), predictor()

        def predict(self, image):
            scores = answer(self.first, image)
            return answer(self.second, np.tile(scores, 4))
"""

IMAGES = """
    @pytest.fixture
    def paddle_inputs():
        return {"image": np.ones((2, 16), dtype="float32")}
"""

#: One short round decides nothing, and needs no quiet machine.
SHORT = ("--paddle-rounds=1:1", "--paddle-window=4q", "--paddle-json=results.json")


@pytest.fixture
def written(suite: Suite, models):
    """``written(test)``: runs a test that may use the pipelines."""
    model = models.get("mlp")
    files = (str(model.program), str(model.params))

    def run(test: str, *arguments: str) -> pytest.RunResult:
        suite.write(PIPELINES.replace("{model!r}", repr(files)) + test)
        return suite.run(*SHORT, *arguments)

    return run


def test_objects_with_two_predictors_each_are_served(suite: Suite, written):
    result = written(
        IMAGES
        + """
    def test_it(concurrent_runner):
        result = concurrent_runner([Pipeline(), Pipeline()], query=lambda one, inputs: one.predict(inputs["image"]))
        assert result.at(threads=2).qps > 0
        """
    )
    result.assert_outcomes(skipped=1)
    [sweep] = suite.results()
    assert [point["threads"] for point in sweep["points"]] == [1, 2]
    assert (sweep["engine"], sweep["batch_size"]) == ("python", None)  # a list of images, or one image?
    assert f"GIL {sweep['gil']} by the query" in text(result)


def test_a_query_may_use_predictors_of_its_own_and_leave_the_pool_alone(written):
    result = written(
        """
    import threading

    @pytest.fixture
    def paddle_config():
        return inference.Config(*MODEL)

    def test_it(predictor_pool, concurrent_runner):
        mine = threading.local()

        def query(predictor, inputs):
            if not hasattr(mine, "pipeline"):
                mine.pipeline = Pipeline()
            mine.pipeline.predict(inputs["x"])

        concurrent_runner(predictor_pool, query=query)
        """
    )
    result.assert_outcomes(skipped=1)


def test_anything_with_a_length_and_an_order_is_a_list_of_objects(suite: Suite):
    suite.write(
        """
        class Servers:
            def __len__(self):
                return 2

            def __getitem__(self, index):
                return f"server {index}"

        def test_it(concurrent_runner):
            seen = set()
            concurrent_runner(Servers(), query=lambda server, inputs: seen.add((server, str(inputs))))
            assert seen == {("server 0", "{}"), ("server 1", "{}")}  # no model, so no inputs
        """
    )
    suite.run(*SHORT).assert_outcomes(skipped=1)


def test_two_lists_of_objects_are_compared(suite: Suite):
    suite.write(
        """
        class Old: pass
        class New: pass

        def test_it(concurrent_runner):
            concurrent_runner.compare([Old(), Old()], [New(), New()], query=lambda server, inputs: None)
        """
    )
    result = suite.run(*SHORT)
    result.assert_outcomes(skipped=1)
    assert "test_it.New" in text(result)
    assert "test_it.Old" in text(result)


@pytest.mark.parametrize(
    ("served", "fact", "step"),
    [
        ("None", "with query=, concurrent_runner serves a predictor pool or a list with one object per thread", "[one"),
        ("3", "one object per thread, got int", "call concurrent_runner([one, two], query=...)"),
        ("object()", "one object per thread, got object", "call concurrent_runner([one, two], query=...)"),
        ("'ab'", "one object per thread, got str", "call concurrent_runner([one, two], query=...)"),
        ("{0: 1, 1: 2}", "one object per thread, got dict", "call concurrent_runner([one, two], query=...)"),
        ("[]", "an empty list of objects serves nothing", "give one object per thread"),
        ("[object()]", "2 threads need 2 objects and what was given has 1", "--paddle-threads=1"),
        ("[object(), None]", "object 1 of 2 is None", "give each thread what its query is to take"),
        ("2 * [object()]", "objects 0 and 1 are one object", "give each thread its own"),
    ],
)
def test_what_cannot_be_served_is_refused(suite: Suite, served, fact, step):
    suite.write(f"def test_it(concurrent_runner):\n    concurrent_runner({served}, query=print)\n")
    result = suite.run(*SHORT)
    result.assert_outcomes(failed=1)
    assert fact in text(result)
    assert step in text(result)
    assert "pytest_paddle_mt/" not in text(result)
