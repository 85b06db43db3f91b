//! The allocator: jemalloc with size classes every 8 bytes, and every byte counted.
//!
//! jemalloc's classes usually start every 16 bytes. Built with a quantum of 8 (`.cargo/config.toml`), an entry of 24, 40
//! or 88 bytes wastes nothing; the price is that memory is aligned to 8 bytes only, so every layout that needs more says
//! so, 16 included.
//!
//! What is counted is what an allocation really takes: its size class. Asking jemalloc for it (`nallocx`) costs 4 ns;
//! the classes follow one rule, so it is computed here in about one ([`class_bytes`]), and a test compares the two for
//! every size.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use tikv_jemalloc_sys as jemalloc;

/// Alignment that every allocation has.
const QUANTUM: usize = 8;

/// Up to here classes are a quantum apart; from here on each doubling has four.
const SPACED_MAX: usize = 64;

/// From here on a class is a number of pages.
const CLASSED_MAX: usize = 32 << 10;

const PAGE: usize = 4 << 10;

/// What jemalloc reads when it starts: pages that nothing uses go back to the system after half a second, by a thread of
/// its own (which is started with the server's, by [`use_background_thread`]). Otherwise the tables that have moved on while keys were loaded would stay as long as nobody allocates:
/// 12 bytes a key. And slabs of more pages: jemalloc keeps 128 bytes about each slab, which for a slab of one page makes one
/// byte for each block of 32 and eight for each of 256.
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static JEMALLOC_OPTIONS: Option<&'static c_char> = {
    const OPTIONS: &CStr = c"dirty_decay_ms:500,muzzy_decay_ms:0,\
        slab_sizes:16-16:2|32-32:4|48-48:6|64-64:8|80-80:10|96-96:12|112-112:14|128-128:8|192-192:12|256-256:8|\
        320-320:10|384-384:12|448-448:14|512-512:8|640-640:10|768-768:12|896-896:14|1024-1024:8|2048-2048:8|8192-8192:16";
    // SAFETY: a constant that ends with a zero byte, as jemalloc expects.
    Some(unsafe { &*OPTIONS.as_ptr() })
};

/// Lets a thread of jemalloc's return unused pages, or leaves that to whoever frees something.
pub fn use_background_thread(on: bool) {
    // Where it cannot be had, the others return the pages.
    let _ = tikv_jemalloc_ctl::background_thread::write(on);
}

/// All arenas, as jemalloc's names have them.
const PURGE_ALL: &CStr = c"arena.4096.purge";

/// Gives unused pages back to the system at once. Returns whether that went well.
pub fn purge() -> bool {
    let none = std::ptr::null_mut();
    // SAFETY: the name ends with a zero byte, and this one neither takes nor gives a value.
    let code =
        unsafe { jemalloc::mallctl(PURGE_ALL.as_ptr(), none, std::ptr::null_mut(), none, 0) };
    code == 0
}

/// Names of jemalloc's whose values are texts.
const TEXTS: &[&str] = &[
    "config.malloc_conf",
    "opt.dss",
    "opt.junk",
    "opt.metadata_thp",
    "opt.percpu_arena",
    "opt.thp",
    "opt.zero_realloc",
    "version",
];

/// A text of jemalloc's.
///
/// # Errors
/// It has no text of that name.
pub fn text(name: &str) -> io::Result<Vec<u8>> {
    let name_z = CString::new(name).map_err(|_| reason(libc::EINVAL))?;
    if !TEXTS.contains(&name) {
        // What is no text would be taken for the place of one.
        number(name, None)?;
        return Err(reason(libc::EINVAL));
    }
    let mut text: *const c_char = std::ptr::null();
    let mut len = size_of::<*const c_char>();
    let (place, none) = ((&raw mut text).cast(), std::ptr::null_mut());
    // SAFETY: the value of these names is the place of a text, for which there is room.
    let code = unsafe { jemalloc::mallctl(name_z.as_ptr(), place, &raw mut len, none, 0) };
    if code != 0 || text.is_null() {
        return Err(reason(if code == 0 { libc::EINVAL } else { code }));
    }
    // SAFETY: jemalloc's texts end with a zero byte, and are never freed.
    Ok(unsafe { CStr::from_ptr(text) }.to_bytes().to_vec())
}

/// A number of jemalloc's, after it was set if there is a `new` one.
///
/// # Errors
/// It has no number of that name, or it may not be set: a wrong value of most of them breaks the process.
pub fn number(name: &str, new: Option<i64>) -> io::Result<i64> {
    let name_z = CString::new(name).map_err(|_| reason(libc::EINVAL))?;
    // Reading these is more than that: jemalloc takes the room for the value as the place of another.
    if name.starts_with("experimental.") || name.ends_with(".name") {
        return Err(reason(libc::EPERM));
    }
    let can_be_set = matches!(name, "background_thread" | "epoch") || name.ends_with("_decay_ms");
    if new.is_some() && !can_be_set {
        return Err(reason(libc::EPERM));
    }
    // Whoever asks with another size than that of the value is refused.
    for size in [8, 4, 1] {
        let mut value = 0_u64;
        // The only values of one byte are switches.
        let mut new_value = new.map_or(0, |new| if size == 1 { i64::from(new != 0) } else { new });
        let mut len = size;
        let new_place = if new.is_some() { &raw mut new_value } else { std::ptr::null_mut() };
        let new_len = if new.is_some() { size } else { 0 };
        let place = (&raw mut value).cast();
        // SAFETY: there are as many bytes for the value as jemalloc is told, or more; so there are of the
        // new one, which any number may be under these names.
        let code = unsafe {
            jemalloc::mallctl(name_z.as_ptr(), place, &raw mut len, new_place.cast(), new_len)
        };
        match code {
            0 => return Ok(value as i64),
            libc::EINVAL if size != 1 => {}
            code => return Err(reason(code)),
        }
    }
    Err(reason(libc::EINVAL))
}

fn reason(code: c_int) -> io::Error {
    io::Error::from_raw_os_error(code)
}

/// jemalloc's report on itself.
pub fn report() -> Vec<u8> {
    let mut report: Vec<u8> = Vec::new();
    let place = (&raw mut report).cast::<c_void>();
    // SAFETY: the report outlives the call, which passes its place on to `append` alone; no options.
    unsafe { jemalloc::malloc_stats_print(Some(append), place, std::ptr::null()) };
    report
}

/// Appends a piece of the report.
extern "C" fn append(report: *mut c_void, text: *const c_char) {
    // SAFETY: the place that `report` has passed, which nobody else touches meanwhile.
    let report = unsafe { &mut *report.cast::<Vec<u8>>() };
    // SAFETY: jemalloc passes texts that end with a zero byte.
    let text = unsafe { CStr::from_ptr(text) };
    report.extend_from_slice(text.to_bytes());
}

/// The process's allocator.
pub struct Allocator;

// SAFETY: every block comes from jemalloc with at least the layout's size and alignment, and goes back with the same
// size and flags that it was asked for with.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let flags = flags(layout);
        let block = if flags == 0 {
            // SAFETY: the size is not 0, which the caller vouches for.
            unsafe { jemalloc::malloc(layout.size()) }
        } else {
            // SAFETY: as above, and the flags name a power of two.
            unsafe { jemalloc::mallocx(layout.size(), flags) }
        };
        counted(block.cast(), layout)
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let flags = flags(layout);
        let block = if flags == 0 {
            // SAFETY: the size is not 0, which the caller vouches for.
            unsafe { jemalloc::calloc(1, layout.size()) }
        } else {
            // SAFETY: as above, and the flags name a power of two.
            unsafe { jemalloc::mallocx(layout.size(), flags | jemalloc::MALLOCX_ZERO) }
        };
        counted(block.cast(), layout)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        base::memory::add(-(class_bytes(layout) as isize));
        // SAFETY: the block was allocated here with this layout, which the caller vouches for.
        unsafe { jemalloc::sdallocx(block.cast(), layout.size(), flags(layout)) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let flags = flags(layout);
        let moved = if flags == 0 {
            // SAFETY: the block was allocated here, and the new size is not 0, which the caller vouches for.
            unsafe { jemalloc::realloc(block.cast(), size) }
        } else {
            // SAFETY: as above, and the flags name a power of two.
            unsafe { jemalloc::rallocx(block.cast(), size, flags) }
        };
        if !moved.is_null() {
            let (before, after) = (class_bytes(layout), class_of(size, layout.align()));
            base::memory::add(after as isize - before as isize);
        }
        moved.cast()
    }
}

#[inline]
fn counted(block: *mut u8, layout: Layout) -> *mut u8 {
    if !block.is_null() {
        base::memory::add(class_bytes(layout) as isize);
    }
    block
}

/// Alignment as jemalloc wants it told; 0 where every block has it.
#[inline]
fn flags(layout: Layout) -> c_int {
    if layout.align() <= QUANTUM { 0 } else { layout.align().trailing_zeros() as c_int }
}

/// Bytes that a block of this layout takes.
#[inline]
pub fn class_bytes(layout: Layout) -> usize {
    class_of(layout.size(), layout.align())
}

#[inline]
fn class_of(size: usize, align: usize) -> usize {
    // A multiple of the alignment: that is how an aligned class is found.
    let size = (size + align - 1) & !(align - 1);
    if size <= SPACED_MAX {
        return (size + QUANTUM - 1) & !(QUANTUM - 1);
    }
    if CLASSED_MAX < size {
        return (size + PAGE - 1) & !(PAGE - 1);
    }
    let step = 1_usize << (usize::BITS - 1 - (size - 1).leading_zeros() - 2);
    (size + step - 1) & !(step - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_jemalloc() {
        let sizes = (1..20_000_usize).chain((20_000..5_000_000).step_by(1009));
        for size in sizes {
            for align in [1_usize, 8, 16, 32, 64, 128] {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: it only answers a question.
                let theirs = unsafe { jemalloc::nallocx(size, flags(layout)) };
                assert_eq!(class_bytes(layout), theirs, "{size} bytes, aligned to {align}");
            }
        }
    }

    #[test]
    fn blocks_are_aligned_and_keep_their_bytes() {
        for (size, align) in [(1, 1), (24, 8), (24, 16), (40, 16), (100, 64), (5000, 4096)] {
            let layout = Layout::from_size_align(size, align).unwrap();
            let larger = Layout::from_size_align(size * 3, align).unwrap();
            // SAFETY: the layouts are valid, not empty, and each block is used and freed with its own.
            #[allow(clippy::multiple_unsafe_ops_per_block, reason = "one life of one block")]
            unsafe {
                let block = Allocator.alloc_zeroed(layout);
                assert_eq!(block as usize % align, 0);
                assert_eq!(*block.add(size - 1), 0);
                *block = 7;
                let block = Allocator.realloc(block, layout, size * 3);
                assert_eq!(block as usize % align, 0);
                assert_eq!(*block, 7);
                Allocator.dealloc(block, larger);
            }
        }
    }
}
