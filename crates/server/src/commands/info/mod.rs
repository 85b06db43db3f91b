//! INFO: what the server tells of itself, in sections.

pub(super) mod memory;
mod sections;

use super::host;
use engine::args::is_word;
use engine::command::{Categories, Flags, Group, Outcome};
use engine::{Command, Ctx, Reach};
pub(super) use sections::Facts;
use sections::{SECTIONS, Section, Shown};

pub(crate) const COMMANDS: &[Command] = &[Command {
    name: "info",
    arity: -1,
    flags: Flags::LOADING.with(Flags::STALE),
    reach: Reach::Slices,
    group: Group::Server,
    acl: Categories::DANGEROUS,
    run: info,
    ..Command::NEW
}];

/// `INFO [section …]` → lines of `field:value` under `# Section` headings. Without a section, or
/// with `default`, those that are shown by default; `all` and `everything` show them all.
fn info(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let asked: Vec<&[u8]> = ctx.argv.iter().skip(1).collect();
    let is_asked = |name: &str| asked.iter().any(|word| is_word(word, name));
    let shows_all = is_asked("all") || is_asked("everything");
    let shows_default = asked.is_empty() || is_asked("default");
    let dialect = ctx.settings.dialect;
    let is_shown = |section: &&Section| {
        if section.only.is_some_and(|only| only != dialect) {
            return false;
        }
        let is_default = section.shown == Shown::ByDefault;
        shows_all || shows_default && is_default || is_asked(section.name)
    };
    let wants_shards = SECTIONS.iter().filter(is_shown).any(|section| section.wants_shards);
    let facts = Facts::gather(ctx, host(ctx)?, wants_shards);
    let mut text = String::new();
    for section in SECTIONS.iter().filter(is_shown) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str("# ");
        text.push_str(section.title);
        text.push_str("\r\n");
        (section.write)(&mut text, &facts);
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}
