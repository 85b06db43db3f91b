//! Runs of small scripts, and what the host sees of them.

use super::*;

const MEMORY: usize = 8 << 20;

/// Notes what it is called with; answers by the function's number.
#[derive(Default)]
struct Recorder {
    calls: Vec<(usize, Vec<u8>)>,
}

impl Host for Recorder {
    fn call(&mut self, function: usize, stack: &mut Stack<'_>) -> Answer {
        let Value::Text(text) = stack.value(0) else {
            stack.push_text(b"no text");
            return Answer::Error;
        };
        let text = text.to_vec();
        stack.clear();
        stack.push_table(0, 1);
        stack.push_text(&text);
        stack.set_field("err");
        self.calls.push((function, text));
        match function {
            0 => Answer::Value,
            1 => Answer::Error,
            _ => Answer::Nothing,
        }
    }
}

fn machine() -> (Lua, Machine) {
    let lua = Lua::new();
    let handler = lua.load("return function(e) return e end").eval().unwrap();
    let machine = Machine::new(&lua, MEMORY, handler).unwrap();
    for number in 0..3 {
        lua.globals().set(format!("f{number}"), machine.function(number).unwrap()).unwrap();
    }
    (lua, machine)
}

/// Runs a script with one argument; how it ended, and what `read` finds on the stack.
fn run<R>(script: &str, read: impl FnOnce(Ending, &mut Stack<'_>) -> R) -> (R, Recorder) {
    let (lua, mut machine) = machine();
    let body = Kept::new(&lua, lua.load(script).into_function().unwrap()).unwrap();
    let mut host = Recorder::default();
    let prepare = |stack: &mut Stack<'_>| {
        stack.push_text(b"argument");
        1
    };
    let result = machine.run(&body, &mut host, prepare, |_, ending, stack| read(ending, stack));
    assert!(Stack::of_rest(machine.state).is_empty());
    (result, host)
}

#[test]
fn arguments_go_in_and_a_value_comes_out() {
    let (seen, _) = run("return (...) .. '!'", |ending, stack| {
        (ending, stack.top() == Value::Text(b"argument!"))
    });
    assert_eq!(seen, (Ending::Value, true));
}

#[test]
fn the_host_is_called_and_its_tables_are_values() {
    let (ending, host) = run("local t = f0('a') f2('b') return t.err == 'a'", |ending, stack| {
        assert_eq!(stack.top(), Value::Boolean(true));
        ending
    });
    assert_eq!(ending, Ending::Value);
    assert_eq!(host.calls, [(0, b"a".to_vec()), (2, b"b".to_vec())]);
}

#[test]
fn errors_are_raised_caught_and_returned() {
    let (ending, _) =
        run("local ok, e = pcall(f1, 'x') assert(e.err == 'x') f1('y')", |ending, stack| {
            stack.push_field("err");
            assert_eq!(stack.top(), Value::Text(b"y"));
            ending
        });
    assert_eq!(ending, Ending::Error);
    let (ending, _) = run("f1({})", |ending, stack| {
        assert_eq!(stack.top(), Value::Text(b"no text"));
        ending
    });
    assert_eq!(ending, Ending::Error);
}

#[test]
fn the_host_is_called_from_a_coroutine_too() {
    let script = "return coroutine.wrap(function() return f0('a').err end)()";
    let ((), host) = run(script, |_, stack| assert_eq!(stack.top(), Value::Text(b"a")));
    assert_eq!(host.calls.len(), 1);
}

#[test]
fn memory_is_bounded_while_the_script_runs() {
    let (ending, _) =
        run("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end", |e, _| e);
    assert_eq!(ending, Ending::Error);
}

#[test]
fn outside_of_a_run_there_is_no_host() {
    let (lua, machine) = machine();
    lua.load("assert(f0('a') == nil)").exec().unwrap();
    drop(machine);
    lua.load("assert(f0('a') == nil)").exec().unwrap();
}

#[test]
fn tables_are_walked() {
    let ((), _) = run("return {1, 2, x = 3}", |_, stack| {
        stack.push_element(2);
        assert_eq!(stack.top(), Value::Number(2.0));
        stack.pop();
        stack.push_nil();
        let mut sum = 0.0;
        while stack.next_pair() {
            if let Value::Number(number) = stack.top() {
                sum += number;
            }
            stack.pop();
        }
        assert_eq!(sum, 6.0);
        assert_eq!(stack.len(), 1);
    });
}

#[test]
fn numbers_and_texts_stand_for_each_other() {
    let ((), _) = run("return 0.1", |_, stack| {
        stack.push_text(b" 0x10 ");
        stack.push_text(b"ten");
        stack.push_nil();
        assert_eq!(stack.number(0), Some(0.1));
        assert_eq!(stack.number(1), Some(16.0));
        assert_eq!((stack.number(2), stack.number(3), stack.number(9)), (None, None, None));
        assert_eq!(stack.text(0).unwrap(), b"0.1");
        assert_eq!(stack.text(2).unwrap(), b"ten");
        assert_eq!((stack.text(3), stack.len()), (None, 4));
    });
}

#[test]
fn what_cannot_be_a_key_is_left_out() {
    let ((), _) = run("return {}", |_, stack| {
        stack.push_nil();
        stack.push_number(1.0);
        stack.set_pair();
        stack.push_number(f64::NAN);
        stack.push_number(1.0);
        stack.set_pair();
        stack.push_text(b"k");
        stack.push_number(1.0);
        stack.set_pair();
        stack.push_nil();
        assert!(stack.next_pair());
        stack.pop();
        assert!(!stack.next_pair());
    });
}

#[test]
#[should_panic(expected = "there is a table")]
fn only_tables_have_fields() {
    run("return 1", |_, stack| stack.push_field("x"));
}

#[test]
fn an_interpreter_goes_from_thread_to_thread() {
    let (lua, mut machine) = machine();
    let chunk = lua.load("local n = 0 return function() n = n + 1 return n end");
    let body = Kept::new(&lua, chunk.eval::<Function>().unwrap()).unwrap();
    drop(lua);
    let mut place = Some((machine_with(&mut machine, &body), machine, body));
    for expected in 2..6 {
        let (_, mut machine, body) = place.take().unwrap();
        let thread = std::thread::spawn(move || (machine_with(&mut machine, &body), machine, body));
        place = Some(thread.join().unwrap());
        assert_eq!(place.as_ref().map(|(count, ..)| *count), Some(f64::from(expected)));
    }
}

fn machine_with(machine: &mut Machine, body: &Kept) -> f64 {
    machine.run(body, &mut Recorder::default(), |_| 0, |_, _, stack| stack.number(0).unwrap())
}
