//! Users as lines of text: `user name rule …`, in a file of their own or among the settings.

use super::{Around, DEFAULT, User, Users, has_blanks, merge_selectors};
use crate::dialect::Dialect;
use crate::error::RuleError;
use std::fmt::Write;
use std::sync::Arc;

/// A user of the configuration file: its name, then its rules.
pub type ConfiguredUser = Vec<Vec<u8>>;

/// What the lines of a user file say; `path` is shown in what is wrong with it. A default user that
/// it does not name may do everything without a password, whatever `requirepass` says: so it is for
/// all who come with a file of users that they have.
///
/// # Errors
/// All that is wrong, in one line.
pub fn parse_file(path: &str, text: &[u8], around: &Around<'_>) -> Result<Users, String> {
    let mut users = Users::new();
    let mut errors = String::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if !line.is_empty() {
            let place = Place { path, number: index + 1 };
            parse_line(&place, line, &mut users, around, &mut errors);
        }
    }
    if !errors.is_empty() {
        errors.push_str(
            "WARNING: ACL errors detected, no change to the previously active ACL rules was performed",
        );
        return Err(errors);
    }
    users.entry(DEFAULT.into()).or_insert_with(|| Arc::new(User::all_powerful(DEFAULT, b"")));
    Ok(users)
}

/// The users of the configuration file beside the default one, which it may change too.
///
/// # Errors
/// What is wrong with the first line that is wrong.
pub fn configured(
    lines: &[ConfiguredUser],
    default: &User,
    around: &Around<'_>,
) -> Result<Users, String> {
    let mut users = Users::new();
    for line in lines {
        let [name, rules @ ..] = line.as_slice() else { continue };
        // Not the whole line: there are passwords in it.
        let shown = String::from_utf8_lossy(name);
        let wrong = |error: &str| format!("Error in user declaration '{shown}': {error}");
        if has_blanks(name) {
            return Err(wrong("Usernames can't contain spaces or null characters"));
        }
        if users.contains_key(&name[..]) {
            return Err(wrong(RuleError::Duplicate.text()));
        }
        let rules = merge_selectors(rules.iter().map(Vec::as_slice))
            .map_err(|_| wrong("Unmatched parenthesis in selector definition."))?;
        let mut user = User::new(name, around.has_channels);
        for rule in &rules {
            user.apply(rule, around).map_err(|error| {
                let rule = String::from_utf8_lossy(rule);
                let error = error.text();
                format!("Error loading ACL rule '{rule}' for the user named '{shown}': {error}")
            })?;
        }
        users.insert(name[..].into(), Arc::new(user));
    }
    users.entry(DEFAULT.into()).or_insert_with(|| Arc::new(default.clone()));
    Ok(users)
}

/// The lines that say what users there are.
pub fn to_text(users: &Users, dialect: Dialect) -> Vec<u8> {
    let mut text = Vec::new();
    for user in users.values() {
        text.extend_from_slice(b"user ");
        text.extend_from_slice(user.name());
        text.push(b' ');
        text.extend_from_slice(&user.describe(dialect));
        text.push(b'\n');
    }
    text
}

/// Where a line stands.
struct Place<'a> {
    path: &'a str,
    number: usize,
}

fn parse_line(
    place: &Place<'_>,
    line: &[u8],
    users: &mut Users,
    around: &Around<'_>,
    errors: &mut String,
) {
    let Place { path, number } = place;
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (Some(b"user"), Some(name)) = (words.next(), words.next()) else {
        let _ = write!(
            errors,
            "{path}:{number} should start with user keyword followed by the username. "
        );
        return;
    };
    let shown = String::from_utf8_lossy(name);
    if has_blanks(name) {
        let _ =
            write!(errors, "'{path}:{number}: username '{shown}' contains invalid characters. ");
        return;
    }
    if users.contains_key(name) {
        let _ = write!(errors, "WARNING: Duplicate user '{shown}' found on line {number}. ");
        return;
    }
    let Ok(rules) = merge_selectors(words) else {
        let _ = write!(errors, "{path}:{number}: Unmatched parenthesis in selector definition.");
        return;
    };
    let mut user = User::new(name, around.has_channels);
    // What else is wrong may only follow from the first thing that is.
    let mut is_wrong = false;
    for rule in &rules {
        let rule = rule.trim_ascii();
        match user.apply(rule, around) {
            Ok(()) => {}
            Err(error @ RuleError::Unknown) => {
                let rule = String::from_utf8_lossy(rule);
                let _ = write!(
                    errors,
                    "{path}:{number}: Error in applying operation '{rule}': {}. ",
                    error.text()
                );
            }
            Err(_) if is_wrong => {}
            Err(error) => {
                is_wrong = true;
                let _ = write!(errors, "{path}:{number}: {}. ", error.text());
            }
        }
    }
    users.insert(name.into(), Arc::new(user));
}
