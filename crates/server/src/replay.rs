//! The calls of a journal, made once more.

use engine::run::Served;
use engine::{Executor, Session};
use persist::aof::Refused;
use resp::{Limits, Reply, RequestParser};
use std::time::Duration;

/// How long a suspended call waits before it looks again unasked.
const RETRY: Duration = Duration::from_millis(1);

/// Makes whole calls once more, one behind the other, up to the first that is refused. The executor is one
/// that replays, and belongs to this thread, as the session's token does.
pub(crate) fn replay(
    executor: &mut Executor<'_>,
    session: &mut Session,
    calls: &[u8],
) -> Result<(), Refused> {
    let (mut parser, mut reply) = (RequestParser::new(), Reply::new());
    // Whatever was allowed when it was written.
    let limits = |_: &Session| Limits::authenticated(i64::MAX);
    let mut done = 0;
    while done < calls.len() {
        reply.clear();
        let progress = executor.serve(session, &mut parser, limits, &calls[done..], &mut reply);
        done += progress.consumed;
        if let Some(line) = executor.take_refusal() {
            let reason = String::from_utf8_lossy(&line).into_owned();
            return Err(Refused { offset: done, reason });
        }
        match progress.state {
            Served::More => {}
            Served::Suspended { .. } => std::thread::park_timeout(RETRY),
            Served::Idle { .. } if done == calls.len() => {}
            Served::Idle { .. } | Served::Broken(_) | Served::Blocked { .. } | Served::Closing => {
                let reason = "no whole command".to_owned();
                return Err(Refused { offset: done, reason });
            }
        }
    }
    Ok(())
}
