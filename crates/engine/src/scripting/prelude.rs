//! The Lua side of the interpreter: what scripts see as `redis`, and the shape of their errors.

/// Builds the environment of scripts from the standard library and `host`, a table of functions
/// that Rust provides. Returns the environment and the function that runs a script.
///
/// Scripts see copies of the libraries behind a metatable, so that nothing that one script does to
/// its globals outlives it, and an undefined name is an error.
pub(super) const PRELUDE: &str = r#"
local host = ...
local error, type, tostring, xpcall, pcall = error, type, tostring, xpcall, pcall
local setmetatable, rawset, pairs, tonumber = setmetatable, rawset, pairs, tonumber
local unpack, collectgarbage = unpack, collectgarbage
local find, gmatch, gsub, match = string.find, string.gmatch, string.gsub, string.match

local protected = setmetatable({}, { __mode = "k" })

local UNPACKED_MAX = 8000
local PATTERN_LEN_MAX = 4096

-- The functions of texts, some of which get a guard below.
local strings = {}
for name, body in pairs(string) do strings[name] = body end

local function readonly() error("Attempt to modify a readonly table", 2) end

local function frozen(contents)
  local proxy = setmetatable({}, {
    __index = contents, __newindex = readonly, __metatable = false,
  })
  protected[proxy] = true
  return proxy
end

-- What `call` and `pcall` are changes with every run: the host sets them here.
local redis = host.redis
local constants = {
  error_reply = host.error_reply,
  status_reply = host.status_reply,
  sha1hex = host.sha1hex,
  set_repl = function() end,
  replicate_commands = function() return true end,
  breakpoint = function() return false end,
  debug = function() end,
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
  REDIS_VERSION = host.version,
  REDIS_VERSION_NUM = host.version_number,
}
for name, value in pairs(constants) do rawset(redis, name, value) end
if host.is_valkey then
  redis.SERVER_NAME = "valkey"
  redis.SERVER_VERSION = host.version
  redis.SERVER_VERSION_NUM = host.version_number
end

local libraries = {
  redis = frozen(redis),
  string = frozen(strings),
  math = frozen(math),
  table = frozen(table),
  os = frozen({ clock = function() return host.clock() end }),
}
if host.is_valkey then libraries.server = libraries.redis end
for _, name in pairs({ "assert", "collectgarbage", "error", "getmetatable", "ipairs", "next",
    "pairs", "rawequal", "rawget", "rawset", "select", "setmetatable", "tonumber", "tostring",
    "type", "unpack", "_VERSION", "xpcall", "loadstring", "load", "coroutine", "gcinfo" }) do
  libraries[name] = _G[name]
end
libraries.collectgarbage = function(what)
  if what == "count" then return collectgarbage("count") end
  return 0
end
-- An error of the host is no table, as scripts expect it, but stands in `host.raised`.
local function shown(problem)
  if type(problem) == "userdata" then return host.raised end
  return problem
end
local function caught(is_fine, ...)
  if is_fine then return true, ... end
  local problem = ...
  if type(problem) == "userdata" then problem = host.raised.err end
  return false, problem
end
libraries.pcall = function(...) return caught(pcall(...)) end
libraries.xpcall = function(body, handler)
  return xpcall(body, function(problem)
    if type(problem) == "userdata" then problem = host.raised.err end
    return handler(problem)
  end)
end
-- The interpreter's own counts them in an integer that can overflow (CVE-2025-46817).
libraries.unpack = function(list, first, last)
  if type(list) ~= "table" then
    error("bad argument #1 to 'unpack' (table expected, got " .. type(list) .. ")", 2)
  end
  local from, to = tonumber(first or 1), tonumber(last or #list)
  if from and to and from <= to
    and (from < -2^31 or 2^31 <= to or UNPACKED_MAX <= to - from) then
    error("too many results to unpack", 2)
  end
  return unpack(list, first, last)
end
-- Matching recurses once for each repetition in a pattern, on the thread's own stack.
local function is_too_complex(pattern)
  return type(pattern) == "string" and PATTERN_LEN_MAX < #pattern and find(pattern, "[*+?-]")
end
local function too_complex() error("pattern too complex", 3) end
strings.find = function(text, pattern, first, is_plain)
  if not is_plain and is_too_complex(pattern) then too_complex() end
  return find(text, pattern, first, is_plain)
end
strings.gmatch = function(text, pattern)
  if is_too_complex(pattern) then too_complex() end
  return gmatch(text, pattern)
end
strings.gsub = function(text, pattern, ...)
  if is_too_complex(pattern) then too_complex() end
  return gsub(text, pattern, ...)
end
strings.match = function(text, pattern, first)
  if is_too_complex(pattern) then too_complex() end
  return match(text, pattern, first)
end
local plain_loadstring = loadstring
libraries.loadstring = function(text, name)
  if type(text) ~= "string" or text:sub(1, 1) == "\27" then
    return nil, "attempt to load a binary chunk"
  end
  -- The chunk's name is not anchored while the chunk is read (CVE-2025-49844).
  collectgarbage("stop")
  local chunk, problem = plain_loadstring(text, name)
  collectgarbage("restart")
  if chunk then setfenv(chunk, host.environment) end
  return chunk, problem
end
libraries.load = nil
libraries.coroutine = frozen(coroutine)

libraries.setmetatable = function(target, metatable)
  if protected[target] then error("Attempt to modify a readonly table", 0) end
  return setmetatable(target, metatable)
end
libraries.rawset = function(target, name, value)
  if protected[target] then error("Attempt to modify a readonly table", 2) end
  return rawset(target, name, value)
end

local environment = host.environment
protected[environment] = true
libraries._G = environment
setmetatable(environment, {
  __index = function(_, name)
    local value = libraries[name]
    if value == nil then
      error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
    end
    return value
  end,
  __newindex = readonly,
  __metatable = false,
})
-- Strings reach the library through their shared metatable: it must not be a way to change it.
getmetatable("").__index = strings
getmetatable("").__metatable = false

local function described(problem)
  local where = host.where()
  problem = shown(problem)
  if type(problem) ~= "table" or problem.err == nil then
    problem = { err = "ERR " .. tostring(problem) }
  end
  return { err = problem.err, where = where }
end

return function(script) return xpcall(script, described) end
"#;
