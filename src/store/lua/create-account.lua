-- create-account: registers an account unless its username is taken.
-- KEYS[1] account  KEYS[2] username of the user id  KEYS[3] usernames of the bucket  KEYS[4] audit trail
-- ARGV    account as JSON, username, actor
-- returns 'created', 'taken', or 'present': taken by an account with the same hash
-- Asked twice with the same user id it answers `created` both times, whatever has become of the account meanwhile.
local stored = redis.call('GET', KEYS[1])
if stored then
  local readable, account = pcall(cjson.decode, stored)
  if not readable or type(account) ~= 'table' then return 'taken' end
  local wanted = cjson.decode(ARGV[1])
  if account.user_id == wanted.user_id then return 'created' end
  return account.hash == wanted.hash and 'present' or 'taken'
end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], ARGV[2])
redis.call('ZADD', KEYS[3], 0, ARGV[2])
audit(KEYS[4], 'account.created', {})
return 'created'
