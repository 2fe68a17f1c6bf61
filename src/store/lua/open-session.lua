-- open-session: a login. Ends the least recently used sessions beyond the limit.
-- KEYS[1] session record  KEYS[2] epoch  KEYS[3] revocation feed  KEYS[4] audit trail
-- KEYS[5] account  KEYS[6] throttle of the account (both only without a subject)
-- ARGV    sid, family digest, client, hash that was checked, hash to put in its place ('' to keep it),
--         now_ms, idle_ms, ends_ms, limit of sessions, window_ms, device ('' if unknown),
--         subject whom another login system has authenticated ('' for the owner of the account), the subject's roles, amr, actor
-- returns {'opened', roles, sid ended, ...}
--      or {'changed'}: the account is not the one whose password was checked
--      or {'wait', ms}: too many passwords went wrong while this one was checked
-- Asked twice with the same sid it answers `opened`, without the sids, and changes nothing.
local sid, digest, client, checked_hash, new_hash = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local now_ms, idle_ms, ends_ms, limit = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local window_ms, subject, roles = tonumber(ARGV[10]), ARGV[12], ARGV[13]

local record = load(KEYS[1], KEYS[2])
if find(record, sid) then return { 'opened', record.roles } end

if subject == '' then
  local wait_ms = delay(KEYS[6], now_ms)
  if wait_ms > 0 then return { 'wait', string.format('%.0f', wait_ms) } end

  local raw = redis.call('GET', KEYS[5])
  local readable, account = pcall(cjson.decode, raw or '')
  if not readable or type(account) ~= 'table' then return { 'changed' } end
  -- An account that was deleted and imported again may have the same hash, and is another one.
  if account.user_id ~= ARGV[#ARGV - 4] then return { 'changed' } end
  if account.hash ~= checked_hash or account.status ~= 'active' then return { 'changed' } end

  if new_hash ~= '' then
    account.hash = new_hash
    redis.call('SET', KEYS[5], cjson.encode(account))
  end
  redis.call('DEL', KEYS[6])
  roles = account.roles
end

local kept = {}
for _, session in ipairs(record.sessions) do
  if session.gen ~= REUSED and not has_expired(session, now_ms, idle_ms) then kept[#kept + 1] = session end
end
table.sort(kept, function(a, b) return a.used > b.used end)

local answer = { 'opened', roles }
while #kept >= limit do
  local ended = table.remove(kept)
  announce_end(KEYS[3], ended, now_ms, window_ms)
  audit(KEYS[4], 'session.superseded', { sid = ended.sid, detail = ended.client })
  answer[#answer + 1] = ended.sid
end
if record.roles ~= roles then announce_roles(KEYS[3], kept, now_ms, window_ms) end

-- The first session of a bucket gives it its epoch: random as a sid is, so that none of a lost epoch ever comes to life again.
local epoch = record.epoch
if not epoch then
  epoch = string.sub(sid, 1, 8)
  redis.call('SET', KEYS[2], epoch)
end
kept[#kept + 1] = {
  sid = sid, digest = digest, client = client, gen = string.format('%010d', 0), attempt = NO_ATTEMPT,
  auth = now_ms, used = now_ms, ends = ends_ms, device = ARGV[11], epoch = epoch, amr = ARGV[14],
  lead = '00000',
}
local sub = subject ~= '' and subject or nil
save(KEYS[1], { roles = roles, sub = sub, sessions = kept }, now_ms, idle_ms)
audit(KEYS[4], 'session.opened', { sid = sid, detail = sub and client .. ' for ' .. sub or client })
return answer
