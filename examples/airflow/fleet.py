"""Many companies with Airflow: each company's stream is a task, run as `tap | target`."""

import json
import os
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from subprocess import PIPE, CalledProcessError, Popen, check_output

from airflow.sdk import dag, task

COMPANIES = os.environ["FLEET_COMPANIES"].split()
STREAMS = ["customers", "products"]
TAP, TARGET = ["tap-custobar", "--config", "ENV"], ["target-csv", "--config", "ENV"]
FILES = {"TARGET_CSV_FILE_NAMING_SCHEME": "{stream_name}-{timestamp}.csv"}  # one for each run


def environment(company: str) -> dict[str, str]:
    """Return the common variables and those of the company (NAME__ACME, as NAME)."""
    own = f"__{company.upper().replace('-', '_')}"
    common = {name: value for name, value in os.environ.items() if "__" not in name}
    named = {k.removesuffix(own): v for k, v in os.environ.items() if k.endswith(own)}
    return {"TAP_CUSTOBAR_COMPANY": company, **FILES, **common, **named}


@task(retries=2, retry_delay=timedelta(minutes=1))  # for a crash; the tap itself retries requests
def load(company: str, stream: str) -> None:
    """Load a stream of a company, from the state of the last run."""
    (folder := Path(os.environ["FLEET_HOME"], company).resolve()).mkdir(parents=True, exist_ok=True)
    catalog, state = folder / f"{stream}.catalog.json", folder / f"{stream}.state.json"
    env, new = environment(company), folder / f"{stream}.new"
    if not catalog.exists():  # only once: the schema stays, and fields can be deselected in it
        found = json.loads(check_output([*TAP, "--discover"], env=env, cwd=folder))
        [entry] = [e for e in found["streams"] if e["tap_stream_id"] == stream]
        new.write_text(json.dumps({"streams": [entry]}))
        new.replace(catalog)
    known = ["--catalog", str(catalog)] + (["--state", str(state)] if state.exists() else [])
    start = partial(Popen[str], stdout=PIPE, env=env, cwd=folder, text=True)
    with start(TAP + known) as tap, start(TARGET, stdin=tap.stdout) as target:
        try:
            for confirmed in target.stdout or ():
                new.write_text(confirmed)
                new.replace(state)  # atomic: the next run never reads half of it
        except BaseException:
            tap.terminate()  # the task was cancelled
            raise
    if code := tap.returncode or target.returncode:
        raise CalledProcessError(code, "tap | target")


@dag(schedule="0 3 * * *", start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=False)
def custobar() -> None:
    """Load every stream of every company; the company's pool has one slot."""
    for company, stream in product(COMPANIES, STREAMS):
        own = load.override(task_id=f"{company}.{stream}", pool=f"custobar_{company}")
        own(company, stream)


fleet = custobar()
