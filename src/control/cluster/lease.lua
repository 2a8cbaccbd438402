-- What one gateway of a cluster says of the limits that are shared, and asks of them: `throttle::share`, for Redis 5 and later.
--
-- KEYS: as in `gateways.lua`, how many purges there were (see `purge.lua`), and a hash for each limit:
--   e: the edge, in microseconds of this server's clock; w: until when tokens are scarce; h…: what the gateway … has reserved
-- ARGV: as there, a gateway's life in microseconds, whether this one leaves, and for each limit:
--   microseconds per token, burst, floor in microseconds, spent, held, need, want
-- Answer: the server's clock in seconds, how many gateways there are, the number that the Redis is known by, how many purges there
-- were, and for each limit:
--   granted, microseconds until all that is spent is made up for, whether tokens are scarce

-- What a script does is replicated as what it wrote: that is so by itself from version 5 on, and needed for TIME before.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local life, leaves = tonumber(ARGV[3]), ARGV[4] == '1'

-- A clock that went back must not keep anybody alive for ever.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - life)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + life, '+inf')
if leaves then
  redis.call('ZREM', KEYS[1], me)
else
  redis.call('ZADD', KEYS[1], now, me)
  redis.call('PEXPIRE', KEYS[1], math.ceil(life / 1000) * 10)
end
local count, lives = gateways()
local answer = { tonumber(time[1]), count, known(), tonumber(redis.call('GET', KEYS[3]) or '0') }
for index = 4, #KEYS do
  local key, at = KEYS[index], 4 + (index - 4) * 7
  local step, burst = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local floor, spent = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local held, need, want = tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6]), tonumber(ARGV[at + 7])
  local edge, scarce_until, others, recorded = 0, 0, 0, 0
  local fields = redis.call('HGETALL', key)
  for field = 1, #fields, 2 do
    local name, value = fields[field], tonumber(fields[field + 1])
    if name == 'e' then
      edge = value
    elseif name == 'w' then
      scarce_until = value
    elseif name == own then
      recorded = value
    elseif lives[name] then
      others = others + value
    else
      redis.call('HDEL', key, name)
    end
  end
  local lag = math.max(edge - now, floor, 0) + spent * step
  lag = math.min(lag, burst * step)
  -- What is as it was need not be written; nor that a bucket is full, so that a clock that goes back cannot empty it.
  if spent > 0 or lag > 0 and math.abs(now + lag - edge) > 0.5 then
    redis.call('HSET', key, 'e', string.format('%.3f', now + lag))
  end
  local left = math.max(math.floor(burst - lag / step + 0.000001), 0)
  local room = math.max(left - others - held, 0)
  -- A clock that went back must not make tokens scarce for ever.
  local scarce = now < scarce_until and scarce_until <= now + 1000000
  local granted = math.min(room, scarce and need or want)
  if granted < need then
    scarce, scarce_until = true, now + 1000000
    redis.call('HSET', key, 'w', string.format('%.0f', scarce_until))
  end
  local reserved = leaves and 0 or held + granted
  if reserved ~= recorded then
    if reserved == 0 then
      redis.call('HDEL', key, own)
    else
      redis.call('HSET', key, own, string.format('%.0f', reserved))
    end
  end
  redis.call('PEXPIRE', key, math.ceil(lag / 1000) + 60000)
  answer[#answer + 1] = granted
  answer[#answer + 1] = math.ceil(lag)
  answer[#answer + 1] = scarce and 1 or 0
end
return answer
