-- check: the live check of access tokens as a script, so that it runs on the primary.
-- KEYS[1] and all others: what to read, of one bucket
-- returns what MGET does
return redis.call('MGET', unpack(KEYS))
