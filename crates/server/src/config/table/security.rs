//! Settings: passwords, users, and what the network may not do.

use super::{LONG_MAX, Row, choice, integer, text};

const WHO: &[&str] = &["no", "yes", "local"];

pub(super) const ROWS: &[Row] = &[
    choice("acl-pubsub-default", &["allchannels", "resetchannels"], "resetchannels")
        .doc("Channels that a new user may use."),
    text("aclfile", "").doc("File of users and their rights.").immutable(),
    integer("acllog-max-len", 0, LONG_MAX, "128").doc("Entries of the log of refused access."),
    choice("enable-debug-command", WHO, "no")
        .doc("Who may use DEBUG: nobody, everybody, or clients on this machine.")
        .immutable(),
    choice("enable-module-command", WHO, "no").doc("Who may use MODULE.").immutable().kept(),
    choice("enable-protected-configs", WHO, "no")
        .doc("Who may change protected settings by CONFIG SET.")
        .immutable(),
    text("requirepass", "").doc("Password of the default user.").secret(),
];
