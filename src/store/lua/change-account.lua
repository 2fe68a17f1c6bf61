-- change-account: an administrator sets an account's status or roles; the user's running sessions follow in the same step.
-- KEYS[1] session record  KEYS[2] epoch  KEYS[3] revocation feed  KEYS[4] audit trail  KEYS[5] account
-- KEYS[6] throttle of the account
-- ARGV    user id, status ('active', 'disabled', or '' to keep it), roles ('=' and the roles, or '' to keep them),
--         now_ms, idle_ms, window_ms, actor
-- returns {'changed', the account as JSON, sid ended, ...} or {'absent'}: no such account under that name any more
-- Asked twice it changes nothing more.
local user_id, status, roles = ARGV[1], ARGV[2], ARGV[3]
local now_ms, idle_ms, window_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local readable, account = pcall(cjson.decode, redis.call('GET', KEYS[5]) or '')
if not readable or type(account) ~= 'table' or account.user_id ~= user_id then return { 'absent' } end

local record = load(KEYS[1], KEYS[2])
local answer = { 'changed', '' }
local unlocked = status == 'active' and redis.call('DEL', KEYS[6]) == 1
if status ~= '' and (status ~= account.status or unlocked) then
  audit(KEYS[4], status == 'active' and 'account.enabled' or 'account.disabled', {})
end
if status ~= '' then account.status = status end
if status == 'disabled' then
  for _, session in ipairs(record.sessions) do
    if session.gen ~= REUSED then
      announce_end(KEYS[3], session, now_ms, window_ms)
      audit(KEYS[4], 'session.ended', { sid = session.sid, detail = session.client })
      answer[#answer + 1] = session.sid
    end
  end
  redis.call('DEL', KEYS[1])
elseif roles ~= '' and #record.sessions > 0 and record.roles ~= string.sub(roles, 2) then
  record.roles = string.sub(roles, 2)
  save(KEYS[1], record, now_ms, idle_ms)
  announce_roles(KEYS[3], record.sessions, now_ms, window_ms)
end
if roles ~= '' and account.roles ~= string.sub(roles, 2) then
  account.roles = string.sub(roles, 2)
  audit(KEYS[4], 'account.roles_set', { detail = account.roles })
end
answer[2] = cjson.encode(account)
redis.call('SET', KEYS[5], answer[2])
return answer
