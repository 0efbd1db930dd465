"""Which GPUs a process may use."""

from __future__ import annotations

import pytest

from pytest_paddle_mt.machine.visible_gpus import visible_gpus


@pytest.mark.parametrize(
    ("written", "gpus"),
    [
        ("0,1", ("0", "1")),
        (" 7 , GPU-4f1b", ("7", "GPU-4f1b")),
        ("", ()),
        ("2,-1,3", ("2",)),  # as in CUDA: an entry that names none ends the list
    ],
)
def test_the_variable_of_cuda_is_taken_as_it_is(written, gpus):
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": written}) == gpus
