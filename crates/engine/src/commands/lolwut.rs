//! LOLWUT: a small picture, another one each time, and the version.

use crate::args::{self, is_word};
use crate::command::{Command, Flags, Group, Outcome};
use crate::context::Ctx;
use crate::error::CommandError;
use base::rand::Rng;

pub(crate) const COMMANDS: &[Command] = &[Command {
    name: "lolwut",
    flags: Flags::READONLY.with(Flags::FAST),
    group: Group::Server,
    since: "5.0.0",
    run: lolwut,
    ..Command::NEW
}];

const COLUMNS_DEFAULT: usize = 66;
const COLUMNS_MAX: usize = 160;
const ROWS_DEFAULT: usize = 14;
const ROWS_MAX: usize = 60;

/// Grains from the crest of a dune down into its shadow.
const GRAINS: &[u8] = b"^~=-:.. ";

/// `LOLWUT [VERSION version] [columns] [rows]` → dunes, and the version. O(columns × rows).
fn lolwut(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut sizes = 1;
    if ctx.argv.get(1).is_some_and(|word| is_word(word, "version")) && 2 < ctx.argv.len() {
        if args::integer(ctx.argv.at(2))? < 0 {
            return Err(CommandError::OutOfRangePositive);
        }
        sizes = 3;
    }
    let size = |index: usize, default: usize, max: usize| {
        let wanted = ctx.argv.get(index).and_then(|text| args::integer(text).ok());
        wanted.map_or(default, |n| n.clamp(0, max as i64) as usize)
    };
    let columns = size(sizes, COLUMNS_DEFAULT, COLUMNS_MAX);
    let rows = size(sizes + 1, ROWS_DEFAULT, ROWS_MAX);
    let mut text = dunes(columns, rows, &mut ctx.data.rng);
    let differences = ctx.settings.dialect.differences();
    text.push_str(&format!(
        "\nDunes of ochre. {} ver. {} (Ochre {})\n",
        differences.product,
        differences.hello_version,
        env!("CARGO_PKG_VERSION"),
    ));
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Ridges one behind the other, each a sum of two waves; the nearer hide the farther.
fn dunes(columns: usize, rows: usize, rng: &mut Rng) -> String {
    const RIDGES: usize = 4;
    let mut picture = vec![b' '; columns * rows];
    for ridge in 0..RIDGES {
        let depth = (ridge + 1) as f64 / (RIDGES + 1) as f64;
        let (phase, other_phase) = (rng.next_f64() * 6.3, rng.next_f64() * 6.3);
        let (long, short) = (18.0 + 30.0 * rng.next_f64(), 6.0 + 8.0 * rng.next_f64());
        for column in 0..columns {
            let x = column as f64;
            let wave = (x / long + phase).sin() + 0.3 * (x / short + other_phase).sin();
            let crest = (depth + wave * 0.12) * rows as f64;
            let below = (crest.max(0.0) as usize).min(rows)..rows;
            for (distance, row) in below.enumerate() {
                let grain = GRAINS[(distance + usize::from(rng.below(6) == 0)).min(7)];
                picture[row * columns + column] = grain;
            }
        }
    }
    let lines = picture.chunks(columns.max(1)).take(rows);
    lines.map(|line| String::from_utf8_lossy(line).trim_end().to_owned() + "\n").collect()
}
