//! `redis://user:password@host:port/db` into options.

use crate::options::{Options, Target};

const SCHEMES: [&str; 2] = ["redis://", "valkey://"];

/// Sets what `uri` names and leaves the rest alone.
///
/// # Errors
/// With a sentence if the address cannot be read.
pub(crate) fn apply(uri: &str, options: &mut Options) -> Result<(), String> {
    let wrong = || format!("Invalid URI \"{uri}\"");
    let rest = SCHEMES.iter().find_map(|scheme| uri.strip_prefix(scheme)).ok_or_else(wrong)?;
    let (login, rest) = match rest.rsplit_once('@') {
        Some((login, rest)) => (Some(login), rest),
        None => (None, rest),
    };
    if let Some(login) = login {
        let (user, password) = login.split_once(':').unwrap_or(("", login));
        options.user = Some(decode(user)).filter(|user| !user.is_empty());
        options.password = Some(decode(password));
    }
    let (place, db) = rest.split_once('/').unwrap_or((rest, ""));
    if !db.is_empty() {
        options.db = db.parse().map_err(|_| wrong())?;
    }
    options.target = target(place).ok_or_else(wrong)?;
    Ok(())
}

/// `host`, `host:port` or `[address]:port`.
fn target(place: &str) -> Option<Target> {
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = port.map_or(Some(6379), |port| port.parse().ok())?;
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    Some(Target::Tcp { host: host.to_owned(), port })
}

/// `%40` and its like become the characters they stand for.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) if byte == b'%' => {
                bytes.push(code);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(uri: &str) -> Result<Options, String> {
        let mut options = Options::default();
        apply(uri, &mut options).map(|()| options)
    }

    fn tcp(host: &str, port: u16) -> Target {
        Target::Tcp { host: host.to_owned(), port }
    }

    #[test]
    fn each_part_is_optional() {
        let all = applied("redis://ann:p%40ss@db.example:7000/3").unwrap();
        assert_eq!(all.target, tcp("db.example", 7000));
        assert_eq!((all.user.as_deref(), all.password.as_deref()), (Some("ann"), Some("p@ss")));
        assert_eq!(all.db, 3);
        let bare = applied("valkey://db").unwrap();
        assert_eq!((bare.target, bare.user, bare.password), (tcp("db", 6379), None, None));
        let only_password = applied("redis://:secret@[::1]:1").unwrap();
        assert_eq!(only_password.target, tcp("::1", 1));
        assert_eq!((only_password.user, only_password.password.as_deref()), (None, Some("secret")));
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for uri in ["db", "http://db", "redis://db:port", "redis://db/x", "redis://[::1"] {
            assert!(applied(uri).is_err(), "{uri}");
        }
    }
}
