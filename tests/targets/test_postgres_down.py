"""The database goes away in the middle of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.targets.pages import fail, give, page_number

if TYPE_CHECKING:
    from tests.server import Server
    from tests.targets.conftest import Pipe, Piped, Postgres

PAGES = [[{"external_id": f"{page}-{row:02}"} for row in range(100)] for page in range(1, 6)]


def test_when_postgresql_goes_down_the_tap_ends_quietly_and_the_next_run_loses_nothing(
    server: Server, pipe: Pipe, postgres: Postgres
) -> None:
    target_config = {**postgres.config("down"), "batch_size_rows": 50}

    def run(state: object = None) -> Piped:
        config = {**server.config, "max_retries": 0}
        return pipe(config, "postgres", target_config, state=state)

    def stored() -> list[dict[str, Any]]:
        return postgres.query("SELECT external_id FROM down.customers ORDER BY external_id")

    def stop_when_some_is_stored() -> None:
        postgres.wait_until("(SELECT count(*) FROM down.customers) > 100")
        postgres.stop()

    # A first run that ends early leaves a state from which the others go on.
    give(server, *PAGES, at={2: fail})
    state = run().states[-1]
    assert stored() == PAGES[0]

    # Pages without end, so that the tap is sure to write to a target that is no longer there.
    endless = PAGES * 2_000
    give(server, *endless, at={4: stop_when_some_is_stored})
    broken = run(state)
    postgres.start()

    assert broken.exit_codes == (1, 1)
    assert "ERROR" not in broken.tap_log, broken.tap_log
    assert len(server.requests) < len(endless)
    assert broken.states == []  # so that what runs them keeps the one it has

    give(server, *PAGES)
    server.requests.clear()
    assert run(state).exit_codes == (0, 0)

    assert page_number(server.requests[0]) == 2
    assert stored() == [customer for page in PAGES for customer in page]
