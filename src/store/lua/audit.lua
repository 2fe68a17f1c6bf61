-- audit: what all scripts that change state share; put in front of each of them by scripts.ts.
--
-- Their last five arguments, `actor` in their headers, are for the audit trail: user id of whom it is about ('' for nobody), by
-- whom ('user:...', 'client:...', 'operator', 'latchkey'), from which address, in which request ('' where unknown), and how many
-- events the trail keeps.

-- Writes an event. `told` has sid, detail and outcome where there are such, and user where only the script knows.
local function audit(trail, event, told)
  local user, by, from, request, most = unpack(ARGV, #ARGV - 4)
  -- Always the same names: Redis stores those of an entry only where they differ from the one before.
  redis.call('XADD', trail, 'MAXLEN', '~', most, '*',
    'event', event, 'user', told.user or user, 'sid', told.sid or '', 'by', by, 'from', from, 'request', request,
    'outcome', told.outcome or 'done', 'detail', told.detail or '')
end
