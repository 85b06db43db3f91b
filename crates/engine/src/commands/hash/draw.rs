//! Fields by chance: HRANDFIELD.

use crate::args;
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;
use base::limits::REPLY_REPEATED_LEN_MAX;
use base::rand::Rng;
use resp::{Protocol, Reply};
use store::types::hash::{self, Fields, LargeHash};

/// Bytes of the shortest field in a reply: `$0\r\n\r\n`.
const FIELD_LEN_MIN: usize = 6;

/// `HRANDFIELD key [count [WITHVALUES]]` → a field, or null; with count as many different ones, or
/// all; with a negative count as many, each drawn from all. O(count).
pub(super) fn hrandfield(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, argv, now_ms) = (ctx.key(1), ctx.argv, ctx.data.now_ms);
    let mut rng = Rng::new(ctx.data.rng.next_u64());
    let Some(count) = argv.get(2) else {
        let hash = ctx.data.read_as::<LargeHash>(key)?;
        match hash.and_then(|hash| hash::random(hash, &mut rng, now_ms)) {
            Some((field, _)) => ctx.reply.bulk(field),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    let count = args::integer(count)?;
    if count == i64::MIN {
        return Err(CommandError::OutOfRangeLong);
    }
    let has_values = match argv.get(3) {
        None => false,
        Some(word) if argv.len() == 4 && args::is_word(word, "withvalues") => true,
        Some(_) => return Err(CommandError::Syntax),
    };
    if has_values && !(-i64::MAX / 2..=i64::MAX / 2).contains(&count) {
        return Err(CommandError::OutOfRange);
    }
    let Some(hash) = ctx.data.read_as::<LargeHash>(key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let look = Look { hash, now_ms, has_values };
    if count < 0 {
        return look.reply_repeated(ctx.reply, &mut rng, wanted);
    }
    look.begin(ctx.reply, wanted.min(hash::len(hash, now_ms)));
    hash::random_distinct(hash, &mut rng, wanted, now_ms, |field, value| {
        look.show(ctx.reply, field, value);
    });
    Ok(())
}

/// A hash at a time, and what is shown of its fields.
struct Look<'a> {
    hash: Fields<'a>,
    now_ms: u64,
    has_values: bool,
}

impl Look<'_> {
    /// Replies with `count` fields, the same ones again and again, while that fits into memory.
    fn reply_repeated(&self, reply: &mut Reply, rng: &mut Rng, count: usize) -> Outcome {
        if REPLY_REPEATED_LEN_MAX / FIELD_LEN_MIN < count {
            return Err(CommandError::ReplyTooLarge);
        }
        let start = reply.position();
        let is_empty = hash::len(self.hash, self.now_ms) == 0;
        self.begin(reply, if is_empty { 0 } else { count });
        for _ in 0..count {
            let Some((field, value)) = hash::random(self.hash, rng, self.now_ms) else { break };
            self.show(reply, field, value);
            if REPLY_REPEATED_LEN_MAX < reply.len_since(start) {
                return Err(CommandError::ReplyTooLarge);
            }
        }
        Ok(())
    }

    /// RESP3 has a pair for each field with its value.
    fn begin(&self, reply: &mut Reply, count: usize) {
        let is_flat = reply.protocol() == Protocol::Resp2;
        reply.array(if self.has_values && is_flat { 2 * count } else { count });
    }

    fn show(&self, reply: &mut Reply, field: &[u8], value: &[u8]) {
        if self.has_values && reply.protocol() != Protocol::Resp2 {
            reply.array(2);
        }
        reply.bulk(field);
        if self.has_values {
            reply.bulk(value);
        }
    }
}
