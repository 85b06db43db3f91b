//! The users that the configuration names, or its file of users, at start.

use crate::host::ServerHost;
use crate::log;
use engine::acl::{self, Around, DEFAULT, User};
use engine::{Engine, Host};

/// Gives an engine that nobody uses yet its users.
///
/// # Errors
/// What is wrong with them.
pub fn load(engine: &Engine, host: &ServerHost) -> Result<(), String> {
    let settings = engine.settings();
    let around = Around::new(&engine.table, &settings);
    let users = match host.read_users()? {
        Some((path, text)) => {
            if !settings.password.is_empty() {
                log::warning(format_args!(
                    "The setting requirepass has no effect beside a file of users (aclfile {path}): \
                     the default user is as that file has it, and open to all if it has none"
                ));
            }
            acl::parse_file(&path, &text, &around)?
        }
        None => {
            let default = User::all_powerful(DEFAULT, &settings.password);
            let config = host.config.lock();
            if config.users().is_empty() {
                return Ok(());
            }
            acl::configured(config.users(), &default, &around)?
        }
    };
    engine.acl.publish(users);
    Ok(())
}
