//! Fills in the replies that a case file lacks, from a server, for a person to review.

use super::parse::patterns;
use super::run::{Got, Stage, is_right};
use super::{Block, CaseFile};
use crate::frame::{Frame, Protocol};
use crate::target::{Link, Target};

/// How far the recording goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Only requests without an expectation.
    Missing,
    /// Those whose expectation the server does not meet, too.
    Wrong,
}

/// The text of the file with replies filled in, and how many were.
///
/// # Errors
/// When the target cannot be reached.
pub fn record(
    file: &CaseFile,
    target: &mut dyn Target,
    extent: Extent,
) -> Result<(String, usize), String> {
    let mut admin = target.open()?;
    let mut changes: Vec<((usize, usize), String)> = Vec::new();
    for block in &file.blocks {
        if block.holds_for(target.identity()) {
            record_block(block, target, &mut admin, extent, &mut changes)?;
        }
    }
    let mut lines: Vec<String> = file.text.lines().map(str::to_owned).collect();
    for ((first, end), replies) in changes.iter().rev() {
        let replies = replies.lines().map(str::to_owned);
        drop(lines.splice(first - 1..end - 1, replies));
    }
    Ok((lines.join("\n") + "\n", changes.len()))
}

fn record_block(
    block: &Block,
    target: &mut dyn Target,
    admin: &mut Box<dyn Link>,
    extent: Extent,
    changes: &mut Vec<((usize, usize), String)>,
) -> Result<(), String> {
    let mut rounds: Vec<(Protocol, Vec<Got>)> = Vec::new();
    for protocol in block.protocols() {
        let mut stage = Stage::new(block, protocol, target, admin)?;
        let mut got = Vec::new();
        for step in &block.steps {
            got.push(stage.step(step).map_err(|message| format!("line {}: {message}", step.line))?);
        }
        stage.restore()?;
        rounds.push((protocol, got));
    }
    for (index, step) in block.steps.iter().enumerate() {
        let is_kept = rounds.iter().all(|(protocol, got)| match step.expected(*protocol) {
            None => false,
            Some(expected) => extent == Extent::Missing || is_right(expected, &got[index]),
        });
        if !is_kept {
            let replies: Vec<(Protocol, &Got)> =
                rounds.iter().map(|(protocol, got)| (*protocol, &got[index])).collect();
            changes.push((step.expected_lines, render(&replies)));
        }
    }
    Ok(())
}

/// One notation for both protocols where the RESP3 reply says what the RESP2 reply is.
fn render(replies: &[(Protocol, &Got)]) -> String {
    let texts: Vec<String> = replies.iter().map(|(_, got)| text(got)).collect();
    if let [(_, two), (_, _)] = replies {
        // RESP2 knows two nulls, RESP3 one: what RESP2 says covers both.
        for candidate in [&texts[1], &texts[0]] {
            let lines = candidate.lines().map(str::to_owned).collect();
            let Ok(patterns) = patterns(lines) else { continue };
            let fits = replies.iter().all(|(_, got)| is_right(&patterns, got));
            if fits && (candidate == &texts[1] || two.frames.iter().any(has_null_array)) {
                return candidate.clone();
            }
        }
    }
    if texts.len() == 1 {
        return texts[0].clone();
    }
    let mut both = String::new();
    for (mark, text) in ["2| ", "3| "].iter().zip(&texts) {
        for line in text.lines() {
            both.push_str(&format!("{mark}{line}\n"));
        }
    }
    both
}

fn text(got: &Got) -> String {
    let mut text: String = got.frames.iter().map(Frame::notation).collect();
    if got.is_closed {
        text.push_str("(closed)\n");
    } else if got.frames.is_empty() {
        text.push_str("(none)\n");
    }
    text
}

fn has_null_array(frame: &Frame) -> bool {
    match frame {
        Frame::NullArray => true,
        Frame::Array(items) => items.iter().any(has_null_array),
        _ => false,
    }
}
