//! The files that tidy reads: every text file of the checkout, with Rust sources taken apart.

use std::fs;
use std::path::Path;

use super::source::Source;
use crate::process::Outcome;

/// What the build makes, beside a manifest; a module may have the same name.
const BUILD_FOLDER: &str = "target";
const FOLDERS_SKIPPED: &[&str] =
    &[".git", ".test", "node_modules", "__pycache__", "third_party", "corpus"];

pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

pub(crate) struct File {
    /// From the root of the checkout, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Only for `.rs`.
    pub(crate) source: Option<Source>,
}

impl Tree {
    /// # Errors
    /// When a folder or file cannot be read.
    pub(crate) fn read(root: &Path) -> Outcome<Self> {
        let mut tree = Self { files: Vec::new() };
        tree.read_folder(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> Outcome {
        let fail = |error: std::io::Error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().map_err(fail)?;
            if kind.is_dir() {
                let is_built = name == BUILD_FOLDER && folder.join("Cargo.toml").exists();
                if !is_built && !FOLDERS_SKIPPED.contains(&name.as_str()) {
                    self.read_folder(&entry.path(), &format!("{path}/"))?;
                }
            } else if kind.is_file() && name != ".git" {
                // What is not UTF-8 is not text: dump files, pictures.
                if let Ok(text) = String::from_utf8(fs::read(entry.path()).map_err(fail)?) {
                    self.add(path, text);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, path: String, text: String) {
        let source = path.ends_with(".rs").then(|| Source::parse(&path, &text));
        self.files.push(File { path, text, source });
    }

    /// The Rust files.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files.iter().filter_map(|file| Some((file, file.source.as_ref()?)))
    }

    pub(crate) fn contains(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
    }
}

impl File {
    /// The crate's folder name (`store` of `crates/store/src/lib.rs`), or the first folder elsewhere.
    pub(crate) fn house(&self) -> &str {
        let rest = self.path.strip_prefix("crates/").unwrap_or(&self.path);
        rest.split('/').next().unwrap_or(rest)
    }

    /// Whether the path is that file, or lies in the folder of that name: `x/lock` covers
    /// `x/lock.rs` and all of `x/lock/`.
    pub(crate) fn is_in(&self, place: &str) -> bool {
        match self.path.strip_prefix(place) {
            Some(rest) => rest.is_empty() || rest == ".rs" || rest.starts_with('/'),
            None => false,
        }
    }

    pub(crate) fn finding(
        &self,
        line: usize,
        rule: &'static str,
        message: impl Into<String>,
    ) -> super::Finding {
        super::Finding { path: self.path.clone(), line, rule, message: message.into() }
    }
}
