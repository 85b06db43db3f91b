//! LCS: the longest common subsequence of two strings.
//!
//! The textbook table of (n + 1) × (m + 1) lengths, filled row by row, and walked back from its
//! far corner. A match is a run of equal bytes in both strings; runs come out last first, as
//! clients know them.

use crate::args::{self, Args};
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;
use store::Kind;

#[derive(Default)]
struct Options {
    returns_len: bool,
    returns_matches: bool,
    returns_match_len: bool,
    match_len_min: i64,
}

/// A run of equal bytes: where it starts in both strings, and its length.
#[derive(Clone, Copy)]
struct Match {
    first: usize,
    second: usize,
    len: usize,
}

struct Found {
    bytes: Vec<u8>,
    matches: Vec<Match>,
}

/// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]` → the subsequence, its length, or
/// the matching ranges. O(n × m) time and memory.
pub(super) fn lcs(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let first = text(ctx, 1)?;
    let second = text(ctx, 2)?;
    let options = options(Args::new(ctx.argv, 3))?;
    let cells = (first.len() as u64 + 1).saturating_mul(second.len() as u64 + 1);
    if ctx.settings.bulk_len_max < cells.saturating_mul(4) {
        return Err(CommandError::LcsTooLarge);
    }
    let found = subsequence(&first, &second);
    if options.returns_matches {
        reply_matches(ctx, &options, &found);
    } else if options.returns_len {
        ctx.reply.integer(found.bytes.len() as i64);
    } else {
        ctx.reply.bulk(&found.bytes);
    }
    Ok(())
}

fn text(ctx: &mut Ctx<'_, '_>, index: usize) -> Result<Vec<u8>, CommandError> {
    match ctx.data.read(ctx.key(index)) {
        None => Ok(Vec::new()),
        Some(entry) if entry.kind() != Kind::String => Err(CommandError::LcsWrongType),
        Some(entry) => Ok(entry.string().bytes().to_vec()),
    }
}

fn options(mut args: Args<'_>) -> Result<Options, CommandError> {
    let mut options = Options::default();
    while let Some(word) = args.next() {
        if args::is_word(word, "idx") {
            options.returns_matches = true;
        } else if args::is_word(word, "len") {
            options.returns_len = true;
        } else if args::is_word(word, "withmatchlen") {
            options.returns_match_len = true;
        } else if args::is_word(word, "minmatchlen") && !args.is_empty() {
            options.match_len_min = args.integer()?.max(0);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if options.returns_matches && options.returns_len {
        return Err(CommandError::LcsLenAndIdx);
    }
    Ok(options)
}

fn reply_matches(ctx: &mut Ctx<'_, '_>, options: &Options, found: &Found) {
    ctx.reply.map(2);
    ctx.reply.bulk(b"matches");
    let is_shown = |m: &&Match| options.match_len_min <= m.len as i64;
    ctx.reply.array(found.matches.iter().filter(is_shown).count());
    for run in found.matches.iter().filter(is_shown) {
        ctx.reply.array(2 + usize::from(options.returns_match_len));
        for start in [run.first, run.second] {
            ctx.reply.array(2);
            ctx.reply.integer(start as i64);
            ctx.reply.integer((start + run.len - 1) as i64);
        }
        if options.returns_match_len {
            ctx.reply.integer(run.len as i64);
        }
    }
    ctx.reply.bulk(b"len");
    ctx.reply.integer(found.bytes.len() as i64);
}

fn subsequence(first: &[u8], second: &[u8]) -> Found {
    let width = second.len() + 1;
    let mut lengths = vec![0u32; (first.len() + 1) * width];
    for (i, a) in first.iter().enumerate() {
        let (above, below) = lengths.split_at_mut((i + 1) * width);
        let above = &above[i * width..];
        for (j, b) in second.iter().enumerate() {
            below[j + 1] = if a == b { above[j] + 1 } else { above[j + 1].max(below[j]) };
        }
    }
    let (mut i, mut j) = (first.len(), second.len());
    let mut bytes = Vec::with_capacity(lengths[i * width + j] as usize);
    let mut matches: Vec<Match> = Vec::new();
    while 0 < i && 0 < j {
        if first[i - 1] == second[j - 1] {
            (i, j) = (i - 1, j - 1);
            bytes.push(first[i]);
            match matches.last_mut() {
                Some(run) if run.first == i + 1 && run.second == j + 1 => {
                    *run = Match { first: i, second: j, len: run.len + 1 };
                }
                _ => matches.push(Match { first: i, second: j, len: 1 }),
            }
        } else if lengths[i * width + j - 1] < lengths[(i - 1) * width + j] {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    bytes.reverse();
    Found { bytes, matches }
}
