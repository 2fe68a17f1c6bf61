-- end-everyone: ends every session of a bucket, by putting another epoch in the place of the one in which they were opened.
-- KEYS[1] epoch  KEYS[2] revocation feed  KEYS[3] audit trail (in one bucket only: it is one event)
-- ARGV    epoch, now_ms, window_ms, actor
-- returns 1 if it is news, else 0
-- Asked twice with the same epoch it changes nothing more.
local epoch, now_ms, window_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if redis.call('GET', KEYS[1]) == epoch then return 0 end
redis.call('SET', KEYS[1], epoch)
announce(KEYS[2], { kind = 'all', id = epoch, exp_ms = now_ms + window_ms, before_ms = now_ms }, now_ms, window_ms)
if KEYS[3] then audit(KEYS[3], 'everyone.ended', { detail = epoch }) end
return 1
