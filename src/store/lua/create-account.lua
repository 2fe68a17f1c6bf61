-- create-account: registers an account unless its username is taken.
-- KEYS[1] account  KEYS[2] username of the user id  KEYS[3] usernames of the bucket  KEYS[4] audit trail
-- ARGV    account as JSON, username, actor
-- returns 'created' or 'taken'
-- Asked twice with the same account it answers `created` both times.
local stored = redis.call('GET', KEYS[1])
if stored then return stored == ARGV[1] and 'created' or 'taken' end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], ARGV[2])
redis.call('ZADD', KEYS[3], 0, ARGV[2])
audit(KEYS[4], 'account.created', {})
return 'created'
