-- read-audit: a piece of the audit trail, newest first. A script so that it runs on the primary, and sends what was asked for.
-- KEYS[1] audit trail
-- ARGV    where to begin: '+', a stream id, or '(' and a stream id to begin behind it; user id whom the events are about
--         ('' for all), the most events to return, the most to look at
-- returns {stream id of the last event it looked at, or '' at the end of the trail; XREVRANGE's entries}
local from, user, most, left = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local PIECE = 500
local found = {}
while true do
  local count = math.min(PIECE, left)
  local piece = redis.call('XREVRANGE', KEYS[1], from, '-', 'COUNT', count)
  for _, entry in ipairs(piece) do
    -- Fields come in the order in which audit wrote them: event, its value, user, its value.
    if user == '' or entry[2][4] == user then found[#found + 1] = entry end
    if #found == most then return { entry[1], found } end
  end
  if #piece < count then return { '', found } end
  left = left - count
  if left <= 0 then return { piece[#piece][1], found } end
  from = '(' .. piece[#piece][1]
end
