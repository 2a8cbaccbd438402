-- Purges, told to every gateway of a cluster. For Redis 5 and later.
--
-- KEYS: how many purges there were (a number), and the last of them (a list)
-- ARGV: the gateway, how many it has seen, and what it has purged itself that is to be told
-- Answer: how many there were, and all that the gateway has not seen, as far as they are there, each as `GATEWAY WORDS`
for index = 3, #ARGV do
  redis.call('INCR', KEYS[1])
  redis.call('RPUSH', KEYS[2], ARGV[1] .. ' ' .. ARGV[index])
end
redis.call('LTRIM', KEYS[2], -1000, -1)
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
local answer = { string.format('%.0f', count) }
local missing = count - tonumber(ARGV[2])
if missing > 0 then
  for _, purge in ipairs(redis.call('LRANGE', KEYS[2], string.format('%.0f', -missing), -1)) do
    answer[#answer + 1] = purge
  end
end
return answer
