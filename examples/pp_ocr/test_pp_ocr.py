"""Do the models of a text reader scale, each on its own?"""

import pytest


@pytest.mark.paddle_scaling(min_efficiency=0.8)
def test_pp_ocr_scales(predictor_pool, concurrent_runner):
    """Runs once for each model; a limit of its own, in place of --paddle-min-efficiency."""
    concurrent_runner(predictor_pool)
