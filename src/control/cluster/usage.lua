-- What one gateway of a cluster says of what keys have used of their quotas, and asks of what is left. For Redis 5 and later.
--
-- KEYS: as in `gateways.lua`, and a hash for each key in each usage plan:
--   b: the day on which its period began, in days since 1970 by this server's clock; t: what is used in it; x: what was granted on top;
--   h…: what the gateway … has reserved
-- ARGV: as there, and for each key:
--   the quota, first day of the period that the gateway thinks it is and the day after its last, the period and the use that are known to
--   have been said before (or -1), used since (below zero: given back), reserved, wanted besides, what is to be left (or -1)
-- Answer: the server's clock in seconds, how many gateways there are, the number that the Redis is known by, and for each key:
--   the first day of its period (-1: the gateway is wrong about the day), used, on top, granted

local now = tonumber(redis.call('TIME')[1])
local day = math.floor(now / 86400)
local count, lives = gateways()

local answer = { now, count, known() }
for index = 3, #KEYS do
  local key, at, said = KEYS[index], 2 + (index - 3) * 9, {}
  for argument = 1, 9 do
    said[argument] = tonumber(ARGV[at + argument])
  end
  local limit, first, after, floor_of, floor, spent, held, want, set = unpack(said)
  local begin, taken, extra, others = -1, 0, 0, 0
  local fields = redis.call('HGETALL', key)
  for field = 1, #fields, 2 do
    local name, value = fields[field], tonumber(fields[field + 1])
    if name == 'b' then
      begin = value
    elseif name == 't' then
      taken = value
    elseif name == 'x' then
      extra = value
    elseif name ~= own and lives[name] then
      others = others + value
    elseif name ~= own then
      redis.call('HDEL', key, name)
    end
  end
  local fits = first <= day and day < after
  if fits and first > begin then
    -- A new period: what was reserved in the old one is said anew. Nothing else begins one, so that each begins once.
    redis.call('DEL', key)
    begin, taken, extra, others = first, 0, 0, 0
  end
  local granted = 0
  if begin >= 0 then
    if floor_of == begin then
      taken = math.max(taken, floor)
    end
    taken = math.max(taken + spent, 0)
    if set >= 0 then
      extra = set + taken - limit
    end
    local room = math.max(limit + extra - taken - others - held, 0)
    -- The last ones are for all who ask.
    granted = math.min(want, room, math.max(math.floor(room / math.max(count, 1)), 1))
    local number = function(value) return string.format('%.0f', value) end
    redis.call('HSET', key, 'b', number(begin), 't', number(taken), 'x', number(extra))
    if held + granted > 0 then
      redis.call('HSET', key, own, number(held + granted))
    else
      redis.call('HDEL', key, own)
    end
    -- A clock that is set back finds it for a while.
    redis.call('EXPIRE', key, math.max(after - day, 1) * 86400 + 172800)
  end
  for _, value in ipairs({ begin, taken, extra, granted }) do
    answer[#answer + 1] = value
  end
end
return answer
