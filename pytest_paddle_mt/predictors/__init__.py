"""Drives Paddle. Only this folder and ``plugin/configured_pool`` import paddle."""
