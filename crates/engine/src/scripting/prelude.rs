//! The Lua side of the interpreter: what scripts see as `redis`, and the shape of their errors.

/// Builds the environment of scripts from the standard library and `host`, a table of functions
/// that Rust provides. Returns the handler of errors, and leaves in `host.globals` the table in which
/// scripts find the libraries, `KEYS` and `ARGV`, and in `host.set_loading` the function that chooses
/// what libraries of functions find: little while they are loaded.
///
/// Scripts see copies of the libraries behind a metatable, so that nothing that one script does to
/// its globals outlives it, and an undefined name is an error.
pub(super) const PRELUDE: &str = r#"
local host = ...
local source = host.source
local error, type, tostring, xpcall, pcall = error, type, tostring, xpcall, pcall
local setmetatable, rawset, pairs, tonumber = setmetatable, rawset, pairs, tonumber
local getmetatable = getmetatable
local unpack, collectgarbage = unpack, collectgarbage
local find, gmatch, gsub, match = string.find, string.gmatch, string.gsub, string.match
local sub, concat = string.sub, table.concat

local protected = setmetatable({}, { __mode = "k" })

local function is_text(value) return type(value) == "string" or type(value) == "number" end

local UNPACKED_MAX = 8000
local PATTERN_LEN_MAX = 4096

-- The functions of texts, some of which get a guard below.
local strings = {}
for name, body in pairs(string) do strings[name] = body end
strings.gfind = nil

local function readonly() error("Attempt to modify a readonly table", 2) end

local function frozen(contents)
  local proxy = setmetatable({}, {
    __index = contents, __newindex = readonly, __metatable = false,
  })
  protected[proxy] = true
  return proxy
end

-- The functions that need the server are put in by the host. Libraries that are being loaded find
-- only what is in `loading`.
local redis, loading = host.redis, host.loading
local constants = {
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  REDIS_VERSION = host.version,
  REDIS_VERSION_NUM = host.version_number,
}
if host.is_valkey then
  constants.SERVER_NAME = "valkey"
  constants.SERVER_VERSION = host.version
  constants.SERVER_VERSION_NUM = host.version_number
end
for name, value in pairs(constants) do redis[name], loading[name] = value, value end
redis.REPL_NONE, redis.REPL_AOF, redis.REPL_ALL = 0, 1, 3
redis.REPL_SLAVE, redis.REPL_REPLICA = 2, 2
if host.is_for_scripts then
  redis.breakpoint = function() return false end
  redis.debug = function() end
  redis.replicate_commands = function() return true end
end

local libraries = {
  redis = frozen(redis),
  string = frozen(strings),
  math = frozen(math),
  table = frozen(table),
  os = frozen({ clock = function() return host.clock() end }),
}
if host.is_valkey then libraries.server = libraries.redis end
for name, library in pairs(host.libraries) do libraries[name] = frozen(library) end
for _, name in pairs({ "_VERSION", "assert", "error", "gcinfo", "ipairs", "next", "pairs", "rawequal",
    "rawget", "select", "tonumber", "tostring", "type" }) do
  libraries[name] = _G[name]
end
libraries.collectgarbage = function(what)
  if what == "count" then return collectgarbage("count") end
  return 0
end
-- An error of the host is no value of the language, but stands in `host.raised`.
local function shown(problem)
  if type(problem) ~= "userdata" then return problem end
  local raised = host.raised
  host.raised = nil
  if raised == nil then return tostring(problem) end
  return raised
end
-- A script that was ended does not go on, whatever it catches.
local function unless_ended()
  if host.is_ended() then error(host.ended_by, 0) end
end
-- What went wrong inside of this file went wrong in the script's line.
local function relocated(problem, line)
  if type(problem) ~= "string" or sub(problem, 1, 8) ~= "prelude:" then return problem end
  local _, last = find(problem, "^prelude:%d+: ")
  if not last then return problem end
  -- The line is lost when the script's last call took the place of the script itself.
  if not line then return sub(problem, last + 1) end
  return source .. ":" .. tostring(line) .. ": " .. sub(problem, last + 1)
end
local function caught(is_fine, ...)
  if is_fine then return true, ... end
  unless_ended()
  local problem = relocated(shown((...)), host.where())
  if type(problem) == "table" and is_text(problem.err) then problem = problem.err end
  return false, problem
end
libraries.pcall = function(...) return caught(pcall(...)) end
local function handled(is_fine, ...)
  if not is_fine then unless_ended() end
  return is_fine, ...
end
libraries.xpcall = function(body, handler)
  return handled(xpcall(body, function(problem) return handler(shown(problem)) end))
end
local resume = coroutine.resume
local function resumed(is_fine, ...)
  if is_fine then return true, ... end
  unless_ended()
  return false, shown((...))
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
libraries.load = function(reader, name)
  if type(reader) ~= "function" then
    error("bad argument #1 to 'load' (function expected, got " .. type(reader) .. ")", 2)
  end
  local pieces = {}
  while true do
    local piece = reader()
    if piece == nil or piece == "" then break end
    if type(piece) ~= "string" then return nil, "reader function must return a string" end
    pieces[#pieces + 1] = piece
  end
  return libraries.loadstring(concat(pieces), name or "=(load)")
end
libraries.coroutine = frozen({
  create = coroutine.create, running = coroutine.running, status = coroutine.status,
  wrap = coroutine.wrap, yield = coroutine.yield,
  resume = function(...) return resumed(resume(...)) end,
})

libraries.setmetatable = function(target, metatable)
  if protected[target] then error("Attempt to modify a readonly table", 0) end
  return setmetatable(target, metatable)
end
local shown_of_globals = frozen({})
libraries.getmetatable = function(target)
  if target == host.environment then return shown_of_globals end
  if protected[target] then return nil end
  return getmetatable(target)
end
libraries.rawset = function(target, name, value)
  if protected[target] then error("Attempt to modify a readonly table", 0) end
  return rawset(target, name, value)
end

local environment = host.environment
protected[environment] = true
libraries._G = environment
local strict = {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
}
local seen_while_loading = setmetatable({ redis = frozen(setmetatable(loading, strict)) }, strict)
if host.is_valkey then seen_while_loading.server = seen_while_loading.redis end
-- A table, not a function: reading a global costs no call.
local globals = {
  __index = setmetatable(libraries, strict), __newindex = readonly, __metatable = false,
}
setmetatable(environment, globals)
host.globals = libraries
host.set_loading = function(is_loading)
  globals.__index = is_loading and seen_while_loading or libraries
end
-- Strings reach the library through their shared metatable: it must not be a way to change it.
getmetatable("").__index = strings
getmetatable("").__metatable = frozen({ __index = libraries.string })

local function described(problem)
  local where = host.where()
  problem = relocated(shown(problem), where)
  if type(problem) ~= "table" then return { err = "ERR " .. tostring(problem), where = where } end
  if not is_text(problem.err) then return { err = "ERR unknown error", where = where } end
  return { err = problem.err, where = where }
end

return described
"#;
