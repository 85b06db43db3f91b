//! The bytes between the values of a snapshot.

/// Where a slot's keys begin, and how many come.
pub(super) const SLOT_INFO: u8 = 0xf4;
/// What modules have added to a key (Redis), or slots on their way here (Valkey).
pub(super) const KEY_META: u8 = 0xf3;
/// A library of functions.
pub(in crate::rdb) const FUNCTION: u8 = 0xf5;
/// A library, in a form that was never released.
pub(super) const FUNCTION_EARLY: u8 = 0xf6;
/// A module's data beside keys.
pub(super) const MODULE_AUX: u8 = 0xf7;
/// For how many seconds the next key was not used.
pub(super) const IDLE: u8 = 0xf8;
/// How often the next key was used.
pub(super) const FREQUENCY: u8 = 0xf9;
/// A name and what there is to say of it.
pub(super) const AUX: u8 = 0xfa;
/// How many keys come, and how many of them with a deadline.
pub(super) const SIZES: u8 = 0xfb;
/// The next key's deadline in milliseconds.
pub(super) const DEADLINE_MS: u8 = 0xfc;
/// The next key's deadline in seconds.
pub(super) const DEADLINE_S: u8 = 0xfd;
/// The database of the keys that come.
pub(super) const DATABASE: u8 = 0xfe;
/// No more keys.
pub(super) const END: u8 = 0xff;
