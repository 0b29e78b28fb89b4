"""Notices when the SDK changes under one of our overrides, or under a private part that we use.

A failure here says: read what changed in the SDK, decide whether `tap_custobar/singer/` must follow
or can drop its override, then update the fingerprint. Each override's docstring has its reason.
"""

from __future__ import annotations

import inspect
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest
from singer_sdk import Stream, Tap
from singer_sdk._logging import _setup_console_logging
from singer_sdk.configuration import _dict_config
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.helpers._batch import StorageTarget
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.mapper import CustomStreamMap
from singer_sdk.plugin_base import PluginBase, SingerCommand, _ConfigInput, _plugin_log_level

from tap_custobar.singer.stream import BaseStream
from tap_custobar.singer.tap import BaseTap
from tap_custobar.singer.writer import LineWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Our classes, and those of the SDK that they override.
OVERRIDDEN = {BaseTap: (Tap, PluginBase), BaseStream: (Stream,), LineWriter: (MsgSpecWriter,)}

#: What has code that can change.
CODE = (classmethod, property, cached_property, classproperty, staticmethod)

#: Private parts of the SDK that are used without being overridden, and classes that are replaced.
USED: dict[str, object] = {
    "CustomStreamMap._eval": CustomStreamMap._eval,  # noqa: SLF001 - its local variables are read
    "PluginBase.cb_config": PluginBase.cb_config,
    "SingerCommand": SingerCommand,
    "StorageTarget._root_path": inspect.getattr_static(StorageTarget, "_root_path"),
    "Stream._write_batch_message": Stream._write_batch_message,  # noqa: SLF001
    "Tap._reset_state_progress_markers": Tap._reset_state_progress_markers,  # noqa: SLF001
    "Tap._set_compatible_replication_methods": Tap._set_compatible_replication_methods,  # noqa: SLF001
    "Tap.cb_discover": inspect.getattr_static(Tap, "cb_discover"),
    "Tap.invoke": inspect.getattr_static(Tap, "invoke"),
    "Stream.sync": Stream.sync,
    "_ConfigInput": _ConfigInput,
    "_plugin_log_level": _plugin_log_level,
    "_setup_console_logging": _setup_console_logging,
    "parse_environment_config": _dict_config.parse_environment_config,
}

FINGERPRINTS: dict[str, str] = {
    "CustomStreamMap._eval": "9d57ae45b35c",
    "MsgSpecWriter.write_message": "d460f5d9d56e",
    "PluginBase._env_var_config": "225b01f91f8b",
    "PluginBase._validate_config": "bfa9a0cb62fe",
    "PluginBase._setup_signal_handlers": "2ded301e13e2",
    "PluginBase.cb_config": "96fb50cc5f47",
    "PluginBase.print_about": "cb931cd4ee78",
    "SingerCommand": "c9730e7ad827",
    "StorageTarget._root_path": "6653be59b091",
    "Stream._generate_record_messages": "1b74f4c9f3c2",
    "Stream._generate_schema_messages": "3aef51271ee9",
    "Stream._increment_stream_state": "14c93115cd50",
    "Stream._sync_batches": "98fc438a36bd",
    "Stream._sync_records": "de0e725d4a0c",
    "Stream._write_activate_version_message": "8ac5a02850b5",
    "Stream._write_batch_message": "eae56113c088",
    "Stream._write_starting_replication_value": "ab423aecd4e0",
    "Stream.apply_catalog": "ff2f54a211d1",
    "Stream.generate_child_contexts": "3e197dc2df5e",
    "Stream.get_record_counter": "12829422215a",
    "Stream.get_records": "f8ffe0aaa526",
    "Stream.get_replication_key_signpost": "2441bdeb2cf6",
    "Stream.metadata": "2282c397c464",
    "Stream.partitions": "ccb7ebcb6053",
    "Stream.post_process": "61ae874aeb1c",
    "Stream.sync": "09efba4caad3",
    "Tap._handle_termination": "6b28c7886d60",
    "Tap._reset_state_progress_markers": "9021576cc2ca",
    "Tap._set_compatible_replication_methods": "05185dc2698e",
    "Tap.cb_discover": "da19a416a154",
    "Tap.cb_test": "98245225161d",
    "Tap.get_singer_command": "0bd111e5d9fc",
    "Tap.invoke": "e60cff96c0ff",
    "Tap.run_discovery": "0e24a9eca599",
    "Tap.setup_mapper": "8ccf64fc1f88",
    "Tap.sync_all": "df21c4f9f610",
    "_ConfigInput": "c93dc45ed196",
    "_plugin_log_level": "863457c46f97",
    "_setup_console_logging": "400e89bacf7d",
    "parse_environment_config": "4b35e5e06b70",
}


def overridden() -> Iterator[tuple[str, object]]:
    """Yield the name and the SDK's version of each method and property that we override."""
    for ours, bases in OVERRIDDEN.items():
        for name, value in vars(ours).items():
            if not (inspect.isfunction(value) or isinstance(value, CODE)):
                continue
            for base in bases:
                if name in vars(base) and name != "__init__":
                    yield f"{base.__name__}.{name}", vars(base)[name]
                    break


def fingerprint(part: object) -> str:
    """Return a fingerprint of the source of a class, method or property."""
    for wrapper in ("__func__", "func", "fget", "__wrapped__"):
        part = getattr(part, wrapper, None) or part
    source = inspect.getsource(part)  # type: ignore[arg-type] # a class or function
    return blake2b(source.encode(), digest_size=6).hexdigest()


PARTS = {**dict(overridden()), **USED}


def test_exactly_the_overrides_have_a_fingerprint() -> None:
    assert PARTS.keys() == FINGERPRINTS.keys()


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_the_sdk_has_not_changed_there(name: str) -> None:
    assert fingerprint(PARTS[name]) == FINGERPRINTS[name]
