"""Historic: every write to a table becomes a version that nobody changes; see README.md in this folder.

A name is loaded when it is first used: a recorder starts without the questions, a reader without the recorder.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from patterns.historic.archive import Archive, Retention, s3_client
    from patterns.historic.attribution import Attribution, Change, Signature, SignedAttributes
    from patterns.historic.by_actor import ActorChange, ActorPage
    from patterns.historic.deleting import sign_and_delete
    from patterns.historic.differences import Difference, diff
    from patterns.historic.environment import HistoryEnvironment
    from patterns.historic.errors import (
        BeforeFirstVersionError,
        BeforeNotReadError,
        ConfigurationError,
        HistoryError,
        ImageOmittedError,
        InvalidActorError,
        InvalidItemKeyError,
        InvalidTimeError,
        InvalidVersionError,
        MissingVersionError,
        NothingToRestoreError,
        RestoreConflictError,
        UnknownItemError,
        UnknownVersionError,
        UnreadableRecordError,
    )
    from patterns.historic.findings import Anchor, Finding
    from patterns.historic.history import History, VersionPage
    from patterns.historic.item_key import ItemKeys
    from patterns.historic.proof import UNKNOWN, Proof, ProofPage, verify, verify_page
    from patterns.historic.recorder import BatchReport, ContentionError, Recorder
    from patterns.historic.restoring import restore, restoring_put
    from patterns.historic.version import Version

__all__ = [
    "UNKNOWN",
    "ActorChange",
    "ActorPage",
    "Anchor",
    "Archive",
    "Attribution",
    "BatchReport",
    "BeforeFirstVersionError",
    "BeforeNotReadError",
    "Change",
    "ConfigurationError",
    "ContentionError",
    "Difference",
    "Finding",
    "History",
    "HistoryEnvironment",
    "HistoryError",
    "ImageOmittedError",
    "InvalidActorError",
    "InvalidItemKeyError",
    "InvalidTimeError",
    "InvalidVersionError",
    "ItemKeys",
    "MissingVersionError",
    "NothingToRestoreError",
    "Proof",
    "ProofPage",
    "Recorder",
    "RestoreConflictError",
    "Retention",
    "Signature",
    "SignedAttributes",
    "UnknownItemError",
    "UnknownVersionError",
    "UnreadableRecordError",
    "Version",
    "VersionPage",
    "diff",
    "restore",
    "restoring_put",
    "s3_client",
    "sign_and_delete",
    "verify",
    "verify_page",
]

_MODULE_OF = {
    "Archive": "archive",
    "Retention": "archive",
    "s3_client": "archive",
    "Attribution": "attribution",
    "Change": "attribution",
    "Signature": "attribution",
    "SignedAttributes": "attribution",
    "sign_and_delete": "deleting",
    "Difference": "differences",
    "diff": "differences",
    "HistoryEnvironment": "environment",
    "BeforeFirstVersionError": "errors",
    "BeforeNotReadError": "errors",
    "ConfigurationError": "errors",
    "HistoryError": "errors",
    "ImageOmittedError": "errors",
    "InvalidActorError": "errors",
    "InvalidItemKeyError": "errors",
    "InvalidTimeError": "errors",
    "InvalidVersionError": "errors",
    "MissingVersionError": "errors",
    "NothingToRestoreError": "errors",
    "RestoreConflictError": "errors",
    "UnknownItemError": "errors",
    "UnknownVersionError": "errors",
    "UnreadableRecordError": "errors",
    "ActorChange": "by_actor",
    "ActorPage": "by_actor",
    "History": "history",
    "VersionPage": "history",
    "ItemKeys": "item_key",
    "UNKNOWN": "proof",
    "Anchor": "findings",
    "Finding": "findings",
    "Proof": "proof",
    "ProofPage": "proof",
    "verify": "proof",
    "verify_page": "proof",
    "BatchReport": "recorder",
    "ContentionError": "recorder",
    "Recorder": "recorder",
    "restore": "restoring",
    "restoring_put": "restoring",
    "Version": "version",
}


def __getattr__(name: str) -> object:
    try:
        module = _MODULE_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"patterns.historic.{module}"), name)
