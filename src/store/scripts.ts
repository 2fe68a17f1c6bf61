/** The Lua scripts as they are sent to the store. */
import changeAccount from './lua/change-account.lua'
import changePassword from './lua/change-password.lua'
import check from './lua/check.lua'
import createAccount from './lua/create-account.lua'
import deny from './lua/deny.lua'
import denyToken from './lua/deny-token.lua'
import endOthers from './lua/end-others.lua'
import endSession from './lua/end-session.lua'
import failLogin from './lua/fail-login.lua'
import openSession from './lua/open-session.lua'
import readFeed from './lua/read-feed.lua'
import record from './lua/record.lua'
import replaceKeyRing from './lua/replace-key-ring.lua'
import rotate from './lua/rotate.lua'
import throttle from './lua/throttle.lua'

/**
 * Tells Upstash to lock only the keys a script declares, instead of the whole database. The local bridge takes the flag
 * out again, since Redis itself does not know it.
 */
const FLAGS = '#!lua flags=allow-key-locking\n'

export const scripts = {
  changeAccount: FLAGS + record + changeAccount,
  changePassword: FLAGS + record + throttle + changePassword,
  failLogin: FLAGS + throttle + failLogin,
  openSession: FLAGS + record + throttle + openSession,
  rotate: FLAGS + record + rotate,
  endOthers: FLAGS + record + endOthers,
  endSession: FLAGS + record + deny + endSession,
  denyToken: FLAGS + record + deny + denyToken,
  readFeed: FLAGS + readFeed,
  check: FLAGS + check,
  createAccount: FLAGS + createAccount,
  replaceKeyRing: FLAGS + record + replaceKeyRing,
} as const
