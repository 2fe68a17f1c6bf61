-- record: what all session scripts share; put in front of each of them by scripts.ts.
--
-- A user's record is a JSON list, [roles, [session, ...], sub]: `sub` for somebody whom another login system has authenticated. A
-- session is a list, too: [ids, client, device, amr, auth, life, used], the last three numbers. Names would be a third of the bytes;
-- the scripts see these instead, and all times in milliseconds since the epoch:
--   ids      fields of fixed widths, one behind the other, so that the record's size never changes:
--     sid      22 characters, base64url
--     digest   22, of the family secret, base64url
--     attempt  8, the beginning of the digest of the Idempotency-Key that made this generation, or NO_ATTEMPT
--     epoch    8, the bucket's epoch in which it was opened
--     gen      10 decimal digits, the generation, or REUSED
--     lead     5 decimal digits, by how many milliseconds its refreshes run ahead of the pace that is allowed: see rotate.lua
--   device   what the user may call it, as in `Firefox on Linux`
--   amr      how the user was authenticated, space-separated, '' where nobody said: RFC 8176
--   auth     when the user signed in, ends: absolute expiry; stored as seconds, rounded down, and as the seconds between the two
--   used     last rotation
--
-- A bucket's epoch is a random id. All its sessions end when another is put in its place, and also if it is lost.
local IDS_WIDTH = 75
local NO_ATTEMPT = string.rep('-', 8)
-- A session that was ended because of reuse stays as a mark, so that a repeated call is told of the reuse again.
local REUSED = string.rep('-', 10)

-- A session by its names, or nil for what is none.
local function unpack_session(values)
  if type(values) ~= 'table' then return nil end
  local ids, client, device, amr, auth, life, used = unpack(values, 1, 7)
  if type(ids) ~= 'string' or #ids ~= IDS_WIDTH or not tonumber(string.sub(ids, 71)) then return nil end
  local gen = string.sub(ids, 61, 70)
  if gen ~= REUSED and not tonumber(gen) then return nil end
  if type(client) ~= 'string' or type(auth) ~= 'number' or type(life) ~= 'number' or type(used) ~= 'number' then return nil end
  return {
    sid = string.sub(ids, 1, 22), digest = string.sub(ids, 23, 44), attempt = string.sub(ids, 45, 52),
    epoch = string.sub(ids, 53, 60), gen = gen, lead = string.sub(ids, 71),
    client = client, device = device, amr = amr, auth = auth * 1000, ends = (auth + life) * 1000, used = used,
  }
end

local function pack_session(session)
  local ids = session.sid .. session.digest .. session.attempt .. session.epoch .. session.gen .. session.lead
  local auth = math.floor(session.auth / 1000)
  return { ids, session.client, session.device, session.amr, auth, math.floor(session.ends / 1000) - auth, session.used }
end

-- The record at `key`, with the sessions of the present epoch. Absent and unreadable are the same: no sessions, so everything is
-- denied.
local function load(key, epoch_key)
  local found = redis.call('MGET', key, epoch_key)
  local readable, stored = pcall(cjson.decode, found[1] or '')
  local record = { roles = '', sessions = {}, epoch = found[2] }
  if not readable or type(stored) ~= 'table' or type(stored[1]) ~= 'string' or type(stored[2]) ~= 'table' then return record end
  record.roles, record.sub = stored[1], stored[3]
  for _, values in ipairs(stored[2]) do
    local session = unpack_session(values)
    if session and session.epoch == record.epoch then record.sessions[#record.sessions + 1] = session end
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
  if #record.sessions == 0 then return redis.call('DEL', key) end
  local record_last_ms, packed = now_ms, {}
  for i, session in ipairs(record.sessions) do
    record_last_ms = math.max(record_last_ms, last_ms(session, idle_ms))
    packed[i] = pack_session(session)
  end
  local stored = cjson.encode({ record.roles, packed, record.sub })
  redis.call('SET', key, stored, 'PX', string.format('%.0f', record_last_ms - now_ms + DAY_MS))
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
