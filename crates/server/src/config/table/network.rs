//! Settings: where the server listens and how connections are accepted.

use super::{INT_MAX, Kind, Listed, Row, UINT_MAX, choice, flag, integer, row, text};

pub(super) const ROWS: &[Row] = &[
    row("bind", Kind::Bind, "* -::*")
        .doc("Addresses to listen on; * is all, a leading - marks one that may be missing."),
    text("bind-source-addr", "")
        .doc("Address that outgoing connections to peers start from.")
        .kept(),
    integer("max-new-connections-per-cycle", 1, 1000, "10")
        .doc("How many connections are accepted in one turn of the loop.")
        .kept(),
    integer("max-new-tls-connections-per-cycle", 1, 1000, "1")
        .doc("How many TLS connections are accepted in one turn of the loop.")
        .kept(),
    flag("mptcp", "no").doc("Listen with multipath TCP.").only(Listed::Valkey).immutable().kept(),
    integer("port", 0, 65535, "6379").doc("TCP port to listen on; 0 listens on none."),
    flag("protected-mode", "yes")
        .doc("Refuse clients from other machines while there is no password."),
    row("rdma-bind", Kind::Bind, "")
        .doc("Addresses to listen on by RDMA.")
        .only(Listed::Valkey)
        .guarded("RDMA isn't supported"),
    integer("rdma-completion-vector", -1, 1024, "-1")
        .doc("Completion vector of RDMA connections.")
        .only(Listed::Valkey)
        .immutable()
        .kept(),
    integer("rdma-port", 0, 65535, "0")
        .doc("RDMA port to listen on.")
        .only(Listed::Valkey)
        .guarded("RDMA isn't supported"),
    integer("rdma-rx-size", 65536, 16777216, "1048576")
        .doc("Receive buffer of an RDMA connection.")
        .only(Listed::Valkey)
        .immutable()
        .kept(),
    integer("socket-mark-id", 0, UINT_MAX, "0")
        .doc("Mark that the kernel puts on the server's packets.")
        .immutable()
        .kept(),
    integer("tcp-backlog", 0, INT_MAX, "511")
        .doc("Connections that may wait to be accepted.")
        .immutable(),
    integer("tcp-keepalive", 0, INT_MAX, "300")
        .doc("Seconds of silence after which a client's connection is probed; 0 never probes."),
    integer("timeout", 0, INT_MAX, "0")
        .doc("Seconds after which an idle client is disconnected; 0 never."),
    text("unixsocket", "").doc("Path of the Unix socket to listen on.").immutable(),
    text("unixsocketgroup", "")
        .doc("Group that owns the Unix socket.")
        .only(Listed::Valkey)
        .immutable(),
    row("unixsocketperm", Kind::Octal, "0")
        .doc("Mode of the Unix socket, in octal; 0 leaves it to the umask.")
        .immutable(),
    flag("tls-cluster", "no")
        .doc("Speak TLS on the cluster bus.")
        .guarded("TLS isn't available yet, and the cluster bus would not be encrypted"),
    integer("tls-port", 0, 65535, "0")
        .doc("TLS port to listen on.")
        .guarded("TLS isn't available yet"),
    flag("tls-replication", "no")
        .doc("Speak TLS to the primary.")
        .guarded("TLS isn't available yet, and replication would not be encrypted"),
    choice("tls-auth-clients", &["no", "yes", "optional"], "yes")
        .doc("Whether TLS clients have to show a certificate.")
        .kept(),
    choice("tls-auth-clients-user", &["CN", "URI", "off"], "off")
        .doc("Field of a client's certificate that names its user.")
        .only(Listed::Valkey)
        .kept(),
    integer("tls-auto-reload-interval", 0, INT_MAX, "0")
        .doc("Seconds between looks for renewed certificates.")
        .only(Listed::Valkey)
        .kept(),
    text("tls-ca-cert-dir", "").doc("Folder of trusted certificates.").kept(),
    text("tls-ca-cert-file", "").doc("File of trusted certificates.").kept(),
    text("tls-cert-file", "").doc("The server's certificate.").kept(),
    text("tls-ciphers", "").doc("Ciphers up to TLS 1.2.").kept(),
    text("tls-ciphersuites", "").doc("Cipher suites of TLS 1.3.").kept(),
    text("tls-client-cert-file", "").doc("Certificate for outgoing connections.").kept(),
    text("tls-client-key-file", "").doc("Key for outgoing connections.").kept(),
    text("tls-client-key-file-pass", "")
        .doc("Passphrase of the key for outgoing connections.")
        .secret()
        .kept(),
    text("tls-dh-params-file", "").doc("Diffie-Hellman parameters.").kept(),
    text("tls-key-file", "").doc("The server's key.").kept(),
    text("tls-key-file-pass", "").doc("Passphrase of the server's key.").secret().kept(),
    flag("tls-prefer-server-ciphers", "no").doc("Let the server choose the cipher.").kept(),
    text("tls-protocols", "").doc("Versions of TLS to speak.").kept(),
    integer("tls-session-cache-size", 0, INT_MAX, "20480").doc("Cached TLS sessions.").kept(),
    integer("tls-session-cache-timeout", 0, INT_MAX, "300")
        .doc("Seconds that a TLS session stays cached.")
        .kept(),
    flag("tls-session-caching", "yes").doc("Let TLS clients resume sessions.").kept(),
];
