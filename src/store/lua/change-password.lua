-- change-password: puts a new hash in the place of the one that was checked, and ends every session but the one that asks.
-- KEYS[1] session record  KEYS[2] epoch  KEYS[3] revocation feed  KEYS[4] audit trail  KEYS[5] account
-- KEYS[6] throttle of the account
-- ARGV    user id, sid that asks, hash that was checked, hash to put in its place, now_ms, idle_ms, window_ms,
--         actor
-- returns {'changed', sid ended, ...}
--      or {'gone'}: the session that asks is not live any more
--      or {'wait', ms}: too many passwords went wrong while this one was checked
--      or {'conflict'}: the account is not the one whose password was checked
-- Asked twice with the same new hash it answers `changed`, without the sids, and changes nothing.
local user_id, sid, checked_hash, new_hash = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local now_ms, idle_ms, window_ms = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local readable, account = pcall(cjson.decode, redis.call('GET', KEYS[5]) or '')
if not readable or type(account) ~= 'table' or account.user_id ~= user_id then return { 'conflict' } end
if account.hash == new_hash then return { 'changed' } end

local record = load(KEYS[1], KEYS[2])
local asking = find(record, sid)
if not asking or asking.gen == REUSED or has_expired(asking, now_ms, idle_ms) then return { 'gone' } end

local wait_ms = delay(KEYS[6], now_ms)
if wait_ms > 0 then return { 'wait', string.format('%.0f', wait_ms) } end
if account.hash ~= checked_hash or account.status ~= 'active' then return { 'conflict' } end

account.hash = new_hash
redis.call('SET', KEYS[5], cjson.encode(account))
redis.call('DEL', KEYS[6])
audit(KEYS[4], 'password.changed', { sid = sid })
local answer = { 'changed' }
for _, session in ipairs(record.sessions) do
  if session.sid ~= sid and session.gen ~= REUSED then
    announce_end(KEYS[3], session, now_ms, window_ms)
    audit(KEYS[4], 'session.ended', { sid = session.sid, detail = session.client })
    answer[#answer + 1] = session.sid
  end
end
record.sessions = { asking }
save(KEYS[1], record, now_ms, idle_ms)
return answer
