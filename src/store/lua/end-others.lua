-- end-others: ends all sessions of a user but the one that asks.
-- KEYS[1] session record  KEYS[2] epoch  KEYS[3] revocation feed  KEYS[4] audit trail
-- ARGV    sid to keep ('' for none), now_ms, idle_ms, window_ms, actor
-- returns {sid ended, ...}
-- Asked twice it changes nothing more.
local sid, now_ms, idle_ms, window_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local record = load(KEYS[1], KEYS[2])
local kept, ended = {}, {}
for _, session in ipairs(record.sessions) do
  if session.sid == sid or session.gen == REUSED then
    kept[#kept + 1] = session
  else
    announce_end(KEYS[3], session, now_ms, window_ms)
    audit(KEYS[4], 'session.ended', { sid = session.sid, detail = session.client })
    ended[#ended + 1] = session.sid
  end
end
record.sessions = kept
if #ended > 0 then save(KEYS[1], record, now_ms, idle_ms) end
return ended
