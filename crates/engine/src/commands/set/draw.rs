//! Members by chance: SPOP and SRANDMEMBER.

use super::{reply_all, reply_member};
use crate::args;
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;
use base::limits::REPLY_REPEATED_LEN_MAX;
use base::numbers::IntegerBuffer;
use base::rand::Rng;
use resp::Reply;
use store::types::set::{self, LargeSet, Member};
use store::{Form, Key, Large};

/// Bytes of the shortest member in a reply: `$0\r\n\r\n`.
const MEMBER_LEN_MIN: usize = 6;

/// `SPOP key [count]` → a member that is taken out, or null; with count a set of as many, or all.
/// O(count).
pub(super) fn spop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match ctx.argv.len() {
        2 => pop_one(ctx),
        3 => pop_many(ctx),
        _ => Err(CommandError::Syntax),
    }
}

/// `SRANDMEMBER key [count]` → a member, or null; with count as many different ones, or all; with a
/// negative count as many, each drawn from all. O(count).
pub(super) fn srandmember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, argv) = (ctx.key(1), ctx.argv);
    if 3 < argv.len() {
        return Err(CommandError::Syntax);
    }
    let mut rng = Rng::new(ctx.data.rng.next_u64());
    let Some(count) = argv.get(2) else {
        let set = ctx.data.read_as::<LargeSet>(key)?;
        match set.and_then(|set| set::random(set, &mut rng)) {
            Some(member) => reply_member(ctx.reply, member),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    let count = args::integer(count)?;
    if count == i64::MIN {
        return Err(CommandError::OutOfRangeLong);
    }
    let Some(set) = ctx.data.read_as::<LargeSet>(key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        return reply_repeated(ctx.reply, set, &mut rng, wanted);
    }
    ctx.reply.array(wanted.min(LargeSet::len(set)));
    set::sample(set, &mut rng, wanted, |member| reply_member(ctx.reply, member));
    Ok(())
}

/// Replies with `count` members, the same ones again and again, while that fits into memory.
fn reply_repeated(
    reply: &mut Reply,
    set: Form<'_, LargeSet>,
    rng: &mut Rng,
    count: usize,
) -> Outcome {
    if REPLY_REPEATED_LEN_MAX / MEMBER_LEN_MIN < count {
        return Err(CommandError::ReplyTooLarge);
    }
    let start = reply.position();
    reply.array(count);
    for _ in 0..count {
        let member = set::random(set, rng).expect("a set that is there has members");
        reply_member(reply, member);
        if REPLY_REPEATED_LEN_MAX < reply.len_since(start) {
            return Err(CommandError::ReplyTooLarge);
        }
    }
    Ok(())
}

fn pop_one(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, limits) = (ctx.key(1), ctx.settings.types.set);
    let mut rng = Rng::new(ctx.data.rng.next_u64());
    let reply = &mut *ctx.reply;
    let mut gone = Gone::new(ctx.data.recorder.is_on(), key);
    let popped = ctx.data.change::<LargeSet, _>(key, |home| {
        set::pop(home, &mut rng, 1, &limits, |member| {
            reply_member(reply, member);
            gone.note(member);
        });
    })?;
    let Some(popped) = popped else {
        ctx.reply.null();
        return Ok(());
    };
    ctx.data.changed(key, events::SPOP);
    if popped.is_emptied {
        ctx.data.noted(key, events::DEL);
    }
    ctx.journal_as(&gone.words);
    Ok(())
}

fn pop_many(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, limits) = (ctx.key(1), ctx.settings.types.set);
    let count = args::integer(ctx.argv.at(2));
    let count = count.ok().and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(CommandError::OutOfRangePositive)?;
    let Some(set) = ctx.data.look_as::<LargeSet>(key)?.filter(|_| count != 0) else {
        ctx.reply.set(0);
        return Ok(());
    };
    if LargeSet::len(set) <= count {
        reply_all(ctx.reply, set);
        ctx.data.remove(key);
        ctx.data.changed(key, events::SPOP);
        ctx.data.noted(key, events::DEL);
        ctx.journal_as(&[b"DEL", key.bytes]);
        return Ok(());
    }
    ctx.reply.set(count);
    let mut rng = Rng::new(ctx.data.rng.next_u64());
    let reply = &mut *ctx.reply;
    // A set that is built anew is freed as a whole.
    let removed = |form: Form<'_, LargeSet>| match set::is_rebuilt_by_pop(form, count) {
        true => LargeSet::len(form),
        false => 0,
    };
    let mut gone = Gone::new(ctx.data.recorder.is_on(), key);
    ctx.data.cut::<LargeSet, _>(key, removed, |home| {
        set::pop(home, &mut rng, count, &limits, |member| {
            reply_member(reply, member);
            gone.note(member);
        });
    })?;
    ctx.data.changed(key, events::SPOP);
    ctx.journal_as(&gone.words);
    Ok(())
}

/// The members that chance has taken, as the journal names them.
struct Gone {
    is_on: bool,
    words: Vec<Vec<u8>>,
}

impl Gone {
    fn new(is_on: bool, key: Key<'_>) -> Self {
        let words = if is_on { vec![b"SREM".to_vec(), key.bytes.to_vec()] } else { Vec::new() };
        Self { is_on, words }
    }

    fn note(&mut self, member: Member<'_>) {
        if self.is_on {
            self.words.push(match member {
                Member::Integer(value) => IntegerBuffer::new().format(value).to_vec(),
                Member::Text(bytes) => bytes.to_vec(),
            });
        }
    }
}
