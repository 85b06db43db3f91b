//! Messages: SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and their ends, PUBLISH, SPUBLISH, PUBSUB.
//!
//! A confirmation goes the way of the messages, through the session's mailbox, so that it has its
//! place among them, and comes whatever CLIENT REPLY says. Inside EXEC it is one of the replies.

use crate::args;
use crate::command::{Categories, Channels, Command, Flags, Group, Outcome};
use crate::commands::common::help::reply_help;
use crate::context::{Ctx, Origin};
use crate::error::CommandError;
use crate::keys::{KeySpec, NOT_KEY};
use crate::pubsub::Topic;
use crate::pushes::Push;
use resp::Reply;

const ANYTIME: Flags = Flags::PUBSUB.with(Flags::LOADING).with(Flags::STALE);
const SUBSCRIBING: Flags = ANYTIME.with(Flags::NOSCRIPT).with(Flags::WHILE_SUBSCRIBED);
const PUBLISHING: Flags = ANYTIME.with(Flags::FAST).with(Flags::MAY_REPLICATE);
const ROW: Command =
    Command { group: Group::PubSub, flags: SUBSCRIBING, since: "2.0.0", ..Command::NEW };

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "psubscribe",
        arity: -2,
        channels: Channels::Patterns(1),
        run: psubscribe,
        ..ROW
    },
    Command {
        name: "publish",
        arity: 3,
        flags: PUBLISHING,
        channels: Channels::One(1),
        run: publish,
        ..ROW
    },
    Command {
        name: "pubsub",
        arity: -2,
        flags: Flags::NONE,
        since: "2.8.0",
        subcommands: SUBCOMMANDS,
        ..ROW
    },
    Command { name: "punsubscribe", arity: -1, run: punsubscribe, ..ROW },
    Command {
        name: "spublish",
        arity: 3,
        flags: PUBLISHING,
        keys: &[KeySpec::at(1, NOT_KEY)],
        channels: Channels::One(1),
        since: "7.0.0",
        run: spublish,
        ..ROW
    },
    Command {
        name: "ssubscribe",
        arity: -2,
        keys: &[KeySpec::range(1, -1, 1, NOT_KEY)],
        channels: Channels::All(1),
        since: "7.0.0",
        run: ssubscribe,
        ..ROW
    },
    Command { name: "subscribe", arity: -2, channels: Channels::All(1), run: subscribe, ..ROW },
    Command {
        name: "sunsubscribe",
        arity: -1,
        keys: &[KeySpec::range(1, -1, 1, NOT_KEY)],
        since: "7.0.0",
        run: sunsubscribe,
        ..ROW
    },
    Command { name: "unsubscribe", arity: -1, run: unsubscribe, ..ROW },
];

const SHOWING: Command = Command { flags: ANYTIME, since: "2.8.0", ..ROW };

const SUBCOMMANDS: &[Command] = &[
    Command { name: "channels", arity: -2, run: channels, ..SHOWING },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::LOADING.with(Flags::STALE),
        acl: Categories::NONE,
        since: "6.2.0",
        run: help,
        ..ROW
    },
    Command { name: "numpat", arity: 2, run: numpat, ..SHOWING },
    Command { name: "numsub", arity: -2, run: numsub, ..SHOWING },
    Command { name: "shardchannels", arity: -2, since: "7.0.0", run: shardchannels, ..SHOWING },
    Command { name: "shardnumsub", arity: -2, since: "7.0.0", run: shardnumsub, ..SHOWING },
];

/// `PSUBSCRIBE pattern [pattern …]` → a confirmation each. O(patterns).
fn psubscribe(ctx: &mut Ctx<'_, '_>) -> Outcome {
    subscribe_to(ctx, Topic::Pattern, "psubscribe")
}

/// `PUBLISH channel message` → number of receivers. O(receivers + patterns).
fn publish(ctx: &mut Ctx<'_, '_>) -> Outcome {
    publish_to(ctx, Topic::Channel)
}

/// `PUNSUBSCRIBE [pattern …]` → a confirmation each; without arguments of all. O(patterns).
fn punsubscribe(ctx: &mut Ctx<'_, '_>) -> Outcome {
    unsubscribe_from(ctx, Topic::Pattern, "punsubscribe")
}

/// `SPUBLISH shardchannel message` → number of receivers. O(receivers).
fn spublish(ctx: &mut Ctx<'_, '_>) -> Outcome {
    publish_to(ctx, Topic::ShardChannel)
}

/// `SSUBSCRIBE shardchannel [shardchannel …]` → a confirmation each. O(channels).
fn ssubscribe(ctx: &mut Ctx<'_, '_>) -> Outcome {
    subscribe_to(ctx, Topic::ShardChannel, "ssubscribe")
}

/// `SUBSCRIBE channel [channel …]` → a confirmation each. O(channels).
fn subscribe(ctx: &mut Ctx<'_, '_>) -> Outcome {
    subscribe_to(ctx, Topic::Channel, "subscribe")
}

/// `SUNSUBSCRIBE [shardchannel …]` → a confirmation each; without arguments of all. O(channels).
fn sunsubscribe(ctx: &mut Ctx<'_, '_>) -> Outcome {
    unsubscribe_from(ctx, Topic::ShardChannel, "sunsubscribe")
}

/// `UNSUBSCRIBE [channel …]` → a confirmation each; without arguments of all. O(channels).
fn unsubscribe(ctx: &mut Ctx<'_, '_>) -> Outcome {
    unsubscribe_from(ctx, Topic::Channel, "unsubscribe")
}

/// `PUBSUB CHANNELS [pattern]` → channels with subscribers. O(channels).
fn channels(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_channels(ctx, Topic::Channel)
}

/// `PUBSUB HELP` → the subcommands.
fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_help(ctx.reply, "pubsub", HELP);
    Ok(())
}

/// `PUBSUB NUMPAT` → number of patterns with subscribers. O(1).
fn numpat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.integer(ctx.engine.pubsub.count(Topic::Pattern) as i64);
    Ok(())
}

/// `PUBSUB NUMSUB [channel …]` → each with the number of its subscribers. O(channels given).
fn numsub(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_subscribers(ctx, Topic::Channel)
}

/// `PUBSUB SHARDCHANNELS [pattern]` → shard channels with subscribers. O(channels).
fn shardchannels(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_channels(ctx, Topic::ShardChannel)
}

/// `PUBSUB SHARDNUMSUB [shardchannel …]` → each with the number of its subscribers. O(given).
fn shardnumsub(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_subscribers(ctx, Topic::ShardChannel)
}

fn publish_to(ctx: &mut Ctx<'_, '_>, topic: Topic) -> Outcome {
    let (channel, message) = (ctx.argv.at(1), ctx.argv.at(2));
    let postings = &mut ctx.data.notices.postings;
    let receivers = ctx.engine.pubsub.publish(topic, channel, message, postings);
    ctx.reply.integer(receivers as i64);
    Ok(())
}

fn subscribe_to(ctx: &mut Ctx<'_, '_>, topic: Topic, verb: &str) -> Outcome {
    for name in ctx.argv.iter().skip(1) {
        ctx.engine.pubsub.subscribe(ctx.session, ctx.host, topic, name);
        confirm(ctx, topic, verb, Some(name));
    }
    Ok(())
}

fn unsubscribe_from(ctx: &mut Ctx<'_, '_>, topic: Topic, verb: &str) -> Outcome {
    if 1 < ctx.argv.len() {
        for name in ctx.argv.iter().skip(1) {
            ctx.engine.pubsub.unsubscribe(ctx.session, topic, name);
            confirm(ctx, topic, verb, Some(name));
        }
        return Ok(());
    }
    let all = ctx.session.subscriptions.as_ref().map(|all| all.names(topic)).unwrap_or_default();
    for name in &all {
        ctx.engine.pubsub.unsubscribe(ctx.session, topic, name);
        confirm(ctx, topic, verb, Some(name));
    }
    if all.is_empty() {
        confirm(ctx, topic, verb, None);
    }
    Ok(())
}

/// Tells how many subscriptions there are now.
fn confirm(ctx: &mut Ctx<'_, '_>, topic: Topic, verb: &str, name: Option<&[u8]>) {
    let subscriptions = ctx.session.subscriptions.as_ref();
    let count = subscriptions.map_or(0, |all| all.confirmed_count(topic));
    let write = |reply: &mut Reply| {
        reply.push(3);
        reply.bulk(verb.as_bytes());
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.integer(count as i64);
    };
    if ctx.origin != Origin::Client {
        return write(ctx.reply);
    }
    let mut reply = Reply::with_protocol(ctx.session.protocol);
    write(&mut reply);
    let mailbox = ctx.session.mailbox(ctx.host);
    ctx.data.notices.postings.post(mailbox, &Push::whole(&reply));
}

fn reply_channels(ctx: &mut Ctx<'_, '_>, topic: Topic) -> Outcome {
    if 3 < ctx.argv.len() {
        let name = args::shown(ctx.argv.at(1));
        return Err(CommandError::UnknownSubcommandOrArity { container: "PUBSUB", name });
    }
    let names = ctx.engine.pubsub.channels(topic, ctx.argv.get(2));
    ctx.reply.array(names.len());
    names.iter().for_each(|name| ctx.reply.bulk(name));
    Ok(())
}

fn reply_subscribers(ctx: &mut Ctx<'_, '_>, topic: Topic) -> Outcome {
    ctx.reply.array((ctx.argv.len() - 2) * 2);
    for name in ctx.argv.iter().skip(2) {
        ctx.reply.bulk(name);
        ctx.reply.integer(ctx.engine.pubsub.subscribers(topic, name) as i64);
    }
    Ok(())
}

const HELP: &[&str] = &[
    "CHANNELS [<pattern>]",
    "    Return the channels that somebody is subscribed to.",
    "NUMPAT",
    "    Return how many patterns somebody is subscribed to.",
    "NUMSUB [<channel> ...]",
    "    Return these channels, each with the number of its subscribers.",
    "SHARDCHANNELS [<pattern>]",
    "    Return the shard channels that somebody is subscribed to.",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return these shard channels, each with the number of its subscribers.",
];
