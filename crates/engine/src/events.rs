//! What can happen to a key, by the names and classes of keyspace notifications.

/// One kind of event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// The name that subscribers see.
    pub name: &'static str,
    /// The class letter of `notify-keyspace-events`.
    pub class: u8,
}

/// The classes of events that are published, and to which channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Classes(u128);

impl Classes {
    /// Nothing is published.
    pub const NONE: Self = Self(0);
    /// The letter of messages to the channel of a key.
    pub const TO_KEY: u8 = b'K';
    /// The letter of messages to the channel of an event.
    pub const TO_EVENT: u8 = b'E';
    /// What the letter `A` stands for.
    const ALL: &'static [u8] = b"g$lshzxetd";

    /// The classes in `letters`, as `notify-keyspace-events` has them. Without a channel to publish
    /// to they come to nothing.
    pub fn from_letters(letters: &[u8]) -> Self {
        let bits = |letters: &[u8]| letters.iter().fold(0, |bits, letter| bits | bit(*letter));
        let all = if letters.contains(&b'A') { bits(Self::ALL) } else { 0 };
        let classes = Self(bits(letters) | all);
        let has_channel = classes.has(Self::TO_KEY) || classes.has(Self::TO_EVENT);
        if has_channel { classes } else { Self::NONE }
    }

    /// Whether the class with this letter is in it.
    pub fn has(self, letter: u8) -> bool {
        self.0 & bit(letter) != 0
    }
}

/// A bit for each letter of ASCII.
const fn bit(letter: u8) -> u128 {
    1 << (letter & 127)
}

const fn event(class: u8, name: &'static str) -> Event {
    Event { name, class }
}

pub const APPEND: Event = event(b'$', "append");
pub const COPY_TO: Event = event(b'g', "copy_to");
pub const DEL: Event = event(b'g', "del");
pub const EVICTED: Event = event(b'e', "evicted");
pub const EXPIRE: Event = event(b'g', "expire");
pub const EXPIRED: Event = event(b'x', "expired");
pub const GEORADIUSSTORE: Event = event(b'z', "georadiusstore");
pub const GEOSEARCHSTORE: Event = event(b'z', "geosearchstore");
pub const HDEL: Event = event(b'h', "hdel");
pub const HEXPIRE: Event = event(b'h', "hexpire");
pub const HEXPIRED: Event = event(b'h', "hexpired");
pub const HINCRBY: Event = event(b'h', "hincrby");
pub const HINCRBYFLOAT: Event = event(b'h', "hincrbyfloat");
pub const HPERSIST: Event = event(b'h', "hpersist");
pub const HSET: Event = event(b'h', "hset");
pub const INCRBY: Event = event(b'$', "incrby");
pub const INCRBYFLOAT: Event = event(b'$', "incrbyfloat");
pub const KEYMISS: Event = event(b'm', "keymiss");
pub const LINSERT: Event = event(b'l', "linsert");
pub const LPOP: Event = event(b'l', "lpop");
pub const LPUSH: Event = event(b'l', "lpush");
pub const LREM: Event = event(b'l', "lrem");
pub const LSET: Event = event(b'l', "lset");
pub const LTRIM: Event = event(b'l', "ltrim");
pub const MOVE_FROM: Event = event(b'g', "move_from");
pub const MOVE_TO: Event = event(b'g', "move_to");
pub const NEW: Event = event(b'n', "new");
pub const PERSIST: Event = event(b'g', "persist");
pub const PFADD: Event = event(b'$', "pfadd");
pub const RENAME_FROM: Event = event(b'g', "rename_from");
pub const RENAME_TO: Event = event(b'g', "rename_to");
pub const RESTORE: Event = event(b'g', "restore");
pub const RPOP: Event = event(b'l', "rpop");
pub const RPUSH: Event = event(b'l', "rpush");
pub const SADD: Event = event(b's', "sadd");
pub const SDIFFSTORE: Event = event(b's', "sdiffstore");
pub const SET: Event = event(b'$', "set");
pub const SETBIT: Event = event(b'$', "setbit");
pub const SETRANGE: Event = event(b'$', "setrange");
pub const SINTERSTORE: Event = event(b's', "sinterstore");
pub const SORTSTORE: Event = event(b'l', "sortstore");
pub const SPOP: Event = event(b's', "spop");
pub const SREM: Event = event(b's', "srem");
pub const SUNIONSTORE: Event = event(b's', "sunionstore");
pub const XADD: Event = event(b't', "xadd");
pub const XDEL: Event = event(b't', "xdel");
pub const XGROUP_CREATE: Event = event(b't', "xgroup-create");
pub const XGROUP_CREATECONSUMER: Event = event(b't', "xgroup-createconsumer");
pub const XGROUP_DELCONSUMER: Event = event(b't', "xgroup-delconsumer");
pub const XGROUP_DESTROY: Event = event(b't', "xgroup-destroy");
pub const XGROUP_SETID: Event = event(b't', "xgroup-setid");
pub const XSETID: Event = event(b't', "xsetid");
pub const XTRIM: Event = event(b't', "xtrim");
pub const ZADD: Event = event(b'z', "zadd");
pub const ZDIFFSTORE: Event = event(b'z', "zdiffstore");
pub const ZINCR: Event = event(b'z', "zincr");
pub const ZINTERSTORE: Event = event(b'z', "zinterstore");
pub const ZPOPMAX: Event = event(b'z', "zpopmax");
pub const ZPOPMIN: Event = event(b'z', "zpopmin");
pub const ZRANGESTORE: Event = event(b'z', "zrangestore");
pub const ZREM: Event = event(b'z', "zrem");
pub const ZREMRANGEBYLEX: Event = event(b'z', "zremrangebylex");
pub const ZREMRANGEBYRANK: Event = event(b'z', "zremrangebyrank");
pub const ZREMRANGEBYSCORE: Event = event(b'z', "zremrangebyscore");
pub const ZUNIONSTORE: Event = event(b'z', "zunionstore");
