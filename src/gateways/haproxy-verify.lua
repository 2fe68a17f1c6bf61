-- http-request lua.latchkey_verify QUERY ADDRESS: asks Latchkey whether a request may pass, and changes nothing itself.
-- QUERY   as in audience=https%3A%2F%2Fapi.example.com
-- ADDRESS where to ask, as haproxy writes addresses
-- sets txn.latchkey_status           204 is yes, 401 is no, anything else or nothing is "nobody can say"
--      txn.latchkey_user_id, _session_id, _roles, _session_check, _challenge, _retry_after: Latchkey's headers

-- Latchkey gives its store 800 ms (STORE_TIMEOUT_MS) and then says 503 itself.
local TIMEOUT_MS = 2000

local ANSWERS = {
  latchkey_user_id = 'x-user-id',
  latchkey_session_id = 'x-session-id',
  latchkey_roles = 'x-roles',
  latchkey_session_check = 'x-session-check',
  latchkey_challenge = 'www-authenticate',
  latchkey_retry_after = 'retry-after',
}

core.register_action('latchkey_verify', { 'http-req' }, function(txn, query, address)
  local authorization = txn.http:req_get_headers()['authorization']
  local headers = { authorization = authorization and { authorization[0] } }
  local url = 'http://latchkey/v1/verify?' .. query
  local answer = core.httpclient():head({ url = url, dst = address, headers = headers, timeout = TIMEOUT_MS })
  if not answer then return end
  txn:set_var('txn.latchkey_status', answer.status)
  for variable, header in pairs(ANSWERS) do
    local values = answer.headers and answer.headers[header]
    if values then txn:set_var('txn.' .. variable, values[0]) end
  end
end, 2)
