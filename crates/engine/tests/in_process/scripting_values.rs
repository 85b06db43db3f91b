//! Values between scripts and clients: random ones are returned by a script, and arrive as the rules
//! say, in both protocols; and what a script sends to a key and reads back is the same.

use crate::world::{Client, World};
use proptest::prelude::*;
use resp::Frame;

/// A value of a script, as far as replies tell it from others.
#[derive(Clone, Debug)]
enum Value {
    BigNumber(String),
    Boolean(bool),
    Double(f64),
    Error(String),
    /// With one pair, because pairs have no order.
    Map(Box<(Self, Self)>),
    Nil,
    Number(f64),
    Sequence(Vec<Self>),
    /// With one member.
    Set(Box<Self>),
    Status(String),
    Text(Vec<u8>),
    Verbatim(String),
}

/// Who asks, and how the script sees the world.
#[derive(Clone, Copy, Debug)]
struct Setting {
    /// The client speaks the newer protocol.
    is_newer: bool,
    /// The script has called `redis.setresp(3)`.
    sees_newer: bool,
}

impl Value {
    /// The expression that makes it.
    fn source(&self) -> String {
        match self {
            Self::BigNumber(digits) => format!("{{big_number='{digits}'}}"),
            Self::Boolean(is_true) => is_true.to_string(),
            Self::Double(number) => format!("{{double={number}}}"),
            Self::Error(text) => format!("{{err='{text}'}}"),
            Self::Map(pair) => {
                format!("{{map={{[{}]={}}}}}", pair.0.source(), pair.1.source())
            }
            Self::Nil => "nil".to_owned(),
            Self::Number(number) => format!("({number})"),
            Self::Sequence(items) => {
                let items: Vec<_> = items.iter().map(Self::source).collect();
                format!("{{{}}}", items.join(","))
            }
            Self::Set(member) => format!("{{set={{[{}]=true}}}}", member.source()),
            Self::Status(text) => format!("{{ok='{text}'}}"),
            Self::Text(bytes) => {
                let escaped: String = bytes.iter().map(|byte| format!("\\{byte:03}")).collect();
                format!("'{escaped}'")
            }
            Self::Verbatim(text) => {
                format!("{{verbatim_string={{format='txt',string='{text}'}}}}")
            }
        }
    }

    /// What the client gets.
    fn reply(&self, setting: Setting) -> Frame {
        let null = if setting.is_newer { Frame::Null } else { Frame::NullBulk };
        match self {
            Self::BigNumber(digits) if setting.is_newer => {
                Frame::BigNumber(digits.clone().into_bytes())
            }
            Self::BigNumber(digits) => Frame::Bulk(digits.clone().into_bytes()),
            Self::Boolean(is_true) if setting.sees_newer && setting.is_newer => {
                Frame::Boolean(*is_true)
            }
            Self::Boolean(is_true) if setting.sees_newer => Frame::Integer(i64::from(*is_true)),
            Self::Boolean(true) => Frame::Integer(1),
            Self::Boolean(false) | Self::Nil => null,
            Self::Double(number) if setting.is_newer => Frame::Double(*number),
            Self::Double(number) => Frame::Bulk(number.to_string().into_bytes()),
            Self::Error(text) => Frame::Error(text.clone().into_bytes()),
            Self::Map(pair) => {
                let (key, value) = (pair.0.reply(setting), pair.1.reply(setting));
                if setting.is_newer {
                    Frame::Map(vec![(key, value)])
                } else {
                    Frame::Array(vec![key, value])
                }
            }
            Self::Number(number) => Frame::Integer(number.trunc() as i64),
            Self::Sequence(items) => {
                let items = items.iter().take_while(|item| !matches!(item, Self::Nil));
                Frame::Array(items.map(|item| item.reply(setting)).collect())
            }
            Self::Set(member) if setting.is_newer => Frame::Set(vec![member.reply(setting)]),
            Self::Set(member) => Frame::Array(vec![member.reply(setting)]),
            Self::Status(text) => Frame::Simple(text.clone().into_bytes()),
            Self::Text(bytes) => Frame::Bulk(bytes.clone()),
            Self::Verbatim(text) if setting.is_newer => {
                Frame::Verbatim { format: *b"txt", text: text.clone().into_bytes() }
            }
            Self::Verbatim(text) => Frame::Bulk(text.clone().into_bytes()),
        }
    }
}

/// What can be the key of a table and comes out as it went in.
fn key() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i32>().prop_map(|number| Value::Number(f64::from(number))),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(Value::Text),
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        "-?[1-9][0-9]{0,30}".prop_map(Value::BigNumber),
        any::<bool>().prop_map(Value::Boolean),
        (-1000..1000_i32).prop_map(|eighths| Value::Double(f64::from(eighths) / 8.0)),
        "[A-Z]{1,5} [a-z ]{0,10}".prop_map(Value::Error),
        Just(Value::Nil),
        (-100_000..100_000_i32).prop_map(|eighths| Value::Number(f64::from(eighths) / 8.0)),
        "[A-Za-z ]{0,10}".prop_map(Value::Status),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(Value::Text),
        "[A-Za-z ]{0,10}".prop_map(Value::Verbatim),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Sequence),
            1 => key().prop_map(|member| Value::Set(Box::new(member))),
            1 => (key(), inner.prop_filter("a pair has a value", |v| !matches!(v, Value::Nil)))
                .prop_map(|pair| Value::Map(Box::new(pair))),
        ]
    })
}

fn ask(client: &mut Client<'_>, script: &str, arguments: &[&[u8]]) -> Frame {
    let mut words = vec![&b"EVAL"[..], script.as_bytes(), b"0"];
    words.extend_from_slice(arguments);
    client.call_words(&words)
}

proptest! {
    #[test]
    fn values_arrive_as_the_rules_say(
        value in value(), is_newer in any::<bool>(), sees_newer in any::<bool>()
    ) {
        let setting = Setting { is_newer, sees_newer };
        let world = World::new();
        let mut client = world.client();
        client.call(if is_newer { "HELLO 3" } else { "HELLO 2" });
        let before = if sees_newer { "redis.setresp(3) " } else { "" };
        let script = format!("{before}return {}", value.source());
        prop_assert_eq!(ask(&mut client, &script, &[]), value.reply(setting), "{}", script);
    }

    #[test]
    fn replies_come_back_as_they_went_in(
        items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..20),
        sees_newer in any::<bool>(),
    ) {
        let world = World::new();
        let mut client = world.client();
        let before = if sees_newer { "redis.setresp(3) " } else { "" };
        let script = format!(
            "{before}redis.call('rpush', 'l', unpack(ARGV)) return redis.call('lrange', 'l', 0, -1)"
        );
        let arguments: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
        let expected = Frame::Array(items.iter().map(|item| Frame::Bulk(item.clone())).collect());
        prop_assert_eq!(ask(&mut client, &script, &arguments), expected);
    }
}
