//! What is measured: one row per load and one per shape of data. A new family adds rows here.

/// A load that `ochre-benchmark` makes.
#[derive(Debug)]
pub(crate) struct Workload {
    /// For `--only`.
    pub(crate) name: &'static str,
    /// The bars of a plot are grouped by this …
    pub(crate) command: &'static str,
    /// … in one panel for each pipeline.
    pub(crate) pipeline: u32,
    pub(crate) requests: u64,
    /// How it is asked for; keys, payload and connections are the same for all.
    pub(crate) arguments: &'static [&'static str],
}

/// Given to every load.
pub(crate) const COMMON: &[&str] = &["-c", "50", "-d", "64", "-r", "1000000"];

/// What is in a server before the loads start: every key that they touch.
pub(crate) const PRELOADS: &[&[&str]] = &[
    &["-t", "set", "-n", "1000000", "-P", "100", "--sequential"],
    &["-t", "incr", "-n", "1000000", "-P", "100", "--sequential"],
];

const fn load(
    name: &'static str,
    command: &'static str,
    pipeline: u32,
    arguments: &'static [&'static str],
) -> Workload {
    // About as many as a second or two takes.
    let requests = match pipeline {
        1 => 300_000,
        16 => 3_000_000,
        _ => 6_000_000,
    };
    Workload { name, command, pipeline, requests, arguments }
}

pub(crate) const WORKLOADS: &[Workload] = &[
    load("get_p1", "GET", 1, &["-t", "get"]),
    load("set_p1", "SET", 1, &["-t", "set"]),
    load("incr_p1", "INCR", 1, &["-t", "incr"]),
    load("get_p16", "GET", 16, &["-t", "get"]),
    load("set_p16", "SET", 16, &["-t", "set"]),
    load("incr_p16", "INCR", 16, &["-t", "incr"]),
    load("get_p100", "GET", 100, &["-t", "get"]),
    load("set_p100", "SET", 100, &["-t", "set"]),
    load("incr_p100", "INCR", 100, &["-t", "incr"]),
];

/// Data whose memory is measured.
pub(crate) struct Shape {
    /// For `--only`.
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// What the label counts. Each is written by one command.
    pub(crate) items: u64,
    /// The words of the command that writes an item.
    pub(crate) command: fn(u64) -> Vec<String>,
}

pub(crate) const SHAPES: &[Shape] = &[
    Shape {
        name: "string_64",
        label: "string, 16 B key, 64 B value",
        items: 3_000_000,
        command: |i| words(&["SET", &format!("key:{i:012}"), &"x".repeat(64)]),
    },
    Shape {
        name: "string_8",
        label: "string, 16 B key, 8 B value",
        items: 3_000_000,
        command: |i| words(&["SET", &format!("key:{i:012}"), &format!("{i:08}")]),
    },
    Shape {
        name: "string_64_ttl",
        label: "string, 16 B key, 64 B value, TTL",
        items: 2_000_000,
        command: |i| {
            let seconds = (100_000 + i % 1000).to_string();
            words(&["SET", &format!("key:{i:012}"), &"x".repeat(64), "EX", &seconds])
        },
    },
    Shape {
        name: "session",
        label: "session: 32 B key, 300 B value, TTL",
        items: 1_000_000,
        command: |i| words(&["SET", &format!("session:{i:024}"), &"s".repeat(300), "EX", "86400"]),
    },
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Which rows `--only` leaves: those whose name it lists, or whose family (`memory`, `speed`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    names: Option<Vec<String>>,
}

impl Choice {
    /// # Errors
    /// If a name is no row's and no family's.
    pub(crate) fn new(names: Option<&[String]>) -> Result<Self, String> {
        let rows = WORKLOADS.iter().map(|row| row.name).chain(SHAPES.iter().map(|row| row.name));
        let known: Vec<&str> = rows.chain(["memory", "speed"]).collect();
        let unknown = names.unwrap_or_default().iter().find(|name| !known.contains(&name.as_str()));
        match unknown {
            Some(name) => Err(format!("--only {name}: known are {}", known.join(" "))),
            None => Ok(Self { names: names.map(<[String]>::to_vec) }),
        }
    }

    pub(crate) fn workloads(&self) -> Vec<&'static Workload> {
        WORKLOADS.iter().filter(|row| self.has(row.name, "speed")).collect()
    }

    pub(crate) fn shapes(&self) -> Vec<&'static Shape> {
        SHAPES.iter().filter(|row| self.has(row.name, "memory")).collect()
    }

    fn has(&self, name: &str, family: &str) -> bool {
        let is_named = |names: &Vec<String>| names.iter().any(|one| one == name || one == family);
        self.names.as_ref().is_none_or(is_named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leaves_what_it_names() {
        let count = |names: &[&str]| {
            let names: Vec<String> = words(names);
            let choice = Choice::new(Some(&names)).unwrap();
            (choice.workloads().len(), choice.shapes().len())
        };
        assert_eq!(count(&["get_p1", "session"]), (1, 1));
        assert_eq!(count(&["memory"]), (0, SHAPES.len()));
        assert_eq!(count(&["speed", "session"]), (WORKLOADS.len(), 1));
        let all = Choice::new(None).unwrap();
        assert_eq!((all.workloads().len(), all.shapes().len()), (WORKLOADS.len(), SHAPES.len()));
        assert!(Choice::new(Some(&words(&["get_p2"]))).unwrap_err().contains("get_p16"));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = WORKLOADS.iter().map(|row| row.name).collect();
        names.extend(SHAPES.iter().map(|row| row.name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn shapes_have_the_sizes_that_their_labels_say() {
        let sizes = |name: &str| {
            let shape = SHAPES.iter().find(|shape| shape.name == name).unwrap();
            let words = (shape.command)(shape.items - 1);
            (words[1].len(), words[2].len(), words.len())
        };
        assert_eq!(sizes("string_64"), (16, 64, 3));
        assert_eq!(sizes("string_8"), (16, 8, 3));
        assert_eq!(sizes("string_64_ttl"), (16, 64, 5));
        assert_eq!(sizes("session"), (32, 300, 5));
    }
}
