-- A client's budget in one period, which several gateways share. Amounts are millionths of a US dollar.
-- KEYS[1]: HASH s:GATEWAY -> what its calls have cost, r:GATEWAY -> what its calls under way have reserved,
-- e:GATEWAY -> its epoch (as in gateway/limits/slots.lua), s:ledger -> what was spent before.
-- ARGV[1..4]: the operation, the gateway, its epoch, seconds after which the key goes.
local call = redis.call
local key, operation, gateway, epoch = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

local function sums()
  local found, all = { s = 0, r = 0, e = 0 }, call('HGETALL', key)
  for place = 1, #all, 2 do
    local kind = string.sub(all[place], 1, 1)
    found[kind] = found[kind] + all[place + 1]
  end
  return found.s, found.r
end

if operation == 'view' then
  local spent, reserved = sums()
  return { 1, spent, reserved }
elseif operation == 'restore' then -- ARGV[5..7]: what is its own spent and reserved; what its ledger knows of before
  local kept = call('HGET', key, 'e:' .. gateway)
  if kept and tonumber(kept) >= tonumber(epoch) then return { 0 } end
  if call('EXISTS', key) == 0 then call('HSET', key, 's:ledger', ARGV[7]) end
  call('HSET', key, 's:' .. gateway, ARGV[5], 'r:' .. gateway, ARGV[6], 'e:' .. gateway, epoch)
  call('EXPIRE', key, ARGV[4])
  return { 1 }
elseif call('HGET', key, 'e:' .. gateway) ~= epoch then
  return { -2 }
elseif operation == 'reserve' then -- ARGV[5..7]: the budget, the estimate, `1` where the call is free
  local spent, reserved = sums()
  local left = ARGV[5] - spent - reserved
  if ARGV[7] ~= '1' and (tonumber(ARGV[6]) > left or left <= 0) then return { 0, spent, reserved } end
  call('HINCRBY', key, 'r:' .. gateway, ARGV[6])
  return { 1, spent, reserved }
end
call('HINCRBY', key, 'r:' .. gateway, string.format('%.0f', 0 - ARGV[5])) -- ARGV[5..6]: what was reserved, and what it has cost
call('HINCRBY', key, 's:' .. gateway, ARGV[6])
return { 1 }
