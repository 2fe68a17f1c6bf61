/** The Lua scripts as they are sent to the store. */
import audit from './lua/audit.lua'
import changeAccount from './lua/change-account.lua'
import changePassword from './lua/change-password.lua'
import check from './lua/check.lua'
import create from './lua/create.lua'
import createAccount from './lua/create-account.lua'
import deleteAccount from './lua/delete-account.lua'
import deny from './lua/deny.lua'
import denyToken from './lua/deny-token.lua'
import endEveryone from './lua/end-everyone.lua'
import endOthers from './lua/end-others.lua'
import endSession from './lua/end-session.lua'
import failLogin from './lua/fail-login.lua'
import importAccounts from './lua/import-accounts.lua'
import openSession from './lua/open-session.lua'
import readAudit from './lua/read-audit.lua'
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

const audited = FLAGS + audit
const ofSessions = audited + record

export const scripts = {
  changeAccount: ofSessions + changeAccount,
  changePassword: ofSessions + throttle + changePassword,
  deleteAccount: ofSessions + deleteAccount,
  openSession: ofSessions + throttle + openSession,
  rotate: ofSessions + rotate,
  endEveryone: ofSessions + endEveryone,
  endOthers: ofSessions + endOthers,
  endSession: ofSessions + deny + endSession,
  denyToken: ofSessions + deny + denyToken,
  replaceKeyRing: ofSessions + replaceKeyRing,
  failLogin: audited + throttle + failLogin,
  createAccount: audited + create + createAccount,
  importAccounts: audited + create + importAccounts,
  readFeed: FLAGS + readFeed,
  readAudit: FLAGS + readAudit,
  check: FLAGS + check,
} as const
