//! The simulator finds what it looks for.

use super::*;
use parking_lot::Mutex;

/// The first failure among so many seeds.
fn first_failure(options: Options, seeds: u64) -> Option<Failure> {
    (0..seeds).find_map(|seed| run(seed, options, &Trace::off()).err())
}

#[test]
fn nothing_is_lost() {
    let failure = first_failure(Options::default(), 100);
    assert!(failure.is_none(), "{}", failure.unwrap());
}

#[test]
fn all_that_may_happen_happens() {
    let runs = (0..200).map(|seed| run(seed, Options::default(), &Trace::off()).unwrap());
    let sum = runs.fold(Counts::default(), Counts::plus);
    let Counts { seeds, lives, steps, operations, power_cuts, .. } = sum;
    let Counts { kills, rewrites, snapshots, failed_snapshots, faults, mended, .. } = sum;
    assert_eq!(seeds, 200);
    let all = [lives, steps, operations, power_cuts, kills, rewrites, faults, mended];
    assert!(!all.contains(&0), "{sum:?}");
    assert!(0 < snapshots && 0 < failed_snapshots, "{sum:?}");
}

#[test]
fn a_call_that_is_acknowledged_before_its_sync_is_missed() {
    let options = Options { acknowledges_early: true, ..Options::default() };
    let failure = first_failure(options, 40);
    assert!(matches!(failure, Some(Failure::Found(Wrong::Lost { .. }))), "{failure:?}");
}

#[test]
fn a_disk_that_does_not_sync_is_noticed() {
    let lies = Lies { sync: true, sync_folder: false };
    assert!(first_failure(Options { lies, ..Options::default() }, 40).is_some());
    let lies = Lies { sync: false, sync_folder: true };
    assert!(first_failure(Options { lies, ..Options::default() }, 40).is_some());
}

#[test]
fn a_seed_repeats_to_the_last_line() {
    let lines = |seed| {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        run(seed, Options::default(), &Trace::to(move |line| sink.lock().push(line))).unwrap();
        std::mem::take(&mut *lines.lock())
    };
    for seed in 0..10 {
        // Others have run on this thread and beside it.
        let first = lines(seed);
        lines(seed + 1000);
        assert!(first == lines(seed), "seed {seed}");
        assert!(100 < first.len());
    }
}
