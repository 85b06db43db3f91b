//! DEBUG POPULATE fills a database; DEBUG HTSTATS and HTSTATS-KEY tell of tables.

use crate::args;
use crate::command::Outcome;
use crate::commands::common::kind;
use crate::context::Ctx;
use crate::error::CommandError;
use std::fmt::Write;
use store::types::hash::LargeHash;
use store::types::set::LargeSet;
use store::types::sorted_set::LargeSortedSet;
use store::{Kind, Large};

/// `DEBUG POPULATE count [prefix] [size]` → OK: there are `prefix:0`, `prefix:1` …, those that were there
/// left as they are. O(count).
pub(super) fn populate(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let number = |index: usize| {
        let number = args::integer(ctx.argv.at(index)).ok();
        number.and_then(|n| u64::try_from(n).ok()).ok_or(CommandError::OutOfRangePositive)
    };
    let count = number(2)?;
    let prefix = ctx.argv.get(3).unwrap_or(b"key");
    let size = if ctx.argv.len() == 5 { Some(number(4)?) } else { None };
    let size = size.filter(|size| *size != 0);
    if size.is_some_and(|size| ctx.settings.bulk_len_max < size) {
        return Err(CommandError::OutOfRangePositive);
    }
    for number in 0..count {
        let name = [prefix, format!(":{number}").as_bytes()].concat();
        let key = ctx.free_key(&name);
        if ctx.data.exists(key) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if let Some(size) = size {
            value.resize(size as usize, 0);
        }
        ctx.data.overwrite(key, &value);
        ctx.data.changed_quietly(key);
    }
    ctx.reply.ok();
    Ok(())
}

/// `DEBUG HTSTATS db [full]` → what the tables of a database hold. O(shards).
pub(super) fn of_database(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let db = args::integer(ctx.argv.at(2))?;
    let db = usize::try_from(db).ok().filter(|db| *db < ctx.settings.databases);
    let db = db.ok_or(CommandError::DebugDatabase)?;
    let (mut slots, mut keys, mut deadlines) = (0, 0, 0);
    ctx.each_shard(|shard| {
        let database = shard.data.database_ref(db);
        slots += database.slots();
        keys += database.len();
        deadlines += database.volatile_len();
    });
    let mut text = "[Dictionary HT]\n".to_owned();
    describe(&mut text, slots, keys);
    text.push_str("[Expires HT]\n");
    if deadlines != 0 {
        describe(&mut text, deadlines, deadlines);
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// `DEBUG HTSTATS-KEY key [full]` → what the table of a large set, hash or sorted set holds. O(1).
pub(super) fn of_key(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.free_key(ctx.argv.at(2));
    let entry = ctx.data.peek(key).ok_or(CommandError::NoSuchKey)?;
    let is_small = kind::encoding(entry).starts_with("listpack");
    let len = match entry.kind() {
        _ if is_small => return Err(CommandError::DebugNoTable),
        Kind::Hash => LargeHash::len(entry.form()),
        Kind::Set if kind::encoding(entry) != "intset" => LargeSet::len(entry.form()),
        Kind::SortedSet => LargeSortedSet::len(entry.form()),
        _ => return Err(CommandError::DebugNoTable),
    };
    let mut text = String::new();
    describe(&mut text, len, len);
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn describe(text: &mut String, slots: usize, elements: usize) {
    if elements == 0 {
        text.push_str(
            "Hash table 0 stats (main hash table):\nNo stats available for empty dictionaries\n",
        );
        return;
    }
    let _ = write!(
        text,
        "Hash table 0 stats (main hash table):\n table size: {slots}\n number of elements: {elements}\n"
    );
}
