-- The admission engine in a Redis or Valkey server, after windows.lua in one script: one step over all rows that fit a
-- target, or over none of them.
--
-- KEYS[1] is `gw:{group:provider}`, of which all others begin, so that a cluster keeps them in one slot. KEYS[2..] are
-- the rows. Of a row KEY there are
--   KEY:rpm          ZSET grant -> microseconds at which it counts: the window of requestsPerMinute
--   KEY:tpm rpd tpd  HASH cell:gateway -> amount, and `t` -> their sum; KEY:tpm:o ZSET of these fields by their cell
--   KEY:con          ZSET grant -> microseconds until which its place is leased
--   KEY:q, KEY:a     ZSET ticket -> its number in the line; ZSET ticket -> when it was seen last
-- and of a provider KEYS[1]:s, the number of the last ticket, and KEYS[1]:e, HASH gateway -> its epoch.
--
-- The time is this server's own. A gateway whose epoch is not the one kept here has written nothing of its own into what
-- is here (the server was away, or is empty): its call gets -2, its reports are left out, and it replaces all that is its
-- own first (`restore`). So a command that was overtaken by a failure, and comes after it, changes nothing.
-- ARGV[1..3] are the operation, the gateway and its epoch; the rest is said at each operation.

local function leave(row, ticket)
  call('ZREM', row .. ':q', ticket)
  call('ZREM', row .. ':a', ticket)
end

-- The tickets before one in a row's line, and their tokens where the row counts some. Those not seen lately are gone.
local function before(row, ticket, counts_tokens)
  local lost = call('ZRANGEBYSCORE', row .. ':a', '-inf', whole(now - SEEN))
  for _, each in ipairs(lost) do leave(row, each) end
  local rank = ticket and call('ZRANK', row .. ':q', ticket) or call('ZCARD', row .. ':q')
  local tokens = 0
  if counts_tokens and rank > 0 then
    for _, each in ipairs(call('ZRANGE', row .. ':q', 0, math.min(rank, MOST_WALKED) - 1)) do
      tokens = tokens + tonumber(string.match(each, '|(%d+)|'))
    end
  end
  return { rank, tokens, rank }
end

-- What of a row has no room for a need, appended to `blocks`.
local function weigh(row, index, limits, ticket, need, blocks)
  local ahead = before(row, ticket, limits[3] > 0 or limits[5] > 0)
  for number, unit in ipairs(UNITS) do
    local limit, amount = limits[number], math.min(need[unit.of], limits[number])
    if limit > 0 and amount > 0 then
      local taken = used(row, unit)
      if limit - taken - amount < ahead[unit.of] then
        local wait = due(row, unit, limit, taken, ahead[unit.of], amount)
        blocks[#blocks + 1] =
          { row = index, unit = number, timed = unit.window, used = taken, ahead = ahead[1], wait = wait }
      end
    end
  end
  return ahead[1]
end

local function longest(blocks)
  local found = blocks[1]
  for _, each in ipairs(blocks) do
    if each.wait > found.wait then found = each end
  end
  return found
end

local function told(kind, wait, why, block)
  return { kind, math.ceil(wait), why, block.row, block.unit, block.used, block.ahead, math.ceil(block.wait) }
end

-- Call who is first in the lines of these rows: it may have room now.
local function call_firsts()
  for index = 2, #KEYS do
    local first = call('ZRANGE', KEYS[index] .. ':q', 0, 0)[1]
    if first then
      redis.pcall('PUBLISH', 'gw:' .. string.match(base, '{([^:}]*)') .. ':wake', string.match(first, '^[^|]*'))
    end
  end
end

local function stand(row, ticket, number)
  call('ZADD', row .. ':q', 'NX', number, ticket)
  call('ZADD', row .. ':a', whole(now), ticket)
  keep(row .. ':q', MINUTE)
  keep(row .. ':a', MINUTE)
end

local function next_number()
  local number = call('INCR', base .. ':s')
  keep(base .. ':s', DAY)
  return number
end

local function take(row, limits, id, need)
  for number, unit in ipairs(UNITS) do
    local key, amount = row .. unit.name, need[unit.of]
    if limits[number] > 0 and amount > 0 then
      if unit.cell then
        add(key, unit, now, amount)
      else
        call('ZADD', key, whole(unit.window and now or now + LEASE), id)
        keep(key, MINUTE)
      end
    end
  end
end

-- Why a call may not stand in a line: it does not queue, the line is full, the wait is too long, its time is over.
local function why_not(block, rows, remaining, queues)
  local row = rows[block.row]
  if not queues then return 1 end
  if block.ahead >= row.max_queue then return 2 end
  if block.timed and block.wait > row.max_wait or not block.timed and row.max_wait <= 0 then return 3 end
  if block.timed and remaining >= 0 and block.wait >= remaining then return 4 end
end

-- ARGV[4..8]: id, requests, tokens, places, mode; [9]: microseconds to its deadline, or -1; then seven of a row: its
-- longest line, its longest wait in microseconds, and its numbers, 0 for none. Modes: `try`, `queue` (joins the lines
-- where it may), `wait` (keeps its place, or stands anew), `hold` (as wait, and takes nothing).
-- Answers the time at which it was granted, {0, wait, ...} or {-1, wait, why, ...}: see `told`.
local function ask()
  local id, mode, remaining = ARGV[4], ARGV[8], tonumber(ARGV[9])
  local need = { tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]) }
  local ticket = id .. '|' .. ARGV[6] .. '|' .. ARGV[7]
  local waits, rows, blocks, ahead = mode == 'wait' or mode == 'hold', {}, {}, 0
  if waits then
    local number
    for index = 2, #KEYS do
      if not call('ZSCORE', KEYS[index] .. ':q', ticket) then number = number or next_number() end
      stand(KEYS[index], ticket, number or 0)
    end
  end
  for index = 2, #KEYS do
    local from = 10 + (index - 2) * 7
    local row = { max_queue = tonumber(ARGV[from]), max_wait = tonumber(ARGV[from + 1]), limits = {} }
    for number = 1, 5 do row.limits[number] = tonumber(ARGV[from + 1 + number]) end
    rows[index - 1] = row
    ahead = math.max(ahead, weigh(KEYS[index], index - 1, row.limits, waits and ticket, need, blocks))
  end
  if #blocks == 0 and mode ~= 'hold' then
    local frees = false
    for index, row in ipairs(rows) do
      take(KEYS[index + 1], row.limits, id, need)
      if waits then leave(KEYS[index + 1], ticket) end
      frees = frees or row.limits[1] > 0 or row.limits[3] > 0 or row.limits[5] > 0
    end
    if waits and frees then call_firsts() end -- a call that ended may have left room for more than one
    return now
  elseif waits then
    local block = #blocks > 0 and longest(blocks) or { row = 1, unit = 1, used = 0, ahead = ahead, wait = 0 }
    return told(0, block.wait, 0, block)
  end
  local refused = {}
  for _, block in ipairs(blocks) do
    block.why = why_not(block, rows, remaining, mode == 'queue')
    if block.why then refused[#refused + 1] = block end
  end
  if #refused > 0 then
    local block = longest(refused)
    return told(-1, longest(blocks).wait, block.why, block)
  end
  local number = next_number()
  for index = 2, #KEYS do stand(KEYS[index], ticket, number) end
  local block = longest(blocks)
  return told(0, block.wait, 0, block)
end

-- Each unit of each row, by the letters in ARGV[place]: which of them the rows have, five a row, `1` or `-`.
local function each_unit(has, visit)
  for index = 2, #KEYS do
    for number, unit in ipairs(UNITS) do
      local place = (index - 2) * 5 + number
      if string.sub(has, place, place) == '1' then visit(KEYS[index] .. unit.name, unit) end
    end
  end
end

-- ARGV[4..9]: the rows' units, id, requests, tokens, when it was granted, when it was sent; microseconds of this clock.
local function sent()
  local id, granted, at = ARGV[5], tonumber(ARGV[8]), tonumber(ARGV[9])
  local need = { tonumber(ARGV[6]), tonumber(ARGV[7]) }
  each_unit(ARGV[4], function(key, unit)
    if unit.cell then
      add(key, unit, granted, -need[unit.of])
      add(key, unit, at, need[unit.of])
    elseif unit.window and need[unit.of] > 0 then
      call('ZADD', key, ARGV[9], id)
      keep(key, MINUTE)
    end
  end)
end

-- ARGV[4..6]: the rows' units, when it was sent, how many tokens more it has used.
local function settle()
  local at, change = tonumber(ARGV[5]), tonumber(ARGV[6])
  each_unit(ARGV[4], function(key, unit)
    if unit.of == TOKENS then add(key, unit, at, change) end
  end)
  if change < 0 then call_firsts() end
end

-- ARGV[4..9]: the rows' units, id, requests, tokens, when it was granted, `1` where it was never sent.
local function release()
  local id, granted, gives_back = ARGV[5], tonumber(ARGV[8]), ARGV[9] == '1'
  local need = { tonumber(ARGV[6]), tonumber(ARGV[7]) }
  each_unit(ARGV[4], function(key, unit)
    if not unit.window then
      call('ZREM', key, id)
    elseif gives_back and unit.cell then
      add(key, unit, granted, -need[unit.of])
    elseif gives_back then
      call('ZREM', key, id)
    end
  end)
  call_firsts()
end

-- ARGV[4..6]: a ticket's id, tokens and places.
local function leave_lines()
  for index = 2, #KEYS do leave(KEYS[index], ARGV[4] .. '|' .. ARGV[5] .. '|' .. ARGV[6]) end
  call_firsts()
end

-- ARGV[4..]: the grants of each row that still have their places: how many, and their ids.
local function renew()
  local place = 4
  for index = 2, #KEYS do
    local key = KEYS[index] .. ':con'
    used(KEYS[index], UNITS[1])
    for number = 1, tonumber(ARGV[place]) do call('ZADD', key, 'XX', whole(now + LEASE), ARGV[place + number]) end
    keep(key, MINUTE)
    place = place + ARGV[place] + 1
  end
end

-- ARGV[4..]: five numbers of a row. Answers, for each row, what each unit has used, who waits, and how long a call would.
local function status()
  local found = {}
  for index = 2, #KEYS do
    local row, limits, blocks = KEYS[index], {}, {}
    for number = 1, 5 do limits[number] = tonumber(ARGV[3 + (index - 2) * 5 + number]) end
    local waiting = weigh(row, index, limits, nil, { 1, 1, 1 }, blocks)
    for number, unit in ipairs(UNITS) do found[#found + 1] = limits[number] > 0 and used(row, unit) or 0 end
    found[#found + 1] = waiting
    found[#found + 1] = #blocks > 0 and math.ceil(longest(blocks).wait) or 0
  end
  return found
end

-- What is this gateway's own in a unit.
local function own(key, unit)
  local found = {}
  local pattern = unit.cell and (':' .. gateway .. '$') or ('^' .. gateway .. '%-')
  for _, each in ipairs(call('ZRANGE', unit.cell and key .. ':o' or key, 0, -1)) do
    if string.find(each, pattern) then found[#found + 1] = each end
  end
  return found
end

-- Replace all that is this gateway's own by ARGV[4..]: of each row and unit how many pairs, and the pairs (con: id, ``;
-- rpm: id, microseconds; cells: microseconds, amount); then how many tickets, and of each its id, tokens, places, and its
-- rows as `1` and `-`, in the order in which they stand. Answers 0 where a later epoch was here before.
local function restore()
  local kept = call('HGET', base .. ':e', gateway)
  if kept and tonumber(kept) >= tonumber(epoch) then return 0 end
  local place = 4
  for index = 2, #KEYS do
    for _, unit in ipairs(UNITS) do
      local key = KEYS[index] .. unit.name
      local mine = own(key, unit)
      if unit.cell then drop(key, mine) end
      for _, each in ipairs(unit.cell and {} or mine) do call('ZREM', key, each) end
      local pairs_end = place + 2 * ARGV[place]
      for from = place + 1, pairs_end, 2 do
        if unit.cell then
          add(key, unit, tonumber(ARGV[from]), tonumber(ARGV[from + 1]))
        else
          call('ZADD', key, unit.window and ARGV[from + 1] or whole(now + LEASE), ARGV[from])
          keep(key, MINUTE)
        end
      end
      place = pairs_end + 1
    end
  end
  for from = place + 1, place + 4 * ARGV[place], 4 do
    local ticket, number = ARGV[from] .. '|' .. ARGV[from + 1] .. '|' .. ARGV[from + 2], next_number()
    for index = 2, #KEYS do
      if string.sub(ARGV[from + 3], index - 1, index - 1) == '1' then stand(KEYS[index], ticket, number) end
    end
  end
  call('HSET', base .. ':e', gateway, epoch)
  keep(base .. ':e', DAY)
  return 1
end

if operation == 'time' then return now end
if operation == 'restore' then return restore() end
if operation == 'status' then return status() end
if call('HGET', base .. ':e', gateway) ~= epoch then return -2 end
if operation == 'ask' then
  keep(base .. ':e', DAY)
  return ask()
end
local reports = { sent = sent, settle = settle, release = release, leave = leave_lines, renew = renew }
reports[operation]()
return 1
