-- change-account: an administrator sets an account's status or roles; the user's running sessions follow in the same step.
-- KEYS[1] account  KEYS[2] throttle of the account  KEYS[3] session record  KEYS[4] revocation feed
-- ARGV    user id, status ('active', 'disabled', or '' to keep it), roles ('=' and the roles, or '' to keep them),
--         now_ms, idle_ms, window_ms
-- returns {'changed', the account as JSON, sid ended, ...} or {'absent'}: no such account under that name any more
-- Asked twice it changes nothing more.
local user_id, status, roles = ARGV[1], ARGV[2], ARGV[3]
local now_ms, idle_ms, window_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local readable, account = pcall(cjson.decode, redis.call('GET', KEYS[1]) or '')
if not readable or type(account) ~= 'table' or account.user_id ~= user_id then return { 'absent' } end

local record = load(KEYS[3])
local answer = { 'changed', '' }
if status == 'active' then redis.call('DEL', KEYS[2]) end
if status ~= '' then account.status = status end
if status == 'disabled' then
  for _, session in ipairs(record.sessions) do
    if session.gen ~= REUSED then
      announce_end(KEYS[4], session, now_ms, window_ms)
      answer[#answer + 1] = session.sid
    end
  end
  redis.call('DEL', KEYS[3])
elseif roles ~= '' and #record.sessions > 0 and record.roles ~= string.sub(roles, 2) then
  record.roles = string.sub(roles, 2)
  save(KEYS[3], record, now_ms, idle_ms)
  -- Tokens of today carry the old roles: verifiers refuse them, and the next refresh brings the new ones.
  for _, session in ipairs(record.sessions) do
    local exp_ms = math.max(now_ms, session.used) + window_ms
    announce(KEYS[4], { kind = 'sid', id = session.sid, exp_ms = exp_ms, before_ms = now_ms }, now_ms, window_ms)
  end
end
if roles ~= '' then account.roles = string.sub(roles, 2) end
answer[2] = cjson.encode(account)
redis.call('SET', KEYS[1], answer[2])
return answer
