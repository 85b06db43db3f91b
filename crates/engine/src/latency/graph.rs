//! LATENCY GRAPH: a series as a picture of characters, the worst spikes highest.
//!
//! ```text
//! command - high 240 ms, low 100 ms (all time high 300 ms)
//! --------------------------------------------------------------------------------
//!    #o
//!   _||
//!  _|||
//! _||||
//!
//! 11100
//! 6m0ss
//! m s
//! ```

use super::{Sample, Series};
use std::fmt::Write;

/// Samples side by side; more go on below.
const COLUMNS: usize = 80;
/// Lines of a picture, each of which tells as many heights apart as there are tops.
const ROWS: usize = 4;
const TOPS: [char; 3] = ['_', 'o', '#'];
const BODY: char = '|';

/// The picture of a series, each sample with its age below.
pub fn draw(name: &str, series: &Series, now_s: u64) -> String {
    let ms = || series.samples.iter().map(|sample| sample.ms);
    let (low, high) = (ms().min().unwrap_or(0), ms().max().unwrap_or(0));
    let mut picture = format!(
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        series.ms_max,
        "-".repeat(COLUMNS)
    );
    for (index, samples) in series.samples.chunks(COLUMNS).enumerate() {
        if index != 0 {
            picture.push('\n');
        }
        draw_columns(&mut picture, samples, low, high);
        write_ages(&mut picture, samples, now_s);
    }
    picture
}

fn draw_columns(picture: &mut String, samples: &[Sample], low: u64, high: u64) {
    let steps = ROWS * TOPS.len();
    let height = |sample: &Sample| {
        let height = (sample.ms - low) * steps as u64 / (high - low).max(1);
        (height as usize).min(steps - 1)
    };
    for row in (0..ROWS).rev() {
        let below = row * TOPS.len();
        picture.extend(samples.iter().map(|sample| match height(sample).checked_sub(below) {
            None => ' ',
            Some(above) => TOPS.get(above).copied().unwrap_or(BODY),
        }));
        picture.push('\n');
    }
}

/// The ages of the samples, read downwards, below an empty line.
fn write_ages(picture: &mut String, samples: &[Sample], now_s: u64) {
    let ages: Vec<String> = samples.iter().map(|s| age(now_s.saturating_sub(s.at_s))).collect();
    let _ = writeln!(picture, "{}", " ".repeat(samples.len()));
    for row in 0..ages.iter().map(String::len).max().unwrap_or(0) {
        picture.extend(ages.iter().map(|age| age.as_bytes().get(row).map_or(' ', |b| *b as char)));
        picture.push('\n');
    }
}

fn age(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let unit = UNITS.iter().find(|(len, _)| *len <= seconds).unwrap_or(&UNITS[3]);
    format!("{}{}", seconds / unit.0, unit.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_drawn_with_its_ages() {
        let samples = [(0, 100), (940, 140), (990, 180), (1000, 240), (1000, 220)];
        let samples = samples.map(|(at_s, ms)| Sample { at_s, ms });
        let series = Series { samples: samples.into(), ms_max: 300, ms_sum: 0, count: 5 };
        let picture = draw("command", &series, 1000);
        let (head, columns) = picture.split_once("-\n").unwrap();
        assert!(head.starts_with(
            "command - high 240 ms, low 100 ms (all time high 300 ms)\n--------------------"
        ));
        assert_eq!(columns, "   #o\n  _||\n _|||\n_||||\n     \n11100\n6m0ss\nm s  \n");
    }

    #[test]
    fn ages_are_short() {
        assert_eq!(
            [0, 59, 60, 3599, 3600, 86_399, 86_400, 900_000].map(age),
            ["0s", "59s", "1m", "59m", "1h", "23h", "1d", "10d"]
        );
    }

    #[test]
    fn many_samples_go_on_below() {
        let samples = (0..100).map(|at_s| Sample { at_s, ms: 7 }).collect();
        let picture = draw("x", &Series { samples, ms_max: 7, ms_sum: 700, count: 100 }, 100);
        assert!(picture.contains(&format!("\n{}\n", "_".repeat(80))));
        assert!(picture.contains(&format!("\n{}\n", "_".repeat(20))));
    }
}
