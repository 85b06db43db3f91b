//! The searches: GEOSEARCH, GEOSEARCHSTORE and the older GEORADIUS in its four forms.

use super::{metres_in, place_of, point, reply_distance, reply_point};
use crate::args::{self, Args};
use crate::command::{Outcome, Reach};
use crate::commands::common::sorted_set::store;
use crate::context::Ctx;
use crate::dialect::Dialect;
use crate::error::CommandError;
use crate::events::{self, Event};
use resp::{Argv, Reply};
use store::types::geo::{Point, Search, Shape};
use store::types::sorted_set::{self, Bound, LargeSortedSet};
use store::{Form, Own};

/// How the words of a command differ from those of the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Words {
    Radius,
    RadiusReadOnly,
    Search,
    SearchStore,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Ascending,
    Descending,
}

/// What a call asks for. What depends on the source stays open while there is none.
#[derive(Default)]
struct SearchCall {
    center: Option<Point>,
    shape: Option<Shape>,
    polygon: Option<Vec<Point>>,
    /// The word by which a centre was named, whether or not there is a source to look it up in.
    center_word: Option<&'static str>,
    /// The word that gave the shape.
    shape_word: Option<&'static str>,
    /// Metres in the unit of the reply.
    metres: f64,
    order: Option<Order>,
    /// 0: no limit.
    count: usize,
    takes_any: bool,
    with_distances: bool,
    with_hashes: bool,
    with_points: bool,
    /// The argument that is the key of the result.
    destination: Option<usize>,
    stores_distances: bool,
}

/// The words before the key of the result, and whether distances are stored.
const DESTINATION_WORDS: [(&str, bool); 2] = [("store", false), ("storedist", true)];

/// A place that was found.
struct Found<'a> {
    member: &'a [u8],
    score: f64,
    point: Point,
    /// In the unit of the reply.
    distance: f64,
}

/// `GEORADIUS key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH]
/// [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]` → the places in a circle, or how
/// many were stored. O(places in the box around it).
pub(super) fn georadius(ctx: &mut Ctx<'_, '_>) -> Outcome {
    radius(ctx, Words::Radius)
}

/// `GEORADIUS_RO key longitude latitude radius unit [option …]` → as GEORADIUS without STORE.
pub(super) fn georadius_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    radius(ctx, Words::RadiusReadOnly)
}

/// `GEORADIUSBYMEMBER key member radius unit [option …]` → as GEORADIUS around a place that is
/// there.
pub(super) fn georadiusbymember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    radius_by_member(ctx, Words::Radius)
}

/// `GEORADIUSBYMEMBER_RO key member radius unit [option …]` → as GEORADIUSBYMEMBER without STORE.
pub(super) fn georadiusbymember_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    radius_by_member(ctx, Words::RadiusReadOnly)
}

/// `GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius unit |
/// BYBOX width height unit> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]`, or
/// with `BYPOLYGON corners longitude latitude …` instead of the first two → the places inside.
/// O(places in the box around it).
pub(super) fn geosearch(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let dialect = ctx.settings.dialect;
    let form = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))?;
    let call = SearchCall::default().with_options(ctx.argv, 2, form, Words::Search);
    let call = call.map_err(|error| in_dialect(dialect, error))?;
    run(ctx, 1, &call, events::GEOSEARCHSTORE)
}

/// `GEOSEARCHSTORE destination source <from> <by> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]` →
/// number of places that were stored; see GEOSEARCH.
pub(super) fn geosearchstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let dialect = ctx.settings.dialect;
    let form = ctx.data.read_as::<LargeSortedSet>(ctx.key(2))?;
    let call = SearchCall { destination: Some(1), ..SearchCall::default() };
    let call = call.with_options(ctx.argv, 3, form, Words::SearchStore);
    let call = call.map_err(|error| in_dialect(dialect, error))?;
    run(ctx, 2, &call, events::GEOSEARCHSTORE)
}

/// A key spec finds the key behind the first STORE and the first STOREDIST, but the last of all
/// these words holds.
pub(super) fn radius_reach(argv: Argv<'_>) -> Reach {
    let is_repeated = DESTINATION_WORDS.into_iter().any(|(word, _)| {
        let words = (0..argv.len()).filter(|index| args::is_word(argv.at(*index), word));
        1 < words.count()
    });
    if is_repeated { Reach::All } else { Reach::Keys }
}

fn radius(ctx: &mut Ctx<'_, '_>, words: Words) -> Outcome {
    let argv = ctx.argv;
    let form = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))?;
    let center = point(argv.at(2), argv.at(3))?;
    let call = SearchCall { center: Some(center), ..SearchCall::default() };
    let call = call.with_radius(argv.at(4), argv.at(5))?.with_options(argv, 6, form, words)?;
    run(ctx, 1, &call, events::GEORADIUSSTORE)
}

fn radius_by_member(ctx: &mut Ctx<'_, '_>, words: Words) -> Outcome {
    let (argv, dialect) = (ctx.argv, ctx.settings.dialect);
    let form = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))?;
    let mut call = SearchCall::default();
    if let Some(form) = form {
        let center = place_named(form, argv.at(2)).map_err(|error| in_dialect(dialect, error))?;
        call.center = Some(center);
        call = call.with_radius(argv.at(3), argv.at(4))?;
    }
    let call = call.with_options(argv, 5, form, words)?;
    run(ctx, 1, &call, events::GEORADIUSSTORE)
}

/// Searches, and replies or stores.
fn run(ctx: &mut Ctx<'_, '_>, source: usize, call: &SearchCall, event: Event) -> Outcome {
    let form = ctx.data.view_as::<LargeSortedSet>(ctx.key(source));
    let found = form.map(|form| call.find(form)).unwrap_or_default();
    let Some(destination) = call.destination else {
        call.reply(ctx.reply, &found, ctx.settings.dialect);
        return Ok(());
    };
    let limits = ctx.settings.types.zset;
    let mut result = Own::default();
    for place in &found {
        let score = if call.stores_distances { place.distance } else { place.score };
        sorted_set::set(&mut result, place.member, score, &limits);
    }
    let len = store(ctx, ctx.key(destination), result, event);
    ctx.reply.integer(len as i64);
    Ok(())
}

/// Where a member is, who must be there.
fn place_named(form: Form<'_, LargeSortedSet>, member: &[u8]) -> Result<Point, CommandError> {
    place_of(form, member).ok_or_else(|| CommandError::PlaceMissing(args::shown(member)))
}

fn in_dialect(dialect: Dialect, error: CommandError) -> CommandError {
    match error {
        CommandError::PlaceMissing(member) if dialect.differences().missing_places_are_named => {
            CommandError::PlaceMissingNamed(member)
        }
        error => error,
    }
}

impl SearchCall {
    fn with_radius(mut self, radius: &[u8], unit: &[u8]) -> Result<Self, CommandError> {
        let radius = length(radius, CommandError::RadiusNotNumeric)?;
        if radius < 0.0 {
            return Err(CommandError::RadiusNegative);
        }
        self.metres = metres_in(unit)?;
        self.shape = Some(Shape::Circle { radius: radius * self.metres });
        Ok(self)
    }

    fn with_box(mut self, args: &mut Args<'_>) -> Result<Self, CommandError> {
        let width = length(args.required()?, CommandError::WidthNotNumeric)?;
        let height = length(args.required()?, CommandError::HeightNotNumeric)?;
        if width < 0.0 || height < 0.0 {
            return Err(CommandError::BoxNegative);
        }
        self.metres = metres_in(args.required()?)?;
        let shape = Shape::Box { height: height * self.metres, width: width * self.metres };
        self.shape = Some(shape);
        Ok(self)
    }

    fn with_polygon(mut self, args: &mut Args<'_>) -> Result<Self, CommandError> {
        const CORNERS_MIN: i32 = 3;
        let count = args::integer_32(args.required()?);
        let count = count.map_err(|_| CommandError::CornersInvalid)?;
        if count < CORNERS_MIN || args.len() / 2 < count as usize {
            return Err(CommandError::CornersTooFew);
        }
        let corner = |_| point(args.required()?, args.required()?);
        self.polygon = Some((0..count).map(corner).collect::<Result<_, _>>()?);
        self.metres = 1.0;
        Ok(self)
    }

    /// Reads the options from argument `position` on.
    fn with_options(
        mut self,
        argv: Argv<'_>,
        position: usize,
        form: Option<Form<'_, LargeSortedSet>>,
        words: Words,
    ) -> Result<Self, CommandError> {
        let mut args = Args::new(argv, position);
        let is_search = matches!(words, Words::Search | Words::SearchStore);
        while !args.is_empty() {
            if self.take_flag(&mut args) {
            } else if 2 <= args.len() && args.take("count") {
                let count = args.integer()?;
                let count = usize::try_from(count).ok().filter(|count| *count != 0);
                self.count = count.ok_or(CommandError::GeoCountNotPositive)?;
            } else if words == Words::Radius && self.take_destination(&mut args)? {
            } else if words == Words::SearchStore && args.take("storedist") {
                self.stores_distances = true;
            } else if is_search {
                self = self.with_shape(&mut args, form)?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        self.checked(argv, words)
    }

    /// Takes one of the options that say where and in which shape.
    fn with_shape(
        mut self,
        args: &mut Args<'_>,
        form: Option<Form<'_, LargeSortedSet>>,
    ) -> Result<Self, CommandError> {
        if self.takes_center(args, "frommember", 2) {
            let member = args.required()?;
            if let Some(form) = form {
                self.center = Some(place_named(form, member)?);
            }
        } else if self.takes_center(args, "fromlonlat", 3) {
            self.center = Some(point(args.required()?, args.required()?)?);
        } else if self.takes_shape(args, "byradius", 3) {
            return self.with_radius(args.required()?, args.required()?);
        } else if self.takes_shape(args, "bybox", 4) {
            return self.with_box(args);
        } else if self.center_word.is_none() && self.takes_shape(args, "bypolygon", 3) {
            return self.with_polygon(args);
        } else {
            return Err(CommandError::Syntax);
        }
        Ok(self)
    }

    /// Takes `word`, with which at least `len` arguments are left. It may come again, and then the
    /// last one holds, but no other word that names a centre.
    fn takes_center(&mut self, args: &mut Args<'_>, word: &'static str, len: usize) -> bool {
        let may = self.polygon.is_none() && self.center_word.is_none_or(|taken| taken == word);
        let is_taken = may && len <= args.len() && args.take(word);
        self.center_word = if is_taken { Some(word) } else { self.center_word };
        is_taken
    }

    /// As [`SearchCall::takes_center`], for shapes.
    fn takes_shape(&mut self, args: &mut Args<'_>, word: &'static str, len: usize) -> bool {
        let may = self.polygon.is_none() && self.shape_word.is_none_or(|taken| taken == word);
        let is_taken = may && len <= args.len() && args.take(word);
        self.shape_word = if is_taken { Some(word) } else { self.shape_word };
        is_taken
    }

    fn take_flag(&mut self, args: &mut Args<'_>) -> bool {
        let flags = [
            ("any", &mut self.takes_any),
            ("withcoord", &mut self.with_points),
            ("withdist", &mut self.with_distances),
            ("withhash", &mut self.with_hashes),
        ];
        for (word, flag) in flags {
            if args.take(word) {
                *flag = true;
                return true;
            }
        }
        for (word, order) in [("asc", Order::Ascending), ("desc", Order::Descending)] {
            if args.take(word) {
                self.order = Some(order);
                return true;
            }
        }
        false
    }

    /// Takes STORE or STOREDIST; the last one holds.
    fn take_destination(&mut self, args: &mut Args<'_>) -> Result<bool, CommandError> {
        for (word, stores_distances) in DESTINATION_WORDS {
            let at = args.position();
            if 2 <= args.len() && args.take(word) {
                self.destination = Some(at + 1);
                self.stores_distances = stores_distances;
                args.required()?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn checked(mut self, argv: Argv<'_>, words: Words) -> Result<Self, CommandError> {
        let shows = self.with_distances || self.with_hashes || self.with_points;
        if self.destination.is_some() && shows {
            return Err(match words {
                Words::SearchStore => CommandError::GeoSearchStoreOptions,
                _ => CommandError::GeoRadiusStoreOptions,
            });
        }
        if matches!(words, Words::Search | Words::SearchStore) && self.polygon.is_none() {
            if self.center_word.is_none() {
                return Err(CommandError::GeoCenterMissing(args::shown(argv.at(0))));
            }
            if self.shape.is_none() {
                return Err(CommandError::GeoShapeMissing(args::shown(argv.at(0))));
            }
        }
        if self.takes_any && self.count == 0 {
            return Err(CommandError::GeoAnyWithoutCount);
        }
        // The nearest ones are meant, unless any will do.
        if self.count != 0 && self.order.is_none() && !self.takes_any {
            self.order = Some(Order::Ascending);
        }
        Ok(self)
    }

    /// The places inside, in order.
    fn find<'a>(&self, form: Form<'a, LargeSortedSet>) -> Vec<Found<'a>> {
        let search = match (&self.polygon, self.center, &self.shape) {
            (Some(corners), ..) => Search::polygon(corners.clone()),
            (None, Some(center), Some(shape)) => Search::around(center, shape.clone()),
            _ => return Vec::new(),
        };
        let any_count = if self.takes_any { self.count } else { usize::MAX };
        let mut found = Vec::new();
        for cell in search.cells() {
            let before = |score| sorted_set::count_before(form, Bound::BeforeScore(score));
            let ranks = before(cell.start)..before(cell.end);
            for item in sorted_set::iter(form, ranks) {
                if any_count <= found.len() {
                    break;
                }
                let point = Point::from_score(item.score);
                if let Some(metres) = search.distance_to(point) {
                    let distance = metres / self.metres;
                    found.push(Found { member: item.member, score: item.score, point, distance });
                }
            }
        }
        match self.order {
            None => {}
            Some(Order::Ascending) => found.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
            Some(Order::Descending) => found.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
        }
        if self.count != 0 {
            found.truncate(self.count);
        }
        found
    }

    fn reply(&self, reply: &mut Reply, found: &[Found<'_>], dialect: Dialect) {
        let shown = [self.with_distances, self.with_hashes, self.with_points];
        let parts = shown.into_iter().filter(|is_shown| *is_shown).count();
        reply.array(found.len());
        for place in found {
            if parts != 0 {
                reply.array(1 + parts);
            }
            reply.bulk(place.member);
            if self.with_distances {
                reply_distance(reply, place.distance);
            }
            if self.with_hashes {
                reply.integer(place.score as i64);
            }
            if self.with_points {
                reply_point(reply, place.point, dialect);
            }
        }
    }
}

/// A length as a number, or the error that says what it is for.
fn length(argument: &[u8], error: CommandError) -> Result<f64, CommandError> {
    args::float(argument).map_err(|_| error)
}
