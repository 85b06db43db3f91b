//! What may be there after a crash: the contents after each call, and up to which of them nothing may be lost.

use crate::contents::Contents;

/// The contents as they were at one time after the other.
pub struct Model {
    moments: Vec<Moment>,
    /// Index of the newest moment that must not be lost.
    floor: usize,
    /// Index of the newest moment that is lost only when the power fails.
    cached: usize,
}

struct Moment {
    /// Of the journal of the present life; 0 in those before it.
    end: u64,
    contents: Contents,
}

/// What is wrong with what was found after a crash.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is what was there before some call that had been acknowledged.
    Lost { moment: usize, floor: usize },
    /// It is what was there at no time. How it differs from what comes nearest.
    Never { moment: usize, floor: usize, difference: Vec<String> },
}

impl Default for Model {
    /// Nothing was ever there.
    fn default() -> Self {
        Self {
            moments: vec![Moment { end: 0, contents: Contents::default() }],
            floor: 0,
            cached: 0,
        }
    }
}

impl Model {
    /// Something has changed, and what stands for it ends there in the journal.
    pub fn changed(&mut self, end: u64, contents: Contents) {
        assert!(self.last().end < end, "a journal only grows");
        self.moments.push(Moment { end, contents });
    }

    /// From now on nothing may be lost up to this place in the journal.
    pub fn acknowledged(&mut self, end: u64) {
        // What was there before this life is safe once something of this life is.
        if end != 0 {
            self.floor = self.index(end).max(self.floor);
        }
    }

    /// The process has ended: up to this place in the journal nothing may be lost unless the power fails too.
    pub fn killed(&mut self, end: u64) {
        self.cached = self.index(end);
    }

    /// The power has failed.
    pub fn power_failed(&mut self) {
        self.cached = 0;
    }

    /// Looks at what was found after a crash, at `now_ms`. If it is right, it is what there is now, and if
    /// the power had failed (`is_safe`), all of it is on disk.
    ///
    /// # Errors
    /// What is wrong.
    pub fn found(&mut self, found: &Contents, now_ms: u64, is_safe: bool) -> Result<(), Wrong> {
        let number = found.at(now_ms);
        let is_found = |moment: &Moment| moment.contents.at(now_ms) == number;
        let floor = self.floor.max(self.cached);
        let Some(moment) = self.moments.iter().rposition(is_found) else {
            let difference =
                |moment: usize| self.moments[moment].contents.difference(found, now_ms);
            let nearest = (0..self.moments.len()).rev().min_by_key(|at| difference(*at).len());
            let moment = nearest.unwrap_or_default();
            return Err(Wrong::Never { moment, floor, difference: difference(moment) });
        };
        if moment < floor {
            return Err(Wrong::Lost { moment, floor });
        }
        // What is past its deadline now may be in the one and not in the other, and the clock may jump back.
        self.moments[moment].contents = found.clone();
        self.moments.iter_mut().for_each(|moment| moment.end = 0);
        self.cached = moment;
        if is_safe {
            self.opened();
        }
        Ok(())
    }

    /// What was found is what there is now, and will not be lost.
    pub fn opened(&mut self) {
        self.moments.truncate(self.cached + 1);
        self.moments.drain(..self.cached);
        (self.cached, self.floor) = (0, 0);
    }

    /// Whether this is what is there now, at `now_ms`; how it differs if not.
    pub fn difference(&self, contents: &Contents, now_ms: u64) -> Option<Vec<String>> {
        let expected = &self.last().contents;
        let is_same = expected.at(now_ms) == contents.at(now_ms);
        (!is_same).then(|| expected.difference(contents, now_ms))
    }

    /// How many moments there are.
    pub fn len(&self) -> usize {
        self.moments.len()
    }

    /// Whether nothing was ever there: never.
    pub fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// The newest moment that ends there at the latest.
    fn index(&self, end: u64) -> usize {
        self.moments.partition_point(|moment| moment.end <= end).saturating_sub(1)
    }

    fn last(&self) -> &Moment {
        self.moments.last().expect("there is always one")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{self, Node, words};
    use crate::trace::Trace;
    use base::clock::ManualClock;
    use std::sync::Arc;

    /// What is there after so many of these calls.
    fn contents(count: usize) -> Contents {
        let engine = node::engine(1, Arc::new(ManualClock::new(1000)));
        let mut node = Node::new(&engine, Trace::off());
        let lines = ["SET a 1", "RPUSH b 1 2", "HSETEX h PXAT 2000 FIELDS 1 f v", "DEL a"];
        lines[..count].iter().for_each(|line| node.call(0, &words(line)));
        Contents::of(&engine)
    }

    /// Four calls, of which two were acknowledged.
    fn model() -> Model {
        let mut model = Model::default();
        (1..=4).for_each(|count| model.changed(count as u64 * 10, contents(count)));
        model.acknowledged(25);
        model
    }

    #[test]
    fn more_than_was_acknowledged_may_be_there_and_no_less() {
        for count in 2..=4 {
            let mut model = model();
            model.found(&contents(count), 1000, true).unwrap();
            assert_eq!(model.len(), 1, "what is found is safe");
        }
        let lost = Wrong::Lost { moment: 1, floor: 2 };
        assert_eq!(model().found(&contents(1), 1000, true), Err(lost));
    }

    #[test]
    fn what_is_past_its_deadline_does_not_count() {
        let mut model = model();
        model.acknowledged(30);
        assert!(model.found(&contents(2), 1999, true).is_err());
        model.found(&contents(2), 2000, true).unwrap();
        // The clock jumps back: what was found counts, not what it was taken for.
        assert_eq!(model.difference(&contents(2), 1999), None);
    }

    #[test]
    fn what_never_was_is_told_apart() {
        let engine = node::engine(1, Arc::new(ManualClock::new(1000)));
        Node::new(&engine, Trace::off()).call(0, &words("RPUSH b 1 2"));
        let found = model().found(&Contents::of(&engine), 1000, true);
        let Err(Wrong::Never { difference, .. }) = found else { panic!("{found:?}") };
        assert_eq!(difference, ["key 'h' of 0 is only in the first"]);
    }

    #[test]
    fn what_a_killed_process_has_written_is_lost_only_with_the_power() {
        let mut killed = model();
        killed.killed(40);
        assert!(killed.found(&contents(3), 1000, false).is_err());
        killed.power_failed();
        killed.found(&contents(3), 1000, true).unwrap();

        let mut twice = model();
        twice.killed(40);
        twice.found(&contents(4), 1000, false).unwrap();
        twice.acknowledged(0);
        twice.power_failed();
        twice.found(&contents(2), 1000, true).unwrap();

        let mut opened = model();
        opened.killed(30);
        opened.found(&contents(3), 1000, false).unwrap();
        opened.opened();
        opened.power_failed();
        assert!(opened.found(&contents(2), 1000, true).is_err(), "it was shown");
        assert!(opened.found(&contents(4), 1000, true).is_err(), "it was not there");
    }
}
