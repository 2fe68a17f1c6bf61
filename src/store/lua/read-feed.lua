-- read-feed: a page of the revocation feed. A script so that it runs on the primary: a lagging replica would hide a logout.
-- KEYS[1] revocation feed
-- ARGV    the place after which to read (an entry's id, '0-0' for the beginning), the most entries of a page
-- returns {1 if the page begins right behind that place or 0 if it begins at the feed's beginning, XRANGE's entries}
-- An entry that is no longer there cannot be continued from: it was trimmed, or the store lost it.
local place, most = ARGV[1], tonumber(ARGV[2])
if place == '0-0' then return { 1, redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', most) } end
local page = redis.call('XRANGE', KEYS[1], place, '+', 'COUNT', most + 1)
if page[1] and page[1][1] == place then
  table.remove(page, 1)
  return { 1, page }
end
return { 0, redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', most) }
