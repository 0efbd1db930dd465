"""Measure how a Paddle model's throughput scales with threads, and fail the test when it does not."""

from __future__ import annotations

__version__ = "0.1.0"
