//! DEBUG LISTPACK and QUICKLIST tell how a value is kept; DEBUG STRINGMATCH-TEST tries patterns.

use crate::command::Outcome;
use crate::commands::common::kind;
use crate::context::Ctx;
use crate::error::CommandError;
use base::glob;

/// Patterns that STRINGMATCH-TEST tries: some tenths of a second.
const PATTERNS: usize = 100_000;

/// Longest pattern and longest text of them.
const TRIED_LEN_MAX: u64 = 50;

/// What patterns are made of, so that they mean something.
const TRIED_BYTES: &[u8] = b"**??[]^-\\abc";

/// `DEBUG LISTPACK key` → a line in the log about a value that is packed.
pub(super) fn listpack(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let is_packed = |encoding: &str| encoding.starts_with("listpack");
    show(ctx, is_packed, CommandError::DebugNotListpack)?;
    ctx.reply.simple("Listpack structure printed on stdout");
    Ok(())
}

/// `DEBUG QUICKLIST key [0 | 1]` → a line in the log about a large list.
pub(super) fn quicklist(ctx: &mut Ctx<'_, '_>) -> Outcome {
    show(ctx, |encoding| encoding == "quicklist", CommandError::DebugNotQuicklist)?;
    ctx.reply.simple("Quicklist structure printed on stdout");
    Ok(())
}

/// Writes a line about a value of the wanted encoding into the log, which is the standard output unless a
/// setting says otherwise.
fn show(ctx: &mut Ctx<'_, '_>, is_wanted: fn(&str) -> bool, other: CommandError) -> Outcome {
    let key = ctx.free_key(ctx.argv.at(2));
    let entry = ctx.data.peek(key).ok_or(CommandError::NoSuchKey)?;
    let encoding = kind::encoding(entry);
    if !is_wanted(encoding) {
        return Err(other);
    }
    let name = String::from_utf8_lossy(key.bytes);
    let line = format!("DEBUG: {name} is a {encoding} of {} bytes", entry.memory_bytes());
    ctx.host.log(2, &line);
    Ok(())
}

/// `DEBUG STRINGMATCH-TEST` → that it has gone well: any pattern is tried on any text, and what stands for
/// itself on itself.
pub(super) fn try_patterns(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (mut pattern, mut text, mut escaped) = (Vec::new(), Vec::new(), Vec::new());
    let rng = &mut ctx.data.rng;
    let mut any = |bytes: &mut Vec<u8>| {
        bytes.clear();
        let len = rng.below(TRIED_LEN_MAX);
        bytes.extend((0..len).map(|_| TRIED_BYTES[rng.below(TRIED_BYTES.len() as u64) as usize]));
    };
    for _ in 0..PATTERNS {
        any(&mut pattern);
        any(&mut text);
        glob::matches(&pattern, &text);
        escaped.clear();
        text.iter().for_each(|byte| escaped.extend([b'\\', *byte]));
        assert!(glob::matches(&escaped, &text), "an escaped text matches itself");
    }
    ctx.reply.simple("Apparently the server did not crash: test passed");
    Ok(())
}
