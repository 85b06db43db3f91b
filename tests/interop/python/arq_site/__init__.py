"""arq with the server as its queue; it needs redis-py 5."""

import logging

from server import Server

SERVER = Server()

# What workers say of jobs that are meant to fail.
logging.disable(logging.ERROR)
