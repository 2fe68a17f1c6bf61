-- deny-token: revokes one access token; its session lives on. RFC 7009 section 2.1.
-- KEYS[1] session record  KEYS[2] epoch  KEYS[3] revocation feed  KEYS[4] audit trail  KEYS[5] denial of the jti
-- ARGV    sid ('' for a denial whatever the session), client whose session it must be, jti, exp_ms, now_ms, window_ms, actor
-- returns 'denied', 'gone': it, or its session, is dead already, or 'foreign': it is another client's
-- Asked twice it answers `gone` and changes nothing.
local sid, client = ARGV[1], ARGV[2]
local token = { jti = ARGV[3], sid = sid, exp_ms = tonumber(ARGV[4]) }
if sid ~= '' then
  local session = find(load(KEYS[1], KEYS[2]), sid)
  if not session or session.gen == REUSED then return 'gone' end
  if session.client ~= client then return 'foreign' end
end
return deny(KEYS[5], KEYS[3], KEYS[4], token, tonumber(ARGV[5]), tonumber(ARGV[6])) and 'denied' or 'gone'
