"""Django Channels' layers with the server between their processes."""

from server import Server

SERVERS = [Server(), Server()]
# The layers block for five seconds, after which redis-py would give up by itself.
HOSTS = [
    {"address": f"redis://127.0.0.1:{server.port}/0", "socket_timeout": 60} for server in SERVERS
]
