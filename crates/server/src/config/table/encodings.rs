//! Settings: up to which size collections stay packed.

use super::{INT_MAX, INT_MIN, LONG_MAX, Row, integer, memory};

pub(super) const ROWS: &[Row] = &[
    integer("hash-max-listpack-entries", 0, LONG_MAX, "512")
        .doc("Fields up to which a hash stays packed.")
        .also(&["hash-max-ziplist-entries"]),
    memory("hash-max-listpack-value", 0, LONG_MAX, "64")
        .doc("Length of fields and values up to which a hash stays packed.")
        .also(&["hash-max-ziplist-value"]),
    memory("hll-sparse-max-bytes", 0, LONG_MAX, "3000")
        .doc("Length up to which a HyperLogLog stays sparse."),
    integer("list-compress-depth", 0, INT_MAX, "0")
        .doc("Nodes at both ends of a list that stay uncompressed.")
        .kept(),
    integer("list-max-listpack-size", INT_MIN, INT_MAX, "-2")
        .doc("Size of a list's nodes: elements, or as a negative number a class of bytes.")
        .also(&["list-max-ziplist-size"]),
    integer("set-max-intset-entries", 0, LONG_MAX, "512")
        .doc("Members up to which a set of integers stays packed."),
    integer("set-max-listpack-entries", 0, LONG_MAX, "128")
        .doc("Members up to which a set stays packed."),
    integer("set-max-listpack-value", 0, LONG_MAX, "64")
        .doc("Length of members up to which a set stays packed."),
    memory("stream-node-max-bytes", 0, LONG_MAX, "4096").doc("Bytes of one node of a stream."),
    integer("stream-node-max-entries", 0, LONG_MAX, "100").doc("Entries of one node of a stream."),
    integer("zset-max-listpack-entries", 0, LONG_MAX, "128")
        .doc("Members up to which a sorted set stays packed.")
        .also(&["zset-max-ziplist-entries"]),
    memory("zset-max-listpack-value", 0, LONG_MAX, "64")
        .doc("Length of members up to which a sorted set stays packed.")
        .also(&["zset-max-ziplist-value"]),
];
