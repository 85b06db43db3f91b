//! The figures as bars: processor time per operation, a panel for each pipeline, and memory below.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::document::Document;
use super::workload::{Family, WORKLOADS};
use crate::process::Outcome;

pub(super) const WIDTH: u32 = 960;
pub(super) const TITLE_HEIGHT: u32 = 74;
const ROW_HEIGHT: u32 = 250;
const FONT: &str = "sans-serif";
pub(super) const INK: RGBColor = RGBColor(40, 40, 40);
pub(super) const FAINT: RGBColor = RGBColor(225, 225, 225);
/// Ochre's own, and the peers' in their order.
const OCHRE: RGBColor = RGBColor(204, 119, 34);
const OCHRE_PALE: RGBColor = RGBColor(230, 175, 115);
const PEERS: [RGBColor; 4] = [
    RGBColor(74, 101, 131),
    RGBColor(150, 170, 190),
    RGBColor(120, 120, 120),
    RGBColor(190, 190, 190),
];
/// Of a group's width, what its bars take.
const BARS_WIDTH: f64 = 0.88;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One chart: groups of bars, one bar for each server.
struct Panel {
    caption: String,
    unit: &'static str,
    groups: Vec<Group>,
}

struct Group {
    label: String,
    /// By server; NaN where there is none.
    values: Vec<f64>,
}

/// Draws the speed and memory figures of `document` as SVG.
///
/// # Errors
/// If there are none, or the file cannot be written.
pub(crate) fn draw(document: &Document, path: &Path) -> Outcome {
    let servers = servers(document);
    let (speed, memory) = (speed_panels(document, &servers), memory_panel(document, &servers));
    let rows = u32::from(!speed.is_empty()) + u32::from(memory.is_some());
    if rows == 0 {
        return Err("there are no figures of speed or memory to draw".to_owned());
    }
    let size = (WIDTH, TITLE_HEIGHT + rows * ROW_HEIGHT);
    draw_all(document, path, size, &servers, &speed, memory.as_ref())
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn draw_all(
    document: &Document,
    path: &Path,
    size: (u32, u32),
    servers: &[String],
    speed: &[Panel],
    memory: Option<&Panel>,
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    let (top, rest) = root.split_vertically(TITLE_HEIGHT);
    draw_title(document, servers, !speed.is_empty(), &top)?;
    let (upper, lower) = rest.split_vertically(if speed.is_empty() { 0 } else { ROW_HEIGHT });
    if !speed.is_empty() {
        for (panel, area) in speed.iter().zip(upper.split_evenly((1, speed.len()))) {
            draw_panel(panel, servers, &area)?;
        }
    }
    if let Some(panel) = memory {
        draw_panel(panel, servers, &lower)?;
    }
    root.present()?;
    Ok(())
}

/// A policy, and bars of trace, series and share of hits.
pub(crate) type Hits<'a> = (&'a str, Vec<(&'a str, &'a str, f64)>);

/// Draws shares of hits, a panel for each policy.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn draw_hits(policies: &[Hits<'_>], series: &[String], path: &Path) -> Outcome {
    let panel = |(policy, bars): &Hits<'_>| {
        let (caption, unit) = ((*policy).to_owned(), "share of hits");
        let mut panel = Panel { caption, unit, groups: Vec::new() };
        bars.iter().for_each(|(trace, name, share)| panel.set(trace, name, series, *share));
        panel
    };
    let panels: Vec<Panel> = policies.iter().map(panel).collect();
    let draw = || -> Result<(), Box<dyn std::error::Error>> {
        let root = SVGBackend::new(path, (WIDTH, TITLE_HEIGHT + ROW_HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let (top, rest) = root.split_vertically(TITLE_HEIGHT);
        let title = "Share of requests that a cache with room for a fifth of the keys answers";
        top.draw(&Text::new(title, (14, 8), text(19, INK, HPos::Left, VPos::Top)))?;
        draw_legend(series, &top)?;
        for (panel, area) in panels.iter().zip(rest.split_evenly((1, panels.len()))) {
            draw_panel(panel, series, &area)?;
        }
        root.present()?;
        Ok(())
    };
    draw().map_err(|error| format!("{}: {error}", path.display()))
}

/// As they first appear.
fn servers(document: &Document) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let of_speed = document.speed.iter().map(|row| &row.server);
    for name in of_speed.chain(document.memory.iter().map(|row| &row.server)) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn is_drawn(workload: &str) -> bool {
    let row = WORKLOADS.iter().find(|row| row.name == workload);
    row.is_none_or(|row| row.family == Family::Strings)
}

fn speed_panels(document: &Document, servers: &[String]) -> Vec<Panel> {
    let mut panels: Vec<(u32, Panel)> = Vec::new();
    // Of collections there are too many for bars side by side: a table says it better.
    for row in document.speed.iter().filter(|row| is_drawn(&row.workload)) {
        if !panels.iter().any(|(pipeline, _)| *pipeline == row.pipeline) {
            let caption = match row.pipeline {
                1 => "no pipeline".to_owned(),
                pipeline => format!("pipeline of {pipeline}"),
            };
            panels.push((
                row.pipeline,
                Panel { caption, unit: "CPU µs per operation", groups: Vec::new() },
            ));
        }
        let panel = panels.iter_mut().find(|(pipeline, _)| *pipeline == row.pipeline);
        let Some((_, panel)) = panel else { continue };
        panel.set(&row.command, &row.server, servers, row.figures.processor_us_per_op);
    }
    panels.into_iter().map(|(_, panel)| panel).collect()
}

fn memory_panel(document: &Document, servers: &[String]) -> Option<Panel> {
    let caption = "resident memory".to_owned();
    let mut panel = Panel { caption, unit: "bytes per item", groups: Vec::new() };
    let is_string = |shape: &str| shape.starts_with("string") || shape == "session";
    for row in document.memory.iter().filter(|row| is_string(&row.shape)) {
        panel.set(&row.label, &row.server, servers, row.bytes_per_item);
    }
    (!panel.groups.is_empty()).then_some(panel)
}

impl Panel {
    fn set(&mut self, label: &str, server: &str, servers: &[String], value: f64) {
        if !self.groups.iter().any(|group| group.label == label) {
            let values = vec![f64::NAN; servers.len()];
            self.groups.push(Group { label: label.to_owned(), values });
        }
        let group = self.groups.iter_mut().find(|group| group.label == label);
        let place = servers.iter().position(|name| name == server);
        if let (Some(group), Some(place)) = (group, place) {
            group.values[place] = value;
        }
    }

    fn max(&self) -> f64 {
        self.groups.iter().flat_map(|group| &group.values).copied().fold(0.0, f64::max)
    }
}

pub(super) fn color(servers: &[String], place: usize) -> RGBColor {
    if 1 < servers.iter().filter(|name| name.starts_with("Ochre")).count()
        && servers.iter().any(|name| !name.starts_with("Ochre"))
    {
        let is_own = servers[place].starts_with("Ochre");
        let before = servers[..place].iter().filter(|n| n.starts_with("Ochre") == is_own).count();
        return if is_own {
            [OCHRE, OCHRE_PALE][before.min(1)]
        } else {
            PEERS[before % PEERS.len()]
        };
    }
    let own = servers.iter().position(|name| name.starts_with("Ochre"));
    // With Ochre alone (one loop beside two), the last stands out.
    if Some(place) == own && own != Some(0) || own == Some(0) && place + 1 == servers.len() {
        OCHRE
    } else {
        PEERS[place % PEERS.len()]
    }
}

pub(super) fn text(
    size: u32,
    color: RGBColor,
    horizontal: HPos,
    vertical: VPos,
) -> TextStyle<'static> {
    (FONT, size).into_font().color(&color).pos(Pos::new(horizontal, vertical))
}

fn draw_title(
    document: &Document,
    servers: &[String],
    has_speed: bool,
    area: &Area<'_>,
) -> Result<(), Box<dyn std::error::Error>> {
    let title = match (has_speed, document.memory.is_empty()) {
        (true, true) => "Processor time of the server per operation (less is better)",
        (true, false) => "Processor time per operation and memory per item (less is better)",
        (false, _) => "Resident memory per item (less is better)",
    };
    let left = HPos::Left;
    area.draw(&Text::new(title, (14, 8), text(19, INK, left, VPos::Top)))?;
    let machine = &document.machine;
    let date = machine.date.split(' ').next().unwrap_or_default();
    let conditions =
        format!("{date}, {}, {} cores; {}", machine.processor, machine.cores, document.conditions);
    area.draw(&Text::new(conditions, (14, 33), text(11, INK, left, VPos::Top)))?;
    draw_legend(servers, area)
}

pub(super) fn draw_legend(
    servers: &[String],
    area: &Area<'_>,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut x = 14;
    let left = HPos::Left;
    for (place, name) in servers.iter().enumerate() {
        let fill = color(servers, place).filled();
        area.draw(&Rectangle::new([(x, 54), (x + 12, 66)], fill))?;
        area.draw(&Text::new(name.as_str(), (x + 17, 60), text(13, INK, left, VPos::Center)))?;
        x += 17 + name.chars().count() as i32 * 8 + 16;
    }
    Ok(())
}

fn draw_panel(
    panel: &Panel,
    servers: &[String],
    area: &Area<'_>,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.caption, text(14, INK, HPos::Left, VPos::Top))
        .margin(8)
        .margin_right(12)
        .x_label_area_size(24)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..panel.groups.len() as f64, 0.0..panel.max() * 1.15)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .y_labels(5)
        .light_line_style(WHITE)
        .bold_line_style(FAINT)
        .axis_style(INK)
        .y_desc(panel.unit)
        .y_label_formatter(&|value| label(*value, panel.max()))
        .label_style(text(11, INK, HPos::Left, VPos::Top))
        .draw()?;
    let bar = BARS_WIDTH / servers.len() as f64;
    let area = chart.plotting_area();
    for (index, group) in panel.groups.iter().enumerate() {
        let center = index as f64 + 0.5;
        let below = Text::new(group.label.clone(), (0, 7), text(12, INK, HPos::Center, VPos::Top));
        area.draw(&(EmptyElement::at((center, 0.0)) + below))?;
        let base = group.values[0];
        for (place, &value) in group.values.iter().enumerate().filter(|(_, v)| v.is_finite()) {
            let left = center - BARS_WIDTH / 2.0 + bar * place as f64;
            let corners = [(left + bar * 0.06, 0.0), (left + bar * 0.94, value)];
            area.draw(&Rectangle::new(corners, color(servers, place).filled()))?;
            let ratio =
                if place == 0 { label(value, value) } else { format!("{:.2}×", value / base) };
            let above = Text::new(ratio, (0, -3), text(9, INK, HPos::Center, VPos::Bottom));
            area.draw(&(EmptyElement::at((left + bar / 2.0, value)) + above))?;
        }
    }
    Ok(())
}

/// As many decimals as a scale that ends at `max` needs.
fn label(value: f64, max: f64) -> String {
    match max {
        max if max < 1.0 => format!("{value:.3}"),
        max if max < 20.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::machine::Machine;
    use crate::bench::{memory, speed};

    #[test]
    fn a_drawing_names_servers_loads_and_units() {
        let row = |command: &str, pipeline, server: &str, processor_us_per_op| speed::Row {
            workload: format!("{command}_p{pipeline}"),
            command: command.to_owned(),
            pipeline,
            server: server.to_owned(),
            figures: speed::Figures { processor_us_per_op, ..speed::Figures::default() },
            rounds: Vec::new(),
        };
        let bytes = |server: &str, bytes_per_item| memory::Row {
            shape: "string".to_owned(),
            label: "a string".to_owned(),
            items: 1,
            server: server.to_owned(),
            bytes_per_item,
        };
        let document = Document {
            machine: Machine::here(),
            servers: Vec::new(),
            conditions: "none".to_owned(),
            rounds: 1,
            speed: vec![row("GET", 1, "Peer 1", 8.0), row("GET", 1, "Ochre 0.1", 4.0)],
            memory: vec![bytes("Peer 1", 100.0), bytes("Ochre 0.1", 90.0)],
            pauses: Vec::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plot.svg");
        draw(&document, &path).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        for word in ["GET", "no pipeline", "Peer 1", "Ochre 0.1", "0.50×", "0.90×", "a string"] {
            assert!(svg.contains(word), "no {word} in the drawing");
        }
        let empty = Document { speed: Vec::new(), memory: Vec::new(), ..document };
        assert!(draw(&empty, &path).is_err());
    }
}
