"""An interrupted sync resumes at its checkpoint, or the reason for a restart is given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tap_custobar.state.checkpoint import MAX_HOURS, Checkpoint, fingerprint
from tap_custobar.state.completeness import MAX_KEYS

BEGAN = 1_700_000_000
OURS = fingerprint("customers", "Token")
NEXT = "/api/data/customers/?limit=5&cursor=2"

#: The checkpoint of an interrupted run.
STORED: dict[str, Any] = {
    "next": NEXT,
    "asked": OURS,
    "began": BEGAN,
    "records": 8,
    "skipped": 2,
    "count": 100,
    "lowest": 90,
    "repeated": 3,
}


def load(bookmark: dict[str, Any], *, hours: float = 1, **options: Any) -> Checkpoint:
    """Return the checkpoint of a run that starts some hours after the interrupted one."""
    defaults = {"fingerprint": OURS, "counts_all_keys": True}
    return Checkpoint(bookmark, now=BEGAN + int(hours * 3600), **{**defaults, **options})


def rejection(changed: dict[str, Any]) -> str | None:
    return load({"resume": {**STORED, **changed}}).rejection


#: The reasons why a checkpoint is rejected.
FOREIGN = rejection({"next": None})
OTHER_REQUEST = rejection({"asked": "another"})
TOO_OLD = rejection({"began": BEGAN - MAX_HOURS * 3600})


def test_each_reason_is_a_different_line() -> None:
    reasons = [str(reason) for reason in (FOREIGN, OTHER_REQUEST, TOO_OLD)]

    assert len({*reasons}) == 3
    assert all(reason.isprintable() and len(reason) > 20 for reason in reasons)
    assert f"in the last {MAX_HOURS} hours" in str(TOO_OLD).replace(" of ", " in ")


def test_a_first_run_starts_at_the_first_page() -> None:
    bookmark: dict[str, Any] = {}

    first = load(bookmark, hours=0)

    assert (first.next, first.rejection, first.started_at) == (None, None, BEGAN)
    assert (first.table.records, first.table.count) == (0, None)
    assert bookmark == {}


def test_an_interrupted_sync_resumes_with_its_counts() -> None:
    resumed = load({"resume": STORED})

    assert (resumed.next, resumed.rejection) == (NEXT, None)
    assert resumed.started_at == BEGAN  # one sync, so its records keep one version
    table = resumed.table
    assert (table.records, table.skipped, table.repeated) == (8, 2, 3)
    assert (table.count, table.lowest) == (100, 90)
    assert table.is_resumed


@pytest.mark.parametrize(
    ("left_out", "lowest", "repeated"),
    [(["lowest"], 100, 3), (["repeated"], 90, 0), (["lowest", "repeated"], 100, 0)],
    ids=str,
)
def test_a_checkpoint_of_the_first_version_is_accepted(
    left_out: list[str], lowest: int, repeated: int
) -> None:
    resumed = load({"resume": {name: STORED[name] for name in STORED if name not in left_out}})

    assert resumed.next == NEXT
    assert (resumed.table.lowest, resumed.table.repeated) == (lowest, repeated)


@pytest.mark.parametrize(
    ("counts", "stored"),
    [
        ([100, 90], {"count": 100, "lowest": 90}),
        ([None, None], {"count": 0, "lowest": 0}),
        ([5, 5], {"count": 0, "lowest": 0}),  # each page's own number of rows
    ],
    ids=str,
)
def test_the_counts_are_stored_with_each_page(
    counts: list[int | None], stored: dict[str, int]
) -> None:
    bookmark: dict[str, Any] = {}
    running = load(bookmark, hours=0)
    for count in counts:
        running.table.add_page(records=4, skipped=1, count=count, key_hashes=map(hash, "aabc"))

    running.advance(f"https://token@acme.example:8443{NEXT}#part")

    assert bookmark["resume"] == {**STORED, "repeated": 5, **stored}
    assert load(json.loads(json.dumps(bookmark))).table.records == 8


def test_without_a_query_only_the_path_is_stored() -> None:
    bookmark: dict[str, Any] = {}

    load(bookmark).advance("https://acme.example/api/data/customers/")

    assert bookmark["resume"]["next"] == "/api/data/customers/"


def test_repeated_keys_are_stored_only_if_all_keys_are_counted() -> None:
    bookmark: dict[str, Any] = {}
    running = load(bookmark, counts_all_keys=False)
    running.table.add_page(records=2, skipped=0, count=None, key_hashes=map(hash, "aa"))

    running.advance(NEXT)

    assert bookmark["resume"]["repeated"] == 0


@pytest.mark.parametrize(
    ("options", "repeated"),
    [({"counts_all_keys": True}, 2), ({"counts_all_keys": False}, 1)],
    ids=str,
)
def test_all_keys_are_remembered_only_if_all_keys_are_counted(
    options: dict[str, bool], repeated: int
) -> None:
    table = load({}, **options).table
    table.add_page(records=MAX_KEYS, skipped=0, count=None, key_hashes=[0, *range(MAX_KEYS - 1)])

    table.add_page(records=1, skipped=0, count=None, key_hashes=[0])

    assert table.repeated == repeated


def test_by_default_a_run_remembers_a_bounded_number_of_keys() -> None:
    table = Checkpoint({}, fingerprint=OURS, now=BEGAN).table
    table.add_page(records=MAX_KEYS, skipped=0, count=None, key_hashes=range(MAX_KEYS))

    table.add_page(records=1, skipped=0, count=None, key_hashes=[0])

    assert table.repeated == 0


def test_the_checkpoint_is_cleared_after_the_last_page() -> None:
    bookmark = {"resume": STORED}

    load(bookmark).advance("")

    assert bookmark == {"resume": None}  # Meltano merges states


@pytest.mark.parametrize(
    ("changed", "options", "reason"),
    [
        ({}, {"hours": MAX_HOURS}, TOO_OLD),
        ({"began": BEGAN + 7200}, {"hours": 1}, TOO_OLD),
        ({"asked": fingerprint("products", "Token")}, {}, OTHER_REQUEST),
        ({}, {"disabled_by": "it is incremental"}, "it is incremental"),
        *(
            ({name: wrong}, {}, FOREIGN)
            for name in STORED
            for wrong in (None, [5], "x" if isinstance(STORED[name], int) else 5)
        ),
        *(
            ({"next": away}, {}, FOREIGN)
            for away in ("", "https://evil.example/", "//evil.example/", "api/data/", "?cursor=2")
        ),
    ],
    ids=str,
)
def test_an_unusable_checkpoint_is_rejected_with_the_reason(
    changed: dict[str, Any], options: dict[str, Any], reason: str
) -> None:
    fresh = load({"resume": {**STORED, **changed}}, **options)

    assert fresh.rejection == reason
    assert fresh.next is None
    assert fresh.started_at > BEGAN
    assert fresh.table.records == 0


@pytest.mark.parametrize("hours", [0, 19.99])
def test_a_checkpoint_is_valid_for_20_hours(hours: float) -> None:
    assert load({"resume": STORED}, hours=hours).next == NEXT


@pytest.mark.parametrize("value", ["text", 5, [STORED], {}, False], ids=str)
def test_a_checkpoint_of_another_type_is_rejected(value: object) -> None:
    fresh = load({"resume": value})

    assert fresh.rejection == FOREIGN
    assert fresh.next is None


@pytest.mark.parametrize("name", ["next", "asked", "began", "records", "skipped", "count"])
def test_a_checkpoint_without_a_required_key_is_rejected(name: str) -> None:
    part = {key: STORED[key] for key in STORED if key != name}

    assert load({"resume": part}).rejection == FOREIGN


def test_a_restart_keeps_the_checkpoint_until_the_first_page_is_read() -> None:
    bookmark = {"resume": STORED}
    running = load(bookmark)

    running.restart()

    assert (running.next, running.started_at) == (None, BEGAN + 3600)
    assert (running.table.records, running.table.repeated) == (0, 0)
    assert bookmark == {"resume": STORED}
    running.advance(NEXT)
    assert bookmark["resume"]["began"] == BEGAN + 3600


def test_a_restart_clears_the_checkpoint_if_checkpoints_are_disabled() -> None:
    bookmark = {"resume": STORED}

    load(bookmark, disabled_by="it is incremental").restart()

    assert bookmark == {"resume": None}


@pytest.mark.parametrize("bookmark", [{"resume": STORED}, {"version": 1}], ids=str)
def test_a_discarded_checkpoint_is_removed_from_the_state(bookmark: dict[str, Any]) -> None:
    running = load(bookmark)

    running.discard()

    assert running.next is None
    assert bookmark.get("resume") is None
    assert ("resume" in bookmark) is ("version" not in bookmark)


def test_if_checkpoints_are_disabled_none_is_stored() -> None:
    bookmark: dict[str, Any] = {}
    running = load(bookmark, disabled_by="it is incremental")

    running.advance(NEXT)
    running.discard()

    assert bookmark == {}


def test_a_fingerprint_is_the_same_in_every_process_and_shows_nothing() -> None:
    assert fingerprint("customers", ["city=Oulu"]) == "5de1ce7b5660641c6dd0ed60"
    assert fingerprint("customers", ["city=Turku"]) != fingerprint("customers", ["city=Oulu"])


@pytest.mark.parametrize("wrong", [True, False, -1, 1.5], ids=str)
@pytest.mark.parametrize("name", [name for name in STORED if isinstance(STORED[name], int)])
def test_a_count_that_is_not_a_natural_number_makes_the_checkpoint_invalid(
    name: str, wrong: float
) -> None:
    fresh = load({"resume": {**STORED, name: wrong}})

    assert fresh.rejection == FOREIGN
    assert (fresh.next, fresh.table.records) == (None, 0)
