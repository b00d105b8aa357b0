"""How two definitions differ, in words."""

from __future__ import annotations

from annotate_select.features.definitions import differences


def test_the_outermost_differences_come_first() -> None:
    inner = dict.fromkeys("abcdef", 1)
    said = differences({"architecture": inner, "kind": "autoencoder"}, {"kind": "function"})
    assert said.startswith("kind: autoencoder stored, function asked, architecture.a: 1 stored, nothing asked")
    assert said.endswith(" and 2 more")
