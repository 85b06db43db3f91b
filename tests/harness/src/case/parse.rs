//! The reading of case files, line by line.

use std::iter::Peekable;
use std::path::Path;
use std::vec::IntoIter;

use super::pattern::{Kind, Pattern};
use super::{Action, Block, CaseFile, Step};
use crate::frame::{Frame, Protocol};
use crate::target::version::Selector;
use crate::token;

/// The connection of a request that names none.
const DEFAULT_CONNECTION: &str = "";

impl CaseFile {
    /// # Errors
    /// When the file cannot be read or a line of it makes no sense; the message names the line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(path, &text)
    }

    /// # Errors
    /// When a line makes no sense; the message names it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, String> {
        let mut parser =
            Parser { blocks: Vec::new(), defaults: Block::default(), block: None, replies: None };
        for (index, line) in text.lines().enumerate() {
            let fail = |message| format!("{}:{}: {message}", path.display(), index + 1);
            parser.line(index + 1, line).map_err(fail)?;
        }
        parser.end_block().map_err(|message| format!("{}: {message}", path.display()))?;
        Ok(Self { path: path.to_path_buf(), text: text.to_owned(), blocks: parser.blocks })
    }
}

/// The lines of an expectation as they stand in the file.
struct Replies {
    lines: Vec<(usize, String)>,
}

struct Parser {
    blocks: Vec<Block>,
    /// What a paragraph of `@` lines alone sets for all blocks below it.
    defaults: Block,
    block: Option<Block>,
    replies: Option<Replies>,
}

impl Parser {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        if line.trim().is_empty() {
            return self.end_block();
        }
        if line == "#" || line.starts_with("# ") {
            return Ok(());
        }
        if self.block.is_none() {
            self.block = Some(Block { line: number, ..self.defaults.clone() });
        }
        if let Some(directive) = line.strip_prefix("@ ") {
            let block = self.block.as_mut().ok_or("no block")?;
            return directive_into(block, directive.trim());
        }
        if let Some(step) = request(number, line)? {
            self.end_step()?;
            let block = self.block.as_mut().ok_or("no block")?;
            block.needs_socket |= matches!(step.action, Action::Raw(_));
            block.steps.push(step);
            self.replies = Some(Replies { lines: Vec::new() });
            return Ok(());
        }
        match &mut self.replies {
            Some(replies) => replies.lines.push((number, line.to_owned())),
            None => return Err(format!("a reply without a request: {line}")),
        }
        Ok(())
    }

    fn end_step(&mut self) -> Result<(), String> {
        let Some(replies) = self.replies.take() else { return Ok(()) };
        let step = self.block.as_mut().and_then(|block| block.steps.last_mut());
        let step = step.ok_or("no request")?;
        let number = replies.lines.first().map_or(step.line, |(number, _)| *number);
        read_replies(step, replies).map_err(|message| format!("line {number}: {message}"))
    }

    fn end_block(&mut self) -> Result<(), String> {
        self.end_step()?;
        if let Some(block) = self.block.take() {
            if block.steps.is_empty() {
                self.defaults = block;
            } else {
                self.blocks.push(block);
            }
        }
        Ok(())
    }
}

fn directive_into(block: &mut Block, directive: &str) -> Result<(), String> {
    let (name, value) = directive.split_once(':').unwrap_or((directive, ""));
    match name.trim() {
        "versions" => {
            block.selectors = value
                .split(',')
                .map(str::trim)
                .filter(|text| !text.is_empty() && *text != "all")
                .map(Selector::parse)
                .collect::<Result<_, _>>()?;
        }
        "resp2" => block.protocol = Some(Protocol::Resp2),
        "resp3" => block.protocol = Some(Protocol::Resp3),
        "socket" => block.needs_socket = true,
        "needs" => block.needs.extend(value.split_whitespace().map(str::to_owned)),
        "config" => {
            let (name, value) = value.trim().split_once(' ').unwrap_or_else(|| (value.trim(), ""));
            block.config.push((name.to_owned(), value.trim_matches('"').to_owned()));
        }
        other => return Err(format!("an unknown directive: {other}")),
    }
    Ok(())
}

/// `> …`, `A> …`, `raw> …`, `A raw> …`, `until> …`, `A<`; none when the line is a reply.
fn request(number: usize, line: &str) -> Result<Option<Step>, String> {
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let step = |connection: &str, action: Action| Step {
        line: number,
        connection: connection.to_owned(),
        action,
        expected_lines: (number + 1, number + 1),
        resp2: None,
        resp3: None,
        capture: None,
    };
    if let Some(name) = line.strip_suffix('<')
        && (name.is_empty() || is_name(name))
    {
        return Ok(Some(step(name, Action::Read)));
    }
    let Some((head, rest)) = line.split_once("> ") else { return Ok(None) };
    let (connection, verb) = match head.split_once(' ') {
        Some((name, verb)) => (name, verb),
        None if is_name(head) => (head, ""),
        None => (DEFAULT_CONNECTION, head),
    };
    if !(connection.is_empty() || is_name(connection)) || !["", "raw", "until"].contains(&verb) {
        return Ok(None);
    }
    let tokens = token::split(rest)?;
    let words = || tokens.iter().map(|token| token.bytes.clone()).collect::<Vec<_>>();
    let action = match verb {
        "raw" => Action::Raw(words().concat()),
        "until" => Action::Until(words()),
        _ => Action::Call(words()),
    };
    Ok(Some(step(connection, action)))
}

/// Sorts the lines by protocol and reads each sort.
fn read_replies(step: &mut Step, replies: Replies) -> Result<(), String> {
    let (Some(first), Some(last)) = (replies.lines.first(), replies.lines.last()) else {
        return Ok(());
    };
    step.expected_lines = (first.0, last.0 + 1);
    let (mut both, mut two, mut three) = (Vec::new(), Vec::new(), Vec::new());
    for (_, line) in replies.lines {
        if let Some(rest) = line.strip_prefix("2|") {
            two.push(rest.strip_prefix(' ').unwrap_or(rest).to_owned());
        } else if let Some(rest) = line.strip_prefix("3|") {
            three.push(rest.strip_prefix(' ').unwrap_or(rest).to_owned());
        } else if let Some((head, name)) = line.split_once(" => ")
            && !line.starts_with(['"', '-', '+'])
        {
            step.capture = Some(name.trim().to_owned());
            both.push(head.to_owned());
        } else if let Some((head, name)) = line.rsplit_once("\" => ") {
            step.capture = Some(name.trim().to_owned());
            both.push(format!("{head}\""));
        } else {
            both.push(line);
        }
    }
    if !both.is_empty() {
        let patterns = patterns(both)?;
        step.resp2 = Some(patterns.clone());
        step.resp3 = Some(patterns);
    }
    if !two.is_empty() {
        step.resp2 = Some(patterns(two)?);
    }
    if !three.is_empty() {
        step.resp3 = Some(patterns(three)?);
    }
    Ok(())
}

/// Reads lines into patterns; deeper lines belong to the list above them.
///
/// # Errors
/// When a line is no expectation.
pub fn patterns(lines: Vec<String>) -> Result<Vec<Pattern>, String> {
    let indented: Vec<(usize, String)> = lines
        .iter()
        .map(|line| (line.len() - line.trim_start().len(), line.trim().to_owned()))
        .collect();
    let mut lines = indented.into_iter().peekable();
    let mut patterns = Vec::new();
    while let Some((depth, _)) = lines.peek() {
        let depth = *depth;
        patterns.push(pattern(&mut lines, depth)?);
    }
    Ok(patterns)
}

fn pattern(
    lines: &mut Peekable<IntoIter<(usize, String)>>,
    depth: usize,
) -> Result<Pattern, String> {
    let (_, line) = lines.next().ok_or("a reply is missing")?;
    let kind = match line.as_str() {
        "*" => Kind::Array,
        "*~" => Kind::ArrayAnyOrder,
        "%" => Kind::Map,
        "%~" => Kind::MapAnyOrder,
        "~" => Kind::Set,
        ">>" => Kind::Push,
        single => return single_pattern(single),
    };
    let mut items = Vec::new();
    while let Some((next, _)) = lines.peek()
        && depth < *next
    {
        let next = *next;
        items.push(pattern(lines, next)?);
    }
    Ok(Pattern::List(kind, items))
}

fn single_pattern(line: &str) -> Result<Pattern, String> {
    match line {
        "*any*" => return Ok(Pattern::Any),
        "..." => return Ok(Pattern::Rest),
        "(closed)" => return Ok(Pattern::Closed),
        "(none)" => return Ok(Pattern::Silence),
        "(nil)" => return Ok(Pattern::Exact(Frame::Null)),
        "(nil array)" => return Ok(Pattern::Exact(Frame::NullArray)),
        "#t" => return Ok(Pattern::Exact(Frame::Boolean(true))),
        "#f" => return Ok(Pattern::Exact(Frame::Boolean(false))),
        ":*" => return Ok(Pattern::Range(i64::MIN, i64::MAX)),
        _ => {}
    }
    if let Some(text) = line.strip_prefix("like ") {
        let bytes = whole(text)?;
        return Ok(Pattern::Like(bytes.split(|byte| *byte == b'*').map(<[u8]>::to_vec).collect()));
    }
    let (kind, rest) = line.split_at(line.chars().next().map_or(0, char::len_utf8));
    match kind {
        "\"" => Ok(Pattern::Exact(Frame::Bulk(whole(line)?))),
        "+" => Ok(Pattern::Exact(Frame::Simple(escaped(rest)?))),
        "-" => match rest.strip_suffix('*') {
            Some(prefix) => Ok(Pattern::ErrorPrefix(escaped(prefix)?)),
            None => Ok(Pattern::Exact(Frame::Error(escaped(rest)?))),
        },
        "," => Ok(Pattern::Exact(Frame::Double(rest.as_bytes().to_vec()))),
        "(" => Ok(Pattern::Exact(Frame::BigNumber(rest.as_bytes().to_vec()))),
        "=" => verbatim(rest),
        ":" => integer(rest),
        _ => Err(format!("not an expectation: {line}")),
    }
}

/// A quoted text and nothing behind it.
fn whole(text: &str) -> Result<Vec<u8>, String> {
    match token::unquote(text)? {
        (bytes, "") => Ok(bytes),
        (_, rest) => Err(format!("after the quote: {rest}")),
    }
}

/// A text without quotes around it, with the escapes of one in quotes.
fn escaped(text: &str) -> Result<Vec<u8>, String> {
    whole(&format!("\"{}\"", text.replace('"', "\\\"")))
}

fn verbatim(text: &str) -> Result<Pattern, String> {
    let (format, text) = text.split_once(':').ok_or("a verbatim text is =txt:\"…\"")?;
    let format = format.as_bytes().try_into().map_err(|_| "a format has three letters")?;
    Ok(Pattern::Exact(Frame::Verbatim(format, whole(text)?)))
}

/// `5` or `100..200`.
fn integer(text: &str) -> Result<Pattern, String> {
    let number = |text: &str| text.parse::<i64>().map_err(|_| format!("not a number: {text}"));
    match text.split_once("..") {
        Some((low, high)) => Ok(Pattern::Range(number(low)?, number(high)?)),
        None => Ok(Pattern::Exact(Frame::Integer(number(text)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> CaseFile {
        CaseFile::parse(Path::new("x.case"), text).expect("a case file")
    }

    fn matches(expectation: &str, reply: &[u8], protocol: Protocol) -> bool {
        let lines = expectation.lines().map(str::to_owned).collect();
        let (frame, _) = Frame::decode(reply).expect("a reply").expect("a whole one");
        patterns(lines).expect("an expectation")[0].matches(&frame, protocol)
    }

    #[test]
    fn blocks_requests_and_directives() {
        let text = "# about\n@ versions: redis>=7.4, ochre\n\n> SET k v\n+OK\nA> GET k\n\"v\"\n\n\
                    @ versions: all\n@ resp3\n@ config: maxmemory-policy allkeys-lfu\nA<\n>>\n  :1\n\
                    A raw> \"*1\\r\\n\" \"$x\"\n-ERR x\n(closed)\n";
        let file = file(text);
        assert_eq!(file.blocks.len(), 2);
        let (first, second) = (&file.blocks[0], &file.blocks[1]);
        assert_eq!((first.line, first.selectors.len(), first.steps.len()), (4, 2, 2));
        assert_eq!(first.steps[1].connection, "A");
        assert!(second.selectors.is_empty() && second.needs_socket);
        assert_eq!(second.protocol, Some(Protocol::Resp3));
        let raw = &second.steps[1];
        assert!(matches!(&raw.action, Action::Raw(bytes) if bytes == b"*1\r\n$x"));
        assert_eq!(raw.resp3.as_ref().map(Vec::len), Some(2));
    }

    #[test]
    fn expectations_for_one_protocol_and_captures() {
        let file = file(
            "> CLIENT ID\n:* => id\n> HGETALL h\n2| *\n2|   \"a\"\n3| %\n3|   \"a\"\n3|   :1\n",
        );
        let steps = &file.blocks[0].steps;
        assert_eq!(steps[0].capture.as_deref(), Some("id"));
        assert_ne!(steps[1].resp2, steps[1].resp3);
        assert_eq!(steps[1].expected_lines, (4, 9));
    }

    #[test]
    fn replies_that_match() {
        let two = Protocol::Resp2;
        let three = Protocol::Resp3;
        assert!(matches("+OK", b"+OK\r\n", two) && !matches("+OK", b"$2\r\nOK\r\n", two));
        assert!(matches("-WRONGTYPE*", b"-WRONGTYPE Operation\r\n", two));
        assert!(!matches("-ERR a", b"-ERR ab\r\n", two));
        assert!(matches(":1..3", b":3\r\n", two) && !matches(":1..3", b":4\r\n", two));
        assert!(matches("(nil)", b"$-1\r\n", two) && matches("(nil)", b"_\r\n", three));
        assert!(!matches("(nil)", b"*-1\r\n", two) && matches("(nil array)", b"*-1\r\n", two));
        assert!(matches(",1.5", b"$3\r\n1.5\r\n", two) && matches(",1.5", b",1.5\r\n", three));
        assert!(matches("%\n  \"a\"\n  :1", b"*2\r\n$1\r\na\r\n:1\r\n", two));
        assert!(!matches("%\n  \"a\"\n  :1", b"*2\r\n$1\r\na\r\n:1\r\n", three));
        assert!(matches("*~\n  :1\n  :2", b"*2\r\n:2\r\n:1\r\n", three));
        assert!(!matches("*\n  :1\n  :2", b"*2\r\n:2\r\n:1\r\n", three));
        assert!(matches("*\n  :1\n  ...", b"*3\r\n:1\r\n:1\r\n:1\r\n", three));
        assert!(matches("*\n  *\n  *\n    :1", b"*2\r\n*0\r\n*1\r\n:1\r\n", three));
        assert!(matches("like \"a*c*\"", b"$5\r\nabcde\r\n", two));
        assert!(!matches("like \"b*\"", b"$5\r\nabcde\r\n", two));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["+OK\n", "@ nonsense\n> PING\n", "> ECHO \"a\n", "> PING\n?\n", "@ versions: x\n> A\n"]
        {
            assert!(CaseFile::parse(Path::new("x.case"), text).is_err(), "{text}");
        }
    }
}
