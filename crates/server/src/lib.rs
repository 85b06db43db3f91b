//! The outside world: sockets, threads, configuration, observability.
