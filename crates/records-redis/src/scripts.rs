//! The scripts. They carry names and numbers; rows go past them as plain commands, since a row that
//! passes through a script is copied three times more.
//!
//! They are sent whole each time: a script that has to be loaded first could be gone in the middle of
//! a transaction. None takes more arguments than [`ARGUMENTS_MAX`], the stack of the interpreter.

/// Fields that a script is given or takes at once.
pub(crate) const ARGUMENTS_MAX: usize = 2_000;

/// Moves conversations from the indexes in which they stood into those in which they stand now.
/// Keys: places, indexes. Arguments: the prefix of all keys, then each id with its indexes.
pub(crate) const PLACE: &str = "
local ids, wanted = {}, {}
for i = 2, #ARGV, 2 do ids[#ids + 1] = ARGV[i]; wanted[#wanted + 1] = ARGV[i + 1] end
local stood = redis.call('HMGET', KEYS[1], unpack(ids))
local names, sorted, left, placed, gone = {}, {}, {}, {}, {}
local function note(what, name, one, other)
  local list = what[name]
  if not list then list = {}; what[name] = list end
  list[#list + 1] = one
  if other then list[#list + 1] = other end
end
for i, id in ipairs(ids) do
  local old, new = stood[i] or '', wanted[i]
  if old ~= new then
    local stays = {}
    for name, score in string.gmatch(new, '([^%s=]+)=?(%S*)') do
      stays[name] = true
      names[name] = true
      if score ~= '' then note(sorted, name, score, id) end
    end
    for name in string.gmatch(old, '([^%s=]+)=?%S*') do
      if not stays[name] then note(left, name, id) end
    end
    if new == '' then gone[#gone + 1] = id else placed[#placed + 1] = id; placed[#placed + 1] = new end
  end
end
for name in pairs(names) do redis.call('SADD', KEYS[2], name) end
for name, list in pairs(sorted) do redis.call('ZADD', ARGV[1] .. name, unpack(list)) end
for name, list in pairs(left) do redis.call('ZREM', ARGV[1] .. name, unpack(list)) end
if #placed > 0 then redis.call('HSET', KEYS[1], unpack(placed)) end
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
return #ids";

/// Deletes inputs that are forgotten, the first that were written, and stops at one that is not.
/// Keys: seen, its order, meta. Arguments: how many, then each mark's two numbers.
pub(crate) const SWEEP: &str = "
local taken = redis.call('LRANGE', KEYS[2], 0, ARGV[1] - 1)
local ids, gone, over = {}, {}, 0
for i, entry in ipairs(taken) do ids[i] = string.sub(entry, 1, 16) end
local held = {}
if #ids > 0 then held = redis.call('HMGET', KEYS[1], unpack(ids)) end
for i, row in ipairs(held) do
  local at, written = nil, nil
  if row then at, written = string.match(row, '^(%-?%d+) (%d+) ') end
  if written and written == string.sub(taken[i], 17) then
    local forgotten = false
    for j = 2, #ARGV, 2 do
      if tonumber(at) < tonumber(ARGV[j]) and tonumber(written) < tonumber(ARGV[j + 1]) then
        forgotten = true
      end
    end
    if not forgotten then break end
    gone[#gone + 1] = ids[i]
  end
  over = i
end
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
if over > 0 then redis.call('LTRIM', KEYS[2], over, -1) end
if over < tonumber(ARGV[1]) then redis.call('HSET', KEYS[3], 'sweep', '0') end
return #gone";

/// Throws everything away; the memory is given back behind the scenes.
/// Key: meta. Arguments: the prefix of all keys, how many fixed names follow, those, then the fields
/// of the new meta.
pub(crate) const CLEAR: &str = "
local names = redis.pcall('SMEMBERS', ARGV[1] .. 'indexes')
if names.err then names = {} end
for _, name in ipairs(names) do redis.call('UNLINK', ARGV[1] .. name) end
local fixed = tonumber(ARGV[2])
for i = 3, 2 + fixed do redis.call('UNLINK', ARGV[1] .. ARGV[i]) end
redis.call('UNLINK', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 3 + fixed))
return redis.call('PUBLISH', ARGV[1] .. 'changes', '0')";

/// The rows that a stretch of an index names. Keys: the index, the hash of the rows. Arguments: the
/// stretch, as `ZRANGE` takes it.
pub(crate) const ROWS: &str = "
local fields = redis.call('ZRANGE', KEYS[1], unpack(ARGV))
if #fields == 0 then return {} end
return redis.call('HMGET', KEYS[2], unpack(fields))";

/// For each queue with held conversations: its name, how many are held, how many wait, since when.
/// Key: indexes. Argument: the prefix of all keys.
pub(crate) const COUNTS: &str = "
local counts = {}
for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local queue = string.match(name, '^held:(.+)$')
  local held = queue and redis.call('ZCARD', ARGV[1] .. name) or 0
  if held > 0 then
    local waiting = ARGV[1] .. 'waiting:' .. queue
    local first = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')
    counts[#counts + 1] = {queue, held, redis.call('ZCARD', waiting), first[2] or ''}
  end
end
return counts";
