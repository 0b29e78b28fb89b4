"""The database stops during a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.pages import fail, page_number, serve_pages

if TYPE_CHECKING:
    from tests.server import Server
    from tests.targets.conftest import Pipe, Piped, Postgres

PAGES = [[{"external_id": f"{page}-{row:02}"} for row in range(100)] for page in range(1, 6)]


def test_no_record_is_lost_and_no_error_is_logged_if_postgresql_stops(
    server: Server, pipe: Pipe, postgres: Postgres
) -> None:
    target_config = {**postgres.config("down"), "batch_size_rows": 50}

    def run(state: object = None) -> Piped:
        config = {**server.config, "max_retries": 0}
        return pipe(config, "postgres", target_config, state=state)

    def stored() -> list[dict[str, Any]]:
        return postgres.query("SELECT external_id FROM down.customers ORDER BY external_id")

    def stop_when_some_rows_are_stored() -> None:
        postgres.wait_until("(SELECT count(*) FROM down.customers) > 100")
        postgres.stop()

    # A first run that fails leaves a state, from which the other runs resume.
    serve_pages(server, *PAGES, at={2: fail})
    state = run().states[-1]
    assert stored() == PAGES[0]

    # Endless pages, so that the tap certainly writes to a target that has ended.
    endless = PAGES * 2_000
    serve_pages(server, *endless, at={4: stop_when_some_rows_are_stored})
    broken = run(state)
    postgres.start()

    assert broken.exit_codes == (1, 1)
    assert "ERROR" not in broken.tap_log, broken.tap_log
    assert len(server.requests) < len(endless)
    assert broken.states == []  # so the previous state is kept

    serve_pages(server, *PAGES)
    server.requests.clear()
    assert run(state).exit_codes == (0, 0)

    assert page_number(server.requests[0]) == 2
    assert stored() == [customer for page in PAGES for customer in page]
