"""Django's settings. The environment is read in workspace/env.py only."""

from __future__ import annotations

from pathlib import Path

from workspace.env import env

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = env.secret_key
DEBUG = False
DEVELOPMENT = env.development
ALLOWED_HOSTS = env.allowed_hosts
USE_X_FORWARDED_HOST = False
ROOT_URLCONF = "workspace.urls"
ASGI_APPLICATION = "workspace.asgi.application"

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "guardian",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "apps.foundation",
    "apps.access",
    "apps.sandbox",
    "apps.lineage",
    "apps.comments",
    "apps.notifications",
    "apps.jobs",
    "apps.repos",
    "apps.tables",
    "apps.experiments",
    "apps.registry",
    "apps.mlflow_api",
    "apps.home",
    "apps.deployments",
]
MIDDLEWARE = [
    "apps.foundation.http.SecurityHeaders",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "apps.access.middleware.ActorMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {},
        },
    }
]

DATABASES = {"default": env.database, "owner": env.database_owner}
# Health checks, so that a database that was restarted costs a reconnect and not a failed request.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 12, "timeout": 15}
DATABASE_ROUTERS: list[str] = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False
GUARDIAN_MONKEY_PATCH_GROUP = False
LOGIN_URL = "/login"

SESSION_ENGINE = "apps.access.sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = env.https
SESSION_COOKIE_NAME = "__Host-sessionid" if env.https else "sessionid"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = env.https
CSRF_COOKIE_NAME = "__Host-csrftoken" if env.https else "csrftoken"
CSRF_FAILURE_VIEW = "apps.foundation.http.csrf_failure"

BOATHOUSE_HOME = env.home
BOATHOUSE_STORAGE = env.storage
BOATHOUSE_ARTIFACT_MAX_BYTES = env.artifact_max_bytes
BOATHOUSE_EGRESS_ALLOW = env.egress_allow
BOATHOUSE_URL = env.url
BOATHOUSE_RUNTIME = env.place.runtime
BOATHOUSE_GUEST_SOCKET = env.place.guest_socket
BOATHOUSE_SANDBOX_SOCKET = env.place.sandbox_socket
BOATHOUSE_JOB_SLOTS = env.job_slots
REDIS_URL = env.redis_url
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": env.redis_url}}

globals().update({f"EMAIL_{name}": value for name, value in env.mail.items()})
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.email_from

CELERY_BROKER_URL = env.celery_broker_url
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ROUTES = "apps.access.tasks.route"

STATIC_URL = "/static/"
STATICFILES_DIRS = [path for path in [BASE_DIR / "static" / "dist"] if path.exists()]

DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.foundation.http.ActorAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.foundation.http.HasActor"],
    "DEFAULT_RENDERER_CLASSES": ["apps.foundation.http.FastJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.foundation.http.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.foundation.http.api_exception",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Boathouse",
    "DESCRIPTION": "The workspace's own API. Every list pages; every write is an operation; errors are problem+json with a stable code.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "APPEND_COMPONENTS": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    "SECURITY": [{"token": []}],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"handlers": [], "propagate": False},
    },
}
SILENCED_SYSTEM_CHECKS = ["guardian.W001", "fields.W342"]
