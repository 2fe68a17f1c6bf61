-- fail-login: counts a wrong password. NIST SP 800-63B-4 section 3.2.2.
-- KEYS[1] throttle  KEYS[2] account  KEYS[3] audit trail (both only for the throttle of an account)
-- ARGV    now_ms, the failure from which on there is a delay, longest delay_ms, forget_ms, failures that lock the account,
--         actor
-- returns how long to wait in ms if a delay is in force (then nothing was counted, and the caller must say neither right nor
--         wrong), else 0
-- Asked twice it counts twice: that errs on the safe side.
local now_ms, first, longest_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local forget_ms, most = tonumber(ARGV[4]), tonumber(ARGV[5])
local wait_ms, count = delay(KEYS[1], now_ms)
if wait_ms > 0 then return wait_ms end

count = count + 1
local delay_ms = count >= first and math.min(1000 * 2 ^ (count - first), longest_ms) or 0
local state = string.format('%d %.0f', count, now_ms + delay_ms)
redis.call('SET', KEYS[1], state, 'PX', string.format('%.0f', forget_ms + delay_ms))
if not KEYS[2] or count < most then return 0 end

local readable, account = pcall(cjson.decode, redis.call('GET', KEYS[2]) or '')
if readable and type(account) == 'table' and account.status == 'active' then
  account.status = 'locked'
  redis.call('SET', KEYS[2], cjson.encode(account))
  audit(KEYS[3], 'account.locked', { user = account.user_id })
end
return 0
