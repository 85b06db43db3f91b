"""A small Django site that keeps cache and sessions in the server: users, pages, fragments."""

import os

import django
from django.conf import settings

from server import Server

SERVER = Server()
LOCKED = Server("--requirepass", "secret")

DJANGO = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"
URL = f"redis://127.0.0.1:{SERVER.port}"


def django_redis(location: str, **options) -> dict:
    return {"BACKEND": DJANGO_REDIS, "LOCATION": location, "OPTIONS": options}


# Every way of reaching the cache that a site may choose, by name.
BACKENDS = {
    "django": {"BACKEND": DJANGO, "LOCATION": f"{URL}/1"},
    "django, RESP3": {"BACKEND": DJANGO, "LOCATION": f"{URL}/1?protocol=3"},
    "django, RESP2": {"BACKEND": DJANGO, "LOCATION": f"{URL}/1?protocol=2"},
    "django, several addresses": {"BACKEND": DJANGO, "LOCATION": [f"{URL}/1", f"{URL}/1"]},
    "django, unix socket": {"BACKEND": DJANGO, "LOCATION": f"unix://{SERVER.unix_socket}?db=1"},
    "django, password": {
        "BACKEND": DJANGO,
        "LOCATION": f"redis://:secret@127.0.0.1:{LOCKED.port}/1",
    },
    "django, Python parser": {
        "BACKEND": DJANGO,
        "LOCATION": f"{URL}/1",
        "OPTIONS": {"parser_class": "redis._parsers._RESP2Parser", "protocol": 2},
    },
    "django-redis": django_redis(f"{URL}/1"),
    "django-redis, herd": django_redis(
        f"{URL}/1", CLIENT_CLASS="django_redis.client.HerdClient", CACHE_HERD_TIMEOUT=60
    ),
    "django-redis, zlib": django_redis(
        f"{URL}/1", COMPRESSOR="django_redis.compressors.zlib.ZlibCompressor"
    ),
    "django-redis, lz4 and msgpack": django_redis(
        f"{URL}/1",
        COMPRESSOR="django_redis.compressors.lz4.Lz4Compressor",
        SERIALIZER="django_redis.serializers.msgpack.MSGPackSerializer",
    ),
    "django-redis, json": django_redis(
        f"{URL}/1", SERIALIZER="django_redis.serializers.json.JSONSerializer"
    ),
    "django-redis, unix socket": django_redis(f"unix://{SERVER.unix_socket}?db=1"),
    "django-redis, password": django_redis(
        f"redis://127.0.0.1:{LOCKED.port}/1", PASSWORD="secret"
    ),
}


def caches(default: dict) -> dict:
    """The site's caches: several of one server, each in a database of its own."""
    return {
        "default": default,
        "sessions": {"BACKEND": DJANGO, "LOCATION": f"{URL}/2"},
        "pages": {"BACKEND": DJANGO, "LOCATION": f"{URL}/3", "KEY_PREFIX": "page"},
        "more": django_redis(f"{URL}/4"),
    }


settings.configure(
    SECRET_KEY="not a secret, this is a test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="django_site.urls",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [os.path.join(os.path.dirname(__file__), "templates")],
        }
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(SERVER.folder, "users.sqlite3"),
            "OPTIONS": {"timeout": 60, "transaction_mode": "IMMEDIATE"},
        }
    },
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    SESSION_CACHE_ALIAS="default",
    CACHES=caches(BACKENDS["django"]),
    USE_TZ=True,
)
django.setup()


def prepare_users(count: int) -> None:
    """The tables, and users user0, user1 … with their names as passwords."""
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    for number in range(count):
        name = f"user{number}"
        if not User.objects.filter(username=name).exists():
            User.objects.create_user(name, password=name)
