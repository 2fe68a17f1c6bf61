-- deny: what the scripts that revoke one access token share; put in front of them, behind record.lua, by scripts.ts.

-- Denies an access token until it has expired by every clock, and tells verifiers. Says whether that was news: a denial that
-- stands is replaced by one that lasts longer, in case the first one was told too early an expiry.
local function deny(key, feed, trail, token, now_ms, window_ms)
  local last_ms = token.exp_ms + LEEWAY_MS
  if last_ms <= now_ms then return false end
  local lasts_ms = string.format('%.0f', last_ms - now_ms)
  if not redis.call('SET', key, '1', 'PX', lasts_ms, 'NX') then
    if redis.call('PTTL', key) + LEEWAY_MS >= last_ms - now_ms then return false end
    redis.call('SET', key, '1', 'PX', lasts_ms)
  end
  announce(feed, { kind = 'jti', id = token.jti, exp_ms = last_ms }, now_ms, window_ms)
  audit(trail, 'token.denied', { sid = token.sid, detail = token.jti })
  return true
end
