//! DEBUG PROTOCOL: a reply of each type, for tests of clients' parsers.

use crate::args::is_word;
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::pushes::Push;
use resp::{Protocol, Reply};

/// `DEBUG PROTOCOL type` → a reply of that type.
pub(super) fn protocol(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let wanted = ctx.argv.at(2);
    if is_word(wanted, "push") {
        return push(ctx);
    }
    let found = TYPES.iter().find(|(name, _)| is_word(wanted, name));
    let (_, write) = found.ok_or(CommandError::DebugProtocolType)?;
    write(ctx.reply);
    Ok(())
}

/// The name of a type, and how a reply of it is written.
type Sample = (&'static str, fn(&mut Reply));

const TYPES: &[Sample] = &[
    ("array", |reply| {
        reply.array(3);
        (0..3).for_each(|number| reply.integer(number));
    }),
    ("attrib", |reply| {
        if reply.attribute(1) {
            reply.bulk(b"key-popularity");
            reply.array(2);
            reply.bulk(b"key:123");
            reply.integer(90);
        }
        reply.bulk(b"Some real reply following the attribute");
    }),
    ("bignum", |reply| reply.big_number("1234567999999999999999999999999999999")),
    ("double", |reply| reply.double_text(b"3.141")),
    ("false", |reply| reply.boolean(false)),
    ("integer", |reply| reply.integer(12345)),
    ("map", |reply| {
        reply.map(3);
        for number in 0..3 {
            reply.integer(number);
            reply.boolean(number == 1);
        }
    }),
    ("null", |reply| reply.null()),
    ("set", |reply| {
        reply.set(3);
        (0..3).for_each(|number| reply.integer(number));
    }),
    ("string", |reply| reply.bulk(b"Hello World")),
    ("true", |reply| reply.boolean(true)),
    ("verbatim", |reply| reply.verbatim("txt", b"This is a verbatim\nstring")),
];

fn push(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.session.protocol == Protocol::Resp2 {
        return Err(CommandError::DebugProtocolResp2);
    }
    let mut pushed = Reply::with_protocol(Protocol::Resp3);
    pushed.push(2);
    pushed.bulk(b"server-cpu-usage");
    pushed.integer(42);
    let mailbox = ctx.session.mailbox(ctx.host);
    ctx.data.notices.postings.post(mailbox, &Push::whole(&pushed));
    ctx.reply.bulk(b"Some real reply following the push reply");
    Ok(())
}
