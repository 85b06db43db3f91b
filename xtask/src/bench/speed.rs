//! Operations per second, latency and processor time per operation, server beside server.
//!
//! Servers take turns within a round, each started fresh, so that a drift of the machine's speed
//! hits all of them; the figures are medians over the rounds, each figure for itself.

use serde::{Deserialize, Serialize};

use super::generator::Generator;
use super::memory;
use super::server::{Program, Server, Setup};
use super::subscribers::Subscribers;
use super::workload::{COMMON, Family, Workload};
use crate::process::Outcome;

/// One load on one server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) workload: String,
    pub(crate) command: String,
    pub(crate) pipeline: u32,
    pub(crate) server: String,
    pub(crate) figures: Figures,
    /// What the figures are the medians of.
    pub(crate) rounds: Vec<Figures>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) ops_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    /// User and system time of all the server's threads.
    pub(crate) processor_us_per_op: f64,
}

/// A server in a comparison: how it is called, what it is, how it is started.
pub(crate) struct Contestant<'a> {
    pub(crate) label: String,
    pub(crate) program: &'a Program,
    pub(crate) setup: Setup,
}

pub(crate) struct Plan<'a> {
    pub(crate) contestants: &'a [Contestant<'a>],
    pub(crate) workloads: &'a [&'static Workload],
    pub(crate) generator: &'a Generator,
    pub(crate) rounds: usize,
    /// Requests are divided by this; 1 but for a quick look.
    pub(crate) divisor: u64,
}

/// Rows in the order of the workloads, then of the contestants.
///
/// # Errors
/// If a server does not start or a load fails.
pub(crate) fn measure(plan: &Plan<'_>) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for workload in plan.workloads {
        for contestant in plan.contestants {
            rows.push(Row {
                workload: workload.name.to_owned(),
                command: workload.command.to_owned(),
                pipeline: workload.pipeline,
                server: contestant.label.clone(),
                figures: Figures::default(),
                rounds: Vec::new(),
            });
        }
    }
    if plan.workloads.is_empty() {
        return Ok(rows);
    }
    for round in 1..=plan.rounds {
        for family in Family::ALL {
            for place in 0..plan.contestants.len() {
                measure_family(plan, round, family, place, &mut rows)?;
            }
        }
    }
    for row in &mut rows {
        row.figures = median(&row.rounds);
    }
    Ok(rows)
}

/// The loads of one family on one server.
fn measure_family(
    plan: &Plan<'_>,
    round: usize,
    family: Family,
    place: usize,
    rows: &mut [Row],
) -> Outcome {
    let all = plan.workloads.iter().enumerate();
    let mine: Vec<_> = all.filter(|(_, workload)| workload.family == family).collect();
    if mine.is_empty() {
        return Ok(());
    }
    let contestant = &plan.contestants[place];
    let label = &contestant.label;
    let server = Server::start(contestant.program, &contestant.setup)?;
    for preload in family.preloads() {
        plan.generator.run(server.port, &[COMMON, preload].concat())?;
    }
    memory::write(&server, family.setup().into_iter())?;
    for (index, workload) in mine {
        let name = workload.name;
        eprintln!("round {round} of {}: {label}: {name}", plan.rounds);
        let figures = run_one(plan, &server, workload)
            .map_err(|reason| format!("{label}: {name}: {reason}"))?;
        rows[index * plan.contestants.len() + place].rounds.push(figures);
    }
    Ok(())
}

fn run_one(plan: &Plan<'_>, server: &Server, workload: &Workload) -> Outcome<Figures> {
    let requests = (workload.requests / plan.divisor).to_string();
    let pipeline = workload.pipeline.to_string();
    let sizes: [&str; 4] = ["-n", &requests, "-P", &pipeline];
    let subscribers = Subscribers::new(server, workload.subscribers)?;
    let before = server.processor_nanos();
    let report = plan.generator.run(server.port, &[COMMON, &sizes, workload.arguments].concat())?;
    subscribers.finish(report.requests as usize)?;
    let nanos = server.processor_nanos() - before;
    Ok(Figures {
        ops_per_second: report.rps,
        p50_ms: report.latency_ms.p50,
        p99_ms: report.latency_ms.p99,
        p999_ms: report.latency_ms.p999,
        processor_us_per_op: nanos as f64 / 1000.0 / report.requests as f64,
    })
}

/// The median; the mean of the two in the middle of an even number.
pub(super) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => (values[len / 2 - 1] + values[len / 2]) / 2.0,
    }
}

fn median(rounds: &[Figures]) -> Figures {
    let of = |figure: fn(&Figures) -> f64| middle(rounds.iter().map(figure).collect());
    Figures {
        ops_per_second: of(|one| one.ops_per_second),
        p50_ms: of(|one| one.p50_ms),
        p99_ms: of(|one| one.p99_ms),
        p999_ms: of(|one| one.p999_ms),
        processor_us_per_op: of(|one| one.processor_us_per_op),
    }
}

/// The table; ratios are to the first server.
pub(crate) fn print(rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    let base = rows[0].server.clone();
    println!(
        "\n{:16}{:20}{:>12}{:>10}{:>10}{:>10}{:>12}{:>10}{:>10}",
        "load", "server", "ops/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU us/op", "ops ×", "CPU ×"
    );
    for row in rows {
        let same_load = |other: &&Row| other.workload == row.workload && other.server == base;
        let base = rows.iter().find(same_load).map_or(row.figures, |row| row.figures);
        let Figures { ops_per_second, p50_ms, p99_ms, p999_ms, processor_us_per_op } = row.figures;
        println!(
            "{:16}{:20}{ops_per_second:>12.0}{p50_ms:>10.3}{p99_ms:>10.3}{p999_ms:>10.3}\
             {processor_us_per_op:>12.3}{:>10.2}{:>10.2}",
            row.workload,
            row.server,
            ops_per_second / base.ops_per_second,
            processor_us_per_op / base.processor_us_per_op,
        );
    }
    println!("ratios to {base}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_its_own_median() {
        let round =
            |ops_per_second, p50_ms| Figures { ops_per_second, p50_ms, ..Figures::default() };
        let odd = median(&[round(1.0, 9.0), round(3.0, 8.0), round(2.0, 7.0)]);
        assert_eq!((odd.ops_per_second, odd.p50_ms), (2.0, 8.0));
        let even = median(&[round(1.0, 9.0), round(3.0, 8.0)]);
        assert_eq!((even.ops_per_second, even.p50_ms), (2.0, 8.5));
    }
}
