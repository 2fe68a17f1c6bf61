-- create-account: registers an account unless its username is taken.
-- KEYS[1] account
-- ARGV    account as JSON
-- returns 'created' or 'taken'
-- Asked twice with the same account it answers `created` both times.
local stored = redis.call('GET', KEYS[1])
if not stored then redis.call('SET', KEYS[1], ARGV[1]) end
return (not stored or stored == ARGV[1]) and 'created' or 'taken'
