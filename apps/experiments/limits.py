"""What can be logged: names, lengths and counts. Raises Invalid with a sentence that names what is wrong."""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache

from apps.foundation.errors import Invalid

KEY_MAX = 250
PARAM_VALUE_MAX = 6_000
TAG_VALUE_MAX = 8_000
EXPERIMENT_TAG_VALUE_MAX = 20_000
EXPERIMENT_NAME_MAX = 500
RUN_NAME_MAX = 8_000
BATCH_METRICS_MAX = 1_000
BATCH_PARAMS_MAX = 100
BATCH_TAGS_MAX = 100
BATCH_MAX = 1_000
DATASETS_MAX = 1_000
DATASET_LIMITS = {"name": 500, "digest": 36, "source": 65_535, "schema": 1_048_575, "profile": 16_777_215}
INPUT_TAG_KEY_MAX, INPUT_TAG_VALUE_MAX = 255, 500

_KEY = re.compile(r"[/\w.\- :]+")
_LOCATION = re.compile(r"(?:s3|gs|r2|abfss?|wasbs?|hdfs|viewfs|oci|dbfs|b2)://?[^#?\s]+")


def check_key(key: str, where: str = "name", most: int = KEY_MAX) -> None:
    """Raises Invalid unless `key` can name a metric, a param or a tag."""
    if most == KEY_MAX and is_plain(key):
        return
    if not key:
        raise Invalid(f"Missing value for required parameter '{where}'. A key name must be provided.")
    if len(key) > most:
        raise Invalid(f"'{where}' exceeds the maximum length of {most} characters: '{key[:20]}...' has {len(key)}.")
    if not _KEY.fullmatch(key):
        raise Invalid(
            f"Invalid value \"{key}\" for parameter '{where}' supplied: Names may only contain alphanumerics, underscores (_), "
            "dashes (-), periods (.), spaces ( ), colons (:) and slashes (/)."
        )
    plain = posixpath.normpath(key)
    if plain != key or plain == "." or plain.startswith(("..", "/")):
        raise Invalid(
            f"Invalid value \"{key}\" for parameter '{where}' supplied: Names may be treated as files in certain cases, and must not "
            f"resolve to other names when treated as such. This name would resolve to '{plain}'."
        )


@lru_cache(maxsize=20_000)
def is_plain(key: str) -> bool:
    """Whether a key can name a metric, a param or a tag, beyond doubt."""
    return (
        0 < len(key) <= KEY_MAX
        and _KEY.fullmatch(key) is not None
        and posixpath.normpath(key) == key
        and key[0] not in "./"
    )


def check_tag(key: str, value: str) -> None:
    """Raises Invalid unless this can be a tag of a run."""
    check_key(key, "key")
    if len(value) > TAG_VALUE_MAX:
        raise Invalid(f"The value of a tag is at most {TAG_VALUE_MAX:,} characters long; this has {len(value):,}.")


def check_experiment_tag(key: str, value: str) -> None:
    """Raises Invalid unless this can be a tag of an experiment."""
    check_key(key, "key")
    if len(value) > EXPERIMENT_TAG_VALUE_MAX:
        raise Invalid(
            f"Tag value '{value[:20]}...' had length {len(value)}, which exceeded length limit of {EXPERIMENT_TAG_VALUE_MAX}."
        )


def check_experiment_name(name: str) -> str:
    """The name, when an experiment can have it."""
    if not name or not name.strip():
        raise Invalid(f"Invalid experiment name: '{name}'. Give a name that is not blank.")
    if len(name) > EXPERIMENT_NAME_MAX:
        raise Invalid(f"'name' exceeds the maximum length of {EXPERIMENT_NAME_MAX} characters.")
    return name


def check_artifact_location(location: str) -> str:
    """The location, when it is an object store that clients reach themselves; we assign all others."""
    if location and not (_LOCATION.fullmatch(location) and ".." not in location and len(location) <= 1_000):
        raise Invalid(
            f"Invalid value {location!r} for parameter 'artifact_location' supplied: leave it out and the files are kept here, or name an "
            "object store (s3://bucket/prefix, gs://..., abfss://...) that your clients reach themselves."
        )
    return location.rstrip("/")
