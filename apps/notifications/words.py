"""Audit entries in human words: "moved v7 to Production". A verb without its own words is read from its name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.access.models import AuditEntry

Words = str | Callable[[AuditEntry], str]
# {thing} is the resource, as a link; other names are read from what the entry says after, {before.x} from before.
_WORDS: dict[str, Words] = {
    "access.create_folder": "made {thing}",
    "access.describe_resource": "described {thing}",
    "access.move_resource": "moved {thing}",
    "access.rename_resource": "renamed {thing}",
    "access.restore_resource": "took {thing} out of the trash",
    "access.transfer_ownership": "gave {thing} another owner",
    "access.trash_resource": "put {thing} in the trash",
    "comments.delete_comment": "deleted a comment on {place}",
    "comments.edit_comment": "edited a comment on {place}",
    "comments.reopen": "reopened a thread on {place}",
    "comments.reply": "replied on {place}",
    "comments.resolve": "resolved a thread on {place}",
    "comments.start_thread": "commented on {place}",
    "deployments.answers": "{thing} answers",
    "deployments.create_endpoint": "made {thing}",
    "deployments.delete_endpoint": "deleted {thing}",
    "deployments.start_endpoint": "started {thing}",
    "deployments.stop_endpoint": "stopped {thing}",
    "deployments.stopped_answering": "{thing} stopped answering",
    "deployments.update_config": "changed what {thing} serves",
    "experiments.create_experiment": "made {thing}",
    "experiments.create_logged_model": "logged model {name} in {thing}",
    "experiments.delete_experiment": "deleted {thing}",
    "experiments.delete_experiment_tag": "took a tag off {thing}",
    "experiments.delete_logged_model": "deleted logged model {before.name} of {thing}",
    "experiments.delete_model_tag": "took a tag off a model of {thing}",
    "experiments.delete_run": "deleted run {before.name} of {thing}",
    "experiments.rename_experiment": "renamed {thing}",
    "experiments.restore_experiment": "restored {thing}",
    "experiments.restore_run": "restored run {name} of {thing}",
    "experiments.set_experiment_tags": "tagged {thing}",
    "experiments.set_model_tags": "tagged a model of {thing}",
    "jobs.cancel_run": "canceled a run of {thing}",
    "jobs.create_job": "made {thing}",
    "jobs.retry_run": "retried a run of {thing}",
    "jobs.run_ended": "run #{number} of {thing} {state}",
    "jobs.run_job": "started run #{number} of {thing}",
    "jobs.update_job": "changed {thing}",
    "registry.create_model": "made {thing}",
    "registry.create_version": "registered v{version} of {thing}",
    "registry.delete_alias": "took alias {before.alias} off {thing}",
    "registry.delete_model_tag": "took a tag off {thing}",
    "registry.delete_model": "deleted {thing}",
    "registry.delete_version": "deleted v{before.version} of {thing}",
    "registry.delete_version_tag": "took a tag off a version of {thing}",
    "registry.move_to_stage": "moved v{version} of {thing} to {stage}",
    "registry.rename_model": "renamed {thing}",
    "registry.restore_model": "restored {thing}",
    "registry.set_alias": "pointed {alias} of {thing} at v{version}",
    "registry.approve_transition": "approved moving v{version} of {thing} to {stage}",
    "registry.cancel_transition": "took back a request to move v{version} of {thing} to {stage}",
    "registry.reject_transition": "rejected moving v{version} of {thing} to {stage}",
    "registry.request_transition": "asked to move v{version} of {thing} to {stage}",
    "registry.roll_back": "rolled {thing} back to v{version}",
    "registry.set_gate": "changed who moves versions of {thing}",
    "registry.set_model_tag": "tagged {thing}",
    "registry.set_version_tag": "tagged a version of {thing}",
    "registry.update_model": "changed {thing}",
    "registry.update_version": "described a version of {thing}",
    "repos.create_branch": "made branch {branch} of {thing}",
    "repos.create_repo": "made {thing}",
    "repos.delete_branch": "deleted branch {before.branch} of {thing}",
    "repos.refs_moved": "pushed to {thing}",
    "repos.set_default_branch": "made {branch} the default branch of {thing}",
    "tables.append": "added rows to {thing}",
    "tables.create_catalog": "made {thing}",
    "tables.create_schema": "made {thing}",
    "tables.create_table": "made {thing}",
    "tables.declare_key": "declared the key of {thing}",
    "tables.delete_table": "deleted {thing} for good",
    "tables.describe_column": "described a column of {thing}",
    "tables.overwrite": "replaced the rows of {thing}",
    "tables.restore_version": "restored an old version of {thing}",
}
# Not activity: who may do what (the audit shows it to whoever manages), one's own settings, steps of something that is told later.
HIDDEN = frozenset(
    {
        "access.share",
        "access.unshare",
        "access.request_access",
        "access.grant_access_request",
        "access.decline_access_request",
        "access.withdraw_access_request",
        "comments.react",
        "comments.unreact",
        "experiments.finalize_logged_model",
        "experiments.log_model_params",
        "experiments.log_outputs",
        "home.star",
        "home.unstar",
        "notifications.watch",
        "notifications.unwatch",
        "notifications.forget_watch",
        "repos.push",
        "tables.cancel_computation",
        "tables.repeat_computation",
        "tables.begin_write",
        "tables.begin_table_write",
        "tables.parse_file",
        "tables.abandon_write",
    }
)
_FIELD = re.compile(r"\{([a-z_.]+)\}")


def register_words(verb: str, words: Words) -> None:
    """Say how a verb reads in activity: a sentence after the actor's name with {thing} and fields of the entry, or a function of it."""
    _WORDS[verb] = words


def hide_verb(*verbs: str) -> None:
    """Leave verbs out of activity."""
    global HIDDEN
    HIDDEN |= set(verbs)


def phrase(entry: AuditEntry, thing: SafeString) -> SafeString:
    """The entry as safe HTML to follow the actor's name; `thing` is the resource as it is shown here."""
    words = _WORDS.get(entry.verb)
    text = words(entry) if callable(words) else words or f"{_plain_verb(entry.verb)} {{thing}}"
    pieces: list[Any] = []
    for index, piece in enumerate(_FIELD.split(text)):
        pieces.append(_field(entry, piece, thing) if index % 2 else format_html("{}", piece))
    return mark_safe("".join(pieces))  # each piece is escaped


def _field(entry: AuditEntry, name: str, thing: SafeString) -> SafeString:
    if name == "thing":
        return thing
    if name == "place":
        _, comma, label = entry.thing_label.rpartition(", ") if entry.after.get("path") else ("", "", "")
        return format_html("{}, {}", thing, label) if comma else thing
    values, _, key = name.rpartition(".")
    value = (entry.before if values == "before" else entry.after).get(key)
    return format_html("<b>{}</b>", str(value)[:100]) if value not in (None, "") else SafeString("")


def _plain_verb(verb: str) -> str:
    """`registry.set_model_tag` as "set model tag on": better than nothing for a verb that nobody gave words."""
    return verb.partition(".")[2].replace("_", " ") + " on"


def named(entry: AuditEntry) -> SafeString:
    """The resource of an entry by name alone."""
    return format_html("<b>{}</b>", entry.thing_label[:200])
