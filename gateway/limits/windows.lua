-- The windows of a row in a Redis or Valkey server: the first half of the script whose second half is slots.lua, where the
-- keys and arguments are described. The arithmetic is that of window.py and cell_window.py.

local MINUTE, DAY = 60000000, 86400000000
local MINUTE_CELL, DAY_CELL, CELLS = 41667, 60000000, 1440 -- microseconds; a cell counts until all of it has left
local LEASE, SEEN, SPARE, GUESS = 60000000, 3000000, 60, 1000000 -- SPARE in seconds, the others in microseconds
local MOST_WALKED = 1000 -- tickets whose tokens are added up
local REQUESTS, TOKENS, PLACES = 1, 2, 3

local call = redis.call
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local base, operation, gateway, epoch = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

local function whole(number) return string.format('%.0f', number) end

local function keep(key, window) call('EXPIRE', key, math.ceil(window / 1000000) + SPARE) end

-- The units, in the order of a row's numbers: name, what it counts, its window and the length of its cells.
local UNITS = {
  { name = ':con', of = PLACES },
  { name = ':rpm', of = REQUESTS, window = MINUTE },
  { name = ':tpm', of = TOKENS, window = MINUTE, cell = MINUTE_CELL },
  { name = ':rpd', of = REQUESTS, window = DAY, cell = DAY_CELL },
  { name = ':tpd', of = TOKENS, window = DAY, cell = DAY_CELL },
}

local function add(key, unit, at, amount)
  local cell = math.floor(at / unit.cell)
  if amount == 0 or cell < math.floor(now / unit.cell) - CELLS then return end
  local field = whole(cell) .. ':' .. gateway
  call('HINCRBY', key, field, whole(amount))
  call('HINCRBY', key, 't', whole(amount))
  call('ZADD', key .. ':o', whole(cell), field)
  keep(key, unit.window + unit.cell)
  keep(key .. ':o', unit.window + unit.cell)
end

local function drop(key, fields)
  local total = 0
  for _, field in ipairs(fields) do
    total = total + (call('HGET', key, field) or 0)
    call('HDEL', key, field)
    call('ZREM', key .. ':o', field)
  end
  if total ~= 0 then call('HINCRBY', key, 't', whole(-total)) end
end

local function used(row, unit)
  local key = row .. unit.name
  if unit.cell then
    local gone = call('ZRANGEBYSCORE', key .. ':o', '-inf', '(' .. whole(math.floor(now / unit.cell) - CELLS))
    if #gone > 0 then drop(key, gone) end
    return tonumber(call('HGET', key, 't') or 0)
  end
  call('ZREMRANGEBYSCORE', key, '-inf', whole(now - (unit.window or 0)))
  return call('ZCARD', key)
end

-- When so much of what counts in cells has left.
local function left(key, unit, surplus)
  local first = 0
  while true do
    local fields = call('ZRANGE', key .. ':o', first, first + 99)
    if #fields == 0 then return now + unit.window + unit.cell end
    for place, amount in ipairs(call('HMGET', key, unpack(fields))) do
      surplus = surplus - (amount or 0)
      if surplus <= 0 then return (tonumber(string.match(fields[place], '^%-?%d+')) + CELLS + 1) * unit.cell end
    end
    first = first + 100
  end
end

-- Microseconds until there is room for an amount behind so much in the line, as in gateway/limits/window.py.
local function due(row, unit, limit, taken, ahead, amount)
  local key = row .. unit.name
  if not unit.window then
    local behind = taken + ahead + amount - 1 - limit
    return behind < 0 and 0 or (1 + math.floor(behind / limit)) * GUESS
  elseif unit.cell then
    local before = math.max(ahead + amount - 1, 0)
    local windows = math.floor(before / limit)
    local surplus = taken + before - windows * limit + 1 - limit
    local moment = surplus <= 0 and now or left(key, unit, surplus)
    return math.max(moment - now, 0) + windows * (unit.window + unit.cell)
  end
  local over = math.max(0, taken - limit)
  local windows = math.floor((taken - over + ahead) / limit)
  local place = over + taken - over + ahead - windows * limit
  local follows = now
  if place < taken then follows = tonumber(call('ZRANGE', key, place, place, 'WITHSCORES')[2]) end
  return math.max(follows - now, 0) + windows * unit.window
end
