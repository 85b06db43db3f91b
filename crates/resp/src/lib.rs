//! The wire: bytes to requests and replies to bytes, RESP2 and RESP3, without I/O.
