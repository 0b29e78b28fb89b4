from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_custobar.records.safe_names import MAX_BYTES, SAFE_BYTES, safe_names

if TYPE_CHECKING:
    from random import Random

DOCUMENTED = ["external_id", "email", "First_Name"]

names = st.text(st.sampled_from("aAbB_- .äÄ€😀"), min_size=1, max_size=4) | st.text(
    st.characters(codec="utf-8"), min_size=1, max_size=100
)


def normalized(name: str) -> str:
    return "".join("_" if c.isspace() or c in ".-" else c for c in name.lower())


@pytest.mark.parametrize(
    ("own", "renamed"),
    [
        ([], []),
        (["acme__points", "acme__level"], []),
        (["a" * 63], []),
        (["a" * 64], ["a" * 64]),
        (["ä" * 31], []),
        (["ä" * 32], ["ä" * 32]),
        (["acme__Points", "acme__points"], ["acme__Points", "acme__points"]),
        (
            ["acme__a b", "acme__a.b", "acme__a-b", "acme__ab"],
            ["acme__a b", "acme__a-b", "acme__a.b", "acme__ab"],
        ),
        (["Email"], ["Email"]),
        (["fooBar", "foo_bar"], ["fooBar", "foo_bar"]),
        (["fooBar", "foobar"], ["fooBar", "foobar"]),
        (["väri", "vöri", "vari"], ["vari", "väri", "vöri"]),
        (["e\u0301", "\u00e9"], ["e\u0301", "\u00e9"]),
        (["straße", "STRASSE"], ["STRASSE", "straße"]),
        ([""], [""]),
        (["a\0b", "a\ud800b"], ["a\0b", "a\ud800b"]),
        (["_sdc_extracted_at", "_SDC_x"], ["_SDC_x", "_sdc_extracted_at"]),
        (["a:b", "a/b"], ["a/b", "a:b"]),
        (['a"b'], ['a"b']),
        (["first name"], ["first name"]),
        (["email"], []),  # declared again: it is documented
    ],
)
def test_only_invalid_names_are_replaced(own: list[str], renamed: list[str]) -> None:
    assert sorted(safe_names(own, DOCUMENTED)) == sorted(renamed)


def test_a_safe_name_is_its_beginning_and_a_digest_of_itself() -> None:
    (safe,) = safe_names(["acme__" + "x" * 80], DOCUMENTED).values()

    assert safe == "acme__" + "x" * 45 + "_" + safe[-10:]
    assert len(safe) == SAFE_BYTES
    assert safe_names(["Email"], DOCUMENTED) == {"Email": "Email_f3fbdaec12"}


@given(st.lists(names, max_size=8))
def test_all_names_are_short_and_distinct(own: list[str]) -> None:
    made = safe_names(own, DOCUMENTED)

    leaving = {made.get(name, name) for name in {*own, *DOCUMENTED}}
    assert all(len(name.encode()) <= MAX_BYTES for name in leaving)
    assert len({normalized(name) for name in leaving}) == len({*own, *DOCUMENTED})
    assert leaving.issuperset(DOCUMENTED)


@given(st.lists(names, max_size=8), st.randoms())
def test_the_order_and_the_other_names_make_no_difference(own: list[str], shuffle: Random) -> None:
    again = list(own)
    shuffle.shuffle(again)

    assert safe_names(again, DOCUMENTED) == safe_names(own, DOCUMENTED)
    for name, safe in safe_names(own, DOCUMENTED).items():
        assert safe_names([*own, "another"], DOCUMENTED)[name] == safe


def test_a_field_named_like_the_safe_name_of_another_gets_its_own() -> None:
    names = ["x" * 70]
    names += safe_names(names, []).values()
    names += safe_names([names[-1], names[-1].upper()], []).values()

    renamed = safe_names(names, [])

    assert len({renamed.get(name, name) for name in names}) == len(set(names)) == 4
