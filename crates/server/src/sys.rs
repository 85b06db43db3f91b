//! The few calls to the operating system that the standard library doesn't have.

pub mod fatal;
pub mod title;

use std::io;

/// The processor's cycle counter. It says nothing about time unless [`cycles_are_steady`].
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn cycles() -> u64 {
    // SAFETY: the instruction exists on every processor of this architecture and touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The processor's cycle counter, where reading one is not known: always 0.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub fn cycles() -> u64 {
    0
}

/// Whether [`cycles`] counts at one rate on every core, asleep or not, by the kernel's own judgement.
pub fn cycles_are_steady() -> bool {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let source = read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let processor = read("/proc/cpuinfo");
    let has_flag = |flag: &str| processor.split_ascii_whitespace().any(|word| word == flag);
    cfg!(target_arch = "x86_64")
        && matches!(source.trim(), "tsc" | "kvm-clock")
        && has_flag("constant_tsc")
        && has_flag("nonstop_tsc")
}

/// The most files that the process may have open: what it may now, and what it could ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    pub now: u64,
    pub most: u64,
}

/// Ends a socket in both directions; its peer sees that at once. The descriptor stays open.
pub fn shut_down(socket: i32) {
    // SAFETY: touches no memory of this process.
    unsafe { libc::shutdown(socket, libc::SHUT_RDWR) };
}

/// Lets other threads go before this one, where several want a core.
pub fn lower_priority() {
    // SAFETY: touches no memory of this process. On Linux it is about the calling thread alone; where it is
    // refused, the thread stays as it is.
    unsafe { libc::nice(10) };
}

/// How many files the process may have open.
pub fn open_files() -> io::Result<OpenFiles> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer.
    let outcome = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(OpenFiles { now: limit.rlim_cur, most: limit.rlim_max })
}

/// Asks for so many open files, and for a higher ceiling if `count` is above it.
pub fn set_open_files(count: u64, most: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: count, rlim_max: most.max(count) };
    // SAFETY: `limit` is a valid limit that outlives the call.
    let outcome = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Processor time that the process has used, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessorTime {
    pub user_us: u64,
    pub system_us: u64,
}

/// Processor time of all threads of the process, or of its children.
pub fn processor_time(of: TimeOf) -> ProcessorTime {
    let who = match of {
        TimeOf::Children => libc::RUSAGE_CHILDREN,
        TimeOf::Process => libc::RUSAGE_SELF,
        TimeOf::Thread => libc::RUSAGE_THREAD,
    };
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a valid place for the answer.
    let outcome = unsafe { libc::getrusage(who, usage.as_mut_ptr()) };
    if outcome != 0 {
        return ProcessorTime::default();
    }
    // SAFETY: it is plain numbers, for which zeros are valid, and the call has filled it in.
    let usage = unsafe { usage.assume_init() };
    let us = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    ProcessorTime { user_us: us(usage.ru_utime), system_us: us(usage.ru_stime) }
}

/// Whose processor time is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeOf {
    Children,
    Process,
    /// The calling thread.
    Thread,
}

/// Bytes of the process that are in the machine's memory, or 0 where the kernel doesn't tell.
pub fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_ascii_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
    pages.unwrap_or(0) * page_bytes()
}

/// Bytes of a page of memory.
pub fn page_bytes() -> u64 {
    // SAFETY: it only answers a question.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

/// Keeps the kernel from making huge pages of this process's memory: they make it grow unseen.
pub fn disable_huge_pages() -> io::Result<()> {
    // SAFETY: the call takes numbers only.
    let outcome = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Goes on in a child process that is detached from the terminal; the parent ends.
///
/// To be called before the first thread is started.
pub fn detach() -> io::Result<()> {
    // SAFETY: no other thread runs yet, so the child finds every lock free.
    let child = unsafe { libc::fork() };
    match child {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        _ => std::process::exit(0),
    }
    // SAFETY: the call takes nothing and only changes the process's session.
    unsafe { libc::setsid() };
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for target in 0..=2 {
        // SAFETY: both are open descriptors; nothing in this process owns 0, 1 or 2 exclusively.
        unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&null), target) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_files_memory_and_time() {
        let files = open_files().unwrap();
        assert!(0 < files.now && files.now <= files.most);
        set_open_files(files.now, files.most).unwrap();
        assert!(1 << 20 < resident_bytes());
        let started = processor_time(TimeOf::Process);
        let mut sum = 0_u64;
        while processor_time(TimeOf::Process) == started {
            sum = std::hint::black_box(sum + 1);
        }
        let time = processor_time(TimeOf::Process);
        assert!(started.user_us + started.system_us < time.user_us + time.system_us);
    }

    #[test]
    fn a_steady_counter_moves_on() {
        if cycles_are_steady() {
            let first = cycles();
            let started = std::time::Instant::now();
            while started.elapsed() < std::time::Duration::from_millis(1) {
                std::hint::spin_loop();
            }
            assert!(first < cycles());
        }
    }
}
