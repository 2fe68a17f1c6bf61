-- create: what the scripts that make accounts share; put in front of each of them by scripts.ts.

-- Makes an account unless its username is taken. Says 'created', also when that very user id was made before, whatever has become
-- of it meanwhile; 'present' when the name is another user id's, with the same hash; else 'taken'. The second value is whether
-- the account is new.
local function create(account_key, username_key, usernames_key, account_json, username)
  local stored = redis.call('GET', account_key)
  if stored then
    local readable, account = pcall(cjson.decode, stored)
    if not readable or type(account) ~= 'table' then return 'taken', false end
    local wanted = cjson.decode(account_json)
    if account.user_id == wanted.user_id then return 'created', false end
    return account.hash == wanted.hash and 'present' or 'taken', false
  end
  redis.call('SET', account_key, account_json)
  redis.call('SET', username_key, username)
  redis.call('ZADD', usernames_key, 0, username)
  return 'created', true
end
