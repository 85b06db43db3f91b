//! The process title: the words that `ps` shows.
//!
//! The kernel reads them out of the process itself, where it put the words of the command line at the
//! start, and behind them the environment:
//!
//! ```text
//! | ochre-server\0 | --port\0 | 7000\0 | PATH=/bin\0 | HOME=/\0 | …
//! ^ arg_start                          ^ arg_end = env_start    ^ env_end
//! ```
//!
//! A title is written over them. One that is longer than the command line was needs the environment's
//! place, so the environment moves elsewhere first. (The call that would give the kernel another
//! place altogether, `PR_SET_MM_ARG_START`, is for privileged processes.)

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

/// The memory out of which the kernel reads the title.
#[derive(Debug)]
pub struct TitleArea {
    start: usize,
    /// With the last byte, which stays 0.
    len: usize,
}

impl TitleArea {
    /// Takes the area over, and moves the environment out of it. `None` where the kernel doesn't say where it is, if
    /// another thread runs already, and the second time.
    ///
    /// From now on the standard library no longer tells the command line's words.
    pub fn take() -> Option<Self> {
        static IS_TAKEN: AtomicBool = AtomicBool::new(false);
        let threads = fs::read_dir("/proc/self/task").ok()?.count();
        if threads != 1 || IS_TAKEN.swap(true, Ordering::Relaxed) {
            return None;
        }
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        let [arg_start, arg_end, env_start, env_end] = bounds(&text)?;
        let end = if env_start == arg_end { env_end } else { arg_end };
        let len = end.checked_sub(arg_start).filter(|len| arg_start != 0 && 1 < *len)?;
        for (name, value) in std::env::vars_os() {
            // SAFETY: no other thread runs, as was counted. The C library makes a copy of the text, even if it is the same.
            unsafe { std::env::set_var(name, value) };
        }
        Some(Self { start: arg_start, len })
    }

    /// Shows `title`, as far as it fits.
    pub fn write(&mut self, title: &[u8]) {
        let kept = &title[..title.len().min(self.len - 1)];
        let start = std::ptr::with_exposed_provenance_mut::<u8>(self.start);
        // SAFETY: the bytes were mapped for the command line and the environment, which nobody uses any more (`take`), and
        // stay mapped; `&mut self` is the only way to them.
        let area = unsafe { std::slice::from_raw_parts_mut(start, self.len) };
        area[..kept.len()].copy_from_slice(kept);
        area[kept.len()..].fill(0);
    }
}

/// Where the kernel has put arguments and environment: the fields 48 to 51 of `/proc/self/stat`.
fn bounds(stat: &str) -> Option<[usize; 4]> {
    // The second field is the program's name, which may hold blanks and brackets.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(48 - 3).map(|field| field.parse().ok());
    let mut next = || fields.next().flatten();
    Some([next()?, next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_where_the_words_are() {
        let fields: Vec<String> = (3..=52).map(|field| (field * 100).to_string()).collect();
        let stat = format!("1 (a) b) {}", fields.join(" "));
        assert_eq!(bounds(&stat), Some([4800, 4900, 5000, 5100]));
        assert_eq!(bounds("1 (a) 2 3"), None);
        let own = bounds(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        assert!(own.is_sorted() && 0 < own[0]);
    }
}
