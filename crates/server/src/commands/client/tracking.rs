//! CLIENT TRACKING and its relatives: what a client caches, and who is told when that changes.

use super::super::{host, own_record};
use crate::clients::record::flags;
use engine::args::{Args, is_word};
use engine::command::Outcome;
use engine::error::TrackingError;
use engine::tracking::{self, ClientTracking, Modes, Options};
use engine::{CommandError, Ctx};
use std::sync::atomic::Ordering::Relaxed;

/// Bits of the record that tell of tracking.
const FLAGS: u32 = flags::TRACKING | flags::TRACKING_BROADCAST | flags::TRACKING_BROKEN;

/// `CLIENT CACHING YES | NO` → OK: how the reads of the next call or transaction are taken.
pub(super) fn caching(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let word = ctx.argv.at(2);
    let is_yes = is_word(word, "yes");
    let is_tracking = active(ctx).is_some();
    if is_tracking && !is_yes && !is_word(word, "no") {
        return Err(CommandError::Syntax);
    }
    tracking::say_caching(ctx.session, is_yes)?;
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT GETREDIR` → the client that receives invalidations; 0: this one; -1: nothing is tracked.
pub(super) fn getredir(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let receiver = active(ctx).map(receiver);
    ctx.reply.integer(receiver.unwrap_or(-1));
    Ok(())
}

/// `CLIENT TRACKING ON | OFF [REDIRECT id] [PREFIX prefix …] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]` → OK.
/// O(prefixes).
pub(super) fn tracking(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = options(ctx)?;
    let record = own_record(ctx)?;
    let word = ctx.argv.at(2);
    if is_word(word, "on") {
        ctx.engine.tracking.begin(ctx.session, ctx.host, &options)?;
        let is_broadcast = options.modes.has(Modes::BROADCAST);
        let shown = if is_broadcast { flags::TRACKING_BROADCAST } else { 0 };
        record.counts.flags.fetch_and(!FLAGS, Relaxed);
        record.counts.flags.fetch_or(flags::TRACKING | shown, Relaxed);
        record.counts.redirect.store(options.redirect as i64, Relaxed);
    } else if is_word(word, "off") {
        ctx.engine.tracking.end(ctx.session);
        record.counts.flags.fetch_and(!FLAGS, Relaxed);
        record.counts.redirect.store(-1, Relaxed);
    } else {
        return Err(CommandError::Syntax);
    }
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT TRACKINGINFO` → flags, the client that receives invalidations, and prefixes.
pub(super) fn trackinginfo(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let own = active(ctx);
    let shown = own.map_or_else(|| vec!["off"], modes);
    let receiver = own.map_or(-1, receiver);
    let prefixes: Vec<Vec<u8>> =
        own.iter().flat_map(|own| own.prefixes()).map(<[u8]>::to_vec).collect();
    ctx.reply.map(3);
    ctx.reply.bulk(b"flags");
    ctx.reply.set(shown.len());
    shown.iter().for_each(|mode| ctx.reply.bulk(mode.as_bytes()));
    ctx.reply.bulk(b"redirect");
    ctx.reply.integer(receiver);
    ctx.reply.bulk(b"prefixes");
    ctx.reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| ctx.reply.bulk(prefix));
    Ok(())
}

/// What the calling client tracks, if it does.
fn active<'c>(ctx: &'c Ctx<'_, '_>) -> Option<&'c ClientTracking> {
    let own = ctx.session.tracking.as_deref()?;
    own.tracker().modes().has(Modes::ON).then_some(own)
}

fn receiver(own: &ClientTracking) -> i64 {
    own.tracker().redirect().map_or(0, |client| client as i64)
}

fn modes(own: &ClientTracking) -> Vec<&'static str> {
    let modes = own.tracker().modes();
    let said = |mode: Modes| own.is_caching_said && modes.has(mode);
    let shown = [
        (true, "on"),
        (modes.has(Modes::BROADCAST), "bcast"),
        (modes.has(Modes::OPT_IN), "optin"),
        (said(Modes::OPT_IN), "caching-yes"),
        (modes.has(Modes::OPT_OUT), "optout"),
        (said(Modes::OPT_OUT), "caching-no"),
        (modes.has(Modes::NO_LOOP), "noloop"),
        (modes.has(Modes::BROKEN), "broken_redirect"),
    ];
    shown.iter().filter(|(is_shown, _)| *is_shown).map(|(_, name)| *name).collect()
}

fn options<'c>(ctx: &Ctx<'c, '_>) -> Result<Options<'c>, CommandError> {
    let mut options = Options::default();
    let mut args = Args::new(ctx.argv, 3);
    while let Some(word) = args.next() {
        let mode = [
            ("bcast", Modes::BROADCAST),
            ("optin", Modes::OPT_IN),
            ("optout", Modes::OPT_OUT),
            ("noloop", Modes::NO_LOOP),
        ]
        .into_iter()
        .find(|(name, _)| is_word(word, name));
        if let Some((_, mode)) = mode {
            options.modes = options.modes.with(mode);
        } else if is_word(word, "redirect") && !args.is_empty() {
            if options.redirect != 0 {
                return Err(TrackingError::RedirectTwice.into());
            }
            let client = u64::try_from(args.integer()?).unwrap_or_default();
            let record = host(ctx)?.registry.find(client).filter(|record| !record.is_killed());
            options.redirect = record.ok_or(TrackingError::RedirectMissing)?.id;
        } else if is_word(word, "prefix") {
            options.prefixes.push(args.required()?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(options)
}
