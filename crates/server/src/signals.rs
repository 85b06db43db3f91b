//! Signals: SIGTERM and SIGINT ask for the end, SIGHUP is nobody's business here. (SIGPIPE is ignored by Rust's runtime.)

use crate::host::ServerHost;
use crate::log;
use crate::persistence::saver::Order;
use crate::server::Server;
use crate::shutdown;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

/// The thread that waits for signals; it ends when this is dropped.
pub struct SignalThread {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl SignalThread {
    /// Starts waiting on behalf of `server`.
    pub fn start(server: Arc<Server>) -> io::Result<Self> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        let handle = signals.handle();
        let body = move || {
            for signal in signals.forever() {
                end_by(&server.host, signal);
            }
        };
        let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(body)?;
        Ok(Self { handle, thread: Some(thread) })
    }
}

impl Drop for SignalThread {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the hook.
            let _ = thread.join();
        }
    }
}

fn end_by(host: &ServerHost, signal: i32) {
    let settings = host.settings();
    let words = match signal {
        SIGINT => settings.shutdown_on_sigint,
        SIGTERM => settings.shutdown_on_sigterm,
        _ => return,
    };
    let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
    if host.shutdown.begin() {
        log::warning(format_args!("Received {name} scheduling shutdown..."));
        if shutdown::saves(host, words) {
            host.saver.order(Order::ShutDown(words));
        } else {
            host.shutdown.request(words);
        }
    } else if signal == SIGINT {
        log::warning(format_args!("You insist... exiting now."));
        std::process::exit(1);
    }
}
