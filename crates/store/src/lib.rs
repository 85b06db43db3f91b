//! The data: values, encodings, shards, expiry. Knows no clients, commands, files, clocks or threads.
