"""Does a server scale whose threads own three models each, with crops of NumPy between them?"""

import pytest


@pytest.mark.paddle_scaling(threads=[1, 2], min_efficiency=0.8)
def test_pp_ocr_pipeline_scales(readers, concurrent_runner):
    """The query is what the server does with a page; each thread gives it the same reader every time."""
    concurrent_runner(readers, query=lambda reader, inputs: reader.read(inputs["page"]))


def test_a_reader_reads(readers, paddle_inputs):
    """What is measured answers correctly."""
    assert readers[0].read(paddle_inputs["page"]) == ["Open", "daily"]
