"""Notices when the SDK changes under one of our overrides.

A failure here says: read what changed in the SDK, decide whether `tap_custobar.sdk` must
follow (or can let go of something), and then renew the fingerprint.
"""

from __future__ import annotations

import inspect
from hashlib import blake2b

import pytest
from singer_sdk import Stream, Tap
from singer_sdk._logging import _setup_console_logging
from singer_sdk.configuration import _dict_config
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.helpers._batch import StorageTarget
from singer_sdk.plugin_base import PluginBase, SingerCommand, _ConfigInput

OURS = {
    "Tap.sync_all": "goes on after a failed stream",
    "Tap._handle_termination": "acts between two lines, with the usual exit code",
    "Tap.setup_mapper": "lets streams complete the catalog first",
    "Tap.invoke": "reads catalog and state from what `SingerFile` gives it",
    "Tap.cb_test": "reads the selected streams, and tells all that fail",
    "Tap.cb_discover": "validates the config by way of `_validate_config`",
    "PluginBase._validate_config": "shows no value, and covers every verb",
    "PluginBase.cb_config": "reads each file once, with care",
    "SingerCommand.invoke": "is replaced by `OneLineCommand`",
    "_ConfigInput": "is what `cb_config` returns",
    "parse_environment_config": "reads every setting as text",
    "Stream.sync": "sets the version and logs a failure that is told elsewhere",
    "Stream._write_activate_version_message": "is put off to the end",
    "Stream._write_starting_replication_value": "writes nothing: bookmarks are not the SDK's",
    "Stream._increment_stream_state": "moves nothing, for the same reason",
    "Stream._sync_records": "asks whether it writes",
    "Stream._generate_record_messages": "gives a page one time",
    "Stream.apply_catalog": "takes keys and replication from the catalog",
    "MsgSpecWriter.write_message": "writes whole lines",
    "Stream._generate_schema_messages": "names the properties as the records do",
    "Stream.post_process": "takes out what is not selected",
    "StorageTarget._root_path": "is asked for the file system before anything is read",
    "_setup_console_logging": "ends with one line where it cannot be set up",
}

FINGERPRINTS = {
    "Tap.sync_all": "df21c4f9f610",
    "Tap._handle_termination": "6b28c7886d60",
    "Tap.setup_mapper": "8ccf64fc1f88",
    "Tap.invoke": "e60cff96c0ff",
    "Tap.cb_test": "98245225161d",
    "Tap.cb_discover": "da19a416a154",
    "PluginBase._validate_config": "bfa9a0cb62fe",
    "PluginBase.cb_config": "96fb50cc5f47",
    "SingerCommand.invoke": "c2f0dcf9d228",
    "_ConfigInput": "c93dc45ed196",
    "parse_environment_config": "4b35e5e06b70",
    "Stream.sync": "09efba4caad3",
    "Stream._write_activate_version_message": "8ac5a02850b5",
    "Stream._write_starting_replication_value": "ab423aecd4e0",
    "Stream._increment_stream_state": "14c93115cd50",
    "Stream._sync_records": "de0e725d4a0c",
    "Stream._generate_record_messages": "1b74f4c9f3c2",
    "Stream.apply_catalog": "ff2f54a211d1",
    "MsgSpecWriter.write_message": "d460f5d9d56e",
    "Stream._generate_schema_messages": "3aef51271ee9",
    "Stream.post_process": "61ae874aeb1c",
    "StorageTarget._root_path": "6653be59b091",
    "_setup_console_logging": "400e89bacf7d",
}


def source(name: str) -> str:
    known: dict[str, object] = {
        "Tap": Tap,
        "PluginBase": PluginBase,
        "SingerCommand": SingerCommand,
        "Stream": Stream,
        "MsgSpecWriter": MsgSpecWriter,
        "_ConfigInput": _ConfigInput,
        "StorageTarget": StorageTarget,
        "_setup_console_logging": _setup_console_logging,
        "parse_environment_config": _dict_config.parse_environment_config,
    }
    owner, _, attribute = name.partition(".")
    found = known[owner]
    if attribute:
        found = inspect.getattr_static(found, attribute)
        found = getattr(found, "__func__", found)
        found = getattr(found, "func", found)  # of a cached property
    return inspect.getsource(found)  # type: ignore[arg-type] # a class or function


@pytest.mark.parametrize("name", OURS)
def test_the_sdk_is_as_it_was_where_it_is_bent(name: str) -> None:
    fingerprint = blake2b(source(name).encode(), digest_size=6).hexdigest()

    assert fingerprint == FINGERPRINTS[name], f"ours {OURS[name]}; the SDK's has changed"
