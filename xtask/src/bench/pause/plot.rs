//! The longest waits as bars, on a scale of powers of ten: from a moment to seconds.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::super::document::Document;
use super::super::plot::{FAINT, INK, TITLE_HEIGHT, WIDTH, color, draw_legend, text};
use super::Row;
use super::actions::ACTIONS;
use crate::process::Outcome;

const HEIGHT: u32 = 380;
const LEAST_MS: f64 = 1.0;
/// Of a group's width, what its bars take.
const BARS_WIDTH: f64 = 0.84;

/// Draws the longest wait during each action, as SVG.
///
/// # Errors
/// If there are no figures, or the file cannot be written.
pub(crate) fn draw(document: &Document, path: &Path) -> Outcome {
    if document.pauses.is_empty() {
        return Err("there are no figures of pauses to draw".to_owned());
    }
    draw_rows(document, path).map_err(|error| format!("{}: {error}", path.display()))
}

fn draw_rows(document: &Document, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let rows = &document.pauses;
    let mut servers: Vec<String> = Vec::new();
    for row in rows {
        if !servers.contains(&row.server) {
            servers.push(row.server.clone());
        }
    }
    let is_measured = |name: &str| rows.iter().any(|row| row.action == name);
    let actions: Vec<_> = ACTIONS.iter().filter(|action| is_measured(action.name)).collect();
    let root = SVGBackend::new(path, (WIDTH, TITLE_HEIGHT + HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let (top, rest) = root.split_vertically(TITLE_HEIGHT);
    let title = "The longest that other clients wait while one is heavy (less is better)";
    top.draw(&Text::new(title, (14, 8), text(19, INK, HPos::Left, VPos::Top)))?;
    let date = document.machine.date.split(' ').next().unwrap_or_default();
    let conditions = format!("{date}, {}; {}", document.machine.processor, document.conditions);
    top.draw(&Text::new(conditions, (14, 33), text(11, INK, HPos::Left, VPos::Top)))?;
    draw_legend(&servers, &top)?;
    let max = rows.iter().map(|row| row.longest_ms).fold(10.0, f64::max) * 2.0;
    let mut chart = ChartBuilder::on(&rest)
        .margin(8)
        .margin_right(12)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..actions.len() as f64, (LEAST_MS..max).log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .light_line_style(WHITE)
        .bold_line_style(FAINT)
        .axis_style(INK)
        .y_desc("ms")
        .y_label_formatter(&|value| format!("{value:.0}"))
        .label_style(text(11, INK, HPos::Left, VPos::Top))
        .draw()?;
    let area = chart.plotting_area();
    let bar = BARS_WIDTH / servers.len() as f64;
    for (index, action) in actions.iter().enumerate() {
        let center = index as f64 + 0.5;
        for (line, words) in in_two_lines(action.label).into_iter().enumerate() {
            let place = (0, 6 + 14 * line as i32);
            let below = Text::new(words, place, text(11, INK, HPos::Center, VPos::Top));
            area.draw(&(EmptyElement::at((center, LEAST_MS)) + below))?;
        }
        let find = |server: &String| {
            let is_it = |row: &&Row| row.action == action.name && row.server == *server;
            rows.iter().find(is_it).filter(|row| row.refusal.is_none())
        };
        for (place, row) in servers.iter().map(find).enumerate() {
            let Some(row) = row else { continue };
            let left = center - BARS_WIDTH / 2.0 + bar * place as f64;
            let height = row.longest_ms.max(LEAST_MS * 1.02);
            let corners = [(left + bar * 0.06, LEAST_MS), (left + bar * 0.94, height)];
            area.draw(&Rectangle::new(corners, color(&servers, place).filled()))?;
            let longest = format!("{:.0}", row.longest_ms);
            let above = Text::new(longest, (0, -3), text(9, INK, HPos::Center, VPos::Bottom));
            area.draw(&(EmptyElement::at((left + bar / 2.0, height)) + above))?;
        }
    }
    root.present()?;
    Ok(())
}

/// A label over two lines, broken near its middle.
fn in_two_lines(label: &str) -> Vec<String> {
    let spaces = label.match_indices(' ').map(|(at, _)| at);
    match spaces.min_by_key(|at| at.abs_diff(label.len() / 2)) {
        Some(at) if 9 < label.len() => vec![label[..at].to_owned(), label[at + 1..].to_owned()],
        _ => vec![label.to_owned()],
    }
}
