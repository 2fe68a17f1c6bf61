-- deny-token: revokes one access token; its session lives on. RFC 7009 section 2.1.
-- KEYS[1] denial of the jti  KEYS[2] revocation feed
-- ARGV    jti, exp_ms, now_ms, window_ms
-- returns 'denied' or 'gone': it is denied or expired already
return deny(KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])) and 'denied' or 'gone'
