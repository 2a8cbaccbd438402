-- Where `lease.lua` and `usage.lua` begin: who asks, who lives, and what this Redis is known by. For Redis 5 and later.
--
-- KEYS: who lives (a sorted set: gateway, when it was heard from), what this Redis is known by (a string)
-- ARGV: the gateway, a number to know the Redis by

local me = ARGV[1]
local own = 'h' .. me

-- How many gateways there are, and the fields in which limits and keys have what each of them has reserved.
local function gateways()
  local members = redis.call('ZRANGE', KEYS[1], 0, -1)
  local lives = {}
  for _, member in ipairs(members) do
    lives['h' .. member] = true
  end
  return #members, lives
end

local function known()
  local number = redis.call('GET', KEYS[2])
  if not number then
    number = ARGV[2]
    redis.call('SET', KEYS[2], number)
  end
  return tonumber(number)
end

