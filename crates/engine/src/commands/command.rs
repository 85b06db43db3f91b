//! COMMAND: the table of commands, as clients and tools read it. Everything here comes from rows.

use crate::args;
use crate::command::{Categories, Command, Flags, Group, Outcome};
use crate::commands::common::help::reply_help;
use crate::commands::docs::{self, Argument, Doc};
use crate::context::Ctx;
use crate::error::CommandError;
use crate::keys::{self, Begin, Find, KeySpec};
use crate::table::{Entry, Lookup};
use base::glob;
use resp::{Argv, Mark, Reply};

const ROW: Command = Command {
    flags: Flags::LOADING.with(Flags::STALE),
    group: Group::Server,
    acl: Categories::CONNECTION,
    since: "2.8.13",
    ..Command::NEW
};

pub(crate) const COMMANDS: &[Command] =
    &[Command { name: "command", run: command, subcommands: SUBCOMMANDS, ..ROW }];

const SUBCOMMANDS: &[Command] = &[
    Command { name: "count", arity: 2, run: count, ..ROW },
    Command { name: "docs", arity: -2, since: "7.0.0", run: docs, ..ROW },
    Command { name: "getkeys", arity: -3, run: getkeys, ..ROW },
    Command { name: "getkeysandflags", arity: -3, since: "7.0.0", run: getkeysandflags, ..ROW },
    Command { name: "help", arity: 2, since: "5.0.0", run: help, ..ROW },
    Command { name: "info", arity: -2, run: info, ..ROW },
    Command { name: "list", arity: -2, since: "7.0.0", run: list, ..ROW },
];

/// `COMMAND` → all commands, as COMMAND INFO shows them. O(commands).
fn command(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let entries = ctx.engine.table.entries();
    ctx.reply.array(entries.len());
    entries.iter().for_each(|entry| reply_info(ctx.reply, entry));
    Ok(())
}

/// `COMMAND COUNT` → how many commands there are, subcommands not counted. O(1).
fn count(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.integer(ctx.engine.table.entries().len() as i64);
    Ok(())
}

/// `COMMAND DOCS [name …]` → what is to be known of the commands, by name. O(commands).
fn docs(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let table = &ctx.engine.table;
    let entries: Vec<&Entry> = if ctx.argv.len() == 2 {
        table.entries().iter().collect()
    } else {
        ctx.argv.iter().skip(2).filter_map(|name| table.full_named(name)).collect()
    };
    ctx.reply.map(entries.len());
    entries.iter().for_each(|entry| reply_docs(ctx.reply, entry));
    Ok(())
}

/// `COMMAND GETKEYS command [argument …]` → the keys of that call. O(arguments).
fn getkeys(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let call = ctx.argv.from(2);
    let found = keys_of(ctx, call)?;
    ctx.reply.array(found.len());
    found.iter().for_each(|(index, _)| ctx.reply.bulk(call.at(*index)));
    Ok(())
}

/// `COMMAND GETKEYSANDFLAGS command [argument …]` → its keys, and what happens to each.
/// O(arguments).
fn getkeysandflags(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let call = ctx.argv.from(2);
    let found = keys_of(ctx, call)?;
    ctx.reply.array(found.len());
    for (index, spec) in found {
        ctx.reply.array(2);
        ctx.reply.bulk(call.at(index));
        reply_names(ctx.reply, spec.flags_of(call).0.iter().copied(), "");
    }
    Ok(())
}

/// `COMMAND HELP` → the subcommands.
fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "(no subcommand)",
        "    Return the facts about all commands.",
        "COUNT",
        "    Return how many commands there are.",
        "DOCS [<name> ...]",
        "    Return the documentation of commands (default: of all).",
        "GETKEYS <command> [<argument> ...]",
        "    Return which arguments of a call are keys.",
        "GETKEYSANDFLAGS <command> [<argument> ...]",
        "    Return which arguments of a call are keys, and what happens to them.",
        "INFO [<name> ...]",
        "    Return the facts about commands (default: about all).",
        "LIST [FILTERBY <MODULE name | ACLCAT category | PATTERN pattern>]",
        "    Return the names of commands.",
    ];
    reply_help(ctx.reply, "COMMAND", LINES);
    Ok(())
}

/// `COMMAND INFO [name …]` → the facts about these commands, null for each that nobody knows.
/// O(commands).
fn info(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.argv.len() == 2 {
        return command(ctx);
    }
    ctx.reply.array(ctx.argv.len() - 2);
    for name in ctx.argv.iter().skip(2) {
        match ctx.engine.table.full_named(name) {
            Some(entry) => reply_info(ctx.reply, entry),
            None => ctx.reply.null(),
        }
    }
    Ok(())
}

/// `COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]` → names, subcommands
/// included. O(commands).
fn list(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let filter = Filter::parse(ctx.argv)?;
    let mark = ctx.reply.begin_array();
    let mut count = 0;
    for entry in ctx.engine.table.all().filter(|entry| filter.accepts(entry)) {
        ctx.reply.bulk(entry.full_name.as_bytes());
        count += 1;
    }
    ctx.reply.finish_array(mark, count);
    Ok(())
}

enum Filter<'a> {
    Category(Option<Categories>),
    Everything,
    /// Of a module: there are none.
    Nothing,
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn parse(argv: Argv<'a>) -> Result<Self, CommandError> {
        if argv.len() == 2 {
            return Ok(Self::Everything);
        }
        if argv.len() != 5 || !args::is_word(argv.at(2), "filterby") {
            return Err(CommandError::Syntax);
        }
        let value = argv.at(4);
        match argv.at(3) {
            by if args::is_word(by, "module") => Ok(Self::Nothing),
            by if args::is_word(by, "pattern") => Ok(Self::Pattern(value)),
            by if args::is_word(by, "aclcat") => {
                let is_named = |name: &str| args::is_word(value, name);
                let found = Categories::NAMES.iter().find(|(_, name)| is_named(name));
                Ok(Self::Category(found.map(|(category, _)| *category)))
            }
            _ => Err(CommandError::Syntax),
        }
    }

    fn accepts(&self, entry: &Entry) -> bool {
        match self {
            Self::Category(category) => category.is_some_and(|c| entry.row.categories().has(c)),
            Self::Everything => true,
            Self::Nothing => false,
            Self::Pattern(pattern) => {
                glob::matches_ignore_case(pattern, entry.full_name.as_bytes())
            }
        }
    }
}

/// The key arguments of a call, with the specs that found them.
fn keys_of(
    ctx: &Ctx<'_, '_>,
    call: Argv<'_>,
) -> Result<Vec<(usize, &'static KeySpec)>, CommandError> {
    let entry = match ctx.engine.table.lookup(call) {
        Lookup::Found(entry) | Lookup::SubcommandMissing(entry) => entry,
        Lookup::UnknownCommand | Lookup::UnknownSubcommand(_) => {
            return Err(CommandError::CommandInvalid);
        }
    };
    if entry.row.keys.iter().all(|spec| spec.flags == keys::NOT_KEY) {
        return Err(CommandError::NoKeysInCommand);
    }
    if !entry.row.accepts(call.len()) {
        return Err(CommandError::ArgumentCountInvalid);
    }
    let mut found = Vec::new();
    let is_valid = keys::each_key(entry.row, call, |index, spec| found.push((index, spec)));
    if is_valid && !found.is_empty() {
        Ok(found)
    } else if entry.row.flags.has(Flags::NO_MANDATORY_KEYS) {
        Ok(Vec::new())
    } else {
        Err(CommandError::KeySpecInvalid)
    }
}

fn reply_info(reply: &mut Reply, entry: &Entry) {
    let row = entry.row;
    let (first, last, step) = range(row);
    let movable = if is_movable(row) { Flags::MOVABLE_KEYS } else { Flags::NONE };
    reply.array(10);
    reply.bulk(entry.full_name.as_bytes());
    reply.integer(i64::from(row.arity));
    reply_names(reply, (row.flags | movable).names(), "");
    reply.integer(first);
    reply.integer(last);
    reply.integer(step);
    reply_names(reply, row.categories().names(), "@");
    let tips = docs::find(&entry.full_name).map_or(&[][..], |doc| doc.tips);
    reply.set(tips.len());
    tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(row.keys.len());
    row.keys.iter().for_each(|spec| reply_key_spec(reply, spec));
    if entry.subcommands.is_empty() {
        reply.set(0);
    } else {
        reply.array(entry.subcommands.len());
        entry.subcommands.iter().for_each(|subcommand| reply_info(reply, subcommand));
    }
}

/// First and last key argument and the step between keys, for clients that know no key specs: what
/// the specs at fixed places amount to if their keys follow one another.
fn range(row: &Command) -> (i64, i64, i64) {
    let ranges = || row.keys.iter().filter_map(fixed_range);
    let absolute = |begin: i64, last: i64| if last < 0 { last } else { begin + last };
    if let ([_], Some((begin, last, step))) = (row.keys, ranges().next()) {
        return (begin, absolute(begin, last), step);
    }
    let mut joined: Option<(i64, i64)> = None;
    for (begin, last, step) in ranges() {
        let follows = joined.is_none_or(|(_, previous)| previous == begin - 1);
        if step == 1 && follows {
            let first = joined.map_or(begin, |(first, _)| first);
            joined = Some((first, absolute(begin, last)));
        }
    }
    joined.map_or((0, 0, 0), |(first, last)| (first, last, 1))
}

/// Whether some keys are not where [`range`] says.
fn is_movable(row: &Command) -> bool {
    let mut previous = None;
    row.keys.iter().any(|spec| {
        let Some((begin, last, step)) = fixed_range(spec) else { return true };
        let follows = previous.is_none_or(|previous| previous == begin - 1);
        previous = Some(if last < 0 { last } else { begin + last });
        1 < row.keys.len() && !(step == 1 && follows)
    })
}

/// Begin, last (relative) and step of a spec at a fixed place.
fn fixed_range(spec: &KeySpec) -> Option<(i64, i64, i64)> {
    match (spec.begin, spec.find) {
        (Begin::Index(begin), Find::Range { last, step, .. }) => {
            Some((begin as i64, i64::from(last), step as i64))
        }
        _ => None,
    }
}

fn reply_key_spec(reply: &mut Reply, spec: &KeySpec) {
    reply.map(3);
    reply.bulk(b"flags");
    reply_names(reply, spec.flags.0.iter().copied(), "");
    reply.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(index) => reply_numbers(reply, "index", &[("index", index as i64)]),
        Begin::Keyword { word, from } => {
            reply_type(reply, "keyword", 2);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            reply.bulk(b"startfrom");
            reply.integer(i64::from(from));
        }
        Begin::Unknown => reply_type(reply, "unknown", 0),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            let numbers =
                [("lastkey", i64::from(last)), ("keystep", step as i64), ("limit", limit as i64)];
            reply_numbers(reply, "range", &numbers);
        }
        Find::Counted { count, first, step } => {
            let numbers = [("keynumidx", count), ("firstkey", first), ("keystep", step)];
            reply_numbers(reply, "keynum", &numbers.map(|(name, n)| (name, n as i64)));
        }
        Find::Unknown => reply_type(reply, "unknown", 0),
    }
}

fn reply_type(reply: &mut Reply, name: &str, pairs: usize) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(name.as_bytes());
    reply.bulk(b"spec");
    reply.map(pairs);
}

fn reply_numbers(reply: &mut Reply, name: &str, numbers: &[(&str, i64)]) {
    reply_type(reply, name, numbers.len());
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        reply.integer(*number);
    }
}

fn reply_names(reply: &mut Reply, names: impl Iterator<Item = &'static str>, prefix: &str) {
    let names: Vec<_> = names.collect();
    reply.set(names.len());
    names.iter().for_each(|name| reply.simple(&format!("{prefix}{name}")));
}

fn reply_docs(reply: &mut Reply, entry: &Entry) {
    reply.bulk(entry.full_name.as_bytes());
    let doc = docs::find(&entry.full_name);
    let mut map = Map::begin(reply);
    map.text("summary", doc.map_or("", |doc| doc.summary));
    map.text("since", entry.row.since);
    map.text("group", entry.row.group.name());
    map.text("complexity", doc.map_or("", |doc| doc.complexity));
    if let Some(doc) = doc {
        reply_doc_details(&mut map, doc);
    }
    if !entry.subcommands.is_empty() {
        let reply = map.key("subcommands");
        reply.map(entry.subcommands.len());
        entry.subcommands.iter().for_each(|subcommand| reply_docs(reply, subcommand));
    }
    map.finish();
}

/// What a documentation holds beside its prose.
fn reply_doc_details(map: &mut Map<'_>, doc: &Doc) {
    if let Some((since, replacement)) = doc.deprecated {
        reply_names(map.key("doc_flags"), std::iter::once("deprecated"), "");
        map.text("deprecated_since", since);
        map.text("replaced_by", replacement);
    }
    if !doc.history.is_empty() {
        let reply = map.key("history");
        reply.set(doc.history.len());
        for (version, change) in doc.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(change.as_bytes());
        }
    }
    if !doc.arguments.is_empty() {
        reply_arguments(map.key("arguments"), doc.arguments);
    }
}

fn reply_arguments(reply: &mut Reply, arguments: &[Argument]) {
    reply.array(arguments.len());
    for argument in arguments {
        let mut map = Map::begin(reply);
        map.text("name", argument.name);
        map.text("type", argument.kind.name());
        map.text("display_text", if argument.kind.is_shown() { argument.name } else { "" });
        if let Some(spec) = argument.key_spec {
            map.key("key_spec_index").integer(spec as i64);
        }
        map.text("token", argument.token);
        map.text("since", argument.since);
        let flags = [
            (argument.is_optional, "optional"),
            (argument.is_multiple, "multiple"),
            (argument.repeats_token, "multiple_token"),
        ];
        if flags.iter().any(|(is_set, _)| *is_set) {
            let set = flags.iter().filter(|(is_set, _)| *is_set);
            reply_names(map.key("flags"), set.map(|(_, name)| *name), "");
        }
        if !argument.parts.is_empty() {
            reply_arguments(map.key("arguments"), argument.parts);
        }
        map.finish();
    }
}

/// A map in the making, whose number of pairs is known at its end.
struct Map<'r> {
    reply: &'r mut Reply,
    mark: Mark,
    pairs: usize,
}

impl<'r> Map<'r> {
    fn begin(reply: &'r mut Reply) -> Self {
        let mark = reply.begin_map();
        Self { reply, mark, pairs: 0 }
    }

    /// Writes a name; its value is for the caller to write.
    fn key(&mut self, name: &str) -> &mut Reply {
        self.pairs += 1;
        self.reply.bulk(name.as_bytes());
        self.reply
    }

    /// Writes a name with its value, unless that is empty.
    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.key(name).bulk(value.as_bytes());
        }
    }

    fn finish(self) {
        self.reply.finish_map(self.mark, self.pairs);
    }
}
