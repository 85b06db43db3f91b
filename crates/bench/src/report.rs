//! Results in the forms of redis-benchmark: a report, one line, comma-separated values; and JSON.

use std::io::{self, Write};

use hdrhistogram::Histogram;
use serde_json::json;

use crate::load::Outcome;
use crate::options::{Format, Options};

const CSV_HEADER: &str = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\
                          \"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"";
const NANOS_PER_MS: f64 = 1e6;
/// The cumulative table goes in tenths of milliseconds up to here, and in milliseconds after.
const FINE_MS_MAX: f64 = 2.0;

/// What a report says of the server's settings.
#[derive(Debug)]
pub(crate) struct ServerSettings {
    pub(crate) save: String,
    pub(crate) appendonly: String,
}

/// What comes before the first test.
pub(crate) fn write_header(format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Csv => writeln!(out, "{CSV_HEADER}"),
        Format::Json | Format::Quiet | Format::Report => Ok(()),
    }
}

/// The results of one test.
pub(crate) fn write(
    title: &str,
    outcome: &Outcome,
    options: &Options,
    settings: Option<&ServerSettings>,
    out: &mut impl Write,
) -> io::Result<()> {
    let latency = Latency::of(&outcome.latency);
    match options.format {
        Format::Csv => write_csv(title, outcome, &latency, options.precision, out),
        Format::Json => write_json(title, outcome, &latency, options, out),
        Format::Quiet => writeln!(
            out,
            "{title}: {:.2} requests per second, p50={:.*} msec",
            outcome.requests_per_second(),
            options.precision,
            latency.p50
        ),
        Format::Report => write_report(title, outcome, &latency, options, settings, out),
    }?;
    out.flush()
}

/// The figures of a run, in milliseconds.
struct Latency {
    average: f64,
    min: f64,
    p50: f64,
    p95: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        let quantile = |q: f64| histogram.value_at_quantile(q) as f64 / NANOS_PER_MS;
        Self {
            average: histogram.mean() / NANOS_PER_MS,
            min: histogram.min() as f64 / NANOS_PER_MS,
            p50: quantile(0.50),
            p95: quantile(0.95),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: histogram.max() as f64 / NANOS_PER_MS,
        }
    }
}

fn write_csv(
    title: &str,
    outcome: &Outcome,
    latency: &Latency,
    precision: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let title = title.replace('"', "\"\"");
    write!(out, "\"{title}\",\"{:.2}\"", outcome.requests_per_second())?;
    let Latency { average, min, p50, p95, p99, max, .. } = latency;
    for figure in [average, min, p50, p95, p99, max] {
        write!(out, ",\"{figure:.precision$}\"")?;
    }
    writeln!(out)
}

fn write_json(
    title: &str,
    outcome: &Outcome,
    latency: &Latency,
    options: &Options,
    out: &mut impl Write,
) -> io::Result<()> {
    let line = json!({
        "test": title,
        "requests": outcome.requests,
        "errors": outcome.errors,
        "seconds": outcome.elapsed.as_secs_f64(),
        "rps": outcome.requests_per_second(),
        "clients": options.clients,
        "pipeline": options.pipeline,
        "data_bytes": options.data_len,
        "keyspace": options.keyspace,
        "latency_ms": {
            "avg": latency.average, "min": latency.min, "p50": latency.p50, "p95": latency.p95,
            "p99": latency.p99, "p99.9": latency.p999, "max": latency.max,
        },
    });
    writeln!(out, "{line}")
}

fn write_report(
    title: &str,
    outcome: &Outcome,
    latency: &Latency,
    options: &Options,
    settings: Option<&ServerSettings>,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "====== {title} ======")?;
    let seconds = outcome.elapsed.as_secs_f64();
    writeln!(out, "  {} requests completed in {seconds:.2} seconds", outcome.requests)?;
    writeln!(out, "  {} parallel clients", options.clients)?;
    writeln!(out, "  {} bytes payload", options.data_len)?;
    writeln!(out, "  keep alive: {}", u8::from(options.keeps_alive))?;
    if let Some(ServerSettings { save, appendonly }) = settings {
        writeln!(out, "  host configuration \"save\": {save}")?;
        writeln!(out, "  host configuration \"appendonly\": {appendonly}")?;
    }
    writeln!(out, "  multi-thread: {}", if options.threads.is_some() { "yes" } else { "no" })?;
    if let Some(threads) = options.threads {
        writeln!(out, "  threads: {threads}")?;
    }
    if outcome.errors != 0 {
        writeln!(out, "  error replies: {}", outcome.errors)?;
    }
    writeln!(out)?;
    write_percentiles(&outcome.latency, options.precision, out)?;
    write_cumulative(&outcome.latency, options.precision, out)?;
    writeln!(out, "Summary:")?;
    writeln!(
        out,
        "  throughput summary: {:.2} requests per second",
        outcome.requests_per_second()
    )?;
    writeln!(out, "  latency summary (msec):")?;
    write!(out, "   ")?;
    for name in ["avg", "min", "p50", "p95", "p99", "p99.9", "max"] {
        write!(out, " {name:>9}")?;
    }
    write!(out, "\n   ")?;
    let Latency { average, min, p50, p95, p99, p999, max } = latency;
    for figure in [average, min, p50, p95, p99, p999, max] {
        write!(out, " {figure:>9.*}", options.precision)?;
    }
    writeln!(out, "\n")
}

/// Halving the distance to 100 % with each line.
fn write_percentiles(
    latency: &Histogram<u64>,
    precision: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "Latency by percentile distribution:")?;
    let mut count = 0;
    for step in latency.iter_quantiles(1) {
        count += step.count_since_last_iteration();
        let percent = step.quantile_iterated_to() * 100.0;
        let ms = step.value_iterated_to().min(latency.max()) as f64 / NANOS_PER_MS;
        write_step(percent, ms, count, precision, out)?;
    }
    writeln!(out)
}

fn write_cumulative(
    latency: &Histogram<u64>,
    precision: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "Cumulative distribution of latencies:")?;
    let total = latency.len();
    let (mut ms, mut last) = (0.0, None);
    while last != Some(total) && total != 0 {
        ms += if ms < FINE_MS_MAX { 0.1 } else { 1.0 };
        // Sums of tenths drift; the limit must be the printed one.
        ms = (ms * 10.0_f64).round() / 10.0;
        let count = latency.count_between(0, (ms * NANOS_PER_MS) as u64).min(total);
        if last != Some(count) {
            let percent = count as f64 * 100.0 / total as f64;
            write_step(percent, ms, count, precision, out)?;
        }
        last = Some(count);
    }
    writeln!(out)
}

fn write_step(
    percent: f64,
    ms: f64,
    count: u64,
    precision: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "{percent:.3}% <= {ms:.precision$} milliseconds (cumulative count {count})")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn outcome() -> Outcome {
        let mut latency = Histogram::new(3).unwrap();
        for micros in 1..=1000_u64 {
            latency.record_n(micros * 1000, 2).unwrap();
        }
        Outcome { requests: 2000, errors: 0, elapsed: Duration::from_millis(500), latency }
    }

    fn written(format: Format, title: &str) -> String {
        let mut out = Vec::new();
        let options = Options { format, ..Options::default() };
        write_header(format, &mut out).unwrap();
        write(title, &outcome(), &options, None, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_has_the_columns_of_redis_benchmark() {
        let expected = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\
            \"p50_latency_ms\",\"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n\
            \"SET\",\"4000.00\",\"0.501\",\"0.001\",\"0.500\",\"0.950\",\"0.990\",\"1.000\"\n";
        assert_eq!(written(Format::Csv, "SET"), expected);
    }

    #[test]
    fn quotes_in_a_csv_title_are_doubled() {
        assert!(written(Format::Csv, "ECHO \"x\"").contains("\n\"ECHO \"\"x\"\"\",\"4000.00\""));
    }

    #[test]
    fn the_quiet_form_is_one_line() {
        let expected = "GET: 4000.00 requests per second, p50=0.500 msec\n";
        assert_eq!(written(Format::Quiet, "GET"), expected);
    }

    #[test]
    fn json_is_one_object_a_line() {
        let line = written(Format::Json, "GET");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["test"], "GET");
        assert_eq!(value["rps"], 4000.0);
        assert_eq!(value["requests"], 2000);
        let p999 = value["latency_ms"]["p99.9"].as_f64().unwrap();
        assert!((0.998..1.001).contains(&p999), "{p999}");
    }

    #[test]
    fn the_report_counts_up_to_all() {
        let report = written(Format::Report, "GET");
        assert!(report.starts_with("====== GET ======\n  2000 requests completed in 0.50 seconds"));
        assert!(report.contains("50.000% <= 0.5"), "{report}");
        assert!(report.contains("50.000% <= 0.500 milliseconds (cumulative count 1000)"));
        assert!(report.contains("100.000% <= 1.000 milliseconds (cumulative count 2000)"));
        assert!(report.contains("throughput summary: 4000.00 requests per second"));
    }
}
