-- record: what all session scripts share; put in front of each of them by scripts.ts.
--
-- A user's record is JSON: {roles, sessions: [{sid, digest, client, gen, attempt, auth, used, ends}]}
--   digest   of the family secret, base64url
--   gen      generation, ten decimal digits, so that the record's size never changes; or REUSED
--   attempt  digest of the Idempotency-Key that made this generation, or NO_ATTEMPT (same length)
--   auth     when the user signed in, used: last rotation, ends: absolute expiry; milliseconds since the epoch
local NO_ATTEMPT = string.rep('-', 22)
-- A session that was ended because of reuse stays as a mark, so that a repeated call is told of the reuse again.
local REUSED = string.rep('-', 10)

local function is_session(value)
  return type(value) == 'table' and type(value.gen) == 'string' and type(value.auth) == 'number'
    and type(value.used) == 'number' and type(value.ends) == 'number'
end

-- The record at `key`. Absent and unreadable are the same: no sessions, so everything is denied.
local function load(key)
  local raw = redis.call('GET', key)
  local readable, stored = pcall(cjson.decode, raw or '')
  local record = { roles = '', sessions = {} }
  if not readable or type(stored) ~= 'table' or type(stored.sessions) ~= 'table' then return record end
  record.roles = stored.roles
  for _, value in ipairs(stored.sessions) do
    if is_session(value) then record.sessions[#record.sessions + 1] = value end
  end
  return record
end

-- The session `sid` of a record and its place, or nil.
local function find(record, sid)
  for place, session in ipairs(record.sessions) do
    if session.sid == sid then return session, place end
  end
end

-- When a session ends if it is not used again.
local function last_ms(session, idle_ms)
  return math.min(session.ends, session.used + idle_ms)
end

-- Tokens count in seconds: with less than one left there is nothing to hand out.
local function has_expired(session, now_ms, idle_ms)
  return last_ms(session, idle_ms) - now_ms < 1000
end

-- Writes the record, to live a day longer than its longest session, so that who comes late hears `expired` and not
-- `unknown`. A record without sessions is removed.
local DAY_MS = 86400000
local function save(key, record, now_ms, idle_ms)
  local record_last_ms = now_ms
  for _, session in ipairs(record.sessions) do record_last_ms = math.max(record_last_ms, last_ms(session, idle_ms)) end
  if #record.sessions == 0 then return redis.call('DEL', key) end
  redis.call('SET', key, cjson.encode(record), 'PX', string.format('%.0f', record_last_ms - now_ms + DAY_MS))
end

-- Tells verifiers that `id` is dead until `exp_ms`. Entries older than the window are dropped; their age is told by the
-- ids that the store gave them, so that a caller whose clock runs ahead cannot empty the feed.
local function announce(feed, kind, id, exp_ms, window_ms)
  local entry = redis.call('XADD', feed, '*', 'kind', kind, 'id', id, 'exp', string.format('%.0f', exp_ms))
  local entry_ms = tonumber(string.match(entry, '^%d+'))
  redis.call('XTRIM', feed, 'MINID', '~', string.format('%.0f', entry_ms - window_ms))
  redis.call('PEXPIRE', feed, window_ms)
end

-- Denies an access token until it expires. Says whether that was news.
local function deny(key, feed, jti, exp_ms, now_ms, window_ms)
  if exp_ms <= now_ms then return false end
  if not redis.call('SET', key, '1', 'PX', string.format('%.0f', exp_ms - now_ms), 'NX') then return false end
  announce(feed, 'jti', jti, exp_ms, window_ms)
  return true
end
