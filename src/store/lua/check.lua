-- check: the live check of an access token as a script, so that it runs on the primary.
-- KEYS[1] session record  KEYS[2] denial of the jti  KEYS[3] epoch
-- returns {record or false, denial or false, epoch or false}, as MGET does
return redis.call('MGET', KEYS[1], KEYS[2], KEYS[3])
