//! Which dependencies nobody uses: a name in a manifest that no source of its crate says.

use super::Finding;
use super::source::{Source, has_word};
use super::tree::{File, Tree};

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let manifests: Vec<&File> =
        tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml")).collect();
    for manifest in &manifests {
        let folder = manifest.path.trim_end_matches("Cargo.toml");
        let sources: Vec<(&File, &Source)> =
            tree.sources().filter(|(file, _)| file.path.starts_with(folder)).collect();
        for Dependency { line, name, section } in dependencies(&manifest.text) {
            let is_used = match section {
                // The members take it from here.
                Section::Shared => {
                    let is_member = |file: &&File| {
                        file.path != manifest.path
                            && dependencies(&file.text).any(|other| other.name == name)
                    };
                    manifests.iter().any(is_member)
                }
                // Programs that test have no other part.
                Section::Production if !folder.starts_with("tests/") => sources
                    .iter()
                    .filter(|(file, _)| is_production(&file.path[folder.len()..]))
                    .any(|(_, source)| source.production_lines().any(|(_, code)| says(code, name))),
                Section::Production | Section::Tests => sources
                    .iter()
                    .any(|(_, source)| source.lines().any(|(_, code)| says(code, name))),
            };
            if !is_used {
                let message = format!("nobody uses {name} {}", section.place());
                findings.push(manifest.finding(line, "unused-dependency", message));
            }
        }
    }
}

/// One line of a manifest.
struct Dependency<'m> {
    line: usize,
    name: &'m str,
    section: Section,
}

/// For whom it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Production,
    /// `[workspace.dependencies]`.
    Shared,
    Tests,
}

impl Section {
    fn of(header: &str) -> Option<Self> {
        let path = header.trim_start_matches('[').trim_end_matches(']');
        match path.rsplit('.').next() {
            _ if path == "workspace.dependencies" => Some(Self::Shared),
            Some("dependencies" | "build-dependencies") => Some(Self::Production),
            Some("dev-dependencies") => Some(Self::Tests),
            _ => None,
        }
    }

    fn place(self) -> &'static str {
        match self {
            Self::Production => "outside of tests: take it away, or make it a dev-dependency",
            Self::Shared => "in any member: take it away",
            Self::Tests => "in tests: take it away",
        }
    }
}

fn dependencies(manifest: &str) -> impl Iterator<Item = Dependency<'_>> {
    let mut section = None;
    manifest.lines().enumerate().filter_map(move |(index, line)| {
        if line.starts_with('[') {
            section = Section::of(line.trim_end());
            return None;
        }
        let name = line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty())?;
        let is_entry = !name.starts_with('#') && line.contains('=');
        Some(Dependency { line: index + 1, name, section: section.filter(|_| is_entry)? })
    })
}

/// Code names a crate with underscores.
fn says(code: &str, name: &str) -> bool {
    has_word(code, &name.replace('-', "_"))
}

fn is_production(path: &str) -> bool {
    path.starts_with("src/") || path == "build.rs"
}
