//! Memory and waits over the time around BGSAVE, one line for each server.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::super::plot::{Area, FAINT, INK, TITLE_HEIGHT, WIDTH, color, draw_legend, text};
use super::Course;
use crate::process::Outcome;

const HEIGHT: u32 = 560;
/// The longest wait of each such time is drawn.
const WINDOW: f64 = 0.1;

/// Draws the courses as SVG.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn draw(courses: &[Course], conditions: &str, path: &Path) -> Outcome {
    draw_all(courses, conditions, path).map_err(|error| format!("{}: {error}", path.display()))
}

fn draw_all(
    courses: &[Course],
    conditions: &str,
    path: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(path, (WIDTH, TITLE_HEIGHT + HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let (top, rest) = root.split_vertically(TITLE_HEIGHT);
    let title = "Memory, and what another client waits, around BGSAVE (at 0 s)";
    top.draw(&Text::new(title, (14, 8), text(19, INK, HPos::Left, VPos::Top)))?;
    top.draw(&Text::new(conditions, (14, 33), text(11, INK, HPos::Left, VPos::Top)))?;
    let servers: Vec<String> = courses.iter().map(|course| course.server.clone()).collect();
    draw_legend(&servers, &top)?;
    let memory: Vec<_> = courses.iter().map(memory).collect();
    let waits: Vec<_> = courses.iter().map(longest_waits).collect();
    let (upper, lower) = rest.split_vertically(HEIGHT / 2);
    draw_lines(&upper, "memory beside that before", &servers, &memory, false)?;
    draw_lines(&lower, "longest wait in 0.1 s, ms", &servers, &waits, true)
}

/// Memory beside the last before the snapshot.
fn memory(course: &Course) -> Vec<(f64, f64)> {
    let before = course.memory.iter().rev().find(|(at, _)| *at < 0.0);
    let before = before.map_or(1.0, |(_, bytes)| *bytes);
    course.memory.iter().map(|(at, bytes)| (*at, bytes / before)).collect()
}

fn longest_waits(course: &Course) -> Vec<(f64, f64)> {
    let window = |at: f64| (at / WINDOW).floor();
    let groups = course.waits.chunk_by(|one, next| window(one.0) == window(next.0));
    let longest = |group: &[(f64, f64)]| {
        let longest = group.iter().map(|(_, wait)| *wait).fold(0.01, f64::max);
        (window(group[0].0) * WINDOW, longest)
    };
    groups.map(longest).collect()
}

fn draw_lines(
    area: &Area<'_>,
    unit: &str,
    servers: &[String],
    lines: &[Vec<(f64, f64)>],
    is_logarithmic: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let points = || lines.iter().flatten();
    let (left, right) =
        points().fold((0.0_f64, 1.0_f64), |(a, b), (at, _)| (a.min(*at), b.max(*at)));
    let most = points().map(|(_, value)| *value).fold(1.0, f64::max);
    let mut builder = ChartBuilder::on(area);
    builder.margin(8).margin_right(16).x_label_area_size(24).y_label_area_size(56);
    macro_rules! draw_chart {
        ($range:expr) => {{
            let mut chart = builder.build_cartesian_2d(left..right, $range)?;
            chart
                .configure_mesh()
                .light_line_style(WHITE)
                .bold_line_style(FAINT)
                .axis_style(INK)
                .y_desc(unit)
                .label_style(text(11, INK, HPos::Left, VPos::Top))
                .draw()?;
            for (place, line) in lines.iter().enumerate() {
                let style = color(servers, place).stroke_width(2);
                chart.draw_series(LineSeries::new(line.iter().copied(), style))?;
            }
        }};
    }
    if is_logarithmic {
        draw_chart!((0.01..most * 2.0).log_scale());
    } else {
        draw_chart!(0.0..most * 1.1);
    }
    Ok(())
}
