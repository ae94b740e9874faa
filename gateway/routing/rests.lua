-- Targets that are to be skipped, which several gateways know.
-- KEYS[1]: HASH target -> until (microseconds of this server's clock; 0: lifted), why and how often, after line breaks.
-- ARGV: channel, gateway, target, microseconds that it rests (0: it works again), why, how often, most entries.
local call = redis.call
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local rests = tonumber(ARGV[4])
local until_then = string.format('%.0f', rests > 0 and now + rests or 0)
if rests == 0 then
  call('HDEL', KEYS[1], ARGV[3])
else
  if call('HLEN', KEYS[1]) >= tonumber(ARGV[7]) then
    local all, first, earliest = call('HGETALL', KEYS[1]), nil, nil
    for place = 1, #all, 2 do
      local ends = tonumber(string.match(all[place + 1], '^%d+'))
      if not earliest or ends < earliest then first, earliest = all[place], ends end
      if ends <= now then call('HDEL', KEYS[1], all[place]) end
    end
    if first then call('HDEL', KEYS[1], first) end
  end
  call('HSET', KEYS[1], ARGV[3], until_then .. '\n' .. ARGV[5] .. '\n' .. ARGV[6])
  local left = call('TTL', KEYS[1])
  call('EXPIRE', KEYS[1], math.max(left, math.ceil(rests / 1000000) + 60))
end
local said = { ARGV[2], ARGV[4], ARGV[5], ARGV[6], ARGV[3] }
call('PUBLISH', ARGV[1], table.concat(said, '\n'))
return 1
