-- create-account: registers an account unless its username is taken.
-- KEYS[1] account  KEYS[2] username of the user id  KEYS[3] usernames of the bucket  KEYS[4] audit trail
-- ARGV    account as JSON, username, actor
-- returns 'created' or 'taken'
-- Asked twice with the same account it answers `created` both times.
local outcome, is_new = create(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
if is_new then audit(KEYS[4], 'account.created', {}) end
return outcome == 'created' and outcome or 'taken'
