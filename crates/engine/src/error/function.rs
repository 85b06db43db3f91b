//! What is wrong with function libraries and calls of functions.

use std::borrow::Cow;

/// Why a library was not loaded, or a function not called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FunctionError {
    ArgumentCount,
    /// This named argument is no text.
    ArgumentType(&'static str),
    ArgumentUnknown,
    ArgumentsNotNamed,
    Callback,
    CallbackMissing,
    Compile(Box<str>),
    EngineUnknown(Box<str>),
    FirstArgument,
    FlagUnknown,
    FlagsType,
    FlushMode,
    FunctionExists(Box<str>),
    FunctionName,
    FunctionNameMissing,
    HeaderInvalid,
    HeaderMissing,
    HeaderUnknown(Box<str>),
    /// A restored library has the name of one that there is.
    LibraryCollides(Box<str>),
    LibraryExists(Box<str>),
    LibraryNameMissing,
    LibraryNotFound,
    ListArgument(Box<str>),
    /// The text of a library ended with this error.
    Load(Box<str>),
    /// A function was registered outside of the loading of its library, or called within.
    LoadOnly,
    LoadOption(Box<str>),
    LoadTimeout,
    Name,
    NameMissing,
    NameTwice,
    NotFound,
    NothingRegistered,
    NumkeysInvalid,
    NumkeysNegative,
    NumkeysTooLarge,
    RegisteredTwice,
    RestoreData,
    RestorePolicy,
    RestoreType,
    SecondArgument,
}

impl FunctionError {
    // Length: one arm for each text.
    pub(super) fn text(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::ArgumentCount => "ERR wrong number of arguments to redis.register_function",
            Self::ArgumentType(name) => {
                let text = format!(
                    "ERR {name} argument given to redis.register_function must be a string"
                );
                return text.into();
            }
            Self::ArgumentUnknown => "ERR unknown argument given to redis.register_function",
            Self::ArgumentsNotNamed => {
                "ERR calling redis.register_function with a single argument is only applicable to \
                 Lua table (representing named arguments)."
            }
            Self::Callback => {
                "ERR callback argument given to redis.register_function must be a function"
            }
            Self::CallbackMissing => "ERR redis.register_function must get a callback argument",
            Self::Compile(text) => return format!("ERR Error compiling function: {text}").into(),
            Self::EngineUnknown(name) => return format!("ERR Engine '{name}' not found").into(),
            Self::FirstArgument => "ERR first argument to redis.register_function must be a string",
            Self::FlagUnknown => "ERR unknown flag given",
            Self::FlagsType => {
                "ERR flags argument to redis.register_function must be a table representing \
                 function flags"
            }
            Self::FlushMode => "ERR FUNCTION FLUSH only supports SYNC|ASYNC option",
            Self::FunctionExists(name) => {
                return format!("ERR Function {name} already exists").into();
            }
            Self::FunctionName => {
                "ERR Function names can only contain letters, numbers, or underscores(_) and must \
                 be at least one character long"
            }
            Self::FunctionNameMissing => {
                "ERR redis.register_function must get a function name argument"
            }
            Self::HeaderInvalid => "ERR Invalid library metadata",
            Self::HeaderMissing => "ERR Missing library metadata",
            Self::HeaderUnknown(word) => {
                return format!("ERR Invalid metadata value given: {word}").into();
            }
            Self::LibraryCollides(name) => {
                return format!("ERR Library {name} already exists").into();
            }
            Self::LibraryExists(name) => {
                return format!("ERR Library '{name}' already exists").into();
            }
            Self::LibraryNameMissing => "ERR library name argument was not given",
            Self::LibraryNotFound => "ERR Library not found",
            Self::ListArgument(word) => return format!("ERR Unknown argument {word}").into(),
            Self::Load(text) => return format!("ERR Error registering functions: {text}").into(),
            Self::LoadOnly => {
                "ERR redis.register_function can only be called on FUNCTION LOAD command"
            }
            Self::LoadOption(word) => return format!("ERR Unknown option given: {word}").into(),
            Self::LoadTimeout => "ERR FUNCTION LOAD timeout",
            Self::Name => {
                "ERR Library names can only contain letters, numbers, or underscores(_) and must \
                 be at least one character long"
            }
            Self::NameMissing => "ERR Library name was not given",
            Self::NameTwice => "ERR Invalid metadata value, name argument was given multiple times",
            Self::NotFound => "ERR Function not found",
            Self::NothingRegistered => "ERR No functions registered",
            Self::NumkeysInvalid => "ERR Bad number of keys provided",
            Self::NumkeysNegative => "ERR Number of keys can't be negative",
            Self::NumkeysTooLarge => "ERR Number of keys can't be greater than number of args",
            Self::RegisteredTwice => "ERR Function already exists in the library",
            Self::RestoreData => "ERR Failed loading library data",
            Self::RestoreType => "ERR given type is not a function",
            Self::RestorePolicy => {
                "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
            }
            Self::SecondArgument => {
                "ERR second argument to redis.register_function must be a function"
            }
        };
        Cow::Borrowed(fixed)
    }
}
