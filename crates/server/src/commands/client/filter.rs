//! Which clients CLIENT LIST shows and CLIENT KILL ends.

use super::line;
use crate::clients::record::{ClientRecord, flags};
use crate::clients::stream::Endpoint;
use engine::args::{self, Args, is_word};
use engine::{CommandError, Ctx};
use std::sync::atomic::Ordering::Relaxed;

/// Whose filters they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    Kill,
    List,
}

/// What all chosen clients have in common.
pub(super) struct Filter {
    conditions: Vec<(bool, Condition)>,
    skips_self: bool,
}

enum Condition {
    Address(Vec<u8>),
    Age(i64),
    Capabilities(Vec<u8>),
    Database(i64),
    Flags(Vec<u8>),
    Idle(i64),
    Ids(Vec<u64>),
    Ip(Vec<u8>),
    Library(Vec<u8>),
    LibraryVersion(Vec<u8>),
    LocalAddress(Vec<u8>),
    Name(Vec<u8>),
    Type(ClientType),
    User(Vec<u8>),
}

/// Kinds of clients; those that do not exist yet match nobody.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientType {
    Normal,
    Other,
    PubSub,
}

impl Filter {
    /// Reads filters up to the end of the arguments.
    pub(super) fn parse(
        ctx: &Ctx<'_, '_>,
        mut args: Args<'_>,
        used_for: Use,
    ) -> Result<Self, CommandError> {
        let mut filter = Self { conditions: Vec::new(), skips_self: used_for == Use::Kill };
        while let Some(word) = args.next() {
            if is_word(word, "skipme") {
                filter.skips_self = match args.required()? {
                    answer if is_word(answer, "yes") => true,
                    answer if is_word(answer, "no") => false,
                    _ => return Err(CommandError::Syntax),
                };
                continue;
            }
            let word = word.to_ascii_lowercase();
            let (is_wanted, name) = match word.strip_prefix(b"not-") {
                Some(name) => (false, name),
                None => (true, &word[..]),
            };
            let condition = Condition::parse(ctx, name, &mut args, used_for);
            // The newer filters have one error for ids.
            let condition = match condition {
                Err(CommandError::ClientIdInvalid) if !is_wanted => Err(CommandError::Syntax),
                other => other,
            }?;
            filter.conditions.push((is_wanted, condition));
        }
        Ok(filter)
    }

    /// Whether `record` is meant.
    pub(super) fn matches(&self, ctx: &Ctx<'_, '_>, record: &ClientRecord) -> bool {
        let is_skipped = record.is_killed() || (self.skips_self && record.id == ctx.session.id);
        !is_skipped
            && self.conditions.iter().all(|(is_wanted, c)| c.matches(ctx, record) == *is_wanted)
    }
}

impl Condition {
    fn parse(
        ctx: &Ctx<'_, '_>,
        name: &[u8],
        args: &mut Args<'_>,
        used_for: Use,
    ) -> Result<Self, CommandError> {
        if name == b"id" {
            return match ctx.settings.dialect.differences().client_ids_are_checked {
                true => Self::parse_checked_ids(args),
                false => Self::parse_ids(args, used_for),
            };
        }
        let value = args.required()?;
        let text = value.to_vec();
        Ok(match name {
            b"addr" => Self::Address(text),
            b"capa" if text.iter().all(|letter| *letter == b'r') => Self::Capabilities(text),
            b"capa" => {
                let capability = args::shown(value);
                return Err(CommandError::ClientCapabilityUnknown(capability));
            }
            b"db" => Self::Database(Self::database(ctx, value)?),
            b"flags" => Self::flags(text)?,
            b"idle" => Self::Idle(positive(value, "idle")?),
            b"ip" => Self::Ip(text),
            b"laddr" => Self::LocalAddress(text),
            b"lib-name" => Self::Library(text),
            b"lib-ver" => Self::LibraryVersion(text),
            b"maxage" => Self::Age(positive(value, "maxage")?),
            b"name" => Self::Name(text),
            b"type" => Self::Type(client_type(value)?),
            b"user" if ctx.engine.acl.user(value).is_none() => {
                let name = args::shown(value);
                return Err(CommandError::NoSuchUser(name));
            }
            b"user" => Self::User(text),
            _ => return Err(CommandError::Syntax),
        })
    }

    fn parse_checked_ids(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let mut ids = Vec::new();
        while let Some(word) = args.peek() {
            match args::integer(word) {
                Ok(id) if 0 < id => ids.push(id.unsigned_abs()),
                Ok(_) => return Err(CommandError::ClientIdNotPositive),
                Err(_) if !ids.is_empty() => break,
                Err(_) => return Err(CommandError::Syntax),
            }
            args.next();
        }
        if ids.is_empty() { Err(CommandError::Syntax) } else { Ok(Self::Ids(ids)) }
    }

    fn parse_ids(args: &mut Args<'_>, used_for: Use) -> Result<Self, CommandError> {
        let mut ids = Vec::new();
        while let Some(word) = args.peek() {
            match args::integer(word).ok().and_then(|id| u64::try_from(id).ok()) {
                Some(id) if 0 < id => ids.push(id),
                // No client has such a number, so none is found.
                _ if used_for == Use::List && args::integer(word).is_ok() => ids.push(0),
                _ if !ids.is_empty() && word.first().is_some_and(u8::is_ascii_alphabetic) => break,
                _ if used_for == Use::Kill => return Err(CommandError::ClientIdNotPositive),
                _ => return Err(CommandError::ClientIdInvalid),
            }
            args.next();
        }
        if ids.is_empty() { Err(CommandError::Syntax) } else { Ok(Self::Ids(ids)) }
    }

    fn flags(letters: Vec<u8>) -> Result<Self, CommandError> {
        const KNOWN: &[u8] = b"AbBcdeEiIkMNOPrStTuUxR";
        if letters.iter().all(|letter| KNOWN.contains(letter)) {
            return Ok(Self::Flags(letters));
        }
        let letters = args::shown(&letters);
        Err(CommandError::ClientFlagsUnknown(letters))
    }

    fn database(ctx: &Ctx<'_, '_>, value: &[u8]) -> Result<i64, CommandError> {
        let db = args::integer(value).map_err(|_| CommandError::ClientFilterInvalid("DB"))?;
        let is_valid = usize::try_from(db).is_ok_and(|db| db < ctx.settings.databases);
        let last = ctx.settings.databases - 1;
        if is_valid { Ok(db) } else { Err(CommandError::ClientDatabase { last }) }
    }

    fn matches(&self, ctx: &Ctx<'_, '_>, record: &ClientRecord) -> bool {
        let now_ns = ctx.engine.clock().now_ns();
        let seconds = |ns: u64| (ns / 1_000_000_000) as i64;
        match self {
            Self::Address(address) => record.endpoint.peer().to_string().as_bytes() == &address[..],
            Self::Age(age) => *age <= seconds(now_ns.saturating_sub(record.created_ns)),
            Self::Capabilities(letters) => {
                let has = record.counts.flags.load(Relaxed) & flags::CAPA_REDIRECT != 0;
                letters.iter().all(|letter| *letter == b'r' && has)
            }
            Self::Database(db) => i64::from(record.counts.db.load(Relaxed)) == *db,
            Self::Flags(wanted) => {
                let letters = line::flag_letters(record);
                wanted.iter().all(|letter| letters.as_bytes().contains(letter))
            }
            Self::Idle(idle) => *idle <= seconds(record.idle_ns(now_ns)),
            Self::Ids(ids) => ids.contains(&record.id),
            Self::Ip(ip) => match &record.endpoint {
                Endpoint::Tcp { peer, .. } => peer.ip().to_string().as_bytes() == &ip[..],
                _ => false,
            },
            Self::Library(name) => *record.names.lock().library == **name,
            Self::LibraryVersion(version) => *record.names.lock().library_version == **version,
            Self::LocalAddress(address) => {
                record.endpoint.local().to_string().as_bytes() == &address[..]
            }
            Self::Name(name) => *record.names.lock().name == **name,
            Self::Type(ClientType::Normal) => !record.is_subscriber(),
            Self::Type(ClientType::Other) => false,
            Self::Type(ClientType::PubSub) => record.is_subscriber(),
            Self::User(user) => *record.names.lock().user == **user,
        }
    }
}

fn positive(value: &[u8], name: &'static str) -> Result<i64, CommandError> {
    match args::integer(value) {
        Ok(number) if 0 < number => Ok(number),
        Ok(_) => Err(CommandError::ClientFilterNotPositive(name)),
        Err(_) => Err(CommandError::ClientFilterInvalid(name)),
    }
}

fn client_type(value: &[u8]) -> Result<ClientType, CommandError> {
    const OTHERS: [&str; 4] = ["replica", "slave", "master", "primary"];
    if is_word(value, "normal") {
        Ok(ClientType::Normal)
    } else if is_word(value, "pubsub") {
        Ok(ClientType::PubSub)
    } else if OTHERS.iter().any(|name| is_word(value, name)) {
        Ok(ClientType::Other)
    } else {
        Err(CommandError::ClientType(args::shown(value)))
    }
}
