-- admit: lets so many in at once, and then one more each time that `every_ms` has passed (the generic cell rate algorithm).
-- KEYS[1] throttle: when those who were let in would be through, one after the other (milliseconds since the epoch)
-- ARGV    now_ms, every_ms, burst_ms
-- returns how long to wait in ms (then nothing was counted), or 0
-- Asked twice it counts twice: that errs on the safe side.
local now_ms, every_ms, burst_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local stored_ms = tonumber(redis.call('GET', KEYS[1]) or '') or 0
local through_ms = math.max(stored_ms, now_ms) + every_ms
-- What a server wrote whose clock runs ahead is gone after a burst, too.
if through_ms - now_ms > burst_ms then return math.min(through_ms - now_ms - burst_ms, burst_ms) end
redis.call('SET', KEYS[1], string.format('%.0f', through_ms), 'PX', string.format('%.0f', through_ms - now_ms))
return 0
