-- The gateways of a group: each says every 5 s that it is there, and what its limits are, and hears of the others.
-- KEYS[1]: ZSET gateway -> when it was seen last; KEYS[2]: HASH gateway -> its name, a line break, its limits.
-- ARGV: the gateway, its text, microseconds after which one that was not seen is gone, and the channel that hears it.
-- Answers 1 where it was not there, the gateways that are there, and the texts of those whose limits are not the same.
local call = redis.call
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
for _, each in ipairs(call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ARGV[3]))) do
  call('ZREM', KEYS[1], each)
  call('HDEL', KEYS[2], each)
end
local is_new = call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
call('HSET', KEYS[2], ARGV[1], ARGV[2])
call('EXPIRE', KEYS[1], 75)
call('EXPIRE', KEYS[2], 75)
redis.pcall('PUBLISH', ARGV[4], ARGV[1])
local others, own = {}, string.match(ARGV[2], '\n(.*)$')
for _, text in ipairs(call('HVALS', KEYS[2])) do
  if string.match(text, '\n(.*)$') ~= own then others[#others + 1] = text end
end
return { is_new, call('ZRANGE', KEYS[1], 0, -1), others }
