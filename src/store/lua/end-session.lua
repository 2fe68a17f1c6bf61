-- end-session: a logout. Ends one session and denies the access token that asked, if one did.
-- KEYS[1] session record  KEYS[2] epoch  KEYS[3] revocation feed  KEYS[4] audit trail
-- KEYS[5] denial of the jti (only when a jti is given)
-- ARGV    sid, family digest ('' when an access token vouches for the sid), client whose session it must be ('' for any),
--         now_ms, idle_ms, window_ms, jti ('' for none), jti_exp_ms, actor
-- returns {'ended'}, {'gone'}: there was no such session any more, or {'foreign'}: it is another client's
-- Asked twice it answers `gone` and changes nothing.
local sid, digest, client, jti = ARGV[1], ARGV[2], ARGV[3], ARGV[7]
local now_ms, idle_ms, window_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

if jti ~= '' then
  deny(KEYS[5], KEYS[3], KEYS[4], { jti = jti, sid = sid, exp_ms = tonumber(ARGV[8]) }, now_ms, window_ms)
end

local record = load(KEYS[1], KEYS[2])
local session, place = find(record, sid)
if not session or session.gen == REUSED then return { 'gone' } end
if digest ~= '' and session.digest ~= digest then return { 'gone' } end
if client ~= '' and session.client ~= client then return { 'foreign' } end
table.remove(record.sessions, place)
save(KEYS[1], record, now_ms, idle_ms)
announce_end(KEYS[3], session, now_ms, window_ms)
audit(KEYS[4], 'session.ended', { sid = sid, detail = session.client })
return { 'ended' }
