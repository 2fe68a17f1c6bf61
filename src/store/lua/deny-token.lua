-- deny-token: revokes one access token; its session lives on. RFC 7009 section 2.1.
-- KEYS[1] session record  KEYS[2] revocation feed  KEYS[3] denial of the jti
-- ARGV    sid, client whose session it must be, jti, exp_ms, now_ms, window_ms
-- returns 'denied', 'gone': it, or its session, is dead already, or 'foreign': it is another client's
-- Asked twice it answers `gone` and changes nothing.
local sid, client, jti = ARGV[1], ARGV[2], ARGV[3]
local session = find(load(KEYS[1]), sid)
if not session or session.gen == REUSED then return 'gone' end
if session.client ~= client then return 'foreign' end
return deny(KEYS[3], KEYS[2], jti, tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])) and 'denied' or 'gone'
