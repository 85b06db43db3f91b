//! Child processes: run one, show its output as it comes, and keep it for reading.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What every task returns: nothing, or the sentence that goes to standard error.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The root of the checkout: the folder above this crate.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// `cargo` as it called us, in the root of the checkout.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Whether a program of that name is on the path.
pub(crate) fn is_installed(program: &str) -> bool {
    find(program).is_some()
}

/// The full path of a program on the path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Runs to the end with the terminal's own streams.
///
/// # Errors
/// When the program cannot be started or ends with a failure.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let name = display(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name}: {status}")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// What a finished child said, both streams in order, and whether it ended well.
pub(crate) struct Finished {
    pub(crate) text: String,
    pub(crate) is_success: bool,
}

/// Runs to the end; both streams are shown as they come and returned together.
///
/// # Errors
/// When the program cannot be started.
pub(crate) fn run_and_read(command: &mut Command) -> Outcome<Finished> {
    let name = display(command);
    let fail = |error: std::io::Error| format!("{name}: {error}");
    let (reader, writer) = std::io::pipe().map_err(fail)?;
    command.stdin(Stdio::null());
    command.stdout(writer.try_clone().map_err(fail)?).stderr(writer);
    let mut child = command.spawn().map_err(fail)?;
    // The command holds the writing ends; as long as it lives the pipe has no end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let text = echo(reader);
    let status = child.wait().map_err(fail)?;
    Ok(Finished { text, is_success: status.success() })
}

/// Runs to the end in silence and returns standard output, trimmed.
///
/// # Errors
/// When the program cannot be started or ends with a failure.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let name = display(command);
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{name}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

fn echo(reader: impl Read) -> String {
    let mut text = String::new();
    let mut line = Vec::new();
    let mut lines = BufReader::new(reader);
    while matches!(lines.read_until(b'\n', &mut line), Ok(count) if 0 < count) {
        let shown = String::from_utf8_lossy(&line);
        print!("{shown}");
        text.push_str(&shown);
        line.clear();
    }
    text
}

fn display(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}
