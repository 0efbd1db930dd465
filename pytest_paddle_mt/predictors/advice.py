"""What may have led to an error of Paddle's that does not show it."""

from __future__ import annotations

#: What oneDNN's errors become in Python: of ``.json`` models, and of ``.pdmodel``.
_ONEDNN_ERRORS = ("std::exception", "could not execute a primitive")

_DESTROYED = "holder_ should not be null"

_OF_ONEDNN = (
    ". Paddle with oneDNN fails like this where a new thread runs two models after an earlier thread that did has "
    "ended, in a server that starts a thread per request, too: keep threads, run each sweep in a fresh process "
    "with --paddle-forks=1, or call config.disable_mkldnn() or config.set_mkldnn_cache_capacity(1)"
)
_OF_DESTROYED = (
    ". Paddle 3.x raises this where a clone of the predictor was destroyed: the predictors of a .pdmodel model share "
    "their weights, and the end of one takes them from the others. Keep every clone until the last thread has ended, "
    "or export the model as .json, whose clones have weights of their own"
)


def on_destroyed_clone(message: str) -> str:
    """What follows the message of an error that the end of another clone led to; empty for any other error."""
    return _OF_DESTROYED if _DESTROYED in message else ""


def on_query(message: str) -> str:
    """What follows the message of an error of a query on a Python thread; empty where it needs no advice."""
    of_onednn = _OF_ONEDNN if any(text in message for text in _ONEDNN_ERRORS) else ""
    return on_destroyed_clone(message) or of_onednn
