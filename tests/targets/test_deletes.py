"""Customers that were deleted at Custobar are deleted from PostgreSQL, and no others."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.catalogs import catalog, incremental
from tests.pages import fail, page_number, serve_pages
from tests.server import Reply

if TYPE_CHECKING:
    import subprocess

    from tests.server import Server
    from tests.targets.conftest import OnStart, Pipe, Piped, Postgres


def page(*ids: str) -> list[dict[str, Any]]:
    return [{"external_id": external_id} for external_id in ids]


class Table:
    """A table of customers that several runs of the tap are loaded into."""

    def __init__(self, server: Server, pipe: Pipe, postgres: Postgres, name: str) -> None:
        self._server, self._pipe, self._postgres, self._name = server, pipe, postgres, name

    def load(
        self,
        *,
        hard: bool,
        state: object = None,
        on_start: OnStart = lambda _: None,
        **config: object,
    ) -> Piped:
        return self._pipe(
            {
                **self._server.config,
                "max_retries": 0,
                "emit_activate_version_messages": True,
                **config,
            },
            "postgres",
            {**self._postgres.config(self._name), "hard_delete": hard},
            state=state,
            on_start=on_start,
        )

    @property
    def ids(self) -> list[str]:
        return self._ids("true")

    @property
    def flagged(self) -> list[str]:
        """The ids of the rows that the target flagged as deleted."""
        return self._ids("_sdc_deleted_at IS NOT NULL")

    def _ids(self, condition: str) -> list[str]:
        sql = f'SELECT external_id FROM "{self._name}".customers WHERE {condition} ORDER BY 1'  # noqa: S608
        return [row["external_id"] for row in self._postgres.query(sql)]


@pytest.fixture
def table(server: Server, pipe: Pipe, postgres: Postgres, request: pytest.FixtureRequest) -> Table:
    return Table(server, pipe, postgres, request.node.name[:60])


def test_rows_are_deleted_only_after_a_table_was_read_completely(
    table: Table, server: Server
) -> None:
    serve_pages(server, page("a", "b"), page("c"))
    assert table.load(hard=True).exit_codes == (0, 0)
    remaining = page("a"), page("c")  # b was deleted at Custobar
    every_id = ["a", "b", "c"]

    serve_pages(server, *remaining)
    filters = {"customers": {"filters": {"can_email": True}}}
    assert table.load(hard=True, stream_options=filters).exit_codes == (0, 0)
    assert table.ids == every_id, "filtered"

    serve_pages(server, [])
    assert table.load(hard=True).exit_codes == (0, 0)
    assert table.ids == every_id, "empty by mistake"

    serve_pages(server, *remaining, at={1: lambda: Reply({"customers": page("a"), "count": 3})})
    assert table.load(hard=True).exit_codes == (0, 0)
    assert table.ids == every_id, "fewer than the API's count"

    serve_pages(server, *remaining, [{"email": "no primary key"}])
    assert table.load(hard=True).exit_codes == (0, 0)
    assert table.ids == every_id, "a row skipped"

    taps: list[subprocess.Popen[bytes]] = []
    serve_pages(server, *remaining, at={2: lambda: taps[0].send_signal(signal.SIGTERM)})
    assert table.load(hard=True, on_start=taps.append).exit_codes == (143, 0)
    assert table.ids == every_id, "interrupted"

    serve_pages(server, *remaining, at={2: fail})
    failed = table.load(hard=True)
    assert failed.exit_codes == (1, 0)
    assert table.ids == every_id, "failed"

    serve_pages(server, *remaining)
    server.requests.clear()
    assert table.load(hard=True, state=failed.states[-1]).exit_codes == (0, 0)
    assert page_number(server.requests[0]) == 2
    assert table.ids == every_id, "resumed"

    serve_pages(server, *remaining)
    assert table.load(hard=True).exit_codes == (0, 0)
    assert table.ids == ["a", "c"], "read completely"


def test_an_incremental_run_deletes_nothing(
    server: Server, pipe: Pipe, postgres: Postgres, request: pytest.FixtureRequest
) -> None:
    schema = request.node.name[:60]
    target = {**postgres.config(schema), "hard_delete": True}
    config = {**server.config, "emit_activate_version_messages": True}
    old, new = ({"external_id": day, "date": f"2024-01-{day}T00:00:00Z"} for day in ("01", "31"))
    server.replies(Reply({"products": [new, old]}))
    pipe(config, "postgres", target, catalog=catalog(products=True))

    server.replies(Reply({"products": [new]}))
    piped = pipe(config, "postgres", target, catalog=incremental("products"))

    assert piped.exit_codes == (0, 0)
    sql = f'SELECT external_id FROM "{schema}".products ORDER BY 1'  # noqa: S608
    assert postgres.query(sql) == [{"external_id": "01"}, {"external_id": "31"}]


def test_without_hard_delete_a_row_is_flagged_until_the_customer_is_back(
    table: Table, server: Server
) -> None:
    serve_pages(server, page("a", "b"), page("c"))
    assert table.load(hard=False).exit_codes == (0, 0)
    serve_pages(server, page("a"), page("c"))
    assert table.load(hard=False).exit_codes == (0, 0)
    assert table.ids == ["a", "b", "c"]
    assert table.flagged == ["b"]

    serve_pages(server, page("a", "b", "c"))
    assert table.load(hard=False).exit_codes == (0, 0)
    assert table.flagged == []
