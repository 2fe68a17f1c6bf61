-- record: what all session scripts share; put in front of each of them by scripts.ts.
--
-- A user's record is JSON: {roles, sessions: [[sid, digest, client, gen, attempt, auth, used, ends, device, epoch, amr,
-- lead]]}, and
-- `sub` for somebody whom another login system has authenticated. A session is a list and not an object because names would
-- be a quarter of its bytes; the scripts see it by these names:
--   digest   of the family secret, base64url
--   gen      generation, ten decimal digits, so that the record's size never changes; or REUSED
--   attempt  digest of the Idempotency-Key that made this generation, or NO_ATTEMPT (same length)
--   auth     when the user signed in, used: last rotation, ends: absolute expiry; milliseconds since the epoch
--   device   what the user may call it, as in `Firefox on Linux`
--   epoch    the bucket's epoch in which it was opened
--   lead     how far its refreshes run ahead of the pace that is allowed, five decimal digits of milliseconds: see rotate.lua
--   amr      how the user was authenticated, space-separated, '' where nobody said: RFC 8176
--
-- A bucket's epoch is a random id. All its sessions end when another is put in its place, and also if it is lost.
local FIELDS = { 'sid', 'digest', 'client', 'gen', 'attempt', 'auth', 'used', 'ends', 'device', 'epoch', 'amr', 'lead' }
local NO_ATTEMPT = string.rep('-', 22)
-- A session that was ended because of reuse stays as a mark, so that a repeated call is told of the reuse again.
local REUSED = string.rep('-', 10)

local function unpack_session(values)
  local session = {}
  if type(values) ~= 'table' then return session end
  for i, name in ipairs(FIELDS) do session[name] = values[i] end
  return session
end

local function pack_session(session)
  local values = {}
  for i, name in ipairs(FIELDS) do values[i] = session[name] end
  return values
end

local function is_session(value)
  return type(value.gen) == 'string' and type(value.auth) == 'number'
    and type(value.used) == 'number' and type(value.ends) == 'number' and type(value.epoch) == 'string' and tonumber(value.lead)
end

-- The record at `key`, with the sessions of the present epoch. Absent and unreadable are the same: no sessions, so everything is
-- denied.
local function load(key, epoch_key)
  local found = redis.call('MGET', key, epoch_key)
  local readable, stored = pcall(cjson.decode, found[1] or '')
  local record = { roles = '', sessions = {}, epoch = found[2] }
  if not readable or type(stored) ~= 'table' or type(stored.sessions) ~= 'table' then return record end
  record.roles, record.sub = stored.roles, stored.sub
  for _, values in ipairs(stored.sessions) do
    local session = unpack_session(values)
    if is_session(session) and session.epoch == record.epoch then record.sessions[#record.sessions + 1] = session end
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
  local stored = { roles = record.roles, sub = record.sub, sessions = {} }
  for i, session in ipairs(record.sessions) do stored.sessions[i] = pack_session(session) end
  redis.call('SET', key, cjson.encode(stored), 'PX', string.format('%.0f', record_last_ms - now_ms + DAY_MS))
end

-- How far clocks may be apart: those of two servers, or a server's and a verifier's. What is dead is remembered for so much
-- longer than the tokens live. A feed's window is the life of an access token and this.
local LEEWAY_MS = 60000

-- Tells verifiers that `id` is dead until `exp_ms`; with `before_ms` only its tokens issued before then. Entries older than the
-- window are dropped, by the older of the caller's clock and the store's: neither, running ahead, can empty the feed.
local function announce(feed, entry, now_ms, window_ms)
  local fields = { 'kind', entry.kind, 'id', entry.id, 'exp', string.format('%.0f', entry.exp_ms) }
  if entry.before_ms then
    fields[7], fields[8] = 'before', string.format('%.0f', entry.before_ms)
  end
  local entry_ms = tonumber(string.match(redis.call('XADD', feed, '*', unpack(fields)), '^%d+'))
  redis.call('XTRIM', feed, 'MINID', '~', string.format('%.0f', math.max(math.min(entry_ms, now_ms) - window_ms, 0)))
  redis.call('PEXPIRE', feed, window_ms)
end

-- Tells verifiers that a session has ended. Its last token was issued at `used`, perhaps by a server whose clock is ahead.
local function announce_end(feed, session, now_ms, window_ms)
  local exp_ms = math.max(now_ms, session.used) + window_ms
  announce(feed, { kind = 'sid', id = session.sid, exp_ms = exp_ms }, now_ms, window_ms)
end

-- Tells verifiers that the tokens of today carry roles which their sessions no longer have: they are refused, and the next
-- refresh brings the new ones.
local function announce_roles(feed, sessions, now_ms, window_ms)
  for _, session in ipairs(sessions) do
    local exp_ms = math.max(now_ms, session.used) + window_ms
    announce(feed, { kind = 'sid', id = session.sid, exp_ms = exp_ms, before_ms = now_ms }, now_ms, window_ms)
  end
end
