-- import-accounts: registers many accounts of one bucket, each unless its username is taken. One event tells of all of them.
-- KEYS[1] usernames of the bucket  KEYS[2] audit trail, then for each account: account, username of the user id
-- ARGV    for each account: account as JSON, username; then actor
-- returns for each account 'created', 'taken', or 'present': taken by an account with the same hash
-- Asked twice with the same accounts it answers the same, and changes nothing more.
local outcomes, made = {}, 0
for i = 1, #KEYS / 2 - 1 do
  local outcome, is_new =
    create(KEYS[2 * i + 1], KEYS[2 * i + 2], KEYS[1], ARGV[2 * i - 1], ARGV[2 * i])
  outcomes[i] = outcome
  if is_new then made = made + 1 end
end
if made > 0 then audit(KEYS[2], 'accounts.imported', { detail = tostring(made) }) end
return outcomes
