-- end-others: ends all sessions of a user but the one that asks.
-- KEYS[1] session record  KEYS[2] revocation feed
-- ARGV    sid to keep, now_ms, idle_ms, window_ms
-- returns {sid ended, ...}
-- Asked twice it changes nothing more.
local sid, now_ms, idle_ms, window_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local record = load(KEYS[1])
local kept, ended = {}, {}
for _, session in ipairs(record.sessions) do
  if session.sid == sid or session.gen == REUSED then
    kept[#kept + 1] = session
  else
    announce_end(KEYS[2], session, now_ms, window_ms)
    ended[#ended + 1] = session.sid
  end
end
if #ended > 0 then save(KEYS[1], { roles = record.roles, sessions = kept }, now_ms, idle_ms) end
return ended
