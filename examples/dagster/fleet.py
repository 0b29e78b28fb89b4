"""Many companies with Dagster: each company's stream is a partition, run as `tap | target`."""

import json
import os
from functools import partial
from pathlib import Path
from subprocess import PIPE, Popen, check_output

import dagster as dg

COMPANIES = dg.StaticPartitionsDefinition(os.environ["FLEET_COMPANIES"].split())
STREAMS = dg.StaticPartitionsDefinition(["customers", "products"])
PARTITIONS = dg.MultiPartitionsDefinition({"company": COMPANIES, "stream": STREAMS})
TAP, TARGET = ["tap-custobar", "--config", "ENV"], ["target-csv", "--config", "ENV"]
FILES = {"TARGET_CSV_FILE_NAMING_SCHEME": "{stream_name}-{timestamp}.csv"}  # one for each run


def environment(company: str) -> dict[str, str]:
    """Return the common variables and those of the company (NAME__ACME, as NAME)."""
    own = f"__{company.upper().replace('-', '_')}"
    common = {name: value for name, value in os.environ.items() if "__" not in name}
    named = {k.removesuffix(own): v for k, v in os.environ.items() if k.endswith(own)}
    return {"TAP_CUSTOBAR_COMPANY": company, **FILES, **common, **named}


# The tap itself retries requests for up to 15 minutes; this is for a process that crashed.
@dg.asset(partitions_def=PARTITIONS, retry_policy=dg.RetryPolicy(max_retries=2, delay=1))
def custobar(context: dg.AssetExecutionContext) -> None:
    """Load a stream of a company, from the state of the last run."""
    company, stream = context.partition_key.split("|")
    (folder := Path(os.environ["FLEET_HOME"], company).resolve()).mkdir(parents=True, exist_ok=True)
    catalog, state = folder / f"{stream}.catalog.json", folder / f"{stream}.state.json"
    env, new = environment(company), folder / f"{stream}.new"
    if not catalog.exists():  # only once, so that the schema does not change
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
            tap.terminate()  # the run was cancelled
            raise
    if tap.returncode or target.returncode:
        raise dg.Failure(description=f"tap: {tap.returncode}, target: {target.returncode}")


@dg.schedule(cron_schedule="0 3 * * *", target=[custobar])
def nightly() -> list[dg.RunRequest]:
    """Request a run of every partition; dagster.yaml limits how many are active."""
    return [dg.RunRequest(key, partition_key=key) for key in PARTITIONS.get_partition_keys()]


definitions = dg.Definitions([custobar], [nightly], executor=dg.in_process_executor)
