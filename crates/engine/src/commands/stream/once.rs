//! What producers send once: IDMP and IDMPAUTO of XADD, and XCFGSET.

use crate::args::Args;
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::{CommandError, StreamError};
use base::xxh3::xxh3;
use resp::Argv;
use store::types::stream::{self, Id, Stream};

/// By what a producer's entry is known if it is sent again.
pub(super) struct Once<'a> {
    producer: &'a [u8],
    /// The producer's own id; `None`: what the entry says.
    iid: Option<&'a [u8]>,
}

impl<'a> Once<'a> {
    /// Takes IDMP or IDMPAUTO with its arguments, if one is next.
    pub(super) fn take(args: &mut Args<'a>, said: &mut Option<Self>) -> Result<bool, CommandError> {
        let once = if 3 <= args.len() && args.take("idmp") {
            Self { producer: args.required()?, iid: Some(args.required()?) }
        } else if 2 <= args.len() && args.take("idmpauto") {
            Self { producer: args.required()?, iid: None }
        } else {
            return Ok(false);
        };
        let word = if once.iid.is_some() { "IDMP" } else { "IDMPAUTO" };
        if once.producer.is_empty() {
            return Err(StreamError::OnceEmpty(word, "producer").into());
        }
        if once.iid.is_some_and(<[u8]>::is_empty) {
            return Err(StreamError::OnceEmpty(word, "idempotent").into());
        }
        if said.replace(once).is_some() {
            return Err(StreamError::OnceTwice.into());
        }
        Ok(true)
    }

    /// The option as it was said.
    pub(super) fn words(&self) -> Vec<&'a [u8]> {
        match self.iid {
            Some(iid) => vec![b"IDMP", self.producer, iid],
            None => vec![b"IDMPAUTO", self.producer],
        }
    }

    /// By what the entry is known whose first field is argument `first`.
    pub(super) fn known_by(self, argv: Argv<'_>, first: usize) -> Known<'a> {
        Known { iid: self.iid(argv, first), producer: self.producer }
    }

    /// The iid, with a mark that tells those of producers from those of contents. The order of the
    /// fields makes no difference: the numbers of all pairs are added up.
    fn iid(&self, argv: Argv<'_>, first: usize) -> Vec<u8> {
        const GIVEN: u8 = 0;
        const OF_CONTENT: u8 = 1;
        if let Some(iid) = self.iid {
            return [&[GIVEN], iid].concat();
        }
        let (mut one, mut other) = (0_u64, 0_u64);
        for index in (first..argv.len()).step_by(2) {
            let field = xxh3(argv.at(index)).to_le_bytes();
            let value = xxh3(argv.at(index + 1)).to_le_bytes();
            one = one.wrapping_add(xxh3(&[field, value].concat()));
            other = other.wrapping_add(xxh3(&[value, [OF_CONTENT; 8], field].concat()));
        }
        [&[OF_CONTENT][..], &one.to_le_bytes(), &other.to_le_bytes()].concat()
    }
}

/// An entry as a stream remembers it.
pub(super) struct Known<'a> {
    producer: &'a [u8],
    iid: Vec<u8>,
}

impl Known<'_> {
    /// The id that it got when it was sent before.
    pub(super) fn find(&self, stream: &mut Stream, now_ms: u64) -> Option<Id> {
        stream.producers_mut().find_duplicate(self.producer, &self.iid, now_ms)
    }

    /// It has got this id.
    pub(super) fn remember(&self, stream: &mut Stream, id: Id, now_ms: u64) {
        stream.producers_mut().remember(self.producer, &self.iid, id, now_ms);
    }
}

/// `XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE count]` → OK. What was remembered of producers
/// is forgotten if a number changes. O(1), and O(what is forgotten).
pub(super) fn xcfgset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const DURATION: (&str, i64) = ("IDMP-DURATION", 86_400);
    const MAXSIZE: (&str, i64) = ("IDMP-MAXSIZE", 10_000);
    let mut args = Args::new(ctx.argv, 2);
    let (mut duration_s, mut iids_max) = (None, None);
    if args.is_empty() {
        return Err(StreamError::ConfigNothing.into());
    }
    while !args.is_empty() {
        let ((name, max), number) = if args.take(DURATION.0) {
            (DURATION, &mut duration_s)
        } else if args.take(MAXSIZE.0) {
            (MAXSIZE, &mut iids_max)
        } else {
            return Err(CommandError::Syntax);
        };
        let given = args.integer()?;
        let in_range = u32::try_from(given).ok().filter(|_| (1..=max).contains(&given));
        *number = Some(in_range.ok_or(StreamError::ConfigRange { name, max })?);
    }
    let changed = ctx.data.change::<Stream, _>(ctx.key(1), |home| {
        stream::open(home).producers_mut().configure(duration_s, iids_max);
    })?;
    changed.ok_or(CommandError::NoSuchKey)?;
    ctx.data.changed_quietly(ctx.key(1));
    ctx.reply.ok();
    Ok(())
}
