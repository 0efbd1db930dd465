from __future__ import annotations

from pytest_paddle_mt.units import printable


def test_printable_text_stays_and_the_rest_is_escaped():
    assert printable("a 模型") == "a 模型"
    assert printable("a\n::error::\x1b[2J\ud800") == r"a\n::error::\x1b[2J\ud800"
