//! The few primitives that the locks are made of, swapped for loom's models under `cfg(loom)`.

#[cfg(not(loom))]
pub(super) use parking_lot::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(super) use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(loom)]
pub(super) use self::model::Mutex;
#[cfg(loom)]
pub(super) use loom::sync::MutexGuard;
#[cfg(loom)]
pub(super) use loom::sync::atomic::{AtomicU64, Ordering};

/// How many pauses lie between the looks of one spin; their sum is the longest spin.
///
/// A pause takes 10 to 45 ns, so this is about 2 to 6 µs: longer than a short call holds a shard,
/// shorter than a thread's trip through the kernel. The gaps grow so that the holder can take and
/// release the lock several times with its line undisturbed.
#[cfg(not(loom))]
const PAUSES: [u32; 9] = [1, 2, 4, 8, 16, 24, 32, 32, 32];

/// A bounded wait for somebody who is about to be done.
pub(super) struct Spin {
    looks: usize,
}

impl Spin {
    pub(super) const fn new() -> Self {
        Self { looks: 0 }
    }

    /// Pauses before the next look; false when the spin is over.
    #[cfg(not(loom))]
    pub(super) fn again(&mut self) -> bool {
        let Some(&pauses) = PAUSES.get(self.looks) else { return false };
        self.looks += 1;
        for _ in 0..pauses {
            std::hint::spin_loop();
        }
        true
    }

    /// Models go without spins: they would only repeat states.
    #[cfg(loom)]
    pub(super) fn again(&mut self) -> bool {
        self.looks += 1;
        false
    }
}

#[cfg(loom)]
mod model {
    //! loom's mutex with parking_lot's signature.

    pub(in super::super) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(in super::super) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(in super::super) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("no model panics while it holds a mutex")
        }
    }
}
