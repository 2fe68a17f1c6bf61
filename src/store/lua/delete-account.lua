-- delete-account: an account goes, with its sessions and its throttle.
-- KEYS[1] session record  KEYS[2] epoch  KEYS[3] revocation feed  KEYS[4] audit trail  KEYS[5] account
-- KEYS[6] throttle of the account  KEYS[7] username of the user id  KEYS[8] usernames of the bucket
-- ARGV    user id, username, now_ms, window_ms, actor
-- returns {'deleted', sid ended, ...} or {'absent'}: no such account under that name any more
-- Asked twice it answers `absent` and changes nothing.
local user_id, username, now_ms, window_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local readable, account = pcall(cjson.decode, redis.call('GET', KEYS[5]) or '')
if not readable or type(account) ~= 'table' or account.user_id ~= user_id then return { 'absent' } end

local answer = { 'deleted' }
audit(KEYS[4], 'account.deleted', {})
for _, session in ipairs(load(KEYS[1], KEYS[2]).sessions) do
  if session.gen ~= REUSED then
    announce_end(KEYS[3], session, now_ms, window_ms)
    audit(KEYS[4], 'session.ended', { sid = session.sid, detail = session.client })
    answer[#answer + 1] = session.sid
  end
end
redis.call('DEL', KEYS[1], KEYS[5], KEYS[6], KEYS[7])
redis.call('ZREM', KEYS[8], username)
return answer
