-- check: the live check of an access token as a script, so that it runs on the primary.
-- KEYS[1] session record  KEYS[2] denial of the jti
-- returns {record or false, denial or false}, as MGET does
return { redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]) }
