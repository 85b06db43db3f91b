//! What CLIENT TRACKING and CLIENT CACHING refuse, in Redis's words.

use super::CommandError;
use crate::args;
use std::borrow::Cow;

/// Why a client cannot track so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TrackingError {
    BroadcastSwitched,
    BroadcastWithOpt,
    CachingNo,
    CachingWithoutTracking,
    CachingYes,
    OptInAndOut,
    OptSwitched,
    /// A prefix, the one that it overlaps with, and which that is.
    PrefixesOverlap(Box<str>, Box<str>, &'static str),
    PrefixWithoutBroadcast,
    RedirectMissing,
    RedirectTwice,
}

impl TrackingError {
    /// Two prefixes of which one begins with the other.
    pub fn prefixes(prefix: &[u8], other: &[u8], which: &'static str) -> Self {
        Self::PrefixesOverlap(args::shown(prefix), args::shown(other), which)
    }

    /// The text that clients see.
    pub fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::BroadcastSwitched => {
                "ERR You can't switch BCAST mode on/off before disabling tracking for this client, \
                 and then re-enabling it with a different mode."
            }
            Self::BroadcastWithOpt => "ERR OPTIN and OPTOUT are not compatible with BCAST",
            Self::CachingNo => {
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
            }
            Self::CachingWithoutTracking => {
                "ERR CLIENT CACHING can be called only when the client is in tracking mode with \
                 OPTIN or OPTOUT mode enabled"
            }
            Self::CachingYes => {
                "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
            }
            Self::OptInAndOut => "ERR You can't specify both OPTIN mode and OPTOUT mode",
            Self::OptSwitched => {
                "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, \
                 and then re-enabling it with a different mode."
            }
            Self::PrefixesOverlap(prefix, other, which) => {
                return Cow::Owned(format!(
                    "ERR Prefix '{prefix}' overlaps with {which} prefix '{other}'. Prefixes for a \
                     single client must not overlap."
                ));
            }
            Self::PrefixWithoutBroadcast => "ERR PREFIX option requires BCAST mode to be enabled",
            Self::RedirectMissing => "ERR The client ID you want redirect to does not exist",
            Self::RedirectTwice => "ERR A client can only redirect to a single other client",
        })
    }
}

impl From<TrackingError> for CommandError {
    fn from(error: TrackingError) -> Self {
        Self::Tracking(error)
    }
}
