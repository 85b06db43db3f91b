//! Places on the globe, kept as the scores of a sorted set: GEOADD, GEOSEARCH and their relatives.

mod search;

use crate::args::{self, Args};
use crate::command::{Categories, Command, Flags, Group, Outcome, Reach};
use crate::commands::common::sorted_set::{AddOptions, Scores, add};
use crate::context::Ctx;
use crate::dialect::Dialect;
use crate::error::CommandError;
use crate::keys::{self, Begin, Find, KeySpec};
use resp::Reply;
use store::Form;
use store::types::geo::Point;
use store::types::sorted_set::{self, LargeSortedSet};

const ROW: Command =
    Command { reach: Reach::Keys, group: Group::Geo, acl: Categories::GEO, ..Command::NEW };
const GROW: Flags = Flags::WRITE.with(Flags::DENYOOM);
const GROW_MANY: Flags = GROW.with(Flags::MOVABLE_KEYS);

const READ_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RO_ACCESS)];
const RADIUS_KEYS: &[KeySpec] =
    &[KeySpec::at(1, keys::RO_ACCESS), stored("STORE", 6), stored("STOREDIST", 6)];
const RADIUS_BY_MEMBER_KEYS: &[KeySpec] =
    &[KeySpec::at(1, keys::RO_ACCESS), stored("STORE", 5), stored("STOREDIST", 5)];
const STORE_KEYS: &[KeySpec] = &[KeySpec::at(1, keys::OW_UPDATE), KeySpec::at(2, keys::RO_ACCESS)];

/// The key behind a word.
const fn stored(word: &'static str, from: i32) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword { word, from },
        find: Find::Range { last: 0, step: 1, limit: 0 },
        ..KeySpec::at(0, keys::OW_UPDATE_VARIABLE)
    }
}

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "geoadd",
        arity: -5,
        flags: GROW,
        keys: &[KeySpec::at(1, keys::RW_UPDATE)],
        since: "3.2.0",
        run: geoadd,
        ..ROW
    },
    Command {
        name: "geodist",
        arity: -4,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "3.2.0",
        run: geodist,
        ..ROW
    },
    Command {
        name: "geohash",
        arity: -2,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "3.2.0",
        run: geohash,
        ..ROW
    },
    Command {
        name: "geopos",
        arity: -2,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "3.2.0",
        run: geopos,
        ..ROW
    },
    Command {
        name: "georadius",
        arity: -6,
        flags: GROW_MANY,
        keys: RADIUS_KEYS,
        reach: Reach::ByArguments(search::radius_reach),
        since: "3.2.0",
        run: search::georadius,
        ..ROW
    },
    Command {
        name: "georadius_ro",
        arity: -6,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "3.2.10",
        run: search::georadius_ro,
        ..ROW
    },
    Command {
        name: "georadiusbymember",
        arity: -5,
        flags: GROW_MANY,
        keys: RADIUS_BY_MEMBER_KEYS,
        reach: Reach::ByArguments(search::radius_reach),
        since: "3.2.0",
        run: search::georadiusbymember,
        ..ROW
    },
    Command {
        name: "georadiusbymember_ro",
        arity: -5,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "3.2.10",
        run: search::georadiusbymember_ro,
        ..ROW
    },
    Command {
        name: "geosearch",
        arity: -7,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "6.2.0",
        run: search::geosearch,
        ..ROW
    },
    Command {
        name: "geosearchstore",
        arity: -8,
        flags: GROW,
        keys: STORE_KEYS,
        since: "6.2.0",
        run: search::geosearchstore,
        ..ROW
    },
];

/// `GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member …]` → number of
/// places added, with CH also of those that moved. O(log N) each.
fn geoadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut args = Args::new(ctx.argv, 2);
    let mut options = AddOptions::default();
    while options.take_basic(&mut args) {}
    let is_contradictory = options.only_new && options.only_existing;
    if is_contradictory || args.is_empty() || !args.len().is_multiple_of(3) {
        return Err(CommandError::Syntax);
    }
    let start = args.position();
    let mut scores = Scores::new();
    for index in (start..ctx.argv.len()).step_by(3) {
        scores.push(point(ctx.argv.at(index), ctx.argv.at(index + 1))?.to_score());
    }
    let added = add(ctx, options, &scores, |index| start + 3 * index + 2)?;
    let updated = if options.counts_changes { added.updated } else { 0 };
    ctx.reply.integer((added.added + updated) as i64);
    Ok(())
}

/// `GEODIST key member1 member2 [M | KM | FT | MI]` → how far they are from each other, or null.
/// O(1).
fn geodist(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let metres = match ctx.argv.get(4) {
        None => 1.0,
        Some(_) if 5 < ctx.argv.len() => return Err(CommandError::Syntax),
        Some(unit) => metres_in(unit)?,
    };
    let form = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))?;
    let place = |index: usize| place_of(form?, ctx.argv.at(index));
    match (place(2), place(3)) {
        (Some(a), Some(b)) => reply_distance(ctx.reply, a.distance(b) / metres),
        _ => ctx.reply.null(),
    }
    Ok(())
}

/// `GEOHASH key [member …]` → their geohashes of 11 letters, null for what is missing. O(members).
fn geohash(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let form = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))?;
    ctx.reply.array(ctx.argv.len() - 2);
    for member in ctx.argv.iter().skip(2) {
        match form.and_then(|form| place_of(form, member)) {
            Some(place) => ctx.reply.bulk(&place.text()),
            None => ctx.reply.null(),
        }
    }
    Ok(())
}

/// `GEOPOS key [member …]` → their longitudes and latitudes, null for what is missing. O(members).
fn geopos(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let form = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))?;
    ctx.reply.array(ctx.argv.len() - 2);
    for member in ctx.argv.iter().skip(2) {
        match form.and_then(|form| place_of(form, member)) {
            Some(place) => reply_point(ctx.reply, place, ctx.settings.dialect),
            None => ctx.reply.null_array(),
        }
    }
    Ok(())
}

/// Where a member is.
fn place_of(form: Form<'_, LargeSortedSet>, member: &[u8]) -> Option<Point> {
    sorted_set::score(form, member).map(Point::from_score)
}

/// Two arguments as a place on the map.
fn point(longitude: &[u8], latitude: &[u8]) -> Result<Point, CommandError> {
    let point = Point { longitude: args::float(longitude)?, latitude: args::float(latitude)? };
    if point.is_valid() {
        return Ok(point);
    }
    let pair = format!("{:.6},{:.6}", point.longitude, point.latitude);
    Err(CommandError::PlaceInvalid(pair.into()))
}

/// Metres in a unit of length.
fn metres_in(unit: &[u8]) -> Result<f64, CommandError> {
    const UNITS: [(&str, f64); 4] = [("ft", 0.3048), ("km", 1000.0), ("m", 1.0), ("mi", 1609.34)];
    let found = UNITS.iter().find(|(name, _)| args::is_word(unit, name));
    found.map(|(_, metres)| *metres).ok_or(CommandError::UnitUnknown)
}

/// Replies with a distance to four decimals.
fn reply_distance(reply: &mut Reply, distance: f64) {
    const DECIMALS: u64 = 10_000;
    let scaled = (distance * DECIMALS as f64).round_ties_even() as u64;
    reply.bulk(format!("{}.{:04}", scaled / DECIMALS, scaled % DECIMALS).as_bytes());
}

/// Replies with longitude and latitude: in as few digits as tell them from others, or to 17
/// decimals.
fn reply_point(reply: &mut Reply, point: Point, dialect: Dialect) {
    reply.array(2);
    for degrees in [point.longitude, point.latitude] {
        if !dialect.differences().places_have_17_decimals {
            reply.double(degrees);
            continue;
        }
        let text = format!("{degrees:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        reply.double_text(if text == "-0" { b"0" } else { text.as_bytes() });
    }
}
