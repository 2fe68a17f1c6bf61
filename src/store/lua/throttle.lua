-- throttle: what the scripts of a sign-in share; put in front of them by scripts.ts.
--
-- A throttle is text: the failures so far, and until when the next sign-in must wait (milliseconds since the epoch).

-- How long to wait, in ms, and the failures so far.
local function delay(key, now_ms)
  local count, next_ms = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
  return math.max(tonumber(next_ms or 0) - now_ms, 0), tonumber(count or 0)
end
