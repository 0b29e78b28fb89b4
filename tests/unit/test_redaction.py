from __future__ import annotations

import base64
import json
import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from singer_sdk.logging import StructuredFormatter

from tap_custobar.redaction import MASK, Redactor, install_log_redaction

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = 'API/se+cret "ä"'  # noqa: S105 - made up


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        SECRET.upper(),
        SECRET.swapcase(),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET)[1:-1].upper(),
    ],
)
def test_a_secret_is_masked_in_every_form(form: str) -> None:
    assert Redactor([SECRET])(f"before {form} after {form}") == f"before {MASK} after {MASK}"


@pytest.mark.parametrize("secrets", [["token", "tokentoken1"], ["tokentoken1", "token"]])
def test_a_secret_within_another_is_masked_with_the_longer(secrets: list[str]) -> None:
    assert Redactor(secrets)("a tokentoken1 b token c") == f"a {MASK} b {MASK} c"


@pytest.mark.parametrize("secrets", [[], [""], ["", "token"]])
def test_an_empty_secret_masks_nothing(secrets: list[str]) -> None:
    assert Redactor(secrets)("nothing to hide") == "nothing to hide"


@pytest.mark.parametrize("secret", ["a.c", "(", "[x", "a|b", "\\d", "^", "$", "*+"])
def test_a_secret_is_not_used_as_a_pattern(secret: str) -> None:
    redact = Redactor([secret])

    assert redact(f"x{secret}y") == f"x{MASK}y"
    assert redact("abc 7 ab") == "abc 7 ab"


FORMS: list[Callable[[str], str]] = [
    str,
    str.lower,
    str.upper,
    lambda secret: quote(secret, safe=""),
    lambda secret: quote(secret, safe="").lower(),
    quote_plus,
    lambda secret: json.dumps(secret)[1:-1],
]


@given(st.text(), st.text(min_size=4), st.text(), st.sampled_from(FORMS))
def test_no_string_shows_the_secret(
    before: str, secret: str, after: str, form: Callable[[str], str]
) -> None:
    assume("*" not in secret)  # the mask itself could contain it
    redacted = Redactor([secret])(before + form(secret) + after)

    assert not re.search(re.escape(secret), redacted, re.IGNORECASE)
    if secret.isascii():
        assert form(secret) not in redacted


@given(st.text(), st.text(min_size=4))
def test_a_string_without_the_secret_is_unchanged(text: str, secret: str) -> None:
    forms = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    assume(not any(re.search(re.escape(form), text, re.IGNORECASE) for form in forms))

    assert Redactor([secret])(text) == text


@given(st.text(st.characters(exclude_categories=())))
def test_a_sanitized_string_is_one_short_printable_line(text: str) -> None:
    quoted = Redactor([]).sanitize(text * 5)

    assert quoted.isprintable()
    assert len(quoted) <= 200
    assert "  " not in quoted


def test_a_sanitized_string_is_masked_before_it_is_truncated() -> None:
    quoted = Redactor(["x" * 100]).sanitize("ab\r\n\tc\x00d " + "-" * 188 + "x" * 100)

    assert quoted == f"ab c d {'-' * 188}{MASK}"


def test_a_sanitized_string_over_200_characters_is_truncated_with_dots() -> None:
    quote_text = Redactor([]).sanitize

    assert quote_text("x" * 200) == "x" * 200
    assert quote_text("x" * 201) == "x" * 197 + "..."


@pytest.fixture
def logger() -> logging.Logger:
    """Return a logger of a process in which APISECRET is a secret."""
    install_log_redaction(Redactor(["APISECRET"]))
    return logging.getLogger("anything")


@pytest.mark.parametrize(
    ("message", "args", "logged"),
    [
        ("the token is apisecret", (), "the token is ***"),
        ("the token is %s", ("APISECRET",), "the token is ***"),
        ("the %s is %r", ("token", b"APISECRET"), "the token is b'***'"),
        ("the token is %(token)s", ({"token": "APISECRET"},), "the token is ***"),
        (ValueError("the token is APISECRET"), (), "the token is ***"),
        ("the token is %s%s", ("API", "SECRET"), "the token is ***"),
        ("%s %s of 100%%", ("%s APISECRET", "%d"), "%s *** %d of 100%"),
    ],
    ids=str,
)
def test_a_logged_secret_is_masked(
    logger: logging.Logger,
    caplog: pytest.LogCaptureFixture,
    message: object,
    args: tuple[object, ...],
    logged: str,
) -> None:
    logger.warning(message, *args)

    assert caplog.messages == [logged]


def test_a_message_without_a_secret_keeps_its_arguments(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    point = {"type": "counter", "metric": "record_count", "value": 5}

    logger.warning("METRIC: %s", point)
    logger.warning("%s of %d", "some", 7)

    assert caplog.records[0].msg == "METRIC: %s"
    assert caplog.records[0].args is point
    assert caplog.records[1].args == ("some", 7)


def fail(error: Exception) -> None:
    raise error


def test_a_traceback_is_masked_with_its_causes_for_every_handler(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    error = RuntimeError("GET /?token=APISECRET")
    error.__cause__ = ValueError("apisecret")
    try:
        fail(error)
    except RuntimeError:
        logger.exception("it failed")

    for text in (caplog.text, logging.Formatter().format(caplog.records[0])):
        assert "Traceback" in text
        assert "ValueError: ***" in text
        assert "RuntimeError: GET /?token=***" in text
        assert "it failed" in text


def test_json_log_lines_do_not_show_a_suppressed_cause(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        try:
            fail(ValueError("GET /?email=maija&token=APISECRET"))
        except ValueError:
            msg = "it APISECRET failed"
            raise RuntimeError(msg) from None
    except RuntimeError:
        logger.exception("it failed")

    line = StructuredFormatter().format(caplog.records[0])
    assert "RuntimeError: it *** failed" in line
    assert "APISECRET" not in line
    assert "maija" not in line


def test_loggers_created_before_and_after_are_masked(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    handler = logging.NullHandler()
    other = logging.getLogger(f"{logger.name}.else")
    other.addHandler(handler)
    other.error("APISECRET")
    other.removeHandler(handler)

    assert caplog.messages == ["***"]


def test_every_secret_of_the_process_is_masked(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    install_log_redaction(Redactor(["OTHERSECRET"]))

    logger.warning("APISECRET and OTHERSECRET")

    assert caplog.messages == ["*** and ***"]


def test_a_short_secret_is_masked_in_quoted_strings_only(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    redact = Redactor(["page"])
    install_log_redaction(redact)

    logger.warning("page 1")

    assert caplog.messages == ["page 1"]
    assert redact("?key=page") == "?key=***"
    assert redact.sanitize("no page for cGFnZQ") == "no *** for cGFnZQ"


def test_another_log_record_factory_is_kept_and_wrapped_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls = []

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args, **kwargs)
        calls.append(record)
        record.company = "acme"
        return record

    logging.setLogRecordFactory(make)
    for number in range(2000):
        install_log_redaction(Redactor([f"APISECRET{number % 2}"]))

    logging.getLogger("anything").warning("APISECRET0 APISECRET1")

    assert len(calls) == 1
    assert caplog.records[0].__dict__["company"] == "acme"
    assert caplog.messages == ["*** ***"]


def test_a_secret_in_a_stack_is_masked(logger: logging.Logger) -> None:
    record = logging.getLogRecordFactory()(
        logger.name, 40, "", 1, "here", (), None, sinfo="f(APISECRET)"
    )

    assert record.stack_info == "f(***)"


TOKEN = "aB3/x+Z9_qr-T7=w"  # noqa: S105 - made up
#: Escapes of one character.
ESCAPES: list[Callable[[str], str]] = [
    lambda char: f"%{ord(char):02x}",
    lambda char: f"%25{ord(char):02X}",
    lambda char: f"&#{ord(char)};",
    lambda char: f"&#x{ord(char):X};",
    lambda char: f"&#0{ord(char)}",
    lambda char: f"&amp;#{ord(char)};",
    lambda char: f"\\u{ord(char):04x}",
    lambda char: f"\\\\u{ord(char):04X}",
    lambda char: f"\\x{ord(char):02x}",
    lambda char: {"/": "&sol;", "+": "&plus;", "_": "&lowbar;", "=": "&equals;"}.get(char, char),
    lambda char: {"/": "\\/"}.get(char, quote(char)),
]


@pytest.mark.parametrize("escape", ESCAPES, ids=lambda escape: escape("+"))
@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_secret_is_masked_with_any_of_its_characters_escaped(
    escape: Callable[[str], str], every: int
) -> None:
    text = "".join(escape(c) if n % every == 0 else c for n, c in enumerate(TOKEN))

    assert Redactor([TOKEN])(f"<{text}>") == f"<{MASK}>"


@pytest.mark.parametrize("wrap", ["\n", "\r\n    ", " ", "\\n", "\\r\\n", "\t"])
@pytest.mark.parametrize("place", [1, 8, 15])
def test_a_line_wrapped_secret_is_masked(wrap: str, place: int) -> None:
    wrapped = TOKEN[:place] + wrap + TOKEN[place:]

    assert Redactor([TOKEN])(f"({wrapped})") == f"({MASK})"


@pytest.mark.parametrize("before", ["", "Token ", "Bearer ", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_is_masked_in_base64(before: str, encode: Callable[[bytes], bytes]) -> None:
    encoded = encode(f"{before}{TOKEN}".encode()).decode()
    of_token = encoded[len(before) * 8 // 6 + 1 :]

    redacted = Redactor([TOKEN])(f"({encoded})")

    assert redacted.endswith(f"{MASK})")
    assert len(redacted) <= len(encoded) - len(of_token) + len(f"({MASK})")


@pytest.mark.parametrize(
    ("reason", "quoted"),
    [
        ("no customer maija@example.fi here", "no customer *** here"),
        ("no <maija.virtanen+x@example.fi>, sorry", "no *** sorry"),
        ("no maija&#64;example.fi", "no ***"),
        ("no maija&#x40;example.fi", "no ***"),
        ("no maija&amp;#64;example.fi", "no ***"),
        ("no maija&commat;example.fi", "no ***"),
        ("no maija%40example.fi", "no ***"),
        ("no maija%2540example.fi", "no ***"),
        ("no maija\\u0040example.fi", "no ***"),
        ("no +358401234567 here", "no *** here"),
        ("no %2B358401234567 here", "no %2B*** here"),
        ("no +358 (40) 123-45.67 here", "no *** here"),
        ("no (040) 123/4567 here", "no *** here"),
        ("no 040%20123%204567 here", "no *** here"),
        ("no 040&nbsp;123&nbsp;4567 here", "no *** here"),
        ("no 040\u00a0123\u20114567 here", "no *** here"),
        ("page 12 of 999999 at limit 10", "page 12 of 999999 at limit 10"),
        ("no field shoe_size", "no field shoe_size"),
    ],
)
def test_personal_data_is_not_quoted(reason: str, quoted: str) -> None:
    assert Redactor([]).sanitize(reason) == quoted


@pytest.mark.parametrize(
    "piece", ["1 ", "1-", "x", "\\", "%25", "&amp;", "0aB", "a@", "A\n"], ids=repr
)
def test_a_long_string_is_sanitized_in_linear_time(piece: str) -> None:
    # A pattern with quadratic backtracking would take minutes.
    assert len(Redactor([TOKEN, "0aB%25&amp;x"]).sanitize(piece * 40_000)) <= 200


def test_a_secret_over_two_lines_is_not_quoted() -> None:
    assert Redactor(["Maija Virtanen"]).sanitize("no Maija\nVirtanen") == "no ***"


def test_a_secret_with_a_lone_surrogate_is_masked() -> None:
    assert Redactor(["\ud800x"])("a\ud800x") == "a***"


def test_a_log_line_that_cannot_be_formatted_shows_no_argument(
    logger: logging.Logger,
    caplog: pytest.LogCaptureFixture,
) -> None:
    try:
        fail(ValueError("APISECRET"))
    except ValueError:
        logger.warning("%d", "APISECRET", exc_info=True)

    [line] = caplog.messages
    assert line.startswith("A log line that cannot be formatted\nTraceback")
    assert line.endswith("ValueError: ***")
    assert "APISECRET" not in caplog.text


def test_urllib3s_warnings_which_show_urls_are_not_logged() -> None:
    logging.getLogger("urllib3").setLevel(logging.NOTSET)

    install_log_redaction(Redactor([]))

    assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.WARNING)
