//! Places on the globe as scores of a sorted set: geohash arithmetic, distances, shapes.
//!
//! Longitude and latitude are cut into 2^26 steps each, and the bits of the two numbers interleaved:
//! 52 bits, which a double holds exactly. Places that agree in the first bits lie in one cell of a
//! grid, so a cell is a range of scores. A search looks at the cell in which its centre lies and at
//! the eight around it, of a size so that these cover the shape ([`Search::cells`]), and then at each
//! place in them ([`Search::distance_to`]).
//!
//! Latitudes end where the map of the web's tiles does, at about 85°. The earth is a ball here.

use std::ops::Range;

use smallvec::SmallVec;

/// Radius of the earth in metres.
const EARTH_RADIUS: f64 = 6_372_797.560_856;
/// Half the circumference of the map in metres: no circle is larger.
const MAP_RADIUS: f64 = 20_037_726.37;

const LATITUDE_MAX: f64 = 85.051_128_78;
const LONGITUDE_MAX: f64 = 180.0;
/// Bits of each of the two coordinates.
const STEPS_MAX: u32 = 26;

/// Length of a geohash as text.
pub const TEXT_LEN: usize = 11;
const TEXT_DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

impl Point {
    /// Whether it lies on the map.
    pub fn is_valid(self) -> bool {
        self.longitude.abs() <= LONGITUDE_MAX && self.latitude.abs() <= LATITUDE_MAX
    }

    /// The score of a place.
    pub fn to_score(self) -> f64 {
        Cell::at(self, STEPS_MAX).bits() as f64
    }

    /// The place of a score: the centre of the smallest cell.
    pub fn from_score(score: f64) -> Self {
        let area = Cell::from_bits(score as u64, STEPS_MAX).area();
        let middle = |low: f64, high: f64, max: f64| ((low + high) / 2.0).clamp(-max, max);
        Self {
            longitude: middle(area.min.longitude, area.max.longitude, LONGITUDE_MAX),
            latitude: middle(area.min.latitude, area.max.latitude, LATITUDE_MAX),
        }
    }

    /// How far it is to another place, in metres, along the surface.
    pub fn distance(self, other: Self) -> f64 {
        let half_sine = |a: f64, b: f64| ((b.to_radians() - a.to_radians()) / 2.0).sin();
        let v = half_sine(self.longitude, other.longitude);
        if v == 0.0 {
            return latitude_distance(self.latitude, other.latitude);
        }
        let u = half_sine(self.latitude, other.latitude);
        let cosines = self.latitude.to_radians().cos() * other.latitude.to_radians().cos();
        2.0 * EARTH_RADIUS * (u * u + cosines * v * v).sqrt().asin()
    }

    /// The geohash as others write it: over all latitudes, five bits a letter.
    pub fn text(self) -> [u8; TEXT_LEN] {
        let cell = Cell::within(self, STEPS_MAX, 90.0);
        let bits = cell.bits();
        std::array::from_fn(|index| {
            let shift = 52_usize.checked_sub((index + 1) * 5);
            // The last letter would need three bits more than there are.
            TEXT_DIGITS[shift.map_or(0, |shift| (bits >> shift & 0x1f) as usize)]
        })
    }
}

/// What is searched for places; in metres.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Around the centre.
    Box {
        /// From south to north.
        height: f64,
        /// From west to east.
        width: f64,
    },
    /// Around the centre.
    Circle {
        /// From the centre to the edge.
        radius: f64,
    },
    /// Between its corners, in order.
    Polygon(Vec<Point>),
}

/// A shape at its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    center: Point,
    shape: Shape,
}

impl Search {
    /// A box or a circle around a place.
    pub fn around(center: Point, shape: Shape) -> Self {
        Self { center, shape }
    }

    /// A polygon; its centre, from which distances are taken, is the middle of its corners.
    pub fn polygon(corners: Vec<Point>) -> Self {
        let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
        for corner in &corners {
            let (longitude, latitude) =
                (corner.longitude.to_radians(), corner.latitude.to_radians());
            x += latitude.cos() * longitude.cos();
            y += latitude.cos() * longitude.sin();
            z += latitude.sin();
        }
        let center = Point {
            longitude: f64::atan2(y, x).to_degrees(),
            latitude: f64::atan2(z, (x * x + y * y).sqrt()).to_degrees(),
        };
        Self { center, shape: Shape::Polygon(corners) }
    }

    /// How far a place is from the centre, if it lies inside.
    pub fn distance_to(&self, point: Point) -> Option<f64> {
        match &self.shape {
            Shape::Circle { radius } => {
                Some(self.center.distance(point)).filter(|distance| distance <= radius)
            }
            Shape::Box { height, width } => {
                if *height / 2.0 < latitude_distance(point.latitude, self.center.latitude) {
                    return None;
                }
                let beside = Point { longitude: self.center.longitude, ..point };
                let is_inside = point.distance(beside) <= *width / 2.0;
                is_inside.then(|| self.center.distance(point))
            }
            Shape::Polygon(corners) => {
                is_between(corners, point).then(|| self.center.distance(point))
            }
        }
    }

    /// Ranges of scores in which all places inside lie, in the order in which they are searched: the
    /// cell of the centre, those beside it, those at its corners.
    pub fn cells(&self) -> SmallVec<[Range<f64>; 9]> {
        let bounds = self.bounds();
        let mut steps = steps_for(self.reach(&bounds), self.center.latitude);
        let mut cell = Cell::at(self.center, steps);
        if 1 < steps && !cell.neighbours_cover(&bounds) {
            steps -= 1;
            cell = Cell::at(self.center, steps);
        }
        let area = cell.area();
        // A side on which the cell itself reaches far enough needs no neighbour.
        let is_needed = |east: i32, north: i32| {
            steps < 2
                || !(east < 0 && area.min.longitude < bounds.min.longitude
                    || 0 < east && bounds.max.longitude < area.max.longitude
                    || north < 0 && area.min.latitude < bounds.min.latitude
                    || 0 < north && bounds.max.latitude < area.max.latitude)
        };
        const AROUND: [(i32, i32); 9] =
            [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut cells: SmallVec<[Cell; 9]> = SmallVec::new();
        for (east, north) in AROUND {
            // On a map of few cells neighbours are the same.
            let neighbour = cell.moved(east, north);
            if is_needed(east, north) && !cells.contains(&neighbour) {
                cells.push(neighbour);
            }
        }
        cells.into_iter().map(Cell::scores).collect()
    }

    /// The corner in the south-west and the one in the north-east of all that is inside.
    fn bounds(&self) -> Area {
        let (height, width) = match &self.shape {
            Shape::Box { height, width } => (height / 2.0, width / 2.0),
            Shape::Circle { radius } => (*radius, *radius),
            Shape::Polygon(corners) => return area_of(corners),
        };
        let Point { longitude, latitude } = self.center;
        let north = (height / EARTH_RADIUS).to_degrees();
        // The side nearer to the pole spans more degrees.
        let far_latitude = if latitude < 0.0 { latitude - north } else { latitude + north };
        let east = (width / EARTH_RADIUS / far_latitude.to_radians().cos()).to_degrees();
        Area {
            min: Point { longitude: longitude - east, latitude: latitude - north },
            max: Point { longitude: longitude + east, latitude: latitude + north },
        }
    }

    /// How far the shape reaches from its centre, in metres.
    fn reach(&self, bounds: &Area) -> f64 {
        match &self.shape {
            Shape::Box { height, width } => f64::hypot(width / 2.0, height / 2.0),
            Shape::Circle { radius } => *radius,
            Shape::Polygon(_) => {
                let Area { min, max } = *bounds;
                let corners = [
                    min,
                    max,
                    Point { longitude: min.longitude, latitude: max.latitude },
                    Point { longitude: max.longitude, latitude: min.latitude },
                ];
                corners.into_iter().map(|corner| self.center.distance(corner)).fold(0.0, f64::max)
            }
        }
    }
}

/// From the south-west to the north-east.
#[derive(Clone, Copy, Debug)]
struct Area {
    min: Point,
    max: Point,
}

/// A cell of the grid that has 2^steps rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    column: u32,
    row: u32,
    steps: u32,
}

impl Cell {
    fn at(point: Point, steps: u32) -> Self {
        Self::within(point, steps, LATITUDE_MAX)
    }

    /// The cell of a map that ends at these latitudes.
    fn within(point: Point, steps: u32, latitude_max: f64) -> Self {
        let scale = f64::from(1_u32 << steps);
        let place = |value: f64, max: f64| ((value + max) / (2.0 * max) * scale) as u32;
        Self {
            column: place(point.longitude, LONGITUDE_MAX),
            row: place(point.latitude, latitude_max),
            steps,
        }
    }

    fn from_bits(bits: u64, steps: u32) -> Self {
        Self { column: every_other(bits >> 1), row: every_other(bits), steps }
    }

    /// Columns in the odd bits, rows in the even ones.
    fn bits(self) -> u64 {
        spread(self.row) | spread(self.column) << 1
    }

    fn area(self) -> Area {
        let scale = f64::from(1_u32 << self.steps);
        let edge = |number: u32, max: f64| -max + f64::from(number) / scale * (2.0 * max);
        let corner = |column: u32, row: u32| Point {
            longitude: edge(column, LONGITUDE_MAX),
            latitude: edge(row, LATITUDE_MAX),
        };
        Area { min: corner(self.column, self.row), max: corner(self.column + 1, self.row + 1) }
    }

    /// The cell so many columns to the east and rows to the north; the map is closed in itself.
    fn moved(self, east: i32, north: i32) -> Self {
        let mask = (1_u32 << self.steps) - 1;
        let step = |place: u32, by: i32| match by {
            0 => place,
            by => place.wrapping_add_signed(by) & mask,
        };
        Self { column: step(self.column, east), row: step(self.row, north), ..self }
    }

    /// Whether the cells around this one reach as far as `bounds`.
    fn neighbours_cover(self, bounds: &Area) -> bool {
        let area = |east, north| self.moved(east, north).area();
        bounds.max.latitude <= area(0, 1).max.latitude
            && area(0, -1).min.latitude <= bounds.min.latitude
            && bounds.max.longitude <= area(1, 0).max.longitude
            && area(-1, 0).min.longitude <= bounds.min.longitude
    }

    /// The scores of all places inside.
    fn scores(self) -> Range<f64> {
        let shift = 2 * (STEPS_MAX - self.steps);
        let bits = self.bits();
        (bits << shift) as f64..((bits + 1) << shift) as f64
    }
}

/// The number of steps at which three cells in a row cover `range` metres to either side.
fn steps_for(range: f64, latitude: f64) -> u32 {
    if range == 0.0 {
        return STEPS_MAX;
    }
    let (mut range, mut steps) = (range, 1_i32);
    while range < MAP_RADIUS {
        range *= 2.0;
        steps += 1;
    }
    steps -= 2;
    // Columns are narrower near the poles.
    steps -= i32::from(66.0 < latitude.abs()) + i32::from(80.0 < latitude.abs());
    steps.clamp(1, STEPS_MAX as i32) as u32
}

fn latitude_distance(a: f64, b: f64) -> f64 {
    EARTH_RADIUS * (b.to_radians() - a.to_radians()).abs()
}

fn area_of(corners: &[Point]) -> Area {
    let first = corners.first().copied().unwrap_or(Point { longitude: 0.0, latitude: 0.0 });
    corners.iter().fold(Area { min: first, max: first }, |area, corner| Area {
        min: Point {
            longitude: area.min.longitude.min(corner.longitude),
            latitude: area.min.latitude.min(corner.latitude),
        },
        max: Point {
            longitude: area.max.longitude.max(corner.longitude),
            latitude: area.max.latitude.max(corner.latitude),
        },
    })
}

/// Whether a ray from the point to the east crosses an odd number of edges.
fn is_between(corners: &[Point], point: Point) -> bool {
    let edges = corners.iter().zip(corners.iter().cycle().skip(corners.len().saturating_sub(1)));
    let is_crossed = |(a, b): &(&Point, &Point)| {
        let spans = (point.latitude < a.latitude) != (point.latitude < b.latitude);
        let part = |a: &Point, b: &Point| {
            (b.longitude - a.longitude) * (point.latitude - a.latitude) / (b.latitude - a.latitude)
                + a.longitude
        };
        spans && point.longitude < part(a, b)
    };
    edges.filter(is_crossed).count() % 2 == 1
}

/// Puts a zero above each bit.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// The even bits.
fn every_other(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point() -> impl Strategy<Value = Point> {
        (-180.0..180.0, -85.0..85.0).prop_map(|(longitude, latitude)| Point { longitude, latitude })
    }

    fn covers(search: &Search, point: Point) -> bool {
        let score = point.to_score();
        search.cells().iter().any(|cell| cell.contains(&score))
    }

    #[test]
    fn a_known_place_has_its_known_score_and_text() {
        let palermo = Point { longitude: 13.361389, latitude: 38.115556 };
        let catania = Point { longitude: 15.087269, latitude: 37.502669 };
        assert_eq!(palermo.to_score(), 3_479_099_956_230_698.0);
        assert_eq!(catania.to_score(), 3_479_447_370_796_909.0);
        let (a, b) = (Point::from_score(palermo.to_score()), Point::from_score(catania.to_score()));
        assert_eq!(format!("{:.4}", a.distance(b)), "166274.1516");
        assert_eq!(&a.text(), b"sqc8b49rny0");
    }

    proptest! {
        #[test]
        fn a_score_is_the_place_again(point in point()) {
            let again = Point::from_score(point.to_score());
            prop_assert!(point.distance(again) < 1.0);
            prop_assert_eq!(again.to_score(), point.to_score());
        }

        #[test]
        fn bits_come_apart_again(column in 0..1_u32 << 27, row in 0..1_u32 << 27) {
            let cell = Cell { column, row, steps: STEPS_MAX };
            prop_assert_eq!(Cell::from_bits(cell.bits(), STEPS_MAX), cell);
        }

        #[test]
        fn what_lies_inside_lies_in_the_cells(
            center in (-170.0..170.0, -60.0..60.0),
            offset in (-1.0..1.0, -1.0..1.0),
            size in 1.0..300_000.0,
        ) {
            let center = Point { longitude: center.0, latitude: center.1 };
            let near = Point {
                longitude: center.longitude + offset.0 * size / 60_000.0,
                latitude: center.latitude + offset.1 * size / 110_000.0,
            };
            let shapes = [Shape::Circle { radius: size }, Shape::Box { height: size, width: size }];
            for shape in shapes {
                let search = Search::around(center, shape);
                let is_inside = search.distance_to(Point::from_score(near.to_score())).is_some();
                prop_assert!(!is_inside || covers(&search, near), "{:?} {:?}", search, near);
            }
        }
    }

    #[test]
    fn a_polygon_contains_what_is_between_its_corners() {
        let at = |longitude, latitude| Point { longitude, latitude };
        let search = Search::polygon(vec![at(0.0, 0.0), at(10.0, 0.0), at(0.0, 10.0)]);
        assert!(search.distance_to(at(2.0, 2.0)).is_some());
        assert!(search.distance_to(at(6.0, 6.0)).is_none());
        assert!(search.distance_to(at(-1.0, 2.0)).is_none());
        assert!(covers(&search, at(2.0, 2.0)) && covers(&search, at(9.0, 0.5)));
    }
}
