-- end-session: a logout. Ends one session and denies the access token that asked, if one did.
-- KEYS[1] session record  KEYS[2] revocation feed  KEYS[3] denial of the jti (only when a jti is given)
-- ARGV    sid, family digest ('' when an access token vouches for the sid), now_ms, idle_ms, access_ms, window_ms,
--         jti ('' for none), jti_exp_ms
-- returns {'ended'} or {'gone'}: there was no such session any more
-- Asked twice it answers `gone` and changes nothing.
local sid, digest, jti = ARGV[1], ARGV[2], ARGV[7]
local now_ms, idle_ms, access_ms, window_ms = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local jti_exp_ms = tonumber(ARGV[8])

if jti ~= '' and jti_exp_ms > now_ms and redis.call('SET', KEYS[3], '1', 'PX', jti_exp_ms - now_ms, 'NX') then
  announce(KEYS[2], 'jti', jti, jti_exp_ms, window_ms)
end

local record = load(KEYS[1])
local session, place = find(record, sid)
if not session or session.gen == REUSED then return { 'gone' } end
if digest ~= '' and session.digest ~= digest then return { 'gone' } end
table.remove(record.sessions, place)
save(KEYS[1], record, now_ms, idle_ms)
announce(KEYS[2], 'sid', sid, now_ms + access_ms, window_ms)
return { 'ended' }
