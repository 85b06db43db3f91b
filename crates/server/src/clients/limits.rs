//! Limits of unwritten output: who is cut off, and when.

use crate::config::{ClientsMemory, OutputLimit, Settings};

/// A lower limit would lock everybody out, whoever wants to raise it included.
const CLIENTS_BYTES_MAX_MIN: u64 = 128 << 10;

/// The limit of a client's class.
#[inline]
pub fn of_class(settings: &Settings, is_subscriber: bool) -> &OutputLimit {
    if is_subscriber { &settings.output_limit_pubsub } else { &settings.output_limit_normal }
}

/// Whether so many unwritten bytes are too many at once.
#[inline]
pub fn is_over_hard(limit: &OutputLimit, bytes: usize) -> bool {
    limit.hard_bytes != 0 && limit.hard_bytes < bytes as u64
}

/// Whether so many unwritten bytes are too many if they stay.
#[inline]
pub fn is_over_soft(limit: &OutputLimit, bytes: usize) -> bool {
    limit.soft_bytes != 0 && limit.soft_bytes < bytes as u64
}

/// Whether the soft limit has been exceeded for too long; `since_ns` 0: it isn't.
pub fn has_lapsed(limit: &OutputLimit, since_ns: u64, now_ns: u64) -> bool {
    let allowed_ns = u64::from(limit.soft_seconds) * 1_000_000_000;
    since_ns != 0 && allowed_ns < now_ns.saturating_sub(since_ns)
}

/// Bytes that all clients together must not reach; `None` is no limit.
#[inline]
pub fn clients_bytes_max(settings: &Settings) -> Option<u64> {
    let bytes = match settings.maxmemory_clients {
        ClientsMemory::Bytes(bytes) => bytes,
        // Of what has no limit a share has none.
        ClientsMemory::Percent(percent) => {
            (u128::from(settings.maxmemory) * u128::from(percent) / 100) as u64
        }
    };
    (bytes != 0).then_some(bytes.max(CLIENTS_BYTES_MAX_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_zero_never_bite() {
        let none = OutputLimit::default();
        assert!(!is_over_hard(&none, usize::MAX) && !is_over_soft(&none, usize::MAX));
        let limit = OutputLimit { hard_bytes: 100, soft_bytes: 10, soft_seconds: 2 };
        assert!(!is_over_hard(&limit, 100) && is_over_hard(&limit, 101));
        assert!(!is_over_soft(&limit, 10) && is_over_soft(&limit, 11));
        assert!(!has_lapsed(&limit, 0, u64::MAX) && !has_lapsed(&limit, 5, 2_000_000_005));
        assert!(has_lapsed(&limit, 5, 2_000_000_006));
    }
}
