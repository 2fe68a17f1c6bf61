-- replace-key-ring: compare-and-set of the key ring.
-- KEYS[1] key ring
-- ARGV    the ring that was read ('' for none), the ring to store
-- returns the ring that is stored now: the given one, or the one that somebody else stored first
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= ARGV[1] then return stored end
redis.call('SET', KEYS[1], ARGV[2])
return ARGV[2]
