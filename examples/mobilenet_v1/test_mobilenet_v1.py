"""The guide's own experiment: batch 1, one predictor per thread, every thread asks as fast as it is answered."""


def test_mobilenet_v1_scales(predictor_pool, concurrent_runner):
    """Fails when throughput does not grow with the threads, as far as there are cores."""
    concurrent_runner(predictor_pool)
