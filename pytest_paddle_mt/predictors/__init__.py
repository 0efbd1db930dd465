"""Paddle as it is driven. Only this folder, and ``plugin/configured_pool``, import paddle."""
