"""examples/kubernetes: valid for Kubernetes, safe, and in step with its Dockerfile."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/kubernetes"
DOCKERFILE = (EXAMPLE / "Dockerfile").read_text(encoding="utf-8")
MANIFESTS: dict[str, dict[str, Any]] = {
    manifest["kind"]: manifest
    for manifest in yaml.safe_load_all((EXAMPLE / "custobar.yaml").read_text(encoding="utf-8"))
}
CRON_JOB = MANIFESTS["CronJob"]["spec"]
POD = CRON_JOB["jobTemplate"]["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
MELTANO = yaml.safe_load(MANIFESTS["ConfigMap"]["data"]["meltano.yml"])


@pytest.mark.parametrize("version", ["1.28", "1.32", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("kind", ["ConfigMap", "CronJob"])
def test_each_manifest_is_valid(kind: str, version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[kind], version, strict=True)


def test_runs_do_not_overlap_and_have_a_deadline() -> None:
    assert CRON_JOB["concurrencyPolicy"] == "Forbid"
    assert CRON_JOB["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0
    assert POD["restartPolicy"] == "Never"


def test_the_pod_has_minimal_permissions() -> None:
    """As the Pod Security Standard `restricted` requires, and with a read-only root."""
    assert {"runAsNonRoot": True, "runAsUser": 1000}.items() <= POD["securityContext"].items()
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert POD["automountServiceAccountToken"] is False
    assert CONTAINER["resources"]["limits"].keys() >= {"cpu", "memory"}


def test_only_tmp_is_writable_and_meltano_uses_it() -> None:
    writable = [v["mountPath"] for v in CONTAINER["volumeMounts"] if not v.get("readOnly")]
    variables = dict(re.findall(r"([A-Z_]+)=(\S+)", DOCKERFILE.split("FROM ${TAP}")[1]))

    assert writable == ["/tmp"]  # noqa: S108 - of the pod alone
    assert variables["MELTANO_SYS_DIR_ROOT"].startswith("/tmp/")  # noqa: S108
    assert variables["MELTANO_PROJECT_ROOT"] in {v["mountPath"] for v in CONTAINER["volumeMounts"]}


def test_secrets_come_from_the_secret_and_the_state_goes_to_the_bucket() -> None:
    assert CONTAINER["envFrom"] == [{"secretRef": {"name": "custobar"}}]
    assert MELTANO["state_backend"]["uri"].startswith("s3://")
    for plugins in MELTANO["plugins"].values():
        for plugin in plugins:
            secrets = {s["name"] for s in plugin["settings"] if s.get("sensitive")}
            assert secrets
            assert not secrets & plugin.get("config", {}).keys()


def test_every_program_is_in_the_image() -> None:
    tap = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for plugins in MELTANO["plugins"].values():
        for plugin in plugins:
            environment = str(Path(plugin["executable"]).parents[1])
            assert environment in tap or f"COPY --from=build {environment} " in DOCKERFILE
    for file in re.findall(r"requirements/[\w-]+\.txt", DOCKERFILE):
        assert (ROOT / file).exists()
