-- rotate: exchange a refresh token's generation for its successor. RFC 9700 section 4.14.2.
-- KEYS[1] session record  KEYS[2] epoch  KEYS[3] revocation feed  KEYS[4] audit trail
-- ARGV    sid, generation, family digest, attempt digest, clients allowed (space-separated),
--         now_ms, replay_ms, idle_ms, limit of sessions, window_ms, pace_ms (how often a session may be refreshed in the long run;
--         0 for any pace), actor
-- returns {'rotated' | 'replayed' | 'recovered', client, roles, auth_ms, last_ms, subject ('' for none), amr}; the session ends at
--         last_ms unless used
--      or {'wait', ms}: it was refreshed too often lately, and nothing has changed
--      or {'reused' | 'superseded' | 'unknown' | 'expired' | 'foreign'}
-- Asked twice with the same attempt it answers `replayed`, or `reused` again, and changes nothing.
local sid, generation, digest, clients = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[5]
-- Of the attempt's digest 48 bits do: it is compared only where the token before the present one is shown, and who guesses wrong has
-- ended the session.
local attempt = string.sub(ARGV[4] .. NO_ATTEMPT, 1, #NO_ATTEMPT)
local now_ms, replay_ms, idle_ms = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local limit, window_ms = tonumber(ARGV[9]), tonumber(ARGV[10])
local pace_ms = tonumber(ARGV[11])

local record = load(KEYS[1], KEYS[2])
local session = find(record, sid)
if not session then
  local live = 0
  for _, other in ipairs(record.sessions) do
    if other.gen ~= REUSED then live = live + 1 end
  end
  -- Only a full record can have pushed a session out; from one with room it went by a logout.
  return { live >= limit and 'superseded' or 'unknown' }
end
if session.digest ~= digest then return { 'unknown' } end
if session.gen == REUSED then return { 'reused' } end
if not string.find(' ' .. clients .. ' ', ' ' .. session.client .. ' ', 1, true) then return { 'foreign' } end

local function granted(status)
  return { status, session.client, record.roles,
    string.format('%.0f', session.auth), string.format('%.0f', last_ms(session, idle_ms)), record.sub or '', session.amr }
end

if has_expired(session, now_ms, idle_ms) then return { 'expired' } end

local current = tonumber(session.gen)
if generation < current then
  -- The window is on the absolute difference, since servers' clocks differ.
  local in_window = math.abs(now_ms - session.used) <= replay_ms
  if generation == current - 1 and (attempt == session.attempt or in_window) then return granted('replayed') end
  announce_end(KEYS[3], session, now_ms, window_ms)
  audit(KEYS[4], 'refresh.reused', { sid = sid, outcome = 'refused', detail = session.client })
  session.gen = REUSED
  save(KEYS[1], record, now_ms, idle_ms)
  return { 'reused' }
end

-- Only turns that change something count, by the generic cell rate algorithm (ITU-T I.371): each takes pace_ms, and they may run
-- BURST_MS ahead of the clock.
local BURST_MS = 30000
local lead_ms = math.max(session.used + tonumber(session.lead) - now_ms, 0)
-- Further ahead is no session: a server's clock was set back.
if lead_ms > BURST_MS + pace_ms + LEEWAY_MS then lead_ms = 0 end
if lead_ms > BURST_MS then return { 'wait', string.format('%.0f', lead_ms - BURST_MS) } end
session.lead = string.format('%05d', lead_ms + pace_ms)

-- A generation ahead of ours carries our MAC: the store lost a write that it had acknowledged. Catch up with it.
session.gen = string.format('%010d', generation + 1)
session.attempt = attempt
session.used = now_ms
save(KEYS[1], record, now_ms, idle_ms)
if generation == current then return granted('rotated') end
audit(KEYS[4], 'refresh.recovered', { sid = sid, detail = session.client })
return granted('recovered')
