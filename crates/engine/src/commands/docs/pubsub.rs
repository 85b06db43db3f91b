//! Documentation of the message commands.

use super::Doc;
use super::argument::{pattern, string};

const RECEIVERS: &str = "O(N+M) in the channel's subscribers and the patterns of all clients";

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "psubscribe",
        summary: "Subscribes to all channels whose names match a pattern.",
        complexity: "O(N) in the patterns",
        arguments: &[pattern("pattern").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "publish",
        summary: "Sends a message to everybody who listens to a channel.",
        complexity: RECEIVERS,
        arguments: &[string("channel"), string("message")],
        ..Doc::NEW
    },
    Doc {
        name: "pubsub",
        summary: "Shows who listens to what.",
        complexity: "That of the subcommand",
        ..Doc::NEW
    },
    Doc {
        name: "pubsub|channels",
        summary: "Returns the channels that somebody is subscribed to.",
        complexity: "O(N) in all channels",
        arguments: &[pattern("pattern").optional()],
        ..Doc::NEW
    },
    Doc { name: "pubsub|help", summary: "Explains the subcommands.", ..Doc::NEW },
    Doc {
        name: "pubsub|numpat",
        summary: "Returns how many patterns somebody is subscribed to.",
        ..Doc::NEW
    },
    Doc {
        name: "pubsub|numsub",
        summary: "Returns the number of subscribers of channels.",
        complexity: "O(N) in the channels given",
        arguments: &[string("channel").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "pubsub|shardchannels",
        summary: "Returns the shard channels that somebody is subscribed to.",
        complexity: "O(N) in all shard channels",
        arguments: &[pattern("pattern").optional()],
        ..Doc::NEW
    },
    Doc {
        name: "pubsub|shardnumsub",
        summary: "Returns the number of subscribers of shard channels.",
        complexity: "O(N) in the shard channels given",
        arguments: &[string("shardchannel").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "punsubscribe",
        summary: "Ends the subscription to patterns, or to all.",
        complexity: "O(N) in the patterns",
        arguments: &[pattern("pattern").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "spublish",
        summary: "Sends a message to everybody who listens to a shard channel.",
        complexity: "O(N) in the channel's subscribers",
        arguments: &[string("shardchannel"), string("message")],
        ..Doc::NEW
    },
    Doc {
        name: "ssubscribe",
        summary: "Subscribes to shard channels.",
        complexity: "O(N) in the channels",
        arguments: &[string("shardchannel").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "subscribe",
        summary: "Subscribes to channels.",
        complexity: "O(N) in the channels",
        arguments: &[string("channel").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "sunsubscribe",
        summary: "Ends the subscription to shard channels, or to all.",
        complexity: "O(N) in the channels",
        arguments: &[string("shardchannel").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "unsubscribe",
        summary: "Ends the subscription to channels, or to all.",
        complexity: "O(N) in the channels",
        arguments: &[string("channel").optional().multiple()],
        ..Doc::NEW
    },
];
