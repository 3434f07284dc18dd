"""Settings of the tests: the real ones on engines of their own, with cheap password hashes and tasks that wait for `drain`."""

from workspace.settings import *  # noqa: F403  (settings modules extend each other by star, as Django's do)

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
