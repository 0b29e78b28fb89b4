"""Errors of the API and of the network: one line with the cause, and exit code 1."""

from __future__ import annotations

import gzip
import socket
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from tests.catalogs import catalog
from tests.server import Reply, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Run, RunTap, Sandbox

Catalog = dict[str, Any]
HTML = Reply(b"<!doctype html><p>Please log in", headers={"Content-Type": "text/html"})


def error_of(run: Run) -> str:
    """Return the error line of the first stream that failed; each has exactly one."""
    assert run.exit_code == 1
    assert len(run.errors) == len({error.partition(" ")[0] for error in run.errors}), run.log
    return run.errors[0]


def test_a_wrong_token_names_the_causes_and_the_other_scheme(
    run_tap: RunTap, sandbox: Sandbox
) -> None:
    error = error_of(run_tap({**sandbox.config, "api_token": "APIWRONG"}))

    assert "api_token is wrong or has expired" in error
    assert "8 hours" in error
    assert "try auth_scheme: Bearer" in error


def test_the_configured_auth_scheme_is_sent(run_tap: RunTap, server: Server) -> None:
    server.replies(Reply(status=401))

    error = error_of(run_tap({**server.config, "auth_scheme": "Bearer"}))

    assert server.requests[0].headers["Authorization"] == "Bearer APISANDBOX"
    assert "try auth_scheme: Token" in error


def test_a_missing_scope_is_named(run_tap: RunTap, sandbox: Sandbox) -> None:
    config = {**sandbox.config, "api_token": "APISANDBOXCUSTOMERS"}

    error = error_of(run_tap(config, catalog=catalog(products=True)))

    assert "GET /api/data/products/" in error


def test_a_wrong_address_is_shown(run_tap: RunTap, sandbox: Sandbox) -> None:
    error = error_of(run_tap({**sandbox.config, "api_url": f"{sandbox.url}/v2"}))

    assert f"{sandbox.url}/v2/data/customers/ was not found (404)" in error
    assert "company or api_url" in error


def test_the_reason_of_the_api_is_quoted(run_tap: RunTap, sandbox: Sandbox) -> None:
    config = {**sandbox.config, "stream_options": {"customers": {"order": ["shoe_size"]}}}

    error = error_of(run_tap(config))

    assert "GET /api/data/customers/ (400)" in error
    assert "shoe_size" in error


def test_a_quoted_reason_is_one_short_line_without_the_token(
    run_tap: RunTap, server: Server
) -> None:
    reason = "bad\nthing for APISANDBOX " + "x" * 5000
    server.replies(Reply({"error": {"reason": reason}}, status=400))

    error = error_of(run_tap(server.config))

    assert "bad thing for *** xxx" in error
    assert len(error) < 300


@pytest.mark.parametrize("body", [b"", b"[]", b'{"error": "no"}', b"<html>", b"\xff"])
def test_a_rejection_without_a_reason_is_reported(
    run_tap: RunTap, server: Server, body: bytes
) -> None:
    server.replies(Reply(body, status=418))

    assert "GET /api/data/customers/ (418)." in error_of(run_tap(server.config))


@pytest.mark.parametrize(
    ("reply", "described"),
    [
        (HTML, "an HTML page"),
        (Reply(b""), "an empty body"),
        (
            Reply(b'{"customers": [{"external_id": "1"}'),
            "invalid JSON (expecting ',' delimiter at character 36)",
        ),
        (
            Reply(b"hello", headers={"Content-Type": "text/plain"}),
            "something other than JSON (content type text/plain)",
        ),
        (Reply([]), 'JSON without a list named "customers"'),
        (Reply({"customers": {}}), 'JSON without a list named "customers"'),
        (Reply({"products": []}), 'JSON without a list named "customers"'),
        (Reply(b'{"customers": "\xff"}'), 'JSON without a list named "customers"'),
        (Reply(b'{"customers": ' + b"[" * 100_000), "invalid JSON (nested too deeply)"),
        (Reply({"customers": [], "error": {"reason": "x"}}), "JSON with an error"),
    ],
)
def test_a_response_that_is_not_from_custobar_is_described(
    run_tap: RunTap, server: Server, reply: Reply, described: str
) -> None:
    server.replies(reply)

    error = error_of(run_tap({**server.config, "max_retries": 0}))

    assert f"not Custobar's data but {described}" in error


def test_an_unknown_host_is_named(run_tap: RunTap) -> None:
    error = error_of(run_tap({"company": "no-such-company", "api_token": "x", "max_retries": 0}))

    assert "no-such-company.custobar.com" in error


def test_a_refused_connection_is_retried_once_and_names_host_and_port(
    run_tap: RunTap,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"

        run = run_tap({"api_url": f"http://{address}/api", "api_token": "x"})

    assert f"No connection to {address} (Connection refused): check the setting" in error_of(run)
    assert "Retry 1 in" in run.log
    assert "Retry 2 in" not in run.log


def test_a_host_that_accepts_no_connection_times_out_after_10_seconds(
    run_tap: RunTap,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = f"127.0.0.1:{full.getsockname()[1]}"
        # The kernel accepts one connection more than the backlog, and ignores all others.
        connections = [socket.socket() for _ in range(3)]
        for connection in connections:
            connection.settimeout(0)
            connection.connect_ex(full.getsockname())
        config = {"api_url": f"http://{address}/api", "api_token": "x", "max_retries": 0}

        error = error_of(run_tap(config))
        for connection in connections:
            connection.close()

    assert f"The connection to {address} was not made within 10 s." in error


@pytest.mark.parametrize("scheme", ["socks5", "ftp"])
@pytest.mark.parametrize("variable", ["https_proxy", "all_proxy"])
def test_a_proxy_that_cannot_be_used_is_named_as_the_cause(
    run_tap: RunTap, variable: str, scheme: str
) -> None:
    config = {"company": "acme", "api_token": "APISECRET", "discover_custom_fields": False}

    run = run_tap(config, env={variable: f"{scheme}://user:secret@127.0.0.1:1"})

    assert "the proxy that the environment names cannot be used" in error_of(run)
    assert "secret" not in run.log


def test_a_proxy_that_fails_is_named_as_the_cause(run_tap: RunTap) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        user = "user:secret"
        proxy = f"http://{user}@127.0.0.1:{unused.getsockname()[1]}"
        config = {"company": "acme", "api_token": "x", "max_retries": 0}

        run = run_tap(config, env={"https_proxy": proxy})

    assert "The connection to acme.custobar.com failed at the proxy" in error_of(run)
    assert "secret" not in run.log


@pytest.fixture(scope="module")
def self_signed_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "ca.pem", folder / "key.pem"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=acme", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-out", str(certificate), "-keyout", str(key)]
    command = ["openssl", *options.split(), *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def tls_server(self_signed_certificate: tuple[Path, Path]) -> Iterator[Server]:
    server = Server(self_signed_certificate)
    yield server
    server.close()


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_certificate_bundle_of_the_environment_applies_to_loopback_addresses(
    run_tap: RunTap, tls_server: Server, self_signed_certificate: tuple[Path, Path], variable: str
) -> None:
    env = {variable: str(self_signed_certificate[0]), "https_proxy": "http://proxy.invalid:3128"}

    run = run_tap(tls_server.config, env=env)

    assert "/api/data/customers/" in {r.path for r in tls_server.requests}, run.log


def test_a_self_signed_certificate_is_not_trusted_by_default(
    run_tap: RunTap, tls_server: Server
) -> None:
    error = error_of(run_tap({**tls_server.config, "max_retries": 0}))

    assert "No trusted TLS connection to 127.0.0.1" in error
    assert tls_server.requests == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        ("", "it contains no certificates"),
        ("no certificate", "it contains no certificates"),
    ],
    ids=["missing", "empty", "other text"],
)
def test_an_invalid_certificate_bundle_is_named(
    run_tap: RunTap,
    tls_server: Server,
    tmp_path: Path,
    variable: str,
    content: str | None,
    problem: str,
) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)

    run = run_tap(tls_server.config, env={variable: str(bundle)})

    assert f"{variable} names {bundle}, which cannot be used ({problem}): " in error_of(run)
    assert "Retry" not in run.log


@pytest.mark.parametrize("status", [400, 408, 422, 500, 503])
def test_a_reason_is_quoted_with_any_status(run_tap: RunTap, server: Server, status: int) -> None:
    reason = "APISANDBOX: no maija&#64;example.fi, call +358 (40) 123-4567 " + "x" * 5000
    server.replies(Reply({"error": {"reason": reason}}, status=status))

    error = error_of(run_tap({**server.config, "max_retries": 0}))

    assert f"GET /api/data/customers/ ({status}): ***: no *** call *** xxx" in error
    assert len(error) < 300


def test_a_compressed_reason_is_quoted(run_tap: RunTap, server: Server) -> None:
    body = gzip.compress(b'{"error": {"reason": "no such field"}}')
    server.replies(Reply(body, status=400, headers={"Content-Encoding": "gzip"}))

    assert "(400): no such field" in error_of(run_tap(server.config))


@pytest.mark.parametrize("location", ["https://evil.example/", "/api/data/customers/", "http://["])
def test_a_redirect_is_not_followed(run_tap: RunTap, server: Server, location: str) -> None:
    server.replies(Reply(status=302, headers={"Location": location}))

    error = error_of(run_tap(server.config))

    assert "redirects (302), and redirects are never followed" in error
    assert [r.path for r in server.requests] == ["/api/data/customers/", "/api/data/products/"]


def test_a_server_that_does_not_respond_times_out(run_tap: RunTap) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        config = {"api_url": url, "api_token": "x", "max_retries": 0, "request_timeout": 0.2}

        error = error_of(run_tap(config))

    assert "did not respond within 0.2 s" in error


def test_the_option_test_reports_a_failure_in_one_line(run_tap: RunTap, sandbox: Sandbox) -> None:
    error = error_of(run_tap({**sandbox.config, "api_token": "APIWRONG"}, "--test"))

    assert "api_token is wrong" in error


def test_the_option_test_checks_every_stream(run_tap: RunTap, sandbox: Sandbox) -> None:
    config = {**sandbox.config, "api_token": "APISANDBOXCUSTOMERS"}

    assert "GET /api/data/products/" in error_of(run_tap(config, "--test"))


def test_a_netrc_file_does_not_replace_the_token(
    run_tap: RunTap, server: Server, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")

    run_tap(server.config, env={"NETRC": str(netrc)})

    assert server.requests[0].headers["Authorization"] == "Token APISANDBOX"


def test_a_proxy_of_the_environment_is_not_used_for_loopback_addresses(
    run_tap: RunTap, server: Server
) -> None:
    run = run_tap(server.config, env={"http_proxy": "http://proxy.invalid:3128"})

    assert "/api/data/customers/" in {r.path for r in server.requests}, run.log


def test_the_user_agent_has_the_version_unless_configured(run_tap: RunTap, server: Server) -> None:
    run_tap(server.config)
    run_tap({**server.config, "user_agent": "acme-etl/2"})

    agents = [r.headers["User-Agent"] for r in server.requests]
    assert agents[0] == f"tap-custobar/{version('tap-custobar')}"
    assert "acme-etl/2" in agents


@pytest.mark.parametrize("options", [[], ["--test"], ["--discover"]])
def test_the_token_is_masked_at_every_log_level_and_in_quoted_responses(
    run_tap: RunTap, server: Server, options: list[str]
) -> None:
    echo = {"error": {"reason": "no APISANDBOX, Token%20APISANDBOX or apisandbox here"}}
    server.replies(Reply(echo, status=400, headers={"X-Echo": "APISANDBOX"}))
    config = {**server.config, "discover_custom_fields": True}

    run = run_tap(config, *options, env={"TAP_CUSTOBAR_LOGLEVEL": "DEBUG"})

    assert "DEBUG" in run.log
    assert "no ***, Token%20*** or *** here" in run.log


def test_a_next_url_that_contains_the_token_is_requested_but_not_written_to_the_state(
    run_tap: RunTap, server: Server
) -> None:
    first = Reply({"customers": [{"external_id": "1"}], "next_url": "?cursor=2&key=APISANDBOX"})
    rejection = Reply(status=400)
    server.answer = lambda r: rejection if "products" in r.path or len(r.query) > 1 else first

    run = run_tap(server.config)  # asserts that no output contains the token

    assert run.ids("customers") == ["1"]
    assert ("key", "APISANDBOX") in server.requests[1].query
    assert not run.of_type("STATE")[-1]["value"]["bookmarks"]["customers"].get("resume")


@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 500])
def test_personal_data_in_the_path_of_a_next_url_is_not_logged(
    run_tap: RunTap, server: Server, status: int
) -> None:
    link = "/api/data/customers/after/ann@example.com/358401234567/"
    rows = [{"external_id": "1"}]
    server.replies(Reply({"customers": rows, "next_url": link}), Reply(b"", status))

    run = run_tap({**server.config, "max_retries": 0}, catalog=catalog(customers=True))

    assert run.exit_code == 1
    assert run.ids("customers") == ["1"]
    assert len(run.errors) == 1
    assert "example" not in run.log
    assert "358401234567" not in run.log
