-- replace-key-ring: compare-and-set of the key ring. A key that is withdrawn by it is announced to verifiers.
-- KEYS[1] key ring  KEYS[2] revocation feed  KEYS[3] audit trail
-- ARGV    the ring that was read ('' for none), the ring to store, kid withdrawn ('' for none), now_ms, window_ms,
--         kid added ('' for none), actor
-- returns the ring that is stored now: the given one, or the one that somebody else stored first
-- Asked twice it answers the same, and announces once.
local read, next, kid, added = ARGV[1], ARGV[2], ARGV[3], ARGV[6]
local now_ms, window_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= read then return stored end
redis.call('SET', KEYS[1], next)
if added ~= '' then audit(KEYS[3], 'key.added', { detail = added }) end
if kid ~= '' then
  announce(KEYS[2], { kind = 'kid', id = kid, exp_ms = now_ms + window_ms }, now_ms, window_ms)
  audit(KEYS[3], 'key.withdrawn', { detail = kid })
end
return next
